"""DICOM folders: which series they hold, which of them are sagittal lumbar MR, and reading one of them.

GDCM (in SimpleITK) sorts the slices and reads enhanced multi-frame files; no other DICOM package is needed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from SpiderSegLib.errors import GeometryError, ImageReadError
from SpiderSegLib.io import geometry_of
from SpiderSegLib.volume import Volume

#: Header fields kept with a volume: what tells the sequence, never who the patient is.
HEADER_TAGS = {
    "0008|0060": "Modality",
    "0008|103e": "SeriesDescription",
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

_POSITION_TAG = "0020|0032"
_ORIENTATION_TAG = "0020|0037"

_SPINE_WORDS = re.compile(r"spine|lumb|lwk|lws|sacr|rachis|column|wirbel|^ls$|^l-?spine$|^s?pelvis$", re.IGNORECASE)
_LOCALIZER_WORDS = re.compile(r"locali[sz]er|scout|survey|topogram|3-?plane", re.IGNORECASE)

#: Slices whose distance varies by more than this share of their mean can't be put on one grid.
UNEVEN_SLICES_SHARE = 0.1

_PREAMBLE = 128


@dataclass(frozen=True)
class DicomSeries:
    """One series of a folder: its files in slice order and the header of its first slice."""

    folder: Path
    uid: str
    files: tuple[str, ...]
    header: dict[str, str]
    orientation: str

    @property
    def label(self) -> str:
        """How messages and `--series` name it: number and description."""
        return f"{self.header.get('SeriesNumber', '?')} {self.header.get('SeriesDescription', '')}".strip()

    @property
    def reason_left_out(self) -> str | None:
        """Why this is no sagittal lumbar MR series, or None when it is one."""
        header = self.header
        if header.get("Modality", "MR") != "MR":
            return f"modality {header['Modality']}, not MR"
        described = " ".join(header.get(key, "") for key in ("ImageType", "SeriesDescription"))
        if _LOCALIZER_WORDS.search(described):
            return "localizer"
        if self.orientation != "sagittal":
            return f"{self.orientation}, not sagittal"
        body_part = header.get("BodyPartExamined", "")
        if body_part and not _SPINE_WORDS.search(body_part):
            return f"body part {body_part}"
        return None


def is_dicom_folder(folder: Path) -> bool:
    """Whether a folder (not its subfolders) holds at least one DICOM file."""
    return any(_is_dicom_file(path) for path in sorted(folder.iterdir()))


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
    found = []
    for uid in uids:
        files = sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(folder), uid)
        reader = sitk.ImageFileReader()
        reader.SetFileName(files[0])
        try:
            reader.ReadImageInformation()
        except RuntimeError:
            continue  # a report or presentation state: DICOM without an image
        found.append(DicomSeries(folder, uid, tuple(files), _header(reader), _orientation(reader)))
    if not found:
        raise ImageReadError(f"{folder}: no DICOM image series found")
    return sorted(found, key=lambda series: (_number(series.header.get("SeriesNumber", "")), series.uid))


def _header(reader: sitk.ImageFileReader) -> dict[str, str]:
    values = {name: reader.GetMetaData(tag).strip(" \0") for tag, name in HEADER_TAGS.items() if reader.HasMetaDataKey(tag)}
    return {name: value for name, value in values.items() if value}


def _orientation(reader: sitk.ImageFileReader) -> str:
    direction = np.asarray(reader.GetDirection()[:9]).reshape(3, 3)
    normal = np.abs(np.cross(direction[:, 0], direction[:, 1]))
    return ("sagittal", "coronal", "axial")[int(np.argmax(normal))]


def _number(text: str) -> int:
    return int(text) if text.lstrip("-").isdigit() else 0


def series_stem(series: DicomSeries, alone: bool) -> str:
    """File name stem for a series' results: the folder's name, with number and description unless it is alone in the folder."""
    parts = [series.folder.resolve().name] if alone else [series.folder.resolve().name, *series.label.split()]
    return re.sub(r"[^A-Za-z0-9._-]+", "_", "_".join(parts)).strip("._") or "series"


def read_series(series: DicomSeries) -> Volume:
    """Reads a series as one volume.

    Raises ImageReadError when slices are missing, of different size, or colored; GeometryError when their distances vary.
    """
    name = f"{series.folder} ({series.label})"
    try:
        image = sitk.ReadImage(series.files[0]) if len(series.files) == 1 else _read_stack(series)
    except RuntimeError as error:
        raise ImageReadError(f"{name}: can't be read: {str(error).strip().splitlines()[-1]}") from error
    if image.GetNumberOfComponentsPerPixel() != 1:
        raise ImageReadError(f"{name}: expected one value a voxel, found {image.GetNumberOfComponentsPerPixel()} (a color image)")
    if image.GetDimension() != 3:
        raise ImageReadError(f"{name}: expected one 3D stack, found {image.GetDimension()}D of size {image.GetSize()}")
    return Volume(sitk.GetArrayFromImage(image), geometry_of(image), name, dict(series.header))


def _read_stack(series: DicomSeries) -> sitk.Image:
    _check_slice_distances(series)
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(series.files)
    return reader.Execute()


def _check_slice_distances(series: DicomSeries) -> None:
    """A missing slice or a second echo shows as an uneven or zero distance; ITK alone would squeeze them onto an even grid."""
    positions = []
    for file in series.files:
        reader = sitk.ImageFileReader()
        reader.SetFileName(file)
        reader.ReadImageInformation()
        positions.append(reader.GetOrigin()[:3])
        normal = np.cross(*np.asarray(reader.GetDirection()[:9]).reshape(3, 3).T[:2])
    distances = np.abs(np.diff(np.asarray(positions) @ normal))
    if distances.min() <= 0 or np.ptp(distances) > UNEVEN_SLICES_SHARE * distances.mean():
        raise GeometryError(
            f"{series.folder} ({series.label}): expected evenly spaced slices, found distances from {distances.min():.2f} to "
            f"{distances.max():.2f} mm in {len(series.files)} files; a slice is missing, or several echoes share one series"
        )
