"""What a person (or a newer model) changed in a labelmap: voxels added, removed and relabeled, and how far the surfaces moved.

Fast enough to run at every save: voxels are counted once, and distances are looked up only for border voxels that moved.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from SpiderSegLib.errors import GeometryError
from SpiderSegLib.labels import Structure, check_values
from SpiderSegLib.metrics.overlap import SPIDER_VALUES, VALUE_COUNT, OverlapTable, overlap_table, structure_dice
from SpiderSegLib.metrics.surface import SurfaceDistances, border
from SpiderSegLib.volume import Volume


@dataclass(frozen=True)
class VoxelChanges:
    """Voxels of a value or structure: before and after, and those that changed.

    added: background before; removed: background after; relabeled: carried it before, and another value after; received: carry it after,
    and carried a value outside it before. For a structure, L5 relabeled as L4 is relabeled, a vertebra relabeled as disc is relabeled there
    and received here.
    """

    before: int
    after: int
    added: int
    removed: int
    relabeled: int
    received: int

    @property
    def total(self) -> int:
        """Changed voxels that carried it before, after, or both."""
        return self.added + self.removed + self.relabeled + self.received


@dataclass(frozen=True)
class StructureChange:
    """Changes of one structure, as a whole and by SPIDER value (those that changed, ascending).

    dice, asd_mm and hd95_mm compare all of its voxels before and after, whatever their numbers; None where it is absent in one of them.
    """

    structure: Structure
    voxels: VoxelChanges
    dice: float | None
    asd_mm: float | None
    hd95_mm: float | None
    values: Mapping[int, VoxelChanges] = field(default_factory=dict)


@dataclass(frozen=True)
class LabelmapChanges:
    """The structures present before or after, unchanged ones too."""

    structures: tuple[StructureChange, ...]

    @property
    def voxels_changed(self) -> int:
        """Voxels whose value is another one, each counted once."""
        return sum(change.voxels.added + change.voxels.removed + change.voxels.relabeled for change in self.structures)

    def of(self, structure: Structure) -> StructureChange | None:
        """The changes of one structure; None where it is absent before and after."""
        return next((change for change in self.structures if change.structure is structure), None)

    def as_dict(self) -> dict[str, Any]:
        """What JSON can hold: {"voxels_changed", "structures": {"vertebra": {counts, "dice", "asd_mm", "hd95_mm", "values": {"1": counts}}}}."""
        return {"voxels_changed": self.voxels_changed, "structures": {one.structure.name.lower(): _as_dict(one) for one in self.structures}}

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> LabelmapChanges:
        """The changes that `as_dict` gave. Raises KeyError, TypeError or ValueError for anything else."""
        return cls(tuple(_from_dict(Structure[name.upper()], change) for name, change in content["structures"].items()))


def labelmap_changes(before: Volume, after: Volume) -> LabelmapChanges:
    """What is different in `after`; SPIDER labelmaps of one grid.

    Distances are those of `surface_distances` between the whole structures. Raises GeometryError naming both labelmaps when their grids
    differ, LabelError for values outside the scheme.
    """
    check_same_grid(before, after)
    table = overlap_table(before.array, after.array)
    check_values(table.reference_values, before.name or "labelmap before")
    check_values(table.prediction_values, after.name or "labelmap after")
    dice = structure_dice(table)
    found = []
    for structure, values in SPIDER_VALUES.items():
        counts = _count(table, values)
        if not (counts.before or counts.after):
            continue
        distances = _distances(before, after, table, structure)
        found.append(
            StructureChange(
                structure,
                counts,
                dice=getattr(dice, structure.name.lower()) if distances else None,
                asd_mm=distances.asd_mm if distances else None,
                hd95_mm=distances.hd95_mm if distances else None,
                values={value: change for value in values if (change := _count(table, (value,))).total},
            )
        )
    return LabelmapChanges(tuple(found))


def check_same_grid(first: Volume, second: Volume) -> None:
    """Raises GeometryError naming both volumes and their grids when these differ."""
    if not first.geometry.is_same_grid(second.geometry):
        names = (first.name or "the first", second.name or "the second")
        raise GeometryError(f"expected one grid, found {names[0]} ({first.geometry}) and {names[1]} ({second.geometry})")


def _count(table: OverlapTable, values: Sequence[int]) -> VoxelChanges:
    inside = np.array(values)
    outside = np.setdiff1d(np.arange(1, VALUE_COUNT), inside)
    counts = table.counts
    kept = int(counts[inside, inside].sum())
    return VoxelChanges(
        before=int(counts[inside].sum()),
        after=int(counts[:, inside].sum()),
        added=int(counts[0, inside].sum()),
        removed=int(counts[inside, 0].sum()),
        relabeled=int(counts[inside, 1:].sum()) - kept,
        received=int(counts[np.ix_(outside, inside)].sum()),
    )


def _distances(before: Volume, after: Volume, table: OverlapTable, structure: Structure) -> SurfaceDistances | None:
    """Between the structure's masks; None where one of them is empty."""
    values = np.array(SPIDER_VALUES[structure])
    sizes = int(table.reference_sizes[values].sum()), int(table.prediction_sizes[values].sum())
    if 0 in sizes:
        return None
    if sizes[0] == sizes[1] == int(table.counts[np.ix_(values, values)].sum()):
        return SurfaceDistances(0.0, 0.0)
    is_inside = np.zeros(VALUE_COUNT, dtype=np.bool_)
    is_inside[values] = True
    # Axes of length 1 are dropped before cropping, as in `surface_distances`: a structure in one slice of many has faces there.
    kept = [axis for axis, length in enumerate(before.array.shape) if length > 1] or [0]
    shape = [before.array.shape[axis] for axis in kept]
    first, second = is_inside[before.array].reshape(shape), is_inside[after.array].reshape(shape)
    box = _box(first | second)
    return _distances_of_masks(first[box], second[box], [before.geometry.spacing_kji_mm[axis] for axis in kept])


