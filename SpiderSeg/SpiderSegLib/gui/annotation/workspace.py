"""An open project in the panel: its session, what is known of its series, and the sections that show them."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import qt
import slicer
from slicer.i18n import tr as _

from SpiderSegLib.active_learning import Ranked
from SpiderSegLib.active_learning.work_list import work_list
from SpiderSegLib.annotation_project.project import open_project
from SpiderSegLib.annotation_project.status import ProjectStatus, project_status
from SpiderSegLib.annotation_project.summary import SeriesSummary
from SpiderSegLib.corrections import Status
from SpiderSegLib.errors import SpiderSegError
from SpiderSegLib.gui.annotation.activity import ActivityWatch
from SpiderSegLib.gui.annotation.case_section import CaseSection
from SpiderSegLib.gui.annotation.cases_section import CasesSection
from SpiderSegLib.gui.annotation.findings_section import FindingsSection
from SpiderSegLib.gui.annotation.gradings_section import GradingsSection
from SpiderSegLib.gui.annotation.leaving import Answer, CloseGuard, askAboutUnsaved
from SpiderSegLib.gui.annotation.models_section import ModelsSection
from SpiderSegLib.gui.annotation.revisions_section import RevisionsSection
from SpiderSegLib.gui.messages import setMessage
from SpiderSegLib.mrml.annotation_session import AnnotationSession, OpenCase
from SpiderSegLib.mrml.annotation_session.status_text import statusText

if TYPE_CHECKING:
    from SpiderSegLib.gui.panel import Panel

#: A crash costs at most so much work.
AUTOSAVE_INTERVAL_MS = 60_000

#: How often the application is looked at for signs of a person, and the clock of the case shown.
TICK_INTERVAL_MS = 1000


class Workspace:
    """Made once; one project at a time is open in it. `session` is None while none is."""

    def __init__(self, panel: Panel) -> None:
        self.panel = panel
        self.ui = panel.ui
        self.session: AnnotationSession | None = None
        self.summaries: Mapping[str, SeriesSummary] = {}
        self.ranked: tuple[Ranked, ...] = ()
        self.status: ProjectStatus | None = None
        #: The case that panel and sections show.
        self._shown: OpenCase | None = None
        self._guard: CloseGuard | None = None
        self._activity = ActivityWatch(panel)
        self._readTimer = _timer(0, self._readNow)
        self._readTimer.setSingleShot(True)
        self._autosaveTimer = _timer(AUTOSAVE_INTERVAL_MS, self.onAutosave)
        self._tickTimer = _timer(TICK_INTERVAL_MS, self.onTick)
        self.case = CaseSection(self)
        self.findings = FindingsSection(self)
        self.gradings = GradingsSection(self)
        self.revisions = RevisionsSection(self)
        self.cases = CasesSection(self)
        self.models = ModelsSection(self)

    @property
    def isOpen(self) -> bool:
        return self.session is not None

    @property
    def opened(self) -> AnnotationSession:
        """The session of the open project; only asked for while there is one."""
        assert self.session is not None
        return self.session

    @property
    def root(self) -> Path:
        return self.opened.project.root

    @property
    def current(self) -> OpenCase | None:
        """The open case; None when none is."""
        return None if self.session is None else self.session.current

    @property
    def hasOpenSeries(self) -> bool:
        """Whether some series waits for a person."""
        return any(summary.is_open for summary in self.summaries.values())

    def perform(self, failure: str, action: Callable[[], object]) -> None:
        """Runs a button's action; it counts as work on the case."""
        if self.session is not None:
            self.session.timer.touch()
        self.panel.perform(failure, action)

    # Project

    def open(self, root: Path, annotator: str) -> None:
        """Opens a project. Raises ProjectError."""
        self.session = AnnotationSession(self.panel.scene, open_project(root), annotator)
        try:
            self.readAgain()
        except BaseException:
            self._forget()
            raise
        self._autosaveTimer.start()
        self._tickTimer.start()
        self.onEnter()
        self.showCase()

    def close(self) -> bool:
        """Closes the project, unless the person stays with unsaved work; whether it is closed."""
        if self.session is None:
            return True
        if not self.leaveCase():
            return False
        self._forget()
        return True

    def _forget(self) -> None:
        for timer in (self._autosaveTimer, self._tickTimer, self._readTimer):
            timer.stop()
        self.models.stop()
        self.session, self.summaries, self.ranked, self.status = None, {}, (), None
        self.onExit()

    def readAgain(self) -> None:
        """Reads what is known of the series, after something was saved here or elsewhere. Raises ProjectError."""
        session = self.opened
        self.summaries = session.summaries()
        # From these summaries: the session's own list would read all of them once more.
        self.ranked = work_list(session.project, self.summaries, self.cases.strategy, session.annotator)
        self.status = project_status(session.project, self.summaries)
        setMessage(self.ui.projectStatusLabel, statusText(self.status))
        self.cases.readAgain()
        self.models.readAgain()
        self.panel.refreshLater()

    def readLater(self) -> None:
        """Reads again when the screen is up to date: of ten thousand series that takes a second, and nobody waits for it."""
        self._readTimer.start()

    def _readNow(self) -> None:
        self._readTimer.stop()
        if self.session is not None:
            self.panel.perform(_("The project can't be read."), self.readAgain)

    # Case

    def openSeries(self, series: str) -> None:
        """Opens a case unless the person stays with the one that is open. Raises SpiderSegError."""
        self.move(lambda: self.opened.open(series))

    def move(self, go: Callable[[], OpenCase | None]) -> bool:
        """Leaves the open case for another one, unless the person stays; whether `go` opened one. Raises SpiderSegError."""
        if not self.settleUnsaved():
            return False
        try:
            with slicer.util.WaitCursor():
                return go() is not None
        finally:
            self.showCase()

    def leaveCase(self) -> bool:
        """Closes the open case, asking once about unsaved work; whether it is closed."""
        if self.current is None:
            return True
        if not self.settleUnsaved():
            return False
        self.opened.close()
        self.showCase()
        return True

    def settleUnsaved(self) -> bool:
        """Asks once what becomes of unsaved work; False when the person stays with it. Raises SpiderSegError when it can't be saved."""
        case = self.current
        if case is None or not self.isUnsaved():
            return True
        answer = askAboutUnsaved(case.series, self.gradings.isModified)
        if answer is Answer.SAVE:
            self.saveEverything(Status.IN_PROGRESS)
        elif answer is Answer.DISCARD:
            self.opened.close(discard=True)
            self.showCase()
        return answer is not Answer.STAY

    def isUnsaved(self) -> bool:
        """Whether leaving would lose something."""
        return self.current is not None and (self.opened.isModified() or self.gradings.isModified)

    def saveEverything(self, status: Status, reason: str = "") -> None:
        """Saves mask and gradings of the open case. Raises SpiderSegError."""
        self.gradings.saveIfModified()
        self.case.save(status, reason)

    def showCase(self) -> None:
        """Shows the open case, or that there is none, in panel and views."""
        case, parameterNode = self.current, self.panel.parameterNode
        self._shown = case
        if case is not None and parameterNode is not None:
            nodes = [*case.seriesNodes, None, None]
            for parameter, node in zip(("inputVolume", "partnerVolume", "thirdVolume"), nodes, strict=False):
                setattr(parameterNode, parameter, node)
            parameterNode.segmentation = case.segmentationNode
            self.panel.correct.display.apply()
            if slicer.app.layoutManager() is not None:
                slicer.util.resetSliceViews()
        for section in (self.case, self.findings, self.gradings, self.revisions):
            section.onCaseChanged()
        self.panel.refreshLater()

    def _followPanel(self) -> None:
        """A case that the session closed with its scene is gone; a segmentation chosen or drawn anew for the case's series is gone on with."""
        case, node = self.current, self.panel.segmentationNode
        if case is not self._shown:
            self.showCase()
        elif case is not None and node is not None and node is not case.segmentationNode and self.panel.volumeNode in case.seriesNodes:
            self.opened.useSegmentation(node)
            self.case.say(_("{name} is what is saved from now on.").format(name=node.GetName()))

    # Time

    def onAutosave(self) -> None:
        """Keeps the unsaved edit; a full disk is said in the section, and does not stop the work."""
        if self.current is None:
            return
        try:
            self.opened.autosave()
        except SpiderSegError as error:
            self.case.say(_("The unsaved edit could not be kept: {error}").format(error=error))

    def onTick(self) -> None:
        """A second has passed."""
        if self.session is not None and self._activity.look():
            self.session.timer.touch()
        self.case.showTime()
        self.models.onTick()

    # Life cycle

    def onEnter(self) -> None:
        """From now on closing the application asks about unsaved work."""
        window = slicer.util.mainWindow()
        if window is not None and self._guard is None and self.session is not None:
            self._guard = CloseGuard(self.leaveCase)
            window.installEventFilter(self._guard)

    def onExit(self) -> None:
        """The user goes to another module: the case stays open, and what is unsaved is kept."""
        self.onAutosave()
        window = slicer.util.mainWindow()
        if self._guard is not None and self.session is None:
            if window is not None:
                window.removeEventFilter(self._guard)
            self._guard = None

    def shutDown(self) -> None:
        """The application closes: what is unsaved is kept, and offered the next time."""
        self.models.shutDown()
        if self.session is not None:
            with contextlib.suppress(SpiderSegError):
                self.opened.close(keep=True)
            self._forget()

    # Widgets

    def refresh(self) -> None:
        """Looks at the scene again; cheap, because every stroke of a brush leads here."""
        if self.session is not None:
            self._followPanel()
            for section in (self.cases, self.case, self.findings, self.gradings, self.revisions, self.models):
                section.refresh()


def _timer(interval_ms: int, action: Callable[[], object]) -> Any:
    timer = qt.QTimer()
    timer.setInterval(interval_ms)
    timer.connect("timeout()", action)
    return timer
