"""The spine tools on segments, voxel by voxel and name by name; and strokes, shifts and splits mixed and undone."""

from __future__ import annotations

import numpy as np
import pytest
import slicer

from mrml_scene import COLUMN, columnLabels, columnPoint, idOf, named
from SpiderSegLib.errors import InputError, LabelError
from SpiderSegLib.labels import LevelState
from SpiderSegLib.level_names import LevelNaming
from SpiderSegLib.mrml.levels import shiftLevels
from SpiderSegLib.mrml.segmentations import SegmentInfo, forgetPrediction, keepPrediction, labelmapOf
from SpiderSegLib.mrml.segments import maskOf, namingOf, segmentIds, segmentOf, setMask, taggedSegments
from SpiderSegLib.mrml.spine_tools import (
    fillHoles,
    mergeSegments,
    predictedLabels,
    predictedMask,
    removeIslands,
    revertToPrediction,
    smoothSegment,
    splitSegment,
    takeIn,
)
from SpiderSegLib.mrml.volumes import orientedImage
from SpiderSegLib.phantom import SAGITTAL_DIRECTION
from SpiderSegLib.segment_tags import SegmentTags
from SpiderSegLib.volume import Geometry

pytestmark = pytest.mark.mrml

AS_FOUND = ["L5?", "L4?", "L3?", "L5/S1?", "L4/L5?", "L3/L4?", "Spinal canal"]
CANAL_COLUMN = 6


def rows(first, last, columns=slice(1, 5)):
    mask = np.zeros(COLUMN.shape_kji, bool)
    mask[:, first : last + 1, columns] = True
    return mask


def labelsOf(case):
    return labelmapOf(case.node).labelmap.array


def relabeled(changes):
    """columnLabels with some values changed."""
    table = np.arange(256, dtype=np.uint8)
    table[list(changes)] = list(changes.values())
    return table[columnLabels()]


def masks(node):
    return {segmentId: maskOf(node, segmentId) for segmentId in segmentIds(node)}


def assertOthersUntouched(node, before, changed):
    for segmentId, mask in before.items():
        if segmentId not in changed:
            assert np.array_equal(maskOf(node, segmentId), mask), segmentOf(node, segmentId).GetName()


def canUndo(case):
    return bool(case.history.editorLogic.CanUndo())


# ---------------------------------------------------------------------------------------------- merge


def test_merged_segments_keep_the_level_of_the_first(mrml):
    case = mrml.newColumn(SegmentInfo(model_id="m", confidences={1: 0.5}))
    l4, disc, l5 = (idOf(case.node, value) for value in (2, 202, 1))
    assert mergeSegments(case.node, [l4, disc, l5, l4], case.history) == l4
    assert named(case.node) == ["L4?", "L3?", "L5/S1?", "L3/L4?", "Spinal canal"]
    assert np.array_equal(labelsOf(case), relabeled({1: 2, 202: 2}))
    assert maskOf(case.node, l4).sum() == 36 + 12 + 36
    case.history.undo()
    assert named(case.node) == AS_FOUND
    assert np.array_equal(labelsOf(case), columnLabels())
    assert segmentIds(case.node)[:2] == [l5, l4]


def test_segments_that_lie_in_two_layers_can_be_merged(mrml):
    case = mrml.newColumn()
    added = case.node.GetSegmentation().AddEmptySegment("", "T12")
    setMask(case.node, added, rows(0, 1, slice(0, 8)))
    l3 = idOf(case.node, 3)
    before = masks(case.node)
    mergeSegments(case.node, [l3, added], case.history)
    assert np.array_equal(maskOf(case.node, l3), rows(0, 1, slice(0, 8)))
    del before[added]
    assertOthersUntouched(case.node, before, {l3})


def test_one_segment_alone_can_t_be_merged(mrml):
    case = mrml.newColumn()
    l5 = idOf(case.node, 1)
    for ids in ([], [l5], [l5, l5]):
        with pytest.raises(InputError, match="at least two segments"):
            mergeSegments(case.node, ids, case.history)
    with pytest.raises(InputError, match="gone is no longer"):
        mergeSegments(case.node, [l5, "gone"], case.history)
    assert named(case.node) == AS_FOUND
    assert not canUndo(case)


