"""The default way of installing: Slicer's own question and Slicer's own pip, which really runs."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

import pytest
import qt
import slicer

import harness
from SpiderSegLib.errors import MissingPackageError
from SpiderSegLib.gui.installation import Installation
from SpiderSegLib.gui.requirements import TORCH, MissingPackage, installed_version, protected_versions

NAME = "spiderseg_harness_probe"


def write_wheel(folder: Path, version: str) -> None:
    files = {
        f"{NAME}/__init__.py": "",
        f"{NAME}-{version}.dist-info/METADATA": f"Metadata-Version: 2.1\nName: {NAME}\nVersion: {version}\nRequires-Dist: numpy\n",
        f"{NAME}-{version}.dist-info/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    files[f"{NAME}-{version}.dist-info/RECORD"] = "".join(f"{path},,\n" for path in files)
    with zipfile.ZipFile(folder / f"{NAME}-{version}-py3-none-any.whl", "w") as archive:
        for path, text in files.items():
            archive.writestr(path, text)


@pytest.fixture
def installation(tmp_path, monkeypatch):
    """Installation of one small package from a folder, in a Slicer that is not in testing mode."""
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    monkeypatch.setattr(slicer.app, "_testing", False)
    write_wheel(tmp_path, "1.2")
    (tmp_path / "requirements.txt").write_text(f"# One.\n{NAME}>=1.0,<2\n")
    yield Installation(tmp_path / "requirements.txt")
    slicer.packaging.pip_uninstall(NAME)


def test_a_no_installs_nothing(installation):
    with harness.answering(qt.QMessageBox.Cancel) as shown:
        assert not installation.installEverything()
    assert "are missing: 1 (" in shown[0].text
    assert installed_version(NAME) is None


def test_a_yes_installs_with_one_question_and_holds_slicer_s_packages(installation):
    before = protected_versions()
    assert {"torch", "numpy", "SimpleITK"} <= set(before)
    with harness.answering(qt.QMessageBox.Ok) as shown:
        assert installation.installEverything()
    assert len(shown) == 1
    assert installed_version(NAME) == "1.2"
    assert installation.missingPackages() == []
    assert protected_versions() == before
    (call,) = [call for call in slicer.packaging.pip_calls if f"{NAME}<2,>=1.0" in call or f"{NAME}>=1.0,<2" in call]
    assert call[call.index("-c") + 1].endswith("constraints.txt")


def test_without_torch_and_its_extension_nothing_is_asked(tmp_path):
    (tmp_path / "requirements.txt").write_text(f"{NAME}>=1.0\n")
    installation = Installation(tmp_path / "requirements.txt", versionOf=lambda name: None)
    assert installation.missingPackages()[0] == MissingPackage(TORCH, "torch", None)
    with pytest.raises(MissingPackageError, match="The extension PyTorch is needed"):
        installation.installEverything()


def test_the_shipped_requirements_are_met_here():
    assert Installation().missingPackages() == []
