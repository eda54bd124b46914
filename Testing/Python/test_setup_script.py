"""The set-up script's decisions, without a network and without installing anything but wheels made here."""

from __future__ import annotations

import ast
import importlib.util
import io
import os
import re
import shutil
import subprocess
import sys
import threading
import venv
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from tiny_wheels import Environment, make_wheel

SCRIPT = Path(__file__).resolve().parents[2] / "setup_spiderseg.py"


def load_script():
    spec = importlib.util.spec_from_file_location("setup_spiderseg", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


setup = load_script()
CPU_INDEX, PIN, RANGE = setup.TORCH_CPU_INDEX, "torch==2.13.0", "torch>=2.4"


# The machine


def test_an_old_python_is_told_so_in_one_line():
    program = f"import sys, runpy; sys.version_info = (3, 6, 15); runpy.run_path({str(SCRIPT)!r}, run_name='__main__')"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 1
    assert "needs Python 3.10 or newer, this is Python 3.6" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_an_old_python_can_read_the_script():
    tree = ast.parse(SCRIPT.read_text(encoding="utf-8"), feature_version=(3, 7))
    builtin_generics = [
        node for node in ast.walk(tree) if isinstance(node, ast.Subscript) and getattr(node.value, "id", "") in {"list", "dict", "set", "tuple"}
    ]
    futures = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module == "__future__"]
    unions = [node for node in ast.walk(tree) if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr)]
    assert not builtin_generics + futures + unions


def test_the_minimum_python_is_that_of_the_package():
    major, minor = setup.MINIMUM_PYTHON
    assert f'requires-python = ">={major}.{minor}"' in setup.PYPROJECT.read_text(encoding="utf-8")


@pytest.mark.parametrize("missing", ["venv", "ensurepip"])
def test_a_python_without_venv_names_the_package_to_install(missing):
    with pytest.raises(setup.SetupError, match="apt install python3-venv"):
        setup.check_python((3, 12), lambda name: name != missing)


def test_a_complete_python_passes():
    setup.check_python((3, 10), lambda name: True)


