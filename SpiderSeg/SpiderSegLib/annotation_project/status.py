"""What a project has come to, in numbers: series by state, the validation patients, the models, how well annotators agree."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from SpiderSegLib.annotation_project.decisions import frozen_patients, read_decisions, validation_uses
from SpiderSegLib.annotation_project.models import champion, read_models
from SpiderSegLib.annotation_project.project import Project
from SpiderSegLib.annotation_project.summary import SeriesState, SeriesSummary
from SpiderSegLib.corrections.leases import leases
from SpiderSegLib.corrections.records import Clock, utc_now
from SpiderSegLib.counted import counted


@dataclass(frozen=True)
class ProjectStatus:
    """The numbers of a project.

    agreement: mean Dice of the structures between the masks of two people, over the `agreement_series` where two met; None where there is none.
    held: series -> annotator who works on it now. champion: '' while the project has no model.
    """

    name: str
    series: int
    patients: int
    states: Mapping[SeriesState, int]
    provenances: Mapping[str, int]
    minutes: float
    agreement: float | None
    agreement_series: int
    held: Mapping[str, str]
    frozen: int
    validation_series: int
    validation_uses: int
    champion: str
    generation: int
    models: int
    damaged: int

    def as_dict(self) -> dict[str, Any]:
        """JSON values."""
        return {**vars(self), "states": {state.value: count for state, count in self.states.items()}}


def project_status(project: Project, summaries: Mapping[str, SeriesSummary], clock: Clock = utc_now) -> ProjectStatus:
    """The numbers. Raises ProjectError for damaged decisions or models."""
    decisions, models = read_decisions(project.folder), read_models(project)
    frozen = frozen_patients(decisions)
    every = list(summaries.values())
    counts = Counter(summary.state for summary in every)
    agreements = [summary.agreement for summary in every if summary.agreement is not None]
    best = champion(project) if models else None
    return ProjectStatus(
        name=project.name,
        series=len(every),
        patients=len({summary.patient_id for summary in every}),
        states={state: counts[state] for state in SeriesState},
        provenances=dict(Counter(summary.accepted_provenance for summary in every if summary.accepted)),
        minutes=sum(summary.minutes for summary in every),
        agreement=sum(agreements) / len(agreements) if agreements else None,
        agreement_series=len(agreements),
        held={series: lease.annotator for series, lease in leases(project.folder, clock).items()},
        frozen=len(frozen),
        validation_series=sum(summary.patient_id in frozen and summary.may_validate for summary in every),
        validation_uses=validation_uses(decisions),
        champion=best.model_id if best else "",
        generation=best.generation if best else 0,
        models=len(models),
        damaged=sum(summary.damaged for summary in every),
    )


def status_lines(status: ProjectStatus) -> list[str]:
    """The numbers in words."""
    states = ", ".join(f"{count} {state.value}" for state, count in status.states.items() if count)
    lines = [f"{status.name}: {status.series} series of {counted(status.patients, 'patient')}" + (f": {states}" if states else "")]
    if status.provenances:
        lines.append("accepted masks: " + ", ".join(f"{count} {name}" for name, count in sorted(status.provenances.items())))
    if status.minutes:
        lines.append(f"time spent: {status.minutes / 60:.1f} h")
    if status.agreement is not None:
        lines.append(f"agreement of annotators: {status.agreement:.2f} (mean Dice over {status.agreement_series} series)")
    if status.held:
        lines.append("held: " + ", ".join(f"{series} by {annotator}" for series, annotator in sorted(status.held.items())))
    lines.append(_validation(status))
    lines.append(f"model: {status.champion} (generation {status.generation}) of {status.models}" if status.champion else "model: none yet")
    if status.states.get(SeriesState.CONFLICT):
        lines.append("conflicts: two people went on from the same mask; open the series, or spiderseg project settle")
    if status.damaged:
        lines.append(f"damaged: {status.damaged} files of revisions can't be read; spiderseg project verify names them")
    return lines


def _validation(status: ProjectStatus) -> str:
    if not status.frozen:
        return "validation: no patients are frozen yet; models can't be compared before (spiderseg project freeze)"
    uses = counted(status.validation_uses, "round")
    return f"validation: {counted(status.frozen, 'patient')} frozen, {status.validation_series} series, used in {uses}"
