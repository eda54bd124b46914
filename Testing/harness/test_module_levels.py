"""The level table, and what it shares with the Segment Editor: selection, undo, keys, and why a button can't be pressed."""

from __future__ import annotations

import numpy as np
import pytest
import qt
import slicer

import harness
from harness.click_tests import usual_tool_tips
from harness.spine_panel import ENDLESS, MODULE, PANEL_UI_FILES, PATIENCE_S, SpinePanel, fake_on_path, main_window
from mrml_scene import COLUMN, columnLabels, columnPoint
from SpiderSegLib.gui.levels_section import AMBER, COLOR, CONFIDENCE, JUMP, LEVEL, STATE, VISIBLE, VOLUME
from SpiderSegLib.gui.requirements import MissingPackage
from SpiderSegLib.labels import LevelState, label_table
from SpiderSegLib.level_names import LevelNaming
from SpiderSegLib.mrml.history import NoHistory
from SpiderSegLib.mrml.levels import markUnidentified
from SpiderSegLib.mrml.segmentations import SegmentInfo, forgetPrediction, newSegmentationNode
from SpiderSegLib.mrml.segments import namingOf, segmentIds, segmentOf
from SpiderSegLib.volume import Geometry, Volume

NAMES = ["L5?", "L4?", "L3?", "L5/S1?", "L4/L5?", "L3/L4?", "Spinal canal"]


@pytest.fixture
def case(load_module):
    return SpinePanel(load_module(MODULE))


@pytest.fixture
def column(case):
    """The panel with the column of mrml_scene: L5 to L3 of 36, 36 and 24 voxels, their discs of 12, the canal of 36."""
    case.open_column()
    return case


def brush(j: int, i: int) -> np.ndarray:
    """One voxel of the middle slice."""
    mask = np.zeros(COLUMN.shape_kji, bool)
    mask[1, j, i] = True
    return mask


# What the table shows


def test_each_level_has_its_name_state_and_confidence(column):
    assert column.column(LEVEL) == NAMES
    assert column.column(STATE) == ["assumed"] * 7
    assert column.column(CONFIDENCE) == ["95 %", "72 %", "90 %", "85 %", "60 %", "99 %", "97 %"]


def test_vertebrae_come_from_the_lowest_up_then_discs_then_the_canal_whatever_the_order_of_segments(column):
    segmentation = column.node.GetSegmentation()
    segmentation.SetSegmentIndex(column.id("Spinal canal"), 0)
    segmentation.SetSegmentIndex(column.id("L3?"), 0)
    column.settle()
    assert column.names()[:2] == ["L3?", "Spinal canal"]
    assert column.column(LEVEL) == NAMES


def test_levels_the_model_is_unsure_of_are_amber(column):
    def color_of(name):
        return column.ui.levelTable.item(column.row(name), CONFIDENCE).background().color()

    amber = [name for name in NAMES if color_of(name).getRgb()[:3] == AMBER]
    assert amber == ["L4?", "L4/L5?"]
    assert "unsure" in column.ui.levelTable.item(column.row("L4?"), CONFIDENCE).toolTip()
    assert column.ui.levelTable.item(column.row("L5?"), CONFIDENCE).toolTip() == ""


def test_each_level_has_the_color_of_its_segment(column):
    red, green, blue, _ = label_table()[2].color_rgba
    color = column.ui.levelTable.item(column.row("L4?"), COLOR).background().color()
    assert color.getRgb()[:3] == (red, green, blue)


def test_volumes_are_in_millilitres(case):
    # 8 x 12 x 3 voxels of 10 x 10 x 5 mm: half a millilitre each.
    geometry = Geometry((8, 12, 3), (10.0, 10.0, 5.0), (0.0, 0.0, 0.0), COLUMN.direction)
    volume_node = case.open_volume(geometry=geometry)
    case.parameters.segmentation = newSegmentationNode(slicer.mrmlScene, Volume(columnLabels(), geometry), volume_node)
    case.settle()
    assert case.column(VOLUME) == ["18.0 ml", "18.0 ml", "12.0 ml", "6.0 ml", "6.0 ml", "6.0 ml", "18.0 ml"]
    assert case.column(CONFIDENCE) == [""] * 7


