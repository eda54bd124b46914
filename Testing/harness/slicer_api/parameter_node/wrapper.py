"""@parameterNodeWrapper: makes a class of annotated names into properties over a vtkMRMLScriptedModuleNode."""

from __future__ import annotations

from typing import Any

import slicer
import vtk
from PySide6.QtWidgets import QWidget

from harness.slicer_api.parameter_node.connectors import Connector, connector_for
from harness.slicer_api.parameter_node.parameters import parameters_of

PROPERTY_NAME = "SlicerParameterName"


class ParameterNodeWrapper:
    """Base of the decorated classes. Reads and writes go to the node each time, so that a loaded scene or another wrapper is seen."""

    allParameters: dict[str, Any]

    def __init__(self, parameterNode: Any, prefix: str | None = None) -> None:
        self.parameterNode = parameterNode
        self._prefix = prefix or ""
        self._guis: dict[int, tuple[int, dict[str, Connector]]] = {}
        self._next_tag = 0
        self._updating_gui = False
        with slicer.util.NodeModify(parameterNode):
            for parameter in self.allParameters.values():
                if not parameter.serializer.contains(parameterNode, self._prefix + parameter.name):
                    self.setValue(parameter.name, parameter.default.value)

    def getValue(self, name: str) -> Any:
        """The default where the node has lost the parameter, as it has when its scene is closed."""
        parameter = self._parameter(name)
        if not parameter.serializer.contains(self.parameterNode, self._prefix + name):
            return parameter.default.value
        return parameter.serializer.read(self.parameterNode, self._prefix + name)

    def setValue(self, name: str, value: Any) -> None:
        """Raises ValueError for a wrong type or a value that a validator refuses; the node is then as it was."""
        parameter = self._parameter(name)
        parameter.check(value)
        with slicer.util.NodeModify(self.parameterNode):
            parameter.serializer.write(self.parameterNode, self._prefix + name, value)

    def default(self, name: str) -> Any:
        return self._parameter(name).default

    def dataType(self, name: str) -> Any:
        return self._parameter(name).data_type

    def connectGui(self, gui: Any) -> int:
        """Binds every widget with the dynamic property SlicerParameterName; `gui` is a widget or what childWidgetVariables gave."""
        widgets = gui.findChildren(QWidget) if isinstance(gui, QWidget) else [child for child in vars(gui).values() if isinstance(child, QWidget)]
        return self.connectParametersToGui({name: widget for widget in widgets if (name := widget.property(PROPERTY_NAME))})

    def connectParametersToGui(self, mapping: dict[str, Any]) -> int:
        """Binds {parameter: widget} both ways, beginning with the parameters' values; returns the tag for disconnectGui."""
        connectors = {name: connector_for(self._parameter(name), widget) for name, widget in mapping.items()}
        observer = self.parameterNode.AddObserver(vtk.vtkCommand.ModifiedEvent, lambda _caller, _event: self._update_gui())
        tag = self._next_tag
        self._next_tag += 1
        self._guis[tag] = (observer, connectors)
        self._update_gui()
        for name, connector in connectors.items():
            connector.connect(lambda name=name, connector=connector: self._take_from_gui(name, connector))
        return tag

    def disconnectGui(self, tag: int | None) -> None:
        """Undoes connectGui; does nothing for a tag that is not connected."""
        if tag in self._guis:
            observer, connectors = self._guis.pop(tag)
            self.parameterNode.RemoveObserver(observer)
            for connector in connectors.values():
                connector.disconnect()

    def AddObserver(self, event: Any, callback: Any, priority: float = 0.0) -> int:
        return int(self.parameterNode.AddObserver(event, callback, priority))

    def RemoveObserver(self, tag: int) -> None:
        self.parameterNode.RemoveObserver(tag)

    def StartModify(self) -> int:
        return int(self.parameterNode.StartModify())

    def EndModify(self, wasModifying: int) -> int:
        return int(self.parameterNode.EndModify(wasModifying))

    def Modified(self) -> None:
        self.parameterNode.Modified()

    def _parameter(self, name: str) -> Any:
        if name not in self.allParameters:
            raise ValueError(f"{type(self).__name__} has no parameter '{name}': it has {', '.join(self.allParameters)}")
        return self.allParameters[name]

    def _update_gui(self) -> None:
        if self._updating_gui:
            return
        self._updating_gui = True
        try:
            for _, connectors in list(self._guis.values()):
                for name, connector in connectors.items():
                    connector.write(self.getValue(name))
        finally:
            self._updating_gui = False

    def _take_from_gui(self, name: str, connector: Connector) -> None:
        if not self._updating_gui:
            self.setValue(name, connector.read())


def parameterNodeWrapper(cls: type | None = None) -> Any:
    """Class decorator, with or without parentheses. The class keeps its own methods."""
    return _wrap if cls is None else _wrap(cls)


def isParameterNodeWrapper(classOrObject: Any) -> bool:
    return isinstance(classOrObject, ParameterNodeWrapper) or (isinstance(classOrObject, type) and issubclass(classOrObject, ParameterNodeWrapper))


def _wrap(cls: type) -> type:
    parameters = parameters_of(cls)
    reserved = sorted(set(parameters) & set(dir(ParameterNodeWrapper)))
    if reserved:
        raise ValueError(f"{cls.__name__}: a parameter cannot be called {', '.join(reserved)}")
    members = {name: member for name, member in vars(cls).items() if name not in ("__dict__", "__weakref__")}
    properties = {name: property(_getter(name), _setter(name)) for name in parameters}
    return type(cls.__name__, (ParameterNodeWrapper,), {**members, **properties, "allParameters": parameters})


def _getter(name: str) -> Any:
    return lambda self: self.getValue(name)


def _setter(name: str) -> Any:
    return lambda self, value: self.setValue(name, value)
