"""What a segmentation keeps in the files that Slicer itself writes and reads: .seg.nrrd and scene bundles (.mrb)."""

from __future__ import annotations

import numpy as np
import pytest
import slicer
import vtk

from mrml_scene import COLUMN, columnLabels, idOf, named, newScene
from SpiderSegLib.labels import LevelState
from SpiderSegLib.level_names import LevelNaming
from SpiderSegLib.mrml.display import Overlay, showOverlay
from SpiderSegLib.mrml.exporting import dicomCopy
from SpiderSegLib.mrml.levels import confirmLevels, levelRows, renameLevel, setLumbarCount, shiftLevels, togglePartial
from SpiderSegLib.mrml.segmentations import SegmentInfo, labelmapOf, predictionNodeOf
from SpiderSegLib.mrml.segments import maskOf, namingOf, segmentIds, segmentOf, setMask, taggedSegments, tagTexts
from SpiderSegLib.mrml.spine_tools import revertToPrediction
from SpiderSegLib.mrml.volumes import imageArray

pytestmark = pytest.mark.mrml

INFO = SegmentInfo(LevelNaming(), "unetr-2", {1: 0.9, 2: 0.25, 100: 0.5})


def content(node):
    """Of every segment: name, color to five digits, all tags of ours, code, and voxels."""
    found = []
    for segmentId in segmentIds(node):
        segment = segmentOf(node, segmentId)
        code = vtk.reference("")
        segment.GetTag("TerminologyEntry", code)
        color = tuple(round(part, 5) for part in segment.GetColor())
        found.append((segment.GetName(), color, tagTexts(segment), str(code), maskOf(node, segmentId).tobytes()))
    return found


def throughFile(mrml, node, path):
    """The segmentation as Slicer's storage node writes and reads it, in a scene of its own."""
    storage = mrml.scene.AddNewNodeByClass("vtkMRMLSegmentationStorageNode")
    storage.SetFileName(str(path))
    assert storage.WriteData(node)
    back = mrml.scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "back")
    assert storage.ReadData(back)
    return back


def asFound(case):
    pass


def asConfirmed(case):
    confirmLevels(case.node, case.history)


def asSixWithNames(case):
    setLumbarCount(case.node, 6, case.history)
    renameLevel(case.node, idOf(case.node, 2), "腰椎: T13 (🦴), \\n", case.history)
    renameLevel(case.node, idOf(case.node, 3), "Поясничный", case.history)
    togglePartial(case.node, idOf(case.node, 3), case.history)


def asOverlapping(case):
    setMask(case.node, idOf(case.node, 100), np.ones(COLUMN.shape_kji, bool))


def asAddedTo(case):
    added = case.node.GetSegmentation().AddEmptySegment("", "Zyste ß", (0.25, 0.5, 0.75))
    mask = np.zeros(COLUMN.shape_kji, bool)
    mask[0, 11, 7] = True
    setMask(case.node, added, mask)


@pytest.mark.parametrize("change", [asFound, asConfirmed, asSixWithNames, asOverlapping, asAddedTo])
def test_a_seg_nrrd_file_keeps_names_tags_codes_and_voxels(mrml, tmp_path, change):
    case = mrml.newColumn(INFO)
    change(case)
    back = throughFile(mrml, case.node, tmp_path / "a.seg.nrrd")
    assert content(back) == content(case.node)
    assert namingOf(back) == namingOf(case.node)
    written, read = labelmapOf(case.node), labelmapOf(back)
    assert np.array_equal(read.labelmap.array, written.labelmap.array)
    assert read.labelmap.geometry.is_same_grid(COLUMN)
    assert read.warnings == written.warnings


def test_level_state_is_what_was_set_before_saving(mrml, tmp_path):
    case = mrml.newColumn(INFO)
    asSixWithNames(case)
    back = throughFile(mrml, case.node, tmp_path / "a.seg.nrrd")
    assert namingOf(back) == LevelNaming(LevelState.TRANSITIONAL, 6, {2: "腰椎: T13 (🦴), \\n", 3: "Поясничный"})
    assert named(back)[:3] == ["L6", "腰椎: T13 (🦴), \\n", "Поясничный (partial)"]
    assert [tags.value for _, _, tags in taggedSegments(back)] == [1, 2, 103, 201, 202, 203, 100]


