"""Where a click lies in a series, and the box of the working grid around it that the network is run in.

Positions are (k, j, i) and count fractions of a voxel from voxel centres.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from SpiderSegLib.errors import InputError
from SpiderSegLib.preprocessing import PreparedVolume
from SpiderSegLib.volume import Geometry

#: A point in LPS millimetres.
Point = tuple[float, float, float]

#: How far the box reaches from the click to each side, left-right, superior-inferior, anterior-posterior. In 39 complete reference masks vertebrae
#: are up to 104 mm wide, 63 high and 103 deep; a click lies in the body, 35 mm from the midline at most, or in a process. Up and down both
#: neighbours belong to what the network has to see.
BOX_REACH_MM = (80.0, 96.0, 104.0)

#: A click may lie so many voxels beyond the outermost voxel centres: half a voxel is still the voxel, the rest is rounding.
OUTSIDE_TOLERANCE_VOXELS = 0.51

Slices = tuple[slice, slice, slice]


@dataclass(frozen=True)
class Box:
    """A part of the working grid, and the same part of the input's grid, as indices of arrays (k, j, i)."""

    working: Slices
    region: Slices


def input_position(geometry: Geometry, point_lps_mm: Point) -> NDArray[np.float64]:
    """A point as position (k, j, i) on the input's grid. Raises InputError when it lies outside the field of view."""
    if not np.all(np.isfinite(point_lps_mm)):
        raise InputError(f"expected a point of three finite numbers in LPS millimetres, found {point_lps_mm}")
    position = np.linalg.solve(geometry.affine_lps, [*point_lps_mm, 1.0])[2::-1]
    last = np.subtract(geometry.shape_kji, 1)
    outside = np.maximum(-position, position - last) - OUTSIDE_TOLERANCE_VOXELS
    if outside.max() > 0:
        distance = float((outside * geometry.spacing_kji_mm).max())
        raise InputError(
            f"the point {point_text(point_lps_mm)} lies {distance:.0f} mm outside the series; expected LPS millimetres "
            "(of a point in RAS the first two numbers change their sign)"
        )
    clipped: NDArray[np.float64] = np.clip(position, 0, last)
    return clipped


def point_text(point_lps_mm: Point) -> str:
    """'12.5, -30, 4 (LPS mm)'."""
    return ", ".join(f"{round(value, 1):g}" for value in point_lps_mm) + " (LPS mm)"


def box_around(prepared: PreparedVolume, position_kji: NDArray[np.float64], window_kji: tuple[int, int, int]) -> Box:
    """BOX_REACH_MM to each side of a position of the input's grid, never less than the network's window, kept within the series."""
    axes = list(prepared.reorientation.axes_kji)
    size, shape = np.asarray(prepared.oriented_shape_kji), np.asarray(prepared.array.shape)
    oriented = np.where(prepared.reorientation.flipped_kji, size - 1 - position_kji[axes], position_kji[axes])
    wanted = np.minimum(np.maximum(np.ceil(2 * np.asarray(BOX_REACH_MM) / prepared.spacing_kji_mm).astype(int), window_kji), shape)
    start = np.clip(np.rint((oriented + 0.5) * shape / size - wanted / 2).astype(int), 0, shape - wanted)
    first = np.floor(start * size / shape).astype(int)
    stop = np.ceil((start + wanted) * size / shape).astype(int)
    first, stop = (
        np.where(prepared.reorientation.flipped_kji, size - stop, first),
        np.where(prepared.reorientation.flipped_kji, size - first, stop),
    )
    back = np.argsort(axes)
    return Box(_slices(start, start + wanted), _slices(first[back], stop[back]))


def restore_in_box(prepared: PreparedVolume, box: Box, values: NDArray[np.float32], outside: float = 0.0) -> NDArray[np.float32]:
    """Values (k, j, i) of the box on the working grid interpolated to the box's region of the input's grid; `outside` beyond the box."""
    whole = np.full(prepared.array.shape, outside, dtype=np.float32)
    whole[box.working] = values
    return np.ascontiguousarray(prepared.restore(whole)[box.region])


def _slices(start: NDArray[Any], stop: NDArray[Any]) -> Slices:
    k, j, i = (slice(int(a), int(b)) for a, b in zip(start, stop, strict=True))
    return k, j, i
