"""Section Case: which case is open, moving between cases, its clock, and saving it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from slicer.i18n import tr as _

from SpiderSegLib.corrections import History, Status
from SpiderSegLib.corrections.names import same_person
from SpiderSegLib.gui.messages import setMessage
from SpiderSegLib.gui.visibility import setShown
from SpiderSegLib.mrml.annotation_session import OpenCase, SaveResult

if TYPE_CHECKING:
    from SpiderSegLib.gui.annotation.workspace import Workspace


class CaseSection:
    """Opens, saves and closes cases."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self.ui = workspace.ui
        #: Of the open case.
        self._history: History | None = None
        self._connect(self.ui.nextCaseButton, self._next, _("The next case can't be opened."))
        self._connect(self.ui.previousCaseButton, self._previous, _("The previous case can't be opened."))
        self._connect(self.ui.backCaseButton, self._back, _("The case can't be opened."))
        self._connect(self.ui.closeCaseButton, workspace.leaveCase, _("The case can't be closed."))
        self._connect(self.ui.saveCaseButton, lambda: workspace.saveEverything(Status.IN_PROGRESS), _("The case can't be saved."))
        self._connect(self.ui.doneCaseButton, lambda: workspace.saveEverything(Status.DONE), _("The case can't be saved."))
        self._connect(self.ui.approveCaseButton, self._approve, _("The case can't be approved."))
        self._connect(self.ui.flagCaseButton, lambda: workspace.saveEverything(Status.FLAGGED, self.reason), _("The case can't be flagged."))
        self._connect(self.ui.restoreEditButton, self._restore, _("The unsaved edit can't be restored."))
        self._connect(self.ui.discardEditButton, self._discard, _("The unsaved edit can't be dropped."))
        self.ui.reasonComboBox.connect("editTextChanged(QString)", workspace.panel.refreshLater)

    def _connect(self, button: Any, action: Callable[[], object], failure: str) -> None:
        button.connect("clicked(bool)", lambda *arguments: self.workspace.perform(failure, action))

    @property
    def reason(self) -> str:
        """Why the case is flagged, as it is written."""
        return str(self.ui.reasonComboBox.currentText).strip()

    @property
    def comment(self) -> str:
        return str(self.ui.commentLineEdit.text).strip()

    # Buttons

    def _next(self) -> None:
        workspace = self.workspace
        nowhere = _("No other series waits for you: all are done, flagged, or held by others.")
        self._go(lambda: workspace.opened.next(workspace.cases.strategy), nowhere)

    def _previous(self) -> None:
        self._go(self.workspace.opened.previous, _("No case was open before this one."))

    def _back(self) -> None:
        self._go(self.workspace.opened.back, _("You did not go back from a later case."))

    def _go(self, go: Callable[[], OpenCase | None], nowhere: str) -> None:
        """Moves to another case; says when there is none to move to."""
        found: list[OpenCase | None] = []

        def goAndTell() -> OpenCase | None:
            found.append(go())
            return found[0]

        self.workspace.move(goAndTell)
        if found == [None]:
            self.say(nowhere)

    def _approve(self) -> None:
        self.workspace.gradings.saveIfModified()
        self.afterSave(self.workspace.opened.approve(self.comment))

    def save(self, status: Status, reason: str = "") -> None:
        """Saves the mask of the open case. Raises SpiderSegError."""
        hasPartners = bool(self.ui.partnersCheckBox.checked) and not self._partnersReason()
        self.afterSave(self.workspace.opened.save(status, reason, self.comment, partners=hasPartners))

    def afterSave(self, result: SaveResult) -> None:
        """Shows what a save came to."""
        revision = result.saved.revision
        texts = [_("Saved {series} as {status}.").format(series=revision.series, status=revision.status.value), *result.messages]
        self.ui.commentLineEdit.text = ""
        self.ui.reasonComboBox.setEditText("")
        self._readHistory()
        self.workspace.findings.show(result.findings)
        self.workspace.revisions.onCaseChanged()
        self.workspace.readLater()
        self.say("\n".join(texts))

    def _restore(self) -> None:
        self.workspace.opened.restoreOffered()
        self.workspace.showCase()
        self.say(_("The unsaved edit is back; save it when it is right."))

    def _discard(self) -> None:
        self.workspace.opened.discardOffered()

    # Widgets

    def onCaseChanged(self) -> None:
        """Another case is open, or none."""
        case = self.workspace.current
        self.ui.commentLineEdit.text = ""
        self.ui.reasonComboBox.setEditText("")
        self._readHistory()
        self.say("" if case is None else "\n".join(case.messages))
        self.showTime()

    def _readHistory(self) -> None:
        case = self.workspace.current
        self._history = None if case is None else self.workspace.opened.revisions(case.series)

    def say(self, text: str) -> None:
        setMessage(self.ui.caseMessageLabel, text)

    def showTime(self) -> None:
        """The clock of the case."""
        if self.workspace.current is None:
            setMessage(self.ui.timerLabel, "")
            return
        timer = self.workspace.opened.timer
        seconds = int(60 * timer.minutes)
        clock = f"{seconds // 3600}:{seconds // 60 % 60:02d}:{seconds % 60:02d}" if seconds >= 3600 else f"{seconds // 60}:{seconds % 60:02d}"
        paused = _(" (paused: nothing was touched for a while)") if timer.isPaused else ""
        setMessage(self.ui.timerLabel, _("Time since the last save: {clock}{paused}").format(clock=clock, paused=paused))

    def refresh(self) -> None:
        case = self.workspace.current
        setMessage(self.ui.caseLabel, self._description())
        holder = "" if case is None else case.heldBy
        setMessage(self.ui.holderLabel, _("{annotator} works on this series now: talk to each other.").format(annotator=holder) if holder else "")
        offered = None if case is None else case.offered
        setShown(self.ui.offeredFrame, offered is not None)
        for button in (self.ui.restoreEditButton, self.ui.discardEditButton):
            self.workspace.panel.buttons.set(button, "" if offered is not None else _("There is no unsaved edit."))
        if offered is not None:
            text = _("Work of {time} was not saved ({minutes} min). New work is not kept automatically until you choose.")
            self.ui.offeredLabel.text = text.format(time=shortTime(offered.kept_utc), minutes=round(offered.minutes))
        self._refreshButtons()

    def _description(self) -> str:
        case, newest = self.workspace.current, None if self._history is None else self._history.newest
        if case is None:
            return _("No case is open. Next opens the first one of the work list.")
        summary = self.workspace.summaries.get(case.series)
        patient = "" if summary is None else _(" of patient {patient}").format(patient=summary.patient_id)
        if newest is not None:
            begun = _("{status}, saved by {annotator} {time}, {provenance}").format(
                status=newest.status.value, annotator=newest.annotator, time=shortTime(newest.created_utc), provenance=newest.provenance.value
            )
        elif summary is not None and summary.prediction_model:
            begun = _("prediction of {model}").format(model=summary.prediction_model)
        else:
            begun = _("no mask yet")
        return f"{case.series}{patient}: {begun}"

    def _refreshButtons(self) -> None:
        buttons, session, case = self.workspace.panel.buttons, self.workspace.opened, self.workspace.current
        buttons.set(self.ui.nextCaseButton, "" if self.workspace.hasOpenSeries else _("No series waits for a person."))
        buttons.set(self.ui.previousCaseButton, "" if session.hasPrevious else _("No case was open before this one."))
        buttons.set(self.ui.backCaseButton, "" if session.hasLater else _("You did not go back from a later case."))
        without = "" if case is not None else _("Open a case first.")
        for button in (self.ui.closeCaseButton, self.ui.saveCaseButton, self.ui.doneCaseButton):
            buttons.set(button, without)
        buttons.set(self.ui.approveCaseButton, without or self._approveReason())
        buttons.set(self.ui.flagCaseButton, without or ("" if self.reason else _("Write or choose a reason first.")))
        buttons.set(self.ui.partnersCheckBox, without or self._partnersReason())

    def _approveReason(self) -> str:
        history = self._history
        newest = None if history is None else history.newest
        if history is None or newest is None:
            return _("Nobody has saved a mask of this series yet: there is nothing to approve.")
        if same_person(history.maker(newest), self.workspace.opened.annotator):
            return _("You made this mask: another person has to approve it.")
        return ""

    def _partnersReason(self) -> str:
        if len(self.workspace.panel.seriesNodes) < 2:
            return _("No other series of the patient is open.")
        return self.workspace.panel.input.jointProblem


def shortTime(utc: str) -> str:
    """'2026-05-04 09:30' of an ISO time, UTC as it is written."""
    return utc[:16].replace("T", " ")
