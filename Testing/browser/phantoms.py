"""What is opened in the browser: a phantom's series, and a project of three of them, two with a prediction."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
from harness.phantom_project import GRID, add_series
from scipy.ndimage import distance_transform_edt

from SpiderSegLib.annotation_project.models import add_model
from SpiderSegLib.annotation_project.predictions import PredictionFacts, write_prediction
from SpiderSegLib.annotation_project.project import Project, create_project
from SpiderSegLib.io import write_volume
from SpiderSegLib.paths import MODEL_WEIGHTS, data_path
from SpiderSegLib.phantom import Phantom, PhantomConfig, make_phantom
from SpiderSegLib.weights import BUNDLED, load_weights

__all__ = ["GRID", "PREDICTED", "SERIES", "inside", "make_phantom_project", "phantom", "write_phantom_series"]

#: Two patients, the first one with two series. The predictions are the phantoms' own masks; the first one is the more doubtful.
SERIES = ("P01_t1", "P01_t2", "P02_t2")
PREDICTED = {"P01_t2": 0.4, "P02_t2": 0.1}


@cache
def phantom(sequence: str = "T2") -> Phantom:
    """On a grid coarser than a scanner's, which is segmented in seconds."""
    return make_phantom(PhantomConfig(sequence), GRID)


def inside(value: int) -> tuple[float, float, float]:
    """RAS place of the voxel that lies deepest in a structure, of those in the middle slice."""
    k = GRID.size_ijk[2] // 2
    depth = distance_transform_edt(phantom().labelmap.array[k] == value)
    j, i = np.unravel_index(np.argmax(depth), depth.shape)
    right, anterior, superior, _ = GRID.affine_ras @ (i, j, k, 1)
    return float(right), float(anterior), float(superior)


def write_phantom_series(path: Path) -> Path:
    """The phantom's T2 series as a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_volume(path, phantom().volume)
    return path


def make_phantom_project(root: Path) -> Project:
    """With the bundled weights for a model."""
    project = create_project(root, "lumbar phantoms")
    model = add_model(project, data_path(MODEL_WEIGHTS, BUNDLED), load_weights(None).provenance)
    for seed, series in enumerate(SERIES):
        add_series(project, series, phantom("T1" if series.endswith("t1") else "T2"), seed)
    for series, entropy in PREDICTED.items():
        _predict(project, series, model.model_id, entropy)
    return project


def _predict(project: Project, series: str, model_id: str, entropy: float) -> None:
    uncertainty = {"entropy": entropy, "disagreement": None, "places": [{"value": 202, "at": 202, "entropy": entropy}]}
    facts = PredictionFacts(model_id, uncertainty=uncertainty, findings={"warning": 1}, worst_finding="disc 202 has a hole")
    sidecar = {"level_state": {"state": "assumed", "reasons": []}, "levels": [], "model": {"id": model_id}, "lumbar_count": 5, "own_names": {}}
    write_prediction(project.folder, series, phantom().labelmap, facts, sidecar)
