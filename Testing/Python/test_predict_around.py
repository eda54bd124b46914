"""`spiderseg predict --around` and `--replace`: files, refusals, messages and exit codes; what is drawn is tested in test_around."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from command_line import predict, progress_records, tree
from small_column import ToldPredictor, column, geometry, labelmap, probabilities, rows_of, series, without
from SpiderSegLib.cli import predict as command
from SpiderSegLib.io import read_labelmap, write_volume
from SpiderSegLib.network import load_checkpoint, save_checkpoint
from SpiderSegLib.preprocessing import PreprocessingConfig
from SpiderSegLib.segmentation_files import read_segmentation

#: The middle of vertebra 3 of the column, in LPS millimetres: slice 4, row 60, column 22.
POINT = "-46,-7,0"

ROWS = rows_of(3)


@pytest.fixture(scope="module")
def weights(tiny_weights, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "column.pt"
    save_checkpoint(path, replace(load_checkpoint(tiny_weights), preprocessing=PreprocessingConfig(in_plane_spacing_mm=1.5)))
    return path


@pytest.fixture(autouse=True)
def sees_the_column(weights, monkeypatch):
    monkeypatch.setattr(command, "load_predictor", lambda options, rank=None: ToldPredictor(weights, probabilities(column())))


@pytest.fixture
def files(tmp_path) -> Path:
    """a.mha, and kept.mha without vertebra 3, in the folder in/; results go to out/."""
    folder = tmp_path / "in"
    folder.mkdir()
    write_volume(folder / "a.mha", series(column()))
    write_volume(folder / "kept.mha", labelmap(without(column(), 3)))
    return folder


def around(files: Path, *more: object, out: str = "x.mha", point: str = POINT, structure: str = "vertebra") -> int:
    return predict(
        files / "a.mha", "-o", files.parent / "out" / out, "--around", point, "--structure", structure, "--keep", files / "kept.mha", *more
    )


def results(files: Path) -> list[str]:
    return tree(files.parent / "out") if (files.parent / "out").exists() else []


def test_the_middle_of_vertebra_3_is_where_the_tests_say():
    assert (ROWS.start + ROWS.stop) // 2 == 60
    assert (geometry().affine_lps @ [22, 60, 4, 1])[:3].tolist() == [-46.0, -7.0, 0.0]


def test_the_labels_kept_and_the_new_one_are_written_with_a_sidecar(files, capsys):
    assert around(files) == 0
    assert results(files) == ["x.json", "x.mha"]
    np.testing.assert_array_equal(read_labelmap(files.parent / "out" / "x.mha").array, column())
    sidecar = json.loads((files.parent / "out" / "x.json").read_text(encoding="utf-8"))
    (added,) = sidecar["added"]
    assert sidecar["notice"] == "Research use only, not for diagnosis"
    assert (added["value"], added["structure"], added["click_lps_mm"], added["kept"]) == (3, "vertebra", [-46.0, -7.0, 0.0], "kept.mha")
    assert added["volume_mm3"] == np.count_nonzero(column() == 3) * 9.0
    assert {"confidence", "threshold", "box", "center_lps_mm", "model", "seconds"} <= set(added)
    assert "vertebra 3 added" in capsys.readouterr().out


def test_only_writes_the_new_one_alone(files):
    assert around(files, "--only") == 0
    np.testing.assert_array_equal(read_labelmap(files.parent / "out" / "x.mha").array, np.where(column() == 3, 3, 0))


@pytest.mark.parametrize("name", ["x.nii.gz", "x.nrrd", "x.seg.nrrd"])
def test_every_labelmap_format_holds_the_same(files, name):
    assert around(files, out=name) == 0
    np.testing.assert_array_equal(read_segmentation(files.parent / "out" / name).named.labelmap.array, column())


def test_replace_takes_the_point_inside_the_label_and_its_structure(files):
    smaller = column()
    smaller[:, ROWS.start : ROWS.start + 4][smaller[:, ROWS.start : ROWS.start + 4] == 3] = 0
    write_volume(files / "kept.mha", labelmap(smaller))
    assert predict(files / "a.mha", "-o", files.parent / "out" / "x.mha", "--replace", 3, "--keep", files / "kept.mha") == 0
    np.testing.assert_array_equal(read_labelmap(files.parent / "out" / "x.mha").array, column())


def test_a_point_may_follow_an_equals_sign(files):
    arguments = ("-o", files.parent / "out" / "x.mha", f"--around={POINT}", "--structure", "vertebra", "--keep", files / "kept.mha")
    assert predict(files / "a.mha", *arguments) == 0


def test_progress_is_reported_in_the_stages_of_a_whole_run(files, capsys):
    assert around(files, "--progress", "json") == 0
    records = progress_records(capsys.readouterr().out)
    assert [record["stage"] for record in records] == ["import", "read", "preprocess", "network", "network", "resample", "number", "write"]
    fractions = [record["fraction"] for record in records]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1


def test_nothing_found_is_a_failure_with_a_message_and_no_file(files, capsys):
    assert around(files, point="-46,-35,80") == 1
    out, err = capsys.readouterr()
    assert "error: nothing found: the network sees no vertebra within 5 mm of the point" in err
    assert results(files) == []
    assert "added" not in out


def test_a_structure_below_level_1_is_written_only_with_the_others_shifted(files, capsys):
    lower = without(column(), 1, 201)
    counted = np.where((lower > 0) & (lower != 100), lower.astype(int) - 1, lower).astype(np.uint8)
    write_volume(files / "kept.mha", labelmap(counted))
    point = "-46,-7,-66"
    assert around(files, point=point) == 1
    assert "--shift-others" in capsys.readouterr().err
    assert results(files) == []
    assert around(files, "--shift-others", point=point) == 0
    np.testing.assert_array_equal(read_labelmap(files.parent / "out" / "x.mha").array, without(column(), 201))
    assert around(files, "--only", "--overwrite", point=point) == 0
    (added,) = json.loads((files.parent / "out" / "x.json").read_text(encoding="utf-8"))["added"]
    assert (added["value"], added["needs_shift"], added["shifted_by"]) == (1, 1, 0)


def test_an_existing_result_is_kept_without_overwrite(files, capsys):
    assert around(files) == 0
    before = (files.parent / "out" / "x.mha").read_bytes()
    assert around(files, "--value", 103) == 1
    assert "--overwrite" in capsys.readouterr().err
    assert (files.parent / "out" / "x.mha").read_bytes() == before
    assert around(files, "--value", 103, "--overwrite") == 0
    assert 103 in read_labelmap(files.parent / "out" / "x.mha").array


def test_the_sidecar_of_the_labelmap_is_carried_on(files):
    record = {
        "level_state": {"state": "confirmed"},
        "model": {"id": "earlier"},
        "levels": [{"value": 2, "confidence": 0.8}],
        "sequence": {"guess": "T1"},
    }
    (files / "kept.json").write_text(json.dumps(record), encoding="utf-8")
    assert around(files) == 0
    sidecar = json.loads((files.parent / "out" / "x.json").read_text(encoding="utf-8"))
    assert sidecar["level_state"]["state"] == "confirmed"
    assert sidecar["sequence"] == {"guess": "T1"}
    assert {row["value"]: row.get("confidence") for row in sidecar["levels"]}[2] == 0.8
    assert (sidecar["model"]["id"], sidecar["added"][0]["model"]["id"]) == ("earlier", "tiny")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--structure", "disc"], "--structure goes with --around"),
        (["--keep", "KEPT"], "--keep goes with --around"),
        (["--value", "3"], "--value goes with --around"),
        (["--only"], "--only goes with --around"),
        (["--shift-others"], "--shift-others goes with --around"),
        (["--around", POINT, "--structure", "disc"], "give it with --keep LABELMAP"),
        (["--around", POINT, "--keep", "KEPT"], "give --structure vertebra or --structure disc"),
        (["--around", POINT, "--keep", "KEPT", "--structure", "rib"], "expected vertebra or disc, found 'rib'"),
        (["--around", "1,2", "--keep", "KEPT", "--structure", "disc"], "expected a point X,Y,Z"),
        (["--around", "1,2,x", "--keep", "KEPT", "--structure", "disc"], "expected a point X,Y,Z"),
        (["--replace", "100", "--keep", "KEPT"], "value of a vertebra or disc, found 100"),
        (["--replace", "99", "--keep", "KEPT"], "expected a SPIDER value"),
        (["--replace", "203", "--keep", "KEPT", "--structure", "vertebra"], "value of a vertebra, found 203"),
        (["--around", POINT, "--keep", "KEPT", "--structure", "disc", "--overlay"], "--overlay does not go with --around"),
        (["--around", POINT, "--keep", "KEPT", "--structure", "disc", "--probabilities"], "--probabilities does not go with --around"),
        (["--around", POINT, "--keep", "KEPT", "--structure", "disc", "--format", "dicom-seg"], "don't write DICOM SEG"),
    ],
)
def test_what_does_not_go_together_is_a_usage_error(files, capsys, options, message):
    given = [str(files / "kept.mha") if option == "KEPT" else option for option in options]
    assert predict(files / "a.mha", "-o", files.parent / "out", *given) == 2
    assert message in " ".join(capsys.readouterr().err.split())
    assert results(files) == []


def test_several_series_are_a_usage_error(files, capsys):
    write_volume(files / "b.mha", series(column()))
    assert predict(files, "-o", files.parent / "out", "--around", POINT, "--structure", "disc", "--keep", files / "kept.mha") == 2
    assert "exactly one series, found 3" in capsys.readouterr().err


@pytest.mark.parametrize("out", ["kept.mha", "kept.nrrd"])
def test_the_labelmap_to_keep_and_its_sidecar_are_not_overwritten(files, capsys, out):
    (files / "kept.json").write_text("{}", encoding="utf-8")
    before = (files / "kept.mha").read_bytes(), (files / "kept.json").read_bytes()
    arguments = ("--around", POINT, "--structure", "vertebra", "--keep", files / "kept.mha", "--overwrite")
    assert predict(files / "a.mha", "-o", files / out, *arguments) == 2
    assert "choose another output" in capsys.readouterr().err
    assert ((files / "kept.mha").read_bytes(), (files / "kept.json").read_bytes()) == before


@pytest.mark.parametrize(("keep", "message"), [("missing.mha", "no such file"), ("a.mha", "expected SPIDER values")])
def test_a_labelmap_that_is_none_is_an_error(files, capsys, keep, message):
    out = files.parent / "out" / "x.mha"
    assert predict(files / "a.mha", "-o", out, "--around", POINT, "--structure", "vertebra", "--keep", files / keep) == 1
    err = capsys.readouterr().err
    assert keep in err
    assert message in err
    assert results(files) == []


def test_a_labelmap_of_another_series_is_an_error_that_names_it(files, capsys):
    moved = replace(geometry(), origin_lps_mm=(-30.0, -40.0, 95.0))
    write_volume(files / "kept.mha", labelmap(without(column(), 3), moved))
    assert around(files) == 1
    assert f"{files / 'kept.mha'}: expected a labelmap on the grid of the series" in capsys.readouterr().err
