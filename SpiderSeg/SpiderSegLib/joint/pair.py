"""Two series as a pair of comparable images: which region, which one is fixed, in space or in the plane of a slice."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from SpiderSegLib.errors import GeometryError
from SpiderSegLib.joint.comparable import FINEST_SPACING_MM, as_float_image, coarser, cropped, mask_around, without_shading
from SpiderSegLib.joint.slice_plane import SliceFrame, image_in_plane, slice_image
from SpiderSegLib.preprocessing import BODY_THRESHOLD_SHARE, FLOOR_PERCENTILE
from SpiderSegLib.volume import Geometry, Volume

#: Anatomy so near to the region takes part: what moves with the spine, and edges on both sides of its surface.
REGION_MARGIN_MM = 20.0

#: Shifts that are searched, mm: along the spine, where a motion must not be taken for one to the next vertebra (30 to 40 mm), else within
#: the slices, and across them.
SEARCH_ALONG_MM, SEARCH_IN_PLANE_MM, SEARCH_ACROSS_MM = 40.0, 20.0, 8.0

#: The moving series is kept so far around the region.
SEARCH_MARGIN_MM = REGION_MARGIN_MM + SEARCH_ALONG_MM + 5.0

#: Points that stand for the region; one every 4 mm in a lumbar spine.
REGION_POINTS = 20_000

#: The region must be this long and, in another direction, this wide, mm: two vertebral bodies.
SMALLEST_REGION_MM = (50.0, 20.0)

#: Across the slices only a stack this wide tells positions apart: with 7 slices of 4.4 mm the error was 0.5 mm (root mean square, 0.9 at
#: most), with 5 it reached 10 mm.
NARROWEST_STACK_MM, FEWEST_SLICES = 28.0, 5


@dataclass(frozen=True)
class ComparablePair:
    """Images at FINEST_SPACING_MM, the mask on the fixed one's grid, the region's center; in the frame of a plane when they are 2D.

    reach_mm: shifts to search along the fixed image's axes; is_swapped: the fixed image here is the series called moving.
    """

    fixed: sitk.Image
    moving: sitk.Image
    mask: sitk.Image
    center_mm: NDArray[np.float64]
    reach_mm: tuple[float, ...]
    frame: SliceFrame | None
    is_swapped: bool

    def matrix_lps(self, transform: sitk.Transform) -> NDArray[np.float64]:
        """A transform of the pair as 4x4 in LPS mm, from the series called fixed to the one called moving."""
        matrix = np.eye(4)
        if self.frame is not None:
            matrix = self.frame.matrix_lps(transform)
        else:
            matrix[:3, :3] = np.asarray(transform.GetMatrix()).reshape(3, 3)
            matrix[:3, 3] = transform.TransformPoint((0.0, 0.0, 0.0))
        return np.asarray(np.linalg.inv(matrix)) if self.is_swapped else matrix


def common_region(fixed: Volume, moving: Volume, labelmap: Volume | None) -> tuple[NDArray[np.float64], float]:
    """Points (n, 3) LPS mm of the region (labelmap, else body) in both fields of view, and their share of it.

    Raises GeometryError when there are none, or they span less than SMALLEST_REGION_MM.
    """
    if labelmap is not None and labelmap.array.any():
        mask, geometry = labelmap.array != 0, labelmap.geometry
    else:
        floor, high = (float(value) for value in np.percentile(fixed.array, (FLOOR_PERCENTILE, 99)))
        mask, geometry = fixed.array > floor + BODY_THRESHOLD_SHARE * (high - floor), fixed.geometry
    points = _points(mask, geometry)
    # A point stands for its voxel: a slice that passes through a voxel beside its center shows it.
    reach_mm = max(geometry.spacing_ijk_mm) / 2
    is_common = _is_inside(points, fixed.geometry, reach_mm) & _is_inside(points, moving.geometry, reach_mm)
    common = points[is_common]
    names = f"{fixed.name or 'fixed'} and {moving.name or 'moving'}"
    if not len(common):
        raise GeometryError(f"{names}: expected series that show the same region, found fields of view without overlap")
    width_mm, length_mm = np.sort(np.ptp(common, axis=0))[1:].tolist()
    if length_mm < SMALLEST_REGION_MM[0] or width_mm < SMALLEST_REGION_MM[1]:
        wanted = " x ".join(f"{mm:.0f}" for mm in SMALLEST_REGION_MM)
        raise GeometryError(f"{names}: expected at least {wanted} mm of the region in both series, found {length_mm:.0f} x {width_mm:.0f} mm")
    return common, float(is_common.mean())


def comparable_pair(fixed: Volume, moving: Volume, points_lps_mm: NDArray[np.float64]) -> ComparablePair:
    """The pair around the points, the series with the coarser slices fixed: only the moving image is interpolated.

    Raises GeometryError when a single slice's plane does not meet the other series.
    """
    is_swapped = _coarseness_mm(moving.geometry) > _coarseness_mm(fixed.geometry)
    still, moved = (as_float_image(volume) for volume in ((moving, fixed) if is_swapped else (fixed, moving)))
    moved = cropped(moved, points_lps_mm, SEARCH_MARGIN_MM)
    reach_mm = _search_reach_mm(still)
    points, frame = points_lps_mm, None
    if still.GetSize()[2] < FEWEST_SLICES or _common_width_mm(still, moved) < NARROWEST_STACK_MM:
        still = _slice_nearest(still, points.mean(axis=0))
        frame = SliceFrame.of(still)
        points = frame.flat(points)
        moved = image_in_plane(moved, still, points.min(axis=0) - SEARCH_MARGIN_MM, points.max(axis=0) + SEARCH_MARGIN_MM)
        still = slice_image(still)
    still = cropped(still, points, REGION_MARGIN_MM)
    still, moved = (without_shading(coarser(image, FINEST_SPACING_MM)) for image in (still, moved))
    mask = mask_around(still, points, REGION_MARGIN_MM)
    return ComparablePair(still, moved, mask, points.mean(axis=0), reach_mm[: still.GetDimension()], frame, is_swapped)


def _search_reach_mm(image: sitk.Image) -> tuple[float, ...]:
    """Reach of the search along the axes of a 3D image, whose last axis is that of the slices."""
    toward_head = np.abs(np.asarray(image.GetDirection()).reshape(3, 3)[2, :2])
    along = int(np.argmax(toward_head))
    return (*(SEARCH_ALONG_MM if axis == along else SEARCH_IN_PLANE_MM for axis in range(2)), SEARCH_ACROSS_MM)


def _points(mask: NDArray[np.bool_], geometry: Geometry) -> NDArray[np.float64]:
    """At most about REGION_POINTS voxel centers of a mask, evenly spread, (n, 3) LPS mm."""
    used = np.flatnonzero(mask)
    k, j, i = np.unravel_index(used[:: max(1, len(used) // REGION_POINTS)], mask.shape)
    affine = geometry.affine_lps
    return np.stack([i, j, k], axis=1) @ affine[:3, :3].T + affine[:3, 3]


def _is_inside(points_lps_mm: NDArray[np.float64], geometry: Geometry, reach_mm: float) -> NDArray[np.bool_]:
    """Which points lie in a field of view, or within `reach_mm` along an axis of it."""
    inverse = np.linalg.inv(geometry.affine_lps)
    positions = points_lps_mm @ inverse[:3, :3].T + inverse[:3, 3]
    reach = 0.5 + reach_mm / np.asarray(geometry.spacing_ijk_mm)
    return np.all((positions >= -reach) & (positions <= np.asarray(geometry.size_ijk) - 1 + reach), axis=1)


def _coarseness_mm(geometry: Geometry) -> float:
    """Spacing of the slices; a single slice is the coarsest."""
    return math.inf if geometry.shape_kji[geometry.slice_axis_kji] == 1 else max(geometry.spacing_ijk_mm)


def _common_width_mm(fixed: sitk.Image, moving: sitk.Image) -> float:
    """Width of both fields of view together along the normal of the fixed image's slices."""
    normal = np.asarray(fixed.GetDirection()).reshape(3, 3)[:, 2]
    spans = []
    for image in (fixed, moving):
        center = image.TransformContinuousIndexToPhysicalPoint(((np.asarray(image.GetSize()) - 1) / 2).tolist())
        edges = np.asarray(image.GetDirection()).reshape(3, 3) * np.asarray(image.GetSpacing()) * np.asarray(image.GetSize())
        half = np.abs(normal @ edges).max() / 2
        spans.append((normal @ center - half, normal @ center + half))
    return float(min(spans[0][1], spans[1][1]) - max(spans[0][0], spans[1][0]))


def _slice_nearest(image: sitk.Image, point_lps_mm: NDArray[np.float64]) -> sitk.Image:
    """The slice of a 3D image nearest to a point, 3D still."""
    position = image.TransformPhysicalPointToContinuousIndex(point_lps_mm.tolist())[2]
    k = int(np.clip(round(position), 0, image.GetSize()[2] - 1))
    return image[:, :, k : k + 1]
