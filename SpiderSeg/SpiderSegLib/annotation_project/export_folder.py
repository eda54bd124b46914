"""The folder an export goes to: empty, an unfinished export of the same project, or one that may be written over."""

from __future__ import annotations

import csv
import io
from collections.abc import Set
from pathlib import Path

from SpiderSegLib.annotation_project.project import Project
from SpiderSegLib.atomic import TEMPORARY_PREFIX, FileWriter
from SpiderSegLib.corrections.disk import put
from SpiderSegLib.corrections.folder import MASK_SUFFIX
from SpiderSegLib.corrections.names import is_name
from SpiderSegLib.errors import OutputError, ProjectError
from SpiderSegLib.fingerprint import sha256_of
from SpiderSegLib.io import bytes_writer

#: Written first and last: with the one alone an export is unfinished, and the same call goes on.
README_NAME, DATALIST_NAME = "README.txt", "spider_dataset.json"

PROVENANCE_NAME = "provenance.csv"


class ExportFolder:
    """Writes an export's files through the project's disk; files that are there and right stay."""

    def __init__(self, project: Project, out: Path) -> None:
        self._disk, self._mark, self.root = project.folder.disk, f"Project id: {project.project_id}", out
        root = project.root.resolve()
        if out.resolve().is_relative_to(root):
            raise ProjectError(f"{out}: expected a folder outside the project {project.root}")

    @property
    def mark(self) -> str:
        """The line of README.txt that says whose export a folder holds."""
        return self._mark

    def open(self, is_overwriting: bool) -> None:
        """Raises OutputError when the folder holds anything but an unfinished export of this project, and must not be written over."""
        if self.root.exists() and not self.root.is_dir():
            raise OutputError(f"{self.root}: expected a folder for the export, found a file")
        try:
            is_empty = not self.root.exists() or all(path.name.startswith(TEMPORARY_PREFIX) for path in self.root.iterdir())
        except OSError as error:
            raise OutputError(f"{self.root}: can't be read: {error.strerror}") from error
        is_finished = (self.root / DATALIST_NAME).exists()
        if not is_empty and not is_overwriting and (is_finished or not self.is_ours):
            raise OutputError(f"{self.root}: expected an empty folder, found files in it; give --overwrite to write over them")
        if is_finished:
            self._disk.unlink(self.root / DATALIST_NAME)

    @property
    def is_ours(self) -> bool:
        """Whether the folder holds an export of this project."""
        try:
            return self._mark in (self.root / README_NAME).read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError):
            return False

    def remove_stale(self, images: Set[str], masks: Set[str]) -> None:
        """Removes what an earlier export of this project wrote and this one does not: a mask that is no longer accepted is none."""
        if not self.is_ours:
            return
        for series in self._exported_before():
            for folder, kept in (("images", images), ("masks", masks)):
                if series not in kept:
                    self._disk.unlink(self.root / folder / f"{series}{MASK_SUFFIX}")

    def _exported_before(self) -> list[str]:
        try:
            text = (self.root / PROVENANCE_NAME).read_text(encoding="utf-8")
            return [row["series"] for row in csv.DictReader(io.StringIO(text)) if is_name(row["series"])]
        except (OSError, UnicodeDecodeError, csv.Error, KeyError, TypeError):
            return []

    def put(self, name: str, content: bytes) -> None:
        """A small file, whole or not at all."""
        put(self._disk, self.root / name, bytes_writer(content))

    def put_file(self, name: str, writer: FileWriter, sha256: str) -> None:
        """A file with this content, unless it is there already."""
        path = self.root / name
        if hash_of(path) != sha256:
            put(self._disk, path, writer)


def hash_of(path: Path) -> str:
    """SHA-256, hex, of a file; '' when it can't be read."""
    try:
        return sha256_of(path)
    except OSError:
        return ""
