"""CTK's widgets: a collapsible section, a slider with its spin box, a path edit, a combo box and the message box of slicer.util."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import QPoint, QRect, Qt, Signal
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import (
    QAbstractButton,
    QComboBox,
    QDoubleSpinBox,
    QHBoxLayout,
    QLineEdit,
    QMessageBox,
    QSlider,
    QStyle,
    QStyleOption,
    QToolButton,
    QWidget,
)

from harness.pythonqt.ui_loader import register_stand_in
from harness.widgets.stored_property import add_setters, stored_property

_HEADER_HEIGHT = 24
_SLIDER_STEPS = 1000


@register_stand_in
@add_setters
class ctkCollapsibleButton(QAbstractButton):
    """A section with a title; a click on the title shows or hides what is in it."""

    contentsCollapsed = Signal(bool)

    def __init__(self, *arguments: Any) -> None:
        text = arguments[0] if arguments and isinstance(arguments[0], str) else ""
        parents = [argument for argument in arguments if isinstance(argument, QWidget)]
        super().__init__(*parents)
        self.text = text
        self.checkable = True
        self.checked = True
        self.setContentsMargins(0, _HEADER_HEIGHT, 0, 0)
        self.connect("toggled(bool)", self._show_contents)

    def _collapsed_changed(self) -> None:
        self.checked = not self.collapsed

    collapsed = stored_property(bool, "collapsed", False, _collapsed_changed)
    collapsedHeight = stored_property(int, "collapsedHeight", 10)

    def _show_contents(self, shown: bool) -> None:
        vars(self)["_collapsed"] = not shown
        for child in self.children():
            if isinstance(child, QWidget):
                child.visible = shown
        self.maximumHeight = 16777215 if shown else _HEADER_HEIGHT
        self.contentsCollapsed.emit(not shown)

    def hitButton(self, position: QPoint) -> bool:
        return position.y() < _HEADER_HEIGHT

    def clickPosition(self) -> QPoint:
        """Where a person clicks it: on the title, not in the middle of the contents."""
        return QPoint(_HEADER_HEIGHT, _HEADER_HEIGHT // 2)

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        header = QRect(0, 0, self.width, _HEADER_HEIGHT)
        painter.fillRect(header, self.palette.button())
        arrow = QStyleOption()
        arrow.rect = QRect(6, 7, 10, 10)
        arrow.state = QStyle.StateFlag.State_Enabled
        element = QStyle.PrimitiveElement.PE_IndicatorArrowRight if self.collapsed else QStyle.PrimitiveElement.PE_IndicatorArrowDown
        self.style().drawPrimitive(element, arrow, painter, self)
        painter.drawText(header.adjusted(_HEADER_HEIGHT, 0, 0, 0), Qt.AlignmentFlag.AlignVCenter | Qt.TextFlag.TextShowMnemonic, self.text)
        painter.end()


@register_stand_in
@add_setters
class ctkSliderWidget(QWidget):
    """A slider and a spin box with one value of type double."""

    valueChanged = Signal(float)
    valueIsChanging = Signal(float)
    rangeChanged = Signal(float, float)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._slider = QSlider(Qt.Orientation.Horizontal, self)
        self._slider.maximum = _SLIDER_STEPS
        self._spin_box = QDoubleSpinBox(self)
        self._spin_box.keyboardTracking = False
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._slider)
        layout.addWidget(self._spin_box)
        self._slider.connect("valueChanged(int)", self._slider_moved)
        self._spin_box.connect("valueChanged(double)", self._spin_box_changed)
        self._apply_range()

    def _apply_range(self) -> None:
        self._spin_box.decimals = self.decimals
        self._spin_box.setRange(self.minimum, self.maximum)
        self._spin_box.singleStep = self.singleStep
        self._spin_box.suffix = self.suffix
        self._spin_box.prefix = self.prefix
        self._spin_box.visible = self.spinBoxVisible
        self.rangeChanged.emit(self.minimum, self.maximum)
        self._show_on_slider(self._spin_box.value)

    def _value_changed(self) -> None:
        vars(self)["_value"] = min(max(self.value, self.minimum), self.maximum)
        self._spin_box.value = self.value

    minimum = stored_property(float, "minimum", 0.0, _apply_range)
    maximum = stored_property(float, "maximum", 99.0, _apply_range)
    singleStep = stored_property(float, "singleStep", 1.0, _apply_range)
    pageStep = stored_property(float, "pageStep", 10.0)
    decimals = stored_property(int, "decimals", 2, _apply_range)
    suffix = stored_property(str, "suffix", "", _apply_range)
    prefix = stored_property(str, "prefix", "", _apply_range)
    spinBoxVisible = stored_property(bool, "spinBoxVisible", True, _apply_range)
    tracking = stored_property(bool, "tracking", True)
    value = stored_property(float, "value", 0.0, _value_changed)

    def setRange(self, minimum: float, maximum: float) -> None:
        self.minimum = minimum
        self.maximum = maximum

    def reset(self) -> None:
        self.value = 0.0

    def _slider_moved(self, step: int) -> None:
        self._spin_box.value = self.minimum + (self.maximum - self.minimum) * step / _SLIDER_STEPS

    def _spin_box_changed(self, value: float) -> None:
        vars(self)["_value"] = value
        self._show_on_slider(value)
        self.valueIsChanging.emit(value)
        self.valueChanged.emit(value)

    def _show_on_slider(self, value: float) -> None:
        span = self.maximum - self.minimum
        was_blocked = self._slider.blockSignals(True)
        self._slider.value = round((value - self.minimum) / span * _SLIDER_STEPS) if span > 0 else 0
        self._slider.blockSignals(was_blocked)


@register_stand_in
class ctkComboBox(QComboBox):
    """QComboBox with a text for "nothing chosen"."""

    defaultText = stored_property(str, "defaultText", "")
    forceDefault = stored_property(bool, "forceDefault", False)


@register_stand_in
@add_setters
class ctkPathLineEdit(QWidget):
    """A line edit for a path, with a button that opens the file dialog."""

    Dirs = 0x001
    AllDirs = 0x400
    Drives = 0x004
    Files = 0x002
    Readable = 0x010
    Writable = 0x020
    Executable = 0x040
    Hidden = 0x100

    currentPathChanged = Signal(str)
    validInputChanged = Signal(bool)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._line_edit = QLineEdit(self)
        self._button = QToolButton(self)
        self._button.text = "..."
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._line_edit)
        layout.addWidget(self._button)
        self._line_edit.connect("textChanged(QString)", self._text_changed)
        self._button.connect("clicked()", self.browse)

    def _path_changed(self) -> None:
        self._line_edit.text = self.currentPath

    currentPath = stored_property(str, "currentPath", "", _path_changed)
    filters = stored_property(int, "filters", Files | Readable)
    nameFilters = stored_property("QStringList", "nameFilters", [])
    label = stored_property(str, "label", "")
    settingKey = stored_property(str, "settingKey", "")
    showBrowseButton = stored_property(bool, "showBrowseButton", True)
    showHistoryButton = stored_property(bool, "showHistoryButton", True)

    def addCurrentPathToHistory(self) -> None:
        """The history is a menu of earlier paths; the stand-in keeps none."""

    def browse(self) -> None:
        from PySide6.QtWidgets import QFileDialog

        ask = QFileDialog.getExistingDirectory if self.filters & self.Dirs else QFileDialog.getOpenFileName
        path = ask(self, self.label, self.currentPath)
        if path:
            self.currentPath = path

    def _text_changed(self, text: str) -> None:
        vars(self)["_currentPath"] = text
        self.currentPathChanged.emit(text)


@register_stand_in
class ctkMessageBox(QMessageBox):
    """The message box of slicer.util.messageBox, with "don't show again"."""

    dontShowAgainSettingsKey = stored_property(str, "dontShowAgainSettingsKey", "")
    dontShowAgain = stored_property(bool, "dontShowAgain", False)
    dontShowAgainVisible = stored_property(bool, "dontShowAgainVisible", False)
