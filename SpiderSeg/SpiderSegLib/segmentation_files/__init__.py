"""Segmentations in files that other programs read: Slicer's .seg.nrrd, DICOM SEG, and plain labelmaps with what belongs to them.

In memory each is a NamedLabelmap: SPIDER values on a grid, and how far the names of their levels can be trusted. Every file carries
that, the model, and that it is for research use only.
"""

from SpiderSegLib.segmentation_files.dicom_seg_reading import find_referenced_source, is_dicom_seg, read_dicom_seg
from SpiderSegLib.segmentation_files.dicom_seg_writing import check_highdicom, dicom_seg_writer, write_dicom_seg
from SpiderSegLib.segmentation_files.dicom_source import DicomSource, find_source
from SpiderSegLib.segmentation_files.formats import (
    DICOM,
    SEGMENTATION_FORMATS,
    SLICER,
    format_of,
    image_format_beside,
    read_segmentation,
    segmentation_writer,
    stem_of,
    suffix_of,
)
from SpiderSegLib.segmentation_files.header_texts import header_texts, notice
from SpiderSegLib.segmentation_files.labelmap_files import labelmap_writer, read_labelmap_file, sidecar_beside, sidecar_of
from SpiderSegLib.segmentation_files.named_labelmap import NamedLabelmap
from SpiderSegLib.segmentation_files.seg_nrrd import is_seg_nrrd, read_seg_nrrd, seg_nrrd_writer, write_seg_nrrd
from SpiderSegLib.segmentation_files.segments import Overlap, ReadSegmentation
from SpiderSegLib.segmentation_files.sidecar import SidecarFacts, is_sidecar, labelmap_sidecar, read_sidecar, sidecar_bytes

__all__ = [
    "DICOM",
    "SEGMENTATION_FORMATS",
    "SLICER",
    "DicomSource",
    "NamedLabelmap",
    "Overlap",
    "ReadSegmentation",
    "SidecarFacts",
    "check_highdicom",
    "dicom_seg_writer",
    "find_referenced_source",
    "find_source",
    "format_of",
    "header_texts",
    "image_format_beside",
    "is_dicom_seg",
    "is_seg_nrrd",
    "is_sidecar",
    "labelmap_sidecar",
    "labelmap_writer",
    "notice",
    "read_dicom_seg",
    "read_labelmap_file",
    "read_seg_nrrd",
    "read_segmentation",
    "read_sidecar",
    "seg_nrrd_writer",
    "segmentation_writer",
    "sidecar_beside",
    "sidecar_bytes",
    "sidecar_of",
    "stem_of",
    "suffix_of",
    "write_dicom_seg",
    "write_seg_nrrd",
]
