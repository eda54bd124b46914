"""Small DICOM series for tests, written with pydicom: sagittal lumbar MR unless told otherwise."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

MR = "1.2.840.10008.5.1.4.1.1.4"
CT = "1.2.840.10008.5.1.4.1.1.2"
ENHANCED_MR = "1.2.840.10008.5.1.4.1.1.4.1"
REPORT = "1.2.840.10008.5.1.4.1.1.88.11"

#: Row to posterior, column to inferior: the normal points to the patient's right.
SAGITTAL = (0.0, 1.0, 0.0, 0.0, 0.0, -1.0)
AXIAL = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
CORONAL = (1.0, 0.0, 0.0, 0.0, 0.0, -1.0)

ROWS, COLUMNS = 6, 8
SPACING_MM = (0.75, 0.5)  # between rows, between columns
ORIGIN = (12.0, -60.5, 90.25)
DISTANCE_MM = 4.4


def normal_of(orientation: Sequence[float]) -> np.ndarray:
    return np.cross(orientation[:3], orientation[3:])


def position(n: float, orientation: Sequence[float] = SAGITTAL) -> list[float]:
    """Position of slice n, counted along the normal."""
    return [float(x) for x in np.asarray(ORIGIN) + n * DISTANCE_MM * normal_of(orientation)]


def slice_pixels(n: int) -> np.ndarray:
    """Pixels that tell slice n, the row and the column."""
    j, i = np.mgrid[0:ROWS, 0:COLUMNS]
    return (1000 * n + 10 * j + i + 1).astype(np.uint16)


def _dataset(sop_class: str, series: str, **tags: Any) -> Dataset:
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID = sop_class
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID = generate_uid(entropy_srcs=[series, repr(tags)])
    dataset.SeriesInstanceUID = generate_uid(entropy_srcs=[series])
    dataset.StudyInstanceUID = generate_uid(entropy_srcs=["study"])
    dataset.PatientID = "test"
    for name, value in tags.items():
        setattr(dataset, name, value)
    return dataset


def _pixels(dataset: Dataset, pixels: np.ndarray) -> None:
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.Rows, dataset.Columns = pixels.shape[-2:]
    dataset.BitsAllocated = dataset.BitsStored = 16
    dataset.HighBit, dataset.PixelRepresentation = 15, 0
    dataset.PixelData = pixels.astype(np.uint16).tobytes()


def write_series(
    folder: Path,
    number: int,
    description: str,
    slices: Sequence[int] = range(5),
    orientation: Sequence[float] = SAGITTAL,
    shift_mm: float = 0.0,
    **tags: Any,
) -> list[Path]:
    """One file a slice; file names run against the slice order. shift_mm moves each slice along the column: a sheared stack."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    tags = {"Modality": "MR", "BodyPartExamined": "LSPINE", "ImageType": ["ORIGINAL", "PRIMARY", "M"], **tags}
    for index, n in enumerate(slices):
        place = np.asarray(position(n, orientation)) + n * shift_mm * np.asarray(orientation[3:])
        dataset = _dataset(
            MR if tags["Modality"] == "MR" else CT,
            f"{folder}/{number}/{description}",
            SeriesNumber=number,
            SeriesDescription=description,
            InstanceNumber=100 - index,
            ImagePositionPatient=[float(x) for x in place],
            ImageOrientationPatient=list(orientation),
            PixelSpacing=list(SPACING_MM),
            SliceThickness=4.0,
            SpacingBetweenSlices=DISTANCE_MM,
            **tags,
        )
        _pixels(dataset, slice_pixels(n))
        paths.append(folder / f"{number}_{description.replace(' ', '')}_{100 - index:03}.dcm")
        dataset.save_as(paths[-1], enforce_file_format=True)
    return paths


def write_report(folder: Path) -> None:
    """A DICOM file without an image."""
    folder.mkdir(parents=True, exist_ok=True)
    _dataset(REPORT, "report", Modality="SR", SeriesNumber=99, SeriesDescription="report").save_as(folder / "report.dcm", enforce_file_format=True)


def write_enhanced(
    path: Path,
    frames: Sequence[int] = range(5),
    orientation: Sequence[float] = SAGITTAL,
    shared_orientation: bool = True,
    positions: bool = True,
    **tags: Any,
) -> None:
    """An enhanced MR file with frames stored in the order given; frame n holds slice_pixels(n) and lies at position(n)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    tags = {"SeriesNumber": 5, "SeriesDescription": "SAG T2", "Modality": "MR", "NumberOfFrames": len(frames), **tags}
    dataset = _dataset(ENHANCED_MR, f"enhanced{path}", **tags)
    shared, timing, echo = Dataset(), Dataset(), Dataset()
    measures = Dataset()
    measures.PixelSpacing, measures.SliceThickness, measures.SpacingBetweenSlices = list(SPACING_MM), 4.0, DISTANCE_MM
    timing.RepetitionTime, echo.EffectiveEchoTime = 3500.0, 101.5
    shared.PixelMeasuresSequence, shared.MRTimingAndRelatedParametersSequence, shared.MREchoSequence = [measures], [timing], [echo]
    plane = Dataset()
    plane.ImageOrientationPatient = list(orientation)
    if shared_orientation:
        shared.PlaneOrientationSequence = [plane]
    dataset.SharedFunctionalGroupsSequence = [shared]
    groups = []
    for n in frames:
        group, place = Dataset(), Dataset()
        place.ImagePositionPatient = position(n, orientation)
        group.PlanePositionSequence = [place]
        if not shared_orientation:
            group.PlaneOrientationSequence = [plane]
        groups.append(group)
    if positions:
        dataset.PerFrameFunctionalGroupsSequence = groups
    _pixels(dataset, np.stack([slice_pixels(n) for n in frames]))
    dataset.save_as(path, enforce_file_format=True)
