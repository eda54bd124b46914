"""Scores over series: means with their intervals, overall and by sequence."""

from __future__ import annotations

from collections.abc import Sequence

from SpiderSegLib.evaluation.bootstrap import DEFAULT_BOOTSTRAP, BootstrapConfig, Estimate, estimate
from SpiderSegLib.evaluation.scoring import SCORE_NAMES
from SpiderSegLib.evaluation.series import Evaluation, SeriesEvaluation
from SpiderSegLib.series_names import SEQUENCES, UNKNOWN_SEQUENCE, patient_of

OVERALL = "overall"


def by_sequence(series: Sequence[SeriesEvaluation]) -> dict[str, tuple[SeriesEvaluation, ...]]:
    """All series as 'overall', then those of each sequence that occurs, in the order of SEQUENCES."""
    groups = {OVERALL: tuple(series)}
    for sequence in (*SEQUENCES, UNKNOWN_SEQUENCE):
        members = tuple(one for one in series if one.sequence == sequence)
        if members:
            groups[sequence] = members
    return groups


def summarize_scores(evaluation: Evaluation, bootstrap: BootstrapConfig = DEFAULT_BOOTSTRAP) -> dict[str, dict[str, Estimate]]:
    """Every score's mean, standard deviation, n and interval over patients, over all series ('overall') and over each sequence.

    A series that lacks a score (None, NaN) is not in its n. Failed series are in none: they are listed apart.
    """
    return {group: _summary(members, bootstrap) for group, members in by_sequence(evaluation.series).items()}


def _summary(series: Sequence[SeriesEvaluation], bootstrap: BootstrapConfig) -> dict[str, Estimate]:
    scores, patients = [one.scores.by_name() for one in series], [patient_of(one.series) for one in series]
    return {name: estimate([row[name] for row in scores], patients, bootstrap) for name in SCORE_NAMES}
