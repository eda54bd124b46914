"""Section Revisions and conflicts: two revisions of the open case side by side, how far they agree, and which one counts."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import qt
import slicer
from slicer.i18n import tr as _

from SpiderSegLib.agreement import Agreement
from SpiderSegLib.corrections import History, Revision
from SpiderSegLib.evaluation.report.wording import number
from SpiderSegLib.gui.annotation.case_section import shortTime
from SpiderSegLib.gui.annotation.pictures import showPng
from SpiderSegLib.gui.annotation.tables import fillTable, fitHeight
from SpiderSegLib.gui.messages import setMessage
from SpiderSegLib.labels import Structure

if TYPE_CHECKING:
    from SpiderSegLib.gui.annotation.workspace import Workspace


class RevisionsSection:
    """Compares revisions A and B, and settles conflicts."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self.ui = workspace.ui
        self._history: History | None = None
        self._revisions: list[Revision] = []
        self.ui.revisionTable.setRowCount(0)
        self.ui.revisionTable.horizontalHeader().setSectionResizeMode(qt.QHeaderView.Stretch)
        for box in (self.ui.revisionAComboBox, self.ui.revisionBComboBox):
            box.connect("activated(int)", self.onRevisionChosen)
        self._connect(self.ui.compareButton, self._compare, _("The revisions can't be compared."))
        self.ui.showBothButton.connect("toggled(bool)", self.onShowBothToggled)
        self._connect(self.ui.keepScreenButton, lambda: self._settle(""), _("The conflict can't be settled."))
        self._connect(self.ui.keepAButton, lambda: self._settle("" if self.a is None else self.a.id), _("The conflict can't be settled."))
        self._connect(self.ui.keepBButton, lambda: self._settle("" if self.b is None else self.b.id), _("The conflict can't be settled."))
        self._clear()

    def _connect(self, button: Any, action: Callable[[], object], failure: str) -> None:
        button.connect("clicked(bool)", lambda *arguments: self.workspace.perform(failure, action))

    @property
    def a(self) -> Revision | None:
        """The first of the two revisions; None when there is none."""
        return self._chosen(self.ui.revisionAComboBox)

    @property
    def b(self) -> Revision | None:
        return self._chosen(self.ui.revisionBComboBox)

    def _chosen(self, box: Any) -> Revision | None:
        return self._revisions[box.currentIndex] if 0 <= box.currentIndex < len(self._revisions) else None

    @property
    def heads(self) -> tuple[Revision, ...]:
        """The sides of the conflict; empty when there is none."""
        return self._history.heads if self._history is not None and self._history.is_conflict else ()

    # Buttons

    def onRevisionChosen(self, *arguments: Any) -> None:
        self._clear()
        self._fillRevisions()
        self.workspace.panel.refreshLater()

    def _compare(self) -> None:
        a, b = self.a, self.b
        if a is None or b is None:
            return
        with slicer.util.WaitCursor():
            agreement, png = self.workspace.opened.compare(a.id, b.id)
        fillTable(self.ui.agreementTable, agreementRows(agreement))
        fitHeight(self.ui.agreementTable)
        setMessage(self.ui.agreementLabel, "\n".join(summaryLines(agreement)))
        showPng(self.ui.agreementPictureLabel, png)

    def onShowBothToggled(self, isOn: bool) -> None:
        """Draws the sides of the conflict over the image, or takes them away again."""

        def show() -> None:
            case = self.workspace.current
            if case is not None and isOn:
                self.workspace.opened.showConflict(case.series)
            else:
                self.workspace.opened.hideConflict()

        self.workspace.perform(_("The masks can't be shown."), show)

    def _settle(self, revisionId: str) -> None:
        """A side counts from now on, or with '' what is on screen."""
        result = self.workspace.opened.settle(revisionId, self.workspace.case.comment)
        self.workspace.showCase()
        self.workspace.case.afterSave(result)
        self.workspace.findings.check()

    # Widgets

    def onCaseChanged(self) -> None:
        """Another case is open, or another revision of it was saved: a conflict's sides are chosen, else the last two revisions."""
        case = self.workspace.current
        self._history = None if case is None else self.workspace.opened.revisions(case.series)
        self._revisions = [] if self._history is None else list(self._history.revisions)[::-1]
        chosen = self._toBegin()
        for box, index in zip((self.ui.revisionAComboBox, self.ui.revisionBComboBox), chosen, strict=True):
            box.clear()
            box.addItems([_title(revision) for revision in self._revisions])
            box.currentIndex = index
        self._clear()
        self._fillRevisions()
        self._releaseShowBoth()
        setMessage(self.ui.conflictLabel, self._conflictText())
        if self.heads:
            self.ui.revisionsCollapsibleButton.collapsed = False

    def _releaseShowBoth(self) -> None:
        """What was drawn went with the case, or with its settling."""
        self.ui.showBothButton.blockSignals(True)
        self.ui.showBothButton.checked = False
        self.ui.showBothButton.blockSignals(False)

    def _toBegin(self) -> tuple[int, int]:
        if self.heads:
            return self._revisions.index(self.heads[0]), self._revisions.index(self.heads[1])
        count = len(self._revisions)
        return (min(1, count - 1), 0) if count else (-1, -1)

    def _conflictText(self) -> str:
        if not self.heads:
            return ""
        names = ", ".join(dict.fromkeys(head.annotator for head in self.heads))
        return _("Conflict: {names} went on from the same mask. Compare both, and keep one.").format(names=names)

    def _clear(self) -> None:
        fillTable(self.ui.agreementTable, [])
        setMessage(self.ui.agreementLabel, "")
        showPng(self.ui.agreementPictureLabel, None)

    def _fillRevisions(self) -> None:
        """The two revisions side by side."""
        a, b = self.a, self.b
        table = self.ui.revisionTable
        if a is None or b is None:
            fillTable(table, [])
            return
        columns = [factsOf(a), factsOf(b)]
        fillTable(table, [[column[title] for column in columns] for title in columns[0]])
        table.setVerticalHeaderLabels(list(columns[0]))
        fitHeight(table)

    def refresh(self) -> None:
        buttons, a, b = self.workspace.panel.buttons, self.a, self.b
        without = _("Open a case first.") if self.workspace.current is None else _("Nobody has saved this case yet.") if a is None else ""
        for box in (self.ui.revisionAComboBox, self.ui.revisionBComboBox):
            buttons.set(box, without)
        same = _("Choose two different revisions.") if a is b else ""
        buttons.set(self.ui.compareButton, without or same)
        noConflict = "" if self.heads else _("There is no conflict.")
        for button in (self.ui.showBothButton, self.ui.keepScreenButton):
            buttons.set(button, without or noConflict)
        for button, revision in ((self.ui.keepAButton, a), (self.ui.keepBButton, b)):
            noSide = "" if revision in self.heads else _("This revision is no side of the conflict: others went on from it.")
            buttons.set(button, without or noConflict or noSide)


