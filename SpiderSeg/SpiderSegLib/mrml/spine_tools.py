"""The spine tools on segments: merge, split, islands, holes, smoothing, back to the prediction, and taking in what the model drew anew.

Each saves undo state first and changes only the segments it names.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import slicer
from numpy.typing import NDArray

from SpiderSegLib.errors import InputError, LabelError
from SpiderSegLib.labels import HIGHEST_LEVEL, Structure, level_of, structure_of
from SpiderSegLib.level_names import shifted_value
from SpiderSegLib.mask_editing import halves, smoothed, with_holes_filled, without_islands
from SpiderSegLib.mrml.history import History, undoable
from SpiderSegLib.mrml.levels import renumbered
from SpiderSegLib.mrml.segmentations import predictionNodeOf
from SpiderSegLib.mrml.segments import (
    addSegment,
    applyTags,
    geometryOfImage,
    maskOf,
    namingOf,
    occupiedByOthers,
    referenceImage,
    segmentOf,
    setMask,
    taggedSegments,
    tagsOf,
)
from SpiderSegLib.mrml.volumes import imageArray, lpsOf
from SpiderSegLib.segment_tags import SegmentTags


def mergeSegments(segmentationNode: Any, segmentIds: Sequence[str], history: History) -> str:
    """Joins segments into the first one, which keeps its level; the others are removed. Returns its ID. Raises InputError for fewer than two."""
    if len(set(segmentIds)) < 2:
        raise InputError("expected at least two segments to merge: select them in the Levels table")
    kept, *others = dict.fromkeys(segmentIds)
    masks = [maskOf(segmentationNode, segmentId) for segmentId in (kept, *others)]
    with undoable(segmentationNode, history) as segmentation:
        for segmentId in others:
            segmentation.RemoveSegment(segmentId)
        setMask(segmentationNode, kept, np.logical_or.reduce(masks))
    return kept


def splitSegment(segmentationNode: Any, segmentId: str, firstRas: Sequence[float], secondRas: Sequence[float], history: History) -> str:
    """Splits a segment by the plane halfway between two points in the world, one on each part; returns the ID of the new, upper part.

    The part nearer to the feet keeps its level, the other one gets the next level up; where that is taken, everything above moves up by
    one first, because two joined bodies were counted as one, and names given by hand and a confirmation go as in `levels.shiftLevels`.
    Of the canal, or a segment without a level, the upper part has none. Raises InputError when the plane misses the segment, LabelError
    when a level would leave the scheme.
    """
    segment = segmentOf(segmentationNode, segmentId)
    tags = tagsOf(segment, namingOf(segmentationNode))
    lower, upper = (_toNode(segmentationNode, point) for point in sorted((firstRas, secondRas), key=lambda point: point[2]))
    geometry = geometryOfImage(referenceImage(segmentationNode))
    below, above = halves(maskOf(segmentationNode, segmentId), geometry, lpsOf(lower), lpsOf(upper))
    # Fails, if it must, before anything is changed.
    changed = _tagsAfterSplit(segmentationNode, tags) if tags else {}
    with undoable(segmentationNode, history):
        for changedId, changedTags in changed.items():
            applyTags(segmentOf(segmentationNode, changedId), changedTags)
        setMask(segmentationNode, segmentId, below)
        if tags is None or level_of(tags.value) == 0:
            return _addNamed(segmentationNode, f"{segment.GetName()}, upper part", segment.GetColor(), above)
        naming = changed[segmentId].naming if changed else tags.naming
        return addSegment(segmentationNode, replace(tags, value=shifted_value(tags.value, 1), naming=naming), above)


def _tagsAfterSplit(segmentationNode: Any, tags: SegmentTags) -> dict[str, SegmentTags]:
    """New tags of all segments, with every vertebra and disc above a split one a level up; none when the next level is free."""
    level, structure = level_of(tags.value), structure_of(tags.value)
    tagged = list(taggedSegments(segmentationNode))
    taken = {level_of(other.value) for _, _, other in tagged if structure_of(other.value) is structure}
    if level == HIGHEST_LEVEL:
        raise LabelError(f"there is no level above {HIGHEST_LEVEL} for the upper part")
    if level + 1 not in taken:
        return {}
    # A disc split from a disc lies above the vertebra between them, a vertebra split from a vertebra above the disc of its own level.
    lowest = {Structure.VERTEBRA: level if structure is Structure.DISC else level + 1, Structure.DISC: level + 1}
    naming = renumbered(namingOf(segmentationNode))

    def isAbove(value: int) -> bool:
        return level_of(value) >= lowest.get(structure_of(value), HIGHEST_LEVEL + 1)

    return {
        segmentId: replace(other, value=shifted_value(other.value, 1) if isAbove(other.value) else other.value, naming=naming)
        for segmentId, _, other in tagged
    }


def _toNode(segmentationNode: Any, pointRas: Sequence[float]) -> tuple[float, float, float]:
    local = [0.0, 0.0, 0.0]
    segmentationNode.TransformPointFromWorld([float(value) for value in pointRas], local)
    return local[0], local[1], local[2]


def _addNamed(segmentationNode: Any, name: str, color: Sequence[float], mask: NDArray[np.bool_]) -> str:
    segment = slicer.vtkSegment()
    segment.SetName(name)
    segment.SetColor(*color)
    segmentId: str = segmentationNode.GetSegmentation().GenerateUniqueSegmentID("")
    segmentationNode.GetSegmentation().AddSegment(segment, segmentId)
    setMask(segmentationNode, segmentId, mask)
    return segmentId


def removeIslands(segmentationNode: Any, segmentId: str, history: History) -> int:
    """Takes small loose pieces out of a segment; returns how many voxels went."""
    return _edit(segmentationNode, segmentId, lambda mask, occupied: without_islands(mask), history)


def fillHoles(segmentationNode: Any, segmentId: str, history: History) -> int:
    """Fills what a segment encloses in each slice, but for other segments; returns how many voxels came."""
    axis = geometryOfImage(referenceImage(segmentationNode)).slice_axis_kji
    return _edit(segmentationNode, segmentId, lambda mask, occupied: with_holes_filled(mask, axis, occupied), history)


def smoothSegment(segmentationNode: Any, segmentId: str, history: History) -> int:
    """Rounds a segment's edges without overwriting others; returns how many voxels changed."""
    spacing = geometryOfImage(referenceImage(segmentationNode)).spacing_kji_mm
    return _edit(segmentationNode, segmentId, lambda mask, occupied: smoothed(mask, spacing, occupied=occupied), history)


