"""Every button of the panel is clicked with the mouse, and what it does is looked for in the scene or on the disk."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import qt
import slicer

import harness
from harness.click_tests import buttons_of, clicked_by_tests, clicks
from harness.real_runs import segment_phantom
from harness.spine_panel import (
    ENDLESS,
    MODULE,
    PANEL_UI_FILES,
    PATIENCE_S,
    UI_FILES,
    SpinePanel,
    fake_on_path,
    main_window,
    node_ids,
    watched_by_a_person,
    whole_record,
)
from mrml_scene import columnLabels, columnPoint
from SpiderSegLib.gui.installation import Installation
from SpiderSegLib.io import read_labelmap
from SpiderSegLib.labels import LevelState
from SpiderSegLib.level_names import LevelNaming
from SpiderSegLib.mrml.joint_editing import jointRecordOf
from SpiderSegLib.mrml.segmentations import SegmentInfo, labelmapOf, newSegmentationNode, predictionNodeOf
from SpiderSegLib.mrml.segments import namingOf
from SpiderSegLib.mrml.volumes import rasOf
from SpiderSegLib.phantom import make_phantom
from tiny_wheels import Environment, make_wheel

SECTIONS = ("input", "segment", "levels", "correct", "shortcuts", "export")

#: Sections that are there only while a project is open.
PROJECT_SECTIONS = ("project", "cases", "case", "findings", "gradings", "revisions", "models")

TEST_FILES = sorted(Path(__file__).parent.glob("test_module*.py"))


@pytest.mark.parametrize("name", [name for ui_file in UI_FILES for name in buttons_of(ui_file)])
def test_every_button_is_clicked_by_a_test(name):
    assert name in clicked_by_tests(TEST_FILES), f"write a test that clicks {name}, with @clicks({name!r})"


def test_every_button_of_the_panel_is_in_the_ui(case):
    assert set(harness.buttons(case.loaded.panel)) == {name for ui_file in PANEL_UI_FILES for name in buttons_of(ui_file)}


@pytest.fixture
def case(load_module):
    return SpinePanel(load_module(MODULE))


@pytest.fixture
def column(case):
    """The panel with the column of mrml_scene: L5 to L3 of 36, 36 and 24 voxels, their discs of 12, the canal of 36."""
    case.open_column()
    return case


# Sections


@clicks(
    "inputCollapsibleButton",
    "segmentCollapsibleButton",
    "levelsCollapsibleButton",
    "correctCollapsibleButton",
    "shortcutsCollapsibleButton",
    "exportCollapsibleButton",
    "projectCollapsibleButton",
    "casesCollapsibleButton",
    "caseCollapsibleButton",
    "findingsCollapsibleButton",
    "gradingsCollapsibleButton",
    "revisionsCollapsibleButton",
    "modelsCollapsibleButton",
)
def test_a_section_is_opened_and_closed_by_its_title(case):
    for section in PROJECT_SECTIONS:
        getattr(case.ui, f"{section}CollapsibleButton").visible = True
    for section in (*SECTIONS, *PROJECT_SECTIONS):
        button = getattr(case.ui, f"{section}CollapsibleButton")
        inside = next(child for child in button.children() if isinstance(child, qt.QWidget) and child.property("SpiderSeg.shown") is None)
        was_collapsed = button.collapsed
        harness.click(button)
        assert (button.collapsed, inside.visible) == (not was_collapsed, was_collapsed)
        harness.click(button)
        assert button.collapsed == was_collapsed


# Input


@clicks("sagittalButton")
def test_the_views_are_turned_into_the_plane_of_the_slices(column):
    views = harness.open_views("Yellow", "Red")
    slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLayoutNode")
    column.click("sagittalButton")
    yellow = views.sliceWidget("Yellow")
    assert yellow.mrmlSliceCompositeNode().GetBackgroundVolumeID() == column.panel.volumeNode.GetID()
    assert yellow.mrmlSliceCompositeNode().GetLinkedControl() == 1
    to_ras = yellow.mrmlSliceNode().GetSliceToRAS()
    assert [abs(round(to_ras.GetElement(row, 2))) for row in range(3)] == [1, 0, 0]
    assert slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLLayoutNode").GetViewArrangement() == 6301


@clicks("acceptJointButton")
def test_series_that_do_not_lie_on_each_other_are_saved_together_once_accepted(column, monkeypatch, tmp_path):
    fake = fake_on_path(monkeypatch, tmp_path, "wait_for('gate')\nanswer('joint')")
    fake.has("joint", columnLabels(), {"is_allowed": False, "reasons": ["t1 lies 5.0 mm beside t2"]})
    column.parameters.partnerVolume = column.open_volume("t1")
    column.settle()
    assert not column.ui.acceptJointButton.visible
    fake.go("gate")
    harness.wait_until(lambda: column.ui.acceptJointButton.visible, PATIENCE_S)
    assert column.ui.inputMessageLabel.text == "Not saved together: t1 lies 5.0 mm beside t2"
    column.click("acceptJointButton")
    record = jointRecordOf(column.node)
    assert record["accepted"]["reasons"] == ["t1 lies 5.0 mm beside t2"]
    assert record["accepted"]["by"]
    assert not column.ui.acceptJointButton.visible
    assert column.ui.inputMessageLabel.text == "t2, t1 are corrected together, as accepted."


# Segment


@clicks("applyButton")
def test_segment_draws_names_and_measures_the_phantom_with_the_bundled_weights():
    harness.clicked.add("applyButton")  # by segment_phantom, maybe for an earlier test
    run = segment_phantom()
    assert run.failure == ""
    # The phantom's own levels, each with a name, a confidence and most of its voxels.
    truth = make_phantom().labelmap.array
    assert {1, 2, 3, 4, 5, 100, 201, 202, 203, 204} <= set(run.names)
    for value in (1, 3, 5, 100, 202):
        found, wanted = run.labels == value, truth == value
        assert 2 * (found & wanted).sum() / (found.sum() + wanted.sum()) > 0.5, run.names[value]
    assert run.names[1] == "L5?"
    assert run.names[202] == "L4/L5?"
    assert 0 < run.confidences[1] <= 1
    assert run.button_while_running == "Cancel"
    assert run.stages[0] == "import"
    assert len(run.stages) > 2
    assert run.button_afterwards == "Segment"


@clicks("applyButton")
def test_segment_becomes_cancel_and_the_scene_is_as_it_was(case, monkeypatch, tmp_path):
    fake = fake_on_path(monkeypatch, tmp_path, ENDLESS)
    case.open_volume()
    before = node_ids()
    case.click("applyButton")
    harness.wait_until(lambda: case.ui.progressBar.value == 40, PATIENCE_S)
    assert case.ui.applyButton.text == "Cancel"
    assert case.ui.progressLabel.text == "t2: Finding vertebrae, discs and canal"
    case.click("applyButton")
    harness.wait_until(lambda: not case.panel.queue.isBusy, PATIENCE_S)
    case.settle()
    assert node_ids() == before
    assert (case.ui.applyButton.text, case.ui.applyButton.enabled) == ("Segment", True)
    assert case.ui.progressLabel.text == "The run was cancelled."
    assert not case.ui.progressBar.visible
    assert len(fake.calls) == 1


@clicks("mirrorCheckBox", "applyButton")
def test_the_mirrored_series_is_run_when_asked_for(case, monkeypatch, tmp_path):
    fake = fake_on_path(monkeypatch, tmp_path, "answer('whole')")
    fake.has("whole", columnLabels(), whole_record())
    case.open_volume()
    case.click("mirrorCheckBox")
    assert case.parameters.mirror is True
    case.click("applyButton")
    harness.wait_until(lambda: case.node, PATIENCE_S)
    (arguments,) = fake.calls
    assert arguments[0] == "predict"
    assert arguments[-3:] == ["--device", "auto", "--mirror"]


class LocalPip:
    """Packages by the real pip, from a folder, into an environment of their own."""

    def __init__(self, environment: Environment) -> None:
        self.environment = environment

    def isAvailable(self) -> bool:
        return True

    def install(self, requirements, constraints):
        wanted = [requirements] if isinstance(requirements, str) else requirements
        self.environment.pip_install(wanted, "-c", str(constraints))


@pytest.fixture
def incomplete(case, tmp_path, monkeypatch):
    """The panel in a Slicer that lacks einops, and that Slicer's environment."""
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_DISABLE_PIP_VERSION_CHECK", "1")
    make_wheel(tmp_path / "wheels", "torch", "2.8.0")
    make_wheel(tmp_path / "wheels", "einops", "0.8.2")
    environment = Environment(tmp_path / "python", tmp_path / "wheels")
    environment.put("torch", "2.8.0")
    (tmp_path / "requirements.txt").write_text("einops>=0.7\n", encoding="utf-8")
    pip = LocalPip(environment)
    case.panel.installation = Installation(tmp_path / "requirements.txt", pip, pip, environment.version_of)
    case.panel.segment._missing = None
    case.open_volume()
    return case, environment