def test_the_full_name_is_the_tooltip_of_the_name(column):
    assert column.ui.levelTable.item(0, LEVEL).toolTip() == "Lumbar vertebra 1 (level assumed: L5)"


def test_a_segment_without_a_level_is_shown_last(column):
    column.node.GetSegmentation().AddEmptySegment("", "tumor")
    column.settle()
    row = column.row("tumor")
    assert row == 7
    assert [column.column(kind)[row] for kind in (STATE, CONFIDENCE, VOLUME)] == ["no level", "", "0.0 ml"]


# Clicks into the table


def test_the_visibility_cell_hides_and_shows(column):
    column.click_cell(column.row("L4?"), VISIBLE)
    assert set(NAMES) - set(column.visible()) == {"L4?"}
    column.click_cell(column.row("L4?"), VISIBLE)
    assert column.visible() == NAMES


def test_a_level_hidden_elsewhere_is_unchecked_in_the_table(column):
    column.node.GetDisplayNode().SetSegmentVisibility(column.id("L4?"), False)
    column.settle()
    checked = [column.ui.levelTable.item(row, VISIBLE).checkState() == qt.Qt.Checked for row in range(7)]
    assert checked == [True, False, True, True, True, True, True]


@pytest.mark.parametrize("cell", [LEVEL, JUMP])
def test_a_click_moves_all_slice_views_to_the_middle_of_the_level_and_nothing_else(column, cell):
    views = harness.open_views("Red", "Yellow", "Green")
    slicer.util.setSliceViewerLayers(background=column.panel.volumeNode, fit=True)
    nodes = [views.sliceWidget(name).mrmlSliceNode() for name in views.sliceViewNames()]
    fields_of_view = [node.GetFieldOfView() for node in nodes]
    orientations = [node.GetOrientation() for node in nodes]
    column.click_cell(column.row("L3?"), cell)
    # L3 is rows 0 and 1 of columns 1 to 4.
    for node in nodes:
        center = [node.GetSliceToRAS().GetElement(row, 3) for row in range(3)]
        assert center == pytest.approx(columnPoint(2.5, 0.5, 1))
    assert [node.GetFieldOfView() for node in nodes] == fields_of_view
    assert [node.GetOrientation() for node in nodes] == orientations
    assert [node.GetDimensions() for node in nodes] == [(400, 400, 1)] * 3


def test_without_slice_views_and_on_an_empty_level_a_click_does_nothing(column):
    column.node.GetSegmentation().AddEmptySegment("", "L2")
    column.settle()
    column.click_cell(column.row("L2"), JUMP)
    column.click_cell(column.row("L5?"), JUMP)
    assert column.selected() == ["L5?"]


# Selection


def test_the_selected_level_is_the_editors_segment(column):
    column.select("L4/L5?")
    assert column.ui.segmentEditorWidget.currentSegmentID() == column.id("L4/L5?")


def test_the_segment_selected_in_the_editor_is_the_selected_level(column):
    column.select("L4?")
    column.ui.segmentEditorWidget.setCurrentSegmentID(column.id("L3/L4?"))
    column.settle()
    assert column.selected() == ["L3/L4?"]
    assert column.ui.levelValueComboBox.currentText == "L3/L4?"


def test_value_and_own_name_of_the_selected_level_are_where_they_can_be_changed(column):
    column.select("L3?")
    harness.type_text(column.ui.levelNameLineEdit, "T13")
    column.click("renameButton")
    column.select("L4")
    assert (column.ui.levelValueComboBox.currentText, column.ui.levelNameLineEdit.text) == ("L4", "")
    column.select("T13")
    assert (column.ui.levelValueComboBox.currentText, column.ui.levelNameLineEdit.text) == ("T13", "T13")


def test_several_levels_are_selected_with_ctrl_and_the_first_stays_the_editors(column):
    column.select("L4?", "L3?")
    assert column.selected() == ["L4?", "L3?"]
    assert column.ui.mergeButton.enabled
    assert column.ui.segmentEditorWidget.currentSegmentID() == column.id("L4?")
    assert column.ui.splitButton.toolTip == "Select one level in the Levels table first."