# ---------------------------------------------------------------------------------------------- split


def joinedCase(mrml, info=None):
    """L4, its disc and L5 drawn as one body of value 1; what was L3 is 2."""
    return mrml.newCase(relabeled({202: 1, 2: 1, 3: 2, 203: 202}), COLUMN, info)


def test_two_joined_bodies_are_split_and_everything_above_moves_up(mrml):
    case = joinedCase(mrml)
    assert named(case.node) == ["L5?", "L4?", "L5/S1?", "L4/L5?", "Spinal canal"]
    lower = idOf(case.node, 1)
    # Clicks on j = 3 and j = 9: halfway is j = 6, which goes to the lower part.
    upper = splitSegment(case.node, lower, columnPoint(2, 3, 1), columnPoint(3, 9, 1), case.history)
    # The plane is tilted by one column in six rows, half a column to each side of 2.5: j = 6 lies on the lower side for i = 3, 4.
    found = labelsOf(case)
    assert idOf(case.node, 1) == lower
    assert idOf(case.node, 2) == upper
    assert (found[:, 3:6, 1:5] == 2).all()
    assert (found[:, 7:10, 1:5] == 1).all()
    assert (found[:, 0:2, 1:5] == 3).all()
    assert (found[:, 2, 1:5] == 203).all()
    assert (found[:, 10, 1:5] == 201).all()
    assert (found[:, :, CANAL_COLUMN] == 100).all()
    assert named(case.node) == ["L5?", "L3?", "L5/S1?", "L3/L4?", "Spinal canal", "L4?"]


@pytest.mark.parametrize("swapped", [False, True])
def test_the_part_nearer_to_the_feet_keeps_its_level_whichever_was_clicked_first(mrml, swapped):
    case = joinedCase(mrml)
    lower = idOf(case.node, 1)
    # Halfway between j = 3 and j = 8 is 5.5, straight across.
    points = [columnPoint(2, 3, 1), columnPoint(2, 8, 1)]
    upper = splitSegment(case.node, lower, *(reversed(points) if swapped else points), case.history)
    assert np.array_equal(maskOf(case.node, lower), rows(6, 9))
    assert np.array_equal(maskOf(case.node, upper), rows(3, 5))
    assert np.array_equal(labelsOf(case), relabeled({202: 1}))
    assert len(labelmapOf(case.node).overlaps) == 0


def test_feet_are_where_the_world_says_also_under_a_transform_that_turns_the_patient(mrml):
    case = joinedCase(mrml)
    # Half a turn about the left-right axis: the rows run upward in the world.
    turned = np.diag([1.0, -1.0, -1.0, 1.0])
    case.node.SetAndObserveTransformNodeID(mrml.newTransform(turned).GetID())
    lower = idOf(case.node, 1)
    points = [tuple(turned[:3, :3] @ columnPoint(2, j, 1)) for j in (3, 8)]
    upper = splitSegment(case.node, lower, *points, case.history)
    assert np.array_equal(maskOf(case.node, lower), rows(3, 5))
    assert np.array_equal(maskOf(case.node, upper), rows(6, 9))


def test_where_the_next_level_is_free_nothing_above_moves(mrml):
    # Only L5 (drawn over L4) and, two levels up, L3: L4 is missing.
    case = mrml.newCase(relabeled({202: 1, 2: 1, 203: 0}), COLUMN, SegmentInfo(LevelNaming(LevelState.CONFIRMED), "m", {1: 0.5}))
    splitSegment(case.node, idOf(case.node, 1), columnPoint(2, 3, 1), columnPoint(2, 8, 1), case.history)
    assert np.array_equal(labelsOf(case), relabeled({202: 1, 203: 0}))
    assert named(case.node) == ["L5", "L3", "L5/S1", "Spinal canal", "L4"]
    assert {tags.value: (tags.model_id, tags.confidence) for _, _, tags in taggedSegments(case.node)}[2] == ("m", 0.5)


