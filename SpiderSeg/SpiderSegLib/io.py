"""Reading and writing of images and small files: the only module that touches image formats (DICOM folders: dicom.py).

MetaImage and NRRD go through SimpleITK; NIfTI through nibabel, whose affine is copied verbatim from input to output.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from SpiderSegLib.errors import GeometryError, ImageReadError, LabelError, OutputError
from SpiderSegLib.volume import LPS_TO_RAS, Geometry, Volume

NIFTI_SUFFIXES = (".nii", ".nii.gz")
IMAGE_SUFFIXES = (".mha", ".mhd", ".nrrd", *NIFTI_SUFFIXES)

#: Formats a result can be written in; .mhd is not among them because it would be two files.
OUTPUT_FORMATS = ("mha", "nii.gz", "nrrd")

#: NRRD header lines that state the geometry; copied as text so that not even the last bit changes.
_NRRD_GEOMETRY = re.compile(rb"^(space directions|space origin):.*$", re.MULTILINE)


def image_suffix(path: Path) -> str:
    """The image suffix of a path in lower case ('.nii.gz' as one), or '' when it has none of IMAGE_SUFFIXES."""
    name = path.name.lower()
    return next((suffix for suffix in sorted(IMAGE_SUFFIXES, key=len, reverse=True) if name.endswith(suffix)), "")


def image_stem(path: Path) -> str:
    """The file name without its image suffix: 'b.nii.gz' -> 'b'."""
    suffix = image_suffix(path)
    return path.name[: -len(suffix)] if suffix else path.name


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
        return _read_nifti(path) if suffix in NIFTI_SUFFIXES else _read_with_itk(path)
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


def _read_with_itk(path: Path) -> Volume:
    reader = sitk.ImageFileReader()
    reader.SetFileName(str(path))
    try:
        reader.ReadImageInformation()
        size, components = reader.GetSize(), reader.GetNumberOfComponents()
        if components != 1:
            raise ImageReadError(f"{path}: expected one value a voxel, found {components} (a color or vector image)")
        extract = _extract_size(path, size)
        if extract is not None:
            reader.SetExtractSize(extract)
        image = reader.Execute()
    except RuntimeError as error:
        raise _translated(path, error) from error
    if "complex" in image.GetPixelIDTypeAsString():
        raise ImageReadError(f"{path}: expected real values, found complex ones; export the magnitude image")
    header = {key: str(image.GetMetaData(key)) for key in image.GetMetaDataKeys()}
    return Volume(sitk.GetArrayFromImage(image), geometry_of(image), str(path), header)


def geometry_of(image: sitk.Image) -> Geometry:
    """The geometry of a 3D SimpleITK image."""
    return Geometry(image.GetSize(), image.GetSpacing(), image.GetOrigin(), image.GetDirection())


def _extract_size(path: Path, size: tuple[int, ...]) -> list[int] | None:
    """None for 3D; for more dimensions of size 1 the ITK extract size that drops them."""
    if len(size) == 3:
        return None
    if len(size) < 3:
        raise ImageReadError(
            f"{path}: expected a 3D image, found {len(size)}D of size {size}; a single slice must be stored as a 3D image with one slice"
        )
    if any(n != 1 for n in size[3:]):
        raise ImageReadError(f"{path}: expected a 3D image, found {len(size)}D of size {size}; store each time point or echo as its own file")
    return [*size[:3], *([0] * (len(size) - 3))]


def _translated(path: Path, error: RuntimeError) -> ImageReadError | GeometryError:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    text = " ".join(lines)
    if "change spacing" in text or "Zero-valued spacing" in text:
        return GeometryError(f"expected a positive spacing in mm, found {lines[-1].rpartition(' to ')[2]}")
    if "Bad direction" in text or "determinant" in text:
        return GeometryError("expected a direction of three perpendicular unit vectors, found a singular one")
    if "Unable to determine ImageIO reader" in text:
        return ImageReadError(f"{path}: not an image of the kind its suffix {image_suffix(path)} says, or damaged")
    return ImageReadError(f"{path}: can't be read, it may be truncated or damaged ({lines[-1] if lines else 'no reason given'})")


def _read_nifti(path: Path) -> Volume:
    import nibabel
    from nibabel.filebasedimages import ImageFileError
    from nibabel.spatialimages import HeaderDataError

    try:
        image = nibabel.load(path)
        data = np.asanyarray(image.dataobj)
    except (ImageFileError, HeaderDataError, OSError, EOFError, ValueError) as error:
        raise ImageReadError(f"{path}: not a readable NIfTI file, it may be truncated or damaged ({error})") from error
    if data.dtype.fields is not None or np.iscomplexobj(data):
        raise ImageReadError(f"{path}: expected one value a voxel, found {data.dtype} (a color, vector or complex image)")
    if _extract_size(path, data.shape) is not None:
        data = data.reshape(data.shape[:3])
    header = {"descrip": bytes(image.header["descrip"].tobytes()).rstrip(b"\0").decode("latin-1")}
    affine = np.asarray(image.affine, dtype=float)
    return Volume(np.ascontiguousarray(data.T), geometry_from_affine_ras(affine, data.shape), str(path), header, affine)


def geometry_from_affine_ras(affine_ras: NDArray[np.float64], size_ijk: tuple[int, ...]) -> Geometry:
    """The geometry of a RAS affine (i, j, k, 1) -> mm. Raises GeometryError when it is singular or sheared."""
    affine = LPS_TO_RAS @ affine_ras
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    if not np.all(np.isfinite(affine)) or spacing.min() <= 0:
        raise GeometryError(f"expected a positive spacing in mm, found {spacing.tolist()}")
    direction = (affine[:3, :3] / spacing).ravel().tolist()
    i, j, k = (int(n) for n in size_ijk)
    x, y, z = spacing.tolist()
    ox, oy, oz = affine[:3, 3].tolist()
    return Geometry((i, j, k), (x, y, z), (ox, oy, oz), tuple(direction))


def write_volume(path: Path, volume: Volume, like: Path | None = None) -> None:
    """Writes a volume whole or not at all, in the format of the path's suffix (.mha, .nrrd, .nii, .nii.gz), compressed.

    `like` is the file the grid came from: NIfTI affines and NRRD geometry are then copied verbatim. Raises OutputError.
    """
    suffix = image_suffix(path)
    if suffix in NIFTI_SUFFIXES:
        _replace_with(path, lambda temporary: _write_nifti(temporary, volume))
    elif suffix in (".mha", ".nrrd"):
        source = like if like is not None and suffix == ".nrrd" and image_suffix(like) == ".nrrd" else None
        _replace_with(path, lambda temporary: _write_with_itk(temporary, volume, source))
    else:
        raise OutputError(f"{path}: expected an output ending in .mha, .nrrd, .nii or .nii.gz")


def _write_with_itk(path: Path, volume: Volume, nrrd_source: Path | None) -> None:
    image = to_itk(volume)
    try:
        sitk.WriteImage(image, str(path), useCompression=True)
    except RuntimeError as error:
        raise OSError(str(error).strip().splitlines()[-1]) from error
    if nrrd_source is not None:
        _copy_nrrd_geometry(nrrd_source, path)
    # ITK does not report a full disk: what can't be read back was not written.
    try:
        written = sitk.GetArrayFromImage(sitk.ReadImage(str(path)))
        complete = np.array_equal(written, volume.array)
    except RuntimeError:
        complete = False
    if not complete:
        raise OSError("the file could not be written completely; is the disk full?")


def to_itk(volume: Volume) -> sitk.Image:
    """The volume as a SimpleITK image."""
    image = sitk.GetImageFromArray(volume.array)
    image.SetSpacing(volume.geometry.spacing_ijk_mm)
    image.SetOrigin(volume.geometry.origin_lps_mm)
    image.SetDirection(volume.geometry.direction)
    return image


def _copy_nrrd_geometry(source: Path, target: Path) -> None:
    lines = {match.group(1): match.group(0) for match in _NRRD_GEOMETRY.finditer(source.read_bytes().partition(b"\n\n")[0])}
    head, gap, body = target.read_bytes().partition(b"\n\n")
    if b"space: left-posterior-superior" in source.read_bytes().partition(b"\n\n")[0]:
        target.write_bytes(_NRRD_GEOMETRY.sub(lambda match: lines.get(match.group(1), match.group(0)), head) + gap + body)


def _write_nifti(path: Path, volume: Volume) -> None:
    import nibabel

    array = volume.array.astype(np.uint8) if volume.array.dtype == np.bool_ else volume.array
    affine = volume.source_affine_ras if volume.source_affine_ras is not None else volume.geometry.affine_ras
    image = nibabel.Nifti1Image(np.ascontiguousarray(array.T), affine)
    image.header.set_xyzt_units("mm")
    nibabel.save(image, path)


def write_bytes_atomically(path: Path, data: bytes) -> None:
    """Writes a file so that it is there whole or not at all: temporary file in the same folder, fsync, rename.

    Raises OutputError naming the path and the reason.
    """
    _replace_with(path, lambda temporary: _write_all(temporary, data))


def write_text_atomically(path: Path, text: str) -> None:
    """Writes UTF-8 text as `write_bytes_atomically` does."""
    write_bytes_atomically(path, text.encode("utf-8"))


def _write_all(path: Path, data: bytes) -> None:
    path.write_bytes(data)


def _replace_with(path: Path, write: Callable[[Path], Any]) -> None:
    """Lets `write` make a temporary file beside `path`, flushes it to disk and renames it; leaves no trace on any failure."""
    temporary = None
    try:
        # The suffix stays, because image writers choose the format by it.
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=".spiderseg-", suffix=image_suffix(path) or path.suffix)
        os.close(handle)
        temporary = Path(name)
        write(temporary)
        # Opened for writing because Windows flushes only such a descriptor.
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        temporary.chmod(0o666 & ~_umask())  # mkstemp's 0600 would hide results from colleagues on a shared disk
        temporary.replace(path)
    except OSError as error:
        raise OutputError(f"{path}: can't write: {error.strerror or error}") from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
