"""The panel of the module: what its sections share, and when each of them looks again at the scene."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import qt
import slicer
from slicer.i18n import tr as _

from SpiderSegLib.errors import InputError
from SpiderSegLib.gui.annotation.project_section import ProjectSection
from SpiderSegLib.gui.buttons import ButtonReasons
from SpiderSegLib.gui.correct_section import CorrectSection
from SpiderSegLib.gui.export_section import ExportSection
from SpiderSegLib.gui.input_section import InputSection
from SpiderSegLib.gui.installation import Installation
from SpiderSegLib.gui.levels_section import LevelsSection
from SpiderSegLib.gui.segment_section import SegmentSection
from SpiderSegLib.gui.shortcuts import Shortcuts
from SpiderSegLib.mrml.clicks import ClickCollector
from SpiderSegLib.mrml.display import forgetOverlays
from SpiderSegLib.mrml.node_observer import NodeObserver
from SpiderSegLib.mrml.runs import RunSettings
from SpiderSegLib.mrml.workers.node_runs import NodeRuns
from SpiderSegLib.mrml.workers.queue import WorkerQueue

#: Many events of one edit are answered once, this long after the last one; the eye does not see it.
REFRESH_DELAY_MS = 30


class Section(Protocol):
    """A part of the panel: looks at scene and parameters again, and updates its widgets."""

    def refresh(self) -> None: ...


class Panel:
    """Nodes, runs and selection that the sections work on.

    `installation` is injected by tests. The parameter node is None while the scene closes.
    """

    def __init__(self, ui: Any, scene: Any, queue: WorkerQueue, installation: Installation | None = None) -> None:
        self.ui = ui
        self.scene = scene
        self.queue = queue
        self.runs = NodeRuns(scene, queue)
        self.installation = installation or Installation()
        self.buttons = ButtonReasons()
        self.clicks = ClickCollector(scene, lambda function: qt.QTimer.singleShot(0, function))
        self.parameterNode: Any = None
        self._observer = NodeObserver(self.refreshLater)
        self._timer = qt.QTimer()
        self._timer.setSingleShot(True)
        self._timer.setInterval(REFRESH_DELAY_MS)
        self._timer.connect("timeout()", self.refresh)
        self.input = InputSection(self)
        self.segment = SegmentSection(self)
        self.levels = LevelsSection(self)
        self.correct = CorrectSection(self)
        self.export = ExportSection(self)
        self.annotation = ProjectSection(self)
        self.shortcuts = Shortcuts(self)
        self.sections: tuple[Section, ...] = (self.input, self.segment, self.levels, self.correct, self.export, self.annotation)

    # What the sections work on

    @property
    def volumeNode(self) -> Any:
        """The series that is segmented; None if none is chosen."""
        return self.parameterNode.inputVolume if self.parameterNode else None

    @property
    def seriesNodes(self) -> list[Any]:
        """All series of the patient that are chosen, the segmented one first."""
        if not self.parameterNode:
            return []
        chosen = (self.parameterNode.inputVolume, self.parameterNode.partnerVolume, self.parameterNode.thirdVolume)
        nodes: list[Any] = []
        for node in chosen:
            if node is not None and node not in nodes:
                nodes.append(node)
        return nodes

    @property
    def segmentationNode(self) -> Any:
        """The segmentation that is shown and corrected; None if there is none."""
        return self.parameterNode.segmentation if self.parameterNode else None

    @property
    def history(self) -> Any:
        """The undo history of the embedded segment editor."""
        return self.ui.segmentEditorWidget

    @property
    def settings(self) -> RunSettings:
        """What the Segment section says about runs."""
        return RunSettings(self.parameterNode.weights, self.segment.device, self.parameterNode.mirror)

    @property
    def selectedIds(self) -> list[str]:
        """IDs of the segments selected in the level table, in its order; else the one selected in the segment editor."""
        selected = self.levels.selectedIds
        if selected:
            return selected
        current = self.ui.segmentEditorWidget.currentSegmentID()
        return [current] if current else []

    def selectedId(self) -> str:
        """The one selected segment. Raises InputError when it is none or several."""
        selected = self.selectedIds
        if len(selected) != 1:
            raise InputError(_("select one level in the Levels table; {count} are selected").format(count=len(selected)))
        return selected[0]

    # When

    def setParameterNode(self, parameterNode: Any) -> None:
        """Takes another parameter node, or None while the scene closes."""
        self.clicks.stop()
        self.parameterNode = parameterNode
        self.correct.onParameterNodeChanged()
        self.refresh()

    def onParametersModified(self, *arguments: Any) -> None:
        """A parameter has another value, chosen in a widget or by a script: the display follows at once, the rest soon."""
        self.correct.display.onParametersModified()
        self.refreshLater()

    def refreshLater(self, *arguments: Any) -> None:
        """Looks again soon; many calls are answered once."""
        self._timer.start()

    def refresh(self) -> None:
        """Lets every section look at the scene again."""
        self._timer.stop()
        node = self.segmentationNode
        if node is not None and node.GetDisplayNode() is None:
            # As of a segmentation that a script made.
            node.CreateDefaultDisplayNodes()
        self._observer.observe([*self.seriesNodes, node])
        for section in self.sections:
            section.refresh()

    def perform(self, failure: str, action: Callable[[], object]) -> None:
        """Runs a button's action; what it raises is shown as a message that begins with `failure`."""
        try:
            with slicer.util.tryWithErrorDisplay(failure, waitCursor=False):
                action()
        finally:
            self.refreshLater()

    def onNodeAboutToBeRemoved(self, node: Any) -> None:
        """A segmentation that is deleted takes its hidden prediction along; a scene that closes takes all of them."""
        if node.IsA("vtkMRMLSegmentationNode") and not self.scene.IsClosing():
            forgetOverlays(node)
        self.refreshLater()

    def onSceneClosing(self) -> None:
        """Ends runs and tools; their nodes are about to go."""
        self.queue.cancelAll()
        self.input.cancelCheck()
        self.clicks.stop()

    def cleanUp(self) -> None:
        """Ends everything, for a module that is reloaded or an application that closes."""
        self._timer.stop()
        self._observer.observe([])
        self.shortcuts.remove()
        self.clicks.stop()
        self.annotation.shutDown()
        self.input.shutDown()
        self.queue.shutDown()
