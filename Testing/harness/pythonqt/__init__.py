"""PythonQt's rules over PySide6: `install()` changes PySide6's own classes, so that every object obeys, those that Qt itself made too."""

from __future__ import annotations

import os
import sys

# PySide6 reads it once, at import: 2 makes every enum an IntEnum or IntFlag, as PythonQt's are integers.
os.environ.setdefault("PYSIDE6_OPTION_PYTHON_ENUM", "0x02")

from harness.pythonqt.dialogs import UnansweredDialog, answering, shown_dialogs
from harness.pythonqt.module import QtModule
from harness.pythonqt.patching import patch_classes
from harness.pythonqt.signals import failed_connections, slot_errors

__all__ = ["UnansweredDialog", "answering", "failed_connections", "install", "shown_dialogs", "slot_errors"]


def install() -> None:
    """Puts PythonQt's rules on PySide6 and registers the module `qt`; a second call changes nothing."""
    if "qt" in sys.modules:
        return
    from PySide6.QtCore import Qt

    if not issubclass(Qt.Orientation, int):
        raise RuntimeError("PySide6 was imported before the harness, so that its enums are no integers: import harness first")
    patch_classes()
    sys.modules["qt"] = QtModule()
