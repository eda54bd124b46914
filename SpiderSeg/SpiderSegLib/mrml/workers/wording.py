"""What people read about a run: stages, time left, and why it failed. English that Slicer translates."""

from __future__ import annotations

import re
import signal
from collections.abc import Sequence

from SpiderSegLib.mrml.translation import _

#: So many error lines are shown; a batch has one for each failed series.
MOST_ERROR_LINES = 3

#: Exit codes of the command line beside 1, which its last error line explains.
USAGE, INTERRUPTED = 2, 130

#: Shells and launchers report a process ended by signal n as 128 + n.
SIGNAL_OFFSET = 128

#: Windows reports crashes as NTSTATUS values of at least this.
WINDOWS_CRASH = 0xC0000000

#: What Slicer's launcher says of a program that crashed or was killed, with exit code 1.
_LAUNCHER_CRASH = re.compile(r"exit(ed)? abnormally")

_ERROR = re.compile(r"(error|critical): (?P<text>.+)", re.IGNORECASE)


def stage_text(stage: str) -> str:
    """What a run does after it reported this stage of `--progress json`; a stage unknown here as it is.

    A stage is reported when it ends, but import when it begins and the network's after every window too.
    """
    texts = {
        "import": _("Loading the model"),
        "read": _("Preparing the series"),
        "preprocess": _("Finding vertebrae, discs and canal"),
        "network": _("Finding vertebrae, discs and canal"),
        "resample": _("Numbering the levels"),
        "number": _("Writing the result"),
        "write": _("Writing the result"),
        "check": _("Checking the data"),
        "train": _("Training"),
        "score": _("Comparing with the champion"),
        "report": _("Writing the report"),
    }
    return texts.get(stage, stage)


def time_left_text(seconds: float | None) -> str:
    """'about 2 min left', as exact as an estimate can be; '' when it can't be told."""
    if seconds is None:
        return ""
    if seconds < 10:
        return _("a few seconds left")
    if seconds < 55:
        return _("about {seconds} s left").format(seconds=5 * round(seconds / 5))
    if seconds < 3600:
        return _("about {minutes} min left").format(minutes=max(1, round(seconds / 60)))
    return _("about {hours} h left").format(hours=f"{seconds / 3600:.1f}")


def error_lines(lines: Sequence[str]) -> list[str]:
    """What the command line said was wrong: its last error lines, without 'error:'; else the last line, which a traceback ends with."""
    errors = [found["text"] for line in lines if (found := _ERROR.fullmatch(line)) and not _LAUNCHER_CRASH.search(line)]
    if errors:
        return errors[-MOST_ERROR_LINES:]
    return [line for line in lines if not _LAUNCHER_CRASH.search(line)][-1:]


def failure_text(exit_code: int, lines: Sequence[str]) -> str:
    """Why a run failed, for people: how it ended, and its own last words."""
    crash = _crash_text(exit_code, lines)
    said = "\n".join(error_lines(lines))
    if crash is not None:
        return f"{crash}\n{_('Its last words: {said}').format(said=said)}" if said else crash
    if exit_code == INTERRUPTED:
        return _("The run was interrupted from outside; nothing was written.")
    if not said:
        return _("The run failed without a message (exit code {code}).").format(code=exit_code)
    return _("{said}\n(exit code {code})").format(said=said, code=exit_code)


def _crash_text(exit_code: int, lines: Sequence[str]) -> str | None:
    """How the process was ended by force; None when it ended by itself."""
    number = -exit_code if exit_code < 0 else exit_code - SIGNAL_OFFSET
    if exit_code != INTERRUPTED and number in {one.value for one in signal.Signals}:
        name = signal.Signals(number).name
        if name == "SIGKILL":
            return _("The run was killed (SIGKILL): by another program, or by the system because memory ran out. Close other programs and try again.")
        return _("The run crashed or was ended from outside ({name}).").format(name=name)
    if exit_code >= WINDOWS_CRASH:
        return _("The run crashed (Windows error {code}).").format(code=f"0x{exit_code:08X}")
    if any(_LAUNCHER_CRASH.search(line) for line in lines):
        return _("The run crashed or was killed; memory may have run out. Close other programs and try again.")
    return None
