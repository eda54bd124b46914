"""What a series is opened with, what is in the scene then, and what is left there after it was closed."""

from __future__ import annotations

import numpy as np
import pytest

from mrml_scene import idOf, named, newScene
from small_cases import TWO_LEVELS, mask
from small_project import MODEL, StepClock, labelmap, make_project, painted, save_mask, shown
from small_session import addPrediction, labelsOf, newSession, paint
from SpiderSegLib.corrections import Status, hold, leases
from SpiderSegLib.errors import ImageReadError, InputError, ProjectError
from SpiderSegLib.io import read_volume
from SpiderSegLib.labels import LevelState
from SpiderSegLib.level_names import LevelNaming
from SpiderSegLib.mrml.annotation_session import AnnotationSession
from SpiderSegLib.mrml.segmentations import predictionNodeOf
from SpiderSegLib.mrml.segments import segmentOf, tagsOf
from SpiderSegLib.mrml.spine_tools import revertToPrediction
from SpiderSegLib.mrml.volumes import volumeOf

pytestmark = pytest.mark.mrml

KINDS = ("vtkMRMLVolumeNode", "vtkMRMLSegmentationNode", "vtkMRMLDisplayNode", "vtkMRMLStorageNode", "vtkMRMLColorTableNode")


@pytest.fixture
def project(tmp_path):
    return make_project(tmp_path / "project")


@pytest.fixture
def session(mrml, project):
    return newSession(mrml, project)


def nodeIds(mrml):
    """What a person sees of a scene in the Data module, and what hangs on it."""
    scene = mrml.scene
    return {scene.GetNthNodeByClass(index, kind).GetID() for kind in KINDS for index in range(scene.GetNumberOfNodesByClass(kind))}


# The images


def test_the_image_is_shown_voxel_by_voxel_where_it_lies(session, project):
    case = session.open("p1_t2")
    stored, found = read_volume(project.folder.image("p1_t2")), volumeOf(case.volumeNode)
    assert np.array_equal(found.array, stored.array)
    assert found.array.dtype == stored.array.dtype
    assert found.geometry.is_same_grid(stored.geometry)
    assert case.volumeNode.GetName() == "p1_t2"
    assert case.volumeNode.GetDisplayNode() is not None


def test_the_patient_s_other_series_are_opened_with_it_and_come_after_it(session):
    case = session.open("p1_t2")
    assert [node.GetName() for node in case.seriesNodes] == ["p1_t2", "p1_t1"]
    assert list(case.partnerNodes) == ["p1_t1"]
    assert session.open("p2_t2").partnerNodes == {}


def test_a_series_can_be_opened_alone(session):
    assert [node.GetName() for node in session.open("p1_t2", withPartners=False).seriesNodes] == ["p1_t2"]


def test_at_most_three_series_are_opened_together(mrml, tmp_path):
    project = make_project(
        tmp_path / "many", [f"p1-{n}_t2" for n in range(2)] + ["p2_t1", "p2_t2", "p2_t2_SPACE", "sub-3_a", "sub-3_b", "sub-3_c", "sub-3_d"]
    )
    session = newSession(mrml, project)
    assert [node.GetName() for node in session.open("p2_t2").seriesNodes] == ["p2_t2", "p2_t1", "p2_t2_SPACE"]
    assert [node.GetName() for node in session.open("sub-3_c").seriesNodes] == ["sub-3_c", "sub-3_a", "sub-3_b"]


def test_a_partner_that_can_t_be_read_is_left_out_and_named(session, project):
    project.folder.image("p1_t1").unlink()
    case = session.open("p1_t2")
    assert case.partnerNodes == {}
    assert any(text.startswith("p1_t1 is not shown: ") and "no such file" in text for text in case.messages)


