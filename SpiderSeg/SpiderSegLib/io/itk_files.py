"""MetaImage and NRRD files, through SimpleITK."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from SpiderSegLib.errors import GeometryError, ImageReadError
from SpiderSegLib.io.suffixes import image_suffix
from SpiderSegLib.volume import Geometry, Volume

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

_WRITTEN_PARTLY = "the file could not be written completely; is the disk full?"


@dataclass(frozen=True)
class Layers:
    """Several arrays of labels on one grid: array (layer, k, j, i), and the header of their file."""

    array: NDArray[Any]
    geometry: Geometry
    header: dict[str, str]


def read_layers(path: Path) -> Layers:
    """Reads an integer NRRD or MetaImage file with one or several values a voxel.

    Raises ImageReadError naming the file when it is missing, damaged, not 3D, or holds other than whole numbers, GeometryError when
    spacing or direction can't be used.
    """
    if not path.is_file():
        raise ImageReadError(f"{path}: no such file")
    try:
        reader = _open_with_itk(path)
        if len(reader.GetSize()) != 3:
            raise ImageReadError(f"{path}: expected a 3D image, found {len(reader.GetSize())}D of size {reader.GetSize()}")
        image = _execute(reader, path)
        geometry = geometry_of(image)
    except GeometryError as error:
        raise GeometryError(f"{path}: {error}") from error
    array = sitk.GetArrayFromImage(image)
    if not np.issubdtype(array.dtype, np.integer):
        raise ImageReadError(f"{path}: expected whole numbers as labels, found {image.GetPixelIDTypeAsString()}")
    layers = np.moveaxis(array, 3, 0) if array.ndim == 4 else array[np.newaxis]
    return Layers(layers, geometry, _header(image))


def header_texts_of(path: Path) -> dict[str, str]:
    """The header of a NRRD or MetaImage file as text, without its voxels. Raises ImageReadError, GeometryError."""
    reader = _open_with_itk(path)
    return {key: str(reader.GetMetaData(key)) for key in reader.GetMetaDataKeys()}


def _open_with_itk(path: Path) -> sitk.ImageFileReader:
    reader = sitk.ImageFileReader()
    # Named, because ITK would else read a PNG or DICOM file that is called .mha, and take its pixels for millimetres.
    reader.SetImageIO(_ITK_READERS[image_suffix(path)])
    reader.SetFileName(str(path))
    try:
        reader.ReadImageInformation()
    except RuntimeError as error:
        raise _translated(error, f"{path}: not an image of the kind its suffix {image_suffix(path)} says, or damaged") from error
    return reader


def _execute(reader: sitk.ImageFileReader, path: Path) -> sitk.Image:
    try:
        return reader.Execute()
    except RuntimeError as error:
        raise _translated(error, f"{path}: can't be read, it is truncated or damaged, or a file it refers to is missing") from error


def _header(image: sitk.Image) -> dict[str, str]:
    return {key: str(image.GetMetaData(key)) for key in image.GetMetaDataKeys()}


def read_with_itk(path: Path) -> Volume:
    """Reads one scalar 3D image. Raises ImageReadError and GeometryError as `read_volume`."""
    reader = _open_with_itk(path)
    if reader.GetNumberOfComponents() != 1:
        raise ImageReadError(f"{path}: expected one value a voxel, found {reader.GetNumberOfComponents()} (a color or vector image)")
    extract = extract_size(path, reader.GetSize())
    if extract is not None:
        reader.SetExtractSize(extract)
    image = _execute(reader, path)
    if "complex" in image.GetPixelIDTypeAsString():
        raise ImageReadError(f"{path}: expected real values, found complex ones; export the magnitude image")
    return Volume(sitk.GetArrayFromImage(image), geometry_of(image), str(path), _header(image))


def geometry_of(image: sitk.Image) -> Geometry:
    """The geometry of a 3D SimpleITK image."""
    return Geometry(image.GetSize(), image.GetSpacing(), image.GetOrigin(), image.GetDirection())


def extract_size(path: Path, size: tuple[int, ...]) -> list[int] | None:
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


def write_with_itk(path: Path, volume: Volume, nrrd_source: Path | None, texts: Mapping[str, str]) -> None:
    """Writes a volume and header texts, with the geometry of another NRRD file verbatim. Raises OSError when it was not written whole."""
    image = to_itk(volume)
    for key, text in texts.items():
        image.SetMetaData(key, text)
    try:
        sitk.WriteImage(image, str(path), useCompression=True)
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
    image = sitk.GetImageFromArray(without_bool(volume.array))
    image.SetSpacing(volume.geometry.spacing_ijk_mm)
    image.SetOrigin(volume.geometry.origin_lps_mm)
    image.SetDirection(volume.geometry.direction)
    return image


def without_bool(array: NDArray[Any]) -> NDArray[Any]:
    """The array, a mask as uint8: no format has booleans."""
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
