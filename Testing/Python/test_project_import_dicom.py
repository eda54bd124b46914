"""Importing DICOM studies: series and patients are found, and nothing in the project tells who they are."""

from __future__ import annotations

import csv
import logging
import re

import nibabel
import numpy as np
import pydicom
import pytest

from dicom_files import AXIAL, slice_pixels, write_enhanced, write_report
from dicom_patients import ADA, BOB, STIR_TIMING, T1_TIMING, T2_TIMING, add_series, add_study, found_in
from small_project import StepClock
from SpiderSegLib.annotation_project.deidentification import is_plain_metaimage, scrubbed, secrets_in, technical_facts
from SpiderSegLib.annotation_project.importing import ImportOptions, import_series
from SpiderSegLib.annotation_project.key_file import read_key
from SpiderSegLib.annotation_project.project import create_project
from SpiderSegLib.annotation_project.verification import verify
from SpiderSegLib.cli.project_import import project_import
from SpiderSegLib.corrections import read_series_record, series_names
from SpiderSegLib.errors import ProjectError
from SpiderSegLib.io import read_volume
from SpiderSegLib.series_names import patient_of

TRACES = [*ADA.traces, *BOB.traces]


@pytest.fixture
def project(tmp_path):
    return create_project(tmp_path / "project", clock=StepClock())


@pytest.fixture
def studies(tmp_path):
    """Two patients at different depths; folders are called by their names."""
    root = tmp_path / "export"
    add_study(root / ADA.name / "2024" / "MR", ADA)
    add_study(root / BOB.name, BOB, 40)
    return root


def patients(project):
    found = {}
    for series in sorted(series_names(project.folder)):
        found.setdefault(read_series_record(project.folder, series).patient_id, []).append(series)
    return found


def of_patient(project, first_slice):
    """The patient whose T1 began with this slice."""
    for patient, series in patients(project).items():
        for name in series:
            if name.endswith("_t1") and read_volume(project.folder.image(name)).array.min() // 1000 == first_slice:
                return patient
    raise AssertionError(f"no such T1: {patients(project)}")


# Which series


def test_the_sagittal_lumbar_series_of_each_patient_are_imported_together(project, studies):
    report = import_series(project, studies)
    assert patients(project) == {f"sub-P000{number}": [f"sub-P000{number}_t1", f"sub-P000{number}_t2"] for number in (1, 2)}
    assert {patient_of(name) for name in report.imported} == set(report.patients) == {"sub-P0001", "sub-P0002"}
    assert {remark.text for remark in report.skipped} == {"localizer"}
    assert not report.has_failed
    assert verify(project) == ()


def test_voxels_and_grid_are_those_of_the_series(project, tmp_path):
    add_series(tmp_path / "dicom", ADA, 3, "t2", **T2_TIMING)
    import_series(project, tmp_path / "dicom")
    volume = read_volume(project.folder.image("sub-P0001_t2"))
    assert np.array_equal(volume.array, np.stack([slice_pixels(n) for n in range(5)]))
    assert volume.geometry.spacing_ijk_mm == pytest.approx((0.5, 0.75, 4.4))
    assert is_plain_metaimage(project.folder.image("sub-P0001_t2"))


def test_series_of_one_sequence_are_numbered_and_keep_their_patient(project, tmp_path):
    for number, timing in enumerate((T2_TIMING, T2_TIMING, STIR_TIMING, {}), 1):
        add_series(tmp_path / "dicom", ADA, number, "sag", 10 * number, **timing)
    add_series(tmp_path / "dicom", ADA, 9, "sag", 70, ContrastBolusAgent="Gadovist", **T1_TIMING)
    report = import_series(project, tmp_path / "dicom")
    assert set(report.imported) == {"sub-P0001_t2", "sub-P0001_2_t2", "sub-P0001_stir", "sub-P0001_mr", "sub-P0001_ce_t1"}
    assert {patient_of(name) for name in report.imported} == {"sub-P0001"}


