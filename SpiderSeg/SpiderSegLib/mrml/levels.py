"""The level table of a segmentation node, and the tools that change which level is which.

All state is in the segments' names and tags. Vertebrae and discs move together; the canal stays.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from SpiderSegLib.errors import GeometryError, InputError, LabelError
from SpiderSegLib.labels import PARTIAL_OFFSET, LevelState, Structure, level_of, structure_of
from SpiderSegLib.level_names import LevelNaming, full_name, is_partial, shifted_values, short_name
from SpiderSegLib.mrml.history import History, undoable
from SpiderSegLib.mrml.segments import (
    applyTags,
    layersOf,
    namingOf,
    referenceGeometry,
    segmentIds,
    segmentOf,
    taggedSegments,
    tagsOf,
)
from SpiderSegLib.mrml.volumes import lpsOf
from SpiderSegLib.segment_tags import SegmentTags


@dataclass(frozen=True)
class LevelRow:
    """One segment as the level table shows it.

    value is 0 and structure None for a segment whose name tells no level; confidence is None for one drawn by hand; centerRas is the mean
    of its voxels in the world, None when it is empty or a surface; color is RGB 0..1.
    """

    segmentId: str
    name: str
    fullName: str
    value: int
    structure: Structure | None
    state: LevelState | None
    isPartial: bool
    confidence: float | None
    volumeMm3: float
    centerRas: tuple[float, float, float] | None
    color: tuple[float, float, float]
    isVisible: bool


def levelRows(segmentationNode: Any) -> list[LevelRow]:
    """The rows of the level table: vertebrae from the lowest up, discs, canal, then segments without a level."""
    shares = _voxelsAndCenters(segmentationNode)
    display = segmentationNode.GetDisplayNode()
    naming = namingOf(segmentationNode)
    rows = []
    for segmentId in segmentIds(segmentationNode):
        segment = segmentOf(segmentationNode, segmentId)
        tags = tagsOf(segment, naming)
        volume, center = shares.get(segmentId, (0.0, None))
        rows.append(
            LevelRow(
                segmentId=segmentId,
                name=segment.GetName(),
                fullName=full_name(tags.value, tags.naming) if tags else segment.GetName(),
                value=tags.value if tags else 0,
                structure=structure_of(tags.value) if tags else None,
                state=tags.naming.state if tags else None,
                isPartial=bool(tags and is_partial(tags.value)),
                confidence=tags.confidence if tags else None,
                volumeMm3=volume,
                centerRas=center,
                color=segment.GetColor(),
                isVisible=bool(display is None or display.GetSegmentVisibility(segmentId)),
            )
        )
    return sorted(rows, key=lambda row: (row.structure or 99, level_of(row.value)))


def _voxelsAndCenters(segmentationNode: Any) -> dict[str, tuple[float, tuple[float, float, float] | None]]:
    """Volume in mm3 and center (RAS, world) of every segment that has voxels; nothing where there is no grid to count them on."""
    try:
        geometry = referenceGeometry(segmentationNode)
    except GeometryError:
        return {}
    found: dict[str, tuple[float, tuple[float, float, float] | None]] = {}
    for array, labels in layersOf(segmentationNode):
        counts, centers = countsAndCenters(array, max([int(array.max(initial=0)), *labels.values()]) + 1)
        for segmentId, label in labels.items():
            if counts[label]:
                lps = geometry.affine_lps @ [*centers[label][::-1], 1.0]
                found[segmentId] = (float(counts[label]) * geometry.voxel_volume_mm3, lpsOf(lps[:3]))
    return found


def countsAndCenters(labels: np.ndarray[Any, Any], size: int) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Number of voxels of each label 0..size-1, and their mean index (k, j, i); of the background only the number."""
    flat = labels.ravel()
    inside = np.flatnonzero(flat)
    values = flat[inside]
    counts = np.bincount(values, minlength=size)
    indices = np.unravel_index(inside, labels.shape)
    sums = np.stack([np.bincount(values, weights=index, minlength=size) for index in indices], axis=1)
    return counts, sums / np.maximum(counts, 1)[:, None]


def leastCertain(rows: list[LevelRow], after: str | None = None) -> LevelRow | None:
    """The level with the lowest confidence, or the next one up from the segment `after`; past the last it starts over."""
    certain = sorted((row for row in rows if row.confidence is not None and row.centerRas), key=lambda row: (row.confidence, row.value))
    if not certain:
        return None
    ids = [row.segmentId for row in certain]
    return certain[(ids.index(after) + 1) % len(ids)] if after in ids else certain[0]


# Tools


def shiftLevels(segmentationNode: Any, by: int, history: History) -> None:
    """Moves every vertebra and disc `by` levels up (negative: down): L5 becomes L4, its disc L4/L5.

    Names given by hand go, because they named another vertebra, and a confirmation of the old names goes with them. Raises LabelError
    before anything is changed when a level would leave the scheme, InputError when there are no levels.
    """
    values = shifted_values((tags.value for _, _, tags in taggedSegments(segmentationNode)), by)
    _retag(segmentationNode, lambda tags: replace(tags, value=values[tags.value], naming=renumbered(tags.naming)), history)


