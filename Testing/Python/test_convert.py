"""`spiderseg convert`: any segmentation format to any other, values and grid exact, and what it refuses."""

from __future__ import annotations

import json
import re

import numpy as np
import pydicom
import pytest

from command_line import tree
from dicom_files import write_series
from named_labelmaps import GRID, TRANSITIONAL, labels, named_labelmap
from SpiderSegLib.cli.main import run
from SpiderSegLib.dicom import list_series, series_geometry
from SpiderSegLib.io import header_texts_of, read_volume, write_volume
from SpiderSegLib.labels import LevelState
from SpiderSegLib.level_names import RESEARCH_USE, LevelNaming
from SpiderSegLib.segmentation_files import (
    NamedLabelmap,
    labelmap_sidecar,
    read_segmentation,
    segmentation_writer,
    sidecar_bytes,
    write_seg_nrrd,
)
from SpiderSegLib.volume import Volume

FORMATS = ["mha", "nii.gz", "nrrd", "seg.nrrd", "dicom-seg"]
SUFFIXES = {"dicom-seg": "dcm"}


def convert(*arguments: object) -> int:
    return run(["convert", *(str(argument) for argument in arguments)])


def messages(capsys):
    captured = capsys.readouterr()
    assert "Traceback" not in captured.err
    return captured.out, re.sub(r"\s+", " ", captured.err)


@pytest.fixture(scope="module")
def dicom(tmp_path_factory):
    """A folder with a T1 and a T2 of one patient, on different voxels."""
    folder = tmp_path_factory.mktemp("dicom")
    write_series(folder, 2, "T1 SAG", slices=range(4), FrameOfReferenceUID="1.2.3")
    write_series(folder, 3, "T2 SAG", FrameOfReferenceUID="1.2.3")
    return folder


def on_dicom(dicom, naming=None):
    geometry = series_geometry(list_series(dicom)[1])
    array = np.zeros(geometry.shape_kji, np.uint8)
    array[1, 1:3, 1:4], array[2, 0, 7], array[2, 3:5, 2], array[3, :, 5] = 1, 103, 202, 100
    return NamedLabelmap(Volume(array, geometry, "case"), naming or LevelNaming(), "model-7", {1: 0.75})


def written(path, named):
    path.parent.mkdir(exist_ok=True)
    segmentation_writer(path, named)(path)
    if not path.name.endswith(".seg.nrrd"):
        path.with_name(f"{path.name.split('.')[0]}.json").write_bytes(sidecar_bytes(labelmap_sidecar(named)))
    return path


# Formats


@pytest.mark.parametrize("target", FORMATS)
@pytest.mark.parametrize("source", FORMATS)
def test_values_grid_and_naming_go_from_every_format_to_every_other(dicom, tmp_path, source, target):
    named = on_dicom(dicom, TRANSITIONAL)
    start = written(tmp_path / "in" / "a.seg.nrrd", named)
    given = tmp_path / "given" / f"a.{SUFFIXES.get(source, source)}"
    assert convert(start, "-o", given, *(["--dicom", dicom] if source == "dicom-seg" else [])) == 0
    out = tmp_path / "out" / f"a.{SUFFIXES.get(target, target)}"
    assert convert(given, "-o", out, *(["--dicom", dicom] if target == "dicom-seg" else [])) == 0
    read = read_segmentation(out)
    assert np.array_equal(read.named.labelmap.array, named.labelmap.array)
    np.testing.assert_allclose(read.named.labelmap.geometry.affine_lps, named.labelmap.geometry.affine_lps, rtol=2e-7, atol=1e-5)
    assert (read.named.naming, read.named.model_id, read.named.confidences) == (TRANSITIONAL, "model-7", {1: 0.75})


@pytest.mark.parametrize("suffix", ["mha", "nrrd", "nii.gz"])
def test_a_plain_labelmap_keeps_its_very_geometry(tmp_path, suffix):
    start = written(tmp_path / "in" / f"a.{suffix}", named_labelmap())
    assert convert(start, "-o", tmp_path / f"b.{suffix}") == 0
    given, copy = read_volume(start), read_volume(tmp_path / f"b.{suffix}")
    assert copy.geometry == given.geometry
    assert np.array_equal(copy.array, given.array)
    if suffix == "nii.gz":
        assert np.array_equal(copy.source_affine_ras, given.source_affine_ras)


