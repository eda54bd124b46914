"""Labelmap -> DICOM SEG: one binary segment a structure, named so that no viewer shows a level nobody confirmed.

Labels are full names, codes generic until the level is confirmed, and the description of every segment carries its SPIDER value and all
tags, so that reading the file back gives the same values. Needs highdicom, and the headers of the original series.
"""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

import SpiderSegLib
from SpiderSegLib.atomic import FileWriter, write_together
from SpiderSegLib.dicom_multiframe import read_multiframe_grid
from SpiderSegLib.errors import InputError, MissingPackageError
from SpiderSegLib.io import bytes_writer
from SpiderSegLib.level_names import Code, category_code, type_code
from SpiderSegLib.segmentation_files.dicom_headers import source_headers
from SpiderSegLib.segmentation_files.dicom_source import DicomSource
from SpiderSegLib.segmentation_files.grids import difference, on_grid
from SpiderSegLib.segmentation_files.header_texts import notice, tags_text
from SpiderSegLib.segmentation_files.named_labelmap import NamedLabelmap
from SpiderSegLib.volume import Geometry

if TYPE_CHECKING:
    from highdicom.seg import SegmentDescription

SUFFIX = ".dcm"

SOFTWARE = "SpiderSeg"

#: The segmentation's series comes behind those of the scanner in a viewer's list.
SERIES_NUMBER_OFFSET = 9000

#: Private block of the whole grid: frames without a segment are not stored, and the slices at the ends would be lost.
PRIVATE_GROUP, PRIVATE_CREATOR, GRID_ELEMENT = 0x0071, "SPIDERSEG", 0x01

#: Longest text of DICOM's value representation LO.
_LO_CHARACTERS = 64


def check_highdicom() -> None:
    """Raises MissingPackageError when DICOM SEG can't be written here."""
    try:
        import highdicom  # noqa: F401
    except ImportError as error:
        raise MissingPackageError('writing DICOM SEG needs highdicom: pip install "spiderseg[dicom]"') from error


def write_dicom_seg(path: Path, named: NamedLabelmap, source: DicomSource, is_untouched: bool = False) -> None:
    """Writes a labelmap as DICOM SEG, whole or not at all. Raises as `dicom_seg_writer`, and OutputError."""
    write_together({path: dicom_seg_writer(named, source, is_untouched)})


def dicom_seg_writer(named: NamedLabelmap, source: DicomSource, is_untouched: bool = False) -> FileWriter:
    """What writes a labelmap as DICOM SEG of a series, for `write_together`.

    `is_untouched` says that no person had a hand in what the model drew: its segments are AUTOMATIC, else SEMIAUTOMATIC. Raises
    InputError when the labelmap is empty, lies on other voxels, or the series lacks what DICOM SEG refers to; ImageReadError when its
    files can't be read any more; MissingPackageError without highdicom.
    """
    check_highdicom()
    if not named.values:
        raise InputError(f"{named.labelmap.name}: nothing is segmented, and a DICOM SEG can't be empty")
    labelmap = on_grid(named.labelmap, source.geometry)
    if labelmap is None:
        how = difference(named.labelmap.geometry, source.geometry)
        raise InputError(f"{named.labelmap.name}: does not lie on the voxels of the DICOM series {source.series.label}: {how}")
    headers = source_headers(source)
    segment_of_value = np.zeros(256, dtype=np.uint8)
    segment_of_value[list(named.values)] = np.arange(1, len(named.values) + 1)
    frames = segment_of_value[labelmap.array]
    if source.series.is_multiframe:
        order = read_multiframe_grid(Path(source.series.files[0])).frame_of_slice
        frames = frames[np.argsort(order)]
    dataset = _dataset(named, source, headers, frames, is_untouched)
    buffer = io.BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    return bytes_writer(buffer.getvalue())


