"""One image in the original procedure's way: DICOMOrient, then a size with the spacing that follows from it.

Kept as it was, so that its results can be reproduced, though it changes shapes: the voxel grid starts at the same first voxel
center (not edge), so what is shown shifts by up to half a voxel, and nothing is smoothed before it gets coarser. The pipeline's
own resampling is preprocessing.resample.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import SimpleITK as sitk

from SpiderSegLib.errors import GeometryError, InputError
from SpiderSegLib.io import geometry_of, to_itk
from SpiderSegLib.volume import Volume

_OPPOSITES = ("LR", "PA", "SI")


def is_orientation(letters: str) -> bool:
    """Whether three letters name three different axes: 'RPS', 'PIR', ..."""
    return len(letters) == 3 and all(sum(letter in pair for letter in letters) == 1 for pair in _OPPOSITES)


@dataclass(frozen=True)
class ResamplingConfig:
    """Either a size or a spacing, in SimpleITK order (i, j, k) of the image after its orientation; orientation None keeps it.

    Orientations are three letters as SimpleITK's DICOMOrient takes them: where i, j and k point ('RPS': right, posterior,
    superior).
    """

    size_ijk: tuple[int, int, int] | None = None
    spacing_ijk_mm: tuple[float, float, float] | None = None
    orientation: str | None = "RPS"

    def __post_init__(self) -> None:
        if (self.size_ijk is None) == (self.spacing_ijk_mm is None):
            raise InputError(f"expected a size or a spacing, found size {self.size_ijk} and spacing {self.spacing_ijk_mm}")
        if self.size_ijk is not None and min(self.size_ijk) < 1:
            raise InputError(f"expected a size of at least 1 voxel in each direction, found {self.size_ijk}")
        if self.spacing_ijk_mm is not None and not all(math.isfinite(value) and value > 0 for value in self.spacing_ijk_mm):
            raise InputError(f"expected a positive spacing in mm, found {self.spacing_ijk_mm}")
        if self.orientation is not None and not is_orientation(self.orientation):
            raise InputError(f"expected an orientation with one letter each of L/R, P/A and S/I, such as RPS, found {self.orientation!r}")


#: Size and orientation of the original report, in SimpleITK order: 32 sagittal slices of 128 x 128.
ORIGINAL_RECIPE = ResamplingConfig(size_ijk=(32, 128, 128))


def resample_image(image: sitk.Image, config: ResamplingConfig, is_labelmap: bool) -> sitk.Image:
    """A 3D image oriented and resampled: linearly, a labelmap by nearest neighbor; the number type stays.

    With a size, new spacing = old spacing x old size / new size; with a spacing, new size = round(old size x old spacing / new
    spacing), at least 1. Origin and direction (after orientation) are kept. Voxels more than half an old voxel beyond the last old
    center become 0: the last one where a size is doubled, half of the slices where a single slice becomes many.
    """
    oriented = image if config.orientation is None else sitk.DICOMOrient(image, config.orientation)
    old_size, old_spacing = oriented.GetSize(), oriented.GetSpacing()
    if config.size_ijk is not None:
        size = config.size_ijk
        spacing = tuple(mm * old / new for mm, old, new in zip(old_spacing, old_size, size, strict=True))
    else:
        spacing = config.spacing_ijk_mm or old_spacing
        size = tuple(max(1, round(old * mm / new)) for old, mm, new in zip(old_size, old_spacing, spacing, strict=True))
    interpolator = sitk.sitkNearestNeighbor if is_labelmap else sitk.sitkLinear
    return sitk.Resample(
        oriented, size, sitk.Transform(), interpolator, oriented.GetOrigin(), spacing, oriented.GetDirection(), 0, oriented.GetPixelID()
    )


def resample_volume(volume: Volume, config: ResamplingConfig, is_labelmap: bool) -> Volume:
    """`resample_image` for a Volume. Raises GeometryError when SimpleITK can't orient or resample it."""
    try:
        image = resample_image(to_itk(volume), config, is_labelmap)
    except RuntimeError as error:
        raise GeometryError(f"{volume.name}: can't be resampled: {str(error).strip().splitlines()[-1]}") from error
    return Volume(sitk.GetArrayFromImage(image), geometry_of(image), volume.name)
