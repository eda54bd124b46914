"""The sentences of a report: how far the levels can be trusted, what was changed, and how a mask came about."""

from __future__ import annotations

import math
from datetime import datetime, timezone

from SpiderSegLib.case_report.case import CaseReport
from SpiderSegLib.case_report.levels import LevelChange, LevelRow
from SpiderSegLib.corrections import Provenance, Revision, Status
from SpiderSegLib.labels import LevelState
from SpiderSegLib.level_names import RESEARCH_USE, USUAL_LUMBAR_COUNT, LevelNaming, anatomical_name, short_name
from SpiderSegLib.metrics import LabelmapChanges, StructureChange
from SpiderSegLib.uncertainty import LOW_CONFIDENCE

NOT_A_DEVICE = f"{RESEARCH_USE}. Not a medical device."

LOW_CONFIDENCE_NOTE = f"low: the model's confidence is below {100 * LOW_CONFIDENCE:.0f} %; look at these levels first."
CUT_NOTE = "in part: reaches the border of the image, the volume is of what is in view; partial: labeled as a vertebra that the field of view cuts."
CHANGE_NOTE = (
    "added: voxels that a level has and did not have in the prediction; removed: the other way round; the share is of all that it has or had."
)

_PROVENANCES = {
    Provenance.MANUAL: "drawn by hand",
    Provenance.CORRECTED: "a prediction, corrected",
    Provenance.REVIEWED_UNCHANGED: "a prediction, reviewed and left unchanged",
    Provenance.MODEL_ONLY: "a prediction as the model drew it, not reviewed",
    Provenance.IMPORTED: "imported: how it was made was not seen here",
}

_COUNTED_FROM_BELOW = LevelNaming(LevelState.UNIDENTIFIED)


def state_sentence(naming: LevelNaming) -> str:
    """How far the names of the levels can be trusted, for somebody who has not seen the program."""
    if naming.state is LevelState.CONFIRMED:
        return "Levels confirmed: a person checked the numbering."
    if naming.state is LevelState.TRANSITIONAL:
        counted_as = "" if naming.lumbar_count == USUAL_LUMBAR_COUNT else f" with {naming.lumbar_count} lumbar vertebrae"
        return f"Transitional spine{counted_as}: a person chose the names, and they are not those of the usual count."
    if naming.state is LevelState.UNIDENTIFIED:
        return (
            "Levels unidentified: what lies below the lowest vertebra was not recognized. Vertebrae and discs are counted from the lowest "
            "one up; the numbers are no levels."
        )
    lowest = anatomical_name(1, naming)
    return f"Levels assumed: the lowest vertebra is taken for {lowest}, and nobody has confirmed it. A question mark says that a name may be wrong."


def percent(share: float) -> str:
    """Whole percent, rounded down: nothing that misses a limit, or the whole, reads as reaching it."""
    return f"{math.floor(round(100 * share, 6))} %"


def confidence_text(confidence: float | None) -> str:
    """In percent; '' for what no model drew."""
    return "" if confidence is None else percent(confidence)


def volume_text(volume_mm3: float) -> str:
    """In cubic centimeters."""
    return f"{volume_mm3 / 1000:.1f}"


def view_text(row: LevelRow) -> str:
    """Whether all of a structure is in the image."""
    if row.is_partial:
        return "partial"
    return "in part" if row.is_cut else "whole"


def change_text(row: LevelRow) -> str:
    """What was changed of a level since the prediction; '' without one."""
    change = row.change
    if change is None:
        return ""
    if change.predicted_as is None:
        return f"new, not in the prediction ({change.added:,} added)"
    changed = f"{change.added:,} added, {change.removed:,} removed ({_percent(change)})" if change.added or change.removed else "unchanged"
    return changed if change.predicted_as == row.value else f"{changed}; was {number_name(change.predicted_as)} in the prediction"


def _percent(change: LevelChange) -> str:
    return "< 0.1 %" if change.share < 0.001 else f"{100 * change.share:.1f} %"


def number_name(value: int) -> str:
    """A structure by its number, asserting no level, as findings call it: 'vertebra 3', 'disc 3', 'spinal canal'."""
    return short_name(value, _COUNTED_FROM_BELOW).lower()


def saved_sentence(report: CaseReport) -> str:
    """Which revision the page shows, or that it shows what nobody saved."""
    if not report.revisions:
        return "No revision of this series was saved."
    saved = report.saved_as
    if saved is None:
        return "The mask on this page has changes that are in no saved revision."
    number = report.revisions.index(saved) + 1
    sentences = [f"The mask on this page is revision {number}, {'kept' if saved.is_by_model else 'saved'} by {author(saved)}."]
    if saved.naming != report.named.naming:
        sentences.append("What the levels are called, or its confirmation, was changed since and is not saved.")
    if number < len(report.revisions):
        sentences.append("A newer one follows it.")
    return " ".join(sentences)


def author(revision: Revision) -> str:
    """Who made a revision: a person, or the model."""
    return f"model {revision.source_model}".strip() if revision.is_by_model else revision.annotator


def status_text(revision: Revision) -> str:
    """Status, with the reason of a flag, and the state of the levels at that time; a model's own has no status."""
    levels = f"levels {revision.naming.state.value}"
    if revision.is_by_model:
        return levels
    status = f"{revision.status.value}: {revision.reason}" if revision.status is Status.FLAGGED else revision.status.value
    return f"{status}; {levels}"


def provenance_text(revision: Revision) -> str:
    """How a mask came about, and how much of it a model drew."""
    words = _PROVENANCES[revision.provenance]
    if revision.provenance is Provenance.CORRECTED:
        words += f"; {percent(revision.seeded_share)} of its voxels as the model drew them"
    return words


def changes_text(revision: Revision) -> str:
    """What a revision changed, structure by structure: of the revision it goes on from, else of the prediction."""
    for changes, base in ((revision.to_parent, "the revision before"), (revision.to_prediction, "the prediction")):
        if changes is not None:
            return f"{_changed(changes)}, against {base}"
    return "first mask, nothing to compare with"


def _changed(changes: LabelmapChanges) -> str:
    if not changes.voxels_changed:
        return "no voxel"
    return "; ".join(_structure_text(change) for change in changes.structures if change.voxels.total)


def _structure_text(change: StructureChange) -> str:
    voxels = change.voxels
    counts = ((voxels.added, "added"), (voxels.removed, "removed"), (voxels.relabeled, "relabeled"), (voxels.received, "taken over"))
    words = ", ".join(f"{count:,} {word}" for count, word in counts if count)
    dice = "" if change.dice is None else f" (Dice {change.dice:.3f})"
    return f"{change.structure.name.lower()} {words}{dice}"


def shortened(words: str, longest: int) -> str:
    """A text of at most so many characters, with the mark of an omission at its end."""
    return words if len(words) <= longest else f"{words[: longest - 1]}…"


def moment_text(iso: str) -> str:
    """'2026-03-01 09:00 UTC'; a time without a zone as it stands, any other text literally."""
    try:
        moment = datetime.fromisoformat(iso.replace("Z", "+00:00"))
    except ValueError:
        return iso
    if moment.tzinfo is None:
        return f"{moment:%Y-%m-%d %H:%M}"
    return f"{moment.astimezone(timezone.utc):%Y-%m-%d %H:%M} UTC"
