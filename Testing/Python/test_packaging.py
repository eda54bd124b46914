"""Import rules of the library, what the wheel holds, and what the project's files say of dependencies and version."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import SpiderSegLib

ROOT = Path(__file__).resolve().parents[2]
LIBRARY = ROOT / "SpiderSeg" / "SpiderSegLib"

#: Imports go only to the same or a lower level. A new module gets its line here.
LEVELS = [
    {
        "errors",
        "paths",
        "labels",
        "volume",
        "outputs",
        "stages",
        "atomic",
        "process_table",
        "slice_stack",
        "ranks",
        "series_names",
        "level_names",
        "terminology",
        "text_table",
        "counted",
        "structure_names",
        "segment_tags",
    },
    {
        "io",
        "watchdog",
        "dicom",
        "dicom_multiframe",
        "sequence",
        "preprocessing",
        "instances",
        "metrics",
        "measurements",
        "uncertainty",
        "mask_editing",
        "joint",
        "linter",
        "gradings",
        "phantom",
        "zenodo",
        "overview",
        "fingerprint",
        "segmentation_files",
    },
    {
        "network",
        "weights",
        "artefacts",
        "augmentation",
        "surroundings",
        "synthesis",
        "processes",
        "dataset",
        "corrections",
        "annotation_project",
        "cases",
        "splits",
        "resampling",
    },
    {
        "inference",
        "around",
        "pipeline",
        "overlay",
        "results",
        "training",
        "evaluation",
        "active_learning",
        "agreement",
        "retraining",
        "bundle",
        "inspection",
        "case_report",
    },
    {"mrml"},
    {"workstation", "gui"},
    {"cli", "__main__"},  # the command line starts the workstation, and knows nothing below it of Slicer
]
LEVEL_OF = {module: level for level, modules in enumerate(LEVELS) for module in modules}

#: Where a heavy or platform package may be imported at module level, and where at all.
MODULE_LEVEL_TORCH = {"network", "artefacts", "augmentation", "surroundings", "synthesis", "processes", "inference", "training"}
SLICER_MODULES = {"mrml", "workstation", "gui"}
QT_MODULES = {"gui"}

FORBIDDEN_BELOW_LEVEL_2 = {"torch", "monai", "matplotlib", "slicer", "vtk", "qt", "ctk", "nibabel", "pydicom", "highdicom"}
FORBIDDEN_AT_LEVEL_0 = FORBIDDEN_BELOW_LEVEL_2 | {"SimpleITK", "scipy"}


def module_of(path: Path) -> str:
    """Name directly below SpiderSegLib that a file belongs to: 'io', 'cli', '' for SpiderSegLib/__init__.py."""
    first = path.relative_to(LIBRARY).parts[0]
    return "" if first == "__init__.py" else first.removesuffix(".py")


def imported_names(tree: ast.AST) -> set[str]:
    """Dotted names of all modules that a tree imports, function bodies and `from package import module` included."""
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def module_level_names(tree: ast.Module) -> set[str]:
    """Like imported_names for what runs on import: function bodies and `if TYPE_CHECKING:` left out."""

    def runs(statements):
        for node in statements:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                continue
            if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
                continue
            yield node
            for block in ("body", "orelse", "finalbody"):
                yield from runs(getattr(node, block, []))

    return {name for node in runs(tree.body) if isinstance(node, ast.Import | ast.ImportFrom) for name in imported_names(node)}


def packages(names: set[str]) -> set[str]:
    return {name.split(".")[0] for name in names}


SOURCES = sorted(LIBRARY.rglob("*.py"))
TREES = {path: ast.parse(path.read_text(encoding="utf-8")) for path in SOURCES}
MODULES = sorted({module_of(path) for path in SOURCES} - {""})


def library_imports(path: Path) -> set[str]:
    """Modules directly below SpiderSegLib that a file imports."""
    own = (name.split(".") for name in imported_names(TREES[path]) if name.startswith("SpiderSegLib."))
    return {parts[1] for parts in own if parts[1] in MODULES}


# Import rules


def test_every_module_has_a_level():
    assert [module for module in MODULES if module not in LEVEL_OF] == []


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.relative_to(LIBRARY).as_posix())
def test_imports_go_to_the_same_or_a_lower_level(path):
    module = module_of(path)
    level = LEVEL_OF.get(module, 0)
    assert {other for other in library_imports(path) if LEVEL_OF[other] > level} == set()


@pytest.mark.parametrize(("module", "stranger"), [("cli", "mrml"), ("cli", "gui"), ("workstation", "gui")])
def test_command_line_and_workstation_do_not_know_what_is_slicer_s(module, stranger):
    assert [path.name for path in SOURCES if module_of(path) == module and stranger in library_imports(path)] == []


@pytest.mark.parametrize(
    ("heavy", "allowed"),
    [({"torch", "monai"}, MODULE_LEVEL_TORCH), ({"matplotlib", "nibabel", "pydicom", "highdicom"}, set())],
    ids=["torch-monai", "others"],
)
def test_heavy_packages_are_imported_at_module_level_only_where_allowed(heavy, allowed):
    offenders = [path.name for path in SOURCES if module_of(path) not in allowed and packages(module_level_names(TREES[path])) & heavy]
    assert offenders == []


@pytest.mark.parametrize(
    ("platform", "allowed"), [({"slicer", "vtk", "vtkmodules"}, SLICER_MODULES), ({"qt", "ctk"}, QT_MODULES)], ids=["slicer", "qt"]
)
def test_slicer_and_qt_stay_in_their_modules(platform, allowed):
    offenders = [path.name for path in SOURCES if module_of(path) not in allowed and packages(imported_names(TREES[path])) & platform]
    assert offenders == []


def loaded_by(modules: list[str]) -> set[str]:
    """Top-level packages that a fresh interpreter holds after importing the modules."""
    program = (
        f"import sys, importlib; [importlib.import_module(name) for name in {modules!r}]; print(*{{name.split('.')[0] for name in sys.modules}})"
    )
    return set(subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split())


@pytest.mark.parametrize(("levels", "forbidden"), [(1, FORBIDDEN_AT_LEVEL_0), (2, FORBIDDEN_BELOW_LEVEL_2)], ids=["level-0", "levels-0-and-1"])
def test_importing_the_lower_levels_brings_in_nothing_heavy(levels, forbidden):
    names = ["SpiderSegLib"]
    for path in SOURCES:
        if module_of(path) and LEVEL_OF[module_of(path)] < levels:
            names.append(".".join(path.relative_to(LIBRARY.parent).with_suffix("").parts).removesuffix(".__init__"))
    assert loaded_by(names) & forbidden == set()


def test_importing_the_package_alone_brings_in_no_numpy():
    assert "numpy" not in loaded_by(["SpiderSegLib"])


# The wheel


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run([sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)], cwd=ROOT, check=True, capture_output=True)
    (path,) = folder.glob("spiderseg-*.whl")
    return path


@pytest.fixture(scope="module")
def wheel_names(wheel) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


@pytest.fixture(scope="module")
def metadata(wheel) -> str:
    with zipfile.ZipFile(wheel) as archive:
        return archive.read(next(name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))).decode()


def test_the_wheel_holds_every_module_and_the_label_table(wheel_names):
    assert {path.relative_to(LIBRARY.parent).as_posix() for path in SOURCES} <= wheel_names
    assert "SpiderSegLib/Resources/SpiderLabels.csv" in wheel_names


def test_the_wheel_holds_the_model_weights(wheel_names):
    shipped = {f"SpiderSegLib/{path.relative_to(ROOT).as_posix()}" for path in (ROOT / "model_weights").rglob("*") if path.is_file()}
    assert shipped
    assert shipped <= wheel_names


def test_the_wheel_holds_the_library_and_nothing_else(wheel_names):
    assert {name.split("/")[0] for name in wheel_names} == {"SpiderSegLib", f"spiderseg-{SpiderSegLib.__version__}.dist-info"}
    assert [name for name in wheel_names if re.search(r"(^|/)(testing|tests?|test_[^/]*|conftest\.py)(/|$)", name.lower())] == []


def test_the_wheel_carries_the_license(wheel, wheel_names):
    (name,) = (name for name in wheel_names if name.endswith("licenses/LICENSE.txt"))
    with zipfile.ZipFile(wheel) as archive:
        assert archive.read(name) == (ROOT / "LICENSE.txt").read_bytes()


def test_the_installed_wheel_finds_its_own_data(wheel, tmp_path):
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--disable-pip-version-check", "--no-compile"]
    subprocess.run([*pip, "--target", str(tmp_path / "site"), str(wheel)], check=True, capture_output=True)
    program = """
