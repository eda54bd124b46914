"""What the views are told to show, read from the real slice, composite and display nodes."""

from __future__ import annotations

import numpy as np
import pytest

from mrml_scene import COLUMN, columnLabels, columnPoint, idOf
from SpiderSegLib.errors import InputError
from SpiderSegLib.labels import label_table
from SpiderSegLib.mrml.display import (
    ADDED,
    AMBER,
    BLUE,
    LOW_CONFIDENCE,
    PALE,
    RELABELED,
    REMOVED,
    Overlay,
    colorByConfidence,
    confidenceColor,
    difference,
    forgetOverlays,
    jumpTo,
    linkSlices,
    setOpacity,
    showInSlices,
    showOverlay,
    showSegmentAlone,
)
from SpiderSegLib.mrml.levels import levelRows, shiftLevels
from SpiderSegLib.mrml.segmentations import SegmentInfo, forgetPrediction, predictionNodeOf
from SpiderSegLib.mrml.segments import segmentIds, segmentOf, setMask
from SpiderSegLib.mrml.volumes import imageArray
from SpiderSegLib.phantom import SAGITTAL_DIRECTION
from SpiderSegLib.volume import Geometry

pytestmark = pytest.mark.mrml

VIEWS = {"Yellow": "Sagittal", "Red": "Axial", "Green": "Coronal"}


@pytest.fixture
def views(mrml):
    """Slice and composite nodes of three views, by name."""
    found = {}
    for name, orientation in VIEWS.items():
        sliceNode = mrml.scene.AddNewNodeByClass("vtkMRMLSliceNode", name)
        sliceNode.SetLayoutName(name)
        sliceNode.SetOrientation(orientation)
        sliceNode.SetFieldOfView(200.0, 100.0, 1.0)
        composite = mrml.scene.AddNewNodeByClass("vtkMRMLSliceCompositeNode", name)
        composite.SetLayoutName(name)
        found[name] = (sliceNode, composite)
    return found


def centerOf(sliceNode):
    matrix = sliceNode.GetSliceToRAS()
    return tuple(matrix.GetElement(row, 3) for row in range(3))


def labelLayers(views):
    return {composite.GetLabelVolumeID() for _, composite in views.values()}


# ---------------------------------------------------------------------------------------------- views


def test_a_jump_moves_every_slice_view_and_no_zoom(mrml, views):
    jumpTo(mrml.scene, (12.0, -34.0, 56.0))
    for name, (sliceNode, _) in views.items():
        assert centerOf(sliceNode) == (12.0, -34.0, 56.0)
        assert sliceNode.GetFieldOfView() == (200.0, 100.0, 1.0)
        assert sliceNode.GetOrientation() == VIEWS[name]


def test_a_jump_to_a_level_shows_its_middle_slice(mrml, views):
    case = mrml.newColumn()
    jumpTo(mrml.scene, levelRows(case.node)[0].centerRas)
    # L5 lies in rows 7 to 9 and columns 1 to 4 of slices 0 to 2.
    assert centerOf(views["Yellow"][0]) == columnPoint(2.5, 8, 1)


def test_without_views_there_is_nothing_to_move(mrml):
    jumpTo(mrml.scene, (1.0, 2.0, 3.0))
    showInSlices(mrml.scene, mrml.newVolume(COLUMN))


def backgrounds(views):
    return [composite.GetBackgroundVolumeID() for _, composite in views.values()]


def test_a_volume_is_shown_in_all_slice_views_linked_and_nothing_moves(mrml, views):
    jumpTo(mrml.scene, (1.0, 2.0, 3.0))
    for name in ("t1", "t2"):
        volumeNode = mrml.newVolume(COLUMN, name)
        showInSlices(mrml.scene, volumeNode)
        assert backgrounds(views) == [volumeNode.GetID()] * 3
    assert all(composite.GetLinkedControl() for _, composite in views.values())
    assert {centerOf(sliceNode) for sliceNode, _ in views.values()} == {(1.0, 2.0, 3.0)}


def test_views_that_show_a_volume_already_keep_what_the_user_chose(mrml, views):
    t1, t2 = mrml.newVolume(COLUMN, "t1"), mrml.newVolume(COLUMN, "t2")
    for (_, composite), volumeNode in zip(views.values(), (t1, t2, t2), strict=True):
        composite.SetBackgroundVolumeID(volumeNode.GetID())
    showInSlices(mrml.scene, t1)
    assert backgrounds(views) == [t1.GetID(), t2.GetID(), t2.GetID()]


def test_views_are_linked(mrml, views):
    linkSlices(mrml.scene)
    assert all(composite.GetLinkedControl() for _, composite in views.values())


# ---------------------------------------------------------------------------------------------- segments


@pytest.mark.parametrize(("opacity", "outlineOnly"), [(0.4, False), (0.0, False), (1.0, True)])
def test_opacity_and_outline(mrml, opacity, outlineOnly):
    node = mrml.newColumn().node
    setOpacity(node, opacity, outlineOnly)
    display = node.GetDisplayNode()
    assert display.GetOpacity2DFill() == opacity
    assert bool(display.GetVisibility2DFill()) is not outlineOnly
    assert display.GetVisibility2DOutline()


