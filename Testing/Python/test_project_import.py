"""Importing files into a project: what is kept, what is refused, and that a second import completes the first."""

from __future__ import annotations

import hashlib
import json
import os

import numpy as np
import pytest

from small_cases import TWO_LEVELS, add_case, grid, image, mask, write, write_overview
from small_project import MODEL, StepClock, add_small_model, labelmap, painted, save_mask
from SpiderSegLib.annotation_project.deidentification import is_plain_metaimage
from SpiderSegLib.annotation_project.exclusive import import_turn, note_of
from SpiderSegLib.annotation_project.grading_records import all_gradings, save_gradings
from SpiderSegLib.annotation_project.importing import ImportOptions, import_series
from SpiderSegLib.annotation_project.project import create_project
from SpiderSegLib.annotation_project.series_naming import patient_name, series_name
from SpiderSegLib.annotation_project.validation_patients import refusals
from SpiderSegLib.annotation_project.verification import verify
from SpiderSegLib.cli.console import ProgressStyle
from SpiderSegLib.cli.project_import import project_import
from SpiderSegLib.corrections import Provenance, Status, read_history, read_mask, read_series_record, series_names
from SpiderSegLib.corrections.disk import computer_name
from SpiderSegLib.corrections.names import is_name
from SpiderSegLib.errors import DatasetError, ProjectError
from SpiderSegLib.gradings import DiscGrading, PatientGradings, gradings_bytes, read_gradings
from SpiderSegLib.gradings.files import COLUMNS
from SpiderSegLib.io import read_labelmap, read_volume, write_volume
from SpiderSegLib.labels import DOWNWARD_LOWEST_LEVEL
from SpiderSegLib.series_names import patient_of, sequence_of
from SpiderSegLib.volume import Volume

EXPERTS = ImportOptions(annotator="experts")


@pytest.fixture
def project(tmp_path):
    return create_project(tmp_path / "project", clock=StepClock())


@pytest.fixture
def source(tmp_path):
    return tmp_path / "source"


def accepted(project, series):
    return read_history(project.folder, series).accepted


def said(remarks):
    return {remark.name: remark.text for remark in remarks}


def contents(project):
    """Every file of a project but the journal, which also notes what was there."""
    files = (path for path in project.root.rglob("*") if path.is_file() and "journal" not in path.parts)
    return {path.relative_to(project.root).as_posix(): path.read_bytes() for path in files}


# SPIDER's layout


def test_images_are_copied_and_masks_are_first_revisions(project, source):
    for seed, series in enumerate(("7_t1", "7_t2", "12_t2_SPACE")):
        add_case(source, series, seed)
    report = import_series(project, source, EXPERTS)
    assert report.imported == ("7_t1", "7_t2", "12_t2_SPACE")
    assert (report.masks, report.patients, report.has_failed) == (3, ("7", "12"), False)
    assert {read_series_record(project.folder, name).patient_id for name in ("7_t1", "7_t2")} == {"7"}
    (revision,) = read_history(project.folder, "7_t2").revisions
    assert (revision.annotator, revision.provenance, revision.status) == ("experts", Provenance.IMPORTED, Status.DONE)
    assert np.array_equal(read_labelmap(project.folder.mask("7_t2")).array, mask(*TWO_LEVELS))
    assert verify(project) == ()


def test_an_image_without_header_texts_keeps_its_bytes_so_that_models_trained_on_it_are_recognized(project, source):
    add_case(source, "7_t2", 1)
    original = (source / "images" / "7_t2.mha").read_bytes()
    sha256 = hashlib.sha256(original).hexdigest()
    import_series(project, source, ImportOptions(patient_prefix="X", annotator="experts", approved_by="Senior"))
    record = read_series_record(project.folder, "X7_t2")
    assert project.folder.image("X7_t2").read_bytes() == original
    assert record.image_sha256 == record.source_sha256 == sha256
    add_small_model(project, training_image_sha256={"images/7_t2.mha": sha256})
    assert f"trained the model {MODEL}" in refusals(project, ["X7"])[0].reason


