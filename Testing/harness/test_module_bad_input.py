"""What can go wrong: each time a message names it, the scene is as it was, and the panel goes on working."""

from __future__ import annotations

import os
import signal
from dataclasses import replace

import numpy as np
import pytest
import qt
import slicer
import vtk

import harness
from harness.spine_panel import ENDLESS, MODULE, PATIENCE_S, SpinePanel, fake_on_path, node_ids, watched_by_a_person, whole_record
from mrml_scene import COLUMN, columnLabels, columnPoint
from SpiderSegLib.gui.levels_section import CONFIDENCE, LEVEL, STATE, VISIBLE
from SpiderSegLib.io import read_labelmap
from SpiderSegLib.mrml.joint_editing import jointRecordOf
from SpiderSegLib.mrml.segmentations import labelmapOf
from SpiderSegLib.mrml.segments import segmentIds, segmentOf
from SpiderSegLib.mrml.volumes import matrixFromArray, newVolumeNode
from SpiderSegLib.mrml.workers.process_tree import tree_of
from SpiderSegLib.phantom import make_phantom
from SpiderSegLib.process_table import identity_of
from SpiderSegLib.volume import Geometry, Volume

GATED = "report('network', 0.4)\nwait_for('gate')\nanswer('whole')\n"


@pytest.fixture
def case(load_module):
    return SpinePanel(load_module(MODULE))


@pytest.fixture
def column(case):
    """The panel with the column of mrml_scene: L5 to L3 of 36, 36 and 24 voxels, their discs of 12, the canal of 36."""
    case.open_column()
    return case


def fake(monkeypatch, tmp_path, program):
    """PythonSlicer that runs a program, with the column as its result `whole`."""
    found = fake_on_path(monkeypatch, tmp_path, program)
    found.has("whole", columnLabels(), whole_record())
    return found


def idle(case):
    harness.wait_until(lambda: not case.panel.queue.isBusy, PATIENCE_S)
    case.settle()


def works(case):
    """Whether the panel still does its work, on nodes of its own."""
    case.open_column()
    case.click("shiftUpButton")
    case.select("L4?")
    case.click("holesButton")
    return case.names()[0] == "L4?" and case.ui.correctMessageLabel.text == "L4?: nothing to do"


def run_and_fail(case):
    """Clicks Segment, waits for the failure, and gives what the panel and the dialog say."""
    nodes = node_ids()
    with watched_by_a_person(case.loaded.panel), harness.answering(qt.QMessageBox.Ok) as shown:
        case.click("applyButton")
        idle(case)
    assert node_ids() == nodes
    assert (case.ui.applyButton.text, case.ui.progressBar.visible) == ("Segment", False)
    assert case.ui.progressLabel.text == f"Failed: {shown[0].text}"
    return shown[0].text


# Volumes


def new_node(class_name, name="t2"):
    return slicer.mrmlScene.AddNewNodeByClass(class_name, name)


def empty_volume(case):
    return new_node("vtkMRMLScalarVolumeNode")


def line(case):
    return case.open_volume(geometry=Geometry((8, 1, 1), (1.0, 1.0, 1.0), (0.0, 0.0, 0.0), COLUMN.direction))


def components(node, count):
    image = vtk.vtkImageData()
    image.SetDimensions(8, 12, 3)
    image.AllocateScalars(vtk.VTK_SHORT, count)
    node.SetAndObserveImageData(image)
    return node


def color(case):
    return components(new_node("vtkMRMLVectorVolumeNode"), 3)


def over_time(case):
    return components(new_node("vtkMRMLScalarVolumeNode"), 20)


def labelmap(case):
    return newVolumeNode(slicer.mrmlScene, Volume(columnLabels(), COLUMN, "t2"), className="vtkMRMLLabelMapVolumeNode")


