"""Labelmap -> segmentation node -> labelmap: one segment a value, every value kept, also after people renamed, added or overlapped segments."""

from __future__ import annotations

import numpy as np
import pytest
import slicer
import vtk

from mrml_scene import COLUMN, columnLabels, idOf, named
from SpiderSegLib.errors import GeometryError, InputError, LabelError
from SpiderSegLib.labels import LevelState, label_table
from SpiderSegLib.level_names import LevelNaming
from SpiderSegLib.mrml.segmentations import (
    Overlap,
    SegmentInfo,
    forgetPrediction,
    keepPrediction,
    labelmapOf,
    newSegmentationNode,
    placeBeside,
    predictionNodeOf,
    replaceSegments,
)
from SpiderSegLib.mrml.segments import (
    addSegment,
    geometryOfImage,
    maskOf,
    namingOf,
    occupiedByOthers,
    referenceGeometry,
    referenceImage,
    segmentIds,
    segmentOf,
    setMask,
    taggedSegments,
    tagTexts,
)
from SpiderSegLib.mrml.spine_tools import predictedLabels
from SpiderSegLib.mrml.volumes import geometryOf, imageArray, orientedImage
from SpiderSegLib.phantom import SAGITTAL_DIRECTION
from SpiderSegLib.segment_tags import SegmentTags
from SpiderSegLib.volume import Geometry, Volume

pytestmark = pytest.mark.mrml

SMALL = Geometry((4, 3, 2), (1.0, 1.0, 4.0), (4.0, 2.0, 10.0), SAGITTAL_DIRECTION)


def small(*values):
    """(2, 3, 4) voxels; the first one a value, four of each in reading order of the slices' rows."""
    labels = np.zeros(SMALL.shape_kji, np.uint8)
    for index, value in enumerate(values):
        labels.reshape(6, 4)[index] = value
    return labels


def segment(node, value):
    return segmentOf(node, idOf(node, value))


def terminologyOf(vtkSegment):
    text = vtk.reference("")
    return str(text) if vtkSegment.GetTag("TerminologyEntry", text) else ""


def addByHand(node, name, mask, color=(0.1, 0.2, 0.3)):
    """As the segment editor's Add button, a name typed, and a stroke."""
    segmentId = node.GetSegmentation().AddEmptySegment("", name, color)
    setMask(node, segmentId, mask)
    return segmentId


def row(j, k=slice(None), columns=slice(0, 8)):
    mask = np.zeros(COLUMN.shape_kji, bool)
    mask[k, j, columns] = True
    return mask


# ---------------------------------------------------------------------------------------------- labelmap -> segments


def test_each_value_becomes_one_segment_vertebrae_first_then_discs_then_the_canal(mrml):
    case = mrml.newColumn()
    assert named(case.node) == ["L5?", "L4?", "L3?", "L5/S1?", "L4/L5?", "L3/L4?", "Spinal canal"]
    assert [tags.value for _, _, tags in taggedSegments(case.node)] == [1, 2, 3, 201, 202, 203, 100]
    assert case.node.GetName() == "t2 segmentation"


def test_a_partial_vertebra_stands_at_its_level(mrml):
    assert named(mrml.newCase(small(201, 103, 2, 1), SMALL).node) == ["L5?", "L4?", "L3? (partial)", "L5/S1?"]


def test_segments_carry_the_value_as_label_and_color_and_code_of_the_table(mrml):
    case = mrml.newCase(small(1, 101, 202, 100), SMALL)
    for value, code in ((1, "51282000^Vertebra"), (101, "51282000^Vertebra"), (202, "360499006^Intervertebral disc"), (100, "61853006^Spinal canal")):
        found = segment(case.node, value)
        assert found.GetLabelValue() == value
        assert [round(255 * part) for part in found.GetColor()] == list(label_table()[value].color_rgba[:3])
        assert f"~SCT^{code}~" in terminologyOf(found)


def test_codes_say_the_level_only_when_it_is_confirmed(mrml):
    case = mrml.newCase(small(1, 202), SMALL, SegmentInfo(LevelNaming(LevelState.CONFIRMED)))
    assert "~SCT^49668003^Fifth lumbar vertebra~" in terminologyOf(segment(case.node, 1))
    assert "~SCT^84020006^" in terminologyOf(segment(case.node, 202))
    assert named(case.node) == ["L5", "L4/L5"]


