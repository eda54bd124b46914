"""Projects as a whole: making and opening, the index, decisions and models, validation patients, verification and rebuilding."""

from __future__ import annotations

import csv
import json
import os
import shutil

import numpy as np
import pytest

from small_cases import TWO_LEVELS
from small_project import MODEL, SERIES, StepClock, add_series, add_small_model, labelmap, make_project, painted, save_mask, shown
from SpiderSegLib.annotation_project import verification
from SpiderSegLib.annotation_project.decisions import Choice, Decision, decide, frozen_patients, read_decisions, validation_uses
from SpiderSegLib.annotation_project.exclusive import import_turn
from SpiderSegLib.annotation_project.index import ProjectIndex
from SpiderSegLib.annotation_project.models import champion, lineage, new_model_id, read_models
from SpiderSegLib.annotation_project.predictions import PredictionFacts, read_prediction, write_prediction
from SpiderSegLib.annotation_project.project import create_project, open_project
from SpiderSegLib.annotation_project.rebuilding import rebuild
from SpiderSegLib.annotation_project.status import project_status, status_lines
from SpiderSegLib.annotation_project.summary import SeriesState
from SpiderSegLib.annotation_project.validation_patients import choose_patients, eligible_patients, freeze
from SpiderSegLib.annotation_project.verification import Harm, verify
from SpiderSegLib.corrections import Disk, Status, hold, read_history, read_series_record
from SpiderSegLib.corrections.records import record_id
from SpiderSegLib.errors import OutputError, ProjectError
from SpiderSegLib.io import write_volume
from SpiderSegLib.retraining.project_round import promote, reject, roll_back


@pytest.fixture
def project(tmp_path):
    made = make_project(tmp_path / "project")
    add_small_model(made)
    return made


def predict(project, series, *values, model_id=MODEL):
    sidecar = {"level_state": {"state": "assumed"}, "lumbar_count": 5, "own_names": {}}
    write_prediction(project.folder, series, labelmap(*values), PredictionFacts(model_id, findings={"error": 1}, worst_finding="gap"), sidecar)


def states(project):
    return {series: summary.state for series, summary in ProjectIndex(project).read().items()}


# Making and opening


def test_a_project_is_opened_as_it_was_made(tmp_path):
    made = create_project(tmp_path / "p", "Spine study 3")
    assert open_project(tmp_path / "p") == made
    assert made.name == "Spine study 3"


def test_the_folder_s_name_is_the_project_s_if_none_is_given(tmp_path):
    assert create_project(tmp_path / "lumbar").name == "lumbar"