def test_levels_that_move_up_lose_the_names_and_the_confirmation_they_had(mrml):
    case = joinedCase(mrml, SegmentInfo(LevelNaming(LevelState.TRANSITIONAL, 6, {2: "Lx"})))
    splitSegment(case.node, idOf(case.node, 1), columnPoint(2, 3, 1), columnPoint(2, 8, 1), case.history)
    # Lx was the body that is level 3 now.
    assert namingOf(case.node) == LevelNaming(LevelState.ASSUMED, 6)
    assert named(case.node) == ["L6?", "L4?", "L6/S1?", "L4/L5?", "Spinal canal", "L5?"]
    case.history.undo()
    assert named(case.node) == ["L6", "Lx", "L6/S1", "Lx/L6", "Spinal canal"]


def test_two_joined_discs_are_split_and_the_vertebra_between_them_moves_up(mrml):
    # The two lowest discs were drawn as one, over the L5 between them; L5 was called 1 where it was drawn elsewhere.
    labels = relabeled({202: 201, 1: 0, 2: 1, 203: 202, 3: 2})
    case = mrml.newCase(labels, COLUMN)
    splitSegment(case.node, idOf(case.node, 201), columnPoint(2, 6, 1), columnPoint(2, 10, 1), case.history)
    # Everything from the vertebra above the lower disc upward is one level higher.
    assert np.array_equal(labelsOf(case), relabeled({1: 0}))


def test_the_canal_is_split_into_itself_and_a_part_without_a_level(mrml):
    case = mrml.newColumn()
    canal = idOf(case.node, 100)
    part = splitSegment(case.node, canal, columnPoint(6, 1, 1), columnPoint(6, 2, 1), case.history)
    assert np.array_equal(maskOf(case.node, part), rows(0, 1, slice(6, 7)))
    assert np.array_equal(maskOf(case.node, canal), rows(2, 11, slice(6, 7)))
    assert named(case.node) == [*AS_FOUND, "Spinal canal, upper part"]
    assert labelmapOf(case.node).unnamed == ("Spinal canal, upper part",)


@pytest.mark.parametrize("name", ["cyst", "Vertebra", "disc", "T", ""])
def test_a_segment_without_a_level_is_split_into_two_without(mrml, name):
    case = mrml.newCase(np.zeros(COLUMN.shape_kji, np.uint8), COLUMN)
    segment = slicer.vtkSegment()
    segment.SetName(name)
    segment.SetColor(0.25, 0.5, 0.75)
    case.node.GetSegmentation().AddSegment(segment, "one")
    setMask(case.node, "one", rows(0, 3))
    part = splitSegment(case.node, "one", columnPoint(2, 1, 1), columnPoint(2, 2, 1), case.history)
    assert np.array_equal(maskOf(case.node, part), rows(0, 1))
    assert named(case.node) == [name, f"{name}, upper part"]
    assert segmentOf(case.node, part).GetColor() == (0.25, 0.5, 0.75)
    assert len(labelmapOf(case.node).unnamed) == 2


def test_a_split_that_cuts_nothing_changes_nothing(mrml):
    case = mrml.newColumn()
    l5 = idOf(case.node, 1)
    with pytest.raises(InputError, match="does not cut the segment"):
        splitSegment(case.node, l5, columnPoint(2, 0, 1), columnPoint(2, 1, 1), case.history)
    with pytest.raises(InputError, match="two different points"):
        splitSegment(case.node, l5, columnPoint(2, 8, 1), columnPoint(2, 8, 1), case.history)
    with pytest.raises(InputError, match="is no longer in"):
        splitSegment(case.node, "gone", columnPoint(2, 7, 1), columnPoint(2, 8, 1), case.history)
    assert named(case.node) == AS_FOUND
    assert np.array_equal(labelsOf(case), columnLabels())
    assert not canUndo(case)


