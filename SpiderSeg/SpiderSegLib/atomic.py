"""Files that are there whole or not at all: written beside their place, flushed to disk, then renamed."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Callable, Mapping
from pathlib import Path

from SpiderSegLib.errors import OutputError

#: Writes a file's content to the path it is given.
FileWriter = Callable[[Path], None]

#: Temporary files start so: hidden, and recognizable after a kill that nothing can clean up behind.
TEMPORARY_PREFIX = ".spiderseg-"

#: Image writers choose the format by the suffix, so a temporary file keeps it, '.nii.gz' as one.
_DOUBLE_SUFFIX = ".nii.gz"

#: Temporary files that are being written.
_unfinished: set[Path] = set()


def make_folder(folder: Path) -> None:
    """Makes a folder and those above it; one that is there stays. Raises OutputError naming it and the reason."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{folder}: can't make this folder: {error.strerror}") from error


def write_together(files: Mapping[Path, FileWriter]) -> None:
    """Writes several files so that all of them appear, or none.

    Each writer gets a temporary path in its file's folder. Files of before are replaced, in the order given, once everything is on
    disk; until then failure and Ctrl-C leave them as they were, and never a new or temporary file. Raises OutputError naming the
    file and the reason.
    """
    temporaries = {path: _temporary_beside(path) for path in files}
    _unfinished.update(temporaries.values())
    try:
        for path, write in files.items():
            _write_flushed(path, temporaries[path], write)
        _rename_all(temporaries)
    finally:
        for temporary in temporaries.values():
            with contextlib.suppress(OSError):
                temporary.unlink()
        _unfinished.difference_update(temporaries.values())


def remove_unfinished() -> None:
    """Removes the temporary files of writers that are still at work, before the process ends without the usual way out."""
    for temporary in tuple(_unfinished):
        with contextlib.suppress(OSError):
            temporary.unlink()


def _temporary_beside(path: Path) -> Path:
    suffix = _DOUBLE_SUFFIX if path.name.lower().endswith(_DOUBLE_SUFFIX) else path.suffix.lower()
    return path.with_name(f"{TEMPORARY_PREFIX}{secrets.token_hex(8)}{suffix}")


def _write_flushed(path: Path, temporary: Path, write: FileWriter) -> None:
    try:
        if path.is_dir():
            raise OutputError(f"{path}: expected a file to write, found a folder")
        write(temporary)
        # Opened for writing because Windows flushes only such a descriptor.
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
    except OSError as error:
        raise OutputError(f"{path}: can't write: {error.strerror or error}") from error


def _rename_all(temporaries: Mapping[Path, Path]) -> None:
    new = []
    try:
        for path, temporary in temporaries.items():
            if not path.exists():
                new.append(path)
            try:
                temporary.replace(path)
            except OSError as error:
                raise OutputError(f"{path}: can't write: {error.strerror or error}") from error
    except BaseException:
        for path in new:
            path.unlink(missing_ok=True)
        raise