def test_a_folder_that_holds_something_is_no_place_for_a_project(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(ProjectError, match=r"expected an empty folder for a new project, found notes\.txt"):
        create_project(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_a_second_project_in_one_folder_is_refused(project):
    with pytest.raises(ProjectError, match="holds a project already"):
        create_project(project.root)


def test_a_file_is_no_place_for_a_project(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ProjectError, match="found a file"):
        create_project(tmp_path / "file")
    with pytest.raises(OutputError, match="can't make"):
        create_project(tmp_path / "file" / "inside")


@pytest.mark.parametrize(
    ("change", "message"), [({"schema": 9}, "newer SpiderSeg"), ({"kind": "x"}, "found kind 'x'"), ({"name": 3}, "expected texts")]
)
def test_settings_that_can_not_be_read_are_named(project, change, message):
    body = json.loads(project.folder.settings.read_text())
    project.folder.settings.write_text(json.dumps({**body, **change}))
    with pytest.raises(ProjectError, match=message):
        open_project(project.root)


def test_a_folder_without_settings_says_how_to_make_a_project(tmp_path):
    with pytest.raises(ProjectError, match=r"no project\.json in it; spiderseg project init makes one"):
        open_project(tmp_path)


# The index


def test_every_state_of_a_series_is_told(project):
    for seed, name in enumerate(("q1_t2", "q2_t2", "q3_t2", "q4_t2", "q5_t2"), 10):
        add_series(project, name, seed)
    predict(project, "p1_t2", 1, 2)
    save_mask(project, "p2_t2", status=Status.IN_PROGRESS)
    save_mask(project, "q1_t2")
    first = save_mask(project, "q2_t2").revision
    save_mask(project, "q2_t2", parent=first.id, status=Status.APPROVED, annotator="Bob")
    save_mask(project, "q3_t2", status=Status.FLAGGED, reason="motion")
    save_mask(project, "q4_t2", annotator="Ada")
    save_mask(project, "q4_t2", annotator="Bob", values=(1,))
    expected = ["new", "predicted", "in progress", "done", "approved", "flagged", "conflict", "new"]
    assert [state.value for state in states(project).values()] == expected


def test_a_summary_tells_who_how_long_and_what_was_found(project):
    predict(project, "p1_t2", 1, 2, 202)
    first = save_mask(project, shown=shown(1, 2, 201), minutes=3).revision
    changed = painted(labelmap(*TWO_LEVELS), 3)
    save_mask(project, labelmap=changed, parent=first.id, annotator="Bob", minutes=2, findings={"warning": 2}, worst_finding="island")
    summary = ProjectIndex(project).read()["p1_t2"]
    assert (summary.annotator, summary.minutes, summary.revisions, summary.provenance) == ("Bob", 5, 2, "corrected")
    assert (summary.findings, summary.worst_finding, summary.values) == ({"warning": 2}, "island", (1, 2, 3, 100, 201, 202))
    assert summary.prediction_model == MODEL
    # Vertebrae 24 / 27, discs and canal 1.
    assert summary.agreement == pytest.approx((24 / 27 + 2) / 3)


def test_the_sides_of_a_conflict_that_was_settled_are_the_agreement(project):
    ada = save_mask(project, annotator="Ada").revision
    bob = save_mask(project, labelmap=painted(labelmap(*TWO_LEVELS), 3), annotator="Bob").revision
    save_mask(project, labelmap=painted(labelmap(*TWO_LEVELS), 3), parent=bob.id, supersedes=(ada.id,), annotator="Eve")
    # Eve changed nothing of Bob's, which says nothing of how Ada and Bob agree.
    assert ProjectIndex(project).read()["p1_t2"].agreement == pytest.approx((24 / 27 + 2) / 3)


def test_a_mask_that_was_only_approved_tells_nothing_of_agreement(project):
    first = save_mask(project).revision
    save_mask(project, parent=first.id, status=Status.APPROVED, annotator="Bob")
    assert ProjectIndex(project).read()["p1_t2"].agreement is None


def test_the_index_sees_what_others_did_since_and_is_the_same_when_read_anew(project):
    index = ProjectIndex(project)
    assert index.read()["p1_t2"].state is SeriesState.NEW
    predict(project, "p1_t2", 1)
    assert index.read()["p1_t2"].state is SeriesState.PREDICTED
    save_mask(project)
    add_series(project, "q1_t2", 7)
    assert index.read()["p1_t2"].state is SeriesState.DONE
    assert list(index.read()) == [*SERIES, "q1_t2"]
    assert ProjectIndex(project).read() == index.read()


def test_a_kept_index_that_is_damaged_is_made_again(project):
    before = ProjectIndex(project).read()
    (kept,) = project.folder.cache.iterdir()
    for text in ("", "[]", '{"version": 1, "series": {"p1_t2": {}}}', '{"version": 99}'):
        kept.write_text(text)
        assert ProjectIndex(project).read() == before


def test_nothing_is_read_again_that_did_not_change(project, monkeypatch):
    save_mask(project)
    ProjectIndex(project).read()
    import SpiderSegLib.annotation_project.index as module

    monkeypatch.setattr(module, "read_history", lambda *_: pytest.fail("read again"))
    assert ProjectIndex(project).read()["p1_t2"].state is SeriesState.DONE


def test_what_could_not_be_read_for_a_moment_is_read_again(project, monkeypatch):
    save_mask(project)

    def unreachable(path):
        raise ProjectError(f"{path}: the share is out of reach")

    monkeypatch.setattr("SpiderSegLib.corrections.records.read_json", unreachable)
    assert ProjectIndex(project).read()["p1_t2"].damaged == 1
    monkeypatch.undo()
    assert ProjectIndex(project).read()["p1_t2"].state is SeriesState.DONE


def test_the_status_counts(project):
    save_mask(project, minutes=90)
    save_mask(project, "p2_t2", status=Status.FLAGGED, reason="motion")
    hold(project.folder, "p1_t1", "Bob")
    status = project_status(project, ProjectIndex(project).read())
    assert (status.series, status.patients, status.champion) == (3, 2, MODEL)
    lines = "\n".join(status_lines(status))
    assert "3 series of 2 patients: 1 new, 1 done, 1 flagged" in lines
    assert "time spent: 1.5 h" in lines
    assert "held: p1_t1 by Bob" in lines
    assert "no patients are frozen yet" in lines


# Decisions and models


def test_the_bundled_model_is_generation_0_until_another_is_promoted(project):
    add_small_model(project, MODEL, model_id="gen-001", training_patients=("p9",))
    assert champion(project).generation == 0
    promote(project, "gen-001", "Eve")
    assert champion(project).model_id == "gen-001"
    assert champion(project).generation == 1
    assert lineage(read_models(project), "gen-001") == ("gen-001", MODEL)


def test_a_model_has_all_patients_of_its_line(project):
    add_small_model(project, MODEL, model_id="gen-001", training_patients=("a",))
    add_small_model(project, "gen-001", model_id="gen-002", training_patients=("b",))
    assert read_models(project)["gen-002"].training_patients == ("a", "b")


def test_rolling_back_names_the_champion_before_or_the_one_asked_for(project):
    for name, parent in (("gen-001", MODEL), ("gen-002", "gen-001")):
        add_small_model(project, parent, model_id=name)
        promote(project, name, "Eve")
    assert roll_back(project, "Eve").model_id == "gen-001"
    assert champion(project).model_id == "gen-001"
    roll_back(project, "Eve", MODEL)
    assert champion(project).model_id == MODEL
    with pytest.raises(ProjectError, match="the champion already"):
        roll_back(project, "Eve", MODEL)


def test_there_is_nothing_before_generation_0(project):
    with pytest.raises(ProjectError, match="has no model before it"):
        roll_back(project, "Eve")


def test_a_model_whose_weights_changed_is_not_promoted(project):
    add_small_model(project, MODEL, model_id="gen-001")
    (project.folder.model("gen-001") / "models" / "model.pt").write_bytes(b"other")
    with pytest.raises(ProjectError, match="not the weights of gen-001"):
        promote(project, "gen-001", "Eve")
    assert champion(project).model_id == MODEL


def test_a_rejected_model_changes_nothing_and_is_written_down(project):
    add_small_model(project, MODEL, model_id="gen-001")
    reject(project, "gen-001", "Eve", "L5 lost")
    assert champion(project).model_id == MODEL
    assert read_decisions(project.folder)[-1].comment == "L5 lost"


def test_the_use_of_validation_patients_is_the_mean_of_theirs(project):
    def freeze_and_judge(patient: str, rounds: int) -> int:
        decide(project.folder, Decision(Choice.FREEZE, "Eve", patients=(patient,)))
        for number in range(rounds):
            decide(project.folder, Decision(Choice.RETRAIN, "Eve", f"m{patient}{number}"))
        return validation_uses(read_decisions(project.folder))

    assert validation_uses(()) == 0
    assert freeze_and_judge("p1", 4) == 4
    # 4 and 0, then 5 and 1.
    assert freeze_and_judge("p2", 0) == 2
    assert freeze_and_judge("p2", 1) == 3


def test_two_decisions_at_once_both_stand_in_one_order_everywhere(project):
    first = decide(project.folder, Decision(Choice.FREEZE, "Ada", patients=("p1",)), StepClock())
    # Both were made knowing only the first.
    path = project.folder.decisions
    one = decide(project.folder, Decision(Choice.FREEZE, "Bob", patients=("p2",)), StepClock("2026-03-02T00:00:00+00:00"))
    (kept,) = path.glob(f"*{one.id[:12]}.json")
    hidden = kept.rename(kept.with_suffix(".hidden"))
    other = decide(project.folder, Decision(Choice.FREEZE, "Eve", patients=("p3",)), StepClock("2026-03-01T23:00:00+00:00"))
    hidden.rename(kept)
    assert [decision.id for decision in read_decisions(project.folder)] == [first.id, other.id, one.id]
    assert frozen_patients(read_decisions(project.folder)) == {"p1", "p2", "p3"}


def test_a_damaged_decision_stops_everything_that_rests_on_it(project):
    decide(project.folder, Decision(Choice.FREEZE, "Ada", patients=("p1",)))
    (path,) = project.folder.decisions.glob("*.json")
    path.write_text(path.read_text().replace("p1", "p2"))
    with pytest.raises(ProjectError, match="changed by hand"):
        read_decisions(project.folder)


def test_only_rounds_that_validation_patients_judged_use_them(project):
    decide(project.folder, Decision(Choice.FREEZE, "Eve", patients=("p1",)))
    for n_patients in (0, 3):
        decide(project.folder, Decision(Choice.RETRAIN, "Eve", "gen-001", details={"decision": {"n_patients": n_patients}}))
    assert validation_uses(read_decisions(project.folder)) == 1


def test_ids_of_models_go_on_after_a_round_that_failed(project):
    assert new_model_id(project) == "gen-001"
    project.folder.model("gen-007").mkdir()
    assert new_model_id(project) == "gen-008"


# Validation patients


def test_patients_with_manual_masks_may_be_frozen(project):
    save_mask(project, "p1_t2")
    assert eligible_patients(project) == ("p1",)
    freeze(project, ["p1"], "Eve")
    assert frozen_patients(read_decisions(project.folder)) == {"p1"}
    assert eligible_patients(project) == ()


def test_the_tables_name_a_patient_as_validation_from_the_freezing_on(project):
    for series in ("p1_t2", "p2_t2"):
        save_mask(project, series)
    rebuild(project)
    freeze(project, ["p1"], "Eve")
    sides = {row["new_file_name"]: row["subset"] for row in csv.DictReader(project.folder.overview.read_text().splitlines())}
    assert sides == {"p1_t1": "validation", "p1_t2": "validation", "p2_t2": "training"}
    assert [case["label"] for case in json.loads(project.folder.datalist.read_text())["training"]] == ["masks/p2_t2.mha"]


@pytest.mark.parametrize(
    ("patient", "reason"),
    [
        ("p9", "no such patient in the project"),
        ("p1", "no second person has approved them"),
        ("p2", "no series has a mask that is done"),
        ("p3", "unchanged predictions"),
        ("p4", "a patient of this id trained the model gen-001"),
        ("p5", "the image of p5_t2 trained the model gen-001"),
    ],
)
def test_who_may_not_be_frozen_is_told_why_and_nobody_is(project, patient, reason):
    for seed, name in enumerate(("p3_t2", "p4_t2", "p5_t2", "p6_t2"), 10):
        add_series(project, name, seed)
    hashes = {"a/b/c.mha": read_series_record(project.folder, "p5_t2").image_sha256}
    add_small_model(project, MODEL, model_id="gen-001", training_patients=("p4",), training_image_sha256=hashes)
    save_mask(project, "p1_t2", shown=shown(1, 2))
    save_mask(project, "p3_t2", shown=shown(*TWO_LEVELS))
    for name in ("p4_t2", "p5_t2", "p6_t2"):
        save_mask(project, name)
    with pytest.raises(ProjectError, match=rf"these patients can't be frozen: {patient}: .*{reason}"):
        freeze(project, ["p6", patient], "Eve")
    assert frozen_patients(read_decisions(project.folder)) == set()


def test_a_choice_by_chance_is_the_same_for_a_seed_and_never_more_than_there_are(project):
    for seed in range(10):
        add_series(project, f"q{seed}_t2", 20 + seed)
        save_mask(project, f"q{seed}_t2")
    assert choose_patients(project, 3, seed=1) == choose_patients(project, 3, seed=1)
    assert choose_patients(project, 3, seed=1) != choose_patients(project, 3, seed=2)
    with pytest.raises(ProjectError, match="11 patients can't be chosen, 10 may be frozen"):
        choose_patients(project, 11)


# Verification and rebuilding


@pytest.fixture
def busy(project):
    """Everything a project can hold: masks, a conflict, a prediction, decisions."""
    predict(project, "p1_t1", 1, 2)
    first = save_mask(project, "p1_t2", shown=shown(1, 2)).revision
    save_mask(project, "p1_t2", parent=first.id, status=Status.APPROVED, annotator="Bob")
    save_mask(project, "p2_t2", annotator="Ada")
    save_mask(project, "p2_t2", annotator="Bob", values=(1,))
    freeze(project, ["p1"], "Eve")
    rebuild(project)
    return project


def test_a_whole_project_has_no_problem(busy):
    assert verify(busy) == ()


def truths(project):
    folder = project.folder
    return [
        path for place in (folder.images, folder.revisions, folder.decisions, folder.models) for path in sorted(place.rglob("*")) if path.is_file()
    ]


def test_every_file_of_the_truth_is_missed_when_it_is_gone(busy):
    files = truths(busy)
    assert len(files) >= 15
    for path in files:
        content = path.read_bytes()
        path.unlink()
        lost = [problem for problem in verify(busy) if problem.harm is Harm.LOST]
        assert lost, path
        path.write_bytes(content)
    assert verify(busy) == ()


def test_every_changed_byte_of_the_truth_is_seen(busy):
    for path in truths(busy):
        content = path.read_bytes()
        middle = len(content) // 2
        path.write_bytes(content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :])
        assert any(problem.harm is Harm.LOST and problem.path == path for problem in verify(busy)), path
        path.write_bytes(content)


def test_everything_derived_can_be_deleted_and_comes_back_the_same(busy):
    folder = busy.folder
    tables = [path for path in (folder.overview, folder.gradings_table, folder.datalist) if path.exists()]
    before = {path: path.read_bytes() for path in [*folder.masks.iterdir(), *tables]}
    assert before
    shutil.rmtree(folder.masks)
    shutil.rmtree(folder.cache)
    for path in tables:
        path.unlink()
    rebuild(busy)
    assert {path: path.read_bytes() for path in before} == before
    assert verify(busy) == ()


def test_a_stale_mask_and_a_damaged_prediction_are_seen_and_rebuilt(busy):
    folder = busy.folder
    shutil.copy(folder.image("p1_t1"), folder.mask("p1_t1"))
    shutil.copy(folder.image("p1_t1"), folder.mask("p1_t2"))
    folder.prediction("p1_t1").write_bytes(b"damaged")
    assert {problem.harm for problem in verify(busy)} == {Harm.DERIVED}
    rebuild(busy)
    assert verify(busy) == ()
    assert not folder.mask("p1_t1").exists()
    assert read_prediction(folder, "p1_t1") is None


def test_another_mask_in_the_place_of_a_prediction_is_not_shown_as_one(busy):
    write_volume(busy.folder.prediction("p1_t1"), labelmap(1))
    with pytest.raises(ProjectError, match="not the mask its sidecar describes"):
        read_prediction(busy.folder, "p1_t1")


def test_a_mask_that_no_record_names_is_moved_not_removed(busy):
    stray = busy.folder.revisions_of("p1_t2") / "20260101T000000Z_Ada_0123456789ab.mha"
    stray.write_bytes(b"somebody's work")
    assert [problem.harm for problem in verify(busy)] == [Harm.LITTER]
    (moved,) = rebuild(busy).recovered
    assert moved.read_bytes() == b"somebody's work"
    assert verify(busy) == ()


def test_an_unfinished_record_with_hostile_names_is_removed(busy):
    place = busy.folder.revisions_of("p1_t2")
    body = {"series": "p1_t2", "created_utc": "../x", "annotator": "x", "mask": {"file": "../../images/p1_t2.mha", "sha256": ""}}
    path = place / ".spiderseg-elsewhere~1-1~ab.json"
    path.write_text(json.dumps({"id": record_id(body), **body}))
    os.utime(path, (0, 0))
    assert rebuild(busy).removed == (path,)
    assert verify(busy) == ()


def test_a_folder_of_many_images_is_not_listed_again_for_each(project, monkeypatch):
    listed = []
    monkeypatch.setattr(verification, "_names", lambda folder, names=verification._names: (listed.append(folder), names(folder))[1])
    verification.orphans(project.folder)
    before = len(listed)
    for seed in range(20):
        add_series(project, f"q{seed}_t2", seed)
    listed.clear()
    verification.orphans(project.folder)
    assert len(listed) == before


def test_a_prediction_whose_replacing_was_interrupted_is_made_again(project):
    class FullDisk(Disk):
        def write(self, path, writer):
            raise OSError(28, "No space left on device")

    predict(project, "p1_t1", 1, 2)
    with pytest.raises(OutputError, match="No space left"):
        predict(open_project(project.root, FullDisk()), "p1_t1", 1, 2, model_id="gen-001")
    assert states(project)["p1_t1"] is SeriesState.NEW


def test_nothing_is_rebuilt_while_an_import_is_at_work(busy):
    with import_turn(busy.folder), pytest.raises(ProjectError, match="an import into this project is at work"):
        rebuild(busy)
    rebuild(busy)


def test_files_that_are_gone_for_good_can_be_forgotten(busy):
    for path in busy.folder.revisions_of("p2_t2").iterdir():
        path.unlink()
    assert len(verify(busy)) == 2
    rebuild(busy)
    assert len(verify(busy)) == 2
    rebuild(busy, is_forgetting_lost=True)
    assert verify(busy) == ()


def test_a_deleted_middle_revision_leaves_the_others_usable(busy):
    first = save_mask(busy, "p1_t1").revision
    second = save_mask(busy, "p1_t1", values=(1, 2), parent=first.id).revision
    third = save_mask(busy, "p1_t1", values=(1,), parent=second.id).revision
    (path,) = busy.folder.revisions_of("p1_t1").glob(f"*{second.id[:12]}.json")
    path.unlink()
    history = read_history(busy.folder, "p1_t1")
    assert third in history.heads
    assert any(second.id[:12] in problem.message or problem.path == path for problem in verify(busy))


def test_masks_are_exact_after_everything(busy):
    (accepted,) = [path for path in busy.folder.masks.iterdir() if path.name == "p1_t2.mha"]
    from SpiderSegLib.io import read_labelmap

    assert np.array_equal(read_labelmap(accepted).array, labelmap(*TWO_LEVELS).array)
