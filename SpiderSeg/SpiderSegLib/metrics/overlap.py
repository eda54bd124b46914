"""Scores that need only how many voxels each reference value shares with each predicted value: Dice, level accuracy, body recall.

The counts are taken once (`overlap_table`); every score is a pure function of them. Grids must already be known to be the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from SpiderSegLib.errors import GeometryError, LabelError
from SpiderSegLib.labels import DISC_OFFSET, HIGHEST_LEVEL, PARTIAL_OFFSET, SPINAL_CANAL, Structure, level_of

#: The SPIDER scheme ends at 225; a table of 256 x 256 counts holds every labelmap of 8 bits.
VALUE_COUNT = 256

#: Voxels counted at a time: bincount works on 64-bit copies, which for a whole T2-SPACE labelmap would take 600 MB.
VOXELS_PER_CHUNK = 1 << 20

_LEVELS = range(1, HIGHEST_LEVEL + 1)

#: Values of each structure in a SPIDER labelmap; partial vertebrae are vertebrae.
SPIDER_VALUES: Mapping[Structure, tuple[int, ...]] = {
    Structure.VERTEBRA: (*_LEVELS, *(PARTIAL_OFFSET + level for level in _LEVELS)),
    Structure.DISC: tuple(DISC_OFFSET + level for level in _LEVELS),
    Structure.CANAL: (SPINAL_CANAL,),
}

#: Values of each structure in a class map.
CLASS_VALUES: Mapping[Structure, tuple[int, ...]] = {structure: (int(structure),) for structure in SPIDER_VALUES}


@dataclass(frozen=True, eq=False)
class OverlapTable:
    """counts[r, p]: voxels that are r in the reference and p in the prediction; 256 x 256."""

    counts: NDArray[np.int64]

    @property
    def reference_sizes(self) -> NDArray[np.int64]:
        """Voxels of each reference value."""
        return np.asarray(self.counts.sum(axis=1))

    @property
    def prediction_sizes(self) -> NDArray[np.int64]:
        """Voxels of each predicted value."""
        return np.asarray(self.counts.sum(axis=0))

    @property
    def reference_values(self) -> tuple[int, ...]:
        """Values other than 0 present in the reference, ascending."""
        return tuple(int(value) for value in np.flatnonzero(self.reference_sizes) if value)

    @property
    def prediction_values(self) -> tuple[int, ...]:
        """Values other than 0 present in the prediction, ascending."""
        return tuple(int(value) for value in np.flatnonzero(self.prediction_sizes) if value)


@dataclass(frozen=True)
class StructureDice:
    """Dice over all voxels of each structure of one series; None where neither labelmap has the structure or it is not scored."""

    vertebra: float | None
    disc: float | None
    canal: float | None


@dataclass(frozen=True)
class InstancePair:
    """A reference instance and the predicted instance assigned to it; prediction None and dice 0 when it was missed."""

    reference: int
    prediction: int | None
    dice: float


@dataclass(frozen=True)
class InstanceDice:
    """The assignment of one structure's instances: a pair for every reference instance, and the predictions left over."""

    structure: Structure
    pairs: tuple[InstancePair, ...]
    unmatched_predictions: tuple[int, ...]

    @property
    def mean(self) -> float | None:
        """Mean Dice where a missed reference and an unmatched prediction each count 0; None without any instance."""
        count = len(self.pairs) + len(self.unmatched_predictions)
        return sum(pair.dice for pair in self.pairs) / count if count else None


@dataclass(frozen=True)
class BodyRecall:
    """For each reference body (value, best vertebra label or None, share of the body's voxels that carry it)."""

    bodies: tuple[tuple[int, int | None, float], ...]

    @property
    def mean(self) -> float | None:
        """Mean share over the bodies; None without bodies."""
        return sum(share for _, _, share in self.bodies) / len(self.bodies) if self.bodies else None


