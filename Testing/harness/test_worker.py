"""Runs from Slicer's event loop: through PythonSlicer, which starts the real Python as a child, with real processes throughout."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from pathlib import Path

import pytest
import slicer

import harness
from SpiderSegLib.errors import OutputError
from SpiderSegLib.gui.slicer_queue import QtTicker, findPythonSlicer, launchPythonSlicer, makeSlicerQueue, temporaryFolder
from SpiderSegLib.io import write_volume
from SpiderSegLib.mrml.workers.process import WorkerProcess, WorkerState
from SpiderSegLib.mrml.workers.process_tree import tree_of
from SpiderSegLib.mrml.workers.queue import WorkerQueue
from SpiderSegLib.phantom import default_geometry, make_phantom
from SpiderSegLib.process_table import ProcessIdentity, identity_of, is_running
from SpiderSegLib.stages import Stage

PATIENCE_S = 60

UP = '{"stage": "import", "fraction": 0.0, "message": "up"}'

#: A run that never ends, and one that does not listen to being asked to end.
ENDLESS = f"import time; print('{UP}', flush=True); time.sleep(300)"
STUBBORN = f"import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('{UP}', flush=True); time.sleep(300)"


def launch(arguments):
    """As a SpiderSeg run is launched; `-c PROGRAM` as any other Python program."""
    if arguments[0] == "-c":
        return slicer.util.launchConsoleProcess([findPythonSlicer(), *arguments])
    return launchPythonSlicer(arguments)


@pytest.fixture
def queue():
    queue = WorkerQueue(launch, QtTicker, temporaryFolder)
    yield queue
    queue.shutDown()


class Heard:
    """What a run's listeners were told, and what was true at that moment."""

    def __init__(self):
        self.states = []
        self.fractions = []
        self.stages = []
        self.lines = []
        self.finished = []

    def onChanged(self, worker):
        if worker.state not in self.states[-1:]:
            self.states.append(worker.state)
        if worker.stage and worker.stage not in self.stages[-1:]:
            self.stages.append(worker.stage)
        self.fractions.append(worker.fraction)

    def onFinished(self, worker):
        self.finished.append((worker.state, worker.folder is None or worker.folder.path.exists()))


@pytest.fixture
def make(queue):
    """Makes a run of a Python program, or of `spiderseg` when given arguments, in a folder of its own."""

    def make(program=None, arguments=()):
        heard = Heard()
        worker = WorkerProcess(
            arguments if program is None else ["-c", program],
            queue.makeFolder(),
            onChanged=heard.onChanged,
            onLog=heard.lines.append,
            onFinished=heard.onFinished,
        )
        worker.heard = heard
        return worker

    return make


def run_to_end(worker):
    worker.start(launch, QtTicker)
    harness.wait_until(lambda: worker.state.isFinal, PATIENCE_S)
    return worker


def start_up(worker):
    """Starts a run and gives its whole tree, launcher first, when the real process is up."""
    worker.start(launch, QtTicker)
    return wait_up(worker)


def wait_up(worker):
    harness.wait_until(lambda: worker.stage, PATIENCE_S)
    root = identity_of(worker._process.pid)
    tree = tree_of([root])
    assert len(tree) == 2
    return [root, *(tree - {root})]


def living(tree):
    return [process for process in tree if is_running(process)]


# The real command line


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """A checkpoint of a very small network with random weights."""
    import torch

    from SpiderSegLib.network import Checkpoint, ModelConfig, Provenance, build_network, save_checkpoint
    from SpiderSegLib.preprocessing import PreprocessingConfig

    config = ModelConfig(roi_size_kji=(16, 32, 32), feature_size=4, hidden_size=32, mlp_dim=64, num_heads=4)
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("weights") / "tiny.pt"
    save_checkpoint(path, Checkpoint(build_network(config).state_dict(), config, PreprocessingConfig(in_plane_spacing_mm=6.0), Provenance("tiny")))
    return path


