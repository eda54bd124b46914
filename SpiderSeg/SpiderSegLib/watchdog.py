"""A run that another program started ends when that program is gone, even when it was killed.

The other program (3D Slicer's module) puts its identity into the environment; the run watches it from a thread of its own.
"""

from __future__ import annotations

import _thread
import logging
import os
import signal
import threading
import time
from collections.abc import Callable, Mapping

from SpiderSegLib.atomic import remove_unfinished
from SpiderSegLib.errors import InputError
from SpiderSegLib.process_table import ProcessIdentity, identity_of, is_running

#: Holds the ProcessIdentity, or the mere number, of the process to live no longer than.
PARENT_VARIABLE = "SPIDERSEG_PARENT_PID"

POLL_INTERVAL_S = 0.5

#: What the usual way out may take; a network window on a slow processor doesn't notice before it is done.
GRACE_S = 5.0

EXIT_INTERRUPTED = 130

logger = logging.getLogger(__name__)


def parent_environment() -> dict[str, str]:
    """The environment variable that makes a run end with the process that calls this."""
    return {PARENT_VARIABLE: str(identity_of(os.getpid()) or os.getpid())}


def end_with_parent(environment: Mapping[str, str] = os.environ) -> threading.Thread | None:
    """Starts to watch the process that the environment names, from the main thread of a run; None when it names none.

    A value that names no process in any way is said once and ignored.
    """
    value = environment.get(PARENT_VARIABLE, "")
    if not value:
        return None
    try:
        parent = ProcessIdentity.parse(value)
    except InputError as error:
        logger.warning("%s: %s; the run does not end with the program that started it", PARENT_VARIABLE, error)
        return None
    thread = threading.Thread(target=end_after, args=(parent,), name="end with parent", daemon=True)
    thread.start()
    return thread


def end_after(
    parent: ProcessIdentity, poll_interval_s: float = POLL_INTERVAL_S, grace_s: float = GRACE_S, end: Callable[[int], object] = os._exit
) -> None:
    """Waits until `parent` is gone, sends SIGTERM to the main thread, and ends the process where that doesn't help.

    The command line's handler turns SIGTERM into Ctrl-C: temporary files are removed on the way out. A thread inside a long
    computation does not hear it, so after `grace_s` they are removed here.
    """
    while is_running(parent):
        time.sleep(poll_interval_s)
    if hasattr(signal, "pthread_kill"):  # wakes a thread that waits for something
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGTERM)
    else:
        _thread.interrupt_main(signal.SIGTERM)
    time.sleep(grace_s)
    remove_unfinished()
    end(EXIT_INTERRUPTED)
