"""What a save writes: the voxels on the image's own grid, whose work they are, what a person is told, and how long it took."""

from __future__ import annotations

import numpy as np
import pytest

from mrml_scene import idOf, newScene
from small_cases import TWO_LEVELS, mask
from small_project import MODEL, StepClock, labelmap, make_project, painted, save_mask, shown
from small_session import HandClock, addByHand, addPrediction, addSeriesOn, labelsOf, newSession, paint, stroke
from SpiderSegLib.annotation_project.summary import SeriesState
from SpiderSegLib.corrections import Provenance, Status, leases, read_history, read_mask
from SpiderSegLib.errors import ProjectError
from SpiderSegLib.labels import LevelState
from SpiderSegLib.linter import Rule, Severity
from SpiderSegLib.mrml.annotation_session import IDLE_S
from SpiderSegLib.mrml.levels import confirmLevels
from SpiderSegLib.mrml.segmentations import SegmentInfo, keepPrediction, newSegmentationNode
from SpiderSegLib.mrml.segments import addSegment, setMask
from SpiderSegLib.mrml.spine_tools import takeIn
from SpiderSegLib.segment_tags import SegmentTags
from SpiderSegLib.volume import Geometry, Volume

pytestmark = pytest.mark.mrml


@pytest.fixture
def project(tmp_path):
    return make_project(tmp_path / "project")


@pytest.fixture
def session(mrml, project):
    return newSession(mrml, project)


def stored(project, revision):
    return read_mask(project.folder, revision).array


# What is kept


def test_the_mask_is_saved_with_spider_s_values_on_the_grid_of_its_image(session, project):
    addPrediction(project, "p1_t2")
    case = session.open("p1_t2")
    paint(case, 100, columns=3)
    revision = session.save(Status.DONE).saved.revision
    assert np.array_equal(stored(project, revision), painted(labelmap(*TWO_LEVELS), 100, columns=3).array)
    assert revision.annotator == "Ada"
    assert case.parent == revision.id


def test_the_grid_of_an_oblique_image_with_odd_numbers_is_kept(mrml, project):
    direction = (0.0, 0.6, -0.8, 1.0, 0.0, 0.0, 0.0, -0.8, -0.6)
    geometry = Geometry((5, 4, 3), (0.2789999842643738, 1 / 3, 4.400000095367432), (-7.123456789012345, 1e-7, 5.0), direction)
    addSeriesOn(project, "p7_t2", geometry)
    session = newSession(mrml, project)
    case = session.open("p7_t2")
    array = np.zeros(geometry.shape_kji, bool)
    array[1, 2, 3] = True
    addSegment(case.segmentationNode, SegmentTags(1), array)
    saved = read_mask(project.folder, session.save(Status.DONE).saved.revision)
    assert saved.geometry == geometry
    assert np.array_equal(saved.array, array.astype(np.uint8))


def test_names_status_reason_and_comment_are_kept(mrml, session, project):
    addPrediction(project, "p1_t2")
    case = session.open("p1_t2")
    confirmLevels(case.segmentationNode, mrml.newEditor(case.segmentationNode, case.volumeNode))
    revision = session.flag("motion", "ask for another scan").saved.revision
    assert (revision.status, revision.reason, revision.comment) == (Status.FLAGGED, "motion", "ask for another scan")
    assert revision.naming.state is LevelState.CONFIRMED


def test_one_save_after_another_goes_on_from_it(session, project):
    addPrediction(project, "p1_t2")
    case = session.open("p1_t2")
    first = session.save(Status.IN_PROGRESS).saved.revision
    paint(case, 1)
    second = session.save(Status.DONE).saved
    assert second.revision.parent == first.id
    assert not second.is_conflict


def test_the_list_shows_the_new_state(session, project):
    addPrediction(project, "p1_t2")
    assert session.summaries()["p1_t2"].state is SeriesState.PREDICTED
    session.open("p1_t2")
    session.save(Status.DONE)
    assert session.summaries()["p1_t2"].state is SeriesState.DONE
    assert {ranked.candidate.series for ranked in session.workList()} == {"p1_t1", "p2_t2"}


# What a person is told


def test_the_linter_s_findings_are_returned_and_counted_in_the_revision(session, project):
    # Disc 202 lies below disc 201, the wrong way round.
    addPrediction(project, "p1_t2")
    session.open("p1_t2")
    result = session.save(Status.DONE)
    assert Rule.NUMBERING_ORDER in {finding.rule for finding in result.findings}
    assert result.findings == session.findings()
    assert result.saved.revision.findings["error"] == sum(finding.severity is Severity.ERROR for finding in result.findings)
    assert result.saved.revision.worst_finding == result.findings[0].message


