"""Predicted labelmaps against references: files are paired, read, scored a series at a time, and reported.

`references` says what a reference file holds, `pairing` which files belong together, `scoring` which scores a kind of reference
allows, `series` runs it over files, `report` turns the results into JSON, CSV and a table.
"""

from SpiderSegLib.evaluation.pairing import Pairing, SeriesFiles, pair_files, series_name
from SpiderSegLib.evaluation.references import ReferenceKind, detect_reference_kind
from SpiderSegLib.evaluation.report import csv_text, json_text, summarize_scores, table_text, to_json_object
from SpiderSegLib.evaluation.scoring import SCORE_NAMES, Scores, score_labelmaps
from SpiderSegLib.evaluation.series import Evaluation, FailedSeries, SeriesEvaluation, evaluate_files, evaluate_series, sequence_of

__all__ = [
    "SCORE_NAMES",
    "Evaluation",
    "FailedSeries",
    "Pairing",
    "ReferenceKind",
    "Scores",
    "SeriesEvaluation",
    "SeriesFiles",
    "csv_text",
    "detect_reference_kind",
    "evaluate_files",
    "evaluate_series",
    "json_text",
    "pair_files",
    "score_labelmaps",
    "sequence_of",
    "series_name",
    "summarize_scores",
    "table_text",
    "to_json_object",
]
