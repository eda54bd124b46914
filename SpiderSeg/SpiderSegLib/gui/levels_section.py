"""Section Levels: the table, jumping to a level, and the buttons that say which level is which."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import qt
from slicer.i18n import tr as _

from SpiderSegLib.errors import InputError, SpiderSegError
from SpiderSegLib.labels import PARTIAL_OFFSET, SPINAL_CANAL, LevelState, Structure, label_table, level_of
from SpiderSegLib.level_names import is_partial, short_name
from SpiderSegLib.mrml import levels
from SpiderSegLib.mrml.display import jumpTo, showSegmentAlone
from SpiderSegLib.mrml.level_texts import cellTexts, stateText
from SpiderSegLib.mrml.levels import LevelRow
from SpiderSegLib.mrml.segments import namingOf
from SpiderSegLib.uncertainty import LOW_CONFIDENCE

if TYPE_CHECKING:
    from SpiderSegLib.gui.panel import Panel

COLOR, LEVEL, STATE, CONFIDENCE, VOLUME, VISIBLE, JUMP = range(7)

#: Counts in the order of the combo box.
LUMBAR_COUNTS = (5, 6, 4)

#: Background of a level the model is unsure of, with black text on it: amber, as the confidence colors.
AMBER = (255, 191, 80)


class LevelsSection:
    """Shows the levels of the chosen segmentation and changes them."""

    def __init__(self, panel: Panel) -> None:
        self.panel = panel
        self.ui = panel.ui
        self.rows: list[LevelRow] = []
        #: Why the levels of the segmentation can't be read; '' when they can.
        self.problem = ""
        self._values: list[int] = []
        self._lastUncertain: str | None = None
        self._isRefreshing = False
        #: IDs of the segments whose rows are selected; rows come and go, the selection stays with its levels.
        self._selection: list[str] = []
        #: The segmentation of which only the selected levels are shown.
        self._isolatedNode: Any = None
        self.ui.levelTable.connect("cellClicked(int,int)", self.onCellClicked)
        self.ui.levelTable.connect("itemSelectionChanged()", self.onSelectionChanged)
        self.ui.lumbarCountComboBox.connect("activated(int)", self.onLumbarCountChosen)
        self._connect(self.ui.leastCertainButton, self.jumpToLeastCertain, _("There is no level to go to."))
        self._connect(self.ui.shiftUpButton, lambda: self._change(levels.shiftLevels, 1), _("The levels can't be shifted up."))
        self._connect(self.ui.shiftDownButton, lambda: self._change(levels.shiftLevels, -1), _("The levels can't be shifted down."))
        self._connect(self.ui.confirmButton, self._toggleConfirmed, _("The levels can't be confirmed."))
        self._connect(self.ui.renameButton, self._rename, _("The level can't be renamed."))
        self._connect(self.ui.setLevelButton, self._setLevel, _("The level can't be set."))
        self._connect(self.ui.partialButton, lambda: self._change(levels.togglePartial, self.panel.selectedId()), _("The mark can't be changed."))
        self._connect(self.ui.unidentifiedButton, lambda: self._change(levels.markUnidentified), _("The levels can't be changed."))
        self.ui.isolateButton.connect("toggled(bool)", self.onIsolateToggled)
        self.ui.segmentEditorWidget.connect("currentSegmentIDChanged(QString)", self.onEditorSegmentChanged)
        header = self.ui.levelTable.horizontalHeader()
        header.setSectionResizeMode(qt.QHeaderView.ResizeToContents)
        header.setSectionResizeMode(LEVEL, qt.QHeaderView.Stretch)
        # Low rows: a lumbar series has sixteen levels, to be seen at once.
        self.ui.levelTable.verticalHeader().setSectionResizeMode(qt.QHeaderView.ResizeToContents)

    def _connect(self, button: Any, action: Callable[[], object], failure: str) -> None:
        button.connect("clicked(bool)", lambda *arguments: self.panel.perform(failure, action))

    @property
    def selectedIds(self) -> list[str]:
        """IDs of the selected rows, from top to bottom."""
        rows = sorted({index.row() for index in self.ui.levelTable.selectionModel().selectedRows()})
        return [self.rows[row].segmentId for row in rows if row < len(self.rows)]

    @property
    def selectedLevel(self) -> LevelRow | None:
        """The one selected row; None when it is none or several."""
        selected = self.panel.selectedIds
        return next((level for level in self.rows if [level.segmentId] == selected), None)

    # Table

    def onCellClicked(self, row: int, column: int) -> None:
        """The visibility cell shows and hides; any other goes to the level."""
        level = self.rows[row]
        if column == VISIBLE:
            self.panel.segmentationNode.GetDisplayNode().SetSegmentVisibility(level.segmentId, not level.isVisible)
            self.panel.refreshLater()
        else:
            self.jumpTo(level)

    def jumpTo(self, level: LevelRow) -> None:
        """All views go to the middle of a level; an empty one is nowhere."""
        if level.centerRas is not None:
            jumpTo(self.panel.scene, level.centerRas)

    def jumpToLeastCertain(self) -> None:
        """Goes to the level with the lowest confidence, the next time to the next one. Raises InputError without any."""
        level = levels.leastCertain(self.rows, self._lastUncertain)
        if level is None:
            raise InputError(_("no level was drawn by the model"))
        self._lastUncertain = level.segmentId
        self.ui.levelTable.selectRow(self.rows.index(level))
        self.jumpTo(level)

    def onSelectionChanged(self) -> None:
        """The editor's brush works on the level that is selected."""
        if self._isRefreshing:
            return
        self._selection = self.selectedIds
        if self._selection and self.ui.segmentEditorWidget.currentSegmentID() not in self._selection:
            self.ui.segmentEditorWidget.setCurrentSegmentID(self._selection[0])
        if self.ui.isolateButton.checked:
            self._isolate(True)
        self._showValueAndName()
        self.panel.refreshLater()

    def onEditorSegmentChanged(self, segmentId: str) -> None:
        """A segment was selected in the editor: it is the selected level."""
        if not self._isRefreshing and segmentId and segmentId not in self._selection:
            self._selection = [segmentId]
            self._select()
            self._showValueAndName()
            self.panel.refreshLater()

    def _select(self) -> None:
        """Selects the rows of `_selection`, as far as there are such rows."""
        if set(self.selectedIds) == set(self._selection):
            return
        wasRefreshing, self._isRefreshing = self._isRefreshing, True
        table = self.ui.levelTable
        table.clearSelection()
        for row, level in enumerate(self.rows):
            if level.segmentId in self._selection:
                table.setRangeSelected(qt.QTableWidgetSelectionRange(row, COLOR, row, JUMP), True)
        self._isRefreshing = wasRefreshing

    def _showValueAndName(self) -> None:
        """The selected level and its own name are where they can be changed."""
        level = self.selectedLevel
        if level is None or level.value == 0:
            return
        value = level.value - PARTIAL_OFFSET if level.isPartial else level.value
        self.ui.levelValueComboBox.currentIndex = self._values.index(value)
        isVertebra = level.structure is Structure.VERTEBRA
        self.ui.levelNameLineEdit.text = namingOf(self.panel.segmentationNode).own_names.get(level_of(value), "") if isVertebra else ""

    def onIsolateToggled(self, isOn: bool) -> None:
        self.panel.perform(_("The level can't be shown alone."), lambda: self._isolate(isOn))

    def _isolate(self, isOn: bool) -> None:
        """Shows the selected levels only, or all again."""
        node, selected = self.panel.segmentationNode, self.panel.selectedIds
        if isOn and node is not None and selected:
            self._isolatedNode = node
            showSegmentAlone(node, selected[0])
            for other in selected[1:]:
                node.GetDisplayNode().SetSegmentVisibility(other, True)
        elif self._isolatedNode is not None:
            if self._isolatedNode.GetDisplayNode() is not None:
                showSegmentAlone(self._isolatedNode, None)
            self._isolatedNode = None

    # Levels

    def _change(self, tool: Callable[..., object], *arguments: Any) -> None:
        tool(self.panel.segmentationNode, *arguments, self.panel.history)

    def _toggleConfirmed(self) -> None:
        isConfirmed = namingOf(self.panel.segmentationNode).state is LevelState.CONFIRMED
        self._change(levels.unconfirmLevels if isConfirmed else levels.confirmLevels)

    def _rename(self) -> None:
        self._change(levels.renameLevel, self.panel.selectedId(), self.ui.levelNameLineEdit.text)

    def _setLevel(self) -> None:
        self._change(levels.setLevel, self.panel.selectedId(), self._values[self.ui.levelValueComboBox.currentIndex])

    def onLumbarCountChosen(self, index: int) -> None:
        self.panel.perform(_("The number of lumbar vertebrae can't be set."), lambda: self._change(levels.setLumbarCount, LUMBAR_COUNTS[index]))

    # Widgets

    def refresh(self) -> None:
        node = self.panel.segmentationNode
        if self._isolatedNode is not None and node is not self._isolatedNode:
            self.ui.isolateButton.checked = False
        self._isRefreshing = True
        try:
            self._readRows(node)
            self._fillTable()
        finally:
            self._isRefreshing = False
        self._refreshNaming()
        self._refreshButtons()

    def _readRows(self, node: Any) -> None:
        self.rows, self.problem = [], ""
        try:
            self.rows = levels.levelRows(node) if node is not None else []
        except SpiderSegError as error:
            self.problem = str(error)

    def _fillTable(self) -> None:
        table = self.ui.levelTable
        kept = [row for row in range(table.rowCount) if row < len(self.rows) and self._idOfRow(row) == self.rows[row].segmentId]
        if table.rowCount != len(self.rows) or len(kept) != len(self.rows):
            table.clearContents()
            table.setRowCount(len(self.rows))
        for row, level in enumerate(self.rows):
            for column, (text, toolTip) in enumerate(cellTexts(level)):
                self._setCell(row, column, text, toolTip, level)
        ids = [level.segmentId for level in self.rows]
        self._selection = [one for one in self._selection if one in ids] or [self.ui.segmentEditorWidget.currentSegmentID()]
        self._select()

    def _idOfRow(self, row: int) -> str:
        item = self.ui.levelTable.item(row, LEVEL)
        return "" if item is None else str(item.data(qt.Qt.UserRole))

    def _setCell(self, row: int, column: int, text: str, toolTip: str, level: LevelRow) -> None:
        item = self.ui.levelTable.item(row, column)
        if item is None:
            item = qt.QTableWidgetItem()
            self.ui.levelTable.setItem(row, column, item)
        item.setText(text)
        item.setToolTip(toolTip)
        if column == COLOR:
            item.setBackground(qt.QBrush(qt.QColor(*(round(255 * part) for part in level.color))))
        elif column == LEVEL:
            item.setData(qt.Qt.UserRole, level.segmentId)
        elif column == VISIBLE:
            item.setCheckState(qt.Qt.Checked if level.isVisible else qt.Qt.Unchecked)
            item.setFlags(qt.Qt.ItemIsEnabled | qt.Qt.ItemIsSelectable)
        elif column == CONFIDENCE:
            isLow = level.confidence is not None and level.confidence < LOW_CONFIDENCE
            item.setData(qt.Qt.BackgroundRole, qt.QBrush(qt.QColor(*AMBER)) if isLow else None)
            item.setData(qt.Qt.ForegroundRole, qt.QBrush(qt.QColor(0, 0, 0)) if isLow else None)

    def _refreshNaming(self) -> None:
        node = self.panel.segmentationNode
        self.ui.levelStateLabel.text = self.problem or stateText(node, self.rows)
        if node is None or self.problem:
            return
        naming = namingOf(node)
        self.ui.lumbarCountComboBox.currentIndex = LUMBAR_COUNTS.index(naming.lumbar_count)
        self.ui.confirmButton.text = _("Take back confirmation") if naming.state is LevelState.CONFIRMED else _("Confirm levels")
        chosen = self.ui.levelValueComboBox.currentIndex
        named = [(value, short_name(value, naming)) for value in label_table() if not is_partial(value)]
        texts = [name for _value, name in named]
        if [self.ui.levelValueComboBox.itemText(index) for index in range(self.ui.levelValueComboBox.count)] != texts:
            self.ui.levelValueComboBox.clear()
            self.ui.levelValueComboBox.addItems(texts)
            self.ui.levelValueComboBox.currentIndex = max(0, chosen)
        self._values = [value for value, _name in named]

    def _refreshButtons(self) -> None:
        without = (
            ""
            if any(level.value for level in self.rows)
            else self.problem or _("There are no levels yet: segment a series, or choose a segmentation.")
        )
        buttons = self.panel.buttons
        for button in (self.ui.shiftUpButton, self.ui.confirmButton, self.ui.unidentifiedButton):
            buttons.set(button, without)
        isLowest = any(level.value % 100 == 1 for level in self.rows if level.value != SPINAL_CANAL)
        lowest = _("The lowest level is 1 already. A lumbarized S1 is set by six lumbar vertebrae below; delete a segment that is no vertebra.")
        buttons.set(self.ui.shiftDownButton, without or (lowest if isLowest else ""))
        uncertain = any(level.confidence is not None for level in self.rows)
        buttons.set(self.ui.leastCertainButton, without or ("" if uncertain else _("No level of this segmentation was drawn by the model.")))
        chosen = "" if len(self.panel.selectedIds) == 1 else _("Select one level in the table first.")
        one = without or chosen
        buttons.set(self.ui.isolateButton, "" if self.ui.isolateButton.checked else one)
        buttons.set(self.ui.setLevelButton, chosen if self.rows else without)
        vertebra = one or ("" if self._isVertebraSelected() else _("Select a vertebra: discs and the canal have no such name or mark."))
        buttons.set(self.ui.renameButton, vertebra)
        buttons.set(self.ui.partialButton, vertebra)
        buttons.set(self.ui.lumbarCountComboBox, without)

    def _isVertebraSelected(self) -> bool:
        level = self.selectedLevel
        return level is not None and level.structure is Structure.VERTEBRA
