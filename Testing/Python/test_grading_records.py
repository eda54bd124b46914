"""Gradings of a project: append-only records, conflicts that are seen and merged, and SPIDER's own rows."""

from __future__ import annotations

import json

import pytest

from small_project import StepClock
from SpiderSegLib.annotation_project.grading_records import all_gradings, graded_patients, read_gradings_history, save_gradings
from SpiderSegLib.annotation_project.project import create_project
from SpiderSegLib.corrections.records import record_id
from SpiderSegLib.corrections.schema import NewerSchema
from SpiderSegLib.errors import ProjectError
from SpiderSegLib.gradings import DiscGrading, PatientGradings, read_gradings


@pytest.fixture
def folder(tmp_path):
    return create_project(tmp_path / "project").folder


@pytest.fixture
def save(folder):
    clock = StepClock()

    def save(*discs, annotator="Ada", parents=(), patient="7"):
        return save_gradings(folder, PatientGradings(patient, discs), annotator, parents, clock=clock)

    return save


def disc(level, patient="7", **grades):
    return DiscGrading(patient, level, **grades)


def test_saved_gradings_are_read_back_with_who_and_when(folder, save):
    saved = save(disc(1, pfirrmann=4), disc(2, modic=0))
    (record,) = read_gradings_history(folder, "7").records
    assert record == saved.record
    assert (record.annotator, record.created_utc) == ("Ada", "2026-03-01T09:00:00.000Z")
    assert record.gradings.discs == (disc(1, pfirrmann=4), disc(2, modic=0))
    assert not saved.is_conflict


def test_later_gradings_go_on_from_earlier_ones_and_nothing_is_overwritten(folder, save):
    first = save(disc(1, pfirrmann=4)).record
    second = save(disc(1, pfirrmann=5), parents=[first.id], annotator="Bob")
    assert second.history.records == (first, second.record)
    assert second.history.current.disc(1).pfirrmann == 5


def test_a_patient_without_gradings_has_none(folder):
    history = read_gradings_history(folder, "7")
    assert (history.records, history.heads, history.current) == ((), (), PatientGradings("7"))


def test_two_who_grade_at_once_are_a_conflict(folder, save):
    first = save(disc(1, pfirrmann=3)).record
    save(disc(1, pfirrmann=4), parents=[first.id])
    saved = save(disc(1, pfirrmann=5), parents=[first.id], annotator="Bob")
    assert saved.is_conflict
    assert {head.annotator for head in saved.history.heads} == {"Ada", "Bob"}


def test_in_a_conflict_what_each_changed_counts_and_what_both_changed_is_the_latest(folder, save):
    first = save(disc(1, pfirrmann=3, modic=1), disc(2, pfirrmann=2)).record
    # Ada: disc 1 Pfirrmann 4. Bob, later: disc 1 modic taken back, disc 3 new; his Pfirrmann of disc 1 is that of the first record.
    save(disc(1, pfirrmann=4, modic=1), disc(2, pfirrmann=1), parents=[first.id])
    save(disc(1, pfirrmann=3), disc(2, pfirrmann=5), disc(3, bulging=1), parents=[first.id], annotator="Bob")
    current = read_gradings_history(folder, "7").current
    assert current.discs == (disc(1, pfirrmann=4), disc(2, pfirrmann=5), disc(3, bulging=1))


def test_a_conflict_is_settled_by_a_record_that_goes_on_from_all_heads(folder, save):
    heads = [save(disc(1, pfirrmann=3)).record, save(disc(1, pfirrmann=4), annotator="Bob").record]
    settled = save(disc(1, pfirrmann=4), parents=[head.id for head in heads], annotator="Eve")
    assert not settled.is_conflict
    assert settled.history.current.disc(1).pfirrmann == 4


def test_rows_that_name_no_disc_stay_in_their_place(folder, save):
    rows = (disc(0, pfirrmann=1), disc(1, pfirrmann=3), disc(0, modic=2))
    save(*rows)
    assert all_gradings(folder).rows == rows
    assert len(all_gradings(folder).flagged) == 2


def test_in_a_conflict_rows_that_name_no_disc_are_kept_of_both(folder, save):
    first = save(disc(0, pfirrmann=1), disc(1, pfirrmann=3)).record
    save(disc(0, pfirrmann=1), disc(1, pfirrmann=3), disc(2), parents=[first.id])
    save(disc(0, modic=2), disc(0, pfirrmann=1), disc(1, pfirrmann=3), parents=[first.id], annotator="Bob")
    assert set(read_gradings_history(folder, "7").current.discs) == {disc(0, modic=2), disc(0, pfirrmann=1), disc(1, pfirrmann=3), disc(2)}


def test_all_gradings_are_in_natural_order_of_the_patients(folder, save):
    for patient in ("10", "2", "sub-P0001"):
        save(disc(1, patient, pfirrmann=1), patient=patient)
    assert graded_patients(folder) == ["2", "10", "sub-P0001"]
    assert all_gradings(folder).patient_ids == ("2", "10", "sub-P0001")
    assert all_gradings(folder, ["10"]).patient_ids == ("10",)


def test_a_parent_that_is_not_the_patients_is_refused(folder, save):
    with pytest.raises(ProjectError, match="found no record 'abc'"):
        save(disc(1), parents=["abc"])
    assert read_gradings_history(folder, "7").records == ()


@pytest.mark.parametrize("patient", ["../7", "con", "x" * 100])
def test_a_patient_id_that_is_no_file_name_is_refused(save, patient):
    with pytest.raises(ProjectError, match="expected a patient name"):
        save(disc(1, patient), patient=patient)


def test_a_record_edited_by_hand_is_listed_as_damaged_and_counts_no_more(folder, save):
    first = save(disc(1, pfirrmann=3)).record
    save(disc(1, pfirrmann=4), parents=[first.id])
    path = next(path for path in sorted(folder.gradings_of("7").iterdir()) if path.stem.endswith(first.id[:12]))
    path.write_text(path.read_text().replace('"pfirrmann": 3', '"pfirrmann": 1'))
    history = read_gradings_history(folder, "7")
    assert [damaged.path for damaged in history.damaged] == [path]
    assert history.current.disc(1).pfirrmann == 4


def test_a_record_in_the_folder_of_another_patient_is_damaged(folder, save):
    save(disc(1, pfirrmann=3))
    folder.gradings_of("7").rename(folder.gradings_of("8"))
    history = read_gradings_history(folder, "8")
    assert history.records == ()
    assert "gradings of 7 in the folder of 8" in history.damaged[0].reason


def test_gradings_of_a_newer_spiderseg_are_refused(folder, save):
    save(disc(1, pfirrmann=3))
    (path,) = folder.gradings_of("7").iterdir()
    body = json.loads(path.read_text())
    body["schema"] = 99
    body["id"] = record_id(body)
    path.rename(path.with_name(f"{path.stem[:-12]}{body['id'][:12]}.json")).write_text(json.dumps(body))
    with pytest.raises(NewerSchema, match="update SpiderSeg"):
        read_gradings_history(folder, "7")


@pytest.mark.real_data
def test_every_row_of_spiders_own_file_survives(folder, real_data):
    gradings = read_gradings(real_data / "spider" / "radiological_gradings.csv")
    patients = [gradings.patient(patient) for patient in ("1", "107", "152")]
    for patient in patients:
        save_gradings(folder, patient, "SPIDER")
    assert all_gradings(folder).rows == tuple(row for patient in patients for row in patient.discs)
    assert len(all_gradings(folder).flagged) == 2
