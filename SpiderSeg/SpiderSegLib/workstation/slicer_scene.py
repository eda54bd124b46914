"""Slicer's scene and logics in this process, without the application: what trame-slicer sets up, and the project's own terminology."""

from __future__ import annotations

import os
import sys

from trame_slicer.core import SlicerApp

from SpiderSegLib.mrml.terminologies import loadTerminology

#: VTK asks for an X server first, prints a warning without one, and only then draws through EGL; a person's own choice counts.
OPENGL_WINDOW_VARIABLE = "VTK_DEFAULT_OPENGL_WINDOW"


def drawOffScreen() -> None:
    """Has VTK draw without a screen; to be called before the first render window."""
    if sys.platform == "linux":
        os.environ.setdefault(OPENGL_WINDOW_VARIABLE, "vtkEGLRenderWindow")


def newSlicerApp() -> SlicerApp:
    """Scene, module logics, views without content. Raises SpiderSegError when the terminology is missing."""
    drawOffScreen()
    app = SlicerApp()
    loadTerminology(app.terminologies_logic)
    return app
