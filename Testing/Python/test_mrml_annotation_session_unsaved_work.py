"""Work that is not saved: kept on the way, offered the next time, and lost neither in a crash nor with the scene."""

from __future__ import annotations

import itertools
import os
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
import slicer

from mrml_scene import idOf, named, newScene
from small_cases import TWO_LEVELS, mask
from small_project import MODEL, StepClock, labelmap, make_project, painted, save_mask, shown
from small_session import HandClock, addByHand, addPrediction, labelsOf, newSession, paint, stroke
from SpiderSegLib.annotation_project.project import open_project
from SpiderSegLib.corrections import Disk, Provenance, Status, kept_edit, kept_series, leases, read_history
from SpiderSegLib.errors import GeometryError, OutputError, ProjectError
from SpiderSegLib.labels import LevelState
from SpiderSegLib.mrml.annotation_session import UnsavedChanges
from SpiderSegLib.mrml.levels import confirmLevels
from SpiderSegLib.mrml.segments import maskOf, segmentIds, setMask

pytestmark = pytest.mark.mrml

PAINTED = painted(labelmap(*TWO_LEVELS), 1).array


@pytest.fixture
def project(tmp_path):
    project = make_project(tmp_path / "project")
    save_mask(project)
    return project


@pytest.fixture
def session(mrml, project):
    return newSession(mrml, project)


def nextMorning(project, annotator="Ada"):
    """The same person in a new scene; the session of the evening before is gone without a word."""
    return newSession(newScene(), project, annotator)


def kept(project, series="p1_t2"):
    return kept_edit(project.folder, series, "Ada")


# Kept on the way


def test_changes_are_kept_once_and_again_after_the_next_stroke(session, project):
    case = session.open("p1_t2")
    assert not session.autosave()
    paint(case, 1)
    assert session.autosave()
    assert not session.autosave()
    paint(case, 1, columns=2)
    assert session.autosave()
    assert np.array_equal(kept(project).labelmap.array, painted(labelmap(*TWO_LEVELS), 1, columns=2).array)
    assert kept(project).parent == case.parent


def test_what_was_undone_is_kept_no_more(session, project):
    case = session.open("p1_t2")
    paint(case, 1)
    session.autosave()
    setMask(case.segmentationNode, idOf(case.segmentationNode, 1), mask(*TWO_LEVELS) == 1)
    assert not session.autosave()
    assert kept(project) is None


def test_what_was_saved_is_kept_no_more(session, project):
    paint(session.open("p1_t2"), 1)
    session.autosave()
    session.save(Status.IN_PROGRESS)
    assert kept(project) is None
    assert not session.autosave()


def test_a_full_disk_is_told_and_kept_the_next_time(session, project):
    paint(session.open("p1_t2"), 1)
    project.folder.autosave.write_text("a file")
    with pytest.raises(OutputError):
        session.autosave()
    project.folder.autosave.unlink()
    assert session.autosave()


def test_a_case_held_for_hours_stays_held_while_somebody_works(mrml, project):
    clock = HandClock()
    session = newSession(mrml, project, monotonic=clock)
    session.open("p1_t2")
    project.folder.lease("p1_t2").unlink()
    now = StepClock("2026-03-02T08:30:00+00:00")
    clock.go(1000)
    session.autosave()
    assert leases(project.folder, now) == {}
    session.timer.touch()
    session.autosave()
    assert set(leases(project.folder, now)) == {"p1_t2"}


# Offered


def test_going_home_in_the_middle_the_work_is_offered_the_next_morning(session, project):
    paint(session.open("p1_t2"), 1)
    session.close(keep=True)
    assert session.current is None
    assert set(leases(project.folder, StepClock("2026-03-02T08:30:00+00:00"))) == {"p1_t2"}
    morning = nextMorning(project)
    case = morning.open("p1_t2")
    assert np.array_equal(case.offered.labelmap.array, PAINTED)
    assert np.array_equal(labelsOf(case), mask(*TWO_LEVELS))
    assert not morning.isModified()
    morning.restoreOffered()
    assert np.array_equal(labelsOf(case), PAINTED)
    assert (case.offered, morning.isModified()) == (None, True)
    assert morning.save(Status.DONE).saved.revision.to_parent.voxels_changed == 3
    assert kept(project) is None


def test_closing_to_keep_without_changes_is_closing(session, project):
    session.open("p1_t2")
    session.close(keep=True)
    assert kept(project) is None
    assert leases(project.folder, StepClock("2026-03-02T08:30:00+00:00")) == {}


