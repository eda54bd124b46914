"""Reading and writing of images and small files: the only module that touches image formats (DICOM folders: dicom.py).

MetaImage and NRRD go through SimpleITK; NIfTI through nibabel, whose affine is copied verbatim from input to output.
"""

from __future__ import annotations

import gzip
import re
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from SpiderSegLib.atomic import FileWriter, write_together
from SpiderSegLib.errors import GeometryError, ImageReadError, LabelError, OutputError
from SpiderSegLib.volume import LPS_TO_RAS, Geometry, Volume

NIFTI_SUFFIXES = (".nii", ".nii.gz")
IMAGE_SUFFIXES = (".mha", ".mhd", ".nrrd", *NIFTI_SUFFIXES)

#: Formats a result can be written in; .mhd is not among them because it would be two files.
OUTPUT_FORMATS = ("mha", "nii.gz", "nrrd")

_ITK_READERS = {".mha": "MetaImageIO", ".mhd": "MetaImageIO", ".nrrd": "NrrdImageIO"}

#: NRRD header lines that state the geometry; copied as text so that not even the last bit changes.
_NRRD_GEOMETRY = re.compile(rb"^(space directions|space origin):[^\r\n]*", re.MULTILINE)
_NRRD_HEADER_END = re.compile(rb"\r?\n\r?\n")

#: Signs that bring the axes of NRRD's spaces to LPS; those ITK knows.
_NRRD_SPACE_SIGNS = {
    name: signs
    for names, signs in (
        (("left-posterior-superior", "lps"), (1, 1, 1)),
        (("right-anterior-superior", "ras"), (-1, -1, 1)),
        (("left-anterior-superior", "las"), (1, -1, 1)),
    )
    for name in names
}

#: NIfTI header fields that, with pixdim, place the grid in space.
_NIFTI_GEOMETRY_FIELDS = (
    *("qform_code", "sform_code", "xyzt_units", "srow_x", "srow_y", "srow_z"),
    *("quatern_b", "quatern_c", "quatern_d", "qoffset_x", "qoffset_y", "qoffset_z"),
)

#: Higher levels make labelmaps hardly smaller, and take longer.
GZIP_LEVEL = 6

_WRITTEN_PARTLY = "the file could not be written completely; is the disk full?"


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
    # Named, because ITK would else read a PNG or DICOM file that is called .mha, and take its pixels for millimetres.
    reader.SetImageIO(_ITK_READERS[image_suffix(path)])
    reader.SetFileName(str(path))
    try:
        reader.ReadImageInformation()
    except RuntimeError as error:
        raise _translated(error, f"{path}: not an image of the kind its suffix {image_suffix(path)} says, or damaged") from error
    if reader.GetNumberOfComponents() != 1:
        raise ImageReadError(f"{path}: expected one value a voxel, found {reader.GetNumberOfComponents()} (a color or vector image)")
    extract = _extract_size(path, reader.GetSize())
    if extract is not None:
        reader.SetExtractSize(extract)
    try:
        image = reader.Execute()
    except RuntimeError as error:
        raise _translated(error, f"{path}: can't be read, it is truncated or damaged, or a file it refers to is missing") from error
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


