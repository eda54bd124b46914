"""Multi-frame (enhanced) MR files: where each frame lies, from the functional groups.

GDCM trusts the order the frames are stored in; it is free in DICOM (PS3.3 C.7.6.16), and a shuffled file comes out with wrong
slices and spacing. Needs pydicom.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from SpiderSegLib.errors import ImageReadError, MissingPackageError
from SpiderSegLib.slice_stack import SlicePlane, geometry_of_stack, slice_order
from SpiderSegLib.volume import Geometry

#: Header fields inside functional groups: sequence, attribute, and the name volumes keep them under.
_TIMING = (
    ("MRTimingAndRelatedParametersSequence", "RepetitionTime", "RepetitionTime"),
    ("MREchoSequence", "EffectiveEchoTime", "EchoTime"),
    ("MRModifierSequence", "InversionTimes", "InversionTime"),
    ("PixelMeasuresSequence", "SliceThickness", "SliceThickness"),
)


@dataclass(frozen=True)
class MultiframeVolume:
    """Pixel values (k, j, i) in slice order, their grid, and what the functional groups say about timing."""

    array: NDArray[Any]
    geometry: Geometry
    header: dict[str, str]


@dataclass(frozen=True)
class MultiframeGrid:
    """Where the frames of a file lie: its grid, and the number of the frame (from 0) that is slice k of it."""

    geometry: Geometry
    frame_of_slice: tuple[int, ...]
    header: dict[str, str]


def read_multiframe(path: Path) -> MultiframeVolume:
    """Reads a multi-frame file with its frames sorted along the slice normal.

    Raises MissingPackageError without pydicom, ImageReadError when frames have no position or share one (echoes, time points),
    GeometryError when they are not evenly spaced and parallel.
    """
    grid = read_multiframe_grid(path)
    pixels = sitk.GetArrayFromImage(sitk.ReadImage(str(path)))
    shape = grid.geometry.shape_kji
    if pixels.shape != shape:
        raise ImageReadError(f"expected {shape[0]} gray frames of {shape[2]} x {shape[1]} as its header says, found an array of shape {pixels.shape}")
    return MultiframeVolume(np.ascontiguousarray(pixels[list(grid.frame_of_slice)]), grid.geometry, grid.header)


def read_multiframe_grid(path: Path) -> MultiframeGrid:
    """The grid of a multi-frame file, without its pixels. Raises as `read_multiframe`."""
    dataset = read_dicom_header(path)
    frames = list(frames_of(dataset))
    if not frames:
        raise ImageReadError("a multi-frame file without the position of each frame (functional groups); export it as single slices")
    planes = [plane_of(frame) for frame in frames]
    order = slice_order(planes)
    measures = first_item(frames[0], "PixelMeasuresSequence")
    row_mm, column_mm = (float(value) for value in measures.PixelSpacing)
    thickness_mm = float(getattr(measures, "SpacingBetweenSlices", None) or getattr(measures, "SliceThickness", None) or 1.0)
    size_ij = int(dataset.Columns), int(dataset.Rows)
    geometry = geometry_of_stack([planes[n] for n in order], size_ij, (column_mm, row_mm), thickness_mm)
    return MultiframeGrid(geometry, tuple(order), _timing(frames[0]))


def read_dicom_header(path: Path) -> Any:
    """The pydicom dataset of a file without its pixels. Raises MissingPackageError without pydicom, ImageReadError for a damaged file."""
    try:
        import pydicom
    except ImportError as error:
        raise MissingPackageError('reading this kind of DICOM needs pydicom: pip install "spiderseg[dicom]"') from error
    try:
        return pydicom.dcmread(path, stop_before_pixels=True)
    except (pydicom.errors.InvalidDicomError, OSError, EOFError, ValueError) as error:
        raise ImageReadError(f"can't be read, it may be truncated or damaged ({error})") from error


def frames_of(dataset: Any) -> Iterator[tuple[Any, Any]]:
    """For each frame its own functional groups and the shared ones."""
    shared = getattr(dataset, "SharedFunctionalGroupsSequence", None) or [None]
    for own in getattr(dataset, "PerFrameFunctionalGroupsSequence", None) or []:
        yield own, shared[0]


def first_item(frame: tuple[Any, Any], sequence: str) -> Any:
    """The item of a functional group: of the frame itself, else of all frames. Raises ImageReadError when neither has it."""
    for group in frame:
        items = getattr(group, sequence, None)
        if items:
            return items[0]
    raise ImageReadError(f"a multi-frame file without {sequence}; export it as single slices")


def plane_of(frame: tuple[Any, Any]) -> SlicePlane:
    """Where a frame lies. Raises ImageReadError when its functional groups don't say."""
    position = first_item(frame, "PlanePositionSequence").ImagePositionPatient
    orientation = [float(value) for value in first_item(frame, "PlaneOrientationSequence").ImageOrientationPatient]
    return SlicePlane.of([float(value) for value in position], orientation[:3], orientation[3:])


def _timing(frame: tuple[Any, Any]) -> dict[str, str]:
    found = {}
    for sequence, attribute, name in _TIMING:
        items = next((items for group in frame if (items := getattr(group, sequence, None))), None)
        value = getattr(items[0], attribute, None) if items else None
        if value is not None and value != "":
            found[name] = str(value if np.ndim(value) == 0 else value[0])
    return found
