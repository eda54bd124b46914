"""A segmentation node as files: Slicer's .seg.nrrd, SPIDER labelmaps for every series, DICOM SEG through Slicer's own exporter.

Everything written carries the model, the level state and the research-use line; no file says L5 of a level that nobody confirmed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from functools import partial
from pathlib import Path
from typing import Any

import SimpleITK as sitk
import slicer

from SpiderSegLib.atomic import make_folder, write_together
from SpiderSegLib.errors import InputError, OutputError
from SpiderSegLib.io import bytes_writer
from SpiderSegLib.level_names import full_name
from SpiderSegLib.mrml.joint_editing import NODE_IDS, jointRecordOf
from SpiderSegLib.mrml.segmentations import SegmentationLabelmap, labelmapOf, onGridOf
from SpiderSegLib.mrml.segments import applyTags, namingOf, segmentIds, segmentOf, taggedSegments, tagsOf
from SpiderSegLib.mrml.volumes import geometryOf
from SpiderSegLib.segmentation_files import NamedLabelmap, labelmap_sidecar, labelmap_writer, sidecar_bytes
from SpiderSegLib.segmentation_files.header_texts import notice
from SpiderSegLib.volume import Volume

INSTANCE_UIDS = "DICOM.instanceUIDs"
ALGORITHM_TYPE, ALGORITHM_NAME = "DICOM.SegmentAlgorithmType", "DICOM.SegmentAlgorithmName"

#: Of a node's name in a file name: file systems take 255 bytes, and endings come behind it.
LONGEST_NAME_BYTES = 200


class ExportFormat(str, Enum):
    """What can be written; the value is the end of the file's name."""

    SLICER = ".seg.nrrd"
    SPIDER = ".mha"
    NIFTI = ".nii.gz"
    DICOM = ".dcm"

    @property
    def isOnePerSeries(self) -> bool:
        """Whether every series of a patient gets a file, on its own grid."""
        return self in (ExportFormat.SPIDER, ExportFormat.NIFTI)


@dataclass(frozen=True)
class ExportPlan:
    """Files that an export will write, by the volume node they belong to."""

    fileFormat: ExportFormat
    paths: tuple[tuple[Any, Path], ...]

    @property
    def existing(self) -> tuple[Path, ...]:
        """Files that would be replaced, sidecars too."""
        sidecars = [sidecarPath(path, self.fileFormat) for _, path in self.paths] if self.fileFormat.isOnePerSeries else []
        return tuple(path for path in (*(path for _, path in self.paths), *sidecars) if path.exists())


def planExport(segmentationNode: Any, volumeNodes: Sequence[Any], folder: Path, fileFormat: ExportFormat) -> ExportPlan:
    """Where an export of a segmentation writes. Raises InputError without segmentation, series or folder."""
    if segmentationNode is None or not volumeNodes:
        raise InputError("choose the segmentation and the series it belongs to first")
    if not str(folder).strip() or str(folder) == ".":
        raise InputError("choose a folder to write into first")
    nodes = volumeNodes if fileFormat.isOnePerSeries else volumeNodes[:1]
    paths = [folder / f"{safeName(node.GetName())}_segmentation{fileFormat.value}" for node in nodes]
    # Folders of Windows and macOS take T2 and t2 for one file.
    if len({str(path).casefold() for path in paths}) < len(paths):
        paths = [folder / f"{safeName(node.GetName())}_{index}_segmentation{fileFormat.value}" for index, node in enumerate(nodes, start=1)]
    return ExportPlan(fileFormat, tuple(zip(nodes, paths, strict=True)))


def safeName(name: str) -> str:
    """A node's name as part of a file name: letters and digits of any language, '-' and '_'; never a path."""
    kept = "".join(character if character.isalnum() or character in "-_" else "_" for character in name.strip())
    return kept.strip("_").encode()[:LONGEST_NAME_BYTES].decode(errors="ignore") or "series"


def export(segmentationNode: Any, plan: ExportPlan, dicomExporter: Callable[[Any, Any, Path], None] | None = None) -> tuple[str, ...]:
    """Writes all files of a plan or none, and returns what a person should know (overlaps, segments left out).

    `dicomExporter` writes DICOM SEG: exportDicomSegmentation if not given. Raises OutputError, InputError, LabelError, GeometryError.
    """
    if not segmentIds(segmentationNode):
        raise InputError(f"{segmentationNode.GetName()} has no segments: there is nothing to write")
    for _, path in plan.paths:
        make_folder(path.parent)
    found = labelmapOf(segmentationNode)
    if plan.fileFormat is ExportFormat.SLICER:
        write_together({path: partial(_writeSegNrrd, segmentationNode, path) for _, path in plan.paths})
    elif plan.fileFormat is ExportFormat.DICOM:
        writer = dicomExporter or exportDicomSegmentation
        for volumeNode, path in plan.paths:
            writer(segmentationNode, volumeNode, path)
    else:
        _writeLabelmaps(segmentationNode, found, plan)
    return found.warnings


