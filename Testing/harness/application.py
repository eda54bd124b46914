"""slicer.app: a real QApplication with what scripted modules ask of Slicer's, over the real scene. It has no main window."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import Property, QProcessEnvironment, QSettings, Signal
from PySide6.QtWidgets import QApplication

from harness.file_io import CoreIOManager
from harness.mrml import Mrml
from harness.pythonqt.properties import seal

if TYPE_CHECKING:
    from harness.modules import ModuleManager

SLICER_VERSION = "5.12.4"

# Slicer's own paths never reach a process that starts from the start-up environment.
_LAUNCHER_VARIABLES = ("PYTHONPATH", "PYTHONHOME", "PYTHONNOUSERSITE")


def startup_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """An environment as it was before Slicer's launcher added its own paths."""
    return {name: value for name, value in environment.items() if name not in _LAUNCHER_VARIABLES}


@seal
class SlicerApplication(QApplication):
    """Stand-in for qSlicerApplication. `testing` is what testingEnabled() answers, as --testing sets it."""

    startupCompleted = Signal()
    lastWindowClosed = Signal()

    def __init__(self, folder: Path, mrml: Mrml) -> None:
        super().__init__(["SpiderSegHarness", "-platform", "offscreen"])
        self._folder = folder
        self._mrml = mrml
        self._temporary_path = str(folder)
        self._testing = True
        self._layout_manager: Any = None
        self._io_manager = CoreIOManager(mrml)
        self._module_manager: ModuleManager | None = None
        self._startup_environment = startup_environment(os.environ)
        self.applicationName = "Slicer"
        self.applicationVersion = SLICER_VERSION
        self.organizationName = "SlicerHarness"
        QSettings.setDefaultFormat(QSettings.Format.IniFormat)
        QSettings.setPath(QSettings.Format.IniFormat, QSettings.Scope.UserScope, str(folder / "settings"))

    def _get_temporary_path(self) -> str:
        return self._temporary_path

    def _set_temporary_path(self, path: str) -> None:
        self._temporary_path = path
        self._mrml.application_logic.SetTemporaryPath(path)

    temporaryPath = Property(str, _get_temporary_path, _set_temporary_path)
    slicerHome = Property(str, lambda self: str(self._folder / "home"))
    majorVersion = Property(int, lambda _self: int(SLICER_VERSION.split(".")[0]))
    minorVersion = Property(int, lambda _self: int(SLICER_VERSION.split(".")[1]))

    def userSettings(self) -> QSettings:
        return QSettings()

    def startupEnvironment(self) -> QProcessEnvironment:
        environment = QProcessEnvironment()
        for name, value in self._startup_environment.items():
            environment.insert(name, value)
        return environment

    def environment(self) -> QProcessEnvironment:
        return QProcessEnvironment.systemEnvironment()

    def testingEnabled(self) -> bool:
        return self._testing

    def applicationLogic(self) -> Any:
        return self._mrml.application_logic

    def mrmlScene(self) -> Any:
        return self._mrml.scene

    def coreIOManager(self) -> CoreIOManager:
        return self._io_manager

    def ioManager(self) -> CoreIOManager:
        return self._io_manager

    def layoutManager(self) -> Any:
        return self._layout_manager

    def moduleManager(self) -> ModuleManager | None:
        return self._module_manager

    def pauseRender(self) -> None:
        self._mrml.application_logic.PauseRender()

    def resumeRender(self) -> None:
        self._mrml.application_logic.ResumeRender()

    def pythonConsole(self) -> None:
        return None
