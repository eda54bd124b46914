"""start(): builds the application once in a process and makes `slicer`, `qt` and `ctk` what a scripted module expects."""

from __future__ import annotations

import atexit
import importlib
import os
import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

_STAND_IN_MODULES = {
    "slicer.i18n": "harness.slicer_api.i18n",
    "slicer.packaging": "harness.slicer_api.packaging",
    "slicer.parameterNodeWrapper": "harness.slicer_api.parameter_node",
    "slicer.ScriptedLoadableModule": "harness.slicer_api.scripted_loadable_module",
    "SampleData": "harness.slicer_api.sample_data",
}


@dataclass(frozen=True)
class Session:
    """What start() made: slicer.app, the MRML side, slicer.modules, the temporary folder, and the Python that PythonSlicer runs."""

    app: Any
    mrml: Any
    modules: Any
    folder: Path
    python: Any


_session: Session | None = None


def start() -> Session:
    """The running session; the first call makes it. It needs slicer-core >= 5.12 and PySide6, and must come before any import of qt."""
    global _session
    if _session is None:
        _session = _start()
    _install(_session)
    return _session


def _install(session: Session) -> None:
    """Makes the session's objects slicer's again, whatever other tests put there."""
    import slicer

    from harness.mrml import record_errors

    record_errors()
    slicer.mrmlScene = session.mrml.scene
    slicer.app = session.app
    slicer.modules = session.modules
    # Typer puts its own hook there whenever a command runs in this process.
    sys.excepthook = _record_uncaught


def _start() -> Session:
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    # Else VTK looks for an X server first, and warns.
    os.environ.setdefault("VTK_DEFAULT_OPENGL_WINDOW", "vtkEGLRenderWindow")
    from harness import pythonqt

    pythonqt.install()
    from PySide6.QtCore import qInstallMessageHandler

    qInstallMessageHandler(_show_message)
    from harness.application import SlicerApplication
    from harness.modules import ModuleManager, build_modules
    from harness.mrml import build_mrml
    from harness.python_slicer import create_environment

    folder = Path(tempfile.mkdtemp(prefix="slicer-harness-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)

    mrml = build_mrml(folder / "mrml")
    modules = build_modules(mrml.logics)
    session = Session(SlicerApplication(folder, mrml), mrml, modules, folder, create_environment(folder / "python"))
    session.app._module_manager = ModuleManager(modules)
    _install(session)
    _register_modules()
    return session


def _register_modules() -> None:
    import slicer

    from harness import modules, widgets  # noqa: F401  registers the stand-in widgets
    from harness.pythonqt.ui_loader import stand_ins

    ctk = sys.modules["ctk"] = ModuleType("ctk")
    for name, cls in stand_ins().items():
        setattr(ctk if name.startswith("ctk") else slicer, name, cls)
    slicer.qSlicerScriptedLoadableModule = modules.qSlicerScriptedLoadableModule
    slicer.qSlicerScriptedLoadableModuleWidget = modules.qSlicerScriptedLoadableModuleWidget
    for name, source in _STAND_IN_MODULES.items():
        sys.modules[name] = importlib.import_module(source)
        if name.startswith("slicer."):
            setattr(slicer, name.split(".")[1], sys.modules[name])


def _record_uncaught(kind: type[BaseException], error: BaseException, traceback: Any) -> None:
    """An exception in a timer's callback or a virtual function comes here; nothing else would see it."""
    from harness.pythonqt.signals import record_error

    record_error("uncaught", error.with_traceback(traceback))


def _show_message(_kind: Any, _context: Any, text: str) -> None:
    """Qt's messages go to stderr, but for what the off-screen platform says of every window."""
    if "propagateSizeHints" not in text:
        sys.stderr.write(f"Qt: {text}\n")
