"""`spiderseg project import`: series, masks and gradings into a project."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

import typer

from SpiderSegLib.annotation_project.import_report import ImportOptions, grouped
from SpiderSegLib.annotation_project.importing import import_series
from SpiderSegLib.annotation_project.project import open_project
from SpiderSegLib.annotation_project.source_series import SourceSeries
from SpiderSegLib.cli.console import ProgressStyle, make_progress

logger = logging.getLogger(__name__)

_LEVELS = {"failed": logging.ERROR, "mask left out": logging.ERROR}

_STAGE = "import"


def project_import(project: Path, source: Path, options: ImportOptions, progress: ProgressStyle = ProgressStyle.BAR) -> int:
    """Imports a source into a project and says what became of every series; returns 0, or 1 when a series or mask could not be taken.

    Raises as `import_series`.
    """
    report = import_series(open_project(project), source, options, partial(_tracked, progress))
    for title, remarks in report.remarks.items():
        for line in grouped(remarks):
            logger.log(_LEVELS.get(title, logging.INFO), "%s: %s", title, line)
    if progress is ProgressStyle.JSON:
        logger.info("%s: %s", project, report.counts)
    else:
        typer.echo(f"{project}: {report.counts}")
    return 1 if report.has_failed else 0


def _tracked(style: ProgressStyle, series: Iterable[SourceSeries]) -> Iterator[SourceSeries]:
    found = list(series)
    with closing(make_progress(style, "importing")) as bar:
        for number, one in enumerate(found):
            bar.report(_STAGE, number / len(found), f"series {number + 1} of {len(found)}")
            yield one
        bar.report(_STAGE, 1.0)
