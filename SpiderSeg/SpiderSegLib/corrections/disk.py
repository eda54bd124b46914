"""The few operations through which a project changes its folder, one at a time, so that a test can stop before and after each.

A file appears whole: written beside its place under a temporary name, flushed, renamed, and the folder flushed. Temporary names tell
which process writes them, so that what a killed one left can be told from what a running one is about to finish.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import secrets
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from SpiderSegLib.atomic import TEMPORARY_PREFIX, FileWriter
from SpiderSegLib.errors import OutputError
from SpiderSegLib.process_table import ProcessIdentity, identity_of, is_running

#: A temporary file of another computer is given up after this long: no save takes more than seconds.
ABANDONED_AFTER_S = 24 * 3600.0

_TEMPORARY = re.compile(re.escape(TEMPORARY_PREFIX) + r"(?P<host>[A-Za-z0-9]+)~(?P<process>\d+(?:-\w+)?)~[0-9a-f]+\..+")


class Disk:
    """The operations as the system does them. All raise OSError; a folder that can't be flushed (Windows, some shares) is let be."""

    def write(self, path: Path, writer: FileWriter) -> None:
        """Lets a writer make a new file."""
        writer(path)

    def flush(self, path: Path) -> None:
        """Has a file's content reach the disk."""
        # Opened for writing because Windows flushes only such a descriptor.
        with path.open("rb+") as file:
            os.fsync(file.fileno())

    def rename(self, source: Path, target: Path) -> None:
        """Moves a file, in place of one that may be there."""
        source.replace(target)

    def link(self, source: Path, target: Path) -> None:
        """Gives a file a second name. Raises FileExistsError when something has that name: of several processes one succeeds."""
        try:
            os.link(source, target)
        except FileExistsError:
            # NFS may ask twice, and then finds the name that its first try gave.
            if not source.samefile(target):
                raise
        except OSError:
            # File systems without hard links (FAT, some shares): the file is there whole or not at all, as everywhere. That two who take one
            # name at the same instant both succeed can't be excluded there; records have names of their own by their content.
            if target.exists():
                raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target)) from None
            self.rename(source, target)

    def append(self, path: Path, data: bytes) -> None:
        """Adds to the end of a file, made if absent, and has it reach the disk."""
        with path.open("ab") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())

    def unlink(self, path: Path) -> None:
        """Removes a file; one that is gone already is no error."""
        path.unlink(missing_ok=True)

    def make_folder(self, folder: Path) -> None:
        """Makes a folder and those above it."""
        folder.mkdir(parents=True, exist_ok=True)

    def flush_folder(self, folder: Path) -> None:
        """Has the names in a folder reach the disk."""
        if sys.platform == "win32":
            return
        with contextlib.suppress(OSError):
            descriptor = os.open(folder, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)


def temporary_name(suffix: str) -> str:
    """A new name for a file that this process is writing."""
    return f"{TEMPORARY_PREFIX}{computer_name()}~{_own_identity()}~{secrets.token_hex(6)}{suffix}"


def is_temporary(name: str) -> bool:
    """Whether a file name is that of an unfinished file."""
    return name.startswith(TEMPORARY_PREFIX)


def is_abandoned(path: Path) -> bool:
    """Whether nobody will finish this temporary file: its process is gone, or it is older than ABANDONED_AFTER_S."""
    found = _TEMPORARY.fullmatch(path.name)
    if found is not None and found["host"] == computer_name():
        return not is_running(ProcessIdentity.parse(found["process"]))
    try:
        return time.time() - path.stat().st_mtime > ABANDONED_AFTER_S
    except OSError:
        return False


def put(disk: Disk, path: Path, writer: FileWriter) -> None:
    """Writes a file whole or not at all, in place of one that may be there. Raises OutputError naming it and the reason."""
    with _named(path):
        with _written(disk, path, writer) as temporary:
            disk.rename(temporary, path)
        disk.flush_folder(path.parent)


def add_line(disk: Disk, path: Path, line: str) -> None:
    """Adds a line to a file. Raises OutputError naming it and the reason."""
    with _named(path):
        disk.make_folder(path.parent)
        disk.append(path, f"{line}\n".encode())


def put_new(disk: Disk, path: Path, writer: FileWriter) -> bool:
    """Writes a file unless something has its name; returns whether it did. Raises OutputError naming it and the reason."""
    with _named(path):
        with _written(disk, path, writer) as temporary:
            try:
                disk.link(temporary, path)
            except FileExistsError:
                return False
            finally:
                disk.unlink(temporary)
        disk.flush_folder(path.parent)
        return True


def put_pair(disk: Disk, first: Path, first_writer: FileWriter, last: Path, last_writer: FileWriter) -> None:
    """Writes two new files of one folder, of which `last` says that both are there.

    Both are on disk under temporary names before either gets its own, so that after a kill between the two names the second file can
    still be finished (`annotation_project.rebuilding`). Raises OutputError naming the file and the reason; then neither is there.
    """
    with _named(last):
        with _written(disk, first, first_writer) as first_temporary, _written(disk, last, last_writer) as last_temporary:
            disk.rename(first_temporary, first)
            try:
                disk.rename(last_temporary, last)
            except OSError:
                disk.unlink(first)
                raise
        disk.flush_folder(last.parent)


@contextlib.contextmanager
def _written(disk: Disk, path: Path, writer: FileWriter) -> Iterator[Path]:
    """A temporary file beside a path, with its content on the disk; removed when the block fails."""
    disk.make_folder(path.parent)
    temporary = path.with_name(temporary_name(_suffix(path)))
    try:
        disk.write(temporary, writer)
        disk.flush(temporary)
        yield temporary
    except BaseException:
        with contextlib.suppress(OSError):
            disk.unlink(temporary)
        raise


@contextlib.contextmanager
def _named(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise OutputError(f"{path}: can't write: {error.strerror or error}") from error


def _suffix(path: Path) -> str:
    return path.suffix.lower() or ".tmp"


def computer_name() -> str:
    """The name of this computer in letters and digits."""
    return re.sub(r"[^A-Za-z0-9]", "", socket.gethostname())[:40] or "host"


def _own_identity() -> ProcessIdentity:
    return identity_of(os.getpid()) or ProcessIdentity(os.getpid(), "unknown")
