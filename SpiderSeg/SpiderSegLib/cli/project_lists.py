"""`spiderseg project status|next|history`: where a project stands, what comes next, what was saved of a series."""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import dropwhile
from pathlib import Path

import typer

from SpiderSegLib.active_learning.scoring import Strategy
from SpiderSegLib.active_learning.work_list import work_list
from SpiderSegLib.annotation_project.index import ProjectIndex
from SpiderSegLib.annotation_project.project import open_project
from SpiderSegLib.annotation_project.status import project_status, status_lines
from SpiderSegLib.annotation_project.summary import SeriesSummary
from SpiderSegLib.corrections.history import read_history
from SpiderSegLib.corrections.leases import hold, leases, release
from SpiderSegLib.corrections.names import same_person
from SpiderSegLib.corrections.series_record import read_series_record
from SpiderSegLib.errors import ProjectError
from SpiderSegLib.linter import counts_text
from SpiderSegLib.text_table import aligned


@dataclass(frozen=True)
class NextOptions:
    """The options of `spiderseg project next`."""

    annotator: str
    strategy: Strategy
    number: int
    seed: int
    is_json: bool
    is_holding: bool = False


def status(root: Path, has_series: bool, is_json: bool) -> int:
    """Prints the numbers of a project and, on request, a line a series. Returns 0."""
    project = open_project(root)
    summaries = ProjectIndex(project).read()
    found = project_status(project, summaries)
    if is_json:
        content = found.as_dict()
        if has_series:
            content["per_series"] = [summary.as_dict() for summary in summaries.values()]
        typer.echo(json.dumps(content, indent=1, ensure_ascii=False))
        return 0
    for line in status_lines(found):
        typer.echo(line)
    if has_series:
        rows = [["series", "state", "revisions", "minutes", "by", "provenance", "findings"], *map(_row, summaries.values())]
        typer.echo("\n" + aligned(rows, has_numbers=False))
    return 0


def next_series(root: Path, options: NextOptions) -> int:
    """Prints the work list, the next series first, each with its reason; on request holds the next one for the annotator. Returns 0."""
    project = open_project(root)
    ranked = work_list(project, ProjectIndex(project).read(), options.strategy, options.annotator, options.seed)
    if options.is_holding:
        # Somebody else may take one in this very moment: then it is the one after that.
        ranked = tuple(dropwhile(lambda one: hold(project.folder, one.candidate.series, options.annotator) is not None, ranked))
    shown = ranked[: options.number]
    if options.is_json:
        rows = [{"series": one.candidate.series, "score": round(one.score, 4), "why": one.explanation} for one in shown]
        typer.echo(json.dumps({"waiting": len(ranked), "next": rows}, indent=1, ensure_ascii=False))
    elif not ranked:
        typer.echo("nothing waits: every series is done, flagged, in conflict, or held by others")
    else:
        typer.echo(aligned([[one.candidate.series, one.explanation or "not segmented yet"] for one in shown], has_numbers=False))
        if len(ranked) > len(shown):
            typer.echo(f"and {len(ranked) - len(shown)} more")
    return 0


def release_series(root: Path, series: str, annotator: str) -> int:
    """Gives a series back that an annotator holds. Returns 0. Raises ProjectError when somebody else holds it."""
    project = open_project(root)
    read_series_record(project.folder, series)
    lease = leases(project.folder).get(series)
    if lease is not None and not same_person(lease.annotator, annotator):
        raise ProjectError(f"{series}: held by {lease.annotator}, until {lease.until_utc[:16]} UTC at the latest")
    release(project.folder, series, annotator)
    typer.echo(f"{series}: held by nobody")
    return 0


def history(root: Path, series: str) -> int:
    """Prints the revisions of a series, the first one first. Returns 0."""
    project = open_project(root)
    read_series_record(project.folder, series)
    found = read_history(project.folder, series)
    accepted = found.accepted
    rows = [["revision", "time", "annotator", "status", "provenance", "minutes", "changed", "from", ""]]
    for revision in found.revisions:
        changed = "" if revision.to_parent is None else f"{revision.to_parent.voxels_changed} voxels"
        marks = [mark for mark, is_so in (("accepted", revision == accepted), ("head", found.is_conflict and revision in found.heads)) if is_so]
        parents = ", ".join(parent[:12] for parent in revision.parents)
        cells = [revision.status.value, revision.provenance.value, f"{revision.minutes:.1f}", changed, parents, ", ".join(marks)]
        rows.append([revision.id[:12], revision.created_utc[:19], revision.annotator, *cells])
    typer.echo(aligned(rows, has_numbers=False) if found.revisions else f"{series}: nothing was saved yet")
    for damaged in found.damaged:
        typer.echo(f"damaged: {damaged.reason}")
    return 0


def _row(summary: SeriesSummary) -> list[str]:
    cells = [str(summary.revisions), f"{summary.minutes:.1f}", summary.annotator, summary.provenance, counts_text(summary.findings)]
    return [summary.series, summary.state.value, *cells]
