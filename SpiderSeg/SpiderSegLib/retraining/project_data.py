"""What the masks of a project give a round: which are new since the champion, which are replayed, which judge."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from SpiderSegLib.annotation_project.decisions import frozen_patients, read_decisions
from SpiderSegLib.annotation_project.models import ModelRecord, lineage, read_models
from SpiderSegLib.annotation_project.project import Project
from SpiderSegLib.annotation_project.summary import SeriesSummary
from SpiderSegLib.cases import find_cases
from SpiderSegLib.corrections.history import read_history
from SpiderSegLib.corrections.revision import Revision
from SpiderSegLib.corrections.series_record import read_series_record
from SpiderSegLib.dataset import DatasetItem
from SpiderSegLib.errors import DatasetError
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

    A patient who is frozen never trains, whatever the mask, nor one whom the source keeps for validation (SPIDER's subset).
    Raises ProjectError for damaged decisions or models.
    """
    frozen, line = frozen_patients(read_decisions(project.folder)), set(lineage(read_models(project), champion.model_id))
    trained = _trained_masks(project, line)
    new: list[DatasetItem] = []
    replayed: list[DatasetItem] = []
    validation: list[DatasetItem] = []
    shares: dict[str, list[float]] = {"training": [], "validation": []}
    for summary in summaries.values():
        is_frozen = summary.patient_id in frozen
        if not summary.accepted or (is_frozen and not summary.may_validate):
            continue
        revision = read_history(project.folder, summary.series).accepted
        if revision is None:
            continue
        if not is_frozen and read_series_record(project.folder, summary.series).facts.get("subset") == VALIDATION:
            continue
        item = _item(project, summary, revision)
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


def _item(project: Project, summary: SeriesSummary, revision: Revision) -> DatasetItem:
    folder = project.folder
    return DatasetItem(folder.revisions_of(summary.series) / revision.mask_file, summary.patient_id, "spider", folder.image(summary.series))


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None