def test_an_image_with_header_texts_is_written_anew_without_them(project, source):
    path = source / "images" / "7_t2.mha"
    path.parent.mkdir(parents=True)
    write_volume(path, Volume(image(1), grid()), texts={"PatientName": "Doppelganger", "EchoTime": "110", "Manufacturer": "SIEMENS"})
    original = path.read_bytes()
    assert b"Doppelganger" in original
    import_series(project, source)
    record = read_series_record(project.folder, "7_t2")
    written = project.folder.image("7_t2")
    assert b"Doppelganger" not in written.read_bytes()
    assert np.array_equal(read_volume(written).array, image(1))
    assert record.source_sha256 == hashlib.sha256(original).hexdigest()
    assert record.image_sha256 == hashlib.sha256(written.read_bytes()).hexdigest()
    assert record.facts["EchoTime"] == "110"
    assert record.facts["Manufacturer"] == "SIEMENS"
    assert "PatientName" not in record.facts


@pytest.mark.parametrize(
    ("change", "is_plain"),
    [
        (lambda data: data, True),
        (lambda data: data + b"Doppelganger", False),
        (lambda data: data.replace(b"ObjectType = Image", b"Comment = Doppelganger\nObjectType = Image"), False),
        (lambda data: data.replace(b"ObjectType = Image", b"ObjectType = Doppelganger"), False),
        (lambda data: data.replace(b"Offset = ", b"Offset = Ada "), False),
        (lambda data: data.replace(b"ElementDataFile = LOCAL", b"ElementDataFile = other.raw"), False),
    ],
    ids=["geometry alone", "after the voxels", "comment", "type", "number", "voxels elsewhere"],
)
def test_only_a_file_of_geometry_and_voxels_is_plain(tmp_path, change, is_plain):
    path = write(tmp_path / "7_t2.mha", image(1))
    path.write_bytes(change(path.read_bytes()))
    assert is_plain_metaimage(path) is is_plain


def test_the_same_import_again_changes_nothing(project, source):
    for seed, series in enumerate(("7_t1", "7_t2")):
        add_case(source, series, seed)
    import_series(project, source, EXPERTS)
    before = contents(project)
    report = import_series(project, source, EXPERTS)
    assert contents(project) == before
    assert (report.imported, report.completed, report.masks) == ((), (), 0)
    assert said(report.skipped) == dict.fromkeys(("7_t1", "7_t2"), "its image is in the project already")


def test_a_second_import_brings_the_masks_of_images_that_were_there(project, source):
    add_case(source, "7_t2", 1)
    hidden = source / "masks" / "7_t2.mha"
    content = hidden.read_bytes()
    hidden.unlink()
    import_series(project, source, EXPERTS)
    assert accepted(project, "7_t2") is None
    hidden.write_bytes(content)
    report = import_series(project, source, EXPERTS)
    assert (report.imported, report.completed, report.masks) == ((), ("7_t2",), 1)
    assert accepted(project, "7_t2").annotator == "experts"


def test_masks_alone_go_to_the_images_of_their_names_and_are_reported_without(project, source, tmp_path):
    write(source / "images" / "7_t2.mha", image(1))
    import_series(project, source)
    for series in ("7_t2", "8_t2"):
        write(tmp_path / "later" / "masks" / f"{series}.mha", mask(*TWO_LEVELS))
    report = import_series(project, tmp_path / "later", EXPERTS)
    assert report.completed == ("7_t2",)
    assert said(report.skipped) == {"8_t2": "a mask alone: the project has no image of this name"}