def test_multi_frame_files_are_imported(project, tmp_path):
    write_enhanced(tmp_path / "dicom" / "one.dcm", frames=(3, 1, 0, 2), **ADA.tags)
    (name,) = import_series(project, tmp_path / "dicom").imported
    assert name == "sub-P0001_t2"
    assert read_series_record(project.folder, name).facts["EchoTime"] == "101.5"
    assert found_in(project.root, TRACES) == []


def test_what_is_left_out_is_said_without_quoting_the_header(project, tmp_path):
    add_series(tmp_path / "dicom" / "a", ADA, 1, "t2 cervical of Doppelganger", BodyPartExamined="NECK ADALBERTA", **T2_TIMING)
    add_series(tmp_path / "dicom" / "b", ADA, 2, "t2 tra", orientation=AXIAL, **T2_TIMING)
    write_report(tmp_path / "dicom" / "c")
    report = import_series(project, tmp_path / "dicom")
    assert {str(remark) for remark in report.skipped} == {
        "folder 1, series 1: not the lumbar spine, by its description",
        "folder 2, series 2: axial, not sagittal",
        "folder 3: no DICOM image series in it",
    }
    assert series_names(project.folder) == []


# Nothing tells who it is


def test_nothing_of_the_patients_is_in_any_file_or_name_of_the_project(project, studies, caplog, capfd):
    caplog.set_level(logging.DEBUG)
    report = import_series(project, studies)
    assert found_in(studies, TRACES) != []
    assert found_in(project.root, [*TRACES, "1.2.826", "2024/MR"]) == []
    written = capfd.readouterr()
    assert [trace for trace in TRACES if trace.lower() in f"{report} {report.summary()} {caplog.text} {written.out} {written.err}".lower()] == []


def test_messages_about_damaged_series_name_nobody(project, studies, caplog, capfd):
    caplog.set_level(logging.DEBUG)
    # Slices that can't be read, one that is missing in the middle, and one of another size.
    for path in (studies / ADA.name / "2024" / "MR").glob("2_*.dcm"):
        path.write_bytes(path.read_bytes()[:-40])
    next((studies / BOB.name).glob("3_*098.dcm")).unlink()
    path = next((studies / BOB.name).glob("2_*098.dcm"))
    slice_ = pydicom.dcmread(path)
    slice_.Rows, slice_.PixelData = 3, slice_.PixelData[:48]
    slice_.save_as(path)
    assert project_import(project.root, studies, ImportOptions()) == 1
    written = capfd.readouterr()
    text = f"{caplog.text} {written.out} {written.err}"
    assert len(re.findall("failed: folder 2, series [23]: ", text)) == 2
    assert "folder 1: 5 files are no DICOM images, or damaged" in text
    assert [trace for trace in TRACES if trace.lower() in text.lower()] == []
    assert str(studies) not in text.replace(str(project.root), "")
    assert found_in(project.root, TRACES) == []


def test_new_ids_do_not_follow_the_order_of_names(tmp_path):
    root = tmp_path / "export"
    add_series(root / "a", ADA, 1, "t1", 0, **T1_TIMING)
    add_series(root / "b", BOB, 1, "t1", 40, **T1_TIMING)
    orders = set()
    for number in range(40):
        project = create_project(tmp_path / f"project {number}")
        import_series(project, root)
        orders.add(of_patient(project, 0))
        if len(orders) == 2:
            break
    assert orders == {"sub-P0001", "sub-P0002"}


def test_facts_are_a_white_list_and_hold_no_name(project, tmp_path):
    add_series(tmp_path / "dicom", ADA, 3, "t2", **{"ManufacturerModelName": "Aera of Adalberta", "SequenceName": "Doppelganger", **T2_TIMING})
    import_series(project, tmp_path / "dicom")
    assert read_series_record(project.folder, "sub-P0001_t2").facts == {
        "Sequence": "T2",
        "Manufacturer": "SIEMENS",
        "MagneticFieldStrength": "1.5",
        "RepetitionTime": "3600.0",
        "EchoTime": "110.0",
        "SliceThickness": "4.0",
        "SpacingBetweenSlices": "4.4",
    }


