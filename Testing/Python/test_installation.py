"""Installing what runs need: one question, torch first, and none of Slicer's own packages replaced. With the real pip, offline."""

from __future__ import annotations

import ast
import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from SpiderSegLib.errors import MissingPackageError
from SpiderSegLib.gui import offline_instructions as offline
from SpiderSegLib.gui.installation import Installation, PyTorchExtension
from SpiderSegLib.gui.requirements import TORCH, MissingPackage, constraint_lines, missing_packages, read_requirements, requirements_path
from tiny_wheels import Environment, make_wheel

ROOT = Path(__file__).resolve().parents[2]
LIBRARY = ROOT / "SpiderSeg" / "SpiderSegLib"

#: What Slicer brings, and what an extension may have installed already.
OWN = {"numpy": "2.4.1", "SimpleITK": "2.5.0", "requests": "2.32.0"}

#: Imported where they are there, and asked for by name where they are not.
OPTIONAL = {"pydicom", "highdicom", "psutil", "packaging"}


@pytest.fixture(autouse=True)
def pip_without_settings(monkeypatch):
    """pip as on a fresh machine, whatever this one's settings are."""
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_DISABLE_PIP_VERSION_CHECK", "1")


@pytest.fixture(scope="module")
def wheels(tmp_path_factory):
    """An index with newer versions of everything Slicer brings, and a newest monai that wants a newer torch."""
    folder = tmp_path_factory.mktemp("some place") / "wheels"
    for name, version in [*OWN.items(), ("numpy", "2.5.0"), ("SimpleITK", "2.6.0"), ("requests", "2.40.0")]:
        make_wheel(folder, name, version)
    for version in ("2.4.0", "2.8.0+cu128", "2.8.0+cpu", "2.8.0", "2.9.0"):
        make_wheel(folder, "torch", version, "numpy")
    make_wheel(folder, "monai", "1.5.2", "torch>=2.4.1", "numpy>=1.24")
    make_wheel(folder, "monai", "1.6.1", "torch>=2.9", "numpy>=2.5")
    make_wheel(folder, "einops", "0.8.2")
    make_wheel(folder, "nibabel", "5.4.2", "numpy>=1.25", "SimpleITK", "requests>=2")
    make_wheel(folder, "greedy", "1.0", "numpy>=2.5")
    return folder


@pytest.fixture
def slicer(tmp_path, wheels):
    """An environment with what Slicer brings."""
    environment = Environment(tmp_path / "Slicer 5.12", wheels)
    for name, version in OWN.items():
        environment.put(name, version)
    return environment


class Pip:
    """Packages by pip, as Slicer's pip_ensure calls it; torch as the PyTorch extension would bring it."""

    def __init__(self, environment, available=True):
        self.environment = environment
        self.available = available
        self.choice = TORCH
        self.calls = []

    def isAvailable(self):
        return self.available

    def install(self, requirements, constraints):
        requirements = [requirements] if isinstance(requirements, str) else requirements
        self.calls.append((list(requirements), constraints.read_text().split()))
        self.environment.pip_install([self.choice if one == TORCH else one for one in requirements], "-c", str(constraints))


@pytest.fixture
def install(slicer, tmp_path):
    """Installation into `slicer` of the given requirements, and the pip that it uses."""

    def make(*requirements, available=True):
        path = tmp_path / "requirements.txt"
        path.write_text("# What runs need.\n\n" + "\n".join(requirements) + "\n")
        pip = Pip(slicer, available)
        return Installation(path, pip, pip, slicer.version_of), pip

    return make


def yes(question, details):
    return True


def never(question, details):
    pytest.fail("asked")


# What is missing


def test_missing_is_what_is_absent_or_out_of_range():
    versions = {"torch": "2.8.0+cu128", "monai": "1.4.0", "scipy": "1.16.0rc1", "tqdm": "not a version"}
    assert missing_packages(["torch>=2.5", "monai>=1.5,<2", "einops>=0.7", "scipy>=1.11", "tqdm>=4.66"], versions.get) == [
        MissingPackage("monai>=1.5,<2", "monai", "1.4.0"),
        MissingPackage("einops>=0.7", "einops", None),
        MissingPackage("tqdm>=4.66", "tqdm", "not a version"),
    ]


