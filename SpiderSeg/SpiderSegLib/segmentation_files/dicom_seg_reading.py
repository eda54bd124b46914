"""DICOM SEG -> labelmap in SPIDER values: of our own files exactly what was written, of others what the segments' labels tell."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from SpiderSegLib.dicom_multiframe import first_item, frames_of, plane_of, read_dicom_header
from SpiderSegLib.errors import GeometryError, ImageReadError, InputError, MissingPackageError
from SpiderSegLib.segment_tags import VALUE
from SpiderSegLib.segmentation_files.dicom_seg_writing import GRID_ELEMENT, PRIVATE_CREATOR, PRIVATE_GROUP, grid_of_text
from SpiderSegLib.segmentation_files.dicom_source import DicomSource, all_series
from SpiderSegLib.segmentation_files.grids import difference, within_grid
from SpiderSegLib.segmentation_files.header_texts import tags_of_text
from SpiderSegLib.segmentation_files.named_labelmap import Color, NamedLabelmap
from SpiderSegLib.segmentation_files.segments import FoundSegment, ReadSegmentation, flattened
from SpiderSegLib.slice_stack import SlicePlane
from SpiderSegLib.volume import Geometry

_SEG_CLASSES = {"1.2.840.10008.5.1.4.1.1.66.4": "segmentation", "1.2.840.10008.5.1.4.1.1.66.7": "label map"}

_TRACKING_ID = re.compile(r"SPIDER value (\d+)")

#: Slices lie on the positions of a grid within this share of their distance.
_OFF_SLICE_SHARE = 0.1


def is_dicom_seg(path: Path) -> bool:
    """Whether a file is a DICOM segmentation object, by its header; False without pydicom."""
    try:
        import pydicom
    except ImportError:
        return False
    try:
        return pydicom.dcmread(path, stop_before_pixels=True, specific_tags=["SOPClassUID"]).get("SOPClassUID") in _SEG_CLASSES
    except (pydicom.errors.InvalidDicomError, OSError, EOFError, ValueError):
        return False


def read_dicom_seg(path: Path, source: DicomSource | None = None, leave_out_unknown: bool = False) -> ReadSegmentation:
    """Reads a DICOM SEG as SPIDER values.

    The grid is that of `source` where it is given, else the one our own files state, else from the first to the last slice that holds a
    segment. Raises ImageReadError for a file that is none or damaged, GeometryError when its frames make no grid or lie beside the
    source's voxels, LabelError as `segments.flattened`, MissingPackageError without pydicom.
    """
    path = Path(path)
    dataset, pixels = _read(path)
    try:
        frames = [_Frame.of(frame) for frame in frames_of(dataset)]
        stack = _Stack.of(dataset, frames)
    except (ImageReadError, GeometryError) as error:
        raise type(error)(f"{path}: {error}") from error
    if len(frames) != len(pixels):
        raise ImageReadError(f"{path}: expected {len(frames)} frames as its header says, found {len(pixels)}")
    # A label map may describe its background, too.
    segments = [_found(item) for item in dataset.SegmentSequence if int(item.SegmentNumber) > 0]

    def mask_of(index: int) -> NDArray[np.bool_]:
        return _mask(segments[index].label, frames, pixels, stack, _threshold(dataset))

    read = flattened(segments, mask_of, stack.geometry, str(path), leave_out_unknown)
    return ReadSegmentation(_on_source(read.named, source), read.overlaps, read.joined, read.left_out, read.notes)


def find_referenced_source(folder: Path, path: Path) -> DicomSource:
    """The series in a folder or its subfolders that a DICOM SEG, a file or alone in a folder, was drawn on.

    Raises InputError when the folder does not hold it, ImageReadError for a file that is no DICOM SEG.
    """
    file = only_dicom_seg(path) if path.is_dir() else path
    header = read_dicom_header(file)
    if header.get("SOPClassUID") not in _SEG_CLASSES:
        raise ImageReadError(f"{file}: expected a DICOM segmentation object, found {header.get('Modality', 'another kind of DICOM')}")
    uids = [str(item.SeriesInstanceUID) for item in header.get("ReferencedSeriesSequence") or []]
    found = [series for series in all_series(folder) if series.uid in uids]
    if not found:
        raise InputError(f"{folder}: does not hold the DICOM series {', '.join(uids) or '(none is stated)'} that {file} was drawn on")
    return DicomSource.of(found[0])


def only_dicom_seg(folder: Path) -> Path:
    """The DICOM SEG of a folder. Raises ImageReadError when there is none or more than one."""
    found = [path for path in sorted(folder.iterdir()) if path.is_file() and is_dicom_seg(path)]
    if len(found) != 1:
        names = f" ({', '.join(path.name for path in found)})" if found else ""
        raise ImageReadError(f"{folder}: expected a folder with one DICOM SEG, found {len(found)}{names}; give the file")
    return found[0]


def _read(path: Path) -> tuple[Any, NDArray[Any]]:
    try:
        import pydicom
    except ImportError as error:
        raise MissingPackageError('reading DICOM SEG needs pydicom: pip install "spiderseg[dicom]"') from error
    try:
        dataset = pydicom.dcmread(path)
        if dataset.get("SOPClassUID") not in _SEG_CLASSES:
            raise ImageReadError(f"{path}: expected a DICOM segmentation object, found {dataset.get('Modality', 'another kind of DICOM')}")
        if not dataset.get("SegmentSequence"):
            raise ImageReadError(f"{path}: a DICOM segmentation object without segments")
        pixels = dataset.pixel_array
    except FileNotFoundError as error:
        raise ImageReadError(f"{path}: no such file") from error
    except (pydicom.errors.InvalidDicomError, OSError, EOFError, ValueError, AttributeError, RuntimeError) as error:
        raise ImageReadError(f"{path}: can't be read, it may be truncated or damaged ({error})") from error
    return dataset, pixels if pixels.ndim == 3 else pixels[np.newaxis]


def _found(item: Any) -> FoundSegment:
    tags = tags_of_text(str(item.get("SegmentDescription", "")))
    tracking = _TRACKING_ID.fullmatch(str(item.get("TrackingID", "")))
    if VALUE not in tags and tracking is not None:
        tags = {VALUE: tracking.group(1)}
    return FoundSegment(str(item.get("SegmentLabel", "")), tags, _color(item), int(item.SegmentNumber))


def _color(item: Any) -> Color | None:
    """The recommended color; None where there is none, or no highdicom to translate it."""
    value = item.get("RecommendedDisplayCIELabValue")
    if value is None or len(value) != 3:
        return None
    try:
        from highdicom.color import CIELabColor
    except ImportError:
        return None
    red, green, blue = CIELabColor.from_dicom_value(value).to_rgb(clip=True)
    return int(red), int(green), int(blue)


@dataclass(frozen=True)
class _Frame:
    """Where a frame lies, and of which segment it is: None in label maps, where the values tell.

    distance_mm is what the header says of the distance of slices, 0 where it says nothing.
    """

    plane: SlicePlane
    segment: int | None
    spacing_ij_mm: tuple[float, float]
    distance_mm: float

    @classmethod
    def of(cls, frame: tuple[Any, Any]) -> _Frame:
        """Raises ImageReadError when the functional groups don't say."""
        measures = first_item(frame, "PixelMeasuresSequence")
        row_mm, column_mm = (float(value) for value in measures.PixelSpacing)
        items = next((items for group in frame if (items := getattr(group, "SegmentIdentificationSequence", None))), None)
        number = int(items[0].ReferencedSegmentNumber) if items else None
        return cls(plane_of(frame), number, (column_mm, row_mm), float(getattr(measures, "SpacingBetweenSlices", None) or 0))