def test_model_and_confidence_are_kept_in_tags(mrml):
    info = SegmentInfo(LevelNaming(LevelState.UNIDENTIFIED), "unetr-2", {1: 0.25})
    node = mrml.newCase(small(1, 201), SMALL, info).node
    assert tagTexts(segment(node, 1)) == {
        "SpiderSeg.Value": "1",
        "SpiderSeg.LevelState": "unidentified",
        "SpiderSeg.LumbarCount": "5",
        "SpiderSeg.Model": "unetr-2",
        "SpiderSeg.Confidence": "0.2500",
        "SpiderSeg.Notice": "Research use only, not for diagnosis",
    }
    assert "SpiderSeg.Confidence" not in tagTexts(segment(node, 201))
    assert named(node) == ["Vertebra 1", "Disc 1"]


def test_masks_are_the_voxels_of_the_values(mrml):
    case = mrml.newColumn()
    for value in (1, 2, 3, 201, 202, 203, 100):
        assert np.array_equal(maskOf(case.node, idOf(case.node, value)), columnLabels() == value)


def test_no_surfaces_are_built_and_all_segments_share_one_layer(mrml):
    segmentation = mrml.newColumn().node.GetSegmentation()
    assert not segmentation.ContainsRepresentation(slicer.vtkSegmentationConverter.GetSegmentationClosedSurfaceRepresentationName())
    assert segmentation.GetNumberOfLayers() == 1


def test_the_reference_grid_is_that_of_the_volume(mrml):
    case = mrml.newColumn()
    assert case.node.GetNodeReference(slicer.vtkMRMLSegmentationNode.GetReferenceImageGeometryReferenceRole()) is case.volumeNode
    assert referenceGeometry(case.node) == COLUMN
    text = case.node.GetSegmentation().GetConversionParameter(slicer.vtkSegmentationConverter.GetReferenceImageGeometryParameterName())
    # The IJK-to-RAS matrix, row by row, then the extent.
    numbers = [float(number) for number in text.split(";") if number]
    assert numbers == [0, 0, 4, -4, -1, 0, 0, -2, 0, -1, 0, 10, 0, 0, 0, 1, 0, 7, 0, 11, 0, 2]


def test_the_segmentation_joins_the_study_of_its_volume(mrml):
    volumeNode = mrml.newVolume(COLUMN)
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(mrml.scene)
    patient = hierarchy.CreateSubjectItem(hierarchy.GetSceneItemID(), "patient")
    study = hierarchy.CreateStudyItem(patient, "study")
    hierarchy.CreateItem(study, volumeNode)
    node = newSegmentationNode(mrml.scene, Volume(columnLabels(), COLUMN), volumeNode)
    assert hierarchy.GetItemParent(hierarchy.GetItemByDataNode(node)) == study


def test_the_segmentation_lies_under_the_transform_of_its_volume(mrml):
    volumeNode = mrml.newVolume(COLUMN)
    turned = np.array([[0, -1, 0, 5], [1, 0, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]], float)
    volumeNode.SetAndObserveTransformNodeID(mrml.newTransform(turned).GetID())
    node = newSegmentationNode(mrml.scene, Volume(columnLabels(), COLUMN), volumeNode)
    assert node.GetTransformNodeID() == volumeNode.GetTransformNodeID()
    assert referenceGeometry(node).is_same_grid(geometryOf(volumeNode))
    found = labelmapOf(node, volumeNode)
    assert np.array_equal(found.labelmap.array, columnLabels())
    assert found.labelmap.geometry == geometryOf(volumeNode)
    # RAS (-4, -2, 10) turns to (2, -4, 10) and moves to (7, -4, 10).
    assert found.labelmap.geometry.origin_lps_mm == (-7.0, 4.0, 10.0)


