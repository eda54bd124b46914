"""The module `qt`: PythonQt's rules, and the traps that once crashed the harness itself."""

from __future__ import annotations

import gc

import pytest
import qt

import harness
from harness.pythonqt.ui_loader import BadConnection, UnknownProperty, UnknownWidget

FORM = """\
<ui version="4.0">
 <widget class="qMRMLWidget" name="Form">
  <layout class="QVBoxLayout" name="column">
   <item>
    <widget class="{inner}" name="inner">
     <property name="{property}"><bool>true</bool></property>
     <widget class="QLabel" name="nested"/>
    </widget>
   </item>
   <item><widget class="QLineEdit" name="edit"/></item>
   <item><widget class="QLabel" name="label"/></item>
   <item><widget class="qMRMLNodeComboBox" name="selector"/></item>
  </layout>
 </widget>
 <connections>
  <connection><sender>{sender}</sender><signal>{signal}</signal><receiver>{receiver}</receiver><slot>{slot}</slot></connection>
 </connections>
</ui>
"""


def load_form(tmp_path, **changes):
    import slicer

    parts = {"inner": "QWidget", "property": "enabled", "sender": "Form", "signal": "mrmlSceneChanged(vtkMRMLScene*)"}
    parts |= {"receiver": "selector", "slot": "setMRMLScene(vtkMRMLScene*)"}
    path = tmp_path / "Form.ui"
    path.write_text(FORM.format(**(parts | changes)), encoding="utf-8")
    return slicer.util.loadUI(str(path))


class TestProperties:
    def test_a_property_is_read_and_assigned_like_an_attribute(self):
        button = qt.QPushButton("Apply")
        button.enabled = False
        button.text = "Cancel"
        assert (button.text, button.enabled, button.width) == ("Cancel", False, 640)

    def test_the_getter_that_a_property_shadows_cannot_be_called(self):
        with pytest.raises(TypeError, match="'str' object is not callable"):
            qt.QPushButton("Apply").text()
        combo = qt.QComboBox()
        combo.addItems(["a", "b"])
        assert (combo.count, combo.currentIndex, combo.currentText) == (2, 0, "a")
        assert combo.itemText(1) == "b"

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("text", None),
            ("text", 5),
            ("enabled", "yes"),
            ("icon", "icon.png"),
            ("width", 3),  # read only
            ("texxt", "misspelt"),
            ("click", print),  # a slot
        ],
    )
    def test_what_pythonqt_would_not_take_is_an_attribute_error(self, name, value):
        with pytest.raises(AttributeError, match=name):
            setattr(qt.QPushButton("Apply"), name, value)

    def test_widgets_that_qt_made_itself_obey_too(self):
        table = qt.QTableWidget(2, 3)
        header = table.horizontalHeader()
        header.stretchLastSection = True
        assert header.stretchLastSection is True
        with pytest.raises(AttributeError, match="unknown"):
            header.unknown = 1

    def test_a_python_class_may_have_attributes_but_none_in_the_place_of_a_slot(self):
        class Panel(qt.QWidget):
            def __init__(self):
                super().__init__()
                self.logic = "mine"
                self.windowTitle = "title"

        panel = Panel()
        assert (panel.logic, panel.windowTitle) == ("mine", "title")
        with pytest.raises(AttributeError, match="close"):
            panel.close = None

    def test_dynamic_properties_and_named_children_are_attributes(self):
        parent = qt.QWidget()
        child = qt.QLabel("x", parent)
        child.objectName = "caption"
        child.setProperty("SlicerParameterName", "text")
        assert parent.caption is child
        assert (child.name, child.SlicerParameterName) == ("caption", "text")
        with pytest.raises(AttributeError, match="missing"):
            _ = parent.missing

    def test_enums_are_integers(self):
        assert qt.Qt.Checked == 2
        assert qt.QMessageBox.Ok | qt.QMessageBox.Cancel == 0x00400400
        label = qt.QLabel()
        label.alignment = 2
        assert label.alignment == qt.Qt.AlignRight
        item = qt.QTableWidgetItem("x")
        item.setFlags(item.flags() & ~qt.Qt.ItemIsEditable)
        assert not item.flags() & qt.Qt.ItemIsEditable

    @pytest.mark.parametrize("name", ["QNoSuchThing", "Signal", "Slot", "qVersion"])
    def test_a_name_that_pythonqt_has_not_is_an_attribute_error_naming_it(self, name):
        with pytest.raises(AttributeError, match=name):
            getattr(qt, name)

    def test_scoped_enums_and_keyword_arguments_are_found_in_the_source(self, tmp_path):
        source = tmp_path / "gui.py"
        source.write_text("import qt\nqt.Qt.AlignmentFlag.AlignLeft\nqt.Qt.AlignLeft\nqt.QLabel(text='x')\nqt.QLabel('x')\n", encoding="utf-8")
        faults = harness.pythonqt_faults([source])
        assert [fault.split(": ")[0] for fault in faults] == ["gui.py:2", "gui.py:4"]


