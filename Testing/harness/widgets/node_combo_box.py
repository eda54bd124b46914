"""qMRMLNodeComboBox: lists the real scene's nodes and follows it."""

from __future__ import annotations

from typing import Any, ClassVar

import slicer
import vtk
from PySide6.QtCore import Property, Signal
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QWidget

from harness.pythonqt.ui_loader import register_stand_in
from harness.widgets.scene_observer import SceneObserver
from harness.widgets.stored_property import add_setters, stored_property


@register_stand_in
@add_setters
class qMRMLNodeComboBox(QWidget):
    """Chooses a node of the given types; without noneEnabled the first node is chosen as soon as there is one."""

    currentNodeChanged = Signal(object)
    currentNodeChangedValid = Signal(bool)
    currentNodeIDChanged = Signal(str)
    nodeActivated = Signal(object)
    nodeAdded = Signal(object)
    nodeAddedByUser = Signal(object)
    nodeAddedByUserAction = Signal(object)
    vtkSignals: ClassVar = {
        "currentNodeChanged(vtkMRMLNode*)": "currentNodeChanged(PyObject)",
        "currentNodeChanged(bool)": "currentNodeChangedValid(bool)",
        **{f"{name}(vtkMRMLNode*)": f"{name}(PyObject)" for name in ("nodeActivated", "nodeAdded", "nodeAddedByUser", "nodeAddedByUserAction")},
    }

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._scene: Any = None
        self._current_id = ""
        self._attributes: list[tuple[str, str, str | None]] = []
        self._scene_observer = SceneObserver(self)
        self._name_observer = SceneObserver(self)
        self._combo_box = QComboBox(self)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._combo_box)
        self._combo_box.connect("activated(int)", self._activated)
        self.enabled = False

    def _refill(self) -> None:
        if self._scene is None or self._scene.IsBatchProcessing():
            return
        nodes = self.nodes()
        self._observe_names(nodes)
        was_blocked = self._combo_box.blockSignals(True)
        self._combo_box.clear()
        if self.noneEnabled:
            self._combo_box.addItem(self.noneDisplay, "")
        for node in nodes:
            self._combo_box.addItem(node.GetName() or "", node.GetID())
        self._combo_box.blockSignals(was_blocked)
        ids = [node.GetID() for node in nodes]
        fallback = ids[0] if ids and not self.noneEnabled else ""
        self._choose(self._current_id if self._current_id in ids else fallback)

    nodeTypes = stored_property("QStringList", "nodeTypes", [], _refill)
    hideChildNodeTypes = stored_property("QStringList", "hideChildNodeTypes", [], _refill)
    showHidden = stored_property(bool, "showHidden", False, _refill)
    showChildNodeTypes = stored_property(bool, "showChildNodeTypes", True, _refill)
    noneEnabled = stored_property(bool, "noneEnabled", False, _refill)
    noneDisplay = stored_property(str, "noneDisplay", "None", _refill)
    addEnabled = stored_property(bool, "addEnabled", True)
    removeEnabled = stored_property(bool, "removeEnabled", True)
    editEnabled = stored_property(bool, "editEnabled", False)
    renameEnabled = stored_property(bool, "renameEnabled", False)
    selectNodeUponCreation = stored_property(bool, "selectNodeUponCreation", True)
    baseName = stored_property(str, "baseName", "")
    interactionNodeSingletonTag = stored_property(str, "interactionNodeSingletonTag", "")
    currentNodeID = Property(str, lambda self: self._current_id, lambda self, node_id: self.setCurrentNodeID(node_id))

    def mrmlScene(self) -> Any:
        return self._scene

    def setMRMLScene(self, scene: Any) -> None:
        self._scene_observer.forget()
        self._scene = scene
        self.enabled = scene is not None
        if scene is not None:
            events = (scene.NodeAddedEvent, scene.NodeRemovedEvent, scene.EndBatchProcessEvent, scene.EndCloseEvent, scene.EndImportEvent)
            self._scene_observer.observe(scene, events, self._scene_changed)
        self._refill()

    def nodes(self) -> list[Any]:
        """The nodes it lists, in the scene's order."""
        if self._scene is None:
            return []
        count = self._scene.GetNumberOfNodes()
        return [node for node in (self._scene.GetNthNode(index) for index in range(count)) if self._lists(node)]

    def nodeCount(self) -> int:
        return len(self.nodes())

    def nodeFromIndex(self, index: int) -> Any:
        nodes = self.nodes()
        return nodes[index] if 0 <= index < len(nodes) else None

    def currentNode(self) -> Any:
        return self._scene.GetNodeByID(self._current_id) if self._scene is not None and self._current_id else None

    def setCurrentNode(self, node: Any) -> None:
        if node is not None and not isinstance(node, slicer.vtkMRMLNode):
            raise ValueError(f"setCurrentNode takes a vtkMRMLNode, not a {type(node).__name__}")
        self.setCurrentNodeID(node.GetID() if node is not None else "")

    def setCurrentNodeID(self, node_id: str) -> None:
        """Chooses a listed node; anything else is "none"."""
        self._choose(node_id if node_id and any(node.GetID() == node_id for node in self.nodes()) else "")

    def setCurrentNodeIndex(self, index: int) -> None:
        self.setCurrentNode(self.nodeFromIndex(index))

    def addNode(self, node_type: str = "") -> Any:
        """What "Create new" in its list does."""
        node = self._scene.AddNewNodeByClass(node_type or self.nodeTypes[0], self._scene.GenerateUniqueName(self.baseName or "Node"))
        for _, name, value in self._attributes:
            node.SetAttribute(name, value)
        if self.selectNodeUponCreation:
            self.setCurrentNode(node)
        self.nodeAddedByUserAction.emit(node)
        return node

    def removeCurrentNode(self) -> None:
        self._scene.RemoveNode(self.currentNode())

    def addAttribute(self, node_type: str, name: str, value: str | None = None) -> None:
        self._attributes.append((node_type, name, value))
        self._refill()

    def removeAttribute(self, node_type: str, name: str) -> None:
        self._attributes = [attribute for attribute in self._attributes if attribute[:2] != (node_type, name)]
        self._refill()

    def _lists(self, node: Any) -> bool:
        if node.GetHideFromEditors() and not self.showHidden:
            return False
        fits = node.IsA if self.showChildNodeTypes else node.GetClassName().__eq__
        if not any(fits(node_type) for node_type in self.nodeTypes) or any(node.IsA(hidden) for hidden in self.hideChildNodeTypes):
            return False
        wanted = [(name, value) for node_type, name, value in self._attributes if node.IsA(node_type)]
        return all(node.GetAttribute(name) is not None and value in (None, node.GetAttribute(name)) for name, value in wanted)

    def _choose(self, node_id: str) -> None:
        was_blocked = self._combo_box.blockSignals(True)
        self._combo_box.currentIndex = self._combo_box.findData(node_id)
        self._combo_box.blockSignals(was_blocked)
        if node_id != self._current_id:
            self._current_id = node_id
            node = self.currentNode()
            self.currentNodeChanged.emit(node)
            self.currentNodeChangedValid.emit(node is not None)
            self.currentNodeIDChanged.emit(node_id)

    def _activated(self, index: int) -> None:
        self._choose(self._combo_box.itemData(index))
        self.nodeActivated.emit(self.currentNode())

    def _observe_names(self, nodes: list[Any]) -> None:
        self._name_observer.forget()
        for node in nodes:
            self._name_observer.observe(node, (vtk.vtkCommand.ModifiedEvent,), self._node_modified)

    def _node_modified(self, node: Any, _event: str) -> None:
        index = self._combo_box.findData(node.GetID())
        if index >= 0 and self._combo_box.itemText(index) != node.GetName():
            self._combo_box.setItemText(index, node.GetName())

    def _scene_changed(self, _scene: Any, _event: str) -> None:
        self._refill()
