"""What the masks of a project give a round: which are new since the champion, which are replayed, which judge."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from SpiderSegLib.annotation_project.decisions import frozen_patients, read_decisions
from SpiderSegLib.annotation_project.deidentification import SUBSET_FACT
from SpiderSegLib.annotation_project.models import ModelRecord, lineage, read_models
from SpiderSegLib.annotation_project.project import Project
from SpiderSegLib.annotation_project.summary import SeriesSummary
from SpiderSegLib.cases import find_cases
from SpiderSegLib.corrections.history import read_history
from SpiderSegLib.corrections.revision import Revision
from SpiderSegLib.corrections.series_record import read_series_record
from SpiderSegLib.dataset import DatasetItem
from SpiderSegLib.errors import DatasetError, ProjectError
from SpiderSegLib.fingerprint import sha256_of
from SpiderSegLib.overview import VALIDATION
from SpiderSegLib.retraining.files import RoundFiles
from SpiderSegLib.retraining.record import read_request


@dataclass(frozen=True)
class ProjectData:
    """The series of a round by what they are for, and the shares (0..1) of their masks that models of the champion's line drew.

    Masks are the files of their revisions, which never change. Shares are None where there are no masks.
    """

    new: tuple[DatasetItem, ...]
    replay: tuple[DatasetItem, ...]
    validation: tuple[DatasetItem, ...]
    training_seeded_share: float | None
    validation_seeded_share: float | None


def project_data(project: Project, summaries: Mapping[str, SeriesSummary], champion: ModelRecord, replay: Sequence[DatasetItem] = ()) -> ProjectData:
    """The accepted masks of a project; `replay` is older data from outside, of which validation patients are left out.

    A patient who is frozen never trains, whatever the mask, nor one whom the source keeps for validation (SPIDER's subset), with any series.
    Who a series' patient is, and which mask counts, is read from the records: summaries are derived and only say where to look. Raises
    ProjectError for damaged decisions, models or records of series, and for masks that are not what was saved.
    """
    frozen, line = frozen_patients(read_decisions(project.folder)), set(lineage(read_models(project), champion.model_id))
    trained, patients, kept = _trained_masks(project, line), *_patients(project, summaries)
    new: list[DatasetItem] = []
    replayed: list[DatasetItem] = []
    validation: list[DatasetItem] = []
    shares: dict[str, list[float]] = {"training": [], "validation": []}
    for series, patient in patients.items():
        is_frozen = patient in frozen
        if not summaries[series].accepted or (patient in kept and not is_frozen):
            continue
        history = read_history(project.folder, series)
        revision = history.accepted
        if revision is None or (is_frozen and not history.may_validate(revision)):
            continue
        item = _item(project, patient, revision)
        shares["validation" if is_frozen else "training"].append(revision.seeded_share if revision.source_model in line else 0.0)
        (validation if is_frozen else replayed if revision.mask_file in trained else new).append(item)
    outside = tuple(item for item in replay if item.patient_id not in frozen)
    return ProjectData(tuple(new), (*replayed, *outside), tuple(validation), _mean(shares["training"]), _mean(shares["validation"]))


def replay_items(dataset: Path, root: Path | None = None) -> tuple[DatasetItem, ...]:
    """The training series of older data: a folder in SPIDER's layout, one with class maps, or a data list.

    Raises DatasetError when it is none of them, or holds no mask to train on.
    """
    cases = [case for case in find_cases(dataset, root).cases if case.reference is not None and case.split != VALIDATION]
    items = tuple(DatasetItem(case.reference, case.patient_id, case.reference_kind, case.image) for case in cases if case.reference is not None)
    if not items:
        raise DatasetError(f"{dataset}: expected masks to replay, found none")
    return items


def _trained_masks(project: Project, line: Iterable[str]) -> set[str]:
    """File names of the project's masks that trained a model of the line: they name time, annotator and content."""
    found: set[str] = set()
    for model_id in line:
        out = project.folder.model(model_id)
        if RoundFiles(out).request.is_file():
            request = read_request(out)
            found.update(item.label.name for item in (*request.new_items, *request.replay_items))
    return found


def _patients(project: Project, series: Iterable[str]) -> tuple[dict[str, str], set[str]]:
    """The patient of every series, and those of whom the source keeps any series for validation."""
    records = [read_series_record(project.folder, name) for name in series]
    kept = {record.patient_id for record in records if record.facts.get(SUBSET_FACT) == VALIDATION}
    return {record.series: record.patient_id for record in records}, kept


def _item(project: Project, patient: str, revision: Revision) -> DatasetItem:
    """Raises ProjectError when the mask is not what was saved: it must neither train nor judge."""
    folder = project.folder
    path = folder.revisions_of(revision.series) / revision.mask_file
    try:
        is_whole = sha256_of(path) == revision.mask_sha256
    except OSError as error:
        raise ProjectError(f"{path}: can't be read: {error.strerror}; spiderseg project verify names all that is missing") from error
    if not is_whole:
        raise ProjectError(f"{path}: not the mask that was saved: it was changed or damaged; spiderseg project verify names all that is")
    return DatasetItem(path, patient, "spider", folder.image(revision.series))


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None
