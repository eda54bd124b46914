"""One run of `python -m SpiderSegLib ARGUMENTS` in a process of its own, watched from the application's event loop.

Nothing here waits: a ticker looks every 50 ms at what the process said and whether it ended.
"""

from __future__ import annotations

import logging
import subprocess
from collections import deque
from collections.abc import Callable, Sequence
from enum import Enum

from SpiderSegLib.errors import SpiderSegError
from SpiderSegLib.mrml.translation import _
from SpiderSegLib.mrml.workers.launching import Launch
from SpiderSegLib.mrml.workers.output import OutputReader, ProgressReport, parse_progress
from SpiderSegLib.mrml.workers.process_tree import TreeEnder, tree_of
from SpiderSegLib.mrml.workers.run_folder import RunFolder
from SpiderSegLib.mrml.workers.ticker import MakeTicker, Ticker
from SpiderSegLib.mrml.workers.time_left import TimeLeft
from SpiderSegLib.mrml.workers.wording import failure_text, stage_text, time_left_text
from SpiderSegLib.process_table import ProcessIdentity, identity_of

logger = logging.getLogger(__name__)

TICK_INTERVAL_MS = 50

#: So long output may be looked at in one tick; the event loop must not stand still for 100 ms.
OUTPUT_BUDGET_S = 0.02

#: Lines kept for the error message's details.
KEPT_LINES = 500

#: A process that ended but whose pipe is still held open left children behind; after so many ticks of silence they are not waited for.
TICKS_FOR_ORPHANS = 10

#: A process that survives SIGKILL for so many ticks hangs in the system; waiting for it would never end.
TICKS_TO_GIVE_UP = 100

#: Long enough for the grace period and the kill, when the application is closing.
SHUTDOWN_TIMEOUT_S = 2.0


class WorkerState(Enum):
    """QUEUED -> RUNNING -> DONE or FAILED; RUNNING -> CANCELLING -> CANCELLED; QUEUED -> CANCELLED."""

    QUEUED = "queued"
    RUNNING = "running"
    CANCELLING = "cancelling"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def isFinal(self) -> bool:
        return self in (WorkerState.DONE, WorkerState.FAILED, WorkerState.CANCELLED)


Listener = Callable[["WorkerProcess"], object]


