"""Gradings of the discs: SPIDER's file comes back byte for byte, and what is no grade is refused by name."""

from __future__ import annotations

import json
import re
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest

from SpiderSegLib.errors import DatasetError, OutputError
from SpiderSegLib.gradings import (
    GRADED_ITEMS,
    NO_DISC,
    DiscGrading,
    FlaggedRow,
    Gradings,
    PatientGradings,
    graded_item,
    gradings_bytes,
    read_gradings,
    write_gradings,
)

HEADER = "Patient,IVD label,Modic,UP endplate,LOW endplate,Spondylolisthesis,Disc herniation,Disc narrowing,Disc bulging,Pfirrman grade"

#: Two patients; the second has a row that names no disc, and a disc of which only the Pfirrmann grade is known.
ROWS = ("1,1,2,0,1,0,1,0,1,5", "1,2,0,0,0,0,0,0,0,1", "107,0,0,0,0,0,0,0,0,1", "107,1,,,,,,,,3")


def content(*rows: str) -> bytes:
    return "".join(f"{row}\r\n" for row in (HEADER, *rows)).encode()


def write(folder: Path, data: bytes) -> Path:
    path = folder / "radiological_gradings.csv"
    path.write_bytes(data)
    return path


@pytest.fixture
def gradings(tmp_path: Path) -> Gradings:
    return read_gradings(write(tmp_path, content(*ROWS)))


# The file


def test_every_column_reaches_its_own_field(gradings: Gradings) -> None:
    expected = DiscGrading("1", 1, modic=2, up_endplate=0, low_endplate=1, spondylolisthesis=0, herniation=1, narrowing=0, bulging=1, pfirrmann=5)
    assert gradings.rows[0] == expected
    assert gradings.rows[3] == DiscGrading("107", 1, pfirrmann=3)


def test_what_was_read_is_written_byte_for_byte(gradings: Gradings, tmp_path: Path) -> None:
    path = tmp_path / "copy.csv"
    write_gradings(path, gradings)
    assert path.read_bytes() == content(*ROWS)


def test_a_row_that_names_no_disc_is_kept_and_flagged(gradings: Gradings) -> None:
    assert gradings.flagged == (FlaggedRow(4, "107", "IVD label 0 names no disc"),)
    assert len(gradings.rows) == len(ROWS)


def test_what_a_spreadsheet_makes_of_the_file_is_read_too(tmp_path: Path) -> None:
    rows = "\n".join((HEADER, "1,1,2.0,0.0,1.0,0,1,0,1,5.0", "", ""))
    path = write(tmp_path, b"\xef\xbb\xbf" + rows.encode())
    assert gradings_bytes(read_gradings(path)) == content(ROWS[0])


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("1,2,4,0,0,0,0,0,0,1", "row 3: patient 1, disc 2, Modic: expected 0 to 3 or nothing, found 4"),
        ("1,2,0,0,0,0,2,0,0,1", "row 3: patient 1, disc 2, Disc herniation: expected 0 to 1 or nothing, found 2"),
        ("1,2,0,0,0,0,0,0,0,0", "row 3: patient 1, disc 2, Pfirrman grade: expected 1 to 5 or nothing, found 0"),
        ("1,2,0,yes,0,0,0,0,0,1", "row 3, UP endplate: expected a whole number or nothing, found 'yes'"),
        ("1,2,0,0,0.5,0,0,0,0,1", "row 3, LOW endplate: expected a whole number or nothing, found '0.5'"),
        ("1,2,-1,0,0,0,0,0,0,1", "row 3, Modic: expected a whole number or nothing, found '-1'"),
        ("1,26,0,0,0,0,0,0,0,1", "row 3: patient 1, IVD label: expected 0 to 25, found 26"),
        ("1,,0,0,0,0,0,0,0,1", "row 3, IVD label: expected the number of a disc, found nothing"),
        (",2,0,0,0,0,0,0,0,1", "row 3: Patient: expected an id"),
        ("1,2,0,0,0,0,0,0,1", "row 3: expected 10 columns, found 9"),
        ("1,2,0,0,0,0,0,0,0,1,7", "row 3: expected 10 columns, found 11"),
        ("1,1,0,0,0,0,0,0,0,1", "row 3: patient 1: expected one grading a disc, found several of disc 1"),
    ],
)
def test_a_bad_row_is_refused_naming_file_row_and_column(row: str, message: str, tmp_path: Path) -> None:
    path = write(tmp_path, content(ROWS[0], row))
    with pytest.raises(DatasetError, match=re.escape(message)) as caught:
        read_gradings(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (b"", "an empty file"),
        (HEADER.replace("Pfirrman ", "Pfirrmann ").encode(), "Pfirrmann grade"),
        (HEADER.replace(",", ";").encode(), "Patient;IVD label"),
        (b"\xff\xfe\x00", "radiological_gradings.csv"),
    ],
    ids=["empty", "another spelling", "semicolons", "no text"],
)
def test_another_file_is_refused(data: bytes, found: str, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=re.escape(found)):
        read_gradings(write(tmp_path, data))


