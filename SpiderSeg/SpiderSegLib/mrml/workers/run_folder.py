"""The private folder of one run: input and output of the worker, gone when the run is over, however it ends."""

from __future__ import annotations

import hashlib
import os
import platform
import re
import shutil
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path

from SpiderSegLib.atomic import make_folder
from SpiderSegLib.errors import OutputError
from SpiderSegLib.mrml.translation import _
from SpiderSegLib.process_table import ProcessIdentity, identity_of, is_running

#: The name says whose the folder is: of which machine (a temporary folder may be shared) and of which process.
NAME = re.compile(r"spiderseg-(?P<machine>[0-9a-f]{8})-(?P<owner>\d+-\w+?)-\w{8}")


@dataclass(frozen=True)
class RunFolder:
    """A folder that only this user can look into."""

    path: Path

    @classmethod
    def make(cls, root: Path) -> RunFolder:
        """A new, empty one in `root`. Raises OutputError naming the folder, the reason, and where to choose another."""
        make_folder(root)
        owner = identity_of(os.getpid())
        try:
            return cls(Path(tempfile.mkdtemp(prefix=f"spiderseg-{_machine()}-{owner}-", dir=root)))
        except OSError as error:
            text = _(
                "{folder}: can't make a temporary folder here: {error}; choose another: in 3D Slicer with Application Settings, Modules, Temporary "
                "directory, elsewhere with the environment variable TMPDIR"
            )
            raise OutputError(text.format(folder=root, error=error.strerror)) from error

    def remove(self) -> None:
        """Removes it with all it holds; what another program holds open stays for `remove_leftovers`."""
        shutil.rmtree(self.path, ignore_errors=True)


def remove_leftovers(root: Path) -> list[Path]:
    """Removes the folders that processes of this user on this machine left when they were killed; returns them."""
    try:
        folders = [path for path in root.iterdir() if _is_leftover(path)]
    except OSError:
        return []
    for path in folders:
        shutil.rmtree(path, ignore_errors=True)
    return folders


def _is_leftover(path: Path) -> bool:
    name = NAME.fullmatch(path.name)
    if name is None or name["machine"] != _machine():
        return False
    try:
        status = path.lstat()
    except OSError:
        return False
    is_ours = stat.S_ISDIR(status.st_mode) and (not hasattr(os, "getuid") or status.st_uid == os.getuid())
    return is_ours and not is_running(ProcessIdentity.parse(name["owner"]))


def _machine() -> str:
    return hashlib.sha256(platform.node().encode()).hexdigest()[:8]
