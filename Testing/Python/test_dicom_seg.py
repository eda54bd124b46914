"""DICOM SEG: values and grid come back exactly, no label names an unconfirmed level, and what is missing is said plainly."""

from __future__ import annotations

import builtins
import re
import shutil
import subprocess
from dataclasses import replace

import numpy as np
import pydicom
import pytest

from dicom_files import COLUMNS, ROWS, SAGITTAL, write_enhanced, write_report, write_series
from SpiderSegLib.dicom import list_series, read_series, series_geometry
from SpiderSegLib.errors import GeometryError, ImageReadError, InputError, LabelError, MissingPackageError
from SpiderSegLib.labels import LevelState
from SpiderSegLib.level_names import RESEARCH_USE, LevelNaming
from SpiderSegLib.segmentation_files import (
    DicomSource,
    NamedLabelmap,
    find_referenced_source,
    find_source,
    is_dicom_seg,
    read_dicom_seg,
    read_segmentation,
    write_dicom_seg,
)
from SpiderSegLib.segmentation_files.grids import reordered
from SpiderSegLib.volume import Volume

FRAME = {"FrameOfReferenceUID": "1.2.3"}
CONFIRMED = LevelNaming(LevelState.CONFIRMED)


def labels(shape=(5, ROWS, COLUMNS)):
    """L5, a partial L3, the disc L4/L5 and the canal; nothing in the first and the last slice."""
    array = np.zeros(shape, np.uint8)
    array[1, 1:3, 1:4] = 1
    array[2, 0, 7] = 103
    array[2, 3:5, 2] = 202
    array[3, :, 5] = 100
    return array


def source_in(folder):
    (series,) = list_series(folder)
    return DicomSource.of(series)


@pytest.fixture
def classic(tmp_path):
    write_series(tmp_path / "classic", 3, "T2 SAG", PatientName="Müller^Eva", SpecificCharacterSet="ISO_IR 100", **FRAME)
    return source_in(tmp_path / "classic")


@pytest.fixture
def enhanced(tmp_path):
    """Frames stored in another order than the slices', the orientation written to each."""
    write_enhanced(tmp_path / "enhanced" / "e.dcm", frames=[3, 0, 4, 1, 2], shared_orientation=False, **FRAME)
    return source_in(tmp_path / "enhanced")


@pytest.fixture(params=["classic", "enhanced"])
def source(request):
    return request.getfixturevalue(request.param)


def named_on(source, naming=None, model_id="model-7", array=None):
    array = labels() if array is None else array
    return NamedLabelmap(Volume(array, source.geometry, "case"), naming or LevelNaming(), model_id, {1: 0.75})


@pytest.fixture
def written(classic, tmp_path):
    write_dicom_seg(tmp_path / "x.dcm", named_on(classic), classic)
    return tmp_path / "x.dcm"


def changed(path, change):
    dataset = pydicom.dcmread(path)
    change(dataset)
    dataset.save_as(path)
    return path


# Round trip


@pytest.mark.parametrize(
    "naming", [LevelNaming(), LevelNaming(LevelState.UNIDENTIFIED), CONFIRMED, LevelNaming(LevelState.TRANSITIONAL, 6, {6: "T13 (süd)"})]
)
def test_values_grid_and_naming_come_back_without_the_series(source, tmp_path, naming):
    named = named_on(source, naming)
    write_dicom_seg(tmp_path / "x.dcm", named, source)
    read = read_dicom_seg(tmp_path / "x.dcm")
    assert np.array_equal(read.named.labelmap.array, labels())
    assert read.named.labelmap.geometry == source.geometry
    assert (read.named.naming, read.named.model_id, read.named.confidences) == (naming, "model-7", {1: 0.75})
    assert [read.named.color(value) for value in read.named.values] == [named.color(value) for value in named.values]
    assert read.warnings == ()


