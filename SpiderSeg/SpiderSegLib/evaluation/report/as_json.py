"""Results in dicts, lists, text and numbers: what JSON can hold. NaN is None."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from SpiderSegLib.evaluation.bootstrap import DEFAULT_BOOTSTRAP, FEWEST_PATIENTS, BootstrapConfig, Estimate
from SpiderSegLib.evaluation.comparison import Comparison, Difference, SeriesChange, verdict_text
from SpiderSegLib.evaluation.levels import summarize_levels
from SpiderSegLib.evaluation.official import official_metrics_object
from SpiderSegLib.evaluation.ranking import Ranking
from SpiderSegLib.evaluation.series import Evaluation, SeriesEvaluation
from SpiderSegLib.evaluation.summary import summarize_scores
from SpiderSegLib.level_names import anatomical_name
from SpiderSegLib.series_names import patient_of

SCHEMA_VERSION = 2


def to_json_object(evaluation: Evaluation, bootstrap: BootstrapConfig = DEFAULT_BOOTSTRAP) -> dict[str, Any]:
    """Everything known of an evaluation.

    "summary" and "levels" hold {"mean", "std", "n", "n_patients", "interval": [low, high] or null}; "official_aggregates" is what the
    challenge's evaluator would write.
    """
    return {
        "schema_version": SCHEMA_VERSION,
        "bootstrap": _bootstrap_object(bootstrap),
        "series": [_series_object(series) for series in evaluation.series],
        "failed": [
            {"series": failed.series, "sequence": failed.sequence, "reference": str(failed.files.reference), "reason": failed.reason}
            for failed in evaluation.failed
        ],
        "unscored_predictions": [str(path) for path in evaluation.unscored_predictions],
        "summary": {group: _estimates(scores) for group, scores in summarize_scores(evaluation, bootstrap).items()},
        "levels": {
            group: [{"level": level, "assumed_name": anatomical_name(level), **_estimates(scores)} for level, scores in levels.items()]
            for group, levels in summarize_levels(evaluation, bootstrap).items()
        },
        "official_aggregates": official_metrics_object(evaluation),
    }


def comparison_object(comparison: Comparison) -> dict[str, Any]:
    """A comparison: names, verdict, the differences by group and score, and every series with its change."""
    return {
        "schema_version": SCHEMA_VERSION,
        "bootstrap": _bootstrap_object(comparison.bootstrap),
        "a": comparison.name_a,
        "b": comparison.name_b,
        "main_score": comparison.main_score,
        "verdict": comparison.main.verdict.value,
        "text": verdict_text(comparison),
        "differences": {
            group: {name: _difference_object(difference) for name, difference in differences.items()}
            for group, differences in comparison.differences.items()
        },
        "series": [_change_object(change) for change in comparison.series],
        "missing_in_a": list(comparison.missing_in_a),
        "missing_in_b": list(comparison.missing_in_b),
    }


def ranking_object(ranking: Ranking, bootstrap: BootstrapConfig = DEFAULT_BOOTSTRAP) -> dict[str, Any]:
    """A ranking: the sets from the best to the worst."""
    return {
        "schema_version": SCHEMA_VERSION,
        "bootstrap": _bootstrap_object(bootstrap),
        "scores": list(ranking.scores),
        "n_series": ranking.n_series,
        "ranking": [
            {"place": one.place, "predictions": one.name, "mean_relative_rank": _estimate_object(one.relative_rank), "missing": list(one.missing)}
            for one in ranking.sets
        ],
    }


def json_text(content: Evaluation | Mapping[str, Any]) -> str:
    """Standard JSON, indented, ending in a newline."""
    return json.dumps(to_json_object(content) if isinstance(content, Evaluation) else content, indent=2, allow_nan=False) + "\n"


def _bootstrap_object(bootstrap: BootstrapConfig) -> dict[str, Any]:
    drawn = {"unit": "patient", "resamples": bootstrap.resamples, "seed": bootstrap.seed}
    return {**drawn, "confidence": bootstrap.confidence, "fewest_patients": FEWEST_PATIENTS}


def _estimate_object(estimate: Estimate) -> dict[str, Any]:
    interval = None if estimate.interval is None else [estimate.interval.low, estimate.interval.high]
    return {"mean": estimate.mean, "std": estimate.std, "n": estimate.n, "n_patients": estimate.n_patients, "interval": interval}


def _estimates(scores: Mapping[str, Estimate]) -> dict[str, Any]:
    return {name: _estimate_object(estimate) for name, estimate in scores.items()}


def _difference_object(difference: Difference) -> dict[str, Any]:
    means = {"mean_a": difference.mean_a, "mean_b": difference.mean_b}
    return {**means, "change": _estimate_object(difference.change), "verdict": difference.verdict.value}


def _change_object(change: SeriesChange) -> dict[str, Any]:
    return {"series": change.series, "sequence": change.sequence, "a": change.score_a, "b": change.score_b, "change": change.change}


def _series_object(series: SeriesEvaluation) -> dict[str, Any]:
    scores = series.scores
    return {
        "series": series.series,
        "patient": patient_of(series.series),
        "sequence": series.sequence,
        "prediction": str(series.files.prediction),
        "reference": str(series.files.reference),
        "reference_kind": series.reference_kind.value,
        "reference_kind_detected": series.is_kind_detected,
        "warnings": list(series.warnings),
        "scores": {name: None if value is None or math.isnan(value) else value for name, value in scores.by_name().items()},
        "official_refused": scores.official_refused or None,
        "volumes_ml": {
            volume.structure.name.lower(): {"reference": volume.reference_ml, "prediction": volume.prediction_ml} for volume in scores.volumes
        },
        "instances": _instance_objects(series),
        "bodies": [
            {"reference": value, "best_label": label, "recall": share}
            for value, label, share in (scores.body_recall.bodies if scores.body_recall else ())
        ],
    }


def _instance_objects(series: SeriesEvaluation) -> list[dict[str, Any]]:
    distances = {distance.reference: distance for distance in series.scores.distances}
    rows: list[dict[str, Any]] = []
    for assignment in series.scores.instance_dice:
        structure = assignment.structure.name.lower()
        for pair in assignment.pairs:
            distance = distances.get(pair.reference)
            measured = {"asd_mm": distance.asd_mm if distance else None, "hd95_mm": distance.hd95_mm if distance else None}
            rows.append({"structure": structure, "reference": pair.reference, "prediction": pair.prediction, "dice": pair.dice, **measured})
        for value in assignment.unmatched_predictions:
            rows.append({"structure": structure, "reference": None, "prediction": value, "dice": 0.0, "asd_mm": None, "hd95_mm": None})
    return rows
