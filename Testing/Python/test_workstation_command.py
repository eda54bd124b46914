"""`spiderseg workstation` before anything is served: its arguments, and what it says when something is not installed."""

from __future__ import annotations

import pytest

pytest.importorskip("trame")

import subprocess
import sys

from SpiderSegLib.cli.main import run


def test_a_path_that_is_not_there_is_said(tmp_path, capsys):
    assert run(["workstation", str(tmp_path / "none")]) == 1
    assert capsys.readouterr().err == f"error: {tmp_path / 'none'}: no such file or folder\n"


def test_a_name_that_can_t_be_an_annotator_s_is_said(capsys):
    assert run(["workstation", "--annotator", " "]) == 1
    assert "expected an annotator's name" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["--port", "65536"], ["--port", "-1"], ["--browser"]])
def test_wrong_usage_is_exit_code_2(arguments):
    assert run(["workstation", *arguments]) == 2


def error_without(name: str, reason: str = "") -> str:
    """What the command prints where importing a module fails."""
    block = f"""
import importlib.abc, sys
class Missing(importlib.abc.MetaPathFinder):
    def find_spec(self, fullname, path=None, target=None):
        if fullname == {name!r}:
            raise {reason or f"ModuleNotFoundError('No module named', name={name!r})"}
sys.meta_path.insert(0, Missing())
from SpiderSegLib.cli.main import run
sys.exit(run(["workstation", "--no-browser"]))
"""
    done = subprocess.run([sys.executable, "-c", block], capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stderr
    assert done.stdout == ""
    return done.stderr


@pytest.mark.parametrize("package", ["trame", "slicer"])
def test_a_missing_package_names_the_extra_to_install(package):
    assert error_without(package) == f'error: the workstation needs {package}: pip install "spiderseg[workstation]"\n'


def test_a_missing_library_of_the_system_names_the_debian_packages():
    reason = "ImportError('libGL.so.1: cannot open shared object file')"
    errors = error_without("slicer", reason)
    assert "libGL.so.1: cannot open shared object file" in errors
    assert "sudo apt-get install libegl1 libgl1 libgl1-mesa-dri" in errors
