"""Draws the module's icon: a lumbar column from the side, front to the left, its five levels in the colors of the label table.

    python Utilities/make_icon.py [FOLDER]

writes SpiderSeg.svg and, rendered by Qt from it, SpiderSeg.png (128 x 128) into FOLDER, by default Resources/Icons. Needs PySide6.
Only what Qt's SVG renderer knows is used: paths, fills, strokes and linear gradients.
"""

from __future__ import annotations

import argparse
import csv
import math
import os
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
ICONS = ROOT / "Resources" / "Icons"
LABEL_TABLE = ROOT / "Resources" / "SpiderLabels.csv"

SIZE = 128

#: Heights of a body and of a disc along the column; few enough of both stay apart at 32 pixels.
BODY_HEIGHT, DISC_HEIGHT = 14.5, 6.5
BODY_DEPTH, DISC_DEPTH = 42.0, 41.0
CANAL_WIDTH = 9.5

COLUMN_HEIGHT = 5 * BODY_HEIGHT + 4 * DISC_HEIGHT

GROUND_TOP, GROUND_BOTTOM = "#2b3550", "#0f1526"
DISC_COLOR, CANAL_COLOR = "#f4f7fb", "#8fd3ff"

Point = tuple[float, float]


def level_colors(count: int) -> list[str]:
    """Colors of L5, L4, .. from the label table, as '#rrggbb'."""
    with LABEL_TABLE.open(encoding="utf-8", newline="") as file:
        rows = {int(row["LabelValue"]): row for row in csv.DictReader(file)}
    return ["#" + "".join(f"{int(rows[level][f'Color_{channel}']):02x}" for channel in "RGB") for level in range(1, count + 1)]


def column_point(height: float) -> Point:
    """Middle of the column at a height above its lowest body's lower end: lordosis, bulging to the front (left)."""
    phase = math.pi * height / COLUMN_HEIGHT
    return 62.5 - 9.0 * math.sin(phase), (SIZE + COLUMN_HEIGHT) / 2 - height


def column_frame(height: float) -> tuple[Point, Point]:
    """Unit vectors backward (right) and upward along the column at a height."""
    (below_x, below_y), (above_x, above_y) = column_point(height - 0.5), column_point(height + 0.5)
    length = math.hypot(above_x - below_x, above_y - below_y)
    up = ((above_x - below_x) / length, (above_y - below_y) / length)
    return (-up[1], up[0]), up


def place(height: float, back: float, up: float) -> Point:
    """Point `back` behind and `up` above the column's middle at a height."""
    (x, y), (backward, upward) = column_point(height), column_frame(height)
    return x + back * backward[0] + up * upward[0], y + back * backward[1] + up * upward[1]


def curve(start: Point, *segments: tuple[Point, Point]) -> str:
    """Path data of quadratic curves, each by its control point and its end."""

    def text(point: Point) -> str:
        return f"{point[0]:.1f} {point[1]:.1f}"

    return f"M{text(start)}" + "".join(f" Q{text(control)} {text(end)}" for control, end in segments)


def body(height: float, color: str) -> str:
    """A vertebral body: a box with a waist, corners rounded by its own outline."""
    depth, half = BODY_DEPTH / 2 - 2.5, BODY_HEIGHT / 2 - 2.5
    corners = [place(height, -depth, -half), place(height, depth, -half), place(height, depth, half), place(height, -depth, half)]
    waists = [
        place(height, 0, -half + 1.2),
        place(height, depth - 2.2, 0),
        place(height, 0, half - 1.2),
        place(height, -depth + 2.2, 0),
    ]
    path = curve(corners[0], *((waist, corners[(index + 1) % 4]) for index, waist in enumerate(waists)))
    return f'<path d="{path}Z" fill="{color}" stroke="{color}" stroke-width="5" stroke-linejoin="round"/>'


def disc(height: float) -> str:
    """A disc: a lens, a little thicker in front."""
    depth = DISC_DEPTH / 2
    front, back = place(height, -depth, 0), place(height, depth, 0)
    path = curve(front, (place(height, -3, DISC_HEIGHT), back), (place(height, -3, -DISC_HEIGHT), front))
    return f'<path d="{path}Z" fill="{DISC_COLOR}"/>'


def canal() -> str:
    """The spinal canal: a band behind the bodies."""
    points = [place(height, BODY_DEPTH / 2 + CANAL_WIDTH / 2 + 2.5, 0) for height in range(-6, int(COLUMN_HEIGHT) + 7, 3)]
    path = "M" + " L".join(f"{x:.1f} {y:.1f}" for x, y in points)
    return f'<path d="{path}" fill="none" stroke="{CANAL_COLOR}" stroke-width="{CANAL_WIDTH}" stroke-linecap="round" stroke-linejoin="round"/>'


def icon() -> str:
    """The icon as SVG."""
    step = BODY_HEIGHT + DISC_HEIGHT
    colors = level_colors(5)
    shapes = [canal()]
    shapes += [disc(level * step - DISC_HEIGHT / 2) for level in range(1, len(colors))]
    shapes += [body(level * step + BODY_HEIGHT / 2, color) for level, color in enumerate(colors)]
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{SIZE}" height="{SIZE}" viewBox="0 0 {SIZE} {SIZE}">',
        '<linearGradient id="ground" x1="0" y1="0" x2="0" y2="1">',
        f'<stop offset="0" stop-color="{GROUND_TOP}"/><stop offset="1" stop-color="{GROUND_BOTTOM}"/>',
        "</linearGradient>",
        f'<rect x="2" y="2" width="{SIZE - 4}" height="{SIZE - 4}" rx="26" fill="url(#ground)"/>',
        *shapes,
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def render(svg: Path, png: Path, size: int = SIZE) -> None:
    """Draws an SVG file on a transparent square."""
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    from PySide6.QtCore import Qt
    from PySide6.QtGui import QGuiApplication, QImage, QPainter
    from PySide6.QtSvg import QSvgRenderer

    application = QGuiApplication.instance() or QGuiApplication([])
    image = QImage(size, size, QImage.Format.Format_ARGB32)
    image.fill(Qt.GlobalColor.transparent)
    painter = QPainter(image)
    renderer = QSvgRenderer(str(svg))
    renderer.render(painter)
    painter.end()
    if not (renderer.isValid() and image.save(str(png))):
        raise OSError(f"{png}: can't draw {svg} into it")
    del application


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description="Draws the module's icon.")
    parser.add_argument("folder", nargs="?", type=Path, default=ICONS)
    folder = parser.parse_args(argv).folder
    folder.mkdir(parents=True, exist_ok=True)
    svg, png = folder / "SpiderSeg.svg", folder / "SpiderSeg.png"
    svg.write_text(icon(), encoding="utf-8", newline="\n")
    render(svg, png)
    sys.stdout.write(f"{svg}\n{png}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