def test_a_split_at_the_top_of_the_scheme_is_refused_before_anything_is_changed(mrml):
    for labels, value in ((relabeled({2: 24, 3: 25}), 24), (relabeled({3: 25}), 25)):
        case = mrml.newCase(labels, COLUMN)
        points = (columnPoint(2, 3, 1), columnPoint(2, 5, 1)) if value == 24 else (columnPoint(2, 0, 1), columnPoint(2, 1, 1))
        with pytest.raises(LabelError, match=r"would get level 26|no level above 25"):
            splitSegment(case.node, idOf(case.node, value), *points, case.history)
        assert np.array_equal(labelsOf(case), labels)
        assert not canUndo(case)


# ---------------------------------------------------------------------------------------------- islands, holes, smoothing


def test_islands_of_one_segment_go_and_others_keep_theirs(mrml):
    labels = columnLabels()
    labels[0, 11, 0] = 1
    labels[2, 11, 7] = 2
    case = mrml.newCase(labels, COLUMN)
    # 1 voxel of 37.
    assert removeIslands(case.node, idOf(case.node, 1), case.history) == 1
    labels[0, 11, 0] = 0
    assert np.array_equal(labelsOf(case), labels)
    assert labelsOf(case)[2, 11, 7] == 2


def test_a_hole_is_filled_slice_by_slice_but_not_what_lies_in_it(mrml):
    labels = columnLabels()
    labels[0, 8, 2] = 0
    labels[1, 8, 2] = 2
    labels[2, 8, 2:4] = 0
    case = mrml.newCase(labels, COLUMN)
    assert fillHoles(case.node, idOf(case.node, 1), case.history) == 3
    expected = columnLabels()
    expected[1, 8, 2] = 2
    assert np.array_equal(labelsOf(case), expected)


def test_smoothing_keeps_the_volume_and_the_neighbors(mrml):
    labels = np.zeros(COLUMN.shape_kji, np.uint8)
    labels[1, 2:8, 0:5] = 1
    labels[1, 4, 5:8] = 1
    # Where the spur would be rounded into.
    labels[1, [3, 5], 5] = 201
    case = mrml.newCase(labels, COLUMN)
    changed = smoothSegment(case.node, idOf(case.node, 1), case.history)
    found = labelsOf(case)
    assert labelmapOf(case.node).overlaps == ()
    assert changed == np.count_nonzero((found == 1) != (labels == 1)) > 0
    assert (found == 1).sum() == (labels == 1).sum() == 33
    assert np.array_equal(found == 201, labels == 201)
    assert not found[1, 4, 7]
    # 4 mm slices are not blurred through.
    assert not found[0].any()
    assert not found[2].any()


@pytest.mark.parametrize("tool", [removeIslands, fillHoles])
def test_a_tool_that_finds_nothing_to_do_leaves_no_undo_state(mrml, tool):
    case = mrml.newColumn()
    assert tool(case.node, idOf(case.node, 1), case.history) == 0
    assert not canUndo(case)
    with pytest.raises(InputError, match="is no longer in"):
        tool(case.node, "gone", case.history)


@pytest.mark.parametrize("tool", [removeIslands, fillHoles, smoothSegment])
def test_empty_segments_are_no_fault(mrml, tool):
    case = mrml.newColumn()
    l5 = idOf(case.node, 1)
    setMask(case.node, l5, np.zeros(COLUMN.shape_kji, bool))
    assert tool(case.node, l5, case.history) == 0


def spoiled(mrml):
    """L5 with an island, a hole and a spur; voxels of others beside it."""
    labels = columnLabels()
    labels[1, 8, 2] = 0
    labels[1, 11, 0] = 1
    labels[:, 8, 5] = 1
    return mrml.newCase(labels, COLUMN), labels