@pytest.mark.parametrize(
    ("value", "is_kept"), [("3.0", True), ("-1.5e2", True), ("3 Ada", False), ("", False), ("1961-07-23", False), ("3.0\nAda", False)]
)
def test_a_number_is_kept_only_as_a_number(value, is_kept):
    assert ("EchoTime" in technical_facts({"EchoTime": value})) is is_kept


def test_words_of_names_are_scrubbed_from_messages_in_any_case():
    secrets = secrets_in(["Doppelganger^Adalberta", "M", "HID-1"])
    assert scrubbed("can't read DOPPELGANGER_adalberta/hid-1/M.dcm", secrets) == "can't read .._../../M.dcm"


def test_header_texts_of_nifti_files_do_not_come_along(project, tmp_path):
    image = nibabel.Nifti1Image(np.arange(60, dtype=np.int16).reshape(5, 4, 3), np.diag([1.0, 1.0, 4.0, 1.0]))
    image.header["descrip"] = b"Doppelganger TE=110"
    image.header["aux_file"] = b"HID-884421"
    image.header["db_name"] = b"Adalberta"
    (tmp_path / "in").mkdir()
    nibabel.save(image, tmp_path / "in" / "p1_t2.nii.gz")
    assert import_series(project, tmp_path / "in").imported == ("p1_t2",)
    assert found_in(project.root, TRACES) == []
    assert np.array_equal(read_volume(project.folder.image("p1_t2")).array, np.arange(60).reshape(5, 4, 3).T)


# The key, and later imports


def test_the_key_file_tells_whose_an_id_is_and_lies_outside(project, studies, tmp_path):
    key = tmp_path / "key.csv"
    import_series(project, studies, ImportOptions(key_file=key))
    rows = read_key(key)
    assert {row.original_patient: row.patient for row in rows} == {
        ADA.patient_id: of_patient(project, 0),
        BOB.patient_id: of_patient(project, 40),
    }
    assert sorted(row.series for row in rows) == sorted(series_names(project.folder))
    with key.open(newline="") as file:
        first = next(csv.DictReader(file))
    assert set(first) == {"project", "patient", "series", "original_patient", "study_uid", "series_uid", "path"}
    assert found_in(project.root, TRACES) == []


def test_without_a_key_file_none_is_written_and_it_is_said(project, studies, tmp_path):
    report = import_series(project, studies)
    assert [remark.text for remark in report.notes if remark.name == "new ids"] == [
        "no key file was written: nobody can tell later whose they are, nor join later studies to them"
    ]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["export", "project"]


def test_a_key_file_inside_the_project_is_refused(project, studies):
    with pytest.raises(ProjectError, match="outside the project folder"):
        import_series(project, studies, ImportOptions(key_file=project.root / "sub" / "key.csv"))
    assert series_names(project.folder) == []


@pytest.mark.parametrize("has_key", [True, False])
def test_a_later_study_joins_its_patient_only_with_the_key(project, studies, tmp_path, has_key):
    options = ImportOptions(key_file=tmp_path / "key.csv" if has_key else None)
    import_series(project, studies, options)
    ada = of_patient(project, 0)
    add_series(tmp_path / "later", ADA, 7, "t2", 70, StudyInstanceUID="1.2.3", **T2_TIMING)
    report = import_series(project, tmp_path / "later", options)
    assert report.imported == ((f"{ada}_2_t2",) if has_key else ("sub-P0003_t2",))