def test_two_levels_are_selected_while_one_is_shown_alone(column):
    column.select("L4?")
    column.click("isolateButton")
    column.select("L4?", "L3?")
    assert column.visible() == ["L4?", "L3?"]
    assert column.ui.mergeButton.enabled


def test_another_segmentation_is_shown_whole_though_one_level_was_shown_alone(column):
    column.select("L4?")
    column.click("isolateButton")
    column.parameters.segmentation = None
    column.settle()
    assert not column.ui.isolateButton.checked
    column.open_column()
    assert column.visible() == NAMES


@pytest.mark.parametrize("name", ["L5?", "L3/L4?"])
def test_selection_stays_with_its_level_when_rows_come_and_go(column, name):
    column.select(name)
    column.node.GetSegmentation().RemoveSegment(column.id("L4?"))
    column.settle()
    assert column.selected() == [name]
    column.node.GetSegmentation().AddEmptySegment("", "L4")
    column.settle()
    assert column.column(LEVEL)[1] == "L4"
    assert column.selected() == [name]
    assert column.ui.segmentEditorWidget.currentSegmentID() == column.id(name)


def test_selection_of_several_stays_when_a_row_above_goes(column):
    column.select("L3?", "L4/L5?")
    column.node.GetSegmentation().RemoveSegment(column.id("L5?"))
    column.settle()
    assert column.selected() == ["L3?", "L4/L5?"]


def test_a_removed_level_leaves_nothing_selected(column):
    column.select("L4?")
    column.node.GetSegmentation().RemoveSegment(column.id("L4?"))
    column.settle()
    assert column.selected() in ([], [column.names()[0]])
    assert len(column.column(LEVEL)) == 6


def test_shifting_keeps_the_selection(column):
    column.select("L4?")
    column.click("shiftUpButton")
    assert column.selected() == ["L3?"]


# The table follows the scene


def test_painting_and_undo_change_the_volume_and_keep_the_selection(case):
    geometry = Geometry((8, 12, 3), (10.0, 10.0, 5.0), (0.0, 0.0, 0.0), COLUMN.direction)
    volume_node = case.open_volume(geometry=geometry)
    case.parameters.segmentation = newSegmentationNode(slicer.mrmlScene, Volume(columnLabels(), geometry), volume_node)
    case.settle()
    case.select("L4?")
    case.paint("L4?", brush(11, 0))
    assert case.column(VOLUME)[1] == "18.5 ml"
    case.undo()
    assert (case.column(VOLUME)[1], case.selected()) == ("18.0 ml", ["L4?"])


def test_a_segment_added_and_named_by_hand_is_a_level(column):
    segment_id = column.node.GetSegmentation().AddEmptySegment("", "new")
    column.settle()
    assert column.column(STATE)[column.row("new")] == "no level"
    segmentOf(column.node, segment_id).SetName("L2")
    column.settle()
    assert column.row("L2") == 3
    assert column.column(STATE)[3] == "assumed"


def test_another_segmentation_brings_its_own_levels(column):
    other = newSegmentationNode(slicer.mrmlScene, Volume(np.where(columnLabels() == 1, 1, 0).astype(np.uint8), COLUMN), column.panel.volumeNode)
    column.parameters.segmentation = other
    column.settle()
    assert column.column(LEVEL) == ["L5?"]
    assert column.ui.segmentEditorWidget.segmentationNode() is other


def test_the_series_to_edit_follows_its_name(column):
    column.panel.volumeNode.SetName("renamed")
    column.settle()
    assert column.ui.editSeriesComboBox.currentText == "renamed"


# How many lumbar vertebrae


