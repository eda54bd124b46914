"""A project: its folder and what project.json says of it."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from SpiderSegLib.corrections.disk import Disk, put_new
from SpiderSegLib.corrections.folder import ProjectFolder
from SpiderSegLib.corrections.records import Clock, read_json, utc_now, utc_text
from SpiderSegLib.corrections.schema import VERSIONS, migrated
from SpiderSegLib.corrections.series_record import json_text
from SpiderSegLib.errors import OutputError, ProjectError
from SpiderSegLib.io import bytes_writer
from SpiderSegLib.level_names import RESEARCH_USE

KIND = "project"

LONGEST_PROJECT_NAME = 100

#: Who imports and rebuilds where nobody gave a name.
PROGRAM = "spiderseg"


@dataclass(frozen=True)
class Project:
    """An opened project: folder, name, and the random id by which lists and models tell projects apart."""

    folder: ProjectFolder
    name: str
    project_id: str
    created_utc: str

    @property
    def root(self) -> Path:
        return self.folder.root


def create_project(root: Path, name: str = "", disk: Disk | None = None, clock: Clock = utc_now) -> Project:
    """Makes a project in a folder that is absent or empty; its name is the folder's if none is given.

    Raises ProjectError when the folder holds a project already, or anything else, and OutputError when it can't be written.
    """
    folder = ProjectFolder(root, disk or Disk())
    name = (name or root.resolve().name).strip()
    if not name or len(name) > LONGEST_PROJECT_NAME or not name.isprintable():
        raise ProjectError(f"expected a project name of 1 to {LONGEST_PROJECT_NAME} characters, found {name[:120]!r}")
    _refuse_occupied(root)
    body = {
        "schema": VERSIONS[KIND],
        "kind": KIND,
        "notice": RESEARCH_USE,
        "name": name,
        "project_id": secrets.token_hex(8),
        "created_utc": utc_text(clock()),
    }
    try:
        for place in (folder.images, folder.masks, folder.predictions, folder.revisions, folder.models, folder.decisions):
            folder.disk.make_folder(place)
    except OSError as error:
        raise OutputError(f"{root}: can't make the project's folders: {error.strerror}") from error
    # Last: a folder with project.json has everything else.
    if not put_new(folder.disk, folder.settings, bytes_writer(json_text(body).encode("utf-8"))):
        raise ProjectError(f"{root}: holds a project already")
    return _project(folder, body)


def open_project(root: Path, disk: Disk | None = None) -> Project:
    """Opens a project. Raises ProjectError when the folder is none, or its project.json is damaged or of a newer SpiderSeg."""
    folder = ProjectFolder(root, disk or Disk())
    if not folder.settings.is_file():
        hint = "no such folder" if not root.exists() else "no project.json in it"
        raise ProjectError(f"{root}: expected a SpiderSeg project, found {hint}; spiderseg project init makes one")
    body = read_json(folder.settings)
    if body.get("kind") != KIND:
        raise ProjectError(f"{folder.settings}: expected the settings of a SpiderSeg project, found kind {body.get('kind')!r}")
    return _project(folder, migrated(KIND, body, folder.settings))


def is_project(root: Path) -> bool:
    """Whether a folder looks like a project."""
    return (root / "project.json").is_file()


def _project(folder: ProjectFolder, body: Mapping[str, Any]) -> Project:
    try:
        texts = [body[key] for key in ("name", "project_id", "created_utc")]
    except KeyError as error:
        raise ProjectError(f"{folder.settings}: expected {error.args[0]!r} in the project's settings, found none") from error
    if not all(isinstance(text, str) and text for text in texts):
        raise ProjectError(f"{folder.settings}: expected texts as name, project_id and created_utc, found {texts}")
    return Project(folder, *texts)


def _refuse_occupied(root: Path) -> None:
    if root.is_dir():
        # Folders that an interrupted init left are its own.
        strangers = sorted(path.name for path in root.iterdir() if not _is_empty_folder(path))
        if "project.json" in strangers:
            raise ProjectError(f"{root}: holds a project already")
        if strangers:
            raise ProjectError(f"{root}: expected an empty folder for a new project, found {', '.join(strangers[:5])}; import what it holds instead")
    elif root.exists():
        raise ProjectError(f"{root}: expected a folder for a new project, found a file")


def _is_empty_folder(path: Path) -> bool:
    return path.name.startswith(".") or (path.is_dir() and not any(path.iterdir()))
