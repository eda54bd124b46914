"""The formats of a segmentation by name and by the end of a file's name, and one way to read and write all of them."""

from __future__ import annotations

from pathlib import Path

from SpiderSegLib.atomic import FileWriter
from SpiderSegLib.errors import ImageReadError, InputError, OutputError
from SpiderSegLib.io import OUTPUT_FORMATS, image_stem, image_suffix
from SpiderSegLib.segmentation_files.dicom_seg_reading import is_dicom_seg, only_dicom_seg, read_dicom_seg
from SpiderSegLib.segmentation_files.dicom_seg_writing import dicom_seg_writer
from SpiderSegLib.segmentation_files.dicom_source import DicomSource
from SpiderSegLib.segmentation_files.labelmap_files import labelmap_writer, read_labelmap_file
from SpiderSegLib.segmentation_files.named_labelmap import NamedLabelmap
from SpiderSegLib.segmentation_files.seg_nrrd import is_seg_nrrd, read_seg_nrrd, seg_nrrd_writer
from SpiderSegLib.segmentation_files.segments import ReadSegmentation

SLICER, DICOM = "seg.nrrd", "dicom-seg"

#: What --format names; a path may also end in .nii.
SEGMENTATION_FORMATS = (*OUTPUT_FORMATS, SLICER, DICOM)

_SUFFIXES = {".seg.nrrd": SLICER, ".dcm": DICOM}

#: The format of images beside a segmentation whose own format holds none.
_IMAGE_FORMATS = {SLICER: "nrrd", DICOM: "mha"}


def format_of(path: Path) -> str:
    """The format that a path's end means ('seg.nrrd' before 'nrrd'); '' when it means none."""
    own = next((name for suffix, name in _SUFFIXES.items() if path.name.lower().endswith(suffix)), "")
    return own or image_suffix(path).lstrip(".")


def suffix_of(file_format: str) -> str:
    """How files of a format end: '.dcm' for 'dicom-seg'."""
    return next((suffix for suffix, name in _SUFFIXES.items() if name == file_format), f".{file_format}")


def stem_of(path: Path) -> str:
    """The file name without the end that means its format: 'a.seg.nrrd' -> 'a'."""
    own = next((suffix for suffix in _SUFFIXES if path.name.lower().endswith(suffix)), "")
    return path.name[: -len(own)] if own else image_stem(path)


def image_format_beside(file_format: str) -> str:
    """The format of images written beside a segmentation."""
    return _IMAGE_FORMATS.get(file_format, file_format)


def segmentation_writer(
    path: Path, named: NamedLabelmap, source: DicomSource | None = None, like: Path | None = None, is_untouched: bool = False
) -> FileWriter:
    """What writes a labelmap in the format of the path, for `write_together`.

    `source` is the series DICOM SEG refers to; `like` as in `io.write_volume`; `is_untouched` says that no person had a hand in it.
    Raises InputError without the source, OutputError for a path of no format, and as `dicom_seg_writer`.
    """
    file_format = format_of(path)
    if file_format == DICOM:
        if source is None:
            raise InputError(f"{path}: DICOM SEG refers to the original DICOM series; give its folder")
        return dicom_seg_writer(named, source, is_untouched)
    if file_format == SLICER:
        return seg_nrrd_writer(path, named, like)
    if file_format not in (*OUTPUT_FORMATS, "nii"):
        raise OutputError(f"{path}: expected an output ending in .mha, .nrrd, .nii, .nii.gz, .seg.nrrd or .dcm")
    return labelmap_writer(path, named, like)


def read_segmentation(path: Path, source: DicomSource | None = None, leave_out_unknown: bool = False) -> ReadSegmentation:
    """Reads a segmentation of any format; `source` gives the grid of a DICOM SEG; a folder holds one DICOM SEG.

    Raises ImageReadError, GeometryError, and LabelError as the format's own reader.
    """
    path = Path(path)
    if not path.exists():
        raise ImageReadError(f"{path}: no such file or folder")
    if path.is_dir():
        path = only_dicom_seg(path)
    if format_of(path) == DICOM or (not image_suffix(path) and is_dicom_seg(path)):
        return read_dicom_seg(path, source, leave_out_unknown)
    if not image_suffix(path):
        raise ImageReadError(f"{path}: expected a labelmap (.mha, .nrrd, .nii, .nii.gz), a .seg.nrrd or a DICOM SEG")
    if is_seg_nrrd(path):
        return read_seg_nrrd(path, leave_out_unknown)
    return read_labelmap_file(path)