import sys
sys.path.insert(0, "site")
from SpiderSegLib.level_names import anatomical_name
from SpiderSegLib.paths import data_path
print(anatomical_name(1), data_path("Resources", "SpiderLabels.csv"), data_path("model_weights", "spiderseg_unetr"), sep="|")
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True)
    inside = (tmp_path / "site" / "SpiderSegLib").resolve()
    name, table, weights = done.stdout.strip().split("|")
    assert name == "L5"
    assert Path(table) == inside / "Resources" / "SpiderLabels.csv"
    assert Path(weights) == inside / "model_weights" / "spiderseg_unetr"


# Dependencies and version


def test_every_dependency_has_a_range_and_no_exact_pin(metadata):
    requirements = re.findall(r"^Requires-Dist: (.+?)(?:;.*)?$", metadata, re.MULTILINE)
    assert any(requirement.startswith("torch") for requirement in requirements)
    assert [requirement for requirement in requirements if ">=" not in requirement or "==" in requirement] == []


def test_an_exact_torch_version_stands_only_in_the_constraints():
    patterns = ("*.toml", "*.md", "*.txt", "*.yaml", "*.py", ".ci/*", "Resources/*.txt", "Testing/*.txt", "SpiderSeg/**/*.py")
    paths = [path for pattern in patterns for path in ROOT.glob(pattern)]
    pinned = [path.relative_to(ROOT).as_posix() for path in paths if re.search(rb"\btorch\s*==\s*\d", path.read_bytes())]
    assert pinned == ["Testing/constraints.txt"]


def test_every_constrained_package_is_one_the_tests_install(metadata):
    required = {name.lower() for name in re.findall(r"^Requires-Dist: ([\w.-]+)", metadata, re.MULTILINE)}
    constraints = (ROOT / "Testing" / "constraints.txt").read_text(encoding="utf-8")
    constrained = {name.lower() for name in re.findall(r"^([\w.-]+)==", constraints, re.MULTILINE)}
    assert constrained - required == set()


def test_the_citation_names_the_version_of_the_package(metadata):
    version = re.search(r"^version: (\S+)$", (ROOT / "CITATION.cff").read_text(encoding="utf-8"), re.MULTILINE)
    assert version.group(1) == SpiderSegLib.__version__
    assert f"\nVersion: {SpiderSegLib.__version__}\n" in metadata
