"""Small files of bytes or text, whole or not at all."""

from __future__ import annotations

from pathlib import Path

from SpiderSegLib.atomic import FileWriter, write_together


def write_bytes_atomically(path: Path, data: bytes) -> None:
    """Writes a file so that it is there whole or not at all. Raises OutputError naming the path and the reason."""
    write_together({path: bytes_writer(data)})


def write_text_atomically(path: Path, text: str) -> None:
    """Writes UTF-8 text as `write_bytes_atomically` does."""
    write_bytes_atomically(path, text.encode("utf-8"))


def bytes_writer(data: bytes) -> FileWriter:
    """What writes these bytes, for `write_together`."""

    def write(temporary: Path) -> None:
        temporary.write_bytes(data)

    return write