def warped(case):
    node = case.open_volume()
    transform = new_node("vtkMRMLGridTransformNode", "motion")
    spline = (
        slicer.vtkOrientedThinPlateSplineTransform() if hasattr(slicer, "vtkOrientedThinPlateSplineTransform") else vtk.vtkThinPlateSplineTransform()
    )
    points = vtk.vtkPoints()
    for point in ((0, 0, 0), (10, 0, 0), (0, 10, 0), (0, 0, 10)):
        points.InsertNextPoint(*point)
    spline.SetSourceLandmarks(points)
    spline.SetTargetLandmarks(points)
    transform.SetAndObserveTransformToParent(spline)
    node.SetAndObserveTransformNodeID(transform.GetID())
    return node


def sheared(case):
    node = case.open_volume()
    transform = new_node("vtkMRMLLinearTransformNode", "shear")
    transform.SetMatrixTransformToParent(matrixFromArray(np.array([[1, 0.5, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1.0]])))
    node.SetAndObserveTransformNodeID(transform.GetID())
    return node


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda case: None, "Choose a series first."),
        (empty_volume, "t2 holds no image"),
        (line, r"t2: expected slices of at least 2 x 2 voxels, found the size (8, 1, 1)"),
        (color, "t2: expected one value a voxel, found 3 (a color image or a series over time)"),
        (over_time, "t2: expected one value a voxel, found 20"),
        (labelmap, "t2: expected a gray-value volume"),
        (warped, "t2 is under the warping transform motion: harden the transform"),
        (sheared, "t2 under the transform shear"),
    ],
    ids=["nothing", "empty", "a line", "color", "over time", "labelmap", "warped", "sheared"],
)
def test_what_cannot_be_segmented_is_refused_before_a_run_and_the_reason_named(case, monkeypatch, tmp_path, make, reason):
    program = fake(monkeypatch, tmp_path, "answer('whole')")
    case.parameters.inputVolume = make(case)
    case.settle()
    assert not case.ui.applyButton.enabled
    assert reason in case.ui.applyButton.toolTip
    if case.panel.volumeNode is not None:
        assert reason in case.ui.inputMessageLabel.text
    assert program.calls == []
    assert works(case)


def test_only_gray_value_volumes_that_are_not_hidden_are_offered_and_chosen(case):
    color(case)
    labelmap(case)
    case.settle()
    assert [node.GetName() for node in case.ui.inputVolumeSelector.nodes()] == []
    assert case.panel.volumeNode is None
    hidden = newVolumeNode(slicer.mrmlScene, Volume(np.zeros(COLUMN.shape_kji, np.int16), COLUMN, "hidden"))
    hidden.SetHideFromEditors(True)
    case.settle()
    assert case.panel.volumeNode is None


@pytest.mark.parametrize(
    ("geometry", "warning"),
    [
        (Geometry((8, 12, 3), (1.0, 1.0, 4.0), (0.0, 0.0, 0.0), (1, 0, 0, 0, 1, 0, 0, 0, 1)), "t2 is not sagittal"),
        (Geometry((8, 12, 1), (1.0, 1.0, 4.0), (0.0, 0.0, 0.0), COLUMN.direction), "t2 is a single slice"),
    ],
    ids=["axial", "one slice"],
)
def test_a_doubtful_series_is_segmented_with_a_warning(case, geometry, warning):
    case.parameters.inputVolume = case.open_volume(geometry=geometry)
    case.settle()
    assert case.ui.applyButton.enabled
    assert case.ui.inputMessageLabel.text.startswith(warning)


def test_a_linear_transform_is_kept_and_the_result_lies_on_the_series(case, monkeypatch, tmp_path):
    program = fake(monkeypatch, tmp_path, "answer('whole')")
    volume_node = case.open_volume()
    transform = new_node("vtkMRMLLinearTransformNode", "patient")
    transform.SetMatrixTransformToParent(matrixFromArray(np.array([[1, 0, 0, 5], [0, 0, -1, 7], [0, 1, 0, -3], [0, 0, 0, 1.0]])))
    volume_node.SetAndObserveTransformNodeID(transform.GetID())
    case.settle()
    case.click("applyButton")
    idle(case)
    assert len(program.calls) == 1
    assert case.node.GetTransformNodeID() == transform.GetID()
    np.testing.assert_array_equal(labelmapOf(case.node, volume_node).labelmap.array, columnLabels())
    # L5's middle voxel (2.5, 8, 1) lies at RAS (0, -4.5, 2) in the series, and the transform takes (x, y, z) to (x + 5, 7 - z, y - 3).
    assert columnPoint(2.5, 8, 1) == (0.0, -4.5, 2.0)
    assert case.panel.levels.rows[0].centerRas == pytest.approx((5.0, 5.0, -7.5))


