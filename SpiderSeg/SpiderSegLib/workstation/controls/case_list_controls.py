"""The project in the page: where it stands, and the table of its cases, worst first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from SpiderSegLib.active_learning.work_list import work_list
from SpiderSegLib.annotation_project.status import ProjectStatus, project_status
from SpiderSegLib.annotation_project.summary import OPEN_STATES, SeriesState, SeriesSummary
from SpiderSegLib.mrml.annotation_session import AnnotationSession
from SpiderSegLib.mrml.annotation_session.case_rows import PAGE_SIZE, CaseRow, Column, Wanted, caseRows, chosenRows, pageCount, stateText
from SpiderSegLib.mrml.annotation_session.status_text import statusText
from SpiderSegLib.mrml.translation import _
from SpiderSegLib.workstation.bench import Action, Bench

#: A state of the filter that stands for several.
OPEN = "open"

#: States of series that need nobody any more.
REVIEWED = (SeriesState.DONE, SeriesState.APPROVED, SeriesState.FLAGGED)


class CaseListControls:
    """Reads the project and shows a page of its cases; ten thousand cost no more than a hundred."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.summaries: Mapping[str, SeriesSummary] = {}
        self._every: list[CaseRow] = []
        #: How far the project is, in words.
        self.progress = ""
        bench.state.change("casesWords", "casesState", "casesColumn", "casesDescending")(lambda **state: self._onWish())
        bench.state.change("casesPage")(lambda **state: self.show())
        self.actions: Mapping[str, Action] = {"readCases": self.read}

    @property
    def hasOpenSeries(self) -> bool:
        """Whether some series waits for a person."""
        return any(summary.is_open for summary in self.summaries.values())

    def read(self) -> None:
        """Reads what is known of the series, after something was saved here or elsewhere. Raises ProjectError."""
        session = self.bench.session
        if session is None:
            return
        self.summaries = session.summaries()
        # From these summaries: the session's own list would read all of them once more.
        ranked = work_list(session.project, self.summaries, annotator=session.annotator)
        status = project_status(session.project, self.summaries)
        self._every = caseRows(self.summaries.values(), ranked, status.held)
        self._showProject(session, status)
        self.show()

    def _showProject(self, session: AnnotationSession, status: ProjectStatus) -> None:
        counts = Counter(row.state for row in self._every)
        reviewed = sum(counts[state] for state in REVIEWED)
        self.progress = _("{reviewed} of {count} done").format(reviewed=reviewed, count=len(self._every))
        waiting = sum(counts[state] for state in OPEN_STATES)
        texts = [{"id": state.value, "text": stateText(state), "count": counts[state]} for state in SeriesState if counts[state]]
        with self.bench.state as state:
            state.project = {
                "name": session.project.name,
                "status": statusText(status),
                "counts": [{"state": one["id"], "text": one["text"], "count": one["count"]} for one in texts],
                "reviewed": round(100 * reviewed / len(self._every)) if self._every else 0,
            }
            state.caseStates = [{"id": "", "text": "all", "count": len(self._every)}, {"id": OPEN, "text": "open", "count": waiting}, *texts]

    def _onWish(self) -> None:
        """Another filter or order: the first page of it is shown."""
        self.bench.state.casesPage = 1
        self.show()

    def show(self) -> None:
        """Shows the page of cases that is chosen."""
        state = self.bench.state
        chosen = chosenRows(self._every, self._wanted())
        pages = pageCount(len(chosen))
        page = min(max(int(state.casesPage or 1), 1), pages)
        current = self.bench.work.name if self.bench.work is not None else ""
        with state:
            state.casesPage, state.casesPages, state.casesCount = page, pages, len(chosen)
            state.cases = [_rowState(row, current) for row in chosen[(page - 1) * PAGE_SIZE : page * PAGE_SIZE]]

    def _wanted(self) -> Wanted:
        state = self.bench.state
        states = OPEN_STATES if state.casesState == OPEN else tuple(one for one in SeriesState if one.value == state.casesState)
        return Wanted(states, str(state.casesWords or ""), Column[state.casesColumn], bool(state.casesDescending))

    def refresh(self) -> None:
        """The table is read again after a save only."""

    def reasons(self) -> dict[str, str]:
        return {}


def _rowState(row: CaseRow, current: str) -> dict[str, Any]:
    state, series, place, why, levels, findings, annotator = row.texts()
    return {
        "series": series,
        "patient": row.summary.patient_id,
        "state": row.state.value,
        "stateText": state,
        "place": place,
        "why": why,
        "levels": levels,
        "findings": findings,
        "annotator": annotator,
        "isCurrent": series == current,
    }
