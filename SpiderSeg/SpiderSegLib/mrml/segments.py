"""The segments of a vtkMRMLSegmentationNode as masks and tags."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import slicer
import vtk
from numpy.typing import NDArray

from SpiderSegLib.errors import GeometryError, InputError, LabelError
from SpiderSegLib.labels import label_table
from SpiderSegLib.level_names import LevelNaming, short_name
from SpiderSegLib.mrml.volumes import arrayFromMatrix, geometryFromAffine, imageArray, worldMatrixOf
from SpiderSegLib.segment_tags import ALL_TAGS, SegmentTags, from_tags
from SpiderSegLib.structure_names import naming_of_names, value_of_name
from SpiderSegLib.terminology import terminology_entry
from SpiderSegLib.volume import Geometry

BINARY_LABELMAP = "Binary labelmap"

TERMINOLOGY_TAG = "TerminologyEntry"


def segmentIds(segmentationNode: Any) -> list[str]:
    """IDs in the order of the segment list."""
    segmentation = segmentationNode.GetSegmentation()
    return [segmentation.GetNthSegmentID(index) for index in range(segmentation.GetNumberOfSegments())]


def segmentOf(segmentationNode: Any, segmentId: str) -> Any:
    """The vtkSegment. Raises InputError when it is gone."""
    segment = segmentationNode.GetSegmentation().GetSegment(segmentId)
    if segment is None:
        raise InputError(f"the segment {segmentId} is no longer in {segmentationNode.GetName()}")
    return segment


def tagTexts(segment: Any) -> dict[str, str]:
    """SpiderSeg's tags of a vtkSegment that are present."""
    texts = {}
    for tag in ALL_TAGS:
        text = vtk.reference("")
        if segment.GetTag(tag, text):
            texts[tag] = str(text)
    return texts


def tagsOf(segment: Any, naming: LevelNaming | None = None) -> SegmentTags | None:
    """What SpiderSeg knows of a segment, a level that a person gave it by renaming included; None where neither tags nor name tell.

    A name wins over the tags when it is not the one the tags would give and names a level itself. `naming` is how the segmentation of a
    segment without tags counts (five lumbar vertebrae if not given). Raises LabelError, with the segment's name, for damaged tags.
    """
    tags = _ownTags(segment)
    name = segment.GetName() or ""
    if tags is not None and name == short_name(tags.value, tags.naming):
        return tags
    counted = tags.naming if tags else naming or LevelNaming()
    value = value_of_name(name, counted)
    if value is None:
        return tags
    return replace(tags, value=value) if tags else SegmentTags(value, counted)


def _ownTags(segment: Any) -> SegmentTags | None:
    try:
        return from_tags(tagTexts(segment))
    except LabelError as error:
        raise LabelError(f"{segment.GetName()}: {error}") from error


def applyTags(segment: Any, tags: SegmentTags) -> None:
    """Writes tags, and the name, color and terminology that follow from them."""
    texts = tags.to_tags()
    for tag in ALL_TAGS:
        if tag in texts:
            segment.SetTag(tag, texts[tag])
        elif segment.HasTag(tag):
            segment.RemoveTag(tag)
    segment.SetName(short_name(tags.value, tags.naming))
    segment.SetColor(*(component / 255 for component in label_table()[tags.value].color_rgba[:3]))
    segment.SetTag(TERMINOLOGY_TAG, terminology_entry(tags.value, tags.naming))


def namingOf(segmentationNode: Any) -> LevelNaming:
    """The naming all segments carry; in a segmentation made elsewhere assumed, counted as its names do (an L6, a T13)."""
    segments = [segmentOf(segmentationNode, segmentId) for segmentId in segmentIds(segmentationNode)]
    tags = next((tags for tags in map(_ownTags, segments) if tags is not None), None)
    return tags.naming if tags else naming_of_names(segment.GetName() or "" for segment in segments)


def taggedSegments(segmentationNode: Any) -> Iterator[tuple[str, Any, SegmentTags]]:
    """ID, vtkSegment and tags of every segment whose level is known. Raises LabelError for damaged tags."""
    naming = namingOf(segmentationNode)
    for segmentId in segmentIds(segmentationNode):
        segment = segmentOf(segmentationNode, segmentId)
        tags = tagsOf(segment, naming)
        if tags is not None:
            yield segmentId, segment, tags


def segmentIdOfValue(segmentationNode: Any, value: int) -> str | None:
    """ID of the first segment with a SPIDER value."""
    return next((segmentId for segmentId, _, tags in taggedSegments(segmentationNode) if tags.value == value), None)


# Masks


def referenceImage(segmentationNode: Any) -> Any:
    """An empty vtkOrientedImageData with the grid segments are edited on, in the node's own frame. Raises GeometryError without one."""
    name = slicer.vtkSegmentationConverter.GetReferenceImageGeometryParameterName()
    image = slicer.vtkOrientedImageData()
    text = segmentationNode.GetSegmentation().GetConversionParameter(name)
    if not text or not slicer.vtkSegmentationConverter.DeserializeImageGeometry(text, image, False):
        raise GeometryError(f"{segmentationNode.GetName()} has no reference grid: choose the source volume it belongs to")
    return image


