"""Where a project stands, in a few lines."""

from __future__ import annotations

from SpiderSegLib.annotation_project.status import ProjectStatus
from SpiderSegLib.annotation_project.summary import SeriesState
from SpiderSegLib.mrml.annotation_session.case_rows import stateText
from SpiderSegLib.mrml.translation import _

#: States in the order in which they are told: what is finished first.
TOLD = (
    SeriesState.DONE,
    SeriesState.APPROVED,
    SeriesState.FLAGGED,
    SeriesState.CONFLICT,
    SeriesState.IN_PROGRESS,
    SeriesState.PREDICTED,
    SeriesState.NEW,
)

#: Less is not told: 0.0 h.
FEWEST_MINUTES = 3.0


def statusText(status: ProjectStatus) -> str:
    """'demo: 212 done, 9 flagged, 39 predicted; 260 series of 98 patients, 31.5 h', agreement, model, and what is damaged."""
    states = ", ".join(f"{status.states[state]} {stateText(state)}" for state in TOLD if status.states.get(state))
    size = _("{series} series of {patients} patients").format(series=status.series, patients=status.patients)
    hours = f", {status.minutes / 60:.1f} h" if status.minutes >= FEWEST_MINUTES else ""
    lines = [f"{status.name}: {states}; {size}{hours}" if status.series else _("{name}: no series yet; import some").format(name=status.name)]
    parts = []
    if status.agreement is not None:
        parts.append(_("agreement {dice} over {count} series").format(dice=f"{status.agreement:.2f}", count=status.agreement_series))
    if status.champion:
        parts.append(_("model {name}, generation {generation}").format(name=status.champion, generation=status.generation))
    if parts:
        lines.append("; ".join(parts))
    if status.damaged:
        lines.append(_("{count} files can't be read: run spiderseg project verify").format(count=status.damaged))
    return "\n".join(lines)