@clicks("installButton")
def test_install_asks_once_and_brings_what_is_missing(incomplete):
    case, environment = incomplete
    assert case.ui.installMessageLabel.text == "Not installed yet: einops>=0.7"
    assert case.ui.applyButton.toolTip == "Install what SpiderSeg needs first."
    with watched_by_a_person(case.loaded.panel), harness.answering(qt.QMessageBox.Cancel):
        case.click("installButton")
    assert environment.version_of("einops") is None
    with watched_by_a_person(case.loaded.panel), harness.answering(qt.QMessageBox.Ok) as shown:
        case.click("installButton")
    assert len(shown) == 1
    assert environment.version_of("einops") == "0.8.2"
    assert environment.version_of("torch") == "2.8.0"
    assert not case.ui.installButton.visible
    assert not case.ui.installMessageLabel.visible
    assert case.ui.applyButton.enabled


@clicks("installButton")
def test_a_failed_installation_is_explained_and_what_is_there_looked_at_again(incomplete, monkeypatch):
    case, environment = incomplete

    def fail_late(requirements, constraints):
        environment.put("einops", "0.8.2")
        raise RuntimeError("the connection was lost")

    monkeypatch.setattr(case.panel.installation._packages, "install", fail_late)
    with watched_by_a_person(case.loaded.panel), harness.answering(qt.QMessageBox.Ok, qt.QMessageBox.Ok) as shown:
        case.click("installButton")
        case.settle()
    harness.slot_errors.clear()
    assert shown[1].text.startswith("SpiderSeg could not be set up.\n\neinops>=0.7 could not be installed: the connection was lost.")
    assert "offline instructions" in shown[1].text
    assert not case.ui.installButton.visible
    assert case.ui.applyButton.enabled


