"""Annotation sessions on small projects: a scene, clocks that move when told to, and a person who paints."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mrml_scene import MrmlScene, idOf
from small_cases import TWO_LEVELS
from small_project import MODEL, StepClock, add_small_model, labelmap
from SpiderSegLib.annotation_project.predictions import PredictionFacts, write_prediction
from SpiderSegLib.annotation_project.project import Project
from SpiderSegLib.corrections import SeriesRecord, write_series_record
from SpiderSegLib.fingerprint import content_hash
from SpiderSegLib.io import write_volume
from SpiderSegLib.mrml.annotation_session import AnnotationSession, OpenCase
from SpiderSegLib.mrml.segments import maskOf, setMask
from SpiderSegLib.segmentation_files import NamedLabelmap, labelmap_sidecar
from SpiderSegLib.series_names import patient_of
from SpiderSegLib.volume import Geometry, Volume


class HandClock:
    """A monotonic clock that moves when it is told to."""

    def __init__(self) -> None:
        self.nowS = 0.0

    def __call__(self) -> float:
        return self.nowS

    def go(self, seconds: float) -> None:
        self.nowS += seconds


def newSession(mrml: MrmlScene, project: Project, annotator: str = "Ada", monotonic: HandClock | None = None) -> AnnotationSession:
    """A session in a scene on the second day of the project."""
    return AnnotationSession(mrml.scene, project, annotator, StepClock("2026-03-02T08:00:00+00:00"), monotonic or HandClock())


def addPrediction(project: Project, series: str, values: tuple[int, ...] = TWO_LEVELS, modelId: str = MODEL) -> None:
    """What a model drew of a series, sure by half of vertebra 1."""
    if not project.folder.model(modelId).exists():
        add_small_model(project, model_id=modelId)
    volume, facts = labelmap(*values), PredictionFacts(modelId)
    sidecar = labelmap_sidecar(NamedLabelmap(volume, facts.naming, modelId, {1: 0.5}))
    write_prediction(project.folder, series, volume, facts, sidecar)


def addSeriesOn(project: Project, series: str, geometry: Geometry) -> None:
    """A series on a grid of its own."""
    volume = Volume(np.arange(np.prod(geometry.size_ijk), dtype=np.int16).reshape(geometry.shape_kji), geometry)
    path = project.folder.image(series)
    write_volume(path, volume)
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    record = SeriesRecord(series, patient_of(series), volume.geometry, sha256, sha256, content_hash(volume), {})
    write_series_record(project.folder, record, "test", StepClock())


def stroke(row: int = 5, columns: int = 1) -> NDArray[np.bool_]:
    """The first columns of one row in all slices: 3 voxels a column."""
    mask = np.zeros((3, 6, 8), bool)
    mask[:, row, :columns] = True
    return mask


def paint(case: OpenCase, value: int, row: int = 5, columns: int = 1) -> None:
    """A stroke of the segment editor's brush into the segment of a value."""
    segmentId = idOf(case.segmentationNode, value)
    setMask(case.segmentationNode, segmentId, maskOf(case.segmentationNode, segmentId) | stroke(row, columns))


def addByHand(case: OpenCase, name: str, row: int = 5, columns: int = 1) -> str:
    """As the segment editor's Add button, a name typed, and a stroke; returns the segment's ID."""
    segmentId: str = case.segmentationNode.GetSegmentation().AddEmptySegment("", name)
    setMask(case.segmentationNode, segmentId, stroke(row, columns))
    return segmentId


def labelsOf(case: OpenCase) -> Any:
    """What would be saved, (k, j, i)."""
    return case.screen().labels
