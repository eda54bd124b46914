"""Tables of texts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import qt

from SpiderSegLib.gui.visibility import setShown

#: A table is as high as its rows, and no higher than this; then it scrolls.
HIGHEST = 260

#: Frame and horizontal scroll bar.
AROUND_ROWS = 22


def fillTable(table: Any, rows: Sequence[Sequence[str]]) -> None:
    """Shows rows of texts; a table without rows takes no room."""
    table.clearContents()
    table.setRowCount(len(rows))
    for number, row in enumerate(rows):
        for column, text in enumerate(row):
            item = qt.QTableWidgetItem(text)
            item.setToolTip(text)
            table.setItem(number, column, item)
    table.resizeColumnsToContents()
    table.resizeRowsToContents()
    setShown(table, bool(rows))


def fitHeight(table: Any) -> None:
    """Makes a table as high as its rows and its titles, which have the height of a row."""
    heights = [table.rowHeight(row) for row in range(table.rowCount)]
    table.setFixedHeight(min(HIGHEST, sum(heights) + max(heights, default=AROUND_ROWS) + AROUND_ROWS))
