"""Projects of a few small series, without an import and without a network."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from small_cases import TWO_LEVELS, grid, image, mask
from SpiderSegLib.annotation_project.models import add_model
from SpiderSegLib.annotation_project.project import Project, create_project
from SpiderSegLib.corrections import Correction, Disk, Saved, SeriesRecord, ShownPrediction, save, write_series_record
from SpiderSegLib.fingerprint import content_hash
from SpiderSegLib.io import write_volume
from SpiderSegLib.series_names import patient_of
from SpiderSegLib.volume import Volume

#: Two patients, one of them with two series.
SERIES = ("p1_t1", "p1_t2", "p2_t2")

MODEL = "bundled-0"


@dataclass(frozen=True)
class TrainedOnNobody:
    """Provenance of weights, without torch."""

    model_id: str = MODEL
    training_patients: tuple[str, ...] = ()
    training_image_sha256: dict[str, str] = field(default_factory=dict)


class StepClock:
    """Every look at it is a second later than the one before."""

    def __init__(self, start: str = "2026-03-01T09:00:00+00:00", step_s: float = 1.0) -> None:
        self._times = (datetime.fromisoformat(start) + timedelta(seconds=step_s * n) for n in itertools.count())

    def __call__(self) -> datetime:
        return next(self._times).astimezone(timezone.utc)


def make_project(root: Path, series: Iterable[str] = SERIES, disk: Disk | None = None) -> Project:
    """A project with these series, each another image of 3 x 6 x 8 voxels; without a model."""
    project = create_project(root, disk=disk, clock=StepClock())
    for number, name in enumerate(series):
        add_series(project, name, number)
    return project


def add_series(project: Project, name: str, seed: int, **facts: str) -> None:
    volume = Volume(image(seed), grid())
    path = project.folder.image(name)
    write_volume(path, volume)
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    record = SeriesRecord(name, patient_of(name), volume.geometry, sha256, sha256, content_hash(volume), facts)
    write_series_record(project.folder, record, "test", StepClock())


def add_small_model(project: Project, parent: str = "", **provenance: object) -> str:
    """A model whose weights are a few bytes."""
    trained_on = TrainedOnNobody(**provenance)  # type: ignore[arg-type]
    bundle = project.folder.model(trained_on.model_id)
    (bundle / "models").mkdir(parents=True)
    (bundle / "models" / "model.pt").write_bytes(f"weights of {trained_on.model_id}".encode())
    return add_model(project, bundle, trained_on, parent, StepClock()).model_id


def labelmap(*values: int) -> Volume:
    """Row j of each of three slices holds values[j] in two columns: 6 voxels each."""
    return Volume(mask(*values), grid())


def painted(volume: Volume, value: int, row: int = 5, columns: int = 1) -> Volume:
    """The labelmap with a value in the first columns of one row: 3 voxels a column."""
    array: NDArray[np.uint8] = volume.array.copy()
    array[:, row, :columns] = value
    return volume.with_array(array)


def shown(*values: int, model_id: str = MODEL) -> ShownPrediction:
    return ShownPrediction(mask(*values), model_id)


def save_mask(project: Project, series: str = "p1_t2", values: Iterable[int] = TWO_LEVELS, annotator: str = "Ada", **fields: object) -> Saved:
    """Saves a mask as done, a second after the last save."""
    clock = fields.pop("clock", CLOCK)
    volume = fields.pop("labelmap", None) or labelmap(*values)
    return save(project.folder, Correction(series, volume, annotator, **fields), clock)  # type: ignore[arg-type]


CLOCK = StepClock()
