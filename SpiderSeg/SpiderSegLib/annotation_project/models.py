"""The models of a project: generation 0 is the one it began with, every later one was trained from a champion."""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from SpiderSegLib.annotation_project.decisions import champion_id, read_decisions
from SpiderSegLib.annotation_project.project import PROGRAM, Project
from SpiderSegLib.corrections.disk import put
from SpiderSegLib.corrections.journal import note_file
from SpiderSegLib.corrections.names import is_name, safe_name
from SpiderSegLib.corrections.records import Clock, new_record, read_json, record_id, utc_now
from SpiderSegLib.corrections.schema import migrated
from SpiderSegLib.errors import OutputError, ProjectError
from SpiderSegLib.fingerprint import sha256_of
from SpiderSegLib.io import bytes_writer

KIND = "model"

#: The record that makes a folder of models/ a model: written last.
RECORD = "model.json"

CHECKPOINT = Path("models", "model.pt")


class TrainedOn(Protocol):
    """What a checkpoint's provenance says of its name and of the patients and images that trained it (`network.Provenance`)."""

    @property
    def model_id(self) -> str: ...
    @property
    def training_patients(self) -> tuple[str, ...]: ...
    @property
    def training_image_sha256(self) -> Mapping[str, str]: ...


@dataclass(frozen=True)
class ModelRecord:
    """A model: generation, the champion it was trained from, its checkpoint's SHA-256, and all patients that ever trained its line."""

    model_id: str
    generation: int
    parent: str
    checkpoint_sha256: str
    training_patients: tuple[str, ...]
    training_image_sha256: Mapping[str, str] = field(default_factory=dict)
    created_utc: str = ""


def add_model(project: Project, bundle: Path, provenance: TrainedOn, parent: str = "", clock: Clock = utc_now) -> ModelRecord:
    """Makes a bundle a model of the project: copied in unless it lies there already, then named by its record.

    `parent` is the champion it was trained from, '' for generation 0. Raises ProjectError when the project has a model of this id or no
    such parent, OutputError when it can't be written.
    """
    known = read_models(project)
    model_id = safe_name(provenance.model_id)
    if model_id in known:
        raise ProjectError(f"{model_id}: the project has a model of this name already")
    if parent and parent not in known:
        raise ProjectError(f"{parent}: no such model in the project; it has {', '.join(known) or 'none'}")
    place = project.folder.model(model_id)
    if bundle.resolve() != place.resolve():
        _copy(bundle, place)
    earlier = known[parent] if parent else None
    patients = {*provenance.training_patients, *(earlier.training_patients if earlier else ())}
    hashes = {**(earlier.training_image_sha256 if earlier else {}), **provenance.training_image_sha256}
    body = {
        "model_id": model_id,
        "generation": 0 if earlier is None else 1 + max(model.generation for model in known.values()),
        "parent": parent,
        "checkpoint_sha256": sha256_of(place / CHECKPOINT),
        "training_patients": sorted(patients),
        "training_image_sha256": hashes,
    }
    _identity, content, _created = new_record(KIND, body, clock)
    put(project.folder.disk, place / RECORD, bytes_writer(content))
    note_file(project.folder, place / RECORD, PROGRAM)
    return read_model(project, model_id)


def read_model(project: Project, model_id: str) -> ModelRecord:
    """One model. Raises ProjectError when there is none, or its record is damaged."""
    path = project.folder.model(model_id) / RECORD
    body = read_json(path)
    if body.get("kind") != KIND or body.get("id") != record_id(body):
        raise ProjectError(f"{path}: not what was written: it was changed by hand or damaged")
    return _model(migrated(KIND, body, path), path)


def read_models(project: Project) -> dict[str, ModelRecord]:
    """All models by id, the oldest generation first."""
    folder = project.folder.models
    names = [path.name for path in folder.iterdir() if is_name(path.name) and (path / RECORD).is_file()] if folder.is_dir() else []
    models = [read_model(project, name) for name in names]
    return {model.model_id: model for model in sorted(models, key=lambda model: (model.generation, model.model_id))}


def champion(project: Project) -> ModelRecord:
    """The model that segments and is to be beaten. Raises ProjectError when the project has no model, or the promoted one is gone."""
    models = read_models(project)
    if not models:
        raise ProjectError(f"{project.root}: the project has no model yet; spiderseg project init adds the bundled one")
    chosen = champion_id(read_decisions(project.folder))
    if chosen is not None and chosen not in models:
        raise ProjectError(f"{project.folder.models / chosen}: the champion's folder is gone; get it back from a backup, or roll back to another")
    return models[chosen] if chosen is not None else next(iter(models.values()))


def lineage(models: Mapping[str, ModelRecord], model_id: str) -> tuple[str, ...]:
    """A model, the one it was trained from, and so on to generation 0."""
    line: list[str] = []
    while model_id in models and model_id not in line:
        line.append(model_id)
        model_id = models[model_id].parent
    return tuple(line)


def checkpoint_of(project: Project, model_id: str) -> Path:
    """The checkpoint file of a model. Raises ProjectError when it is missing."""
    path = project.folder.model(model_id) / CHECKPOINT
    if not path.is_file():
        raise ProjectError(f"{path}: the model's weights are missing; get them back from a backup")
    return path


def new_model_id(project: Project) -> str:
    """The id of the next model: 'gen-003' for generation 3; folders of rounds that failed keep theirs."""
    numbers = [int(found.group(1)) for found in map(re.compile(r"gen-(\d+)").fullmatch, _folders(project)) if found]
    return f"gen-{1 + max(numbers, default=0):03d}"


def _folders(project: Project) -> list[str]:
    return [path.name for path in project.folder.models.iterdir()] if project.folder.models.is_dir() else []


def _copy(bundle: Path, place: Path) -> None:
    try:
        shutil.copytree(bundle, place, dirs_exist_ok=True)
    except (OSError, shutil.Error) as error:
        raise OutputError(f"{place}: can't copy the model here: {error}") from error


def _model(body: Mapping[str, Any], path: Path) -> ModelRecord:
    try:
        return ModelRecord(
            model_id=str(body["model_id"]),
            generation=int(body["generation"]),
            parent=str(body["parent"]),
            checkpoint_sha256=str(body["checkpoint_sha256"]),
            training_patients=tuple(str(patient) for patient in body["training_patients"]),
            training_image_sha256={str(name): str(sha256) for name, sha256 in body["training_image_sha256"].items()},
            created_utc=str(body["created_utc"]),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ProjectError(f"{path}: expected the record of a model: {error}") from error
