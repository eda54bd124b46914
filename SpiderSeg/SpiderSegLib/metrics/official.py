"""The scores of the SPIDER challenge, with the rules of its public evaluator (DIAGNijmegen/SPIDER-Evaluation), good and bad.

They exist to be comparable with published numbers. They are lenient where the project's own scores are not: predictions that
match nothing are free, one predicted label can serve several references, and a wrong numbering costs nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from SpiderSegLib.metrics.overlap import OverlapTable, overlap_table
from SpiderSegLib.metrics.surface import border_distances_mm, bounding_boxes, joint_box

#: A vertebra or disc below this Dice is missed: it leaves the class mean and lowers the detection rate.
OFFICIAL_DETECTION_DICE = 0.1

#: What the challenge puts for both canal scores when the reference has no canal.
OFFICIAL_CANAL_ABSENT = 999.0


@dataclass(frozen=True)
class OfficialScores:
    """The ten scores of one series; NaN as the challenge computes it, 999 for an absent canal, distances nominally in mm."""

    dice_vertebrae: float
    dice_discs: float
    dice_canal: float
    dice_overall: float
    detection_vertebrae: float
    detection_discs: float
    asd_vertebrae: float
    asd_discs: float
    asd_canal: float
    asd_overall: float

    def by_name(self) -> dict[str, float]:
        """The scores under the challenge's own output names, misspellings included, in its order."""
        return {
            "DiceScoreVertebrae": self.dice_vertebrae,
            "DiceScoreDiscs": self.dice_discs,
            "DiceScoreSpinalCanal": self.dice_canal,
            "OveralDiceScore": self.dice_overall,
            "DetectionRateVertebrae": self.detection_vertebrae,
            "DetectionRateDiscs": self.detection_discs,
            "ASDVertebrae": self.asd_vertebrae,
            "ASDDiscs": self.asd_discs,
            "ASDSpinalCanal": self.asd_canal,
            "OveralASD": self.asd_overall,
        }


def official_scores(
    reference: NDArray[Any], prediction: NDArray[Any], spacing_kji_mm: Sequence[float], table: OverlapTable | None = None
) -> OfficialScores:
    """The SPIDER challenge's scores of one series; integer labelmaps (k, j, i) of one grid, `table` their counts if at hand.

    Each reference label is compared with the most frequent foreground label inside it (ties: the lowest), not exclusively; a
    label with none scores Dice 0 and ASD NaN. Vertebrae are 1-99 and discs 201 up; 101-200 are in the overall means alone.
    Dice under 0.1 counts as missed for Dice and detection, but not for the ASD. The ASD takes the (x, y, z) spacing for the
    axes of a (z, y, x) array and so measures in mm only on isotropic grids. A class mean over nothing is NaN, and so is the
    detection rate of a class without references, where the challenge's program stops with a division by zero.
    Raises as `overlap_table`.
    """
    table = overlap_table(reference, prediction) if table is None else table
    labels = table.reference_values
    matches = {label: _most_frequent_inside(table, label) for label in labels}
    dice = {label: _dice(table, label, match) for label, match in matches.items()}
    distances = _distances_with_swapped_spacing(reference, prediction, matches, spacing_kji_mm)
    vertebrae = [label for label in labels if label < 100]
    discs = [label for label in labels if label > 200]
    return OfficialScores(
        dice_vertebrae=_mean([dice[label] for label in vertebrae if dice[label] >= OFFICIAL_DETECTION_DICE]),
        dice_discs=_mean([dice[label] for label in discs if dice[label] >= OFFICIAL_DETECTION_DICE]),
        dice_canal=dice.get(100, OFFICIAL_CANAL_ABSENT),
        dice_overall=_mean([dice[label] for label in labels]),
        detection_vertebrae=_mean([float(dice[label] >= OFFICIAL_DETECTION_DICE) for label in vertebrae]),
        detection_discs=_mean([float(dice[label] >= OFFICIAL_DETECTION_DICE) for label in discs]),
        asd_vertebrae=_mean([distances[label] for label in vertebrae]),
        asd_discs=_mean([distances[label] for label in discs]),
        asd_canal=distances.get(100, OFFICIAL_CANAL_ABSENT),
        asd_overall=_mean([distances[label] for label in labels]),
    )


def _most_frequent_inside(table: OverlapTable, label: int) -> int | None:
    foreground = table.counts[label, 1:]
    return int(np.argmax(foreground)) + 1 if foreground.any() else None


def _dice(table: OverlapTable, label: int, match: int | None) -> float:
    if match is None:
        return 0.0
    return float(2 * table.counts[label, match] / (table.reference_sizes[label] + table.prediction_sizes[match]))


def _distances_with_swapped_spacing(
    reference: NDArray[Any], prediction: NDArray[Any], matches: Mapping[int, int | None], spacing_kji_mm: Sequence[float]
) -> dict[int, float]:
    reference_boxes, prediction_boxes = bounding_boxes(reference), bounding_boxes(prediction)
    distances = {}
    for label, match in matches.items():
        if match is None:
            distances[label] = float("nan")
            continue
        box = joint_box(reference_boxes[label], prediction_boxes[match])
        to_match, to_label = border_distances_mm(reference[box] == label, prediction[box] == match, tuple(reversed(spacing_kji_mm)))
        distances[label] = float(np.concatenate((to_label, to_match)).mean())
    return distances


def _mean(values: list[float]) -> float:
    return float(np.mean(values)) if values else float("nan")