def _box(mask: NDArray[np.bool_]) -> tuple[slice, ...]:
    """The smallest box that holds a mask with at least one voxel."""
    ends = []
    for axis in range(mask.ndim):
        occupied = np.flatnonzero(mask.any(axis=tuple(other for other in range(mask.ndim) if other != axis)))
        ends.append(slice(int(occupied[0]), int(occupied[-1]) + 1))
    return tuple(ends)


def _distances_of_masks(first: NDArray[np.bool_], second: NDArray[np.bool_], spacing_mm: Sequence[float]) -> SurfaceDistances:
    """As `surface_distances`: border voxels of both are at distance 0, and only the others are looked up, in a k-d tree."""
    first_border, second_border = border(first), border(second)
    to_second = _distances_to(first_border, second_border, spacing_mm)
    to_first = _distances_to(second_border, first_border, spacing_mm)
    return SurfaceDistances(
        asd_mm=float(np.concatenate((to_second, to_first)).mean()),
        hd95_mm=float(max(np.percentile(to_second, 95), np.percentile(to_first, 95))),
    )


def _distances_to(points: NDArray[np.bool_], target: NDArray[np.bool_], spacing_mm: Sequence[float]) -> NDArray[np.float64]:
    distances = np.zeros(int(points.sum()))
    moved = np.argwhere(points & ~target) * spacing_mm
    if len(moved):
        distances[: len(moved)] = cKDTree(np.argwhere(target) * spacing_mm).query(moved)[0]
    return distances


def _as_dict(change: StructureChange) -> dict[str, Any]:
    measured = {"dice": change.dice, "asd_mm": change.asd_mm, "hd95_mm": change.hd95_mm}
    return {**asdict(change.voxels), **measured, "values": {str(value): asdict(voxels) for value, voxels in change.values.items()}}


def _from_dict(structure: Structure, content: Mapping[str, Any]) -> StructureChange:
    dice, asd_mm, hd95_mm = (None if content[key] is None else float(content[key]) for key in ("dice", "asd_mm", "hd95_mm"))
    values = {int(value): _voxels(voxels) for value, voxels in content["values"].items()}
    return StructureChange(structure, _voxels(content), dice, asd_mm, hd95_mm, values)


def _voxels(content: Mapping[str, Any]) -> VoxelChanges:
    return VoxelChanges(*(int(content[key]) for key in ("before", "after", "added", "removed", "relabeled", "received")))
