"""Results as comma-separated values, for a spreadsheet or a statistics program."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from SpiderSegLib.evaluation.bootstrap import DEFAULT_BOOTSTRAP, BootstrapConfig, Estimate
from SpiderSegLib.evaluation.comparison import Comparison
from SpiderSegLib.evaluation.levels import LEVEL_SCORE_NAMES, summarize_levels
from SpiderSegLib.evaluation.ranking import Ranking
from SpiderSegLib.evaluation.scoring import SCORE_NAMES
from SpiderSegLib.evaluation.series import Evaluation
from SpiderSegLib.labels import structure_of
from SpiderSegLib.level_names import anatomical_name

_ESTIMATE_COLUMNS = ("mean", "std", "n", "n_patients", "low", "high")


def csv_text(evaluation: Evaluation) -> str:
    """One row a reference: scored or failed. An undefined score is empty, an official NaN is 'nan'."""
    rows: list[dict[str, Any]] = []
    for series in evaluation.series:
        head = {"series": series.series, "sequence": series.sequence, "status": "ok"}
        told = {"reference_kind": series.reference_kind.value, "message": "; ".join(series.warnings)}
        rows.append({**head, **told, **series.scores.by_name()})
    for failed in evaluation.failed:
        rows.append({"series": failed.series, "sequence": failed.sequence, "status": "failed", "message": failed.reason})
    return _csv(["series", "sequence", "status", "reference_kind", "message", *SCORE_NAMES], rows)


def levels_csv_text(evaluation: Evaluation, bootstrap: BootstrapConfig = DEFAULT_BOOTSTRAP) -> str:
    """One row a group ('overall', each sequence), level and score: mean, std, n reference instances, n patients, interval."""
    rows = [
        {
            "group": group,
            "structure": structure_of(level).name.lower(),
            "level": level,
            "assumed_name": anatomical_name(level),
            "score": name,
            **_estimate_cells(scores[name]),
        }
        for group, levels in summarize_levels(evaluation, bootstrap).items()
        for level, scores in levels.items()
        for name in LEVEL_SCORE_NAMES
        if scores[name].n
    ]
    return _csv(["group", "structure", "level", "assumed_name", "score", *_ESTIMATE_COLUMNS], rows)


def comparison_csv_text(comparison: Comparison) -> str:
    """One row a group and score: both means, the difference B - A with spread and interval, and the verdict."""
    rows = [
        {
            "group": group,
            "score": name,
            "mean_a": difference.mean_a,
            "mean_b": difference.mean_b,
            **{f"change_{column}": value for column, value in _estimate_cells(difference.change).items()},
            "verdict": difference.verdict.value,
        }
        for group, differences in comparison.differences.items()
        for name, difference in differences.items()
    ]
    return _csv(["group", "score", "mean_a", "mean_b", *(f"change_{column}" for column in _ESTIMATE_COLUMNS), "verdict"], rows)


def ranking_csv_text(ranking: Ranking) -> str:
    """One row a set of predictions, the best first: its mean relative rank with spread and interval, and the missing series."""
    rows = [
        {"place": one.place, "predictions": one.name, **_estimate_cells(one.relative_rank), "missing": " ".join(one.missing)} for one in ranking.sets
    ]
    return _csv(["place", "predictions", *_ESTIMATE_COLUMNS, "missing"], rows)


def _estimate_cells(estimate: Estimate) -> dict[str, Any]:
    low, high = (estimate.interval.low, estimate.interval.high) if estimate.interval else (None, None)
    return dict(zip(_ESTIMATE_COLUMNS, (estimate.mean, estimate.std, estimate.n, estimate.n_patients, low, high), strict=True))


def _csv(columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> str:
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, columns, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: "" if value is None else value for name, value in row.items()} for row in rows)
    # File names need not be UTF-8; what they hold else is shown as '?'.
    return buffer.getvalue().encode("utf-8", "replace").decode("utf-8")