def test_frames_lie_on_the_images_they_were_drawn_on(source, tmp_path):
    """As any program reads it: each frame refers to the image at its position, whose pixels tell the slice."""
    write_dicom_seg(tmp_path / "x.dcm", named_on(source), source)
    dataset = pydicom.dcmread(tmp_path / "x.dcm")
    volume = read_series(source.series)
    segments = {int(item.SegmentNumber): int(item.TrackingID.removeprefix("SPIDER value ")) for item in dataset.SegmentSequence}
    seen = set()
    for frame, pixels in zip(dataset.PerFrameFunctionalGroupsSequence, dataset.pixel_array, strict=True):
        image = frame.DerivationImageSequence[0].SourceImageSequence[0]
        file = next(file for file in source.series.files if pydicom.dcmread(file).SOPInstanceUID == image.ReferencedSOPInstanceUID)
        number = int(image.get("ReferencedFrameNumber", 1))
        shown = pydicom.dcmread(file).pixel_array.reshape(-1, ROWS, COLUMNS)[number - 1]
        k = next(k for k in range(5) if np.array_equal(volume.array[k], shown))
        value = segments[int(frame.SegmentIdentificationSequence[0].ReferencedSegmentNumber)]
        assert np.array_equal(pixels == 1, labels()[k] == value)
        seen.add((k, value))
    assert seen == {(1, 1), (2, 103), (2, 202), (3, 100)}


def test_without_our_private_block_the_grid_is_the_series_or_the_slices_that_hold_something(written, classic):
    changed(written, lambda dataset: dataset.private_block(0x0071, "SPIDERSEG").__delitem__(0x01))
    read = read_dicom_seg(written, classic)
    assert np.array_equal(read.named.labelmap.array, labels())
    assert read.named.labelmap.geometry == classic.geometry
    alone = read_dicom_seg(written).named.labelmap
    assert np.array_equal(alone.array, labels()[1:4])
    np.testing.assert_allclose(alone.geometry.affine_lps @ [0, 0, 0, 1], classic.geometry.affine_lps @ [0, 0, 1, 1], atol=1e-6)


def test_a_private_block_that_contradicts_the_frames_is_not_believed(written):
    def move_first_frame(dataset):
        dataset.PerFrameFunctionalGroupsSequence[0].PlanePositionSequence[0].ImagePositionPatient[0] += 1.3

    with pytest.raises(GeometryError, match=r"x\.dcm: expected frames on evenly spaced, parallel slices"):
        read_dicom_seg(changed(written, move_first_frame))


def test_slices_whose_headers_differ_by_rounding_or_are_wrong_about_their_distance_make_one_grid(tmp_path):
    def round_otherwise(dataset):
        dataset.SpacingBetweenSlices = 9.0
        del dataset.SliceThickness
        dataset.ImageOrientationPatient[1] = 0.999999 if dataset.InstanceNumber % 2 else 1.0

    for path in write_series(tmp_path / "s", 3, "T2", **FRAME):
        changed(path, round_otherwise)
    source = source_in(tmp_path / "s")
    write_dicom_seg(tmp_path / "x.dcm", named_on(source), source)
    measures = pydicom.dcmread(tmp_path / "x.dcm").SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0]
    assert (measures.SpacingBetweenSlices, measures.SliceThickness) == (4.4, 4.4)
    assert np.array_equal(read_dicom_seg(tmp_path / "x.dcm").named.labelmap.array, labels())


def test_a_labelmap_stored_in_another_order_is_written_on_the_series(classic, tmp_path):
    # As dcm2niix turns the rows around.
    named = named_on(classic)
    geometry = reordered(classic.geometry, (0, 1, 2), (False, True, False))
    turned = NamedLabelmap(Volume(named.labelmap.array[:, ::-1].copy(), geometry, "turned"))
    write_dicom_seg(tmp_path / "x.dcm", turned, find_source(classic.series.folder, geometry, "turned"))
    assert np.array_equal(read_dicom_seg(tmp_path / "x.dcm").named.labelmap.array, labels())


# What it says