# During a run


def start_gated(case, monkeypatch, tmp_path):
    program = fake(monkeypatch, tmp_path, GATED)
    volume_node = case.open_volume()
    case.click("applyButton")
    harness.wait_until(lambda: case.ui.progressBar.value == 40, PATIENCE_S)
    return program, volume_node


def test_a_volume_renamed_during_the_run_keeps_its_result(case, monkeypatch, tmp_path):
    program, volume_node = start_gated(case, monkeypatch, tmp_path)
    volume_node.SetName("renamed")
    program.go("gate")
    idle(case)
    assert case.node.GetName() == "renamed segmentation"
    assert works(case)


def without_volume(node):
    slicer.mrmlScene.RemoveNode(node)


def without_image(node):
    node.SetAndObserveImageData(None)


def with_another_image(node):
    image = vtk.vtkImageData()
    image.SetDimensions(8, 12, 4)
    image.AllocateScalars(vtk.VTK_SHORT, 1)
    node.SetAndObserveImageData(image)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (without_volume, "the volume was deleted during the run: its result is dropped"),
        (without_image, "t2"),
        (with_another_image, "t2 was changed during the run: expected the size (8, 12, 3), found (8, 12, 4)"),
    ],
    ids=["deleted", "emptied", "another image"],
)
def test_a_volume_that_changes_during_the_run_drops_its_result(case, monkeypatch, tmp_path, change, message):
    program, volume_node = start_gated(case, monkeypatch, tmp_path)
    change(volume_node)
    case.settle()
    program.go("gate")
    idle(case)
    assert case.ui.progressLabel.text.startswith("Failed: ")
    assert message in case.ui.progressLabel.text
    assert slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode") == 0
    assert works(case)


def test_a_segmentation_deleted_while_a_level_is_drawn_is_not_drawn_into(column, monkeypatch, tmp_path):
    program = fake(monkeypatch, tmp_path, GATED)
    column.select("L4?")
    column.click("rerunButton")
    harness.wait_until(lambda: "40 %" in column.ui.correctMessageLabel.text, PATIENCE_S)
    slicer.mrmlScene.RemoveNode(column.node)
    column.settle()
    program.go("gate")
    idle(column)
    assert column.ui.correctMessageLabel.text == "the segmentation was deleted during the run: its result is dropped"
    assert works(column)


def test_a_level_deleted_while_it_is_drawn_anew_comes_back(column, monkeypatch, tmp_path):
    program = fake(monkeypatch, tmp_path, "report('network', 0.4)\nwait_for('gate')\nanswer('local')\n")
    added = {"value": 2, "confidence": 0.5, "needs_shift": 0, "model": {"id": "m"}}
    program.has("local", np.where(columnLabels() == 2, 2, 0).astype(np.uint8), {"added": [added], "model": {"id": "m"}})
    column.select("L4?")
    column.click("rerunButton")
    harness.wait_until(lambda: "40 %" in column.ui.correctMessageLabel.text, PATIENCE_S)
    column.node.GetSegmentation().RemoveSegment(column.id("L4?"))
    column.settle()
    program.go("gate")
    idle(column)
    assert column.voxels()["L4?"] == 36
    assert works(column)


def test_a_segment_deleted_while_clicks_are_waited_for_is_named(column):
    column.select("L4?")
    column.click("splitButton")
    column.node.GetSegmentation().RemoveSegment(column.id("L4?"))
    column.settle()
    text = column.refused(lambda: column.place(columnPoint(2, 3, 1), columnPoint(2, 5, 1)))
    assert text.startswith("The tool could not be applied.\n\nthe segment ")
    assert text.endswith("is no longer in t2 segmentation")
    assert not column.ui.splitButton.checked
    assert works(column)


