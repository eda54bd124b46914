"""Which patients judge models: chosen once, by people, and never among those that trained one."""

from __future__ import annotations

import logging
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from SpiderSegLib.annotation_project.decisions import Choice, Decision, decide, frozen_patients, read_decisions
from SpiderSegLib.annotation_project.exporting import write_tables
from SpiderSegLib.annotation_project.models import read_models
from SpiderSegLib.annotation_project.project import Project
from SpiderSegLib.corrections.history import read_history
from SpiderSegLib.corrections.records import Clock, utc_now
from SpiderSegLib.corrections.revision import Provenance
from SpiderSegLib.corrections.series_record import SeriesRecord, read_series_record, series_names
from SpiderSegLib.counted import counted
from SpiderSegLib.errors import ProjectError, SpiderSegError
from SpiderSegLib.series_names import natural_key

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Refusal:
    """A patient who may not be frozen, and why."""

    patient_id: str
    reason: str


@dataclass(frozen=True)
class _Seen:
    """The patients and images that trained a model."""

    model_id: str
    patients: frozenset[str]
    images_sha256: frozenset[str]


def patients_of(project: Project) -> dict[str, tuple[SeriesRecord, ...]]:
    """The series of every patient, in natural order."""
    found: dict[str, list[SeriesRecord]] = {}
    for series in sorted(series_names(project.folder), key=natural_key):
        record = read_series_record(project.folder, series)
        found.setdefault(record.patient_id, []).append(record)
    return {patient: tuple(records) for patient, records in found.items()}


def refusals(project: Project, patients: Iterable[str]) -> tuple[Refusal, ...]:
    """Why patients may not be frozen, those who may left out."""
    series, frozen = patients_of(project), frozen_patients(read_decisions(project.folder))
    models = read_models(project).values()
    seen = [_Seen(one.model_id, frozenset(one.training_patients), frozenset(one.training_image_sha256.values())) for one in models]
    reasons = ((patient, _reason(project, patient, series.get(patient, ()), seen, frozen)) for patient in patients)
    return tuple(Refusal(patient, reason) for patient, reason in reasons if reason)


def eligible_patients(project: Project) -> tuple[str, ...]:
    """The patients who may be frozen now."""
    patients = patients_of(project)
    refused = {refusal.patient_id for refusal in refusals(project, patients)}
    return tuple(patient for patient in patients if patient not in refused)


def choose_patients(project: Project, number: int, seed: int = 0) -> tuple[str, ...]:
    """So many eligible patients by chance. Raises ProjectError when there are fewer, or none were asked for."""
    eligible = eligible_patients(project)
    if not 1 <= number <= len(eligible):
        raise ProjectError(
            f"{counted(number, 'patient')} can't be chosen, {len(eligible)} may be frozen: those no model was trained on, with a mask made by hand, "
            "or corrected or imported and approved by a second person; spiderseg project freeze tells for each patient what is missing"
        )
    return tuple(sorted(random.Random(seed).sample(eligible, number), key=natural_key))


def freeze(project: Project, patients: Sequence[str], person: str, comment: str = "", clock: Clock = utc_now) -> Decision:
    """Makes patients validation patients for good. Raises ProjectError naming each that may not be, and why; then none is."""
    chosen = tuple(dict.fromkeys(patients))
    if not chosen:
        raise ProjectError("expected patients to freeze, found none")
    refused = refusals(project, chosen)
    if refused:
        raise ProjectError("these patients can't be frozen: " + "; ".join(f"{one.patient_id}: {one.reason}" for one in refused))
    decision = decide(project.folder, Decision(Choice.FREEZE, person, patients=chosen, comment=comment), clock)
    _write_tables(project)
    return decision


def _write_tables(project: Project) -> None:
    """overview.csv and the data list name the sides of the split: `spiderseg train` on the project's folder goes by them."""
    try:
        write_tables(project)
    except SpiderSegError as error:
        logger.warning("%s; the patients are frozen, and spiderseg project rebuild brings the tables up to date", error)


def _reason(project: Project, patient: str, series: Sequence[SeriesRecord], models: Sequence[_Seen], frozen: frozenset[str]) -> str:
    if not series:
        return "no such patient in the project"
    if patient in frozen:
        return "is frozen already"
    for model in models:
        found = _trained(model, patient, series)
        if found:
            return found
    histories = [read_history(project.folder, record.series) for record in series]
    if any(history.accepted is not None and history.may_validate(history.accepted) for history in histories):
        return ""
    accepted = [history.accepted for history in histories if history.accepted is not None]
    if not accepted:
        return "no series has a mask that is done"
    if all(mask.provenance is Provenance.REVIEWED_UNCHANGED for mask in accepted):
        return "its masks are unchanged predictions: they would judge the model that made them"
    return "its masks began from a prediction or came from outside, and no second person has approved them"


def _trained(model: _Seen, patient: str, series: Sequence[SeriesRecord]) -> str:
    same_image = [record.series for record in series if {record.image_sha256, record.source_sha256} & model.images_sha256]
    if same_image:
        return f"the image of {', '.join(same_image)} trained the model {model.model_id}"
    if patient in model.patients:
        return f"a patient of this id trained the model {model.model_id}"
    return ""