@dataclass(frozen=True)
class _Stack:
    """The grid of a file, and its slice for each frame."""

    geometry: Geometry
    slices: tuple[int, ...]

    @classmethod
    def of(cls, dataset: Any, frames: Sequence[_Frame]) -> _Stack:
        """Of the file's own statement where its frames agree with it, else from the first to the last slice that is there."""
        if not frames:
            raise ImageReadError("a segmentation object without the position of each frame (functional groups)")
        for geometry in _candidates(dataset, frames):
            slices = _slices_on(geometry, frames)
            if slices is not None:
                return cls(geometry, slices)
        raise GeometryError("expected frames on evenly spaced, parallel slices, found others")


def _candidates(dataset: Any, frames: Sequence[_Frame]) -> Iterator[Geometry]:
    stated = _stated_grid(dataset)
    if stated is not None:
        yield stated
    first = frames[0]
    heights = np.asarray([frame.plane.position_lps_mm for frame in frames]) @ first.plane.normal
    steps = np.diff(np.unique(np.round(heights, 3)))
    lowest = frames[int(np.argmin(heights))].plane
    direction = np.stack([first.plane.row, first.plane.column, first.plane.normal], axis=1).ravel().tolist()
    x, y = first.spacing_ij_mm
    for distance_mm in (first.distance_mm, float(steps.min()) if len(steps) else 0.0, 1.0 if len(steps) == 0 else 0.0):
        if distance_mm > 0:
            count = round(float(np.ptp(heights)) / distance_mm) + 1
            yield Geometry((int(dataset.Columns), int(dataset.Rows), count), (x, y, distance_mm), lowest.position_lps_mm, tuple(direction))


