"""Modal dialogs: a test says beforehand what the person answers, and one that nobody answers is an error instead of a hang."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from PySide6 import QtCore, QtGui, QtWidgets


class UnansweredDialog(AssertionError):
    """A modal dialog opened and no `answering(...)` was there for it."""


@dataclass(frozen=True)
class ShownDialog:
    """A dialog that was opened: its kind (class or static function), its title and text, and what was answered."""

    kind: str
    title: str
    text: str
    answer: Any


shown_dialogs: list[ShownDialog] = []
_answers: list[Any] = []


@contextmanager
def answering(*answers: Any) -> Iterator[list[ShownDialog]]:
    """Answers the dialogs opened inside, in order; gives those that were shown and fails if an answer was not asked for.

    An answer is a button (qt.QMessageBox.Yes), a result code, a path for a file dialog ("" is Cancel), an action's text for a menu,
    or a function that is given the dialog on the screen and returns one of these.
    """
    first = len(shown_dialogs)
    _answers.extend(answers)
    shown: list[ShownDialog] = []
    try:
        yield shown
        shown.extend(shown_dialogs[first:])
        if _answers:
            raise AssertionError(f"no dialog asked for {_answers!r}")
    finally:
        _answers.clear()


def patch_dialogs() -> None:
    """Replaces whatever waits for a person: exec of dialogs and menus, QMessageBox's and QFileDialog's static functions."""
    for cls in (QtWidgets.QDialog, QtWidgets.QMessageBox, QtWidgets.QFileDialog, QtWidgets.QProgressDialog, QtWidgets.QInputDialog):
        cls.exec = cls.exec_ = _run_dialog
    QtWidgets.QMenu.exec = QtWidgets.QMenu.exec_ = _run_menu
    for cls in (QtCore.QCoreApplication, QtGui.QGuiApplication, QtWidgets.QApplication, QtCore.QEventLoop):
        cls.exec_ = cls.exec
    for name in ("question", "information", "warning", "critical"):
        setattr(QtWidgets.QMessageBox, name, staticmethod(_message_box(name)))
    for name in ("getOpenFileName", "getOpenFileNames", "getSaveFileName", "getExistingDirectory"):
        setattr(QtWidgets.QFileDialog, name, staticmethod(_file_dialog(name)))
    for name in ("getText", "getInt", "getDouble", "getItem", "getMultiLineText"):
        setattr(QtWidgets.QInputDialog, name, staticmethod(_unknown_result(f"QInputDialog.{name}")))


def _take(kind: str, title: str, text: str, dialog: Any = None) -> Any:
    if not _answers:
        raise UnansweredDialog(f"{kind} '{title}': {text}")
    answer = _answers.pop(0)
    if callable(answer) and not isinstance(answer, type):
        answer = answer(dialog)
    shown_dialogs.append(ShownDialog(kind, title, text, answer))
    return answer


def _run_dialog(self: QtWidgets.QDialog) -> int:
    self.show()
    QtCore.QCoreApplication.processEvents()
    text = self.property("text") or self.property("labelText") or "\n".join(label.text for label in self.findChildren(QtWidgets.QLabel))
    try:
        answer = int(_take(type(self).__name__, self.windowTitle, text, self))
        if isinstance(self, QtWidgets.QMessageBox):
            button = self.button(QtWidgets.QMessageBox.StandardButton(answer))
            if button is None:
                raise AssertionError(f"the message box has no button {answer}: {text}")
            button.click()
        else:
            self.done(answer)
    finally:
        self.hide()
    return answer


def _run_menu(self: QtWidgets.QMenu, *_position: Any) -> QtGui.QAction | None:
    actions = {action.text: action for action in self.actions() if not action.isSeparator()}
    wanted = _take("QMenu", self.title, ", ".join(actions), self)
    if not wanted:
        return None
    if wanted not in actions or not actions[wanted].enabled:
        raise AssertionError(f"the menu offers {list(actions)}, not an enabled '{wanted}'")
    actions[wanted].trigger()
    return actions[wanted]


def _message_box(name: str) -> Callable[..., int]:
    def show(_parent: Any, title: str, text: str, *_buttons: Any) -> int:
        return int(_take(f"QMessageBox.{name}", title, text))

    return show


def _file_dialog(name: str) -> Callable[..., Any]:
    """One of QFileDialog's static functions; they return the path alone, where PySide6 returns a pair with the filter."""

    def choose(_parent: Any = None, caption: str = "", directory: str = "", *_more: Any) -> Any:
        answer = _take(f"QFileDialog.{name}", caption, directory)
        return [str(path) for path in answer] if name == "getOpenFileNames" else str(answer)

    return choose


def _unknown_result(name: str) -> Callable[..., Any]:
    def refuse(*_arguments: Any) -> Any:
        raise NotImplementedError(f"{name}: what PythonQt returns for its output argument is not documented; use a dialog of your own")

    return refuse
