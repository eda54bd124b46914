"""Runs of an application's buttons: from nodes to a worker process and back into the scene."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from SpiderSegLib.errors import SpiderSegError
from SpiderSegLib.labels import Structure
from SpiderSegLib.mrml.history import History
from SpiderSegLib.mrml.runs import (
    INPUT_NAME,
    NodeRun,
    RunSettings,
    loadResult,
    messagesOf,
    prepareRerun,
    prepareRun,
    prepareRunAround,
    sidecarOf,
    takeInResult,
)
from SpiderSegLib.mrml.translation import _
from SpiderSegLib.mrml.workers.process import WorkerProcess, WorkerState
from SpiderSegLib.mrml.workers.queue import WorkerQueue
from SpiderSegLib.mrml.workers.run_folder import RunFolder


class NodeRuns:
    """Starts runs on nodes and brings their results into the scene; several wait for each other in a queue.

    Each start writes the run's input at once, so that later edits do not change what is segmented. onFailed gets a text for people;
    neither callback is called for a run that was cancelled.
    """

    def __init__(self, scene: Any, queue: WorkerQueue) -> None:
        self.scene = scene
        self.queue = queue

    def segment(
        self,
        volumeNode: Any,
        settings: RunSettings,
        onLoaded: Callable[[Any, list[str]], object],
        onFailed: Callable[[str], object],
        onChanged: Callable[[WorkerProcess], object] | None = None,
    ) -> WorkerProcess:
        """Segments a volume; onLoaded gets the new segmentation node and what the run wants to be known. Raises SpiderSegError."""

        name = volumeNode.GetName()

        def load(run: NodeRun) -> None:
            messages = [_ofSeries(text, run, name) for text in messagesOf(sidecarOf(run.output))]
            onLoaded(loadResult(self.scene, run), messages)

        return self._submit(lambda folder: prepareRun(folder.path, volumeNode, settings), name, volumeNode, load, onFailed, onChanged)

    def drawAround(
        self,
        segmentationNode: Any,
        volumeNode: Any,
        pointRas: tuple[float, float, float],
        structure: Structure,
        settings: RunSettings,
        history: History,
        onAdded: Callable[[str], object],
        onFailed: Callable[[str], object],
        onChanged: Callable[[WorkerProcess], object] | None = None,
    ) -> WorkerProcess:
        """Draws one missing vertebra or disc at a point; onAdded gets the ID of its segment. Raises SpiderSegError."""
        title = _("a vertebra at the click") if structure is Structure.VERTEBRA else _("a disc at the click")
        return self._submit(
            lambda folder: prepareRunAround(folder.path, segmentationNode, volumeNode, pointRas, structure, settings),
            title,
            volumeNode,
            lambda run: onAdded(takeInResult(self.scene, run, history)),
            onFailed,
            onChanged,
        )

    def drawAnew(
        self,
        segmentationNode: Any,
        volumeNode: Any,
        segmentId: str,
        settings: RunSettings,
        history: History,
        onAdded: Callable[[str], object],
        onFailed: Callable[[str], object],
        onChanged: Callable[[WorkerProcess], object] | None = None,
    ) -> WorkerProcess:
        """Draws one level once more; onAdded gets the ID of its segment. Raises SpiderSegError."""
        title = segmentationNode.GetSegmentation().GetSegment(segmentId).GetName()
        return self._submit(
            lambda folder: prepareRerun(folder.path, segmentationNode, volumeNode, segmentId, settings),
            title,
            volumeNode,
            lambda run: onAdded(takeInResult(self.scene, run, history)),
            onFailed,
            onChanged,
        )

    def _submit(
        self,
        prepare: Callable[[RunFolder], NodeRun],
        title: str,
        volumeNode: Any,
        takeIn: Callable[[NodeRun], object],
        onFailed: Callable[[str], object],
        onChanged: Callable[[WorkerProcess], object] | None,
    ) -> WorkerProcess:
        folder = self.queue.makeFolder()
        try:
            run = prepare(folder)
        except BaseException:
            folder.remove()
            raise
        name = volumeNode.GetName()

        def onFinished(worker: WorkerProcess) -> None:
            if worker.state is WorkerState.FAILED:
                onFailed(_ofSeries(worker.message, run, name))
            elif worker.state is WorkerState.DONE:
                try:
                    takeIn(run)
                except SpiderSegError as error:
                    onFailed(str(error))

        worker = WorkerProcess(run.arguments, folder, title, onChanged=onChanged, onFinished=onFinished)
        self.queue.submit(worker)
        return worker


def _ofSeries(text: str, run: NodeRun, name: str) -> str:
    """What a run says of its input file, said of the series."""
    return text.replace(str(run.output.with_name(INPUT_NAME)), name).replace(INPUT_NAME, name)
