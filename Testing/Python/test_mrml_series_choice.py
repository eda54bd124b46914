"""Which series of a scene are proposed, and the layout that shows them in sagittal views."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest
import slicer

from mrml_scene import COLUMN
from SpiderSegLib.mrml.sagittal_views import LAYOUT_IDS, VIEW_NAMES, layoutDescription, showSagittal
from SpiderSegLib.mrml.series_choice import chooseSeries
from SpiderSegLib.mrml.volumes import newVolumeNode
from SpiderSegLib.volume import Geometry, Volume

pytestmark = pytest.mark.mrml

AXIAL = Geometry((8, 12, 3), (1.0, 1.0, 4.0), (0.0, 0.0, 0.0), (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0))

#: COLUMN with its slices turned by 0.6 (36.9 degrees) about the feet-head axis: slice normal, RAS, is (0.8, 0.6, 0) or its opposite.
OBLIQUE = Geometry((8, 12, 3), (1.0, 1.0, 4.0), (4.0, 2.0, 10.0), (0.6, 0.0, -0.8, 0.8, 0.0, 0.6, 0.0, -1.0, 0.0))


def load(mrml, *names, geometry=COLUMN):
    return [mrml.newVolume(geometry, name) for name in names]


def chosen(mrml):
    return [node.GetName() for node in chooseSeries(mrml.scene)]


# Which series


def test_an_empty_scene_proposes_nothing(mrml):
    assert chosen(mrml) == []


@pytest.mark.parametrize("order", [("7_t1", "7_t2", "7_t2_SPACE"), ("7_t2_SPACE", "7_t2", "7_t1"), ("7_t2", "7_t2_SPACE", "7_t1")])
def test_the_t2_is_first_then_the_t1_and_the_space(mrml, order):
    load(mrml, *order)
    assert chosen(mrml) == ["7_t2", "7_t1", "7_t2_SPACE"]


def test_without_a_t2_the_next_best_is_first(mrml):
    load(mrml, "7_t2_SPACE", "7_t1")
    assert chosen(mrml) == ["7_t1", "7_t2_SPACE"]


def test_the_first_of_two_series_of_one_sequence_is_taken(mrml):
    first, _ = load(mrml, "7_t2", "7_t2")
    assert chooseSeries(mrml.scene) == [first]


def inStudy(mrml, patient, *volumeNodes):
    """Volumes of one study of a patient, as the DICOM module loads them."""
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(mrml.scene)
    study = hierarchy.CreateStudyItem(hierarchy.CreateSubjectItem(hierarchy.GetSceneItemID(), patient), "study")
    for node in volumeNodes:
        hierarchy.CreateItem(study, node)


def test_there_are_at_most_three(mrml):
    names = ["3: T1 sag post gd", "4: STIR sag", "5: T1 sag", "6: T2 sag", "7: T2 SPACE sag", "8: localizer"]
    inStudy(mrml, "Doe", *load(mrml, *names))
    assert chosen(mrml) == ["6: T2 sag", "5: T1 sag", "7: T2 SPACE sag"]


def test_stir_contrast_and_unknown_names_come_last_in_this_order(mrml):
    inStudy(mrml, "Doe", *load(mrml, "8: sag", "3: T1 sag post gd", "4: STIR sag"))
    assert chosen(mrml) == ["4: STIR sag", "3: T1 sag post gd", "8: sag"]


def test_a_slash_in_a_description_cuts_no_sequence_off(mrml):
    inStudy(mrml, "Doe", *load(mrml, "3: T1 sag w/o", "4: T2 FSE/FRFSE"))
    assert chosen(mrml) == ["4: T2 FSE/FRFSE", "3: T1 sag w/o"]


def test_a_series_of_unknown_name_is_better_than_none(mrml):
    load(mrml, "image")
    assert chosen(mrml) == ["image"]


def test_hidden_axial_empty_and_label_volumes_are_not_proposed(mrml):
    load(mrml, "7_t2")
    [hidden] = load(mrml, "7_t1")
    hidden.SetHideFromEditors(True)
    load(mrml, "7_t2_SPACE", geometry=AXIAL)
    mrml.scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "7_t1")
    labels = Volume(np.zeros(COLUMN.shape_kji, np.uint8), COLUMN, "7_t1")
    newVolumeNode(mrml.scene, labels, className="vtkMRMLLabelMapVolumeNode")
    assert chosen(mrml) == ["7_t2"]


def test_the_patient_loaded_last_is_chosen_by_names(mrml):
    load(mrml, "7_t2", "7_t1", "8_t1")
    assert chosen(mrml) == ["8_t1"]
    load(mrml, "7_t2_SPACE")
    assert chosen(mrml) == ["7_t2", "7_t1", "7_t2_SPACE"]


def test_the_patient_loaded_last_is_chosen_by_the_subject_hierarchy(mrml):
    t2, t1, otherT2 = load(mrml, "5: T2 sag", "6: T1 sag", "5: T2 sag")
    inStudy(mrml, "Doe", t2, t1)
    inStudy(mrml, "Roe", otherT2)
    assert chooseSeries(mrml.scene) == [otherT2]
    [otherT1] = load(mrml, "6: T1 sag")
    inStudy(mrml, "Unknown", otherT1)
    assert chooseSeries(mrml.scene) == [otherT1]


def test_series_of_several_studies_of_a_patient_belong_together(mrml):
    t2, t1 = load(mrml, "5: T2 sag", "6: T1 sag")
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(mrml.scene)
    patient = hierarchy.CreateSubjectItem(hierarchy.GetSceneItemID(), "Doe")
    for name, node in (("first", t2), ("second", t1)):
        hierarchy.CreateItem(hierarchy.CreateStudyItem(patient, name), node)
    assert chooseSeries(mrml.scene) == [t2, t1]


def test_in_a_folder_without_a_patient_the_names_count(mrml):
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(mrml.scene)
    folder = hierarchy.CreateFolderItem(hierarchy.GetSceneItemID(), "loaded")
    for node in load(mrml, "7_t2", "8_t1"):
        hierarchy.CreateItem(folder, node)
    assert chosen(mrml) == ["8_t1"]


# The layout


def sliceViews(count):
    """Name and orientation of the slice views of a layout, in order."""
    tree = ElementTree.fromstring(layoutDescription(count))
    assert tree.tag == "layout"
    views = [view for view in tree.iter("view") if view.get("class") == "vtkMRMLSliceNode"]
    return [(view.get("singletontag"), view.findtext("property[@name='orientation']")) for view in views]


def test_a_layout_has_one_sagittal_view_a_series():
    assert sliceViews(1) == [("Yellow", "Sagittal"), ("Red", "Axial")]
    assert sliceViews(2) == [("Yellow", "Sagittal"), ("SpiderSegPartner", "Sagittal")]
    assert sliceViews(3) == [("Yellow", "Sagittal"), ("SpiderSegPartner", "Sagittal"), ("SpiderSegThird", "Sagittal")]


def test_only_the_layout_of_one_series_has_room_for_3d():
    counts = [
        sum(view.get("class") == "vtkMRMLViewNode" for view in ElementTree.fromstring(layoutDescription(count)).iter("view")) for count in (1, 2, 3)
    ]
    assert counts == [1, 0, 0]


def test_no_two_views_of_a_layout_look_alike():
    views = list(ElementTree.fromstring(layoutDescription(3)).iter("view"))
    for part in ("viewlabel", "viewcolor"):
        assert len({view.findtext(f"property[@name='{part}']") for view in views}) == 3


# Its views


@pytest.fixture
def views(mrml):
    """Slice and composite nodes by name, as the layout manager of an application makes them."""
    found = {}
    for name in (*VIEW_NAMES, "Red", "Green"):
        nodes = [mrml.scene.AddNewNodeByClass(className, name) for className in ("vtkMRMLSliceNode", "vtkMRMLSliceCompositeNode")]
        for node in nodes:
            node.SetLayoutName(name)
        nodes[0].SetOrientation("Axial")
        found[name] = tuple(nodes)
    return found


@pytest.fixture
def layoutNode(mrml):
    return mrml.scene.AddNewNodeByClass("vtkMRMLLayoutNode")


def backgrounds(views):
    return {name: composite.GetBackgroundVolumeID() for name, (_, composite) in views.items()}


def column(sliceNode, index):
    return [sliceNode.GetSliceToRAS().GetElement(row, index) for row in range(3)]


@pytest.mark.parametrize("count", [1, 2, 3])
def test_the_layout_of_as_many_series_is_shown(mrml, layoutNode, count):
    showSagittal(mrml.scene, load(mrml, *"abc"[:count]))
    assert layoutNode.GetViewArrangement() == LAYOUT_IDS[count]
    assert layoutNode.GetCurrentLayoutDescription() == layoutDescription(count)


def test_every_series_gets_its_view_and_all_are_linked(mrml, views, layoutNode):
    t2, t1 = (node.GetID() for node in load(mrml, "t2", "t1"))
    showSagittal(mrml.scene, [mrml.scene.GetNodeByID(t2), mrml.scene.GetNodeByID(t1)])
    assert backgrounds(views) == {"Yellow": t2, "SpiderSegPartner": t1, "SpiderSegThird": None, "Red": t2, "Green": t2}
    assert all(views[name][1].GetLinkedControl() for name in ("Yellow", "SpiderSegPartner", "Red", "Green"))


def test_a_sagittal_view_looks_along_the_slices_at_the_middle_of_the_series(mrml, views):
    showSagittal(mrml.scene, load(mrml, "t2", "t1"))
    # Voxel borders of COLUMN, RAS: -6 to 6, -9.5 to -1.5, -1.5 to 10.5.
    for name in ("Yellow", "SpiderSegPartner"):
        sliceNode = views[name][0]
        assert column(sliceNode, 3) == pytest.approx([0.0, -5.5, 4.5])
        assert np.abs(column(sliceNode, 2)) == pytest.approx([1, 0, 0], abs=1e-6)
        assert sliceNode.GetOrientation() == "Sagittal"
    assert views["Red"][0].GetOrientation() == "Axial"


def test_oblique_slices_are_seen_in_their_own_plane(mrml, views):
    showSagittal(mrml.scene, load(mrml, "t2", geometry=OBLIQUE))
    normal = np.array(column(views["Yellow"][0], 2))
    assert abs(normal @ [0.8, -0.6, 0.0]) == pytest.approx(1, abs=1e-6)
    # The head is up.
    assert column(views["Yellow"][0], 1) == pytest.approx([0, 0, 1], abs=1e-6)


def test_a_second_call_shows_other_series_in_the_same_views(mrml, views, layoutNode):
    t2, t1, other = load(mrml, "t2", "t1", "other")
    showSagittal(mrml.scene, [t2, t1])
    nodes = mrml.scene.GetNumberOfNodes()
    showSagittal(mrml.scene, [t2, t1])
    showSagittal(mrml.scene, [other])
    assert layoutNode.GetViewArrangement() == LAYOUT_IDS[1]
    assert {name: backgrounds(views)[name] for name in ("Yellow", "Red", "Green")} == dict.fromkeys(("Yellow", "Red", "Green"), other.GetID())
    assert mrml.scene.GetNumberOfNodes() == nodes


def test_a_fourth_series_has_no_view(mrml, views, layoutNode):
    a, b, c, _ = series = load(mrml, *"abcd")
    showSagittal(mrml.scene, series)
    assert [backgrounds(views)[name] for name in VIEW_NAMES] == [a.GetID(), b.GetID(), c.GetID()]
    assert layoutNode.GetViewArrangement() == LAYOUT_IDS[3]


def test_no_series_leave_views_and_layout_as_they_are(mrml, views, layoutNode):
    before = layoutNode.GetViewArrangement()
    showSagittal(mrml.scene, [])
    assert layoutNode.GetViewArrangement() == before
    assert set(backgrounds(views).values()) == {None}


def test_a_scene_without_layout_and_views_stays_as_it_is(mrml):
    series = load(mrml, "t2", "t1")
    nodes = mrml.scene.GetNumberOfNodes()
    showSagittal(mrml.scene, series)
    assert mrml.scene.GetNumberOfNodes() == nodes
