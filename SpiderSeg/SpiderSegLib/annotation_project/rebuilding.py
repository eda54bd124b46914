"""Making everything derived again from the records, finishing what a kill interrupted, and clearing what it left."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from SpiderSegLib.annotation_project.exclusive import refuse_during_import
from SpiderSegLib.annotation_project.exporting import write_tables
from SpiderSegLib.annotation_project.index import ProjectIndex
from SpiderSegLib.annotation_project.predictions import predicted_series, read_prediction
from SpiderSegLib.annotation_project.project import Project
from SpiderSegLib.annotation_project.verification import abandoned_files, orphans, truth_files
from SpiderSegLib.corrections.folder import MASK_SUFFIX, ProjectFolder
from SpiderSegLib.corrections.journal import note_again
from SpiderSegLib.corrections.records import RECORD_SUFFIX, read_json, record_id, record_stem
from SpiderSegLib.corrections.saving import publish
from SpiderSegLib.corrections.series_record import series_names
from SpiderSegLib.errors import OutputError, ProjectError
from SpiderSegLib.fingerprint import sha256_of


@dataclass(frozen=True)
class Rebuilt:
    """What a rebuild did: saves finished, files removed, and files moved to recovered/ because no record names them."""

    finished: tuple[Path, ...]
    removed: tuple[Path, ...]
    recovered: tuple[Path, ...]


def rebuild(project: Project, is_forgetting_lost: bool = False, track: Callable[[Iterable[str]], Iterable[str]] = iter) -> Rebuilt:
    """Brings masks/, tables, journal and index in line with the records. No record and no mask of one is touched.

    `is_forgetting_lost`: files that were noted and are gone are no longer asked for. Raises ProjectError while an import is at
    work, OutputError.
    """
    folder = project.folder
    refuse_during_import(folder)
    finished, removed = _settle_interrupted(folder)
    recovered = _recover(folder)
    shutil.rmtree(folder.cache, ignore_errors=True)
    for series in track(series_names(folder)):
        publish(folder, series)
    _remove_strays(folder)
    note_again(folder, truth_files(project), is_forgetting_lost)
    write_tables(project)
    ProjectIndex(project).read()
    return Rebuilt(finished, removed, recovered)


def _settle_interrupted(folder: ProjectFolder) -> tuple[tuple[Path, ...], tuple[Path, ...]]:
    """Gives a record its name whose mask has got it already; removes all other unfinished files."""
    finished, removed = [], []
    for path in abandoned_files(folder):
        target = _finished_name(folder, path)
        if target is not None:
            folder.disk.rename(path, target)
            folder.disk.flush_folder(target.parent)
            finished.append(target)
        else:
            folder.disk.unlink(path)
            removed.append(path)
    return tuple(finished), tuple(removed)


def _finished_name(folder: ProjectFolder, path: Path) -> Path | None:
    """The name an unfinished record was about to get, if it is whole and its mask lies there."""
    if path.suffix != RECORD_SUFFIX or path.parent.parent != folder.revisions:
        return None
    try:
        body = read_json(path)
        if body.get("id") != record_id(body) or body.get("series") != path.parent.name:
            return None
        target = path.with_name(f"{record_stem(body['created_utc'], body['annotator'], body['id'])}{RECORD_SUFFIX}")
        mask = path.with_name(body["mask"]["file"] or target.with_suffix(MASK_SUFFIX).name)
        return target if not target.exists() and sha256_of(mask) == body["mask"]["sha256"] else None
    except (ProjectError, OSError, KeyError, TypeError, ValueError):
        return None


def _recover(folder: ProjectFolder) -> tuple[Path, ...]:
    moved = []
    for path in orphans(folder):
        target = folder.recovered / path.relative_to(folder.root)
        try:
            folder.disk.make_folder(target.parent)
            folder.disk.rename(path, target)
        except OSError as error:
            raise OutputError(f"{target}: can't move an orphaned file here: {error.strerror}") from error
        moved.append(target)
    return tuple(moved)


def _remove_strays(folder: ProjectFolder) -> None:
    """Masks of series that are none, and damaged predictions: the next run makes those again."""
    known = set(series_names(folder))
    for path in folder.masks.glob(f"*{MASK_SUFFIX}") if folder.masks.is_dir() else ():
        if path.stem not in known:
            folder.disk.unlink(path)
    for series in predicted_series(folder):
        try:
            read_prediction(folder, series)
        except ProjectError:
            with contextlib.suppress(OSError):
                folder.disk.unlink(folder.prediction_sidecar(series))
                folder.disk.unlink(folder.prediction(series))
