"""Starting `python -m SpiderSegLib ARGUMENTS` with its output on a pipe."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import SpiderSegLib
from SpiderSegLib.watchdog import parent_environment

#: Starts a run of the command line with these arguments and returns at once: stdout and stderr come through the process's `stdout`.
#: Raises SpiderSegError, OSError or ValueError when it can't be started.
Launch = Callable[[Sequence[str]], "subprocess.Popen[str]"]


def workerEnvironment() -> dict[str, str]:
    """The environment variables that a run needs beside those of the application."""
    return {
        "PYTHONPATH": str(Path(SpiderSegLib.__file__).resolve().parent.parent),
        "PYTHONIOENCODING": "utf-8:backslashreplace",
        # Nothing is imported from whatever folder the application was started in.
        "PYTHONSAFEPATH": "1",
        **parent_environment(),
    }


def launchPython(arguments: Sequence[str]) -> subprocess.Popen[str]:
    """Starts `python -m SpiderSegLib ARGUMENTS` with the Python that runs this, in a group of its own: the terminal's Ctrl-C is for the application.

    Raises OSError when it can't be started.
    """
    own = workerEnvironment()
    paths = (own["PYTHONPATH"], os.environ.get("PYTHONPATH", ""))
    return subprocess.Popen(
        [sys.executable, "-m", "SpiderSegLib", *arguments],
        env={**os.environ, **own, "PYTHONPATH": os.pathsep.join(path for path in paths if path)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0) | getattr(subprocess, "CREATE_NO_WINDOW", 0),
    )