def test_a_labelmap_of_another_size_is_refused_and_leaves_nothing_behind(mrml):
    volumeNode = mrml.newVolume(COLUMN)
    before = mrml.scene.GetNumberOfNodes()
    with pytest.raises(GeometryError, match=r"expected a labelmap of the size \(8, 12, 3\) of t2, found \(4, 3, 2\)"):
        newSegmentationNode(mrml.scene, Volume(small(1), SMALL), volumeNode)
    with pytest.raises(LabelError, match=r"\[99\]"):
        newSegmentationNode(mrml.scene, Volume(np.full(COLUMN.shape_kji, 99, np.uint8), COLUMN), volumeNode)
    assert mrml.scene.GetNumberOfNodes() == before


def test_a_volume_whose_image_is_gone_is_refused(mrml):
    volumeNode = mrml.newVolume(COLUMN)
    volumeNode.SetAndObserveImageData(None)
    with pytest.raises(InputError, match="t2"):
        newSegmentationNode(mrml.scene, Volume(columnLabels(), COLUMN), volumeNode)


def test_an_empty_labelmap_makes_a_segmentation_without_segments(mrml):
    case = mrml.newCase(small(), SMALL)
    assert segmentIds(case.node) == []
    found = labelmapOf(case.node, case.volumeNode)
    assert not found.labelmap.array.any()
    assert found.warnings == ()
    assert namingOf(case.node) == LevelNaming()


def test_a_level_can_be_drawn_into_a_segmentation_without_segments(mrml):
    case = mrml.newCase(small(), SMALL)
    addSegment(case.node, SegmentTags(4), small(9) == 9)
    assert np.array_equal(labelmapOf(case.node, case.volumeNode).labelmap.array, small(4))


def test_an_item_the_application_made_is_moved_into_the_study(mrml):
    volumeNode, node = mrml.newVolume(COLUMN), mrml.scene.AddNewNodeByClass("vtkMRMLSegmentationNode")
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(mrml.scene)
    study = hierarchy.CreateStudyItem(hierarchy.GetSceneItemID(), "study")
    placeBeside(mrml.scene, node, volumeNode)
    assert not hierarchy.GetItemByDataNode(node)
    hierarchy.CreateItem(study, volumeNode)
    item = hierarchy.CreateItem(hierarchy.GetSceneItemID(), node)
    placeBeside(mrml.scene, node, volumeNode)
    assert hierarchy.GetItemByDataNode(node) == item
    assert hierarchy.GetItemParent(item) == study


# ---------------------------------------------------------------------------------------------- the prediction


def test_what_the_model_drew_is_kept_hidden_and_apart_from_the_segments(mrml):
    case = mrml.newColumn()
    prediction = predictionNodeOf(case.node)
    assert prediction.GetHideFromEditors()
    assert prediction.GetSaveWithScene()
    assert prediction.IsA("vtkMRMLLabelMapVolumeNode")
    setMask(case.node, idOf(case.node, 1), np.zeros(COLUMN.shape_kji, bool))
    assert np.array_equal(imageArray(prediction.GetImageData()), columnLabels())


def test_a_new_prediction_replaces_the_earlier_one(mrml):
    case = mrml.newCase(small(1), SMALL)
    keepPrediction(case.node, small(2))
    assert mrml.scene.GetNumberOfNodesByClass("vtkMRMLLabelMapVolumeNode") == 1
    assert np.array_equal(imageArray(predictionNodeOf(case.node).GetImageData()), small(2))
    forgetPrediction(case.node)
    forgetPrediction(case.node)
    assert predictionNodeOf(case.node) is None
    assert mrml.scene.GetNumberOfNodesByClass("vtkMRMLLabelMapVolumeNode") == 0


def test_the_prediction_lies_where_the_segments_lie(mrml):
    volumeNode = mrml.newVolume(COLUMN)
    volumeNode.SetAndObserveTransformNodeID(mrml.newTransform([[1, 0, 0, 9], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]).GetID())
    node = newSegmentationNode(mrml.scene, Volume(columnLabels(), COLUMN), volumeNode)
    world = [0.0, 0.0, 0.0]
    predictionNodeOf(node).TransformPointToWorld(predictionNodeOf(node).GetOrigin(), world)
    assert world == [5.0, -2.0, 10.0]


# ---------------------------------------------------------------------------------------------- and back


