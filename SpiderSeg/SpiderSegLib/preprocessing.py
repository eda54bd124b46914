"""From a series on its own grid to the network's working grid, and exactly back.

The working grid is sagittal (k to the patient's right, j inferior, i posterior: orientation 'PIR'), keeps the series' axes (no
rotation, so an oblique series stays oblique) and its field of view; only axis order, sampling and intensities change.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray
from scipy import ndimage

from SpiderSegLib.errors import InputError
from SpiderSegLib.volume import Geometry, Volume

#: Where the working grid's i, j and k point: posterior, inferior, right (SPIDER's sagittal storage).
WORKING_ORIENTATION = "PIR"

_OPPOSITE = dict(zip("LRPAIS", "RLAPSI", strict=True))

#: Voxels brighter than this share of the way from floor to 99th percentile belong to the body; air in magnitude MR lies well below it.
BODY_THRESHOLD_SHARE = 0.1

#: The floor: what is darker (a negative padding value, a broken voxel) counts as this percentile of the whole image, as a rule zero signal.
FLOOR_PERCENTILE = 0.5


@dataclass(frozen=True)
class PreprocessingConfig:
    """How a series is brought to the working grid; stored in every checkpoint.

    in_plane_spacing_mm is the target in the sagittal plane; slices keep their distance but are never closer than
    minimum_slice_spacing_mm (0.9 mm SPACE series are averaged in pairs: twice as fast, 3D detail is not lost at this scale).
    Intensities are clipped at the two percentiles of the body and brought to zero mean and unit deviation inside it.
    """

    in_plane_spacing_mm: float = 1.5
    minimum_slice_spacing_mm: float = 1.8
    lower_percentile: float = 0.5
    upper_percentile: float = 99.5

    def __post_init__(self) -> None:
        if self.in_plane_spacing_mm <= 0 or self.minimum_slice_spacing_mm <= 0:
            raise InputError(f"expected positive working spacings, found {self.in_plane_spacing_mm} and {self.minimum_slice_spacing_mm} mm")
        if not 0 <= self.lower_percentile < self.upper_percentile <= 100:
            raise InputError(f"expected 0 <= lower < upper <= 100 percentiles, found {self.lower_percentile} and {self.upper_percentile}")


@dataclass(frozen=True)
class Reorientation:
    """A permutation of array axes followed by flips; `invert` undoes `apply` exactly. Leading axes (channels) pass through."""

    axes_kji: tuple[int, int, int]
    flipped_kji: tuple[bool, bool, bool]

    def apply(self, array: NDArray[Any]) -> NDArray[Any]:
        lead = array.ndim - 3
        moved = np.transpose(array, [*range(lead), *(axis + lead for axis in self.axes_kji)])
        return np.flip(moved, tuple(axis + lead for axis, flipped in enumerate(self.flipped_kji) if flipped))

    def invert(self, array: NDArray[Any]) -> NDArray[Any]:
        lead = array.ndim - 3
        unflipped = np.flip(array, tuple(axis + lead for axis, flipped in enumerate(self.flipped_kji) if flipped))
        return np.transpose(unflipped, [*range(lead), *(int(axis) + lead for axis in np.argsort(self.axes_kji))])

    def spacing(self, spacing_kji_mm: tuple[float, float, float]) -> tuple[float, float, float]:
        k, j, i = (spacing_kji_mm[axis] for axis in self.axes_kji)
        return k, j, i


@dataclass(frozen=True)
class PreparedVolume:
    """A series on the working grid.

    array is float32 (k, j, i) in WORKING_ORIENTATION, normalized; oriented_shape_kji is the input's shape after reorientation,
    before resampling.
    """

    array: NDArray[np.float32]
    spacing_kji_mm: tuple[float, float, float]
    source: Geometry
    reorientation: Reorientation
    oriented_shape_kji: tuple[int, int, int]

    def restore(self, array: NDArray[Any]) -> NDArray[np.float32]:
        """Values on the working grid (k, j, i) interpolated linearly to the input's grid and axis order, float32."""
        return self.reorientation.invert(resample(array, self.oriented_shape_kji)).astype(np.float32, copy=False)

    def restore_classes(self, probabilities: NDArray[np.float32]) -> NDArray[np.uint8]:
        """Most probable class on the input's grid, uint8 (k, j, i), of probabilities (class, k, j, i) on the working grid."""
        # A copy: on a grid of the same shape resampling gives back its input, and the probabilities are the caller's.
        best = resample(probabilities[0], self.oriented_shape_kji).copy()
        classes = np.zeros(self.oriented_shape_kji, dtype=np.uint8)
        for index in range(1, len(probabilities)):
            candidate = resample(probabilities[index], self.oriented_shape_kji)
            better = candidate > best
            classes[better] = index
            np.copyto(best, candidate, where=better)
        return np.ascontiguousarray(self.reorientation.invert(classes))