def test_overlapping_segments_are_saved_with_a_message(session, project):
    save_mask(project)
    case = session.open("p1_t2")
    # The second vertebra's row, claimed by the first, too; the later segment has it.
    setMask(case.segmentationNode, idOf(case.segmentationNode, 1), (mask(*TWO_LEVELS) == 1) | stroke(1, 2))
    result = session.save(Status.IN_PROGRESS)
    assert result.messages == ("L5? and L4? overlap in 6 voxels: L4? has them",)
    assert np.array_equal(stored(project, result.saved.revision), mask(*TWO_LEVELS))


def test_two_segments_of_one_level_are_joined_with_a_message(session, project):
    save_mask(project)
    case = session.open("p1_t2")
    addByHand(case, "L5?")
    result = session.save(Status.IN_PROGRESS)
    assert result.messages == ("L5? stands for a level that another segment has already: both are joined",)
    assert np.array_equal(stored(project, result.saved.revision), painted(labelmap(*TWO_LEVELS), 1).array)


# What is refused


def test_an_empty_mask_is_never_done_but_may_be_flagged(session, project):
    session.open("p1_t2")
    with pytest.raises(ProjectError, match="the mask is empty"):
        session.save(Status.DONE)
    assert read_history(project.folder, "p1_t2").revisions == ()
    assert session.flag("no spine in it").saved.revision.status is Status.FLAGGED


def test_flagging_wants_a_reason(session, project):
    save_mask(project)
    session.open("p1_t2")
    with pytest.raises(ProjectError, match="expected a reason"):
        session.flag("")


def test_a_second_person_approves_what_is_on_screen(mrml, project):
    save_mask(project, annotator="Ada")
    session = newSession(mrml, project, "Bob")
    session.open("p1_t2")
    revision = session.approve("well done").saved.revision
    assert (revision.status, revision.annotator, revision.comment) == (Status.APPROVED, "Bob", "well done")


def test_nobody_approves_a_mask_of_their_own_or_a_changed_one(mrml, session, project):
    save_mask(project, annotator="Ada")
    session.open("p1_t2")
    with pytest.raises(ProjectError, match="another person has to approve it"):
        session.approve()
    bob = newSession(mrml, project, "Bob")
    paint(bob.open("p1_t2"), 1)
    with pytest.raises(ProjectError, match="approving takes a saved mask as it is"):
        bob.approve()
    assert bob.isModified()


@pytest.mark.parametrize(("status", "isHeld"), [(Status.IN_PROGRESS, True), (Status.DONE, False), (Status.FLAGGED, False)])
def test_who_is_done_with_a_series_holds_it_no_more(session, project, status, isHeld):
    save_mask(project)
    session.open("p1_t2")
    session.save(status, reason="motion")
    assert ("p1_t2" in leases(project.folder, StepClock("2026-03-02T09:00:00+00:00"))) is isHeld


# Minutes


def test_the_minutes_since_the_last_save_are_saved(mrml, project):
    clock = HandClock()
    save_mask(project)
    session = newSession(mrml, project, monotonic=clock)
    session.open("p1_t2")
    for _ in range(6):
        clock.go(30)
        session.timer.touch()
    clock.go(10 * IDLE_S)
    assert session.save(Status.IN_PROGRESS).saved.revision.minutes == pytest.approx(3 + IDLE_S / 60)
    clock.go(15)
    assert session.save(Status.IN_PROGRESS).saved.revision.minutes == pytest.approx(0.25)


def test_a_save_that_was_refused_loses_no_minute(mrml, project):
    clock = HandClock()
    session = newSession(mrml, project, monotonic=clock)
    session.open("p1_t2")
    clock.go(30)
    with pytest.raises(ProjectError):
        session.save(Status.DONE)
    clock.go(30)
    assert session.flag("empty").saved.revision.minutes == pytest.approx(1.0)


# Whose work it is


def test_a_prediction_saved_as_it_is_is_reviewed_and_a_changed_one_corrected(session, project):
    addPrediction(project, "p1_t2")
    case = session.open("p1_t2")
    first = session.save(Status.IN_PROGRESS).saved.revision
    paint(case, 1)
    second = session.save(Status.DONE).saved
    assert (first.provenance, first.source_model) == (Provenance.REVIEWED_UNCHANGED, MODEL)
    assert (second.revision.provenance, second.revision.source_model) == (Provenance.CORRECTED, MODEL)
    assert second.revision.prediction == first.prediction
    assert sum(revision.is_by_model for revision in second.history.revisions) == 1


def test_what_is_drawn_without_a_prediction_is_manual(session):
    addByHand(session.open("p1_t2"), "L5")
    assert session.save(Status.DONE).saved.revision.provenance is Provenance.MANUAL


def test_a_mask_made_by_hand_stays_so_though_the_project_has_a_prediction_nobody_saw(session, project):
    save_mask(project)
    addPrediction(project, "p1_t2", (1, 2))
    case = session.open("p1_t2")
    paint(case, 1)
    assert case.shownPrediction() is None
    assert session.save(Status.DONE).saved.revision.provenance is Provenance.MANUAL


