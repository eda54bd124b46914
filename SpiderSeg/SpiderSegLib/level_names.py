"""What the levels are called, and which anatomy a name or code asserts: the wrong-level safety of every output.

A value counts from the lowest vertebra up; a name such as L5 is anatomy. Until a person confirms the numbering, no output says L5
alone and no code says more than "vertebra" or "intervertebral disc".
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache

from SpiderSegLib.errors import LabelError
from SpiderSegLib.labels import DISC_OFFSET, HIGHEST_LEVEL, PARTIAL_OFFSET, LevelState, Structure, label_table, level_of, structure_of

RESEARCH_USE = "Research use only, not for diagnosis"

USUAL_LUMBAR_COUNT = 5
LUMBAR_COUNTS = (4, 5, 6)
THORACIC_COUNT, CERVICAL_COUNT = 12, 7

SACRUM = "S1"

#: Values whose codes name no level: rows of the label table above the levels that have a code of their own.
_GENERIC_VERTEBRA_VALUE, _GENERIC_DISC_VALUE = HIGHEST_LEVEL, DISC_OFFSET + HIGHEST_LEVEL

#: Characters that separate values in tags, file headers and terminology entries.
RESERVED_CHARACTERS = ";=|~^"

_LEVEL = re.compile(r"(?P<region>[LTC])(?P<number>[1-9]\d?)")

_CATEGORY = ("SCT", "123037004", "Anatomical Structure")


@dataclass(frozen=True)
class Code:
    """A coded concept: scheme designator (SCT = SNOMED CT), value and meaning."""

    scheme: str
    value: str
    meaning: str


@dataclass(frozen=True)
class LevelNaming:
    """How the levels of one patient are named.

    lumbar_count is 4, 5 or 6: the vertebra of value 1 is L4, L5 or L6. own_names maps a level number to the name a person gave its
    vertebra (e.g. {6: 'T13'}); the discs beside it follow. Raises LabelError for another count or level, and for a name that is empty or
    holds one of RESERVED_CHARACTERS.
    """

    state: LevelState = LevelState.ASSUMED
    lumbar_count: int = USUAL_LUMBAR_COUNT
    own_names: Mapping[int, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.lumbar_count not in LUMBAR_COUNTS:
            raise LabelError(f"expected 4, 5 or 6 lumbar vertebrae, found {self.lumbar_count}")
        for level, name in self.own_names.items():
            if not 1 <= level <= HIGHEST_LEVEL or not name.strip() or any(character in name for character in RESERVED_CHARACTERS):
                raise LabelError(f"expected a name without {RESERVED_CHARACTERS} for a level from 1 to {HIGHEST_LEVEL}, found {name!r} for {level}")

    @property
    def is_asserted(self) -> bool:
        """Whether a person stands behind the names."""
        return self.state in (LevelState.CONFIRMED, LevelState.TRANSITIONAL)

    def confirmed(self) -> LevelNaming:
        """The same names, asserted: transitional when the count or a name is not the usual one."""
        is_usual = self.lumbar_count == USUAL_LUMBAR_COUNT and not self.own_names
        return replace(self, state=LevelState.CONFIRMED if is_usual else LevelState.TRANSITIONAL)


def vertebra_name(level: int, naming: LevelNaming | None = None) -> str:
    """Anatomical name of the vertebra `level` (1 = lowest lumbar): 'L5', 'T12', 'C7', whatever the state; 0 is the sacrum, 'S1'.

    Above a vertebra that a person called T13, or L6, counting goes on from there.
    """
    naming = naming or LevelNaming()
    anchor = max((own for own, name in naming.own_names.items() if own <= level and (own == level or _LEVEL.fullmatch(name))), default=None)
    if anchor is not None:
        name = naming.own_names[anchor]
        for _ in range(level - anchor):
            name = _next_up(name)
        return name or f"Vertebra {level}"
    if level == 0:
        return SACRUM
    above = level
    for letter, count in (("L", naming.lumbar_count), ("T", THORACIC_COUNT), ("C", CERVICAL_COUNT)):
        if above <= count:
            return f"{letter}{count + 1 - above}"
        above -= count
    return f"Vertebra {level}"


def _next_up(name: str) -> str:
    """The level above one: 'T12' above 'L1'; '' above C1."""
    found = _LEVEL.fullmatch(name)
    if found is None:
        return ""
    region, number = found["region"], int(found["number"])
    if number > 1:
        return f"{region}{number - 1}"
    return {"L": f"T{THORACIC_COUNT}", "T": f"C{CERVICAL_COUNT}"}.get(region, "")


def anatomical_name(value: int, naming: LevelNaming | None = None) -> str:
    """'L5', 'L4/L5' or 'Spinal canal', whatever the state and without a word on partial view. Raises LabelError outside the scheme."""
    structure, level = structure_of(value), level_of(value)
    if structure is Structure.VERTEBRA:
        return vertebra_name(level, naming)
    if structure is Structure.DISC:
        upper, lower = vertebra_name(level, naming), vertebra_name(level - 1, naming)
        return f"Disc {level}" if upper.startswith("Vertebra") else f"{upper}/{lower}"
    return label_table()[value].name


def _ordinal_name(value: int, naming: LevelNaming) -> str:
    level = level_of(value)
    if structure_of(value) is Structure.DISC:
        return f"Disc {level}"
    is_lumbar = level <= naming.lumbar_count and naming.state is not LevelState.UNIDENTIFIED
    return f"Lumbar vertebra {level}" if is_lumbar else f"Vertebra {level}"


def is_partial(value: int) -> bool:
    """Whether a value stands for a vertebra cut by the field of view (101-125)."""
    return PARTIAL_OFFSET < value < DISC_OFFSET


def short_name(value: int, naming: LevelNaming) -> str:
    """Name for a list beside its state: 'L5' confirmed or transitional, 'L5?' assumed, 'Vertebra 1' unidentified; '(partial)' behind it.

    Raises LabelError for a value outside the scheme.
    """
    if structure_of(value) is Structure.CANAL:
        return anatomical_name(value)
    if naming.state is LevelState.UNIDENTIFIED:
        name = _ordinal_name(value, naming)
    else:
        name = anatomical_name(value, naming) + ("" if naming.is_asserted else "?")
    return f"{name} (partial)" if is_partial(value) else name


def full_name(value: int, naming: LevelNaming) -> str:
    """Name that stands alone in exports, reports and pictures.

    'L5' confirmed; 'Lumbar vertebra 1 (level assumed: L5)'; 'Lumbar vertebra 1 (transitional: L6)'; 'Vertebra 1' unidentified. Discs:
    'Disc 1 (level assumed: L5/S1)'. A vertebra cut by the field of view has ', partial' before the bracket. Raises LabelError for a
    value outside the scheme.
    """
    if structure_of(value) is Structure.CANAL:
        return anatomical_name(value)
    partial = ", partial" if is_partial(value) else ""
    if naming.state is LevelState.CONFIRMED:
        return anatomical_name(value, naming) + partial
    name = _ordinal_name(value, naming) + partial
    if naming.state is LevelState.UNIDENTIFIED:
        return name
    word = "transitional" if naming.state is LevelState.TRANSITIONAL else "level assumed"
    return f"{name} ({word}: {anatomical_name(value, naming)})"


@lru_cache(maxsize=1)
def _code_by_name() -> dict[str, Code]:
    return {entry.name: Code(*entry.type_code) for entry in label_table().values()}


def type_code(value: int, naming: LevelNaming) -> Code:
    """SNOMED CT code of a structure: of its level when a person confirmed it, else the generic one of vertebra or disc.

    A transitional numbering stays generic too: no code says which of the usual levels an L6 stands for. Raises LabelError for a value
    outside the scheme.
    """
    structure = structure_of(value)
    if structure is Structure.CANAL:
        return Code(*label_table()[value].type_code)
    if naming.state is LevelState.CONFIRMED:
        return _code_by_name().get(anatomical_name(value, naming), generic_code(structure))
    return generic_code(structure)


def generic_code(structure: Structure) -> Code:
    """The code that says vertebra or disc and no more."""
    value = _GENERIC_DISC_VALUE if structure is Structure.DISC else _GENERIC_VERTEBRA_VALUE
    return Code(*label_table()[value].type_code)


def category_code() -> Code:
    """The category of every structure."""
    return Code(*_CATEGORY)


def check_level(level: int, what: str) -> int:
    """The level if the scheme has it. Raises LabelError."""
    if not 1 <= level <= HIGHEST_LEVEL:
        raise LabelError(f"{what} would get level {level}; the labels reach from 1 (lowest lumbar vertebra) to {HIGHEST_LEVEL}")
    return level


def shifted_value(value: int, by: int) -> int:
    """A value `by` levels up; the canal and background stay. Raises LabelError when the level leaves 1..25."""
    level = level_of(value)
    return value if level == 0 else value - level + check_level(level + by, f"label {value}")


def shifted_values(values: Iterable[int], by: int) -> dict[int, int]:
    """Old value -> new value of a whole segmentation. Raises LabelError, before anything is changed, when one leaves the scheme."""
    present = sorted(set(values))
    if by < 0 and any(level_of(value) + by < 1 for value in present if level_of(value)):
        raise LabelError(
            "the lowest vertebra or disc is level 1 already and can't be shifted down: if it is a lumbarized S1, set six lumbar vertebrae "
            "instead; if it is no vertebra, delete it first"
        )
    return {value: shifted_value(value, by) for value in present}