def test_two_clicks_on_one_part_are_refused(column):
    column.select("L4?")
    column.click("splitButton")
    text = column.refused(lambda: column.place(columnPoint(2, 11, 1), columnPoint(2, 11, 1)))
    assert "found the same point twice" in text
    assert works(column)


# Runs that fail


def test_the_real_process_killed_is_told_apart_from_a_mistake(case):
    case.open_volume()
    nodes = node_ids()
    case.click("applyButton")
    worker = case.panel.queue.running
    harness.wait_until(lambda: worker.stage, PATIENCE_S)
    root = identity_of(worker._process.pid)
    (real,) = tree_of([root]) - {root}
    os.kill(real.pid, signal.SIGKILL)
    idle(case)
    assert case.ui.progressLabel.text.startswith("Failed: The run was killed (SIGKILL)")
    assert node_ids() == nodes
    assert works(case)


def test_missing_weights_are_named_by_the_real_command_line(case, tmp_path):
    case.open_volume()
    case.ui.weightsPathLineEdit.currentPath = str(tmp_path / "no such weights.pt")
    case.settle()
    assert "no such weights.pt" in run_and_fail(case)
    assert works(case)


#: No UTF-8, half a progress line, no JSON, a list, a line too long.
GARBAGE = r"sys.stdout.buffer.write(b'\xff\xfe\x00 {\"stage\": 3}\r\n{not json\n[1]\n' + b'x' * 5000 + b'\n'); sys.stdout.flush()" + "\n"

#: Program, and what the message says.
FAILURES = {
    "garbage and an exit code": (
        f"{GARBAGE}print('error: the disk is full')\nsys.exit(1)",
        "the disk is full\n(exit code 1)",
    ),
    "garbage only": ("os.write(1, bytes(range(128, 256)))\nsys.exit(3)", "(exit code 3)"),
    "no word": ("sys.exit(7)", "The run failed without a message (exit code 7)."),
    "a traceback": ("raise ValueError('bug in a library')", "ValueError: bug in a library\n(exit code 1)"),
    "no result": ("pass", "result.json: expected the JSON of a run"),
    "a damaged result": ("out.write_bytes(b'ObjectType = Imag')\nout.with_suffix('.json').write_text('{}')", "result.mha"),
    "a result without its facts": ("answer('whole')\nout.with_suffix('.json').unlink()", "expected the JSON of a run"),
    "other facts": ("answer('whole')\nout.with_suffix('.json').write_text('[]')", "expected the JSON of a run"),
    "labels of another scheme": ("answer('strange')", "77"),
}


@pytest.mark.parametrize("failure", FAILURES)
def test_a_run_that_fails_says_how_and_leaves_nothing(case, monkeypatch, tmp_path, failure):
    program, message = FAILURES[failure]
    fake(monkeypatch, tmp_path, program).has("strange", np.where(columnLabels() == 1, 77, 0).astype(np.uint8), whole_record())
    case.open_volume()
    assert message in run_and_fail(case)
    assert list(harness.start().folder.glob("spiderseg-*")) == []
    assert works(case)


def test_without_pythonslicer_the_message_says_what_to_do(case, monkeypatch, tmp_path):
    case.open_volume()
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "PythonSlicer was not found" in run_and_fail(case)
    assert works(case)


def test_a_temporary_folder_that_cannot_be_written_is_named(case, tmp_path, monkeypatch):
    case.open_volume()
    (tmp_path / "file").write_text("not a folder")
    before = slicer.app.temporaryPath
    nodes = node_ids()
    try:
        slicer.app.temporaryPath = str(tmp_path / "file" / "temporary")
        text = case.refused(lambda: case.click("applyButton"))
    finally:
        slicer.app.temporaryPath = before
    assert text.startswith("The series can't be segmented.\n\n")
    assert str(tmp_path / "file") in text
    assert node_ids() == nodes
    assert works(case)


def test_warnings_of_a_run_name_the_series_as_the_user_does(case, monkeypatch, tmp_path):
    program = fake(monkeypatch, tmp_path, "answer('warned')")
    program.has("warned", columnLabels(), whole_record(warnings=["series.mha: the series is not sagittal (axial)"]))
    case.open_volume("Anna's T2")
    case.click("applyButton")
    idle(case)
    assert case.ui.progressLabel.text == "Done.\nAnna's T2: the series is not sagittal (axial)"