def _edit(
    segmentationNode: Any,
    segmentId: str,
    tool: Callable[[NDArray[np.bool_], NDArray[np.bool_]], NDArray[np.bool_]],
    history: History,
) -> int:
    """Applies a tool to a mask; no change leaves no undo state behind. Returns the number of changed voxels."""
    before = maskOf(segmentationNode, segmentId)
    after = tool(before, occupiedByOthers(segmentationNode, [segmentId]))
    changed = int(np.count_nonzero(before != after))
    if changed:
        with undoable(segmentationNode, history):
            setMask(segmentationNode, segmentId, after)
    return changed


# Prediction


def predictedMask(segmentationNode: Any, value: int) -> NDArray[np.bool_]:
    """What the model drew as a value, (k, j, i) on the reference grid. Raises InputError when no prediction is kept."""
    mask: NDArray[np.bool_] = predictedLabels(segmentationNode) == value
    return mask


def predictedLabels(segmentationNode: Any) -> NDArray[np.uint8]:
    """The kept prediction in SPIDER values, (k, j, i) on the reference grid. Raises InputError when none is kept, or its grid is another."""
    node = predictionNodeOf(segmentationNode)
    if node is None or node.GetImageData() is None:
        raise InputError(f"{segmentationNode.GetName()} keeps no prediction: it was not made by SpiderSeg, or the prediction was deleted")
    labels: NDArray[np.uint8] = imageArray(node.GetImageData())
    shape = geometryOfImage(referenceImage(segmentationNode)).shape_kji
    if labels.shape != shape:
        raise InputError(f"{segmentationNode.GetName()}: expected a prediction on the grid {shape} (k, j, i), found {labels.shape}")
    return labels


