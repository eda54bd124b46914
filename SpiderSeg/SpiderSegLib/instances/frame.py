"""Coordinates around the canal for every voxel: level coordinate, millimetres behind and beside the canal's centre line."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from SpiderSegLib.instances.chain import canal_by_row
from SpiderSegLib.instances.levels import Levels

#: Distance of the canal's centre behind the axis of the discs where no canal was found; measured 20-43 mm, median 26.
TYPICAL_CANAL_BEHIND_AXIS_MM = 26.0

#: The canal's centre line is smoothed with this standard deviation.
CANAL_SMOOTHING_MM = 10.0

#: The centre line runs on above and below the grid by this much, for processes that leave it.
CANAL_PROLONGED_MM = 40.0

#: Behind the canal, planes of equal level lean by this share of the canal's own lean: 0.4 keeps the offsets of the spinous processes equal
#: from L5 to T11 (-0.65 .. -0.92 levels), while planes perpendicular to the canal (1) crowd together behind the lordosis.
LEAN_SHARE = 0.4

#: Between these distances in front of the canal's centre the level passes from the disc planes to the canal's planes.
DISC_PLANES_UNTIL_MM = -12.0
CANAL_PLANES_FROM_MM = -5.0


@dataclass(frozen=True)
class CanalFrame:
    """For the sagittal plane (row, column): `level`, `behind_mm`; for each row the canal's sideways position `sideways_mm`."""

    level: NDArray[np.float64]
    behind_mm: NDArray[np.float64]
    sideways_mm: NDArray[np.float64]


def canal_frame(canal: NDArray[np.bool_], levels: Levels, spacing_mm: NDArray[np.float64]) -> CanalFrame:
    """The frame of a cleaned canal mask (k, j, i), which may be empty or have gaps; there the axis of the discs stands in."""
    extra = round(CANAL_PROLONGED_MM / spacing_mm[1])
    rows = np.arange(-extra, canal.shape[1] + extra)
    rising = levels.axis.points_mm[::-1]
    axis = np.stack([np.interp(rows * spacing_mm[1], rising[:, 1], rising[:, column]) for column in (0, 2)], axis=1)
    centre = canal_by_row(canal, spacing_mm)
    known = np.flatnonzero(np.isfinite(centre[:, 0]))
    offset = np.tile([0.0, TYPICAL_CANAL_BEHIND_AXIS_MM], (len(rows), 1))
    if len(known):
        found = centre[known] - axis[known + extra]
        offset = np.stack([np.interp(rows, known, found[:, column]) for column in (0, 1)], axis=1)
    line = ndimage.gaussian_filter1d(axis + offset, CANAL_SMOOTHING_MM / spacing_mm[1], axis=0, mode="nearest")
    curve = np.column_stack([rows * spacing_mm[1], line[:, 1]])[::-1]
    level = _level_of_points(curve, levels)
    in_plane, behind = _leaning_map(canal.shape[1:], spacing_mm[1:], curve, level)
    return CanalFrame(in_plane, behind, line[extra : extra + canal.shape[1], 0])


def voxel_levels(
    voxels: tuple[NDArray[np.int64], ...], frame: CanalFrame, levels: Levels, spacing_mm: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Level coordinate, mm behind and mm beside the canal of voxels (k, j, i): by the disc planes in the bodies, by the canal behind them."""
    k, j, i = voxels
    behind = frame.behind_mm[j, i]
    beside = k * spacing_mm[0] - frame.sideways_mm[j]
    level = frame.level[j, i].copy()
    share = np.clip((CANAL_PLANES_FROM_MM - behind) / (CANAL_PLANES_FROM_MM - DISC_PLANES_UNTIL_MM), 0, 1)
    body = share > 0
    points = np.stack([k[body], j[body], i[body]], axis=1) * spacing_mm
    level[body] += share[body] * (_level_between_planes(points, levels) - level[body])
    return level, behind, beside


def _level_between_planes(points_mm: NDArray[np.float64], levels: Levels) -> NDArray[np.float64]:
    """Level coordinate of points (n, 3) by their distances from the planes of the separators below and above."""
    height = np.stack([separator.height_above_mm(points_mm) for separator in levels.separators], axis=1)
    below = (height > 0).sum(axis=1)
    at = np.arange(len(points_mm))
    lower = np.abs(height[at, np.maximum(below - 1, 0)])
    upper = np.abs(height[at, np.minimum(below, height.shape[1] - 1)])
    inside = below - 0.5 + lower / np.maximum(lower + upper, 1e-6)
    outside_below, outside_above = 0.5 - upper / levels.level_height_mm, height.shape[1] - 0.5 + lower / levels.level_height_mm
    level: NDArray[np.float64] = np.where(below == 0, outside_below, np.where(below == height.shape[1], outside_above, inside))
    return level


def _level_of_points(curve_ji_mm: NDArray[np.float64], levels: Levels) -> NDArray[np.float64]:
    """Level coordinate of points (n, 2) of the canal's line: that of the nearest point of the axis, never falling upward."""
    axis = levels.axis.points_mm[:, 1:]
    nearest = np.argmin(np.sum((curve_ji_mm[:, None] - axis[None]) ** 2, axis=2), axis=1)
    return np.maximum.accumulate(levels.level_at(levels.axis.height_mm[nearest]))


def _leaning_map(
    shape_ji: tuple[int, ...], spacing_ji_mm: NDArray[np.float64], curve_ji_mm: NDArray[np.float64], level: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Level and mm behind the curve for each (row, column): of the curve point whose leaning plane passes nearest."""
    tangent = np.gradient(curve_ji_mm, axis=0)
    lean = LEAN_SHARE * np.arctan2(tangent[:, 1], -tangent[:, 0])
    rows, columns = np.meshgrid(np.arange(shape_ji[0]) * spacing_ji_mm[0], np.arange(shape_ji[1]) * spacing_ji_mm[1], indexing="ij")
    rows, columns = rows.astype(np.float32), columns.astype(np.float32)
    nearest = np.full(rows.shape, np.inf, dtype=np.float32)
    found = np.zeros(rows.shape, dtype=int)
    for number, ((row, column), angle) in enumerate(zip(curve_ji_mm.tolist(), lean.tolist(), strict=True)):
        down, back = rows - row, columns - column
        # The small term decides between planes that cross far behind: the nearer point of the curve.
        distance = np.abs(back * math.sin(angle) - down * math.cos(angle)) + 1e-3 * (np.abs(down) + np.abs(back))
        nearer = distance < nearest
        nearest[nearer], found[nearer] = distance[nearer], number
    behind = (columns - curve_ji_mm[found, 1]) * np.cos(lean[found]) + (rows - curve_ji_mm[found, 0]) * np.sin(lean[found])
    return level[found], behind
