"""The open case or series: opening, moving on, saving, and what is offered from another time."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from SpiderSegLib.corrections import History, Status
from SpiderSegLib.corrections.names import same_person
from SpiderSegLib.errors import InputError, SpiderSegError
from SpiderSegLib.mrml.annotation_session import OpenCase, SaveResult
from SpiderSegLib.mrml.translation import _
from SpiderSegLib.mrml.volumes import geometryOf
from SpiderSegLib.workstation.bench import Action, Bench
from SpiderSegLib.workstation.controls.case_list_controls import CaseListControls
from SpiderSegLib.workstation.controls.finding_controls import FindingControls
from SpiderSegLib.workstation.controls.run_controls import RunControls
from SpiderSegLib.workstation.work import ProjectCase


class CaseControls:
    """What happens to the open work as a whole."""

    def __init__(self, bench: Bench, cases: CaseListControls, runs: RunControls, findings: FindingControls) -> None:
        self.bench = bench
        self.cases = cases
        self.runs = runs
        self.findings = findings
        self._history: History | None = None
        #: What was asked for when unsaved work stood in the way.
        self._pending: Callable[[], Awaitable[None]] | None = None
        self.actions: Mapping[str, Action] = {
            "showCases": self.showCases,
            "showCase": self.showCase,
            "openCase": self.openCase,
            "nextCase": self.nextCase,
            "previousCase": self.previousCase,
            "save": lambda: self.save(Status.IN_PROGRESS),
            "done": lambda: self.save(Status.DONE),
            "approve": self.approve,
            "flag": self.flag,
            "restoreOffered": self.restoreOffered,
            "discardOffered": self.discardOffered,
            "unsavedSave": self.unsavedSave,
            "unsavedKeep": self.unsavedKeep,
            "unsavedDiscard": self.unsavedDiscard,
            "unsavedStay": self.unsavedStay,
        }

    # Moving between cases

    async def showCases(self) -> None:
        """The table of cases; the open one stays open."""
        self.cases.read()
        self.bench.state.mode = "cases"

    async def showCase(self) -> None:
        """Back to the open case."""
        if self.bench.work is not None:
            self.bench.state.mode = "case"

    async def openCase(self, series: str) -> None:
        """Opens a case of the project; the one that is open already is shown again."""
        if isinstance(self.bench.work, ProjectCase) and self.bench.work.name == series:
            await self.showCase()
            return
        await self.leaving(lambda: self._go(lambda: self.session.open(str(series)), _("Opening {series} ..").format(series=series)))

    async def nextCase(self) -> None:
        """The next case of the work list."""
        nowhere = _("No other series waits for you: all are done, flagged, or held by others.")
        await self.leaving(lambda: self._go(self.session.next, _("Opening the next case .."), nowhere))

    async def previousCase(self) -> None:
        """The case that was open before."""
        await self.leaving(lambda: self._go(self.session.previous, _("Opening the case before .."), _("No case was open before this one.")))

    @property
    def session(self) -> Any:
        if self.bench.session is None:
            raise InputError(_("no project is open"))
        return self.bench.session

    async def leaving(self, go: Callable[[], Awaitable[None]]) -> None:
        """Does what leaves the open work, once a person said what becomes of unsaved changes."""
        work = self.bench.work
        if work is not None and isinstance(work, ProjectCase) and work.isModified():
            self._pending = go
            self.bench.state.unsavedText = _("{series} has changes that are not saved as a revision.").format(series=work.name)
            self.bench.state.dialog = "unsaved"
            return
        await go()

    async def _go(self, go: Callable[[], OpenCase | None], busy: str, nowhere: str = "") -> None:
        await self.bench.busy(busy)
        self.runs.cancelAll()
        loose, before = self.bench.loose, self.session.current
        if loose is not None:
            loose.leave()
        try:
            found = go()
        finally:
            # Also when nothing was opened: what was open may be closed. A case that stays keeps its undo history.
            if loose is not None or self.session.current is not before:
                self.show(ProjectCase(self.session) if self.session.current is not None else None)
        if found is None:
            self.bench.say(nowhere)

    def show(self, work: Any) -> None:
        """Shows an opened work, or that there is none."""
        self._history = None
        self.findings.forget()
        self.runs.messages = ()
        self.bench.setWork(work)
        state = self.bench.state
        state.comment = state.flagReason = ""
        state.mode = "case" if work is not None else ("cases" if self.bench.session is not None else "start")
        if isinstance(work, ProjectCase):
            self._history = self.session.revisions(work.name)
            if work.case.messages:
                self.bench.say("\n".join(work.case.messages))
            self.findings.check()

    # What stands in the way

    async def unsavedSave(self) -> None:
        """Saves, then goes on."""
        self.save(Status.IN_PROGRESS)
        await self._goOn()

    async def unsavedKeep(self) -> None:
        """Keeps the changes in the project, to be offered the next time, then goes on."""
        self.session.close(keep=True)
        await self._goOn()

    async def unsavedDiscard(self) -> None:
        """Forgets the changes, then goes on."""
        self.session.close(discard=True)
        await self._goOn()

    async def unsavedStay(self) -> None:
        """Stays with the case."""
        self._pending, self.bench.state.dialog = None, ""

    async def _goOn(self) -> None:
        go, self._pending = self._pending, None
        self.bench.state.dialog = ""
        if self.session.current is None:
            self.bench.setWork(None)
        try:
            if go is not None:
                await go()
        finally:
            # Where the next one can't be opened, the table says what else there is.
            if self.bench.work is None:
                self.show(None)

    def restoreOffered(self) -> None:
        """Shows the edit of another time."""
        if self.bench.work is not None:
            self.bench.work.restoreOffered()
            self.bench.edit()
            self.bench.say(_("The unsaved edit is back; save it when it is right."))

    def discardOffered(self) -> None:
        """Forgets the edit of another time."""
        if self.bench.work is not None:
            self.bench.work.discardOffered()

    # Saving

    def save(self, status: Status, reason: str = "") -> None:
        """Saves what is on screen as a revision; a series without a project is exported instead."""
        if self.bench.loose is not None:
            self.bench.state.dialog = "export"
            return
        self._afterSave(self.session.save(status, reason, str(self.bench.state.comment or "").strip()))

    def approve(self) -> None:
        """Says that somebody else's mask is right as it is."""
        self._afterSave(self.session.approve(str(self.bench.state.comment or "").strip()))

    def flag(self) -> None:
        """Says that the series can't be used, and why."""
        self.save(Status.FLAGGED, str(self.bench.state.flagReason or "").strip())

    def _afterSave(self, result: SaveResult) -> None:
        revision = result.saved.revision
        texts = [_("Saved {series} as {status}.").format(series=revision.series, status=revision.status.value), *result.messages]
        state = self.bench.state
        state.comment, state.flagReason, state.dialog = "", "", ""
        self._history = self.session.revisions(revision.series)
        self.findings.show(result.findings)
        self.cases.read()
        self.bench.say("\n".join(texts), "success")

    # State

    def refresh(self) -> None:
        state, work = self.bench.state, self.bench.work
        state.currentCase = self._caseState()
        state.offered = (
            {"text": _("Work of {time} UTC was not saved. New work is not kept until you choose.").format(time=work.offeredAt[:16].replace("T", " "))}
            if work is not None and work.offeredAt
            else None
        )
        self.refreshSaveState()

    def refreshSaveState(self) -> None:
        """Whether there is something to save, and the clock of the case."""
        work = self.bench.work
        if work is None:
            self.bench.state.saveState = {"isModified": False, "text": "", "minutes": ""}
            return
        isModified = work.isModified()
        words = _("Not saved yet; kept on this computer") if isModified else _("Saved")
        if work.segmentationNode is None:
            words = ""
        elif self.bench.loose is not None:
            words = _("Not exported yet; kept on this computer") if isModified else _("Exported")
        minutes = self.bench.session.timer.minutes if self.bench.session is not None and self.bench.loose is None else None
        self.bench.state.saveState = {"isModified": isModified, "text": words, "minutes": "" if minutes is None else f"{minutes:.0f} min"}

    def _caseState(self) -> dict[str, Any] | None:
        work = self.bench.work
        if work is None:
            return None
        case = work.case if isinstance(work, ProjectCase) else None
        newest = self._history.newest if self._history is not None else None
        return {
            "name": work.name,
            "patient": case.patientId if case is not None else "",
            "isProject": case is not None,
            "detail": detailOf(work.volumeNode),
            "heldBy": case.heldBy if case is not None else "",
            "messages": [*(case.messages if case is not None else ()), *self.runs.messages],
            "parent": ""
            if newest is None
            else f"{newest.annotator}, {newest.created_utc[:16].replace('T', ' ')} UTC, {newest.status.value}, {newest.provenance.value}",
            "position": self.cases.progress if case is not None else "",
            "partners": [{"id": node.GetID(), "name": node.GetName()} for node in work.seriesNodes[1:]],
            "hasSegmentation": work.segmentationNode is not None,
        }

    def reasons(self) -> dict[str, str]:
        work = self.bench.work
        session = self.bench.session
        without = self.bench.whyNoSegmentation
        project = "" if isinstance(work, ProjectCase) else _("This series belongs to no project: export it instead.") if work is not None else without
        return {
            "save": without,
            "done": project or without,
            "flag": project or ("" if str(self.bench.state.flagReason or "").strip() else _("Write a reason first.")),
            "approve": project or self._approveReason(),
            "nextCase": _("No project is open.") if session is None else "" if self.cases.hasOpenSeries else _("No series waits for a person."),
            "previousCase": "" if session is not None and session.hasPrevious else _("No case was open before this one."),
            "showCases": "" if session is not None else _("No project is open."),
        }

    def _approveReason(self) -> str:
        newest = None if self._history is None else self._history.newest
        if self._history is None or newest is None:
            return _("Nobody has saved a mask of this series yet: there is nothing to approve.")
        if same_person(self._history.maker(newest), self.session.annotator):
            return _("You made this mask: another person has to approve it.")
        return ""


def detailOf(volumeNode: Any) -> str:
    """'512 x 512 x 17 voxels of 0.63 x 0.63 x 4.40 mm', the smaller numbers of the slices first; '' for a node without an image."""
    try:
        geometry = geometryOf(volumeNode)
    except SpiderSegError:
        return ""
    size = " x ".join(str(count) for count in geometry.size_ijk)
    spacing = " x ".join(f"{length:.2f}" for length in geometry.spacing_ijk_mm)
    return _("{size} voxels of {spacing} mm").format(size=size, spacing=spacing)
