"""Section Series of the project: the case table, page by page, and the order of the work list."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import qt
from slicer.i18n import tr as _

from SpiderSegLib.active_learning import Strategy
from SpiderSegLib.annotation_project.summary import OPEN_STATES, SeriesState
from SpiderSegLib.gui.annotation import remembered
from SpiderSegLib.mrml.annotation_session.case_rows import PAGE_SIZE, CaseRow, Column, Wanted, caseRows, chosenRows, pageCount, stateText

if TYPE_CHECKING:
    from SpiderSegLib.gui.annotation.workspace import Workspace

#: Strategies in the order of the combo box.
STRATEGIES = (Strategy.UNCERTAIN, Strategy.RANDOM, Strategy.LINTER, Strategy.OLDEST)

#: Backgrounds of the states, for black text; the text beside them says the same.
COLORS = {
    SeriesState.NEW: (225, 225, 225),
    SeriesState.PREDICTED: (190, 215, 240),
    SeriesState.IN_PROGRESS: (255, 225, 150),
    SeriesState.DONE: (175, 220, 180),
    SeriesState.APPROVED: (120, 200, 150),
    SeriesState.FLAGGED: (255, 190, 120),
    SeriesState.CONFLICT: (240, 165, 200),
}

#: The reasons are read in full in their tooltips; wider, they would push the other columns out of sight.
WIDEST_WHY = 190


class CasesSection:
    """Shows the series; one page at a time is in the table, so that ten thousand cost no more than a hundred."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self.ui = workspace.ui
        #: Those of the page that is shown.
        self.rows: list[CaseRow] = []
        self._every: list[CaseRow] = []
        self._chosen: list[CaseRow] = []
        self._page = 0
        self._column, self._isDescending = Column.PLACE, False
        self._states: list[tuple[SeriesState, ...]] = [(), OPEN_STATES, *((state,) for state in SeriesState)]
        self.ui.caseStateComboBox.addItems([_("All"), _("Open"), *(stateText(state) for state in SeriesState)])
        values = [strategy.value for strategy in STRATEGIES]
        self.ui.strategyComboBox.currentIndex = values.index(remembered.strategy()) if remembered.strategy() in values else 0
        header = self.ui.caseTable.horizontalHeader()
        header.setSectionResizeMode(qt.QHeaderView.Interactive)
        header.setSortIndicatorShown(True)
        header.setSectionsClickable(True)
        header.connect("sectionClicked(int)", self.onTitleClicked)
        self.ui.caseTable.verticalHeader().setSectionResizeMode(qt.QHeaderView.ResizeToContents)
        self.ui.caseTable.connect("cellDoubleClicked(int,int)", self.onRowDoubleClicked)
        self.ui.caseTable.connect("itemSelectionChanged()", workspace.panel.refreshLater)
        self.ui.caseStateComboBox.connect("currentIndexChanged(int)", self.onWishChanged)
        self.ui.caseFilterLineEdit.connect("textChanged(QString)", self.onWishChanged)
        self.ui.strategyComboBox.connect("activated(int)", self.onStrategyChosen)
        self.ui.previousPageButton.connect("clicked(bool)", lambda *arguments: self._show(self._page - 1))
        self.ui.nextPageButton.connect("clicked(bool)", lambda *arguments: self._show(self._page + 1))
        self.ui.refreshCasesButton.connect("clicked(bool)", self.onRefreshButton)
        self.ui.openCaseButton.connect("clicked(bool)", self.onOpenButton)

    @property
    def strategy(self) -> Strategy:
        return STRATEGIES[self.ui.strategyComboBox.currentIndex]

    @property
    def selected(self) -> CaseRow | None:
        """The selected series; None when none is."""
        rows = self.ui.caseTable.selectionModel().selectedRows()
        return self.rows[rows[0].row()] if rows and rows[0].row() < len(self.rows) else None

    def onTitleClicked(self, column: int) -> None:
        """The first click sorts from the low end up, the next one down."""
        self._isDescending = column == self._column and not self._isDescending
        self._column = Column(column)
        self.onWishChanged()

    def onWishChanged(self, *arguments: Any) -> None:
        """Another filter or order: the first page of it is shown."""
        self._choose()
        self._show(0)

    def _choose(self) -> None:
        wanted = Wanted(self._states[self.ui.caseStateComboBox.currentIndex], self.ui.caseFilterLineEdit.text, self._column, self._isDescending)
        self._chosen = chosenRows(self._every, wanted)

    def onStrategyChosen(self, *arguments: Any) -> None:
        remembered.rememberStrategy(self.strategy.value)
        self.workspace.perform(_("The work list can't be made."), self.workspace.readAgain)

    def onRefreshButton(self, *arguments: Any) -> None:
        self.workspace.perform(_("The project can't be read."), self.workspace.readAgain)

    def onRowDoubleClicked(self, row: int, column: int) -> None:
        self._open(self.rows[row])

    def onOpenButton(self, *arguments: Any) -> None:
        if self.selected is not None:
            self._open(self.selected)

    def _open(self, row: CaseRow) -> None:
        self.workspace.perform(_("{series} can't be opened.").format(series=row.series), lambda: self.workspace.openSeries(row.series))

    # Widgets

    def readAgain(self) -> None:
        """Takes what the workspace has read; page, filter and order stay."""
        status = self.workspace.status
        self._every = caseRows(self.workspace.summaries.values(), self.workspace.ranked, {} if status is None else status.held)
        selected = self.selected
        self._choose()
        self._show(self._page)
        if selected is not None:
            self._select(selected.series)

    def _select(self, series: str) -> None:
        names = [row.series for row in self.rows]
        if series in names:
            self.ui.caseTable.selectRow(names.index(series))

    def _show(self, page: int) -> None:
        self._page = min(max(0, page), pageCount(len(self._chosen)) - 1)
        self.rows = self._chosen[self._page * PAGE_SIZE : (self._page + 1) * PAGE_SIZE]
        table = self.ui.caseTable
        table.clearContents()
        table.setRowCount(len(self.rows))
        for number, row in enumerate(self.rows):
            for column, text in enumerate(row.texts()):
                table.setItem(number, column, _item(row, Column(column), text))
        order = qt.Qt.DescendingOrder if self._isDescending else qt.Qt.AscendingOrder
        table.horizontalHeader().setSortIndicator(int(self._column), order)
        table.resizeColumnsToContents()
        table.setColumnWidth(int(Column.WHY), min(WIDEST_WHY, table.columnWidth(int(Column.WHY))))
        self.ui.pageLabel.text = self._pageText()
        self.workspace.panel.refreshLater()

    def _pageText(self) -> str:
        if len(self._chosen) <= PAGE_SIZE:
            return _("{count} series").format(count=len(self._chosen))
        first = self._page * PAGE_SIZE + 1
        return _("{first} to {last} of {count}").format(first=first, last=first + len(self.rows) - 1, count=len(self._chosen))

    def refresh(self) -> None:
        buttons = self.workspace.panel.buttons
        buttons.set(self.ui.previousPageButton, "" if self._page > 0 else _("This is the first page."))
        isLast = self._page >= pageCount(len(self._chosen)) - 1
        buttons.set(self.ui.nextPageButton, _("This is the last page.") if isLast else "")
        buttons.set(self.ui.openCaseButton, "" if self.selected is not None else _("Select a series in the table first."))


def _item(row: CaseRow, column: Column, text: str) -> Any:
    item = qt.QTableWidgetItem(text)
    if column is Column.STATE:
        item.setBackground(qt.QBrush(qt.QColor(*COLORS[row.state])))
        item.setForeground(qt.QBrush(qt.QColor(0, 0, 0)))
    toolTip = {Column.WHY: row.why, Column.FINDINGS: row.summary.worst_finding, Column.ANNOTATOR: row.summary.updated_utc}.get(column, "")
    if toolTip:
        item.setToolTip(toolTip)
    return item
