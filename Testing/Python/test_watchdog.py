"""Processes told apart from later ones with the same number; a run ends when the program that started it is gone."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

from SpiderSegLib import process_table, watchdog
from SpiderSegLib.errors import InputError
from SpiderSegLib.process_table import ProcessIdentity, family, identity_of, is_running, parse_ps, running_processes

pytestmark = pytest.mark.skipif(os.name == "nt", reason="POSIX signals and process tables")

PATIENCE_S = 30

#: What `ps -A -o pid=,ppid=,stat=,lstart=` says on macOS.
PS_OUTPUT = """\
    1     0 Ss   Mon Mar  3 08:00:01 2025
  501     1 S    Mon Mar  3 08:00:09 2025
  777   501 R+   Mon Mar  3 09:15:00 2025
  778   501 Z    Mon Mar  3 09:15:00 2025
ps: something went wrong
"""


@pytest.fixture
def sleeper():
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(300)"])
    yield process
    process.kill()
    process.wait()


def wait_until(is_so):
    end = time.monotonic() + PATIENCE_S
    while not is_so():
        assert time.monotonic() < end, "never came true"
        time.sleep(0.02)


# Which processes run


def test_an_identity_is_the_same_after_a_way_through_text():
    mine = identity_of(os.getpid())
    assert ProcessIdentity.parse(str(mine)) == mine
    assert is_running(mine)


def test_a_mere_number_means_the_process_that_has_it_now():
    assert ProcessIdentity.parse(str(os.getpid())) == identity_of(os.getpid())


@pytest.mark.parametrize("text", ["", "parent", "-5", "12-", "12 34", "12-34-56"])
def test_other_text_is_no_process(text):
    with pytest.raises(InputError, match="expected a process number"):
        ProcessIdentity.parse(text)


def test_a_later_process_with_the_same_number_is_another_one(sleeper):
    assert not is_running(ProcessIdentity(sleeper.pid, "1"))


def test_a_dead_process_does_not_run_even_while_nobody_asked_for_it(sleeper):
    identity = identity_of(sleeper.pid)
    assert is_running(identity)
    os.kill(sleeper.pid, signal.SIGKILL)
    wait_until(lambda: not is_running(identity))  # a zombie until wait() below
    assert sleeper.pid not in running_processes()


def test_a_child_is_listed_below_its_parent(sleeper):
    table = running_processes()
    assert table[sleeper.pid].parent_pid == os.getpid()
    assert identity_of(sleeper.pid) in family(table, [identity_of(os.getpid())])


def test_ps_lines_give_processes_without_the_dead():
    table = parse_ps(PS_OUTPUT)
    assert {pid: process.parent_pid for pid, process in table.items()} == {1: 0, 501: 1, 777: 501}
    assert table[777].identity == ProcessIdentity(777, "MonMar30915002025")


def test_a_family_is_the_ancestor_with_children_and_grandchildren():
    table = parse_ps(PS_OUTPUT)
    assert {process.pid for process in family(table, [table[501].identity])} == {501, 777}
    assert family(table, [ProcessIdentity(501, "earlier")]) == set()


def test_without_proc_the_system_is_asked_through_ps(tmp_path, monkeypatch):
    ps = tmp_path / "ps"
    ps.write_text(f"#!/bin/sh\ncat <<END\n{PS_OUTPUT}END\n")
    ps.chmod(0o755)
    monkeypatch.setattr(process_table, "PROC", tmp_path / "none")
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    assert set(running_processes()) == {1, 501, 777}
    assert is_running(ProcessIdentity(777, "MonMar30915002025"))
    assert not is_running(ProcessIdentity(778, "MonMar30915002025"))


def test_a_process_counts_as_running_when_nobody_can_tell(tmp_path, monkeypatch):
    monkeypatch.setattr(process_table, "PROC", tmp_path / "none")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert is_running(ProcessIdentity(777, "1"))


# Ending with the parent

#: Starts a worker whose output goes nowhere, so that no broken pipe ends it, tells its number, and lives on.
PARENT = """
import os, subprocess, sys, time
from SpiderSegLib.watchdog import parent_environment
worker = subprocess.Popen([sys.executable, "-c", sys.argv[1], *sys.argv[2:]], env={**os.environ, **parent_environment()}, stderr=subprocess.DEVNULL)
print(worker.pid, flush=True)
time.sleep(300)
"""

#: The command line's own way in, with a run that takes long.
RUN = "import time; from SpiderSegLib.cli import main; main.run = lambda: time.sleep(300); print('up', flush=True); main.main()"

#: Deep in a computation no signal is heard; a file is being written.
DEAF = """
import signal, sys, threading, time
from pathlib import Path
from SpiderSegLib import watchdog
from SpiderSegLib.atomic import write_together
signal.signal(signal.SIGTERM, lambda *arguments: None)
parent = watchdog.ProcessIdentity.parse(__import__("os").environ[watchdog.PARENT_VARIABLE])
threading.Thread(target=watchdog.end_after, args=(parent, 0.05, 0.1), daemon=True).start()
def write(temporary):
    temporary.write_text("half")
    print("up", flush=True)
    while True:
        time.sleep(1)
