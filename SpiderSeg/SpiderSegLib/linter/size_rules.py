"""Whether vertebrae, discs and canal have the sizes and distances that `anatomy` knows, as such and beside their own neighbors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from SpiderSegLib.labels import Structure
from SpiderSegLib.linter.anatomy import CANAL_AREA_MM2, LIMITS, OWN_LIMITS, POSITIONS, typical
from SpiderSegLib.linter.column_view import ColumnView
from SpiderSegLib.linter.findings import Finding, Rule, Severity
from SpiderSegLib.linter.measures import canal_area_mm2, measure
from SpiderSegLib.linter.part import Part

#: Fewer others of a kind say nothing about a patient's size.
FEWEST_OTHERS = 3

#: What lies outside the limits by less than this factor is a note: the fractured vertebrae of the reference masks do, half a vertebra or two
#: under one number lie farther out.
SLIGHT_EXCESS = 1.25

_WORDS = {
    "volume_mm3": ("a volume of", "mm3"),
    "area_mm2": ("a largest sagittal area of", "mm2"),
    "height_mm": ("a height of", "mm"),
    "depth_mm": ("a depth of", "mm"),
    "canal_mm": ("a distance to the canal of", "mm"),
    "next_mm": ("a distance to the next one up of", "mm"),
}

#: Value over the typical one, by level.
Ratios = Mapping[int, float]


def size_findings(view: ColumnView) -> Iterator[Finding]:
    """Implausible sizes and positions: for each label the worst size and the worst distance."""
    for structure, parts in ((Structure.VERTEBRA, view.vertebrae), (Structure.DISC, view.discs)):
        worst: dict[tuple[int, Rule], tuple[float, str]] = {}
        for quantity, ratios in _ratios(view, structure, parts).items():
            for level, ratio in ratios.items():
                excess = _excess(structure, quantity, ratio, [other for key, other in ratios.items() if key != level])
                key = (level, Rule.IMPLAUSIBLE_POSITION if quantity in POSITIONS else Rule.IMPLAUSIBLE_SIZE)
                if excess > worst.get(key, (1.0, ""))[0]:
                    worst[key] = (excess, _message(parts[level], quantity, ratio))
        for (level, rule), (excess, message) in worst.items():
            # What a slab or a single slice shows of a size depends on where it lies.
            is_slight = excess < SLIGHT_EXCESS or (view.is_slab and rule is Rule.IMPLAUSIBLE_SIZE)
            severity = Severity.NOTE if is_slight else Severity.WARNING
            yield view.finding(rule, severity, parts[level], view.middle(parts[level]), message)
    yield from _canal_size(view)


def _ratios(view: ColumnView, structure: Structure, parts: Mapping[int, Part]) -> dict[str, dict[int, float]]:
    """By quantity: the labels' values over the typical ones. What the field of view cuts says nothing."""
    found: dict[str, dict[int, float]] = {}
    for level, part in parts.items():
        for quantity, value in measure(view, part).items() if view.is_whole(part) else ():
            # Where there are vertebrae, their distances say it already.
            if not (quantity == "next_mm" and structure is Structure.DISC and view.vertebrae):
                found.setdefault(quantity, {})[level] = value / typical(structure, level, quantity)
    return found


def _excess(structure: Structure, quantity: str, ratio: float, others: Sequence[float]) -> float:
    """How far a ratio lies outside the limits, as a factor; 1 or less inside."""
    low, high = LIMITS[structure, quantity]
    excess = max(low / max(ratio, 1e-6), ratio / high)
    if len(others) >= FEWEST_OTHERS:
        own_low, own_high = OWN_LIMITS[structure, quantity]
        own = ratio / max(float(np.median(others)), 1e-6)
        excess = max(excess, own_low / max(own, 1e-6), own / own_high)
    return excess


def _message(part: Part, quantity: str, ratio: float) -> str:
    words, unit = _WORDS[quantity]
    usual = typical(part.structure, part.level, quantity)
    return f"{part.title} has {words} {_rounded(ratio * usual)} {unit}; usual are {_rounded(usual)}"


def _rounded(value: float) -> str:
    return f"{value:.0f}" if value >= 10 else f"{value:.1f}"


def _canal_size(view: ColumnView) -> Iterator[Finding]:
    area = canal_area_mm2(view)
    if area is None or view.canal is None:
        return
    low, high = CANAL_AREA_MM2
    if not low <= area <= high:
        message = f"the canal has an axial area of {_rounded(area)} mm2 in the median; usual are {low:.0f} to {high:.0f}"
        yield view.finding(Rule.IMPLAUSIBLE_SIZE, Severity.WARNING, view.canal, view.middle(view.canal), message)