def test_a_segmentation_cut_out_of_its_grid_is_written_on_the_whole_of_it(tmp_path):
    write_seg_nrrd(tmp_path / "whole.seg.nrrd", named_labelmap())
    header = {key: text for key, text in header_texts_of(tmp_path / "whole.seg.nrrd").items() if key.startswith("Segment")}
    part = read_volume(tmp_path / "whole.seg.nrrd")
    origin = tuple((part.geometry.affine_lps @ [0, 0, 1, 1])[:3].tolist())
    cut = Volume(part.array[1:], type(part.geometry)((9, 7, 4), part.geometry.spacing_ijk_mm, origin, part.geometry.direction))
    write_volume(tmp_path / "cut.seg.nrrd", cut, texts={**header, "Segmentation_ReferenceImageExtentOffset": "0 0 1"})
    assert convert(tmp_path / "cut.seg.nrrd", "-o", tmp_path / "x.nrrd") == 0
    assert np.array_equal(read_volume(tmp_path / "x.nrrd").array, labels())
    assert read_volume(tmp_path / "x.nrrd").geometry.is_same_grid(GRID)


@pytest.mark.parametrize(
    ("out", "options", "expected"),
    [
        ("x.mha", [], ["x.json", "x.mha"]),
        ("x.nii", [], ["x.json", "x.nii"]),
        ("x.seg.nrrd", [], ["x.seg.nrrd"]),
        ("new/x.seg.nrrd", ["--format", "seg.nrrd"], ["new", "new/x.seg.nrrd"]),
        ("folder", ["--format", "nii.gz"], ["folder", "folder/a.json", "folder/a.nii.gz"]),
        ("folder.x", ["--format", "seg.nrrd"], ["folder.x", "folder.x/a.seg.nrrd"]),
    ],
)
def test_exactly_these_files_are_written(tmp_path, out, options, expected):
    start = written(tmp_path / "in" / "a.mha", named_labelmap())
    assert convert(start, "-o", tmp_path / "out" / out, *options) == 0
    assert tree(tmp_path / "out") == expected


def test_what_is_written_is_listed_with_full_names(tmp_path, capsys):
    assert convert(written(tmp_path / "in" / "a.mha", named_labelmap()), "-o", tmp_path / "x.seg.nrrd") == 0
    out, _ = messages(capsys)
    assert "x.seg.nrrd   5 structures, level assumed, model model-7" in out
    assert "  202  Disc 2 (level assumed: L4/L5)" in out


# Names


def test_without_anything_that_says_otherwise_levels_are_assumed(tmp_path):
    write_volume(tmp_path / "a.mha", Volume(labels(), GRID))
    assert convert(tmp_path / "a.mha", "-o", tmp_path / "x.seg.nrrd") == 0
    assert read_segmentation(tmp_path / "x.seg.nrrd").named.naming == LevelNaming()


def test_the_sidecar_beside_the_input_names_the_levels_and_is_carried_on(tmp_path):
    write_volume(tmp_path / "a.nii.gz", Volume(labels(), GRID))
    record = labelmap_sidecar(named_labelmap(LevelNaming(LevelState.CONFIRMED)), {"warnings": ["dark"]})
    (tmp_path / "a.json").write_bytes(sidecar_bytes(record))
    assert convert(tmp_path / "a.nii.gz", "-o", tmp_path / "x.mha") == 0
    written_record = json.loads((tmp_path / "x.json").read_text())
    assert written_record["warnings"] == ["dark"]
    assert (written_record["notice"], written_record["level_state"]["state"]) == (RESEARCH_USE, "confirmed")
    assert header_texts_of(tmp_path / "x.mha")["SpiderSeg.LevelState"] == "confirmed"


def test_a_sidecar_given_outweighs_what_the_input_says(tmp_path):
    start = written(tmp_path / "in" / "a.mha", named_labelmap())
    (tmp_path / "levels.json").write_bytes(sidecar_bytes(labelmap_sidecar(named_labelmap(TRANSITIONAL, "model-8"))))
    assert convert(start, "-o", tmp_path / "x.seg.nrrd", "--levels", tmp_path / "levels.json") == 0
    read = read_segmentation(tmp_path / "x.seg.nrrd").named
    assert (read.naming, read.model_id) == (TRANSITIONAL, "model-8")