def reorientation_to(geometry: Geometry, orientation: str = WORKING_ORIENTATION) -> Reorientation:
    """Axis order and flips that bring an array on `geometry` to `orientation` (letters of i, j, k), nearest axes."""
    source, axes, flips = geometry.orientation, [], []
    for letter in reversed(orientation):
        index = next(n for n, own in enumerate(source) if own in (letter, _OPPOSITE[letter]))
        axes.append(2 - index)
        flips.append(source[index] != letter)
    return Reorientation((axes[0], axes[1], axes[2]), (flips[0], flips[1], flips[2]))


def working_shape(shape_kji: tuple[int, int, int], spacing_kji_mm: tuple[float, float, float], config: PreprocessingConfig) -> tuple[int, int, int]:
    """Shape of the working grid over the same field of view, for an array already in working orientation."""
    targets = (max(spacing_kji_mm[0], config.minimum_slice_spacing_mm), config.in_plane_spacing_mm, config.in_plane_spacing_mm)
    k, j, i = (max(1, round(size * spacing / target)) for size, spacing, target in zip(shape_kji, spacing_kji_mm, targets, strict=True))
    return k, j, i


def resample(array: NDArray[Any], shape_kji: tuple[int, int, int]) -> NDArray[np.float32]:
    """An array (k, j, i) linearly resampled to another shape over the same field of view, float32.

    Axes that get coarser are first smoothed by a Gaussian of (factor - 1) / 2 voxels, as in scikit-image's resize.
    """
    values = np.ascontiguousarray(array, dtype=np.float32)
    if values.shape == tuple(shape_kji):
        return values
    factors = np.asarray(values.shape) / np.asarray(shape_kji)
    sigma = np.maximum(0, (factors - 1) / 2)
    if sigma.any():
        values = ndimage.gaussian_filter(values, sigma, mode="nearest", truncate=3.0)
    factors_ijk = factors[::-1].tolist()
    image = sitk.GetImageFromArray(values)
    origin = [(factor - 1) / 2 for factor in factors_ijk]
    size = [int(n) for n in reversed(shape_kji)]
    resampled = sitk.Resample(image, size, sitk.Transform(), sitk.sitkLinear, origin, factors_ijk, image.GetDirection(), 0.0, sitk.sitkFloat32)
    return np.asarray(sitk.GetArrayFromImage(resampled))


def resample_classes(classes: NDArray[np.uint8], shape_kji: tuple[int, int, int], n_classes: int) -> NDArray[np.uint8]:
    """A class map resampled as fractions: each voxel gets the class that fills most of it."""
    if classes.shape == tuple(shape_kji):
        return classes
    fractions = [resample(classes == index, shape_kji) for index in range(n_classes)]
    return np.argmax(fractions, axis=0).astype(np.uint8)


def normalize(array: NDArray[Any], config: PreprocessingConfig) -> NDArray[np.float32]:
    """MR intensities clipped at the body's percentiles, with zero mean and unit deviation inside the body, float32.

    A constant array becomes all zero.
    """
    values = array.astype(np.float32)
    floor, high = (float(p) for p in np.percentile(values, (FLOOR_PERCENTILE, 99)))
    body = values[values > floor + BODY_THRESHOLD_SHARE * (high - floor)]
    if body.size == 0:
        return np.zeros_like(values)
    low, high = (float(p) for p in np.percentile(body, (config.lower_percentile, config.upper_percentile)))
    inside = np.clip(body, low, high)
    deviation = float(inside.std())
    if deviation == 0:
        return np.zeros_like(values)
    # Air lies below the body's lower percentile: it is clipped at zero signal, not at the percentile.
    return (np.clip(values, floor, high) - np.float32(inside.mean())) / np.float32(deviation)


def prepare(volume: Volume, config: PreprocessingConfig) -> PreparedVolume:
    """A series brought to the working grid: oriented, resampled and normalized."""
    reorientation = reorientation_to(volume.geometry)
    oriented = reorientation.apply(volume.array)
    spacing = reorientation.spacing(volume.geometry.spacing_kji_mm)
    k, j, i = oriented.shape
    shape = working_shape((k, j, i), spacing, config)
    resampled = resample(oriented, shape)
    new_k, new_j, new_i = (d * n / m for d, n, m in zip(spacing, (k, j, i), shape, strict=True))
    return PreparedVolume(normalize(resampled, config), (new_k, new_j, new_i), volume.geometry, reorientation, (k, j, i))
