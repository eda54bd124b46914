"""The command line as a newcomer meets it: demo, version, help, evaluate, errors."""

from __future__ import annotations

import contextlib
import io
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from SpiderSegLib.cli.main import run
from SpiderSegLib.io import read_volume
from SpiderSegLib.weights import load_weights

ROOT = Path(__file__).resolve().parents[2]


class Demo(NamedTuple):
    folder: Path
    printed: str


@pytest.fixture(scope="module")
def demo(tmp_path_factory) -> Demo:
    """A demo in the folder of an earlier one, whose files it replaces."""
    out = tmp_path_factory.mktemp("demo")
    (out / "segmentation").mkdir()
    for name in ("phantom_t2.mha", "phantom_t2_truth.mha", "segmentation/phantom_t2.mha", "segmentation/phantom_t2.json"):
        (out / name).write_text("of an earlier demo")
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        assert run(["demo", "-o", str(out), "--device", "cpu"]) == 0
    return Demo(out, printed.getvalue())


def test_the_demo_leaves_phantom_truth_labelmap_sidecar_and_picture(demo):
    for name in ("phantom_t2.mha", "phantom_t2_truth.mha", "segmentation/phantom_t2.mha"):
        assert read_volume(demo.folder / name).array.any()
    results = demo.folder / "segmentation"
    assert {path.name for path in results.iterdir()} == {"phantom_t2.mha", "phantom_t2.json", "phantom_t2_overlay.png"}
    assert json.loads((results / "phantom_t2.json").read_text())["sequence"]["guess"] == "T2"


def test_the_demo_prints_a_dice_for_every_level(demo):
    lines = demo.printed.splitlines()
    head = next(line for line in lines if line.lstrip().startswith("label"))
    assert head.split() == ["label", "level", "state", "confidence", "volume", "Dice"]
    rows = [line for line in lines if re.match(r"\s+\d+  ", line)]
    assert len(rows) >= 8
    assert all(re.search(r"\d\.\d{3}$", row) for row in rows)


def test_the_demo_takes_a_series_of_one_s_own(demo, tmp_path, capsys):
    assert run(["demo", str(demo.folder / "phantom_t2.mha"), "-o", str(tmp_path), "--device", "cpu"]) == 0
    assert {path.name for path in tmp_path.iterdir()} == {"phantom_t2.mha", "phantom_t2.json", "phantom_t2_overlay.png"}
    assert "Dice" not in capsys.readouterr().out


def test_the_demo_s_result_can_be_evaluated_against_its_truth(demo, tmp_path, capsys):
    scores = tmp_path / "scores.json"
    labelmap, truth = demo.folder / "segmentation" / "phantom_t2.mha", demo.folder / "phantom_t2_truth.mha"
    assert run(["evaluate", str(labelmap), str(truth), "--json", str(scores)]) == 0
    assert "official" in json.dumps(json.loads(scores.read_text()))
    assert capsys.readouterr().out


def test_version_names_the_weights_and_the_packages(capsys):
    assert run(["version"]) == 0
    text = capsys.readouterr().out
    assert load_weights(None).provenance.model_id in text
    for package in ("torch", "monai", "SimpleITK", "Python"):
        assert package in text


def test_help_lists_every_command_and_the_readme_shows_it(capsys):
    assert run(["--help"]) == 0
    text = capsys.readouterr().out
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for command in ("predict", "demo", "evaluate", "train", "bundle", "version"):
        assert command in text
        assert command == "demo" or f"spiderseg {command}" in readme


@pytest.mark.parametrize(
    "arguments", [["predict"], ["nonsense"], ["predict", "a.mha", "-o", "b.mha", "--progress", "loud"], ["train", "--steps", "0"]]
)
def test_wrong_usage_is_exit_code_2_and_one_message(arguments, capsys):
    assert run(arguments) == 2
    assert "Traceback" not in capsys.readouterr().err


def test_an_expected_failure_is_exit_code_1_and_a_line(tmp_path, capsys):
    assert run(["evaluate", str(tmp_path / "no.mha"), str(tmp_path / "no.mha")]) == 1
    message = capsys.readouterr().err
    assert "no.mha" in message
    assert "Traceback" not in message


def test_a_bug_is_exit_code_3_and_a_line(monkeypatch, caplog):
    monkeypatch.setattr("SpiderSegLib.cli.version.version", lambda: 1 / 0)
    assert run(["version"]) == 3
    assert "internal error: ZeroDivisionError" in caplog.text


def test_the_module_runs_as_a_program_and_help_loads_nothing_heavy():
    script = "import sys; from SpiderSegLib.cli.main import run; sys.exit(run(['--help']) or 'torch' in sys.modules or 'SimpleITK' in sys.modules)"
    finished = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stderr
    finished = subprocess.run([sys.executable, "-m", "SpiderSegLib", "--help"], capture_output=True, text=True, check=False)
    assert finished.returncode == 0
    assert "predict" in finished.stdout


def test_the_readme_has_exactly_the_two_commands_of_the_set_up():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    commands = set(re.findall(r"^python3 setup_spiderseg\.py (\w+)", readme, re.MULTILINE))
    assert commands == {"demo", "test"}