@pytest.mark.parametrize(
    ("choice", "names", "state"),
    [
        ("6: the lowest is L6 (lumbarized S1)", ["L6", "L5", "L4", "L6/S1", "L5/L6", "L4/L5", "Spinal canal"], LevelState.TRANSITIONAL),
        ("4: the lowest is L4 (sacralized L5)", ["L4", "L3", "L2", "L4/S1", "L3/L4", "L2/L3", "Spinal canal"], LevelState.TRANSITIONAL),
    ],
)
def test_six_or_four_lumbar_vertebrae_rename_all_levels_and_five_take_it_back(column, choice, names, state):
    harness.choose(column.ui.lumbarCountComboBox, choice)
    column.settle()
    assert column.column(LEVEL) == names
    assert namingOf(column.node).state is state
    assert column.ui.levelStateLabel.text.startswith("Transitional spine, named by a person")
    harness.choose(column.ui.lumbarCountComboBox, "5")
    column.settle()
    assert column.column(LEVEL) == NAMES
    assert column.ui.lumbarCountComboBox.currentText == "5"


def test_levels_can_be_confirmed_as_l6(column):
    harness.choose(column.ui.lumbarCountComboBox, "6: the lowest is L6 (lumbarized S1)")
    column.settle()
    column.click("confirmButton")
    assert namingOf(column.node).state is LevelState.TRANSITIONAL
    assert column.column(LEVEL)[0] == "L6"


# Undo by the editor's button


def test_a_stroke_a_shift_and_a_split_are_undone_one_by_one(column):
    before, names = column.labels(), column.names()
    column.paint("L5?", brush(11, 0))
    column.click("shiftUpButton")
    column.select("L3?")
    column.click("splitButton")
    column.place(columnPoint(2, 3, 1), columnPoint(2, 5, 1))
    assert len(column.names()) == 8
    column.undo()
    assert column.names() == ["L4?", "L3?", "L2?", "L4/L5?", "L3/L4?", "L2/L3?", "Spinal canal"]
    column.undo()
    assert column.names() == names
    assert column.voxels()["L5?"] == 37
    column.undo()
    np.testing.assert_array_equal(column.labels(), before)
    assert column.column(LEVEL) == names


def split(column):
    column.click("splitButton")
    column.place(columnPoint(2, 3, 1), columnPoint(2, 5, 1))


def rename(column):
    harness.type_text(column.ui.levelNameLineEdit, "T13")
    column.click("renameButton")


def set_level(column):
    harness.choose(column.ui.levelValueComboBox, "T12?")
    column.click("setLevelButton")


def choose_six(column):
    harness.choose(column.ui.lumbarCountComboBox, "6: the lowest is L6 (lumbarized S1)")
    column.settle()


def merge(column):
    column.select("L4?", "L3?")
    column.click("mergeButton")


#: Each on the selected L4, into which a hole, a loose voxel and a stroke were painted before.
TOOLS = {
    "shift": lambda column: column.click("shiftUpButton"),
    "confirm": lambda column: column.click("confirmButton"),
    "rename": rename,
    "set level": set_level,
    "six lumbar vertebrae": choose_six,
    "partial": lambda column: column.click("partialButton"),
    "can't tell": lambda column: column.click("unidentifiedButton"),
    "split": split,
    "merge": merge,
    "back to prediction": lambda column: column.click("revertButton"),
    "islands": lambda column: column.click("islandsButton"),
    "holes": lambda column: column.click("holesButton"),
    "smooth": lambda column: column.click("smoothButton"),
}


@pytest.mark.parametrize("tool", TOOLS)
def test_every_tool_is_one_step_of_undo(case, tool):
    labels = columnLabels()
    labels[1, 4, 2] = 0
    case.open_column(labels)
    case.paint("L4?", brush(11, 0))
    case.paint("L4?", brush(4, 5))
    before, names = case.labels(), case.names()
    case.select("L4?")
    TOOLS[tool](case)
    assert case.names() != names or not np.array_equal(case.labels(), before), "the tool does nothing"
    case.undo()
    assert case.names() == names
    np.testing.assert_array_equal(case.labels(), before)
    assert case.column(LEVEL) == names


# Keys


@pytest.fixture
def window(column):
    """The panel inside a main window, where keys are pressed."""
    with main_window(column.loaded.panel) as window:
        column.loaded.exit()
        column.loaded.enter()
        column.settle()
        yield window
        column.loaded.exit()
        column.loaded.enter()


