"""Which processes run on this machine, who started them, and how to tell one from a later process with the same number.

Linux is asked through /proc, other POSIX systems through `ps`, Windows through its kernel (single processes only).
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from SpiderSegLib.errors import InputError

PROC = Path("/proc")

#: A dead process that its parent has not asked for yet; it holds nothing but its number.
ZOMBIE = "Z"

#: `ps` answers in some 20 ms.
PS_TIMEOUT_S = 5.0

_IDENTITY = re.compile(r"(\d+)(?:-(\w+))?")


@dataclass(frozen=True)
class ProcessIdentity:
    """A process number and when the system started it: numbers are used again, the pair is not.

    `started` is letters and digits that mean something to this module alone.
    """

    pid: int
    started: str

    def __str__(self) -> str:
        return f"{self.pid}-{self.started}"

    @classmethod
    def parse(cls, text: str) -> ProcessIdentity:
        """The identity that str() wrote; of a mere number, that of the process that has it now, or never had it.

        Raises InputError for anything else.
        """
        found = _IDENTITY.fullmatch(text.strip())
        if found is None:
            raise InputError(f"expected a process number, found {text!r}")
        pid, started = int(found.group(1)), found.group(2)
        if started is None:
            return identity_of(pid) or cls(pid, "never")
        return cls(pid, started)


@dataclass(frozen=True)
class RunningProcess:
    """A process that runs, and the number of its parent."""

    identity: ProcessIdentity
    parent_pid: int


def identity_of(pid: int) -> ProcessIdentity | None:
    """The identity of the process with this number; None when there is none, or a dead one. Raises OSError when nobody can tell."""
    if sys.platform == "win32":
        return _windows_identity(pid)
    found = _read_proc(pid) if PROC.joinpath("self").exists() else parse_ps(_ask_ps("-p", str(pid))).get(pid)
    return None if found is None else found.identity


def is_running(process: ProcessIdentity) -> bool:
    """Whether this very process still runs; False when its number belongs to another one by now, True when nobody can tell."""
    try:
        return identity_of(process.pid) == process
    except OSError:
        return True


def running_processes() -> dict[int, RunningProcess]:
    """Every process of a POSIX system by its number, dead ones left out. About 2 ms for 100 processes on Linux.

    Raises OSError when the system can't be asked.
    """
    if not PROC.joinpath("self").exists():
        return parse_ps(_ask_ps("-A"))
    found = (_read_proc(int(entry.name)) for entry in PROC.iterdir() if entry.name.isdigit())
    return {process.identity.pid: process for process in found if process is not None}


def family(table: Mapping[int, RunningProcess], ancestors: Iterable[ProcessIdentity]) -> set[ProcessIdentity]:
    """The ancestors that run and all their descendants, as far as `table` shows them."""
    children: dict[int, list[ProcessIdentity]] = {}
    for process in table.values():
        children.setdefault(process.parent_pid, []).append(process.identity)
    waiting = [ancestor for ancestor in ancestors if ancestor.pid in table and table[ancestor.pid].identity == ancestor]
    found: set[ProcessIdentity] = set()
    while waiting:
        member = waiting.pop()
        if member not in found:
            found.add(member)
            waiting.extend(children.get(member.pid, ()))
    return found


def _read_proc(pid: int) -> RunningProcess | None:
    try:
        text = PROC.joinpath(str(pid), "stat").read_bytes()
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return None
    # proc(5): pid (name) state ppid ..., the start time is field 22. The name may hold spaces and brackets.
    fields = text.rpartition(b")")[2].decode("ascii").split()
    return None if fields[0] in (ZOMBIE, "X") else RunningProcess(ProcessIdentity(pid, fields[19]), int(fields[1]))


def _ask_ps(*selection: str) -> str:
    # The C locale, so that a start time is the same text whoever asks.
    command = ["ps", *selection, "-o", "pid=,ppid=,stat=,lstart="]
    try:
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", env={**os.environ, "LC_ALL": "C"}, timeout=PS_TIMEOUT_S)
    except subprocess.TimeoutExpired as error:
        raise TimeoutError(f"ps did not answer within {PS_TIMEOUT_S:g} s") from error
    return done.stdout


def parse_ps(text: str) -> dict[int, RunningProcess]:
    """The processes in the output of `ps -o pid=,ppid=,stat=,lstart=`, dead ones and lines of another kind left out."""
    found = {}
    for line in text.splitlines():
        fields = line.split(maxsplit=3)
        if len(fields) == 4 and fields[0].isdigit() and fields[1].isdigit() and not fields[2].startswith(ZOMBIE):
            pid = int(fields[0])
            found[pid] = RunningProcess(ProcessIdentity(pid, re.sub(r"\W", "", fields[3])), int(fields[1]))
    return found


if sys.platform == "win32":
    import ctypes
    from ctypes import wintypes

    _QUERY_AND_WAIT = 0x1000 | 0x00100000  # PROCESS_QUERY_LIMITED_INFORMATION | SYNCHRONIZE
    _WAIT_TIMEOUT = 0x102

    _kernel32 = ctypes.WinDLL("kernel32", use_last_error=True)
    _kernel32.OpenProcess.restype = wintypes.HANDLE
    _kernel32.OpenProcess.argtypes = [wintypes.DWORD, wintypes.BOOL, wintypes.DWORD]
    _kernel32.WaitForSingleObject.argtypes = [wintypes.HANDLE, wintypes.DWORD]
    _kernel32.GetProcessTimes.argtypes = [wintypes.HANDLE, *[ctypes.POINTER(wintypes.FILETIME)] * 4]
    _kernel32.CloseHandle.argtypes = [wintypes.HANDLE]

    def _windows_identity(pid: int) -> ProcessIdentity | None:
        handle = _kernel32.OpenProcess(_QUERY_AND_WAIT, False, pid)
        if not handle:
            return None
        try:
            # A process that has ended can be opened as long as anyone holds a handle of it.
            if _kernel32.WaitForSingleObject(handle, 0) != _WAIT_TIMEOUT:
                return None
            times = [wintypes.FILETIME() for _ in range(4)]
            if not _kernel32.GetProcessTimes(handle, *(ctypes.byref(time) for time in times)):
                return None
            return ProcessIdentity(pid, f"{times[0].dwHighDateTime:08x}{times[0].dwLowDateTime:08x}")
        finally:
            _kernel32.CloseHandle(handle)