def _stated_grid(dataset: Any) -> Geometry | None:
    """The grid in our private block; None where a program dropped or changed it."""
    try:
        return grid_of_text(str(dataset.private_block(PRIVATE_GROUP, PRIVATE_CREATOR)[GRID_ELEMENT].value))
    except (KeyError, ValueError, TypeError, GeometryError):
        return None


def _slices_on(geometry: Geometry, frames: Sequence[_Frame]) -> tuple[int, ...] | None:
    """The slice of a grid that each frame is; None when one is none of them."""
    direction = geometry.direction_matrix
    plane = SlicePlane.of((0.0, 0.0, 0.0), direction[:, 0].tolist(), direction[:, 1].tolist())
    if not all(frame.plane.is_parallel_to(plane) for frame in frames):
        return None
    positions = np.asarray([[*frame.plane.position_lps_mm, 1.0] for frame in frames])
    indices = np.linalg.solve(geometry.affine_lps, positions.T)[:3].T
    nearest = np.rint(indices[:, 2]).astype(int)
    off = np.abs(indices - np.stack([np.zeros_like(nearest), np.zeros_like(nearest), nearest], axis=1)).max()
    if off > _OFF_SLICE_SHARE or nearest.min() < 0 or nearest.max() >= geometry.size_ijk[2]:
        return None
    return tuple(nearest.tolist())


def _threshold(dataset: Any) -> int:
    """The least stored value that counts as inside: fractional segments are inside from one half."""
    is_fractional = dataset.get("SegmentationType") == "FRACTIONAL"
    return int(np.ceil(int(dataset.get("MaximumFractionalValue", 255)) / 2)) if is_fractional else 1


def _mask(number: int, frames: Sequence[_Frame], pixels: NDArray[Any], stack: _Stack, threshold: int) -> NDArray[np.bool_]:
    mask = np.zeros(stack.geometry.shape_kji, dtype=bool)
    for frame, plane, k in zip(frames, pixels, stack.slices, strict=True):
        if frame.segment is None:
            mask[k] |= plane == number
        elif frame.segment == number:
            mask[k] |= plane >= threshold
    return mask


def _on_source(named: NamedLabelmap, source: DicomSource | None) -> NamedLabelmap:
    if source is None:
        return named
    labelmap = within_grid(named.labelmap, source.geometry)
    if labelmap is None:
        how = difference(named.labelmap.geometry, source.geometry)
        raise GeometryError(f"{named.labelmap.name}: does not lie on the voxels of the DICOM series {source.series.label}: {how}")
    return replace(named, labelmap=labelmap)
