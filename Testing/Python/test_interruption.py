"""Ctrl-C and SIGTERM at every stage: exit code 130, and no half-written, partial or temporary file."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from command_line import predict, tree
from SpiderSegLib import atomic, io, results
from SpiderSegLib.cli.console import JsonProgress
from SpiderSegLib.io import itk_files
from SpiderSegLib.preprocessing import PreparedVolume

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows has no signals to send to one process")

#: The stages as --progress json announces them: import at its start, the others at their end, so each signal falls into the next one.
STAGES = ["import", "read", "preprocess", "network", "resample", "number"]


@pytest.fixture(autouse=True)
def ctrl_c():
    """Ctrl-C works, also when the tests run in the background of a shell, which ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def start(*arguments):
    """The command in a process of its own, reading nothing from its surroundings but signals."""
    return subprocess.Popen(
        [sys.executable, "-m", "SpiderSegLib", "predict", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A test run started in the background of a shell ignores Ctrl-C, and its children would too.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def wait_for(process, stage):
    for line in process.stdout:
        if json.loads(line)["stage"] == stage:
            return
    pytest.fail(f"{stage} was never announced: {process.stderr.read()}")


@pytest.mark.parametrize(("number", "stage"), [(signal.SIGINT, "import"), (signal.SIGINT, "network"), (signal.SIGTERM, "number")])
def test_a_signal_ends_the_process_without_a_trace(series_file, tmp_path, tiny_weights, number, stage):
    arguments = ["--weights", tiny_weights, "--device", "cpu", "--overlay", "--probabilities", "--progress", "json"]
    process = start(series_file, "-o", tmp_path / "out" / "x.nii.gz", *arguments)
    try:
        wait_for(process, stage)
        process.send_signal(number)
        _, err = process.communicate(timeout=60)
    finally:
        process.kill()
    assert "Traceback" not in err
    assert process.returncode == 130
    assert tree(tmp_path) in (["in", "in/a_t2.mha"], ["in", "in/a_t2.mha", "out"])


@pytest.mark.parametrize("stage", STAGES)
def test_ctrl_c_in_any_stage_leaves_nothing(series_file, tmp_path, tiny_weights, monkeypatch, capsys, stage):
    real = JsonProgress.report

    def report(self, reached, fraction, message=""):
        real(self, reached, fraction, message)
        if reached == stage:
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(JsonProgress, "report", report)
    assert predict(series_file, "-o", tmp_path / "x.mha", "--weights", tiny_weights, "--overlay", "--progress", "json") == 130
    assert tree(tmp_path) == ["in", "in/a_t2.mha"]
    assert "Traceback" not in capsys.readouterr().err


def nth_interrupts(real, n):
    """`real` with Ctrl-C at the nth call."""
    calls = []

    def call(*arguments, **keywords):
        calls.append(1)
        if len(calls) == n:
            raise KeyboardInterrupt
        return real(*arguments, **keywords)

    return call


#: Where in the writing Ctrl-C falls: what is replaced, and at which call.
MOMENTS = {
    "while the probabilities are restored": (PreparedVolume, "restore", 1),
    "while the overlay is drawn": (results, "draw_overlay", 1),
    "in the sidecar": (results, "sidecar", 1),
    "before the first file": (atomic, "_write_flushed", 1),
    "between two files": (atomic, "_write_flushed", 3),
    "in the labelmap": (itk_files, "_copy_nrrd_geometry", 2),
    "before the files are renamed": (atomic, "_rename_all", 1),
}


@pytest.mark.parametrize("moment", MOMENTS)
def test_ctrl_c_while_writing_leaves_none_of_the_set(series_file, tmp_path, tiny_weights, monkeypatch, capsys, moment):
    owner, name, nth = MOMENTS[moment]
    io.write_volume(tmp_path / "a.nrrd", io.read_volume(series_file))
    monkeypatch.setattr(owner, name, nth_interrupts(getattr(owner, name), nth))
    assert predict(tmp_path / "a.nrrd", "-o", tmp_path / "out", "--weights", tiny_weights, "--format", "nrrd", "--overlay", "--probabilities") == 130
    assert tree(tmp_path / "out") == []
    assert "Traceback" not in capsys.readouterr().err


@pytest.mark.parametrize("nth", [1, 2, 3, 4])
def test_ctrl_c_between_two_renames_takes_the_first_back(series_file, tmp_path, tiny_weights, monkeypatch, nth):
    monkeypatch.setattr(Path, "replace", nth_interrupts(Path.replace, nth))
    assert predict(series_file, "-o", tmp_path / "out", "--weights", tiny_weights, "--overlay", "--probabilities") == 130
    assert tree(tmp_path / "out") == []


def test_ctrl_c_in_a_batch_keeps_what_is_done(series_file, tmp_path, tiny_weights, monkeypatch):
    (tmp_path / "many").mkdir()
    for name in ("a.mha", "b.mha", "c.mha"):
        io.write_volume(tmp_path / "many" / name, io.read_volume(series_file))
    monkeypatch.setattr(atomic, "_rename_all", nth_interrupts(atomic._rename_all, 2))
    assert predict(tmp_path / "many", "-o", tmp_path / "out", "--weights", tiny_weights) == 130
    assert tree(tmp_path / "out") == ["a.json", "a.mha"]