@pytest.mark.parametrize(("exit_code", "found"), [(0, True), (9, False)])
def test_a_driver_counts_only_when_nvidia_smi_reaches_it(tmp_path, monkeypatch, exit_code, found):
    windows = os.name == "nt"
    program = tmp_path / ("nvidia-smi.bat" if windows else "nvidia-smi")
    program.write_text(f"@exit {exit_code}\n" if windows else f"#!/bin/sh\nexit {exit_code}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert setup.has_nvidia_driver() is found


def test_no_nvidia_smi_is_no_driver(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert not setup.has_nvidia_driver()


class OnlyTorch(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path == "/simple/torch/" else 404)
        self.end_headers()

    def log_message(self, *arguments):
        pass


@pytest.fixture
def index_server(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    server = HTTPServer(("127.0.0.1", 0), OnlyTorch)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_an_index_answers_when_it_has_a_page_for_torch(index_server):
    assert setup.answers(f"{index_server}/simple")
    assert setup.answers(f"{index_server}/simple/")
    assert not setup.answers(f"{index_server}/elsewhere")


@pytest.mark.parametrize("url", ["http://127.0.0.1:9", "not a url", "https://user:secret@[broken"])
def test_no_server_or_no_address_is_no_answer(url):
    assert not setup.answers(url)


def test_a_probe_that_hangs_is_no_answer():
    release = threading.Event()
    assert not setup.answers_in_time("https://example.invalid", probe=lambda url: release.wait(), timeout_s=0.05)
    release.set()


@pytest.mark.parametrize("answer", [True, False])
def test_a_probe_in_time_gives_its_answer(answer):
    assert setup.answers_in_time("https://example.invalid", probe=lambda url: answer) is answer


# Which torch


@pytest.mark.parametrize(
    ("system", "has_driver", "build"),
    [
        ("Linux", True, "default"),
        ("Linux", False, "cpu"),
        ("Windows", True, "default"),
        ("Windows", False, "cpu"),
        ("Darwin", False, "default"),
    ],
)
def test_the_default_build_is_for_nvidia_drivers_and_macos(system, has_driver, build):
    assert setup.torch_build(system, has_driver) == build


@pytest.mark.parametrize(
    ("goal", "build", "cpu_index_answers", "attempts"),
    [
        ("demo", "default", True, [(RANGE, None)]),
        ("test", "default", True, [(PIN, None)]),
        ("demo", "cpu", True, [(RANGE, CPU_INDEX), (PIN, None), (RANGE, None)]),
        ("demo", "cpu", False, [(PIN, None), (RANGE, None)]),
        ("test", "cpu", True, [(PIN, CPU_INDEX), (PIN, None)]),
        ("test", "cpu", False, [(PIN, None)]),
    ],
)
def test_torch_comes_from_the_best_index_that_answers(goal, build, cpu_index_answers, attempts):
    assert setup.torch_attempts(goal, build, RANGE, PIN, lambda: cpu_index_answers) == attempts


def test_the_cpu_index_is_not_asked_where_the_default_build_is_wanted():
    def probe():
        raise AssertionError("asked")

    setup.torch_attempts("demo", "default", RANGE, PIN, probe)


def test_torch_is_ranged_in_pyproject_and_pinned_in_the_constraints():
    assert setup.torch_requirement(setup.PYPROJECT.read_text(encoding="utf-8")).startswith("torch>=")
    assert setup.torch_requirement(setup.CONSTRAINTS.read_text(encoding="utf-8")).startswith("torch==")


def test_torch_requirement_is_not_mistaken_for_another_package():
    assert setup.torch_requirement('  "torchvision>=0.1",\n  "torch>=2.4",  # a comment\n') == "torch>=2.4"


NO_SUCH_VERSION = "ERROR: No matching distribution found for torch==2.13.0"
NO_NETWORK = "WARNING: Retrying (Retry(total=0)) after connection broken by 'NewConnectionError': Name or service not known\n" + NO_SUCH_VERSION


def run_attempts(answers, tmp_path):
    """Runs three attempts against canned pip results; returns the argument lists pip got."""
    calls = []

    def install(arguments):
        calls.append(arguments)
        return answers[len(calls) - 1]

    attempts = [setup.Attempt(RANGE, CPU_INDEX), setup.Attempt(PIN, None), setup.Attempt(RANGE, None)]
    try:
        setup.install_torch(attempts, install, tmp_path / "log")
    except setup.SetupError as error:
        return calls, str(error)
    return calls, ""


def test_the_first_attempt_that_succeeds_is_the_last(tmp_path):
    calls, error = run_attempts([(True, "")], tmp_path)
    assert (calls, error) == ([["--index-url", CPU_INDEX, RANGE]], "")


def test_a_failed_attempt_is_followed_by_the_next(tmp_path):
    calls, error = run_attempts([(False, NO_NETWORK), (False, NO_SUCH_VERSION), (True, "")], tmp_path)
    assert (calls, error) == ([["--index-url", CPU_INDEX, RANGE], [PIN], [RANGE]], "")


def test_an_index_out_of_reach_is_not_asked_again(tmp_path):
    calls, error = run_attempts([(False, NO_NETWORK), (False, NO_NETWORK)], tmp_path)
    assert calls == [["--index-url", CPU_INDEX, RANGE], [PIN]]
    assert "HTTPS_PROXY" in error


def test_a_missing_build_of_torch_is_explained_without_blaming_the_network(tmp_path):
    calls, error = run_attempts([(False, NO_SUCH_VERSION)] * 3, tmp_path)
    assert len(calls) == 3
    assert "no build for this Python" in error
    assert "HTTPS_PROXY" not in error
    assert str(tmp_path / "log") in error


def test_a_package_named_timeout_is_no_network_failure():
    assert not setup.is_network_failure("Collecting async-timeout\nERROR: No space left on device")


# The environment


@pytest.mark.parametrize(
    ("goal", "version", "pyproject", "constraints", "same"),
    [
        ("test", "3.11", b"a", b"b", True),
        ("test", "3.12", b"a", b"b", False),
        ("test", "3.11", b"A", b"b", False),
        ("test", "3.11", b"a", b"B", False),
        ("test", "3.11", b"ab", b"", False),
        ("demo", "3.11", b"a", b"b", False),
    ],
)
def test_the_key_changes_with_all_that_decides_what_is_installed(goal, version, pyproject, constraints, same):
    assert (setup.key_of(goal, version, pyproject, constraints) == setup.key_of("test", "3.11", b"a", b"b")) is same


@pytest.mark.parametrize(("version", "constraints", "same"), [("3.11", b"a", True), ("3.12", b"a", False), ("3.11", b"b", False)])
def test_the_second_environment_has_a_key_of_its_own(version, constraints, same):
    assert (setup.slicer_key(version, constraints) == setup.slicer_key("3.11", b"a")) is same


def test_the_demo_does_not_depend_on_the_constraints_of_the_tests():
    assert setup.key_of("demo", "3.11", b"a", b"b") == setup.key_of("demo", "3.11", b"a", b"B")


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A machine whose virtual environments are folders with a state and whose installations are a list."""
    installed = []

    def make_venv(venv, build, python=None):
        assert (python is not None) == (venv.name == setup.SLICER_VENV)
        installed.append("slicer" if venv.name == setup.SLICER_VENV else "venv")
        if venv.is_dir():
            shutil.rmtree(venv)
        venv.mkdir()
        state = setup.State(str(venv), True, build, {})
        setup.write_state(venv, state._replace(finished=False))
        return state

    monkeypatch.setattr(setup, "make_venv", make_venv)
    monkeypatch.setattr(setup, "python_version_in", lambda venv: "3.11")
    monkeypatch.setattr(setup, "has_nvidia_driver", lambda: False)
    monkeypatch.setattr(setup.platform, "system", lambda: "Linux")
    monkeypatch.setattr(setup, "install_everything", lambda goal, venv, build: installed.append(f"{goal} {build}"))
    monkeypatch.setattr(setup, "has_slicer_core", lambda venv: True)
    monkeypatch.setattr(setup, "install_slicer", lambda venv, slicer_venv: installed.append(f"into {slicer_venv.name}"))
    return installed


def test_a_second_run_installs_nothing(machine, tmp_path):
    for _ in range(2):
        setup.set_up("demo", tmp_path / "venv")
    assert machine == ["venv", "demo cpu"]


def test_what_the_tests_installed_serves_the_demo_but_not_the_other_way_round(machine, tmp_path):
    for goal in ("demo", "test", "demo", "test"):
        setup.set_up(goal, tmp_path / "venv")
    assert machine == ["venv", "demo cpu", "test cpu", "slicer", "into slicer"]


def test_changed_requirements_are_installed_into_the_same_environment(machine, tmp_path, monkeypatch):
    setup.set_up("demo", tmp_path / "venv")
    changed = tmp_path / "pyproject.toml"
    changed.write_text("changed")
    monkeypatch.setattr(setup, "PYPROJECT", changed)
    setup.set_up("demo", tmp_path / "venv")
    assert machine == ["venv", "demo cpu", "demo cpu"]


def test_an_interrupted_installation_starts_from_a_fresh_environment(machine, tmp_path, monkeypatch):
    def interrupted(goal, venv, build):
        raise KeyboardInterrupt

    setup.set_up("demo", tmp_path / "venv")
    with monkeypatch.context() as patch:
        patch.setattr(setup, "install_everything", interrupted)
        with pytest.raises(KeyboardInterrupt):
            setup.set_up("test", tmp_path / "venv")
    setup.set_up("demo", tmp_path / "venv")
    assert machine == ["venv", "demo cpu", "venv", "demo cpu"]


def test_a_failed_installation_is_taken_up_again_where_it_stopped(machine, tmp_path, monkeypatch):
    def failed(goal, venv, build):
        raise setup.SetupError("no network")

    with monkeypatch.context() as patch:
        patch.setattr(setup, "install_everything", failed)
        with pytest.raises(setup.SetupError):
            setup.set_up("demo", tmp_path / "venv")
    setup.set_up("demo", tmp_path / "venv")
    assert machine == ["venv", "demo cpu"]


def test_a_new_nvidia_driver_brings_the_default_build_and_a_lost_one_changes_nothing(machine, tmp_path, monkeypatch):
    for has_driver in (False, True, False):
        monkeypatch.setattr(setup, "has_nvidia_driver", lambda has_driver=has_driver: has_driver)
        setup.set_up("demo", tmp_path / "venv")
    assert machine == ["venv", "demo cpu", "venv", "demo default"]


def test_a_moved_environment_is_made_anew(machine, tmp_path):
    setup.set_up("demo", tmp_path / "venv")
    (tmp_path / "venv").rename(tmp_path / "moved")
    setup.set_up("demo", tmp_path / "moved")
    assert machine == ["venv", "demo cpu", "venv", "demo cpu"]


def test_the_demo_has_no_second_environment(machine, tmp_path):
    setup.set_up("demo", tmp_path / "venv")
    assert not (tmp_path / "venv" / setup.SLICER_VENV).exists()


def test_an_interruption_in_the_second_environment_costs_only_that_one(machine, tmp_path, monkeypatch):
    def interrupted(venv, slicer_venv):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(setup, "install_slicer", interrupted)
        with pytest.raises(KeyboardInterrupt):
            setup.set_up("test", tmp_path / "venv")
    setup.set_up("test", tmp_path / "venv")
    assert machine == ["venv", "test cpu", "slicer", "slicer", "into slicer"]


def test_a_failure_in_the_second_environment_is_taken_up_again_there(machine, tmp_path, monkeypatch):
    def failed(venv, slicer_venv):
        raise setup.SetupError("no network")

    with monkeypatch.context() as patch:
        patch.setattr(setup, "install_slicer", failed)
        with pytest.raises(setup.SetupError):
            setup.set_up("test", tmp_path / "venv")
    setup.set_up("test", tmp_path / "venv")
    assert machine == ["venv", "test cpu", "slicer", "into slicer"]


def test_another_slicer_core_is_installed_into_the_second_environment_alone(machine, tmp_path, monkeypatch):
    setup.set_up("test", tmp_path / "venv")
    changed = tmp_path / "constraints-slicer.txt"
    changed.write_text("slicer-core==5.13.0")
    monkeypatch.setattr(setup, "SLICER_CONSTRAINTS", changed)
    setup.set_up("test", tmp_path / "venv")
    assert machine == ["venv", "test cpu", "slicer", "into slicer", "into slicer"]


def test_a_new_first_environment_takes_the_second_with_it(machine, tmp_path, monkeypatch):
    for has_driver in (False, True):
        monkeypatch.setattr(setup, "has_nvidia_driver", lambda has_driver=has_driver: has_driver)
        setup.set_up("test", tmp_path / "venv")
    assert machine == ["venv", "test cpu", "slicer", "into slicer", "venv", "test default", "slicer", "into slicer"]


def test_a_machine_that_slicer_core_has_no_build_for_gets_one_environment_and_a_note(machine, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(setup, "has_slicer_core", lambda venv: False)
    setup.set_up("test", tmp_path / "venv")
    assert machine == ["venv", "test cpu"]
    assert "slicer-core has no build for Python 3.11" in capsys.readouterr().out


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"place": "x"}'])
def test_a_damaged_state_counts_as_an_interrupted_set_up(tmp_path, damage):
    (tmp_path / setup.STATE_FILE).write_text(damage)
    assert setup.read_state(tmp_path).finished is False


def test_a_folder_of_someone_else_is_never_touched(machine, tmp_path):
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(setup.SetupError, match="was not made by this script"):
        setup.set_up("demo", tmp_path)
    with pytest.raises(setup.SetupError, match="was not made by this script"):
        setup.set_up("demo", tmp_path / "thesis.txt")
    assert machine == []


def test_an_environment_without_a_python_that_has_pip_is_made_anew(tmp_path):
    assert setup.python_version_in(Path(sys.prefix)) == "{}.{}".format(*sys.version_info[:2])
    venv.create(tmp_path / "venv", with_pip=False)
    state = setup.State(str(tmp_path / "venv"), True, "cpu", {})
    setup.write_state(tmp_path / "venv", state)
    assert setup.fault_of(state, tmp_path / "venv", "cpu") == "its Python no longer starts"
    assert setup.usable_state(tmp_path / "venv", "cpu") is None


def test_a_new_environment_replaces_all_that_was_there_and_is_unfinished_until_something_is_installed(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "_base_executable", "/no/such/python", raising=False)
    (tmp_path / "venv").mkdir()
    (tmp_path / "venv" / "leftover").touch()
    with pytest.raises(OSError, match="python"):
        setup.make_venv(tmp_path / "venv", "cpu")
    assert [path.name for path in (tmp_path / "venv").iterdir()] == [setup.STATE_FILE]
    assert setup.read_state(tmp_path / "venv").finished is False


# The second environment, really made


@pytest.fixture
def wheels(tmp_path):
    """Two versions of slicer-core with its VTK, which needs a package that only the first environment has."""
    folder = tmp_path / "wheels"
    for name, version, *needs in (("slicer-core", "5.11.0"), ("slicer-core", "5.12.0"), ("vtk", "9.6.0", "matplotlib"), ("common", "1.0")):
        make_wheel(folder, name, version, *needs)
    return folder


@pytest.fixture
def offline_pip(wheels, monkeypatch):
    """setup.pip_install with pip of the tests' own environment, and the wheels for an index."""

    def pip_install(venv, arguments):
        settings = dict(setup.clean_environment(), PIP_NO_INDEX="1", PIP_FIND_LINKS=str(wheels), PIP_CONFIG_FILE=os.devnull)
        command = [sys.executable, "-m", "pip", "--python", str(setup.venv_program(venv, "python")), "install", *arguments]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=settings)
        return done.returncode == 0, done.stdout

    monkeypatch.setattr(setup, "pip_install", pip_install)
    monkeypatch.setattr(setup, "patience_with", lambda venv: [])


def test_the_second_environment_has_its_own_slicer_and_vtk_and_all_else_of_the_first(wheels, offline_pip, tmp_path, monkeypatch):
    first = Environment(tmp_path / "first", wheels)
    for name, version in (("slicer_core", "5.11.0"), ("vtk", "9.6.0"), ("common", "1.0")):
        first.put(name, version)
    second = Environment(tmp_path / "first" / setup.SLICER_VENV, wheels)
    assert setup.has_slicer_core(first.folder)
    constraints = tmp_path / "constraints-slicer.txt"
    constraints.write_text("slicer-core==5.12.0\nvtk==9.6.0\n")
    monkeypatch.setattr(setup, "SLICER_CONSTRAINTS", constraints)
    # There already, as after an earlier set-up: the way to the first environment must not hide what is missing in the second.
    (setup.site_packages_of(second.folder) / setup.LINK_FILE).write_text(str(setup.site_packages_of(first.folder)))
    setup.install_slicer(first.folder, second.folder)
    program = "import common, slicer_core, vtk, SpiderSegLib; print(*(m.__file__ for m in (common, slicer_core, vtk, SpiderSegLib)), sep='|')"
    done = subprocess.run([second.python, "-c", program], capture_output=True, text=True, env=setup.clean_environment())
    assert done.returncode == 0, done.stderr
    files = [Path(name) for name in done.stdout.strip().split("|")]
    mine, theirs = setup.site_packages_of(second.folder), setup.site_packages_of(first.folder)
    assert [path.parents[1] for path in files] == [theirs, mine, mine, setup.LIBRARY_FOLDER]


def test_a_failure_of_pip_in_the_second_environment_is_explained(wheels, offline_pip, tmp_path, monkeypatch):
    first = Environment(tmp_path / "first", wheels).folder
    second = Environment(tmp_path / "first" / setup.SLICER_VENV, wheels).folder
    constraints = tmp_path / "constraints-slicer.txt"
    constraints.write_text("slicer-core==5.99.0\n")
    monkeypatch.setattr(setup, "SLICER_CONSTRAINTS", constraints)
    with pytest.raises(setup.SetupError, match=re.escape("No matching distribution found for slicer-core==5.99.0")):
        setup.install_slicer(first, second)
    assert not (setup.site_packages_of(second) / setup.LINK_FILE).exists()


def test_an_environment_without_slicer_core_says_so(wheels, tmp_path):
    assert not setup.has_slicer_core(Environment(tmp_path / "first", wheels).folder)


def test_slicer_core_is_pinned_in_both_environments_and_newer_in_the_second():
    def pin(path):
        found = re.search(r"^slicer-core==(\S+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
        return tuple(int(part) for part in found.group(1).split("."))

    assert pin(setup.CONSTRAINTS) < (5, 12) <= pin(setup.SLICER_CONSTRAINTS)


# The runs of the tests


SECOND_RUN = "pytest with Slicer's current classes"
needs_sh = pytest.mark.skipif(os.name == "nt", reason="the stand-ins for the environments' programs are shell scripts")


def program(venv, name, body):
    """A program of an environment, as a shell script."""
    path = venv / "bin" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)


@pytest.fixture
def environments(tmp_path, monkeypatch):
    """Two environments in which ruff, mypy and pytest pass without doing anything; the first one's folder."""
    monkeypatch.delenv(setup.STRICT_VARIABLE, raising=False)
    first = tmp_path / "venv"
    for name in ("ruff", "mypy"):
        program(first, name, "exit 0")
    program(first, "pytest", 'echo "==== 12 passed in 3s ===="')
    program(first / setup.SLICER_VENV, "python", 'echo "==== 4 passed in 2s ===="')
    return first


@pytest.fixture
def checkout(environments, tmp_path, monkeypatch):
    """A small checkout with one test each that is plain, marked mrml, of the browser and of the harness; pytest is really run in both environments.

    The harness's file can only be imported where a variable says that this is the second environment.
    """
    root = tmp_path / "checkout"
    for name, text in (
        ("Testing/Python/test_plain.py", "def test_plain(): pass"),
        ("Testing/Python/test_mrml.py", "import pytest\n@pytest.mark.mrml\ndef test_mrml(): pass"),
        ("Testing/browser/test_page.py", "import pytest\n@pytest.mark.browser\ndef test_page(): pass"),
        ("Testing/harness/test_panel.py", "import os, pytest\nos.environ['SECOND']\n@pytest.mark.harness\ndef test_panel(): pass"),
        ("pytest.ini", "[pytest]\naddopts = --strict-markers\nmarkers =\n    browser\n    mrml\n    harness\n"),
    ):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    monkeypatch.setattr(setup, "ROOT", root)
    monkeypatch.setattr(setup, "HARNESS_FOLDER", root / "Testing" / "harness")
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    program(environments, "pytest", f'exec "{sys.executable}" -m pytest "$@"')
    program(environments / setup.SLICER_VENV, "python", f'SECOND=1 exec "{sys.executable}" "$@"')
    return environments


@needs_sh
@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], [("pytest", ["3"]), (SECOND_RUN, ["2"])]),
        (["-m", "not mrml"], [("pytest", ["2"]), (SECOND_RUN, ["1"])]),
        (["-m", "browser"], [("pytest", ["1"]), (SECOND_RUN, [])]),
        (["Testing/Python/test_plain.py", "-v"], [("pytest", ["1"]), (SECOND_RUN, [])]),
        (["Testing/browser"], [("pytest", ["1"]), (SECOND_RUN, [])]),
        (["Testing/harness"], [(SECOND_RUN, ["1"])]),
        (["Testing/harness/test_panel.py::test_panel", "Testing/Python/test_plain.py"], [("pytest", ["1"]), (SECOND_RUN, ["1"])]),
    ],
    ids=["all", "marker", "browser-marker", "plain-file", "browser", "harness", "both"],
)
def test_each_environment_runs_the_tests_that_are_for_it(checkout, capfd, arguments, expected):
    assert setup.run_tests(checkout, arguments) == 0
    output = capfd.readouterr().out
    closing_lines = output[output.rindex("All passed") :].splitlines()[1:]
    passed = [(line.split(":")[0], re.findall(r"(\d+) passed", line)) for line in closing_lines]
    assert passed == expected


