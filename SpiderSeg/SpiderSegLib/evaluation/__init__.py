"""Predicted labelmaps against references: files are paired, read, scored a series at a time, and reported.

`references` says what a reference file holds, `pairing` which files belong together, `scoring` which scores a kind of reference
allows, `series` runs it over files. `summary` and `levels` take means, with intervals over patients from `bootstrap`; `official`
gives the challenge's own summary. `comparison` sets one set of predictions against another, `ranking` orders several. `report` turns
the results into JSON, CSV, tables and HTML.
"""

from SpiderSegLib.evaluation.bootstrap import DEFAULT_BOOTSTRAP, BootstrapConfig, Estimate, Interval, estimate
from SpiderSegLib.evaluation.comparison import Comparison, Difference, SeriesChange, Verdict, compare, verdict_text
from SpiderSegLib.evaluation.levels import LEVEL_SCORE_NAMES, LevelScore, level_title, score_levels, summarize_levels
from SpiderSegLib.evaluation.official import official_metrics, official_metrics_json
from SpiderSegLib.evaluation.pairing import Pairing, SeriesFiles, files_by_series, pair_files, series_name
from SpiderSegLib.evaluation.ranking import RankedPredictions, Ranking, rank
from SpiderSegLib.evaluation.references import ReferenceKind, detect_reference_kind
from SpiderSegLib.evaluation.report import csv_text, evaluation_html, json_text, levels_csv_text, table_text, to_json_object
from SpiderSegLib.evaluation.scoring import SCORE_NAMES, Scores, is_higher_better, score_labelmaps
from SpiderSegLib.evaluation.series import (
    Evaluation,
    FailedSeries,
    SeriesEvaluation,
    evaluate_files,
    evaluate_pairs,
    evaluate_series,
)
from SpiderSegLib.evaluation.summary import OVERALL, summarize_scores

__all__ = [
    "DEFAULT_BOOTSTRAP",
    "LEVEL_SCORE_NAMES",
    "OVERALL",
    "SCORE_NAMES",
    "BootstrapConfig",
    "Comparison",
    "Difference",
    "Estimate",
    "Evaluation",
    "FailedSeries",
    "Interval",
    "LevelScore",
    "Pairing",
    "RankedPredictions",
    "Ranking",
    "ReferenceKind",
    "Scores",
    "SeriesChange",
    "SeriesEvaluation",
    "SeriesFiles",
    "Verdict",
    "compare",
    "csv_text",
    "detect_reference_kind",
    "estimate",
    "evaluate_files",
    "evaluate_pairs",
    "evaluate_series",
    "evaluation_html",
    "files_by_series",
    "is_higher_better",
    "json_text",
    "level_title",
    "levels_csv_text",
    "official_metrics",
    "official_metrics_json",
    "pair_files",
    "rank",
    "score_labelmaps",
    "score_levels",
    "series_name",
    "summarize_levels",
    "summarize_scores",
    "table_text",
    "to_json_object",
    "verdict_text",
]
