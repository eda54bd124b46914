"""Runs of the model: the button that starts and cancels, how far a run is, and its result in the scene."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from SpiderSegLib.errors import InputError
from SpiderSegLib.mrml.annotation_session.case_nodes import removeSegmentation
from SpiderSegLib.mrml.runs import RunSettings
from SpiderSegLib.mrml.segmentations import replaceSegments
from SpiderSegLib.mrml.translation import _
from SpiderSegLib.mrml.volumes import checkInput
from SpiderSegLib.mrml.workers.process import WorkerProcess, WorkerState
from SpiderSegLib.workstation.bench import Action, Bench


class RunControls:
    """One run at a time goes; the page shows it with its share and the time that is left."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self._workers: list[WorkerProcess] = []
        self.messages: tuple[str, ...] = ()
        #: Called after the open series was segmented.
        self.onSegmented: Callable[[], object] = lambda: None
        bench.state.update({"device": bench.settings.device, "mirror": bench.settings.mirror})
        bench.state.change("device", "mirror")(self._onSettings)
        self.actions: Mapping[str, Action] = {"segment": self.segment, "cancelRun": self.cancel}

    def _onSettings(self, device: str, mirror: bool, **others: Any) -> None:
        self.bench.settings = RunSettings(self.bench.settings.weights, str(device), bool(mirror))

    def segment(self) -> None:
        """Segments the open series. Raises SpiderSegError when it can't be."""
        bench, volumeNode = self.bench, self.bench.volumeNode
        if volumeNode is None:
            raise InputError(_("open a series first"))
        error = checkInput(volumeNode).error
        if error:
            raise InputError(error)
        work = bench.work

        def onLoaded(segmentationNode: Any, messages: list[str]) -> None:
            if bench.work is not work or work is None:
                removeSegmentation(segmentationNode)
                return
            text = _("Done: check the levels, then confirm them.")
            if work.segmentationNode is None:
                segmentationNode.CreateDefaultDisplayNodes()
                work.useSegmentation(segmentationNode)
                bench.edit()
            else:
                replaceSegments(work.segmentationNode, segmentationNode, bench.history)
                removeSegmentation(segmentationNode)
                text = _("Segmented again; undo brings back what was there before.")
            self.messages = tuple(messages)
            bench.onNodeChanged()
            bench.answer(self.onSegmented)
            bench.say("\n".join([text, *messages]), "success")

        self.messages = ()
        self.follow(bench.runs.segment(volumeNode, bench.settings, onLoaded, self.onFailed, self.onChanged))

    def follow(self, worker: WorkerProcess) -> None:
        """Shows a run until it is over."""
        self._workers = [one for one in (*self._workers, worker) if not one.state.isFinal]
        self.show()

    def cancel(self) -> None:
        """Ends the runs and everything they started."""
        for worker in list(self._workers):
            worker.cancel()

    def cancelAll(self) -> None:
        """Another series is opened: what goes on belongs to the one before."""
        self.bench.queue.cancelAll()

    def onFailed(self, message: str) -> None:
        self.bench.say(message, "error")

    def onChanged(self, worker: WorkerProcess) -> None:
        if worker.state is WorkerState.CANCELLED:
            self.bench.say(worker.message)
        self._workers = [one for one in self._workers if not one.state.isFinal]
        self.show()

    @property
    def isRunning(self) -> bool:
        return bool(self._workers)

    # State

    def show(self) -> None:
        """How far the run is that goes."""
        worker = next((one for one in self._workers if one.state is not WorkerState.QUEUED), self._workers[0] if self._workers else None)
        words = {WorkerState.QUEUED: _("waiting"), WorkerState.CANCELLING: _("cancelling")}
        with self.bench.state as state:
            state.run = worker and {
                "title": worker.title,
                "text": words.get(worker.state, worker.stageText or _("starting")),
                "percent": round(100 * worker.fraction),
                "left": worker.timeLeftText,
                "isCancelling": worker.state is WorkerState.CANCELLING,
            }
        if worker is None:
            self.bench.refreshLater()

    def refresh(self) -> None:
        """Shown by `show`, whenever a run says something."""

    def reasons(self) -> dict[str, str]:
        without = _("Open a series first.") if self.bench.volumeNode is None else checkInput(self.bench.volumeNode).error
        return {"segment": without, "cancelRun": "" if self._workers else _("Nothing runs.")}
