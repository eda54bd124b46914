"""The scores that each kind of reference allows, for one series in memory."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from SpiderSegLib.errors import LabelError
from SpiderSegLib.evaluation.references import ReferenceKind
from SpiderSegLib.labels import SPINAL_CANAL, Structure
from SpiderSegLib.metrics import (
    CLASS_VALUES,
    SPIDER_VALUES,
    BodyRecall,
    InstanceDice,
    InstanceDistance,
    InstancePair,
    OfficialScores,
    OverlapTable,
    StructureDice,
    StructureVolume,
    body_recall,
    instance_dice,
    instance_distances,
    level_accuracy,
    official_scores,
    structure_dice,
    structure_volumes,
)

#: Names of all scores, in the order of every report; the part before the dot names the definition, so that none is mixed.
SCORE_NAMES = (
    *(f"structure_dice.{structure}" for structure in ("vertebra", "disc", "canal", "mean")),
    *(f"instance_dice.{structure}" for structure in ("vertebra", "disc")),
    "level_accuracy",
    "body_recall",
    *(f"{distance}.{structure}" for distance in ("asd_mm", "hd95_mm") for structure in ("vertebra", "disc", "canal")),
    *(f"official.{name}" for name in OfficialScores(*[math.nan] * 10).by_name()),
)

#: What decides between two predictions and which series are worst, the first that is defined.
MAIN_SCORES = ("structure_dice.mean", "body_recall")

OFFICIAL_REFUSALS = {
    ReferenceKind.CLASSES: "the official evaluation would read the class map's 2 (disc) and 3 (canal) as vertebrae",
    ReferenceKind.BODIES: "the official evaluation needs whole vertebrae, discs and the canal in the reference",
    ReferenceKind.DISCS: "the official evaluation needs vertebrae and the canal in the reference",
}


@dataclass(frozen=True)
class Scores:
    """Everything measured on one series; what its kind of reference doesn't allow is None or empty.

    `assigned` holds the pairs that the level accuracy rests on; for vertebral bodies, where no Dice is scored, their Dice means nothing.
    `distances` holds matched vertebrae and discs, and the canal as one instance where both labelmaps have it.
    `official_refused` says why `official` is None.
    """

    structure_dice: StructureDice | None = None
    instance_dice: tuple[InstanceDice, ...] = ()
    assigned: tuple[InstancePair, ...] = ()
    level_accuracy: float | None = None
    body_recall: BodyRecall | None = None
    distances: tuple[InstanceDistance, ...] = ()
    volumes: tuple[StructureVolume, ...] = ()
    official: OfficialScores | None = None
    official_refused: str = ""

    def by_name(self) -> dict[str, float | None]:
        """Each of SCORE_NAMES with its value for the series; None: not defined for this series.

        Distances are means over matches; 'structure_dice.mean' is the mean of the structures that are defined.
        """
        values: dict[str, float | None] = dict.fromkeys(SCORE_NAMES)
        if self.structure_dice is not None:
            for structure in ("vertebra", "disc", "canal"):
                values[f"structure_dice.{structure}"] = getattr(self.structure_dice, structure)
            defined = [value for name, value in values.items() if name.startswith("structure_dice.") and value is not None]
            values["structure_dice.mean"] = sum(defined) / len(defined) if defined else None
        for assignment in self.instance_dice:
            values[f"instance_dice.{assignment.structure.name.lower()}"] = assignment.mean
        values["level_accuracy"] = self.level_accuracy
        values["body_recall"] = self.body_recall.mean if self.body_recall else None
        for measured_structure, labels in SPIDER_VALUES.items():
            measured = [distance for distance in self.distances if distance.reference in labels]
            if measured:
                values[f"asd_mm.{measured_structure.name.lower()}"] = sum(distance.asd_mm for distance in measured) / len(measured)
                values[f"hd95_mm.{measured_structure.name.lower()}"] = sum(distance.hd95_mm for distance in measured) / len(measured)
        if self.official is not None:
            values.update({f"official.{name}": value for name, value in self.official.by_name().items()})
        return values


def is_higher_better(score: str) -> bool:
    """Whether more of one of SCORE_NAMES is better; of distances less is."""
    return not any(distance in score for distance in ("asd_mm", "hd95_mm", "ASD"))


def score_labelmaps(
    reference: NDArray[Any], prediction: NDArray[Any], spacing_kji_mm: Sequence[float], kind: ReferenceKind, table: OverlapTable
) -> Scores:
    """Scores of a predicted SPIDER labelmap (k, j, i) against a reference of a stated kind, in SPIDER values or a class map.

    `table` is the overlap table of the two. Raises LabelError for kind auto, which must have been detected.
    """
    if kind is ReferenceKind.SPIDER:
        return _against_spider(reference, prediction, spacing_kji_mm, table)
    if kind is ReferenceKind.CLASSES:
        return Scores(
            structure_dice=structure_dice(table, reference_values=CLASS_VALUES),
            volumes=structure_volumes(table, math.prod(spacing_kji_mm), CLASS_VALUES),
            official_refused=OFFICIAL_REFUSALS[kind],
        )
    if kind is ReferenceKind.BODIES:
        # Only the assignment is used: Dice of a body against a whole vertebra is no measure of quality.
        bodies = instance_dice(table, Structure.VERTEBRA)
        return Scores(
            assigned=bodies.pairs,
            level_accuracy=level_accuracy([bodies]),
            body_recall=body_recall(table),
            official_refused=OFFICIAL_REFUSALS[kind],
        )
    if kind is ReferenceKind.DISCS:
        return _against_discs(reference, prediction, spacing_kji_mm, table)
    raise LabelError(f"expected a reference kind spider, classes, bodies or discs, found {kind.value}")


def _against_spider(reference: NDArray[Any], prediction: NDArray[Any], spacing_kji_mm: Sequence[float], table: OverlapTable) -> Scores:
    assignments = (instance_dice(table, Structure.VERTEBRA), instance_dice(table, Structure.DISC))
    matches = _matches(assignments)
    if SPINAL_CANAL in table.reference_values and SPINAL_CANAL in table.prediction_values:
        matches.append((SPINAL_CANAL, SPINAL_CANAL))
    return Scores(
        structure_dice=structure_dice(table),
        instance_dice=assignments,
        assigned=tuple(pair for assignment in assignments for pair in assignment.pairs),
        level_accuracy=level_accuracy(assignments),
        distances=instance_distances(reference, prediction, matches, spacing_kji_mm),
        volumes=structure_volumes(table, math.prod(spacing_kji_mm)),
        official=official_scores(reference, prediction, spacing_kji_mm, table),
    )


def _against_discs(reference: NDArray[Any], prediction: NDArray[Any], spacing_kji_mm: Sequence[float], table: OverlapTable) -> Scores:
    discs, values = instance_dice(table, Structure.DISC), {Structure.DISC: SPIDER_VALUES[Structure.DISC]}
    return Scores(
        structure_dice=structure_dice(table, reference_values=values),
        instance_dice=(discs,),
        assigned=discs.pairs,
        level_accuracy=level_accuracy([discs]),
        distances=instance_distances(reference, prediction, _matches([discs]), spacing_kji_mm),
        volumes=structure_volumes(table, math.prod(spacing_kji_mm), values),
        official_refused=OFFICIAL_REFUSALS[ReferenceKind.DISCS],
    )


def _matches(assignments: Sequence[InstanceDice]) -> list[tuple[int, int]]:
    return [(pair.reference, pair.prediction) for assignment in assignments for pair in assignment.pairs if pair.prediction is not None]
