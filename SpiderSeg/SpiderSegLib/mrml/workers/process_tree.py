"""Ending a process with everything it started, in steps that never wait.

The process that was started is a launcher: killing it leaves the real one running, with another parent.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable

from SpiderSegLib.process_table import ProcessIdentity, family, is_running, running_processes

#: How long a process may take to remove its temporary files before it is killed; a whole cancel shall take less than a second.
GRACE_S = 0.5

#: Rounds of looking for children that were started while their parents were being stopped.
MOST_ROUNDS = 5

#: After so long a process that was told to stop has stopped.
STOPPING_S = 0.005


class TreeEnder:
    """Ends processes and all their descendants: asks them to end, and kills after a grace period what is left.

    Windows knows no asking: there `taskkill` ends the tree of the first process at once.
    """

    def __init__(self, roots: Iterable[ProcessIdentity], grace_s: float = GRACE_S, clock: Callable[[], float] = time.monotonic) -> None:
        self._known = set(roots)
        self._asked: set[ProcessIdentity] = set()
        self._grace_s = grace_s
        self._clock = clock
        self._started: float | None = None
        self._taskkills: list[subprocess.Popen[bytes]] = []

    @property
    def known(self) -> frozenset[ProcessIdentity]:
        """Every process of the tree seen so far."""
        return frozenset(self._known)

    def step(self) -> bool:
        """Does what is due now; True when none of the tree runs any more. Takes some milliseconds, on macOS some ten."""
        if self._started is None:
            self._started = self._clock()
        if sys.platform == "win32":
            return self._step_on_windows()
        return self._step()

    def finish(self, timeout_s: float) -> bool:
        """Steps until none runs, or the time is over; waits, so it is for an application that is closing."""
        end = self._clock() + timeout_s
        while not self.step():
            if self._clock() > end:
                return False
            time.sleep(0.01)
        return True

    def _step(self) -> bool:
        assert self._started is not None
        frozen: set[ProcessIdentity] = set()
        try:
            running = self._freeze_new(frozen)
            if self._clock() - self._started >= self._grace_s:
                _signal_all(running, signal.SIGKILL)
            else:
                _signal_all(running - self._asked, signal.SIGTERM)
            self._asked |= running
        finally:
            # A stopped process acts on SIGTERM only when it goes on.
            _signal_all(frozen, signal.SIGCONT)
        return not running

    def _freeze_new(self, frozen: set[ProcessIdentity]) -> set[ProcessIdentity]:
        """All of the tree that runs; what was not yet asked to end is stopped first, so that it can't start another process unseen."""
        running: set[ProcessIdentity] = set()
        for _ in range(MOST_ROUNDS):
            running = tree_of(self._known)
            self._known |= running
            new = running - self._asked - frozen
            if not new:
                break
            _signal_all(new, signal.SIGSTOP)
            frozen |= new
            # On another processor a process still runs, and may start a child, until it is interrupted there.
            time.sleep(STOPPING_S)
        return running

    def _step_on_windows(self) -> bool:
        running = {process for process in self._known if is_running(process)}
        for process in running - self._asked:
            self._asked.add(process)
            command = ["taskkill", "/PID", str(process.pid), "/T", "/F"]
            flags = getattr(subprocess, "CREATE_NO_WINDOW", 0)
            self._taskkills.append(subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, creationflags=flags))
        self._taskkills = [taskkill for taskkill in self._taskkills if taskkill.poll() is None]
        return not running and not self._taskkills


def tree_of(roots: Iterable[ProcessIdentity]) -> set[ProcessIdentity]:
    """The roots and what they started, as far as it runs; the roots alone on Windows, and where nobody can tell."""
    roots = set(roots)
    if sys.platform != "win32":
        with contextlib.suppress(OSError):
            return family(running_processes(), roots)
    return {process for process in roots if is_running(process)}


def _signal_all(processes: Iterable[ProcessIdentity], number: int) -> None:
    """Signals processes that were seen running a moment ago."""
    for process in processes:
        if process.pid > 1 and process.pid != os.getpid():
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(process.pid, number)
