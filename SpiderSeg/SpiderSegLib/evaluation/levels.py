"""Scores of each level: the reference instances of all series, grouped by their number.

A level is the reference's number counted from the lowest vertebra up (1, 2, .. and 201, 202, ..); a vertebra cut by the field of view
(101..) belongs to its level. The name in brackets is the one SPIDER's order suggests, not a confirmed level.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from SpiderSegLib.evaluation.bootstrap import DEFAULT_BOOTSTRAP, BootstrapConfig, Estimate, estimate
from SpiderSegLib.evaluation.scoring import Scores
from SpiderSegLib.evaluation.series import Evaluation, SeriesEvaluation
from SpiderSegLib.evaluation.summary import by_sequence
from SpiderSegLib.labels import DISC_OFFSET, Structure, level_of, structure_of
from SpiderSegLib.level_names import anatomical_name
from SpiderSegLib.metrics import InstancePair
from SpiderSegLib.series_names import patient_of

#: A reference instance counts as detected when its assigned prediction reaches this Dice; the challenge's threshold, but on the
#: project's own one-to-one assignment.
DETECTION_DICE = 0.1

#: Scores of a level, in the order of every report.
LEVEL_SCORE_NAMES = ("instance_dice", "asd_mm", "detection", "level_accuracy", "body_recall")


@dataclass(frozen=True)
class LevelScore:
    """One reference instance of one series; None: not measured (the kind of reference does not allow it, or there is no match).

    `level` is 1-25 for vertebrae, partial ones included, and 201-225 for discs. `dice` is 0 when the instance was missed.
    """

    level: int
    dice: float | None
    asd_mm: float | None
    is_detected: bool | None
    is_level_right: bool
    body_recall: float | None

    def by_name(self) -> dict[str, float | None]:
        """Each of LEVEL_SCORE_NAMES with its value; yes is 1 and no is 0."""
        detection = None if self.is_detected is None else float(self.is_detected)
        values = (self.dice, self.asd_mm, detection, float(self.is_level_right), self.body_recall)
        return dict(zip(LEVEL_SCORE_NAMES, values, strict=True))


def level_title(level: int) -> str:
    """What reports call a level: its value and the assumed name, '1 (L5)', '201 (L5/S1)'."""
    return f"{level} ({anatomical_name(level)})"


def score_levels(scores: Scores) -> tuple[LevelScore, ...]:
    """The reference instances of one series, in the order of their assignment; empty for class maps.

    Unmatched predictions belong to no level; they lower the instance Dice of their series.
    """
    asd_mm = {distance.reference: distance.asd_mm for distance in scores.distances}
    recall = {value: share for value, _, share in scores.body_recall.bodies} if scores.body_recall else {}
    has_dice = bool(scores.instance_dice)
    return tuple(_level_score(pair, has_dice, asd_mm.get(pair.reference), recall.get(pair.reference)) for pair in scores.assigned)


def summarize_levels(evaluation: Evaluation, bootstrap: BootstrapConfig = DEFAULT_BOOTSTRAP) -> dict[str, dict[int, dict[str, Estimate]]]:
    """By group ('overall' and each sequence), level and name of LEVEL_SCORE_NAMES: mean, n and interval over the reference instances.

    n of 'level_accuracy' is the number of reference instances of the level; a mean distance is over those with a match. Vertebrae
    come first, each structure from the lowest level up. Empty groups where no reference has levels.
    """
    return {group: _summary(members, bootstrap) for group, members in by_sequence(evaluation.series).items()}


def _level_score(pair: InstancePair, has_dice: bool, asd_mm: float | None, recall: float | None) -> LevelScore:
    number = level_of(pair.reference)
    return LevelScore(
        level=DISC_OFFSET + number if structure_of(pair.reference) is Structure.DISC else number,
        dice=pair.dice if has_dice else None,
        asd_mm=asd_mm,
        is_detected=pair.dice >= DETECTION_DICE if has_dice else None,
        is_level_right=pair.prediction is not None and level_of(pair.prediction) == number,
        body_recall=recall,
    )


def _summary(series: Sequence[SeriesEvaluation], bootstrap: BootstrapConfig) -> dict[int, dict[str, Estimate]]:
    found: dict[int, list[tuple[str, dict[str, float | None]]]] = {}
    for one in series:
        for score in score_levels(one.scores):
            found.setdefault(score.level, []).append((patient_of(one.series), score.by_name()))
    return {
        level: {
            name: estimate([scores[name] for _, scores in found[level]], [patient for patient, _ in found[level]], bootstrap)
            for name in LEVEL_SCORE_NAMES
        }
        for level in sorted(found)
    }
