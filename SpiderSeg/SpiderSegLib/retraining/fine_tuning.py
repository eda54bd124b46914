"""Trains the challenger from the champion's weights, or goes on where a training stopped."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from SpiderSegLib.ranks import Rank
from SpiderSegLib.retraining.files import RoundFiles
from SpiderSegLib.retraining.opening import OpenRound
from SpiderSegLib.retraining.progress import RoundStage


@dataclass(frozen=True)
class CurvePoint:
    """One step of the training curve; loss None where it was no number."""

    step: int
    loss: float | None
    learning_rate: float


def fine_tune(opened: OpenRound, rank: Rank | None = None) -> Path:
    """The challenger's checkpoint; trained now unless that was done before, by several processes each as its rank.

    The champion's files are only read.

    Raises what `training.train` raises, among it Cancelled, after which the same round goes on from the step that was reached.
    """
    from SpiderSegLib.retraining.recipe import FineTuningRecipe
    from SpiderSegLib.training import train

    files, request = opened.files, opened.request
    if files.weights.is_file():  # written after the last step, and never before
        return files.weights

    def report(record: Mapping[str, Any]) -> None:
        loss = "-" if record["loss"] is None else f"{record['loss']:.3f}"
        opened.meter.report(RoundStage.TRAIN, record["step"] / request.steps, f"step {record['step']} of {request.steps}, loss {loss}")

    return train(
        FineTuningRecipe(opened),
        files.training,
        request.device,
        resume=files.resume_state.is_file(),
        rank=rank,
        weights=opened.champion.weights,
        on_step=report,
        is_cancelled=opened.is_cancelled,
    )


def read_curve(out: Path) -> tuple[CurvePoint, ...]:
    """The training curve of the round in a folder, as far as it is: also while another process trains. Empty before the first step.

    Reads the file itself, because `training.Journal` brings in torch, for which whoever only watches should not wait.
    """
    metrics = RoundFiles(out).metrics
    if not metrics.is_file():
        return ()
    points = []
    for line in metrics.read_text(encoding="utf-8", errors="replace").splitlines():
        with contextlib.suppress(ValueError, KeyError, TypeError):  # the line that is just being written
            record = json.loads(line)
            points.append(CurvePoint(record["step"], record["loss"], record["lr"]))
    return tuple(points)