def test_a_new_segmentation_lets_the_gray_image_through(mrml):
    assert mrml.newColumn().node.GetDisplayNode().GetOpacity2DFill() == 0.4


def test_one_segment_is_shown_alone_and_all_again(mrml):
    case = mrml.newColumn()
    l4 = idOf(case.node, 2)
    showSegmentAlone(case.node, l4)
    assert [row.name for row in levelRows(case.node) if row.isVisible] == ["L4?"]
    showSegmentAlone(case.node, None)
    assert all(row.isVisible for row in levelRows(case.node))
    with pytest.raises(InputError, match="is no longer in"):
        showSegmentAlone(case.node, "gone")
    assert all(row.isVisible for row in levelRows(case.node))


# ---------------------------------------------------------------------------------------------- confidence


def test_confidence_runs_from_amber_over_pale_to_blue():
    assert confidenceColor(0.0) == confidenceColor(0.4) == pytest.approx(AMBER)
    assert LOW_CONFIDENCE == 0.8
    assert confidenceColor(0.8) == pytest.approx(PALE)
    assert confidenceColor(1.0) == pytest.approx(BLUE)
    assert confidenceColor(0.6) == pytest.approx([(amber + pale) / 2 for amber, pale in zip(AMBER, PALE, strict=True)])


def test_confidence_colors_are_only_in_the_display_and_go_again(mrml):
    case = mrml.newColumn(SegmentInfo(confidences={1: 0.8, 2: 0.2}))
    display = case.node.GetDisplayNode()
    own = {segmentId: segmentOf(case.node, segmentId).GetColor() for segmentId in segmentIds(case.node)}
    colorByConfidence(case.node, True)
    assert display.GetSegmentColor(idOf(case.node, 1)) == pytest.approx(PALE)
    assert display.GetSegmentColor(idOf(case.node, 2)) == pytest.approx(AMBER)
    # Drawn by hand, or by a model that told no confidence.
    assert display.GetSegmentColor(idOf(case.node, 3)) == pytest.approx(own[idOf(case.node, 3)])
    assert {segmentId: segmentOf(case.node, segmentId).GetColor() for segmentId in segmentIds(case.node)} == own
    colorByConfidence(case.node, False)
    for segmentId, color in own.items():
        assert display.GetSegmentColor(segmentId) == pytest.approx(color)


# ---------------------------------------------------------------------------------------------- difference


def test_a_difference_is_added_removed_or_relabeled():
    predicted = np.array([[[1, 1, 1, 1, 0, 2, 2, 2]]], np.uint8)
    present = np.array([[[1, 1, 0, 2, 1, 2, 2, 2]]], np.uint8)
    assert difference(predicted, present).tolist() == [[[0, 0, REMOVED, RELABELED, ADDED, 0, 0, 0]]]
    assert (ADDED, REMOVED, RELABELED) == (1, 2, 3)


def test_shifted_levels_alone_are_no_difference():
    predicted = np.array([[[1, 1, 201, 2, 2, 0, 100]]], np.uint8)
    present = np.array([[[2, 2, 202, 3, 3, 0, 100]]], np.uint8)
    assert not difference(predicted, present).any()
    # A voxel of the shifted lower level that went to the upper one is.
    present[0, 0, 0] = 3
    predicted_more = np.concatenate([predicted, predicted])
    present_more = np.concatenate([present, np.array([[[2, 2, 202, 3, 3, 0, 100]]], np.uint8)])
    assert np.argwhere(difference(predicted_more, present_more)).tolist() == [[0, 0, 0]]


def test_an_erased_level_is_removed_and_a_drawn_one_added():
    empty, one = np.zeros((1, 1, 3), np.uint8), np.full((1, 1, 3), 225, np.uint8)
    assert (difference(one, empty) == REMOVED).all()
    assert (difference(empty, one) == ADDED).all()
    assert not difference(empty, empty).any()


# ---------------------------------------------------------------------------------------------- overlays


def corrected(mrml):
    """L5 lost its lowest row and grew below its disc."""
    case = mrml.newColumn()
    mask = columnLabels() == 1
    mask[:, 9] = False
    mask[:, 11, 1:3] = True
    setMask(case.node, idOf(case.node, 1), mask)
    return case


def test_the_prediction_is_drawn_as_outlines_in_the_colors_of_its_values(mrml, views):
    case = corrected(mrml)
    showOverlay(case.node, Overlay.PREDICTION)
    prediction = predictionNodeOf(case.node)
    assert labelLayers(views) == {prediction.GetID()}
    assert all(sliceNode.GetUseLabelOutline() for sliceNode, _ in views.values())
    assert np.array_equal(imageArray(prediction.GetImageData()), columnLabels())
    table = prediction.GetDisplayNode().GetColorNode()
    for value in (1, 100, 101, 225):
        color = [0.0, 0.0, 0.0, 0.0]
        table.GetColor(value, color)
        assert color == pytest.approx([*(part / 255 for part in label_table()[value].color_rgba[:3]), 1.0], abs=1e-6)
        assert table.GetColorName(value) == label_table()[value].name
    background = [1.0] * 4
    table.GetColor(0, background)
    assert background[3] == 0


