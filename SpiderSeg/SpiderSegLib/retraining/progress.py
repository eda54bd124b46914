"""How far a round is: its stage, the share of the whole done, what is worked on, and how long it will still take."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from SpiderSegLib.retraining.request import RetrainRequest

#: What a window of a training step, checking and reading a series, segmenting and scoring one, and the report cost, in windows: measured on
#: two processor cores. They only shape the bar.
CHECKED_SERIES, SCORED_SERIES, REPORT = 0.5, 4.0, 5.0

#: Before so much was seen an estimate of the time left would only frighten or flatter.
LEAST_SHARE, LEAST_SECONDS = 0.005, 2.0


class RoundStage(str, Enum):
    """What a round is doing."""

    CHECK = "check"
    TRAIN = "train"
    SCORE = "score"
    REPORT = "report"


@dataclass(frozen=True)
class RoundProgress:
    """`fraction` 0..1 of the whole round, which never falls; `seconds_left` None until it can be told."""

    stage: RoundStage
    fraction: float
    message: str
    seconds_left: float | None


RoundCallback = Callable[[RoundProgress], None]


class ProgressMeter:
    """Turns shares of a stage into shares of the round; the speed is that of the stage at work, so what was done before counts for nothing."""

    def __init__(self, request: RetrainRequest, on_progress: RoundCallback | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        series = len(request.new_items) + len(request.replay_items)
        validated = len(request.validation_items)
        self._work = {
            RoundStage.CHECK: CHECKED_SERIES * (2 * series + 2 * validated),
            RoundStage.TRAIN: float(request.steps * request.batch_size),
            RoundStage.SCORE: SCORED_SERIES * 2 * validated,
            RoundStage.REPORT: REPORT,
        }
        self._on_progress, self._clock = on_progress, clock
        self._reached = 0.0
        self._start: tuple[RoundStage, float, float] | None = None

    def report(self, stage: RoundStage, share_of_stage: float, message: str = "") -> None:
        """So much of a stage is done."""
        stages = list(self._work)
        before = sum(self._work[one] for one in stages[: stages.index(stage)])
        fraction = (before + min(1.0, share_of_stage) * self._work[stage]) / sum(self._work.values())
        self._reached = max(self._reached, fraction)
        now = self._clock()
        if self._start is None or self._start[0] is not stage:
            self._start = (stage, now, self._reached)
        if self._on_progress is not None:
            self._on_progress(RoundProgress(stage, self._reached, message, self._seconds_left(now)))

    def _seconds_left(self, now: float) -> float | None:
        """By the speed of this stage; that of reading files says nothing of the network's."""
        if self._start is None or self._start[0] is RoundStage.CHECK:
            return None
        _, start, fraction = self._start
        gone, done = now - start, self._reached - fraction
        return gone * (1 - self._reached) / done if gone >= LEAST_SECONDS and done >= LEAST_SHARE else None
