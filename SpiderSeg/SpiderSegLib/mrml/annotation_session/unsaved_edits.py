"""The unsaved edit of a case to the store and back: the mask, the segments that name no level yet, and which prediction was shown."""

from __future__ import annotations

import numpy as np

from SpiderSegLib.corrections import ProjectFolder, SeriesRecord, ShownPrediction, UnsavedEdit, read_history
from SpiderSegLib.errors import GeometryError
from SpiderSegLib.mrml.annotation_session.case_nodes import FIRST_WITHOUT_LEVEL, MOST_WITHOUT_LEVEL
from SpiderSegLib.mrml.annotation_session.open_case import OpenCase
from SpiderSegLib.mrml.annotation_session.starting_point import StartingMask, keptPredictionOf, predictionBy
from SpiderSegLib.mrml.segmentations import SegmentInfo
from SpiderSegLib.volume import Volume


def editOf(case: OpenCase, annotator: str, minutes: float) -> UnsavedEdit:
    """What is on screen, to be kept. Segments without a level are kept where no level lies, as values that SPIDER does not use."""
    screen, shown = case.screen(), case.shownPrediction()
    labels = screen.labels.copy()
    isFree = (labels == 0) & (screen.withoutLevel > 0)
    labels[isFree] = FIRST_WITHOUT_LEVEL + np.minimum(screen.withoutLevel[isFree], MOST_WITHOUT_LEVEL) - 1
    return UnsavedEdit(
        series=case.series,
        annotator=annotator,
        labelmap=Volume(labels, case.record.geometry, case.series),
        parent=case.parent,
        shown_model=shown.model_id if shown else "",
        naming=screen.naming,
        minutes=minutes,
    )


def maskOfEdit(folder: ProjectFolder, record: SeriesRecord, edit: UnsavedEdit) -> StartingMask:
    """A kept edit as the mask to go on from; its parent is the one it began from, whatever was saved since.

    Raises GeometryError for an edit on another grid.
    """
    if not edit.labelmap.geometry.is_same_grid(record.geometry):
        raise GeometryError(f"{record.series}: the unsaved edit lies on another grid than the image")
    labels = edit.labelmap.array.astype(np.uint8)
    history, messages = read_history(folder, record.series), []
    parent = history.by_id.get(edit.parent)
    if edit.parent and parent is None:
        messages.append(f"{record.series}: the mask that this edit began from can't be read: it is saved as one of its own")
    shown = predictionBy(folder, history, edit.shown_model, record) if edit.shown_model else None
    if edit.shown_model and shown is None:
        # What is left of it is in the edit itself: all of that counts as the model's.
        messages.append(f"{record.series}: the prediction of {edit.shown_model} that was shown is gone: changes are measured from here on")
        shown = ShownPrediction(np.where(labels < FIRST_WITHOUT_LEVEL, labels, 0).astype(np.uint8), edit.shown_model, edit.naming)
    inherited = keptPredictionOf(folder, history, parent.prediction, record) if parent else None
    modelId = edit.shown_model or (parent.source_model if parent else "")
    return StartingMask(labels, SegmentInfo(edit.naming, modelId), parent, shown, inherited, tuple(messages))
