"""The nodes of an open case: made as Slicer's own loaders leave them, and removed with everything that belongs to them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from SpiderSegLib.corrections import SeriesRecord
from SpiderSegLib.mrml.annotation_session.starting_point import StartingMask
from SpiderSegLib.mrml.display import forgetOverlays
from SpiderSegLib.mrml.segmentations import SegmentInfo, forgetPrediction, keepPrediction, newSegmentationNode, removeVolumeNode
from SpiderSegLib.mrml.segments import setMask
from SpiderSegLib.mrml.volumes import newVolumeNode
from SpiderSegLib.volume import Volume

#: In an unsaved edit, voxels of segments without a level have values from here on: SPIDER's end at 225.
FIRST_WITHOUT_LEVEL = 230

#: How many such segments there can be.
MOST_WITHOUT_LEVEL = 255 - FIRST_WITHOUT_LEVEL + 1


def addVolume(scene: Any, image: Volume) -> Any:
    """A volume node of a series, ready to be shown."""
    node = newVolumeNode(scene, image)
    node.CreateDefaultDisplayNodes()
    return node


def addSegmentation(scene: Any, volumeNode: Any, record: SeriesRecord, mask: StartingMask) -> Any:
    """The segmentation of a mask over its image, keeping the prediction that the mask began from, if any."""
    labels = np.where(mask.labels < FIRST_WITHOUT_LEVEL, mask.labels, 0).astype(np.uint8)
    node = plainSegmentation(scene, volumeNode, Volume(labels, record.geometry, record.series), mask.info, f"{record.series} segmentation")
    _addWithoutLevel(node, mask.labels)
    prediction = mask.shown or mask.inherited
    if prediction is not None:
        keepPrediction(node, prediction.labelmap, prediction.model_id)
    return node


def plainSegmentation(scene: Any, volumeNode: Any, labelmap: Volume, info: SegmentInfo, name: str) -> Any:
    """The segmentation of a labelmap that no model drew."""
    node = newSegmentationNode(scene, labelmap, volumeNode, info, name)
    forgetPrediction(node)
    return node


def _addWithoutLevel(segmentationNode: Any, labels: NDArray[np.uint8]) -> None:
    for number, value in enumerate(np.unique(labels[labels >= FIRST_WITHOUT_LEVEL]), start=1):
        segmentId = segmentationNode.GetSegmentation().AddEmptySegment("", f"Segment without a level {number}")
        setMask(segmentationNode, segmentId, labels == value)


def removeSegmentation(node: Any) -> None:
    """Removes a segmentation node from its scene, with what it keeps and shows; one that is gone already is let be."""
    scene = node.GetScene()
    if scene is None:
        return
    forgetOverlays(node)
    for part in (node.GetDisplayNode(), node.GetStorageNode(), node):
        if part is not None:
            scene.RemoveNode(part)


def removeNodes(volumeNodes: Iterable[Any]) -> None:
    """Removes volume nodes with their display nodes."""
    for node in volumeNodes:
        removeVolumeNode(node)
