"""Exporting a project: SPIDER's layout that other tools read, exact masks, tables that are the same for the same state."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest

from small_cases import TWO_LEVELS
from small_project import StepClock, labelmap, make_project, painted, save_mask, shown
from SpiderSegLib.annotation_project.exporting import ExportOptions, ImageTransfer, export_project, write_tables
from SpiderSegLib.annotation_project.grading_records import save_gradings
from SpiderSegLib.annotation_project.importing import ImportOptions, import_series
from SpiderSegLib.annotation_project.project import create_project
from SpiderSegLib.annotation_project.validation_patients import freeze
from SpiderSegLib.cases import find_cases
from SpiderSegLib.cli.project_export import project_export
from SpiderSegLib.corrections import Status
from SpiderSegLib.dataset import read_datalist
from SpiderSegLib.errors import OutputError, ProjectError
from SpiderSegLib.gradings import DiscGrading, PatientGradings, read_gradings
from SpiderSegLib.io import read_labelmap
from SpiderSegLib.overview import read_overview
from SpiderSegLib.splits import check_leakage, make_split

#: A vertebra cut by the field of view among them.
VALUES = (1, 2, 103, 201, 202, 100)


@pytest.fixture
def project(tmp_path):
    """p1_t1 without a mask, p1_t2 and p2_t2 done."""
    project = make_project(tmp_path / "project")
    save_mask(project, "p1_t2", VALUES, minutes=2.5)
    save_mask(project, "p2_t2", shown=shown(1, 2, 201, 0, 100), annotator="Bob", minutes=1)
    return project


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out"


def table(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def files(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


TABLES = ["README.txt", "overview.csv", "provenance.csv", "radiological_gradings.csv", "spider_dataset.json"]


# What is written


def test_an_export_is_a_data_set_in_spiders_layout(project, out):
    report = export_project(project, out)
    assert files(out) == sorted([*TABLES, "images/p1_t1.mha", "images/p1_t2.mha", "images/p2_t2.mha", "masks/p1_t2.mha", "masks/p2_t2.mha"])
    assert (report.series, report.masks, report.without_mask) == (("p1_t1", "p1_t2", "p2_t2"), ("p1_t2", "p2_t2"), ("p1_t1",))
    assert [(case.name, case.patient_id) for case in find_cases(out).cases] == [("p1_t1", "p1"), ("p1_t2", "p1"), ("p2_t2", "p2")]


def test_masks_keep_every_value(project, out):
    export_project(project, out)
    assert np.array_equal(read_labelmap(out / "masks" / "p1_t2.mha").array, labelmap(*VALUES).array)
    assert (out / "images" / "p1_t2.mha").read_bytes() == project.folder.image("p1_t2").read_bytes()


def test_only_accepted_masks_are_exported(project, out):
    save_mask(project, "p1_t1", status=Status.FLAGGED, reason="motion")
    export_project(project, out)
    assert not (out / "masks" / "p1_t1.mha").exists()
    assert {row["series"]: row["status"] for row in table(out / "provenance.csv")}["p1_t1"] == "flagged"


def test_series_without_an_accepted_mask_can_be_left_out(project, out):
    assert export_project(project, out, ExportOptions(is_accepted_only=True)).series == ("p1_t2", "p2_t2")
    assert not (out / "images" / "p1_t1.mha").exists()


def test_some_series_can_be_chosen_and_unknown_ones_are_refused(project, out):
    assert export_project(project, out, ExportOptions(series=("p2_t2",))).series == ("p2_t2",)
    with pytest.raises(ProjectError, match="p9_t1: no such series"):
        export_project(project, out / "other", ExportOptions(series=("p2_t2", "p9_t1")))
    assert not (out / "other").exists()


def test_images_can_be_linked_or_left_out(project, out):
    export_project(project, out / "linked", ExportOptions(images=ImageTransfer.LINK))
    assert (out / "linked" / "images" / "p1_t2.mha").samefile(project.folder.image("p1_t2"))
    assert not (out / "linked" / "masks" / "p1_t2.mha").samefile(project.folder.mask("p1_t2"))
    export_project(project, out / "masks", ExportOptions(images=ImageTransfer.NONE))
    assert not (out / "masks" / "images").exists()
    items = read_datalist(out / "masks" / "spider_dataset.json", out / "masks").training
    assert [(item.image, item.patient_id) for item in items] == [(None, "p1"), (None, "p2")]


def test_provenance_says_whose_work_each_mask_is(project, out):
    export_project(project, out)
    rows = {row["series"]: row for row in table(out / "provenance.csv")}
    bob = rows["p2_t2"]
    assert (bob["annotator"], bob["made_by"], bob["provenance"], bob["model"], bob["minutes"]) == ("Bob", "Bob", "corrected", "bundled-0", "1.00")
    # Four of the five labels were the model's.
    assert bob["seeded_share"] == "0.8000"
    assert (rows["p1_t2"]["provenance"], rows["p1_t2"]["seeded_share"], rows["p1_t2"]["minutes"]) == ("manual", "0.0000", "2.50")
    assert (rows["p1_t1"]["status"], rows["p1_t1"]["annotator"]) == ("new", "")


def test_a_conflict_is_told_and_its_mask_is_the_last_one_undisputed(project, out):
    first = save_mask(project, "p1_t1").revision
    for value, annotator in ((3, "Ada"), (4, "Bob")):
        save_mask(project, "p1_t1", labelmap=painted(labelmap(*TWO_LEVELS), value), parent=first.id, annotator=annotator)
    export_project(project, out)
    assert {row["series"]: row["status"] for row in table(out / "provenance.csv")}["p1_t1"] == "conflict"
    assert np.array_equal(read_labelmap(out / "masks" / "p1_t1.mha").array, labelmap(*TWO_LEVELS).array)


# Splits


def test_frozen_patients_validate_in_the_data_list_and_the_overview(project, out):
    freeze(project, ["p1"], "Eve")
    export_project(project, out)
    datalist = read_datalist(out / "spider_dataset.json", out)
    assert [item.patient_id for item in datalist.training] == ["p2"]
    assert [item.patient_id for item in datalist.validation] == ["p1"]
    overview = read_overview(out / "overview.csv")
    assert {name: row.subset for name, row in overview.items()} == {"p1_t1": "validation", "p1_t2": "validation", "p2_t2": "training"}
    check_leakage(datalist)
    split = make_split(find_cases(out), overview)
    assert split.rule == "SPIDER's subset column"
    assert [case.patient_id for case in split.validation] == ["p1"]


def test_patients_of_spiders_validation_subset_stay_there(project, out, tmp_path):
    export_project(project, out)
    text = (out / "overview.csv").read_text()
    (out / "overview.csv").write_text(
        "\n".join(line.replace("training", "validation") if line.startswith("p2") else line for line in text.splitlines())
    )
    again = create_project(tmp_path / "again")
    import_series(again, out, ImportOptions(annotator="experts"))
    export_project(again, tmp_path / "out again")
    datalist = read_datalist(tmp_path / "out again" / "spider_dataset.json", tmp_path / "out again")
    assert [item.patient_id for item in datalist.validation] == ["p2"]
    check_leakage(datalist)


# Tables


def test_the_overview_has_spiders_columns_and_counts_levels(project, out):
    export_project(project, out)
    row = {row["new_file_name"]: row for row in table(out / "overview.csv")}["p1_t2"]
    assert list(row)[:6] == ["new_file_name", "num_vertebrae", "num_discs", "sex", "birth_date", "subset"]
    assert len(row) == 39
    # 1, 2 and 103; 201 and 202.
    assert (row["num_vertebrae"], row["num_discs"], row["sex"]) == ("3", "2", "")


@pytest.mark.real_data
def test_the_columns_of_the_overview_are_those_of_spiders_own_file(project, out, real_data):
    export_project(project, out)
    first = (real_data / "spider" / "overview.csv").read_text().splitlines()[0]
    assert (out / "overview.csv").read_text().splitlines()[0] == first


def test_gradings_are_exported_for_the_patients_of_the_export(project, out):
    rows = tuple(DiscGrading("p1", level, pfirrmann=3) for level in (0, 1))
    save_gradings(project.folder, PatientGradings("p1", rows), "Ada")
    save_gradings(project.folder, PatientGradings("p2", (DiscGrading("p2", 1, modic=1),)), "Ada")
    export_project(project, out, ExportOptions(series=("p1_t2",)))
    assert read_gradings(out / "radiological_gradings.csv").rows == rows


def test_the_tables_of_a_project_are_the_same_for_the_same_state(project):
    save_gradings(project.folder, PatientGradings("p1", (DiscGrading("p1", 1, modic=1),)), "Ada", clock=StepClock())
    paths = (project.folder.overview, project.folder.gradings_table, project.folder.datalist)
    write_tables(project)
    first = [path.read_bytes() for path in paths]
    for path in paths:
        path.unlink()
    write_tables(project)
    assert [path.read_bytes() for path in paths] == first
    assert len(read_datalist(project.folder.datalist, project.root).training) == 2
    assert [row["new_file_name"] for row in table(project.folder.overview)] == ["p1_t1", "p1_t2", "p2_t2"]


def test_an_export_of_an_import_of_an_export_is_the_same(project, out, tmp_path):
    rows = (DiscGrading("p1", 0, pfirrmann=1), DiscGrading("p1", 1, pfirrmann=3), DiscGrading("p1", 0, modic=2))
    save_gradings(project.folder, PatientGradings("p1", rows), "Ada")
    freeze(project, ["p1"], "Eve")
    export_project(project, out)
    again = create_project(tmp_path / "again", name=project.name)
    report = import_series(again, out, ImportOptions(annotator="experts"))
    assert (len(report.imported), report.masks, report.gradings) == (3, 2, 1)
    export_project(again, tmp_path / "out again")
    for name in ("overview.csv", "radiological_gradings.csv", "spider_dataset.json"):
        assert (tmp_path / "out again" / name).read_text() == (out / name).read_text()
    for name in ("images/p1_t1.mha", "images/p2_t2.mha"):
        assert (tmp_path / "out again" / name).read_bytes() == (out / name).read_bytes()
    assert np.array_equal(read_labelmap(tmp_path / "out again" / "masks" / "p1_t2.mha").array, labelmap(*VALUES).array)


# Folders


def test_a_folder_with_files_is_left_alone_unless_told(project, out):
    out.mkdir()
    (out / "notes.txt").write_text("mine")
    with pytest.raises(OutputError, match="expected an empty folder"):
        export_project(project, out)
    assert files(out) == ["notes.txt"]
    export_project(project, out, ExportOptions(is_overwriting=True))
    assert (out / "notes.txt").read_text() == "mine"
    assert (out / "spider_dataset.json").exists()


def test_a_finished_export_is_written_over_only_when_told_and_stale_masks_go(project, out):
    export_project(project, out)
    with pytest.raises(OutputError, match="--overwrite"):
        export_project(project, out)
    save_mask(project, "p2_t2", status=Status.FLAGGED, reason="motion")
    (out / "masks" / "p8_t2.mha").write_bytes(b"not of this project")
    export_project(project, out, ExportOptions(is_overwriting=True, series=("p1_t2", "p2_t2")))
    assert files(out / "masks") == ["p1_t2.mha", "p8_t2.mha"]
    assert files(out / "images") == ["p1_t2.mha", "p2_t2.mha"]


def test_an_interrupted_export_goes_on(project, out):
    answers = iter((False, False, True))
    assert export_project(project, out, is_cancelled=lambda: next(answers)).is_cancelled
    assert files(out) == ["README.txt", "images/p1_t1.mha", "images/p1_t2.mha", "masks/p1_t2.mha", "provenance.csv"]
    before = (out / "images" / "p1_t2.mha").stat().st_mtime_ns
    (out / "images" / "p1_t1.mha").write_bytes(b"half")
    export_project(project, out)
    assert (out / "images" / "p1_t2.mha").stat().st_mtime_ns == before
    assert (out / "images" / "p1_t1.mha").read_bytes() == project.folder.image("p1_t1").read_bytes()
    assert (out / "spider_dataset.json").exists()


def test_an_unfinished_export_of_another_project_is_not_continued(project, out, tmp_path):
    answers = iter((False, True))
    export_project(project, out, is_cancelled=lambda: next(answers))
    with pytest.raises(OutputError, match="expected an empty folder"):
        export_project(make_project(tmp_path / "other"), out)


@pytest.mark.parametrize("place", ["", "images", "export/here"])
def test_an_export_into_the_project_is_refused(project, place):
    with pytest.raises(ProjectError, match="outside the project"):
        export_project(project, project.root / place)


def test_a_file_as_target_is_refused(project, out):
    out.write_text("a file")
    with pytest.raises(OutputError, match="found a file"):
        export_project(project, out, ExportOptions(is_overwriting=True))


# Damage, and the command


def test_a_damaged_series_is_reported_and_nothing_of_it_exported(project, out, capsys, caplog):
    project.folder.image("p1_t1").write_bytes(b"damaged")
    for path in project.folder.revisions_of("p2_t2").glob("*.mha"):
        path.unlink()
    assert project_export(project.root, out, ExportOptions()) == 1
    assert files(out / "images") == files(out / "masks") == ["p1_t2.mha"]
    assert [row["series"] for row in table(out / "provenance.csv")] == ["p1_t2"]
    assert "1 series, 1 of them with an accepted mask, 2 failed" in capsys.readouterr().out
    assert "failed: p1_t1: " in caplog.text


def test_the_command_exports_and_says_how_much(project, out, capsys):
    assert project_export(project.root, out, ExportOptions()) == 0
    assert "3 series, 2 of them with an accepted mask" in capsys.readouterr().out


def test_a_name_that_does_not_tell_its_patient_is_noted(project, out, tmp_path):
    (tmp_path / "list.json").write_text(
        json.dumps({"training": [{"image": f"{name}.mha", "label": "no.mha", "patient_id": "p7"} for name in ("images/p1_t2", "images/p2_t2")]})
    )
    again = create_project(tmp_path / "again")
    import_series(again, tmp_path / "list.json", ImportOptions(root=project.root))
    assert [str(note) for note in export_project(again, out).notes] == [
        "p7-2_t2: its name does not tell its patient p7: only spider_dataset.json does"
    ]