class TestSignals:
    def test_a_slot_gets_as_many_arguments_as_it_takes(self):
        button = qt.QPushButton()
        button.checkable = True
        got = []
        assert button.connect("clicked(bool)", lambda: got.append("none"))
        assert button.connect("clicked(bool)", lambda checked: got.append(checked))
        assert button.connect("clicked(bool)", lambda *arguments: got.append(arguments))
        assert button.connect("clicked()", lambda *arguments: got.append(arguments))
        button.click()
        assert got == ["none", True, (True,), ()]

    def test_a_default_value_is_overwritten_by_the_signals_argument_as_in_pythonqt(self):
        button = qt.QPushButton()
        got = []
        button.connect("clicked(bool)", lambda name="mine": got.append(name))
        button.click()
        assert got == [False]

    def test_a_connection_to_no_signal_is_false_and_recorded(self):
        button = qt.QPushButton()
        button.objectName = "applyButton"
        assert button.connect("clickd(bool)", print) is False
        (failure,) = harness.failed_connections
        assert (failure.class_name, failure.object_name, failure.signature) == ("QPushButton", "applyButton", "clickd(bool)")
        harness.failed_connections.clear()

    def test_disconnect_undoes_one_of_two_equal_connections(self):
        button = qt.QPushButton()
        got = []

        def slot():
            got.append(1)

        button.connect("clicked()", slot)
        button.connect("clicked()", slot)
        assert button.disconnect("clicked()", slot) is True
        button.click()
        assert got == [1]
        assert button.disconnect("clicked()", slot) is True
        assert button.disconnect("clicked()", slot) is False

    def test_an_exception_in_a_slot_is_recorded_and_the_next_slot_is_called(self):
        button = qt.QPushButton()
        got = []
        button.connect("clicked()", lambda: 1 / 0)
        button.clicked.connect(lambda: got.append("next"))
        button.click()
        assert got == ["next"]
        (error,) = harness.slot_errors
        assert isinstance(error.error, ZeroDivisionError)
        harness.slot_errors.clear()

    def test_a_connection_outlives_the_wrapper_of_its_sender(self):
        table = qt.QTableWidget(1, 1)
        got = []
        table.horizontalHeader().connect("sectionClicked(int)", got.append)
        gc.collect()
        table.horizontalHeader().sectionClicked.emit(4)
        assert got == [4]

    def test_single_shot_calls_once_and_records_an_exception(self):
        got = []
        qt.QTimer.singleShot(0, lambda: got.append("called"))
        qt.QTimer.singleShot(0, lambda: 1 / 0)
        harness.wait_until(lambda: got and harness.slot_errors)
        assert got == ["called"]
        harness.slot_errors.clear()


