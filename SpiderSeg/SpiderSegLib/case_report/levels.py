"""The rows of the level table: each structure with its trust, its volume, and what was changed of it since the prediction."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from SpiderSegLib.case_report.case import CaseReport
from SpiderSegLib.labels import Structure, check_values, level_of, structure_of
from SpiderSegLib.level_names import is_partial
from SpiderSegLib.metrics import OverlapTable, overlap_table
from SpiderSegLib.uncertainty import LOW_CONFIDENCE


@dataclass(frozen=True)
class LevelChange:
    """What became of one structure since the prediction, in voxels; where it took some from a neighbor, they are added here and removed there.

    `predicted_as` is its value in the prediction, None where the prediction does not have it.
    """

    predicted_as: int | None
    kept: int
    added: int
    removed: int

    @property
    def share(self) -> float:
        """Changed voxels over all that it has or had: 0 unchanged, 1 nothing in common."""
        return (self.added + self.removed) / (self.kept + self.added + self.removed)


@dataclass(frozen=True)
class LevelRow:
    """One vertebra, disc or the canal. is_cut: it reaches the border of the image, so that the volume is of its part in view.

    confidence is the model's, None for a structure drawn by hand; change is None where there is no prediction to compare with.
    """

    value: int
    name: str
    full_name: str
    structure: Structure
    color: tuple[int, int, int]
    confidence: float | None
    volume_mm3: float
    is_partial: bool
    is_cut: bool
    change: LevelChange | None

    @property
    def is_low(self) -> bool:
        """Whether the model was unsure of it."""
        return self.confidence is not None and self.confidence < LOW_CONFIDENCE


@dataclass(frozen=True)
class LevelTable:
    """The rows from the uppermost level down, the canal last; `vanished`: values of the prediction that nothing stands for now."""

    rows: tuple[LevelRow, ...]
    vanished: tuple[int, ...] = ()


def level_table(report: CaseReport) -> LevelTable:
    """Measures every structure of a report's labelmap. Raises LabelError for a prediction outside the scheme."""
    named = report.named
    voxels = np.bincount(named.labelmap.array.ravel(), minlength=256)
    cut = _values_at_border(named.labelmap.array)
    changes, vanished = _changes(report)
    rows = tuple(
        LevelRow(
            value=value,
            name=named.name(value),
            full_name=named.full_name(value),
            structure=structure_of(value),
            color=named.color(value),
            confidence=named.confidences.get(value),
            volume_mm3=int(voxels[value]) * named.labelmap.geometry.voxel_volume_mm3,
            is_partial=is_partial(value),
            is_cut=value in cut,
            change=changes.get(value),
        )
        for value in from_top(named.values)
    )
    return LevelTable(rows, vanished)


def from_top(values: Iterable[int]) -> list[int]:
    """Values in the order of the column: each vertebra above its disc, the canal last."""
    return sorted(values, key=lambda value: (-level_of(value), structure_of(value), value))


def _values_at_border(labels: NDArray[np.uint8]) -> set[int]:
    """Values that touch a face of the grid."""
    faces = [np.unique(labels.take(end, axis)) for axis in range(3) for end in (0, -1)]
    return set(np.concatenate(faces).tolist()) - {0}


def _changes(report: CaseReport) -> tuple[Mapping[int, LevelChange], tuple[int, ...]]:
    """Changes by value, and the values of the prediction that are gone; nothing without a prediction."""
    if report.prediction is None:
        return {}, ()
    table = overlap_table(report.prediction.array, report.named.labelmap.array)
    check_values(table.reference_values, report.prediction.name or "prediction")
    predicted = {value: _predicted_as(table, value) for value in table.prediction_values}
    changes = {value: _change(table, value, was) for value, was in predicted.items()}
    return changes, tuple(from_top(set(table.reference_values) - set(predicted.values())))


def _predicted_as(table: OverlapTable, value: int) -> int | None:
    """The predicted value that shares most voxels with a present one; None if another present one shares more with it.

    So a shift of all levels changes no voxels, and of a level split in two one half was predicted and the other is new.
    """
    shared = table.counts[1:, value]
    was = int(np.argmax(shared)) + 1
    return was if shared[was - 1] and int(np.argmax(table.counts[was, 1:])) + 1 == value else None


def _change(table: OverlapTable, value: int, was: int | None) -> LevelChange:
    size = int(table.prediction_sizes[value])
    if was is None:
        return LevelChange(None, 0, size, 0)
    kept = int(table.counts[was, value])
    return LevelChange(was, kept, size - kept, int(table.reference_sizes[was]) - kept)