def test_names_minutes_and_segments_without_a_level_come_back(mrml, project):
    clock = HandClock()
    session = newSession(mrml, project, monotonic=clock)
    case = session.open("p1_t2")
    confirmLevels(case.segmentationNode, mrml.newEditor(case.segmentationNode, case.volumeNode))
    addByHand(case, "Segment_1", columns=4)
    clock.go(30)
    session.close(keep=True)
    morning = nextMorning(project)
    case = morning.open("p1_t2")
    morning.restoreOffered()
    assert case.screen().naming.state is LevelState.CONFIRMED
    assert named(case.segmentationNode) == ["L5", "L4", "L5/S1", "L4/L5", "Spinal canal", "Segment without a level 1"]
    assert np.array_equal(maskOf(case.segmentationNode, segmentIds(case.segmentationNode)[-1]), stroke(columns=4))
    assert np.array_equal(labelsOf(case), mask(*TWO_LEVELS))
    assert morning.timer.minutes == pytest.approx(0.5)


def test_restored_work_is_unsaved_until_it_is_saved(session, project):
    paint(session.open("p1_t2"), 1)
    session.close(keep=True)
    morning = nextMorning(project)
    morning.open("p1_t2")
    morning.restoreOffered()
    with pytest.raises(UnsavedChanges):
        morning.next()
    assert not morning.autosave()
    morning.close(keep=True)
    assert np.array_equal(kept(project).labelmap.array, PAINTED)


def test_an_offer_that_is_discarded_is_gone(session, project):
    paint(session.open("p1_t2"), 1)
    session.close(keep=True)
    morning = nextMorning(project)
    case = morning.open("p1_t2")
    morning.discardOffered()
    assert (case.offered, kept(project)) == (None, None)
    with pytest.raises(ProjectError, match="no unsaved edit of another time"):
        morning.restoreOffered()


def test_an_offer_nobody_answered_stays_whatever_is_done_beside_it(session, project):
    paint(session.open("p1_t2"), 1)
    session.close(keep=True)
    morning = nextMorning(project)
    case = morning.open("p1_t2")
    paint(case, 202)
    assert not morning.autosave()
    with pytest.raises(UnsavedChanges):
        morning.restoreOffered()
    morning.close(keep=True)
    assert np.array_equal(kept(project).labelmap.array, PAINTED)
    newest = read_history(project.folder, "p1_t2").newest
    assert (newest.status, newest.to_parent.voxels_changed) == (Status.IN_PROGRESS, 3)
    case = morning.open("p1_t2")
    assert case.offered is not None
    paint(case, 2, columns=2)
    morning.save(Status.DONE)
    morning.close()
    assert np.array_equal(kept(project).labelmap.array, PAINTED)


def test_only_who_made_it_is_offered_it(session, project):
    paint(session.open("p1_t2"), 1)
    session.close(keep=True)
    assert nextMorning(project, "Bob").open("p1_t2").offered is None
    assert nextMorning(project, " ada ").open("p1_t2").offered is not None


def test_an_offer_overtaken_by_somebody_s_save_becomes_a_conflict_when_it_is_saved(session, project):
    paint(session.open("p1_t2"), 1)
    session.close(keep=True)
    bob = nextMorning(project, "Bob")
    paint(bob.open("p1_t2"), 202)
    theirs = bob.save(Status.DONE).saved.revision
    morning = nextMorning(project)
    case = morning.open("p1_t2")
    assert case.parent == theirs.id
    morning.restoreOffered()
    assert case.parent == theirs.parent
    result = morning.save(Status.DONE)
    assert result.saved.is_conflict
    assert result.messages == ("Bob saved p1_t2 meanwhile: both masks stand until the conflict is settled",)


def test_a_restored_edit_owes_to_the_model_what_it_owed_before(session, project):
    addPrediction(project, "p2_t2")
    paint(session.open("p2_t2"), 1)
    session.close(keep=True)
    morning = nextMorning(project)
    morning.open("p2_t2")
    morning.restoreOffered()
    revision = morning.save(Status.DONE).saved.revision
    assert (revision.provenance, revision.source_model, revision.to_prediction.voxels_changed) == (Provenance.CORRECTED, MODEL, 3)


def test_a_restored_edit_is_measured_against_what_was_shown_though_a_newer_model_took_its_place(session, project):
    addPrediction(project, "p2_t2")
    paint(session.open("p2_t2"), 1)
    session.close(keep=True)
    addPrediction(project, "p2_t2", (1, 2), "newer-1")
    morning = nextMorning(project)
    case = morning.open("p2_t2")
    morning.restoreOffered()
    assert not any("is gone" in text for text in case.messages)
    revision = morning.save(Status.DONE).saved.revision
    assert (revision.provenance, revision.source_model) == (Provenance.CORRECTED, MODEL)