# Segmentations made elsewhere


def made_elsewhere(case, names, labels=None):
    """The column's segmentation with other names, no tags, and no prediction, as another program would have made it."""
    volume_node = case.open_volume()
    node = new_node("vtkMRMLSegmentationNode", "elsewhere")
    node.CreateDefaultDisplayNodes()
    node.SetReferenceImageGeometryParameterFromVolumeNode(volume_node)
    labels = columnLabels() if labels is None else labels
    for value, name in names.items():
        segment_id = node.GetSegmentation().AddEmptySegment("", name)
        slicer.util.updateSegmentBinaryLabelmapFromArray((labels == value).astype(np.uint8), node, segment_id, volume_node)
    case.parameters.inputVolume = volume_node
    case.parameters.segmentation = node
    case.settle()
    return node


def test_a_segmentation_by_totalsegmentator_has_levels_that_can_be_shifted_and_saved(case, tmp_path):
    names = {1: "vertebrae_L5", 2: "vertebrae_L4", 3: "vertebrae_L3", 202: "disc_L4_L5", 100: "spinal_canal"}
    made_elsewhere(case, names)
    assert case.column(LEVEL) == ["vertebrae_L5", "vertebrae_L4", "vertebrae_L3", "disc_L4_L5", "spinal_canal"]
    assert case.column(STATE) == ["assumed"] * 5
    assert case.column(CONFIDENCE) == [""] * 5
    assert case.ui.levelStateLabel.text.startswith("The levels are assumed: the lowest vertebra is taken for L5.")
    case.click("shiftUpButton")
    assert case.names() == ["L4?", "L3?", "L2?", "L3/L4?", "Spinal canal"]
    case.undo()
    assert case.names() == list(names.values())
    case.click("confirmButton")
    assert case.names()[0] == "L5"
    case.ui.folderPathLineEdit.currentPath = str(tmp_path)
    harness.choose(case.ui.formatComboBox, "SPIDER labelmap (.mha)")
    case.settle()
    case.click("exportButton")
    written = read_labelmap(tmp_path / "t2_segmentation.mha").array
    np.testing.assert_array_equal(written, np.where(np.isin(columnLabels(), list(names)), columnLabels(), 0))


def test_unknown_names_have_no_level_until_one_is_set(case, tmp_path):
    made_elsewhere(case, {1: "Segment_1", 2: "tumor?"})
    assert case.column(STATE) == ["no level"] * 2
    assert case.ui.levelStateLabel.text.startswith("This segmentation names no levels.")
    case.select("Segment_1")
    harness.choose(case.ui.levelValueComboBox, "L5?")
    case.click("setLevelButton")
    assert case.column(LEVEL) == ["L5?", "tumor?"]
    case.ui.folderPathLineEdit.currentPath = str(tmp_path)
    harness.choose(case.ui.formatComboBox, "SPIDER labelmap (.mha)")
    case.settle()
    case.click("exportButton")
    assert "tumor? names no level and is left out" in case.ui.exportMessageLabel.text
    assert int(read_labelmap(tmp_path / "t2_segmentation.mha").array.sum()) == 36


def test_a_level_that_another_segment_has_is_refused(case):
    made_elsewhere(case, {1: "L5", 2: "other"})
    case.select("other")
    harness.choose(case.ui.levelValueComboBox, "L5?")
    text = case.refused(lambda: case.click("setLevelButton"))
    assert text == "The level can't be set.\n\nL5 is that level already: shift or merge the segments"
    assert case.names() == ["L5", "other"]


def test_overlapping_segments_are_named_when_saved(case, tmp_path):
    node = made_elsewhere(case, {1: "L5", 2: "L4"})
    both = np.isin(columnLabels(), (1, 2))
    slicer.util.updateSegmentBinaryLabelmapFromArray(both.astype(np.uint8), node, case.id("L4"), case.panel.volumeNode)
    case.settle()
    case.ui.folderPathLineEdit.currentPath = str(tmp_path)
    harness.choose(case.ui.formatComboBox, "SPIDER labelmap (.mha)")
    case.settle()
    case.click("exportButton")
    assert "L5 and L4 overlap in 36 voxels: L4 has them" in case.ui.exportMessageLabel.text
    assert works(case)