@pytest.mark.parametrize("tool", [removeIslands, fillHoles, smoothSegment])
def test_each_tool_is_undone_and_redone(mrml, tool):
    case, labels = spoiled(mrml)
    assert tool(case.node, idOf(case.node, 1), case.history) > 0
    after = labelsOf(case)
    assert np.array_equal(after[labels > 1], labels[labels > 1])
    case.history.undo()
    assert np.array_equal(labelsOf(case), labels)
    assert not canUndo(case)
    case.history.redo()
    assert np.array_equal(labelsOf(case), after)


# ---------------------------------------------------------------------------------------------- back to the prediction


def test_a_corrected_level_goes_back_to_what_the_model_drew(mrml):
    case = mrml.newColumn()
    l5 = idOf(case.node, 1)
    setMask(case.node, l5, rows(8, 9) | rows(11, 11))
    assert revertToPrediction(case.node, l5, case.history) == 12 + 12
    assert np.array_equal(labelsOf(case), columnLabels())
    case.history.undo()
    assert np.array_equal(maskOf(case.node, l5), rows(8, 9) | rows(11, 11))


def test_after_a_shift_the_voxels_tell_which_prediction_it_was(mrml):
    case = mrml.newColumn()
    shiftLevels(case.node, 1, case.history)
    # Value 2 now, but drawn as 1, and a little of what was drawn as 2.
    setMask(case.node, idOf(case.node, 2), rows(5, 5) | rows(8, 9))
    assert revertToPrediction(case.node, idOf(case.node, 2), case.history) == 24
    assert np.array_equal(maskOf(case.node, idOf(case.node, 2)), rows(7, 9))
    assert named(case.node)[0] == "L4?"


def test_an_emptied_level_gets_the_prediction_of_its_own_value(mrml):
    case = mrml.newColumn()
    l4 = idOf(case.node, 2)
    setMask(case.node, l4, np.zeros(COLUMN.shape_kji, bool))
    assert revertToPrediction(case.node, l4, case.history) == 36
    assert np.array_equal(labelsOf(case), columnLabels())


def test_going_back_takes_no_voxels_of_other_segments(mrml):
    case = mrml.newColumn()
    disc, l5 = idOf(case.node, 202), idOf(case.node, 1)
    # The disc was rightly drawn over the top row of L5.
    setMask(case.node, l5, rows(8, 9))
    setMask(case.node, disc, rows(6, 7))
    assert revertToPrediction(case.node, l5, case.history) == 0
    assert np.array_equal(maskOf(case.node, l5), rows(8, 9))
    assert np.array_equal(maskOf(case.node, disc), rows(6, 7))


def test_only_a_prediction_of_the_same_structure_counts(mrml):
    case = mrml.newColumn()
    l5 = idOf(case.node, 1)
    # Mostly over the disc 201 and nowhere over a vertebra.
    setMask(case.node, l5, rows(10, 11))
    with pytest.raises(InputError, match=r"the model drew nothing where L5\? lies"):
        revertToPrediction(case.node, l5, case.history)
    assert not canUndo(case)


def test_without_a_prediction_there_is_no_way_back(mrml):
    case = mrml.newColumn()
    l5 = idOf(case.node, 1)
    cyst = case.node.GetSegmentation().AddEmptySegment("", "cyst")
    with pytest.raises(InputError, match="cyst was not drawn by the model"):
        revertToPrediction(case.node, cyst, case.history)
    keepPrediction(case.node, relabeled({1: 0}))
    setMask(case.node, l5, np.zeros(COLUMN.shape_kji, bool))
    with pytest.raises(InputError, match="the model drew nothing"):
        revertToPrediction(case.node, l5, case.history)
    forgetPrediction(case.node)
    with pytest.raises(InputError, match="t2 segmentation keeps no prediction"):
        revertToPrediction(case.node, l5, case.history)
    with pytest.raises(InputError, match="keeps no prediction"):
        predictedMask(case.node, 1)
    assert not canUndo(case)


