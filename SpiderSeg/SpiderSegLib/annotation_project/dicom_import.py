"""DICOM studies as a source: the series `spiderseg predict` would choose, patients told apart by their id, messages without a name."""

from __future__ import annotations

import logging
import os
import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import SimpleITK as sitk

from SpiderSegLib.annotation_project.deidentification import scrubbed, secrets_in, technical_facts
from SpiderSegLib.annotation_project.import_report import Remark
from SpiderSegLib.annotation_project.source_series import SourceSeries, SourceSet
from SpiderSegLib.dicom import DicomSeries, is_dicom_folder, list_series, read_series
from SpiderSegLib.errors import ImageReadError
from SpiderSegLib.volume import Volume

_PATIENT_ID, _PATIENT_NAME, _BIRTH_DATE, _STUDY_UID = "0010|0020", "0010|0010", "0010|0030", "0020|000d"

#: What tells who somebody is, besides UIDs: patient, people, places, numbers and free texts.
_IDENTITY_TAGS = (
    *(_PATIENT_ID, _PATIENT_NAME, _BIRTH_DATE, "0010|1000", "0010|1001", "0010|1005", "0010|1040", "0010|2154", "0010|4000"),
    *("0008|0050", "0008|0080", "0008|0081", "0008|0090", "0008|1010", "0008|1040", "0008|1048", "0008|1050", "0008|1060", "0008|1070"),
    *("0018|1000", "0020|0010", "0032|1032"),
)

#: Descriptions are texts that people write, names among them.
_DESCRIPTION_TAGS = ("0008|1030", "0008|103e", "0018|1030", "0040|0254")

_FACT_TAGS: Mapping[str, str] = {
    "0008|0070": "Manufacturer",
    "0008|1090": "ManufacturerModelName",
    "0018|0087": "MagneticFieldStrength",
    "0018|0080": "RepetitionTime",
    "0018|0081": "EchoTime",
    "0018|0082": "InversionTime",
    "0018|0091": "EchoTrainLength",
    "0018|1314": "FlipAngle",
    "0018|0050": "SliceThickness",
    "0018|0088": "SpacingBetweenSlices",
    "0018|0023": "MRAcquisitionType",
    "0018|0020": "ScanningSequence",
}

#: Reasons of `DicomSeries.reason_left_out` that quote a text of the header.
_QUOTING_REASON = re.compile(r"^(described as|body part) ")


def has_dicom(root: Path) -> bool:
    """Whether a folder or one of its subfolders, at any depth, holds DICOM files."""
    return next(_dicom_folders(root), None) is not None


def find_dicom(root: Path) -> SourceSet:
    """The sagittal lumbar MR series of all studies below a folder, at any depth; others are left out with the reason."""
    found: list[SourceSeries] = []
    left_out: list[Remark] = []
    for number, folder in enumerate(_dicom_folders(root), 1):
        try:
            everything = list_series(folder)
        except ImageReadError:
            left_out.append(Remark(f"folder {number}", "no DICOM image series in it"))
            continue
        left_out += _others(folder, number, everything)
        for series in everything:
            source = _source(root, number, series)
            reason = series.reason_left_out
            if reason is None:
                found.append(source)
            else:
                plain = "not the lumbar spine, by its description" if _QUOTING_REASON.match(reason) else reason
                left_out.append(Remark(source.title, scrubbed(plain, source.identity)))
    return SourceSet(tuple(found), tuple(left_out))


def _others(folder: Path, number: int, series: Sequence[DicomSeries]) -> list[Remark]:
    """Readers pass over files they can't read; somebody should know that a slice may be among them."""
    read = {Path(file).name for one in series for file in one.files}
    n_others = sum(path.is_file() and path.name not in read for path in folder.iterdir())
    return [Remark(f"folder {number}", f"{n_others} files are no DICOM images, or damaged")] if n_others else []


def _dicom_folders(root: Path) -> Iterator[Path]:
    for folder, subfolders, _names in os.walk(root):
        subfolders.sort()
        try:
            if is_dicom_folder(Path(folder)):
                yield Path(folder)
        except ImageReadError:
            continue


def _source(root: Path, folder_number: int, series: DicomSeries) -> SourceSeries:
    tags = _tags(series.files[0], (*_IDENTITY_TAGS, *_DESCRIPTION_TAGS, *_FACT_TAGS, _STUDY_UID))
    series_number = series.header.get("SeriesNumber", "")
    title = f"folder {folder_number}, series {series_number if series_number.isdigit() else '?'}"
    identity = secrets_in(tags.get(tag, "") for tag in _IDENTITY_TAGS)
    places = {str(series.folder), str(series.folder.resolve()), series.folder.name, *(Path(file).name for file in series.files)}
    if series.folder != root:
        places.add(str(series.folder.relative_to(root)))
    texts = {series.uid, series.label, tags.get(_STUDY_UID, ""), *(tags.get(tag, "") for tag in _DESCRIPTION_TAGS), *places}
    hidden = sorted({text.casefold() for text in texts if len(text) > 2} | set(identity), key=lambda text: (-len(text), text))
    return SourceSeries(
        title=title,
        patient=_patient(tags, series),
        files=tuple(Path(file) for file in series.files),
        read=partial(_read, series),
        facts=technical_facts({keyword: tags.get(tag, "") for tag, keyword in _FACT_TAGS.items()}, identity),
        is_anonymous=True,
        study_uid=tags.get(_STUDY_UID, ""),
        series_uid=series.uid,
        identity=identity,
        secrets=tuple(hidden),
    )


def _patient(tags: Mapping[str, str], series: DicomSeries) -> str:
    """Patient id; without one name and birth date; without these the study: its series belong together at least."""
    if tags.get(_PATIENT_ID):
        return tags[_PATIENT_ID]
    by_name = f"{tags.get(_PATIENT_NAME, '')}|{tags.get(_BIRTH_DATE, '')}".strip("|")
    return by_name or f"study {tags.get(_STUDY_UID) or series.folder}"


def _read(series: DicomSeries) -> Volume:
    with _quiet():
        return read_series(series)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keeps pydicom from warning of odd values by quoting them: a warning ends in the log."""
    own = logging.getLogger("pydicom")
    before = own.disabled
    own.disabled = True
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        own.disabled = before


def _tags(file: str, tags: tuple[str, ...]) -> dict[str, str]:
    reader = sitk.ImageFileReader()
    reader.SetImageIO("GDCMImageIO")
    reader.SetFileName(file)
    try:
        reader.ReadImageInformation()
    except RuntimeError as error:
        raise ImageReadError("a DICOM file can't be read any more") from error
    found = {tag: reader.GetMetaData(tag).strip(" \0") for tag in tags if reader.HasMetaDataKey(tag)}
    return {tag: _readable(value) for tag, value in found.items() if value}


def _readable(text: str) -> str:
    """Bytes that are no UTF-8 (names in older character sets) as letters that can be written to a file."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