@clicks("offlineButton")
def test_offline_shows_the_commands_as_text_to_copy(incomplete):
    case, _ = incomplete
    details = []

    def read(box):
        details.append(box.detailedText)
        return qt.QMessageBox.Ok

    with harness.answering(read) as shown:
        case.click("offlineButton")
    assert "without internet" in shown[0].title
    assert "pip download" in details[0]
    assert '"einops>=0.7"' in details[0]


# Levels


def middle(view_name: str = "Yellow") -> tuple[float, ...]:
    """Where a slice view is centered, RAS."""
    matrix = slicer.app.layoutManager().sliceWidget(view_name).mrmlSliceNode().GetSliceToRAS()
    return tuple(round(matrix.GetElement(row, 3), 3) for row in range(3))


@clicks("leastCertainButton")
def test_least_certain_goes_from_the_most_doubtful_level_to_the_next(column):
    harness.open_views("Yellow")
    column.click("leastCertainButton")
    # L4/L5 is row 6 of columns 1 to 4: its middle is (2.5, 6, 1).
    assert (column.selected(), middle()) == (["L4/L5?"], columnPoint(2.5, 6, 1))
    column.click("leastCertainButton")
    assert (column.selected(), middle()) == (["L4?"], columnPoint(2.5, 4, 1))