@needs_sh
def test_a_selection_without_any_test_is_a_failure(checkout, capfd):
    assert setup.run_tests(checkout, ["-k", "no_such_test"]) == 1
    assert "Failed: pytest selected no test" in capfd.readouterr().out


@needs_sh
def test_the_closing_lines_are_those_of_pytest(environments, capfd):
    assert setup.run_tests(environments, []) == 0
    assert capfd.readouterr().out.splitlines()[-3:] == [
        f"All passed: ruff, mypy, pytest, {SECOND_RUN}",
        "pytest: 12 passed in 3s",
        f"{SECOND_RUN}: 4 passed in 2s",
    ]


@needs_sh
@pytest.mark.parametrize(
    ("folder", "name", "exit_code", "failed"),
    [
        (".", "ruff", 1, "ruff"),
        (".", "mypy", 2, "mypy"),
        (".", "pytest", 1, "pytest"),
        (".", "pytest", 2, "pytest"),
        (setup.SLICER_VENV, "python", 1, SECOND_RUN),
        (setup.SLICER_VENV, "python", 4, SECOND_RUN),
    ],
)
def test_one_failing_run_fails_the_whole_and_is_named_while_the_others_run(environments, capfd, folder, name, exit_code, failed):
    program(environments / folder, name, f"exit {exit_code}")
    assert setup.run_tests(environments, []) == 1
    output = capfd.readouterr().out
    assert f"Failed: {failed}\n" in output
    assert [line.split(":")[0] for line in output.splitlines()[-2:]] == ["pytest", SECOND_RUN]


