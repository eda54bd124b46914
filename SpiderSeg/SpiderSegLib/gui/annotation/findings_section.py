"""Section Findings: what the linter says of the open case; a click goes there. It warns and never blocks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import qt
from slicer.i18n import tr as _

from SpiderSegLib.gui.messages import setMessage
from SpiderSegLib.linter import Finding, Severity, counts_text, finding_counts
from SpiderSegLib.mrml.display import jumpTo
from SpiderSegLib.mrml.volumes import rasOf

if TYPE_CHECKING:
    from SpiderSegLib.gui.annotation.workspace import Workspace

ICON, TEXT = range(2)


class FindingsSection:
    """Shows the findings of the last look."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self.ui = workspace.ui
        self.findings: tuple[Finding, ...] = ()
        self._isChecked = False
        header = self.ui.findingsTable.horizontalHeader()
        header.setSectionResizeMode(ICON, qt.QHeaderView.ResizeToContents)
        header.setSectionResizeMode(TEXT, qt.QHeaderView.Stretch)
        self.ui.findingsTable.verticalHeader().setSectionResizeMode(qt.QHeaderView.ResizeToContents)
        self.ui.findingsTable.connect("cellClicked(int,int)", self.onCellClicked)
        self.ui.checkFindingsButton.connect("clicked(bool)", self.onCheckButton)
        self.ui.nextFindingButton.connect("clicked(bool)", self.onNextButton)

    def onCheckButton(self, *arguments: Any) -> None:
        self.workspace.perform(_("The segmentation can't be checked."), self.check)

    def check(self) -> None:
        """Looks at what is on screen. Raises SpiderSegError."""
        self.show(self.workspace.opened.findings())

    def onCellClicked(self, row: int, column: int) -> None:
        self._jumpTo(self.findings[row])

    def onNextButton(self, *arguments: Any) -> None:
        """The next finding after the selected one that has a place, and the first after the last."""
        self.workspace.opened.timer.touch()
        count, selected = len(self.findings), self._selectedRow()
        for row in ((selected + step) % count for step in range(1, count + 1)):
            if self.findings[row].location_lps_mm is not None:
                self.ui.findingsTable.selectRow(row)
                self._jumpTo(self.findings[row])
                return

    def _selectedRow(self) -> int:
        rows = self.ui.findingsTable.selectionModel().selectedRows()
        return int(rows[0].row()) if rows else -1

    def _jumpTo(self, finding: Finding) -> None:
        if finding.location_lps_mm is not None:
            jumpTo(self.workspace.panel.scene, rasOf(finding.location_lps_mm))

    # Widgets

    def onCaseChanged(self) -> None:
        """Another case is open, or none: what was found in the last one is of no use."""
        self.show(())
        self._isChecked = False
        if self.workspace.current is not None:
            self.check()

    def show(self, findings: Sequence[Finding]) -> None:
        """Shows what was found, the worst first."""
        self.findings, self._isChecked = tuple(findings), True
        table = self.ui.findingsTable
        table.clearContents()
        table.setRowCount(len(self.findings))
        for row, finding in enumerate(self.findings):
            icon = qt.QTableWidgetItem()
            icon.setIcon(table.style().standardIcon(_icon(finding.severity)))
            text = qt.QTableWidgetItem(finding.message)
            for column, item in ((ICON, icon), (TEXT, text)):
                item.setToolTip(f"{finding.severity.value}: {finding.advice}")
                table.setItem(row, column, item)
        self.workspace.panel.refreshLater()

    def refresh(self) -> None:
        buttons = self.workspace.panel.buttons
        without = "" if self.workspace.current is not None else _("Open a case first.")
        buttons.set(self.ui.checkFindingsButton, without)
        hasPlace = any(finding.location_lps_mm is not None for finding in self.findings)
        buttons.set(self.ui.nextFindingButton, without or ("" if hasPlace else _("There is no finding to go to.")))
        setMessage(self.ui.findingsLabel, "" if without or not self._isChecked else self._summary())

    def _summary(self) -> str:
        if not self.findings:
            return _("Nothing was found.")
        return counts_text(finding_counts(self.findings))


def _icon(severity: Severity) -> Any:
    icons = {
        Severity.ERROR: qt.QStyle.SP_MessageBoxCritical,
        Severity.WARNING: qt.QStyle.SP_MessageBoxWarning,
        Severity.NOTE: qt.QStyle.SP_MessageBoxInformation,
    }
    return icons[severity]
