"""Runs of the real command line with the bundled weights, each made once in a session however many tests look at it."""

from __future__ import annotations

import functools
import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import slicer
from numpy.typing import NDArray

import harness
from harness.spine_panel import MODULE, PATIENCE_S, SpinePanel


@dataclass(frozen=True)
class PhantomRun:
    """What was seen while the panel segmented the phantom; names and confidences by SPIDER value."""

    failure: str
    names: dict[int, str]
    confidences: dict[int, float]
    labels: NDArray[np.uint8]
    stages: tuple[str, ...]
    button_while_running: str
    button_afterwards: str
    views_before: tuple[Any, ...]
    views_afterwards: tuple[Any, ...]
    longest_gap_s: float
    seconds: float


@functools.cache
def segment_phantom() -> PhantomRun:
    """Clicks Segment for the phantom of the module's sample data, and waits for the bundled weights."""
    loaded = harness.load_module(MODULE)
    try:
        return _segment(SpinePanel(loaded), loaded.python_module.loadPhantom)
    finally:
        loaded.unload()
        harness.close_views()
        slicer.mrmlScene.Clear(0)


def _segment(case: SpinePanel, load_phantom: Any) -> PhantomRun:
    harness.open_views("Yellow", "Red")
    load_phantom()
    case.settle()
    before = _views()
    stages: list[str] = []
    began = time.monotonic()
    with harness.EventLoopWatch() as watch:
        case.click("applyButton")
        worker, while_running = case.panel.queue.running, case.ui.applyButton.text

        def has_ended() -> bool:
            if worker.stage not in ("", *stages[-1:]):
                stages.append(worker.stage)
            return not case.panel.queue.isBusy

        harness.wait_until(has_ended, PATIENCE_S)
        seconds = time.monotonic() - began
        case.settle()
    rows = case.panel.levels.rows
    return PhantomRun(
        failure="" if case.node is not None else case.ui.progressLabel.text,
        names={row.value: row.name for row in rows},
        confidences={row.value: row.confidence for row in rows if row.confidence is not None},
        labels=case.labels() if case.node is not None else np.zeros((1, 1, 1), np.uint8),
        stages=tuple(stages),
        button_while_running=while_running,
        button_afterwards=case.ui.applyButton.text,
        views_before=before,
        views_afterwards=_views(),
        longest_gap_s=watch.longest_gap_s,
        seconds=seconds,
    )


def _views() -> tuple[Any, ...]:
    """Where the slice views are, and how much they show."""
    nodes = slicer.util.getNodesByClass("vtkMRMLSliceNode")
    return tuple((slicer.util.arrayFromVTKMatrix(node.GetSliceToRAS()).tolist(), node.GetFieldOfView()) for node in nodes)
