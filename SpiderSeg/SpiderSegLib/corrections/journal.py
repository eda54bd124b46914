"""Which records were ever written: the witness by which a file that somebody deleted is missed.

Every annotator on every computer has a file of its own, so that nobody writes into another's. The records are the truth, not this.
"""

from __future__ import annotations

import json
import logging
from pathlib import Path

from SpiderSegLib.corrections.disk import add_line, computer_name, put
from SpiderSegLib.corrections.folder import ProjectFolder
from SpiderSegLib.corrections.names import safe_name
from SpiderSegLib.errors import OutputError
from SpiderSegLib.io import bytes_writer

logger = logging.getLogger(__name__)

SUFFIX = ".jsonl"

#: The file of what a rebuild noted after the event.
_REBUILT = f"rebuilt{SUFFIX}"


def note_file(folder: ProjectFolder, path: Path, author: str) -> None:
    """Notes that a file was added. What was added stays when this fails: the next rebuild notes it."""
    try:
        add_line(folder.disk, folder.journal / f"{safe_name(author)}~{computer_name()}{SUFFIX}", _line(folder, path))
    except OutputError as error:
        logger.warning("%s", error)


def noted_files(folder: ProjectFolder) -> set[Path]:
    """Every file that was noted. A line cut short by a crash is passed over: its file is found in its folder."""
    found = set()
    for path in sorted(folder.journal.glob(f"*{SUFFIX}")) if folder.journal.is_dir() else ():
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
            relative = _file_of(line)
            if relative and ".." not in Path(relative).parts and not Path(relative).is_absolute():
                found.add(folder.root / relative)
    return found


def note_again(folder: ProjectFolder, present: set[Path], is_forgetting: bool) -> None:
    """Notes the files that are there and were not noted; when forgetting, nothing else stays noted. Raises OutputError."""
    if is_forgetting:
        put(folder.disk, folder.journal / _REBUILT, bytes_writer("".join(f"{_line(folder, path)}\n" for path in sorted(present)).encode()))
        for path in folder.journal.glob(f"*{SUFFIX}"):
            if path.name != _REBUILT:
                folder.disk.unlink(path)
        return
    for path in sorted(present - noted_files(folder)):
        add_line(folder.disk, folder.journal / _REBUILT, _line(folder, path))


def _line(folder: ProjectFolder, path: Path) -> str:
    return json.dumps({"file": path.relative_to(folder.root).as_posix()})


def _file_of(line: str) -> str:
    try:
        content = json.loads(line)
    except ValueError:
        return ""
    return str(content.get("file", "")) if isinstance(content, dict) else ""