def test_the_views_show_the_series_side_by_side(mrml, session):
    views = {}
    for name in ("Yellow", "SpiderSegPartner", "Red"):
        nodes = [mrml.scene.AddNewNodeByClass(kind, name) for kind in ("vtkMRMLSliceNode", "vtkMRMLSliceCompositeNode")]
        for node in nodes:
            node.SetLayoutName(name)
        views[name] = nodes[1]
    case = session.open("p1_t2")
    own, partner = case.volumeNode.GetID(), case.partnerNodes["p1_t1"].GetID()
    assert {name: node.GetBackgroundVolumeID() for name, node in views.items()} == {"Yellow": own, "SpiderSegPartner": partner, "Red": own}


# The mask


def test_a_series_without_a_mask_is_opened_with_an_empty_segmentation(session):
    case = session.open("p1_t2")
    assert named(case.segmentationNode) == []
    assert not labelsOf(case).any()
    assert (case.parent, case.messages, session.isModified()) == ("", (), False)


def test_a_prediction_is_opened_with_its_model_and_confidences_and_kept_to_go_back_to(mrml, session, project):
    addPrediction(project, "p1_t2")
    case = session.open("p1_t2")
    assert named(case.segmentationNode) == ["L5?", "L4?", "L5/S1?", "L4/L5?", "Spinal canal"]
    tags = tagsOf(segmentOf(case.segmentationNode, idOf(case.segmentationNode, 1)))
    assert (tags.model_id, tags.confidence) == (MODEL, 0.5)
    assert np.array_equal(labelsOf(case), mask(*TWO_LEVELS))
    assert case.parent == ""
    paint(case, 1)
    history = mrml.newEditor(case.segmentationNode, case.volumeNode)
    assert revertToPrediction(case.segmentationNode, idOf(case.segmentationNode, 1), history) == 3
    assert not session.isModified()


def test_a_saved_mask_wins_over_a_prediction_and_keeps_its_names(session, project):
    addPrediction(project, "p1_t2")
    naming = LevelNaming(LevelState.TRANSITIONAL, 6)
    revision = save_mask(project, values=(1, 2), naming=naming).revision
    case = session.open("p1_t2")
    assert np.array_equal(labelsOf(case), mask(1, 2))
    assert named(case.segmentationNode) == ["L6", "L5"]
    assert (case.parent, case.screen().naming) == (revision.id, naming)


def test_a_mask_made_without_a_prediction_is_opened_without_one(mrml, session, project):
    addPrediction(project, "p1_t2")
    save_mask(project)
    case = session.open("p1_t2")
    assert predictionNodeOf(case.segmentationNode) is None
    with pytest.raises(InputError, match="keeps no prediction"):
        revertToPrediction(case.segmentationNode, idOf(case.segmentationNode, 1), mrml.newEditor(case.segmentationNode, case.volumeNode))


def test_a_mask_that_began_from_a_prediction_keeps_that_one_to_go_back_to(mrml, session, project):
    addPrediction(project, "p1_t2", (1, 2), "newer-1")
    save_mask(project, labelmap=painted(labelmap(*TWO_LEVELS), 1), shown=shown(*TWO_LEVELS))
    case = session.open("p1_t2")
    history = mrml.newEditor(case.segmentationNode, case.volumeNode)
    assert revertToPrediction(case.segmentationNode, idOf(case.segmentationNode, 1), history) == 3
    assert np.array_equal(labelsOf(case), mask(*TWO_LEVELS))


def test_in_a_conflict_one_s_own_newest_mask_is_opened(session, project):
    first = save_mask(project, annotator="Eve").revision
    mine = save_mask(project, values=(1, 2), parent=first.id, annotator="ada").revision
    newest = save_mask(project, values=(1,), parent=first.id, annotator="Bob").revision
    assert session.open("p1_t2").parent == mine.id
    assert newSession(newScene(), project, "Eve").open("p1_t2").parent == newest.id


def test_a_damaged_prediction_is_named_and_the_series_opened_empty(session, project):
    addPrediction(project, "p1_t2")
    project.folder.prediction("p1_t2").write_bytes(b"")
    case = session.open("p1_t2")
    assert not labelsOf(case).any()
    assert any("makes it again" in text for text in case.messages)


