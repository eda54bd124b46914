"""`spiderseg project export`: a project as a data set in SPIDER's layout with a MONAI data list."""

from __future__ import annotations

import logging
from pathlib import Path

import typer
from tqdm import tqdm

from SpiderSegLib.annotation_project.exporting import ExportOptions, export_project
from SpiderSegLib.annotation_project.import_report import grouped
from SpiderSegLib.annotation_project.project import open_project

logger = logging.getLogger(__name__)


def project_export(project: Path, out: Path, options: ExportOptions) -> int:
    """Exports a project into a folder; returns 0, or 1 when a series is damaged and was left out.

    Raises as `export_project`.
    """
    report = export_project(open_project(project), out, options, lambda series: tqdm(series, "exporting", unit="series"))
    for line in grouped(report.failed):
        logger.error("failed: %s", line)
    for line in grouped(report.notes):
        logger.warning("%s", line)
    failed = f", {len(report.failed)} failed" if report.failed else ""
    typer.echo(f"{out}: {len(report.series)} series, {len(report.masks)} of them with an accepted mask{failed}")
    return 1 if report.failed else 0