def test_a_series_that_people_annotated_keeps_their_mask(project, source):
    write(source / "images" / "7_t2.mha", image(1))
    import_series(project, source)
    own = save_mask(project, "7_t2", labelmap=painted(labelmap(*TWO_LEVELS), 3)).revision
    write(source / "masks" / "7_t2.mha", mask(*TWO_LEVELS))
    report = import_series(project, source, EXPERTS)
    assert "has a mask by Ada already" in said(report.masks_left_out)["7_t2"]
    assert accepted(project, "7_t2") == own


def test_an_image_whose_record_was_never_written_is_imported_again(project, source):
    add_case(source, "7_t2", 1)
    project.folder.image("7_t2").write_bytes(b"half an image, from an import that was killed")
    report = import_series(project, source)
    assert report.imported == ("7_t2",)
    assert verify(project) == ()


# Masks


def test_a_mask_that_counts_downward_is_renumbered_and_it_is_said(project, source):
    downward = (DOWNWARD_LOWEST_LEVEL, DOWNWARD_LOWEST_LEVEL - 1, 224, 123, 100)
    add_case(source, "7_t2", 1, downward)
    report = import_series(project, source, EXPERTS)
    assert np.array_equal(read_mask(project.folder, accepted(project, "7_t2")).array, mask(1, 2, 201, 102, 100))
    assert "counted 24 downward" in said(report.notes)["7_t2"]
    assert "counted 24 downward" in accepted(project, "7_t2").comment
    assert import_series(project, source, EXPERTS).masks == 0


@pytest.mark.parametrize(
    ("values", "folder", "reason"),
    [
        ((1, 2, 3), "masks", "found a class map"),
        ((1, 2, 3), "classes", "found a class map"),
        ((1, 2, 100, 201, 77), "masks", r"found [77]"),
        ((), "masks", "the mask is empty"),
    ],
)
def test_a_mask_that_is_none_is_left_out_and_its_series_imported(project, source, values, folder, reason):
    add_case(source, "7_t2", 1, values, folder)
    report = import_series(project, source, EXPERTS)
    assert report.imported == ("7_t2",)
    assert reason in said(report.masks_left_out)["7_t2"]
    assert report.has_failed
    assert read_history(project.folder, "7_t2").revisions == ()


def test_a_mask_of_another_grid_is_left_out(project, source):
    write(source / "images" / "7_t2.mha", image(1))
    write(source / "masks" / "7_t2.mha", mask(*TWO_LEVELS), grid(x=30.0))
    report = import_series(project, source)
    assert "expected a mask on the grid of its image" in said(report.masks_left_out)["7_t2"]
    assert report.imported == ("7_t2",)


def test_imported_masks_can_be_in_progress(project, source):
    add_case(source, "7_t2", 1)
    import_series(project, source, ImportOptions(status=Status.IN_PROGRESS))
    assert read_history(project.folder, "7_t2").newest.status is Status.IN_PROGRESS
    assert not project.folder.mask("7_t2").exists()


def test_masks_that_a_second_person_approved_may_judge_models(project, source):
    add_case(source, "7_t2", 1)
    import_series(project, source, EXPERTS)
    assert [refusal.patient_id for refusal in refusals(project, ["7"])] == ["7"]
    # The approval is all that is missing.
    report = import_series(project, source, ImportOptions(annotator="experts", approved_by="Senior"))
    assert report.completed == ("7_t2",)
    revision = accepted(project, "7_t2")
    assert (revision.annotator, revision.status, revision.provenance) == ("Senior", Status.APPROVED, Provenance.IMPORTED)
    assert refusals(project, ["7"]) == ()
    assert import_series(project, source, ImportOptions(annotator="experts", approved_by="Senior")).completed == ()


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"annotator": "Ada", "approved_by": " ada "}, "another person has to approve"),
        ({"approved_by": "Senior", "status": Status.IN_PROGRESS}, "expected masks that are done"),
        ({"status": Status.FLAGGED}, "done or in progress"),
        ({"annotator": ""}, "expected an annotator's name"),
        ({"patient_prefix": "../"}, "expected a patient prefix"),
    ],
)
def test_options_that_can_not_be_are_refused(options, reason):
    with pytest.raises(ProjectError, match=reason):
        ImportOptions(**options)


