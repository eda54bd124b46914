"""request.json: what a round was begun with, so that it goes on with the same or not at all.

Paths are relative to the round's folder where that is possible, so that a project that moves as a whole keeps its rounds.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from SpiderSegLib.dataset import DatasetItem
from SpiderSegLib.errors import DatasetError, TrainingError
from SpiderSegLib.io import write_text_atomically
from SpiderSegLib.retraining.request import RetrainRequest, RoundNotes

if TYPE_CHECKING:
    from SpiderSegLib.network import Checkpoint

SCHEMA = 1

#: What must be the same for a round to go on, with its words; device, workers and notes may change.
IDENTITY = {
    "champion": "the champion's weights",
    "hyper_parameters": "the hyper-parameters",
    "new": "the new masks",
    "replay": "the replayed data",
    "validation": "the validation data",
}


def keep_record(path: Path, request: RetrainRequest, champion: Checkpoint, hashes: Mapping[Path, str]) -> None:
    """Writes the record, or sees that the one there is of the same round. Raises TrainingError naming what differs, OutputError."""
    record = _record(request, champion, hashes)
    if not path.exists():
        write_text_atomically(path, json.dumps(record, indent=1) + "\n")
        return
    found, expected = (_identity(one) for one in (_read(path), record))
    changed = [words for name, words in IDENTITY.items() if found[name] != expected[name]]
    if changed:
        raise TrainingError(f"{path}: a round goes on only as it was begun; changed since: {', '.join(changed)}; begin a new one in another folder")


def read_request(out: Path) -> RetrainRequest:
    """The request of the round in a folder. Raises DatasetError when there is none, or its record can't be read."""
    record = _read(out / "request.json")
    try:
        sides = {name: tuple(_item(entry, out) for entry in record[name]) for name in ("new", "replay", "validation")}
        return RetrainRequest(
            champion=_absolute(record["champion"]["path"], out),
            new_items=sides["new"],
            validation_items=sides["validation"],
            out=out,
            replay_items=sides["replay"],
            device=record["device"],
            workers=record["workers"],
            earlier_rounds=tuple(_absolute(path, out) for path in record["earlier_rounds"]),
            notes=RoundNotes(**record["notes"]),
            **record["hyper_parameters"],
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DatasetError(f"{out / 'request.json'}: expected the record of a round: {error!r}") from error


def _record(request: RetrainRequest, champion: Checkpoint, hashes: Mapping[Path, str]) -> dict[str, Any]:
    provenance = champion.provenance
    return {
        "schema": SCHEMA,
        "model_id": request.model_id,
        "champion": {"path": _relative(request.champion, request.out), "model_id": provenance.model_id, "sha256": champion.sha256},
        "hyper_parameters": dict(request.hyper_parameters),
        **{name: [_entry(item, request.out, hashes) for item in items] for name, items in request.sides.items()},
        "device": request.device,
        "workers": request.workers,
        "earlier_rounds": [_relative(path, request.out) for path in request.earlier_rounds],
        "notes": asdict(request.notes),
    }


def _entry(item: DatasetItem, out: Path, hashes: Mapping[Path, str]) -> dict[str, str | None]:
    return {
        "image": None if item.image is None else _relative(item.image, out),
        "image_sha256": None if item.image is None else hashes[item.image],
        "label": _relative(item.label, out),
        "label_sha256": hashes[item.label],
        "patient_id": item.patient_id,
        "reference_kind": item.reference_kind,
    }


def _identity(record: Mapping[str, Any]) -> dict[str, Any]:
    """What IDENTITY compares: contents, never paths."""
    kept = ("image_sha256", "label_sha256", "patient_id", "reference_kind")
    try:
        sides = {name: [[entry[key] for key in kept] for entry in record[name]] for name in ("new", "replay", "validation")}
        return {"champion": record["champion"]["sha256"], "hyper_parameters": record["hyper_parameters"], **sides}
    except (KeyError, TypeError) as error:
        raise TrainingError(f"request.json: expected the record of a round, found one that lacks {error}") from error


def _read(path: Path) -> dict[str, Any]:
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DatasetError(f"{path}: expected the record of a round: {error}") from error
    if not isinstance(record, dict) or record.get("schema") != SCHEMA:
        raise DatasetError(f"{path}: expected the record of a round of schema {SCHEMA}, found something else")
    return record


def _item(entry: Mapping[str, Any], out: Path) -> DatasetItem:
    image = None if entry["image"] is None else _absolute(entry["image"], out)
    return DatasetItem(_absolute(entry["label"], out), entry["patient_id"], entry["reference_kind"], image)


def _relative(path: Path, out: Path) -> str:
    try:
        return Path(os.path.relpath(path.absolute(), out.absolute())).as_posix()
    except ValueError:  # another drive
        return str(path.absolute())


def _absolute(path: str, out: Path) -> Path:
    return Path(os.path.normpath(out.absolute() / path))