def test_a_restored_edit_whose_prediction_is_gone_still_counts_as_the_model_s(session, project):
    addPrediction(project, "p2_t2")
    paint(session.open("p2_t2"), 1)
    session.close(keep=True)
    addPrediction(project, "p2_t2", (1, 2), "newer-1")
    for path in project.folder.revisions_of("p2_t2").iterdir():
        path.unlink()
    morning = nextMorning(project)
    case = morning.open("p2_t2")
    morning.restoreOffered()
    assert any("is gone: changes are measured from here on" in text for text in case.messages)
    revision = morning.save(Status.DONE).saved.revision
    assert (revision.provenance, revision.source_model) == (Provenance.REVIEWED_UNCHANGED, MODEL)


def test_a_prediction_that_was_kept_with_a_revision_is_found_again(session, project):
    save_mask(project, series="p2_t2", shown=shown(*TWO_LEVELS), annotator="Bob")
    addPrediction(project, "p2_t2")
    save_mask(project, values=(1, 2), series="p1_t1")
    case = session.open("p2_t2")
    session.showPrediction()
    paint(case, 1)
    session.close(keep=True)
    addPrediction(project, "p2_t2", (1, 2), "newer-1")
    morning = nextMorning(project)
    case = morning.open("p2_t2")
    morning.restoreOffered()
    assert case.messages == ()
    assert morning.save(Status.DONE).saved.revision.to_prediction.voxels_changed == 3


def test_an_edit_whose_parent_is_gone_is_saved_as_one_of_its_own(session, project):
    paint(session.open("p1_t2"), 1)
    session.close(keep=True)
    for path in project.folder.revisions_of("p1_t2").iterdir():
        path.unlink()
    morning = nextMorning(project)
    case = morning.open("p1_t2")
    morning.restoreOffered()
    assert any("is saved as one of its own" in text for text in case.messages)
    assert morning.save(Status.DONE).saved.revision.parents == ()


def test_an_edit_that_can_t_be_read_is_named_and_the_series_opened(session, project):
    paint(session.open("p1_t2"), 1)
    session.close(keep=True)
    (path,) = project.folder.autosave.glob("*/p1_t2~*.mha")
    path.write_bytes(b"")
    case = nextMorning(project).open("p1_t2")
    assert case.offered is None
    assert any("the unsaved edit can't be read" in text for text in case.messages)


def test_an_edit_on_another_grid_is_refused_and_stays(session, project, small_series):
    from dataclasses import replace

    paint(session.open("p1_t2"), 1)
    session.close(keep=True)
    morning = nextMorning(project)
    case = morning.open("p1_t2")
    case.offered = replace(case.offered, labelmap=small_series)
    with pytest.raises(GeometryError, match="another grid"):
        morning.restoreOffered()
    assert np.array_equal(labelsOf(case), mask(*TWO_LEVELS))
    assert kept(project) is not None


# Crashes


class Killed(BaseException):
    """The process ends here."""


def mortal(name):
    """An operation of a disk that costs one life."""

    def operation(self, *arguments):
        self.lives -= 1
        if self.lives < 0:
            raise Killed
        return getattr(Disk, name)(self, *arguments)

    return operation


class MortalDisk(Disk):
    """Dies before an operation once its lives are used up; the dead do nothing."""

    lives = float("inf")
    write, flush, rename, link = mortal("write"), mortal("flush"), mortal("rename"), mortal("link")
    append, unlink, make_folder, flush_folder = mortal("append"), mortal("unlink"), mortal("make_folder"), mortal("flush_folder")


def test_a_kill_at_any_step_of_keeping_leaves_the_edit_before_or_after_it(session, project, tmp_path):
    second = painted(labelmap(*TWO_LEVELS), 1, columns=2).array
    paint(session.open("p1_t2"), 1)
    session.close(keep=True)
    outcomes = []
    for lives in itertools.count():
        root = tmp_path / f"killed {lives}"
        shutil.copytree(project.root, root)
        disk = MortalDisk()
        dying = newSession(newScene(), open_project(root, disk))
        case = dying.open("p1_t2")
        dying.restoreOffered()
        paint(case, 1, columns=2)
        disk.lives = lives
        try:
            dying.autosave()
        except Killed:
            is_killed = True
        else:
            is_killed = False
        offered = nextMorning(open_project(root)).open("p1_t2").offered
        outcomes.append(next(name for name, array in (("first", PAINTED), ("second", second)) if np.array_equal(offered.labelmap.array, array)))
        if not is_killed:
            break
    assert lives >= 8
    assert outcomes == sorted(outcomes)
    assert set(outcomes) == {"first", "second"}


