"""A project as a data set that other tools read: SPIDER's layout with its tables, a MONAI data list, and whose work every mask is."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import Enum
from functools import partial
from pathlib import Path

from SpiderSegLib.annotation_project.export_folder import DATALIST_NAME, PROVENANCE_NAME, README_NAME, ExportFolder, hash_of
from SpiderSegLib.annotation_project.grading_records import all_gradings
from SpiderSegLib.annotation_project.import_report import Remark
from SpiderSegLib.annotation_project.project import Project
from SpiderSegLib.annotation_project.tables import ProjectSeries, all_series, datalist_bytes, overview_bytes, provenance_bytes
from SpiderSegLib.cases import Track
from SpiderSegLib.corrections.disk import put
from SpiderSegLib.corrections.folder import MASK_SUFFIX
from SpiderSegLib.errors import ProjectError
from SpiderSegLib.gradings import GRADINGS_NAME, gradings_bytes
from SpiderSegLib.io import bytes_writer
from SpiderSegLib.level_names import RESEARCH_USE
from SpiderSegLib.overview import OVERVIEW_NAME
from SpiderSegLib.series_names import patient_of


class ImageTransfer(str, Enum):
    """How images get into an export. LINK: hard links where the file system has them, which cost no space; never edit such a file."""

    COPY = "copy"
    LINK = "link"
    NONE = "none"


@dataclass(frozen=True)
class ExportOptions:
    """What to export: series names (none: all), only those with an accepted mask, how images, and whether over files that are there."""

    series: tuple[str, ...] = ()
    is_accepted_only: bool = False
    images: ImageTransfer = ImageTransfer.COPY
    is_overwriting: bool = False


@dataclass(frozen=True)
class ExportReport:
    """What was exported: series, of these the ones with a mask; those without an accepted mask; failed ones with the reason, and notes."""

    series: tuple[str, ...] = ()
    masks: tuple[str, ...] = ()
    without_mask: tuple[str, ...] = ()
    failed: tuple[Remark, ...] = ()
    notes: tuple[Remark, ...] = ()
    is_cancelled: bool = False


def write_tables(project: Project) -> None:
    """Writes overview.csv, radiological_gradings.csv and spider_dataset.json of a project from its records.

    Raises ProjectError when a record of a series or decision is damaged, OutputError when they can't be written.
    """
    folder, series = project.folder, all_series(project)
    tables = {
        folder.overview: overview_bytes(series),
        folder.gradings_table: gradings_bytes(all_gradings(folder)),
        folder.datalist: datalist_bytes(series, project.name),
    }
    for path, content in tables.items():
        put(folder.disk, path, bytes_writer(content))


def export_project(
    project: Project,
    out: Path,
    options: ExportOptions | None = None,
    track: Track[ProjectSeries] = iter,
    is_cancelled: Callable[[], bool] = lambda: False,
) -> ExportReport:
    """Writes a project as a data set: images/, masks/ (accepted ones, their files as they were saved), tables, README.txt.

    Interrupted, the same call goes on. A series whose image or mask is damaged is reported and left out. Raises ProjectError for a series
    the project does not have or a folder inside it, OutputError when the folder is not empty or can't be written.
    """
    options = options or ExportOptions()
    target = ExportFolder(project, out)
    chosen = _chosen(project, options)
    target.open(options.is_overwriting)
    masks = {one.series for one in chosen if one.accepted is not None}
    target.remove_stale(set() if options.images is ImageTransfer.NONE else {one.series for one in chosen}, masks)
    target.put(README_NAME, _readme(project, target.mark, options).encode("utf-8"))
    target.put(PROVENANCE_NAME, provenance_bytes(chosen))
    done = _Done()
    for one in track(chosen):
        if is_cancelled():
            return done.report(is_cancelled=True)
        _export(project, one, target, options.images, done)
    _write_tables(project, done.exported, target, options.images is not ImageTransfer.NONE)
    return done.report()


@dataclass
class _Done:
    exported: list[ProjectSeries] = field(default_factory=list)
    failed: list[Remark] = field(default_factory=list)

    def report(self, is_cancelled: bool = False) -> ExportReport:
        return ExportReport(
            series=tuple(one.series for one in self.exported),
            masks=tuple(one.series for one in self.exported if one.accepted is not None),
            without_mask=tuple(one.series for one in self.exported if one.accepted is None),
            failed=tuple(self.failed),
            notes=tuple(_notes(self.exported)),
            is_cancelled=is_cancelled,
        )


def _chosen(project: Project, options: ExportOptions) -> list[ProjectSeries]:
    found = all_series(project, frozenset(options.series))
    missing = sorted(set(options.series) - {one.series for one in found})
    if missing:
        raise ProjectError(f"{', '.join(missing[:8])}: no such series in the project {project.root}")
    return [one for one in found if one.accepted is not None or not options.is_accepted_only]


def _export(project: Project, one: ProjectSeries, target: ExportFolder, images: ImageTransfer, done: _Done) -> None:
    """Exports a series, or nothing of it when one of its files is not what was written."""
    folder, file = project.folder, f"{one.series}{MASK_SUFFIX}"
    image = folder.image(one.series)
    mask = None if one.accepted is None else folder.revisions_of(one.series) / one.accepted.mask_file
    if images is not ImageTransfer.NONE and hash_of(image) != one.record.image_sha256:
        done.failed.append(Remark(one.series, f"{image} is missing, damaged or changed; spiderseg project verify says more"))
        return
    if mask is not None and one.accepted is not None and hash_of(mask) != one.accepted.mask_sha256:
        done.failed.append(Remark(one.series, f"{mask} is missing, damaged or changed; spiderseg project verify says more"))
        return
    if images is not ImageTransfer.NONE:
        writer = partial(_link, image) if images is ImageTransfer.LINK else partial(_copy, image)
        target.put_file(f"images/{file}", writer, one.record.image_sha256)
    if mask is not None and one.accepted is not None:
        target.put_file(f"masks/{file}", partial(_copy, mask), one.accepted.mask_sha256)
    done.exported.append(one)


def _write_tables(project: Project, series: Sequence[ProjectSeries], target: ExportFolder, has_images: bool) -> None:
    patients = {one.record.patient_id for one in series}
    target.put(PROVENANCE_NAME, provenance_bytes(series))
    target.put(OVERVIEW_NAME, overview_bytes(series))
    target.put(GRADINGS_NAME, gradings_bytes(all_gradings(project.folder, patients)))
    target.put(DATALIST_NAME, datalist_bytes(series, project.name, has_images))


def _copy(source: Path, target: Path) -> None:
    shutil.copyfile(source, target)


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:
        # Another disk, or a file system without hard links.
        _copy(source, target)


def _notes(series: Sequence[ProjectSeries]) -> list[Remark]:
    told = [one for one in series if patient_of(one.series) != one.record.patient_id]
    return [Remark(one.series, f"its name does not tell its patient {one.record.patient_id}: only {DATALIST_NAME} does") for one in told]


def _readme(project: Project, mark: str, options: ExportOptions) -> str:
    images = "" if options.images is ImageTransfer.NONE else "images/                     the series, <patient>_t1, _t2 or _t2_SPACE\n"
    return f"""{project.name}: lumbar MR series with masks, exported from a SpiderSeg project
{mark}

{RESEARCH_USE}

{images}masks/                      accepted masks: 1-25 vertebrae from the lowest lumbar up, 100 spinal canal,
                            101-125 the same vertebra cut by the field of view, 201-225 discs
overview.csv                scanner and counts, in SPIDER's columns as far as known
radiological_gradings.csv   gradings of the discs, in SPIDER's columns
{PROVENANCE_NAME}              whose work each mask is: annotator, provenance, share a model drew, its model, minutes
{DATALIST_NAME}         data list for MONAI and spiderseg train; paths are relative to this folder; it names each
                            series' patient and is the one place that always does
"""