# Duplicates and names


def test_an_image_the_project_has_under_another_name_is_skipped(project, source):
    add_case(source, "7_t2", 1)
    add_case(source, "8_t2", 1)
    report = import_series(project, source)
    assert report.imported == ("7_t2",)
    assert said(report.skipped) == {"8_t2": "its image is in the project already, as 7_t2"}
    assert report.patients == ("7",)


def test_another_image_under_a_taken_name_fails_and_a_prefix_helps(project, source, tmp_path):
    add_case(source, "1_t2", 1)
    add_case(tmp_path / "hospital", "1_t2", 2)
    import_series(project, source)
    report = import_series(project, tmp_path / "hospital")
    assert "another image under the name 1_t2" in said(report.failed)["1_t2"]
    assert import_series(project, tmp_path / "hospital", ImportOptions(patient_prefix="X")).imported == ("X1_t2",)
    assert read_series_record(project.folder, "X1_t2").patient_id == "X1"


def test_a_series_that_joins_a_patient_the_project_had_is_noted(project, source, tmp_path):
    add_case(source, "1_t2", 1)
    add_case(tmp_path / "hospital", "1_t1", 2)
    import_series(project, source)
    assert "joins the series of patient 1" in said(import_series(project, tmp_path / "hospital").notes)["1_t1"]


def test_a_bids_patient_stays_one_with_a_prefix(project, source):
    for seed, series in enumerate(("sub-07_ses-1_T2w", "sub-07_ses-2_T2w")):
        add_case(source, series, seed)
    report = import_series(project, source, ImportOptions(patient_prefix="X"))
    assert report.imported == ("sub-X07_ses-1_T2w", "sub-X07_ses-2_T2w")
    assert report.patients == ("sub-X07",)


@pytest.mark.parametrize("patient", ["Müller Jörg", "con", "aux.2", "a" * 300, "../../etc", "-rf", "患者", "sub-07", "sub-" + "7" * 80, "sub 07"])
@pytest.mark.parametrize("prefix", ["", "X"])
def test_series_of_a_hostile_name_get_an_allowed_one_and_stay_together(patient, prefix):
    patient_id = patient_name(patient, prefix)
    names = [series_name(patient + ending, patient, patient_id) for ending in ("_t1", "_t2", "_t2_SPACE")]
    assert all(is_name(name) for name in (patient_id, *names))
    assert {patient_of(name) for name in names} == {patient_id}
    assert [sequence_of(name) for name in names] == ["t1", "t2", "t2_SPACE"]
    assert patient_name(patient, "Y") != patient_id


@pytest.mark.parametrize(("one", "other"), [("Jörg", "Jorg"), ("a" * 300, "a" * 301), ("../x", "..-x"), ("患者", "患")])
def test_two_patients_of_hostile_names_stay_two(one, other):
    assert patient_name(one) != patient_name(other)


def test_a_hostile_patient_id_leaves_no_trace_outside_the_project(project, source, tmp_path):
    write(source / "scan_t2.mha", image(1))
    datalist = source / "list.json"
    datalist.write_text('{"training": [{"image": "scan_t2.mha", "label": "no.mha", "patient_id": "../../../etc"}]}')
    before = sorted(path for path in tmp_path.rglob("*") if project.root not in path.parents)
    (name,) = import_series(project, datalist).imported
    assert is_name(name)
    assert sorted(path for path in tmp_path.rglob("*") if project.root not in path.parents) == before


