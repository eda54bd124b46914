"""Runs without Qt and without the application: real processes, launched with this Python and watched from a plain loop."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest

import SpiderSegLib
from SpiderSegLib.mrml.workers.launching import launchPython
from SpiderSegLib.mrml.workers.process import WorkerProcess, WorkerState
from SpiderSegLib.mrml.workers.process_tree import tree_of
from SpiderSegLib.mrml.workers.queue import WorkerQueue
from SpiderSegLib.process_table import ProcessIdentity, identity_of

PATIENCE_S = 60

UP = '{"stage": "import", "fraction": 0.5, "message": "up"}'

STUBBORN = f"import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print({UP!r}, flush=True); time.sleep(300)"

#: As a launcher does: starts a child that does not listen to being asked to end, and waits for it.
ENDLESS = f"import subprocess, sys; sys.exit(subprocess.call([sys.executable, '-c', {STUBBORN!r}]))"


class Loop:
    """An event loop that knows tickers alone; `makeTicker` makes one of it."""

    def __init__(self):
        self.going = []

    def makeTicker(self, intervalMs, callback):
        return LoopTicker(self.going, callback)

    def run_until(self, is_so):
        end = time.monotonic() + PATIENCE_S
        while not is_so():
            assert time.monotonic() < end, "never came true"
            for ticker in tuple(self.going):
                ticker.callback()
            time.sleep(0.01)


class LoopTicker:
    def __init__(self, going, callback):
        self._going = going
        self.callback = callback

    def start(self):
        self._going.append(self)

    def stop(self):
        self._going.remove(self)


def launch(arguments):
    """`-c PROGRAM` as that Python program, anything else as `spiderseg` does."""
    if arguments[0] != "-c":
        return launchPython(arguments)
    return subprocess.Popen([sys.executable, *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


@pytest.fixture
def loop():
    return Loop()


@pytest.fixture
def queue(loop, tmp_path):
    queue = WorkerQueue(launch, loop.makeTicker, lambda: tmp_path / "runs")
    yield queue
    queue.shutDown()


def run_to_end(loop, queue, *arguments):
    worker = WorkerProcess(arguments, queue.makeFolder())
    queue.submit(worker)
    loop.run_until(lambda: not queue.isBusy)
    return worker


def test_a_run_of_the_command_line_is_watched_to_its_end(loop, queue):
    worker = run_to_end(loop, queue, "version")
    assert (worker.state, worker.exitCode, worker.message) == (WorkerState.DONE, 0, ""), worker.log
    assert worker.log.startswith(f"SpiderSeg {SpiderSegLib.__version__}\n")
    assert not worker.folder.path.exists()
    assert loop.going == []


def test_the_command_line_s_error_is_the_message(loop, queue, tmp_path):
    worker = run_to_end(loop, queue, "predict", str(tmp_path / "none.mha"), "-o", str(tmp_path / "out"), "--progress", "json")
    assert worker.state is WorkerState.FAILED
    assert worker.message == f"{tmp_path / 'none.mha'}: no such file or folder\n(exit code 1)"


@pytest.mark.skipif(os.name == "nt", reason="POSIX processes")
def test_a_cancel_ends_the_run_and_what_it_started(loop, queue):
    worker = WorkerProcess(["-c", ENDLESS], queue.makeFolder())
    queue.submit(worker)
    loop.run_until(lambda: worker.stage == "import")
    tree = tree_of([identity_of(worker._process.pid)])
    assert len(tree) == 2
    worker.cancel()
    assert worker.state is WorkerState.CANCELLING
    loop.run_until(lambda: not queue.isBusy)
    assert (worker.state, worker.message) == (WorkerState.CANCELLED, "The run was cancelled.")
    assert tree_of(tree) == set()
    assert not worker.folder.path.exists()
    assert loop.going == []


def test_runs_wait_for_each_other(loop, queue):
    first, second = (WorkerProcess(["-c", f"print({number})"]) for number in range(2))
    queue.submit(first)
    queue.submit(second)
    assert (first.state, second.state) == (WorkerState.RUNNING, WorkerState.QUEUED)
    loop.run_until(lambda: not queue.isBusy)
    assert (first.log, second.log) == ("0", "1")


def test_the_temporary_folder_is_asked_for_each_time(loop, tmp_path):
    folders = [tmp_path / "at first", tmp_path / "chosen later"]
    queue = WorkerQueue(launch, loop.makeTicker, lambda: folders[0])
    folders.reverse()
    assert queue.makeFolder().path.parent == tmp_path / "chosen later"


# Launching


def test_the_output_and_the_errors_come_through_one_pipe():
    process = launchPython(["no-such-command"])
    output, nothing = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 2
    assert "no-such-command" in output
    assert nothing is None


def test_a_run_is_told_whom_not_to_outlive_and_finds_the_packages_of_this_python(tmp_path, monkeypatch):
    (tmp_path / "sitecustomize.py").write_text("import os; print(os.environ['SPIDERSEG_PARENT_PID'])")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    output, _ = launchPython(["split", "--help"]).communicate(timeout=PATIENCE_S)
    told, *usage = output.splitlines()
    assert ProcessIdentity.parse(told) == identity_of(os.getpid())
    assert "Usage" in "".join(usage)


@pytest.mark.skipif(os.name == "nt", reason="POSIX sessions")
def test_a_terminal_s_interruption_does_not_reach_the_run():
    process = launchPython(["split", "--help"])
    session = os.getsid(process.pid)
    process.communicate(timeout=PATIENCE_S)
    assert session == process.pid