def test_a_prediction_on_another_grid_is_refused(mrml):
    case = mrml.newColumn()
    assert np.array_equal(predictedLabels(case.node), columnLabels())
    assert np.array_equal(predictedMask(case.node, 202), columnLabels() == 202)
    other = Geometry((4, 3, 2), (1.0, 1.0, 4.0), (0.0, 0.0, 0.0), SAGITTAL_DIRECTION)
    case.node.SetReferenceImageGeometryParameterFromVolumeNode(mrml.newVolume(other))
    with pytest.raises(InputError, match=r"expected a prediction on the grid \(2, 3, 4\) \(k, j, i\), found \(3, 12, 8\)"):
        predictedLabels(case.node)


# ---------------------------------------------------------------------------------------------- taking in what a click found


def test_what_the_model_drew_anew_never_overwrites_others(mrml):
    case = mrml.newColumn(SegmentInfo(LevelNaming(LevelState.CONFIRMED)))
    before = masks(case.node)
    # Two rows of a new body, the lower one over L3.
    segmentId = takeIn(case.node, rows(0, 0, slice(0, 8)) | rows(11, 11), SegmentTags(4, model_id="m", confidence=0.25), case.history)
    # Row 0 but for L3 (columns 1 to 4) and the canal (6): columns 0, 5 and 7; row 11 as it is.
    expected = rows(0, 0, [0, 5, 7]) | rows(11, 11)
    assert np.array_equal(maskOf(case.node, segmentId), expected)
    assertOthersUntouched(case.node, before, set())
    assert named(case.node)[-1] == "L2"
    tags = {tags.value: tags for _, _, tags in taggedSegments(case.node)}[4]
    assert (tags.model_id, tags.confidence, tags.naming.state) == ("m", 0.25, LevelState.CONFIRMED)
    case.history.undo()
    assert named(case.node) == ["L5", "L4", "L3", "L5/S1", "L4/L5", "L3/L4", "Spinal canal"]
    assert np.array_equal(labelsOf(case), columnLabels())


@pytest.mark.parametrize("value", [1, 101])
def test_a_level_that_is_there_gets_the_new_voxels(mrml, value):
    case = mrml.newColumn(SegmentInfo(confidences={1: 0.5}))
    before, l5 = masks(case.node), idOf(case.node, 1)
    assert takeIn(case.node, rows(6, 8) | rows(11, 11), SegmentTags(value, confidence=0.75), case.history) == l5
    # Row 6 is the disc's.
    assert np.array_equal(maskOf(case.node, l5), rows(7, 8) | rows(11, 11))
    assertOthersUntouched(case.node, before, {l5})
    tags = {segmentId: tags for segmentId, _, tags in taggedSegments(case.node)}[l5]
    assert (tags.value, tags.confidence) == (value, 0.75)
    case.history.undo()
    assert np.array_equal(labelsOf(case), columnLabels())


def test_nothing_is_added_where_others_lie_already(mrml):
    case = mrml.newColumn()
    with pytest.raises(InputError, match="all of it belongs to other segments already"):
        takeIn(case.node, rows(0, 10), SegmentTags(4), case.history)
    assert named(case.node) == AS_FOUND
    assert not canUndo(case)


# ---------------------------------------------------------------------------------------------- undo of everything


def paint(case, segmentId, mask):
    """A stroke of the segment editor, over other segments as its default is."""
    logic = case.history.editorLogic
    logic.GetSegmentEditorNode().SetSelectedSegmentID(segmentId)
    case.history.saveStateForUndo()
    image = orientedImage(mask.astype(np.uint8), COLUMN)
    logic.ModifySegmentByLabelmap(case.node, segmentId, image, slicer.vtkSlicerSegmentEditorLogic.ModificationModeAdd, False, False)


def snapshot(case):
    segments = [segmentOf(case.node, segmentId) for segmentId in segmentIds(case.node)]
    return (
        segmentIds(case.node),
        named(case.node),
        [segment.GetColor() for segment in segments],
        [tags for _, _, tags in taggedSegments(case.node)],
        [maskOf(case.node, segmentId).tobytes() for segmentId in segmentIds(case.node)],
    )


STROKE = rows(10, 11, slice(3, 5))


