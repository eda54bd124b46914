"""`spiderseg project save|approve|flag|settle|agreement`: what an annotator does with the mask of one series."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import typer

from SpiderSegLib.annotation_project.predictions import read_prediction
from SpiderSegLib.annotation_project.project import Project, open_project
from SpiderSegLib.corrections import Correction, History, Revision, Saved, Status, read_history, read_mask, read_series_record, release, save
from SpiderSegLib.corrections.names import same_person
from SpiderSegLib.errors import ProjectError
from SpiderSegLib.io import read_labelmap, read_volume, write_bytes_atomically
from SpiderSegLib.level_names import LevelNaming
from SpiderSegLib.linter import finding_counts, lint
from SpiderSegLib.volume import Volume

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class SaveOptions:
    """The options of `spiderseg project save`; parent '' is the newest revision."""

    annotator: str
    status: Status = Status.DONE
    parent: str = ""
    minutes: float = 0.0
    reason: str = ""
    comment: str = ""


def save_mask(root: Path, series: str, mask: Path, options: SaveOptions) -> int:
    """Saves a labelmap file as a new revision and says what it was measured to be. Returns 0.

    What an annotator saw is not known here: where the series has a prediction, the mask counts as corrected from it, else as imported; never
    as manual. Raises what `save` raises.
    """
    project = open_project(root)
    record = read_series_record(project.folder, series)
    history = read_history(project.folder, series)
    parent = history.require(options.parent) if options.parent else history.newest
    labelmap = read_labelmap(mask)
    findings = lint(labelmap, record.geometry)
    for finding in findings:
        logger.warning("%s: %s", finding.rule.value, finding.message)
    correction = Correction(
        series=series,
        labelmap=labelmap,
        annotator=options.annotator,
        status=options.status,
        parent=parent.id if parent else "",
        shown=read_prediction(project.folder, series),
        naming=parent.naming if parent else LevelNaming(),
        minutes=options.minutes,
        reason=options.reason,
        comment=options.comment,
        findings=finding_counts(findings),
        worst_finding=findings[0].message if findings else "",
        is_imported=True,
    )
    return _say(project, save(project.folder, correction))


def approve(root: Path, series: str, annotator: str, comment: str) -> int:
    """Approves the newest mask of a series, made by somebody else. Returns 0. Raises ProjectError as `save`."""
    return _again(root, series, annotator, Status.APPROVED, "", comment)


def flag(root: Path, series: str, annotator: str, reason: str, comment: str) -> int:
    """Flags a series with its newest mask, an empty one where there is none, so that it trains nothing. Returns 0.

    Raises ProjectError without a reason, or in a conflict.
    """
    project = open_project(root)
    geometry = read_series_record(project.folder, series).geometry
    if read_history(project.folder, series).newest is None:
        empty = Volume(np.zeros(geometry.size_ijk[::-1], np.uint8), geometry, series)
        return _say(project, save(project.folder, Correction(series, empty, annotator, Status.FLAGGED, reason=reason, comment=comment)))
    return _again(root, series, annotator, Status.FLAGGED, reason, comment)


def settle(root: Path, series: str, revision: str, annotator: str, comment: str) -> int:
    """Ends a conflict: one of the heads counts, the others stay in the history. Returns 0. Raises ProjectError without a conflict."""
    project = open_project(root)
    history = read_history(project.folder, series)
    if not history.is_conflict:
        raise ProjectError(f"{series}: expected a conflict, found {len(history.heads)} newest revision")
    kept = history.require(revision)
    if kept not in history.heads:
        raise ProjectError(f"{series}: expected one of the heads {', '.join(head.id[:12] for head in history.heads)}, found {kept.id[:12]}")
    others = tuple(head.id for head in history.heads if head != kept)
    # Who settles for a mask of their own does not approve it by that.
    is_own = kept.status is Status.APPROVED and same_person(history.maker(kept), annotator)
    status = Status.DONE if is_own else kept.status
    return _say(project, save(project.folder, _repeated(project, kept, annotator, status, kept.reason, comment, others)))


def agreement(root: Path, series: str, first: str, second: str, picture: Path | None) -> int:
    """Prints how far two revisions of a series agree: the two heads of a conflict, or the newest and its parent, if none are named.

    Returns 0. Raises ProjectError when there are not two.
    """
    from SpiderSegLib.agreement import agree, agreement_table, draw_agreement

    project = open_project(root)
    one, other = _pair(read_history(project.folder, series), first, second)
    first_mask, second_mask = read_mask(project.folder, one), read_mask(project.folder, other)
    typer.echo(f"A: {one.id[:12]} by {one.annotator}, {one.created_utc[:19]}\nB: {other.id[:12]} by {other.annotator}, {other.created_utc[:19]}")
    typer.echo(agreement_table(agree(first_mask, second_mask)))
    if picture is not None:
        write_bytes_atomically(picture, draw_agreement(read_volume(project.folder.image(series)), first_mask, second_mask))
        typer.echo(str(picture))
    return 0


def _pair(history: History, first: str, second: str) -> tuple[Revision, Revision]:
    if first and second:
        return history.require(first), history.require(second)
    if first or second:
        raise ProjectError(f"{history.series}: expected two revisions or none, found one")
    if history.is_conflict:
        return history.heads[0], history.heads[1]
    newest = history.newest
    if newest is None or newest.parent not in history.by_id:
        raise ProjectError(f"{history.series}: expected two revisions to compare, found {len(history.revisions)}")
    return history.by_id[newest.parent], newest


def _again(root: Path, series: str, annotator: str, status: Status, reason: str, comment: str) -> int:
    project = open_project(root)
    history = read_history(project.folder, series)
    newest = history.newest
    if newest is None:
        raise ProjectError(f"{series}: expected a saved mask, found none")
    if history.is_conflict:
        raise ProjectError(f"{series}: two people went on from the same mask; settle that first (spiderseg project settle)")
    return _say(project, save(project.folder, _repeated(project, newest, annotator, status, reason, comment)))


def _repeated(
    project: Project, revision: Revision, annotator: str, status: Status, reason: str, comment: str, supersedes: tuple[str, ...] = ()
) -> Correction:
    """The same mask once more, with another word on it."""
    return Correction(
        series=revision.series,
        labelmap=read_mask(project.folder, revision),
        annotator=annotator,
        status=status,
        parent=revision.id,
        supersedes=supersedes,
        naming=revision.naming,
        reason=reason,
        comment=comment,
        findings=revision.findings,
        worst_finding=revision.worst_finding,
    )


def _say(project: Project, saved: Saved) -> int:
    revision = saved.revision
    if revision.status is not Status.IN_PROGRESS:
        release(project.folder, revision.series, revision.annotator)
    changed = "" if revision.to_parent is None else f", {revision.to_parent.voxels_changed} voxels changed"
    typer.echo(f"{revision.series}: saved {revision.id[:12]} as {revision.status.value} ({revision.provenance.value}{changed})")
    if saved.is_conflict:
        others = ", ".join(f"{head.id[:12]} by {head.annotator}" for head in saved.history.heads if head.id != revision.id)
        typer.echo(f"{revision.series}: conflict with {others}: both stand; spiderseg project settle ends it")
    return 0
