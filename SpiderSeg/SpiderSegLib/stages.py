"""Stages of a run, as progress lines, timings and the sidecar name them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import Enum

from SpiderSegLib.errors import Cancelled


class Stage(str, Enum):
    """What a run is doing; IMPORT is the loading of torch, MONAI and the weights."""

    IMPORT = "import"
    READ = "read"
    PREPROCESS = "preprocess"
    NETWORK = "network"
    RESAMPLE = "resample"
    NUMBER = "number"
    WRITE = "write"


#: Share of a series' run at the end of each stage, for one bar over all of it; the network's share is that of two processor cores.
STAGE_ENDS = {Stage.READ: 0.03, Stage.PREPROCESS: 0.08, Stage.NETWORK: 0.8, Stage.RESAMPLE: 0.86, Stage.NUMBER: 0.97, Stage.WRITE: 1.0}

#: Called with the stage and the share of the series' run done, 0..1.
StageCallback = Callable[[Stage, float], None]

#: Asked between steps of work; True stops with Cancelled.
CancelCallback = Callable[[], bool]


class StageClock:
    """Times the stages, reports their ends, and stops between them on request."""

    def __init__(self, on_stage: StageCallback | None = None, is_cancelled: CancelCallback | None = None) -> None:
        self.seconds: dict[str, float] = {}
        self.is_cancelled = is_cancelled
        self._on_stage = on_stage

    @contextmanager
    def stage(self, stage: Stage) -> Iterator[None]:
        """Times the block. Raises Cancelled before it when asked to stop."""
        if self.is_cancelled is not None and self.is_cancelled():
            raise Cancelled("stopped on request; nothing was written")
        started = time.perf_counter()
        yield
        self.seconds[stage.value] = time.perf_counter() - started
        self.report(stage, 1.0)

    def report(self, stage: Stage, share_of_stage: float) -> None:
        """Tells the callback how far the run is, when so much of a stage is done."""
        if self._on_stage is not None:
            stages = list(STAGE_ENDS)
            start = STAGE_ENDS[stages[stages.index(stage) - 1]] if stage is not stages[0] else 0.0
            self._on_stage(stage, start + share_of_stage * (STAGE_ENDS[stage] - start))
