"""What Slicer builds, packages and lists of the extension: CMakeLists.txt files, SpiderSeg.json, icon and screenshots."""

from __future__ import annotations

import json
import os
import re
import runpy
import shutil
import struct
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MODULE = ROOT / "SpiderSeg"
CMAKE_STUB = Path(__file__).parent / "cmake_stub"
MODULES_FOLDER = "lib/Slicer-5.12/qt-scripted-modules"

#: What of the repository the build may ask for.
BUILD_INPUT = ("CMakeLists.txt", "Testing/CMakeLists.txt", "SpiderSeg", "Resources", "model_weights")

RAW_PAGES = "https://raw.githubusercontent.com/SpiderSeg/SlicerSpiderSeg/main/"


# The list of files


def listed_scripts() -> list[str]:
    found = re.search(r"set\(MODULE_PYTHON_SCRIPTS\n(.*?)\n  \)", (MODULE / "CMakeLists.txt").read_text(encoding="utf-8"), re.DOTALL)
    return [line.strip() for line in found.group(1).splitlines()]


def test_every_python_file_of_the_module_is_listed_for_slicer():
    shipped = {path.relative_to(MODULE).as_posix() for path in MODULE.rglob("*.py")}
    listed = set(listed_scripts())
    assert (sorted(shipped - listed), sorted(listed - shipped)) == ([], []), "not listed, or listed and gone: run `python Utilities/list_scripts.py`"


def test_the_list_of_files_is_sorted_and_names_each_once():
    listed = listed_scripts()
    assert listed == sorted(set(listed))


def test_slicer_loads_one_module_only():
    # Slicer takes every .py directly in a module path for a module.
    assert [path.name for path in MODULE.glob("*.py")] == ["SpiderSeg.py"]


LISTER = runpy.run_path(str(ROOT / "Utilities" / "list_scripts.py"))
CMAKE_LIST = "set(A\n  b\n  )\nset(MODULE_PYTHON_SCRIPTS\n{}  )\nend()\n"


@pytest.mark.parametrize("before", ["", "  gone.py\n", "  b.py\n  a.py\n"])
def test_the_script_replaces_the_list_and_nothing_else(before):
    assert LISTER["with_scripts"](CMAKE_LIST.format(before), ["a.py", "lib/b.py"]) == CMAKE_LIST.format("  a.py\n  lib/b.py\n")


def test_the_script_refuses_a_file_without_a_list():
    with pytest.raises(ValueError, match="found 0"):
        LISTER["with_scripts"]("set(MODULE_PYTHON_SCRIPTS a.py)\n", ["a.py"])


def test_the_script_finds_files_at_every_depth(tmp_path):
    for name in ("b.py", "lib/a.py", "lib/deep/c.py", "lib/notes.txt"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    assert LISTER["scripts_of"](tmp_path) == ["b.py", "lib/a.py", "lib/deep/c.py"]


# The build


class Extension:
    """The extension, copied, configured and built in folders with a space in their names, and installed as Slicer packages it."""

    def __init__(self, folder: Path) -> None:
        self.source, self.build = folder / "source tree", folder / "build tree"
        self.built, self.installed = self.build / MODULES_FOLDER, folder / "installed tree" / MODULES_FOLDER
        self._copy_sources()
        self.run("cmake", "-S", str(self.source), "-B", str(self.build), f"-DSlicer_DIR={CMAKE_STUB}", "-DCMAKE_BUILD_TYPE=Release")
        self.run("cmake", "--build", str(self.build))
        component = (self.build / "components.txt").read_text().strip()
        self.run("cmake", "--install", str(self.build), "--prefix", str(folder / "installed tree"), "--component", component)

    def _copy_sources(self) -> None:
        for name in BUILD_INPUT:
            copy = self.source / name
            copy.parent.mkdir(parents=True, exist_ok=True)
            if (ROOT / name).is_dir():
                shutil.copytree(ROOT / name, copy, ignore=shutil.ignore_patterns("__pycache__", ".*"))
            else:
                shutil.copy(ROOT / name, copy)

    def run(self, *command: str) -> str:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}"
        return done.stdout

    def description(self) -> dict[str, str]:
        lines = (self.build / "extension.txt").read_text(encoding="utf-8").splitlines()
        return dict(line.split("=", 1) for line in lines)

    def tests(self) -> dict[str, list[str]]:
        """Command of each ctest by its name."""
        listed = json.loads(self.run("ctest", "--test-dir", str(self.build), "--show-only=json-v1"))
        return {test["name"]: test["command"] for test in listed["tests"]}


@pytest.fixture(scope="module")
def extension(tmp_path_factory) -> Extension:
    if shutil.which("cmake") is None:
        pytest.skip("cmake is not installed")
    return Extension(tmp_path_factory.mktemp("extension"))


def contents(top: Path) -> dict[str, bytes]:
    return {path.relative_to(top).as_posix(): path.read_bytes() for path in top.rglob("*") if path.is_file() and path.suffix != ".pyc"}


@pytest.mark.parametrize("tree", ["built", "installed"])
def test_slicer_gets_scripts_resources_and_weights_unchanged_and_no_other_file(extension, tree):
    top = getattr(extension, tree)
    found = contents(top)
    expected = {name: content for name, content in contents(extension.source / "SpiderSeg").items() if name.endswith(".py")}
    for folder in ("Resources", "model_weights"):
        expected |= {f"{folder}/{name}": content for name, content in contents(extension.source / folder).items()}
    # Pictures for the web.
    expected = {name: content for name, content in expected.items() if not name.startswith("Resources/Screenshots/")}
    assert sorted(found) == sorted(expected)
    assert [name for name in found if found[name] != expected[name]] == []