def renumbered(naming: LevelNaming) -> LevelNaming:
    """The naming after levels got other numbers: without names given by hand, and no longer asserted."""
    return LevelNaming(LevelState.ASSUMED if naming.is_asserted else naming.state, naming.lumbar_count)


def setLumbarCount(segmentationNode: Any, lumbarCount: int, history: History) -> None:
    """Names the levels of a spine with 4, 5 or 6 lumbar vertebrae.

    With 6 the lowest is L6 (a lumbarized S1), with 4 it is L4 (a sacralized L5 lies below). A count a person chose is a statement:
    the state becomes transitional, or back to assumed with 5. Values stay. Raises LabelError.
    """
    state = LevelState.ASSUMED if lumbarCount == LevelNaming().lumbar_count else LevelState.TRANSITIONAL
    _rename(segmentationNode, lambda naming: LevelNaming(state, lumbarCount, naming.own_names), history)


def renameLevel(segmentationNode: Any, segmentId: str, name: str, history: History) -> None:
    """Gives one vertebra a name of its own, such as T13; the discs beside it follow; an empty name gives the counted one back.

    The state becomes transitional, or back to assumed when all names are the usual ones again. Raises LabelError for a disc, the canal,
    or a name with reserved characters.
    """
    tags = _tagsWithLevel(segmentationNode, segmentId)
    if structure_of(tags.value) is not Structure.VERTEBRA:
        raise LabelError(f"{short_name(tags.value, tags.naming)}: discs are named after their vertebrae; rename the vertebra")
    level = level_of(tags.value)
    others = {other: own for other, own in tags.naming.own_names.items() if other != level}
    own_names = {**others, level: name.strip()} if name.strip() else others
    count = tags.naming.lumbar_count
    is_usual = not own_names and count == LevelNaming().lumbar_count
    renamed = LevelNaming(LevelState.ASSUMED if is_usual else LevelState.TRANSITIONAL, count, own_names)
    _rename(segmentationNode, lambda naming: renamed, history)


def setLevel(segmentationNode: Any, segmentId: str, value: int, history: History) -> None:
    """Says which SPIDER value one segment has, such as one drawn by hand. Raises LabelError when another segment has it already."""
    structure_of(value)
    for otherId, other, tags in taggedSegments(segmentationNode):
        if otherId != segmentId and tags.value % 100 == value % 100 and structure_of(tags.value) is structure_of(value):
            raise LabelError(f"{other.GetName()} is that level already: shift or merge the segments")
    segment = segmentOf(segmentationNode, segmentId)
    naming = namingOf(segmentationNode)
    present = tagsOf(segment, naming)
    changed = SegmentTags(value, naming) if present is None else replace(present, value=value)
    with undoable(segmentationNode, history):
        applyTags(segment, changed)


def togglePartial(segmentationNode: Any, segmentId: str, history: History) -> None:
    """Marks a vertebra as cut by the field of view (value + 100), or takes the mark back. Raises LabelError for a disc or the canal."""
    tags = _tagsWithLevel(segmentationNode, segmentId)
    if structure_of(tags.value) is not Structure.VERTEBRA:
        raise LabelError(f"{short_name(tags.value, tags.naming)}: only vertebrae are marked as cut by the field of view")
    value = tags.value - PARTIAL_OFFSET if is_partial(tags.value) else tags.value + PARTIAL_OFFSET
    with undoable(segmentationNode, history):
        applyTags(segmentOf(segmentationNode, segmentId), replace(tags, value=value))


def confirmLevels(segmentationNode: Any, history: History) -> None:
    """A person stands behind the present names: confirmed, or transitional with an unusual count or name. Raises InputError without levels."""
    _rename(segmentationNode, LevelNaming.confirmed, history)


def unconfirmLevels(segmentationNode: Any, history: History) -> None:
    """Takes a confirmation back: the names are an assumption again. Raises InputError without levels."""
    _rename(segmentationNode, lambda naming: replace(naming, state=LevelState.ASSUMED), history)


def markUnidentified(segmentationNode: Any, history: History) -> None:
    """Says that the levels can't be told: names become Vertebra 1, Vertebra 2, .. Raises InputError without levels."""
    _rename(segmentationNode, lambda naming: replace(naming, state=LevelState.UNIDENTIFIED), history)


def _tagsWithLevel(segmentationNode: Any, segmentId: str) -> SegmentTags:
    segment = segmentOf(segmentationNode, segmentId)
    tags = tagsOf(segment, namingOf(segmentationNode))
    if tags is None:
        raise LabelError(f"{segment.GetName()} has no level yet: choose which one it is first")
    return tags


def _rename(segmentationNode: Any, change: Callable[[LevelNaming], LevelNaming], history: History) -> None:
    naming = change(namingOf(segmentationNode))
    _retag(segmentationNode, lambda tags: replace(tags, naming=naming), history)


def _retag(segmentationNode: Any, change: Callable[[SegmentTags], SegmentTags], history: History) -> None:
    tagged = [(segment, change(tags)) for _, segment, tags in taggedSegments(segmentationNode)]
    if not tagged:
        raise InputError(f"{segmentationNode.GetName()} has no levels: segment a volume, or name its segments L5, L4/L5, ..")
    with undoable(segmentationNode, history):
        for segment, tags in tagged:
            applyTags(segment, tags)
