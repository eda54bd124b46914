"""The picture of a report as SVG: the slice plain and colored, and each level's name beside it with a line to where it is.

SVG, so that the names are text: sharp in print, found by a search, read by a screen reader. Lengths are millimeters on paper.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass

from SpiderSegLib.case_report.document import Html, element, text
from SpiderSegLib.case_report.levels import from_top
from SpiderSegLib.case_report.sagittal_slice import SagittalSlice, color_png, gray_png
from SpiderSegLib.case_report.wording import shortened
from SpiderSegLib.overlay import spread
from SpiderSegLib.segmentation_files import NamedLabelmap

#: A4 within its margins, and half of its height.
WIDEST_MM, HIGHEST_MM = 190.0, 150.0
NAMES_MM, GAP_MM = 34.0, 2.0

LETTER_MM, LINE_MM = 3.1, 4.2

#: What fits beside the picture; the table has the whole name.
LONGEST_NAME = 18


@dataclass(frozen=True)
class _Layout:
    """Size of each of the two pictures, and of the figure, which is higher where the names need it."""

    width: float
    height: float
    total_height: float

    @classmethod
    def of(cls, shown: SagittalSlice, names: int) -> _Layout:
        height_mm, width_mm = shown.size_mm
        scale = min((WIDEST_MM - NAMES_MM - GAP_MM) / 2 / width_mm, HIGHEST_MM / height_mm)
        return cls(width_mm * scale, height_mm * scale, max(height_mm * scale, names * LINE_MM))

    @property
    def left(self) -> float:
        """Of the colored picture."""
        return self.width + GAP_MM

    @property
    def right(self) -> float:
        return self.left + self.width


def figure_svg(shown: SagittalSlice, named: NamedLabelmap, description: str) -> Html:
    """The figure, the plain picture alone where the slice has no labels; `description` is for those who can't see it."""
    places = {value: place for value in from_top(named.values) if (place := shown.place(value)) is not None}
    layout = _Layout.of(shown, len(places))
    scale = layout.height / shown.size_mm[0]
    points = {value: (layout.left + x * scale, y * scale) for value, (y, x) in places.items()}
    values = sorted(points, key=lambda value: points[value][1])
    heights = spread([points[value][1] for value in values], LINE_MM, layout.total_height)
    width = layout.right + NAMES_MM if places else layout.width
    pictures = [_image(gray_png(shown), 0.0, layout, name="plain")]
    if places:
        pictures += [element("use", href="#plain", x=_number(layout.left)), _image(color_png(shown, named), layout.left, layout)]
    names = [_name(named, value, points[value], height, layout) for value, height in zip(values, heights, strict=True)]
    return element(
        "svg",
        element("title", text(description)),
        *pictures,
        *names,
        role="img",
        width=f"{_number(width)}mm",
        viewBox=f"0 0 {_number(width)} {_number(layout.total_height)}",
    )


def _image(png: bytes, left: float, layout: _Layout, name: str = "") -> Html:
    data = f"data:image/png;base64,{base64.b64encode(png).decode('ascii')}"
    return element(
        "image",
        id=name,
        href=data,
        x=_number(left),
        width=_number(layout.width),
        height=_number(layout.height),
        # Pixels need not be square.
        preserveAspectRatio="none",
    )


def _name(named: NamedLabelmap, value: int, point: tuple[float, float], height: float, layout: _Layout) -> Html:
    """A dot on the structure, a line in its color out of the picture to its name."""
    color, name = "#{:02x}{:02x}{:02x}".format(*named.color(value)), named.name(value)
    x, y = point
    path = _points([(x, y), (layout.right, y), (layout.right + 4, height), (layout.right + 5.5, height)])
    return element(
        "g",
        element("polyline", points=path, fill="none", stroke="#000000", stroke_opacity="0.55", stroke_width="0.7"),
        element("polyline", points=path, fill="none", stroke=color, stroke_width="0.35"),
        element("circle", cx=_number(x), cy=_number(y), r="0.9", fill=color, stroke="#000000", stroke_width="0.2"),
        element(
            "text",
            text(shortened(name, LONGEST_NAME)),
            x=_number(layout.right + 6.5),
            y=_number(height),
            dy="0.35em",
            font_size=_number(LETTER_MM),
            fill="#1d2430",
        ),
    )


def _points(points: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{_number(x)},{_number(y)}" for x, y in points)


def _number(value: float) -> str:
    return f"{value:.2f}"
