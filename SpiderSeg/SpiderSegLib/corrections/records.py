"""Immutable JSON records in a folder, each named by the SHA-256 of what it says: append-only, so that nobody overwrites anybody.

A record names its parents. Those that no other record names as parent are the heads; more than one head means that two people went on
from the same place. Order comes from the parents, never from clocks.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Protocol, TypeVar

import SpiderSegLib
from SpiderSegLib.corrections.disk import put_new, put_pair
from SpiderSegLib.corrections.folder import ProjectFolder
from SpiderSegLib.corrections.journal import note_file
from SpiderSegLib.corrections.names import safe_name
from SpiderSegLib.corrections.schema import VERSIONS, NewerSchema, migrated
from SpiderSegLib.errors import ProjectError
from SpiderSegLib.io import bytes_writer

#: Characters of a record's id in its file name.
SHORT_ID = 12

#: Characters of the author's name there.
AUTHOR_IN_NAME = 24

RECORD_SUFFIX = ".json"

_NAME = re.compile(r"\d{8}T\d{6}Z_[A-Za-z0-9][A-Za-z0-9_.-]*_(?P<id>[0-9a-f]{12})\.json")

#: Gives the present time.
Clock = Callable[[], datetime]


class Linked(Protocol):
    """What has parents: ids of the records it goes on from, its main one first."""

    @property
    def id(self) -> str: ...
    @property
    def parents(self) -> tuple[str, ...]: ...
    @property
    def created_utc(self) -> str: ...


T = TypeVar("T", bound=Linked)


@dataclass(frozen=True)
class StoredRecord:
    """A record as it lies on disk: its id, its file and what it says, in the present schema."""

    id: str
    path: Path
    body: Mapping[str, Any]


@dataclass(frozen=True)
class DamagedRecord:
    """A file that should be a record and is not, and why."""

    path: Path
    reason: str


def utc_now() -> datetime:
    """The present time in UTC."""
    return datetime.now(timezone.utc)


def utc_text(time: datetime) -> str:
    """'2026-05-04T09:30:12.345Z'."""
    return time.astimezone(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def new_record(kind: str, body: Mapping[str, Any], clock: Clock = utc_now) -> tuple[str, bytes, str]:
    """Id, file content and created_utc of a record of this kind; schema, kind, time and software are added to the body."""
    created = utc_text(clock())
    full = {"schema": VERSIONS[kind], "kind": kind, "created_utc": created, "software": f"SpiderSeg {SpiderSegLib.__version__}", **body}
    identity = record_id(full)
    return identity, (json.dumps({"id": identity, **full}, indent=1, ensure_ascii=False) + "\n").encode("utf-8"), created


def add_record(
    folder: ProjectFolder,
    place: Path,
    kind: str,
    author: str,
    body: Mapping[str, Any],
    clock: Clock = utc_now,
    companion: tuple[str, bytes] | None = None,
) -> StoredRecord:
    """Adds a record to a folder, with a companion (suffix, content) of the same name where one is given: both are there, or none.

    Raises ProjectError when the folder has this very record, OutputError when it can't be written.
    """
    identity, content, created = new_record(kind, body, clock)
    path = place / f"{record_stem(created, author, identity)}{RECORD_SUFFIX}"
    if companion is not None:
        put_pair(folder.disk, path.with_suffix(companion[0]), bytes_writer(companion[1]), path, bytes_writer(content))
    elif not put_new(folder.disk, path, bytes_writer(content)):
        raise ProjectError(f"{path}: this record is there already")
    note_file(folder, path, author)
    return StoredRecord(identity, path, json.loads(content))


def record_id(body: Mapping[str, Any]) -> str:
    """SHA-256, hex, of a record without its id, as JSON with sorted keys."""
    content = {key: value for key, value in body.items() if key != "id"}
    return hashlib.sha256(json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode("utf-8")).hexdigest()


def record_stem(created_utc: str, author: str, identity: str) -> str:
    """File name without suffix: '20260504T093012Z_ada_1f2e3d4c5b6a'."""
    time = re.sub(r"[-:]|\.\d+", "", created_utc)
    return f"{time}_{safe_name(author, AUTHOR_IN_NAME)}_{identity[:SHORT_ID]}"


def is_record_name(name: str) -> bool:
    """Whether a file name is that of a record."""
    return _NAME.fullmatch(name) is not None


def record_names(folder: Path) -> list[str]:
    """Names of the records in a folder, sorted; empty when there is no folder. Nothing is opened."""
    try:
        with os.scandir(folder) as entries:
            return sorted(entry.name for entry in entries if is_record_name(entry.name))
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise ProjectError(f"{folder}: can't be read: {error.strerror}") from error


def read_record(path: Path, kind: str) -> StoredRecord:
    """Reads a record. Raises ProjectError when it can't be read, is of another kind or a newer schema, or is not what was written."""
    body = read_json(path)
    if body.get("kind") != kind:
        raise ProjectError(f"{path}: expected a record of kind {kind!r}, found {body.get('kind')!r}")
    identity = record_id(body)
    if body.get("id") != identity or not path.stem.endswith(identity[:SHORT_ID]):
        raise ProjectError(f"{path}: not what was written: it was changed by hand, renamed or damaged")
    return StoredRecord(identity, path, migrated(kind, body, path))


def read_records(folder: Path, kind: str) -> tuple[list[StoredRecord], list[DamagedRecord]]:
    """All records of a folder, and the files that should be records and are not.

    Raises ProjectError only for a record of a newer schema: leaving it out would hide work.
    """
    records, damaged = [], []
    for name in record_names(folder):
        path = folder / name
        try:
            records.append(read_record(path, kind))
        except NewerSchema:
            raise
        except ProjectError as error:
            damaged.append(DamagedRecord(path, str(error)))
    return records, damaged


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object. Raises ProjectError naming the file when it is missing, unreadable or something else."""
    try:
        content = json.loads(path.read_bytes())
    except FileNotFoundError as error:
        raise ProjectError(f"{path}: no such file") from error
    except (OSError, ValueError) as error:
        raise ProjectError(f"{path}: expected a JSON file: {error}") from error
    if not isinstance(content, dict):
        raise ProjectError(f"{path}: expected a JSON object, found {type(content).__name__}")
    return content


def in_order(records: Iterable[T]) -> tuple[T, ...]:
    """Records with parents before children; those that don't depend on each other by time. A parent that is missing is as none."""
    by_id = {record.id: record for record in records}
    depths: dict[str, int] = {}
    for start in by_id:
        waiting = [start]
        while waiting:
            current = waiting[-1]
            parents = [parent for parent in by_id[current].parents if parent in by_id]
            unknown = [parent for parent in parents if parent not in depths]
            if unknown:
                waiting.extend(unknown)
            else:
                depths[current] = 1 + max((depths[parent] for parent in parents), default=0)
                waiting.pop()
    return tuple(sorted(by_id.values(), key=lambda record: (depths[record.id], record.created_utc, record.id)))


def heads_of(records: Sequence[T]) -> tuple[T, ...]:
    """The records that none of the others goes on from, in the order given."""
    continued = {parent for record in records for parent in record.parents}
    return tuple(record for record in records if record.id not in continued)
