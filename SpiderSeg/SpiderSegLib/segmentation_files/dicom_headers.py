"""The headers of a DICOM series as highdicom needs them: nothing missing, one orientation and one spacing for all slices."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from SpiderSegLib.dicom_multiframe import first_item, frames_of, read_dicom_header
from SpiderSegLib.errors import InputError
from SpiderSegLib.segmentation_files.dicom_source import DicomSource

#: What a segmentation object refers to its images by.
_NEEDED = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "SOPClassUID", "FrameOfReferenceUID")

#: May be empty in DICOM (type 2), but anonymizers drop them altogether.
_EMPTY_WHERE_ABSENT = (
    *("PatientID", "PatientName", "PatientBirthDate", "PatientSex"),
    *("AccessionNumber", "StudyID", "StudyDate", "StudyTime", "ReferringPhysicianName"),
)


def source_headers(source: DicomSource) -> list[Any]:
    """pydicom datasets of a series without pixels, slices in order; changed in memory only.

    Raises InputError naming the file and what it lacks, ImageReadError when it can't be read any more, MissingPackageError without
    pydicom.
    """
    headers = [_complete(Path(file)) for file in source.series.files]
    for header in headers:
        _state_grid(_multiframe_plane(header) if source.series.is_multiframe else (header, header), headers[0], source)
    return headers


def _complete(file: Path) -> Any:
    header = read_dicom_header(file)
    missing = [keyword for keyword in _NEEDED if not header.get(keyword)]
    if missing:
        raise InputError(f"{file}: has no {', '.join(missing)}, which DICOM SEG refers to; export the series again from the scanner or PACS")
    for keyword in _EMPTY_WHERE_ABSENT:
        if keyword not in header:
            setattr(header, keyword, "")
    return header


def _multiframe_plane(header: Any) -> tuple[Any, Any]:
    """Measures and orientation among what all frames share; scanners also write them to each frame."""
    frame = next(iter(frames_of(header)))
    shared = header.SharedFunctionalGroupsSequence[0]
    for sequence in ("PixelMeasuresSequence", "PlaneOrientationSequence"):
        setattr(shared, sequence, [first_item(frame, sequence)])
    return shared.PixelMeasuresSequence[0], shared.PlaneOrientationSequence[0]


def _state_grid(plane: tuple[Any, Any], first: Any, source: DicomSource) -> None:
    """Gives measures and orientation the distance of the slices, and their one direction: headers of one series differ by rounding."""
    from pydicom.valuerep import format_number_as_ds

    measures, orientation = plane
    distance = format_number_as_ds(source.geometry.spacing_ijk_mm[2])
    measures.SpacingBetweenSlices = distance
    if not measures.get("SliceThickness"):
        measures.SliceThickness = distance
    if not source.series.is_multiframe:
        orientation.ImageOrientationPatient = first.ImageOrientationPatient
