"""What a project knows of a series: whose it is, its grid, and the hashes that tell whether it trained a model. Written once, at import."""

from __future__ import annotations

import json
import os
from collections.abc import Container, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from SpiderSegLib.corrections.disk import put_new
from SpiderSegLib.corrections.folder import ProjectFolder
from SpiderSegLib.corrections.journal import note_file
from SpiderSegLib.corrections.names import check_name, is_name
from SpiderSegLib.corrections.records import RECORD_SUFFIX, Clock, new_record, read_json, record_id, utc_now
from SpiderSegLib.corrections.schema import NewerSchema, migrated
from SpiderSegLib.errors import GeometryError, ProjectError
from SpiderSegLib.io import bytes_writer
from SpiderSegLib.series_names import sequence_of
from SpiderSegLib.volume import Geometry

KIND = "series"


@dataclass(frozen=True)
class SeriesRecord:
    """A series of the project: its patient, grid, and SHA-256 of the image's file here, of the file it came from, and of its voxels.

    `facts` are what the image's header said that tells nothing of the person: scanner, field strength, echo and repetition time.
    """

    series: str
    patient_id: str
    geometry: Geometry
    image_sha256: str
    source_sha256: str
    content_sha256: str
    facts: Mapping[str, str]
    imported_utc: str = ""

    def __post_init__(self) -> None:
        check_name(self.series)
        check_name(self.patient_id, "patient")

    @property
    def sequence(self) -> str:
        """'t1', 't2', 't2_SPACE' or 'unknown', by the ending of the series name."""
        return sequence_of(self.series)


def write_series_record(folder: ProjectFolder, record: SeriesRecord, author: str, clock: Clock = utc_now) -> None:
    """Adds a series whose image is in its place already.

    Raises ProjectError when the project has one of this name, OutputError when it can't be written.
    """
    geometry = record.geometry
    body = {
        "series": record.series,
        "patient_id": record.patient_id,
        "geometry": {
            "size_ijk": list(geometry.size_ijk),
            "spacing_ijk_mm": list(geometry.spacing_ijk_mm),
            "origin_lps_mm": list(geometry.origin_lps_mm),
            "direction": list(geometry.direction),
        },
        "image": {"sha256": record.image_sha256, "source_sha256": record.source_sha256, "content_sha256": record.content_sha256},
        "facts": dict(record.facts),
    }
    _identity, content, _created = new_record(KIND, body, clock)
    if not put_new(folder.disk, folder.series_record(record.series), bytes_writer(content)):
        raise ProjectError(f"{record.series}: the project has a series of this name already")
    note_file(folder, folder.series_record(record.series), author)
    note_file(folder, folder.image(record.series), author)


def read_series_record(folder: ProjectFolder, series: str) -> SeriesRecord:
    """Reads what is known of a series. Raises ProjectError when the project has none of this name, or its record is damaged."""
    path = folder.series_record(series)
    if not path.is_file():
        raise ProjectError(f"{series}: no such series in the project {folder.root}")
    body = read_json(path)
    if body.get("kind") != KIND or body.get("id") != record_id(body):
        raise ProjectError(f"{path}: not what was written: it was changed by hand or damaged")
    record = _record_of(migrated(KIND, body, path), path)
    if record.series != series:
        raise ProjectError(f"{path}: expected the record of {series}, found that of {record.series}: it was copied or renamed")
    return record


def series_names(folder: ProjectFolder, known: Container[str] = ()) -> list[str]:
    """Names of all series of the project, unsorted; those in `known` are not looked at closely.

    Raises ProjectError when the folder can't be read.
    """
    try:
        names = os.listdir(folder.images)  # noqa: PTH208 - thousands of names, not paths
    except OSError as error:
        raise ProjectError(f"{folder.images}: can't be read: {error.strerror}") from error
    stems = (name[: -len(RECORD_SUFFIX)] for name in names if name.endswith(RECORD_SUFFIX))
    return [stem for stem in stems if stem in known or is_name(stem)]


def _record_of(body: Mapping[str, Any], path: Path) -> SeriesRecord:
    try:
        grid, image = body["geometry"], body["image"]
        i, j, k = (int(value) for value in grid["size_ijk"])
        x, y, z = (float(value) for value in grid["spacing_ijk_mm"])
        origin = (float(grid["origin_lps_mm"][0]), float(grid["origin_lps_mm"][1]), float(grid["origin_lps_mm"][2]))
        return SeriesRecord(
            series=str(body["series"]),
            patient_id=str(body["patient_id"]),
            geometry=Geometry((i, j, k), (x, y, z), origin, tuple(float(value) for value in grid["direction"])),
            image_sha256=str(image["sha256"]),
            source_sha256=str(image["source_sha256"]),
            content_sha256=str(image["content_sha256"]),
            facts={str(key): str(value) for key, value in body["facts"].items()},
            imported_utc=str(body["created_utc"]),
        )
    except NewerSchema:
        raise
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, GeometryError, ProjectError) as error:
        raise ProjectError(f"{path}: expected the record of a series: {error}") from error


def json_text(values: Mapping[str, Any]) -> str:
    """JSON as the project's own files hold it."""
    return json.dumps(values, indent=1, ensure_ascii=False) + "\n"
