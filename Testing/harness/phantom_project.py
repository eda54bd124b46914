"""A project of phantoms that was worked on and retrained once, for the pictures of the annotation loop.

Masks are the phantoms' own; predictions and the comparison are the bundled weights' and those of a round of few steps.
"""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from SpiderSegLib.active_learning.pre_segmenting import pre_segment
from SpiderSegLib.annotation_project.index import ProjectIndex
from SpiderSegLib.annotation_project.models import add_model, champion
from SpiderSegLib.annotation_project.project import Project, create_project
from SpiderSegLib.annotation_project.validation_patients import freeze
from SpiderSegLib.corrections import Correction, SeriesRecord, Status, save, write_series_record
from SpiderSegLib.fingerprint import content_hash
from SpiderSegLib.inference import Predictor
from SpiderSegLib.io import write_volume
from SpiderSegLib.paths import MODEL_WEIGHTS, data_path
from SpiderSegLib.phantom import Phantom, PhantomConfig, default_geometry, make_phantom
from SpiderSegLib.retraining.project_round import RoundOptions, retrain_project
from SpiderSegLib.series_names import patient_of
from SpiderSegLib.stages import StageClock
from SpiderSegLib.volume import Volume
from SpiderSegLib.weights import BUNDLED, load_weights

#: Coarser than a scanner's: a picture of the panel does not show it, and twenty series are segmented and trained on.
GRID = default_geometry((180, 200, 11), (1.5, 1.5, 5.0))

#: Patients who judge models, and series to learn from, to look at, to quarrel about. Numbers alone as names would be those of patients who
#: trained the bundled weights.
JUDGES = ("P01", "P02", "P03", "P04")
TRAINING = ("P11_t2", "P12_t2")
WAITING = ("P15_t1", "P15_t2", "P16_t2", "P18_t2")
NEW, FLAGGED, DISPUTED = "P17_t2", "P13_t2", "P14_t2"

#: Noise that tells one patient's image from another's, in intensities of the phantom.
NOISE = 25.0

STEPS = 10


def phantom_project(folder: Path) -> Project:
    """Makes the project; minutes on two processor cores."""
    project = create_project(folder, "lumbar phantoms")
    bundle = data_path(MODEL_WEIGHTS, BUNDLED)
    checkpoint = load_weights(None)
    add_model(project, bundle, checkpoint.provenance)
    phantoms = {sequence: make_phantom(PhantomConfig(sequence), GRID) for sequence in ("T1", "T2")}
    names = (*(f"{patient}_t2" for patient in JUDGES), *TRAINING, FLAGGED, DISPUTED, *WAITING, NEW)
    for seed, series in enumerate(names):
        add_series(project, series, phantoms["T1" if series.endswith("t1") else "T2"], seed)
    truth = phantoms["T2"].labelmap.array
    for series in (*(f"{patient}_t2" for patient in JUDGES), *TRAINING):
        _save(project, series, "Ada", truth)
    _save(project, FLAGGED, "Grace", truth, status=Status.FLAGGED, reason="Implant or postoperative")
    _quarrel(project, truth)
    summaries = ProjectIndex(project).read()
    pre_segment(project, [one for one in WAITING if one in summaries], champion(project), Predictor(checkpoint, "cpu"), lambda *_: StageClock())
    freeze(project, JUDGES, "Grace")
    retrain_project(project, ProjectIndex(project).read(), "Grace", RoundOptions(STEPS, "cpu", batch_size=1, workers=0), _tell)
    return project


def add_series(project: Project, series: str, phantom: Phantom, seed: int) -> None:
    noise = np.random.default_rng(seed).normal(0, NOISE, phantom.volume.array.shape)
    array = np.clip(np.rint(phantom.volume.array + noise), 0, None).astype(np.int16)
    image = Volume(array, phantom.volume.geometry, series)
    path = project.folder.image(series)
    write_volume(path, image)
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    write_series_record(project.folder, SeriesRecord(series, patient_of(series), image.geometry, sha256, sha256, content_hash(image), {}), "Ada")


def _save(project: Project, series: str, annotator: str, labels: NDArray[np.uint8], parent: str = "", **fields: object) -> str:
    correction = Correction(series, Volume(labels, GRID, series), annotator, parent=parent, minutes=6.5, **fields)  # type: ignore[arg-type]
    return save(project.folder, correction).revision.id


def _quarrel(project: Project, truth: NDArray[np.uint8]) -> None:
    """Grace draws L3 two pixels farther forward, Ada leaves out the disc below it; both went on from one mask."""
    first = _save(project, DISPUTED, "Ada", truth, status=Status.IN_PROGRESS)
    wider = truth.copy()
    wider[(np.roll(truth, -2, axis=2) == 3) & (truth == 0)] = 3
    _save(project, DISPUTED, "Grace", wider, first, comment="L3 reaches farther")
    _save(project, DISPUTED, "Ada", np.where(truth == 203, 0, truth).astype(np.uint8), first)


def _tell(progress: object) -> None:
    sys.stderr.write(f"{progress}\n")