def test_a_requirement_of_another_system_is_not_missing():
    assert missing_packages(["colorama>=0.4; sys_platform == 'amiga'"], {}.get) == []


def test_torch_comes_first(install):
    assert [package.name for package in install("einops>=0.7")[0].missingPackages()] == ["torch", "einops"]


def test_constraints_hold_versions_exactly_local_tags_included():
    assert constraint_lines({"torch": "2.8.0+cu128", "SimpleITK": "2.5.0rc2.dev913+g9ad", "numpy": "2.4.1", "requests": "2.x-built"}) == [
        "torch==2.8.0+cu128",
        "SimpleITK==2.5.0rc2.dev913+g9ad",
        "numpy==2.4.1",
        "requests===2.x-built",
    ]


# Installing, with the real pip


def test_everything_is_installed_and_nothing_of_slicer_s_is_replaced(install, slicer):
    installation, pip = install("monai>=1.5,<2", "nibabel>=5.2", "einops>=0.7")
    slicer.put("torch", "2.8.0+cu128")
    assert installation.installEverything(yes)
    assert slicer.versions("monai", "nibabel", "einops") == {"monai": "1.5.2", "nibabel": "5.4.2", "einops": "0.8.2"}
    assert slicer.versions("torch", *OWN) == {"torch": "2.8.0+cu128", **OWN}
    assert pip.calls[0][1] == ["torch==2.8.0+cu128", "numpy==2.4.1", "SimpleITK==2.5.0", "requests==2.32.0"]
    assert installation.missingPackages() == []


def test_torch_is_brought_first_and_held_from_then_on(install, slicer):
    installation, pip = install("monai>=1.5,<2")
    # The build that suits the computer, not the newest.
    pip.choice = "torch==2.8.0+cpu"
    assert installation.installEverything(yes)
    assert [requirements for requirements, _ in pip.calls] == [[TORCH], ["monai>=1.5,<2"]]
    assert [[line for line in lines if line.startswith("torch")] for _, lines in pip.calls] == [[], ["torch==2.8.0+cpu"]]
    assert slicer.versions("torch", "monai", "numpy") == {"torch": "2.8.0+cpu", "monai": "1.5.2", "numpy": "2.4.1"}


def test_one_question_names_everything(install):
    questions = []
    installation, pip = install("monai>=1.5,<2", "einops>=0.7")

    def no(question, details):
        questions.append((question, details))
        return False

    assert not installation.installEverything(no)
    assert pip.calls == []
    ((question, details),) = questions
    assert "are missing: 3 (" in question
    assert details.splitlines() == [TORCH, "monai>=1.5,<2", "einops>=0.7"]


def test_nothing_is_asked_when_nothing_is_missing(install, slicer):
    slicer.put("torch", "2.8.0+cpu")
    slicer.put("einops", "0.8.2")
    installation, pip = install("einops>=0.7")
    assert installation.installEverything(never)
    assert pip.calls == []


def test_what_cannot_go_with_slicer_s_packages_is_not_installed(install, slicer):
    slicer.put("torch", "2.8.0+cpu")
    installation, _ = install("greedy>=1.0")
    with pytest.raises(MissingPackageError, match=r"greedy>=1\.0 could not be installed: .*Check the internet connection.*offline instructions"):
        installation.installEverything(yes)
    assert slicer.versions("greedy", "numpy") == {"greedy": None, "numpy": "2.4.1"}


def test_without_the_pytorch_extension_the_user_is_told_where_it_is(install):
    installation, pip = install("einops>=0.7", available=False)
    with pytest.raises(MissingPackageError, match=r"extension PyTorch is needed.*Extensions Manager.*restart Slicer"):
        installation.installEverything(never)
    assert pip.calls == []


def test_an_old_torch_is_not_replaced_unasked(install, slicer):
    slicer.put("torch", "2.4.0")
    installation, _ = install("einops>=0.7")
    with pytest.raises(MissingPackageError, match=r"PyTorch 2\.4\.0 is installed, torch>=2\.5 is needed.*PyTorch Utils"):
        installation.installEverything(never)
    assert slicer.version_of("torch") == "2.4.0"


