"""slicer.modules and what hangs on it: module objects, the module manager, and the panel that owns a scripted module's widget."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import Any

import slicer
from PySide6.QtCore import Property, QObject, Signal
from PySide6.QtGui import QIcon
from PySide6.QtWidgets import QVBoxLayout, QWidget

from harness.pythonqt.properties import seal
from harness.widgets.stored_property import stored_property

_LOGIC_OF_MODULE = {name.lower(): name for name in ("Colors", "Units", "Volumes", "SubjectHierarchy", "Terminologies", "Segmentations", "Markups")}
_LOGIC_OF_MODULE |= {name.lower(): name for name in ("Models", "Tables", "Texts", "Transforms", "Plots", "Sequences", "CropVolume", "Data")}


class CoreModule:
    """A module of Slicer itself, as far as tests need one: a name and a real logic."""

    def __init__(self, name: str, logic: Any) -> None:
        self.name = name
        self.title = name
        self._logic = logic

    def logic(self) -> Any:
        return self._logic


@seal
class qSlicerScriptedLoadableModule(QObject):
    """The C++ half of a scripted module: the `parent` that its __init__ describes itself to. Takes known attributes only."""

    title = stored_property(str, "title", "")
    categories = stored_property("QStringList", "categories", [])
    contributors = stored_property("QStringList", "contributors", [])
    dependencies = stored_property("QStringList", "dependencies", [])
    associatedNodeTypes = stored_property("QStringList", "associatedNodeTypes", [])
    helpText = stored_property(str, "helpText", "")
    acknowledgementText = stored_property(str, "acknowledgementText", "")
    hidden = stored_property(bool, "hidden", False)
    index = stored_property(int, "index", -1)
    icon = stored_property(QIcon, "icon", QIcon())
    widgetRepresentationCreationEnabled = stored_property(bool, "widgetRepresentationCreationEnabled", True)

    def __init__(self, name: str, path: str) -> None:
        super().__init__()
        self._module_name = name
        self._path = path
        self._widget: QWidget | None = None

    path = Property(str, lambda self: self._path)

    @property
    def name(self) -> str:
        return self._module_name

    def widgetRepresentation(self) -> QWidget | None:
        return self._widget

    def logic(self) -> None:
        return None


@seal
class qSlicerScriptedLoadableModuleWidget(QWidget):
    """The panel: makes the module's <Name>Widget, and tells it when the user comes and goes."""

    mrmlSceneChanged = Signal(object)
    vtkSignals = {"mrmlSceneChanged(vtkMRMLScene*)": "mrmlSceneChanged(PyObject)"}  # noqa: RUF012  Qt classes have no annotations

    def __init__(self, module_name: str) -> None:
        super().__init__()
        self._module_name = module_name
        self._entered = False
        self._python_widget: Any = None
        self.setLayout(QVBoxLayout())

    isEntered = Property(bool, lambda self: self._entered)

    def self(self) -> Any:
        return self._python_widget

    def mrmlScene(self) -> Any:
        return slicer.mrmlScene

    def setMRMLScene(self, scene: Any) -> None:
        self.mrmlSceneChanged.emit(scene)

    def reload(self) -> None:
        """A new <Name>Widget of the class as it is now in sys.modules, set up inside this panel."""
        widget_class = getattr(sys.modules[self._module_name], f"{self._module_name}Widget")
        self._python_widget = widget_class(self)
        setattr(slicer.modules, f"{self._module_name}Widget", self._python_widget)
        self._python_widget.setup()

    def enter(self) -> None:
        self._entered = True
        self._python_widget.enter()

    def exit(self) -> None:
        self._entered = False
        self._python_widget.exit()


@seal
class ModuleManager(QObject):
    """slicer.app.moduleManager()."""

    moduleLoaded = Signal(str)
    moduleAboutToBeUnloaded = Signal(str)

    def __init__(self, modules: SimpleNamespace) -> None:
        super().__init__()
        self._modules = modules

    def module(self, name: str) -> Any:
        return getattr(self._modules, name.lower(), None)

    def factoryManager(self) -> ModuleManager:
        return self

    def loadedModuleNames(self) -> list[str]:
        return [module.name for module in vars(self._modules).values() if isinstance(module, CoreModule | qSlicerScriptedLoadableModule)]


def build_modules(logics: dict[str, Any]) -> SimpleNamespace:
    """slicer.modules with the core modules that have a logic in slicer-core."""
    modules = {lower: CoreModule(name, logics[name]) for lower, name in _LOGIC_OF_MODULE.items()}
    return SimpleNamespace(**modules, sampleDataSources={})
