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


def read_multiframe(path: Path) -> MultiframeVolume:
    """Reads a multi-frame file with its frames sorted along the slice normal.

    Raises MissingPackageError without pydicom, ImageReadError when frames have no position or share one (echoes, time points),
    GeometryError when they are not evenly spaced and parallel.
    """
    dataset = _read_header(path)
    frames = list(_frames(dataset))
    if not frames:
        raise ImageReadError("a multi-frame file without the position of each frame (functional groups); export it as single slices")
    planes = [_plane(frame) for frame in frames]
    order = slice_order(planes)
    pixels = sitk.GetArrayFromImage(sitk.ReadImage(str(path)))
    if pixels.ndim != 3 or len(pixels) != len(planes):
        raise ImageReadError(f"expected {len(planes)} gray frames as its header says, found an array of shape {pixels.shape}")
    measures = _first(frames[0], "PixelMeasuresSequence")
    row_mm, column_mm = (float(value) for value in measures.PixelSpacing)
    thickness_mm = float(getattr(measures, "SpacingBetweenSlices", None) or getattr(measures, "SliceThickness", None) or 1.0)
    rows, columns = pixels.shape[1:]
    geometry = geometry_of_stack([planes[n] for n in order], (columns, rows), (column_mm, row_mm), thickness_mm)
    return MultiframeVolume(np.ascontiguousarray(pixels[order]), geometry, _timing(frames[0]))


def _read_header(path: Path) -> Any:
    try:
        import pydicom
    except ImportError as error:
        raise MissingPackageError('reading enhanced multi-frame DICOM needs pydicom: pip install "spiderseg[dicom]"') from error
    try:
        return pydicom.dcmread(path, stop_before_pixels=True)
    except (pydicom.errors.InvalidDicomError, OSError, EOFError, ValueError) as error:
        raise ImageReadError(f"can't be read, it may be truncated or damaged ({error})") from error


def _frames(dataset: Any) -> Iterator[tuple[Any, Any]]:
    """For each frame its own functional groups and the shared ones."""
    shared = getattr(dataset, "SharedFunctionalGroupsSequence", None) or [None]
    for own in getattr(dataset, "PerFrameFunctionalGroupsSequence", None) or []:
        yield own, shared[0]


def _first(frame: tuple[Any, Any], sequence: str) -> Any:
    """The item of a functional group: of the frame itself, else of all frames. Raises ImageReadError when neither has it."""
    for group in frame:
        items = getattr(group, sequence, None)
        if items:
            return items[0]
    raise ImageReadError(f"a multi-frame file without {sequence}; export it as single slices")


def _plane(frame: tuple[Any, Any]) -> SlicePlane:
    position = _first(frame, "PlanePositionSequence").ImagePositionPatient
    orientation = [float(value) for value in _first(frame, "PlaneOrientationSequence").ImageOrientationPatient]
    return SlicePlane.of([float(value) for value in position], orientation[:3], orientation[3:])


def _timing(frame: tuple[Any, Any]) -> dict[str, str]:
    found = {}
    for sequence, attribute, name in _TIMING:
        items = next((items for group in frame if (items := getattr(group, sequence, None))), None)
        value = getattr(items[0], attribute, None) if items else None
        if value is not None and value != "":
            found[name] = str(value if np.ndim(value) == 0 else value[0])
    return found
