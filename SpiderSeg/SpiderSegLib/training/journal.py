"""The metrics of a run: one JSON object a step in metrics.jsonl."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from SpiderSegLib.errors import OutputError
from SpiderSegLib.io import write_text_atomically


def _in_standard_json(record: Mapping[str, Any]) -> dict[str, Any]:
    """Numbers that JSON doesn't know become null."""
    return {name: None if isinstance(value, float) and not math.isfinite(value) else value for name, value in record.items()}


class Journal:
    """Appends to, reads and shortens a metrics.jsonl; a line cut by a power failure is left out."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def append(self, record: Mapping[str, Any]) -> None:
        """Adds one line. Raises OutputError when it can't be written."""
        try:
            with self.path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(_in_standard_json(record)) + "\n")
        except OSError as error:
            raise OutputError(f"{self.path}: can't write: {error.strerror or error}") from error

    def records(self) -> list[dict[str, Any]]:
        """All whole lines; none when there is no file."""
        if not self.path.is_file():
            return []
        found = []
        for line in self.path.read_text(encoding="utf-8", errors="replace").splitlines():
            try:
                found.append(json.loads(line))
            except ValueError:
                continue
        return found

    def forget_after(self, step: int) -> None:
        """Drops what came after a step: a resumed run goes through it again."""
        kept = [record for record in self.records() if record["step"] <= step]
        write_text_atomically(self.path, "".join(json.dumps(record) + "\n" for record in kept))
