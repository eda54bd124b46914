"""What a worker process says: bytes from its pipe -> lines -> progress, or lines for the log.

The pipe carries whatever the process and its libraries print, so nothing about it is taken for granted.
"""

from __future__ import annotations

import json
import os
import queue
import re
import threading
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Any

#: Longer lines are cut; a progress line has about a hundred bytes.
LONGEST_LINE_BYTES = 4096

CHUNK_BYTES = 65536

#: Chunks that wait to be looked at; when there are more, the process waits.
MOST_CHUNKS = 16

_LINE_END = re.compile(rb"[\r\n]")


@dataclass(frozen=True)
class ProgressReport:
    """A progress line: the stage's name, the share 0..1 of the whole run done, and what is worked on."""

    stage: str
    fraction: float
    message: str


def parse_progress(line: str) -> ProgressReport | None:
    """The report that `--progress json` wrote as this line; None for any other line."""
    if not line.startswith("{"):
        return None
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return None
    stage, fraction, message = (record.get(key) for key in ("stage", "fraction", "message"))
    if not isinstance(stage, str) or not isinstance(message, str):
        return None
    # Compared before it is converted: JSON knows NaN, Infinity and whole numbers beyond any float.
    if isinstance(fraction, bool) or not isinstance(fraction, int | float) or not 0 <= fraction <= 1:
        return None
    return ProgressReport(stage, float(fraction), message)


class LineSplitter:
    """Cuts a stream of bytes into lines at \\n and \\r; empty lines are left out, overlong ones cut, invalid UTF-8 replaced."""

    def __init__(self) -> None:
        self._rest = b""
        self._is_skipping = False

    def feed(self, data: bytes) -> list[str]:
        """The lines that these bytes complete."""
        *complete, self._rest = _LINE_END.split(self._rest + data)
        lines = []
        for line in complete:
            if not self._is_skipping:
                lines.append(_text(line))
            self._is_skipping = False
        if len(self._rest) > LONGEST_LINE_BYTES:
            if not self._is_skipping:
                lines.append(_text(self._rest))
            self._rest, self._is_skipping = b"", True
        return [line for line in lines if line]

    def end(self) -> list[str]:
        """The last line, when the stream ended without a line end."""
        return self.feed(b"\n")


def _text(line: bytes) -> str:
    text = line[:LONGEST_LINE_BYTES].decode("utf-8", errors="replace").rstrip()
    return f"{text} ..." if len(line) > LONGEST_LINE_BYTES else text


class OutputReader:
    """Reads the pipe of a process in a thread, and hands out its lines without ever waiting for one.

    Slicer's own reader of launchConsoleProcess(blocking=False) decodes strictly: bytes that end within a UTF-8 sequence keep it
    busy for ever, and the end of the process is never reported.
    """

    def __init__(self, pipe: IO[Any]) -> None:
        self._chunks: queue.Queue[bytes] = queue.Queue(MOST_CHUNKS)
        self._splitter = LineSplitter()
        self._lines: deque[str] = deque()
        self._has_ended = False
        threading.Thread(target=self._read, args=(pipe,), name="worker output", daemon=True).start()

    @property
    def at_end(self) -> bool:
        """Whether the pipe was closed by all who write to it, and every line was handed out."""
        return self._has_ended and not self._lines

    def lines(self, budget_s: float) -> Iterator[str]:
        """The lines that have arrived; stops after about `budget_s`, the rest comes next time."""
        end = time.monotonic() + budget_s
        while self._lines or self._take_chunk():
            if self._lines:
                yield self._lines.popleft()
            if time.monotonic() > end:
                return

    def _take_chunk(self) -> bool:
        try:
            chunk = self._chunks.get_nowait()
        except queue.Empty:
            return False
        if not chunk:
            self._has_ended = True
        self._lines.extend(self._splitter.feed(chunk) if chunk else self._splitter.end())
        return True

    def _read(self, pipe: IO[Any]) -> None:
        # The thread closes the pipe itself: closed by another, its number could belong to another file at the next read.
        with pipe:
            while True:
                try:
                    chunk = os.read(pipe.fileno(), CHUNK_BYTES)
                except OSError:
                    chunk = b""
                self._chunks.put(chunk)
                if not chunk:
                    return
