"""Queues of runs in 3D Slicer: processes of PythonSlicer, watched by Qt's timer."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

import qt
import slicer
from slicer.i18n import tr as _

from SpiderSegLib.errors import SpiderSegError
from SpiderSegLib.mrml.workers.launching import workerEnvironment
from SpiderSegLib.mrml.workers.queue import WorkerQueue


class QtTicker:
    """A Ticker of Qt's event loop."""

    def __init__(self, intervalMs: int, callback: Callable[[], object]) -> None:
        self._callback = callback
        self._timer = qt.QTimer()
        self._timer.setInterval(intervalMs)

    def start(self) -> None:
        self._timer.connect("timeout()", self._callback)
        self._timer.start()

    def stop(self) -> None:
        self._timer.stop()
        self._timer.disconnect("timeout()", self._callback)


def makeSlicerQueue(onChanged: Callable[[], object] | None = None) -> WorkerQueue:
    """A queue whose runs go through PythonSlicer, with their files in Slicer's temporary folder."""
    return WorkerQueue(launchPythonSlicer, QtTicker, temporaryFolder, onChanged)


def temporaryFolder() -> Path:
    """The one that Slicer's settings name now."""
    return Path(str(slicer.app.temporaryPath))


def findPythonSlicer() -> str:
    """Path of Slicer's Python launcher, which Slicer puts on its own PATH. Raises SpiderSegError when it is not there."""
    path = shutil.which("PythonSlicer")
    if path is None:
        raise SpiderSegError(_("PythonSlicer was not found; it belongs to 3D Slicer's bin folder: install 3D Slicer again"))
    return path


def launchPythonSlicer(arguments: Sequence[str]) -> subprocess.Popen[str]:
    """Starts `PythonSlicer -m SpiderSegLib ARGUMENTS` and returns at once. Raises SpiderSegError or OSError when it can't be started."""
    # Blocking is what this call calls handing over the Popen; it doesn't wait. See OutputReader for why it reads the pipe itself.
    process: subprocess.Popen[str] = slicer.util.launchConsoleProcess(
        [findPythonSlicer(), "-m", "SpiderSegLib", *arguments], updateEnvironment=workerEnvironment()
    )
    return process
