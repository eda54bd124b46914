"""What a series is opened with: its image, and the mask to go on from. Everything is read before anything in the scene changes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from SpiderSegLib.annotation_project.predictions import read_prediction
from SpiderSegLib.corrections import History, ProjectFolder, Revision, SeriesRecord, ShownPrediction, read_history, read_mask, read_series_record
from SpiderSegLib.corrections.names import same_person
from SpiderSegLib.errors import InputError, LabelError, ProjectError
from SpiderSegLib.io import read_volume
from SpiderSegLib.mrml.runs import infoOf
from SpiderSegLib.mrml.segmentations import SegmentInfo
from SpiderSegLib.volume import Volume


@dataclass(frozen=True)
class StartingMask:
    """The mask to go on from.

    parent: the revision it is, None when nobody saved one. shown: the project's prediction, when it is the mask. inherited: the prediction
    that the parent itself began from, to go back to. messages: what could not be read, in words.
    """

    labels: NDArray[np.uint8]
    info: SegmentInfo
    parent: Revision | None = None
    shown: ShownPrediction | None = None
    inherited: ShownPrediction | None = None
    messages: tuple[str, ...] = ()


@dataclass(frozen=True)
class StartingPoint:
    """A series as it is opened, and the images of the patient's other series with their records; `parents` are their newest revisions' ids."""

    record: SeriesRecord
    image: Volume
    mask: StartingMask
    partners: tuple[tuple[SeriesRecord, Volume], ...]
    parents: dict[str, str]


def readStartingPoint(folder: ProjectFolder, series: str, partners: Sequence[str], annotator: str) -> StartingPoint:
    """Reads a series and its partners. Raises ProjectError, ImageReadError; a partner that can't be read is left out, with a message."""
    record = read_series_record(folder, series)
    image = _readImage(folder, record)
    mask = readMask(folder, record, annotator)
    found, messages, parents = [], list(mask.messages), {}
    for name in partners:
        try:
            partner = read_series_record(folder, name)
            found.append((partner, _readImage(folder, partner)))
            head = headOf(read_history(folder, name), annotator)
            parents[name] = head.id if head else ""
        except InputError as error:
            messages.append(f"{name} is not shown: {error}")
    return StartingPoint(record, image, replace(mask, messages=tuple(messages)), tuple(found), parents)


def headOf(history: History, annotator: str) -> Revision | None:
    """The revision an annotator goes on from: the newest head of their own, else the newest; None before anybody saved one."""
    own = [head for head in history.heads if same_person(head.annotator, annotator)]
    return max(own, key=lambda head: (head.created_utc, head.id), default=history.newest)


def readMask(folder: ProjectFolder, record: SeriesRecord, annotator: str) -> StartingMask:
    """The mask a series is opened with: a person's, else the prediction, else nothing. Raises ProjectError when the person's is damaged."""
    history = read_history(folder, record.series)
    messages = tuple(f"{damaged.path}: {damaged.reason}" for damaged in history.damaged)
    parent = headOf(history, annotator)
    if parent is not None:
        labels = _onRecord(read_mask(folder, parent).array, record)
        inherited = keptPredictionOf(folder, history, parent.prediction, record)
        return StartingMask(labels, SegmentInfo(parent.naming, parent.source_model), parent, None, inherited, messages)
    try:
        shown = _predictionOf(folder, record)
    except ProjectError as error:
        shown, messages = None, (*messages, str(error))
    if shown is None:
        return StartingMask(np.zeros(record.geometry.shape_kji, dtype=np.uint8), SegmentInfo(), messages=messages)
    return StartingMask(shown.labelmap, _infoOf(folder, shown, record.series), shown=shown, messages=messages)


def keptPredictionOf(folder: ProjectFolder, history: History, revisionId: str, record: SeriesRecord) -> ShownPrediction | None:
    """The prediction that a model-only revision keeps; None without one, or when it can't be read any more."""
    revision = history.by_id.get(revisionId)
    if revision is None:
        return None
    try:
        return ShownPrediction(_onRecord(read_mask(folder, revision).array, record), revision.source_model, revision.naming)
    except ProjectError:
        return None


def predictionBy(folder: ProjectFolder, history: History, modelId: str, record: SeriesRecord) -> ShownPrediction | None:
    """What a model drew of a series, as the project has it or as it was kept with a revision; None when neither has it any more."""
    try:
        present = _predictionOf(folder, record)
    except ProjectError:
        present = None
    if present is not None and present.model_id == modelId:
        return present
    kept = [revision.id for revision in history.revisions if revision.is_by_model and revision.source_model == modelId]
    return keptPredictionOf(folder, history, kept[-1], record) if kept else None


def _readImage(folder: ProjectFolder, record: SeriesRecord) -> Volume:
    image = read_volume(folder.image(record.series))
    if not image.geometry.is_same_grid(record.geometry):
        raise ProjectError(
            f"{folder.image(record.series)}: not the image that was imported: its grid is another; spiderseg project verify tells more"
        )
    return Volume(image.array, record.geometry, record.series)


def _predictionOf(folder: ProjectFolder, record: SeriesRecord) -> ShownPrediction | None:
    shown = read_prediction(folder, record.series)
    if shown is not None:
        _onRecord(shown.labelmap, record)
    return shown


def _onRecord(labels: NDArray[np.uint8], record: SeriesRecord) -> NDArray[np.uint8]:
    if labels.shape != record.geometry.shape_kji:
        raise ProjectError(f"{record.series}: expected a mask of {record.geometry.shape_kji} voxels (k, j, i), found {labels.shape}")
    return labels


def _infoOf(folder: ProjectFolder, shown: ShownPrediction, series: str) -> SegmentInfo:
    """With the confidences of the levels, where the sidecar has them."""
    try:
        return replace(infoOf(folder.prediction(series)), naming=shown.naming, model_id=shown.model_id)
    except LabelError:
        return SegmentInfo(shown.naming, shown.model_id)
