"""What only one process at a time may do to a project: import, and retrain.

Two imports at once could take one image twice, or give two patients one number; two trainings would write into one folder.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path

from SpiderSegLib.corrections.disk import computer_name, put, put_new
from SpiderSegLib.corrections.folder import ProjectFolder
from SpiderSegLib.errors import InputError, ProjectError
from SpiderSegLib.io import bytes_writer
from SpiderSegLib.process_table import ProcessIdentity, identity_of, is_running

#: The note of a process on another computer is void when it was not renewed for so long: a series or a training step takes seconds, a slow
#: share minutes.
ABANDONED_AFTER_S = 1800.0

RENEWED_EVERY_S = 60.0


class Turn:
    """The turn of this process at `what`, kept by a note among the leases; `renew` says that it is still at work."""

    def __init__(self, folder: ProjectFolder, path: Path, what: str) -> None:
        self._folder, self._path, self._what = folder, path, what
        self._content = bytes_writer(f"{computer_name()}~{identity_of(os.getpid()) or os.getpid()}".encode())
        self._renewed_s = time.monotonic()

    def take(self) -> None:
        """Raises ProjectError when another process is at it."""
        if put_new(self._folder.disk, self._path, self._content):
            return
        if not _is_abandoned(self._path):
            raise ProjectError(f"{self._folder.root}: {self._what} is at work; wait until it has ended ({self._path.name})")
        put(self._folder.disk, self._path, self._content)

    def renew(self) -> None:
        """Called again and again; writes now and then."""
        if time.monotonic() - self._renewed_s > RENEWED_EVERY_S:
            put(self._folder.disk, self._path, self._content)
            self._renewed_s = time.monotonic()

    def give_back(self) -> None:
        self._folder.disk.unlink(self._path)


@contextlib.contextmanager
def import_turn(folder: ProjectFolder) -> Iterator[Turn]:
    """Lets one import at a time into its block. Raises ProjectError when another is at work; one that was killed is none."""
    with _turn(Turn(folder, note_of(folder), "another import into this project")) as turn:
        yield turn


@contextlib.contextmanager
def retraining_turn(folder: ProjectFolder) -> Iterator[Turn]:
    """Lets one round of retraining at a time into its block. Raises ProjectError when another is at work; one that was killed is none."""
    with _turn(Turn(folder, folder.leases / "retrain.note", "another round of retraining of this project")) as turn:
        yield turn


@contextlib.contextmanager
def _turn(turn: Turn) -> Iterator[Turn]:
    turn.take()
    try:
        yield turn
    finally:
        with contextlib.suppress(OSError):
            turn.give_back()


def refuse_during_import(folder: ProjectFolder) -> None:
    """Raises ProjectError while an import is at work: files it has not named yet are no orphans."""
    path = note_of(folder)
    if path.exists() and not _is_abandoned(path):
        raise ProjectError(f"{folder.root}: an import into this project is at work; wait until it has ended")


def note_of(folder: ProjectFolder) -> Path:
    """The note of the import that is at work."""
    return folder.leases / "import.note"


def _is_abandoned(path: Path) -> bool:
    try:
        age_s = time.time() - path.stat().st_mtime
        computer, _, process = path.read_text(encoding="utf-8").partition("~")
    except (OSError, UnicodeDecodeError):
        return True
    try:
        if computer == computer_name():
            return not is_running(ProcessIdentity.parse(process))
    except InputError:
        return True
    return age_s > ABANDONED_AFTER_S