@pytest.mark.parametrize(
    ("before", "options", "expected"),
    [
        (LevelNaming(), ["--confirmed"], LevelNaming(LevelState.CONFIRMED)),
        (LevelNaming(LevelState.UNIDENTIFIED), ["--confirmed"], LevelNaming(LevelState.CONFIRMED)),
        (LevelNaming(), ["--lumbar", "6"], LevelNaming(lumbar_count=6)),
        (LevelNaming(), ["--lumbar", "6", "--confirmed"], LevelNaming(LevelState.TRANSITIONAL, 6)),
        (LevelNaming(LevelState.CONFIRMED), [], LevelNaming(LevelState.CONFIRMED)),
        (LevelNaming(LevelState.CONFIRMED), ["--lumbar", "5"], LevelNaming(LevelState.CONFIRMED)),
        # What a person confirmed was another count.
        (LevelNaming(LevelState.CONFIRMED), ["--lumbar", "4"], LevelNaming(lumbar_count=4)),
        (LevelNaming(LevelState.UNIDENTIFIED), ["--lumbar", "4"], LevelNaming(LevelState.UNIDENTIFIED, 4)),
    ],
)
def test_a_person_can_say_how_levels_are_counted_and_that_they_are_confirmed(tmp_path, before, options, expected):
    start = written(tmp_path / "in" / "a.mha", named_labelmap(before))
    assert convert(start, "-o", tmp_path / "x.seg.nrrd", *options) == 0
    read = read_segmentation(tmp_path / "x.seg.nrrd").named
    assert read.naming == expected
    assert np.array_equal(read.labelmap.array, labels())


def test_a_dicom_segmentation_of_confirmed_levels_shows_their_names(dicom, tmp_path):
    start = written(tmp_path / "in" / "a.mha", on_dicom(dicom))
    assert convert(start, "-o", tmp_path / "x.dcm", "--dicom", dicom) == 0
    assert convert(start, "-o", tmp_path / "y.dcm", "--dicom", dicom, "--confirmed") == 0
    shown = [pydicom.dcmread(tmp_path / name).SegmentSequence[0].SegmentLabel for name in ("x.dcm", "y.dcm")]
    assert shown == ["Lumbar vertebra 1 (level assumed: L5)", "L5"]


# Warnings and errors


def test_segments_of_other_names_are_an_error_or_left_out_with_a_warning(tmp_path, capsys):
    write_seg_nrrd(tmp_path / "a.seg.nrrd", named_labelmap())
    header = {key: text for key, text in header_texts_of(tmp_path / "a.seg.nrrd").items() if key.startswith("Segment")}
    header |= {"Segment0_Name": "Tumor", "Segment0_Tags": ""}
    write_volume(tmp_path / "b.seg.nrrd", Volume(labels(), GRID), texts=header)
    assert convert(tmp_path / "b.seg.nrrd", "-o", tmp_path / "x.mha") == 1
    assert "found 'Tumor'; rename them, or leave them out" in messages(capsys)[1]
    assert not (tmp_path / "x.mha").exists()
    assert convert(tmp_path / "b.seg.nrrd", "-o", tmp_path / "x.mha", "--skip-unknown") == 0
    assert "warning: b.seg.nrrd: Tumor names no structure of the scheme and is left out" in messages(capsys)[1]
    assert np.array_equal(read_volume(tmp_path / "x.mha").array, np.where(labels() == 1, 0, labels()))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["IN/a.mha", "-o", "OUT/x.mha", "--format", "nrrd"], "--format nrrd contradicts the output x.mha"),
        (["IN/a.mha", "-o", "OUT/x.seg.nrrd", "--format", "nrrd"], "--format nrrd contradicts the output x.seg.nrrd"),
        (["IN/a.mha", "-o", "OUT/x.mhd"], ".mhd would be two files; use .mha"),
        (["IN/a.mha", "-o", "OUT"], "or --format and a folder"),
        (["IN/a.mha", "-o", "OUT", "--format", "png"], "expected the format mha, nii.gz, nrrd, seg.nrrd, dicom-seg, found 'png'"),
        (["IN/a.mha", "-o", "IN/a.mha"], "is the input; choose another output"),
        (["IN/a.mha", "-o", "OUT/x.dcm"], "give its folder with --dicom DIR"),
        (["IN/a.mha", "-o", "OUT/x.mha", "--lumbar", "7"], "--lumbar"),
        (["IN/a.mha"], "--out"),
    ],
)
def test_usage_errors_exit_2_and_write_nothing(tmp_path, capsys, arguments, message):
    written(tmp_path / "in" / "a.mha", named_labelmap())
    filled = [re.sub("^(IN|OUT)", lambda match: str(tmp_path / match.group().lower()), argument) for argument in arguments]
    assert convert(*filled) == 2
    assert message in messages(capsys)[1]
    assert tree(tmp_path) == ["in", "in/a.json", "in/a.mha"]


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("none.mha", [], "none.mha: no such file or folder"),
        ("text.mha", [], "text.mha: not an image"),
        ("text.txt", [], "text.txt: expected a labelmap"),
        ("image.mha", [], "image.mha: expected SPIDER values"),
        ("a.mha", ["--levels", "text.mha"], "not a readable JSON file"),
        ("a.mha", ["--levels", "none.json"], "none.json: no such file"),
        ("a.mha", ["--dicom", "none"], "none: expected the folder of the original DICOM series, found nothing"),
    ],
)
def test_errors_name_the_file_and_exit_1_and_write_nothing(tmp_path, capsys, name, options, message):
    folder = written(tmp_path / "in" / "a.mha", named_labelmap()).parent
    for text in ("text.mha", "text.txt"):
        (folder / text).write_text("nothing")
    write_volume(folder / "image.mha", Volume(np.full(GRID.shape_kji, 150, np.int16), GRID))
    options = [option if option.startswith("--") else folder / option for option in options]
    assert convert(folder / name, "-o", tmp_path / "x.seg.nrrd", *options) == 1
    assert message in messages(capsys)[1]
    assert [path.name for path in tmp_path.iterdir()] == ["in"]


