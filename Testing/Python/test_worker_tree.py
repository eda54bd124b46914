"""Ending a launcher with the real process behind it, and the private folder of a run."""

from __future__ import annotations

import os
import re
import stat
import subprocess
import sys
import time

import pytest

from SpiderSegLib.errors import OutputError
from SpiderSegLib.mrml.workers.process_tree import TreeEnder, tree_of
from SpiderSegLib.mrml.workers.run_folder import RunFolder, remove_leftovers
from SpiderSegLib.process_table import ProcessIdentity, identity_of, is_running

pytestmark = pytest.mark.skipif(os.name == "nt", reason="POSIX signals")

PATIENCE_S = 30

#: Starts the real process, as PythonSlicer does, and waits for it; every process writes its number into the folder.
LAUNCHER = """
import os, subprocess, sys
from pathlib import Path
folder, depth, program = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
(folder / str(os.getpid())).touch()
if depth:
    sys.exit(subprocess.call([sys.executable, "-c", Path(folder, "launcher").read_text(), str(folder), str(depth - 1), program]))
exec(program)
"""

SLEEPS = "import time; (folder / 'up').touch(); time.sleep(300)"

STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); (folder / 'up').touch(); time.sleep(300)"

TIDIES_UP = """
import signal, time
def tidy(*arguments):
    time.sleep(0.1)
    (folder / 'tidied').touch()
    sys.exit(0)
signal.signal(signal.SIGTERM, tidy)
(folder / 'up').touch()
time.sleep(300)
"""

#: A new child every few milliseconds, each telling its number before anyone can know it.
MULTIPLIES = """
import time
(folder / 'up').touch()
while True:
    if os.fork() == 0:
        os.setpgid(0, 0)
        (folder / str(os.getpid())).touch()
        time.sleep(300)
    time.sleep(0.003)
"""


def wait_until(is_so):
    end = time.monotonic() + PATIENCE_S
    while not is_so():
        assert time.monotonic() < end, "never came true"
        time.sleep(0.01)


def survivors(folder):
    numbers = (int(path.name) for path in folder.iterdir() if path.name.isdigit())
    return [identity for number in numbers if (identity := identity_of(number)) is not None]


@pytest.fixture
def launch(tmp_path):
    """Starts launchers `depth` deep around a program, and returns the first process when the program is up."""
    (tmp_path / "launcher").write_text(LAUNCHER)
    started = []

    def start(program, depth=1):
        process = subprocess.Popen([sys.executable, "-c", LAUNCHER, str(tmp_path), str(depth), program])
        started.append(process)
        wait_until((tmp_path / "up").exists)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()
    for identity in survivors(tmp_path):
        os.kill(identity.pid, 9)


def root_of(process):
    return identity_of(process.pid)


# Trees


@pytest.mark.parametrize("depth", [0, 1, 3])
def test_nothing_of_the_tree_lives_on(launch, tmp_path, depth):
    process = launch(SLEEPS, depth)
    assert len(tree_of([root_of(process)])) == depth + 1
    assert TreeEnder([root_of(process)]).finish(PATIENCE_S)
    assert survivors(tmp_path) == []


def test_a_process_that_does_not_listen_is_killed_after_the_grace_period(launch, tmp_path):
    process = launch(STUBBORN)
    now = [0.0]
    ender = TreeEnder([root_of(process)], grace_s=0.5, clock=lambda: now[0])
    assert not ender.step()
    wait_until(lambda: len(survivors(tmp_path)) == 1)  # the launcher listened
    assert not ender.step()
    assert len(survivors(tmp_path)) == 1
    now[0] = 0.5
    wait_until(ender.step)
    assert survivors(tmp_path) == []


def test_a_process_that_tidies_up_gets_the_time(launch, tmp_path):
    process = launch(TIDIES_UP)
    assert TreeEnder([root_of(process)], grace_s=PATIENCE_S).finish(PATIENCE_S)
    assert (tmp_path / "tidied").exists()