def test_every_value_of_the_scheme_comes_back_exactly(mrml):
    values = [*range(1, 26), 100, *range(101, 126), *range(201, 226)]
    geometry = Geometry((len(values), 2, 2), (1.0, 1.0, 4.0), (0.0, 0.0, 0.0), SAGITTAL_DIRECTION)
    labels = np.zeros(geometry.shape_kji, np.uint8)
    labels[1] = values
    case = mrml.newCase(labels, geometry)
    assert len(segmentIds(case.node)) == 76
    found = labelmapOf(case.node, case.volumeNode)
    assert np.array_equal(found.labelmap.array, labels)
    assert found.labelmap.array.dtype == np.uint8
    assert found.labelmap.geometry == geometry
    assert found.warnings == ()


def exportedBySlicer(mrml, case):
    """Slicer's own export through a color table, which keeps values by segment name."""
    table = mrml.scene.AddNewNodeByClass("vtkMRMLColorTableNode", "export")
    table.SetTypeToUser()
    table.SetNumberOfColors(256)
    ids = vtk.vtkStringArray()
    for segmentId, vtkSegment, tags in taggedSegments(case.node):
        table.SetColor(tags.value, vtkSegment.GetName(), *vtkSegment.GetColor())
        ids.InsertNextValue(segmentId)
    output = mrml.scene.AddNewNodeByClass("vtkMRMLLabelMapVolumeNode")
    assert slicer.vtkSlicerSegmentationsModuleLogic.ExportSegmentsToLabelmapNode(
        case.node, ids, output, case.volumeNode, slicer.vtkSegmentation.EXTENT_REFERENCE_GEOMETRY, table
    )
    return imageArray(output.GetImageData())


def test_the_labelmap_is_that_of_slicer_s_own_export(mrml):
    case = mrml.newColumn()
    assert np.array_equal(labelmapOf(case.node, case.volumeNode).labelmap.array, exportedBySlicer(mrml, case))


def test_overlapping_segments_come_out_as_in_slicer_s_own_export_and_are_counted(mrml):
    case = mrml.newColumn()
    # L5 grows over two rows: of the disc above it (202) and of L4 (2), 12 voxels each; the order of the list is 1, 2, .., 202.
    setMask(case.node, idOf(case.node, 1), np.isin(columnLabels(), (1, 202)) | row(5, columns=slice(1, 5)))
    assert case.node.GetSegmentation().GetNumberOfLayers() == 2
    found = labelmapOf(case.node, case.volumeNode)
    assert found.overlaps == (Overlap("L5?", "L4?", 12), Overlap("L5?", "L4/L5?", 12))
    assert found.warnings[0] == "L5? and L4? overlap in 12 voxels: L4? has them"
    assert np.array_equal(found.labelmap.array, columnLabels())
    assert np.array_equal(found.labelmap.array, exportedBySlicer(mrml, case))


def test_the_later_segment_of_the_list_has_the_voxels_in_slicer_too(mrml):
    case = mrml.newColumn()
    canal = row(slice(0, 12), columns=slice(4, 7))
    setMask(case.node, idOf(case.node, 100), canal)
    expected = np.where(canal, 100, columnLabels())
    found = labelmapOf(case.node, case.volumeNode)
    assert np.array_equal(found.labelmap.array, expected)
    assert np.array_equal(exportedBySlicer(mrml, case), expected)
    # One column of each body and disc, in rows and slices: L5 3 x 3, L4 3 x 3, L3 2 x 3, discs 1 x 3.
    assert [(overlap.first, overlap.voxels) for overlap in found.overlaps] == [
        ("L5?", 9), ("L4?", 9), ("L3?", 6), ("L5/S1?", 3), ("L4/L5?", 3), ("L3/L4?", 3)
    ]  # fmt: skip


def test_changing_a_segment_leaves_the_voxels_of_others_alone(mrml):
    case = mrml.newColumn()
    setMask(case.node, idOf(case.node, 1), np.ones(COLUMN.shape_kji, bool))
    assert maskOf(case.node, idOf(case.node, 1)).all()
    for value in (2, 3, 201, 202, 203, 100):
        assert np.array_equal(maskOf(case.node, idOf(case.node, value)), columnLabels() == value)


