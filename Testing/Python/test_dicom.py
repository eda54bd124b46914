"""DICOM folders: which series of a study are taken, and that every voxel lands where the header says."""

from __future__ import annotations

import builtins
import re

import numpy as np
import pytest

from dicom_files import (
    AXIAL,
    COLUMNS,
    CORONAL,
    DISTANCE_MM,
    ORIGIN,
    ROWS,
    SAGITTAL,
    SPACING_MM,
    position,
    slice_pixels,
    write_enhanced,
    write_report,
    write_series,
)
from SpiderSegLib.cli.inputs import find_series
from SpiderSegLib.dicom import is_dicom_folder, list_series, read_series
from SpiderSegLib.errors import GeometryError, ImageReadError, MissingPackageError

OBLIQUE = (0.1, 0.9949874371066199, 0.0, 0.0, 0.0, -1.0)


def read_only_series(folder):
    [series] = list_series(folder)
    return read_series(series)


def assert_every_voxel_is_in_place(volume, slices, orientation=SAGITTAL):
    """Slice n shows slice_pixels(n), and its first voxel lies at position(n)."""
    assert volume.geometry.size_ijk == (COLUMNS, ROWS, len(slices))
    np.testing.assert_allclose(volume.geometry.spacing_ijk_mm, (SPACING_MM[1], SPACING_MM[0], DISTANCE_MM), atol=1e-6)
    for k, n in enumerate(slices):
        np.testing.assert_array_equal(volume.array[k], slice_pixels(n))
        np.testing.assert_allclose((volume.geometry.affine_lps @ [0, 0, k, 1])[:3], position(n, orientation), atol=1e-4)
    corner = np.asarray(position(slices[0], orientation)) + (COLUMNS - 1) * SPACING_MM[1] * np.asarray(orientation[:3])
    np.testing.assert_allclose((volume.geometry.affine_lps @ [COLUMNS - 1, 0, 0, 1])[:3], corner, atol=1e-4)


@pytest.mark.parametrize("slices", [range(5), [4, 3, 2, 1, 0], [2, 0, 4, 1, 3]], ids=["in order", "reverse", "shuffled"])
@pytest.mark.parametrize("orientation", [SAGITTAL, AXIAL, CORONAL, OBLIQUE], ids=["sagittal", "axial", "coronal", "oblique"])
def test_a_classic_series_is_sorted_by_position(tmp_path, slices, orientation):
    write_series(tmp_path, 3, "T2 SAG", slices, orientation)
    assert_every_voxel_is_in_place(read_only_series(tmp_path), range(5), orientation)


@pytest.mark.parametrize("frames", [range(5), [4, 3, 2, 1, 0], [2, 0, 4, 1, 3]], ids=["in order", "reverse", "shuffled"])
@pytest.mark.parametrize("orientation", [SAGITTAL, OBLIQUE], ids=["sagittal", "oblique"])
@pytest.mark.parametrize("shared", [True, False], ids=["shared orientation", "orientation a frame"])
def test_frames_of_an_enhanced_file_are_sorted_by_position(tmp_path, frames, orientation, shared):
    write_enhanced(tmp_path / "study" / "e.dcm", frames, orientation, shared)
    assert_every_voxel_is_in_place(read_only_series(tmp_path / "study"), range(5), orientation)


def test_an_enhanced_file_with_one_frame_keeps_its_slice_distance(tmp_path):
    write_enhanced(tmp_path / "e.dcm", [2])
    assert_every_voxel_is_in_place(read_only_series(tmp_path), [2])


def test_a_classic_single_slice_keeps_its_slice_distance(tmp_path):
    write_series(tmp_path, 3, "T2 SAG", [2])
    assert_every_voxel_is_in_place(read_only_series(tmp_path), [2])


def test_the_header_tells_sequence_timing_and_never_the_patient(tmp_path):
    write_series(tmp_path / "classic", 3, "T2 SAG", RepetitionTime=3500.0, EchoTime=102.0)
    write_enhanced(tmp_path / "enhanced" / "e.dcm")
    classic, enhanced = read_only_series(tmp_path / "classic").header, read_only_series(tmp_path / "enhanced").header
    assert (float(classic["RepetitionTime"]), float(classic["EchoTime"])) == (3500.0, 102.0)
    assert (float(enhanced["RepetitionTime"]), float(enhanced["EchoTime"])) == (3500.0, 101.5)
    assert not [key for key in (*classic, *enhanced) if key.startswith("Patient")]