def test_a_series_that_does_not_fit_is_an_error_that_says_how(dicom, tmp_path, capsys):
    start = written(tmp_path / "in" / "a.mha", named_labelmap())
    assert convert(start, "-o", tmp_path / "x.dcm", "--dicom", dicom) == 1
    err = messages(capsys)[1]
    assert "no DICOM series has the voxels of" in err
    assert "3 T2 SAG: 8 x 6 x 5 voxels instead of 9 x 7 x 5" in err
    assert not (tmp_path / "x.dcm").exists()


@pytest.mark.parametrize("existing", ["x.mha", "x.json"])
def test_what_exists_is_kept_unless_overwritten(tmp_path, capsys, existing):
    start = written(tmp_path / "in" / "a.mha", named_labelmap())
    (tmp_path / existing).write_text("mine")
    assert convert(start, "-o", tmp_path / "x.mha") == 1
    assert f"{existing} exists; give --overwrite to replace it" in messages(capsys)[1]
    assert (tmp_path / existing).read_text() == "mine"
    assert convert(start, "-o", tmp_path / "x.mha", "--overwrite") == 0
    assert np.array_equal(read_volume(tmp_path / "x.mha").array, labels())


def test_a_labelmap_beside_the_input_shares_its_sidecar(tmp_path):
    start = written(tmp_path / "in" / "a.mha", named_labelmap())
    record = json.loads((tmp_path / "in" / "a.json").read_text())
    (tmp_path / "in" / "a.json").write_text(json.dumps({**record, "warnings": ["dark"]}))
    assert convert(start, "-o", tmp_path / "in" / "a.nii.gz") == 0
    assert json.loads((tmp_path / "in" / "a.json").read_text()) == {**record, "warnings": ["dark"]}


@pytest.mark.real_data
def test_a_reference_mask_comes_back_exactly_by_way_of_slicer_and_nifti(real_data, tmp_path):
    mask = sorted((real_data / "spider" / "masks_3d").glob("*.mha"))[0]
    for source, target in ((mask, "a.seg.nrrd"), (tmp_path / "a.seg.nrrd", "a.nii.gz"), (tmp_path / "a.nii.gz", "a.mha")):
        assert convert(source, "-o", tmp_path / target, "--overwrite") == 0
    before, after = read_volume(mask), read_volume(tmp_path / "a.mha")
    assert np.array_equal(after.array, before.array)
    assert after.geometry.is_same_grid(before.geometry)