@clicks("isolateButton")
def test_only_this_one_shows_one_level_and_then_all_again(column):
    column.select("L4?")
    column.click("isolateButton")
    assert column.visible() == ["L4?"]
    column.select("L3?")
    assert column.visible() == ["L3?"]
    column.click("isolateButton")
    assert column.visible() == column.names()


@clicks("shiftUpButton", "shiftDownButton")
def test_all_levels_go_up_and_down_together(column):
    column.click("shiftUpButton")
    assert column.names() == ["L4?", "L3?", "L2?", "L4/L5?", "L3/L4?", "L2/L3?", "Spinal canal"]
    np.testing.assert_array_equal(np.unique(column.labels()), [0, 2, 3, 4, 100, 202, 203, 204])
    column.click("shiftDownButton")
    assert column.names() == ["L5?", "L4?", "L3?", "L5/S1?", "L4/L5?", "L3/L4?", "Spinal canal"]


@clicks("confirmButton")
def test_levels_are_confirmed_and_taken_back(column):
    assert column.ui.exportMessageLabel.text == "The levels are not confirmed: files say so beside every name."
    column.click("confirmButton")
    assert namingOf(column.node).state is LevelState.CONFIRMED
    assert column.names()[0] == "L5"
    assert column.ui.confirmButton.text == "Take back confirmation"
    assert column.ui.levelStateLabel.text == "The levels are confirmed."
    assert column.ui.exportMessageLabel.text == ""
    column.click("confirmButton")
    assert namingOf(column.node).state is LevelState.ASSUMED
    assert column.names()[0] == "L5?"


@clicks("renameButton")
def test_a_vertebra_gets_a_name_of_its_own_and_its_discs_follow(column):
    column.select("L3?")
    harness.type_text(column.ui.levelNameLineEdit, "T13")
    column.click("renameButton")
    assert column.names() == ["L5", "L4", "T13", "L5/S1", "L4/L5", "T13/L4", "Spinal canal"]
    assert namingOf(column.node) == LevelNaming(LevelState.TRANSITIONAL, 5, {3: "T13"})
    assert column.selected() == ["T13"]


@clicks("setLevelButton")
def test_a_segment_drawn_by_hand_gets_a_level(column):
    column.node.GetSegmentation().AddEmptySegment("", "mine")
    column.settle()
    column.select("mine")
    harness.choose(column.ui.levelValueComboBox, "L2?")
    column.click("setLevelButton")
    assert "L2?" in column.names()
    assert "mine" not in column.names()
    assert column.selected() == ["L2?"]


@clicks("partialButton")
def test_a_vertebra_cut_by_the_image_is_marked_and_the_mark_taken_back(column):
    column.select("L3?")
    column.click("partialButton")
    assert column.names()[2] == "L3? (partial)"
    assert int(column.labels().max()) == 203
    assert 103 in column.labels()
    column.click("partialButton")
    assert column.names()[2] == "L3?"


@clicks("unidentifiedButton")
def test_levels_that_nobody_can_tell_are_only_counted(column):
    column.click("unidentifiedButton")
    assert column.names() == ["Vertebra 1", "Vertebra 2", "Vertebra 3", "Disc 1", "Disc 2", "Disc 3", "Spinal canal"]
    assert namingOf(column.node).state is LevelState.UNIDENTIFIED


# Correct: display


