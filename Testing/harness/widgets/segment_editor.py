"""qMRMLSegmentEditorWidget over the real vtkSlicerSegmentEditorLogic: selection, undo and redo are Slicer's; effects are names only."""

from __future__ import annotations

from typing import Any, ClassVar

import slicer
import vtk
from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QKeySequence, QShortcut
from PySide6.QtWidgets import QHBoxLayout, QListWidget, QPushButton, QVBoxLayout, QWidget

from harness.pythonqt.ui_loader import register_stand_in
from harness.widgets.mrml_widget import qMRMLWidget
from harness.widgets.node_combo_box import qMRMLNodeComboBox
from harness.widgets.scene_observer import SceneObserver
from harness.widgets.stored_property import add_setters, stored_property

EFFECT_NAMES = (
    *("Threshold", "Paint", "Draw", "Erase", "Level tracing", "Grow from seeds", "Fill between slices"),
    *("Margin", "Hollow", "Smoothing", "Scissors", "Islands", "Logical operators", "Mask volume"),
)


@register_stand_in
@add_setters
class qMRMLSegmentEditorWidget(qMRMLWidget):
    """The editor with its two selectors, its list of segments and its undo buttons. To paint, use ModifySegmentByLabelmap."""

    currentSegmentIDChanged = Signal(str)
    segmentationNodeChanged = Signal(object)
    sourceVolumeNodeChanged = Signal(object)
    vtkSignals: ClassVar = {
        **qMRMLWidget.vtkSignals,
        "segmentationNodeChanged(vtkMRMLSegmentationNode*)": "segmentationNodeChanged(PyObject)",
        "sourceVolumeNodeChanged(vtkMRMLVolumeNode*)": "sourceVolumeNodeChanged(PyObject)",
    }

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._logic = slicer.vtkSlicerSegmentEditorLogic()
        self._effect_order: list[str] = []
        self._shortcuts: list[QShortcut] = []
        self._editor_node: Any = None
        self._segmentation: Any = None
        self._scene_observer = SceneObserver(self)
        self._node_observer = SceneObserver(self)
        self._segmentation_observer = SceneObserver(self)
        self._build()
        SceneObserver(self).observe(self._logic, (self._logic.SegmentationHistoryChangedEvent,), self._history_changed)
        self._selectors_changed()
        self._update_undo_buttons()

    def _build(self) -> None:
        self._segmentation_selector = _selector(self, "vtkMRMLSegmentationNode")
        self._volume_selector = _selector(self, "vtkMRMLScalarVolumeNode", "vtkMRMLLabelMapVolumeNode")
        self._segments = QListWidget(self)
        self._undo_button = QPushButton("Undo", self)
        self._redo_button = QPushButton("Redo", self)
        layout = QVBoxLayout(self)
        for widget in (self._segmentation_selector, self._volume_selector, self._segments):
            layout.addWidget(widget)
        buttons = QHBoxLayout()
        buttons.addWidget(self._undo_button)
        buttons.addWidget(self._redo_button)
        layout.addLayout(buttons)
        self._segmentation_selector.connect("currentNodeChanged(vtkMRMLNode*)", self.setSegmentationNode)
        self._volume_selector.connect("currentNodeChanged(vtkMRMLNode*)", self.setSourceVolumeNode)
        self._segments.connect("currentRowChanged(int)", self._row_changed)
        self._undo_button.connect("clicked()", self.undo)
        self._redo_button.connect("clicked()", self.redo)

    def _selectors_changed(self) -> None:
        self._segmentation_selector.visible = self.segmentationNodeSelectorVisible
        self._volume_selector.visible = self.sourceVolumeNodeSelectorVisible

    def _undo_changed(self) -> None:
        self._logic.SetMaximumNumberOfUndoStates(self.maximumNumberOfUndoStates if self.undoEnabled else 0)
        self._update_undo_buttons()

    segmentationNodeSelectorVisible = stored_property(bool, "segmentationNodeSelectorVisible", True, _selectors_changed)
    sourceVolumeNodeSelectorVisible = stored_property(bool, "sourceVolumeNodeSelectorVisible", True, _selectors_changed)
    autoShowSourceVolumeNode = stored_property(bool, "autoShowSourceVolumeNode", True)
    switchToSegmentationsButtonVisible = stored_property(bool, "switchToSegmentationsButtonVisible", True)
    undoEnabled = stored_property(bool, "undoEnabled", True, _undo_changed)
    maximumNumberOfUndoStates = stored_property(int, "maximumNumberOfUndoStates", 10, _undo_changed)
    readOnly = stored_property(bool, "readOnly", False)
    effectButtonStyle = stored_property(int, "effectButtonStyle", int(Qt.ToolButtonStyle.ToolButtonTextUnderIcon))
    effectColumnCount = stored_property(int, "effectColumnCount", 2)
    unorderedEffectsVisible = stored_property(bool, "unorderedEffectsVisible", True)
    defaultTerminologyEntrySettingsKey = stored_property(str, "defaultTerminologyEntrySettingsKey", "Segmentations/DefaultTerminologyEntry")
    defaultTerminologyEntry = stored_property(str, "defaultTerminologyEntry", "")
    jumpToSelectedSegmentEnabled = stored_property(bool, "jumpToSelectedSegmentEnabled", False)

    def setMRMLScene(self, scene: Any) -> None:
        self._logic.SetMRMLScene(scene)
        self._segmentation_selector.setMRMLScene(scene)
        self._volume_selector.setMRMLScene(scene)
        super().setMRMLScene(scene)
        self._scene_observer.forget()
        if scene is not None:
            self._scene_observer.observe(scene, (scene.EndCloseEvent,), self._scene_closed)

    def mrmlSegmentEditorNode(self) -> Any:
        return self._editor_node

    def setMRMLSegmentEditorNode(self, node: Any) -> None:
        self._node_observer.forget()
        self._editor_node = node
        self._logic.SetSegmentEditorNode(node)
        if node is not None:
            self._node_observer.observe(node, (vtk.vtkCommand.ModifiedEvent,), self._node_modified)
        self.updateWidgetFromMRML()

    def segmentationNode(self) -> Any:
        return self._editor_node.GetSegmentationNode() if self._editor_node is not None else None

    def segmentationNodeID(self) -> str:
        return _id(self.segmentationNode())

    def setSegmentationNode(self, node: Any) -> None:
        if self._editor_node is None or node is self.segmentationNode():
            return
        self._editor_node.SetAndObserveSegmentationNode(node)
        self._logic.SetSegmentationNode(node)
        self.updateWidgetFromMRML()
        self.segmentationNodeChanged.emit(node)

    def setSegmentationNodeID(self, node_id: str) -> None:
        self.setSegmentationNode(self.mrmlScene().GetNodeByID(node_id))

    def sourceVolumeNode(self) -> Any:
        return self._editor_node.GetSourceVolumeNode() if self._editor_node is not None else None

    def sourceVolumeNodeID(self) -> str:
        return _id(self.sourceVolumeNode())

    def setSourceVolumeNode(self, node: Any) -> None:
        """As in Slicer, it needs a segmentation to be chosen first."""
        if self._editor_node is None or node is self.sourceVolumeNode():
            return
        self._logic.SetSourceVolumeNode(node)
        self.updateWidgetFromMRML()
        self.sourceVolumeNodeChanged.emit(node)

    def setSourceVolumeNodeID(self, node_id: str) -> None:
        self.setSourceVolumeNode(self.mrmlScene().GetNodeByID(node_id))

    def currentSegmentID(self) -> str:
        return (self._editor_node.GetSelectedSegmentID() or "") if self._editor_node is not None else ""

    def setCurrentSegmentID(self, segment_id: str) -> None:
        if self._editor_node is not None and segment_id != self.currentSegmentID():
            self._editor_node.SetSelectedSegmentID(segment_id)
            self.currentSegmentIDChanged.emit(segment_id)

    def availableEffectNames(self) -> list[str]:
        return list(EFFECT_NAMES)

    def effectNameOrder(self) -> list[str]:
        return list(self._effect_order)

    def setEffectNameOrder(self, names: list[str]) -> None:
        self._effect_order = list(names)

    def effectCount(self) -> int:
        others = len(EFFECT_NAMES) - len(set(EFFECT_NAMES) & set(self._effect_order)) if self.unorderedEffectsVisible else 0
        return len(self._effect_order) + others

    def activeEffect(self) -> None:
        """None: effects are C++ and Python code of the application."""

    def setActiveEffect(self, effect: Any) -> None:
        if self._editor_node is not None and effect is None:
            self._editor_node.SetActiveEffectName("")

    def setActiveEffectByName(self, name: str) -> None:
        if name and name not in EFFECT_NAMES:
            raise ValueError(f"Slicer has no Segment Editor effect '{name}': it has {', '.join(EFFECT_NAMES)}")
        if self._editor_node is not None:
            self._editor_node.SetActiveEffectName(name)

    def saveStateForUndo(self) -> None:
        if self.undoEnabled:
            self._logic.SaveStateForUndo()

    def undo(self) -> None:
        self._logic.Undo()

    def redo(self) -> None:
        self._logic.Redo()

    def installKeyboardShortcuts(self, parent: QWidget | None = None) -> None:
        """Undo and redo, as far as the stand-in goes; Slicer adds keys for effects and segments."""
        self.uninstallKeyboardShortcuts()
        for key, slot in ((QKeySequence.StandardKey.Undo, self.undo), (QKeySequence.StandardKey.Redo, self.redo)):
            shortcut = QShortcut(QKeySequence(key), parent or self)
            shortcut.connect("activated()", slot)
            self._shortcuts.append(shortcut)

    def uninstallKeyboardShortcuts(self) -> None:
        for shortcut in self._shortcuts:
            shortcut.setParent(None)
        self._shortcuts = []

    def setupViewObservations(self) -> None:
        """Mouse events of slice views go to the active effect; here there is none."""

    def removeViewObservations(self) -> None:
        """Undoes setupViewObservations."""

    def rotateSliceViewsToSegmentation(self) -> None:
        for node in slicer.util.getNodesByClass("vtkMRMLSliceNode"):
            if self.sourceVolumeNode() is not None:
                node.RotateToVolumePlane(self.sourceVolumeNode())

    def updateWidgetFromMRML(self) -> None:
        self._segmentation_selector.setCurrentNode(self.segmentationNode())
        self._volume_selector.setCurrentNode(self.sourceVolumeNode())
        self._observe_segmentation()
        self._fill_segments()
        self._update_undo_buttons()

    def _observe_segmentation(self) -> None:
        segmentation = self.segmentationNode().GetSegmentation() if self.segmentationNode() is not None else None
        if segmentation is self._segmentation:
            return
        self._segmentation_observer.forget()
        self._segmentation = segmentation
        if segmentation is not None:
            events = (segmentation.SegmentAdded, segmentation.SegmentRemoved, segmentation.SegmentModified)
            self._segmentation_observer.observe(segmentation, events, self._segments_changed)

    def _segment_ids(self) -> list[str]:
        return list(self._segmentation.GetSegmentIDs()) if self._segmentation is not None else []

    def _fill_segments(self) -> None:
        ids = self._segment_ids()
        was_blocked = self._segments.blockSignals(True)
        self._segments.clear()
        self._segments.addItems([self._segmentation.GetSegment(segment_id).GetName() for segment_id in ids])
        if self.currentSegmentID() in ids:
            self._segments.setCurrentRow(ids.index(self.currentSegmentID()))
        self._segments.blockSignals(was_blocked)

    def _scene_closed(self, _scene: Any, _event: str) -> None:
        self.setMRMLSegmentEditorNode(None)

    def _node_modified(self, _node: Any, _event: str) -> None:
        self.updateWidgetFromMRML()

    def _segments_changed(self, _segmentation: Any, _event: str) -> None:
        self._fill_segments()

    def _history_changed(self, _logic: Any, _event: str) -> None:
        self._update_undo_buttons()

    def _row_changed(self, row: int) -> None:
        ids = self._segment_ids()
        if 0 <= row < len(ids):
            self.setCurrentSegmentID(ids[row])

    def _update_undo_buttons(self) -> None:
        self._undo_button.enabled = bool(self._logic.CanUndo())
        self._redo_button.enabled = bool(self._logic.CanRedo())


def _selector(parent: QWidget, *node_types: str) -> qMRMLNodeComboBox:
    selector = qMRMLNodeComboBox(parent)
    selector.noneEnabled = True
    selector.addEnabled = False
    selector.nodeTypes = list(node_types)
    return selector


def _id(node: Any) -> str:
    return node.GetID() if node is not None else ""