write_together({Path(sys.argv[1]) / "result.mha": write})
"""


@pytest.fixture
def start_parent():
    """Starts PARENT with a worker program, and gives the parent and the worker's identity once the worker is up."""
    started = []

    def start(program, *arguments):
        parent = subprocess.Popen([sys.executable, "-c", PARENT, program, *map(str, arguments)], stdout=subprocess.PIPE, text=True)
        started.append(parent)
        lines = [parent.stdout.readline().strip() for _ in range(2)]
        lines.remove("up")
        worker = identity_of(int(lines[0]))
        started.append(worker)
        return parent, worker

    yield start
    # Workers last started first: they hold the pipe that communicate() waits for.
    for one in reversed(started):
        if isinstance(one, ProcessIdentity):
            if is_running(one):
                os.kill(one.pid, signal.SIGKILL)
        else:
            one.kill()
            one.communicate()


def test_a_run_ends_when_its_parent_was_killed(start_parent):
    parent, worker = start_parent(RUN)
    assert is_running(worker)
    parent.kill()
    wait_until(lambda: not is_running(worker))


def test_a_run_goes_on_while_its_parent_lives(start_parent):
    _, worker = start_parent(RUN)
    time.sleep(3 * watchdog.POLL_INTERVAL_S)
    assert is_running(worker)


def test_a_deaf_run_ends_too_and_leaves_no_temporary_file(start_parent, tmp_path):
    parent, worker = start_parent(DEAF, tmp_path)
    assert [path.suffix for path in tmp_path.iterdir()] == [".mha"]
    parent.kill()
    wait_until(lambda: not is_running(worker))
    assert list(tmp_path.iterdir()) == []


def test_a_parent_that_is_gone_already_ends_the_run(sleeper):
    gone = identity_of(sleeper.pid)
    sleeper.kill()
    sleeper.wait()
    done = subprocess.run(
        [sys.executable, "-c", RUN], env={**os.environ, watchdog.PARENT_VARIABLE: str(gone)}, capture_output=True, timeout=PATIENCE_S, check=False
    )
    assert done.returncode != 0


def test_without_a_parent_named_nothing_is_watched():
    assert watchdog.end_with_parent({}) is None


def test_a_parent_that_is_no_process_is_said_and_ignored(caplog):
    assert watchdog.end_with_parent({watchdog.PARENT_VARIABLE: "Slicer"}) is None
    assert "SPIDERSEG_PARENT_PID: expected a process number, found 'Slicer'" in caplog.text


def test_what_watches_is_told_who_watches():
    (value,) = watchdog.parent_environment().values()
    assert ProcessIdentity.parse(value) == identity_of(os.getpid())


def test_the_watched_run_is_the_real_command(tmp_path):
    """`python -m SpiderSegLib` under a parent that stays does its work as ever."""
    environment = {**os.environ, **watchdog.parent_environment()}
    arguments = [sys.executable, "-m", "SpiderSegLib", "predict", "none.mha", "-o", str(tmp_path), "--progress", "none"]
    done = subprocess.run(arguments, env=environment, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    assert done.returncode == 1
    assert "none.mha: no such file or folder" in done.stderr
