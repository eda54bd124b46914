"""Whether the numbers rise without gaps from the lowest vertebra up, and every disc lies below the vertebra of its number."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from SpiderSegLib.labels import PARTIAL_OFFSET
from SpiderSegLib.level_names import is_partial
from SpiderSegLib.linter.column_view import ColumnView
from SpiderSegLib.linter.findings import Finding, Rule, Severity
from SpiderSegLib.linter.part import Part


def numbering_findings(view: ColumnView) -> Iterator[Finding]:
    """Everything about the numbers of vertebrae and discs."""
    yield from _gaps(view)
    yield from _twice(view)
    yield from _partial_in_middle(view)
    broken: set[tuple[str, int]] = set()
    for word, parts in (("vertebra", view.vertebrae), ("disc", view.discs)):
        for finding, levels in _order(view, word, parts):
            broken |= {(word, level) for level in levels}
            yield finding
    if view.vertebrae and view.discs:
        yield from _discs_alone(view)
        yield from _discs_elsewhere(view, broken)


def _between(view: ColumnView, one: Part, other: Part) -> NDArray[np.float64]:
    middle: NDArray[np.float64] = (view.middle(one) + view.middle(other)) / 2
    return middle


def _listed(levels: list[int]) -> str:
    return ", ".join(map(str, levels))


def _gaps(view: ColumnView) -> Iterator[Finding]:
    for word, parts in (("vertebra", view.vertebrae), ("disc", {} if view.vertebrae else view.discs)):
        if parts and min(parts) > 1:
            message = f"the lowest {word} has the number {min(parts)}: {_listed(list(range(1, min(parts))))} not labelled"
            part = parts[min(parts)]
            yield view.finding(Rule.NUMBERING_GAP, Severity.WARNING, part, view.middle(part), message)
        for below, above in pairwise(parts):
            if above > below + 1:
                message = f"{word} {_listed(list(range(below + 1, above)))} not labelled between {below} and {above}"
                yield view.finding(Rule.NUMBERING_GAP, Severity.ERROR, parts[above], _between(view, parts[below], parts[above]), message)


def _twice(view: ColumnView) -> Iterator[Finding]:
    for level in view.vertebrae:
        whole, cut = view.parts.get(level), view.parts.get(level + PARTIAL_OFFSET)
        if whole is not None and cut is not None:
            message = f"vertebra {level} is labelled both whole ({whole.value}) and cut ({cut.value})"
            yield view.finding(Rule.LEVEL_TWICE, Severity.ERROR, cut, view.middle(cut), message)


def _partial_in_middle(view: ColumnView) -> Iterator[Finding]:
    if not view.vertebrae:
        return
    ends = {min(view.vertebrae), max(view.vertebrae)}
    for value, part in view.parts.items():
        if is_partial(value) and part.level not in ends and not view.leaves_view(part):
            message = f"vertebra {part.level} is labelled as cut by the field of view, but lies whole between others"
            yield view.finding(Rule.PARTIAL_IN_MIDDLE, Severity.ERROR, part, view.middle(part), message)


def _is_above(view: ColumnView, upper: Part, lower: Part) -> bool:
    """Whether a part's middle lies above another's, or nothing can be said: of a vertebra cut at the border the processes alone may be left."""
    is_told = all(not view.is_cut(part) or view.body_points(part) is not None for part in (upper, lower))
    return not is_told or bool(view.middle(upper)[1] < view.middle(lower)[1])


def _order(view: ColumnView, word: str, parts: Mapping[int, Part]) -> Iterator[tuple[Finding, set[int]]]:
    """Findings with the levels they are about; numbers that fall throughout are one finding."""
    wrong = [(below, above) for below, above in pairwise(parts) if not _is_above(view, parts[above], parts[below])]
    if len(wrong) > 1 and len(wrong) == len(parts) - 1:
        top = parts[min(parts)]
        message = f"the {word} numbers fall from the lowest of {len(parts)} up"
        yield view.finding(Rule.NUMBERING_ORDER, Severity.ERROR, top, view.middle(top), message), set(parts)
        return
    for below, above in wrong:
        message = f"{word} {above} does not lie above {word} {below}"
        yield view.finding(Rule.NUMBERING_ORDER, Severity.ERROR, parts[above], view.middle(parts[above]), message), {below, above}


def _discs_alone(view: ColumnView) -> Iterator[Finding]:
    """Discs missing between two labelled vertebrae, and discs whose vertebra is missing at an end of the column."""
    lowest, highest = min(view.vertebrae), max(view.vertebrae)
    for level, part in view.vertebrae.items():
        below = view.vertebrae.get(level - 1)
        if level in view.discs or not view.is_whole(part) or (below is None and level > 1):
            continue
        place = view.middle(part) if below is None else _between(view, part, below)
        where = "below vertebra 1" if below is None else f"between vertebrae {level} and {level - 1}"
        yield view.finding(Rule.MISSING_DISC, Severity.WARNING, part, place, f"no disc {level} {where}")
    # A vertebra missing between others is a gap in the numbering, and said there.
    for level, part in view.discs.items():
        side, absent = ("above", level) if level > highest else ("below", level - 1)
        if level > highest or 1 < level <= lowest:
            message = f"disc {level} has no vertebra {absent} {side} it"
            yield view.finding(Rule.DISC_WITHOUT_VERTEBRA, Severity.WARNING, part, view.middle(part), message)


def _discs_elsewhere(view: ColumnView, broken: set[tuple[str, int]]) -> Iterator[Finding]:
    """Discs not between their vertebrae, but for those next to numbers that are out of order themselves."""
    for level, part in view.discs.items():
        for other, side in ((level, "below"), (level - 1, "above")):
            vertebra = view.vertebrae.get(other)
            if vertebra is None or {("disc", level), ("vertebra", other)} & broken:
                continue
            upper, lower = (vertebra, part) if other == level else (part, vertebra)
            if not _is_above(view, upper, lower):
                message = f"disc {level} does not lie {side} vertebra {other}"
                yield view.finding(Rule.DISC_NOT_BETWEEN, Severity.ERROR, part, view.middle(part), message)