def bodyAt(case, j):
    """ID of the body that lies in a row, whatever it is called by now."""
    return next(segmentId for segmentId in segmentIds(case.node) if maskOf(case.node, segmentId)[1, j, 2])


def stroke(case):
    """The lowest body grows over half of its disc, and below it."""
    paint(case, bodyAt(case, 8), STROKE)


def overlap(case):
    """The canal grows over the bodies without taking their voxels, so that there are two layers."""
    editorNode = case.history.editorLogic.GetSegmentEditorNode()
    editorNode.SetOverwriteMode(slicer.vtkMRMLSegmentEditorNode.OverwriteNone)
    paint(case, idOf(case.node, 100), rows(0, 11, slice(4, 6)))
    assert case.node.GetSegmentation().GetNumberOfLayers() > 1
    editorNode.SetOverwriteMode(slicer.vtkMRMLSegmentEditorNode.OverwriteAllSegments)


def shift(case):
    shiftLevels(case.node, 1, case.history)


def split(case):
    """The middle body is cut below its first row."""
    splitSegment(case.node, bodyAt(case, 4), columnPoint(2, 3, 1), columnPoint(2, 4, 1), case.history)


def merge(case):
    ids = segmentIds(case.node)
    mergeSegments(case.node, [ids[-1], ids[0]], case.history)


def test_a_stroke_is_what_it_says(mrml):
    case = mrml.newColumn()
    stroke(case)
    expected = columnLabels()
    expected[STROKE] = 1
    assert np.array_equal(labelsOf(case), expected)
    case.history.undo()
    assert np.array_equal(labelsOf(case), columnLabels())


def test_stroke_shift_and_split_leave_what_they_should(mrml):
    case = mrml.newColumn()
    for step in (stroke, shift, split):
        step(case)
    # L5 with its stroke is 2, L4 was 3 and keeps it below row 3, its upper part is 4, L3 is 5; discs follow, the canal stays.
    expected = relabeled({1: 2, 2: 3, 3: 5, 201: 202, 202: 203, 203: 205})
    expected[:, 3, 1:5] = 4
    expected[STROKE] = 2
    assert np.array_equal(labelsOf(case), expected)
    assert named(case.node) == ["L4?", "L3?", "L1?", "L4/L5?", "L3/L4?", "L1/L2?", "Spinal canal", "L2?"]


@pytest.mark.parametrize(
    "steps",
    [
        (stroke, shift, split),
        (shift, stroke, split),
        (split, shift, stroke),
        (split, stroke, shift),
        (stroke, split, shift),
        (shift, split, stroke),
        (overlap, shift, split),
        (split, overlap, shift),
        (shift, split, merge, stroke, shift),
    ],
    ids=lambda steps: "-".join(step.__name__ for step in steps),
)
def test_strokes_and_tools_mixed_are_undone_one_by_one_and_redone(mrml, steps):
    case = mrml.newColumn(SegmentInfo(LevelNaming(LevelState.TRANSITIONAL, 6, {2: "Lx"}), "m", {1: 0.9, 2: 0.5}))
    states = [snapshot(case)]
    for step in steps:
        step(case)
        states.append(snapshot(case))
        assert states[-1] != states[-2]
    for expected in reversed(states[:-1]):
        case.history.undo()
        assert snapshot(case) == expected
    assert not canUndo(case)
    assert np.array_equal(labelsOf(case), columnLabels())
    for expected in states[1:]:
        case.history.redo()
        assert snapshot(case) == expected


def test_after_undoing_all_three_work_goes_on(mrml):
    case = mrml.newColumn()
    for step in (stroke, shift, split):
        step(case)
    for _ in range(3):
        case.history.undo()
    shiftLevels(case.node, 2, case.history)
    assert named(case.node)[:3] == ["L3?", "L2?", "L1?"]
    shifted = snapshot(case)
    stroke(case)
    assert snapshot(case) != shifted
    case.history.undo()
    assert snapshot(case) == shifted
    case.history.undo()
    assert named(case.node) == AS_FOUND
