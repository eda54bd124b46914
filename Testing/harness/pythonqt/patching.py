"""Changes PySide6's classes in place. Sub-classes would not do: Qt makes headers, line edits and actions of its own."""

from __future__ import annotations

from collections.abc import Callable
from types import MethodType
from typing import Any

from PySide6 import QtCore, QtGui, QtWidgets
from PySide6.QtCore import QObject, SignalInstance

from harness.pythonqt import dialogs, properties, signals

QT_MODULES = (QtCore, QtGui, QtWidgets)


def patch_classes() -> None:
    """Imposes PythonQt's attribute, signal and dialog rules on every class of QtCore, QtGui and QtWidgets."""
    # PySide6 makes a class when it is first asked for.
    members = [getattr(module, name) for module in QT_MODULES for name in dir(module)]
    classes = [member for member in members if isinstance(member, type) and issubclass(member, QObject)]
    for cls in classes:
        if "__getattribute__" in cls.__dict__:
            cls.__getattribute__ = _attribute_reader(cls.__getattribute__)
        cls.__setattr__ = properties.assign
    # PySide6's own calls connect() on its timer with PySide6's arguments.
    QtCore.QTimer.singleShot = staticmethod(signals.single_shot)
    for cls in classes:
        properties.add_properties(cls)
    QObject.__getattr__ = properties.find_attribute
    QObject.className = lambda self: self.metaObject().className()
    dialogs.patch_dialogs()


def _attribute_reader(read: Callable[[QObject, str], Any]) -> Callable[[QObject, str], Any]:
    """Reader that puts `connect` and `disconnect` before those that PySide6 inserts past any attribute of the class."""

    def read_attribute(self: QObject, name: str) -> Any:
        if name == "connect":
            return MethodType(signals.connect, self)
        if name == "disconnect":
            return MethodType(signals.disconnect, self)
        value = read(self, name)
        return signals.BoundSignal(self, name, value) if isinstance(value, SignalInstance) else value

    return read_attribute