@clicks("outlineCheckBox")
def test_levels_are_drawn_as_outlines_at_once(column):
    display = column.node.GetDisplayNode()
    column.click("outlineCheckBox")
    assert (display.GetVisibility2DFill(), column.parameters.outlineOnly) == (False, True)
    column.click("outlineCheckBox")
    assert (display.GetVisibility2DFill(), column.parameters.outlineOnly) == (True, False)


@clicks("confidenceCheckBox")
def test_levels_are_colored_by_confidence_at_once(column):
    display = column.node.GetDisplayNode()
    segment_id = column.id("L4/L5?")
    column.click("confidenceCheckBox")
    red, green, blue = display.GetSegmentOverrideColor(segment_id)
    assert red > green > blue >= 0, "amber: 0.6 is below 0.8"
    column.click("confidenceCheckBox")
    assert tuple(display.GetSegmentOverrideColor(segment_id)) == (-1.0, -1.0, -1.0)


@clicks("surfacesButton")
def test_surfaces_are_made_and_dropped(column):
    column.click("surfacesButton")
    assert column.node.GetSegmentation().ContainsRepresentation("Closed surface")
    segment = column.node.GetSegmentation().GetSegment(column.id("L4?"))
    assert segment.GetRepresentation("Closed surface").GetNumberOfPoints() > 0
    column.click("surfacesButton")
    assert not column.node.GetSegmentation().ContainsRepresentation("Closed surface")


# Correct: tools of the model


def local_record(value: int, confidence: float = 0.66) -> dict[str, Any]:
    """The JSON of a run around a click, as far as the module reads it."""
    added = {"value": value, "confidence": confidence, "needs_shift": 0, "shifted_by": 0, "model": {"id": "model-2"}}
    return {"added": [added], "levels": [{"value": value, "confidence": confidence}], "model": {"id": "model-2"}}


def option(arguments: list[str], name: str) -> str:
    return arguments[arguments.index(name) + 1]


@pytest.mark.parametrize(
    ("name", "structure", "value", "text"), [("addVertebraButton", "vertebra", 4, "L2?"), ("addDiscButton", "disc", 204, "L2/L3?")]
)
@clicks("addVertebraButton", "addDiscButton")
def test_a_click_adds_what_was_missed(column, monkeypatch, tmp_path, name, structure, value, text):
    harness.clicked.update({"addVertebraButton", "addDiscButton"} - {name})  # the other one is the other parameter's
    fake = fake_on_path(monkeypatch, tmp_path, "answer('local')")
    drawn = np.zeros_like(columnLabels())
    drawn[1, 11, 1:4] = value
    fake.has("local", drawn, local_record(value))
    column.click(name)
    interaction = slicer.mrmlScene.GetNodeByID("vtkMRMLInteractionNodeSingleton")
    assert interaction is None or interaction.GetCurrentInteractionMode() == interaction.Place
    assert column.ui.correctMessageLabel.text == "Click into the middle of what was missed; right click to leave"
    column.place(columnPoint(2, 11, 1))
    assert not getattr(column.ui, name).checked
    assert slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLMarkupsFiducialNode") == 0
    harness.wait_until(lambda: not column.panel.queue.isBusy, PATIENCE_S)
    column.settle()
    (arguments,) = fake.calls
    # The point is LPS: i = 2 is 4 mm behind, j = 11 is 1 mm below, k = 1 is in the middle.
    assert [one for one in arguments if one.startswith("--around")] == ["--around=0.000,4.000,-1.000"]
    assert option(arguments, "--structure") == structure
    assert "--only" in arguments
    assert column.voxels()[text] == 3
    assert column.ui.correctMessageLabel.text == f"{text} was drawn"
    assert column.voxels()["L5?"] == 36
    column.undo()
    assert text not in column.names()


