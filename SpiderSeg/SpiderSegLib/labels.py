"""The SPIDER label scheme (van der Graaf et al. 2024).

1-25 vertebrae from the lowest lumbar one up, 100 spinal canal, 101-125 the same vertebra cut by the field of view,
201-225 discs, disc 200+n below vertebra n. Colors, codes and the names of the scheme come from
Resources/SpiderLabels.csv alone; what a level is called in outputs is `level_names`'.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum, IntEnum
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from SpiderSegLib.errors import LabelError
from SpiderSegLib.paths import RESOURCES, data_path

BACKGROUND = 0
SPINAL_CANAL = 100
PARTIAL_OFFSET = 100
DISC_OFFSET = 200
HIGHEST_LEVEL = 25

#: Some redistributed masks count 24 downward: L5 = 24, L5/S1 = 224.
DOWNWARD_LOWEST_LEVEL = 24


class Structure(IntEnum):
    """Classes of the network and of class maps."""

    BACKGROUND = 0
    VERTEBRA = 1
    DISC = 2
    CANAL = 3


FOREGROUND = (Structure.VERTEBRA, Structure.DISC, Structure.CANAL)


class LevelState(str, Enum):
    """How far the names of the levels can be trusted."""

    ASSUMED = "assumed"
    CONFIRMED = "confirmed"
    TRANSITIONAL = "transitional"
    UNIDENTIFIED = "unidentified"


@dataclass(frozen=True)
class LabelEntry:
    """One row of the label table: value, name, RGBA color 0..255, and its (scheme, value, meaning) type code."""

    value: int
    name: str
    color_rgba: tuple[int, int, int, int]
    type_code: tuple[str, str, str]


def _structure_table() -> NDArray[np.uint8]:
    table = np.zeros(256, dtype=np.uint8)
    levels = np.arange(1, HIGHEST_LEVEL + 1)
    table[levels] = Structure.VERTEBRA
    table[levels + PARTIAL_OFFSET] = Structure.VERTEBRA
    table[levels + DISC_OFFSET] = Structure.DISC
    table[SPINAL_CANAL] = Structure.CANAL
    return table


_STRUCTURE_OF_VALUE = _structure_table()


def structure_of(value: int) -> Structure:
    """The structure a SPIDER value stands for. Raises LabelError for a value outside the scheme."""
    if value != BACKGROUND and (not 0 <= value < 256 or _STRUCTURE_OF_VALUE[value] == 0):
        raise LabelError(f"expected a SPIDER value (0, 1-25, 100, 101-125, 201-225), found {value}")
    return Structure(int(_STRUCTURE_OF_VALUE[value]))


def level_of(value: int) -> int:
    """Level number 1.. (1 = lowest lumbar) of a vertebra, partial vertebra or disc; 0 for canal and background."""
    return 0 if value == SPINAL_CANAL else value % 100


def check_values(values: Iterable[int], name: str = "labelmap") -> None:
    """Raises LabelError naming the values outside the SPIDER scheme."""
    unknown = sorted(v for v in map(int, values) if v != 0 and not (0 <= v < 256 and _STRUCTURE_OF_VALUE[v]))
    if unknown:
        raise LabelError(f"{name}: expected SPIDER values (0, 1-25, 100, 101-125, 201-225), found {unknown[:10]}")


def to_classes(labelmap: NDArray[Any], name: str = "labelmap") -> NDArray[np.uint8]:
    """SPIDER labelmap of any shape -> class map of the same shape with Structure values. Raises LabelError on unknown values."""
    check_values(np.unique(labelmap), name)
    return _STRUCTURE_OF_VALUE[labelmap.astype(np.intp)]


def is_downward_numbering(values: Iterable[int]) -> bool:
    """Whether label values count 24 downward from the lowest level (L5 = 24, L5/S1 = 224) as in some redistributed masks.

    True when level 24 is present and level 1 is not: no lumbar field of view shows C1.
    """
    levels = {level_of(int(v)) for v in values if v} - {0}
    return DOWNWARD_LOWEST_LEVEL in levels and 1 not in levels


def from_downward_numbering(labelmap: NDArray[Any]) -> NDArray[Any]:
    """A labelmap numbered 24 downward in SPIDER's numbering: 24 -> 1, 124 -> 101, 224 -> 201; canal and background unchanged.

    Raises LabelError for values outside the scheme, and for level 25, which has no place below 24.
    """
    values = np.unique(labelmap)
    check_values(values)
    too_high = values[values % 100 > DOWNWARD_LOWEST_LEVEL].tolist()
    if too_high:
        raise LabelError(f"expected levels up to {DOWNWARD_LOWEST_LEVEL} in a mask numbered downward, found {too_high}")
    base, level = labelmap // 100 * 100, labelmap % 100
    renumbered = np.where(level > 0, base + DOWNWARD_LOWEST_LEVEL + 1 - level, labelmap)
    return renumbered.astype(labelmap.dtype)


@lru_cache(maxsize=1)
def label_table() -> dict[int, LabelEntry]:
    """The rows of Resources/SpiderLabels.csv by value."""
    with data_path(RESOURCES, "SpiderLabels.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return {
        int(row["LabelValue"]): LabelEntry(
            value=int(row["LabelValue"]),
            name=row["Name"],
            color_rgba=(int(row["Color_R"]), int(row["Color_G"]), int(row["Color_B"]), int(row["Color_A"])),
            type_code=(row["Type_CodingScheme"], row["Type_CodeValue"], row["Type_CodeMeaning"]),
        )
        for row in rows
    }
