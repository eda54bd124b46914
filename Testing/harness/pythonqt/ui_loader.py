"""QUiLoader: reads a .ui, allows only widgets that are real or stood in for, and makes its <connections> by hand."""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable
from typing import Any
from xml.etree import ElementTree

from PySide6 import QtCore, QtUiTools, QtWidgets
from PySide6.QtCore import QBuffer, QByteArray, QIODevice

from harness.pythonqt import properties, signals

_stand_ins: dict[str, type] = {}
# Nothing in Python holds a loaded form whose caller only took its children.
_loaded: list[QtWidgets.QWidget] = []


class UnknownWidget(RuntimeError):
    """A .ui uses a class that is neither Qt's nor one of the harness's stand-ins."""


class UnknownProperty(RuntimeError):
    """A .ui sets a property that the widget's class has not."""


class BadConnection(RuntimeError):
    """A <connection> of a .ui names a widget, signal or slot that does not exist."""


def register_stand_in(cls: type) -> type:
    """Class decorator: `cls` may be used in a .ui under its own name."""
    _stand_ins[cls.__name__] = properties.seal(cls)
    return cls


def stand_ins() -> dict[str, type]:
    """The stand-ins by their class name."""
    return dict(_stand_ins)


class QUiLoader:
    """As PythonQt's, as far as slicer.util.loadUI goes."""

    def load(self, device: QIODevice, parent: QtWidgets.QWidget | None = None) -> QtWidgets.QWidget:
        """The form's widget; raises UnknownWidget or BadConnection, where Qt would put a plain QWidget or a line in the log."""
        tree = ElementTree.fromstring(bytes(device.readAll().data()))
        _check_classes(tree)
        _check_properties(tree)
        connections = _take_connections(tree)
        loader = QtUiTools.QUiLoader()
        for cls in _stand_ins.values():
            loader.registerCustomWidget(cls)
        buffer = QBuffer()
        buffer.setData(QByteArray(ElementTree.tostring(tree)))
        buffer.open(QIODevice.OpenModeFlag.ReadOnly)
        form = properties.while_loading(lambda: loader.load(buffer, parent))
        # The loader sets every child as an attribute of the form; PythonQt knows direct children only.
        for name in list(vars(form)):
            if form.findChild(QtCore.QObject, name) is not None:
                del vars(form)[name]
        for connection in connections:
            _connect(form, connection)
        _loaded.append(form)
        return form


def _check_classes(tree: ElementTree.Element) -> None:
    available = {*QtUiTools.QUiLoader().availableWidgets(), *_stand_ins, "Line"}
    for widget in tree.iter("widget"):
        if widget.get("class") not in available:
            raise UnknownWidget(f"widget '{widget.get('name')}' is a {widget.get('class')}: the harness has no stand-in for it")


def _check_properties(tree: ElementTree.Element) -> None:
    """Properties of stand-ins must exist, unless Designer marked them as dynamic; their enums become the numbers that they are."""
    for widget in tree.iter("widget"):
        cls = _stand_ins.get(widget.get("class", ""))
        if cls is None:
            continue
        for described in widget.findall("property"):
            name = described.get("name", "")
            if described.get("stdset") != "0" and not _has_property(cls, name):
                raise UnknownProperty(f"widget '{widget.get('name')}': {cls.__name__} has no property '{name}'")
            for value in described:
                if value.tag in ("enum", "set") and hasattr(cls, (value.text or "").split("|")[0].split("::")[-1]):
                    flags = [int(getattr(cls, flag.split("::")[-1])) for flag in (value.text or "").split("|")]
                    value.tag, value.text = "number", str(functools.reduce(operator.or_, flags))


def _has_property(cls: type, name: str) -> bool:
    """Whether a stand-in or its Qt base declares the property. (The meta object that PySide6 makes for a Python class does not last.)"""
    qt_base = next(base for base in cls.__mro__ if base.__module__.startswith("PySide6"))
    declared = any(isinstance(vars(base).get(name), QtCore.Property) for base in cls.__mro__)
    return declared or qt_base.staticMetaObject.indexOfProperty(name) >= 0


def _take_connections(tree: ElementTree.Element) -> list[dict[str, str]]:
    element = tree.find("connections")
    if element is None:
        return []
    tree.remove(element)
    return [{child.tag: child.text or "" for child in connection} for connection in element.iter("connection")]


def _connect(form: QtWidgets.QWidget, connection: dict[str, str]) -> None:
    sender = _find(form, connection["sender"])
    slot = _find_slot(_find(form, connection["receiver"]), connection["slot"])
    if not signals.connect(sender, connection["signal"], slot):
        raise BadConnection(f"{connection['sender']} ({type(sender).__name__}) has no signal {connection['signal']}")


def _find(form: QtWidgets.QWidget, name: str) -> Any:
    found = form if form.objectName == name else form.findChild(QtCore.QObject, name)
    if found is None:
        raise BadConnection(f"the form has no widget '{name}'")
    return found


def _find_slot(receiver: Any, signature: str) -> Callable[..., Any]:
    """The receiver's slot; one that shares its name with a property (setters do not) would not be callable."""
    slot = getattr(receiver, signature.split("(")[0], None)
    if not callable(slot):
        raise BadConnection(f"{receiver.objectName} ({type(receiver).__name__}) has no slot {signature}")
    return slot