def test_a_missing_file_is_an_expected_failure(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"no\.csv"):
        read_gradings(tmp_path / "no.csv")


def test_a_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="missing"):
        write_gradings(tmp_path / "missing" / "gradings.csv", Gradings())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.real_data
def test_spiders_own_file_comes_back_byte_for_byte(real_data: Path, tmp_path: Path) -> None:
    path = real_data / "spider" / "radiological_gradings.csv"
    found = read_gradings(path)
    write_gradings(tmp_path / "copy.csv", found)
    assert (tmp_path / "copy.csv").read_bytes() == path.read_bytes()
    assert (len(found.rows), len(found.patient_ids)) == (1520, 218)
    assert [(flagged.row, flagged.patient_id) for flagged in found.flagged] == [(647, "107"), (907, "152")]


@pytest.mark.real_data
def test_every_patient_of_spider_survives_being_taken_out_and_put_back(real_data: Path) -> None:
    found = read_gradings(real_data / "spider" / "radiological_gradings.csv")
    for patient_id in found.patient_ids:
        patient = PatientGradings.from_dict(json.loads(json.dumps(found.patient(patient_id).as_dict())))
        assert found.replaced(patient) == found
        assert found.merged(patient) == found
    first = found.patient("1")
    assert found.replaced(PatientGradings("1")).replaced(first) == found


# The table of items


def test_the_items_are_the_fields_and_the_columns_in_spiders_order() -> None:
    assert [item.key for item in GRADED_ITEMS] == [field.name for field in fields(DiscGrading)][2:]
    assert ",".join(("Patient", "IVD label", *(item.column for item in GRADED_ITEMS))) == HEADER


def test_modic_has_three_types_and_none_pfirrmann_five_grades_and_the_rest_are_yes_or_no() -> None:
    assert [(grade.value, grade.name) for grade in graded_item("modic").grades] == [(0, "none"), (1, "type I"), (2, "type II"), (3, "type III")]
    assert [(grade.value, grade.name) for grade in graded_item("pfirrmann").grades] == [(1, "I"), (2, "II"), (3, "III"), (4, "IV"), (5, "V")]
    assert [item.key for item in GRADED_ITEMS if not item.is_binary] == ["modic", "pfirrmann"]


# One disc


@pytest.mark.parametrize("item", GRADED_ITEMS, ids=lambda item: item.key)
def test_a_disc_takes_exactly_the_values_of_the_item(item: Any) -> None:
    for value in (*item.values, None):
        assert DiscGrading("1", 1, **{item.key: value}).grade(item.key) == value
    for value in (item.values[0] - 1, item.values[-1] + 1, True, 1.0, "1"):
        with pytest.raises(DatasetError, match=re.escape(f"{item.column}: expected {item.values[0]} to {item.values[-1]}")):
            DiscGrading("1", 1, **{item.key: value})


def test_one_grade_is_changed_and_the_others_stay(gradings: Gradings) -> None:
    disc = gradings.rows[0]
    assert disc.with_grade("modic", 3) == replace(disc, modic=3)
    assert disc.with_grade("modic", None) == replace(disc, modic=None)
    with pytest.raises(DatasetError, match="Modic"):
        disc.with_grade("modic", 4)
    with pytest.raises(KeyError):
        disc.with_grade("level", 2)


