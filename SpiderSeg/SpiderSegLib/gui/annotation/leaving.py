"""Unsaved work: one question before it is left, also when the application closes."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Any

import qt
import slicer
from slicer.i18n import tr as _


class Answer(Enum):
    """What a person wants."""

    SAVE = "save"
    DISCARD = "discard"
    STAY = "stay"


def askAboutUnsaved(series: str, hasGradings: bool) -> Answer:
    """Asks whether the work on a series is saved, discarded, or gone on with; closing the question is staying."""
    box = qt.QMessageBox(slicer.util.mainWindow())
    box.setWindowTitle(_("Unsaved work"))
    text = _("{series} has unsaved work, gradings among it.") if hasGradings else _("{series} has unsaved work.")
    box.setText(text.format(series=series))
    box.setInformativeText(_("Save it as in progress, discard it, or stay with it?"))
    box.setStandardButtons(qt.QMessageBox.Save | qt.QMessageBox.Discard | qt.QMessageBox.Cancel)
    box.setDefaultButton(qt.QMessageBox.Save)
    box.button(qt.QMessageBox.Cancel).text = _("Stay")
    answers = {int(qt.QMessageBox.Save): Answer.SAVE, int(qt.QMessageBox.Discard): Answer.DISCARD}
    return answers.get(int(box.exec_()), Answer.STAY)


class CloseGuard(qt.QWidget):
    """Filter of the main window's events that lets it close only when `mayClose()` does.

    Slicer documents no other way for a module to stop the application from closing.
    """

    def __init__(self, mayClose: Callable[[], bool]) -> None:
        qt.QWidget.__init__(self)
        self._mayClose = mayClose

    def eventFilter(self, watched: Any, event: Any) -> bool:
        if event.type() != qt.QEvent.Close:
            return False
        mayClose = False
        # Whatever is wrong is shown, and the window stays: closing it would lose the work.
        with slicer.util.tryWithErrorDisplay(_("The unsaved work can't be saved."), waitCursor=False):
            mayClose = self._mayClose()
        if not mayClose:
            event.ignore()
        return not mayClose