def test_children_started_meanwhile_do_not_escape(launch, tmp_path):
    process = launch(MULTIPLIES)
    assert TreeEnder([root_of(process)]).finish(PATIENCE_S)
    assert survivors(tmp_path) == []


def test_a_process_whose_launcher_was_killed_before_is_ended_when_it_was_known(launch, tmp_path):
    process = launch(SLEEPS)
    known = tree_of([root_of(process)])
    process.kill()
    process.wait()
    assert len(survivors(tmp_path)) == 1
    assert TreeEnder(known).finish(PATIENCE_S)
    assert survivors(tmp_path) == []


def test_a_process_that_only_has_the_number_is_left_alone(launch, tmp_path):
    process = launch(SLEEPS, depth=0)
    assert TreeEnder([ProcessIdentity(process.pid, "1")]).step()
    assert is_running(root_of(process))


def test_siblings_are_left_alone(launch, tmp_path):
    sibling = launch(SLEEPS, depth=0)
    (tmp_path / "up").unlink()
    process = launch(SLEEPS)
    assert TreeEnder([root_of(process)]).finish(PATIENCE_S)
    assert [identity.pid for identity in survivors(tmp_path)] == [sibling.pid]


def test_a_tree_that_has_ended_needs_nothing(launch):
    process = launch(SLEEPS, depth=0)
    root = root_of(process)
    process.kill()
    process.wait()
    assert TreeEnder([root]).step()
    assert TreeEnder([]).step()


def test_a_tree_that_does_not_end_in_time_is_told(launch):
    process = launch(STUBBORN)
    assert not TreeEnder([root_of(process)], grace_s=PATIENCE_S).finish(0.1)


# Folders


def test_a_run_folder_is_new_empty_and_private(tmp_path):
    first, second = RunFolder.make(tmp_path / "Slicer"), RunFolder.make(tmp_path / "Slicer")
    assert first.path != second.path
    assert list(first.path.iterdir()) == []
    assert stat.S_IMODE(first.path.stat().st_mode) == 0o700


def test_a_removed_folder_is_gone_with_what_it_held(tmp_path):
    folder = RunFolder.make(tmp_path)
    (folder.path / "out").mkdir()
    (folder.path / "out" / "a.mha").touch()
    folder.remove()
    folder.remove()
    assert list(tmp_path.iterdir()) == []


def test_a_temporary_folder_that_is_a_file_is_refused(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="can't make"):
        RunFolder.make(tmp_path / "file")


def test_a_place_that_cannot_be_written_says_where_to_choose_another(tmp_path, monkeypatch):
    def refuse(*arguments, **keywords):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "mkdir", refuse)  # root, as whom tests may run, may write anywhere
    with pytest.raises(OutputError, match=r"can't make a temporary folder here: Permission denied; .+ Modules, Temporary directory"):
        RunFolder.make(tmp_path)


def leftover(root, owner):
    """A folder as a process `owner` of this machine would have left it, with a file in it."""
    folder = RunFolder.make(root).path
    path = folder.with_name(re.sub(r"(spiderseg-\w+)-\d+-\w+-(\w{8})", rf"\1-{owner}-\2", folder.name))
    folder.rename(path)
    (path / "a.mha").touch()
    return path


def test_folders_of_dead_processes_are_removed_and_no_others(tmp_path):
    mine = RunFolder.make(tmp_path).path
    dead = leftover(tmp_path, "4000000-77")
    reused = leftover(tmp_path, f"{os.getpid()}-77")
    others = [tmp_path / name for name in ("spiderseg-notes", "spiderseg-00000000-4000000-77-abcdefgh", "data")]
    for other in others:
        other.mkdir()
    file = tmp_path / dead.name.replace("4000000", "4000001")
    file.touch()
    link = tmp_path / dead.name.replace("4000000", "4000002")
    link.symlink_to(tmp_path / "data")
    assert sorted(remove_leftovers(tmp_path)) == sorted([dead, reused])
    assert sorted(tmp_path.iterdir()) == sorted([mine, *others, file, link])


def test_no_folder_at_all_has_no_leftovers(tmp_path):
    assert remove_leftovers(tmp_path / "none") == []