class Careless:
    """Installs whatever it likes."""

    def __init__(self, environment, *requirements):
        self.environment = environment
        self.requirements = requirements

    def install(self, requirements, constraints):
        if self.requirements:
            self.environment.pip_install(self.requirements, "--upgrade")


def test_what_is_missing_afterwards_is_said(slicer, tmp_path):
    slicer.put("torch", "2.8.0+cpu")
    (tmp_path / "requirements.txt").write_text("einops>=0.7\n")
    installation = Installation(tmp_path / "requirements.txt", None, Careless(slicer), slicer.version_of)
    with pytest.raises(MissingPackageError, match=r"Still missing after the installation: einops>=0\.7\. Check"):
        installation.installEverything(yes)


def test_a_replaced_package_is_said(slicer, tmp_path):
    slicer.put("torch", "2.8.0+cpu")
    (tmp_path / "requirements.txt").write_text("einops>=0.7\n")
    installation = Installation(tmp_path / "requirements.txt", None, Careless(slicer, "einops", "numpy"), slicer.version_of)
    with pytest.raises(MissingPackageError, match=r"must not change: numpy 2\.4\.1 -> 2\.5\.0"):
        installation.installEverything(yes)


# The PyTorch extension

#: The part of the extension's module that is called; installs with whatever pip settings it finds.
PYTORCH_UTILS = """
import json, os, subprocess
class PyTorchUtilsLogic:
    def installTorch(self, askConfirmation=False, forceComputationBackend=None, torchVersionRequirement=None, torchvisionVersionRequirement=None):
        settings = {name: os.environ.get(name) for name in ("PIP_CONSTRAINT", "PIP_PROGRESS_BAR")}
        with open(os.environ["RECORD"], "w") as file:
            json.dump([askConfirmation, forceComputationBackend, torchVersionRequirement, settings], file)
        subprocess.run([*json.loads(os.environ["PIP"]), "torch" + torchVersionRequirement], check=True)
"""


@pytest.fixture
def pytorch_utils(tmp_path, slicer, monkeypatch):
    """The extension on the module path; the file in which it tells how it was called."""
    folder = tmp_path / "qt-scripted-modules"
    folder.mkdir()
    (folder / "PyTorchUtils.py").write_text(PYTORCH_UTILS)
    monkeypatch.syspath_prepend(str(folder))
    pip = [sys.executable, "-m", "pip", "--python", str(slicer.python), "install", "--no-index", "--find-links", str(slicer.wheels)]
    monkeypatch.setenv("PIP", json.dumps(pip))
    monkeypatch.setenv("RECORD", str(tmp_path / "record.json"))
    yield tmp_path / "record.json"
    sys.modules.pop("PyTorchUtils", None)


def test_the_extension_is_found_without_being_loaded(pytorch_utils):
    assert PyTorchExtension().isAvailable()
    assert "PyTorchUtils" not in sys.modules


def test_without_the_extension_there_is_none():
    assert not PyTorchExtension().isAvailable()


def test_the_extension_brings_torch_and_leaves_slicer_s_packages(pytorch_utils, slicer, tmp_path):
    constraints = tmp_path / "a b.txt"
    constraints.write_text("numpy==2.4.1\ntorch!=2.9.0\n")
    PyTorchExtension().install("torch>=2.5", constraints)
    asked, backend, requirement, settings = json.loads(pytorch_utils.read_text())
    assert (asked, backend, requirement) == (False, None, ">=2.5")
    assert settings["PIP_CONSTRAINT"].endswith("/a%20b.txt")
    assert slicer.version_of("numpy") == "2.4.1"
    assert slicer.version_of("torch").startswith("2.8.0+")
    assert "PIP_CONSTRAINT" not in os.environ
    assert "PIP_PROGRESS_BAR" not in os.environ


# Without internet


