"""The curved axis of the column and, for every voxel, the level it lies at.

A *separator* is the plane between two vertebrae: a disc, or a cut placed where a disc is missing. Separator n lies below vertebra n. The
*level coordinate* is n at the middle of vertebra n and n - 0.5 on separator n. Coordinates are (left-right, superior-inferior,
anterior-posterior) in mm; heights along the axis grow upward from the lowest separator.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import PchipInterpolator
from scipy.spatial import cKDTree

#: Step along the axis at which curves are sampled.
CURVE_STEP_MM = 0.5

#: The axis is prolonged straight beyond its outer separators by this much.
PROLONGED_MM = 120.0

#: A disc piece shorter than this in anterior-posterior direction says little about the disc's tilt; then the axis decides.
TRUSTED_DISC_DEPTH_MM = 25.0

#: The same across: a slab of +-10 mm can't tell a sideways tilt.
TRUSTED_DISC_WIDTH_MM = 35.0

#: A measured tilt is held to this angle against the line through the neighbouring discs: reference L5/S1 discs lie within 20 degrees of it, and a
#: sharper lumbosacral angle may double that; more is a fragment's noise.
LARGEST_TILT_OFF_AXIS_DEG = 40.0


@dataclass(frozen=True)
class Separator:
    """A plane between two vertebrae: centre, unit normal pointing up, and whether a disc was found there."""

    centre_mm: NDArray[np.float64]
    normal: NDArray[np.float64]
    is_disc: bool

    def height_above_mm(self, points_mm: NDArray[np.float64]) -> NDArray[np.float64]:
        """Signed distance of points (n, 3) above the plane."""
        distance: NDArray[np.float64] = (points_mm - self.centre_mm) @ self.normal
        return distance


@dataclass(frozen=True)
class Axis:
    """The smooth line through separators: `height_mm` (0 at the lowest centre) and `points_mm` sampled every CURVE_STEP_MM, rising."""

    height_mm: NDArray[np.float64]
    points_mm: NDArray[np.float64]
    knots_mm: NDArray[np.float64]

    @cached_property
    def tangents(self) -> NDArray[np.float64]:
        """Unit vectors along the axis, pointing up."""
        difference = np.gradient(self.points_mm, axis=0)
        unit: NDArray[np.float64] = difference / np.linalg.norm(difference, axis=1, keepdims=True)
        return unit

    def at(self, height_mm: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Point and tangent at a height; the ends of the prolonged axis beyond it."""
        index = int(np.clip(np.searchsorted(self.height_mm, height_mm), 0, len(self.height_mm) - 1))
        return self.points_mm[index], self.tangents[index]


def axis_through(centres_mm: NDArray[np.float64], lower_direction: NDArray[np.float64], upper_direction: NDArray[np.float64]) -> Axis:
    """The line through centres (n, 3) from inferior to superior, prolonged along the two unit directions (both pointing up)."""
    knots = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(centres_mm, axis=0), axis=1))])
    heights = np.arange(-PROLONGED_MM, knots[-1] + PROLONGED_MM, CURVE_STEP_MM)
    if len(knots) > 1:
        # The phantom knots half a level outside bend the ends into their directions.
        outer = np.concatenate([[-15.0], knots, [knots[-1] + 15.0]])
        inside = PchipInterpolator(
            outer, np.concatenate([[centres_mm[0] - 15.0 * lower_direction], centres_mm, [centres_mm[-1] + 15.0 * upper_direction]]), axis=0
        )
        points = inside(np.clip(heights, outer[0], outer[-1]))
        points -= np.clip(-15.0 - heights, 0, None)[:, None] * lower_direction
        points += np.clip(heights - outer[-1], 0, None)[:, None] * upper_direction
    else:
        points = centres_mm[0] + np.where(heights[:, None] < 0, heights[:, None] * lower_direction, heights[:, None] * upper_direction)
    return Axis(heights, points, knots)


def plane_of_disc(points_mm: NDArray[np.float64], axis_direction: NDArray[np.float64]) -> Separator:
    """The plane through disc voxels (n, 3), leaning toward the axis where the voxels say little.

    The tilt in the sagittal and in the frontal plane are least-squares slopes relative to the axis, each trusted by the disc's extent.
    """
    centre = points_mm.mean(axis=0)
    offset = points_mm - centre
    sideways, backward = np.array([1.0, 0.0, 0.0]), _backward(axis_direction)
    up = np.cross(backward, sideways)
    up *= np.sign(up @ axis_direction)
    height, back, side = offset @ up, offset @ backward, offset @ sideways
    slope_back = _slope(back, height) * min(1.0, float(np.ptp(back)) / TRUSTED_DISC_DEPTH_MM)
    slope_side = _slope(side, height) * min(1.0, float(np.ptp(side)) / TRUSTED_DISC_WIDTH_MM)
    limit = float(np.tan(np.radians(LARGEST_TILT_OFF_AXIS_DEG)))
    normal = up - np.clip(slope_back, -limit, limit) * backward - np.clip(slope_side, -limit, limit) * sideways
    return Separator(centre, normal / np.linalg.norm(normal), is_disc=True)


def _backward(direction: NDArray[np.float64]) -> NDArray[np.float64]:
    """Unit vector in the sagittal plane, perpendicular to an upward direction, pointing to posterior."""
    back = np.array([0.0, direction[2], -direction[1]])
    unit: NDArray[np.float64] = back / np.linalg.norm(back)
    return unit


def _slope(x: NDArray[np.float64], y: NDArray[np.float64]) -> float:
    """Least-squares slope of y over x about their means; 0 when x does not vary."""
    variance = float(x @ x)
    return float(x @ y) / variance if variance > 0 else 0.0


@dataclass(frozen=True)
class SagittalMap:
    """For each (row, column) of the sagittal plane the nearest point of a curve: its level coordinate and how far behind it the voxel is."""

    level: NDArray[np.float32]
    behind_mm: NDArray[np.float32]


def sagittal_map(
    shape_ji: tuple[int, int], spacing_ji_mm: NDArray[np.float64], curve_ji_mm: NDArray[np.float64], level: NDArray[np.float64]
) -> SagittalMap:
    """The map for a curve (n, 2) of superior-inferior and anterior-posterior mm whose points carry rising level coordinates."""
    rows, columns = np.meshgrid(np.arange(shape_ji[0]) * spacing_ji_mm[0], np.arange(shape_ji[1]) * spacing_ji_mm[1], indexing="ij")
    points = np.stack([rows, columns], axis=-1)
    _, nearest = cKDTree(curve_ji_mm).query(points.reshape(-1, 2))
    difference = np.gradient(curve_ji_mm, axis=0)
    tangent = difference / np.maximum(np.linalg.norm(difference, axis=1, keepdims=True), 1e-9)
    back = np.stack([tangent[:, 1], -tangent[:, 0]], axis=1)
    offset = points.reshape(-1, 2) - curve_ji_mm[nearest]
    behind = np.sum(offset * back[nearest], axis=1)
    return SagittalMap(level[nearest].astype(np.float32).reshape(shape_ji), behind.astype(np.float32).reshape(shape_ji))