def test_after_a_killed_process_the_edit_is_offered(project):
    script = """
        import os, sys
        from pathlib import Path
        from mrml_scene import newScene
        from small_session import newSession, paint
        from SpiderSegLib.annotation_project.project import open_project
        session = newSession(newScene(), open_project(Path(sys.argv[1])))
        paint(session.open("p1_t2"), 1)
        assert session.autosave()
        paint(session.current, 1, columns=3)
        os._exit(9)
        """
    paths = os.pathsep.join([str(Path(__file__).parent), *sys.path])
    ended = subprocess.run([sys.executable, "-c", textwrap.dedent(script), str(project.root)], env={**os.environ, "PYTHONPATH": paths}, check=False)
    assert ended.returncode == 9
    assert kept_series(project.folder, "Ada") == ["p1_t2"]
    assert np.array_equal(nextMorning(project).open("p1_t2").offered.labelmap.array, PAINTED)


# The scene goes


def test_closing_the_scene_keeps_the_work_and_ends_the_case(mrml, session, project):
    paint(session.open("p1_t2"), 1)
    mrml.scene.Clear(False)
    assert session.current is None
    assert (session.isModified(), session.autosave(), session.timer.minutes) == (False, False, 0.0)
    session.close()
    case = session.open("p1_t2")
    assert np.array_equal(case.offered.labelmap.array, PAINTED)


def test_closing_the_scene_without_changes_gives_the_series_back(mrml, session, project):
    session.open("p1_t2")
    mrml.scene.Clear(False)
    assert kept(project) is None
    assert leases(project.folder, StepClock("2026-03-02T08:30:00+00:00")) == {}
    assert session.next() is not None


def test_closing_the_scene_keeps_work_beside_an_unanswered_offer_as_a_revision(mrml, session, project):
    paint(session.open("p1_t2"), 1)
    session.close(keep=True)
    paint(session.open("p1_t2"), 202)
    mrml.scene.Clear(False)
    assert np.array_equal(kept(project).labelmap.array, PAINTED)
    assert read_history(project.folder, "p1_t2").newest.status is Status.IN_PROGRESS


def test_work_that_can_t_be_kept_when_the_scene_closes_is_told_in_the_log(mrml, session, project, caplog):
    paint(session.open("p1_t2"), 1)
    project.folder.autosave.write_text("a file")
    mrml.scene.Clear(False)
    assert session.current is None
    assert "p1_t2: the changes could not be kept" in caplog.text


def test_a_deleted_segmentation_is_kept_and_offered_when_the_series_is_opened_again(mrml, session, project):
    case = session.open("p1_t2")
    paint(case, 1)
    mrml.scene.RemoveNode(case.segmentationNode)
    assert not case.isWhole
    assert not session.isModified()
    with pytest.raises(ProjectError, match="its segmentation was deleted; open the series again"):
        session.save(Status.DONE)
    case = session.open("p1_t2")
    assert np.array_equal(case.offered.labelmap.array, PAINTED)
    session.restoreOffered()
    session.save(Status.DONE)


def test_going_on_after_a_deleted_segmentation_keeps_what_it_held(mrml, session, project):
    case = session.open("p1_t2")
    paint(case, 1)
    mrml.scene.RemoveNode(case.segmentationNode)
    session.open("p2_t2")
    assert kept(project) is not None
    session.close()
    session.open("p1_t2")
    mrml.scene.RemoveNode(session.current.segmentationNode)
    session.close(discard=True)
    assert kept(project) is not None


def test_a_deleted_image_does_not_keep_anybody_from_saving(mrml, session, project):
    case = session.open("p1_t2")
    paint(case, 1)
    mrml.scene.RemoveNode(case.volumeNode)
    mrml.scene.RemoveNode(case.partnerNodes["p1_t1"])
    assert case.seriesNodes == []
    assert session.save(Status.DONE).saved.revision.to_parent.voxels_changed == 3
    session.close()


def test_a_scene_that_is_collected_with_its_session_crashes_nothing(project):
    import gc

    session = newSession(newScene(), project)
    paint(session.open("p1_t2"), 1)
    del session
    gc.collect()
    assert slicer.vtkMRMLScene().GetNumberOfNodes() == 0
