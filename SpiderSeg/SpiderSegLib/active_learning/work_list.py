"""The work list of a project: which series wait for whom, the next one first."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from SpiderSegLib.active_learning.candidate import Candidate
from SpiderSegLib.active_learning.ranking import rank
from SpiderSegLib.active_learning.scoring import Strategy
from SpiderSegLib.active_learning.series_uncertainty import SeriesUncertainty
from SpiderSegLib.active_learning.wording import Ranked
from SpiderSegLib.annotation_project.decisions import frozen_patients, read_decisions
from SpiderSegLib.annotation_project.models import read_models
from SpiderSegLib.annotation_project.project import Project
from SpiderSegLib.annotation_project.summary import SeriesSummary
from SpiderSegLib.corrections.leases import Lease, leases
from SpiderSegLib.corrections.names import same_person
from SpiderSegLib.corrections.records import Clock, utc_now
from SpiderSegLib.errors import InputError

#: The patients of so many series that were saved last count as annotated lately: a morning's work.
RECENT_SERIES = 10


def work_list(
    project: Project,
    summaries: Mapping[str, SeriesSummary],
    strategy: Strategy = Strategy.UNCERTAIN,
    annotator: str = "",
    seed: int = 0,
    clock: Clock = utc_now,
) -> tuple[Ranked, ...]:
    """The open series that nobody else holds, the next one first; those that the annotator began come before all others.

    Frozen patients are offered like others: their masks are made by the same people, only never trained on. Raises ProjectError for damaged
    decisions or models.
    """
    held, generations = leases(project.folder, clock), {model.model_id: model.generation for model in read_models(project).values()}
    waiting = [summary for summary in summaries.values() if summary.is_open]
    candidates = [_candidate(summary, held.get(summary.series), generations, annotator) for summary in waiting]
    ranked = rank(candidates, strategy, seed, annotator, recent_patients(summaries.values()))
    begun = {summary.series for summary in waiting if summary.head and annotator and same_person(summary.annotator, annotator)}
    return (*(one for one in ranked if one.candidate.series in begun), *(one for one in ranked if one.candidate.series not in begun))


def recent_patients(summaries: Iterable[SeriesSummary]) -> list[str]:
    """The patients of the series that people saved last, one entry a series."""
    saved = sorted((one for one in summaries if one.updated_utc), key=lambda one: one.updated_utc, reverse=True)
    return [one.patient_id for one in saved[:RECENT_SERIES]]


def validation_series(project: Project, summaries: Mapping[str, SeriesSummary]) -> tuple[str, ...]:
    """The series of frozen patients whose masks may judge models."""
    frozen = frozen_patients(read_decisions(project.folder))
    return tuple(name for name, summary in summaries.items() if summary.patient_id in frozen and summary.may_validate)


def _candidate(summary: SeriesSummary, lease: Lease | None, generations: Mapping[str, int], annotator: str) -> Candidate:
    holder = "" if lease is None else annotator if annotator and same_person(lease.annotator, annotator) else lease.annotator
    return Candidate(
        series=summary.series,
        patient_id=summary.patient_id,
        uncertainty=_uncertainty(summary),
        naming=summary.naming,
        generation=generations.get(summary.prediction_model),
        linter_errors=summary.findings.get("error", 0),
        linter_warnings=summary.findings.get("warning", 0),
        linter_worst=summary.worst_finding,
        waiting_since_utc=summary.updated_utc or summary.imported_utc,
        held_by=holder,
    )


def _uncertainty(summary: SeriesSummary) -> SeriesUncertainty | None:
    """As the prediction's sidecar tells; None without one, or when it tells something else."""
    if summary.uncertainty is None:
        return None
    try:
        return SeriesUncertainty.from_json(summary.uncertainty)
    except InputError:
        return None
