"""The annotator's day without a window: open, correct, save, next; what panel, browser and tests drive."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

from SpiderSegLib.active_learning import Ranked, Strategy
from SpiderSegLib.active_learning.work_list import work_list
from SpiderSegLib.annotation_project.grading_records import SavedGradings, read_gradings_history, save_gradings
from SpiderSegLib.annotation_project.index import ProjectIndex
from SpiderSegLib.annotation_project.predictions import read_prediction
from SpiderSegLib.annotation_project.project import Project
from SpiderSegLib.annotation_project.summary import SeriesSummary
from SpiderSegLib.corrections import History, Status, read_history
from SpiderSegLib.corrections.names import check_annotator
from SpiderSegLib.corrections.records import Clock, utc_now
from SpiderSegLib.errors import ProjectError, SpiderSegError
from SpiderSegLib.gradings import PatientGradings
from SpiderSegLib.linter import Finding
from SpiderSegLib.mrml.annotation_session.activity_timer import ActivityTimer
from SpiderSegLib.mrml.annotation_session.case_saving import SaveResult, Verdict
from SpiderSegLib.mrml.annotation_session.conflicts import Comparison, Conflict, compareRevisions, conflictOf
from SpiderSegLib.mrml.annotation_session.desk import Desk
from SpiderSegLib.mrml.annotation_session.open_case import OpenCase
from SpiderSegLib.mrml.annotation_session.partner_saving import savePartners
from SpiderSegLib.mrml.annotation_session.settling import settleForHead, settleForScreen
from SpiderSegLib.mrml.annotation_session.visits import Visits
from SpiderSegLib.mrml.sagittal_views import VIEW_NAMES
from SpiderSegLib.mrml.segmentations import keepPrediction

#: As many series as are shown side by side.
MOST_PARTNERS = len(VIEW_NAMES) - 1


class AnnotationSession:
    """One annotator at one project in one scene; at most one case is open.

    All methods raise SpiderSegError, in words for people. Methods that leave a case raise UnsavedChanges while it is modified, and change
    nothing then: save first, or `close(keep=True)` or `close(discard=True)`. Raises ProjectError for a name that is no annotator's.
    """

    def __init__(self, scene: Any, project: Project, annotator: str, clock: Clock = utc_now, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.scene = scene
        self.project = project
        self.annotator = check_annotator(annotator)
        self._clock = clock
        self._folder = project.folder
        self._index = ProjectIndex(project)
        self._visits = Visits()
        self._desk = Desk(scene, project.folder, self.annotator, clock, monotonic)
        self._patientOf: dict[str, str] = {}
        self._gradingParents: dict[str, tuple[str, ...]] = {}

    @property
    def current(self) -> OpenCase | None:
        """The open case; None when there is none, or the scene was closed under it."""
        return self._desk.current

    @property
    def timer(self) -> ActivityTimer:
        """Counts the minutes since the open case was opened or saved last; stopped while none is open."""
        return self._desk.timer

    # Lists

    def summaries(self) -> dict[str, SeriesSummary]:
        """All series of the project in natural order."""
        summaries = self._index.read()
        self._patientOf = {series: summary.patient_id for series, summary in summaries.items()}
        return summaries

    def workList(self, strategy: Strategy = Strategy.UNCERTAIN) -> tuple[Ranked, ...]:
        """The series that wait and that nobody else holds, the next one first."""
        return work_list(self.project, self.summaries(), strategy, self.annotator, clock=self._clock)

    def revisions(self, series: str) -> History:
        """Everything that was saved of a series."""
        return read_history(self._folder, series)

    # Opening and leaving

    def open(self, series: str, withPartners: bool = True) -> OpenCase:
        """Opens a series with the patient's other series, in place of the present case.

        The mask is the annotator's newest head, else the newest revision, else the prediction, else empty. Raises UnsavedChanges, and
        ProjectError or ImageReadError when the series can't be read; then the present case stays open.
        """
        case = self._desk.open(series, self._partnersOf(series) if withPartners else ())
        self._visits.go(series)
        return case

    def next(self, strategy: Strategy = Strategy.UNCERTAIN) -> OpenCase | None:
        """Opens the series after the present one in the work list, from its end on from the start; None when no other waits.

        One that can't be opened is passed over, with a message. Raises as `open` when none can be.
        """
        self._desk.refuseUnsaved()
        failures: list[str] = []
        for series in self._following(strategy):
            try:
                case = self.open(series)
            except SpiderSegError as error:
                failures.append(f"{series} was passed over: {error}")
                continue
            case.messages = (*failures, *case.messages)
            return case
        if failures:
            raise ProjectError("; ".join(failures))
        return None

    @property
    def hasPrevious(self) -> bool:
        """Whether `previous` would open a case."""
        return bool(self._visits.previous)

    @property
    def hasLater(self) -> bool:
        """Whether `back` would open a case."""
        return bool(self._visits.latest)

    def previous(self) -> OpenCase | None:
        """Opens the case that was opened before this one; None when this is the first."""
        series = self._visits.previous
        if not series:
            return None
        case = self._desk.open(series, self._partnersOf(series))
        self._visits.goToPrevious()
        return case

    def back(self) -> OpenCase | None:
        """Goes back to the case from which `previous` was called first; None when it is open."""
        series = self._visits.latest
        if not series:
            return None
        case = self._desk.open(series, self._partnersOf(series))
        self._visits.goToLatest()
        return case

    def close(self, discard: bool = False, keep: bool = False) -> None:
        """Closes the case and takes its nodes out of the scene.

        keep: changes stay in the project and are offered the next time. discard: they are forgotten. Else raises UnsavedChanges.
        """
        if self.current is None:
            return
        isKept = keep and self._desk.keepWork()
        if not (keep or discard):
            self._desk.refuseUnsaved()
        self._desk.leave(isKept, discard)

    def _partnersOf(self, series: str) -> list[str]:
        if series not in self._patientOf:
            self.summaries()
        patient = self._patientOf.get(series)
        return [other for other, its in self._patientOf.items() if its == patient and other != series][:MOST_PARTNERS]

    def _following(self, strategy: Strategy) -> Iterator[str]:
        names = [ranked.candidate.series for ranked in self.workList(strategy)]
        present = self._visits.present
        place = names.index(present) + 1 if present in names else 0
        return (series for series in (*names[place:], *names[:place]) if series != present)

    # What is on screen

    def isModified(self) -> bool:
        """Whether the open case has changes that are not saved; cheap while nothing was touched."""
        return self.current is not None and self.current.isModified()

    def findings(self) -> tuple[Finding, ...]:
        """What the linter finds on screen; places are where the image lies in the project."""
        return self._desk.case().findings()

    def useSegmentation(self, segmentationNode: Any) -> None:
        """Goes on with another segmentation of the scene, such as what the model drew anew; what is saved is that one from now on."""
        self._desk.case().adopt(segmentationNode)

    def showPrediction(self) -> bool:
        """Brings the project's present prediction to the segmentation, to be drawn over it or gone back to; returns whether there is one."""
        case = self._desk.case()
        shown = read_prediction(self._folder, case.series)
        if shown is not None:
            keepPrediction(case.segmentationNode, shown.labelmap, shown.model_id)
            case.shownPrediction()
        return shown is not None

    # Saving

    def save(self, status: Status, reason: str = "", comment: str = "", partners: bool = False) -> SaveResult:
        """Saves what is on screen as a revision; with partners, also for the series that it may be saved with.

        Raises as `corrections.save`; then nothing was saved and the case is as it was.
        """
        verdict = Verdict(status, reason, comment)
        result = self._desk.save(verdict)
        if not partners:
            return result
        others, messages = savePartners(self._folder, self._desk.case(), result.saved, verdict, self._clock)
        return SaveResult(result.saved, result.findings, (*result.messages, *messages), others)

    def approve(self, comment: str = "") -> SaveResult:
        """Says that somebody else's mask is right as it is. Raises ProjectError for one's own, or a changed one."""
        return self.save(Status.APPROVED, comment=comment)

    def flag(self, reason: str, comment: str = "") -> SaveResult:
        """Says that the series can't be used, and why. Raises ProjectError without a reason."""
        return self.save(Status.FLAGGED, reason, comment)

    def autosave(self) -> bool:
        """Keeps what is on screen in the project if it changed since the last time; returns whether it did. Raises OutputError.

        While an edit of another time is offered, that one stays and nothing is kept.
        """
        return self._desk.autosave()

    def restoreOffered(self) -> None:
        """Shows the offered edit in place of the mask. Saved, it goes on from the revision it began from, whoever saved meanwhile."""
        self._desk.restoreOffered()

    def discardOffered(self) -> None:
        """Forgets the offered edit."""
        self._desk.discardOffered()

    # Conflicts

    def conflict(self, series: str) -> Conflict | None:
        """The masks of a series that stand beside each other; None when there is only one."""
        return conflictOf(self._folder, self.revisions(series))

    def showConflict(self, series: str) -> tuple[Any, ...]:
        """Draws the two latest masks in conflict over the image, in two outlines; opens the series if it is not. Returns the nodes."""
        found = self.conflict(series)
        if found is None:
            raise ProjectError(f"{series}: there is no conflict to show")
        if self.current is None or self.current.series != series:
            self.open(series)
        return self._desk.case().conflictView.show(self._folder, found.heads[:2])

    def hideConflict(self) -> None:
        """Takes the masks in conflict out of the views again."""
        if self.current is not None:
            self.current.conflictView.hide()

    def settle(self, keepId: str = "", comment: str = "") -> SaveResult:
        """Ends the conflict of the open series: the head of this id counts, or, without one, what is on screen, as done.

        Raises ProjectError without a conflict, UnsavedChanges when a head is chosen while the screen has other changes.
        """
        if keepId:
            result = settleForHead(self._folder, self._desk, self.annotator, keepId, comment, self._clock)
        else:
            result = settleForScreen(self._folder, self._desk, comment)
        self.hideConflict()
        return result

    def compare(self, revisionIdA: str, revisionIdB: str, series: str = "") -> Comparison:
        """How far two revisions of a series, of the open one if none is named, agree, and a picture of where they differ."""
        history = self.revisions(series or self._desk.case().series)
        return compareRevisions(self._folder, history.require(revisionIdA), history.require(revisionIdB))

    # Gradings

    def gradings(self, patientId: str) -> PatientGradings:
        """The gradings of a patient's discs that count."""
        history = read_gradings_history(self._folder, patientId)
        self._gradingParents[patientId] = tuple(head.id for head in history.heads)
        return history.current

    def saveGradings(self, gradings: PatientGradings, comment: str = "") -> SavedGradings:
        """Saves the gradings of a patient, which go on from those that `gradings` gave last: a conflict when others graded meanwhile."""
        parents = self._gradingParents.get(gradings.patient_id, ())
        saved = save_gradings(self._folder, gradings, self.annotator, parents, comment, self._clock)
        self._gradingParents[gradings.patient_id] = (saved.record.id,)
        return saved
