"""What an uploaded file is: told by its name and its first bytes while it arrives, and by its header before it is read."""

from __future__ import annotations

import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import SimpleITK as sitk

from SpiderSegLib.dicom import list_series, series_geometry
from SpiderSegLib.errors import ImageReadError
from SpiderSegLib.io import NIFTI_SUFFIXES, image_suffix
from SpiderSegLib.segmentation_files import SLICER, format_of
from SpiderSegLib.workstation.web.series_files import SeriesFiles

_PREAMBLE = 128

#: So many first bytes of a file tell what it is.
HEAD_BYTES = _PREAMBLE + 4

#: A T2-SPACE with all that a scanner can do: a small compressed file may ask for more memory than there is.
MOST_VOXELS = 1024 * 1024 * 256

_HEADER_BYTES = 64 * 1024

#: Lines of a header that have the voxels read from another file of the computer, whatever that holds.
_META_IMAGE_DATA = re.compile(rb"^[ \t]*ElementDataFile[ \t]*=[ \t]*([^\r\n]*)", re.MULTILINE | re.IGNORECASE)
_NRRD_DATA_FILE = re.compile(rb"^data ?file:", re.MULTILINE | re.IGNORECASE)
_NRRD_HEADER_END = re.compile(rb"\r?\n\r?\n")


@dataclass(frozen=True)
class Kind:
    """What a file is taken for; reason_left_out: why it isn't taken in, or ''."""

    suffix: str = ""
    is_dicom: bool = False
    reason_left_out: str = ""

    @property
    def folder(self) -> str:
        return "dicom" if self.is_dicom else "images"


@dataclass(frozen=True)
class Received:
    """A file of an upload: the name a person gave it, where it lies, and what it is."""

    name: str
    path: Path
    kind: Kind


def kind_of(name: str, head: bytes) -> Kind:
    """The kind of a file of this name that begins with `head`, of at least HEAD_BYTES where the file has as many."""
    if head[_PREAMBLE:HEAD_BYTES] == b"DICM":
        return Kind(".dcm", is_dicom=True)
    suffix = image_suffix(Path(name))
    if not suffix:
        return Kind(reason_left_out="neither an image file (.mha, .nii, .nii.gz, .nrrd) nor DICOM")
    if suffix == ".mhd":
        return Kind(reason_left_out="a .mhd file has its voxels in another file; save it as .mha")
    if format_of(Path(name)) == SLICER:
        return Kind(reason_left_out="a segmentation, not a series")
    return Kind(suffix)


def check_header(file: Received) -> None:
    """Raises ImageReadError when an image file refers to other files, or asks for more voxels than any series has."""
    with file.path.open("rb") as opened:
        head = opened.read(_HEADER_BYTES)
    if not _is_in_one_file(head, file.kind.suffix):
        raise ImageReadError(f"{file.name}: its header refers to another file for its voxels; save it in one file")
    _check_size(file.name, _voxels(file))


def _is_in_one_file(head: bytes, suffix: str) -> bool:
    if suffix == ".mha":
        data = _META_IMAGE_DATA.search(head)
        return data is None or data.group(1).strip().upper() == b"LOCAL"
    return suffix != ".nrrd" or _NRRD_DATA_FILE.search(_NRRD_HEADER_END.split(head, maxsplit=1)[0]) is None


def _check_size(name: str, voxels: int) -> None:
    if voxels > MOST_VOXELS:
        raise ImageReadError(f"{name}: expected at most {MOST_VOXELS} voxels, found {voxels} in its header")


def _voxels(file: Received) -> int:
    """Voxels that the header tells; 0 when it can't be read, which reading the file says better."""
    if file.kind.suffix in NIFTI_SUFFIXES:
        return _nifti_voxels(file.path)
    reader = sitk.ImageFileReader()
    reader.SetFileName(str(file.path))
    try:
        reader.ReadImageInformation()
    except RuntimeError:
        return 0
    return _product(reader.GetSize()) * reader.GetNumberOfComponents()


def _nifti_voxels(path: Path) -> int:
    import nibabel
    from nibabel.filebasedimages import ImageFileError
    from nibabel.spatialimages import HeaderDataError

    try:
        return _product(nibabel.load(path).shape)
    except (ImageFileError, HeaderDataError, OSError, EOFError, ValueError, OverflowError, zlib.error):
        return 0


def _product(size: Sequence[int]) -> int:
    product = 1
    for n in size:
        product *= int(n)
    return product


def dicom_series_of(received: Sequence[Received]) -> tuple[list[SeriesFiles], list[tuple[str, str]]]:
    """The sagittal lumbar series among the DICOM files, and the others with the reason; a single series counts whatever it is.

    Raises ImageReadError when the DICOM files hold no images or more voxels than any series has, and GeometryError.
    """
    folders = {file.path.parent for file in received if file.kind.is_dicom}
    if not folders:
        return [], []
    (folder,) = folders
    everything = list_series(folder)
    chosen = everything if len(everything) == 1 else [series for series in everything if series.reason_left_out is None]
    left_out = [(series.label, series.reason_left_out or "") for series in everything if series not in chosen]
    for series in chosen:
        _check_size(series.label, _product(series_geometry(series).size_ijk))
    return [SeriesFiles(series.label, folder, series) for series in chosen], left_out
