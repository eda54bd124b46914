"""What is known of the agreement of two labelmaps, A and B."""

from __future__ import annotations

from dataclasses import dataclass

from SpiderSegLib.agreement.shift import LevelShift
from SpiderSegLib.labels import Structure, level_of

#: Fields of StructureAgreement that are averaged, and the structures they say more of than another field does.
_MEASURES = {
    "dice": (Structure.VERTEBRA, Structure.DISC, Structure.CANAL),
    "instance_dice": (Structure.VERTEBRA, Structure.DISC),
    "asd_mm": (Structure.VERTEBRA, Structure.DISC, Structure.CANAL),
}
_SCORES = {"dice": "structure_dice", "instance_dice": "instance_dice", "asd_mm": "asd_mm"}


@dataclass(frozen=True)
class LevelRow:
    """One vertebra, disc or canal: its value in A and in B, None where the other has nothing that matches it.

    Without a match dice is 0 and asd_mm None.
    """

    structure: Structure
    value_a: int | None
    value_b: int | None
    dice: float
    asd_mm: float | None
    volume_a_ml: float
    volume_b_ml: float

    @property
    def is_matched(self) -> bool:
        return self.value_a is not None and self.value_b is not None

    @property
    def is_level_same(self) -> bool:
        """Whether both give it the same number modulo 100; a whole and a partial vertebra of one number agree. False without a match."""
        return self.value_a is not None and self.value_b is not None and level_of(self.value_a) == level_of(self.value_b)

    @property
    def volume_difference_ml(self) -> float:
        """B minus A."""
        return self.volume_b_ml - self.volume_a_ml


@dataclass(frozen=True)
class StructureAgreement:
    """One structure present in A or B.

    dice: over all of its voxels, whatever their numbers. instance_dice: mean over the one-to-one matched instances and those without a
    match, which count 0. asd_mm: mean over the matched ones, None without any. only_a, only_b: values without a match.
    """

    structure: Structure
    dice: float
    instance_dice: float
    asd_mm: float | None
    matched: int
    only_a: tuple[int, ...]
    only_b: tuple[int, ...]
    volume_a_ml: float
    volume_b_ml: float


@dataclass(frozen=True)
class Agreement:
    """Two labelmaps of one series compared.

    levels: vertebrae from the lowest up, then discs, then the canal; what is only in B stands where its number belongs.
    shift: a numbering that is off by a constant, None if it is not.
    voxels_labeled: labeled in A or B; voxels_different: of another value; voxels_of_other_structure: of another structure or background.
    """

    name_a: str
    name_b: str
    structures: tuple[StructureAgreement, ...]
    levels: tuple[LevelRow, ...]
    shift: LevelShift | None
    voxels_labeled: int
    voxels_different: int
    voxels_of_other_structure: int

    def of(self, structure: Structure) -> StructureAgreement | None:
        """The agreement on one structure; None where it is absent from both."""
        return next((one for one in self.structures if one.structure is structure), None)

    @property
    def leveled(self) -> tuple[LevelRow, ...]:
        """The vertebrae and discs."""
        return tuple(row for row in self.levels if row.structure is not Structure.CANAL)

    @property
    def levels_same(self) -> int:
        """Vertebrae and discs that match and carry the same number modulo 100."""
        return sum(row.is_level_same for row in self.leveled)

    @property
    def level_agreement(self) -> float | None:
        """levels_same as a share of all vertebrae and discs: those that match, those only in A and those only in B; None without any."""
        return self.levels_same / len(self.leveled) if self.leveled else None

    @property
    def mean_dice(self) -> float | None:
        """Mean structure Dice; None for two empty labelmaps."""
        return sum(one.dice for one in self.structures) / len(self.structures) if self.structures else None

    def by_name(self) -> dict[str, float | None]:
        """The measures that are averaged over series, by the names of the project's scores; None: not defined for this series."""
        values: dict[str, float | None] = {}
        for measure, structures in _MEASURES.items():
            for structure in structures:
                found = self.of(structure)
                values[f"{_SCORES[measure]}.{structure.name.lower()}"] = None if found is None else getattr(found, measure)
        share = self.voxels_different / self.voxels_labeled if self.voxels_labeled else None
        return {**values, "level_agreement": self.level_agreement, "voxels_different": share}