@needs_sh
@pytest.mark.parametrize(("strict", "exit_code"), [("0", 0), ("1", 1)])
def test_without_slicer_core_the_rest_runs_unless_nothing_may_be_skipped(environments, capfd, monkeypatch, strict, exit_code):
    shutil.rmtree(environments / setup.SLICER_VENV)
    monkeypatch.setenv(setup.STRICT_VARIABLE, strict)
    assert setup.run_tests(environments, []) == exit_code
    output = capfd.readouterr().out
    assert output.splitlines()[-1] == "pytest: 12 passed in 3s"
    assert ("Failed: slicer-core is missing" in output) is bool(exit_code)


@needs_sh
def test_what_pytest_prints_is_passed_on_while_it_runs(environments, tmp_path, monkeypatch):
    seen = tmp_path / "seen"
    wait = f'i=0; while [ ! -e "{seen}" ] && [ $i -lt 200 ]; do sleep 0.05; i=$((i+1)); done'
    program(environments, "pytest", f'printf "...."; {wait}; [ -e "{seen}" ] && echo " 1 passed in 2s"')

    class Console(io.StringIO):
        """Lets the program go on once it was shown its first characters, which end no line."""

        @property
        def buffer(self):
            return self

        def write(self, content):
            seen.touch()

    monkeypatch.setattr(sys, "stdout", Console())
    assert setup.PytestProcess([str(environments / "bin" / "pytest")]).relay() == (0, ".... 1 passed in 2s")