def test_labels_and_codes_name_no_level_that_nobody_confirmed(written):
    dataset = pydicom.dcmread(written)
    assert [item.SegmentLabel for item in dataset.SegmentSequence] == [
        "Lumbar vertebra 1 (level assumed: L5)",
        "Lumbar vertebra 3, partial (level assumed: L3)",
        "Disc 2 (level assumed: L4/L5)",
        "Spinal canal",
    ]
    codes = [item.SegmentedPropertyTypeCodeSequence[0].CodeValue for item in dataset.SegmentSequence]
    assert codes == ["51282000", "51282000", "360499006", "61853006"]
    assert {item.SegmentedPropertyCategoryCodeSequence[0].CodeValue for item in dataset.SegmentSequence} == {"123037004"}


def test_confirmed_levels_have_their_names_and_codes(classic, tmp_path):
    write_dicom_seg(tmp_path / "x.dcm", named_on(classic, CONFIRMED), classic)
    dataset = pydicom.dcmread(tmp_path / "x.dcm")
    assert [item.SegmentLabel for item in dataset.SegmentSequence] == ["L5", "L3, partial", "L4/L5", "Spinal canal"]
    codes = [item.SegmentedPropertyTypeCodeSequence[0].CodeValue for item in dataset.SegmentSequence]
    assert codes == ["49668003", "36470004", "84020006", "61853006"]


@pytest.mark.parametrize("state", LevelState)
def test_the_series_says_research_only_and_the_level_state(classic, tmp_path, state):
    write_dicom_seg(tmp_path / "x.dcm", named_on(classic, LevelNaming(state)), classic)
    dataset = pydicom.dcmread(tmp_path / "x.dcm")
    assert dataset.SeriesDescription == dataset.ContentDescription == f"{RESEARCH_USE}; level {state.value}"
    assert len(dataset.SeriesDescription) <= 64
    assert dataset.ContentLabel == state.name
    assert all(RESEARCH_USE in item.SegmentDescription for item in dataset.SegmentSequence)


@pytest.mark.parametrize(
    ("model_id", "is_untouched", "expected"), [("model-7", True, "AUTOMATIC"), ("model-7", False, "SEMIAUTOMATIC"), ("", True, "MANUAL")]
)
def test_the_algorithm_is_named_with_its_model(classic, tmp_path, model_id, is_untouched, expected):
    write_dicom_seg(tmp_path / "x.dcm", named_on(classic, model_id=model_id), classic, is_untouched)
    first = pydicom.dcmread(tmp_path / "x.dcm").SegmentSequence[0]
    assert first.SegmentAlgorithmType == expected
    assert first.get("SegmentAlgorithmName") == (f"SpiderSeg {model_id}" if model_id else None)


def test_patient_and_study_are_the_images_own(written, classic):
    dataset = pydicom.dcmread(written)
    image = pydicom.dcmread(classic.series.files[0])
    assert str(dataset.PatientName) == "Müller^Eva"
    for keyword in ("PatientID", "StudyInstanceUID", "FrameOfReferenceUID"):
        assert dataset[keyword].value == image[keyword].value
    assert dataset.SeriesInstanceUID != image.SeriesInstanceUID
    assert dataset.SeriesNumber == 9003
    assert len({item.TrackingUID for item in dataset.SegmentSequence}) == 4


def test_a_name_beyond_the_images_character_set_is_kept_and_so_is_the_patient_s(classic, tmp_path):
    write_dicom_seg(tmp_path / "x.dcm", named_on(classic, LevelNaming(LevelState.TRANSITIONAL, own_names={1: "ω"})), classic)
    dataset = pydicom.dcmread(tmp_path / "x.dcm")
    assert (str(dataset.PatientName), dataset.SegmentSequence[0].SegmentLabel) == ("Müller^Eva", "Lumbar vertebra 1 (transitional: ω)")


def test_a_long_name_fits_dicom(classic, tmp_path):
    write_dicom_seg(tmp_path / "x.dcm", named_on(classic, LevelNaming(own_names={1: "x\\y" * 30})), classic)
    label = pydicom.dcmread(tmp_path / "x.dcm").SegmentSequence[0].SegmentLabel
    assert len(label) == 64
    assert "\\" not in label
    assert read_dicom_seg(tmp_path / "x.dcm").named.values == (1, 103, 202, 100)