@pytest.mark.parametrize(
    ("system", "machine", "macos", "expected"),
    [
        ("Windows", "AMD64", "", ["win_amd64"]),
        ("Windows", "ARM64", "", ["win_arm64"]),
        ("Darwin", "arm64", "15.3.1", ["macosx_15_0_arm64"]),
        ("Linux", "x86_64", "", ["manylinux_2_28_x86_64", "manylinux_2_27_x86_64", "manylinux_2_17_x86_64", "manylinux2014_x86_64"]),
    ],
)
def test_downloads_are_for_the_system_of_this_slicer(system, machine, macos, expected):
    assert offline.pip_platforms(system, machine, macos) == expected


def test_the_offline_instructions_have_the_commands_for_this_slicer(install, slicer):
    slicer.put("torch", "2.8.0+cu128")
    text = install("monai>=1.5,<2")[0].offlineInstructions()
    assert f"--python-version {sys.version_info.major}.{sys.version_info.minor} " in text
    assert "https://download.pytorch.org/whl/cu128" in text
    assert text.count('"monai>=1.5,<2" "numpy==2.4.1" "torch==2.8.0+cu128"') == 2
    assert "SimpleITK" not in text
    assert "NVIDIA" not in text  # the installed torch stays


def test_without_torch_the_instructions_bring_it(install):
    text = install("monai>=1.5,<2")[0].offlineInstructions()
    assert text.count('"torch>=2.5" "monai>=1.5,<2" "numpy==2.4.1"') == 2
    assert "https://download.pytorch.org/whl/cpu" in text
    assert "For an NVIDIA GPU write cu128 instead of cpu" in text


def test_the_offline_commands_do_what_they_say(slicer, wheels, tmp_path):
    wanted = ["torch==2.8.0+cpu", "monai>=1.5,<2", "numpy==2.4.1"]
    download = shlex.split(offline.download_command(wanted))
    # The index is a folder here.
    subprocess.run([sys.executable, *download[1:], "--quiet", "--no-index", "--find-links", str(wheels)], cwd=tmp_path, check=True)
    names = {path.name.split("-py3")[0] for path in (tmp_path / offline.WHEELS).iterdir()}
    assert names == {"torch-2.8.0+cpu", "monai-1.5.2", "numpy-2.4.1"}
    _, *arguments = shlex.split(offline.install_command(wanted))
    subprocess.run([sys.executable, "-m", "pip", "--python", str(slicer.python), *arguments[2:], "--quiet"], cwd=tmp_path, check=True)
    assert slicer.versions("torch", "monai", "numpy") == {"torch": "2.8.0+cpu", "monai": "1.5.2", "numpy": "2.4.1"}


# What is asked for


def project_requirements():
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    block = re.search(r"^dependencies = \[\n(.*?)^\]", text, re.MULTILINE | re.DOTALL).group(1)
    return {Requirement(one).name: Requirement(one) for one in re.findall(r'"([^"]+)"', block)}


def test_slicer_and_pip_get_the_same_ranges():
    ours = {Requirement(line).name: Requirement(line) for line in [TORCH, *read_requirements(requirements_path())]}
    assert ours == {name: requirement for name, requirement in project_requirements().items() if name not in ("numpy", "SimpleITK")}


def test_none_of_slicer_s_own_packages_is_asked_for():
    assert {Requirement(line).name for line in read_requirements(requirements_path())} & {"torch", *OWN} == set()


def test_everything_that_a_run_imports_is_asked_for_or_slicer_s_own():
    files = [path for path in LIBRARY.rglob("*.py") if path.relative_to(LIBRARY).parts[0] not in ("mrml", "gui", "workstation")]
    imported = set()
    for path in files:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                imported |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                imported.add(node.module.split(".")[0])
    foreign = imported - set(sys.stdlib_module_names) - {"SpiderSegLib"} - OPTIONAL
    listed = {Requirement(line).name for line in read_requirements(requirements_path())}
    assert foreign - listed == {"torch", "numpy", "SimpleITK"}
    assert listed <= foreign | {"einops"}  # MONAI's attention block imports einops


def test_nothing_is_installed_or_loaded_by_the_import():
    program = "import sys, SpiderSegLib.gui.installation; print(*{name.split('.')[0] for name in sys.modules})"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    assert {"torch", "monai", "pip", "PyTorchUtils", "nibabel", "scipy"} & set(loaded) == set()
