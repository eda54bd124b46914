"""A single slice against another series: both as 2D images in the millimetres of the slice's plane.

What happens across the plane can't be seen in one slice, and is not guessed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from SpiderSegLib.errors import GeometryError


@dataclass(frozen=True)
class SliceFrame:
    """The plane of a slice: (u, v) mm in it lie at origin + axes @ (u, v) in LPS mm; axes (3, 2) are unit vectors."""

    origin_lps_mm: NDArray[np.float64]
    axes: NDArray[np.float64]
    normal: NDArray[np.float64]

    @classmethod
    def of(cls, image: sitk.Image) -> SliceFrame:
        """The frame of a 3D image of one slice, whose last axis is that of the slices."""
        direction = np.asarray(image.GetDirection()).reshape(3, 3)
        return cls(np.asarray(image.GetOrigin()), direction[:, :2], direction[:, 2])

    def flat(self, points_lps_mm: NDArray[np.float64]) -> NDArray[np.float64]:
        """Points (n, 3) projected onto the plane, (n, 2)."""
        return (points_lps_mm - self.origin_lps_mm) @ self.axes

    def matrix_lps(self, transform: sitk.Transform) -> NDArray[np.float64]:
        """A rigid 2D transform of the plane as 4x4 in LPS mm; what lies beside the plane moves along with it."""
        flat_shift = np.asarray(transform.TransformPoint((0.0, 0.0)))
        turned = np.stack([np.asarray(transform.TransformVector(unit, (0.0, 0.0))) for unit in ((1.0, 0.0), (0.0, 1.0))], axis=1)
        matrix = np.eye(4)
        matrix[:3, :3] = self.axes @ turned @ self.axes.T + np.outer(self.normal, self.normal)
        matrix[:3, 3] = self.origin_lps_mm + self.axes @ flat_shift - matrix[:3, :3] @ self.origin_lps_mm
        return matrix


def slice_image(image: sitk.Image) -> sitk.Image:
    """The one slice of a 3D image as a 2D image in its SliceFrame."""
    flat = sitk.GetImageFromArray(sitk.GetArrayFromImage(image)[0])
    flat.SetSpacing(image.GetSpacing()[:2])
    return flat


def image_in_plane(image: sitk.Image, single: sitk.Image, first_mm: NDArray[np.float64], last_mm: NDArray[np.float64]) -> sitk.Image:
    """A 3D image averaged over the thickness of a single slice, in its SliceFrame, from `first_mm` to `last_mm` (u, v).

    Cut to where the image has values. Raises GeometryError when it has none there.
    """
    frame, spacing = SliceFrame.of(single), np.asarray(single.GetSpacing())
    size = np.maximum(1, np.ceil((last_mm - first_mm) / spacing[:2]).astype(int) + 1)
    across_mm = float(np.linalg.norm(frame.normal @ np.asarray(image.GetDirection()).reshape(3, 3) * np.asarray(image.GetSpacing())))
    n_planes = max(1, round(spacing[2] / across_mm))
    plane_mm = spacing[2] / n_planes
    origin = frame.origin_lps_mm + frame.axes @ first_mm - frame.normal * plane_mm * (n_planes - 1) / 2
    planes = sitk.GetArrayFromImage(
        sitk.Resample(
            image,
            [int(size[0]), int(size[1]), n_planes],
            sitk.Transform(),
            sitk.sitkLinear,
            origin.tolist(),
            [float(spacing[0]), float(spacing[1]), plane_mm],
            single.GetDirection(),
            float("nan"),
            sitk.sitkFloat32,
        )
    )
    is_inside = np.isfinite(planes)
    count = is_inside.sum(axis=0)
    if not count.any():
        raise GeometryError("expected series that show the same region, found none of one in the plane of the other's single slice")
    mean = np.where(is_inside, planes, 0).sum(axis=0) / np.maximum(count, 1)
    rows, columns = (np.flatnonzero(count.any(axis=axis)) for axis in (1, 0))
    flat = sitk.GetImageFromArray(mean[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].astype(np.float32))
    flat.SetSpacing(single.GetSpacing()[:2])
    flat.SetOrigin((first_mm + np.array([columns[0], rows[0]]) * spacing[:2]).tolist())
    return flat