@pytest.mark.skipif(shutil.which("dciodvfy") is None, reason="dciodvfy (Debian package dicom3tools) is not installed")
def test_a_conformance_checker_finds_no_error(written):
    report = subprocess.run(["dciodvfy", str(written)], capture_output=True, text=True, check=False).stderr
    assert "Segmentation" in report
    assert [line for line in report.splitlines() if line.startswith("Error")] == []


# Which series


def study(folder):
    write_series(folder / "t1", 2, "T1 SAG", slices=range(4), **FRAME)
    write_series(folder / "t2", 3, "T2 SAG", **FRAME)
    write_series(folder / "gap", 4, "PD SAG", slices=[0, 1, 3, 4], **FRAME)
    return folder


def test_the_series_with_the_labelmap_s_voxels_is_found_among_others(tmp_path):
    geometry = source_in(study(tmp_path) / "t2").geometry
    assert find_source(tmp_path, geometry, "case").series.label == "3 T2 SAG"
    assert find_source(tmp_path / "t2", geometry, "case").geometry == geometry


def test_every_series_of_a_folder_is_looked_at_and_segmentations_are_none(classic):
    canal = np.zeros((5, ROWS, COLUMNS), np.uint8)
    canal[:, :, 4] = 100
    write_dicom_seg(classic.series.folder / "seg.dcm", named_on(classic, array=canal), classic)
    write_report(classic.series.folder)
    assert find_source(classic.series.folder, classic.geometry, "case").series.label == "3 T2 SAG"


def test_where_no_series_fits_each_says_how_it_differs(tmp_path):
    geometry = source_in(study(tmp_path) / "t2").geometry
    shutil.rmtree(tmp_path / "t2")
    with pytest.raises(InputError) as caught:
        find_source(tmp_path, geometry, "case.mha")
    text = str(caught.value)
    assert text.startswith(f"{tmp_path}: no DICOM series has the voxels of case.mha: ")
    assert "2 T1 SAG: 8 x 6 x 4 voxels instead of 8 x 6 x 5: are files of it missing?" in text
    assert "(4 PD SAG): expected evenly spaced slices" in text
    assert "a slice is missing" in text


def test_of_two_series_on_the_same_voxels_one_must_be_chosen(tmp_path):
    write_series(tmp_path, 2, "T1 SAG", **FRAME)
    write_series(tmp_path, 3, "T2 SAG", **FRAME)
    geometry = series_geometry(list_series(tmp_path)[0])
    with pytest.raises(InputError, match=r"2 series have the voxels of case \(2 T1 SAG; 3 T2 SAG\); choose .* --series NUMBER"):
        find_source(tmp_path, geometry, "case")
    assert find_source(tmp_path, geometry, "case", "t2").series.label == "3 T2 SAG"
    with pytest.raises(InputError, match="no DICOM series among those that --series 7 names has the voxels of case"):
        find_source(tmp_path, geometry, "case", "7")


@pytest.mark.parametrize(("place", "expected"), [("none", "found nothing"), ("file", "found a file"), ("empty", "holds no DICOM files")])
def test_a_folder_without_dicom_says_so(classic, tmp_path, place, expected):
    (tmp_path / "file").write_text("x")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=expected):
        find_source(tmp_path / place, classic.geometry, "case")


@pytest.mark.parametrize("keyword", ["FrameOfReferenceUID", "StudyInstanceUID"])
def test_images_that_lack_what_a_segmentation_refers_to_are_named(tmp_path, keyword):
    for path in write_series(tmp_path / "s", 3, "T2", **FRAME):
        changed(path, lambda dataset: dataset.__delattr__(keyword))
    source = source_in(tmp_path / "s")
    with pytest.raises(InputError, match=rf"\.dcm: has no {keyword}, which DICOM SEG refers to; export the series again"):
        write_dicom_seg(tmp_path / "x.dcm", named_on(source), source)
    assert not (tmp_path / "x.dcm").exists()


