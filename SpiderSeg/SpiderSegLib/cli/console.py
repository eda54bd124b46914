"""What people and programs see while a command runs: a bar, JSON lines, or nothing; messages through logging to stderr."""

from __future__ import annotations

import json
import logging
import os
import sys
from enum import Enum
from typing import Protocol

from SpiderSegLib.errors import Cancelled
from SpiderSegLib.stages import Stage


class ProgressStyle(str, Enum):
    """Values of --progress."""

    BAR = "bar"
    JSON = "json"
    NONE = "none"


class Progress(Protocol):
    """Told how far a series is; closed when it ends, however it ends."""

    def report(self, stage: str, fraction: float, message: str = "") -> None: ...

    def close(self) -> None: ...


class BarProgress:
    """A tqdm bar on stderr from 0 to 100 % of one series."""

    def __init__(self, title: str) -> None:
        from tqdm import tqdm

        self._bar = tqdm(
            total=100, desc=title, unit="%", bar_format="{desc}: {percentage:3.0f}%|{bar:24}| {postfix} [{elapsed}<{remaining}]", leave=False
        )

    def report(self, stage: str, fraction: float, message: str = "") -> None:
        self._bar.set_postfix_str(message or stage, refresh=False)
        self._bar.n = max(self._bar.n, round(100 * fraction))
        self._bar.refresh()

    def close(self) -> None:
        self._bar.close()


class JsonProgress:
    """One JSON object a line on stdout: stage, fraction 0..1 of the whole command (it never falls), message."""

    def __init__(self, title: str, first: float = 0.0, share: float = 1.0) -> None:
        self._title, self._first, self._share = title, first, share
        self._reached = first

    def report(self, stage: str, fraction: float, message: str = "") -> None:
        """Writes a line. Raises Cancelled when nobody reads any more."""
        self._reached = max(self._reached, self._first + self._share * fraction)
        record = {"stage": stage, "fraction": round(self._reached, 4), "message": message or self._title}
        try:
            sys.stdout.write(json.dumps(record) + "\n")
            sys.stdout.flush()
        except BrokenPipeError as error:
            # The interpreter flushes once more on its way out and would complain.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise Cancelled("the reader of the progress lines is gone") from error

    def close(self) -> None:
        pass


class NoProgress:
    """Says nothing."""

    def report(self, stage: str, fraction: float, message: str = "") -> None:
        pass

    def close(self) -> None:
        pass


def make_progress(style: ProgressStyle, title: str, number: int = 0, total: int = 1) -> Progress:
    """The progress of series `number` (from 0) of `total`."""
    if style is ProgressStyle.BAR:
        return BarProgress(title if total == 1 else f"{title} ({number + 1}/{total})")
    if style is ProgressStyle.JSON:
        return JsonProgress(title, number / total, 1 / total)
    return NoProgress()


def set_up_logging() -> None:
    """Messages of the package and warnings of its libraries to stderr, one plain line each."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_LineFormatter())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.getLogger("SpiderSegLib").setLevel(logging.INFO)
    logging.captureWarnings(True)
    _silence_itk()


def _silence_itk() -> None:
    """ITK prints its own warnings to stderr besides raising errors; each is said once, by us."""
    import SimpleITK as sitk

    sitk.ProcessObject.SetGlobalWarningDisplay(False)


class _LineFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        text = record.getMessage()
        if record.name == "py.warnings":
            text = text.splitlines()[0]
        return text if record.levelno <= logging.INFO else f"{record.levelname.lower()}: {text}"


#: The stage named before torch and MONAI are imported, which takes seconds.
STARTING = Stage.IMPORT.value