@clicks("addVertebraButton")
def test_an_erased_vertebra_is_drawn_by_the_bundled_weights(case):
    phantom = make_phantom()
    volume_node = case.open_volume("phantom", phantom.volume.geometry, phantom.volume.array)
    truth = phantom.labelmap.array == 3
    kept = phantom.labelmap.with_array(np.where(truth, 0, phantom.labelmap.array).astype(np.uint8))
    case.parameters.segmentation = newSegmentationNode(slicer.mrmlScene, kept, volume_node)
    case.settle()
    before = case.labels()
    assert "L3?" not in case.names()
    case.click("addVertebraButton")
    left_posterior_superior = phantom.volume.geometry.affine_lps @ [*body_center(truth)[::-1], 1.0]
    case.place(rasOf(left_posterior_superior[:3]))
    harness.wait_until(lambda: not case.panel.queue.isBusy, PATIENCE_S)
    case.settle()
    assert case.ui.correctMessageLabel.text == "L3? was drawn"
    drawn = case.mask("L3?")
    assert 2 * (drawn & truth).sum() / (drawn.sum() + truth.sum()) > 0.5
    np.testing.assert_array_equal(np.where(drawn, 0, case.labels()), before)


def body_center(mask: np.ndarray) -> list[int]:
    """Index (k, j, i) in the middle of the vertebral body: of the middle slice, in the front half of the vertebra."""
    k = mask.shape[0] // 2
    rows, columns = np.nonzero(mask[k])
    front = columns < columns.min() + 20
    return [k, round(rows[front].mean()), round(columns[front].mean())]


@clicks("rerunButton")
def test_a_level_is_drawn_anew(column, monkeypatch, tmp_path):
    fake = fake_on_path(monkeypatch, tmp_path, "answer('local')")
    drawn = np.where(columnLabels() == 2, 2, 0).astype(np.uint8)
    drawn[:, 3] = 0
    fake.has("local", drawn, local_record(2))
    column.select("L4?")
    column.click("rerunButton")
    harness.wait_until(lambda: not column.panel.queue.isBusy, PATIENCE_S)
    column.settle()
    (arguments,) = fake.calls
    assert option(arguments, "--replace") == "2"
    # Row 3 of four columns in three slices is gone.
    assert column.voxels()["L4?"] == 24
    assert column.selected() == ["L4?"]
    assert [row.confidence for row in column.panel.levels.rows if row.value == 2] == [0.66]


@clicks("confidenceCheckBox", "rerunButton")
def test_what_was_drawn_anew_has_the_color_of_its_new_confidence(column, monkeypatch, tmp_path):
    fake = fake_on_path(monkeypatch, tmp_path, "answer('local')")
    fake.has("local", np.where(columnLabels() == 2, 2, 0).astype(np.uint8), local_record(2, 1.0))
    column.click("confidenceCheckBox")
    before = column.node.GetDisplayNode().GetSegmentOverrideColor(column.id("L4?"))
    column.select("L4?")
    column.click("rerunButton")
    harness.wait_until(lambda: not column.panel.queue.isBusy, PATIENCE_S)
    column.settle()
    red, _, blue = column.node.GetDisplayNode().GetSegmentOverrideColor(column.id("L4?"))
    assert before[0] > before[2]
    assert blue > red


@clicks("cancelToolButton")
def test_drawing_is_cancelled_and_nothing_was_drawn(column, monkeypatch, tmp_path):
    fake_on_path(monkeypatch, tmp_path, ENDLESS)
    before = column.voxels()
    column.select("L4?")
    assert not column.ui.cancelToolButton.visible
    column.click("rerunButton")
    harness.wait_until(lambda: "40 %" in column.ui.correctMessageLabel.text, PATIENCE_S)
    column.click("cancelToolButton")
    harness.wait_until(lambda: not column.panel.queue.isBusy, PATIENCE_S)
    column.settle()
    assert column.voxels() == before
    assert column.ui.correctMessageLabel.text == "The run was cancelled."
    assert not column.ui.cancelToolButton.visible


# Correct: tools on shapes


