"""Background work of a project: `spiderseg project ..` in a process of its own, behind a button that starts and cancels it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from slicer.i18n import tr as _

from SpiderSegLib.gui.messages import setMessage
from SpiderSegLib.gui.visibility import setShown
from SpiderSegLib.mrml.workers.process import WorkerProcess, WorkerState
from SpiderSegLib.mrml.workers.queue import WorkerQueue

if TYPE_CHECKING:
    from SpiderSegLib.gui.panel import Panel

#: Lines of its output that are shown when a run is over.
LINES_OF_RESULT = 6


@dataclass(frozen=True)
class JobWidgets:
    """The button of a job, and the bar and label that jobs of one queue share."""

    button: Any
    bar: Any
    label: Any


class Job:
    """One kind of work; its runs wait for those of other jobs in the same queue.

    While one waits or goes, the button says `busyText` and cancels. `tellsTime`: the run's own messages say how long it will take.
    """

    def __init__(self, panel: Panel, queue: WorkerQueue, widgets: JobWidgets, busyText: str, tellsTime: bool = False) -> None:
        self.panel = panel
        self._queue = queue
        self._widgets = widgets
        self._idleText, self._busyText = widgets.button.text, busyText
        self._tellsTime = tellsTime
        self._worker: WorkerProcess | None = None
        setShown(widgets.bar, False)
        setMessage(widgets.label, "")

    @property
    def isRunning(self) -> bool:
        """Whether a run waits or goes."""
        return self._worker is not None and not self._worker.state.isFinal

    def start(self, title: str, arguments: Sequence[str], onEnded: Callable[[bool], object]) -> None:
        """Starts a run, or lets it wait; onEnded gets whether it succeeded: one that was cancelled did not."""

        def onFinished(worker: WorkerProcess) -> None:
            self._tellEnd(worker)
            onEnded(worker.state is WorkerState.DONE)

        self._worker = WorkerProcess(arguments, title=title, onChanged=self._onChanged, onFinished=onFinished)
        self._queue.submit(self._worker)
        self.panel.refreshLater()

    def cancel(self) -> None:
        """Ends the run; what it has written stays, and the next one goes on from there."""
        if self._worker is not None:
            self._worker.cancel()

    def refresh(self, reason: str) -> None:
        """Shows the button as it is now; `reason` says why a run can't be started."""
        button = self._widgets.button
        button.text = self._busyText if self.isRunning else self._idleText
        if self._worker is not None and self._worker.state is WorkerState.CANCELLING:
            reason = _("The run is being cancelled.")
        elif self.isRunning:
            reason = ""
        self.panel.buttons.set(button, reason)

    def _onChanged(self, worker: WorkerProcess) -> None:
        if worker.state.isFinal:
            setShown(self._widgets.bar, self._queue.running not in (None, worker))
            self.panel.refreshLater()
            return
        shown = self._queue.running or worker
        setShown(self._widgets.bar, True)
        self._widgets.bar.value = round(100 * shown.fraction)
        setMessage(self._widgets.label, self._text(shown))
        if not worker.stage or worker.state is not WorkerState.RUNNING:
            self.panel.refreshLater()

    def _text(self, worker: WorkerProcess) -> str:
        words = {WorkerState.QUEUED: _("waiting for the run before it"), WorkerState.CANCELLING: _("cancelling")}
        doing = words.get(worker.state) or worker.detail or worker.stageText or _("starting")
        parts = [f"{worker.title}: {doing}", "" if self._tellsTime else worker.timeLeftText]
        return ", ".join(part for part in parts if part)

    def _tellEnd(self, worker: WorkerProcess) -> None:
        # What to type next is for the terminal.
        said = [line for line in worker.log.splitlines() if line.strip() and "spiderseg project" not in line][-LINES_OF_RESULT:]
        text = "\n".join(said) or _("{title}: done.").format(title=worker.title)
        setMessage(self._widgets.label, text if worker.state is WorkerState.DONE else f"{worker.title}: {worker.message}")