def test_a_segmentation_of_surfaces_is_shown_and_says_what_it_lacks(case):
    node = made_elsewhere(case, {1: "L5", 2: "L4"})
    node.CreateClosedSurfaceRepresentation()
    node.GetSegmentation().SetSourceRepresentationName("Closed surface")
    node.GetSegmentation().RemoveRepresentation("Binary labelmap")
    node.GetSegmentation().SetConversionParameter("Reference image geometry", "")
    case.settle()
    assert case.column(LEVEL) == ["L5", "L4"]
    case.click("shiftUpButton")
    assert case.names() == ["L4?", "L3?"]
    case.select("L4?")
    assert "reference grid" in case.refused(lambda: case.click("smoothButton"))
    assert works(case)


def test_a_segmentation_without_a_display_is_shown(case):
    node = made_elsewhere(case, {1: "L5"})
    slicer.mrmlScene.RemoveNode(node.GetDisplayNode())
    case.settle()
    case.click_cell(0, VISIBLE)
    case.select("L5")
    case.click("isolateButton")
    case.click("isolateButton")
    assert case.column(LEVEL) == ["L5"]


def test_damaged_tags_are_named_and_the_panel_goes_on(column):
    segment_id = column.id("L4?")
    segmentOf(column.node, segment_id).SetTag("SpiderSeg.Value", "four")
    column.settle()
    assert "L4?: segment tags of SpiderSeg can't be read" in column.ui.levelStateLabel.text
    assert not column.ui.shiftUpButton.enabled
    column.node.GetSegmentation().RemoveSegment(segment_id)
    column.settle()
    assert column.column(LEVEL)[0] == "L5?"
    assert works(column)


def test_an_empty_segmentation_has_nothing_to_save(case, tmp_path):
    case.open_volume()
    case.parameters.segmentation = new_node("vtkMRMLSegmentationNode", "nothing")
    case.ui.folderPathLineEdit.currentPath = str(tmp_path)
    case.settle()
    text = case.refused(lambda: case.click("exportButton"))
    assert text == "The segmentation could not be saved.\n\nnothing has no segments: there is nothing to write"
    assert list(tmp_path.iterdir()) == []
    assert works(case)


# Names in any language

#: Name of the series, and what is left of it in the names of files.
NAMES = {
    "поясница 2": "поясница_2",
    "腰椎 矢状位": "腰椎_矢状位",
    "T2 🦴": "T2",
    'it\'s "T2" <b>&': "it_s__T2___b",
    "../../etc/passwd": "etc_passwd",
    "C:\\T2|*?": "C__T2",
    "   ": "series",
    "-rf": "-rf",
    "T2\nsecond line": "T2_second_line",
}


@pytest.mark.parametrize("name", NAMES, ids=NAMES.values())
def test_a_series_with_any_name_is_segmented_and_saved_inside_the_folder(case, monkeypatch, tmp_path, name):
    assert saved_as(case, monkeypatch, tmp_path, name) == f"{NAMES[name]}_segmentation.mha"


def test_a_series_with_a_very_long_name_is_saved_under_a_shorter_one(case, monkeypatch, tmp_path):
    assert saved_as(case, monkeypatch, tmp_path, "腰" * 300).startswith("腰腰腰")


def saved_as(case, monkeypatch, tmp_path, name):
    """Name of the file that is written of a series that was segmented."""
    program = fake(monkeypatch, tmp_path, "answer('whole')")
    folder = tmp_path / "out"
    case.open_volume(name)
    case.click("applyButton")
    idle(case)
    (arguments,) = program.calls
    assert not any(name in argument for argument in arguments)
    ready_to_save(case, folder)
    case.click("exportButton")
    (path,) = folder.glob("*.mha")
    np.testing.assert_array_equal(read_labelmap(path).array, columnLabels())
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["fake", "out"]
    return path.name


