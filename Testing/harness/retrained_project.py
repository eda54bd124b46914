"""Projects with a model of a tiny network: one that can be retrained in seconds, and one that was."""

from __future__ import annotations

import hashlib
from pathlib import Path

import torch

from retraining_cases import write_champion, write_series
from SpiderSegLib.annotation_project.index import ProjectIndex
from SpiderSegLib.annotation_project.models import add_model
from SpiderSegLib.annotation_project.project import Project, create_project
from SpiderSegLib.annotation_project.validation_patients import freeze
from SpiderSegLib.bundle import write_bundle
from SpiderSegLib.corrections import Correction, SeriesRecord, save, write_series_record
from SpiderSegLib.fingerprint import content_hash
from SpiderSegLib.io import read_labelmap, read_volume, write_volume
from SpiderSegLib.network import load_checkpoint
from SpiderSegLib.retraining.project_round import RoundOptions, retrain_project
from SpiderSegLib.series_names import patient_of

#: Series with the shift of their mask, in pixels: two to learn from, three patients that can judge.
SERIES = {"1_t1": 0, "1_t2": 1, "7_t2": 1, "8_t2": 2, "9_t2": 3}
JUDGES = ("7", "8", "9")

STEPS = 4


def trainable_project(folder: Path, is_frozen: bool = True) -> Project:
    """A project with accepted masks by hand, and its first model; with `is_frozen`, three patients judge models."""
    project = create_project(folder / "loop")
    checkpoint = load_checkpoint(write_champion(folder / "first" / "model.pt"))
    bundle = project.folder.model(checkpoint.provenance.model_id)
    write_bundle(checkpoint, bundle)
    add_model(project, bundle, checkpoint.provenance)
    for seed, (series, shift) in enumerate(SERIES.items(), 1):
        item = write_series(folder / "data", series, patient_of(series), seed, shift)
        assert item.image is not None
        image = read_volume(item.image)
        write_volume(project.folder.image(series), image)
        sha256 = hashlib.sha256(project.folder.image(series).read_bytes()).hexdigest()
        record = SeriesRecord(series, patient_of(series), image.geometry, sha256, sha256, content_hash(image), {})
        write_series_record(project.folder, record, "test")
        save(project.folder, Correction(series, read_labelmap(item.label), "Bob"))
    if is_frozen:
        freeze(project, JUDGES, "Bob")
    return project


def retrained_project(folder: Path) -> Project:
    """The same after one round: three patients are too few, so that a person decides."""
    project = trainable_project(folder)
    before = torch.get_num_threads()
    # Several threads only wait for each other on a network of this size.
    torch.set_num_threads(1)
    try:
        retrain_project(project, ProjectIndex(project).read(), "Bob", RoundOptions(steps=STEPS, device="cpu", batch_size=1, workers=0))
    finally:
        torch.set_num_threads(before)
    return project
