"""Series made comparable for the alignment: cut to the region, at about one resolution, without the coil's shading.

Images are SimpleITK images, 3D in LPS millimetres, or 2D in the millimetres of a slice's plane where a series is a single slice.
"""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray
from scipy import ndimage

from SpiderSegLib.io import to_itk
from SpiderSegLib.volume import Volume

#: Finest spacing that is compared, mm: half a pixel of it is well below the 2 mm that matter, and 0.6 mm would take four times as long.
FINEST_SPACING_MM = 1.25

#: Shading by the coil is smoother than this (standard deviation); vertebrae and discs are smaller.
SHADING_SIGMA_MM = 15.0

#: Voxels darker than this share of the bright ones are air and cortical bone, which no shading can be read from.
AIR_SHARE, BRIGHT_PERCENTILE = 0.08, 90.0

#: Intensities relative to their surroundings end here: fat beside muscle reaches 2, only vessels and artefacts more.
BRIGHTEST = 2.5


def as_float_image(volume: Volume) -> sitk.Image:
    """A volume as a float32 image whose last axis is that of the slices."""
    image = to_itk(volume.with_array(volume.array.astype(np.float32)))
    slice_axis = 2 - volume.geometry.slice_axis_kji
    return image if slice_axis == 2 else sitk.PermuteAxes(image, [axis for axis in range(3) if axis != slice_axis] + [slice_axis])


def voxel_positions(image: sitk.Image, points_mm: NDArray[np.float64]) -> NDArray[np.float64]:
    """Points (n, dimension) of the image's frame as continuous voxel indices in SimpleITK's axis order."""
    dimension = image.GetDimension()
    axes = np.asarray(image.GetDirection()).reshape(dimension, dimension) * np.asarray(image.GetSpacing())
    return (points_mm - np.asarray(image.GetOrigin())) @ np.linalg.inv(axes).T


def cropped(image: sitk.Image, points_mm: NDArray[np.float64], margin_mm: float) -> sitk.Image:
    """The part of an image that holds the points with a margin, as far as the image reaches."""
    size = np.asarray(image.GetSize())
    positions = voxel_positions(image, points_mm)
    margin = margin_mm / np.asarray(image.GetSpacing())
    first = np.clip(np.floor(positions.min(axis=0) - margin), 0, size - 1).astype(int)
    last = np.clip(np.ceil(positions.max(axis=0) + margin), 0, size - 1).astype(int)
    return sitk.RegionOfInterest(image, (last - first + 1).tolist(), first.tolist())


def mask_around(image: sitk.Image, points_mm: NDArray[np.float64], margin_mm: float) -> sitk.Image:
    """A uint8 mask on the image's grid: the voxels within the margin of a point."""
    size = np.asarray(image.GetSize())
    nearest = np.rint(voxel_positions(image, points_mm)).astype(int)
    inside = nearest[np.all((nearest >= 0) & (nearest < size), axis=1)]
    is_empty = np.ones(size[::-1], dtype=bool)
    is_empty[tuple(inside[:, ::-1].T)] = False
    distance_mm = ndimage.distance_transform_edt(is_empty, sampling=image.GetSpacing()[::-1])
    return _with_values(image, (distance_mm <= margin_mm).astype(np.uint8))


def coarser(image: sitk.Image, spacing_mm: float) -> sitk.Image:
    """The image smoothed and sampled at `spacing_mm` along every axis that is finer, over the same field of view."""
    old, old_size = np.asarray(image.GetSpacing()), np.asarray(image.GetSize())
    new = np.maximum(old, spacing_mm)
    size = np.maximum(1, np.floor(old_size * old / new + 1e-6)).astype(int)
    # A Gaussian with half the new voxel's width, less what the old voxels have smoothed already.
    sigma = np.sqrt((new / old) ** 2 - 1) / 2
    smoothed = _with_values(image, ndimage.gaussian_filter(sitk.GetArrayViewFromImage(image), sigma[::-1], mode="nearest", truncate=3.0))
    first = (old_size * old - size * new) / 2 + (new - old) / 2
    origin = image.TransformContinuousIndexToPhysicalPoint((first / old).tolist())
    return sitk.Resample(
        smoothed, size.tolist(), sitk.Transform(), sitk.sitkLinear, origin, new.tolist(), image.GetDirection(), 0.0, sitk.sitkFloat32
    )


def on_grid_of(mask: sitk.Image, image: sitk.Image) -> sitk.Image:
    """A mask on the image's grid, by its nearest voxels."""
    return sitk.Resample(mask, image, sitk.Transform(), sitk.sitkNearestNeighbor, 0)


def without_shading(image: sitk.Image) -> sitk.Image:
    """Intensities relative to the mean of the tissue around them, 0..BRIGHTEST: a surface coil's fall-off then says nothing.

    Shading that differs between the two series pulled the alignment off by up to 1.3 mm, this leaves 0.3.
    """
    values = sitk.GetArrayFromImage(image)
    # Magnitudes are not negative; series that were processed may be.
    values -= min(0.0, float(values.min()))
    bright = float(np.percentile(values, BRIGHT_PERCENTILE))
    # Two passes of a box of this width have the standard deviation wanted, and take the same time for any.
    width = [max(1, round(SHADING_SIGMA_MM * 6**0.5 / mm)) for mm in reversed(image.GetSpacing())]
    tissue = (values > AIR_SHARE * bright).astype(np.float32)
    mean = _box_twice(values * tissue, width) / np.maximum(_box_twice(tissue, width), np.float32(0.05))
    # The tenth of the bright keeps noise in air small, the smallest number an image that is dark all over finite.
    floor = np.float32(max(0.1 * bright, np.finfo(np.float32).tiny))
    return _with_values(image, np.clip(values / (mean + floor), 0, BRIGHTEST).astype(np.float32))


def _box_twice(values: NDArray[np.float32], width: list[int]) -> NDArray[np.float32]:
    once = ndimage.uniform_filter(values, width, mode="nearest")
    return np.asarray(ndimage.uniform_filter(once, width, mode="nearest"))


def _with_values(image: sitk.Image, values: NDArray[np.generic]) -> sitk.Image:
    result = sitk.GetImageFromArray(values)
    result.CopyInformation(image)
    return result
