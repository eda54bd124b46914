"""Runs wait for each other: one at a time, in the order they were submitted."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from SpiderSegLib.mrml.workers.launching import Launch
from SpiderSegLib.mrml.workers.process import WorkerProcess, WorkerState
from SpiderSegLib.mrml.workers.run_folder import RunFolder, remove_leftovers
from SpiderSegLib.mrml.workers.ticker import MakeTicker


class WorkerQueue:
    """The runs of an application. onChanged is called whenever a run comes, starts or goes.

    temporaryFolder says in which folder the runs' own are made; it is asked each time. The application calls `cancelAll` when the scene
    closes and `shutDown` when it closes itself.
    """

    def __init__(
        self, launch: Launch, makeTicker: MakeTicker, temporaryFolder: Callable[[], Path], onChanged: Callable[[], object] | None = None
    ) -> None:
        self.onChanged = onChanged
        self._launch = launch
        self._makeTicker = makeTicker
        self._temporaryFolder = temporaryFolder
        self._workers: list[WorkerProcess] = []
        self._isStarting = False
        remove_leftovers(temporaryFolder())

    @property
    def workers(self) -> tuple[WorkerProcess, ...]:
        """The running one first, then those that wait, in their order."""
        return tuple(self._workers)

    @property
    def running(self) -> WorkerProcess | None:
        """The one that runs or is being cancelled."""
        return self._workers[0] if self._workers else None

    @property
    def isBusy(self) -> bool:
        return bool(self._workers)

    def makeFolder(self) -> RunFolder:
        """A private folder for the next run's files. Raises OutputError when the temporary folder can't be written."""
        return RunFolder.make(self._temporaryFolder())

    def submit(self, worker: WorkerProcess) -> None:
        """Starts the run now, or when those before it are over."""
        worker.onReleased = self._onReleased
        self._workers.append(worker)
        self._startNext()

    def cancel(self, worker: WorkerProcess) -> None:
        """Cancels a run, whether it waits or runs; one that is over stays as it is."""
        worker.cancel()

    def cancelAll(self) -> None:
        """Cancels every run; those that wait are gone on return, the running one is within a second."""
        for worker in reversed(self.workers):
            worker.cancel()

    def shutDown(self) -> None:
        """As cancelAll, but waits for the end and calls nobody: for an application that is closing."""
        workers, self._workers = self._workers, []
        self.onChanged = None
        for worker in reversed(workers):
            worker.shutDown()

    def _startNext(self) -> None:
        # A run that can't be started ends within start(): the loop goes on with the next, not the calls within each other.
        if not self._isStarting:
            self._isStarting = True
            try:
                while self._workers and self._workers[0].state is WorkerState.QUEUED:
                    self._workers[0].start(self._launch, self._makeTicker)
            finally:
                self._isStarting = False
        self._tell()

    def _onReleased(self, worker: WorkerProcess) -> None:
        self._workers.remove(worker)
        self._startNext()

    def _tell(self) -> None:
        if self.onChanged is not None:
            self.onChanged()
