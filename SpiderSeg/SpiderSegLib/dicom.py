"""DICOM folders: which series they hold, which of them are sagittal lumbar MR, and reading one of them.

GDCM (in SimpleITK) reads the pixels, compressed ones too; frames of enhanced files are placed by dicom_multiframe.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from SpiderSegLib.dicom_multiframe import read_multiframe, read_multiframe_grid
from SpiderSegLib.errors import GeometryError, ImageReadError, MissingPackageError
from SpiderSegLib.slice_stack import SlicePlane, geometry_of_stack, slice_order
from SpiderSegLib.volume import Geometry, Volume

#: Header fields kept with a volume: what tells the sequence, never who the patient is.
HEADER_TAGS = {
    "0008|0060": "Modality",
    "0008|103e": "SeriesDescription",
    "0020|0052": "FrameOfReferenceUID",
    "0008|0008": "ImageType",
    "0018|0015": "BodyPartExamined",
    "0018|0020": "ScanningSequence",
    "0018|0023": "MRAcquisitionType",
    "0018|0024": "SequenceName",
    "0018|1030": "ProtocolName",
    "0018|0080": "RepetitionTime",
    "0018|0081": "EchoTime",
    "0018|0082": "InversionTime",
    "0018|0050": "SliceThickness",
    "0018|0010": "ContrastBolusAgent",
    "0020|000e": "SeriesInstanceUID",
    "0020|0011": "SeriesNumber",
}

_NUMBER_OF_FRAMES = "0028|0008"
_SOP_CLASS = "0008|0016"

#: Enhanced MR and its conversion from classic files; with one frame, too, their geometry is in functional groups.
_ENHANCED_SOP_CLASSES = ("1.2.840.10008.5.1.4.1.1.4.1", "1.2.840.10008.5.1.4.1.1.4.4")

_LUMBAR_WORDS = re.compile(r"lumb|lumbal|lwk|lws|(?<![a-z])l-?s?[ _-]?sp(?:ine)?(?![a-z])|sacr|(?<![a-z])tl-?spine", re.IGNORECASE)
_OTHER_SPINE_WORDS = re.compile(r"cervic|(?<![a-z])c[ _-]?spine|hws|thorac|(?<![a-z])t[ _-]?spine|dorsal|bws", re.IGNORECASE)
_SPINE_WORDS = re.compile(r"spine|rachis|column|wirbel|(?<![a-z])ls(?![a-z])", re.IGNORECASE)
_LOCALIZER_WORDS = re.compile(r"locali[sz]er|scout|survey|topogram|3-?plane|(?<![a-z])loc(?![a-z])", re.IGNORECASE)

_PREAMBLE = 128


@dataclass(frozen=True)
class DicomSeries:
    """One series of a folder: its files in slice order, where they lie, and the header of the first."""

    folder: Path
    uid: str
    files: tuple[str, ...]
    planes: tuple[SlicePlane, ...]
    header: dict[str, str]
    is_multiframe: bool = False

    @property
    def label(self) -> str:
        """How messages and `--series` name it: number and description."""
        return f"{self.header.get('SeriesNumber', '?')} {self.header.get('SeriesDescription', '')}".strip()

    def is_called(self, wish: str) -> bool:
        """Whether `--series wish` means it: its number, its UID, or a part of its description."""
        # A number is a series number only: '2' must not select every 'T2'.
        if wish.isdigit():
            return wish == self.header.get("SeriesNumber")
        return wish == self.uid or wish.lower() in self.header.get("SeriesDescription", "").lower()

    @property
    def reason_left_out(self) -> str | None:
        """Why this is no sagittal lumbar MR series, or None when it is one."""
        header = self.header
        if header.get("Modality", "MR") != "MR":
            return f"modality {header['Modality']}, not MR"
        if _LOCALIZER_WORDS.search(" ".join(header.get(key, "") for key in ("ImageType", "SeriesDescription"))):
            return "localizer"
        if not all(plane.is_parallel_to(self.planes[0]) for plane in self.planes):
            return "slices in several directions"
        if self.planes[0].orientation != "sagittal":
            return f"{self.planes[0].orientation}, not sagittal"
        return self._other_body_part

    @property
    def _other_body_part(self) -> str | None:
        """Why the header says that this is not the lumbar spine; a lumbar word in the description outweighs a wrong body part."""
        body_part, description = self.header.get("BodyPartExamined", ""), self.header.get("SeriesDescription", "")
        if _LUMBAR_WORDS.search(f"{body_part} {description} {self.header.get('ProtocolName', '')}"):
            return None
        if _OTHER_SPINE_WORDS.search(description):
            return f"described as {description}"
        if body_part and (_OTHER_SPINE_WORDS.search(body_part) or not _SPINE_WORDS.search(body_part)):
            return f"body part {body_part}"
        return None


def is_dicom_folder(folder: Path) -> bool:
    """Whether a folder (not its subfolders) holds at least one DICOM file. Raises ImageReadError when it can't be listed."""
    try:
        return any(_is_dicom_file(path) for path in sorted(folder.iterdir()))
    except OSError as error:
        raise ImageReadError(f"{error.filename or folder}: can't be read: {error.strerror}") from error


def _is_dicom_file(path: Path) -> bool:
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(_PREAMBLE + 4)[_PREAMBLE:] == b"DICM"


