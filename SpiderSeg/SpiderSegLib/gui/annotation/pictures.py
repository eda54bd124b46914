"""Pictures in the panel, as wide as their label; PNG bytes come from the library, the curve is drawn here."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import qt
from slicer.i18n import tr as _

from SpiderSegLib.gui.visibility import setShown

#: Pictures are no wider, however wide the panel is.
WIDEST = 900

#: A panel that is not shown yet has no width of its own.
NARROWEST = 300

CURVE_HEIGHT, MARGIN = 140, 4

#: Where the text in the curve begins.
TEXT_LEFT, TEXT_TOP = 8, 132


def showPng(label: Any, png: bytes | None) -> None:
    """Shows a picture scaled to the width of the panel; None takes it away."""
    setShown(label, png is not None)
    if png is None:
        label.clear()
        return
    pixmap = qt.QPixmap()
    pixmap.loadFromData(qt.QByteArray(png))
    label.setPixmap(pixmap.scaledToWidth(min(_width(label), pixmap.width()), qt.Qt.SmoothTransformation))


def showCurve(label: Any, losses: Sequence[float], share: float) -> None:
    """Draws the losses so far over the share 0..1 of the steps that are done, from 0 up to the highest; without any, nothing is shown."""
    setShown(label, len(losses) > 1)
    if len(losses) < 2:
        label.clear()
        return
    width, palette = _width(label), label.palette
    pixmap = qt.QPixmap(width, CURVE_HEIGHT)
    pixmap.fill(palette.color(qt.QPalette.Base))
    painter = qt.QPainter(pixmap)
    painter.setPen(qt.QPen(palette.color(qt.QPalette.Highlight)))
    points = curvePoints(losses, round(share * (width - 2 * MARGIN)), CURVE_HEIGHT - 2 * MARGIN)
    for (left, top), (right, bottom) in itertools.pairwise(points):
        painter.drawLine(MARGIN + left, MARGIN + top, MARGIN + right, MARGIN + bottom)
    _writeScale(painter, palette, losses)
    painter.end()
    label.setPixmap(pixmap)


def _writeScale(painter: Any, palette: Any, losses: Sequence[float]) -> None:
    """What the curve shows and how far it has come: without it the line means nothing."""
    painter.setPen(qt.QPen(palette.color(qt.QPalette.Text)))
    painter.drawText(TEXT_LEFT, TEXT_TOP, _("loss {newest:.2f}, step {steps}").format(newest=losses[-1], steps=len(losses)))


def curvePoints(losses: Sequence[float], width: int, height: int) -> list[tuple[int, int]]:
    """Points (x, y from the top) of the mean losses, at most one a pixel; 0 is at the bottom, the highest mean at the top."""
    count = max(2, min(width, len(losses)))
    ends = [round(index * len(losses) / count) for index in range(count + 1)]
    means = [sum(losses[first:last]) / (last - first) for first, last in itertools.pairwise(ends) if last > first]
    highest = max(means) or 1.0
    last = max(1, len(means) - 1)
    return [(round(index * width / last), round((1 - mean / highest) * height)) for index, mean in enumerate(means)]


def _width(label: Any) -> int:
    parent = label.parentWidget()
    width = label.width if parent is None else parent.width - 24
    return int(min(max(NARROWEST, width), WIDEST))
