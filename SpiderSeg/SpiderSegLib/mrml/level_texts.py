"""What people read about levels: the cells of their table, their states, and what is known of a segmentation's levels."""

from __future__ import annotations

from typing import Any

from SpiderSegLib.labels import LevelState
from SpiderSegLib.level_names import USUAL_LUMBAR_COUNT, short_name
from SpiderSegLib.mrml.levels import LevelRow
from SpiderSegLib.mrml.segments import namingOf
from SpiderSegLib.mrml.translation import _
from SpiderSegLib.uncertainty import LOW_CONFIDENCE


def cellTexts(level: LevelRow) -> list[tuple[str, str]]:
    """Text and tooltip of each column."""
    confidence = "" if level.confidence is None else f"{100 * level.confidence:.0f} %"
    isLow = level.confidence is not None and level.confidence < LOW_CONFIDENCE
    volume = f"{level.volumeMm3 / 1000:.1f} ml"
    return [
        ("", ""),
        (level.name, level.fullName),
        (stateName(level.state), ""),
        (confidence, _("The model is unsure here: look at this level first.") if isLow else ""),
        (volume, ""),
        ("", _("Click to show or hide the level.")),
        ("→", _("Click to go to the middle of the level.")),
    ]


def stateName(state: LevelState | None) -> str:
    """A level state in words; a segment without a level has none."""
    words = {
        LevelState.ASSUMED: _("assumed"),
        LevelState.CONFIRMED: _("confirmed"),
        LevelState.TRANSITIONAL: _("transitional"),
        LevelState.UNIDENTIFIED: _("unidentified"),
    }
    return words[state] if state is not None else _("no level")


def stateText(segmentationNode: Any, rows: list[LevelRow]) -> str:
    """What is known of the levels, in a sentence or two."""
    if segmentationNode is None:
        return _("No segmentation yet. Segment a series, or choose a segmentation above.")
    if not any(level.value for level in rows):
        return _("This segmentation names no levels. Select a segment and set its level, or name the segments L5, L4/L5, ..")
    naming = namingOf(segmentationNode)
    if naming.state is LevelState.CONFIRMED:
        return _("The levels are confirmed.")
    if naming.state is LevelState.TRANSITIONAL:
        count = "" if naming.lumbar_count == USUAL_LUMBAR_COUNT else _("{count} lumbar vertebrae").format(count=naming.lumbar_count)
        return ": ".join(part for part in (_("Transitional spine, named by a person"), count) if part)
    if naming.state is LevelState.UNIDENTIFIED:
        return _("The levels are unidentified: what lies below the lowest vertebra was not recognized.")
    return _("The levels are assumed: the lowest vertebra is taken for {name}. Check, shift if needed, and confirm.").format(
        name=short_name(1, naming).removesuffix("?")
    )
