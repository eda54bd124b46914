"""Runs of the command line on nodes: what is written for it, the arguments it accepts, and its result in a scene that went on meanwhile."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import typer

from command_line import tree
from mrml_scene import COLUMN, columnLabels, columnPoint, idOf, named
from SpiderSegLib.cli.main import app, run
from SpiderSegLib.errors import GeometryError, ImageReadError, InputError, LabelError, OutputError
from SpiderSegLib.io import read_labelmap, read_volume, write_volume
from SpiderSegLib.labels import LevelState, Structure
from SpiderSegLib.level_names import LevelNaming, short_name
from SpiderSegLib.mrml.levels import confirmLevels, levelRows, shiftLevels, togglePartial
from SpiderSegLib.mrml.runs import (
    NodeRun,
    RunSettings,
    infoOf,
    loadResult,
    messagesOf,
    prepareRerun,
    prepareRun,
    prepareRunAround,
    sidecarOf,
    takeInResult,
)
from SpiderSegLib.mrml.segmentations import labelmapOf, newSegmentationNode, predictionNodeOf
from SpiderSegLib.mrml.segments import namingOf, segmentIds, segmentOf, setMask, taggedSegments
from SpiderSegLib.mrml.volumes import geometryOf, imageArray
from SpiderSegLib.phantom import SAGITTAL_DIRECTION
from SpiderSegLib.volume import Geometry, Volume

pytestmark = pytest.mark.mrml

OBLIQUE = Geometry(
    (4, 3, 2), (0.2789999842643738, 1 / 3, 4.400000095367432), (-7.123456789012345, 1e-7, 5.0), (0.8, -0.6, 0.0, 0.6, 0.8, 0.0, 0.0, 0.0, 1.0)
)


def parsed(arguments):
    """The options of `spiderseg predict` after its own parser accepted them."""
    command = typer.main.get_command(app)
    context = command.make_context("spiderseg", list(arguments))
    name, predict, rest = command.resolve_command(context, list(arguments))
    assert name == "predict"
    return predict.make_context(name, rest).params


# ---------------------------------------------------------------------------------------------- a whole run


@pytest.mark.parametrize("geometry", [COLUMN, OBLIQUE], ids=["sagittal", "oblique"])
def test_the_node_s_grid_and_voxels_are_written_exactly(mrml, tmp_path, geometry):
    array = np.arange(np.prod(geometry.size_ijk), dtype=np.int16).reshape(geometry.shape_kji)
    volumeNode = mrml.newVolume(geometry, array=array)
    prepared = prepareRun(tmp_path, volumeNode, RunSettings())
    written = read_volume(tmp_path / "series.mha")
    assert written.geometry == geometry
    assert np.array_equal(written.array, array)
    assert written.array.dtype == np.int16
    assert (prepared.volumeId, prepared.segmentationId) == (volumeNode.GetID(), "")


def test_the_patient_s_name_does_not_reach_the_disk(mrml, tmp_path):
    prepareRun(tmp_path, mrml.newVolume(COLUMN, "DOE_JANE"), RunSettings())
    assert tree(tmp_path) == ["series.mha"]
    assert b"DOE" not in (tmp_path / "series.mha").read_bytes()


def test_a_transformed_volume_is_written_where_it_lies(mrml, tmp_path):
    volumeNode = mrml.newVolume(COLUMN)
    volumeNode.SetAndObserveTransformNodeID(mrml.newTransform([[0, -1, 0, 0], [1, 0, 0, 0], [0, 0, 1, 7], [0, 0, 0, 1]]).GetID())
    prepareRun(tmp_path, volumeNode, RunSettings())
    assert read_volume(tmp_path / "series.mha").geometry == geometryOf(volumeNode)


@pytest.mark.parametrize(
    ("settings", "device", "weights", "mirror"),
    [
        (RunSettings(), "auto", None, False),
        (RunSettings("/models/a b.pt", "cuda:1", True), "cuda:1", "/models/a b.pt", True),
        (RunSettings(device="cpu"), "cpu", None, False),
    ],
)
def test_the_command_line_accepts_the_arguments(mrml, tmp_path, settings, device, weights, mirror):
    prepared = prepareRun(tmp_path, mrml.newVolume(COLUMN), settings)
    options = parsed(prepared.arguments)
    assert options["inputs"] == [tmp_path / "series.mha"]
    assert options["out"] == prepared.output == tmp_path / "result.mha"
    assert (options["device"], options["weights"], options["mirror"], options["progress"]) == (device, weights, mirror, "json")


def test_a_folder_with_spaces_and_other_letters_is_one_argument(mrml, tmp_path):
    folder = tmp_path / "Лена Müller 脊椎"
    folder.mkdir()
    assert parsed(prepareRun(folder, mrml.newVolume(COLUMN), RunSettings()).arguments)["inputs"] == [folder / "series.mha"]


def test_a_volume_that_can_t_be_segmented_is_refused_before_anything_is_written(mrml, tmp_path):
    with pytest.raises(ImageReadError, match="no volume is chosen"):
        prepareRun(tmp_path, None, RunSettings())
    with pytest.raises(ImageReadError, match="holds no image"):
        prepareRun(tmp_path, mrml.scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "empty"), RunSettings())
    assert tree(tmp_path) == []


def test_a_folder_that_is_gone_is_named(mrml, tmp_path):
    with pytest.raises(OutputError, match="gone"):
        prepareRun(tmp_path / "gone", mrml.newVolume(COLUMN), RunSettings())


# ---------------------------------------------------------------------------------------------- a real result


@pytest.fixture(scope="session")
def real_run(small_series, tmp_path_factory) -> Path:
    """The result of `spiderseg predict` on the phantom, with the bundled weights."""
    folder = tmp_path_factory.mktemp("run")
    write_volume(folder / "series.mha", small_series)
    assert run(["predict", str(folder / "series.mha"), "--out", str(folder / "result.mha"), "--progress", "json", "--device", "cpu"]) == 0
    return folder


def test_a_real_result_becomes_segments_as_the_run_described_them(mrml, small_series, real_run):
    volumeNode = mrml.newVolume(small_series.geometry, array=small_series.array)
    labelmap, sidecar = read_labelmap(real_run / "result.mha"), json.loads((real_run / "result.json").read_text())
    node = loadResult(mrml.scene, NodeRun((), real_run / "result.mha", volumeNode.GetID()))
    found = labelmapOf(node, volumeNode)
    assert np.array_equal(found.labelmap.array, labelmap.array)
    assert found.labelmap.geometry == small_series.geometry
    assert found.warnings == ()
    rows = {row.value: row for row in levelRows(node)}
    assert set(rows) == {level["value"] for level in sidecar["levels"]} != set()
    for level in sidecar["levels"]:
        row = rows[level["value"]]
        assert (row.name, row.fullName, row.confidence) == (level["name"], level["full_name"], level["confidence"])
        assert row.volumeMm3 == pytest.approx(level["volume_mm3"], abs=0.1)
        x, y, z = row.centerRas
        assert (-x, -y, z) == pytest.approx(level["center_lps_mm"], abs=0.02)
    assert np.array_equal(imageArray(predictionNodeOf(node).GetImageData()), labelmap.array)
    assert {tags.model_id for _, _, tags in taggedSegments(node)} == {sidecar["model"]["id"]}


def test_what_the_run_wants_to_be_known(real_run):
    assert messagesOf(sidecarOf(real_run / "result.mha")) == json.loads((real_run / "result.json").read_text())["warnings"]


# ---------------------------------------------------------------------------------------------- results of any kind

SIDECAR = {
    "model": {"id": "unetr-2"},
    "level_state": {"state": "assumed", "reasons": []},
    "lumbar_count": 5,
    "levels": [{"value": 1, "confidence": 0.9}, {"value": 202, "confidence": 0.5}, {"value": 100}],
    "warnings": ["too dark"],
}


def finished(folder, volumeNode, labels=None, sidecar=None, geometry=COLUMN):
    """A run on a volume whose result lies in a folder."""
    write_volume(folder / "result.mha", Volume(columnLabels() if labels is None else labels, geometry))
    (folder / "result.json").write_text(
        sidecar if isinstance(sidecar, str) else json.dumps(SIDECAR if sidecar is None else sidecar), encoding="utf-8"
    )
    return NodeRun((), folder / "result.mha", volumeNode.GetID())


def test_naming_model_and_confidences_come_from_the_json(mrml, tmp_path):
    volumeNode = mrml.newVolume(COLUMN)
    sidecar = {**SIDECAR, "lumbar_count": 6, "own_names": {"3": "Lx"}}
    node = loadResult(mrml.scene, finished(tmp_path, volumeNode, sidecar=sidecar))
    assert namingOf(node) == LevelNaming(LevelState.ASSUMED, 6, {3: "Lx"})
    assert named(node) == ["L6?", "L5?", "Lx?", "L6/S1?", "L5/L6?", "Lx/L5?", "Spinal canal"]
    tags = {tags.value: tags for _, _, tags in taggedSegments(node)}
    assert (tags[1].confidence, tags[202].confidence, tags[100].confidence, tags[2].confidence) == (0.9, 0.5, None, None)
    assert tags[2].model_id == "unetr-2"
    assert node.GetName() == "t2 segmentation"


def test_no_view_is_moved_by_a_result(mrml, tmp_path):
    view = mrml.scene.AddNewNodeByClass("vtkMRMLSliceNode", "Red")
    composite = mrml.scene.AddNewNodeByClass("vtkMRMLSliceCompositeNode", "Red")
    view.JumpSliceByCentering(1.0, 2.0, 3.0)
    loadResult(mrml.scene, finished(tmp_path, mrml.newVolume(COLUMN)))
    assert [view.GetSliceToRAS().GetElement(row, 3) for row in range(3)] == [1.0, 2.0, 3.0]
    assert composite.GetBackgroundVolumeID() is None


def test_a_volume_that_moved_during_the_run_takes_its_segments_along(mrml, tmp_path):
    volumeNode = mrml.newVolume(COLUMN)
    prepared = finished(tmp_path, volumeNode)
    volumeNode.SetAndObserveTransformNodeID(mrml.newTransform([[1, 0, 0, 50], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]).GetID())
    node = loadResult(mrml.scene, prepared)
    x, y, z = columnPoint(2.5, 8, 1)
    assert levelRows(node)[0].centerRas == pytest.approx((x + 50, y, z))


def test_a_result_without_its_volume_is_dropped(mrml, tmp_path):
    volumeNode = mrml.newVolume(COLUMN)
    prepared = finished(tmp_path, volumeNode)
    mrml.scene.RemoveNode(volumeNode)
    with pytest.raises(InputError, match="the volume was deleted during the run"):
        loadResult(mrml.scene, prepared)
    mrml.scene.Clear(False)
    with pytest.raises(InputError, match="the volume was deleted during the run"):
        loadResult(mrml.scene, prepared)


def cropped(volumeNode):
    image = volumeNode.GetImageData()
    image.SetDimensions(4, 3, 2)
    image.AllocateScalars(image.GetScalarType(), 1)


def emptied(volumeNode):
    volumeNode.SetAndObserveImageData(None)


@pytest.mark.parametrize(("change", "size"), [(cropped, r"\(4, 3, 2\)"), (emptied, r"\(0, 0, 0\)")])
def test_a_volume_that_changed_during_the_run_drops_its_result(mrml, tmp_path, change, size):
    volumeNode = mrml.newVolume(COLUMN)
    prepared = finished(tmp_path, volumeNode)
    change(volumeNode)
    before = mrml.scene.GetNumberOfNodes()
    with pytest.raises(GeometryError, match=rf"t2 was changed during the run: expected the size \(8, 12, 3\), found {size}"):
        loadResult(mrml.scene, prepared)
    assert mrml.scene.GetNumberOfNodes() == before


DAMAGED = [
    "",
    "{",
    "[]",
    "null",
    "{}",
    '{"level_state": null}',
    json.dumps({**SIDECAR, "level_state": {"state": "sure"}}),
    json.dumps({**SIDECAR, "lumbar_count": 9}),
    json.dumps({**SIDECAR, "own_names": {"3": ""}}),
    json.dumps({**SIDECAR, "levels": 3}),
    json.dumps({**SIDECAR, "levels": [{"value": "x", "confidence": 0.5}]}),
    json.dumps({**SIDECAR, "levels": [{"value": 1, "confidence": "high"}]}),
    json.dumps({**SIDECAR, "levels": [{"value": 1, "confidence": 1.5}]}),
    json.dumps({**SIDECAR, "levels": [{"value": 1, "confidence": float("nan")}]}),
    json.dumps({**SIDECAR, "levels": [{"value": 26, "confidence": 0.5}]}),
    json.dumps({**SIDECAR, "model": "x"}),
]


@pytest.mark.parametrize("text", DAMAGED)
def test_a_damaged_json_is_named_and_leaves_the_scene_as_it_was(mrml, tmp_path, text):
    prepared = finished(tmp_path, mrml.newVolume(COLUMN), sidecar=text)
    before = mrml.scene.GetNumberOfNodes()
    with pytest.raises(LabelError, match=r"result\.json"):
        loadResult(mrml.scene, prepared)
    with pytest.raises(LabelError, match=r"result\.json"):
        infoOf(prepared.output)
    assert mrml.scene.GetNumberOfNodes() == before


def test_a_missing_json_or_labelmap_is_named(mrml, tmp_path):
    prepared = finished(tmp_path, mrml.newVolume(COLUMN))
    (tmp_path / "result.json").unlink()
    with pytest.raises(LabelError, match=r"result\.json: no such file"):
        loadResult(mrml.scene, prepared)
    (tmp_path / "result.mha").write_bytes(b"not an image")
    with pytest.raises(ImageReadError, match=r"result\.mha"):
        loadResult(mrml.scene, prepared)


def test_a_result_with_other_values_than_spider_s_is_refused(mrml, tmp_path):
    prepared = finished(tmp_path, mrml.newVolume(COLUMN), labels=np.full(COLUMN.shape_kji, 42, np.uint8))
    before = mrml.scene.GetNumberOfNodes()
    with pytest.raises(LabelError, match="42"):
        loadResult(mrml.scene, prepared)
    assert mrml.scene.GetNumberOfNodes() == before


def test_messages_are_warnings_and_reasons_and_bad_ones_are_no_fault():
    assert messagesOf({**SIDECAR, "level_state": {"state": "unidentified", "reasons": ["the sacrum is not in view"]}}) == [
        "too dark",
        "Level unidentified: the sacrum is not in view",
    ]
    for odd in ({}, {"warnings": None}, {"warnings": 3, "level_state": []}, {"level_state": {"reasons": None}}):
        assert messagesOf(odd) == []


# ---------------------------------------------------------------------------------------------- around a click


def test_a_run_around_a_click_gets_series_labelmap_and_point_in_lps(mrml, tmp_path):
    case = mrml.newColumn()
    prepared = prepareRunAround(tmp_path, case.node, case.volumeNode, (-1.5, 2.25, -3.0), Structure.DISC, RunSettings(device="cpu"))
    assert tree(tmp_path) == ["kept.mha", "series.mha"]
    kept = read_labelmap(tmp_path / "kept.mha")
    assert np.array_equal(kept.array, columnLabels())
    assert kept.geometry == read_volume(tmp_path / "series.mha").geometry == COLUMN
    assert "--around=1.500,-2.250,-3.000" in prepared.arguments
    options = parsed(prepared.arguments)
    assert options["inputs"] == [tmp_path / "series.mha"]
    assert options["around"] == "1.500,-2.250,-3.000"
    assert (options["structure"], options["keep"], options["only"], options["replace"]) == ("disc", tmp_path / "kept.mha", True, None)
    assert (prepared.volumeId, prepared.segmentationId) == (case.volumeNode.GetID(), case.node.GetID())


def test_a_point_with_a_negative_first_number_is_no_option(mrml, tmp_path):
    case = mrml.newColumn()
    prepared = prepareRunAround(tmp_path, case.node, case.volumeNode, (12.0, 0.0, -0.0), Structure.VERTEBRA, RunSettings())
    assert parsed(prepared.arguments)["around"] == "-12.000,0.000,0.000"


@pytest.mark.parametrize(("value", "structure"), [(2, "vertebra"), (202, "disc")])
def test_a_level_is_drawn_anew_by_its_value(mrml, tmp_path, value, structure):
    case = mrml.newColumn()
    options = parsed(prepareRerun(tmp_path, case.node, case.volumeNode, idOf(case.node, value), RunSettings()).arguments)
    assert (options["around"], options["structure"], options["replace"], options["only"]) == (None, structure, value, True)


def test_a_partial_vertebra_is_drawn_anew_as_one(mrml, tmp_path):
    case = mrml.newColumn()
    togglePartial(case.node, idOf(case.node, 3), case.history)
    options = parsed(prepareRerun(tmp_path, case.node, case.volumeNode, idOf(case.node, 103), RunSettings()).arguments)
    assert (options["structure"], options["replace"]) == ("vertebra", 103)


def test_what_can_t_be_drawn_anew_is_refused(mrml, tmp_path):
    case = mrml.newColumn()
    setMask(case.node, idOf(case.node, 1), np.zeros(COLUMN.shape_kji, bool))
    cyst = case.node.GetSegmentation().AddEmptySegment("", "cyst")
    for segmentId, message in (
        (idOf(case.node, 100), "Spinal canal: a vertebra or a disc can be drawn anew"),
        (cyst, "cyst: a vertebra or a disc"),
        (idOf(case.node, 1), r"L5\? is empty: use Add vertebra or Add disc"),
        ("gone", "gone is no longer in"),
    ):
        with pytest.raises(InputError, match=message):
            prepareRerun(tmp_path, case.node, case.volumeNode, segmentId, RunSettings())
    assert tree(tmp_path) == []


# ---------------------------------------------------------------------------------------------- taking it in


def column_with_room():
    """The column without its highest body: rows 0 and 1 are free."""
    labels = columnLabels()
    labels[labels == 3] = 0
    return labels


def added(value, confidence=0.75, needs_shift=0, **more):
    record = {"value": value, "confidence": confidence, "needs_shift": needs_shift, "model": {"id": "local"}, **more}
    return {"level_state": {"state": "assumed"}, "added": [{"value": 99}, record]}


def drawn(value, first, last, columns=slice(1, 5)):
    labels = np.zeros(COLUMN.shape_kji, np.uint8)
    labels[:, first : last + 1, columns] = value
    return labels


def localRun(folder, case, labels, sidecar):
    """A run around a click on a case, and its result."""
    prepared = prepareRunAround(folder, case.node, case.volumeNode, (0.0, 0.0, 0.0), Structure.VERTEBRA, RunSettings())
    finished(folder, case.volumeNode, labels, sidecar)
    return prepared


def test_what_was_drawn_at_a_click_becomes_a_segment_in_one_step(mrml, tmp_path):
    case = mrml.newCase(column_with_room(), COLUMN)
    confirmLevels(case.node, case.history)
    prepared = localRun(tmp_path, case, drawn(3, 0, 2), added(3))
    segmentId = takeInResult(mrml.scene, prepared, case.history)
    # Row 2 is the disc's.
    assert np.array_equal(labelmapOf(case.node).labelmap.array, columnLabels())
    assert named(case.node)[-1] == "L3"
    row = next(row for row in levelRows(case.node) if row.segmentId == segmentId)
    assert (row.value, row.confidence, row.state) == (3, 0.75, LevelState.CONFIRMED)
    assert {tags.value: tags.model_id for _, _, tags in taggedSegments(case.node)}[3] == "local"
    case.history.undo()
    assert np.array_equal(labelmapOf(case.node).labelmap.array, column_with_room())
    assert len(segmentIds(case.node)) == 6


def test_a_level_drawn_anew_replaces_its_voxels_and_no_others(mrml, tmp_path):
    case = mrml.newColumn()
    l4 = idOf(case.node, 2)
    prepared = prepareRerun(tmp_path, case.node, case.volumeNode, l4, RunSettings())
    finished(tmp_path, case.volumeNode, drawn(102, 4, 7), added(102, replaced=2))
    assert takeInResult(mrml.scene, prepared, case.history) == l4
    expected = columnLabels()
    expected[expected == 2] = 0
    expected[:, 4:6, 1:5] = 102
    assert np.array_equal(labelmapOf(case.node).labelmap.array, expected)
    assert segmentOf(case.node, l4).GetName() == "L4? (partial)"


def test_what_lies_below_the_lowest_level_moves_all_others_up(mrml, tmp_path):
    # Without L5 and its disc: L4 and L3 were called 1 and 2, and a new body is found below.
    labels = columnLabels()
    table = np.arange(256, dtype=np.uint8)
    table[[1, 201, 2, 202, 3, 203]] = [0, 0, 1, 201, 2, 202]
    case = mrml.newCase(table[labels], COLUMN)
    confirmLevels(case.node, case.history)
    prepared = localRun(tmp_path, case, drawn(1, 7, 9), added(1, needs_shift=1))
    takeInResult(mrml.scene, prepared, case.history)
    assert np.array_equal(labelmapOf(case.node).labelmap.array, np.where(labels == 201, 0, labels))
    assert named(case.node) == ["L4?", "L3?", "L4/L5?", "L3/L4?", "Spinal canal", "L5?"]
    case.history.undo()
    assert named(case.node) == ["L5", "L4", "L5/S1", "L4/L5", "Spinal canal"]
    assert np.array_equal(labelmapOf(case.node).labelmap.array, table[labels])
    assert case.history.editorLogic.CanUndo()


#: The same size as COLUMN, one row further down.
BELOW = Geometry(COLUMN.size_ijk, COLUMN.spacing_ijk_mm, (4.0, 2.0, 9.0), SAGITTAL_DIRECTION)


def test_what_was_drawn_on_another_series_lies_where_that_series_says(mrml, tmp_path):
    case = mrml.newCase(column_with_room(), COLUMN)
    t1 = mrml.newVolume(BELOW, "t1")
    prepared = prepareRunAround(tmp_path, case.node, t1, columnPoint(2, 1, 1), Structure.VERTEBRA, RunSettings())
    kept = read_labelmap(tmp_path / "kept.mha")
    assert kept.geometry == BELOW
    assert np.array_equal(kept.array[:, :-1], column_with_room()[:, 1:])
    # Row 0 of this series is row 1 of the segmentation.
    finished(tmp_path, t1, drawn(3, 0, 0), added(3), BELOW)
    takeInResult(mrml.scene, prepared, case.history)
    expected = column_with_room()
    expected[:, 1, 1:5] = 3
    assert np.array_equal(labelmapOf(case.node).labelmap.array, expected)


def test_what_others_have_taken_meanwhile_is_not_added(mrml, tmp_path):
    case = mrml.newCase(column_with_room(), COLUMN)
    prepared = localRun(tmp_path, case, drawn(3, 0, 1), added(3))
    setMask(case.node, idOf(case.node, 100), np.ones(COLUMN.shape_kji, bool))
    before = named(case.node)
    with pytest.raises(InputError, match="all of it belongs to other segments already"):
        takeInResult(mrml.scene, prepared, case.history)
    assert named(case.node) == before


def test_a_run_that_drew_nothing_adds_nothing(mrml, tmp_path):
    case = mrml.newCase(column_with_room(), COLUMN)
    prepared = localRun(tmp_path, case, drawn(0, 0, 1), added(3))
    with pytest.raises(InputError, match="the run drew nothing"):
        takeInResult(mrml.scene, prepared, case.history)


def test_levels_that_got_other_numbers_during_the_run_drop_its_result(mrml, tmp_path):
    case = mrml.newCase(column_with_room(), COLUMN)
    prepared = localRun(tmp_path, case, drawn(3, 0, 1), added(3))
    shiftLevels(case.node, 1, case.history)
    before = named(case.node)
    with pytest.raises(InputError, match="levels got other numbers during the run"):
        takeInResult(mrml.scene, prepared, case.history)
    assert named(case.node) == before
    case.history.undo()
    takeInResult(mrml.scene, prepared, case.history)
    assert named(case.node)[-1] == "L3?"


def test_strokes_marks_and_removals_during_the_run_are_no_fault(mrml, tmp_path):
    case = mrml.newCase(column_with_room(), COLUMN)
    prepared = localRun(tmp_path, case, drawn(3, 0, 1), added(3))
    setMask(case.node, idOf(case.node, 1), drawn(1, 7, 8) == 1)
    togglePartial(case.node, idOf(case.node, 2), case.history)
    confirmLevels(case.node, case.history)
    case.node.GetSegmentation().RemoveSegment(idOf(case.node, 201))
    takeInResult(mrml.scene, prepared, case.history)
    assert named(case.node)[-1] == "L3"
    assert (labelmapOf(case.node).labelmap.array == 1).sum() == 24


@pytest.mark.parametrize("gone", ["segmentation", "volume"])
def test_a_local_result_without_its_nodes_is_dropped(mrml, tmp_path, gone):
    case = mrml.newColumn()
    prepared = localRun(tmp_path, case, drawn(4, 11, 11), added(4))
    mrml.scene.RemoveNode(case.node if gone == "segmentation" else case.volumeNode)
    with pytest.raises(InputError, match=f"the {gone} was deleted during the run"):
        takeInResult(mrml.scene, prepared, case.history)


def test_a_local_result_of_a_changed_volume_is_dropped(mrml, tmp_path):
    case = mrml.newColumn()
    prepared = localRun(tmp_path, case, drawn(4, 11, 11), added(4))
    cropped(case.volumeNode)
    with pytest.raises(GeometryError, match="t2 was changed during the run"):
        takeInResult(mrml.scene, prepared, case.history)


@pytest.mark.parametrize(
    "sidecar",
    [
        "{",
        {"level_state": {"state": "assumed"}},
        {"level_state": {"state": "assumed"}, "added": []},
        {"level_state": {"state": "assumed"}, "added": {"value": 4}},
        {"level_state": {"state": "assumed"}, "added": [{"value": 4}]},
        added(4, confidence="high"),
        added(4, confidence=2.0),
        added(4, needs_shift="one"),
        added(5),
    ],
)
def test_a_damaged_local_result_changes_nothing(mrml, tmp_path, sidecar):
    case = mrml.newColumn()
    prepared = localRun(tmp_path, case, drawn(4, 11, 11), sidecar)
    with pytest.raises((ImageReadError, LabelError), match=r"result\.(json|mha)"):
        takeInResult(mrml.scene, prepared, case.history)
    assert len(segmentIds(case.node)) == 7
    assert not case.history.editorLogic.CanUndo()


def test_several_structures_are_no_local_result(mrml, tmp_path):
    case = mrml.newColumn()
    prepared = localRun(tmp_path, case, drawn(4, 11, 11, [0]) + drawn(5, 11, 11, [7]), added(4))
    with pytest.raises(ImageReadError, match=r"expected one structure of the value 4, found \[4, 5\]"):
        takeInResult(mrml.scene, prepared, case.history)


def test_what_the_command_line_s_own_writer_leaves_is_understood(mrml, tmp_path, tiny_weights):
    from SpiderSegLib.around import LocalResult, write_only
    from SpiderSegLib.inference import DevicePlan
    from SpiderSegLib.network import load_checkpoint
    from SpiderSegLib.outputs import OutputPaths

    case = mrml.newCase(column_with_room(), COLUMN)
    prepared = localRun(tmp_path, case, drawn(3, 0, 1), added(3))
    result = LocalResult(
        mask=Volume(drawn(1, 0, 1) == 1, COLUMN, "series"),
        kept=Volume(column_with_room(), COLUMN, "kept"),
        structure=Structure.VERTEBRA,
        value=3,
        needs_shift=0,
        replaced=None,
        point_lps_mm=(0.0, 0.0, 0.0),
        center_lps_mm=(0.0, 0.0, 0.0),
        volume_mm3=96.0,
        confidence=0.625,
        threshold=0.3,
        box_start_ijk=(0, 0, 0),
        box_size_ijk=COLUMN.size_ijk,
        checkpoint=load_checkpoint(tiny_weights),
        plan=DevicePlan("cpu", "fp32", 1, "cpu", 1),
        is_mirrored=False,
    )
    for path in (prepared.output, prepared.output.with_suffix(".json")):
        path.unlink()
    write_only(result, OutputPaths(prepared.output, prepared.output.with_suffix(".json")))
    takeInResult(mrml.scene, prepared, case.history)
    assert np.array_equal(labelmapOf(case.node).labelmap.array, columnLabels())
    tags = {tags.value: tags for _, _, tags in taggedSegments(case.node)}[3]
    assert (tags.model_id, tags.confidence) == ("tiny", 0.625)


def test_names_of_a_result_are_those_of_the_library(mrml, tmp_path):
    for state in LevelState:
        sidecar = {**SIDECAR, "level_state": {"state": state.value}}
        node = loadResult(mrml.scene, finished(tmp_path, mrml.newVolume(COLUMN), sidecar=sidecar))
        assert named(node) == [short_name(value, LevelNaming(state)) for value in (1, 2, 3, 201, 202, 203, 100)]


def test_a_volume_with_one_slice_goes_there_and_back(mrml, tmp_path):
    geometry = Geometry((8, 12, 1), (1.0, 1.0, 4.0), (4.0, 2.0, 10.0), SAGITTAL_DIRECTION)
    labels = columnLabels()[:1]
    volumeNode = mrml.newVolume(geometry)
    assert prepareRun(tmp_path, volumeNode, RunSettings()).volumeId == volumeNode.GetID()
    assert read_volume(tmp_path / "series.mha").geometry == geometry
    node = newSegmentationNode(mrml.scene, Volume(labels, geometry), volumeNode)
    assert np.array_equal(labelmapOf(node, volumeNode).labelmap.array, labels)
