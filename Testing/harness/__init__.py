"""Runs a scripted 3D Slicer module without the Slicer application: real MRML classes, real Qt widgets under PythonQt's rules.

    import harness

    loaded = harness.load_module("SpiderSeg/SpiderSeg.py")
    loaded.enter()
    harness.click(loaded.ui.applyButton)
    harness.wait_until(lambda: loaded.ui.applyButton.text == "Apply", timeout_s=60)
    harness.grab(loaded.panel, "panel.png")

Only what Slicer itself would accept passes: an unknown widget class, a bad <connection>, a property of the wrong type or a call of
`button.text()` is an error, and a connect() that names no signal is in `harness.failed_connections`. Stand-ins replace the
application, the widgets of CTK and MRML, and five Python modules; what they stand in for is not tested here.
"""

from __future__ import annotations

import importlib
from typing import Any

# Looked up when first used: this package is imported by pytest where PySide6 or slicer-core are missing, too.
_HOMES = {
    "EventLoopWatch": "person",
    "LoadedModule": "loading",
    "Session": "session",
    "UnansweredDialog": "pythonqt.dialogs",
    "answering": "pythonqt.dialogs",
    "buttons": "person",
    "choose": "person",
    "click": "person",
    "clicked": "person",
    "close_views": "layout",
    "failed_connections": "pythonqt.signals",
    "grab": "person",
    "load_module": "loading",
    "open_views": "layout",
    "press_key": "person",
    "pythonqt_faults": "source_check",
    "run_self_test": "loading",
    "shown_dialogs": "pythonqt.dialogs",
    "slice_view": "layout",
    "slot_errors": "pythonqt.signals",
    "spin": "person",
    "start": "session",
    "type_text": "person",
    "vtk_errors": "mrml",
    "wait_until": "person",
}

__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'harness' has no attribute '{name}'")
    return getattr(importlib.import_module(f"harness.{_HOMES[name]}"), name)
