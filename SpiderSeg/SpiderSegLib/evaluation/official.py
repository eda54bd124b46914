"""The official scores over series, as the SPIDER challenge's evaluator reports them on its leaderboard."""

from __future__ import annotations

import json
from typing import Any

from SpiderSegLib.errors import DatasetError
from SpiderSegLib.evaluation.series import Evaluation
from SpiderSegLib.metrics import OfficialScores, Statistic, summarize


def official_metrics(evaluation: Evaluation) -> dict[str, Statistic]:
    """Mean and standard deviation over series of each of the challenge's ten scores, under its names and in its order.

    The evaluator takes both from a pandas column: NaN is skipped, the standard deviation divides by n - 1 (None here for a single
    series, NaN there), and the 999 of an absent canal is counted like any score. Series whose kind of reference allows no official
    scores, and failed series (at which the evaluator itself would stop), are left out: look at `evaluation.failed`. Empty when no
    series has official scores.
    """
    scored: list[OfficialScores] = [series.scores.official for series in evaluation.series if series.scores.official is not None]
    if not scored:
        return {}
    rows = [scores.by_name() for scores in scored]
    return {name: summarize(row[name] for row in rows) for name in rows[0]}


def official_metrics_object(evaluation: Evaluation) -> dict[str, dict[str, float | None]] | None:
    """{"DiceScoreVertebrae": {"mean": .., "std": ..}, ..} as in the evaluator's metrics.json; None without official scores.

    Undefined numbers are None (null), where the evaluator writes NaN, which is no JSON.
    """
    metrics = official_metrics(evaluation)
    return {name: {"mean": score.mean, "std": score.std} for name, score in metrics.items()} or None


def official_metrics_json(evaluation: Evaluation) -> str:
    """The text of the evaluator's metrics.json. Raises DatasetError when no series has official scores."""
    metrics: dict[str, Any] | None = official_metrics_object(evaluation)
    if metrics is None:
        raise DatasetError("expected at least one series scored against a reference in SPIDER values, found none: there are no official scores")
    return json.dumps(metrics, indent=2, allow_nan=False) + "\n"