def revertToPrediction(segmentationNode: Any, segmentId: str, history: History) -> int:
    """Gives a segment the voxels that the model drew there, other segments left as they are; returns how many voxels changed.

    After a shift the level has another number than the prediction: the predicted label that shares most voxels with the segment is
    taken, of an emptied segment the one of its own value. Raises InputError when there is none.
    """
    segment = segmentOf(segmentationNode, segmentId)
    tags = tagsOf(segment, namingOf(segmentationNode))
    if tags is None:
        raise InputError(f"{segment.GetName()} was not drawn by the model: there is no prediction of it")
    before = maskOf(segmentationNode, segmentId)
    labels = predictedLabels(segmentationNode)
    value = _predictedValue(labels, before, tags.value)
    if value is None:
        raise InputError(f"the model drew nothing where {segment.GetName()} lies")
    occupied = occupiedByOthers(segmentationNode, [segmentId])
    return _edit(segmentationNode, segmentId, lambda mask, _: (labels == value) & ~occupied, history)


def _predictedValue(labels: NDArray[np.uint8], mask: NDArray[np.bool_], value: int) -> int | None:
    structure = structure_of(value)
    shares = np.bincount(labels[mask], minlength=256)
    candidates = [int(found) for found in np.flatnonzero(shares) if found and structure_of(int(found)) is structure]
    if candidates:
        return max(candidates, key=lambda candidate: int(shares[candidate]))
    return value if not mask.any() and bool((labels == value).any()) else None


# What the model drew at a click


def takeIn(segmentationNode: Any, mask: NDArray[np.bool_], tags: SegmentTags, history: History, shiftOthers: int = 0) -> str:
    """Adds what the model drew at a click as a segment, or gives the segment of that level the new voxels; returns its ID.

    mask: (k, j, i) on the reference grid. Voxels of other segments stay theirs. With shiftOthers all levels move up so far first, and
    their names and confirmation go as in `levels.shiftLevels`. Raises InputError when nothing is left, LabelError when a level would leave
    the scheme.
    """
    naming = renumbered(namingOf(segmentationNode)) if shiftOthers else namingOf(segmentationNode)
    shifted = [
        (segment, replace(other, value=shifted_value(other.value, shiftOthers), naming=naming))
        for _, segment, other in (taggedSegments(segmentationNode) if shiftOthers else ())
    ]
    existing = None if shiftOthers else _idOfLevel(segmentationNode, tags.value)
    free = mask & ~occupiedByOthers(segmentationNode, [existing] if existing else [])
    if not free.any():
        raise InputError("nothing was added: all of it belongs to other segments already")
    tags = replace(tags, naming=naming)
    with undoable(segmentationNode, history):
        for segment, shiftedTags in shifted:
            applyTags(segment, shiftedTags)
        if existing is None:
            return addSegment(segmentationNode, tags, free)
        applyTags(segmentOf(segmentationNode, existing), tags)
        setMask(segmentationNode, existing, free)
    return existing


def _idOfLevel(segmentationNode: Any, value: int) -> str | None:
    """ID of the first segment with a value, be it marked as partial or not."""
    structure, level = structure_of(value), level_of(value)
    return next(
        (
            segmentId
            for segmentId, _, tags in taggedSegments(segmentationNode)
            if structure_of(tags.value) is structure and level_of(tags.value) == level
        ),
        None,
    )
