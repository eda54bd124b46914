"""Reading and writing a volume in whichever format its path says."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from SpiderSegLib.atomic import FileWriter, write_together
from SpiderSegLib.errors import GeometryError, ImageReadError, LabelError, OutputError
from SpiderSegLib.io.itk_files import read_with_itk, write_with_itk
from SpiderSegLib.io.nifti_files import read_nifti, write_nifti
from SpiderSegLib.io.suffixes import IMAGE_SUFFIXES, NIFTI_SUFFIXES, image_suffix
from SpiderSegLib.volume import Volume

#: Header text for people: the only one NIfTI has room for, and not much.
DESCRIPTION = "Description"


def read_volume(path: Path) -> Volume:
    """Reads one scalar 3D image.

    Raises ImageReadError naming the file when it is missing, empty, damaged, not what its suffix says, colored, a vector image, or
    not 3D; GeometryError when spacing or direction can't be used.
    """
    path = Path(path)
    if not path.exists():
        raise ImageReadError(f"{path}: no such file")
    if path.is_dir():
        raise ImageReadError(f"{path}: expected an image file, found a folder")
    suffix = image_suffix(path)
    if not suffix:
        raise ImageReadError(f"{path}: expected a file ending in {', '.join(IMAGE_SUFFIXES)}, or a DICOM folder")
    if path.stat().st_size == 0:
        raise ImageReadError(f"{path}: the file is empty")
    try:
        return read_nifti(path) if suffix in NIFTI_SUFFIXES else read_with_itk(path)
    except GeometryError as error:
        raise GeometryError(f"{path}: {error}") from error


def read_labelmap(path: Path) -> Volume:
    """Reads an integer labelmap; whole numbers stored as floats are accepted.

    Raises LabelError when values are not whole numbers, and what read_volume raises.
    """
    volume = read_volume(path)
    if np.issubdtype(volume.array.dtype, np.integer):
        return volume
    rounded = np.rint(volume.array)
    if not np.array_equal(rounded, volume.array):
        raise LabelError(f"{path}: expected whole numbers as labels, found values between them; is this an image?")
    return volume.with_array(rounded.astype(np.int32))


def check_intensities(volume: Volume) -> None:
    """Raises ImageReadError when a volume's intensities can't be segmented: NaN, infinite, or all the same."""
    if np.issubdtype(volume.array.dtype, np.floating):
        bad = volume.array.size - int(np.isfinite(volume.array).sum())
        if bad:
            raise ImageReadError(f"{volume.name}: {bad} of {volume.array.size} voxels are NaN or infinite; export the series again")
    low, high = volume.array.min(), volume.array.max()
    if low == high:
        raise ImageReadError(f"{volume.name}: every voxel is {low}: there is nothing to segment")


def write_volume(path: Path, volume: Volume, like: Path | None = None, texts: Mapping[str, str] | None = None) -> None:
    """Writes a volume whole or not at all, in the format of the path's suffix (.mha, .nrrd, .nii, .nii.gz), compressed.

    `like` is the file the grid came from: NIfTI and NRRD geometry is then copied verbatim. `texts` go into the header: all of them in
    MetaImage and NRRD, DESCRIPTION alone in NIfTI. Raises OutputError.
    """
    write_together({path: volume_writer(path, volume, like, texts)})


def volume_writer(path: Path, volume: Volume, like: Path | None = None, texts: Mapping[str, str] | None = None) -> FileWriter:
    """What writes a volume as `write_volume` does, for `write_together`. Raises OutputError for a path of another suffix."""
    suffix = image_suffix(path)
    source = like if like is not None and _format_of(image_suffix(like)) == _format_of(suffix) else None
    header = dict(texts or {})
    if suffix in NIFTI_SUFFIXES:
        return lambda temporary: write_nifti(temporary, volume, source, header.get(DESCRIPTION, ""))
    if suffix in (".mha", ".nrrd"):
        return lambda temporary: write_with_itk(temporary, volume, source if suffix == ".nrrd" else None, header)
    raise OutputError(f"{path}: expected an output ending in .mha, .nrrd, .nii or .nii.gz")


def _format_of(suffix: str) -> str:
    return ".nii" if suffix in NIFTI_SUFFIXES else suffix