@clicks("splitButton")
def test_two_clicks_split_joined_bodies_and_all_above_moves_up(column):
    column.select("L4?")
    column.click("splitButton")
    assert column.ui.correctMessageLabel.text == "L4?: click once on each of the two parts; right click to leave"
    column.place(columnPoint(2, 3, 1))
    assert column.ui.splitButton.checked
    column.place(columnPoint(2, 5, 1))
    # The plane runs through row 4, which stays with the lower part; what was L3 is L2 now.
    assert column.voxels() == {"L5?": 36, "L4?": 24, "L2?": 24, "L5/S1?": 12, "L4/L5?": 12, "L2/L3?": 12, "Spinal canal": 36, "L3?": 12}
    assert column.ui.correctMessageLabel.text == "Split into L4? and L3?"
    assert not column.ui.splitButton.checked


@clicks("splitButton")
def test_a_second_click_on_the_button_stops_waiting(column):
    nodes = node_ids()
    column.select("L4?")
    column.click("splitButton")
    column.click("splitButton")
    assert not column.panel.clicks.isActive
    assert column.ui.correctMessageLabel.text == ""
    assert node_ids() == nodes


@clicks("mergeButton")
def test_selected_segments_become_one(column):
    column.select("L4?", "L3?")
    column.click("mergeButton")
    assert column.voxels() == {"L5?": 36, "L4?": 60, "L5/S1?": 12, "L4/L5?": 12, "L3/L4?": 12, "Spinal canal": 36}
    assert column.ui.correctMessageLabel.text == "Merged into L4?"


@clicks("revertButton")
def test_a_level_goes_back_to_what_the_model_drew(column):
    brush = np.zeros_like(column.mask("L4?"))
    brush[1, 11, :] = True
    column.paint("L4?", brush)
    assert column.voxels()["L4?"] == 44
    column.select("L4?")
    column.click("revertButton")
    assert column.voxels()["L4?"] == 36
    assert column.ui.correctMessageLabel.text == "L4?: 8 voxels changed"


@clicks("islandsButton")
def test_a_loose_voxel_is_taken_out(column):
    brush = np.zeros_like(column.mask("L4?"))
    brush[1, 11, 0] = True
    column.paint("L4?", brush)
    column.select("L4?")
    column.click("islandsButton")
    assert column.voxels()["L4?"] == 36
    assert column.ui.correctMessageLabel.text == "L4?: 1 voxels changed"
    column.click("islandsButton")
    assert column.ui.correctMessageLabel.text == "L4?: nothing to do"


@clicks("holesButton")
def test_a_hole_is_filled(case):
    labels = columnLabels()
    labels[1, 4, 2] = 0
    case.open_column(labels)
    case.select("L4?")
    case.click("holesButton")
    assert case.voxels()["L4?"] == 36


@clicks("smoothButton")
def test_a_spike_is_smoothed_away_and_the_canal_stays(case):
    labels = columnLabels()
    labels[:, :, :5] = 0
    labels[:, 4:, 1:5] = 1
    labels[:, 1:4, 1] = 1  # the spike
    case.open_column(labels)
    case.select("L5?")
    case.click("smoothButton")
    assert not case.mask("L5?")[:, 1].any()
    assert case.mask("L5?")[:, 6:, 1:5].all()
    np.testing.assert_array_equal(case.labels() == 100, labels == 100)


# Save and export


@pytest.mark.parametrize(
    ("text", "file"),
    [
        ("Slicer segmentation (.seg.nrrd)", "t2_segmentation.seg.nrrd"),
        ("SPIDER labelmap (.mha)", "t2_segmentation.mha"),
        ("SPIDER labelmap, NIfTI (.nii.gz)", "t2_segmentation.nii.gz"),
    ],
)
@clicks("exportButton")
def test_save_writes_the_segmentation(column, tmp_path, text, file):
    column.ui.folderPathLineEdit.currentPath = str(tmp_path)
    harness.choose(column.ui.formatComboBox, text)
    column.settle()
    column.click("exportButton")
    path = tmp_path / file
    assert column.ui.exportMessageLabel.text == f"Saved {path}"
    if path.name.endswith(".seg.nrrd"):
        loaded = slicer.util.loadSegmentation(str(path))
        np.testing.assert_array_equal(labelmapOf(loaded).labelmap.array, columnLabels())
    else:
        np.testing.assert_array_equal(read_labelmap(path).array, columnLabels())
        assert (tmp_path / "t2_segmentation.json").exists()


