"""A picture of where two labelmaps differ: the slices side by side, whose is which color, and what the numbers say."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

from SpiderSegLib.agreement.measure import agree
from SpiderSegLib.agreement.panel import A_COLOR, A_LINE, B_COLOR, B_LINE, CONFUSED_COLOR, FILL_OPACITY, draw_panel, draw_plain_panel
from SpiderSegLib.agreement.result import Agreement
from SpiderSegLib.agreement.slices import Differences, find_differences, slices_that_differ
from SpiderSegLib.labels import LevelState
from SpiderSegLib.level_names import RESEARCH_USE, LevelNaming
from SpiderSegLib.metrics import check_same_grid
from SpiderSegLib.volume import Volume

MOST_SLICES = 3

PANEL_HEIGHT_INCHES = 7.0
HEADER_INCHES, FOOTER_INCHES, GAP_INCHES, MARGIN_INCHES = 0.95, 0.62, 0.06, 0.1

#: Header and legend need this much, however few slices there are.
NARROWEST_INCHES = 8.0
NARROWEST_PANEL_INCHES, WIDEST_PANEL_INCHES = 1.8, 4.5

DOTS_PER_INCH = 110

NOTE_COLOR = "#f0e442"


def draw_agreement(image: Volume | None, a: Volume, b: Volume, *, agreement: Agreement | None = None, naming: LevelNaming | None = None) -> bytes:
    """PNG of the (at most MOST_SLICES) sagittal slices where A and B differ most, the worst first, beside the plain image of that one.

    `agreement` is that of A and B if at hand. Without an image the labels are drawn on black. Vertebrae bear their names; discs only where
    A and B say different things of them. Raises as `agree`, and GeometryError for an image on another grid.
    """
    agreement, naming = agreement or agree(a, b), naming or LevelNaming()
    if image is not None:
        check_same_grid(a, image)
    found = find_differences(image, a, b)
    chosen = slices_that_differ(found, MOST_SLICES)
    panels = len(chosen) + (image is not None)
    figure, places = _figure(panels, _panel_width(found))
    if image is not None:
        draw_plain_panel(places.pop(0), found, chosen[0])
    for axes, k in zip(places, chosen, strict=True):
        draw_panel(axes, found, k, agreement, naming)
    _write_header(figure, agreement)
    _write_legend(figure, is_assumed=naming.state is LevelState.ASSUMED)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", facecolor="black")
    return buffer.getvalue()


def told_apart(name_a: str, name_b: str) -> tuple[str, str]:
    """File names with as many of their folders as it takes to tell them apart; 'A' and 'B' for labelmaps without names."""
    if not (name_a and name_b):
        return name_a or "A", name_b or "B"
    parts_a, parts_b = Path(name_a).parts, Path(name_b).parts
    kept = next((n for n in range(1, 1 + max(len(parts_a), len(parts_b))) if parts_a[-n:] != parts_b[-n:]), 1)
    return str(Path(*parts_a[-kept:])), str(Path(*parts_b[-kept:]))


def _panel_width(found: Differences) -> float:
    _, j_mm, i_mm = found.spacing_kji_mm
    _, rows, columns = found.a.shape
    return float(min(max(PANEL_HEIGHT_INCHES * columns * i_mm / (rows * j_mm), NARROWEST_PANEL_INCHES), WIDEST_PANEL_INCHES))


def _figure(panels: int, panel_width: float) -> tuple[Any, list[Any]]:
    """A figure and its panels from left to right, in the middle of it."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    used = panels * (panel_width + GAP_INCHES) - GAP_INCHES
    width, height = max(NARROWEST_INCHES, used), PANEL_HEIGHT_INCHES + HEADER_INCHES + FOOTER_INCHES
    figure = Figure(figsize=(width, height), dpi=DOTS_PER_INCH, facecolor="black")
    FigureCanvasAgg(figure)
    lefts = [(width - used) / 2 + panel * (panel_width + GAP_INCHES) for panel in range(panels)]
    places = [(left / width, FOOTER_INCHES / height, panel_width / width, PANEL_HEIGHT_INCHES / height) for left in lefts]
    return figure, [figure.add_axes(place) for place in places]


def _write_header(figure: Any, agreement: Agreement) -> None:
    name_a, name_b = told_apart(agreement.name_a, agreement.name_b)
    scores = ", ".join(f"{one.structure.name.lower()} {one.dice:.3f}" for one in agreement.structures)
    same, leveled = agreement.levels_same, len(agreement.leveled)
    _write_line(figure, 0, f"A  {name_a}", A_COLOR)
    _write_line(figure, 1, f"B  {name_b}", B_COLOR)
    text = f"Dice: {scores}.   Same level: {same} of {leveled}." if scores else "Both labelmaps are empty."
    _write_line(figure, 2, text, "white")
    if agreement.shift is not None:
        figure.text(0.99, 1 - 0.56 / figure.get_figheight(), agreement.shift.text, color=NOTE_COLOR, fontsize=9, ha="right", va="center")


def _write_line(figure: Any, row: int, text: str, color: str) -> None:
    width, height = figure.get_size_inches()
    figure.text(MARGIN_INCHES / width, 1 - (0.16 + 0.2 * row) / height, text, color=color, fontsize=9, va="center")


def _write_legend(figure: Any, is_assumed: bool) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    height = figure.get_figheight()
    handles = [
        Line2D([], [], color=A_COLOR, **A_LINE, label="outline of A"),
        Line2D([], [], color=B_COLOR, **B_LINE, label="outline of B"),
        Patch(color=A_COLOR, alpha=FILL_OPACITY, label="only in A"),
        Patch(color=B_COLOR, alpha=FILL_OPACITY, label="only in B"),
        Patch(color=CONFUSED_COLOR, alpha=FILL_OPACITY, label="different structures"),
    ]
    place = {"loc": "center", "bbox_to_anchor": (0.5, 0.42 / height), "ncols": len(handles)}
    figure.legend(handles=handles, **place, frameon=False, fontsize=8, labelcolor="white", handlelength=3)
    note = f"{RESEARCH_USE}." + (" A question mark: the level is assumed, not confirmed." if is_assumed else "")
    figure.text(0.5, 0.16 / height, note, color="#aaaaaa", fontsize=7, ha="center", va="center")
