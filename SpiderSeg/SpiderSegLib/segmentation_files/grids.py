"""Where the voxels of two files are the same ones: cut-out grids, and axes stored in another order or direction."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from SpiderSegLib.volume import Geometry, Volume

#: Directions that differ by less than this (in cosines) are the same; headers round.
_SAME_DIRECTION = 1e-3


_Scalar = TypeVar("_Scalar", bound=np.generic)


def reordered(geometry: Geometry, axes_ijk: tuple[int, ...], flipped_ijk: tuple[bool, ...]) -> Geometry:
    """The same voxels with axis n running along the old axis axes_ijk[n], backward where flipped_ijk[n]."""
    matrix = geometry.direction_matrix[:, axes_ijk] * np.where(flipped_ijk, -1.0, 1.0)
    size = tuple(geometry.size_ijk[axis] for axis in axes_ijk)
    index = np.zeros(3)
    index[list(axes_ijk)] = [size[n] - 1 if flipped_ijk[n] else 0 for n in range(3)]
    origin = geometry.affine_lps[:3, :3] @ index + geometry.affine_lps[:3, 3]
    return Geometry(
        (size[0], size[1], size[2]),
        (geometry.spacing_ijk_mm[axes_ijk[0]], geometry.spacing_ijk_mm[axes_ijk[1]], geometry.spacing_ijk_mm[axes_ijk[2]]),
        (float(origin[0]), float(origin[1]), float(origin[2])),
        tuple(float(value) + 0.0 for value in matrix.ravel()),
    )


def are_same_voxels(one: Geometry, other: Geometry) -> bool:
    """Whether two grids have the same voxels, stored in whatever order and direction."""
    return reordered(one, *_nearest_order(one, other)).is_same_grid(other)


def on_grid(volume: Volume, target: Geometry) -> Volume | None:
    """The volume with its voxels in the order of `target`, on exactly that geometry; None when they are not the same voxels.

    Nothing is resampled: axes are exchanged and turned around, as between the storage of a DICOM series and of a NIfTI file made of it.
    """
    stored = _as_stored(volume, target)
    return replace(stored, geometry=target) if stored.geometry.is_same_grid(target) else None


def within_grid(volume: Volume, target: Geometry) -> Volume | None:
    """As `on_grid` for a volume that covers only a part of the target's voxels: the rest is 0. None when any lies beside them."""
    stored = _as_stored(volume, target)
    position = np.linalg.solve(target.affine_lps, [*stored.geometry.origin_lps_mm, 1.0])[:3]
    i, j, k = (round(float(number)) for number in position)
    if not stored.geometry.is_same_grid(moved(target, (i, j, k), stored.geometry.size_ijk)):
        return None
    if min(i, j, k) < 0 or any(first + own > size for first, own, size in zip((i, j, k), stored.geometry.size_ijk, target.size_ijk, strict=True)):
        return None
    return replace(stored, array=placed(stored.array, (k, j, i), target.shape_kji), geometry=target)


def _as_stored(volume: Volume, target: Geometry) -> Volume:
    """The same voxels with their axes in the order and direction nearest to the target's."""
    axes, flipped = _nearest_order(volume.geometry, target)
    if axes == (0, 1, 2) and not any(flipped):
        return volume
    moved_axes = np.transpose(volume.array.T, axes)
    array = np.ascontiguousarray(np.flip(moved_axes, tuple(n for n in range(3) if flipped[n])).T)
    return Volume(array, reordered(volume.geometry, axes, flipped), volume.name, volume.header)


def difference(found: Geometry, expected: Geometry) -> str:
    """How a grid differs from the one expected, in words; axes are compared in whatever order the first is stored."""
    nearest = reordered(found, *_nearest_order(found, expected))
    if nearest.size_ijk != expected.size_ijk:
        few = [n for n in range(3) if nearest.size_ijk[n] < expected.size_ijk[n]]
        is_cut = len(few) == 1 and few[0] == 2 - expected.slice_axis_kji and np.allclose(nearest.spacing_ijk_mm, expected.spacing_ijk_mm, rtol=1e-3)
        return f"{_size(nearest)} voxels instead of {_size(expected)}" + (": are files of it missing?" if is_cut else "")
    if not np.allclose(nearest.spacing_ijk_mm, expected.spacing_ijk_mm, rtol=1e-3):
        return f"spacing {_spacing(nearest)} instead of {_spacing(expected)} mm"
    if not np.allclose(nearest.direction, expected.direction, atol=_SAME_DIRECTION):
        return f"slices oriented {nearest.orientation} in another direction"
    distance_mm = float(np.linalg.norm(np.subtract(nearest.origin_lps_mm, expected.origin_lps_mm)))
    return f"its position differs by {distance_mm:.2f} mm"


def _nearest_order(geometry: Geometry, other: Geometry) -> tuple[tuple[int, ...], tuple[bool, ...]]:
    """The axis order and flips, for `reordered`, in which its directions come nearest to the other's."""
    likeness = geometry.direction_matrix.T @ other.direction_matrix
    axes = max(permutations(range(3)), key=lambda order: sum(abs(likeness[axis, n]) for n, axis in enumerate(order)))
    return axes, tuple(bool(likeness[axis, n] < 0) for n, axis in enumerate(axes))


def _size(geometry: Geometry) -> str:
    return " x ".join(str(n) for n in geometry.size_ijk)


def _spacing(geometry: Geometry) -> str:
    return " x ".join(f"{spacing:.4g}" for spacing in geometry.spacing_ijk_mm)


def moved(geometry: Geometry, first_ijk: tuple[int, int, int], size_ijk: tuple[int, int, int]) -> Geometry:
    """The grid of `size_ijk` voxels whose first one has the index `first_ijk` (it may be negative) on `geometry`."""
    if first_ijk == (0, 0, 0):
        return replace(geometry, size_ijk=size_ijk)
    x, y, z = (geometry.affine_lps @ [*first_ijk, 1.0])[:3].tolist()
    return replace(geometry, size_ijk=size_ijk, origin_lps_mm=(x, y, z))


def placed(array: NDArray[_Scalar], first_kji: tuple[int, int, int], shape_kji: tuple[int, int, int]) -> NDArray[_Scalar]:
    """An array whose first voxel gets the index `first_kji` in an otherwise zero one; what reaches beyond it is cut off."""
    whole = np.zeros(shape_kji, dtype=array.dtype)
    starts = [max(0, first) for first in first_kji]
    ends = [min(size, first + n) for size, first, n in zip(shape_kji, first_kji, array.shape, strict=True)]
    if all(end > start for start, end in zip(starts, ends, strict=True)):
        inner = tuple(slice(start - first, end - first) for start, end, first in zip(starts, ends, first_kji, strict=True))
        whole[tuple(slice(start, end) for start, end in zip(starts, ends, strict=True))] = array[inner]
    return whole