def namedLabelmapOf(segmentationNode: Any, found: SegmentationLabelmap, labelmap: Volume) -> NamedLabelmap:
    """A labelmap of a segmentation with the naming, model and confidences of its segments."""
    tagged = [tags for _, _, tags in taggedSegments(segmentationNode)]
    confidences = {tags.value: tags.confidence for tags in tagged if tags.confidence is not None}
    return NamedLabelmap(labelmap, found.naming, next((tags.model_id for tags in tagged if tags.model_id), ""), confidences)


def _writeLabelmaps(segmentationNode: Any, found: SegmentationLabelmap, plan: ExportPlan) -> None:
    files = {}
    for volumeNode, path in plan.paths:
        labelmap = onGridOf(found.labelmap, geometryOf(volumeNode), volumeNode.GetName())
        named = namedLabelmapOf(segmentationNode, found, labelmap)
        files[path] = labelmap_writer(path, named)
        sidecar = labelmap_sidecar(named)
        record = jointRecordOf(segmentationNode)
        if record and len(plan.paths) > 1:
            sidecar["joint"] = {key: value for key, value in record.items() if key != NODE_IDS}
        files[sidecarPath(path, plan.fileFormat)] = bytes_writer(sidecar_bytes(sidecar))
    write_together(files)


def sidecarPath(path: Path, fileFormat: ExportFormat) -> Path:
    """The JSON beside a labelmap file."""
    return path.with_name(path.name.removesuffix(fileFormat.value) + ".json")


def _writeSegNrrd(segmentationNode: Any, path: Path, temporary: Path) -> None:
    """Through the real storage node, so that segments without a level, overlaps and all tags are kept."""
    storage = slicer.vtkMRMLSegmentationStorageNode()
    storage.SetFileName(str(temporary))
    if not storage.WriteData(segmentationNode) or not _isWhole(temporary):
        raise OutputError(f"{path}: the segmentation could not be written; is the disk full?")


def _isWhole(path: Path) -> bool:
    """Whether all voxels of an image file can be read: Slicer's writer takes a full disk for success."""
    try:
        sitk.ReadImage(str(path))
    except RuntimeError:
        return False
    return True


# DICOM


def exportDicomSegmentation(segmentationNode: Any, volumeNode: Any, path: Path) -> None:
    """Writes DICOM SEG by the exporter of Slicer's DICOM module. Raises InputError in words a radiologist understands, OutputError."""
    instanceUids(volumeNode)
    try:
        from DICOMSegmentationPlugin import DICOMSegmentationExporter
    except ImportError as error:
        raise InputError(
            "DICOM SEG is written by the DICOM module of 3D Slicer, which is not there: save as .seg.nrrd, or use spiderseg convert"
        ) from error
    with dicomCopy(segmentationNode, volumeNode) as copy:
        description = {"SeriesDescription": notice(namingOf(copy)), "ContentCreatorName": "SpiderSeg"}
        exporter = DICOMSegmentationExporter(copy)

        def write(temporary: Path) -> None:
            try:
                exporter.export(str(temporary.parent), temporary.name, description)
            except (ValueError, RuntimeError) as error:
                raise OutputError(f"{path}: DICOM SEG could not be written: {error}") from error

        try:
            write_together({path: write})
        finally:
            exporter.cleanup()


def instanceUids(volumeNode: Any) -> list[str]:
    """The DICOM instances a volume was loaded from. Raises InputError, saying what to do, when it was not."""
    uids = (volumeNode.GetAttribute(INSTANCE_UIDS) or "").split()
    if not uids:
        raise InputError(
            f"{volumeNode.GetName()} was not loaded from DICOM, and DICOM SEG refers to the original images: import the DICOM files in the "
            "DICOM module, load the series from there and segment it, or save as .seg.nrrd"
        )
    return uids


@contextmanager
def dicomCopy(segmentationNode: Any, volumeNode: Any) -> Iterator[Any]:
    """A copy of a segmentation as DICOM SEG may show it: full names, codes by level state, algorithm and notice; gone afterwards.

    Segments without a level are left out, because they have no code.
    """
    scene = segmentationNode.GetScene()
    copy = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", segmentationNode.GetName())
    copy.CreateDefaultDisplayNodes()
    copy.SetHideFromEditors(True)
    try:
        copy.GetSegmentation().DeepCopy(segmentationNode.GetSegmentation())
        copy.SetAndObserveTransformNodeID(segmentationNode.GetTransformNodeID())
        copy.SetReferenceImageGeometryParameterFromVolumeNode(volumeNode)
        naming = namingOf(copy)
        for segmentId in segmentIds(copy):
            segment = segmentOf(copy, segmentId)
            tags = tagsOf(segment, naming)
            if tags is None:
                copy.GetSegmentation().RemoveSegment(segmentId)
                continue
            # One that was named by hand has no code yet.
            applyTags(segment, tags)
            segment.SetTag(ALGORITHM_TYPE, "SEMIAUTOMATIC" if tags.model_id else "MANUAL")
            segment.SetTag(ALGORITHM_NAME, f"SpiderSeg {tags.model_id}".strip())
            segment.SetName(full_name(tags.value, tags.naming))
        yield copy
    finally:
        display = copy.GetDisplayNode()
        if display is not None:
            scene.RemoveNode(display)
        scene.RemoveNode(copy)
