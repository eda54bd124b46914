"""Saving corrections: what is kept of each, provenance, conflicts, approval, and what is refused."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from small_cases import TWO_LEVELS, grid
from small_project import StepClock, add_series, labelmap, make_project, painted, save_mask, shown
from SpiderSegLib.annotation_project.project import open_project
from SpiderSegLib.annotation_project.verification import Harm, verify
from SpiderSegLib.corrections import Disk, History, Provenance, Revision, Status, keep_prediction, publish, read_history, read_mask
from SpiderSegLib.errors import GeometryError, LabelError, ProjectError, SpiderSegError
from SpiderSegLib.io import read_labelmap, write_volume
from SpiderSegLib.labels import LevelState, Structure
from SpiderSegLib.level_names import LevelNaming
from SpiderSegLib.volume import Volume


@pytest.fixture
def project(tmp_path):
    return make_project(tmp_path / "project")


def voxels(path):
    return read_labelmap(path).array


# What is kept


def test_a_saved_mask_is_kept_with_who_when_how_long_and_the_names_of_the_levels(project):
    naming = LevelNaming(LevelState.TRANSITIONAL, 6, {1: "L6"})
    saved = save_mask(project, minutes=12.5, comment="canal thin", naming=naming, clock=StepClock("2026-05-04T09:30:12+00:00"))
    (kept,) = read_history(project.folder, "p1_t2").revisions
    assert kept == saved.revision
    assert (kept.annotator, kept.minutes, kept.comment, kept.status) == ("Ada", 12.5, "canal thin", Status.DONE)
    assert kept.created_utc == "2026-05-04T09:30:12.000Z"
    assert kept.naming == naming
    assert kept.values == (1, 2, 100, 201, 202)
    assert np.array_equal(read_mask(project.folder, kept).array, labelmap(*TWO_LEVELS).array)


def test_record_and_mask_have_one_name_that_tells_time_annotator_and_hash(project):
    revision = save_mask(project, annotator="Ada Lovelace", clock=StepClock("2026-05-04T09:30:12+00:00")).revision
    names = sorted(path.name for path in project.folder.revisions_of("p1_t2").iterdir())
    stem = names[0].removesuffix(".json")
    assert names == [f"{stem}.json", f"{stem}.mha"]
    assert stem.startswith("20260504T093012Z_Ada-Lovelace")
    assert stem.endswith(revision.id[:12])


def test_the_accepted_mask_lies_in_masks_on_the_grid_of_its_image(project):
    save_mask(project)
    published = read_labelmap(project.folder.mask("p1_t2"))
    assert np.array_equal(published.array, labelmap(*TWO_LEVELS).array)
    assert published.geometry.is_same_grid(read_labelmap(project.folder.image("p1_t2")).geometry)


@pytest.mark.parametrize(("status", "reason"), [(Status.IN_PROGRESS, ""), (Status.FLAGGED, "motion")])
def test_a_mask_that_is_not_done_is_not_published(project, status, reason):
    save_mask(project, status=status, reason=reason)
    assert not project.folder.mask("p1_t2").exists()


def test_flagging_a_series_takes_its_mask_back(project):
    first = save_mask(project).revision
    save_mask(project, parent=first.id, status=Status.FLAGGED, reason="wrong patient")
    assert not project.folder.mask("p1_t2").exists()
    assert read_history(project.folder, "p1_t2").accepted is None


def test_reopening_leaves_the_mask_that_was_done_until_it_is_done_again(project):
    first = save_mask(project).revision
    changed = painted(labelmap(*TWO_LEVELS), 3)
    second = save_mask(project, labelmap=changed, parent=first.id, status=Status.IN_PROGRESS)
    assert second.history.accepted == first
    third = save_mask(project, labelmap=changed, parent=second.revision.id)
    assert np.array_equal(voxels(project.folder.mask("p1_t2")), changed.array)
    assert third.history.accepted == third.revision


def test_a_revision_without_a_changed_voxel_keeps_no_second_copy(project):
    first = save_mask(project).revision
    second = save_mask(project, parent=first.id, comment="looked again").revision
    assert second.mask_file == first.mask_file
    assert len(list(project.folder.revisions_of("p1_t2").glob("*.mha"))) == 1


def test_changes_are_measured_against_the_parent_and_the_prediction(project):
    # The prediction lacks disc 202 (row 3); a person adds it, then 3 voxels of vertebra 3.
    prediction = shown(1, 2, 201, 0, 100)
    first = save_mask(project, shown=prediction).revision
    second = save_mask(project, labelmap=painted(labelmap(*TWO_LEVELS), 3), parent=first.id).revision
    assert first.to_prediction.voxels_changed == 6
    assert first.to_prediction.of(Structure.DISC).voxels.added == 6
    assert first.to_prediction.of(Structure.VERTEBRA).voxels.total == 0
    assert second.to_parent.voxels_changed == 3
    assert second.to_prediction.voxels_changed == 9
    # 12 voxels before, 15 after: 2 * 12 / 27.
    assert second.to_parent.of(Structure.VERTEBRA).dice == pytest.approx(24 / 27)
    assert second.to_parent.of(Structure.VERTEBRA).asd_mm > 0


# Provenance


def test_a_mask_drawn_without_a_prediction_is_manual(project):
    first = save_mask(project).revision
    second = save_mask(project, labelmap=painted(labelmap(*TWO_LEVELS), 3), parent=first.id, annotator="Bob").revision
    assert (first.provenance, second.provenance) == (Provenance.MANUAL, Provenance.MANUAL)
    assert second.seeded_share == 0


def test_a_prediction_saved_as_it_is_is_reviewed_unchanged(project):
    revision = save_mask(project, shown=shown(*TWO_LEVELS)).revision
    assert revision.provenance is Provenance.REVIEWED_UNCHANGED
    assert revision.source_model == "bundled-0"
    assert revision.seeded_share == 1


def test_a_changed_prediction_is_corrected_and_tells_the_share_the_model_drew(project):
    # 24 voxels are the model's, 6 a person's.
    revision = save_mask(project, shown=shown(1, 2, 201, 0, 100)).revision
    assert revision.provenance is Provenance.CORRECTED
    assert revision.seeded_share == pytest.approx(24 / 30)


def test_what_came_from_a_prediction_stays_so_when_a_later_session_shows_none(project):
    first = save_mask(project, shown=shown(1, 2, 201, 0, 100)).revision
    second = save_mask(project, labelmap=painted(labelmap(*TWO_LEVELS), 3), parent=first.id).revision
    assert second.provenance is Provenance.CORRECTED
    assert second.prediction == first.prediction
    assert second.seeded_share == pytest.approx(24 / 33, abs=1e-4)


def test_correcting_back_to_the_prediction_is_reviewed_unchanged_again(project):
    first = save_mask(project, shown=shown(1, 2, 201, 0, 100)).revision
    second = save_mask(project, values=(1, 2, 201, 0, 100), parent=first.id).revision
    assert second.provenance is Provenance.REVIEWED_UNCHANGED


def test_a_manual_mask_is_not_the_model_s_where_a_later_prediction_agrees(project):
    first = save_mask(project, values=(1, 2, 201)).revision
    second = save_mask(project, values=(1, 2, 201, 0, 100), parent=first.id, shown=shown(*TWO_LEVELS)).revision
    assert second.provenance is Provenance.CORRECTED
    # The canal alone, 6 of 24 voxels, was taken from the prediction.
    assert second.seeded_share == pytest.approx(6 / 24)


def test_a_mask_that_nobody_changed_is_what_it_was_whatever_is_shown_beside_it(project):
    # Otherwise an unchanged prediction would be 'corrected' as soon as a newer model's stands beside it, and could judge models.
    for series, is_seeded, expected in (("p1_t1", True, Provenance.REVIEWED_UNCHANGED), ("p1_t2", False, Provenance.MANUAL)):
        first = save_mask(project, series, shown=shown(*TWO_LEVELS) if is_seeded else None, status=Status.IN_PROGRESS).revision
        second = save_mask(project, series, parent=first.id, shown=shown(1, 2, 201, model_id="gen-001")).revision
        assert (second.provenance, second.seeded_share) == (expected, float(is_seeded))


@pytest.mark.parametrize("before", [None, shown(1, model_id="gen-000")])
def test_saving_again_does_not_change_the_share_that_models_drew(project, before):
    first = save_mask(project, values=(1, 2, 201), shown=before).revision
    second = save_mask(project, values=(1, 2, 201, 0, 100), parent=first.id, shown=shown(*TWO_LEVELS)).revision
    approved = save_mask(project, values=(1, 2, 201, 0, 100), parent=second.id, status=Status.APPROVED, annotator="Bob").revision
    # The canal of the prediction, and what an earlier one drew before: 6 voxels of 24 each.
    assert second.seeded_share == pytest.approx(0.25 if before is None else 0.5)
    assert approved.seeded_share == second.seeded_share


def test_a_mask_made_elsewhere_in_place_of_a_manual_one_is_imported(project):
    first = save_mask(project).revision
    second = save_mask(project, values=(1, 2, 201), parent=first.id, is_imported=True).revision
    assert second.provenance is Provenance.IMPORTED


def test_an_imported_mask_says_so_until_somebody_changes_it(project):
    first = save_mask(project, is_imported=True, annotator="import").revision
    same = save_mask(project, parent=first.id).revision
    changed = save_mask(project, labelmap=painted(labelmap(*TWO_LEVELS), 3), parent=same.id).revision
    assert [one.provenance for one in (first, same, changed)] == [Provenance.IMPORTED, Provenance.IMPORTED, Provenance.CORRECTED]


def test_a_shown_prediction_is_kept_once_as_a_model_only_revision(project):
    first = save_mask(project, shown=shown(1, 2, 201, 0, 100)).revision
    save_mask(project, labelmap=painted(labelmap(*TWO_LEVELS), 3), parent=first.id, shown=shown(1, 2, 201, 0, 100))
    history = read_history(project.folder, "p1_t2")
    (model_only,) = [revision for revision in history.revisions if revision.is_by_model]
    assert model_only.provenance is Provenance.MODEL_ONLY
    assert first.parents == (model_only.id,)
    assert len(history.by_people) == 2
    assert not history.is_conflict


def test_a_prediction_can_be_kept_before_anything_is_saved_and_is_kept_once(project):
    kept = keep_prediction(project.folder, "p1_t2", shown(1, 2, 201))
    assert kept.provenance is Provenance.MODEL_ONLY
    revision = save_mask(project, shown=shown(1, 2, 201)).revision
    assert revision.parents == (kept.id,)
    assert np.array_equal(read_mask(project.folder, kept).array, shown(1, 2, 201).labelmap)


# Conflicts


def test_two_who_go_on_from_one_revision_make_a_conflict_and_both_stay(project):
    first = save_mask(project).revision
    save_mask(project, labelmap=painted(labelmap(*TWO_LEVELS), 3), parent=first.id, annotator="Ada")
    late = save_mask(project, labelmap=painted(labelmap(*TWO_LEVELS), 203), parent=first.id, annotator="Bob")
    assert late.is_conflict
    assert {head.annotator for head in late.history.heads} == {"Ada", "Bob"}
    # What both go on from still counts.
    assert late.history.accepted == first
    assert np.array_equal(voxels(project.folder.mask("p1_t2")), labelmap(*TWO_LEVELS).array)


def test_two_first_saves_are_a_conflict_without_an_accepted_mask(project):
    save_mask(project, annotator="Ada")
    second = save_mask(project, values=(1, 2), annotator="Bob")
    assert second.is_conflict
    assert not project.folder.mask("p1_t2").exists()


def test_a_revision_that_supersedes_the_other_heads_settles_the_conflict(project):
    ada = save_mask(project, annotator="Ada").revision
    bob = save_mask(project, values=(1, 2), annotator="Bob").revision
    settled = save_mask(project, values=(1, 2), parent=bob.id, supersedes=(ada.id,), annotator="Eve")
    assert not settled.is_conflict
    assert settled.history.accepted == settled.revision
    assert settled.revision.parents == (bob.id, ada.id)
    assert len(settled.history.revisions) == 3


def test_a_clock_that_goes_backwards_changes_neither_order_nor_the_newest(project):
    first = save_mask(project, clock=StepClock("2026-05-04T09:00:00+00:00")).revision
    second = save_mask(project, values=(1, 2), parent=first.id, clock=StepClock("1999-01-01T00:00:00+00:00"))
    assert second.history.revisions == (first, second.revision)
    assert second.history.newest == second.revision
    assert second.history.accepted == second.revision


# Approval


def test_a_second_person_approves_a_mask_as_it_is(project):
    first = save_mask(project, shown=shown(1, 2)).revision
    approved = save_mask(project, parent=first.id, status=Status.APPROVED, annotator="Bob")
    assert approved.history.accepted == approved.revision
    assert approved.history.maker(approved.revision) == "Ada"
    assert not approved.history.may_validate(first)
    assert approved.history.may_validate(approved.revision)


@pytest.mark.parametrize("annotator", ["Ada", " ada ", "ADA"])
def test_nobody_approves_a_mask_of_their_own(project, annotator):
    first = save_mask(project).revision
    # That somebody else saved it again unchanged makes it nobody else's.
    second = save_mask(project, parent=first.id, annotator="Bob").revision
    with pytest.raises(ProjectError, match="made this mask; another person has to approve it"):
        save_mask(project, parent=second.id, status=Status.APPROVED, annotator=annotator)


def test_whoever_saves_a_prediction_unchanged_made_it_not_the_model(project):
    saved = save_mask(project, shown=shown(*TWO_LEVELS))
    assert saved.history.maker(saved.revision) == "Ada"
    with pytest.raises(ProjectError, match="Ada made this mask"):
        save_mask(project, parent=saved.revision.id, status=Status.APPROVED)


def test_an_approval_by_the_maker_counts_for_nothing_however_it_got_there(project):
    first = save_mask(project, is_imported=True).revision
    approval = replace(first, id="0" * 64, parents=(first.id,), status=Status.APPROVED)
    assert not History("p1_t2", (first, approval)).may_validate(approval)
    by_bob = replace(approval, annotator="Bob")
    assert History("p1_t2", (first, by_bob)).may_validate(by_bob)


def test_approving_changed_voxels_is_refused(project):
    first = save_mask(project).revision
    with pytest.raises(ProjectError, match="approving takes a saved mask as it is"):
        save_mask(project, values=(1, 2), parent=first.id, status=Status.APPROVED, annotator="Bob")


def test_a_mask_that_is_not_finished_can_not_be_approved(project):
    first = save_mask(project, status=Status.IN_PROGRESS).revision
    with pytest.raises(ProjectError, match="Ada has not finished this mask"):
        save_mask(project, parent=first.id, status=Status.APPROVED, annotator="Bob")


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, True),  # manual
        ({"status": Status.IN_PROGRESS}, False),
        ({"is_imported": True}, False),
        ({"shown": shown(1, 2)}, False),  # corrected, not approved
        ({"shown": shown(*TWO_LEVELS)}, False),  # unchanged
    ],
)
def test_only_manual_masks_validate_without_a_second_person(project, fields, expected):
    saved = save_mask(project, **fields)
    assert saved.history.may_validate(saved.revision) is expected


def test_an_unchanged_prediction_never_validates(project):
    first = save_mask(project, shown=shown(*TWO_LEVELS)).revision
    approved = save_mask(project, parent=first.id, status=Status.APPROVED, annotator="Bob")
    assert not approved.history.may_validate(approved.revision)


# What is refused


def test_a_mask_of_another_grid_is_refused_and_nothing_is_added(project):
    wrong = Volume(np.ones((3, 6, 8), np.uint8), grid(x=7.0))
    with pytest.raises(GeometryError, match="p1_t2: expected a mask on the grid of its image"):
        save_mask(project, labelmap=wrong)
    assert not project.folder.revisions_of("p1_t2").exists()


def test_unknown_labels_are_refused(project):
    with pytest.raises(LabelError, match="found \\[77\\]"):
        save_mask(project, values=(1, 77))


def test_a_series_of_another_project_is_refused(project):
    with pytest.raises(ProjectError, match="p9_t2: no such series"):
        save_mask(project, series="p9_t2")


def test_the_revision_of_another_patient_is_no_parent(project):
    other = save_mask(project, series="p2_t2").revision
    with pytest.raises(ProjectError, match="p1_t2: expected one revision with id"):
        save_mask(project, series="p1_t2", parent=other.id)


def test_an_empty_mask_can_be_kept_but_is_never_done(project):
    with pytest.raises(ProjectError, match="the mask is empty"):
        save_mask(project, values=())
    assert save_mask(project, values=(), status=Status.IN_PROGRESS).revision.values == ()


def test_flagging_wants_a_reason(project):
    with pytest.raises(ProjectError, match="expected a reason"):
        save_mask(project, status=Status.FLAGGED)


@pytest.mark.parametrize("name", ["", "   ", "a" * 65, "tab\tname"])
def test_an_annotator_has_a_name(project, name):
    with pytest.raises(ProjectError, match="expected an annotator's name"):
        save_mask(project, annotator=name)


# Damage


def test_a_record_changed_by_hand_is_left_out_and_listed(project):
    first = save_mask(project).revision
    save_mask(project, values=(1, 2), parent=first.id)
    (path,) = project.folder.revisions_of("p1_t2").glob(f"*{first.id[:12]}.json")
    body = json.loads(path.read_text())
    path.write_text(json.dumps({**body, "annotator": "Mallory"}))
    history = read_history(project.folder, "p1_t2")
    assert len(history.revisions) == 1
    assert [damaged.path for damaged in history.damaged] == [path]
    assert "changed by hand" in history.damaged[0].reason


def test_a_record_whose_id_alone_was_changed_is_no_record(project):
    save_mask(project)
    (path,) = project.folder.revisions_of("p1_t2").glob("*.json")
    path.write_text(json.dumps({**json.loads(path.read_text()), "id": "0" * 64}))
    assert [damaged.path for damaged in read_history(project.folder, "p1_t2").damaged] == [path]


def test_another_mask_in_the_place_of_one_that_was_saved_is_not_taken_for_it(project):
    revision = save_mask(project).revision
    write_volume(project.folder.revisions_of("p1_t2") / revision.mask_file, labelmap(1, 2, 3))
    with pytest.raises(ProjectError, match="not the mask that revision"):
        read_mask(project.folder, revision)


def test_a_record_of_a_newer_schema_stops_everybody(project):
    revision = save_mask(project).revision
    (path,) = project.folder.revisions_of("p1_t2").glob("*.json")
    body = {**json.loads(path.read_text()), "schema": 99}
    body.pop("id")
    from SpiderSegLib.corrections.records import record_id

    identity = record_id(body)
    path.rename(path.with_name(path.name.replace(revision.id[:12], identity[:12]))).write_text(json.dumps({"id": identity, **body}))
    with pytest.raises(ProjectError, match="newer SpiderSeg"):
        read_history(project.folder, "p1_t2")


def test_a_damaged_mask_is_named_and_does_not_stop_the_next_save(project):
    first = save_mask(project).revision
    path = project.folder.revisions_of("p1_t2") / first.mask_file
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(ProjectError, match=r"\.mha"):
        read_mask(project.folder, first)
    second = save_mask(project, values=(1, 2), parent=first.id)
    assert second.revision.to_parent is None
    assert second.history.accepted == second.revision


def test_a_damaged_mask_is_not_published(project):
    first = save_mask(project).revision
    path = project.folder.revisions_of("p1_t2") / first.mask_file
    path.write_bytes(path.read_bytes()[:-10])
    project.folder.mask("p1_t2").unlink()
    publish(project.folder, "p1_t2")
    assert not project.folder.mask("p1_t2").exists()


@pytest.mark.parametrize("name", ["../p1_t1/x.mha", "..\\x.mha", "C:x.mha", "/x.mha"])
def test_a_revision_names_no_mask_outside_its_folder(name):
    with pytest.raises(ProjectError, match="expected the name of a mask file"):
        Revision("p1_t2", "Ada", Status.DONE, Provenance.MANUAL, name, "", "")


class MaskInUse(Disk):
    """As on Windows while a program has the published mask open."""

    def rename(self, source, target):
        self._refuse(target)
        super().rename(source, target)

    def unlink(self, path):
        self._refuse(path)
        super().unlink(path)

    def _refuse(self, path):
        if path.parent.name == "masks" and not path.name.startswith("."):
            raise PermissionError(13, "in use")


@pytest.mark.parametrize(("status", "reason"), [(Status.DONE, ""), (Status.FLAGGED, "motion")])
def test_a_mask_that_is_saved_but_not_published_is_saved(project, status, reason, caplog):
    # An error would have its annotator save it again, and be in conflict with themselves.
    first = save_mask(project).revision
    busy = open_project(project.root, MaskInUse())
    saved = save_mask(busy, values=(1, 2), parent=first.id, status=status, reason=reason)
    assert saved.history.newest == saved.revision
    assert "the mask itself is saved" in caplog.text
    assert [problem.harm for problem in verify(project)] == [Harm.DERIVED]


def test_series_do_not_see_each_other_s_revisions(project):
    add_series(project, "p3_t2", 9)
    save_mask(project, series="p1_t2")
    assert read_history(project.folder, "p3_t2").revisions == ()


@pytest.mark.parametrize("place", ["revisions", "revisions/p1_t2"])
def test_a_folder_that_is_a_file_is_named_and_nothing_is_half_saved(project, place):
    path = project.root / place
    if path.is_dir():
        path.rmdir()
    path.write_text("in the way")
    with pytest.raises(SpiderSegError, match=place.partition("/")[0]):
        save_mask(project)
    assert path.read_text() == "in the way"
    path.unlink()
    assert read_history(project.folder, "p1_t2").revisions == ()


def test_masks_that_is_a_file_is_named_and_the_mask_is_saved_once(project, caplog):
    project.folder.masks.rmdir()
    project.folder.masks.write_text("in the way")
    save_mask(project)
    assert "masks" in caplog.text
    assert project.folder.masks.read_text() == "in the way"
    assert len(read_history(project.folder, "p1_t2").revisions) == 1