@pytest.mark.parametrize("name", ["Я13", "第一", "🦴", "a'b\"c"])
def test_a_level_may_have_any_name(column, name):
    column.select("L3?")
    column.ui.levelNameLineEdit.text = name  # QTest types Latin-1 only
    column.click("renameButton")
    assert column.column(LEVEL)[2] == name
    column.undo()
    assert column.column(LEVEL)[2] == "L3?"


def test_a_name_with_a_separator_is_refused(column):
    column.select("L3?")
    harness.type_text(column.ui.levelNameLineEdit, "a;b")
    text = column.refused(lambda: column.click("renameButton"))
    assert text.startswith("The level can't be renamed.\n\nexpected a name without ;=|~^")
    assert column.column(LEVEL)[2] == "L3?"


# Folders


def ready_to_save(case, folder, text="SPIDER labelmap (.mha)"):
    case.ui.folderPathLineEdit.currentPath = str(folder)
    harness.choose(case.ui.formatComboBox, text)
    case.settle()


def test_a_missing_folder_is_made(column, tmp_path):
    ready_to_save(column, tmp_path / "new" / "folder")
    column.click("exportButton")
    assert (tmp_path / "new" / "folder" / "t2_segmentation.mha").exists()


@pytest.mark.parametrize("text", ["SPIDER labelmap (.mha)", "Slicer segmentation (.seg.nrrd)"])
def test_a_folder_that_cannot_be_made_is_named(column, tmp_path, text):
    (tmp_path / "file").write_text("not a folder")
    ready_to_save(column, tmp_path / "file" / "out", text)
    message = column.refused(lambda: column.click("exportButton"))
    assert message.startswith("The segmentation could not be saved.\n\n")
    assert str(tmp_path / "file") in message
    assert works(column)


def test_a_file_is_replaced_only_after_a_yes(column, tmp_path):
    ready_to_save(column, tmp_path)
    column.click("exportButton")
    path = tmp_path / "t2_segmentation.mha"
    before = path.read_bytes()
    column.click("shiftUpButton")
    with watched_by_a_person(column.loaded.panel), harness.answering(qt.QMessageBox.No) as shown:
        column.click("exportButton")
    assert str(path) in shown[0].text
    assert path.read_bytes() == before
    assert column.ui.exportMessageLabel.text == "The levels are not confirmed: files say so beside every name."
    with watched_by_a_person(column.loaded.panel), harness.answering(qt.QMessageBox.Yes):
        column.click("exportButton")
    assert read_labelmap(path).array.max() == 204
    assert column.ui.exportMessageLabel.text == f"Saved {path}"


# Two series


def test_series_without_a_frame_of_reference_are_asked_about_and_saved_apart(column, monkeypatch, tmp_path):
    program = fake(monkeypatch, tmp_path, "answer('joint')")
    program.has("joint", columnLabels(), {"is_allowed": False, "reasons": ["no common frame of reference"]})
    column.parameters.partnerVolume = column.open_volume("t1")
    column.settle()
    harness.wait_until(lambda: column.ui.acceptJointButton.visible, PATIENCE_S)
    (arguments,) = program.calls
    assert arguments[0] == "check-joint"
    assert [argument for argument in arguments if argument.startswith("--frame")] == ["--frame-of-reference="] * 2
    assert column.ui.inputMessageLabel.text == "Not saved together: no common frame of reference"
    ready_to_save(column, tmp_path / "apart")
    column.click("exportButton")
    assert [path.name for path in (tmp_path / "apart").glob("*.mha")] == ["t2_segmentation.mha"]
    column.click("acceptJointButton")
    ready_to_save(column, tmp_path / "together")
    column.click("exportButton")
    assert sorted(path.name for path in (tmp_path / "together").glob("*.mha")) == ["t1_segmentation.mha", "t2_segmentation.mha"]
    assert "no common frame of reference" in (tmp_path / "together" / "t1_segmentation.json").read_text()
    assert "accepted" in jointRecordOf(column.node)