def list_series(folder: Path) -> list[DicomSeries]:
    """All image series of a folder (not its subfolders), by series number.

    Raises ImageReadError when it holds none.
    """
    uids = sitk.ImageSeriesReader.GetGDCMSeriesIDs(str(folder))
    found = [_series(folder, uid, sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(folder), uid)) for uid in uids]
    images = [series for series in found if series is not None]
    if not images:
        raise ImageReadError(f"{folder}: no DICOM image series found; if they lie in its subfolders, give those")
    return sorted(images, key=lambda series: (_number(series.header.get("SeriesNumber", "")), series.uid))


def _series(folder: Path, uid: str, files: Sequence[str]) -> DicomSeries | None:
    """A series with its slices in order, or None when no file of it is an image (a report, a presentation state)."""
    readers = [reader for file in files if (reader := _open(file)) is not None]
    if not readers:
        return None
    planes = [_plane(reader) for reader in readers]
    order = slice_order(planes)
    first = readers[order[0]]
    is_multiframe = _tag(first, _SOP_CLASS) in _ENHANCED_SOP_CLASSES or _number(_tag(first, _NUMBER_OF_FRAMES)) > 1
    in_order = tuple(readers[n].GetFileName() for n in order)
    return DicomSeries(folder, uid, in_order, tuple(planes[n] for n in order), _header(first), is_multiframe)


def _open(file: str) -> sitk.ImageFileReader | None:
    reader = sitk.ImageFileReader()
    reader.SetImageIO("GDCMImageIO")
    reader.SetFileName(file)
    try:
        reader.ReadImageInformation()
    except RuntimeError:
        return None
    return reader


def _plane(reader: sitk.ImageFileReader) -> SlicePlane:
    size = reader.GetDimension()
    direction = reader.GetDirection()
    return SlicePlane.of(reader.GetOrigin()[:3], direction[0 : 3 * size : size], direction[1 : 3 * size : size])


def _tag(reader: sitk.ImageFileReader, tag: str) -> str:
    return reader.GetMetaData(tag).strip(" \0") if reader.HasMetaDataKey(tag) else ""


def _header(reader: sitk.ImageFileReader) -> dict[str, str]:
    return {name: value for tag, name in HEADER_TAGS.items() if (value := _tag(reader, tag))}


def _number(text: str) -> int:
    return int(text) if text.lstrip("-").isdigit() else 0


def series_stem(series: DicomSeries, alone: bool) -> str:
    """File name stem for a series' results: the folder's name, with number and description unless it is alone in the folder."""
    parts = [series.folder.resolve().name] if alone else [series.folder.resolve().name, *series.label.split()]
    return re.sub(r"[^\w.-]+", "_", "_".join(parts)).strip("._") or "series"


def read_series(series: DicomSeries) -> Volume:
    """Reads a series as one volume, k along the slice normal.

    Raises ImageReadError when a file is damaged or slices differ in size, are colored, or share a position; GeometryError when
    slices are missing, not parallel or shifted; MissingPackageError for a multi-frame file without pydicom.
    """
    with _named(series) as name:
        return _read_multiframe(series, name) if series.is_multiframe else _read_stack(series, name)


def series_geometry(series: DicomSeries) -> Geometry:
    """The grid of the volume that `read_series` gives, from the headers alone. Raises as `read_series`."""
    with _named(series):
        return read_multiframe_grid(_only_file(series)).geometry if series.is_multiframe else _stack_geometry(series)


@contextmanager
def _named(series: DicomSeries) -> Iterator[str]:
    """Puts the series' name before the errors of the block, and gives it."""
    name = f"{series.folder} ({series.label})"
    try:
        yield name
    except (ImageReadError, GeometryError, MissingPackageError) as error:
        raise type(error)(f"{name}: {error}") from error
    except RuntimeError as error:
        raise ImageReadError(f"{name}: can't be read: {str(error).strip().splitlines()[-1]}") from error


def _only_file(series: DicomSeries) -> Path:
    if len(series.files) != 1:
        raise ImageReadError(f"expected one multi-frame file, found {len(series.files)} in one series; put each into a folder of its own")
    return Path(series.files[0])


def _read_multiframe(series: DicomSeries, name: str) -> Volume:
    found = read_multiframe(_only_file(series))
    return Volume(found.array, found.geometry, name, {**series.header, **found.header})


def _stack_geometry(series: DicomSeries) -> Geometry:
    reader = _open(series.files[0])
    if reader is None:
        raise ImageReadError(f"{series.files[0]}: can't be read any more")
    size, spacing = reader.GetSize(), reader.GetSpacing()
    return geometry_of_stack(series.planes, (size[0], size[1]), (spacing[0], spacing[1]), spacing[2])


def _read_stack(series: DicomSeries, name: str) -> Volume:
    geometry = _stack_geometry(series)
    size = geometry.size_ijk
    slices = []
    for file in series.files:
        image = sitk.ReadImage(file, imageIO="GDCMImageIO")
        if image.GetNumberOfComponentsPerPixel() != 1:
            raise ImageReadError(f"expected one value a voxel, found {image.GetNumberOfComponentsPerPixel()} (a color image)")
        array = sitk.GetArrayFromImage(image)
        if array.shape != (1, size[1], size[0]):
            raise ImageReadError(f"expected slices of {size[0]} x {size[1]} pixels, found {array.shape} (k, j, i) in {Path(file).name}")
        slices.append(array[0])
    # Slices may be scaled one by one, and GDCM then picks a type for each: stack gives the one that holds all.
    return Volume(np.stack(slices), geometry, name, dict(series.header))
