"""A scene of real MRML classes with the logics that Slicer has around it, for tests of mrml/ without the application."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import slicer
import vtk
from numpy.typing import NDArray

from SpiderSegLib.mrml.history import EditorHistory
from SpiderSegLib.mrml.segmentations import SegmentInfo, newSegmentationNode
from SpiderSegLib.mrml.segments import segmentIdOfValue, segmentIds, segmentOf
from SpiderSegLib.mrml.volumes import matrixFromArray, newVolumeNode
from SpiderSegLib.phantom import SAGITTAL_DIRECTION
from SpiderSegLib.volume import Geometry, Volume

#: i to posterior, j to inferior, k to the right: voxel (i, j, k) lies at RAS (-4 + 4k, -2 - i, 10 - j), and has 4 mm3.
COLUMN = Geometry((8, 12, 3), (1.0, 1.0, 4.0), (4.0, 2.0, 10.0), SAGITTAL_DIRECTION)

#: What each row j of `columnLabels` holds in its columns 1 to 4, from the top: L3, its disc, L4, its disc, L5, its disc, nothing.
COLUMN_ROWS = (3, 3, 203, 2, 2, 2, 202, 1, 1, 1, 201, 0)


def columnLabels() -> NDArray[np.uint8]:
    """Three bodies with their discs and the canal behind them, in all three slices of COLUMN.

    Voxels: L3 24, L4 and L5 36 each, discs 12 each, canal 36.
    """
    labels = np.zeros(COLUMN.shape_kji, np.uint8)
    labels[:, :, 1:5] = np.array(COLUMN_ROWS, np.uint8)[None, :, None]
    labels[:, :, 6] = 100
    return labels


def columnPoint(i: float, j: float, k: float) -> tuple[float, float, float]:
    """Where a voxel of COLUMN lies, RAS."""
    return -4.0 + 4.0 * k, -2.0 - i, 10.0 - j


def named(segmentationNode: Any) -> list[str]:
    """Names in the order of the segment list."""
    return [segmentOf(segmentationNode, segmentId).GetName() for segmentId in segmentIds(segmentationNode)]


def idOf(segmentationNode: Any, value: int) -> str:
    """ID of the segment with a SPIDER value; fails when there is none."""
    segmentId = segmentIdOfValue(segmentationNode, value)
    assert segmentId is not None
    return segmentId


@dataclass(frozen=True)
class Case:
    """A volume node, its segmentation and the history of an editor on it."""

    volumeNode: Any
    node: Any
    history: EditorHistory


@dataclass
class MrmlScene:
    """The scene, and the logics kept alive beside it: the application logic does not own them."""

    scene: Any
    logics: list[Any] = field(default_factory=list)

    def newVolume(self, geometry: Geometry, name: str = "t2", array: np.ndarray[Any, Any] | None = None) -> Any:
        """A scalar volume node, empty if no array is given."""
        return newVolumeNode(self.scene, Volume(np.zeros(geometry.shape_kji, np.int16) if array is None else array, geometry, name))

    def newCase(self, labels: NDArray[np.uint8], geometry: Geometry, info: SegmentInfo | None = None) -> Case:
        """A volume and its segmentation made of a labelmap."""
        volumeNode = self.newVolume(geometry)
        node = newSegmentationNode(self.scene, Volume(labels, geometry), volumeNode, info)
        return Case(volumeNode, node, self.newEditor(node, volumeNode))

    def newColumn(self, info: SegmentInfo | None = None) -> Case:
        """`columnLabels` on COLUMN."""
        return self.newCase(columnLabels(), COLUMN, info)

    def newTransform(self, matrix: NDArray[np.float64] | Sequence[Sequence[float]], parent: Any = None) -> Any:
        """A linear transform node with a 4x4 matrix to its parent, RAS."""
        node = self.scene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
        node.SetMatrixTransformToParent(matrixFromArray(np.asarray(matrix, dtype=float)))
        if parent is not None:
            node.SetAndObserveTransformNodeID(parent.GetID())
        return node

    def readBundle(self, path: Path) -> bool:
        """Reads a scene bundle (.mrb) into this scene."""
        files = slicer.vtkMRMLRemoteIOLogic()
        files.SetMRMLApplicationLogic(self.logics[0])
        files.SetMRMLScene(self.scene)
        files.AddDataIOToScene()
        self.logics.append(files)
        return bool(self.scene.ReadFromMRB(str(path)))

    def newEditor(self, segmentationNode: Any, volumeNode: Any) -> EditorHistory:
        """The undo history of a segment editor on a segmentation."""
        editorNode = self.scene.AddNewNodeByClass("vtkMRMLSegmentEditorNode")
        logic = slicer.vtkSlicerSegmentEditorLogic()
        logic.SetMRMLScene(self.scene)
        logic.SetSegmentEditorNode(editorNode)
        logic.SetSegmentationNode(segmentationNode)
        logic.SetSourceVolumeNode(volumeNode)
        logic.SetMaximumNumberOfUndoStates(20)
        return EditorHistory(logic)


def newScene() -> MrmlScene:
    """A scene with colors, subject hierarchy, volumes and segmentations."""
    scene = slicer.vtkMRMLScene()
    application = slicer.vtkMRMLApplicationLogic()
    application.SetMRMLScene(scene)
    logics: list[Any] = [application]
    colors = slicer.vtkMRMLColorLogic()
    colors.SetMRMLApplicationLogic(application)
    colors.SetMRMLScene(scene)
    application.SetModuleLogic("Colors", colors)
    logics.append(colors)
    for name, logicClass in (
        ("SubjectHierarchy", slicer.vtkSlicerSubjectHierarchyModuleLogic),
        ("Volumes", slicer.vtkSlicerVolumesLogic),
        ("Segmentations", slicer.vtkSlicerSegmentationsModuleLogic),
    ):
        logic = logicClass()
        logic.SetMRMLApplicationLogic(application)
        logic.SetMRMLScene(scene)
        application.SetModuleLogic(name, logic)
        logics.append(logic)
    return MrmlScene(scene, logics)


class Messages:
    """What VTK writes to its output window: errors and warnings, which no exception shows."""

    def __init__(self) -> None:
        self._window = vtk.vtkStringOutputWindow()
        vtk.vtkOutputWindow.SetInstance(self._window)

    def found(self) -> list[str]:
        """Errors and warnings so far."""
        return [text for text in self._window.GetOutput().split("\n\n") if text.lstrip().startswith(("ERROR", "Error", "Warning", "Generic Warning"))]

    def close(self) -> None:
        vtk.vtkOutputWindow.SetInstance(None)