def test_a_key_of_another_project_means_nothing_here(studies, tmp_path):
    options = ImportOptions(key_file=tmp_path / "key.csv")
    import_series(create_project(tmp_path / "first"), studies, options)
    second = create_project(tmp_path / "second")
    import_series(second, studies / BOB.name, options)
    assert list(patients(second)) == ["sub-P0001"]
    assert len(read_key(tmp_path / "key.csv")) == 6


def test_a_key_file_cut_short_by_a_crash_is_continued(project, studies, tmp_path):
    key = tmp_path / "key.csv"
    import_series(project, studies, ImportOptions(key_file=key))
    whole = len(read_key(key))
    key.write_bytes(key.read_bytes() + b"half,a ro")
    add_series(tmp_path / "later", ADA, 7, "t2", 70, **T2_TIMING)
    import_series(project, tmp_path / "later", ImportOptions(key_file=key))
    assert len(read_key(key)) == whole + 1


def test_a_file_that_is_no_key_is_not_written_to(project, studies, tmp_path):
    other = tmp_path / "table.csv"
    other.write_text("my,own,table\n1,2,3\n")
    with pytest.raises(ProjectError, match="expected a key file with the columns"):
        import_series(project, studies, ImportOptions(key_file=other))
    assert other.read_text() == "my,own,table\n1,2,3\n"


def test_an_import_cut_short_goes_on_with_the_same_ids_without_a_key(project, studies):
    answers = iter((False, True))
    (first,) = import_series(project, studies, is_cancelled=lambda: next(answers)).imported
    report = import_series(project, studies)
    assert len(report.imported) == 3
    assert patients(project) == {f"sub-P000{number}": [f"sub-P000{number}_t1", f"sub-P000{number}_t2"] for number in (1, 2)}
    assert first in patients(project)[patient_of(first)]


def test_another_copy_of_a_study_keeps_its_patient_one(project, studies, tmp_path):
    import_series(project, studies)
    ada = of_patient(project, 0)
    # The same T1, exported again under other UIDs, after a new T2 of the same study.
    add_series(tmp_path / "copy", ADA, 12, "t1", 0, AccessionNumber="another", **T1_TIMING)
    add_series(tmp_path / "copy", ADA, 11, "t2", 70, **T2_TIMING)
    report = import_series(project, tmp_path / "copy")
    assert report.imported == (f"{ada}_2_t2",)
    assert f"as {ada}_t1" in report.skipped[0].text


def test_patients_without_an_id_are_told_apart_by_name_and_else_by_study(project, tmp_path):
    root = tmp_path / "export"
    for number, person in enumerate((ADA, BOB)):
        add_series(root / str(number), person, 1, "t1", 40 * number, PatientID="", **T1_TIMING)
    for number in (2, 3):
        for series in (1, 2):
            tags = {"PatientID": "", "PatientName": "", "PatientBirthDate": "", "StudyInstanceUID": f"1.2.{number}", **T1_TIMING}
            add_series(root / str(number), ADA, series, "t1", 40 * number + 10 * series, **tags)
    import_series(project, root)
    assert sorted(len(series) for series in patients(project).values()) == [1, 1, 2, 2]


def test_names_in_other_character_sets_are_scrubbed_and_reach_the_key(project, tmp_path):
    tags = {"SpecificCharacterSet": "ISO_IR 100", "PatientName": "Müllersön^Jörg", "PatientID": "Ü-4711", "InstitutionName": "Klinik Köln"}
    add_series(tmp_path / "dicom", ADA, 3, "t2", **{**T2_TIMING, **tags})
    key = tmp_path / "key.csv"
    import_series(project, tmp_path / "dicom", ImportOptions(key_file=key))
    (row,) = read_key(key)
    assert "-4711" in row.original_patient
    assert found_in(project.root, ["llers", "-4711", "Klinik"]) == []
    add_series(tmp_path / "later", ADA, 4, "t1", 30, **{**T1_TIMING, **tags})
    assert import_series(project, tmp_path / "later", ImportOptions(key_file=key)).imported == ("sub-P0001_t1",)
