"""`spiderseg project predict|retrain`: the long runs, with progress; both go on where they were interrupted."""

from __future__ import annotations

import logging
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import typer

from SpiderSegLib.annotation_project.index import ProjectIndex
from SpiderSegLib.annotation_project.models import champion
from SpiderSegLib.annotation_project.project import open_project
from SpiderSegLib.cli.console import STARTING, ProgressStyle, make_progress
from SpiderSegLib.retraining.files import RoundFiles
from SpiderSegLib.retraining.progress import RoundProgress
from SpiderSegLib.retraining.project_data import replay_items
from SpiderSegLib.retraining.project_round import RoundOptions, retrain_project, unfinished_round
from SpiderSegLib.stages import StageClock

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class PredictOptions:
    """The options of `spiderseg project predict`; limit None: all that wait."""

    device: str = "auto"
    limit: int | None = None
    mirror: bool = False
    progress: ProgressStyle = ProgressStyle.BAR


@dataclass(frozen=True)
class RetrainOptions:
    """The options of `spiderseg project retrain`; replay is a data set of older series."""

    person: str
    steps: int = 1000
    device: str = "auto"
    seed: int = 0
    replay: Path | None = None
    replay_root: Path | None = None
    is_restarting: bool = False
    progress: ProgressStyle = ProgressStyle.BAR


def predict(root: Path, options: PredictOptions) -> int:
    """Segments the series that wait with the champion; returns 0, or 1 when one failed. Interrupted, the same command goes on."""
    from SpiderSegLib.active_learning.pre_segmenting import check_weights, pre_segment, waiting_series

    project = open_project(root)
    model = champion(project)
    series = waiting_series(list(ProjectIndex(project).read().values()), model)[: options.limit]
    if not series:
        typer.echo(f"nothing to segment: no open series waits for a prediction by {model.model_id}", err=options.progress is ProgressStyle.JSON)
        return 0
    with closing(make_progress(options.progress, "starting")) as starting:
        starting.report(STARTING, 0.0, "loading")
        from SpiderSegLib.inference import InferenceConfig, Predictor, resolve_device
        from SpiderSegLib.weights import load_weights

        checkpoint = load_weights(str(project.folder.model(model.model_id)))
        check_weights(project, model, checkpoint.sha256)
        predictor = Predictor(checkpoint, resolve_device(options.device), InferenceConfig(mirror=options.mirror))
    bars = _Bars(options.progress, len(series))
    with closing(bars):
        found = pre_segment(project, series, model, predictor, bars.clock)
    typer.echo(f"{len(found.done)} series segmented by {model.model_id}, {len(found.failed)} failed", err=options.progress is ProgressStyle.JSON)
    return 1 if found.failed else 0


def retrain(root: Path, options: RetrainOptions) -> int:
    """Trains a challenger, compares it with the champion and promotes it if the rule says so. Returns 0.

    Raises DatasetError when nothing is new or the data leak, TrainingError; the champion then stays.
    """
    project = open_project(root)
    going_on = unfinished_round(project)
    if going_on is not None and not options.is_restarting:
        logger.info("going on with the round of %s that was interrupted; --restart gives it up", going_on.model_id)
    replay = () if options.replay is None else replay_items(options.replay, options.replay_root)
    round_options = RoundOptions(options.steps, options.device, options.seed, replay=replay, is_restarting=options.is_restarting)
    with closing(make_progress(options.progress, "retraining")) as progress:

        def report(step: RoundProgress) -> None:
            progress.report(step.stage.value, step.fraction, _message(step))

        outcome = retrain_project(project, ProjectIndex(project).read(), options.person, round_options, report)
    if outcome is None:  # another process of torchrun tells
        return 0
    is_quiet = options.progress is ProgressStyle.JSON
    typer.echo(outcome.report, err=is_quiet)
    for criterion in outcome.decision.criteria:
        typer.echo(f"  {'met' if criterion.is_met else 'NOT MET'}: {criterion.sentence}", err=is_quiet)
    for text in (*outcome.decision.reasons, *outcome.decision.warnings):
        typer.echo(f"  {text}", err=is_quiet)
    typer.echo(f"report: {RoundFiles(project.folder.model(outcome.challenger.model_id)).report}", err=is_quiet)
    if outcome.is_promoted:
        typer.echo(f"{outcome.challenger.model_id} is the champion now; spiderseg project predict segments the open series with it", err=is_quiet)
    elif not outcome.decision.criteria or outcome.decision.kind.value == "recommend":
        typer.echo(f"to take it: spiderseg project promote {root} {outcome.challenger.model_id} --person YOUR_NAME", err=is_quiet)
    return 0


def _message(step: RoundProgress) -> str:
    return step.message if step.seconds_left is None else f"{step.message}, {time_left(step.seconds_left)} left"


def time_left(seconds: float) -> str:
    """'40 s', '12 min', '3 h 05 min'."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60:02d} min"


class _Bars:
    """A bar for each series, one after another; the JSON progress runs over all of them."""

    def __init__(self, style: ProgressStyle, total: int) -> None:
        self._style, self._total = style, total
        self._progress = make_progress(ProgressStyle.NONE, "")

    def clock(self, number: int, series: str) -> StageClock:
        """The clock of a series."""
        self._progress.close()
        progress = self._progress = make_progress(self._style, series, number, self._total)
        return StageClock(lambda stage, share: progress.report(stage.value, share, series))

    def close(self) -> None:
        self._progress.close()
