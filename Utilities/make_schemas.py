"""Writes Resources/Schemas/*.schema.json: the JSON files of an annotation project, for those who read them without SpiderSeg."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "SpiderSeg"))

from SpiderSegLib.annotation_project.decisions import Choice  # noqa: E402
from SpiderSegLib.corrections.revision import Provenance, Status  # noqa: E402
from SpiderSegLib.corrections.schema import VERSIONS  # noqa: E402
from SpiderSegLib.gradings import GRADED_ITEMS  # noqa: E402
from SpiderSegLib.labels import LevelState  # noqa: E402

FOLDER = ROOT / "Resources" / "Schemas"

Schema = dict[str, Any]

TEXT: Schema = {"type": "string"}
SHARE: Schema = {"type": "number", "minimum": 0, "maximum": 1}
SHA256: Schema = {"type": "string", "pattern": "^[0-9a-f]{64}$"}
NO_OR_SHA256: Schema = {"type": "string", "pattern": "^([0-9a-f]{64})?$"}
UTC: Schema = {"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$"}
NAME: Schema = {"type": "string", "pattern": "^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$"}
COUNT: Schema = {"type": "integer", "minimum": 0}
LEVEL: Schema = {"type": "string", "pattern": r"^([1-9]|1\d|2[0-5])$"}


def array(items: Schema, **limits: int) -> Schema:
    return {"type": "array", "items": items, **limits}


def mapping(values: Schema, names: Schema | None = None) -> Schema:
    return {"type": "object", "additionalProperties": values, **({"propertyNames": names} if names else {})}


def record(properties: Schema) -> Schema:
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


def nullable(schema: Schema) -> Schema:
    return {"anyOf": [schema, {"type": "null"}]}


def levels() -> Schema:
    """Names of the levels: state, number of lumbar vertebrae, names given by hand by level number."""
    return record(
        {
            "state": {"enum": [state.value for state in LevelState]},
            "lumbar_count": {"enum": [4, 5, 6]},
            "own_names": mapping(TEXT, LEVEL),
        }
    )


def changes() -> Schema:
    counts = dict.fromkeys(("before", "after", "added", "removed", "relabeled", "received"), COUNT)
    distances = {name: nullable({"type": "number", "minimum": 0}) for name in ("dice", "asd_mm", "hd95_mm")}
    structure = record({**counts, **distances, "values": mapping(record(counts))})
    return record({"voxels_changed": COUNT, "structures": mapping(structure, {"enum": ["vertebra", "disc", "canal"]})})


def signed(kind: str, properties: Schema) -> Schema:
    """A record that names itself by the SHA-256 of its content."""
    head = {"id": SHA256, "schema": {"const": VERSIONS[kind]}, "kind": {"const": kind}, "created_utc": UTC, "software": TEXT}
    return record({**head, **properties})


def project() -> Schema:
    return record(
        {
            "schema": {"const": VERSIONS["project"]},
            "kind": {"const": "project"},
            "notice": TEXT,
            "name": TEXT,
            "project_id": {"type": "string", "pattern": "^[0-9a-f]{16}$"},
            "created_utc": UTC,
        }
    )


def series() -> Schema:
    numbers = {"type": "number"}
    geometry = record(
        {
            "size_ijk": array({"type": "integer", "minimum": 1}, minItems=3, maxItems=3),
            "spacing_ijk_mm": array({"type": "number", "exclusiveMinimum": 0}, minItems=3, maxItems=3),
            "origin_lps_mm": array(numbers, minItems=3, maxItems=3),
            "direction": array(numbers, minItems=9, maxItems=9),
        }
    )
    image = record({"sha256": SHA256, "source_sha256": SHA256, "content_sha256": SHA256})
    return signed("series", {"series": NAME, "patient_id": NAME, "geometry": geometry, "image": image, "facts": mapping(TEXT)})


def revision() -> Schema:
    properties = {
        "series": NAME,
        "annotator": TEXT,
        "status": {"enum": [status.value for status in Status]},
        "reason": TEXT,
        "comment": TEXT,
        "minutes": {"type": "number", "minimum": 0},
        "parents": array(SHA256),
        "prediction": NO_OR_SHA256,
        "source_model": TEXT,
        "provenance": {"enum": [provenance.value for provenance in Provenance]},
        "seeded_share": SHARE,
        "mask": record({"file": {"type": "string", "pattern": r"^[^/\\]*$"}, "sha256": SHA256, "content_sha256": SHA256}),
        "values": array({"type": "integer", "minimum": 1, "maximum": 225}),
        "levels": levels(),
        "changes": record({"parent": nullable(changes()), "prediction": nullable(changes()), "superseded": array(changes())}),
        "findings": mapping(COUNT, {"enum": ["error", "warning", "note"]}),
        "worst_finding": TEXT,
    }
    return signed("revision", properties)


def decision() -> Schema:
    properties = {
        "choice": {"enum": [choice.value for choice in Choice]},
        "person": TEXT,
        "model_id": TEXT,
        "patients": array(TEXT),
        "comment": TEXT,
        "details": {"type": "object"},
        "parents": array(SHA256),
    }
    return signed("decision", properties)


def model() -> Schema:
    properties = {
        "model_id": NAME,
        "generation": COUNT,
        "parent": TEXT,
        "checkpoint_sha256": SHA256,
        "training_patients": array(TEXT),
        "training_image_sha256": mapping(SHA256),
    }
    return signed("model", properties)


def gradings() -> Schema:
    grades = {item.key: nullable({"enum": list(item.values)}) for item in GRADED_ITEMS}
    disc = record({"level": {"type": "integer", "minimum": 0, "maximum": 25}, **grades})
    of_patient = record({"schema_version": {"const": 1}, "patient_id": TEXT, "discs": array(disc)})
    return signed("gradings", {"patient_id": NAME, "annotator": TEXT, "comment": TEXT, "parents": array(SHA256), "gradings": of_patient})


#: What each kind of file is, and what makes its schema.
KINDS = {
    "project": ("project.json: what makes a folder an annotation project", project),
    "series": ("images/<series>.json: a series and its grid", series),
    "revision": ("revisions/<series>/<utc>_<annotator>_<hash>.json: a saved mask", revision),
    "gradings": ("gradings/<patient>/<utc>_<annotator>_<hash>.json: radiological gradings", gradings),
    "decision": ("decisions/<utc>_<person>_<hash>.json: validation patients and champions", decision),
    "model": ("models/<model>/model.json: a model", model),
}


def schema_text(kind: str) -> str:
    """The content of a schema file."""
    title, schema_of = KINDS[kind]
    content = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": title, **schema_of()}
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    for kind in KINDS:
        (FOLDER / f"{kind}.schema.json").write_text(schema_text(kind), encoding="utf-8")


if __name__ == "__main__":
    main()