class WorkerProcess:
    """A run of the command line: its state, progress, message and output.

    arguments are those of `spiderseg`, with absolute paths and `--progress json`. `folder` is removed when the run is over.
    onChanged is called whenever state or progress changed, onLog with every line that is not progress, onFinished once, in a final
    state and while `folder` is still there. All of them are called in the main thread, from the event loop or from within `start` and
    `cancel`. A WorkerQueue starts it.
    """

    def __init__(
        self,
        arguments: Sequence[str],
        folder: RunFolder | None = None,
        title: str = "",
        onChanged: Listener | None = None,
        onLog: Callable[[str], object] | None = None,
        onFinished: Listener | None = None,
    ) -> None:
        self.arguments = [str(argument) for argument in arguments]
        self.folder = folder
        self.title = title
        self.onChanged = onChanged
        self.onLog = onLog
        self.onFinished = onFinished
        #: Set by the queue; called last, when the folder is gone.
        self.onReleased: Listener | None = None
        self.state = WorkerState.QUEUED
        self.stage = ""
        self.fraction = 0.0
        #: What is worked on, as the run itself says it.
        self.detail = ""
        self.exitCode: int | None = None
        #: For people, in a final state: '' when done, else what happened.
        self.message = ""
        self._lines: deque[str] = deque(maxlen=KEPT_LINES)
        self._timeLeft = TimeLeft()
        self._process: subprocess.Popen[str] | None = None
        self._output: OutputReader | None = None
        self._tree: set[ProcessIdentity] = set()
        self._ender: TreeEnder | None = None
        self._silentTicks = 0
        self._ticksOfEnding = 0
        self._ticker: Ticker | None = None

    # What a widget shows

    @property
    def stageText(self) -> str:
        """What is being done, in words; '' before the first progress line."""
        return stage_text(self.stage)

    @property
    def secondsLeft(self) -> float | None:
        """None until it can be told, and in a final state."""
        return None if self.state.isFinal else self._timeLeft.seconds

    @property
    def timeLeftText(self) -> str:
        return time_left_text(self.secondsLeft)

    @property
    def log(self) -> str:
        """The last lines of output that are not progress, for an error's details."""
        return "\n".join(self._lines)

    # What a widget does

    def start(self, launch: Launch, makeTicker: MakeTicker) -> None:
        """Starts the process. When it can't be started, the state is FAILED on return."""
        if self.state is not WorkerState.QUEUED:
            raise RuntimeError(f"a {self.state.value} run can't be started")
        try:
            self._process = launch(self.arguments)
        except (SpiderSegError, OSError, ValueError) as error:
            self._finish(WorkerState.FAILED, _("The run could not be started: {error}").format(error=error))
            return
        assert self._process.stdout is not None
        self._output = OutputReader(self._process.stdout)
        self._remember(identity_of(self._process.pid))
        self._ticker = makeTicker(TICK_INTERVAL_MS, self._onTick)
        self._ticker.start()
        self._change(WorkerState.RUNNING)

    def cancel(self) -> None:
        """Ends the run and everything it started; a second call changes nothing. A queued run is CANCELLED on return."""
        if self.state is WorkerState.QUEUED:
            self._finish(WorkerState.CANCELLED, _("The run was cancelled."))
        elif self.state is WorkerState.RUNNING:
            self._change(WorkerState.CANCELLING)
            self._endTree()

    def shutDown(self) -> None:
        """Ends the run before returning, for an application that is closing: nobody is told, the folder is removed."""
        self.onChanged = self.onLog = self.onFinished = self.onReleased = None
        if self.state.isFinal:
            return
        if self._process is not None:
            self._ender = self._ender or TreeEnder(self._tree)
            self._ender.finish(SHUTDOWN_TIMEOUT_S)
        self._finish(WorkerState.CANCELLED, _("The run was cancelled."))

    # What the ticker does

    def _onTick(self) -> None:
        if self.state.isFinal:
            return
        self._readOutput()
        self._lookForTheEnd()

    def _lookForTheEnd(self) -> None:
        # A listener of the output may have let the event loop run, and the end have come within it.
        if self.state.isFinal:
            return
        if self._ender is not None:
            self._continueEnding()
        elif self._process is not None and self._process.poll() is not None:
            self._onProcessEnded()

    def _readOutput(self) -> None:
        assert self._output is not None
        self._silentTicks += 1
        for line in self._output.lines(OUTPUT_BUDGET_S):
            self._silentTicks = 0
            report = parse_progress(line)
            if report is None:
                self._onLine(line)
            else:
                self._onReport(report)

    def _onLine(self, line: str) -> None:
        self._lines.append(line)
        logger.info("%s", line)
        if self.onLog is not None:
            self.onLog(line)

    def _onReport(self, report: ProgressReport) -> None:
        if report.stage != self.stage:
            # Known before they are orphans: whoever kills the launcher leaves the real process without a parent.
            self._remember(*tree_of(self._tree))
        self.stage, self.detail = report.stage, report.message
        self.fraction = max(self.fraction, report.fraction)
        self._timeLeft.report(report.fraction)
        if self.onChanged is not None and not self.state.isFinal:
            self.onChanged(self)

    def _onProcessEnded(self) -> None:
        assert self._output is not None
        if self._output.at_end:
            self._finishByExitCode()
        elif self._silentTicks > TICKS_FOR_ORPHANS:
            # The real process without its launcher; or one that it left in the background, which is none of ours.
            self._endTree()

    def _endTree(self) -> None:
        self._ender = TreeEnder(self._tree)
        self._continueEnding()

    def _continueEnding(self) -> None:
        assert self._ender is not None
        assert self._process is not None
        self._ticksOfEnding += 1
        hasEnded = self._ender.step() and self._process.poll() is not None
        if not hasEnded and self._ticksOfEnding < TICKS_TO_GIVE_UP:
            return
        if not hasEnded:
            logger.warning("the processes %s could not be ended", ", ".join(str(process.pid) for process in self._ender.known))
        if self.state is WorkerState.CANCELLING:
            self._finish(WorkerState.CANCELLED, _("The run was cancelled."))
        else:
            self._finishByExitCode()

    def _finishByExitCode(self) -> None:
        assert self._process is not None
        code = self._process.wait()
        if code == 0:
            self._finish(WorkerState.DONE, "")
        else:
            self._finish(WorkerState.FAILED, failure_text(code, self._lines))

    # Both

    def _remember(self, *processes: ProcessIdentity | None) -> None:
        self._tree.update(process for process in processes if process is not None)

    def _change(self, state: WorkerState) -> None:
        self.state = state
        if self.onChanged is not None:
            self.onChanged(self)

    def _finish(self, state: WorkerState, message: str) -> None:
        """Everything that has to happen at the end happens, even when a listener raises."""
        self.message = message
        if self._ticker is not None:
            self._ticker.stop()
        self.exitCode = None if self._process is None else self._process.poll()
        try:
            self._change(state)
            if self.onFinished is not None:
                self.onFinished(self)
        finally:
            if self.folder is not None:
                self.folder.remove()
            if self.onReleased is not None:
                self.onReleased(self)
