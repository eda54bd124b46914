"""Versions of everything a project stores as JSON: what this SpiderSeg writes, and how older files become it.

The schemas themselves are published as Resources/Schemas/<kind>.schema.json.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from SpiderSegLib.errors import ProjectError

#: The version this SpiderSeg writes, by kind of record.
VERSIONS: Mapping[str, int] = {"project": 1, "series": 1, "revision": 1, "gradings": 1, "decision": 1, "model": 1, "lease": 1, "autosave": 1}

#: (kind, version) -> what makes a body of the next version of it. None yet: every kind is at its first version.
MIGRATIONS: Mapping[tuple[str, int], Callable[[dict[str, Any]], dict[str, Any]]] = {}


class NewerSchema(ProjectError):
    """A file was written by a newer SpiderSeg; leaving it out would hide somebody's work."""


def migrated(
    kind: str,
    body: Mapping[str, Any],
    path: Path,
    versions: Mapping[str, int] = VERSIONS,
    migrations: Mapping[tuple[str, int], Callable[[dict[str, Any]], dict[str, Any]]] = MIGRATIONS,
) -> dict[str, Any]:
    """A body in the present version of its kind. Raises NewerSchema for a later one, ProjectError for one that nobody ever wrote."""
    version = body.get("schema")
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise ProjectError(f"{path}: expected a schema version from 1 to {versions[kind]}, found {version!r}")
    if version > versions[kind]:
        raise NewerSchema(
            f"{path}: written by a newer SpiderSeg (schema {version} of {kind}, this one knows up to {versions[kind]}); update SpiderSeg"
        )
    current = dict(body)
    for step in range(version, versions[kind]):
        current = {**migrations[kind, step](current), "schema": step + 1}
    return current