def _translated(error: RuntimeError, otherwise: str) -> ImageReadError | GeometryError:
    """ITK's error in plain words; `otherwise` where it says nothing more than that reading failed."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    text = " ".join(lines)
    if "change spacing" in text or "Zero-valued spacing" in text:
        return GeometryError(f"expected a positive spacing in mm, found {lines[-1].rpartition(' to ')[2]}")
    if "Bad direction" in text or "determinant" in text:
        return GeometryError("expected a direction of three perpendicular unit vectors, found a singular one")
    if "allocate memory" in text:
        return ImageReadError(f"{otherwise}; its header asks for more memory than there is")
    return ImageReadError(otherwise)


def _read_nifti(path: Path) -> Volume:
    import nibabel
    from nibabel.filebasedimages import ImageFileError
    from nibabel.spatialimages import HeaderDataError

    try:
        # Not mapped into memory: the file may be replaced while its values are in use.
        image = nibabel.load(path, mmap=False)
        data = np.asanyarray(image.dataobj)
    except (ImageFileError, HeaderDataError, OSError, EOFError, ValueError, OverflowError, MemoryError, zlib.error) as error:
        reason = str(error).strip().partition("\n")[0]
        raise ImageReadError(f"{path}: not a readable NIfTI file, it may be truncated or damaged ({reason})") from error
    if data.dtype.fields is not None or np.iscomplexobj(data):
        raise ImageReadError(f"{path}: expected one value a voxel, found {data.dtype} (a color, vector or complex image)")
    if _extract_size(path, data.shape) is not None:
        data = data.reshape(data.shape[:3])
    data = data.astype(data.dtype.newbyteorder("="), copy=False)
    header = {"descrip": bytes(image.header["descrip"].tobytes()).rstrip(b"\0").decode("latin-1")}
    affine = np.asarray(image.affine, dtype=float)
    return Volume(np.ascontiguousarray(data.T), geometry_from_affine_ras(affine, data.shape), str(path), header, affine)


def geometry_from_affine_ras(affine_ras: NDArray[np.float64], size_ijk: tuple[int, ...]) -> Geometry:
    """The geometry of a RAS affine (i, j, k, 1) -> mm. Raises GeometryError when it is singular or sheared."""
    if not np.all(np.isfinite(affine_ras)):
        raise GeometryError(f"expected finite numbers in the affine, found {affine_ras.tolist()}")
    affine = LPS_TO_RAS @ affine_ras
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    if spacing.min() <= 0:
        raise GeometryError(f"expected a positive spacing in mm, found {spacing.tolist()}")
    direction = (affine[:3, :3] / spacing).ravel().tolist()
    i, j, k = (int(n) for n in size_ijk)
    x, y, z = spacing.tolist()
    ox, oy, oz = affine[:3, 3].tolist()
    return Geometry((i, j, k), (x, y, z), (ox, oy, oz), tuple(direction))


def write_volume(path: Path, volume: Volume, like: Path | None = None) -> None:
    """Writes a volume whole or not at all, in the format of the path's suffix (.mha, .nrrd, .nii, .nii.gz), compressed.

    `like` is the file the grid came from: NIfTI and NRRD geometry is then copied verbatim. Raises OutputError.
    """
    write_together({path: volume_writer(path, volume, like)})


def volume_writer(path: Path, volume: Volume, like: Path | None = None) -> FileWriter:
    """What writes a volume as `write_volume` does, for `write_together`. Raises OutputError for a path of another suffix."""
    suffix = image_suffix(path)
    source = like if like is not None and _format_of(image_suffix(like)) == _format_of(suffix) else None
    if suffix in NIFTI_SUFFIXES:
        return lambda temporary: _write_nifti(temporary, volume, source)
    if suffix in (".mha", ".nrrd"):
        return lambda temporary: _write_with_itk(temporary, volume, source if suffix == ".nrrd" else None)
    raise OutputError(f"{path}: expected an output ending in .mha, .nrrd, .nii or .nii.gz")


def _format_of(suffix: str) -> str:
    return ".nii" if suffix in NIFTI_SUFFIXES else suffix


def _write_with_itk(path: Path, volume: Volume, nrrd_source: Path | None) -> None:
    try:
        sitk.WriteImage(to_itk(volume), str(path), useCompression=True)
        if nrrd_source is not None:
            _copy_nrrd_geometry(nrrd_source, path)
        # ITK does not report a full disk: what can't be read back was not written.
        is_complete = np.array_equal(sitk.GetArrayFromImage(sitk.ReadImage(str(path))), volume.array, equal_nan=True)
    except RuntimeError as error:
        raise OSError(_WRITTEN_PARTLY) from error
    if not is_complete:
        raise OSError(_WRITTEN_PARTLY)


def to_itk(volume: Volume) -> sitk.Image:
    """The volume as a SimpleITK image; a mask becomes uint8."""
    image = sitk.GetImageFromArray(_without_bool(volume.array))
    image.SetSpacing(volume.geometry.spacing_ijk_mm)
    image.SetOrigin(volume.geometry.origin_lps_mm)
    image.SetDirection(volume.geometry.direction)
    return image


def _without_bool(array: NDArray[Any]) -> NDArray[Any]:
    return array.astype(np.uint8) if array.dtype == np.bool_ else array


def _copy_nrrd_geometry(source: Path, target: Path) -> None:
    """Replaces the geometry ITK wrote by the source's text, in LPS: reading and writing numbers would change their last bits."""
    source_head = _NRRD_HEADER_END.split(source.read_bytes(), maxsplit=1)[0]
    space = re.search(rb"^space:\s*(.+?)\s*$", source_head, re.MULTILINE)
    signs = _NRRD_SPACE_SIGNS.get(space.group(1).decode("latin-1").lower()) if space else None
    if signs is None:
        return
    lines = {match.group(1): _in_lps(match, signs) for match in _NRRD_GEOMETRY.finditer(source_head)}
    head, gap, body = target.read_bytes().partition(b"\n\n")
    target.write_bytes(_NRRD_GEOMETRY.sub(lambda match: lines.get(match.group(1), match.group(0)), head) + gap + body)