@needs_sh
def test_both_environments_are_at_work_at_once_and_print_one_after_the_other(environments, tmp_path, capfd):
    for folder, own, other, said in ((".", "a", "b", "12 passed"), (setup.SLICER_VENV, "b", "a", "4 passed")):
        wait = f"touch {own}; i=0; while [ ! -e {other} ] && [ $i -lt 200 ]; do sleep 0.05; i=$((i+1)); done"
        name = "pytest" if folder == "." else "python"
        program(environments / folder, name, f'cd "{tmp_path}"; echo "here {own}"; {wait}; [ -e {other} ] && echo "{said}"')
    assert setup.run_tests(environments, []) == 0
    lines = [line for line in capfd.readouterr().out.splitlines() if line.startswith(("here", "12", "4"))]
    assert lines == ["here a", "12 passed", "here b", "4 passed"]


@needs_sh
def test_an_interruption_still_shows_how_far_each_run_came(environments, monkeypatch):
    program(environments / setup.SLICER_VENV, "python", 'echo "4 passed, then interrupted"; exit 2')

    class Console(io.StringIO):
        """Ctrl-C comes while the first run's output is printed."""

        printed = b""

        @property
        def buffer(self):
            return self

        def write(self, content):
            if isinstance(content, bytes):
                is_first, Console.printed = not Console.printed, Console.printed + content
                if is_first:
                    raise KeyboardInterrupt

    monkeypatch.setattr(sys, "stdout", Console())
    with pytest.raises(KeyboardInterrupt):
        setup.run_tests(environments, [])
    assert Console.printed.splitlines() == [b"==== 12 passed in 3s ====", b"4 passed, then interrupted"]


