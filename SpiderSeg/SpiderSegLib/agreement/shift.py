"""A numbering that is off by a constant: the commonest disagreement on levels, and one that is mended in one step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from SpiderSegLib.labels import Structure, level_of
from SpiderSegLib.metrics import InstancePair

#: A pair below this Dice may be two neighbors that touch; it says nothing about the numbering.
SAME_INSTANCE_DICE = 0.5

#: One pair alone makes no pattern.
FEWEST_PAIRS = 2

_COUNTS = {1: "one", 2: "two", 3: "three", 4: "four", 5: "five"}


@dataclass(frozen=True)
class LevelShift:
    """B's numbers are A's plus `by`, for every matched instance of `structure` (None: vertebrae and discs alike)."""

    by: int
    structure: Structure | None = None

    @property
    def text(self) -> str:
        """'B numbers every level one higher than A'."""
        what = "level" if self.structure is None else self.structure.name.lower()
        count = _COUNTS.get(abs(self.by), str(abs(self.by)))
        return f"B numbers every {what} {count} {'higher' if self.by > 0 else 'lower'} than A"


def find_shift(pairs: Mapping[Structure, Sequence[InstancePair]]) -> LevelShift | None:
    """The shift that all clear pairs (value in A, value in B) share, else that of the first structure whose pairs share one, else None."""
    by_structure = {structure: _differences(structure_pairs) for structure, structure_pairs in pairs.items()}
    pooled = [difference for differences in by_structure.values() for difference in differences]
    for structure, differences in ((None, pooled), *by_structure.items()):
        if len(differences) >= FEWEST_PAIRS and len(set(differences)) == 1 and differences[0]:
            return LevelShift(differences[0], structure)
    return None


def _differences(pairs: Sequence[InstancePair]) -> list[int]:
    """Number in B minus number in A of each clear pair."""
    return [level_of(pair.prediction) - level_of(pair.reference) for pair in pairs if pair.prediction is not None and pair.dice >= SAME_INSTANCE_DICE]
