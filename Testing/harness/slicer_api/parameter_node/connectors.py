"""Which widget shows which type, and how its value is read, written and watched."""

from __future__ import annotations

import enum
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PySide6 import QtWidgets

from harness.slicer_api.parameter_node.annotations import Choice, Decimals, Maximum, Minimum, SingleStep, WithinRange
from harness.slicer_api.parameter_node.parameters import NodeSerializer, Parameter
from harness.widgets import ctk_widgets
from harness.widgets.node_combo_box import qMRMLNodeComboBox


class Connector:
    """Two-way link to one widget through its property `attribute`, which `signal` announces."""

    attribute = ""
    signal = ""

    def __init__(self, parameter: Parameter, widget: Any) -> None:
        self.widget = widget
        self._on_changed: Callable[[], None] | None = None
        self.prepare(parameter)

    def prepare(self, parameter: Parameter) -> None:
        """Ranges, steps and choices that the parameter's annotations ask the widget for."""

    def read(self) -> Any:
        return getattr(self.widget, self.attribute)

    def write(self, value: Any) -> None:
        if self.read() != value:
            setattr(self.widget, self.attribute, value)

    def connect(self, on_changed: Callable[[], None]) -> None:
        self._on_changed = on_changed
        self.widget.connect(self.signal, self._notify)

    def disconnect(self) -> None:
        if self._on_changed is not None:
            self.widget.disconnect(self.signal, self._notify)
            self._on_changed = None

    def _notify(self) -> None:
        if self._on_changed is not None:
            self._on_changed()


class CheckedConnector(Connector):
    attribute = "checked"
    signal = "toggled(bool)"


class NumberConnector(Connector):
    attribute = "value"
    signal = "valueChanged(int)"

    def prepare(self, parameter: Parameter) -> None:
        for annotation in parameter.annotations:
            if isinstance(annotation, Minimum | WithinRange):
                self.widget.minimum = annotation.minimum
            if isinstance(annotation, Maximum | WithinRange):
                self.widget.maximum = annotation.maximum
            if isinstance(annotation, Decimals):
                self.widget.decimals = annotation.value
            if isinstance(annotation, SingleStep):
                self.widget.singleStep = annotation.value


class FloatConnector(NumberConnector):
    signal = "valueChanged(double)"


class TextConnector(Connector):
    attribute = "text"
    signal = "textChanged(QString)"


class PlainTextConnector(Connector):
    attribute = "plainText"
    signal = "textChanged()"


class LabelConnector(TextConnector):
    """One way: a label shows its parameter."""

    def connect(self, on_changed: Callable[[], None]) -> None:
        return


class PathConnector(Connector):
    attribute = "currentPath"
    signal = "currentPathChanged(QString)"

    def read(self) -> Path:
        return Path(self.widget.currentPath)

    def write(self, value: Path) -> None:
        if self.read() != value:
            self.widget.currentPath = str(value)


class ChoiceConnector(Connector):
    """A combo box over an enum (by its label() or name) or a Choice, which fills it."""

    signal = "currentIndexChanged(int)"

    def prepare(self, parameter: Parameter) -> None:
        if issubclass(parameter.serializer.cls, enum.Enum):
            self._values = list(parameter.serializer.cls)
            texts = [value.label() if hasattr(value, "label") else value.name for value in self._values]
        else:
            choices = [annotation.choices for annotation in parameter.annotations if isinstance(annotation, Choice)]
            if not choices:
                raise ValueError(f"parameter '{parameter.name}': a combo box needs an enum or a Choice")
            self._values = choices[0]
            texts = [str(value) for value in self._values]
        self.widget.clear()
        self.widget.addItems(texts)

    def read(self) -> Any:
        return self._values[self.widget.currentIndex]

    def write(self, value: Any) -> None:
        self.widget.currentIndex = self._values.index(value)


class NodeConnector(Connector):
    signal = "currentNodeChanged(vtkMRMLNode*)"

    def read(self) -> Any:
        return self.widget.currentNode()

    def write(self, value: Any) -> None:
        self.widget.setCurrentNode(value)


NODE = "node"
_CONNECTORS: tuple[tuple[type, tuple[Any, ...], type[Connector]], ...] = (
    (qMRMLNodeComboBox, (NODE,), NodeConnector),
    (ctk_widgets.ctkPathLineEdit, (Path,), PathConnector),
    (ctk_widgets.ctkSliderWidget, (float,), FloatConnector),
    (QtWidgets.QCheckBox, (bool,), CheckedConnector),
    (QtWidgets.QPushButton, (bool,), CheckedConnector),
    (QtWidgets.QSlider, (int,), NumberConnector),
    (QtWidgets.QSpinBox, (int,), NumberConnector),
    (QtWidgets.QDoubleSpinBox, (float,), FloatConnector),
    (QtWidgets.QComboBox, (int, float, str, bool, enum.Enum), ChoiceConnector),
    (QtWidgets.QLineEdit, (str,), TextConnector),
    (QtWidgets.QTextEdit, (str,), PlainTextConnector),
    (QtWidgets.QLabel, (str,), LabelConnector),
)


def connector_for(parameter: Parameter, widget: Any) -> Connector:
    """The connector between a parameter and a widget; ValueError if Slicer documents none for the pair."""
    cls = parameter.serializer.cls
    kind = NODE if isinstance(parameter.serializer, NodeSerializer) else enum.Enum if issubclass(cls, enum.Enum) else cls
    for widget_class, kinds, connector in _CONNECTORS:
        if isinstance(widget, widget_class) and kind in kinds:
            return connector(parameter, widget)
    raise ValueError(f"parameter '{parameter.name}' is a {cls.__name__}: a {type(widget).__name__} ('{widget.objectName}') cannot show it")
