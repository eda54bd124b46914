"""Several sets of predictions of the same series, ranked by their mean relative rank.

For every score and series the sets are ranked, 1 the best; sets that tie share the mean of their ranks. A relative rank is the rank
divided by the number of sets K, and a set's mean relative rank the mean of its relative ranks over all scores and series:

    r(set) = mean over (score, series) of rank(set; score, series) / K          1/K: always first;  1: always last

Ranks instead of means, so that scores of different units count alike and a few disasters do not decide.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from SpiderSegLib.errors import DatasetError
from SpiderSegLib.evaluation.bootstrap import DEFAULT_BOOTSTRAP, BootstrapConfig, Estimate, estimate
from SpiderSegLib.evaluation.scoring import SCORE_NAMES, is_higher_better
from SpiderSegLib.evaluation.series import Evaluation
from SpiderSegLib.series_names import patient_of

#: The project's own scores; the official ones and the mean of the structures measure the same again and would count it twice.
RANKED_SCORES = tuple(name for name in SCORE_NAMES if not name.startswith("official.") and name != "structure_dice.mean")


@dataclass(frozen=True)
class RankedPredictions:
    """One set: its place (ties share the lower number), its relative ranks, how many series of all it lacks."""

    name: str
    place: int
    relative_rank: Estimate
    missing: tuple[str, ...]


@dataclass(frozen=True)
class Ranking:
    """The sets, the best first; the relative ranks are over `relative_rank.n` pairs of score and series."""

    sets: tuple[RankedPredictions, ...]
    scores: tuple[str, ...]
    n_series: int


def rank(evaluations: Mapping[str, Evaluation], bootstrap: BootstrapConfig = DEFAULT_BOOTSTRAP) -> Ranking:
    """Ranks named evaluations of the same references.

    A set without a prediction for a series (or with one that can't be scored) is last in all of its scores, as is one whose
    distance is undefined because it missed the structure; a Dice that is undefined because neither labelmap has the structure ranks
    as 1. What no set has is not ranked. Raises DatasetError for fewer than two sets, or when there is nothing to rank.
    """
    if len(evaluations) < 2:
        raise DatasetError(f"expected at least two sets of predictions to rank, found {len(evaluations)}")
    scored = [{one.series: one.scores.by_name() for one in evaluation.series} for evaluation in evaluations.values()]
    series = sorted({name for rows in scored for name in rows} | {one.series for evaluation in evaluations.values() for one in evaluation.failed})
    ranks: list[list[float]] = []
    patients: list[str] = []
    for name in series:
        for score in RANKED_SCORES:
            values = [_ranked_value(rows.get(name), score) for rows in scored]
            if any(rows[name][score] is not None for rows in scored if name in rows):
                ranks.append([float(place) / len(scored) for place in _ranks(values, "average")])
                patients.append(patient_of(name))
    if not ranks:
        raise DatasetError("expected predictions with scores to rank, found none")
    relative = [estimate(column, patients, bootstrap) for column in zip(*ranks, strict=True)]
    missing = [tuple(name for name in series if name not in rows) for rows in scored]
    return Ranking(_ordered(list(evaluations), relative, missing), RANKED_SCORES, len(series))


def _ranks(values: Sequence[float] | NDArray[np.float64], ties: str) -> NDArray[np.float64]:
    """1 for the lowest; `ties` share the average or get the lowest of their ranks."""
    # Takes a third of a second to import, and programs that rank nothing come by here.
    from scipy.stats import rankdata

    ranks: NDArray[np.float64] = rankdata(values, method=ties)
    return ranks


def _ranked_value(scores: Mapping[str, float | None] | None, score: str) -> float:
    """A number that is lower the better the set is."""
    if scores is None:
        return float("inf")
    value = scores[score]
    if value is None:
        return -1.0 if is_higher_better(score) else float("inf")
    return -value if is_higher_better(score) else value


def _ordered(names: list[str], relative: list[Estimate], missing: list[tuple[str, ...]]) -> tuple[RankedPredictions, ...]:
    means = np.round([one.mean or 0.0 for one in relative], 12)
    places = _ranks(means, "min")
    sets = [RankedPredictions(*row) for row in zip(names, (int(place) for place in places), relative, missing, strict=True)]
    return tuple(sorted(sets, key=lambda one: one.place))