def test_two_names_that_differ_in_case_alone_are_not_both_taken(project, source):
    for seed, path in enumerate(("a/P1_t2", "b/p1_t2", "b/p1_t1")):
        write(source / f"{path}.mha", image(seed))
    entries = [f'{{"image": "{path}.mha", "label": "no.mha", "patient_id": "{path[2:4]}"}}' for path in ("a/P1_t2", "b/p1_t2", "b/p1_t1")]
    datalist = source / "list.json"
    datalist.write_text(f'{{"training": [{", ".join(entries)}]}}')
    report = import_series(project, datalist)
    assert report.imported == ("P1_t2",)
    assert "another image under the name p1_t2" in said(report.failed)["b/p1_t2.mha"]
    assert "can't tell p1 from that" in said(report.failed)["b/p1_t1.mha"]


# Gradings and overview


def write_gradings(folder, *rows):
    folder.mkdir(parents=True, exist_ok=True)
    text = "\r\n".join([",".join(COLUMNS), *rows]) + "\r\n"
    (folder / "radiological_gradings.csv").write_bytes(text.encode())


def test_gradings_and_overview_beside_the_images_are_taken_in(project, source):
    add_case(source, "7_t1", 1)
    add_case(source, "7_t2", 2)
    write_gradings(source, "7,0,,,,,,,,1", "7,1,0,0,0,0,0,1,1,3", "9,1,0,0,0,0,0,1,1,3")
    write_overview(source, {"7_t1": "validation", "7_t2": "validation"}, sex="F", birth_date=61, EchoTime=110.0, Manufacturer="SIEMENS", num_discs=7)
    report = import_series(project, source, EXPERTS)
    assert report.gradings == 1
    assert all_gradings(project.folder).rows == read_gradings(source / "radiological_gradings.csv").patient("7").discs
    assert "names no disc; kept" in said(report.notes)["radiological_gradings.csv, row 2"]
    facts = read_series_record(project.folder, "7_t2").facts
    assert facts == {"Sequence": "T2", "subset": "validation", "EchoTime": "110.0", "Manufacturer": "SIEMENS", "num_discs": "7"}
    assert import_series(project, source, EXPERTS).gradings == 0


def test_gradings_follow_their_patient_to_a_new_name(project, source):
    add_case(source, "7_t1", 1)
    write_gradings(source, "7,1,0,0,0,0,0,1,1,3")
    import_series(project, source, ImportOptions(patient_prefix="X"))
    assert gradings_bytes(all_gradings(project.folder)).splitlines()[1] == b"X7,1,0,0,0,0,0,1,1,3"


def test_gradings_that_people_made_here_stay(project, source):
    add_case(source, "7_t1", 1)
    import_series(project, source)
    save_gradings(project.folder, PatientGradings("7", (DiscGrading("7", 1, pfirrmann=5),)), "Ada")
    write_gradings(source, "7,1,0,0,0,0,0,1,1,3")
    report = import_series(project, source)
    assert "others already" in said(report.skipped)["gradings of patient 7"]
    assert all_gradings(project.folder).patient("7").disc(1).pfirrmann == 5


def test_tables_that_can_not_be_read_are_reported_and_the_series_imported(project, source):
    add_case(source, "7_t1", 1)
    (source / "radiological_gradings.csv").write_text("Patient,What\n")
    (source / "overview.csv").write_text("no,such,column\n")
    report = import_series(project, source)
    assert report.imported == ("7_t1",)
    assert "expected the columns" in said(report.failed)["radiological_gradings.csv"]
    assert "not taken in" in said(report.notes)["overview.csv"]


# Other sources