def test_a_damaged_record_of_the_history_is_named(session, project):
    save_mask(project)
    (path,) = project.folder.revisions_of("p1_t2").glob("*.json")
    path.write_text("{}")
    assert any(str(path) in text for text in session.open("p1_t2").messages)


# What can't be opened


def test_what_can_t_be_opened_leaves_the_present_case_as_it_is(session, project):
    save_mask(project, series="p2_t2")
    (path,) = project.folder.revisions_of("p2_t2").glob("*.mha")
    path.write_bytes(path.read_bytes()[:-10])
    case = session.open("p1_t2")
    with pytest.raises(ProjectError, match="can't be read"):
        session.open("p2_t2")
    with pytest.raises(ProjectError, match="p9_t2: no such series"):
        session.open("p9_t2")
    assert session.current is case
    assert case.isWhole
    assert set(leases(project.folder, StepClock("2026-03-02T09:00:00+00:00"))) == {"p1_t2"}


def test_a_missing_image_is_named(session, project):
    project.folder.image("p1_t2").unlink()
    with pytest.raises(ImageReadError, match=r"p1_t2\.mha: no such file"):
        session.open("p1_t2")
    assert session.current is None


def test_an_image_of_another_grid_than_was_imported_is_refused(session, project, small_series):
    from SpiderSegLib.io import write_volume

    write_volume(project.folder.image("p1_t2"), small_series)
    with pytest.raises(ProjectError, match="not the image that was imported"):
        session.open("p1_t2")


@pytest.mark.parametrize("name", ["", "  ", "a" * 65])
def test_an_annotator_has_a_name(mrml, project, name):
    with pytest.raises(ProjectError, match="expected an annotator's name"):
        AnnotationSession(mrml.scene, project, name)


# Leases


def test_an_open_series_is_held_until_it_is_closed(session, project):
    now = StepClock("2026-03-02T09:00:00+00:00")
    session.open("p1_t2")
    assert leases(project.folder, now)["p1_t2"].annotator == "Ada"
    session.open("p2_t2")
    assert set(leases(project.folder, now)) == {"p2_t2"}
    session.close()
    assert leases(project.folder, now) == {}


def test_a_series_that_somebody_else_holds_is_opened_and_says_so(session, project):
    hold(project.folder, "p1_t2", "Bob", StepClock("2026-03-02T08:00:00+00:00"))
    assert session.open("p1_t2").heldBy == "Bob"
    session.close()
    assert leases(project.folder, StepClock("2026-03-02T08:30:00+00:00"))["p1_t2"].annotator == "Bob"


def test_a_folder_where_no_lease_can_be_written_is_no_obstacle(session, project):
    project.folder.leases.write_text("a file")
    case = session.open("p1_t2")
    assert case.heldBy == ""
    assert any("others can't see" in text for text in case.messages)


# Closing


def test_closing_takes_everything_out_of_the_scene_that_opening_brought(mrml, session, project):
    addPrediction(project, "p1_t2")
    mrml.newColumn()
    before = nodeIds(mrml)
    session.open("p1_t2")
    assert len(nodeIds(mrml)) > len(before)
    session.close()
    assert nodeIds(mrml) == before
    assert session.current is None


def test_the_next_series_takes_the_place_of_the_present_one(mrml, session):
    session.open("p1_t2")
    case = session.open("p2_t2")
    assert mrml.scene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode") == 1
    assert mrml.scene.GetFirstNodeByClass("vtkMRMLSegmentationNode") is case.segmentationNode


def test_nothing_can_be_done_before_a_series_is_open(session):
    for action in (
        lambda: session.save(Status.DONE),
        session.approve,
        session.findings,
        session.restoreOffered,
        session.discardOffered,
        session.settle,
    ):
        with pytest.raises(ProjectError, match="no series is open"):
            action()
    assert (session.autosave(), session.isModified(), session.previous(), session.back()) == (False, False, None, None)
    session.close()
