"""An open case as a revision of the store, and what a person should know of it."""

from __future__ import annotations

from dataclasses import dataclass

from SpiderSegLib.corrections import Correction, ProjectFolder, Saved, Status, save
from SpiderSegLib.corrections.names import same_person
from SpiderSegLib.corrections.records import Clock
from SpiderSegLib.linter import Finding, finding_counts
from SpiderSegLib.mrml.annotation_session.open_case import OpenCase


@dataclass(frozen=True)
class Verdict:
    """What a person says of a mask when saving it."""

    status: Status
    reason: str = ""
    comment: str = ""


@dataclass(frozen=True)
class SaveResult:
    """The revision of the case, what the linter finds in it, what a person should know in words, and the revisions of the partner series."""

    saved: Saved
    findings: tuple[Finding, ...]
    messages: tuple[str, ...]
    partners: tuple[Saved, ...] = ()


def correctionOf(case: OpenCase, annotator: str, verdict: Verdict, minutes: float, supersedes: tuple[str, ...] = ()) -> Correction:
    """What is on screen as the store takes it."""
    findings = case.findings()
    return Correction(
        series=case.series,
        labelmap=case.labelmap(),
        annotator=annotator,
        status=verdict.status,
        parent=case.parent,
        supersedes=supersedes,
        shown=case.shownPrediction(),
        naming=case.screen().naming,
        minutes=minutes,
        reason=verdict.reason,
        comment=verdict.comment,
        findings=finding_counts(findings),
        worst_finding=findings[0].message if findings else "",
    )


def saveCase(folder: ProjectFolder, case: OpenCase, correction: Correction, clock: Clock) -> SaveResult:
    """Saves a correction of the case, which goes on from it. Raises as `corrections.save`; then the case is as it was."""
    findings, warnings = case.findings(), case.screen().warnings
    saved = save(folder, correction, clock)
    case.onSaved(saved.revision)
    return SaveResult(saved, findings, (*warnings, *conflictMessages(saved)))


def conflictMessages(saved: Saved) -> list[str]:
    """That others went on from the same mask, in words."""
    if not saved.is_conflict:
        return []
    revision = saved.revision
    others = [head.annotator for head in saved.history.heads if head.id != revision.id]
    names = ", ".join("you, at another place," if same_person(name, revision.annotator) else name for name in dict.fromkeys(others))
    return [f"{names} saved {revision.series} meanwhile: both masks stand until the conflict is settled"]
