"""`spiderseg inspect`: what a data set holds, and what in it will hurt."""

from __future__ import annotations

import logging
from pathlib import Path

import typer
from tqdm import tqdm

from SpiderSegLib.cases import find_cases
from SpiderSegLib.inspection import csv_text, draw_inspection, inspect_cases, json_text, table_text
from SpiderSegLib.io import write_bytes_atomically, write_text_atomically
from SpiderSegLib.overview import find_overview

logger = logging.getLogger(__name__)


def inspect(dataset: Path, data: Path | None, csv_path: Path | None, json_path: Path | None, picture: Path | None) -> int:
    """Writes the table to stdout and, on request, CSV, JSON and PNG files; returns 0, or 1 when no file could be read.

    Raises DatasetError for a data set without series, OutputError when a file can't be written.
    """
    case_set = find_cases(dataset, data)
    found = inspect_cases(case_set, find_overview(case_set.files), lambda cases: tqdm(cases, "inspecting", unit="series"))
    typer.echo(table_text(found))
    if csv_path is not None:
        write_text_atomically(csv_path, csv_text(found))
    if json_path is not None:
        write_text_atomically(json_path, json_text(found))
    if picture is not None:
        write_bytes_atomically(picture, draw_inspection(found, str(dataset)))
    if found.is_nothing_read:
        logger.error("%s: none of the files could be read", dataset)
        return 1
    return 0