def test_the_difference_shows_what_was_changed_of_the_prediction(mrml, views):
    case = corrected(mrml)
    showOverlay(case.node, Overlay.DIFFERENCE)
    [nodeId] = labelLayers(views)
    node = mrml.scene.GetNodeByID(nodeId)
    expected = np.zeros(COLUMN.shape_kji, np.uint8)
    expected[:, 9, 1:5] = REMOVED
    expected[:, 11, 1:3] = ADDED
    assert np.array_equal(imageArray(node.GetImageData()), expected)
    assert node.GetHideFromEditors()
    assert not node.GetSaveWithScene()
    table = node.GetDisplayNode().GetColorNode()
    assert [table.GetColorName(value) for value in (ADDED, REMOVED, RELABELED)] == ["added", "removed", "other level"]
    assert not any(sliceNode.GetUseLabelOutline() for sliceNode, _ in views.values())


def test_shifting_is_no_difference_and_the_same_node_is_used_again(mrml, views):
    case = mrml.newColumn()
    showOverlay(case.node, Overlay.DIFFERENCE)
    [first] = labelLayers(views)
    nodes = mrml.scene.GetNumberOfNodes()
    shiftLevels(case.node, 1, case.history)
    showOverlay(case.node, Overlay.DIFFERENCE)
    assert labelLayers(views) == {first}
    assert not imageArray(mrml.scene.GetNodeByID(first).GetImageData()).any()
    setMask(case.node, idOf(case.node, 2), np.zeros(COLUMN.shape_kji, bool))
    showOverlay(case.node, Overlay.DIFFERENCE)
    assert np.array_equal(imageArray(mrml.scene.GetNodeByID(first).GetImageData()) == REMOVED, columnLabels() == 1)
    assert mrml.scene.GetNumberOfNodes() == nodes


def test_the_difference_lies_on_the_segments_also_when_another_series_is_looked_at(mrml, views):
    case = corrected(mrml)
    mrml.newVolume(Geometry((4, 3, 2), (2.0, 2.0, 4.0), (0.0, 0.0, 0.0), SAGITTAL_DIRECTION), "t1")
    showOverlay(case.node, Overlay.DIFFERENCE)
    [nodeId] = labelLayers(views)
    node = mrml.scene.GetNodeByID(nodeId)
    assert node.GetImageData().GetDimensions() == COLUMN.size_ijk
    assert node.GetOrigin() == (-4.0, -2.0, 10.0)


def test_overlays_lie_in_the_world_under_a_transform(mrml, views):
    case = corrected(mrml)
    transform = mrml.newTransform([[1, 0, 0, 5], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])
    for node in (case.volumeNode, case.node, predictionNodeOf(case.node)):
        node.SetAndObserveTransformNodeID(transform.GetID())
    for overlay in (Overlay.PREDICTION, Overlay.DIFFERENCE):
        showOverlay(case.node, overlay)
        [nodeId] = labelLayers(views)
        world = [0.0, 0.0, 0.0]
        mrml.scene.GetNodeByID(nodeId).TransformPointToWorld(mrml.scene.GetNodeByID(nodeId).GetOrigin(), world)
        assert world == [1.0, -2.0, 10.0]


def test_no_overlay_clears_the_label_layer(mrml, views):
    case = corrected(mrml)
    showOverlay(case.node, Overlay.PREDICTION)
    showOverlay(case.node, Overlay.NOTHING)
    assert labelLayers(views) == {None}
    assert not any(sliceNode.GetUseLabelOutline() for sliceNode, _ in views.values())
    assert predictionNodeOf(case.node) is not None


def test_without_a_prediction_there_is_nothing_to_draw_and_the_views_stay(mrml, views):
    case = mrml.newColumn()
    forgetPrediction(case.node)
    for overlay in (Overlay.PREDICTION, Overlay.DIFFERENCE):
        with pytest.raises(InputError, match="t2 segmentation keeps no prediction"):
            showOverlay(case.node, overlay)
    assert labelLayers(views) == {None}
    showOverlay(case.node, Overlay.NOTHING)


def test_the_overlays_of_a_segmentation_leave_nothing_behind(mrml, views):
    case = corrected(mrml)
    tables = mrml.scene.GetNumberOfNodesByClass("vtkMRMLColorTableNode")
    for overlay in (Overlay.PREDICTION, Overlay.DIFFERENCE, Overlay.PREDICTION):
        showOverlay(case.node, overlay)
    forgetOverlays(case.node)
    assert mrml.scene.GetNumberOfNodesByClass("vtkMRMLLabelMapVolumeNode") == 0
    assert mrml.scene.GetNumberOfNodesByClass("vtkMRMLColorTableNode") == tables
    assert mrml.scene.GetNumberOfNodesByClass("vtkMRMLLabelMapVolumeDisplayNode") == 0
    assert predictionNodeOf(case.node) is None
    forgetOverlays(case.node)
