"""qMRMLWidget: the root of a module's .ui, which hands the scene to its children through <connections>."""

from __future__ import annotations

from typing import Any, ClassVar

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QWidget

from harness.pythonqt.ui_loader import register_stand_in


@register_stand_in
class qMRMLWidget(QWidget):
    """A widget that knows the MRML scene."""

    mrmlSceneChanged = Signal(object)
    vtkSignals: ClassVar = {"mrmlSceneChanged(vtkMRMLScene*)": "mrmlSceneChanged(PyObject)"}

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._scene: Any = None

    def mrmlScene(self) -> Any:
        return self._scene

    def setMRMLScene(self, scene: Any) -> None:
        if scene is not self._scene:
            self._scene = scene
            self.mrmlSceneChanged.emit(scene)
