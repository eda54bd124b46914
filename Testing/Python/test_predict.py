"""`spiderseg predict`: which files it writes, when it refuses, and what it says where."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pydicom
import pytest

from command_line import predict, progress_records, tree
from dicom_files import AXIAL, write_series
from SpiderSegLib.cli import predict as command
from SpiderSegLib.cli.console import BarProgress, JsonProgress
from SpiderSegLib.dicom import list_series, read_series, series_geometry
from SpiderSegLib.errors import Cancelled
from SpiderSegLib.io import read_volume, write_volume
from SpiderSegLib.labels import label_table
from SpiderSegLib.segmentation_files import read_segmentation


@pytest.fixture(autouse=True)
def quiet_network(tiny_weights, monkeypatch):
    """The tiny network wherever --weights is not given."""
    real = command.load_predictor

    def load(options, rank=None):
        return real(replace(options, weights=options.weights or str(tiny_weights)), rank)

    monkeypatch.setattr(command, "load_predictor", load)


def messages(capsys):
    captured = capsys.readouterr()
    assert "Traceback" not in captured.err
    return captured.out, captured.err


def copies(source, folder, *names):
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        write_volume(folder / name, read_volume(source))
    return folder


# ------------------------------------------------------------------------------------------------ which files


@pytest.mark.parametrize(
    ("out", "options", "expected"),
    [
        ("x.mha", [], ["x.json", "x.mha"]),
        ("x.nii.gz", ["--overlay"], ["x.json", "x.nii.gz", "x_overlay.png"]),
        ("x.NII.GZ", ["--format", "nii.gz"], ["x.NII.GZ", "x.json"]),
        ("x.nii", ["--probabilities"], ["x.json", "x.nii", "x_probabilities.nii"]),
        ("sub/new/x.nrrd", [], ["sub", "sub/new", "sub/new/x.json", "sub/new/x.nrrd"]),
        ("x.seg.nrrd", ["--probabilities"], ["x.json", "x.seg.nrrd", "x_probabilities.nrrd"]),
        ("folder", ["--format", "seg.nrrd", "--overlay"], ["folder", "folder/a_t2.json", "folder/a_t2.seg.nrrd", "folder/a_t2_overlay.png"]),
        ("folder", [], ["folder", "folder/a_t2.json", "folder/a_t2.mha"]),
        ("folder.x", ["--format", "nrrd"], ["folder.x", "folder.x/a_t2.json", "folder.x/a_t2.nrrd"]),
        (
            "deep/er",
            ["--overlay", "--probabilities", "--format", "nii.gz"],
            [
                *("deep", "deep/er", "deep/er/a_t2.json", "deep/er/a_t2.nii.gz"),
                *("deep/er/a_t2_overlay.png", "deep/er/a_t2_probabilities.nii.gz"),
            ],
        ),
    ],
)
def test_one_series_writes_exactly_these_files(series_file, tmp_path, out, options, expected):
    (tmp_path / "out").mkdir()
    assert predict(series_file, "-o", tmp_path / "out" / out, *options) == 0
    assert tree(tmp_path / "out") == expected


def test_a_folder_gives_each_of_its_series_by_stem_and_no_subfolder(series_file, tmp_path):
    source = copies(series_file, tmp_path / "many", "b.nii.gz", "c.nrrd", "1.2_t1.mha", ".hidden.mha", "deeper.mha", "c.seg.nrrd")
    (source / "sub").mkdir()
    (source / "deeper.mha").rename(source / "sub" / "deeper.mha")
    (source / "notes.txt").write_text("not a series")
    assert predict(source, "-o", tmp_path / "out") == 0
    assert tree(tmp_path / "out") == ["1.2_t1.json", "1.2_t1.mha", "b.json", "b.mha", "c.json", "c.mha"]


def test_files_and_folders_can_be_mixed(series_file, tmp_path):
    source = copies(series_file, tmp_path / "many", "b.mha")
    assert predict(series_file, source, "-o", tmp_path / "out") == 0
    assert tree(tmp_path / "out") == ["a_t2.json", "a_t2.mha", "b.json", "b.mha"]


def test_an_existing_folder_with_a_suffix_stays_a_folder(series_file, tmp_path):
    (tmp_path / "out.mha").mkdir()
    assert predict(series_file, "-o", tmp_path / "out.mha") == 0
    assert tree(tmp_path / "out.mha") == ["a_t2.json", "a_t2.mha"]


def test_a_study_writes_every_sagittal_lumbar_series_and_lists_the_rest(tmp_path, capsys):
    write_series(tmp_path / "case", 2, "T1 SAG")
    write_series(tmp_path / "case", 3, "T2 SAG")
    write_series(tmp_path / "case", 4, "T2 AX", orientation=AXIAL)
    assert predict(tmp_path / "case", "-o", tmp_path / "out") == 0
    assert tree(tmp_path / "out") == ["case_2_T1_SAG.json", "case_2_T1_SAG.mha", "case_3_T2_SAG.json", "case_3_T2_SAG.mha"]
    assert f"left out: {tmp_path / 'case'} (4 T2 AX): axial, not sagittal" in messages(capsys)[1]


def test_a_selected_series_of_a_study_is_one_series(tmp_path):
    write_series(tmp_path / "case", 2, "T1 SAG")
    write_series(tmp_path / "case", 4, "T2 AX", orientation=AXIAL)
    assert predict(tmp_path / "case", "-o", tmp_path / "x.nii.gz", "--series", "4") == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["case", "x.json", "x.nii.gz"]


# ------------------------------------------------------------------------------------------------ what is in them


@pytest.mark.parametrize("source", ["mha", "nrrd", "nii.gz"])
@pytest.mark.parametrize("target", ["mha", "nrrd", "nii.gz"])
def test_the_outputs_lie_on_the_input_s_own_grid(small_series, tmp_path, source, target):
    write_volume(tmp_path / f"a.{source}", small_series)
    assert predict(tmp_path / f"a.{source}", "-o", tmp_path / "out", "--format", target, "--probabilities") == 0
    given = read_volume(tmp_path / f"a.{source}")
    for name in ("a", "a_probabilities"):
        written = read_volume(tmp_path / "out" / f"{name}.{target}")
        assert written.array.dtype == np.uint8
        if target == "mha" or source == target:
            assert written.geometry == given.geometry
        np.testing.assert_allclose(written.geometry.affine_lps, given.geometry.affine_lps, rtol=2e-7, atol=1e-5)


@pytest.mark.parametrize("name", ["x.mha", "x.nrrd", "x.seg.nrrd"])
def test_the_labelmap_itself_says_model_level_state_and_research_only(series_file, tmp_path, name):
    predict(series_file, "-o", tmp_path / name, "--probabilities")
    probabilities = next(tmp_path.glob("x_probabilities.*"))
    for path in (tmp_path / name, probabilities):
        header = read_volume(path).header
        assert header["SpiderSeg.Notice"] == "Research use only, not for diagnosis"
        assert header["SpiderSeg.Model"] == "tiny"
        assert header["SpiderSeg.LevelState"] == json.loads((tmp_path / "x.json").read_text())["level_state"]["state"]


def test_a_slicer_segmentation_holds_the_same_values_as_a_labelmap(series_file, tmp_path):
    predict(series_file, "-o", tmp_path / "x.mha")
    predict(series_file, "-o", tmp_path / "y.seg.nrrd")
    read = read_segmentation(tmp_path / "y.seg.nrrd")
    assert np.array_equal(read.named.labelmap.array, read_volume(tmp_path / "x.mha").array)
    assert read.named.labelmap.geometry.is_same_grid(read_volume(series_file).geometry)


def drawing_one_vertebra(monkeypatch):
    """The tiny network finds nothing; here it has drawn one vertebra in the middle slice."""
    from SpiderSegLib import pipeline

    real = pipeline.segment

    def segment(volume, *arguments):
        array = np.zeros(volume.array.shape, np.uint8)
        array[2, 1:3, 1:3] = 1
        return replace(real(volume, *arguments), labelmap=volume.with_array(array))

    monkeypatch.setattr(pipeline, "segment", segment)


def test_a_dicom_study_gives_dicom_segmentations_of_its_own_series(tmp_path, monkeypatch):
    drawing_one_vertebra(monkeypatch)
    write_series(tmp_path / "case", 3, "T2 SAG", FrameOfReferenceUID="1.2.3")
    write_series(tmp_path / "case", 2, "T1 SAG", FrameOfReferenceUID="1.2.3")
    assert predict(tmp_path / "case", "-o", tmp_path / "out", "--format", "dicom-seg") == 0
    assert tree(tmp_path / "out") == ["case_2_T1_SAG.dcm", "case_2_T1_SAG.json", "case_3_T2_SAG.dcm", "case_3_T2_SAG.json"]
    for number, name in ((0, "case_2_T1_SAG.dcm"), (1, "case_3_T2_SAG.dcm")):
        series = list_series(tmp_path / "case")[number]
        dataset = pydicom.dcmread(tmp_path / "out" / name)
        assert dataset.ReferencedSeriesSequence[0].SeriesInstanceUID == series.uid
        assert dataset.SegmentSequence[0].SegmentAlgorithmType == "AUTOMATIC"
        assert read_segmentation(tmp_path / "out" / name).named.labelmap.geometry == series_geometry(series)


def test_an_image_file_gives_a_dicom_segmentation_of_the_series_it_was_made_of(tmp_path, monkeypatch, capsys):
    drawing_one_vertebra(monkeypatch)
    for number, name in ((2, "T1 SAG"), (3, "T2 SAG")):
        write_series(tmp_path / "case", number, name, FrameOfReferenceUID="1.2.3")
    write_volume(tmp_path / "a.nii.gz", read_series(list_series(tmp_path / "case")[1]))
    arguments = (tmp_path / "a.nii.gz", "-o", tmp_path / "x.dcm", "--dicom", tmp_path / "case")
    assert predict(*arguments) == 1
    assert "2 series have the voxels of" in messages(capsys)[1]
    assert not (tmp_path / "x.dcm").exists()
    assert predict(*arguments, "--series", "3") == 0
    assert pydicom.dcmread(tmp_path / "x.dcm").ReferencedSeriesSequence[0].SeriesInstanceUID == list_series(tmp_path / "case")[1].uid


def test_a_series_that_does_not_fit_is_said_before_the_network_runs(series_file, tmp_path, monkeypatch, capsys):
    from SpiderSegLib import pipeline

    monkeypatch.setattr(pipeline, "segment", lambda *_: pytest.fail("the network ran"))
    write_series(tmp_path / "case", 3, "T2 SAG", FrameOfReferenceUID="1.2.3")
    assert predict(series_file, "-o", tmp_path / "x.dcm", "--dicom", tmp_path / "case") == 1
    assert "3 T2 SAG: 8 x 6 x 5 voxels instead of 56 x 64 x 5" in messages(capsys)[1]


def test_a_series_in_which_nothing_is_found_gives_no_dicom_segmentation(tmp_path, monkeypatch, capsys):
    from SpiderSegLib import pipeline

    real = pipeline.segment
    monkeypatch.setattr(
        pipeline, "segment", lambda volume, *more: replace(real(volume, *more), labelmap=volume.with_array(np.zeros_like(volume.array, np.uint8)))
    )
    write_series(tmp_path / "case", 3, "T2 SAG", FrameOfReferenceUID="1.2.3")
    assert predict(tmp_path / "case", "-o", tmp_path / "x.dcm") == 1
    assert "nothing is segmented, and a DICOM SEG can't be empty" in messages(capsys)[1]
    assert [path.name for path in tmp_path.iterdir()] == ["case"]


def test_the_labelmap_holds_spider_values_only(series_file, tmp_path):
    predict(series_file, "-o", tmp_path / "x.mha")
    assert set(np.unique(read_volume(tmp_path / "x.mha").array).tolist()) <= {0, *label_table()}


def test_the_sidecar_tells_what_was_run_and_found(series_file, tmp_path, tiny_weights):
    assert predict(series_file, "-o", tmp_path / "x.mha", "--weights", tiny_weights) == 0
    content = json.loads((tmp_path / "x.json").read_text())
    assert content["notice"] == "Research use only, not for diagnosis"
    assert content["model"]["id"] == "tiny"
    assert re.fullmatch("[0-9a-f]{64}", content["model"]["sha256"])
    assert content["device"]["device"] == "cpu"
    assert content["device"]["plan"]
    assert content["sequence"] == {"guess": "T2", "source": "name"}
    assert set(content["seconds"]) >= {"import", "read", "preprocess", "network", "resample", "number"}
    assert isinstance(content["warnings"], list)
    assert all({"name", "state", "confidence", "volume_mm3"} <= set(level) for level in content["levels"])


def test_mirroring_is_noted(series_file, tmp_path):
    assert predict(series_file, "-o", tmp_path / "x.mha", "--mirror") == 0
    assert json.loads((tmp_path / "x.json").read_text())["device"]["mirrored"] is True


# ------------------------------------------------------------------------------------------------ usage errors


@pytest.fixture
def nothing_runs(monkeypatch):
    monkeypatch.setattr(command, "load_predictor", lambda *_: pytest.fail("the network was loaded"))


@pytest.mark.usefixtures("nothing_runs")
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["IN/a_t2.mha", "-o", "OUT/x.mha", "--format", "nrrd"], "--format nrrd contradicts the output x.mha"),
        (["IN/a_t2.mha", "-o", "OUT/x.nii.gz", "--format", "mha"], "--format mha contradicts the output x.nii.gz"),
        (["IN/a_t2.mha", "-o", "OUT/x.mhd"], ".mhd would be two files; use .mha"),
        (["IN/a_t2.mha", "-o", "OUT", "--format", "png"], "expected the format mha, nii.gz, nrrd, seg.nrrd, dicom-seg, found 'png'"),
        (["IN/a_t2.mha", "-o", "OUT/x.nrrd", "--format", "seg.nrrd"], "--format seg.nrrd contradicts the output x.nrrd"),
        (["IN/a_t2.mha", "-o", "OUT/x.dcm"], "a_t2.mha with --dicom DIR"),
        (["IN/a_t2.mha", "-o", "OUT", "--format", "dicom-seg"], "a_t2.mha with --dicom DIR"),
        (["IN/a_t2.mha", "-o", "OUT", "--dicom", "OUT"], "give --format dicom-seg too"),
        (["IN/a_t2.mha", "-o", "OUT", "--progress", "loud"], "expected bar, json or none, found 'loud'"),
        (["IN/a_t2.mha", "IN/a_t2.mha", "-o", "OUT"], "several inputs would be written to"),
        (["IN", "IN/a_t2.mha", "-o", "OUT"], "several inputs would be written to"),
        (["IN/a_t2.mha", "-o", "IN"], "is an input; choose another output"),
        (["IN/a_t2.mha", "-o", "IN/a_t2.mha"], "is an input; choose another output"),
        (["IN/a_t2.mha", "-o", "IN/../in/a_t2.mha", "--overwrite"], "is an input; choose another output"),
        (["IN/a_t2.mha", "-o", "OUT", "--series", "3"], "--series selects in a DICOM folder"),
        (["IN/a_t2.mha"], "--out"),
        (["-o", "OUT"], "INPUT"),
        (["IN/a_t2.mha", "-o", "OUT", "--nonsense"], "--nonsense"),
    ],
)
def test_usage_errors_exit_2_before_anything_runs(series_file, tmp_path, capsys, arguments, message):
    places = {"IN": str(series_file.parent), "OUT": str(tmp_path / "out")}
    filled = [re.sub("^(IN|OUT)", lambda match: places[match.group()], argument) for argument in arguments]
    before = series_file.read_bytes()
    assert predict(*filled) == 2
    out, err = messages(capsys)
    assert message in re.sub(r"\s+", " ", err)
    assert out == ""
    assert tree(tmp_path) == ["in", "in/a_t2.mha"]
    assert series_file.read_bytes() == before


@pytest.mark.usefixtures("nothing_runs")
def test_two_inputs_of_one_stem_are_a_usage_error(series_file, tmp_path, capsys):
    source = copies(series_file, tmp_path / "many", "a.mha", "a.nii.gz", "b.mha")
    assert predict(source, "-o", tmp_path / "out") == 2
    err = re.sub(r"\s+", " ", messages(capsys)[1])
    assert "a.mha" in err
    assert "a.nii.gz" in err
    assert not (tmp_path / "out").exists()


@pytest.mark.usefixtures("nothing_runs")
def test_an_output_named_like_another_input_s_side_output_is_a_usage_error(series_file, tmp_path):
    source = copies(series_file, tmp_path / "many", "a.mha", "a_probabilities.mha")
    assert predict(source, "-o", tmp_path / "out", "--probabilities") == 2


@pytest.mark.usefixtures("nothing_runs")
def test_a_link_to_the_input_is_the_input(series_file, tmp_path):
    (tmp_path / "link.mha").hardlink_to(series_file)
    assert predict(series_file, "-o", tmp_path / "link.mha", "--overwrite") == 2


# ------------------------------------------------------------------------------------------------ existing outputs


@pytest.mark.usefixtures("nothing_runs")
@pytest.mark.parametrize("existing", ["x.mha", "x.json"])
def test_an_existing_output_of_a_single_file_is_kept(series_file, tmp_path, capsys, existing):
    (tmp_path / existing).write_text("mine")
    assert predict(series_file, "-o", tmp_path / "x.mha") == 1
    assert "--overwrite" in messages(capsys)[1]
    assert (tmp_path / existing).read_text() == "mine"
    assert tree(tmp_path) == sorted(["in", "in/a_t2.mha", existing])


def test_overwrite_replaces_all_outputs(series_file, tmp_path):
    for name in ("x.mha", "x.json", "x_overlay.png"):
        (tmp_path / name).write_text("old")
    assert predict(series_file, "-o", tmp_path / "x.mha", "--overwrite", "--overlay") == 0
    assert (tmp_path / "x_overlay.png").read_bytes().startswith(b"\x89PNG")
    assert json.loads((tmp_path / "x.json").read_text())["schema"] == 1
    assert read_volume(tmp_path / "x.mha").geometry == read_volume(series_file).geometry


def test_a_batch_skips_and_counts_what_exists(series_file, tmp_path, capsys):
    source = copies(series_file, tmp_path / "many", "a.mha", "b.mha")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "a.mha").write_text("mine")
    assert predict(source, "-o", tmp_path / "out") == 0
    assert "1 segmented, 1 skipped because their output exists (--overwrite replaces them), 0 failed" in messages(capsys)[1]
    assert tree(tmp_path / "out") == ["a.mha", "b.json", "b.mha"]
    assert (tmp_path / "out" / "a.mha").read_text() == "mine"


def test_two_processes_share_a_folder_and_together_segment_it_once(series_file, tmp_path, monkeypatch, capsys):
    source, written = copies(series_file, tmp_path / "many", "a.mha", "b.mha", "c.mha"), []
    monkeypatch.setenv("WORLD_SIZE", "2")
    for rank in ("0", "1", "1"):
        monkeypatch.setenv("RANK", rank)
        assert predict(source, "-o", tmp_path / "out", "--device", "cpu") == 0
        written.append(sorted(path.name for path in (tmp_path / "out").glob("*.mha")))
    assert written == [["a.mha", "c.mha"], ["a.mha", "b.mha", "c.mha"], ["a.mha", "b.mha", "c.mha"]]
    assert "0 segmented, 1 skipped" in messages(capsys)[1]  # a share of one series is still part of a batch


def test_under_torchrun_a_process_that_fails_does_not_end_the_others(series_file, tiny_weights, tmp_path):
    # All that the first process has fails, so that it is done seconds before the second.
    good = [f"{number:02}.mha" for number in range(1, 40, 2)]
    source = copies(series_file, tmp_path / "many", *good)
    for number in range(0, 40, 2):
        (source / f"{number:02}.mha").write_text("no image")
    command_line = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "SpiderSegLib", "predict"]
    arguments = [source, "-o", tmp_path / "out", "--weights", tiny_weights, "--device", "cpu", "--progress", "none"]
    finished = subprocess.run([*command_line, *map(str, arguments)], capture_output=True, text=True, timeout=300, check=False)
    assert finished.returncode == 1
    assert "00.mha" in finished.stderr
    assert sorted(path.name for path in (tmp_path / "out").glob("*.mha")) == good, finished.stderr


def test_a_rank_beyond_the_number_of_processes_is_an_error(series_file, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", "2")
    assert predict(series_file, "-o", tmp_path / "out") == 1
    assert "found 2 of 2" in messages(capsys)[1]


@pytest.mark.usefixtures("nothing_runs")
def test_a_batch_that_is_done_loads_nothing(series_file, tmp_path, capsys):
    source = copies(series_file, tmp_path / "many", "a.mha", "b.mha")
    (tmp_path / "out").mkdir()
    for name in ("a.mha", "b.mha"):
        (tmp_path / "out" / name).touch()
    assert predict(source, "-o", tmp_path / "out") == 0
    assert "0 segmented, 2 skipped" in messages(capsys)[1]


# ------------------------------------------------------------------------------------------------ batches


def test_a_batch_goes_on_after_a_bad_series_and_exits_1(series_file, tmp_path, capsys, monkeypatch):
    source = copies(series_file, tmp_path / "many", "a.mha", "c.mha")
    (source / "b.mha").write_text("no image")
    loads = []
    real = command.load_predictor
    monkeypatch.setattr(command, "load_predictor", lambda *given: (loads.append(1), real(*given))[1])
    assert predict(source, tmp_path / "missing.mha", "-o", tmp_path / "out", "--progress", "none") == 1
    out, err = messages(capsys)
    assert out == ""
    assert loads == [1]
    assert tree(tmp_path / "out") == ["a.json", "a.mha", "c.json", "c.mha"]
    assert "2 segmented, 0 skipped" in err
    assert "2 failed" in err
    assert f"failed: {source / 'b.mha'}" in err
    assert f"error: {tmp_path / 'missing.mha'}: no such file or folder" in err


def test_running_out_of_memory_fails_the_series_and_not_the_batch(series_file, tmp_path, capsys, monkeypatch):
    from SpiderSegLib import pipeline

    source = copies(series_file, tmp_path / "many", "a.mha", "b.mha")
    real = pipeline.segment

    def segment(volume, *arguments):
        if volume.name.endswith("a.mha"):
            raise MemoryError
        return real(volume, *arguments)

    monkeypatch.setattr(pipeline, "segment", segment)
    assert predict(source, "-o", tmp_path / "out") == 1
    assert "a.mha: not enough memory" in messages(capsys)[1]
    assert tree(tmp_path / "out") == ["b.json", "b.mha"]


# ------------------------------------------------------------------------------------------------ what is said


def test_json_progress_is_all_there_is_on_stdout_and_never_falls(series_file, tmp_path, capsys):
    source = copies(series_file, tmp_path / "many", "a.mha", "b.mha", "c.mha")
    (source / "b.mha").write_text("no image")
    assert predict(source, "-o", tmp_path / "out", "--overlay", "--progress", "json") == 1
    out, err = messages(capsys)
    records = progress_records(out)
    assert all(set(record) == {"stage", "fraction", "message"} for record in records)
    fractions = [record["fraction"] for record in records]
    assert fractions[0] == 0
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1
    assert [record["stage"] for record in records if record["message"] == "c"][-1] == "write"
    assert {record["stage"] for record in records} == {"import", "read", "preprocess", "network", "resample", "number", "write"}
    assert "error: " in err


def test_no_progress_says_nothing_but_warnings(series_file, tmp_path, capsys):
    assert predict(series_file, "-o", tmp_path / "x.mha", "--progress", "none") == 0
    out, err = messages(capsys)
    assert out == ""
    assert all(line.startswith("warning: ") for line in err.splitlines())


def test_the_bar_ends_with_the_table_of_levels(series_file, tmp_path, capsys):
    assert predict(series_file, "-o", tmp_path / "x.mha") == 0
    out, err = messages(capsys)
    assert str(tmp_path / "x.mha") in out
    assert "confidence" in out
    assert "100%" in err or "a_t2" in err


@pytest.mark.parametrize("style", ["bar", "json", "none"])
def test_warnings_go_to_stderr_whatever_the_progress(series_file, tmp_path, capsys, style):
    axial = read_volume(series_file)
    write_volume(tmp_path / "axial.mha", type(axial)(axial.array, with_direction(axial.geometry, tuple(np.eye(3).ravel()))))
    assert predict(tmp_path / "axial.mha", "-o", tmp_path / "x.mha", "--progress", style) == 0
    assert "warning: axial.mha: the series is not sagittal" in messages(capsys)[1]


def with_direction(geometry, direction):
    return replace(geometry, direction=direction)


def test_progress_never_falls_when_a_run_starts_again_on_less_memory(capsys):
    progress = JsonProgress("a", 0.5, 0.5)
    for share in (0.2, 0.6, 0.1, 0.9):
        progress.report("network", share)
    assert [record["fraction"] for record in progress_records(capsys.readouterr().out)] == [0.6, 0.8, 0.8, 0.95]


def test_a_reader_that_is_gone_stops_the_run(monkeypatch, tmp_path):
    class Gone:
        def write(self, text):
            raise BrokenPipeError

        def fileno(self):
            return file.fileno()

    with (tmp_path / "x").open("w") as file:
        monkeypatch.setattr("sys.stdout", Gone())
        with pytest.raises(Cancelled):
            JsonProgress("a").report("read", 0.1)


def test_a_bar_that_is_closed_leaves_no_line(capsys):
    bar = BarProgress("a")
    bar.report("read", 0.4)
    bar.close()
    assert capsys.readouterr().err.endswith("\r")


def test_an_unforeseen_error_is_one_line_and_exit_3(series_file, tmp_path, capsys, monkeypatch):
    from SpiderSegLib import pipeline

    monkeypatch.setattr(pipeline, "segment", lambda *arguments: 1 / 0)
    assert predict(series_file, "-o", tmp_path / "x.mha") == 3
    assert "internal error: ZeroDivisionError" in messages(capsys)[1]


@pytest.mark.parametrize("device", ["tpu", "cuda:", "cuda:99"])
def test_a_device_that_is_not_there_is_an_error(series_file, tmp_path, capsys, device):
    assert predict(series_file, "-o", tmp_path / "x.mha", "--device", device) == 1
    assert device in messages(capsys)[1]
    assert tree(tmp_path) == ["in", "in/a_t2.mha"]