def test_a_case_opened_from_a_corrected_revision_shows_no_new_prediction(session, project):
    first = save_mask(project, labelmap=painted(labelmap(*TWO_LEVELS), 1), shown=shown(*TWO_LEVELS)).revision
    case = session.open("p1_t2")
    assert case.shownPrediction() is None
    paint(case, 2, columns=2)
    revision = session.save(Status.DONE).saved.revision
    assert (revision.provenance, revision.prediction) == (Provenance.CORRECTED, first.prediction)


def test_a_prediction_brought_to_a_mask_made_by_hand_counts_from_then_on(session, project):
    save_mask(project, values=(1, 2))
    addPrediction(project, "p1_t2", (1, 2, 201))
    case = session.open("p1_t2")
    assert session.showPrediction()
    paint(case, 1)
    revision = session.save(Status.DONE).saved.revision
    assert (revision.provenance, revision.source_model) == (Provenance.CORRECTED, MODEL)


def test_there_may_be_no_prediction_to_bring(session, project):
    save_mask(project)
    case = session.open("p1_t2")
    assert not session.showPrediction()
    paint(case, 1)
    assert session.save(Status.DONE).saved.revision.provenance is Provenance.MANUAL


def runOver(mrml, case, values=TWO_LEVELS, modelId="unetr-2"):
    """As a run of the model in the scene leaves it."""
    return newSegmentationNode(mrml.scene, Volume(mask(*values), case.record.geometry), case.volumeNode, SegmentInfo(model_id=modelId))


def test_a_run_in_the_scene_is_saved_once_the_case_goes_on_with_it(mrml, session, project):
    save_mask(project, values=(1, 2))
    case = session.open("p1_t2")
    session.useSegmentation(runOver(mrml, case))
    assert session.isModified()
    revision = session.save(Status.DONE).saved.revision
    assert (revision.provenance, revision.source_model, revision.values) == (Provenance.REVIEWED_UNCHANGED, "unetr-2", (1, 2, 100, 201, 202))
    session.close()
    assert mrml.scene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode") == 0


def test_only_a_segmentation_of_the_scene_can_be_gone_on_with(session):
    case = session.open("p1_t2")
    for node in (None, newScene().scene.AddNewNodeByClass("vtkMRMLSegmentationNode")):
        with pytest.raises(ProjectError, match="expected a segmentation of the scene"):
            session.useSegmentation(node)
    session.useSegmentation(case.segmentationNode)
    assert not session.isModified()


def test_a_run_over_the_image_counts_as_seen_even_if_the_case_goes_on_with_its_own(mrml, session, project):
    save_mask(project, values=(1, 2))
    case = session.open("p1_t2")
    runOver(mrml, case)
    paint(case, 1)
    revision = session.save(Status.DONE).saved.revision
    assert (revision.provenance, revision.source_model) == (Provenance.CORRECTED, "unetr-2")


def test_a_run_over_another_series_does_not_count(mrml, session, project):
    save_mask(project)
    case = session.open("p1_t2")
    other = mrml.newVolume(case.record.geometry, "other")
    newSegmentationNode(mrml.scene, labelmap(1, 2), other, SegmentInfo(model_id="unetr-2"))
    paint(case, 1)
    assert session.save(Status.DONE).saved.revision.provenance is Provenance.MANUAL


def test_of_several_predictions_the_latest_counts(mrml, session, project):
    addPrediction(project, "p1_t2", (1, 2))
    case = session.open("p1_t2")
    keepPrediction(case.segmentationNode, mask(1, 2, 201), "unetr-2")
    assert session.save(Status.DONE).saved.revision.source_model == "unetr-2"


def test_a_prediction_that_was_deleted_meanwhile_was_shown_all_the_same(mrml, session, project):
    addPrediction(project, "p1_t2")
    case = session.open("p1_t2")
    mrml.scene.RemoveNode(case.segmentationNode.GetNodeReference("SpiderSeg.prediction"))
    assert session.save(Status.DONE).saved.revision.provenance is Provenance.REVIEWED_UNCHANGED


def test_a_level_that_the_model_drew_at_a_click_is_no_manual_work(mrml, session, project):
    save_mask(project)
    case = session.open("p1_t2")
    editor = mrml.newEditor(case.segmentationNode, case.volumeNode)
    takeIn(case.segmentationNode, stroke(), SegmentTags(3, model_id="unetr-2"), editor)
    saved = session.save(Status.DONE).saved
    assert (saved.revision.provenance, saved.revision.source_model) == (Provenance.CORRECTED, "unetr-2")
    assert np.array_equal(stored(project, saved.history.by_id[saved.revision.prediction]), 3 * stroke())
    # 3 of 33 voxels are the model's.
    assert saved.revision.seeded_share == pytest.approx(3 / 33, abs=1e-4)


def test_the_saved_mask_is_what_is_on_screen(session, project):
    save_mask(project)
    case = session.open("p1_t2")
    paint(case, 202, columns=5)
    assert np.array_equal(stored(project, session.save(Status.DONE).saved.revision), labelsOf(case))