def test_what_others_occupy(mrml):
    case = mrml.newColumn()
    ids = [idOf(case.node, value) for value in (1, 202)]
    assert np.array_equal(occupiedByOthers(case.node, ids), ~np.isin(columnLabels(), (0, 1, 202)))
    setMask(case.node, idOf(case.node, 1), np.ones(COLUMN.shape_kji, bool))
    assert occupiedByOthers(case.node, []).all()
    assert np.array_equal(occupiedByOthers(case.node, ids), ~np.isin(columnLabels(), (0, 1, 202)))


def test_an_emptied_segment_stays_and_has_no_voxels(mrml):
    case = mrml.newColumn()
    setMask(case.node, idOf(case.node, 1), np.zeros(COLUMN.shape_kji, bool))
    assert not maskOf(case.node, idOf(case.node, 1)).any()
    assert np.array_equal(labelmapOf(case.node).labelmap.array, np.where(columnLabels() == 1, 0, columnLabels()))


def test_a_segment_without_voxels_is_no_fault_beside_several_layers(mrml):
    case = mrml.newColumn()
    addByHand(case.node, "T12", row(0))
    bare = slicer.vtkSegment()
    bare.SetName("T11")
    case.node.GetSegmentation().AddSegment(bare, "bare")
    bare.RemoveAllRepresentations()
    assert not maskOf(case.node, "bare").any()
    assert not (labelmapOf(case.node).labelmap.array == 7).any()


# ---------------------------------------------------------------------------------------------- on the grid of another series


def test_on_a_grid_shifted_by_a_row_labels_stay_where_they_are_in_the_world(mrml):
    case = mrml.newColumn()
    shifted = Geometry(COLUMN.size_ijk, COLUMN.spacing_ijk_mm, (4.0, 2.0, 9.0), SAGITTAL_DIRECTION)
    found = labelmapOf(case.node, mrml.newVolume(shifted, "t1"))
    expected = np.zeros_like(columnLabels())
    expected[:, :-1] = columnLabels()[:, 1:]
    assert np.array_equal(found.labelmap.array, expected)
    assert found.labelmap.geometry == shifted
    assert found.labelmap.name == "t1"


def test_on_a_grid_whose_axes_run_the_other_way_voxels_are_the_same(mrml):
    case = mrml.newColumn()
    # i to anterior, j to superior, k to the left, from the opposite corner: LPS (4 - 8, 2 + 7, 10 - 11).
    turned = Geometry(COLUMN.size_ijk, COLUMN.spacing_ijk_mm, (-4.0, 9.0, -1.0), (0.0, 0.0, 1.0, -1.0, 0.0, 0.0, 0.0, 1.0, 0.0))
    found = labelmapOf(case.node, mrml.newVolume(turned))
    assert np.array_equal(found.labelmap.array, columnLabels()[::-1, ::-1, ::-1])


def test_a_series_that_was_moved_by_a_registration_gets_its_labels_from_the_world(mrml):
    case = mrml.newColumn()
    # One slice to the right: R is +4 mm in RAS.
    case.volumeNode.SetAndObserveTransformNodeID(mrml.newTransform([[1, 0, 0, 4], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]).GetID())
    found = labelmapOf(case.node, case.volumeNode).labelmap.array
    assert np.array_equal(found[:2], columnLabels()[1:])
    assert not found[2].any()


def test_a_series_elsewhere_has_no_labels(mrml):
    case = mrml.newColumn()
    elsewhere = Geometry(COLUMN.size_ijk, COLUMN.spacing_ijk_mm, (4.0, 200.0, 10.0), SAGITTAL_DIRECTION)
    assert not labelmapOf(case.node, mrml.newVolume(elsewhere)).labelmap.array.any()


# ---------------------------------------------------------------------------------------------- people rename and add


def test_a_segment_renamed_by_hand_has_the_level_of_its_name(mrml):
    case = mrml.newColumn()
    segment(case.node, 3).SetName("L2")
    segment(case.node, 203).SetName("L2-3")
    labels = columnLabels()
    expected = np.where(labels == 3, 4, np.where(labels == 203, 204, labels))
    assert np.array_equal(labelmapOf(case.node, case.volumeNode).labelmap.array, expected)


