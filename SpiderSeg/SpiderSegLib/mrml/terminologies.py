"""Our terminology in Slicer's: without it the codes of segments could not be shown or chosen, and the spinal canal has none elsewhere."""

from __future__ import annotations

from typing import Any

import vtk

from SpiderSegLib.errors import SpiderSegError
from SpiderSegLib.paths import RESOURCES, data_path
from SpiderSegLib.terminology import CONTEXT_NAME


def loadTerminology(terminologiesLogic: Any) -> None:
    """Loads Resources/SpiderSeg.term.json into a vtkSlicerTerminologiesModuleLogic, once. Raises SpiderSegError when it can't be read."""
    loaded = vtk.vtkStringArray()
    terminologiesLogic.GetLoadedTerminologyNames(loaded)
    if CONTEXT_NAME in [loaded.GetValue(index) for index in range(loaded.GetNumberOfValues())]:
        return
    path = data_path(RESOURCES, "SpiderSeg.term.json")
    if terminologiesLogic.LoadTerminologyFromFile(str(path)) != CONTEXT_NAME:
        raise SpiderSegError(f"{path}: expected Slicer's terminology {CONTEXT_NAME!r}, found something else; install SpiderSeg again")