def test_a_labelmap_on_other_voxels_and_an_empty_one_are_refused(classic, tmp_path):
    fewer = NamedLabelmap(Volume(labels()[:4], replace(classic.geometry, size_ijk=(COLUMNS, ROWS, 4)), "case"))
    with pytest.raises(InputError, match="case: does not lie on the voxels of the DICOM series 3 T2 SAG: 8 x 6 x 4 voxels instead of"):
        write_dicom_seg(tmp_path / "x.dcm", fewer, classic)
    with pytest.raises(InputError, match="case: nothing is segmented"):
        write_dicom_seg(tmp_path / "x.dcm", named_on(classic, array=np.zeros((5, ROWS, COLUMNS), np.uint8)), classic)


def test_without_highdicom_the_message_says_how_to_get_it(classic, tmp_path, monkeypatch):
    real = builtins.__import__

    def without_highdicom(name, *arguments, **keywords):
        if name.split(".")[0] == "highdicom":
            raise ImportError(name)
        return real(name, *arguments, **keywords)

    monkeypatch.setattr(builtins, "__import__", without_highdicom)
    with pytest.raises(MissingPackageError, match=re.escape('pip install "spiderseg[dicom]"')):
        write_dicom_seg(tmp_path / "x.dcm", named_on(classic), classic)


# Segmentations made elsewhere


def strip_our_own(dataset):
    for item in dataset.SegmentSequence:
        for keyword in ("SegmentDescription", "TrackingID", "TrackingUID"):
            if keyword in item:
                delattr(item, keyword)


def test_values_of_another_program_s_file_come_from_its_labels(written):
    def rename(dataset):
        strip_our_own(dataset)
        for item, label in zip(dataset.SegmentSequence, ("L5 vertebra", "vertebrae_L3", "disc_L4_L5", "spinal_canal"), strict=True):
            item.SegmentLabel = label

    read = read_dicom_seg(changed(written, rename))
    assert np.array_equal(read.named.labelmap.array, np.where(labels() == 103, 3, labels()))
    assert (read.named.naming, read.named.model_id) == (LevelNaming(), "")


def test_labels_that_name_no_structure_are_listed_or_left_out(written):
    changed(written, lambda dataset: (strip_our_own(dataset), setattr(dataset.SegmentSequence[0], "SegmentLabel", "Tumor")))
    with pytest.raises(LabelError, match=r"x\.dcm: .* found 'Tumor'"):
        read_dicom_seg(written)
    read = read_dicom_seg(written, leave_out_unknown=True)
    assert read.left_out == ("Tumor",)
    assert np.array_equal(read.named.labelmap.array, np.where(labels() == 1, 0, labels()))


def test_where_a_program_dropped_our_description_the_tracking_id_has_the_value(written):
    changed(written, lambda dataset: [delattr(item, "SegmentDescription") for item in dataset.SegmentSequence])
    assert np.array_equal(read_dicom_seg(written).named.labelmap.array, labels())


def save_segmentation(path, source, pixels, kind, named):
    """A segmentation object as another program may write it: of any type, with segments that may overlap."""
    from highdicom import UID
    from highdicom.seg import Segmentation

    from SpiderSegLib.segmentation_files.dicom_headers import source_headers
    from SpiderSegLib.segmentation_files.dicom_seg_writing import segment_description

    descriptions = [segment_description(named, value, number, False) for number, value in enumerate(named.values, start=1)]
    uids = {"series_instance_uid": UID(), "sop_instance_uid": UID(), "series_number": 1, "instance_number": 1}
    maker = {"manufacturer": "m", "manufacturer_model_name": "m", "software_versions": "1", "device_serial_number": "1"}
    Segmentation(source_headers(source), pixels, kind, descriptions, **uids, **maker).save_as(path)


