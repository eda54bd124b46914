"""The rows of the case table: what is known of every series in words, filtered, sorted and cut into pages."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import cached_property

from SpiderSegLib.active_learning import Ranked
from SpiderSegLib.annotation_project.summary import SeriesState, SeriesSummary
from SpiderSegLib.labels import Structure, structure_of
from SpiderSegLib.level_names import short_name
from SpiderSegLib.linter import Severity, counts_text
from SpiderSegLib.mrml.translation import _

#: Rows on the screen at once: more cost time at every refresh and nobody scrolls through them.
PAGE_SIZE = 100

#: Where what has no rank stands.
_LAST = 10**9


class Column(int, Enum):
    """Columns of the table in their order."""

    STATE = 0
    SERIES = 1
    PLACE = 2
    WHY = 3
    LEVELS = 4
    FINDINGS = 5
    ANNOTATOR = 6


@dataclass(frozen=True)
class CaseRow:
    """A series in the table; `place` is its turn in the work list (`ranked`), None when it has none; `holder` works on it now, '' for nobody.

    Words are made when they are first read: of ten thousand rows a page is.
    """

    summary: SeriesSummary
    place: int | None
    ranked: Ranked | None
    holder: str

    @property
    def series(self) -> str:
        return self.summary.series

    @property
    def state(self) -> SeriesState:
        return self.summary.state

    @property
    def annotator(self) -> str:
        """Who works on it now, else who saved it last."""
        return self.holder or self.summary.annotator

    @cached_property
    def why(self) -> str:
        """Why it stands where it stands."""
        summary = self.summary
        if summary.state is SeriesState.CONFLICT:
            return _("two people went on from the same mask")
        if summary.state is SeriesState.FLAGGED:
            return summary.reason
        if self.ranked is not None:
            return self.ranked.explanation
        if summary.is_open and self.holder:
            return _("{annotator} works on it").format(annotator=self.holder)
        return summary.provenance

    @cached_property
    def searched(self) -> str:
        """What the filter looks at."""
        summary = self.summary
        words = (summary.series, summary.patient_id, stateText(summary.state), summary.annotator, self.holder, self.why, summary.worst_finding)
        return " ".join(words).lower()

    def texts(self) -> tuple[str, ...]:
        """A text for every column."""
        place = "" if self.place is None else str(self.place)
        return (stateText(self.state), self.series, place, self.why, _levels(self.summary), _findings(self.summary), self.annotator)


def caseRows(summaries: Iterable[SeriesSummary], ranked: Sequence[Ranked], held: Mapping[str, str]) -> list[CaseRow]:
    """A row a series; `held` tells who works on a series now."""
    places = {one.candidate.series: (place, one) for place, one in enumerate(ranked, start=1)}
    rows = []
    for summary in summaries:
        place, one = places.get(summary.series, (None, None))
        rows.append(CaseRow(summary, place, one, held.get(summary.series, "")))
    return rows


def _levels(summary: SeriesSummary) -> str:
    """'L5? - T11?' from the lowest to the highest vertebra."""
    vertebrae = sorted(value % 100 for value in summary.values if structure_of(value) is Structure.VERTEBRA)
    if not vertebrae:
        return ""
    ends = dict.fromkeys((vertebrae[0], vertebrae[-1]))
    return " - ".join(short_name(value, summary.naming) for value in ends)


def _findings(summary: SeriesSummary) -> str:
    return counts_text(summary.findings)


def stateText(state: SeriesState) -> str:
    """A state in the user's language."""
    texts = {
        SeriesState.NEW: _("new"),
        SeriesState.PREDICTED: _("predicted"),
        SeriesState.IN_PROGRESS: _("in progress"),
        SeriesState.DONE: _("done"),
        SeriesState.APPROVED: _("approved"),
        SeriesState.FLAGGED: _("flagged"),
        SeriesState.CONFLICT: _("conflict"),
    }
    return texts[state]


@dataclass(frozen=True)
class Wanted:
    """What a person wants to see: states (none: all of them), words that all have to occur, and the order."""

    states: tuple[SeriesState, ...] = ()
    words: str = ""
    column: Column = Column.PLACE
    isDescending: bool = False


def chosenRows(rows: Iterable[CaseRow], wanted: Wanted) -> list[CaseRow]:
    """Those of the rows, given in the order of their names, that are wanted, in the order that is wanted; equal ones by name."""
    words = wanted.words.lower().split()
    chosen = [row for row in rows if (not wanted.states or row.state in wanted.states) and all(word in row.searched for word in words)]
    if wanted.column is Column.SERIES:
        return chosen[::-1] if wanted.isDescending else chosen
    return sorted(chosen, key=lambda row: _key(row, wanted.column), reverse=wanted.isDescending)


def _key(row: CaseRow, column: Column) -> tuple[float, str]:
    if column is Column.PLACE:
        return (row.place if row.place is not None else _LAST, "")
    if column is Column.FINDINGS:
        errors, warnings = (row.summary.findings.get(severity.value, 0) for severity in (Severity.ERROR, Severity.WARNING))
        return (errors * 1000 + warnings, "")
    if column is Column.STATE:
        return (list(SeriesState).index(row.state), "")
    return (0, row.texts()[column].lower())


def pageCount(rowCount: int) -> int:
    """Pages of so many rows; at least one."""
    return max(1, -(-rowCount // PAGE_SIZE))
