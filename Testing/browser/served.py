"""A server in a process of its own: its address, its log, and its end by Ctrl-C or by a kill."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

ADDRESS = re.compile(r"http://127\.0\.0\.1:\d+/\S*")

#: Python's tracebacks and logging, VTK's log and its output window.
FAULTS = re.compile(r"Traceback|never retrieved|(^|\s)(ERROR|WARNING|CRITICAL)\b|\b(ERR|WARN)\||(Error|Warning): In |^\w*(Error|Warning):")

#: Imports of VTK, Slicer and trame on a busy machine of two cores.
START_PATIENCE_S = 90.0
END_PATIENCE_S = 30.0


class Served:
    """A running server. `url` is the address it printed; `log` all lines it printed; `exit_code` None while it runs."""

    def __init__(self, command: Sequence[str], temporary: Path) -> None:
        """Starts it, with `temporary` for its temporary files, and waits for its address. AssertionError with the log when there is none."""
        temporary.mkdir(parents=True, exist_ok=True)
        self.log: list[str] = []
        self.temporary = temporary
        self._ended = False
        self._expected: list[re.Pattern[str]] = []
        self._changed = threading.Condition()
        # Temporary files and what is kept between two starts.
        folders = {"TMPDIR": str(temporary), "XDG_STATE_HOME": str(temporary / "state")}
        environment = {**os.environ, **folders, "PYTHONUNBUFFERED": "1", "PYTHONIOENCODING": "utf-8"}
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            env=environment,
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        try:
            self.url = self.wait_for_line(ADDRESS, START_PATIENCE_S)[0]
        except BaseException:
            self.kill()
            raise

    @property
    def exit_code(self) -> int | None:
        return self.process.poll()

    @property
    def port(self) -> int:
        return int(self.url.split(":")[2].split("/")[0])

    def wait_for_line(self, pattern: str | re.Pattern[str], timeout_s: float = END_PATIENCE_S) -> re.Match[str]:
        """The first match in a line of the log; AssertionError with the log when the process ended or the time is up before there is one."""
        with self._changed:
            self._changed.wait_for(lambda: self._ended or any(re.search(pattern, line) for line in self.log), timeout_s)
            found = next(filter(None, (re.search(pattern, line) for line in self.log)), None)
        if found is None:
            raise AssertionError(f"the server printed nothing like {pattern!r} (exit code {self.exit_code}):\n{self.text}")
        return found

    def expects(self, pattern: str) -> None:
        """Lines with a match are no faults."""
        self._expected.append(re.compile(pattern))

    @property
    def text(self) -> str:
        return "\n".join(self.log)

    def faults(self) -> list[str]:
        """Lines of the log that a server in order does not print."""
        return [line for line in self.log if FAULTS.search(line) and not any(pattern.search(line) for pattern in self._expected)]

    def stop(self) -> int:
        """Ctrl-C, as in a terminal; its exit code. Killed when it does not end."""
        if self.exit_code is None:
            self.process.send_signal(signal.SIGINT)
        return self._end()

    def kill(self) -> None:
        """As when the machine loses its power: nothing of the server's own runs any more. Its workers have to notice."""
        if self.exit_code is None:
            self.process.kill()
        self._end()

    def _end(self) -> int:
        try:
            self.process.wait(END_PATIENCE_S)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"the server did not end within {END_PATIENCE_S} s:\n{self.text}") from None
        finally:
            # What it left behind in its group as well: it may hold the pipe open.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            self._reader.join()
            self.process.stdout.close()  # type: ignore[union-attr]
        return self.process.returncode

    def _read(self) -> None:
        for line in self.process.stdout:  # type: ignore[union-attr]
            with self._changed:
                self.log.append(line.rstrip("\n"))
                self._changed.notify_all()
        with self._changed:
            self._ended = True
            self._changed.notify_all()


def workstation_command(path: Path | None, *options: str) -> list[str]:
    """The command as a person types it, without the browser that it opens by itself."""
    return [sys.executable, "-m", "SpiderSegLib", "workstation", *([] if path is None else [str(path)]), "--no-browser", "--port", "0", *options]


def wait_until(predicate: Callable[[], object], what: str, timeout_s: float = END_PATIENCE_S) -> None:
    """Looks until `predicate()` is true, for what no event tells (files, processes); AssertionError after `timeout_s`."""
    deadline = time.monotonic() + timeout_s
    pause = threading.Event()
    while not predicate():
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {timeout_s} s: {what}")
        pause.wait(0.02)
