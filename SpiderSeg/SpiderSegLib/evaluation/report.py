"""An evaluation as JSON, as CSV and as a table for people."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from SpiderSegLib.evaluation.scoring import SCORE_NAMES
from SpiderSegLib.evaluation.series import SEQUENCES, UNKNOWN_SEQUENCE, Evaluation, SeriesEvaluation
from SpiderSegLib.metrics import Statistic, summarize

SCHEMA_VERSION = 1
OVERALL = "overall"

_SERIES_COLUMNS = {
    "structure_dice.vertebra": "structure Dice: vertebra",
    "structure_dice.disc": "disc",
    "structure_dice.canal": "canal",
    "instance_dice.vertebra": "instance Dice: vertebra",
    "instance_dice.disc": "disc",
    "level_accuracy": "level accuracy",
    "body_recall": "body recall",
    "asd_mm.vertebra": "ASD mm: vertebra",
    "asd_mm.disc": "disc",
    "asd_mm.canal": "canal",
}


def summarize_scores(evaluation: Evaluation) -> dict[str, dict[str, Statistic]]:
    """Mean, standard deviation and n of every score, over all series ('overall') and over each sequence that occurs.

    A series that lacks a score (None, NaN) is not in its n. Failed series are in none: they are listed apart.
    """
    groups: dict[str, Sequence[SeriesEvaluation]] = {OVERALL: evaluation.series}
    for sequence in (*SEQUENCES, UNKNOWN_SEQUENCE):
        members = [series for series in evaluation.series if series.sequence == sequence]
        if members:
            groups[sequence] = members
    return {group: _summary([series.scores.by_name() for series in members]) for group, members in groups.items()}


def to_json_object(evaluation: Evaluation) -> dict[str, Any]:
    """The evaluation in dicts, lists, text and numbers; NaN is None."""
    return {
        "schema_version": SCHEMA_VERSION,
        "series": [_series_object(series) for series in evaluation.series],
        "failed": [
            {"series": failed.series, "sequence": failed.sequence, "reference": str(failed.files.reference), "reason": failed.reason}
            for failed in evaluation.failed
        ],
        "unscored_predictions": [str(path) for path in evaluation.unscored_predictions],
        "summary": {
            group: {name: {"mean": score.mean, "std": score.std, "n": score.n} for name, score in scores.items()}
            for group, scores in summarize_scores(evaluation).items()
        },
    }


def json_text(evaluation: Evaluation) -> str:
    """Standard JSON, indented, ending in a newline."""
    return json.dumps(to_json_object(evaluation), indent=2, allow_nan=False) + "\n"


def csv_text(evaluation: Evaluation) -> str:
    """One row a reference: scored or failed. An undefined score is empty, an official NaN is 'nan'."""
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, ["series", "sequence", "status", "reference_kind", "message", *SCORE_NAMES], restval="", lineterminator="\n")
    writer.writeheader()
    for series in evaluation.series:
        head = {"series": series.series, "sequence": series.sequence, "status": "ok"}
        told = {"reference_kind": series.reference_kind.value, "message": "; ".join(series.warnings)}
        writer.writerow({**head, **told, **{name: "" if value is None else value for name, value in series.scores.by_name().items()}})
    for failed in evaluation.failed:
        writer.writerow({"series": failed.series, "sequence": failed.sequence, "status": "failed", "message": failed.reason})
    return buffer.getvalue()


def table_text(evaluation: Evaluation) -> str:
    """The project's scores of each series, all scores over series as mean ± standard deviation (n), and what went wrong."""
    blocks = []
    if evaluation.series:
        blocks += [_series_table(evaluation.series), _summary_table(summarize_scores(evaluation))]
    notes = [f"{series.series}: {warning}" for series in evaluation.series for warning in series.warnings]
    refusals = sorted({f"{s.reference_kind.value}: {s.scores.official_refused}" for s in evaluation.series if s.scores.official_refused})
    notes += [f"no official scores for references of kind {refusal}" for refusal in refusals]
    notes += [f"{path}: prediction without a reference, not scored" for path in evaluation.unscored_predictions]
    if notes:
        blocks.append("\n".join(["Notes", *(f"  {note}" for note in notes)]))
    if evaluation.failed:
        count, total = len(evaluation.failed), len(evaluation.failed) + len(evaluation.series)
        blocks.append("\n".join([f"Failed: {count} of {total} series", *(f"  {failed.series}: {failed.reason}" for failed in evaluation.failed)]))
    return "\n\n".join(blocks)


def _summary(scores: Sequence[Mapping[str, float | None]]) -> dict[str, Statistic]:
    return {name: summarize(series[name] for series in scores) for name in SCORE_NAMES}


def _series_object(series: SeriesEvaluation) -> dict[str, Any]:
    scores = series.scores
    return {
        "series": series.series,
        "sequence": series.sequence,
        "prediction": str(series.files.prediction),
        "reference": str(series.files.reference),
        "reference_kind": series.reference_kind.value,
        "reference_kind_detected": series.is_kind_detected,
        "warnings": list(series.warnings),
        "scores": {name: None if value is None or math.isnan(value) else value for name, value in scores.by_name().items()},
        "official_refused": scores.official_refused or None,
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


def _series_table(series: Sequence[SeriesEvaluation]) -> str:
    values = [one.scores.by_name() for one in series]
    shown = [name for name in _SERIES_COLUMNS if any(row[name] is not None for row in values)]
    rows = [["series", "reference", *(_SERIES_COLUMNS[name] for name in shown)]]
    for one, scores in zip(series, values, strict=True):
        kind = one.reference_kind.value + (" (detected)" if one.is_kind_detected else "")
        rows.append([one.series, kind, *(_number(scores[name]) for name in shown)])
    return _aligned(rows)


def _summary_table(summary: Mapping[str, Mapping[str, Statistic]]) -> str:
    # With one sequence alone its column would repeat the overall one.
    groups = list(summary) if len(summary) > 2 else [OVERALL]
    rows = [["mean ± std (n)", *groups]]
    rows += [[name, *(_statistic(summary[group][name]) for group in groups)] for name in SCORE_NAMES if summary[OVERALL][name].n]
    return _aligned(rows)


def _statistic(statistic: Statistic) -> str:
    if statistic.mean is None:
        return "-"
    spread = "" if statistic.std is None else f" ± {statistic.std:.3f}"
    return f"{statistic.mean:.3f}{spread} ({statistic.n})"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _aligned(rows: Sequence[Sequence[str]]) -> str:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ["  ".join([row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]) for row in rows]
    return "\n".join(line.rstrip() for line in lines)