def overlap_table(reference: NDArray[Any], prediction: NDArray[Any]) -> OverlapTable:
    """Counts the voxels of every pair of values in two integer labelmaps of one shape.

    Raises GeometryError for different shapes and LabelError for values outside 0..255 or that are no integers.
    """
    if reference.shape != prediction.shape:
        raise GeometryError(f"expected labelmaps of one shape, found reference {reference.shape} and prediction {prediction.shape}")
    for name, labelmap in (("reference", reference), ("prediction", prediction)):
        if not np.issubdtype(labelmap.dtype, np.integer):
            raise LabelError(f"{name}: expected integer labels, found {labelmap.dtype}")
        if labelmap.size and not (labelmap.min() >= 0 and labelmap.max() < VALUE_COUNT):
            raise LabelError(f"{name}: expected labels 0..{VALUE_COUNT - 1}, found {labelmap.min()}..{labelmap.max()}")
    counts = np.zeros(VALUE_COUNT * VALUE_COUNT, dtype=np.int64)
    reference_flat, prediction_flat = reference.reshape(-1), prediction.reshape(-1)
    for start in range(0, reference_flat.size, VOXELS_PER_CHUNK):
        chunk = slice(start, start + VOXELS_PER_CHUNK)
        pairs = reference_flat[chunk].astype(np.intp) * VALUE_COUNT + prediction_flat[chunk].astype(np.intp)
        counts += np.bincount(pairs, minlength=counts.size)
    return OverlapTable(counts.reshape(VALUE_COUNT, VALUE_COUNT))


def structure_dice(
    table: OverlapTable,
    reference_values: Mapping[Structure, Sequence[int]] = SPIDER_VALUES,
    prediction_values: Mapping[Structure, Sequence[int]] = SPIDER_VALUES,
) -> StructureDice:
    """Dice of all vertebra, disc and canal voxels of a series.

    A structure absent in both labelmaps is None (not counted), absent in one alone 0. The mappings say which values make a
    structure (SPIDER_VALUES, CLASS_VALUES); a structure that the reference's mapping lacks is not scored: None.
    """
    scores: dict[Structure, float | None] = {}
    for structure in SPIDER_VALUES:
        if structure not in reference_values:
            scores[structure] = None
            continue
        rows, columns = np.array(reference_values[structure]), np.array(prediction_values[structure])
        shared = int(table.counts[np.ix_(rows, columns)].sum())
        total = int(table.reference_sizes[rows].sum() + table.prediction_sizes[columns].sum())
        scores[structure] = 2 * shared / total if total else None
    return StructureDice(scores[Structure.VERTEBRA], scores[Structure.DISC], scores[Structure.CANAL])


def instance_dice(table: OverlapTable, structure: Structure) -> InstanceDice:
    """One-to-one assignment of a structure's reference and predicted instances that maximizes the summed Dice.

    Instances are label values; 101-125 take part as vertebrae of their own. A pair that shares no voxel is no match: its
    reference is missed and its prediction left over. Numbers play no part, so a shifted numbering costs nothing here.
    """
    values = set(SPIDER_VALUES[structure])
    references = [value for value in table.reference_values if value in values]
    predictions = [value for value in table.prediction_values if value in values]
    shared = table.counts[np.ix_(references, predictions)] if references and predictions else np.zeros((len(references), len(predictions)))
    dice = 2 * shared / (table.reference_sizes[references][:, None] + table.prediction_sizes[predictions][None, :])
    rows, columns = linear_sum_assignment(dice, maximize=True)
    matched = {int(row): int(column) for row, column in zip(rows, columns, strict=True) if dice[row, column] > 0}
    pairs = tuple(
        InstancePair(value, predictions[matched[row]], float(dice[row, matched[row]])) if row in matched else InstancePair(value, None, 0.0)
        for row, value in enumerate(references)
    )
    left_over = tuple(value for column, value in enumerate(predictions) if column not in matched.values())
    return InstanceDice(structure, pairs, left_over)


def level_accuracy(assignments: Iterable[InstanceDice]) -> float | None:
    """Share of all reference instances whose matched prediction has the same number modulo 100; a missed one is wrong.

    None without reference instances.
    """
    pairs = [pair for assignment in assignments for pair in assignment.pairs]
    right = sum(pair.prediction is not None and level_of(pair.prediction) == level_of(pair.reference) for pair in pairs)
    return right / len(pairs) if pairs else None


def body_recall(table: OverlapTable) -> BodyRecall:
    """Share of each vertebral body's voxels that carry the body's best (most frequent) vertebra label.

    For references of vertebral bodies alone, values 1-25: the predicted vertebra has posterior elements that such a reference
    lacks, so Dice would punish them. A body without any vertebra voxel counts 0; of equally frequent labels the lowest is best.
    """
    columns = np.array(SPIDER_VALUES[Structure.VERTEBRA])
    bodies: list[tuple[int, int | None, float]] = []
    for value in table.reference_values:
        if value not in SPIDER_VALUES[Structure.VERTEBRA]:
            continue
        shares = table.counts[value, columns] / table.reference_sizes[value]
        best = int(np.argmax(shares))
        bodies.append((value, int(columns[best]) if shares[best] > 0 else None, float(shares[best])))
    return BodyRecall(tuple(bodies))