def predict(worker, out, *options):
    """Makes the run a `spiderseg predict` of a small phantom in its folder."""
    path = worker.folder.path / "Wirbelsäule t2.mha"
    write_volume(path, make_phantom(geometry=default_geometry((56, 64, 5), (10 / 3, 1 / 0.31, 6.6))).volume)
    worker.arguments = ["predict", str(path), "-o", str(out), "--device", "cpu", "--progress", "json", *map(str, options)]
    return worker


def test_a_run_of_the_command_line_brings_progress_and_the_result(make, tmp_path, weights):
    worker = run_to_end(predict(make(), tmp_path / "out.mha", "--weights", weights))
    assert (worker.state, worker.exitCode, worker.message) == (WorkerState.DONE, 0, ""), worker.log
    assert worker.heard.states == [WorkerState.RUNNING, WorkerState.DONE]
    assert worker.heard.stages == [stage.value for stage in Stage]
    assert worker.heard.fractions == sorted(worker.heard.fractions)
    assert worker.fraction == 1.0
    assert worker.heard.finished == [(WorkerState.DONE, True)]
    assert not worker.folder.path.exists()
    assert (tmp_path / "out.mha").exists()
    assert worker.secondsLeft is None


def test_the_command_line_s_error_is_the_message(make, tmp_path):
    worker = run_to_end(make(arguments=["predict", str(tmp_path / "none.mha"), "-o", str(tmp_path / "out"), "--progress", "json"]))
    assert (worker.state, worker.exitCode) == (WorkerState.FAILED, 1)
    assert worker.message == f"{tmp_path / 'none.mha'}: no such file or folder\n(exit code 1)"
    assert worker.message.splitlines()[0] in worker.log
    assert not worker.folder.path.exists()


def test_any_command_runs(make):
    worker = run_to_end(make(arguments=["split", "--help"]))
    assert worker.state is WorkerState.DONE
    assert "Usage" in worker.log


def test_a_run_is_told_to_live_no_longer_than_slicer(make, tmp_path, monkeypatch):
    launcher = tmp_path / "PythonSlicer"
    launcher.write_text("#!/bin/sh\necho $SPIDERSEG_PARENT_PID\n")
    launcher.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    worker = run_to_end(make(arguments=["predict"]))
    assert [ProcessIdentity.parse(line) for line in worker.heard.lines] == [identity_of(os.getpid())]


# Runs that go wrong


