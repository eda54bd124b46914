"""Several people and several series: conflicts and how they end, comparisons, partners saved together, gradings."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mrml_scene import idOf, named, newScene
from small_cases import TWO_LEVELS, grid, mask
from small_project import MODEL, labelmap, make_project, painted, save_mask, shown
from small_session import addByHand, addPrediction, addSeriesOn, labelsOf, newSession, paint
from SpiderSegLib.corrections import Provenance, Status, read_history, read_mask
from SpiderSegLib.errors import ProjectError
from SpiderSegLib.gradings import PatientGradings
from SpiderSegLib.mrml.annotation_session import UnsavedChanges
from SpiderSegLib.mrml.joint_editing import NODE_IDS, setJointRecord
from SpiderSegLib.mrml.segments import segmentIds
from SpiderSegLib.volume import Geometry

pytestmark = pytest.mark.mrml


@pytest.fixture
def project(tmp_path):
    return make_project(tmp_path / "project")


@pytest.fixture
def session(mrml, project):
    return newSession(mrml, project)


@pytest.fixture
def conflict(mrml, project):
    """Ada and Bob go on from one mask in two scenes; Ada saves first. Their sessions, both with the case open."""
    save_mask(project, annotator="Eve")
    ada, bob = newSession(mrml, project, "Ada"), newSession(newScene(), project, "Bob")
    paint(ada.open("p1_t2"), 1)
    paint(bob.open("p1_t2"), 202, columns=2)
    ada.save(Status.DONE)
    bob.save(Status.DONE)
    return ada, bob


# Two people, one series


def test_whoever_opens_later_sees_who_holds_the_series(mrml, project):
    newSession(mrml, project, "Ada").open("p1_t2")
    assert newSession(newScene(), project, "Bob").open("p1_t2").heldBy == "Ada"


def test_both_masks_stand_and_the_later_one_is_told(mrml, project):
    save_mask(project, annotator="Eve")
    ada, bob = newSession(mrml, project, "Ada"), newSession(newScene(), project, "Bob")
    paint(ada.open("p1_t2"), 1)
    paint(bob.open("p1_t2"), 202, columns=2)
    assert ada.save(Status.DONE).messages == ()
    result = bob.save(Status.DONE)
    assert result.saved.is_conflict
    assert result.messages == ("Ada saved p1_t2 meanwhile: both masks stand until the conflict is settled",)
    assert {head.annotator for head in bob.revisions("p1_t2").heads} == {"Ada", "Bob"}


def test_the_conflict_names_both_masks_the_latest_first_and_how_far_they_agree(conflict):
    ada, _ = conflict
    found = ada.conflict("p1_t2")
    assert {head.annotator for head in found.heads} == {"Ada", "Bob"}
    assert found.heads[0].created_utc >= found.heads[1].created_utc
    # Three voxels more of vertebra 1, six more of disc 202 in the same row.
    assert found.agreement.voxels_different == 6
    assert ada.conflict("p2_t2") is None


def test_a_conflict_with_a_damaged_mask_is_still_shown_in_words(conflict, project):
    ada, _ = conflict
    head = ada.revisions("p1_t2").heads[0]
    (project.folder.revisions_of("p1_t2") / head.mask_file).unlink()
    found = ada.conflict("p1_t2")
    assert found.agreement is None
    assert head.id[:12] in found.problem


def test_both_masks_are_drawn_as_outlines_of_two_widths_and_colors(conflict):
    ada, _ = conflict
    own = ada.current.segmentationNode
    first, second = ada.showConflict("p1_t2")
    assert not own.GetDisplayNode().GetVisibility()
    widths = [node.GetDisplayNode().GetSliceIntersectionThickness() for node in (first, second)]
    assert widths[0] > widths[1]
    colors = [node.GetDisplayNode().GetSegmentColor(segmentIds(node)[0]) for node in (first, second)]
    assert colors[0] != colors[1]
    assert not any(node.GetDisplayNode().GetVisibility2DFill() for node in (first, second))
    ada.hideConflict()
    assert own.GetDisplayNode().GetVisibility()
    assert first.GetScene() is None


def test_showing_a_conflict_opens_the_series_and_counts_as_no_prediction(conflict, project):
    ada, _ = conflict
    ada.open("p2_t2")
    ada.showConflict("p1_t2")
    assert ada.current.series == "p1_t2"
    assert ada.current.shownPrediction() is None
    ada.showConflict("p1_t2")
    assert ada.scene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode") == 3
    ada.close()
    assert ada.scene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode") == 0


def test_there_may_be_no_conflict_to_show_or_settle(session, project):
    save_mask(project)
    session.open("p1_t2")
    with pytest.raises(ProjectError, match="no conflict to show"):
        session.showConflict("p1_t2")
    for keepId in ("", session.current.parent):
        with pytest.raises(ProjectError, match="no conflict to settle"):
            session.settle(keepId)
    session.hideConflict()


def test_a_third_person_chooses_one_of_the_masks(conflict, project):
    eve = newSession(newScene(), project, "Eve")
    heads = {head.annotator: head for head in eve.revisions("p1_t2").heads}
    eve.showConflict("p1_t2")
    result = eve.settle(heads["Ada"].id[:12], "the disc is not that wide")
    assert not result.saved.is_conflict
    assert result.saved.revision.parents == (heads["Ada"].id, heads["Bob"].id)
    assert (result.saved.revision.annotator, result.saved.revision.comment) == ("Eve", "the disc is not that wide")
    assert np.array_equal(labelsOf(eve.current), painted(labelmap(*TWO_LEVELS), 1).array)
    assert eve.current.parent == result.saved.revision.id
    assert eve.current.segmentationNode.GetDisplayNode().GetVisibility()
    assert not eve.isModified()


def test_what_is_on_screen_settles_a_conflict(conflict, project):
    _, bob = conflict
    paint(bob.current, 1, columns=1)
    result = bob.settle()
    assert not result.saved.is_conflict
    assert {head.annotator for head in result.saved.history.heads} == {"Bob"}
    assert np.array_equal(read_mask(project.folder, result.saved.revision).array, labelsOf(bob.current))


def test_a_mask_can_t_be_chosen_over_unsaved_changes_nor_one_that_is_no_head(conflict):
    ada, _ = conflict
    history = ada.revisions("p1_t2")
    with pytest.raises(ProjectError, match="expected one of the masks in conflict"):
        ada.settle(history.revisions[0].id)
    paint(ada.current, 2, columns=4)
    with pytest.raises(UnsavedChanges):
        ada.settle(history.heads[0].id)
    assert ada.conflict("p1_t2") is not None


def test_nobody_approves_a_mask_of_their_own_by_settling(mrml, project):
    first = save_mask(project, annotator="Ada").revision
    approved = save_mask(project, parent=first.id, status=Status.APPROVED, annotator="Bob").revision
    save_mask(project, values=(1,), parent=first.id, annotator="Eve")
    session = newSession(mrml, project, "Ada")
    session.open("p1_t2")
    assert session.settle(approved.id).saved.revision.status is Status.DONE


# Comparing


def test_two_revisions_are_compared_in_numbers_and_a_picture(session, project):
    first = save_mask(project, annotator="Ada").revision
    second = save_mask(project, labelmap=painted(labelmap(*TWO_LEVELS), 1), parent=first.id, annotator="Bob").revision
    agreement, picture = session.compare(first.id, second.id[:12], "p1_t2")
    assert agreement.voxels_different == 3
    assert (agreement.name_a, agreement.name_b) == (
        f"Ada {first.created_utc[:10]} {first.created_utc[11:16]}",
        f"Bob {second.created_utc[:10]} {second.created_utc[11:16]}",
    )
    assert picture.startswith(b"\x89PNG")


def test_the_open_series_is_compared_if_none_is_named(session, project):
    first = save_mask(project).revision
    with pytest.raises(ProjectError, match="no series is open"):
        session.compare(first.id, first.id)
    session.open("p1_t2")
    assert session.compare(first.id, first.id).agreement.voxels_different == 0
    with pytest.raises(ProjectError, match="expected one revision with id"):
        session.compare(first.id, "ffff")


# Partners

#: A grid of voxels twice as wide and high, that lie two by two on those of the others.
COARSE = Geometry((4, 3, 3), (2.0, 2.0, 4.0), (0.0, 0.5, -0.5), grid().direction)


def accept(case, **record):
    ids = [node.GetID() for node in case.seriesNodes]
    setJointRecord(case.segmentationNode, {"is_allowed": True, "reasons": [], NODE_IDS: ids, **record})


def test_partners_are_saved_on_their_own_grid_once_somebody_made_sure_of_them(session, project):
    addSeriesOn(project, "p2_t1", COARSE)
    save_mask(project, series="p2_t2", values=(1, 1, 201, 201, 2, 2))
    case = session.open("p2_t2")
    accept(case)
    result = session.save(Status.DONE, comment="both", partners=True)
    (partner,) = result.partners
    assert result.messages == ()
    assert (partner.revision.series, partner.revision.status, partner.revision.comment, partner.revision.minutes) == (
        "p2_t1",
        Status.DONE,
        "both",
        0.0,
    )
    expected = np.zeros((3, 3, 4), np.uint8)
    expected[:, :, 0] = [1, 201, 2]
    saved = read_mask(project.folder, partner.revision)
    assert np.array_equal(saved.array, expected)
    assert saved.geometry == COARSE


def test_partners_are_left_alone_unless_asked_for(session, project):
    save_mask(project)
    accept(session.open("p1_t2"))
    assert session.save(Status.DONE).partners == ()
    assert read_history(project.folder, "p1_t1").revisions == ()


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        (None, "it is not known whether the series lie on each other"),
        ({NODE_IDS: ["vtkMRMLScalarVolumeNode77"]}, "it is not known whether the series lie on each other"),
        ({"is_allowed": False, "reasons": ["3 mm beside it"]}, "3 mm beside it"),
        ({"is_allowed": False}, "nobody accepted it"),
    ],
    ids=["unchecked", "checked for others", "refused", "refused without a reason"],
)
def test_a_partner_nobody_made_sure_of_is_not_saved_and_the_reason_told(session, project, record, reason):
    save_mask(project)
    case = session.open("p1_t2")
    if record is not None:
        accept(case, **record)
    result = session.save(Status.DONE, partners=True)
    assert result.partners == ()
    assert result.messages == (f"p1_t1 was not saved with it: {reason}",)
    assert read_history(project.folder, "p1_t1").revisions == ()


def test_what_a_person_accepted_is_saved_together(session, project):
    save_mask(project)
    accept(session.open("p1_t2"), is_allowed=False, reasons=["3 mm beside it"], accepted={"by": "Ada"})
    (partner,) = session.save(Status.DONE, partners=True).partners
    assert (partner.revision.provenance, partner.revision.comment) == (Provenance.MANUAL, "saved with p1_t2")


def test_a_partner_s_mask_owes_to_the_model_what_its_own_does(session, project):
    addPrediction(project, "p1_t2")
    case = session.open("p1_t2")
    accept(case)
    paint(case, 1)
    (partner,) = session.save(Status.DONE, partners=True).partners
    assert (partner.revision.provenance, partner.revision.source_model, partner.revision.to_prediction.voxels_changed) == (
        Provenance.CORRECTED,
        MODEL,
        3,
    )
    session.close()
    # The next day, from the revision: what the model drew then is still known.
    case = session.open("p1_t2")
    accept(case)
    case.partnerParents["p1_t1"] = ""
    (partner,) = session.save(Status.DONE, partners=True).partners
    assert partner.revision.provenance is Provenance.CORRECTED


def test_a_partner_of_an_imported_mask_is_imported(session, project):
    save_mask(project, is_imported=True)
    accept(session.open("p1_t2"))
    (partner,) = session.save(Status.DONE, partners=True).partners
    assert partner.revision.provenance is Provenance.IMPORTED


def test_a_partner_saved_by_somebody_meanwhile_becomes_a_conflict(session, project):
    save_mask(project)
    first = save_mask(project, series="p1_t1").revision
    case = session.open("p1_t2")
    accept(case)
    save_mask(project, series="p1_t1", values=(1, 2), parent=first.id, annotator="Bob")
    paint(case, 1)
    result = session.save(Status.DONE, partners=True)
    assert result.partners[0].is_conflict
    assert result.messages == ("Bob saved p1_t1 meanwhile: both masks stand until the conflict is settled",)
    paint(case, 1, columns=2)
    again = session.save(Status.DONE, partners=True)
    assert again.partners[0].revision.parent == result.partners[0].revision.id


def test_a_partner_the_mask_does_not_reach_is_not_done_and_the_series_itself_is(session, project):
    addSeriesOn(project, "p2_t1", replace(COARSE, origin_lps_mm=(500.0, 0.0, 0.0)))
    save_mask(project, series="p2_t2")
    accept(session.open("p2_t2"))
    result = session.save(Status.DONE, partners=True)
    assert result.saved.revision.status is Status.DONE
    assert result.messages == ("p2_t1 was not saved with it: p2_t1: the mask is empty: it can't be done; flag the series and say why",)


def test_a_partner_whose_volume_was_deleted_is_not_saved(mrml, session, project):
    save_mask(project)
    case = session.open("p1_t2")
    accept(case)
    mrml.scene.RemoveNode(case.partnerNodes["p1_t1"])
    assert session.save(Status.DONE, partners=True).messages == ("p1_t1 was not saved with it: its volume was deleted",)


# Gradings


def graded(gradings, level, **grades):
    return gradings.with_disc(replace(gradings.disc(level), **grades))


def test_gradings_are_saved_and_read_again(session):
    gradings = graded(session.gradings("p1"), 1, pfirrmann=3)
    saved = session.saveGradings(gradings, "thin disc")
    assert (saved.record.annotator, saved.record.comment, saved.is_conflict) == ("Ada", "thin disc", False)
    assert session.gradings("p1") == gradings
    again = graded(session.gradings("p1"), 2, pfirrmann=5)
    assert not session.saveGradings(again).is_conflict
    assert session.gradings("p1").disc(2).pfirrmann == 5
    assert session.gradings("p2") == PatientGradings("p2")


def test_what_two_people_graded_at_once_is_joined_and_the_conflict_told(session, project):
    bob = newSession(newScene(), project, "Bob")
    mine, theirs = session.gradings("p1"), bob.gradings("p1")
    session.saveGradings(graded(mine, 1, pfirrmann=3))
    assert bob.saveGradings(graded(theirs, 2, pfirrmann=4)).is_conflict
    joined = session.gradings("p1")
    assert (joined.disc(1).pfirrmann, joined.disc(2).pfirrmann) == (3, 4)
    assert not session.saveGradings(joined).is_conflict


def test_one_s_own_second_save_goes_on_from_the_first(session):
    gradings = graded(session.gradings("p1"), 1, pfirrmann=3)
    session.saveGradings(gradings)
    assert not session.saveGradings(graded(gradings, 1, pfirrmann=4)).is_conflict


def test_revisions_of_a_series_are_listed(session, project):
    revision = save_mask(project, shown=shown(1, 2)).revision
    assert session.revisions("p1_t2").by_people == (revision,)
    case = session.open("p1_t2")
    addByHand(case, "L3")
    assert named(case.segmentationNode)[-1] == "L3"
    assert idOf(case.segmentationNode, 3)
    assert np.array_equal(labelsOf(case)[:, :5], mask(*TWO_LEVELS)[:, :5])