def test_work_goes_on_in_a_file_that_was_read(mrml, tmp_path):
    back = throughFile(mrml, mrml.newColumn(INFO).node, tmp_path / "a.seg.nrrd")
    volumeNode = mrml.newVolume(COLUMN)
    history = mrml.newEditor(back, volumeNode)
    shiftLevels(back, 1, history)
    assert named(back)[:3] == ["L4?", "L3?", "L2?"]
    history.undo()
    assert named(back)[:3] == ["L5?", "L4?", "L3?"]
    assert [row.confidence for row in levelRows(back)[:3]] == [0.9, 0.25, None]
    assert np.array_equal(labelmapOf(back, volumeNode).labelmap.array, columnLabels())


def test_a_segmentation_of_nothing_is_saved_and_read(mrml, tmp_path):
    case = mrml.newCase(np.zeros(COLUMN.shape_kji, np.uint8), COLUMN)
    case.node.GetSegmentation().AddEmptySegment("", "L5")
    back = throughFile(mrml, case.node, tmp_path / "empty.seg.nrrd")
    assert named(back) == ["L5"]
    assert not labelmapOf(back, case.volumeNode).labelmap.array.any()


def test_a_scene_bundle_keeps_segments_prediction_and_grid(mrml, tmp_path):
    case = mrml.newColumn(INFO)
    asSixWithNames(case)
    l6 = idOf(case.node, 1)
    setMask(case.node, l6, np.zeros(COLUMN.shape_kji, bool))
    showOverlay(case.node, Overlay.DIFFERENCE)
    showOverlay(case.node, Overlay.PREDICTION)
    mrml.scene.SetRootDirectory(str(tmp_path))
    assert mrml.scene.WriteToMRB(str(tmp_path / "a.mrb"))

    loaded = newScene()
    assert loaded.readBundle(tmp_path / "a.mrb")
    node = loaded.scene.GetFirstNodeByClass("vtkMRMLSegmentationNode")
    volumeNode = loaded.scene.GetFirstNodeByName("t2")
    assert content(node) == content(case.node)
    prediction = predictionNodeOf(node)
    assert prediction.GetHideFromEditors()
    assert np.array_equal(imageArray(prediction.GetImageData()), columnLabels())
    # The difference is made anew when it is asked for.
    assert loaded.scene.GetNumberOfNodesByClass("vtkMRMLLabelMapVolumeNode") == 1
    assert node.GetNodeReference(slicer.vtkMRMLSegmentationNode.GetReferenceImageGeometryReferenceRole()) is volumeNode
    history = loaded.newEditor(node, volumeNode)
    assert revertToPrediction(node, idOf(node, 1), history) == 36
    expected = np.where(columnLabels() == 3, 103, columnLabels())
    assert np.array_equal(labelmapOf(node, volumeNode).labelmap.array, expected)
    for overlay in Overlay:
        showOverlay(node, overlay)


def test_a_copy_for_dicom_has_full_names_and_codes_also_of_segments_named_by_hand(mrml):
    case = mrml.newColumn(SegmentInfo(LevelNaming(LevelState.CONFIRMED), "unetr-2"))
    segmentOf(case.node, idOf(case.node, 3)).SetName("L2")
    case.node.GetSegmentation().AddEmptySegment("", "T12")
    case.node.GetSegmentation().AddEmptySegment("", "cyst")
    before = content(case.node)
    nodes = mrml.scene.GetNumberOfNodes()
    with dicomCopy(case.node, case.volumeNode) as copy:
        codes = {name: code.split("~")[2] for name, _, _, code, _ in content(copy)}
    assert codes == {
        "L5": "SCT^49668003^Fifth lumbar vertebra",
        "L4": "SCT^11994002^Fourth lumbar vertebra",
        "L2": "SCT^14293000^Second lumbar vertebra",
        "T12": "SCT^23215003^Twelfth thoracic vertebra",
        "L5/S1": "SCT^715056000^Lumbosacral intervertebral disc",
        "L4/L5": codes["L4/L5"],
        "L3/L4": codes["L3/L4"],
        "Spinal canal": "SCT^61853006^Spinal canal",
    }
    assert content(case.node) == before
    assert mrml.scene.GetNumberOfNodes() == nodes
    with dicomCopy(mrml.newColumn().node, case.volumeNode) as copy:
        assert named(copy)[0] == "Lumbar vertebra 1 (level assumed: L5)"
        assert {code.split("~")[2] for _, _, _, code, _ in content(copy)[:3]} == {"SCT^51282000^Vertebra"}