def test_a_name_that_tells_no_level_leaves_the_tagged_one(mrml):
    case = mrml.newColumn()
    segment(case.node, 3).SetName("fracture?")
    segment(case.node, 1).SetName("")
    found = labelmapOf(case.node, case.volumeNode)
    assert np.array_equal(found.labelmap.array, columnLabels())
    assert found.unnamed == ()


def test_a_segment_added_by_hand_counts_by_its_name(mrml):
    case = mrml.newColumn()
    addByHand(case.node, "S1-like", row(11, columns=slice(1, 3)))
    addByHand(case.node, "L2 (partial)", row(11, columns=slice(3, 5)))
    found = labelmapOf(case.node, case.volumeNode)
    assert (found.labelmap.array == 104).sum() == 6
    assert found.unnamed == ("S1-like",)
    assert found.warnings == ("S1-like names no level and is left out: give it a level in the Levels table",)
    assert not found.labelmap.array[:, 11, 1:3].any()


def test_a_segment_added_by_hand_counts_as_its_segmentation_does(mrml):
    # With six lumbar vertebrae the lowest, of value 1, is L6; L5 is 2 and T12 is 7.
    case = mrml.newCase(small(1), SMALL, SegmentInfo(LevelNaming(LevelState.TRANSITIONAL, 6)))
    addByHand(case.node, "L5", small(0, 9) == 9)
    addByHand(case.node, "T12", small(0, 0, 9) == 9)
    found = labelmapOf(case.node)
    assert np.array_equal(found.labelmap.array, small(1, 2, 7))
    assert found.naming == LevelNaming(LevelState.TRANSITIONAL, 6)
    assert all(tags.naming == found.naming for _, _, tags in taggedSegments(case.node))


def test_two_segments_of_one_level_are_joined_and_told(mrml):
    case = mrml.newCase(small(1, 2), SMALL)
    addByHand(case.node, "L5 vertebra", small(0, 0, 9) == 9)
    found = labelmapOf(case.node)
    assert np.array_equal(found.labelmap.array, small(1, 2, 1))
    assert found.duplicates == ("L5 vertebra",)
    assert found.warnings == ("L5 vertebra stands for a level that another segment has already: both are joined",)


def test_two_segments_of_one_level_that_overlap_are_no_overlap(mrml):
    case = mrml.newCase(small(1, 2), SMALL)
    addByHand(case.node, "L5", small(9, 0, 9) == 9)
    found = labelmapOf(case.node)
    assert found.overlaps == ()
    assert found.duplicates == ("L5",)
    assert np.array_equal(found.labelmap.array, small(1, 2, 1))


@pytest.mark.parametrize("name", ["Позвонок", "第五腰椎", "🦴 опухоль", "Wirbelkörper ß"])
def test_names_in_any_language_are_reported_and_kept(mrml, name):
    case = mrml.newCase(small(1), SMALL)
    segmentId = addByHand(case.node, name, small(0, 9) == 9)
    found = labelmapOf(case.node)
    assert found.unnamed == (name,)
    assert segmentOf(case.node, segmentId).GetName() == name
    assert np.array_equal(found.labelmap.array, small(1))


def test_own_names_in_any_language_name_their_level(mrml):
    naming = LevelNaming(LevelState.TRANSITIONAL, 5, {1: "腰椎五", 2: "Л4 🦴"})
    case = mrml.newCase(small(1, 2, 202, 201), SMALL, SegmentInfo(naming))
    assert named(case.node) == ["腰椎五", "Л4 🦴", "腰椎五/S1", "Л4 🦴/腰椎五"]
    assert namingOf(case.node) == naming
    assert np.array_equal(labelmapOf(case.node).labelmap.array, small(1, 2, 202, 201))


@pytest.mark.parametrize(("tag", "text"), [("SpiderSeg.Value", "999"), ("SpiderSeg.LevelState", "perhaps"), ("SpiderSeg.LumbarCount", "9")])
def test_damaged_tags_are_named_with_their_segment(mrml, tag, text):
    case = mrml.newCase(small(1, 2), SMALL)
    segment(case.node, 2).SetTag(tag, text)
    with pytest.raises(LabelError, match=rf"L4\?: .*{tag}.*{text}"):
        labelmapOf(case.node)


# ---------------------------------------------------------------------------------------------- made elsewhere


