"""Labelmap in SPIDER values -> segmentation node, and back with every value kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import slicer
from numpy.typing import NDArray

from SpiderSegLib.errors import GeometryError
from SpiderSegLib.labels import check_values, level_of, structure_of
from SpiderSegLib.level_names import LevelNaming
from SpiderSegLib.mrml.history import History, undoable
from SpiderSegLib.mrml.segments import (
    BINARY_LABELMAP,
    applyTags,
    ensureBinaryLabelmap,
    geometryOfImage,
    layersOf,
    namingOf,
    referenceGeometry,
    referenceImage,
    segmentIds,
    segmentOf,
    taggedSegments,
)
from SpiderSegLib.mrml.volumes import geometryOf, imageArray, newVolumeNode, orientedImage
from SpiderSegLib.segment_tags import SegmentTags
from SpiderSegLib.volume import Geometry, Volume

#: Node reference of a segmentation to the hidden labelmap of what the model drew.
PREDICTION_ROLE = "SpiderSeg.prediction"

#: Attribute of that labelmap: the model's id.
MODEL_ATTRIBUTE = "SpiderSeg.model"

#: Colors of the levels are told apart best over the gray image at this opacity; borders of bone stay visible.
FILL_OPACITY = 0.4


@dataclass(frozen=True)
class SegmentInfo:
    """What is known of a labelmap beside its voxels: naming, model, and confidence 0..1 by SPIDER value."""

    naming: LevelNaming = field(default_factory=LevelNaming)
    model_id: str = ""
    confidences: Mapping[int, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Overlap:
    """Two segments that claim the same voxels."""

    first: str
    second: str
    voxels: int


@dataclass(frozen=True)
class SegmentationLabelmap:
    """A segmentation as uint8 SPIDER values on the grid of a volume, and what could not be carried over.

    overlaps: the later segment in the list has the voxels; unnamed: segments whose name and tags tell no level, left out; duplicates:
    names of segments that share a value with an earlier one; their voxels are joined.
    """

    labelmap: Volume
    naming: LevelNaming
    overlaps: tuple[Overlap, ...] = ()
    unnamed: tuple[str, ...] = ()
    duplicates: tuple[str, ...] = ()

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a person should know before the labelmap is used, in words."""
        return (
            *(f"{overlap.first} and {overlap.second} overlap in {overlap.voxels} voxels: {overlap.second} has them" for overlap in self.overlaps),
            *(f"{name} names no level and is left out: give it a level in the Levels table" for name in self.unnamed),
            *(f"{name} stands for a level that another segment has already: both are joined" for name in self.duplicates),
        )


def newSegmentationNode(scene: Any, labelmap: Volume, volumeNode: Any, info: SegmentInfo | None = None, name: str = "") -> Any:
    """A segmentation of a volume node with one segment a value, named, colored and coded; vertebrae first, then discs, then the canal.

    `labelmap` lies voxel by voxel on the volume. The node gets the volume's transform, reference grid and subject-hierarchy study, keeps
    the labelmap as its hidden prediction, and builds no surfaces. Raises GeometryError for another size, LabelError for other values.
    """
    info = info or SegmentInfo()
    values = [int(value) for value in np.flatnonzero(np.bincount(labelmap.array.ravel())) if value]
    check_values(values, labelmap.name or "labelmap")
    image = volumeNode.GetImageData()
    size = tuple(image.GetDimensions()) if image is not None else (0, 0, 0)
    if labelmap.geometry.size_ijk != size:
        raise GeometryError(f"expected a labelmap of the size {size} of {volumeNode.GetName()}, found {labelmap.geometry.size_ijk}")
    node = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", scene.GenerateUniqueName(name or f"{volumeNode.GetName()} segmentation"))
    wasModified = node.StartModify()
    node.CreateDefaultDisplayNodes()
    node.GetDisplayNode().SetOpacity2DFill(FILL_OPACITY)
    node.SetAndObserveTransformNodeID(volumeNode.GetTransformNodeID())
    node.SetReferenceImageGeometryParameterFromVolumeNode(volumeNode)
    image = orientedImage(labelmap.array.astype(np.uint8, copy=False), geometryOfImage(referenceImage(node)))
    for value in sorted(values, key=lambda value: (structure_of(value), level_of(value))):
        _addSharedSegment(node.GetSegmentation(), image, SegmentTags(value, info.naming, info.model_id, info.confidences.get(value)))
    node.EndModify(wasModified)
    keepPrediction(node, labelmap.array.astype(np.uint8, copy=False), info.model_id)
    placeBeside(scene, node, volumeNode)
    return node