def _in_lps(line: re.Match[bytes], signs: tuple[int, int, int]) -> bytes:
    """A geometry line with the numbers of flipped axes negated as text; 'none' (an axis that is not space) is dropped."""
    vectors = []
    for inner in re.findall(rb"\(([^)]*)\)", line.group(0)):
        numbers = [number.strip() for number in inner.split(b",")]
        flipped = [number if sign > 0 else _negated(number) for number, sign in zip(numbers, signs, strict=True)]
        vectors.append(b"(" + b",".join(flipped) + b")")
    return line.group(1) + b": " + b" ".join(vectors)


def _negated(number: bytes) -> bytes:
    return number[1:] if number.startswith(b"-") else b"-" + number.lstrip(b"+")


def _write_nifti(path: Path, volume: Volume, source: Path | None) -> None:
    import nibabel

    array = _without_bool(volume.array)
    affine = volume.source_affine_ras if volume.source_affine_ras is not None else volume.geometry.affine_ras
    image = nibabel.Nifti1Image(np.ascontiguousarray(array.T), affine, dtype=array.dtype)
    image.header.set_xyzt_units("mm")
    if source is not None:
        _copy_nifti_geometry(nibabel.load(source).header, image.header)
    content = image.to_bytes()
    path.write_bytes(gzip.compress(content, GZIP_LEVEL, mtime=0) if image_suffix(path) == ".nii.gz" else content)


def _copy_nifti_geometry(source: Any, target: Any) -> None:
    """Both transforms with their codes and units, so that every reader finds the output where it finds the input."""
    for field in _NIFTI_GEOMETRY_FIELDS:
        target[field] = source[field]
    target["pixdim"][:4] = source["pixdim"][:4]


def write_bytes_atomically(path: Path, data: bytes) -> None:
    """Writes a file so that it is there whole or not at all. Raises OutputError naming the path and the reason."""
    write_together({path: bytes_writer(data)})


def write_text_atomically(path: Path, text: str) -> None:
    """Writes UTF-8 text as `write_bytes_atomically` does."""
    write_bytes_atomically(path, text.encode("utf-8"))


def bytes_writer(data: bytes) -> FileWriter:
    """What writes these bytes, for `write_together`."""

    def write(temporary: Path) -> None:
        temporary.write_bytes(data)

    return write
