"""The criteria of a promotion, each a function of both evaluations that says whether it is met, with its numbers in a sentence."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from SpiderSegLib.counted import counted
from SpiderSegLib.evaluation import (
    OVERALL,
    BootstrapConfig,
    Comparison,
    Difference,
    Evaluation,
    LevelScore,
    SeriesEvaluation,
    level_title,
    score_levels,
)
from SpiderSegLib.series_names import natural_key

MEAN_DICE = "structure_dice.mean"
STRUCTURE_DICE = tuple(f"structure_dice.{structure}" for structure in ("vertebra", "disc", "canal"))
LEVEL_ACCURACY = "level_accuracy"

#: Differences of means closer than this are the rounding of sums, not of scores.
ROUNDING = 1e-9

#: A sentence names at most so many levels or series.
MOST_NAMED = 5


@dataclass(frozen=True)
class DecisionRule:
    """The thresholds of a promotion.

    least_interval_end: the paired interval of the mean Dice may reach a little below 0, or hardly any round would ever be promoted,
    but not so far that a real loss hides in it. greatest_fall: of one structure in one sequence; a gain elsewhere must not pay for
    it. fewest_patients: with fewer no program decides alone. warn_after: so many rounds decided on one validation set have been fitted to it.
    """

    least_interval_end: float = -0.005
    greatest_fall: float = 0.01
    fewest_patients: int = 10
    warn_after: int = 10


@dataclass(frozen=True)
class Criterion:
    """One condition of a promotion, whether it is met, and the numbers in a sentence."""

    name: str
    is_met: bool
    sentence: str


def criteria_of_scores(comparison: Comparison, rule: DecisionRule) -> list[Criterion]:
    """What the paired differences over the series that both have scores of say, the champion being A."""
    overall = comparison.differences[OVERALL]
    return [
        _mean_is_higher(overall.get(MEAN_DICE)),
        _interval_is_high(overall.get(MEAN_DICE), comparison.bootstrap, rule),
        _no_structure_falls(comparison.differences, rule),
        _level_accuracy_holds(overall.get(LEVEL_ACCURACY)),
    ]


def _mean_is_higher(difference: Difference | None) -> Criterion:
    name = "mean structure Dice is higher"
    if difference is None:
        return Criterion(name, False, "No series has a structure Dice in both.")
    change = difference.change.mean or 0.0
    means = f"{difference.mean_a:.4f} with the champion, {difference.mean_b:.4f} with the challenger"
    return Criterion(name, change > ROUNDING, f"Mean structure Dice over {difference.change.n} series: {means} ({change:+.4f}).")


def _interval_is_high(difference: Difference | None, bootstrap: BootstrapConfig, rule: DecisionRule) -> Criterion:
    confidence = f"{100 * bootstrap.confidence:g} %"
    name = f"the lower end of the {confidence} interval of the gain is above {rule.least_interval_end:g}"
    if difference is None or difference.change.interval is None:
        patients = 0 if difference is None else difference.change.n_patients
        return Criterion(name, False, f"No interval can be given for {counted(patients, 'patient')}.")
    interval = difference.change.interval
    is_met = interval.low > rule.least_interval_end + ROUNDING
    patients = difference.change.n_patients
    sentence = f"Paired {confidence} interval of the gain, resampling {counted(patients, 'patient')}: {interval.low:+.4f} to {interval.high:+.4f}."
    return Criterion(name, is_met, sentence)


def _no_structure_falls(differences: Mapping[str, Mapping[str, Difference]], rule: DecisionRule) -> Criterion:
    changes = {
        f"{score.split('.')[1]} in {group}": scores[score].change.mean or 0.0
        for group, scores in differences.items()
        if group != OVERALL
        for score in STRUCTURE_DICE
        if score in scores
    }
    name = f"no structure in any sequence falls by more than {rule.greatest_fall:g}"
    fallen = {place: change for place, change in changes.items() if change < -rule.greatest_fall - ROUNDING}
    if fallen:
        return Criterion(name, False, f"Dice fell: {', '.join(f'{place} {change:+.4f}' for place, change in fallen.items())}.")
    if not changes:
        return Criterion(name, False, "No series has a structure Dice in both.")
    place = min(changes, key=lambda one: changes[one])
    return Criterion(name, True, f"The least gain in Dice is that of {place}: {changes[place]:+.4f}.")


def _level_accuracy_holds(difference: Difference | None) -> Criterion:
    name = "level accuracy does not fall"
    if difference is None:
        return Criterion(name, True, "The references have no levels, so none can be wrong; numbering was not compared.")
    change = difference.change.mean or 0.0
    means = f"{difference.mean_a:.4f} with the champion, {difference.mean_b:.4f} with the challenger"
    return Criterion(name, change >= -ROUNDING, f"Level accuracy over {difference.change.n} series: {means} ({change:+.4f}).")


def no_level_lost(champion: Evaluation, challenger: Evaluation) -> Criterion:
    """A level is held when its vertebra or disc is found and has the right number; renumbering a case loses its levels, too."""
    name = "no case newly loses a level"
    others = {one.series: one for one in challenger.series}
    lost = [words for one in champion.series if one.series in others for words in _lost_levels(one, others[one.series])]
    if lost:
        return Criterion(name, False, f"Held by the champion alone: {listed(lost)}.")
    held = sum(_is_held(level) for one in champion.series for level in score_levels(one.scores))
    return Criterion(name, True, f"All {held} levels that the champion finds and numbers right, the challenger does, too.")


def _lost_levels(champion: SeriesEvaluation, challenger: SeriesEvaluation) -> Iterator[str]:
    others = {level.level: level for level in score_levels(challenger.scores)}
    for level in score_levels(champion.scores):
        other = others.get(level.level)
        if _is_held(level) and (other is None or not _is_held(other)):
            fate = "misnumbered" if other is not None and other.is_detected else "missed"
            yield f"{champion.series} {level_title(level.level)} {fate}"


def _is_held(level: LevelScore) -> bool:
    return level.is_level_right and level.is_detected is not False


def every_series(failed_alone: Sequence[str], n_series: int) -> Criterion:
    """`failed_alone` are the series of the champion's n_series that the challenger has no score for."""
    name = "no series fails that the champion segments"
    if failed_alone:
        return Criterion(name, False, f"The challenger fails on {listed(failed_alone)}.")
    return Criterion(name, True, f"The challenger segments all {n_series} series that the champion does.")


def listed(names: Sequence[str]) -> str:
    """Some names, as long as a sentence can hold."""
    ordered = sorted(names, key=natural_key)
    return ", ".join(ordered[:MOST_NAMED]) + (f" and {len(ordered) - MOST_NAMED} more" if len(ordered) > MOST_NAMED else "")
