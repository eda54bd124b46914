"""Ending a conflict: one mask counts, the others stay in the history."""

from __future__ import annotations

from SpiderSegLib.corrections import Correction, History, ProjectFolder, Revision, Status, read_history, read_mask, save
from SpiderSegLib.corrections.names import same_person
from SpiderSegLib.corrections.records import Clock
from SpiderSegLib.errors import ProjectError
from SpiderSegLib.mrml.annotation_session.case_saving import SaveResult, Verdict, conflictMessages
from SpiderSegLib.mrml.annotation_session.desk import Desk
from SpiderSegLib.mrml.annotation_session.starting_point import readMask


def settleForScreen(folder: ProjectFolder, desk: Desk, comment: str) -> SaveResult:
    """What is on screen counts, as done. Raises ProjectError without a conflict."""
    history = _conflictHistory(folder, desk)
    others = tuple(head.id for head in history.heads if head.id != desk.case().parent)
    return desk.save(Verdict(Status.DONE, comment=comment), others)


def settleForHead(folder: ProjectFolder, desk: Desk, annotator: str, keepId: str, comment: str, clock: Clock) -> SaveResult:
    """One of the heads counts, and is what is on screen then.

    Raises ProjectError without a conflict or for a revision that is none of its heads, UnsavedChanges over other changes on screen.
    """
    history = _conflictHistory(folder, desk)
    kept = history.require(keepId)
    if kept not in history.heads:
        heads = ", ".join(head.id[:12] for head in history.heads)
        raise ProjectError(f"{history.series}: expected one of the masks in conflict, {heads}, found {kept.id[:12]}")
    desk.refuseUnsaved()
    saved = save(folder, _correction(folder, history, kept, annotator, desk.timer.minutes, comment), clock)
    desk.timer.restart()
    desk.case().useMask(readMask(folder, desk.case().record, annotator))
    return SaveResult(saved, (), tuple(conflictMessages(saved)))


def _conflictHistory(folder: ProjectFolder, desk: Desk) -> History:
    history = read_history(folder, desk.case().series)
    if not history.is_conflict:
        raise ProjectError(f"{history.series}: there is no conflict to settle")
    return history


def _correction(folder: ProjectFolder, history: History, kept: Revision, annotator: str, minutes: float, comment: str) -> Correction:
    """The head once more in place of all others, with its own status; nobody approves a mask of their own by that."""
    isOwn = kept.status is Status.APPROVED and same_person(history.maker(kept), annotator)
    return Correction(
        series=kept.series,
        labelmap=read_mask(folder, kept),
        annotator=annotator,
        status=Status.DONE if isOwn else kept.status,
        parent=kept.id,
        supersedes=tuple(head.id for head in history.heads if head != kept),
        naming=kept.naming,
        minutes=minutes,
        reason=kept.reason,
        comment=comment,
        findings=kept.findings,
        worst_finding=kept.worst_finding,
    )
