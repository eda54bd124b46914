"""What a person does and sees: real mouse and key events, waiting for something to happen, pictures of widgets."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

POLL_MS = 5
WATCH_INTERVAL_MS = 10

# Object names of what was clicked since the process started, for a test that every button has a test.
clicked: set[str] = set()


def wait_until(predicate: Callable[[], Any], timeout_s: float = 10.0, what: str = "") -> Any:
    """Spins Qt's event loop until `predicate()` is true and returns its value; AssertionError after `timeout_s`."""
    from PySide6.QtCore import QCoreApplication, QDeadlineTimer, QEventLoop, Qt
    from PySide6.QtTest import QTest

    deadline = QDeadlineTimer(int(timeout_s * 1000), Qt.TimerType.PreciseTimer)
    while not (value := predicate()):
        if deadline.hasExpired():
            raise AssertionError(f"not within {timeout_s} s: {what or predicate}")
        QCoreApplication.processEvents(QEventLoop.ProcessEventsFlag.AllEvents)
        QTest.qWait(POLL_MS)
    return value


def spin(duration_s: float = 0.0) -> None:
    """Lets Qt handle its events, for at least `duration_s`."""
    from PySide6.QtCore import QCoreApplication

    end = time.monotonic() + duration_s
    QCoreApplication.processEvents()
    while time.monotonic() < end:
        QCoreApplication.processEvents()
        time.sleep(POLL_MS / 1000)


def click(widget: Any, position: Any = None) -> None:
    """A left click with real mouse events. A hidden or disabled widget cannot be clicked: AssertionError says which."""
    from PySide6.QtCore import QCoreApplication, Qt
    from PySide6.QtTest import QTest

    name = f"{type(widget).__name__} '{widget.objectName}'"
    if not widget.visible:
        raise AssertionError(f"{name} is not visible: nobody can click it")
    if not widget.enabled:
        raise AssertionError(f"{name} is disabled: {widget.toolTip}")
    if position is None:
        position = widget.clickPosition() if hasattr(widget, "clickPosition") else _indicator_or_center(widget)
    clicked.add(widget.objectName)
    QTest.mouseClick(widget, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, position)
    QCoreApplication.processEvents()


def type_text(widget: Any, text: str) -> None:
    """Replaces the text of a line edit or spin box with key events, and leaves it."""
    from PySide6.QtCore import QCoreApplication, Qt
    from PySide6.QtTest import QTest

    widget.setFocus()
    widget.selectAll()
    QTest.keyClicks(widget, text)
    QTest.keyClick(widget, Qt.Key.Key_Return)
    QCoreApplication.processEvents()


def press_key(widget: Any, key: Any, modifiers: Any = None) -> None:
    """One key, with modifiers such as qt.Qt.ControlModifier; shortcuts see it if `widget`'s window is shown."""
    from PySide6.QtCore import QCoreApplication, Qt
    from PySide6.QtTest import QTest

    QTest.keyClick(widget, Qt.Key(int(key)), Qt.KeyboardModifier(int(modifiers or 0)))
    QCoreApplication.processEvents()


def choose(combo_box: Any, text: str) -> None:
    """Chooses an entry of a QComboBox, or of a node combo box, by its text, as a user does."""
    inner = combo_box._combo_box if hasattr(combo_box, "_combo_box") else combo_box
    index = inner.findText(text)
    if index < 0 or not combo_box.enabled:
        entries = [inner.itemText(index) for index in range(inner.count)]
        raise AssertionError(f"'{combo_box.objectName}' (enabled: {combo_box.enabled}) offers {entries}, not '{text}'")
    inner.currentIndex = index
    inner.activated.emit(index)


def grab(widget: Any, path: str | Path | None = None) -> Any:
    """A picture of the widget as it is on the screen: saved as PNG if there is a path, else a (row, column, RGB) array of bytes."""
    import numpy as np
    from PySide6.QtCore import QCoreApplication
    from PySide6.QtGui import QImage

    QCoreApplication.processEvents()
    image = widget.grab().toImage().convertToFormat(QImage.Format.Format_RGB888)
    if path is not None:
        if not image.save(str(path)):
            raise OSError(f"cannot write the picture {path}")
        return None
    rows = np.frombuffer(image.constBits(), np.uint8).reshape(image.height(), image.bytesPerLine())
    return rows[:, : image.width() * 3].reshape(image.height(), image.width(), 3).copy()


def buttons(widget: Any) -> dict[str, Any]:
    """The buttons in a widget by their object name: what a person can press, without those inside other widgets (spin boxes, stand-ins)."""
    from PySide6.QtWidgets import QAbstractButton

    return {
        button.objectName: button for button in widget.findChildren(QAbstractButton) if button.objectName and not button.objectName.startswith("qt_")
    }


class EventLoopWatch:
    """Context manager that measures for how long the event loop stood still: `longest_gap_s` between two ticks of a 10 ms timer."""

    def __init__(self) -> None:
        from PySide6.QtCore import QTimer

        self.longest_gap_s = 0.0
        self._last = 0.0
        self._timer = QTimer()
        self._timer.interval = WATCH_INTERVAL_MS
        self._timer.connect("timeout()", self._tick)

    def __enter__(self) -> EventLoopWatch:
        self._last = time.perf_counter()
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._tick()
        self._timer.stop()

    def _tick(self) -> None:
        now = time.perf_counter()
        self.longest_gap_s = max(self.longest_gap_s, now - self._last)
        self._last = now


def _indicator_or_center(widget: Any) -> Any:
    """A check box is clicked on its box: far right of its text Qt does not count the click."""
    from PySide6.QtCore import QPoint
    from PySide6.QtWidgets import QCheckBox, QRadioButton

    if isinstance(widget, QCheckBox | QRadioButton):
        return QPoint(8, widget.height // 2)
    return widget.rect.center()
