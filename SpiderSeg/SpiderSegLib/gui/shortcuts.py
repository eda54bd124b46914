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

    def text(self) -> str:
        """The list people read."""
        lines = [f"{key}   {button.text}" for key, button in self.buttons()]
        return "\n".join([*lines, _("1, 2, .. and Ctrl+Z, Ctrl+Y are those of Slicer's Segment Editor")])

    def install(self) -> None:
        """Makes the keys work, the Segment Editor's own included; without a main window there is nothing to press them in."""
        self.remove()
        self.panel.ui.segmentEditorWidget.installKeyboardShortcuts()
        window = slicer.util.mainWindow()
        if window is None:
            return
        for key, button in self.buttons():
            shortcut = qt.QShortcut(window)
            shortcut.setKey(qt.QKeySequence(key))
            shortcut.connect("activated()", button.click)
            self._shortcuts.append(shortcut)

    def remove(self) -> None:
        """Takes the keys back, for another module."""
        self.panel.ui.segmentEditorWidget.uninstallKeyboardShortcuts()
        for shortcut in self._shortcuts:
            shortcut.setParent(None)
        self._shortcuts = []