def _addSharedSegment(segmentation: Any, image: Any, tags: SegmentTags) -> None:
    segment = slicer.vtkSegment()
    applyTags(segment, tags)
    segment.SetLabelValue(tags.value)
    segment.AddRepresentation(BINARY_LABELMAP, image)
    segmentation.AddSegment(segment, segmentation.GenerateUniqueSegmentID(""))


def placeBeside(scene: Any, node: Any, volumeNode: Any) -> None:
    """Puts a node into the subject-hierarchy folder (the study) of a volume, if that has a place there."""
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
    volumeItem = hierarchy.GetItemByDataNode(volumeNode) if hierarchy is not None else 0
    if not volumeItem:
        return
    study, item = hierarchy.GetItemParent(volumeItem), hierarchy.GetItemByDataNode(node)
    if item:
        hierarchy.SetItemParent(item, study)
    else:
        hierarchy.CreateItem(study, node)


# The prediction


def keepPrediction(segmentationNode: Any, labelmap: NDArray[np.uint8], modelId: str = "") -> None:
    """Keeps what the model drew, (k, j, i) on the reference grid, as a hidden labelmap node; replaces an earlier one; saved with the scene."""
    scene = segmentationNode.GetScene()
    forgetPrediction(segmentationNode)
    volume = Volume(labelmap, geometryOfImage(referenceImage(segmentationNode)), f"{segmentationNode.GetName()} prediction")
    node = newVolumeNode(scene, volume, className="vtkMRMLLabelMapVolumeNode")
    node.SetHideFromEditors(True)
    if modelId:
        node.SetAttribute(MODEL_ATTRIBUTE, modelId)
    node.SetAndObserveTransformNodeID(segmentationNode.GetTransformNodeID())
    segmentationNode.SetNodeReferenceID(PREDICTION_ROLE, node.GetID())


def replaceSegments(segmentationNode: Any, otherNode: Any, history: History) -> None:
    """Gives a segmentation the segments and the prediction of another one over the same image, as one step of undo; the other one stays."""
    with undoable(segmentationNode, history) as segmentation:
        segmentation.DeepCopy(otherNode.GetSegmentation())
    prediction = predictionNodeOf(otherNode)
    if prediction is not None:
        labels: NDArray[np.uint8] = imageArray(prediction.GetImageData())
        keepPrediction(segmentationNode, labels.astype(np.uint8), prediction.GetAttribute(MODEL_ATTRIBUTE) or "")


def forgetPrediction(segmentationNode: Any) -> None:
    """Removes the kept prediction from the scene, if there is one."""
    node = predictionNodeOf(segmentationNode)
    if node is not None:
        removeVolumeNode(node)


def removeVolumeNode(node: Any) -> None:
    """Removes a volume node with its display and storage nodes, which the scene keeps otherwise."""
    scene = node.GetScene()
    for part in (node.GetDisplayNode(), node.GetStorageNode()):
        if part is not None:
            scene.RemoveNode(part)
    scene.RemoveNode(node)


def predictionNodeOf(segmentationNode: Any) -> Any:
    """The hidden labelmap of what the model drew; None for a segmentation made elsewhere."""
    return segmentationNode.GetNodeReference(PREDICTION_ROLE)