def test_a_data_list_says_whose_each_series_is(project, source, tmp_path):
    for seed, name in enumerate(("a/scan_T2w", "a/other_t1", "b/scan_T2w", "c/thing")):
        write(source / f"{name}.nii.gz", image(seed))
        write(source / f"{name}_mask.nii.gz", mask(*TWO_LEVELS))
    entries = [
        {"image": f"{name}.nii.gz", "label": f"{name}_mask.nii.gz", "patient_id": name[0] * 2} for name in ("a/scan_T2w", "a/other_t1", "c/thing")
    ]
    validation = [{"image": "b/scan_T2w.nii.gz", "label": "b/none.nii.gz", "patient_id": "bb"}]
    datalist = tmp_path / "list.json"
    datalist.write_text(str({"training": entries, "validation": validation}).replace("'", '"'))
    report = import_series(project, datalist, ImportOptions(root=source))
    assert report.imported == ("aa_t2", "aa_t1", "cc_mr", "bb_t2")
    assert report.masks == 3
    assert "no such file" in said(report.masks_left_out)["bb_t2"]
    records = {name: read_series_record(project.folder, name) for name in report.imported}
    assert [record.patient_id for record in records.values()] == ["aa", "aa", "cc", "bb"]
    assert [record.facts["subset"] for record in records.values()] == ["training", "training", "training", "validation"]
    assert np.array_equal(read_volume(project.folder.image("aa_t1")).array, image(1))
    assert import_series(project, datalist, ImportOptions(root=source)).imported == ()


def test_a_second_series_of_a_sequence_gets_a_number(project, source, tmp_path):
    for seed, name in enumerate(("first_T2", "second_T2")):
        write(source / f"{name}.mha", image(seed))
    entries = [{"image": f"{name}.mha", "label": "none.mha", "patient_id": "p7"} for name in ("first_T2", "second_T2")]
    datalist = source / "list.json"
    datalist.write_text(str({"training": entries}).replace("'", '"'))
    report = import_series(project, datalist)
    assert report.imported == ("p7_t2", "p7-2_t2")
    assert {read_series_record(project.folder, name).patient_id for name in report.imported} == {"p7"}


def test_a_folder_of_image_files_is_imported_with_masks_from_another_folder(project, source, tmp_path):
    for seed, name in enumerate(("p1_t1.mha", "p1_t2.nii.gz")):
        write(source / name, image(seed))
    write(source / "p1_t2.seg.nrrd", mask(1))
    (source / "notes.txt").write_text("not an image")
    write(tmp_path / "masks" / "p1_t2.nii.gz", mask(*TWO_LEVELS))
    report = import_series(project, source, ImportOptions(masks=tmp_path / "masks"))
    assert (report.imported, report.masks) == (("p1_t1", "p1_t2"), 1)
    assert read_series_record(project.folder, "p1_t2").geometry.is_same_grid(grid())


def test_a_single_image_file_is_a_source(project, source):
    assert import_series(project, write(source / "p1_t2.mha", image(1))).imported == ("p1_t2",)


def test_names_of_files_that_tell_the_person_are_replaced_on_request(project, source, caplog):
    for seed, ending in enumerate(("t1", "t2")):
        write(source / f"Doppelganger-Ada_{ending}.nii.gz", image(seed))
    (source / "Doppelganger-Ada_t2_SPACE.nii.gz").write_bytes(b"damaged")
    report = import_series(project, source, ImportOptions(new_ids=True, patient_prefix="H"))
    assert set(report.imported) == {"sub-H0001_t1", "sub-H0001_t2"}
    assert len(report.failed) == 1
    assert "doppelganger" not in f"{report} {report.summary()} {caplog.text}".lower()
    assert not [path for path in project.root.rglob("*") if path.is_file() and b"doppelganger" in path.read_bytes().lower()]


def test_a_source_that_is_none_is_refused(project, source, tmp_path):
    source.mkdir()
    with pytest.raises(DatasetError, match="found none of them"):
        import_series(project, source)
    with pytest.raises(DatasetError, match="no such file or folder"):
        import_series(project, source / "absent")
    with pytest.raises(ProjectError, match="expected a source outside the project"):
        import_series(project, project.folder.images)