def test_an_enhanced_file_without_pydicom_says_how_to_get_it(tmp_path, monkeypatch):
    write_enhanced(tmp_path / "e.dcm")
    real_import = builtins.__import__

    def without_pydicom(name, *args, **kwargs):
        if name.split(".")[0] == "pydicom":
            raise ImportError(name)
        return real_import(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without_pydicom)
    with pytest.raises(MissingPackageError, match=re.escape('pip install "spiderseg[dicom]"')):
        read_only_series(tmp_path)


@pytest.mark.parametrize(
    ("frames", "message"),
    [
        ([0, 1, 3, 4], "a slice is missing"),
        ([0, 1, 2, 0, 1, 2], "several echoes"),
    ],
)
def test_an_enhanced_file_that_is_no_even_stack_is_refused(tmp_path, frames, message):
    write_enhanced(tmp_path / "e.dcm", frames)
    with pytest.raises(GeometryError, match=message):
        read_only_series(tmp_path)


def test_a_multi_frame_file_without_positions_is_refused(tmp_path):
    write_enhanced(tmp_path / "e.dcm", positions=False)
    with pytest.raises(ImageReadError, match="without the position of each frame"):
        read_only_series(tmp_path)


def test_a_missing_slice_is_named(tmp_path):
    write_series(tmp_path, 3, "T2 SAG", [0, 1, 3, 4])
    with pytest.raises(GeometryError, match=r"distances from 4\.40 to 8\.80 mm"):
        read_only_series(tmp_path)


def test_two_echoes_in_one_series_are_refused(tmp_path):
    write_series(tmp_path / "a", 3, "T2 SAG", EchoTime=20.0)
    for path in write_series(tmp_path / "a" / "b", 3, "T2 SAG", EchoTime=90.0):
        import pydicom

        second = pydicom.dcmread(path)
        second.SeriesInstanceUID = pydicom.dcmread(next((tmp_path / "a").glob("*.dcm"))).SeriesInstanceUID
        second.save_as(tmp_path / "a" / f"echo2_{path.name}")
    with pytest.raises(GeometryError, match="several echoes"):
        read_only_series(tmp_path / "a")


def test_a_sheared_stack_is_refused(tmp_path):
    write_series(tmp_path, 3, "T2 SAG", shift_mm=0.5)
    with pytest.raises(GeometryError, match=r"shift of 0\.50 mm from slice to slice"):
        read_only_series(tmp_path)


def test_a_truncated_slice_is_an_error_that_names_the_series(tmp_path):
    path = write_series(tmp_path, 3, "T2 SAG")[2]
    path.write_bytes(path.read_bytes()[:-60])
    with pytest.raises((ImageReadError, GeometryError), match="3 T2 SAG"):
        read_only_series(tmp_path)


def test_slices_of_different_size_are_refused(tmp_path):
    import pydicom

    path = write_series(tmp_path, 3, "T2 SAG")[2]
    dataset = pydicom.dcmread(path)
    dataset.Rows, dataset.PixelData = ROWS - 1, dataset.PixelData[: 2 * (ROWS - 1) * COLUMNS]
    dataset.save_as(path)
    with pytest.raises(ImageReadError, match="expected slices of 8 x 6 pixels"):
        read_only_series(tmp_path)


#: What a lumbar study holds, and why each series is taken or left out.
STUDY = [
    (1, "3-plane localizer", {"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"]}, "localizer"),
    (2, "T1 SAG", {}, None),
    (3, "T2 SAG", {}, None),
    (4, "T2 AX", {"orientation": AXIAL}, "axial, not sagittal"),
    (5, "T2 COR", {"orientation": CORONAL}, "coronal, not sagittal"),
    (6, "LWS CT", {"Modality": "CT"}, "modality CT, not MR"),
    (7, "STIR SAG", {}, None),
    (8, "T2 SAG C-SPINE", {"BodyPartExamined": "SPINE"}, "described as T2 SAG C-SPINE"),
    (9, "T2 SAG HWS", {"BodyPartExamined": "CSPINE"}, "described as T2 SAG HWS"),
    (10, "T2 SAG knee", {"BodyPartExamined": "KNEE"}, "body part KNEE"),
    (11, "T2 SAG L-SPINE", {"BodyPartExamined": "HEAD"}, None),  # the default of a scanner, and wrong
    (12, "T2 SAG", {"BodyPartExamined": "TSPINE"}, "body part TSPINE"),
]


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    folder = tmp_path_factory.mktemp("dicom") / "case 7"
    for number, description, changes, _ in STUDY:
        write_series(folder, number, description, range(3), **changes)
    write_report(folder)
    (folder / "notes.txt").write_text("not DICOM")
    return folder


