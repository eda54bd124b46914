"""Evaluations, comparisons and rankings as JSON, as CSV, as tables for a terminal and as one HTML file."""

from SpiderSegLib.evaluation.report.as_csv import comparison_csv_text, csv_text, levels_csv_text, ranking_csv_text
from SpiderSegLib.evaluation.report.as_html import comparison_html, evaluation_html
from SpiderSegLib.evaluation.report.as_json import (
    comparison_object,
    json_text,
    ranking_object,
    to_json_object,
)
from SpiderSegLib.evaluation.report.as_table import comparison_text, ranking_text, table_text

__all__ = [
    "comparison_csv_text",
    "comparison_html",
    "comparison_object",
    "comparison_text",
    "csv_text",
    "evaluation_html",
    "json_text",
    "levels_csv_text",
    "ranking_csv_text",
    "ranking_object",
    "ranking_text",
    "table_text",
    "to_json_object",
]