@clicks("exportButton")
def test_dicom_says_that_the_series_did_not_come_from_dicom(column, tmp_path):
    column.ui.folderPathLineEdit.currentPath = str(tmp_path)
    harness.choose(column.ui.formatComboBox, "DICOM SEG (.dcm)")
    column.settle()
    text = column.refused(lambda: column.click("exportButton"))
    assert text.startswith("The segmentation could not be saved.\n\nt2 was not loaded from DICOM")
    assert list(tmp_path.iterdir()) == []


@clicks("exportButton")
def test_dicom_without_slicers_dicom_module_says_what_else_to_do(column, tmp_path):
    column.panel.volumeNode.SetAttribute("DICOM.instanceUIDs", "1.2.3 1.2.4 1.2.5")
    column.ui.folderPathLineEdit.currentPath = str(tmp_path)
    harness.choose(column.ui.formatComboBox, "DICOM SEG (.dcm)")
    column.settle()
    text = column.refused(lambda: column.click("exportButton"))
    assert "DICOM module of 3D Slicer, which is not there: save as .seg.nrrd" in text
    assert list(tmp_path.iterdir()) == []


# What is chosen beside the buttons


def test_the_prediction_and_what_was_changed_are_drawn_over_the_levels(column):
    views = harness.open_views("Yellow")
    composite, node = views.sliceWidget("Yellow").mrmlSliceCompositeNode(), views.sliceWidget("Yellow").mrmlSliceNode()
    brush = np.zeros_like(column.mask("L4?"))
    brush[1, 11, :3] = True
    column.paint("L4?", brush)
    harness.choose(column.ui.overlayComboBox, "Prediction of the model")
    assert composite.GetLabelVolumeID() == predictionNodeOf(column.node).GetID()
    assert node.GetUseLabelOutline()
    harness.choose(column.ui.overlayComboBox, "What was changed")
    changed = slicer.util.arrayFromVolume(slicer.mrmlScene.GetNodeByID(composite.GetLabelVolumeID()))
    assert changed.sum() == 3
    assert not node.GetUseLabelOutline()
    harness.choose(column.ui.overlayComboBox, "None")
    assert composite.GetLabelVolumeID() is None


def test_brush_and_local_runs_look_at_the_series_chosen_to_edit_on(column, monkeypatch, tmp_path):
    fake = fake_on_path(monkeypatch, tmp_path, "answer('joint')")
    fake.has("joint", columnLabels(), {"is_allowed": True, "reasons": []})
    t1 = column.open_volume("t1")
    column.parameters.partnerVolume = t1
    column.settle()
    harness.choose(column.ui.editSeriesComboBox, "t1")
    assert column.ui.segmentEditorWidget.sourceVolumeNode() is t1
    assert column.panel.correct.editSeries is t1
    harness.wait_until(lambda: not column.panel.input._queue.isBusy, PATIENCE_S)
    column.settle()
    assert column.ui.inputMessageLabel.text == "t2, t1 lie on each other and are corrected together."
    column.parameters.partnerVolume = None
    column.settle()
    assert column.ui.segmentEditorWidget.sourceVolumeNode() is column.panel.volumeNode


def test_levels_without_a_confidence_have_no_least_certain_one(case):
    case.open_column(info=SegmentInfo())
    assert case.ui.leastCertainButton.toolTip == "No level of this segmentation was drawn by the model."


def test_the_panel_works_inside_a_main_window(column):
    with main_window(column.loaded.panel):
        column.click("shiftUpButton")
    assert column.names()[0] == "L4?"
