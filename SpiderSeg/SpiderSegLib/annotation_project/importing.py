"""Taking series into a project: images with their grid and nothing about the person, masks as first revisions, gradings.

Every series is there whole or not at all: its image first, its record last, then its mask. The same import again completes what a kill cut
short, and takes no image twice.
"""

from __future__ import annotations

import secrets
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path

from SpiderSegLib.annotation_project.exclusive import import_turn
from SpiderSegLib.annotation_project.exporting import write_tables
from SpiderSegLib.annotation_project.grading_import import import_gradings
from SpiderSegLib.annotation_project.import_report import ImportOptions, ImportReport, Remark, check_places
from SpiderSegLib.annotation_project.import_sources import find_sources
from SpiderSegLib.annotation_project.project import Project
from SpiderSegLib.annotation_project.series_import import SeriesImport
from SpiderSegLib.annotation_project.source_series import SourceSeries
from SpiderSegLib.cases import Track
from SpiderSegLib.corrections.records import Clock, utc_now

__all__ = ["ImportOptions", "ImportReport", "Remark", "import_series"]


def import_series(
    project: Project,
    source: Path,
    options: ImportOptions | None = None,
    track: Track[SourceSeries] = iter,
    is_cancelled: Callable[[], bool] = lambda: False,
    clock: Clock = utc_now,
) -> ImportReport:
    """Imports a folder in SPIDER's layout, a data list, a folder of image files, or one of DICOM studies.

    A series or mask that can't be taken is reported and the others go on. Raises ProjectError when another import is at work, the source or
    the key file lies in the project; DatasetError when the source is none of those; OutputError when the project can't be written: what was
    imported until then stays.
    """
    options = options or ImportOptions()
    check_places(project, source, options)
    with import_turn(project.folder) as turn:
        found = find_sources(source, options)
        run = SeriesImport(project, options, found.series, clock)
        run.tally.skipped.extend(found.left_out)
        run.tally.notes.extend(found.notes)
        for series in track(_in_order(found.series)):
            if is_cancelled():
                run.tally.is_cancelled = True
                break
            turn.renew()
            run.take(series)
        else:
            import_gradings(project.folder, found.gradings_folders, options, run.tally, clock)
        run.note_lost_names()
        write_tables(project)
    return run.tally.report()


def _in_order(series: Sequence[SourceSeries]) -> list[SourceSeries]:
    """Patients who get new ids by chance, so that the numbers say nothing of their names' order; the others as they come."""
    groups: dict[str, list[SourceSeries]] = defaultdict(list)
    for one in series:
        groups[one.patient].append(one)
    order = list(groups.values())
    if any(one.is_anonymous for one in series):
        secrets.SystemRandom().shuffle(order)
    return [one for group in order for one in group]