@pytest.mark.parametrize(("moved_mm", "says"), [(0.0, "t2, t1 lie on each other and are corrected together."), (6.0, "Not saved together: ")])
def test_the_real_check_tells_a_moved_series_from_one_that_lies_still(case, moved_mm, says):
    volume = make_phantom().volume
    x, y, z = volume.geometry.origin_lps_mm
    still = case.open_volume("t2", volume.geometry, volume.array)
    moved = case.open_volume("t1", replace(volume.geometry, origin_lps_mm=(x, y, z + moved_mm)), volume.array)
    for node in (still, moved):
        node.SetAttribute("DICOM.FrameOfReferenceUID", "1.2.3")
    case.parameters.inputVolume, case.parameters.partnerVolume = still, moved
    case.settle()
    harness.wait_until(lambda: not case.panel.input._queue.isBusy, PATIENCE_S)
    case.settle()
    assert case.ui.inputMessageLabel.text.startswith(says)
    assert case.ui.acceptJointButton.visible == (moved_mm > 0)
    if moved_mm:
        assert "t1" in case.ui.inputMessageLabel.text
        assert "6" in case.ui.inputMessageLabel.text


def test_a_check_of_series_that_fails_leaves_the_decision_to_a_person(column, monkeypatch, tmp_path):
    fake(monkeypatch, tmp_path, "print('error: not enough memory'); sys.exit(1)")
    column.parameters.partnerVolume = column.open_volume("t1")
    column.settle()
    harness.wait_until(lambda: column.ui.acceptJointButton.visible, PATIENCE_S)
    assert "not enough memory" in column.ui.inputMessageLabel.text
    assert column.ui.applyButton.enabled


def test_a_check_that_cannot_be_started_leaves_the_decision_to_a_person(column, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("not a folder")
    before = slicer.app.temporaryPath
    partner = column.open_volume("t1")
    try:
        slicer.app.temporaryPath = str(tmp_path / "file" / "temporary")
        column.parameters.partnerVolume = partner
        column.settle()
    finally:
        slicer.app.temporaryPath = before
    assert str(tmp_path / "file") in column.ui.inputMessageLabel.text
    assert column.ui.acceptJointButton.visible
    assert column.ui.applyButton.enabled


def test_a_partner_deleted_during_the_check_is_forgotten(column, monkeypatch, tmp_path):
    fake(monkeypatch, tmp_path, ENDLESS)
    column.parameters.partnerVolume = column.open_volume("t1")
    column.settle()
    assert "are being compared" in column.ui.inputMessageLabel.text
    slicer.mrmlScene.RemoveNode(column.parameters.partnerVolume)
    column.settle()
    assert column.ui.inputMessageLabel.text == ""
    assert works(column)


def test_every_segment_can_be_removed_and_the_segmentation_too(column):
    for segment_id in segmentIds(column.node):
        column.node.GetSegmentation().RemoveSegment(segment_id)
    column.settle()
    assert column.column(LEVEL) == []
    slicer.mrmlScene.RemoveNode(column.node)
    column.settle()
    assert column.ui.levelStateLabel.text.startswith("No segmentation yet.")
    assert works(column)


def test_a_segmentation_of_another_series_is_saved_on_the_grid_of_the_chosen_one(column, tmp_path):
    finer = Geometry((16, 24, 3), (0.5, 0.5, 4.0), (4.0, 1.75, 10.25), COLUMN.direction)
    column.parameters.inputVolume = column.open_volume("finer", finer)
    column.settle()
    ready_to_save(column, tmp_path)
    column.click("exportButton")
    written = read_labelmap(tmp_path / "finer_segmentation.mha").array
    assert written.shape == (3, 24, 16)
    assert int((written == 1).sum()) == 4 * 36


def test_a_new_segmentation_does_not_touch_an_earlier_one(column, monkeypatch, tmp_path):
    fake(monkeypatch, tmp_path, "answer('whole')")
    earlier = column.node
    column.click("shiftUpButton")
    column.click("applyButton")
    idle(column)
    assert column.node is not earlier
    assert segmentOf(earlier, segmentIds(earlier)[0]).GetName() == "L4?"
    assert column.names()[0] == "L5?"