def press(window, text):
    combination = qt.QKeySequence(text)[0]
    harness.press_key(window, combination.key(), combination.keyboardModifiers())


KEYS = {
    "Shift+N": "leastCertainButton",
    "Shift+PgUp": "shiftUpButton",
    "Shift+PgDown": "shiftDownButton",
    "Shift+C": "confirmButton",
    "Shift+P": "partialButton",
    "Shift+X": "splitButton",
    "Shift+M": "mergeButton",
    "Shift+V": "addVertebraButton",
    "Shift+D": "addDiscButton",
    "Shift+R": "rerunButton",
    "Shift+B": "revertButton",
    "Shift+I": "islandsButton",
    "Shift+H": "holesButton",
    "Shift+S": "smoothButton",
}


#: Next, previous, save, done, flag.
PROJECT_KEYS = 5


def test_every_key_has_a_test_and_is_listed(column):
    assert {key: button.objectName for key, button in column.panel.shortcuts.buttons()} == KEYS
    lines = column.ui.shortcutsLabel.text.splitlines()
    assert "Shift+N   Least certain next" in lines
    # Those of a project, which has its own tests, and of Slicer.
    assert len(lines) == len(KEYS) + PROJECT_KEYS + 1


@pytest.mark.parametrize("key", KEYS)
def test_a_key_presses_its_button(column, window, monkeypatch, tmp_path, key):
    fake_on_path(monkeypatch, tmp_path, ENDLESS)
    if KEYS[key] == "shiftDownButton":
        column.click("shiftUpButton")
    column.select(*column.names()[1:3] if KEYS[key] == "mergeButton" else column.names()[1:2])
    heard = []
    getattr(column.ui, KEYS[key]).connect("clicked(bool)", lambda isOn: heard.append(key))
    press(window, key)
    column.settle()
    assert heard == [key]


def test_a_key_of_a_disabled_button_does_nothing(column, window):
    press(window, "Shift+PgDown")
    press(window, "Shift+M")
    column.settle()
    assert column.column(LEVEL) == NAMES


def test_keys_are_given_back_when_the_user_leaves_the_module(column, window):
    column.loaded.exit()
    press(window, "Shift+PgUp")
    harness.spin(0.05)
    assert column.names() == NAMES
    column.loaded.enter()
    press(window, "Shift+PgUp")
    assert column.names()[0] == "L4?"


def test_a_capital_letter_can_be_typed_into_a_name(column, window):
    column.select("L3?")
    harness.type_text(column.ui.levelNameLineEdit, "CNS")
    column.settle()
    assert column.ui.levelNameLineEdit.text == "CNS"
    assert column.column(LEVEL) == NAMES
    assert column.selected() == ["L3?"]


# Why a button can't be pressed


def nothing(case):
    pass


def only_a_series(case):
    case.open_volume()


def a_series_that_cannot_be_segmented(case):
    case.open_volume(geometry=Geometry((8, 1, 1), (1.0, 1.0, 1.0), (0.0, 0.0, 0.0), COLUMN.direction))
    case.parameters.inputVolume = slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLScalarVolumeNode")


def only_a_segmentation(case):
    case.open_column()
    case.parameters.inputVolume = None


def nothing_selected(case):
    case.open_column()


def a_vertebra_selected(case):
    case.open_column()
    case.select("L4?")


def a_disc_selected(case):
    case.open_column()
    case.select("L4/L5?")


def two_selected(case):
    case.open_column()
    case.select("L4?", "L3?")


def the_canal_selected(case):
    case.open_column()
    case.select("Spinal canal")


def levels_above_the_lowest(case):
    case.open_column()
    case.click("shiftUpButton")


def confirmed_and_a_folder_chosen(case):
    case.open_column()
    case.click("confirmButton")
    case.ui.folderPathLineEdit.currentPath = "/somewhere"


def nobody_can_tell(case):
    case.open_column()
    markUnidentified(case.node, NoHistory())


def made_elsewhere_without_levels(case):
    case.open_column()
    for segment_id in segmentIds(case.node):
        case.node.GetSegmentation().RemoveSegment(segment_id)
    case.node.GetSegmentation().AddEmptySegment("", "tumor")
    forgetPrediction(case.node)
    case.settle()
    case.select("tumor")


