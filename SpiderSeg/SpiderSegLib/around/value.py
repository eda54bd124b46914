"""Which SPIDER value a new vertebra or disc gets: the one its neighbours along the column leave for it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from SpiderSegLib.around.selection import Found
from SpiderSegLib.errors import LabelError
from SpiderSegLib.labels import BACKGROUND, DISC_OFFSET, HIGHEST_LEVEL, PARTIAL_OFFSET, SPINAL_CANAL, Structure, level_of, structure_of
from SpiderSegLib.metrics import SPIDER_VALUES, overlap_table


@dataclass(frozen=True)
class NewValue:
    """A SPIDER value, and by how many levels the labels kept have to be shifted up for it: labels are ordinal, none lies below 1."""

    value: int
    needs_shift: int = 0


@dataclass(frozen=True)
class _Neighbor:
    """A label kept: its value, where it lies along the column, and the level it has in the numbering of old and new together."""

    value: int
    position: float
    number: int


def derive_value(found: Found, kept: NDArray[np.uint8], structure: Structure) -> NewValue:
    """The value of what was found, from the nearest labels kept below and above it along the column.

    The numbering of old and new together says how many levels lie between; a vertebra cut by the border of the field of view gets 100
    more. Below level 1 it is level 1 and the others need a shift. Raises LabelError when there is no neighbour, the two don't leave
    exactly this level between them, or the level is labelled already.
    """
    position = _position(structure, found.number)
    neighbors = _neighbors(found.numbered, kept)
    below = max((one for one in neighbors if one.position < position), key=lambda one: one.position, default=None)
    above = min((one for one in neighbors if one.position > position), key=lambda one: one.position, default=None)
    levels = {level_of(one.value) + found.number - one.number for one in (below, above) if one is not None}
    name = structure.name.lower()
    if not levels:
        raise LabelError(f"no label lies above or below the new {name}, so that its number can't be told; give its value")
    if len(levels) > 1 and below is not None and above is not None:
        raise LabelError(f"labels {below.value} below and {above.value} above leave no one number for the new {name} between them; give its value")
    level = levels.pop()
    shift = max(0, 1 - level)
    value = _value(structure, level + shift, found.is_partial)
    if not shift:
        check_free(value, kept, structure)
    return NewValue(value, shift)


def check_free(value: int, kept: NDArray[np.uint8], structure: Structure) -> None:
    """Raises LabelError when a value is not one of the structure, or its level is labelled already, whole or partial."""
    if structure_of(value) is not structure:
        raise LabelError(f"expected the value of a {structure.name.lower()}, found {value}")
    used = [int(other) for other in np.unique(kept) if other and structure_of(int(other)) is structure and level_of(int(other)) == level_of(value)]
    if used:
        raise LabelError(
            f"the new {structure.name.lower()} would be {value}, but the labelmap holds {used[0]} already; give another value, or replace {used[0]}"
        )


def _value(structure: Structure, level: int, is_partial: bool) -> int:
    if level > HIGHEST_LEVEL:
        raise LabelError(f"the new {structure.name.lower()} would be level {level}, and the scheme ends at {HIGHEST_LEVEL}; give its value")
    if structure is Structure.DISC:
        return DISC_OFFSET + level
    return level + (PARTIAL_OFFSET if is_partial else 0)


def _position(structure: Structure, number: int) -> float:
    """Disc n lies half a level below vertebra n."""
    return number - (0.5 if structure is Structure.DISC else 0.0)


def _neighbors(numbered: NDArray[np.uint8], kept: NDArray[np.uint8]) -> list[_Neighbor]:
    """The labels kept, each with the level most of its voxels have in the numbering; those that the numbering left out are left out."""
    counts = overlap_table(kept, numbered).counts
    neighbors = []
    for value in np.flatnonzero(counts.sum(axis=1)).tolist():
        if value in (BACKGROUND, SPINAL_CANAL):
            continue
        structure = structure_of(value)
        voxels = {level: int(counts[value, list(values)].sum()) for level, values in _values_by_level(structure).items()}
        number = max(voxels, key=lambda level: voxels[level])
        if voxels[number]:
            neighbors.append(_Neighbor(value, _position(structure, number), number))
    return neighbors


def _values_by_level(structure: Structure) -> dict[int, list[int]]:
    values: dict[int, list[int]] = {}
    for value in SPIDER_VALUES[structure]:
        values.setdefault(level_of(value), []).append(value)
    return values