def test_overlapping_segments_are_flattened_and_reported(classic, tmp_path):
    masks = np.zeros((5, ROWS, COLUMNS, 2), np.uint8)
    masks[1, 1, 1:4, 0] = 1
    masks[1, 1, 3:5, 1] = 1
    save_segmentation(tmp_path / "x.dcm", classic, masks, "BINARY", named_on(classic, array=np.where(labels() % 201 == 1, labels(), 0)))
    read = read_dicom_seg(tmp_path / "x.dcm", classic)
    assert read.named.labelmap.array[1, 1].tolist() == [0, 1, 1, 202, 202, 0, 0, 0]
    assert [overlap.voxels for overlap in read.overlaps] == [1]


def test_label_maps_are_read_too(classic, tmp_path):
    named = named_on(classic)
    pixels = np.zeros(labels().shape, np.uint8)
    for number, value in enumerate(named.values, start=1):
        pixels[labels() == value] = number
    save_segmentation(tmp_path / "x.dcm", classic, pixels, "LABELMAP", named)
    assert np.array_equal(read_dicom_seg(tmp_path / "x.dcm", classic).named.labelmap.array, labels())


def test_fractional_segments_are_inside_from_one_half(classic, tmp_path):
    fractions = np.zeros((5, ROWS, COLUMNS, 1))
    fractions[1, 1, 1:5, 0] = 0.3, 0.49, 0.51, 1.0
    named = named_on(classic, array=(labels() == 1).astype(np.uint8))
    save_segmentation(tmp_path / "x.dcm", classic, fractions, "FRACTIONAL", named)
    assert read_dicom_seg(tmp_path / "x.dcm", classic).named.labelmap.array[1, 1].tolist() == [0, 0, 0, 1, 1, 0, 0, 0]


def test_a_segmentation_beside_the_series_is_refused(written, classic, tmp_path):
    write_series(tmp_path / "other", 5, "T2 other", orientation=SAGITTAL, slices=range(10, 15), **FRAME)
    with pytest.raises(GeometryError, match=r"x\.dcm: does not lie on the voxels of the DICOM series 5 T2 other: its position differs by 44"):
        read_dicom_seg(written, source_in(tmp_path / "other"))


def test_the_series_a_file_refers_to_is_found_in_a_study(written, classic, tmp_path):
    write_series(tmp_path / "other", 5, "T1", **FRAME)
    assert find_referenced_source(tmp_path, written).series.uid == classic.series.uid
    with pytest.raises(InputError, match="does not hold the DICOM series 1"):
        find_referenced_source(tmp_path / "other", written)
    with pytest.raises(ImageReadError, match="expected a DICOM segmentation object, found MR"):
        find_referenced_source(tmp_path, tmp_path / "other" / "5_T1_100.dcm")


def test_a_folder_with_one_segmentation_stands_for_it(written, classic, tmp_path):
    folder = tmp_path / "export"
    folder.mkdir()
    with pytest.raises(ImageReadError, match="expected a folder with one DICOM SEG, found 0"):
        read_segmentation(folder)
    shutil.copy(written, folder / "IM0001")
    assert np.array_equal(read_segmentation(folder).named.labelmap.array, labels())
    assert np.array_equal(read_segmentation(folder / "IM0001").named.labelmap.array, labels())
    shutil.copy(written, folder / "IM0002")
    with pytest.raises(ImageReadError, match=r"found 2 \(IM0001, IM0002\); give the file"):
        read_segmentation(folder)


def test_other_files_are_no_segmentations(classic, written, tmp_path):
    assert is_dicom_seg(written)
    (tmp_path / "text.dcm").write_text("no DICOM")
    (tmp_path / "cut.dcm").write_bytes(written.read_bytes()[:-8])
    for path, expected in ((classic.series.files[0], "found MR"), (tmp_path / "text.dcm", "can't be read"), (tmp_path / "cut.dcm", "can't be read")):
        with pytest.raises(ImageReadError, match=expected):
            read_dicom_seg(path)
    assert not is_dicom_seg(tmp_path / "text.dcm")
    with pytest.raises(ImageReadError, match="no such file"):
        read_dicom_seg(tmp_path / "none.dcm")