def imported(mrml, labels, geometry, names):
    """As Slicer imports a labelmap of another tool: a segment a value, named, without SpiderSeg's tags."""
    volumeNode = mrml.newVolume(geometry)
    labelmapNode = mrml.newVolume(geometry, array=labels)
    node = mrml.scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "other tool")
    node.SetReferenceImageGeometryParameterFromVolumeNode(volumeNode)
    image = orientedImage(labels, geometryOf(labelmapNode))
    for value, name in names.items():
        one = slicer.vtkSegment()
        one.SetName(name)
        one.SetLabelValue(value)
        one.AddRepresentation("Binary labelmap", image)
        node.GetSegmentation().AddSegment(one)
    return node, volumeNode


def test_a_segmentation_of_another_tool_is_read_by_its_names(mrml):
    names = {27: "vertebrae_L5", 28: "vertebrae_L4", 32: "vertebrae_T12", 79: "spinal_canal", 50: "sacrum", 51: "spinal_cord"}
    node, volumeNode = imported(mrml, small(27, 28, 32, 79, 50, 51), SMALL, names)
    found = labelmapOf(node, volumeNode)
    assert np.array_equal(found.labelmap.array, small(1, 2, 6, 100))
    assert found.unnamed == ("sacrum", "spinal_cord")
    assert found.naming == LevelNaming()


def test_a_segmentation_of_another_tool_with_an_l6_counts_six(mrml):
    node, _ = imported(mrml, small(1, 2, 3), SMALL, {1: "vertebrae_L6", 2: "vertebrae_L5", 3: "vertebrae_T12"})
    found = labelmapOf(node)
    assert found.naming == LevelNaming(lumbar_count=6)
    assert np.array_equal(found.labelmap.array, small(1, 2, 7))


def test_a_segmentation_of_another_tool_with_a_t13_counts_it(mrml):
    node, _ = imported(mrml, small(1, 2, 3), SMALL, {1: "L1", 2: "T13", 3: "T12"})
    assert np.array_equal(labelmapOf(node).labelmap.array, small(5, 6, 7))


def test_segments_with_a_grid_of_their_own_come_onto_the_reference_grid(mrml):
    case = mrml.newCase(small(), SMALL)
    # Voxels of half the size in the rows: the columns 2 and 3 of the row 1 of slice 1 in 2 x 4 voxels.
    x, y, z = -4.0, 2.0 + 2.0, 10.0 - 1.0
    fine = Geometry((4, 2, 1), (0.5, 0.5, 4.0), (4.0 + x, y - 0.25, z + 0.25), SAGITTAL_DIRECTION)
    one = slicer.vtkSegment()
    one.SetName("L5")
    one.AddRepresentation("Binary labelmap", orientedImage(np.ones(fine.shape_kji, np.uint8), fine))
    case.node.GetSegmentation().AddSegment(one)
    expected = np.zeros(SMALL.shape_kji, np.uint8)
    expected[1, 1, 2:4] = 1
    assert np.array_equal(labelmapOf(case.node).labelmap.array, expected)


def test_voxels_beyond_the_reference_grid_are_cut_off(mrml):
    case = mrml.newCase(small(), SMALL)
    large = Geometry((6, 5, 2), (1.0, 1.0, 4.0), (4.0, 1.0, 11.0), SAGITTAL_DIRECTION)
    labels = np.zeros(large.shape_kji, np.uint8)
    labels[:, 0:2] = 1
    one = slicer.vtkSegment()
    one.SetName("L5")
    one.AddRepresentation("Binary labelmap", orientedImage(labels, large))
    case.node.GetSegmentation().AddSegment(one)
    found = labelmapOf(case.node).labelmap.array
    assert found[:, 0].all()
    assert found.sum() == 8


def cube(scene, name):
    """A closed surface around the voxels (i 1..2, j 1..1, k 0..1) of SMALL, in a segmentation without voxels."""
    box = vtk.vtkCubeSource()
    # RAS of these voxels: x from -4 to 0, y from -3 to -4, z 9; half a voxel more on each side.
    box.SetBounds(-6.0, 2.0, -4.5, -2.5, 8.5, 9.5)
    box.Update()
    triangles = vtk.vtkTriangleFilter()
    triangles.SetInputConnection(box.GetOutputPort())
    triangles.Update()
    node = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "surfaces")
    node.SetSourceRepresentationToClosedSurface()
    node.AddSegmentFromClosedSurfaceRepresentation(triangles.GetOutput(), name, [1.0, 0.0, 0.0])
    return node


