"""`spiderseg lint`: which files it looks at, what it writes, and its exit codes."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from small_column import Column, column, geometry, labelmap, series, without
from SpiderSegLib.cli.main import run
from SpiderSegLib.io import write_volume
from SpiderSegLib.level_names import LevelNaming
from SpiderSegLib.linter import Finding
from SpiderSegLib.segmentation_files import NamedLabelmap, write_seg_nrrd
from SpiderSegLib.volume import Geometry


def crumbed() -> Column:
    """A right column but for a crumb: a note."""
    labels = column()
    labels[4, 2, 68:70] = 3
    return labels


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """masks/ and images/ of a right series, one with a crumb, and one without vertebra 3."""
    for folder in ("masks", "images"):
        (tmp_path / folder).mkdir()
    for name, labels in (("1_t1", column()), ("2_t1", crumbed()), ("3_t1", without(column(), 3))):
        write_volume(tmp_path / "masks" / f"{name}.mha", labelmap(labels))
        write_volume(tmp_path / "images" / f"{name}.mha", series(labels))
    return tmp_path


def test_a_data_set_is_looked_at_with_a_summary_by_rule(root, capsys):
    assert run(["lint", str(root)]) == 0
    out = capsys.readouterr().out
    assert "3_t1\n  error   numbering-gap" in out
    assert "3 labelmaps looked at; nothing found in 2; 1 less severe findings are not shown (--severity note)" in out
    assert "numbering-gap: 1 error in 1 series\n    label the level left out" in out
    assert "2_t1" not in out


def test_a_right_file_has_nothing_found(root, capsys):
    assert run(["lint", str(root / "masks" / "1_t1.mha")]) == 0
    assert capsys.readouterr().out.strip() == "1 labelmaps looked at; nothing found in 1"


@pytest.mark.parametrize(("severity", "names"), [("note", {"2_t1", "3_t1"}), ("warning", {"3_t1"}), ("error", {"3_t1"})])
def test_severity_chooses_what_is_shown_and_not_what_is_written(root, severity, names, tmp_path, capsys):
    assert run(["lint", str(root), "--severity", severity, "--json", str(tmp_path / "a.json")]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert {line for line in lines if line in ("1_t1", "2_t1", "3_t1")} == names
    content = json.loads((tmp_path / "a.json").read_text())
    assert [[each["rule"] for each in one["findings"]][:1] for one in content["series"]] == [[], ["islands"], ["numbering-gap"]]


def test_another_severity_is_a_usage_error(root):
    assert run(["lint", str(root), "--severity", "fatal"]) == 2


def test_strict_exits_with_1_on_an_error_alone(root):
    masks = root / "masks"
    assert run(["lint", "--strict", str(masks / "1_t1.mha"), str(masks / "2_t1.mha")]) == 0
    assert run(["lint", "--strict", str(masks / "3_t1.mha")]) == 1
    assert run(["lint", str(masks / "3_t1.mha")]) == 0


def test_csv_has_a_row_and_json_a_record_for_each_finding(root, tmp_path):
    assert run(["lint", str(root / "masks" / "2_t1.mha"), "--csv", str(tmp_path / "a.csv"), "--json", str(tmp_path / "a.json")]) == 0
    with (tmp_path / "a.csv").open(newline="") as file:
        (row,) = csv.DictReader(file)
    assert (row["series"], row["rule"], row["severity"], row["value"]) == ("2_t1", "islands", "note", "3")
    content = json.loads((tmp_path / "a.json").read_text())
    finding = Finding.from_dict(content["series"][0]["findings"][0])
    assert [float(row[f"{axis}_lps_mm"]) for axis in "xyz"] == list(finding.location_lps_mm)
    assert (row["message"], row["advice"]) == (finding.message, finding.advice)
    assert content["rules"]["islands"]["note"] == 1


def test_a_file_that_can_t_be_read_is_named_and_the_others_go_on(root, capsys, caplog):
    (root / "masks" / "1_t1.mha").write_bytes(b"broken")
    assert run(["lint", str(root), str(root / "gone.mha")]) == 1
    out = capsys.readouterr()
    assert "2 labelmaps looked at, 2 could not be read" in out.out
    assert "numbering-gap" in out.out
    assert "1_t1.mha" in out.err
    assert "gone.mha" in out.err


def test_images_beside_masks_and_those_named_are_compared(root, tmp_path, capsys):
    shifted = Geometry(geometry().size_ijk, geometry().spacing_ijk_mm, (0.0, 0.0, 0.0), geometry().direction)
    write_volume(root / "images" / "1_t1.mha", series(column(), shifted))
    for path in (root, root / "masks", root / "masks" / "1_t1.mha"):
        run(["lint", str(path)])
        assert "grid-mismatch" in capsys.readouterr().out
    (tmp_path / "others").mkdir()
    write_volume(tmp_path / "others" / "1_t1.mha", series(column()))
    run(["lint", str(root), "--images", str(tmp_path / "others")])
    assert "grid-mismatch" not in capsys.readouterr().out


@pytest.mark.parametrize("name", ["gone", "masks/1_t1.mha"])
def test_images_that_are_no_folder_are_refused(root, name):
    assert run(["lint", str(root), "--images", str(root / name)]) == 1


def test_a_folder_without_labelmaps_is_named(tmp_path, capsys):
    assert run(["lint", str(tmp_path)]) == 1
    assert "expected labelmaps" in capsys.readouterr().err


def test_an_image_instead_of_a_labelmap_is_named(root, tmp_path, capsys):
    write_volume(tmp_path / "t.mha", series(column()).with_array(np.full(column().shape, 0.5, dtype=np.float32)))
    assert run(["lint", str(tmp_path / "t.mha")]) == 1
    assert "whole numbers" in capsys.readouterr().err


def test_a_slicer_segmentation_is_looked_at(tmp_path, capsys):
    write_seg_nrrd(tmp_path / "a.seg.nrrd", NamedLabelmap(labelmap(without(column(), 3)), LevelNaming()))
    assert run(["lint", str(tmp_path / "a.seg.nrrd")]) == 0
    assert "vertebra 3 not labelled between 2 and 4" in capsys.readouterr().out


def test_a_file_that_can_t_be_written_is_exit_code_1(root, tmp_path):
    assert run(["lint", str(root), "--csv", str(tmp_path / "no" / "such" / "a.csv")]) == 1