@needs_sh
@pytest.mark.parametrize(("callers", "policy"), [(None, "PASSIVE"), ("ACTIVE", "ACTIVE")])
def test_torch_s_threads_sleep_while_they_wait_unless_the_caller_says_otherwise(environments, capfd, monkeypatch, callers, policy):
    monkeypatch.delenv("OMP_WAIT_POLICY", raising=False)
    if callers:
        monkeypatch.setenv("OMP_WAIT_POLICY", callers)
    for folder, name in ((".", "pytest"), (setup.SLICER_VENV, "python")):
        program(environments / folder, name, 'echo "waiting: $OMP_WAIT_POLICY"')
    assert setup.run_tests(environments, []) == 0
    assert capfd.readouterr().out.splitlines()[-2:] == [f"pytest: waiting: {policy}", f"{SECOND_RUN}: waiting: {policy}"]


@needs_sh
def test_what_failed_in_either_environment_is_what_last_failed(checkout, capfd):
    for test in ("Python/test_plain.py", "harness/test_panel.py"):
        path = setup.ROOT / "Testing" / test
        path.write_text(path.read_text().replace("pass", "raise ValueError"))
    for _ in range(2):
        assert setup.run_tests(checkout, ["--last-failed"]) == 1
    first, second = (line.split(" in ")[0] for line in capfd.readouterr().out.splitlines()[-2:])
    assert (first, second) == ("pytest: 1 failed", f"{SECOND_RUN}: 1 failed")