def test_a_segmentation_of_surfaces_is_turned_into_voxels_of_its_volume(mrml):
    node = cube(mrml.scene, "vertebrae_L4")
    volumeNode = mrml.newVolume(SMALL)
    node.SetReferenceImageGeometryParameterFromVolumeNode(volumeNode)
    expected = np.zeros(SMALL.shape_kji, np.uint8)
    expected[:, 1, 1:3] = 2
    assert np.array_equal(labelmapOf(node, volumeNode).labelmap.array, expected)


def test_a_segmentation_without_a_grid_says_what_to_do(mrml):
    node = cube(mrml.scene, "vertebrae_L4")
    with pytest.raises(GeometryError, match="surfaces has no reference grid: choose the source volume"):
        labelmapOf(node)
    with pytest.raises(GeometryError, match="no reference grid"):
        referenceImage(node)


def test_a_segmentation_under_a_warping_transform_is_refused(mrml):
    case = mrml.newCase(small(1), SMALL)
    warp = mrml.scene.AddNewNodeByClass("vtkMRMLGridTransformNode", "Warp")
    grid = vtk.vtkImageData()
    grid.SetDimensions(2, 2, 2)
    grid.AllocateScalars(vtk.VTK_DOUBLE, 3)
    grid.GetPointData().GetScalars().Fill(0)
    transform = slicer.vtkOrientedGridTransform()
    transform.SetDisplacementGridData(grid)
    warp.SetAndObserveTransformToParent(transform)
    case.node.SetAndObserveTransformNodeID(warp.GetID())
    with pytest.raises(GeometryError, match="t2 segmentation is under the warping transform Warp"):
        labelmapOf(case.node)


def test_a_grid_that_starts_at_another_index_keeps_its_place():
    image = orientedImage(np.zeros(SMALL.shape_kji, np.uint8), SMALL)
    image.SetExtent(1, 4, 2, 4, 3, 4)
    # One voxel to P, two down, three to the right (4 mm each).
    assert geometryOfImage(image).origin_lps_mm == (4.0 - 12.0, 2.0 + 1.0, 10.0 - 2.0)
    assert geometryOfImage(image).size_ijk == (4, 3, 2)


def test_a_segment_that_is_gone_is_named(mrml):
    case = mrml.newCase(small(1), SMALL)
    segmentId = idOf(case.node, 1)
    case.node.GetSegmentation().RemoveSegment(segmentId)
    with pytest.raises(InputError, match=f"{segmentId} is no longer in t2 segmentation"):
        maskOf(case.node, segmentId)


def test_an_id_that_is_taken_is_no_silent_loss(mrml):
    case = mrml.newCase(small(1), SMALL)
    before = len(segmentIds(case.node))
    first, second = (addSegment(case.node, SegmentTags(value), small(0, 9) == 9) for value in (2, 3))
    assert first != second
    assert len(segmentIds(case.node)) == before + 2


def test_replaced_segments_bring_their_prediction_and_can_be_taken_back(mrml):
    case, other = mrml.newCase(small(1), SMALL), mrml.newCase(small(2), SMALL, SegmentInfo(model_id="newer"))
    replaceSegments(case.node, other.node, case.history)
    assert named(case.node) == ["L4?"]
    assert predictionNodeOf(case.node).GetAttribute("SpiderSeg.model") == "newer"
    assert (predictedLabels(case.node) == small(2)).all()
    case.history.undo()
    assert named(case.node) == ["L5?"]
    assert named(other.node) == ["L4?"]


def test_segments_of_a_mask_without_a_prediction_leave_the_prediction_there_was(mrml):
    case, other = mrml.newCase(small(1), SMALL), mrml.newCase(small(2), SMALL)
    forgetPrediction(other.node)
    replaceSegments(case.node, other.node, case.history)
    assert named(case.node) == ["L4?"]
    assert (predictedLabels(case.node) == small(1)).all()