def _title(revision: Revision) -> str:
    who = revision.source_model if revision.is_by_model else revision.annotator
    return f"{shortTime(revision.created_utc)} {who}, {revision.status.value} ({revision.id[:8]})"


def factsOf(revision: Revision) -> dict[str, str]:
    """What is told of a revision, by title."""
    changes = revision.to_parent
    voxels = "" if changes is None else f"{changes.voxels_changed:,}"
    return {
        _("Annotator"): revision.source_model if revision.is_by_model else revision.annotator,
        _("Saved (UTC)"): shortTime(revision.created_utc),
        _("Status"): revision.status.value,
        _("Made"): revision.provenance.value,
        _("Minutes"): f"{revision.minutes:.1f}",
        _("Voxels changed"): voxels,
        _("Findings"): ", ".join(f"{count} {name}" for name, count in revision.findings.items() if count),
        _("Comment"): "; ".join(text for text in (revision.reason, revision.comment) if text),
    }


def agreementRows(agreement: Agreement) -> list[list[str]]:
    """A row a structure."""
    return [
        [
            one.structure.name.lower(),
            number(one.dice),
            number(one.instance_dice),
            number(one.asd_mm),
            str(one.matched),
            str(len(one.only_a)),
            str(len(one.only_b)),
        ]
        for one in agreement.structures
    ]


def summaryLines(agreement: Agreement) -> list[str]:
    """Levels and voxels that agree, a sentence each."""
    leveled = [row for row in agreement.levels if row.structure is not Structure.CANAL]
    lines = [
        _("{same} of {count} vertebrae and discs match and carry the same number").format(
            same=sum(row.is_level_same for row in leveled), count=len(leveled)
        )
    ]
    if agreement.voxels_labeled:
        text = _("{different} of {labeled} labeled voxels differ")
        lines.append(text.format(different=f"{agreement.voxels_different:,}", labeled=f"{agreement.voxels_labeled:,}"))
    return [*lines, *([agreement.shift.text] if agreement.shift else [])]
