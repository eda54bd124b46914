"""The published JSON schemas describe what projects hold."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import jsonschema
import pytest

from small_cases import TWO_LEVELS
from small_project import MODEL, add_small_model, make_project, save_mask, shown
from SpiderSegLib.annotation_project.grading_records import save_gradings
from SpiderSegLib.annotation_project.validation_patients import freeze
from SpiderSegLib.corrections import Status
from SpiderSegLib.corrections.schema import VERSIONS
from SpiderSegLib.gradings import DiscGrading, PatientGradings
from SpiderSegLib.labels import LevelState
from SpiderSegLib.level_names import LevelNaming
from SpiderSegLib.paths import data_path
from SpiderSegLib.retraining.project_round import promote

ROOT = Path(__file__).resolve().parents[2]

KINDS = ("project", "series", "revision", "gradings", "decision", "model")


def schema(kind: str) -> dict:
    return json.loads(data_path("Resources", "Schemas", f"{kind}.schema.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> dict[str, list[Path]]:
    """The JSON files of a project in which everything has happened, by kind."""
    project = make_project(tmp_path_factory.mktemp("schemas") / "project")
    add_small_model(project)
    add_small_model(project, MODEL, model_id="gen-001", training_patients=("9",), training_image_sha256={"a/b/c.mha": "0" * 64})
    naming = LevelNaming(LevelState.TRANSITIONAL, 6, {1: "L6"})
    first = save_mask(project, shown=shown(1, 2), naming=naming, findings={"warning": 1}, worst_finding="island").revision
    save_mask(project, parent=first.id, values=(1, 2, 3), annotator="Bob", status=Status.FLAGGED, reason="motion")
    save_mask(project, "p2_t2", values=TWO_LEVELS)
    freeze(project, ["p2"], "Eve")
    promote(project, "gen-001", "Eve")
    save_gradings(project.folder, PatientGradings("p1", (DiscGrading("p1", 1, modic=2, pfirrmann=4),)), "Ada")
    found: dict[str, list[Path]] = {}
    for path in project.root.rglob("*.json"):
        kind = json.loads(path.read_text(encoding="utf-8")).get("kind")
        found.setdefault(kind, []).append(path)
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_every_file_of_a_project_fits_its_schema(kind, files):
    validator = jsonschema.Draft202012Validator(schema(kind))
    assert files[kind]
    for path in files[kind]:
        validator.validate(json.loads(path.read_text(encoding="utf-8")))


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_that_lacks_something_does_not_fit(kind, files):
    validator = jsonschema.Draft202012Validator(schema(kind))
    content = json.loads(files[kind][0].read_text(encoding="utf-8"))
    for key in content:
        assert list(validator.iter_errors({name: value for name, value in content.items() if name != key})), key


def test_every_kind_that_lasts_has_a_schema_of_its_version():
    assert set(KINDS) == set(VERSIONS) - {"lease", "autosave"}
    assert all(schema(kind)["properties"]["schema"]["const"] == VERSIONS[kind] for kind in KINDS)


def test_the_committed_schemas_are_those_that_are_made():
    path = ROOT / "Utilities" / "make_schemas.py"
    spec = importlib.util.spec_from_file_location("make_schemas", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    for kind in KINDS:
        assert (module.FOLDER / f"{kind}.schema.json").read_text(encoding="utf-8") == module.schema_text(kind)
