"""Pre-segmenting the open series of a project with its champion, so that a person begins with a prediction and the list with its doubts."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from SpiderSegLib.annotation_project.models import ModelRecord
from SpiderSegLib.annotation_project.predictions import PredictionFacts, write_prediction
from SpiderSegLib.annotation_project.project import Project
from SpiderSegLib.annotation_project.summary import SeriesSummary
from SpiderSegLib.errors import Cancelled, OutputError, ProjectError, SpiderSegError
from SpiderSegLib.io import read_volume
from SpiderSegLib.linter import finding_counts, lint
from SpiderSegLib.stages import Stage, StageClock

if TYPE_CHECKING:
    from SpiderSegLib.inference import Predictor

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class PreSegmented:
    """The series that were segmented, and those that could not be, with the reason."""

    done: tuple[str, ...]
    failed: Mapping[str, str]


def waiting_series(summaries: Sequence[SeriesSummary], champion: ModelRecord) -> tuple[str, ...]:
    """The series that nobody has finished and that have no prediction, or one of another model: those without any first."""
    waiting = [summary for summary in summaries if not summary.accepted and summary.is_open and summary.prediction_model != champion.model_id]
    return tuple(summary.series for summary in sorted(waiting, key=lambda summary: bool(summary.prediction_model)))


def pre_segment(
    project: Project, series: Sequence[str], champion: ModelRecord, predictor: Predictor, clock_of: Callable[[int, str], StageClock]
) -> PreSegmented:
    """Segments one series after another; each is complete on disk before the next begins, so that a run can stop anywhere and go on.

    `clock_of` makes the clock of a series from its number and name. Raises Cancelled on request, and OutputError when a prediction can't be
    written (the next could not either); what was done stays.
    """
    done, failed = [], {}
    for number, name in enumerate(series):
        try:
            _segment_one(project, name, champion, predictor, clock_of(number, name))
            done.append(name)
        except (Cancelled, OutputError):
            raise
        except SpiderSegError as error:
            logger.warning("%s: not segmented: %s", name, error)
            failed[name] = str(error)
    return PreSegmented(tuple(done), failed)


def check_weights(project: Project, champion: ModelRecord, sha256: str) -> None:
    """Raises ProjectError when the weights that were loaded are not the champion's."""
    if sha256 != champion.checkpoint_sha256:
        raise ProjectError(
            f"{project.folder.model(champion.model_id)}: expected the weights {champion.checkpoint_sha256[:12]} of {champion.model_id}, "
            f"found {sha256[:12]}; get the file back from a backup"
        )


def _segment_one(project: Project, series: str, champion: ModelRecord, predictor: Predictor, clock: StageClock) -> None:
    from SpiderSegLib.active_learning.series_uncertainty import series_uncertainty
    from SpiderSegLib.pipeline import segment
    from SpiderSegLib.results import sidecar

    with clock.stage(Stage.READ):
        volume = read_volume(project.folder.image(series))
    result = segment(volume, predictor, clock)
    findings, unsure = lint(result.labelmap), series_uncertainty(result)
    facts = PredictionFacts(
        model_id=champion.model_id,
        naming=result.naming,
        uncertainty=unsure.shortened().as_json(),
        findings=finding_counts(findings),
        worst_finding=findings[0].message if findings else "",
    )
    with clock.stage(Stage.WRITE):
        write_prediction(project.folder, series, result.labelmap, facts, {**sidecar(result), "uncertainty": unsure.as_json()})