def test_without_pythonslicer_the_run_fails_and_says_so(make, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    worker = make(arguments=["version"])
    worker.start(launch, QtTicker)
    assert worker.state is WorkerState.FAILED
    assert "PythonSlicer was not found" in worker.message
    assert worker.heard.finished == [(WorkerState.FAILED, True)]
    assert not worker.folder.path.exists()


def test_a_launcher_that_cannot_be_executed_is_said(make, monkeypatch, tmp_path):
    (tmp_path / "PythonSlicer").write_bytes(b"\x00\x01")
    (tmp_path / "PythonSlicer").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    worker = make(arguments=["version"])
    worker.start(launch, QtTicker)
    assert worker.state is WorkerState.FAILED
    assert worker.message.startswith("The run could not be started: ")


def test_garbage_on_stdout_goes_to_the_log_and_hides_no_progress(make):
    program = (
        "import os; w = lambda data: os.write(1, data); w(b'caf\\xe4\\n' + b'\\xff' * 100_000 + b'\\n{\\n');"
        f"w(b'{UP}\\n'.replace(b'0.0', b'0.5')); w(b'\\r 10%\\r 20%'); w(b'\\xe4')"
    )
    worker = run_to_end(make(program))
    assert worker.state is WorkerState.DONE
    assert worker.fraction == 0.5
    assert [line for line in worker.heard.lines if len(line) < 99] == ["caf\ufffd", "{", " 10%", " 20%\ufffd"]


def test_a_killed_real_process_is_said(make):
    worker = make(ENDLESS)
    _, real = start_up(worker)
    os.kill(real.pid, signal.SIGKILL)
    harness.wait_until(lambda: worker.state.isFinal, PATIENCE_S)
    assert worker.state is WorkerState.FAILED
    assert "was killed (SIGKILL)" in worker.message
    assert not worker.folder.path.exists()


def test_a_killed_launcher_leaves_nothing_behind(make):
    worker = make(ENDLESS)
    tree = start_up(worker)
    os.kill(tree[0].pid, signal.SIGKILL)
    harness.wait_until(lambda: worker.state.isFinal, PATIENCE_S)
    assert worker.state is WorkerState.FAILED
    assert "was killed (SIGKILL)" in worker.message
    assert living(tree) == []


def test_a_child_left_in_the_background_does_not_hold_up_the_result(make):
    program = "import subprocess, sys; print(subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(300)']).pid)"
    worker = run_to_end(make(program))
    child = identity_of(int(worker.heard.lines[0]))
    assert child is not None  # it holds the pipe
    os.kill(child.pid, signal.SIGKILL)
    assert worker.state is WorkerState.DONE


def test_a_listener_that_raises_stops_nothing(make, queue):
    def onFinished(worker):
        raise ValueError("the segmentation is gone")

    first, second = make("pass"), make("pass")
    first.onFinished = onFinished
    queue.submit(first)
    queue.submit(second)
    harness.wait_until(lambda: second.state.isFinal, PATIENCE_S)
    assert [type(error.error) for error in harness.slot_errors] == [ValueError]
    harness.slot_errors.clear()
    assert second.state is WorkerState.DONE
    assert not first.folder.path.exists()


# Cancelling


@pytest.mark.parametrize("program", [ENDLESS, STUBBORN], ids=["listens", "stubborn"])
def test_after_a_cancel_no_descendant_lives(make, program):
    worker = make(program)
    tree = start_up(worker)
    worker.cancel()
    worker.cancel()
    assert worker.state is WorkerState.CANCELLING
    harness.wait_until(lambda: worker.state.isFinal, PATIENCE_S)
    assert living(tree) == []
    assert worker.heard.states == [WorkerState.RUNNING, WorkerState.CANCELLING, WorkerState.CANCELLED]
    assert worker.heard.finished == [(WorkerState.CANCELLED, True)]
    assert worker.message == "The run was cancelled."
    assert not worker.folder.path.exists()


def test_a_cancel_right_after_the_start_leaves_no_descendant(make, tmp_path):
    """The launcher may be about to start the real process just then."""
    for _ in range(5):
        worker = make(f"open({str(tmp_path / 'pid')!r}, 'a').write(str(__import__('os').getpid()) + chr(10)); import time; time.sleep(300)")
        worker.start(launch, QtTicker)
        worker.cancel()
        harness.wait_until(lambda worker=worker: worker.state.isFinal, PATIENCE_S)
    pids = (tmp_path / "pid").read_text().split() if (tmp_path / "pid").exists() else []
    assert [pid for pid in pids if identity_of(int(pid))] == []


def test_a_cancel_of_a_real_run_leaves_nothing_on_disk(make, tmp_path):
    worker = predict(make(), tmp_path / "out")
    tree = start_up(worker)
    worker.cancel()
    harness.wait_until(lambda: worker.state.isFinal, PATIENCE_S)
    assert worker.state is WorkerState.CANCELLED
    assert living(tree) == []
    assert not worker.folder.path.exists()
    assert list(tmp_path.iterdir()) == []


def test_a_run_that_is_over_cannot_be_cancelled_or_started(make):
    worker = run_to_end(make("pass"))
    worker.cancel()
    assert worker.state is WorkerState.DONE
    with pytest.raises(RuntimeError, match="a done run can't be started"):
        worker.start(launch, QtTicker)


# The queue


def test_runs_go_one_at_a_time_in_their_order(make, queue):
    order = []
    workers = [make(f"print({number})") for number in range(3)]
    for worker in workers:
        worker.onLog = order.append
        queue.submit(worker)
    assert [worker.state for worker in queue.workers] == [WorkerState.RUNNING, WorkerState.QUEUED, WorkerState.QUEUED]
    assert queue.running is workers[0]
    harness.wait_until(lambda: not queue.isBusy, PATIENCE_S)
    assert order == ["0", "1", "2"]
    assert [worker.state for worker in workers] == 3 * [WorkerState.DONE]


def test_a_waiting_run_is_cancelled_at_once_and_never_starts(make, queue):
    first, second, third = make(ENDLESS), make("print('second')"), make("print('third')")
    for worker in (first, second, third):
        queue.submit(worker)
    queue.cancel(second)
    assert second.state is WorkerState.CANCELLED
    assert not second.folder.path.exists()
    assert queue.workers == (first, third)
    queue.cancel(first)
    harness.wait_until(lambda: not queue.isBusy, PATIENCE_S)
    assert (first.state, third.state) == (WorkerState.CANCELLED, WorkerState.DONE)
    assert second.heard.lines == []


def test_closing_the_scene_cancels_every_run(make, queue):
    workers = [make(ENDLESS), make("print('never')"), make("print('never')")]
    for worker in workers:
        queue.submit(worker)
    tree = wait_up(workers[0])
    queue.cancelAll()
    assert queue.workers == (workers[0],)
    harness.wait_until(lambda: not queue.isBusy, PATIENCE_S)
    assert living(tree) == []
    assert {worker.state for worker in workers} == {WorkerState.CANCELLED}
    assert [worker.heard.lines for worker in workers] == [[], [], []]


def test_closing_slicer_ends_everything_before_it_goes_on(make, queue):
    workers = [make(STUBBORN), make("print('never')")]
    for worker in workers:
        queue.submit(worker)
    tree = wait_up(workers[0])
    told = list(workers[0].heard.states)
    queue.shutDown()
    assert living(tree) == []
    assert not queue.isBusy
    assert {worker.state for worker in workers} == {WorkerState.CANCELLED}
    assert [worker.folder.path.exists() for worker in workers] == [False, False]
    harness.spin(0.2)
    assert workers[0].heard.states == told
    assert workers[0].heard.finished == []


def test_a_run_that_cannot_start_lets_the_next_go_on(make, queue):
    first, second, third = make(ENDLESS), make(arguments=["a\0b"]), make("print('third')")
    for worker in (first, second, third):
        queue.submit(worker)
    queue.cancel(first)
    harness.wait_until(lambda: not queue.isBusy, PATIENCE_S)
    assert (second.state, third.state) == (WorkerState.FAILED, WorkerState.DONE)
    assert second.message == "The run could not be started: embedded null byte"


def test_the_queue_tells_when_something_comes_starts_or_goes(make, queue):
    seen = []
    queue.onChanged = lambda: seen.append(len(queue.workers))
    queue.submit(make("pass"))
    queue.submit(make("pass"))
    harness.wait_until(lambda: not queue.isBusy, PATIENCE_S)
    assert seen == [1, 2, 1, 0]


# Folders


def test_a_temporary_folder_that_cannot_be_written_is_said(queue, tmp_path):
    before = slicer.app.temporaryPath
    (tmp_path / "file").touch()
    slicer.app.temporaryPath = str(tmp_path / "file")
    try:
        with pytest.raises(OutputError, match="file: can't make"):
            queue.makeFolder()
    finally:
        slicer.app.temporaryPath = before


def test_the_folders_of_a_crashed_session_are_removed_at_the_next_start(queue):
    mine = queue.makeFolder().path
    sleeper = subprocess.Popen(["sleep", "0"])
    sleeper.wait()
    crashed = Path(str(mine).replace(str(identity_of(os.getpid())), f"{sleeper.pid}-7"))
    shutil.copytree(mine, crashed)
    makeSlicerQueue()
    assert mine.exists()
    assert not crashed.exists()