def packages_missing(case):
    case.open_column()
    case.panel.segment._missing = [MissingPackage("torch>=2.5", "torch", None)]
    case.panel.refresh()


def running(case):
    case.open_column()
    case.click("applyButton")


def cancelling(case):
    running(case)
    harness.wait_until(lambda: case.ui.progressBar.value == 40, PATIENCE_S)
    case.panel.queue.running.cancel()


def drawing(case):
    a_vertebra_selected(case)
    case.click("rerunButton")


def waiting_for_clicks(case):
    a_vertebra_selected(case)
    case.click("splitButton")


def scene_closed(case):
    case.open_column()
    slicer.mrmlScene.Clear(0)


STATES = (
    nothing,
    only_a_series,
    a_series_that_cannot_be_segmented,
    only_a_segmentation,
    nothing_selected,
    a_vertebra_selected,
    a_disc_selected,
    two_selected,
    the_canal_selected,
    levels_above_the_lowest,
    confirmed_and_a_folder_chosen,
    nobody_can_tell,
    made_elsewhere_without_levels,
    packages_missing,
    running,
    cancelling,
    drawing,
    waiting_for_clicks,
    scene_closed,
)


@pytest.mark.parametrize("state", STATES, ids=lambda state: state.__name__)
def test_a_disabled_widget_says_why_and_an_enabled_one_what_it_does(case, monkeypatch, tmp_path, state):
    fake_on_path(monkeypatch, tmp_path, ENDLESS)
    state(case)
    if state is not cancelling:
        case.settle()
    usual = usual_tool_tips(PANEL_UI_FILES)
    widgets = {name: button for name, button in harness.buttons(case.loaded.panel).items() if not name.endswith("CollapsibleButton")}
    widgets |= {name: getattr(case.ui, name) for name in ("lumbarCountComboBox", "overlayComboBox")}
    wrong = [
        f"{name}: enabled {widget.enabled}, '{widget.toolTip}'"
        for name, widget in widgets.items()
        if not widget.toolTip or widget.enabled != (widget.toolTip == usual.get(name))
    ]
    assert wrong == []


@pytest.mark.parametrize(
    ("state", "button", "reason"),
    [
        (nothing, "applyButton", "Choose a series first."),
        (nothing, "shiftUpButton", "There are no levels yet: segment a series, or choose a segmentation."),
        (nothing_selected, "smoothButton", "Select one level in the Levels table first."),
        (nothing_selected, "exportButton", "Choose a folder to write into first."),
        (nothing_selected, "shiftDownButton", "The lowest level is 1 already."),
        (a_vertebra_selected, "mergeButton", "Select two or more levels in the Levels table first."),
        (a_disc_selected, "renameButton", "Select a vertebra: discs and the canal have no such name or mark."),
        (the_canal_selected, "rerunButton", "Select a vertebra or a disc"),
        (made_elsewhere_without_levels, "revertButton", "This segmentation keeps no prediction"),
        (made_elsewhere_without_levels, "rerunButton", "Select a vertebra or a disc"),
        (only_a_segmentation, "rerunButton", "Choose the series it belongs to first."),
        (packages_missing, "addDiscButton", "Install what SpiderSeg needs first."),
        (cancelling, "applyButton", "The run is being cancelled."),
        (a_series_that_cannot_be_segmented, "applyButton", "expected slices of at least 2 x 2 voxels"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_the_reason_names_what_is_missing(case, monkeypatch, tmp_path, state, button, reason):
    fake_on_path(monkeypatch, tmp_path, ENDLESS)
    state(case)
    if state is not cancelling:
        case.settle()
    assert not getattr(case.ui, button).enabled
    assert reason in getattr(case.ui, button).toolTip


def test_a_naming_of_an_earlier_person_is_shown(case):
    case.open_column(info=SegmentInfo(LevelNaming(LevelState.CONFIRMED)))
    assert case.column(STATE) == ["confirmed"] * 7
    assert case.ui.levelStateLabel.text == "The levels are confirmed."