class TestDialogs:
    def test_a_file_dialog_gives_a_string(self):
        with harness.answering("/data/a.mha", "", ["/data/a.mha", "/data/b.mha"]):
            assert qt.QFileDialog.getOpenFileName(None, "Open") == "/data/a.mha"
            assert qt.QFileDialog.getExistingDirectory() == ""
            assert qt.QFileDialog.getOpenFileNames() == ["/data/a.mha", "/data/b.mha"]

    def test_a_message_box_is_answered_by_its_own_button(self):
        box = qt.QMessageBox()
        box.text = "Really?"
        box.setStandardButtons(qt.QMessageBox.Yes | qt.QMessageBox.No)
        with harness.answering(qt.QMessageBox.No) as shown:
            assert box.exec_() == qt.QMessageBox.No
        assert [(dialog.kind, dialog.text) for dialog in shown] == [("QMessageBox", "Really?")]
        with pytest.raises(AssertionError, match="no button"), harness.answering(qt.QMessageBox.Retry):
            box.exec_()

    def test_a_dialog_that_nobody_answers_is_an_error(self):
        with pytest.raises(harness.UnansweredDialog, match="Delete"):
            qt.QMessageBox.question(None, "Delete", "Sure?")

    def test_an_answer_that_nobody_asked_for_is_an_error(self):
        with pytest.raises(AssertionError, match="no dialog asked"), harness.answering("/data"):
            pass

    def test_the_entry_of_a_menu_is_chosen_by_its_text(self):
        menu = qt.QMenu()
        got = []
        menu.addAction("Jump").connect("triggered()", lambda: got.append("jump"))
        with harness.answering("Jump"):
            menu.exec_()
        assert got == ["jump"]


class TestForms:
    def test_connections_of_the_form_are_made(self, tmp_path):
        import slicer

        form = load_form(tmp_path)
        form.setMRMLScene(slicer.mrmlScene)
        assert slicer.util.childWidgetVariables(form).selector.mrmlScene() is slicer.mrmlScene

    @pytest.mark.parametrize(
        ("changes", "error"),
        [
            ({"inner": "ctkNoSuchWidget"}, UnknownWidget),
            ({"inner": "ctkCollapsibleButton", "property": "colapsed"}, UnknownProperty),
            ({"sender": "edit", "signal": "textChangd(QString)"}, BadConnection),
            ({"receiver": "nobody"}, BadConnection),
            ({"slot": "setMRMLScen(vtkMRMLScene*)"}, BadConnection),
        ],
    )
    def test_what_designer_would_let_pass_is_an_error(self, tmp_path, changes, error):
        with pytest.raises(error):
            load_form(tmp_path, **changes)
        harness.failed_connections.clear()


class TestTraps:
    """Each was a crash of the harness once."""

    def test_the_loader_may_set_children_on_the_form_and_the_form_is_strict_afterwards(self, tmp_path):
        form = load_form(tmp_path)
        assert form.edit.objectName == "edit"
        assert form.inner.nested.objectName == "nested"
        with pytest.raises(AttributeError, match="nested"):
            _ = form.nested
        with pytest.raises(AttributeError, match="brandNew"):
            form.brandNew = 1

    def test_an_exception_in_a_virtual_function_is_recorded_and_does_not_crash(self):
        class Delegate(qt.QStyledItemDelegate):
            def paint(self, painter, option, index):
                raise ValueError("in paint")

        table = qt.QTableWidget(1, 1)
        table.setItem(0, 0, qt.QTableWidgetItem("x"))
        delegate = Delegate(table)
        table.setItemDelegate(delegate)
        table.show()
        harness.spin(0.05)
        assert any(isinstance(error.error, ValueError) for error in harness.slot_errors)
        harness.slot_errors.clear()

    def test_layouts_of_a_form_can_be_asked_while_it_is_shown(self, tmp_path):
        form = load_form(tmp_path)
        assert form.layout().count() == 4
        form.show()
        assert harness.grab(form).shape[2] == 3

    def test_size_hints_are_functions_and_a_python_override_is_used(self):
        class Square(qt.QWidget):
            def sizeHint(self):
                return qt.QSize(50, 60)

        parent = qt.QWidget()
        layout = qt.QHBoxLayout(parent)
        layout.addWidget(Square())
        layout.setContentsMargins(0, 0, 0, 0)
        assert qt.QPushButton("x").sizeHint().width() > 0
        assert parent.sizeHint() == qt.QSize(50, 60)

    def test_connect_is_the_harnesss_own_for_every_kind_of_object(self):
        class Mine(qt.QObject):
            pass

        for instance in (qt.QTimer(), qt.QMenu(), qt.QVBoxLayout(), Mine(), qt.QAction("x")):
            assert instance.connect("destroyed()", print) is True

    def test_children_of_a_form_live_as_long_as_the_form(self, tmp_path):
        import slicer

        ui = slicer.util.childWidgetVariables(load_form(tmp_path))
        gc.collect()
        ui.edit.text = "still here"
        assert ui.edit.text == "still here"
