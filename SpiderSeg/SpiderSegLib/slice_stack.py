"""Parallel slices in space: their order along the normal, and the grid they make."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from SpiderSegLib.errors import GeometryError
from SpiderSegLib.volume import Geometry

#: Slices whose distance varies by more than this share of their mean can't be put on one grid.
UNEVEN_SLICES_SHARE = 0.1

#: Slices whose origins drift within the plane by more than this share of their distance make a sheared grid.
SHEAR_SHARE = 0.01

#: Slices are parallel when their direction cosines differ by less than this (half a degree).
PARALLEL_TOLERANCE = 0.01


@dataclass(frozen=True)
class SlicePlane:
    """Where a slice lies: position of its first pixel (LPS mm), unit vectors along a row (i) and along a column (j)."""

    position_lps_mm: tuple[float, float, float]
    row: tuple[float, float, float]
    column: tuple[float, float, float]

    @classmethod
    def of(cls, position: Sequence[float], row: Sequence[float], column: Sequence[float]) -> SlicePlane:
        return cls(*((float(x), float(y), float(z)) for x, y, z in (position, row, column)))

    @property
    def normal(self) -> NDArray[np.float64]:
        return np.cross(self.row, self.column)

    @property
    def orientation(self) -> str:
        """'sagittal', 'coronal' or 'axial': the nearest."""
        return ("sagittal", "coronal", "axial")[int(np.argmax(np.abs(self.normal)))]

    def is_parallel_to(self, other: SlicePlane) -> bool:
        return bool(np.allclose([*self.row, *self.column], [*other.row, *other.column], atol=PARALLEL_TOLERANCE))


def slice_order(planes: Sequence[SlicePlane]) -> list[int]:
    """Indices of the slices along the normal of the first."""
    heights = np.asarray([plane.position_lps_mm for plane in planes]) @ planes[0].normal
    return [int(n) for n in np.argsort(heights, kind="stable")]


def geometry_of_stack(planes: Sequence[SlicePlane], size_ij: tuple[int, int], spacing_ij_mm: tuple[float, float], single_slice_mm: float) -> Geometry:
    """The grid of slices in order; single_slice_mm is the third spacing of a slice alone.

    Raises GeometryError when the slices are not parallel, unevenly spaced, or shifted against each other within their plane.
    """
    first = planes[0]
    if not all(plane.is_parallel_to(first) for plane in planes):
        raise GeometryError("expected parallel slices, found slices in several directions (a localizer?)")
    normal = first.normal
    distance_mm = single_slice_mm
    if len(planes) > 1:
        steps = np.diff([plane.position_lps_mm for plane in planes], axis=0)
        distances = steps @ normal
        distance_mm = float(distances.mean())
        if distances.min() <= 0 or np.ptp(distances) > UNEVEN_SLICES_SHARE * distance_mm:
            raise GeometryError(
                f"expected evenly spaced slices, found distances from {distances.min():.2f} to {distances.max():.2f} mm in "
                f"{len(planes)} slices; a slice is missing, or several echoes or time points share one series"
            )
        drift = np.linalg.norm(steps.mean(axis=0) - distance_mm * normal)
        if drift > SHEAR_SHARE * distance_mm:
            raise GeometryError(f"expected slices stacked along their normal, found a shift of {drift:.2f} mm from slice to slice (a sheared grid)")
    i, j = size_ij
    x, y = spacing_ij_mm
    direction = np.stack([first.row, first.column, normal], axis=1).ravel().tolist()
    return Geometry((i, j, len(planes)), (x, y, distance_mm), first.position_lps_mm, tuple(direction))