def test_a_disc_knows_its_label_and_whether_anything_is_graded() -> None:
    assert (DiscGrading("1", 1).label_value, DiscGrading("1", NO_DISC).label_value) == (201, None)
    assert (DiscGrading("1", 1).is_graded, DiscGrading("1", 1, bulging=0).is_graded) == (False, True)


# One patient


def test_replacing_keeps_the_other_patients_and_the_place(gradings: Gradings) -> None:
    newer = PatientGradings("1", (DiscGrading("1", 4, modic=1),))
    replaced = gradings.replaced(newer)
    assert replaced.rows == (*newer.discs, *gradings.rows[2:])
    assert gradings.patient("1").discs == gradings.rows[:2]


def test_a_new_patient_stands_in_the_order_of_numbers(gradings: Gradings) -> None:
    for patient_id, place in (("0", 0), ("20", 2), ("200", 4)):
        disc = DiscGrading(patient_id, 1, modic=0)
        rows = gradings.replaced(PatientGradings(patient_id, (disc,))).rows
        assert rows == (*gradings.rows[:place], disc, *gradings.rows[place:])


def test_a_patient_without_discs_is_left_out(gradings: Gradings) -> None:
    assert gradings.replaced(PatientGradings("1")).patient_ids == ("107",)
    assert gradings.replaced(PatientGradings("5")) == gradings


def test_merging_changes_the_given_grades_alone_and_adds_discs_in_order(gradings: Gradings) -> None:
    newer = PatientGradings("1", (DiscGrading("1", 3, modic=1), DiscGrading("1", 1, bulging=0)))
    merged = gradings.merged(newer)
    assert merged.patient("1").discs == (replace(gradings.rows[0], bulging=0), gradings.rows[1], DiscGrading("1", 3, modic=1))
    assert merged.patient("107") == gradings.patient("107")


def test_merging_keeps_a_row_that_names_no_disc_once(gradings: Gradings) -> None:
    newer = PatientGradings("107", (gradings.rows[2], DiscGrading("107", NO_DISC, modic=3)))
    merged = gradings.merged(newer).patient("107").discs
    assert merged == (DiscGrading("107", NO_DISC, modic=3), *gradings.rows[2:])


def test_a_disc_that_nobody_graded_has_nothing_graded(gradings: Gradings) -> None:
    assert gradings.patient("1").disc(7) == DiscGrading("1", 7)
    assert gradings.patient("nobody").discs == ()


def test_discs_of_another_patient_and_two_of_one_level_are_refused() -> None:
    with pytest.raises(DatasetError, match="expected discs of patient 1, found some of 2"):
        PatientGradings("1", (DiscGrading("2", 1),))
    with pytest.raises(DatasetError, match="several of disc 1"):
        PatientGradings("1", (DiscGrading("1", 1), DiscGrading("1", 1, modic=0)))
    with pytest.raises(DatasetError, match="patient 1, found those of 2"):
        PatientGradings("1").merged(PatientGradings("2"))


def test_the_json_form_holds_everything_and_comes_back(gradings: Gradings) -> None:
    patient = gradings.patient("107")
    written = json.loads(json.dumps(patient.as_dict()))
    assert written["discs"][1] == {"level": 1, **dict.fromkeys((item.key for item in GRADED_ITEMS), None), "pfirrmann": 3}
    assert PatientGradings.from_dict(written) == patient


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"schema_version": 2}, "schema version 1, found 2"),
        ({"patient_id": 107}, "found 107"),
        ({"discs": {}}, "discs .list., found '107' and dict"),
        ({"discs": [{"modic": 1}]}, "a disc with a level"),
        ({"discs": [{"level": 1, "modik": 1}]}, "modik"),
        ({"discs": [{"level": 1, "modic": "1"}]}, "Modic: expected 0 to 3 or nothing, found '1'"),
        ({"discs": [7]}, "a disc with a level"),
    ],
)
def test_json_that_was_changed_by_hand_is_refused(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(DatasetError, match=message):
        PatientGradings.from_dict({**PatientGradings("107").as_dict(), **wrong})
