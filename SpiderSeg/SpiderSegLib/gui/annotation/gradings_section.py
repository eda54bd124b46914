"""Section Gradings: a row a disc, a box for everything that is graded."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import qt
from slicer.i18n import tr as _

from SpiderSegLib.gradings import GRADED_ITEMS, HIGHEST_DISC, NO_DISC, DiscGrading, GradedItem, PatientGradings
from SpiderSegLib.gui.messages import setMessage
from SpiderSegLib.labels import DISC_OFFSET, Structure, structure_of
from SpiderSegLib.level_names import LevelNaming, short_name
from SpiderSegLib.mrml.segments import namingOf, taggedSegments

if TYPE_CHECKING:
    from SpiderSegLib.gui.annotation.workspace import Workspace

#: Rows that are always there: the lumbar discs.
LUMBAR_DISCS = 5


class GradingsSection:
    """Shows and changes the gradings of the open case's patient; what one changes is shown until it is saved or left."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self.ui = workspace.ui
        self._saved: PatientGradings | None = None
        self._shown: PatientGradings | None = None
        self._levels: list[int] = []
        self._wheelGuard = WheelGuard()
        table = self.ui.gradingsTable
        table.setColumnCount(len(GRADED_ITEMS))
        for column, item in enumerate(GRADED_ITEMS):
            title = qt.QTableWidgetItem(item.column)
            title.setToolTip(_toolTip(item))
            table.setHorizontalHeaderItem(column, title)
        self.ui.saveGradingsButton.connect("clicked(bool)", self.onSaveButton)

    @property
    def isModified(self) -> bool:
        """Whether something was graded and not saved."""
        return self._shown != self._saved

    def onSaveButton(self, *arguments: Any) -> None:
        self.workspace.perform(_("The gradings can't be saved."), self.saveIfModified)

    def saveIfModified(self) -> None:
        """Saves the gradings when they changed. Raises ProjectError, OutputError."""
        if self.isModified and self._shown is not None:
            self.workspace.opened.saveGradings(self._shown)
            self._saved = self._shown
            self.workspace.panel.refreshLater()

    def onGradeChosen(self, level: int, item: GradedItem, index: int) -> None:
        """The first entry of a box is 'not graded'."""
        if self._shown is not None:
            grade = None if index == 0 else item.values[index - 1]
            disc: DiscGrading = replace(self._shown.disc(level), **{item.key: grade})  # type: ignore[arg-type]
            self._shown = self._shown.with_disc(disc)
            self.workspace.opened.timer.touch()
            self.workspace.panel.refreshLater()

    # Widgets

    def onCaseChanged(self) -> None:
        """Another case is open, or none."""
        patient = self._patient()
        self._saved = self._shown = None if patient is None else self.workspace.opened.gradings(patient)
        self._levels = []
        self._fill()

    def _patient(self) -> str | None:
        case = self.workspace.current
        summary = None if case is None else self.workspace.summaries.get(case.series)
        return None if summary is None else summary.patient_id

    def _fill(self) -> None:
        """Makes the rows anew when other discs are on the screen, else only their names."""
        levels, naming = self._wanted()
        table = self.ui.gradingsTable
        if levels != self._levels:
            self._levels = levels
            table.setRowCount(0)
            table.setRowCount(len(levels))
            for row, level in enumerate(levels):
                for column, item in enumerate(GRADED_ITEMS):
                    table.setCellWidget(row, column, self._box(level, item))
            table.resizeColumnsToContents()
        table.setVerticalHeaderLabels([short_name(DISC_OFFSET + level, naming) for level in levels])

    def _wanted(self) -> tuple[list[int], LevelNaming]:
        """The discs from the lowest up: the lumbar ones, those that are drawn, and those that are graded."""
        node = self.workspace.panel.segmentationNode
        if self._shown is None or self.workspace.current is None:
            return [], LevelNaming()
        drawn = set() if node is None else {tags.value - DISC_OFFSET for _id, _segment, tags in taggedSegments(node) if _isDisc(tags.value)}
        graded = {disc.level for disc in self._shown.discs} - {NO_DISC}
        levels = {*range(1, LUMBAR_DISCS + 1), *drawn, *graded}
        return sorted(level for level in levels if level <= HIGHEST_DISC), LevelNaming() if node is None else namingOf(node)

    def _box(self, level: int, item: GradedItem) -> Any:
        assert self._shown is not None
        box = qt.QComboBox()
        box.addItems(["", *(grade.name for grade in item.grades)])
        grade = self._shown.disc(level).grade(item.key)
        box.currentIndex = 0 if grade is None else 1 + item.values.index(grade)
        box.toolTip = _toolTip(item)
        box.accessibleName = f"{item.title} {level}"
        box.setFocusPolicy(qt.Qt.StrongFocus)
        box.installEventFilter(self._wheelGuard)
        box.connect("activated(int)", lambda index: self.onGradeChosen(level, item, index))
        return box

    def refresh(self) -> None:
        self._fill()
        without = "" if self._shown is not None else _("Open a case first.")
        saved = "" if self.isModified else _("Nothing was changed since the gradings were saved.")
        self.workspace.panel.buttons.set(self.ui.saveGradingsButton, without or saved)
        patient = self._patient()
        text = "" if patient is None else _("Patient {patient}").format(patient=patient)
        setMessage(self.ui.gradingsLabel, _("{patient}, not saved yet").format(patient=text) if self.isModified else text)


class WheelGuard(qt.QWidget):
    """Filter of a box's events: turning the wheel scrolls the table, and does not change a grade unseen."""

    def eventFilter(self, watched: Any, event: Any) -> bool:
        if event.type() != qt.QEvent.Wheel:
            return False
        event.ignore()
        return True


def _isDisc(value: int) -> bool:
    return structure_of(value) is Structure.DISC


def _toolTip(item: GradedItem) -> str:
    lines = [f"{grade.name}: {grade.meaning}" for grade in item.grades if grade.meaning]
    return "\n".join([item.title, *lines])
