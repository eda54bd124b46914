"""The module `qt`: the public classes of QtCore, QtGui, QtWidgets and QtUiTools, and nothing that only PySide6 has."""

from __future__ import annotations

from types import ModuleType
from typing import Any

from PySide6 import QtCore, QtGui, QtWidgets

from harness.pythonqt.ui_loader import QUiLoader

_SOURCES = (QtWidgets, QtGui, QtCore)


class QtModule(ModuleType):
    """Finds a class by its name; AttributeError names the one that does not exist."""

    def __init__(self) -> None:
        super().__init__("qt")
        self.QUiLoader = QUiLoader

    def __getattr__(self, name: str) -> Any:
        # Signal, Slot, Property, SIGNAL and PySide6's helper functions are not PythonQt's.
        if name.startswith("Q"):
            for source in _SOURCES:
                if hasattr(source, name):
                    value = getattr(source, name)
                    setattr(self, name, value)
                    return value
        raise AttributeError(f"module 'qt' has no attribute '{name}'")
