"""Keys for what is done a hundred times a day; they work while the module is shown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import qt
import slicer
from slicer.i18n import tr as _

if TYPE_CHECKING:
    from SpiderSegLib.gui.panel import Panel


class Shortcuts:
    """Keys that press the panel's buttons, so that a disabled button's key does nothing either."""

    def __init__(self, panel: Panel) -> None:
        self.panel = panel
        self._shortcuts: list[Any] = []
        #: Slicer's own actions whose keys are borrowed, with those keys.
        self._borrowed: list[tuple[Any, Any]] = []
        self._isInstalled = False
        panel.ui.shortcutsLabel.text = self.text()

    def buttons(self) -> tuple[tuple[str, Any], ...]:
        """Key and button. Shift with a letter is free in Slicer's views and in its Segment Editor."""
        ui = self.panel.ui
        return (
            ("Shift+N", ui.leastCertainButton),
            ("Shift+PgUp", ui.shiftUpButton),
            ("Shift+PgDown", ui.shiftDownButton),
            ("Shift+C", ui.confirmButton),
            ("Shift+P", ui.partialButton),
            ("Shift+X", ui.splitButton),
            ("Shift+M", ui.mergeButton),
            ("Shift+V", ui.addVertebraButton),
            ("Shift+D", ui.addDiscButton),
            ("Shift+R", ui.rerunButton),
            ("Shift+B", ui.revertButton),
            ("Shift+I", ui.islandsButton),
            ("Shift+H", ui.holesButton),
            ("Shift+S", ui.smoothButton),
        )

    def projectButtons(self) -> tuple[tuple[str, Any], ...]:
        """Key and button while a project is open; Ctrl+S is Slicer's Save otherwise."""
        ui = self.panel.ui
        return (
            ("Ctrl+N", ui.nextCaseButton),
            ("Ctrl+P", ui.previousCaseButton),
            ("Ctrl+S", ui.saveCaseButton),
            ("Ctrl+D", ui.doneCaseButton),
            ("Shift+F", ui.nextFindingButton),
        )

    def text(self) -> str:
        """The list people read."""
        lines = [f"{key}   {button.text}" for key, button in self.buttons()]
        ofProject = [_("{key}   {button}, in a project").format(key=key, button=button.text) for key, button in self.projectButtons()]
        return "\n".join([*lines, *ofProject, _("1, 2, .. and Ctrl+Z, Ctrl+Y are those of Slicer's Segment Editor")])

    def install(self) -> None:
        """Makes the keys work, the Segment Editor's own included; without a main window there is nothing to press them in."""
        self.remove()
        self._isInstalled = True
        self.panel.ui.segmentEditorWidget.installKeyboardShortcuts()
        window = slicer.util.mainWindow()
        if window is None:
            return
        for key, button in (*self.buttons(), *(self.projectButtons() if self.panel.annotation.isOpen else ())):
            shortcut = qt.QShortcut(window)
            shortcut.setKey(qt.QKeySequence(key))
            shortcut.connect("activated()", button.click)
            self._shortcuts.append(shortcut)
            self._borrow(window, key)

    def _borrow(self, window: Any, key: str) -> None:
        """Takes a key from Slicer's own actions: with two receivers a key does nothing at all."""
        wanted = qt.QKeySequence(key).toString()
        for action in window.findChildren(qt.QAction):
            if action.shortcut.toString() == wanted:
                self._borrowed.append((action, action.shortcut))
                action.shortcut = qt.QKeySequence()

    def refresh(self) -> None:
        """A project was opened or closed."""
        if self._isInstalled:
            self.install()

    def remove(self) -> None:
        """Gives the keys back, for another module."""
        self._isInstalled = False
        self.panel.ui.segmentEditorWidget.uninstallKeyboardShortcuts()
        for shortcut in self._shortcuts:
            shortcut.setParent(None)
        for action, key in self._borrowed:
            action.shortcut = key
        self._shortcuts, self._borrowed = [], []