def test_every_sagittal_lumbar_series_of_a_study_is_taken_and_the_rest_listed_with_the_reason(study):
    found = find_series([study])
    assert [series.stem for series in found.series] == [
        f"case_7_{number}_{description.replace(' ', '_')}" for number, description, _, reason in STUDY if reason is None
    ]
    assert list(found.left_out) == [(f"{study} ({number} {description})", reason) for number, description, _, reason in STUDY if reason is not None]


@pytest.mark.parametrize(
    ("selection", "numbers"),
    [
        (["3"], [3]),  # the number 3, not every description with a 3
        (["2"], [2]),
        (["stir"], [7]),
        (["4", "t1"], [2, 4]),
    ],
)
def test_series_are_selected_by_number_or_part_of_the_description(study, selection, numbers):
    found = find_series([study], selection)
    assert [int(series.dicom.header["SeriesNumber"]) for series in found.series] == numbers
    assert {reason for _, reason in found.left_out} == {"not selected by --series"}


def test_a_series_is_selected_by_its_uid(study):
    uid = list_series(study)[4].uid
    assert [series.dicom.uid for series in find_series([study], [uid]).series] == [uid]


def test_a_study_without_a_lumbar_series_says_why_each_was_left_out(tmp_path):
    write_series(tmp_path, 4, "T2 AX", orientation=AXIAL)
    [series] = find_series([tmp_path]).series
    with pytest.raises(ImageReadError, match=r"4 T2 AX: axial, not sagittal.*--series NUMBER"):
        series.read()


def test_a_series_alone_is_named_as_its_folder(tmp_path):
    write_series(tmp_path / "Müller, T2", 4, "T2 SAG")
    assert find_series([tmp_path / "Müller, T2"]).series[0].stem == "Müller_T2"


def test_a_repeated_scan_gets_a_name_of_its_own(tmp_path):
    write_series(tmp_path / "a", 4, "T2 SAG")
    for path in write_series(tmp_path / "b", 4, "T2 SAG"):
        path.rename(tmp_path / "a" / f"again_{path.name}")
    assert [series.stem for series in find_series([tmp_path / "a"]).series] == ["a_4_T2_SAG", "a_4_T2_SAG_2"]


def test_slices_in_several_directions_under_one_series_are_left_out(tmp_path):
    import pydicom

    first = write_series(tmp_path / "a", 1, "planning")
    for path in write_series(tmp_path / "b", 1, "planning", orientation=AXIAL):
        dataset = pydicom.dcmread(path)
        dataset.SeriesInstanceUID = pydicom.dcmread(first[0]).SeriesInstanceUID
        dataset.save_as(tmp_path / "a" / f"axial_{path.name}")
    [series] = list_series(tmp_path / "a")
    assert series.reason_left_out == "slices in several directions"
    with pytest.raises(GeometryError, match="several directions"):
        read_series(series)


def test_a_folder_of_reports_holds_no_image_series(tmp_path):
    write_report(tmp_path)
    assert is_dicom_folder(tmp_path)
    with pytest.raises(ImageReadError, match="no DICOM image series"):
        list_series(tmp_path)


def test_a_folder_without_dicom_is_none(tmp_path):
    (tmp_path / "a.mha").write_bytes(b"\0" * 200)
    (tmp_path / "short").write_bytes(b"DICM")
    assert not is_dicom_folder(tmp_path)


def test_the_origin_of_the_first_slice_is_the_grid_s(tmp_path):
    write_series(tmp_path, 3, "T2 SAG")
    assert read_only_series(tmp_path).geometry.origin_lps_mm == ORIGIN