def test_the_installed_library_finds_its_resources_and_weights(extension):
    program = """
import sys
sys.path.insert(0, sys.argv[1])
import SpiderSegLib
from SpiderSegLib.labels import label_table
from SpiderSegLib.paths import data_path
print(SpiderSegLib.__file__, data_path("Resources", "UI", "SpiderSeg.ui"), len(label_table()), sep="|")
print(data_path("model_weights", "spiderseg_unetr", "models", "model.pt"))
"""
    command = [sys.executable, "-c", program, str(extension.installed)]
    done = subprocess.run(command, cwd=extension.build, capture_output=True, text=True, env=dict(os.environ, PYTHONDONTWRITEBYTECODE="1"))
    assert done.returncode == 0, done.stderr
    first, weights = done.stdout.splitlines()
    library, panel, labels = first.split("|")
    top = extension.installed.resolve()
    assert Path(library) == top / "SpiderSegLib" / "__init__.py"
    assert Path(panel) == top / "Resources" / "UI" / "SpiderSeg.ui"
    assert Path(weights) == top / "model_weights" / "spiderseg_unetr" / "models" / "model.pt"
    assert int(labels) > 0


def test_a_changed_resource_is_copied_again(extension):
    copy = extension.built / "Resources" / "SpiderLabels.csv"
    copy.write_text("outdated")
    os.utime(copy, (0, 0))
    extension.run("cmake", "--build", str(extension.build))
    assert copy.read_bytes() == (extension.source / "Resources" / "SpiderLabels.csv").read_bytes()


def test_slicer_runs_the_self_test_of_the_module_and_its_generic_test(extension):
    tests = extension.tests()
    assert set(tests) == {"py_SpiderSeg", "py_nomainwindow_qSlicerSpiderSegModuleGenericTest"}
    script = Path(tests["py_SpiderSeg"][-1])
    assert script == extension.source / "SpiderSeg" / "SpiderSeg.py"
    assert "\nclass SpiderSegTest(ScriptedLoadableModuleTest):" in script.read_text(encoding="utf-8")


# The catalog


CATALOG_ENTRY = ROOT / "SpiderSeg.json"


def test_the_catalog_entry_has_the_fields_of_its_schema_and_no_other():
    entry = json.loads(CATALOG_ENTRY.read_text(encoding="utf-8"))
    schema = "https://raw.githubusercontent.com/Slicer/Slicer/main/Schemas/slicer-extension-catalog-entry-schema-v1.0.1.json#"
    kinds = {"$schema": str, "build_dependencies": list, "build_subdirectory": str, "category": str, "scm_revision": str, "scm_url": str, "tier": int}
    assert {key: type(value) for key, value in entry.items()} == kinds
    assert entry["$schema"] == schema
    assert entry["tier"] in range(1, 6)
    # The form that the index's own formatter leaves alone.
    assert CATALOG_ENTRY.read_text(encoding="utf-8") == json.dumps(entry, indent=2, sort_keys=True) + "\n"


def test_the_catalog_entry_agrees_with_the_build(extension):
    entry, description = json.loads(CATALOG_ENTRY.read_text(encoding="utf-8")), extension.description()
    assert description["NAME"] == CATALOG_ENTRY.stem
    assert description["CATEGORY"] == entry["category"]
    assert description["HOMEPAGE"] == entry["scm_url"]
    assert description["DEPENDS"].split() == entry["build_dependencies"]
    # The index wants "Slicer" in the name of the repository, and reads which revision the pictures' addresses name.
    assert entry["scm_url"].rsplit("/", 1)[1] == f"Slicer{description['NAME']}"
    assert f"/{entry['scm_revision']}/" in description["ICONURL"]


def test_the_description_is_one_or_two_sentences(extension):
    description = extension.description()["DESCRIPTION"]
    assert 1 <= len(re.findall(r"[.!?](?= |$)", description)) <= 2
    assert "not for diagnosis" in description


def test_icon_and_screenshots_are_in_the_repository(extension):
    description = extension.description()
    addresses = [description["ICONURL"], *description["SCREENSHOTURLS"].split()]
    assert len(addresses) > 1
    assert [address for address in addresses if not address.startswith(RAW_PAGES)] == []
    assert [address for address in addresses if not (ROOT / address.removeprefix(RAW_PAGES)).is_file()] == []


def png_header(path: Path) -> tuple[int, int, int]:
    """Width, height and color type (6: red, green, blue and alpha) of a PNG file."""
    header = path.read_bytes()[:26]
    assert header.startswith(b"\x89PNG\r\n\x1a\n")
    width, height, _, color_type = struct.unpack(">IIBB", header[16:26])
    return width, height, color_type


def test_the_icon_is_a_png_of_128_pixels_with_transparent_corners():
    assert png_header(ROOT / "Resources" / "Icons" / "SpiderSeg.png") == (128, 128, 6)


# The files


def test_shipped_text_has_unix_line_ends():
    text_files = [path for pattern in ("SpiderSeg/**/*", "Resources/**/*", "*", "Testing/CMakeLists.txt") for path in ROOT.glob(pattern)]
    suffixes = {".py", ".txt", ".json", ".csv", ".ui", ".svg", ".md", ".toml"}
    assert [path.name for path in text_files if path.suffix in suffixes and b"\r\n" in path.read_bytes()] == []
    assert "* text=auto eol=lf" in (ROOT / ".gitattributes").read_text(encoding="utf-8").splitlines()
