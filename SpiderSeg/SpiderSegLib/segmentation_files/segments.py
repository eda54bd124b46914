"""Segments of a file -> one labelmap: which value each stands for, and what they claim twice."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from SpiderSegLib.errors import LabelError
from SpiderSegLib.labels import LevelState, check_values
from SpiderSegLib.level_names import LevelNaming, short_name
from SpiderSegLib.segment_tags import SegmentTags, from_tags
from SpiderSegLib.segmentation_files.named_labelmap import Color, NamedLabelmap
from SpiderSegLib.structure_names import naming_of_names, value_of_name
from SpiderSegLib.volume import Geometry, Volume

#: How sure each state is of its names, least first: segments that disagree are named by the least sure of them.
_BY_TRUST = (LevelState.UNIDENTIFIED, LevelState.ASSUMED, LevelState.TRANSITIONAL, LevelState.CONFIRMED)

#: What Slicer calls the segments of a labelmap loaded without a color table: by their label.
_NAMED_BY_LABEL = re.compile(r"Segment_(\d+)")


@dataclass(frozen=True)
class FoundSegment:
    """A segment as a file has it: its name, tags, color, and the label its voxels have there."""

    name: str
    tags: Mapping[str, str] = field(default_factory=dict)
    color: Color | None = None
    label: int = 1


@dataclass(frozen=True)
class Overlap:
    """Two segments that claim the same voxels; the second has them."""

    first: str
    second: str
    voxels: int


@dataclass(frozen=True)
class ReadSegmentation:
    """What a file holds, and what of it could not be carried over as it was.

    joined: segments whose value another one has already; left_out: those whose name tells no structure; notes: anything else.
    """

    named: NamedLabelmap
    overlaps: tuple[Overlap, ...] = ()
    joined: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a person should know before the labelmap is used, in words."""
        return (
            *(f"{overlap.first} and {overlap.second} overlap in {overlap.voxels} voxels: {overlap.second} has them" for overlap in self.overlaps),
            *(f"{name} stands for a level that another segment has already: both are joined" for name in self.joined),
            *(f"{name} names no structure of the scheme and is left out" for name in self.left_out),
            *self.notes,
        )


@dataclass(frozen=True)
class _Assigned:
    """Values by index of the segment, None where its name tells none, and the naming of all."""

    values: tuple[int | None, ...]
    tags: tuple[SegmentTags | None, ...]
    naming: LevelNaming
    notes: tuple[str, ...] = ()


def flattened(
    segments: Sequence[FoundSegment], mask_of: Callable[[int], NDArray[np.bool_]], geometry: Geometry, name: str, leave_out_unknown: bool = False
) -> ReadSegmentation:
    """One labelmap of segments that may overlap: the later one has the voxels, as in Slicer's own export.

    `mask_of` gives the voxels (k, j, i) of a segment by its index. Values come from tags and, for segments renamed or made elsewhere,
    from names. Raises LabelError naming the segments whose structure can't be told, unless those are to be left out, and for damaged
    tags.
    """
    assigned = _assign(segments, name)
    unknown = tuple(segment.name for segment, value in zip(segments, assigned.values, strict=True) if value is None)
    if unknown and not leave_out_unknown:
        raise LabelError(
            f"{name}: expected segments named after vertebrae, discs (L5, L4/L5, Vertebra 3, Disc 2) or the spinal canal, "
            f"found {', '.join(repr(one) for one in unknown)}; rename them, or leave them out"
        )
    array = np.zeros(geometry.shape_kji, dtype=np.uint8)
    owner = np.zeros(geometry.shape_kji, dtype=np.int16)
    overlaps: list[Overlap] = []
    for index, value in enumerate(assigned.values):
        if value is None:
            continue
        mask = mask_of(index)
        overlaps.extend(_claimed_twice(segments, assigned.values, index, owner[mask]))
        array[mask], owner[mask] = value, index + 1
    named = _named(Volume(array, geometry, name), segments, assigned)
    return ReadSegmentation(named, tuple(overlaps), _joined(segments, assigned.values), unknown, assigned.notes)


def _claimed_twice(segments: Sequence[FoundSegment], values: Sequence[int | None], index: int, owners: NDArray[np.int16]) -> list[Overlap]:
    counts = np.bincount(owners)[1:]
    return [
        Overlap(segments[other].name, segments[index].name, int(voxels))
        for other, voxels in enumerate(counts)
        if voxels and values[other] != values[index]
    ]


def _joined(segments: Sequence[FoundSegment], values: Sequence[int | None]) -> tuple[str, ...]:
    return tuple(segment.name for n, segment in enumerate(segments) if values[n] is not None and values[n] in values[:n])


def _named(labelmap: Volume, segments: Sequence[FoundSegment], assigned: _Assigned) -> NamedLabelmap:
    models, confidences, colors = [], {}, {}
    for segment, value, tags in zip(segments, assigned.values, assigned.tags, strict=True):
        if value is None:
            continue
        if tags is not None:
            models.append(tags.model_id)
            if tags.confidence is not None:
                confidences[value] = tags.confidence
        if segment.color is not None:
            colors[value] = segment.color
    model_id = next((model for model in models if model), "")
    return NamedLabelmap(labelmap, assigned.naming, model_id, confidences, colors)


def _assign(segments: Sequence[FoundSegment], name: str) -> _Assigned:
    try:
        tags = tuple(from_tags(segment.tags) for segment in segments)
    except LabelError as error:
        raise LabelError(f"{name}: {error}") from error
    own = [one.naming for one in tags if one is not None]
    if own:
        naming, notes = _least_sure(own)
    else:
        naming, notes = naming_of_names(segment.name for segment in segments), ()
    values = tuple(_value(segment, one, naming) for segment, one in zip(segments, tags, strict=True))
    if not own and not any(values):
        values = _values_by_label(segments) or values
    return _Assigned(values, tags, naming, notes)


def _least_sure(namings: Sequence[LevelNaming]) -> tuple[LevelNaming, tuple[str, ...]]:
    """The naming of all segments; where they disagree, the first one's in the least sure state."""
    if all(naming == namings[0] for naming in namings):
        return namings[0], ()
    state = min((naming.state for naming in namings), key=_BY_TRUST.index)
    return replace(namings[0], state=state), (f"the segments disagree on how levels are named: taken as {state.value}, check every level",)


def _value(segment: FoundSegment, tags: SegmentTags | None, naming: LevelNaming) -> int | None:
    """A name that a person gave to a segment wins over the value it was tagged with."""
    if tags is not None and segment.name == short_name(tags.value, tags.naming):
        return tags.value
    value = value_of_name(segment.name, tags.naming if tags is not None else naming)
    return tags.value if value is None and tags is not None else value


def _values_by_label(segments: Sequence[FoundSegment]) -> tuple[int, ...] | None:
    """The labels themselves, where Slicer named every segment after its label and they can only be SPIDER's.

    Slicer numbers segments added by hand in the same way, from 1; a canal or disc among them tells that these are not.
    """
    labels = tuple(int(match.group(1)) if (match := _NAMED_BY_LABEL.fullmatch(segment.name)) else 0 for segment in segments)
    if not labels or labels != tuple(segment.label for segment in segments) or max(labels) < 100:
        return None
    try:
        check_values(labels)
    except LabelError:
        return None
    return labels