def geometryOfImage(image: Any) -> Geometry:
    """Geometry of a vtkOrientedImageData in its own frame, RAS turned to LPS; its first voxel is that of its extent."""
    return geometryFromAffine(_affineOfImage(image), image.GetDimensions(), "the segmentation's grid")


def _affineOfImage(image: Any) -> NDArray[np.float64]:
    matrix = vtk.vtkMatrix4x4()
    image.GetImageToWorldMatrix(matrix)
    affine = arrayFromMatrix(matrix)
    affine[:3, 3] += affine[:3, :3] @ np.array(image.GetExtent()[::2], dtype=float)
    return affine


def referenceGeometry(segmentationNode: Any) -> Geometry:
    """The reference grid in the world. Raises GeometryError without one, or under a warping transform."""
    image = referenceImage(segmentationNode)
    return geometryFromAffine(worldMatrixOf(segmentationNode) @ _affineOfImage(image), image.GetDimensions(), segmentationNode.GetName())


def layersOf(segmentationNode: Any) -> Iterator[tuple[NDArray[Any], dict[str, int]]]:
    """Each layer as label values (k, j, i) on the reference grid, and which segment has which of them.

    Segments of one layer can't overlap. Nearest neighbor for segments that came with a grid of their own; none for surfaces.
    """
    reference = referenceImage(segmentationNode)
    segmentation = segmentationNode.GetSegmentation()
    for layer in range(segmentation.GetNumberOfLayers(BINARY_LABELMAP)):
        image = segmentation.GetLayerDataObject(layer, BINARY_LABELMAP)
        segmentIdsOfLayer = segmentation.GetSegmentIDsForLayer(layer, BINARY_LABELMAP)
        values = {segmentId: segmentation.GetSegment(segmentId).GetLabelValue() for segmentId in segmentIdsOfLayer}
        yield _onGrid(image, reference), values


def _onGrid(image: Any, reference: Any) -> NDArray[Any]:
    extent = reference.GetExtent()
    shape = (extent[5] - extent[4] + 1, extent[3] - extent[2] + 1, extent[1] - extent[0] + 1)
    if image is None or image.IsEmpty():
        return np.zeros(shape, dtype=np.uint8)
    output = slicer.vtkOrientedImageData()
    slicer.vtkOrientedImageDataResample.ResampleOrientedImageToReferenceOrientedImage(image, reference, output, False, False)
    array: NDArray[Any] = imageArray(output).copy()
    return array


def ensureBinaryLabelmap(segmentationNode: Any) -> None:
    """Makes binary labelmaps the source representation, as for a segmentation that was loaded as surfaces. Raises InputError."""
    segmentation = segmentationNode.GetSegmentation()
    if segmentation.GetNumberOfSegments() == 0 or segmentation.GetSourceRepresentationName() == BINARY_LABELMAP:
        return
    if not segmentation.CreateRepresentation(BINARY_LABELMAP):
        raise InputError(f"{segmentationNode.GetName()}: its segments can't be turned into voxels")
    segmentation.SetSourceRepresentationName(BINARY_LABELMAP)


def maskOf(segmentationNode: Any, segmentId: str) -> NDArray[np.bool_]:
    """The voxels of a segment (k, j, i) on the reference grid. Raises InputError when it is gone."""
    segment = segmentOf(segmentationNode, segmentId)
    image = segment.GetRepresentation(BINARY_LABELMAP)
    mask: NDArray[np.bool_] = _onGrid(image, referenceImage(segmentationNode)) == segment.GetLabelValue()
    return mask


def occupiedByOthers(segmentationNode: Any, segmentIdsToLeaveOut: list[str]) -> NDArray[np.bool_]:
    """The voxels (k, j, i) of all segments but some, on the reference grid: what a tool must not overwrite."""
    occupied = np.zeros(geometryOfImage(referenceImage(segmentationNode)).shape_kji, dtype=bool)
    for array, values in layersOf(segmentationNode):
        occupied |= np.isin(array, [value for segmentId, value in values.items() if segmentId not in segmentIdsToLeaveOut])
    return occupied


def setMask(segmentationNode: Any, segmentId: str, mask: NDArray[np.bool_]) -> None:
    """Gives a segment other voxels, (k, j, i) on the reference grid; other segments keep theirs."""
    reference = referenceImage(segmentationNode)
    image = slicer.vtkOrientedImageData()
    image.DeepCopy(reference)
    image.AllocateScalars(vtk.VTK_UNSIGNED_CHAR, 1)
    imageArray(image)[...] = mask
    slicer.vtkSlicerSegmentationsModuleLogic.SetBinaryLabelmapToSegment(
        image, segmentationNode, segmentId, slicer.vtkSlicerSegmentationsModuleLogic.MODE_REPLACE
    )


def addSegment(segmentationNode: Any, tags: SegmentTags, mask: NDArray[np.bool_] | None = None, beforeId: str = "") -> str:
    """A new segment, named, colored and coded after its tags, with the mask's voxels; returns its ID."""
    segmentation = segmentationNode.GetSegmentation()
    segment = slicer.vtkSegment()
    applyTags(segment, tags)
    segmentId: str = segmentation.GenerateUniqueSegmentID("")
    if not segmentation.AddSegment(segment, segmentId, beforeId):
        raise InputError(f"{segmentationNode.GetName()}: can't add the segment {segment.GetName()}")
    if mask is not None:
        setMask(segmentationNode, segmentId, mask)
    return segmentId
