"""What the views show: the middle of a level, opacity and outline, confidence colors, the prediction and what was changed of it."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from SpiderSegLib.errors import InputError
from SpiderSegLib.labels import label_table
from SpiderSegLib.mrml.segmentations import PREDICTION_ROLE, labelmapOf, predictionNodeOf, removeVolumeNode
from SpiderSegLib.mrml.segments import segmentOf, taggedSegments
from SpiderSegLib.mrml.spine_tools import predictedLabels
from SpiderSegLib.mrml.volumes import newVolumeNode, setVolume
from SpiderSegLib.uncertainty import LOW_CONFIDENCE
from SpiderSegLib.volume import Volume

#: Colors of low, middle and full confidence, RGB 0..1: amber to blue, told apart by people who can't tell red from green.
AMBER, PALE, BLUE = (0.95, 0.6, 0.1), (0.85, 0.85, 0.8), (0.2, 0.45, 0.85)

#: Node reference of a segmentation to the labelmap of changed voxels, and attribute of the color table that goes with it.
DIFFERENCE_ROLE = "SpiderSeg.difference"
COLORS_ATTRIBUTE = "SpiderSeg.colors"

ADDED, REMOVED, RELABELED = 1, 2, 3
_DIFFERENCE_COLORS = {ADDED: ("added", (0.2, 0.8, 0.3)), REMOVED: ("removed", (0.9, 0.2, 0.2)), RELABELED: ("other level", (0.95, 0.8, 0.1))}


class Overlay(str, Enum):
    """What is drawn as outlines over the segments."""

    NOTHING = "nothing"
    PREDICTION = "prediction"
    DIFFERENCE = "difference"


def jumpTo(scene: Any, pointRas: tuple[float, float, float]) -> None:
    """Moves all slice views of a scene to a point, centered; 3D views and zoom stay."""
    for index in range(scene.GetNumberOfNodesByClass("vtkMRMLSliceNode")):
        scene.GetNthNodeByClass(index, "vtkMRMLSliceNode").JumpSliceByCentering(*pointRas)


def showInSlices(scene: Any, volumeNode: Any) -> None:
    """Shows a volume in the background of the slice views, linked, unless one of them shows it already; the field of view is left alone."""
    count = scene.GetNumberOfNodesByClass("vtkMRMLSliceCompositeNode")
    composites = [scene.GetNthNodeByClass(index, "vtkMRMLSliceCompositeNode") for index in range(count)]
    if any(composite.GetBackgroundVolumeID() == volumeNode.GetID() for composite in composites):
        return
    for composite in composites:
        composite.SetBackgroundVolumeID(volumeNode.GetID())
        composite.SetLinkedControl(True)


def linkSlices(scene: Any) -> None:
    """Links the slice views, so that series of a patient scroll together."""
    for index in range(scene.GetNumberOfNodesByClass("vtkMRMLSliceCompositeNode")):
        scene.GetNthNodeByClass(index, "vtkMRMLSliceCompositeNode").SetLinkedControl(True)


def setOpacity(segmentationNode: Any, opacity: float, outlineOnly: bool) -> None:
    """Opacity 0..1 of the fill in slice views, and whether only outlines are drawn."""
    display = segmentationNode.GetDisplayNode()
    display.SetOpacity2DFill(opacity)
    display.SetVisibility2DFill(not outlineOnly)
    display.SetVisibility2DOutline(True)


def confidenceColor(confidence: float) -> tuple[float, float, float]:
    """Amber up to LOW_CONFIDENCE's half, pale at LOW_CONFIDENCE, blue at 1; linear between."""
    points = (0.5 * LOW_CONFIDENCE, LOW_CONFIDENCE, 1.0)
    red, green, blue = (float(np.interp(confidence, points, column)) for column in zip(AMBER, PALE, BLUE, strict=True))
    return red, green, blue


def colorByConfidence(segmentationNode: Any, isOn: bool) -> None:
    """Colors segments by confidence instead of by level, in the display only: the segments' own colors stay. By hand drawn ones stay too."""
    display = segmentationNode.GetDisplayNode()
    for segmentId, _, tags in taggedSegments(segmentationNode):
        shown = confidenceColor(tags.confidence) if isOn and tags.confidence is not None else (-1.0, -1.0, -1.0)
        display.SetSegmentOverrideColor(segmentId, *shown)


def showOverlay(segmentationNode: Any, overlay: Overlay) -> None:
    """Draws the prediction (outlines) or what was changed of it (filled) in the label layer of all slice views; NOTHING takes it away.

    Raises InputError when the segmentation keeps no prediction.
    """
    scene = segmentationNode.GetScene()
    if overlay is Overlay.NOTHING:
        clearOverlay(scene)
        return
    if overlay is Overlay.PREDICTION:
        node = predictionNodeOf(segmentationNode)
        if node is None:
            raise InputError(f"{segmentationNode.GetName()} keeps no prediction to show")
        _useColors(scene, node, {value: (entry.name, tuple(part / 255 for part in entry.color_rgba[:3])) for value, entry in label_table().items()})
    else:
        node = _differenceNode(segmentationNode)
        _useColors(scene, node, _DIFFERENCE_COLORS)
    _showLabels(scene, node.GetID(), outlines=overlay is Overlay.PREDICTION)