# Back


def labelmapOf(segmentationNode: Any, volumeNode: Any = None) -> SegmentationLabelmap:
    """The segments as SPIDER values on their reference grid in the world or, resampled in the world, on the voxels of a volume node.

    Values come from tags and, for segments renamed or added by hand, from names; layers are merged in the order of the segment list, as
    Slicer's own export through a color table does, but names may repeat and overlaps are seen. Raises as geometryOf and LabelError.
    """
    ensureBinaryLabelmap(segmentationNode)
    values, unnamed, duplicates = _values(segmentationNode)
    geometry = referenceGeometry(segmentationNode)
    layers = list(layersOf(segmentationNode))
    overlaps: tuple[Overlap, ...] = ()
    if len(layers) == 1:
        array = _translated(*layers[0], values)
    else:
        array, overlaps = _merged(segmentationNode, layers, values, geometry)
    labelmap = Volume(array, geometry, segmentationNode.GetName())
    if volumeNode is not None:
        labelmap = onGridOf(labelmap, geometryOf(volumeNode), volumeNode.GetName())
    return SegmentationLabelmap(labelmap, namingOf(segmentationNode), overlaps, unnamed, duplicates)


def onGridOf(labelmap: Volume, geometry: Geometry, name: str) -> Volume:
    """The labelmap on another grid in the world; on the same grid bit for bit, with the grid's own numbers."""
    if labelmap.geometry.is_same_grid(geometry):
        return Volume(labelmap.array, geometry, name)
    from SpiderSegLib.joint import resample_labelmap

    return Volume(resample_labelmap(labelmap, geometry).array, geometry, name)


def _values(segmentationNode: Any) -> tuple[dict[str, int], tuple[str, ...], tuple[str, ...]]:
    """Value by segment ID, names of segments without a level, names of segments that repeat a value."""
    values = {segmentId: tags.value for segmentId, _, tags in taggedSegments(segmentationNode)}
    nameOf = {segmentId: segmentOf(segmentationNode, segmentId).GetName() for segmentId in segmentIds(segmentationNode)}
    seen: set[int] = set()
    duplicates = []
    for segmentId, value in values.items():
        if value in seen:
            duplicates.append(nameOf[segmentId])
        seen.add(value)
    return values, tuple(name for segmentId, name in nameOf.items() if segmentId not in values), tuple(duplicates)


def _translated(array: NDArray[Any], labels: dict[str, int], values: dict[str, int]) -> NDArray[np.uint8]:
    table = np.zeros(int(max([array.max(initial=0), *labels.values()])) + 1, dtype=np.uint8)
    for segmentId, label in labels.items():
        table[label] = values.get(segmentId, 0)
    return table[array]


def _merged(
    segmentationNode: Any, layers: list[tuple[NDArray[Any], dict[str, int]]], values: dict[str, int], geometry: Geometry
) -> tuple[NDArray[np.uint8], tuple[Overlap, ...]]:
    """Layers merged in the order of the segment list, the later segment on top, and the voxels claimed twice."""
    merged = np.zeros(geometry.shape_kji, dtype=np.uint8)
    owner = np.zeros(geometry.shape_kji, dtype=np.int16)
    order = list(values)
    overlaps = []
    for index, segmentId in enumerate(order):
        layer = next(((array, labels[segmentId]) for array, labels in layers if segmentId in labels), None)
        if layer is None:
            # A segment nothing was ever drawn into has no layer.
            continue
        mask = layer[0] == layer[1]
        for other, voxels in enumerate(np.bincount(owner[mask])[1:]):
            if voxels and values[order[other]] != values[segmentId]:
                first, second = (segmentOf(segmentationNode, claimant).GetName() for claimant in (order[other], segmentId))
                overlaps.append(Overlap(first, second, int(voxels)))
        merged[mask], owner[mask] = values[segmentId], index + 1
    return merged, tuple(overlaps)