def _dataset(named: NamedLabelmap, source: DicomSource, headers: list[Any], frames: NDArray[np.uint8], is_untouched: bool) -> Any:
    from highdicom import UID
    from highdicom.seg import Segmentation, SegmentationTypeValues

    number = source.series.header.get("SeriesNumber", "")
    dataset = Segmentation(
        source_images=headers,
        pixel_array=frames,
        segmentation_type=SegmentationTypeValues.BINARY,
        segment_descriptions=[segment_description(named, value, index, is_untouched) for index, value in enumerate(named.values, start=1)],
        series_instance_uid=UID(),
        series_number=SERIES_NUMBER_OFFSET + (int(number) if number.isdigit() else 0),
        sop_instance_uid=UID(),
        instance_number=1,
        manufacturer=SOFTWARE,
        manufacturer_model_name=SOFTWARE,
        software_versions=SpiderSegLib.__version__,
        device_serial_number=_short(named.model_id or "none"),
        content_description=notice(named.naming),
        content_label=named.naming.state.value.upper(),
        content_creator_name=f"{SOFTWARE}^",
        series_description=notice(named.naming),
        **({} if _is_ascii(named) else {"specific_character_set": "ISO_IR 192"}),
    )
    block = dataset.private_block(PRIVATE_GROUP, PRIVATE_CREATOR, create=True)
    block.add_new(GRID_ELEMENT, "UT", grid_text(source.geometry))
    return dataset


def segment_description(named: NamedLabelmap, value: int, number: int, is_untouched: bool) -> SegmentDescription:
    """One item of the segment sequence."""
    from highdicom import UID, AlgorithmIdentificationSequence
    from highdicom.color import CIELabColor
    from highdicom.seg import SegmentAlgorithmTypeValues, SegmentDescription
    from pydicom.sr.codedict import codes

    algorithm = AlgorithmIdentificationSequence(
        name=_short(f"{SOFTWARE} {named.model_id}".strip()), family=codes.DCM.ArtificialIntelligence, version=SpiderSegLib.__version__
    )
    by_model = SegmentAlgorithmTypeValues.AUTOMATIC if is_untouched else SegmentAlgorithmTypeValues.SEMIAUTOMATIC
    description = SegmentDescription(
        segment_number=number,
        segment_label=_short(named.full_name(value)),
        segmented_property_category=_concept(category_code()),
        segmented_property_type=_concept(type_code(value, named.naming)),
        algorithm_type=by_model if named.model_id else SegmentAlgorithmTypeValues.MANUAL,
        algorithm_identification=algorithm if named.model_id else None,
        tracking_id=f"SPIDER value {value}",
        tracking_uid=UID(),
        display_color=CIELabColor.from_rgb(*named.color(value)),
    )
    description.SegmentDescription = tags_text(named.tags(value).to_tags())
    return description


def _concept(code: Code) -> Any:
    from highdicom.sr import CodedConcept

    return CodedConcept(code.value, code.scheme, code.meaning)


def _short(text: str) -> str:
    """A text as DICOM's LO takes it: no backslash, 64 characters."""
    return text.replace("\\", "/")[:_LO_CHARACTERS]


def _is_ascii(named: NamedLabelmap) -> bool:
    return named.model_id.isascii() and all(name.isascii() for name in named.naming.own_names.values())


def grid_text(geometry: Geometry) -> str:
    """A grid as JSON, for the private block."""
    return json.dumps(
        {
            "size_ijk": geometry.size_ijk,
            "spacing_ijk_mm": geometry.spacing_ijk_mm,
            "origin_lps_mm": geometry.origin_lps_mm,
            "direction": geometry.direction,
        }
    )


def grid_of_text(text: str) -> Geometry:
    """The reverse of `grid_text`. Raises ValueError, KeyError, TypeError, GeometryError for another text."""
    found = json.loads(text)
    return Geometry(*(tuple(found[key]) for key in ("size_ijk", "spacing_ijk_mm", "origin_lps_mm", "direction")))