def clearOverlay(scene: Any) -> None:
    """Takes the label layer out of all slice views."""
    _showLabels(scene, None, outlines=False)


def _showLabels(scene: Any, nodeId: str | None, outlines: bool) -> None:
    for index in range(scene.GetNumberOfNodesByClass("vtkMRMLSliceCompositeNode")):
        scene.GetNthNodeByClass(index, "vtkMRMLSliceCompositeNode").SetLabelVolumeID(nodeId)
    for index in range(scene.GetNumberOfNodesByClass("vtkMRMLSliceNode")):
        scene.GetNthNodeByClass(index, "vtkMRMLSliceNode").SetUseLabelOutline(outlines)


def _differenceNode(segmentationNode: Any) -> Any:
    predicted = predictedLabels(segmentationNode)
    present = labelmapOf(segmentationNode).labelmap
    volume = Volume(difference(predicted, present.array), present.geometry, f"{segmentationNode.GetName()} changes")
    node = segmentationNode.GetNodeReference(DIFFERENCE_ROLE)
    if node is None:
        node = newVolumeNode(segmentationNode.GetScene(), volume, className="vtkMRMLLabelMapVolumeNode")
        node.SetHideFromEditors(True)
        node.SetSaveWithScene(False)
        segmentationNode.SetNodeReferenceID(DIFFERENCE_ROLE, node.GetID())
    else:
        setVolume(node, volume)
    return node


def difference(predicted: NDArray[np.uint8], present: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """ADDED, REMOVED and RELABELED voxels of two labelmaps of one grid, else 0.

    A predicted label counts as the present one that has most of its voxels, so that shifted levels alone are no change.
    """
    pairs = np.zeros((256, 256), dtype=np.int64)
    pairs += np.bincount(predicted.ravel().astype(np.int64) * 256 + present.ravel(), minlength=256 * 256).reshape(256, 256)
    pairs[:, 0] = 0
    expected = np.where(pairs.any(axis=1), pairs.argmax(axis=1), 0)
    expected[0] = 0
    changed = np.zeros(predicted.shape, dtype=np.uint8)
    changed[(predicted == 0) & (present > 0)] = ADDED
    changed[(predicted > 0) & (present == 0)] = REMOVED
    changed[(predicted > 0) & (present > 0) & (expected[predicted] != present)] = RELABELED
    return changed


def _useColors(scene: Any, labelmapNode: Any, colors: Mapping[int, tuple[str, tuple[float, ...]]]) -> None:
    """Gives a labelmap node a color table of its own, made once."""
    if labelmapNode.GetDisplayNode() is None:
        labelmapNode.CreateDefaultDisplayNodes()
    display = labelmapNode.GetDisplayNode()
    if display.GetColorNode() is not None and display.GetColorNode().GetAttribute(COLORS_ATTRIBUTE):
        return
    table = scene.AddNewNodeByClass("vtkMRMLColorTableNode", f"{labelmapNode.GetName()} colors")
    table.SetHideFromEditors(True)
    table.SetAttribute(COLORS_ATTRIBUTE, "1")
    table.SetTypeToUser()
    table.SetNumberOfColors(max(colors) + 1)
    table.SetColor(0, "background", 0.0, 0.0, 0.0, 0.0)
    for value, (name, color) in colors.items():
        table.SetColor(value, name, *color, 1.0)
    display.SetAndObserveColorNodeID(table.GetID())


def forgetOverlays(segmentationNode: Any) -> None:
    """Removes prediction, difference labelmap and the color tables that belong to a segmentation, as before it is deleted."""
    scene = segmentationNode.GetScene()
    for role in (PREDICTION_ROLE, DIFFERENCE_ROLE):
        node = segmentationNode.GetNodeReference(role)
        display = node.GetDisplayNode() if node is not None else None
        colors = display.GetColorNode() if display is not None else None
        if colors is not None and colors.GetAttribute(COLORS_ATTRIBUTE):
            scene.RemoveNode(colors)
        if node is not None:
            removeVolumeNode(node)


def showSegmentAlone(segmentationNode: Any, segmentId: str | None) -> None:
    """Shows one segment only, or with None all of them."""
    display = segmentationNode.GetDisplayNode()
    if segmentId is None:
        display.SetAllSegmentsVisibility(True)
        return
    segmentOf(segmentationNode, segmentId)
    display.SetAllSegmentsVisibility(False)
    display.SetSegmentVisibility(segmentId, True)