# The command line


def test_options_of_the_demo_and_of_pytest_are_passed_on(tmp_path):
    assert setup.parse(["demo", "t2.mha", "--device", "cpu"])[2] == ["t2.mha", "--device", "cpu"]
    assert setup.parse(["test", "-x", "-k", "discs", "--venv", str(tmp_path)])[1:] == (tmp_path.resolve(), ["-x", "-k", "discs"])


def test_the_environment_lies_beside_the_script_by_default():
    assert setup.parse(["demo"])[1] == SCRIPT.parent / ".venv"


@pytest.mark.parametrize(
    ("arguments", "passed_on"),
    [
        (["-x", "-k", "discs"], ["Testing", "-x", "-k", "discs", "-m", "mrml"]),
        (["Testing/Python/test_setup_script.py::test_x"], ["Testing/Python/test_setup_script.py::test_x", "-m", "mrml"]),
        (["-m", "not slow or gpu", "-vv"], ["Testing", "-vv", "-m", "(not slow or gpu) and (mrml)"]),
        (["-mslow", "--durations=5"], ["Testing", "--durations=5", "-m", "(slow) and (mrml)"]),
    ],
)
def test_all_tests_run_unless_some_are_named_and_markers_are_narrowed(arguments, passed_on):
    assert setup.with_markers(arguments, "mrml") == passed_on


def test_a_wrong_goal_is_a_usage_error():
    with pytest.raises(SystemExit) as exit_info:
        setup.main(["fly"])
    assert exit_info.value.code == 2


@pytest.mark.parametrize(
    ("error", "exit_code", "text"),
    [
        (setup.SetupError("no network"), 1, "no network"),
        (OSError(28, "No space left on device"), 1, "No space left"),
        (KeyboardInterrupt(), 130, "interrupted"),
        (ZeroDivisionError("by zero"), 3, "please report it: ZeroDivisionError: by zero"),
    ],
)
def test_every_failure_is_one_line_and_an_exit_code(monkeypatch, capsys, error, exit_code, text):
    def fail(goal, venv):
        raise error

    monkeypatch.setattr(setup, "set_up", fail)
    assert setup.main(["demo"]) == exit_code
    message = capsys.readouterr().err.strip()
    assert text in message
    assert len(message.splitlines()) == 1
