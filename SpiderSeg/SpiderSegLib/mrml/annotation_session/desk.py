"""The one case on an annotator's desk: opened and left without losing what is not saved, held against others, kept when the scene goes."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any

from SpiderSegLib.corrections import ProjectFolder, Status, UnsavedEdit, drop_edit, hold, kept_edit, release
from SpiderSegLib.corrections.records import Clock
from SpiderSegLib.errors import OutputError, ProjectError, SpiderSegError
from SpiderSegLib.mrml.annotation_session.activity_timer import ActivityTimer
from SpiderSegLib.mrml.annotation_session.case_saving import SaveResult, Verdict, correctionOf, saveCase
from SpiderSegLib.mrml.annotation_session.edit_keeper import EditKeeper
from SpiderSegLib.mrml.annotation_session.open_case import OpenCase
from SpiderSegLib.mrml.annotation_session.scene_watch import SceneWatch
from SpiderSegLib.mrml.annotation_session.starting_point import readStartingPoint
from SpiderSegLib.mrml.annotation_session.unsaved import UnsavedChanges
from SpiderSegLib.mrml.annotation_session.unsaved_edits import maskOfEdit
from SpiderSegLib.mrml.sagittal_views import showSagittal

logger = logging.getLogger(__name__)

#: A lease that lasts hours is prolonged this often while somebody works.
PROLONG_AFTER_S = 600.0


class Desk:
    """At most one open case, its timer, its lease and its unsaved edit. `current` is None while none is open."""

    def __init__(self, scene: Any, folder: ProjectFolder, annotator: str, clock: Clock, monotonic: Callable[[], float]) -> None:
        self.current: OpenCase | None = None
        self.timer = ActivityTimer(monotonic)
        self._scene = scene
        self._folder = folder
        self._annotator = annotator
        self._clock = clock
        self._monotonic = monotonic
        self._heldAtS = 0.0
        self._edits = EditKeeper(folder, annotator, clock)
        self._watch = SceneWatch(scene, self._onSceneClosing, self._onNodeGoing)

    def case(self) -> OpenCase:
        """The open case. Raises ProjectError when there is none."""
        if self.current is None:
            raise ProjectError("no series is open: open one from the list first")
        return self.current

    # Opening and leaving

    def open(self, series: str, partners: Sequence[str]) -> OpenCase:
        """Opens a series in place of the present case, once everything of it is read. Raises UnsavedChanges and as readStartingPoint."""
        self.refuseUnsaved()
        start = readStartingPoint(self._folder, series, partners, self._annotator)
        offered, problem = self._keptEdit(series)
        self.leave()
        case = OpenCase(self._scene, start)
        case.offered, case.messages = offered, (*case.messages, *problem)
        self.current = case
        self._hold(case)
        self._watch.start()
        self.timer.restart()
        showSagittal(self._scene, case.seriesNodes)
        return case

    def refuseUnsaved(self) -> None:
        """Raises UnsavedChanges when the open case is modified."""
        case = self.current
        if case is not None and case.isModified():
            raise UnsavedChanges(case.series, case.unsavedDetails())

    def leave(self, isKept: bool = False, isDiscarded: bool = False) -> None:
        """Ends the case, whatever it holds: its nodes go, and unless its changes are kept, so do its lease and its edit on disk.

        What was kept when somebody deleted the segmentation stays kept, unless it is discarded.
        """
        case = self.current
        if case is None:
            return
        self._forget()
        isRescued = self._edits.isOnDisk and not case.isWhole and not isDiscarded
        if not (isKept or isRescued):
            self._edits.drop(case.series)
            self._release(case)
        self._edits.begin()
        case.remove()

    def _forget(self) -> None:
        self._watch.stop()
        self.timer.stop()
        self.current = None

    # Saving

    def save(self, verdict: Verdict, supersedes: tuple[str, ...] = ()) -> SaveResult:
        """Saves what is on screen; once the person is done with the series, others may have it. Raises as `corrections.save`."""
        case = self.case()
        result = saveCase(self._folder, case, correctionOf(case, self._annotator, verdict, self.timer.minutes, supersedes), self._clock)
        self.timer.restart()
        self._edits.drop(case.series)
        if verdict.status is not Status.IN_PROGRESS:
            self._release(case)
        return result

    # Leases

    def _hold(self, case: OpenCase) -> None:
        self._heldAtS = self._monotonic()
        try:
            other = hold(self._folder, case.series, self._annotator, self._clock)
        except OutputError as error:
            case.messages = (*case.messages, f"others can't see that you work on {case.series}: {error}")
            return
        case.heldBy = other.annotator if other is not None else ""

    def _release(self, case: OpenCase) -> None:
        try:
            release(self._folder, case.series, self._annotator)
        except OSError as error:
            logger.warning("the lease of %s stays until it expires: %s", case.series, error)

    # The unsaved edit

    def autosave(self) -> bool:
        """Keeps what changed since the last time; returns whether it did. Nothing is kept while an edit of another time is offered."""
        case = self.current
        if case is None or not case.isWhole or case.offered is not None:
            return False
        if not self.timer.isPaused and self._monotonic() - self._heldAtS > PROLONG_AFTER_S:
            self._hold(case)
        return self._edits.keep(case, self.timer.minutes)

    def restoreOffered(self) -> None:
        """Shows the offered edit in place of the mask. Raises ProjectError without one, UnsavedChanges over other changes."""
        case = self.case()
        edit = self._offer(case)
        self.refuseUnsaved()
        case.useMask(maskOfEdit(self._folder, case.record, edit))
        case.forgetSaved()
        case.offered = None
        self._edits.takeOver(case)
        self.timer.restart(edit.minutes + self.timer.minutes)

    def discardOffered(self) -> None:
        """Forgets the offered edit. Raises ProjectError without one."""
        case = self.case()
        self._offer(case)
        drop_edit(self._folder, case.series, self._annotator)
        case.offered = None

    def keepWork(self) -> bool:
        """Keeps changes, whatever is kept already: beside an offered edit, as a revision in progress. Returns whether there were any."""
        case = self.case()
        if not case.isModified():
            return False
        if case.offered is None:
            self._edits.keep(case, self.timer.minutes)
        else:
            self.save(Verdict(Status.IN_PROGRESS, comment="kept beside an older edit that was not answered for"))
        return True

    def _keptEdit(self, series: str) -> tuple[UnsavedEdit | None, tuple[str, ...]]:
        try:
            return kept_edit(self._folder, series, self._annotator), ()
        except ProjectError as error:
            return None, (str(error),)

    def _offer(self, case: OpenCase) -> UnsavedEdit:
        if case.offered is None:
            raise ProjectError(f"{case.series}: there is no unsaved edit of another time")
        return case.offered

    # When nobody can be asked any more

    def _onSceneClosing(self) -> None:
        case = self.current
        if case is None:
            return
        isKept = self._keepAtTheLast()
        self._forget()
        if not isKept:
            self._release(case)
        self._edits.begin()

    def _onNodeGoing(self, node: Any) -> None:
        if self.current is not None and node is self.current.segmentationNode:
            self._keepAtTheLast()

    def _keepAtTheLast(self) -> bool:
        try:
            return self.keepWork()
        except SpiderSegError as error:
            logger.error("%s: the changes could not be kept: %s", self.case().series, error)
            return True
