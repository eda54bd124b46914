"""Running `spiderseg` in tests: in this process where that shows enough, which is fast."""

from __future__ import annotations

import contextlib
import json
import resource
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from SpiderSegLib.cli.main import run


def predict(*arguments: object) -> int:
    """Exit code of `spiderseg predict ARGUMENTS`, on the CPU."""
    return run(["predict", "--device", "cpu", *(str(argument) for argument in arguments)])


def tree(folder: Path) -> list[str]:
    """Everything below a folder, hidden and temporary files too."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def progress_records(stdout: str) -> list[dict[str, Any]]:
    """The JSON lines of --progress json; fails where a line is anything else."""
    return [json.loads(line) for line in stdout.splitlines()]


@contextlib.contextmanager
def file_size_limit(n_bytes: int) -> Iterator[None]:
    """As a full disk: writing past n_bytes fails in the middle of the file."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