def test_a_damaged_image_is_reported_and_the_others_go_on(project, source):
    for seed, series in enumerate(("7_t1", "8_t1", "9_t1")):
        add_case(source, series, seed)
    (source / "images" / "7_t1.mha").write_bytes(b"damaged")
    write(source / "images" / "8_t1.mha", np.full((3, 6, 8), 5, np.int16))
    report = import_series(project, source)
    assert report.imported == ("9_t1",)
    assert "every voxel is 5" in said(report.failed)["8_t1"]
    assert set(said(report.failed)) == {"7_t1", "8_t1"}
    assert series_names(project.folder) == ["9_t1"]


# Several imports, and the command


def test_a_second_import_at_the_same_time_is_refused(project, source):
    add_case(source, "7_t1", 1)
    with import_turn(project.folder), pytest.raises(ProjectError, match="another import into this project is at work"):
        import_series(project, source)
    assert import_series(project, source).imported == ("7_t1",)
    assert not note_of(project.folder).exists()


@pytest.mark.parametrize("content", [f"{computer_name()}~999999-1", "half a no", "elsewhere~12-3"], ids=["killed", "damaged", "another computer"])
def test_an_import_that_was_killed_does_not_stop_the_next(project, source, content):
    add_case(source, "7_t1", 1)
    note = note_of(project.folder)
    note.parent.mkdir()
    note.write_text(content)
    os.utime(note, (0, 0))
    assert import_series(project, source).imported == ("7_t1",)


def test_a_cancelled_import_goes_on_when_called_again(project, source):
    for seed, series in enumerate(("7_t1", "7_t2", "8_t1")):
        add_case(source, series, seed)
    answers = iter((False, True))
    report = import_series(project, source, is_cancelled=lambda: next(answers))
    assert (report.imported, report.is_cancelled) == (("7_t1",), True)
    assert "goes on from here" in report.summary()
    assert import_series(project, source).imported == ("7_t2", "8_t1")


def test_the_command_says_what_became_of_everything(project, source, capsys, caplog):
    caplog.set_level("INFO")
    add_case(source, "7_t1", 1)
    assert project_import(project.root, source, EXPERTS) == 0
    assert "1 series imported, 0 skipped, 0 failed; 1 mask and the gradings of 0 patients added; 1 patient" in capsys.readouterr().out
    add_case(source, "8_t1", 2, (1, 2, 3))
    assert project_import(project.root, source, EXPERTS) == 1
    assert "mask left out: 8_t1: " in caplog.text
    assert "skipped: 7_t1: its image is in the project already" in caplog.text


def test_the_command_can_tell_programs_how_far_it_is(project, source, capsys):
    for seed, series in enumerate(("7_t1", "7_t2")):
        add_case(source, series, seed)
    assert project_import(project.root, source, EXPERTS, ProgressStyle.JSON) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(line["stage"], line["fraction"], line["message"]) for line in lines] == [
        ("import", 0.0, "series 1 of 2"),
        ("import", 0.5, "series 2 of 2"),
        ("import", 1.0, "importing"),
    ]


@pytest.mark.real_data
def test_real_series_are_imported_with_masks_gradings_and_scanner(project, real_data, tmp_path):
    source = tmp_path / "spider"
    for folder in ("images", "masks"):
        (source / folder).mkdir(parents=True)
        for series in ("96_t1", "96_t2"):
            (source / folder / f"{series}.mha").symlink_to(real_data / "spider" / "midsagittal" / folder / f"{series}.mha")
    for table in ("overview.csv", "radiological_gradings.csv"):
        (source / table).symlink_to(real_data / "spider" / table)
    report = import_series(project, source, EXPERTS)
    assert (report.imported, report.masks, report.gradings) == (("96_t1", "96_t2"), 2, 1)
    record = read_series_record(project.folder, "96_t2")
    assert record.image_sha256 == hashlib.sha256((source / "images" / "96_t2.mha").read_bytes()).hexdigest()
    assert float(record.facts["EchoTime"]) > 60
    assert verify(project) == ()
