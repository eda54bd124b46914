"""Sets SpiderSeg up from a checkout and runs it; needs nothing but Python 3.10 or newer.

    python setup_spiderseg.py demo [SERIES] [options of `spiderseg demo`]
    python setup_spiderseg.py test [arguments of pytest]

Makes a virtual environment (.venv beside this file, or --venv DIR), installs torch, then the package, then runs the demo or the
tests. The tests get a second environment inside the first one: the MRML classes of the 3D Slicer that users have, and all else from
the first. A second run finds everything in place; an interrupted one is repaired. The syntax stays that of Python 3.6 (no
`X | None`), so that an old Python prints what is missing instead of a SyntaxError.
"""

import argparse
import hashlib
import importlib.util
import json
import locale
import os
import platform
import queue
import re
import shutil
import ssl
import subprocess
import sys
import threading
import urllib.request
from http.client import HTTPException
from pathlib import Path
from typing import Callable, Dict, List, NamedTuple, Optional, Sequence, Tuple
from urllib.error import HTTPError, URLError

ROOT = Path(__file__).resolve().parent
PYPROJECT = ROOT / "pyproject.toml"
CONSTRAINTS = ROOT / "Testing" / "constraints.txt"
SLICER_CONSTRAINTS = ROOT / "Testing" / "constraints-slicer.txt"
LIBRARY_FOLDER = ROOT / "SpiderSeg"
HARNESS_FOLDER = ROOT / "Testing" / "harness"

MINIMUM_PYTHON = (3, 10)
TORCH_CPU_INDEX = "https://download.pytorch.org/whl/cpu"
PYPI = "https://pypi.org/simple"

#: A reachable index answers within a fraction of this; a closed network often answers never.
PROBE_TIMEOUT_S = 5.0
NVIDIA_SMI_TIMEOUT_S = 20.0

#: For an index that did not answer the probe: local wheels and extra indexes of pip's configuration still count, waiting does not.
IMPATIENT = ("--retries", "1", "--timeout", "5")

STATE_FILE = "spiderseg_setup.json"
LOG_FILE = "spiderseg_setup.log"

#: Folder of the tests' second environment within the first; the file in it that leads to the packages of the first.
SLICER_VENV = "slicer"
LINK_FILE = "spiderseg.pth"

#: Tests that the second environment runs; those marked harness run there only.
SLICER_MARKERS = "mrml or harness"
STRICT_VARIABLE = "SPIDERSEG_TEST_STRICT"

#: How torch's threads wait in the tests, unless the caller says otherwise: asleep. With networks as small as those of the tests they else spin for
#: longer than they compute as soon as others use the processor too.
WAITING = {"OMP_WAIT_POLICY": "PASSIVE"}

#: pytest's exit code when no test was selected.
NOTHING_SELECTED = 5

NETWORK_SIGNS = ("connection", "timed out", "timeout", "name resolution", "getaddrinfo", "max retries exceeded", "proxyerror", "unreachable")


class SetupError(Exception):
    """An expected failure; its text says what to do about it."""


class Attempt(NamedTuple):
    """One way to get torch: a requirement, from pytorch.org's CPU index or (index_url None) from the index that pip is configured for."""

    requirement: str
    index_url: Optional[str]

    @property
    def source(self) -> str:
        return "the package index pip is configured for" if self.index_url is None else self.index_url


class State(NamedTuple):
    """What this script knows of an environment it made; only such environments are ever deleted.

    `finished` is False from the first change to the end of the last one, so a killed run is seen. `build` is "cpu" or "default".
    `installed` maps "demo", "test" and, in the tests' second environment, "slicer" to the key of what was installed for it.
    """

    place: str
    finished: bool
    build: str
    installed: Dict[str, str]


def say(text: str) -> None:
    print(text, flush=True)  # noqa: T201 - this program talks to a person


# What the machine offers


def check_python(version: Sequence[int], has_module: Callable[[str], bool]) -> None:
    """Raises SetupError when Python is too old or can't make virtual environments."""
    if tuple(version[:2]) < MINIMUM_PYTHON:
        raise SetupError(
            "SpiderSeg needs Python {}.{} or newer, this is Python {}.{}: install a newer one from https://www.python.org/downloads "
            "(or your system's packages) and run this script with it".format(*MINIMUM_PYTHON, *version[:2])
        )
    if not (has_module("venv") and has_module("ensurepip")):
        raise SetupError("this Python can't make virtual environments: on Debian or Ubuntu run `sudo apt install python3-venv`, then try again")


def has_nvidia_driver() -> bool:
    """Whether nvidia-smi is there and reaches a driver."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return False
    try:
        done = subprocess.run([program], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=NVIDIA_SMI_TIMEOUT_S)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def answers(index_url: str, timeout_s: float = PROBE_TIMEOUT_S) -> bool:
    """Whether a package index answers. A certificate that Python does not trust counts as an answer: pip may trust it."""
    try:
        with urllib.request.urlopen(index_url.rstrip("/") + "/torch/", timeout=timeout_s):
            return True
    except HTTPError:
        return False
    except URLError as error:
        return isinstance(error.reason, ssl.SSLError)
    except (OSError, HTTPException, ValueError):
        return False


def answers_in_time(index_url: str, probe: Callable[[str], bool] = answers, timeout_s: float = PROBE_TIMEOUT_S + 1.0) -> bool:
    """`probe(index_url)`, or False after timeout_s: looking a name up has no timeout of its own and can block for a minute."""
    results: List[bool] = []
    thread = threading.Thread(target=lambda: results.append(probe(index_url)), daemon=True)
    thread.start()
    thread.join(timeout_s)
    return bool(results) and results[0]


# What to install


def torch_build(system: str, has_driver: bool) -> str:
    """'default' where PyPI's build is the right one (an NVIDIA driver answers, or macOS), else 'cpu'."""
    return "default" if has_driver or system == "Darwin" else "cpu"


def torch_requirement(text: str) -> str:
    """torch's line in pyproject.toml or in a constraints file, e.g. 'torch>=2.4'."""
    found = re.search(r'^\s*"?(torch\s*[=<>!~][^"\s#;]*)', text, re.MULTILINE)
    return found.group(1) if found else "torch"


def torch_attempts(goal: str, build: str, torch_range: str, torch_pin: str, cpu_index_answers: Callable[[], bool]) -> List[Attempt]:
    """The ways to get torch, best first. The tests want the pinned version, the demo any in the range.

    Without pytorch.org the CPU build comes from the configured index, where a company's index or a folder of wheels may hold the
    version of the constraints file as a CPU build; the newest in the range may bring gigabytes of CUDA libraries, so it comes last.
    """
    wanted = torch_pin if goal == "test" else torch_range
    if build == "default":
        return [Attempt(wanted, None)]
    attempts = [Attempt(wanted, TORCH_CPU_INDEX)] if cpu_index_answers() else []
    attempts.append(Attempt(torch_pin, None))
    if goal == "demo":
        attempts.append(Attempt(torch_range, None))
    return attempts


def package_arguments(goal: str) -> List[str]:
    """pip's arguments that install the checkout for a goal."""
    if goal == "test":
        return ["--constraint", str(CONSTRAINTS), "--editable", f"{ROOT}[test]"]
    return ["--editable", str(ROOT)]


def key_of(goal: str, python_version: str, pyproject: bytes, constraints: bytes) -> str:
    """Changes whenever what has to be installed for the goal may have changed."""
    return _digest(goal.encode(), python_version.encode(), pyproject, *([constraints] if goal == "test" else []))


def slicer_key(python_version: str, slicer_constraints: bytes) -> str:
    """Changes whenever what has to be installed into the tests' second environment may have changed."""
    return _digest(b"slicer", python_version.encode(), slicer_constraints)


def _digest(*parts: bytes) -> str:
    return hashlib.sha256(b"\0".join(hashlib.sha256(part).digest() for part in parts)).hexdigest()


# The environment


def venv_program(venv: Path, name: str) -> Path:
    return venv / "Scripts" / (name + ".exe") if os.name == "nt" else venv / "bin" / name


def python_version_in(venv: Path) -> Optional[str]:
    """Version of the environment's Python, e.g. '3.12'; None when it or its pip does not start."""
    command = [str(venv_program(venv, "python")), "-c", "import pip, sys; print('%d.%d' % sys.version_info[:2])"]
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=clean_environment())
    except OSError:
        return None
    return done.stdout.decode().strip() if done.returncode == 0 else None


def site_packages_of(venv: Path) -> Path:
    """Folder of an environment's packages. Raises SetupError when its Python does not start."""
    command = [str(venv_program(venv, "python")), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=clean_environment())
    if done.returncode != 0:
        raise SetupError("the Python in {} does not start: {}".format(venv, " ".join(done.stdout.split())))
    return Path(done.stdout.strip())


def clean_environment() -> Dict[str, str]:
    """This process's environment without what would send an installation or an import elsewhere."""
    kept = {name: value for name, value in os.environ.items() if name not in ("PYTHONHOME", "PYTHONPATH", "PIP_TARGET", "PIP_PREFIX")}
    return dict(kept, PIP_USER="0")


def read_state(venv: Path) -> Optional[State]:
    """The state kept in an environment; None for a folder this script didn't make; unfinished when the file is damaged."""
    path = venv / STATE_FILE
    if not path.is_file():
        return None
    try:
        return State(**json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, TypeError):
        return State(place=str(venv), finished=False, build="", installed={})


def write_state(venv: Path, state: State) -> None:
    path = venv / STATE_FILE
    temporary = path.with_name(STATE_FILE + ".tmp")
    temporary.write_text(json.dumps(state._asdict(), indent=1), encoding="utf-8")
    temporary.replace(path)


def fault_of(state: State, venv: Path, build: str) -> Optional[str]:
    """Why an environment that this script made has to be made anew, or None."""
    if not state.finished:
        return "an earlier set-up was interrupted"
    if state.place != str(venv):
        return "it was moved"
    if python_version_in(venv) is None:
        return "its Python no longer starts"
    if state.build == "cpu" and build == "default":
        return "there is an NVIDIA driver now"
    return None


def usable_state(venv: Path, build: str) -> Optional[State]:
    """The state of an environment that can be built upon, or None."""
    state = read_state(venv)
    fault = fault_of(state, venv, build) if state else None
    if fault:
        say(f"The virtual environment is made anew: {fault}")
        return None
    return state


def check_ownership(venv: Path) -> None:
    """Raises SetupError for a path that holds something this script did not put there."""
    if venv.is_dir() and (read_state(venv) is not None or not any(venv.iterdir())):
        return
    if venv.exists():
        raise SetupError(f"{venv} exists and was not made by this script: delete it, or choose another folder with --venv DIR")


def make_venv(venv: Path, build: str, python: Optional[Path] = None) -> State:
    """A fresh virtual environment at venv, whatever was there, and its state. Made by `python`, else by the Python of this script."""
    say(f"Making a virtual environment in {venv} ...")
    if venv.is_dir():
        shutil.rmtree(str(venv))
    venv.mkdir(parents=True)
    state = State(place=str(venv), finished=True, build=build, installed={})
    # First of all, so that the folder is known as ours when the next step is interrupted.
    write_state(venv, state._replace(finished=False))
    # Not sys.executable: that may be the Python of the very environment that was just removed.
    maker = str(python or getattr(sys, "_base_executable", sys.executable))
    done = subprocess.run([maker, "-m", "venv", str(venv)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=clean_environment())
    if done.returncode != 0:
        raise SetupError("making the virtual environment failed: {}".format(" ".join(done.stdout.split()) or "no reason given"))
    return state


# pip


def is_network_failure(output: str) -> bool:
    """Whether pip's warnings and errors (never the names of packages in its other lines) speak of the network."""
    troubles = [line.lower() for line in output.splitlines() if line.lstrip().startswith(("WARNING:", "ERROR:"))]
    return any(sign in line for line in troubles for sign in NETWORK_SIGNS)


def explain(output: str, log: Path) -> str:
    """What went wrong, from pip's output, in a few lines."""
    lines = [line.strip() for line in output.splitlines() if line.strip().startswith(("ERROR:", "HINT:", "error:"))]
    text = "\n  ".join(["pip could not install it:", *(lines[:4] or output.splitlines()[-3:])])
    if is_network_failure(output):
        text += (
            "\n  No package index could be reached. Check the network; behind a proxy set HTTPS_PROXY; with an index of your own run"
            "\n  `pip config set global.index-url URL`. Then run this command again."
        )
    elif "No matching distribution found for torch" in output:
        text += "\n  torch has no build for this Python and processor: try Python 3.11 or 3.12 (Macs with an Intel processor are not supported)."
    return text + f"\n  Everything pip said is in {log}"


def show_progress(line: str, width: int) -> None:
    """pip's current step on one line that overwrites itself, on a terminal only."""
    if sys.stdout.isatty() and line.lstrip().startswith(("Collecting", "Downloading", "Installing", "Building", "Obtaining")):
        sys.stdout.write("\r  {:{width}.{width}}".format(line.strip(), width=width - 4))
        sys.stdout.flush()


def pip_install(venv: Path, arguments: Sequence[str]) -> Tuple[bool, str]:
    """Runs `pip install`, adding its output to the log file. Returns whether it succeeded and the output."""
    command = [str(venv_program(venv, "python")), "-m", "pip", "install", "--disable-pip-version-check", "--no-input", *arguments]
    width = shutil.get_terminal_size().columns
    lines = []
    with (venv / LOG_FILE).open("a", encoding="utf-8") as log:
        log.write("$ {}\n".format(" ".join(command)))
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8", errors="replace", env=clean_environment(), cwd=str(ROOT)
        ) as process:
            for line in process.stdout or ():
                lines.append(line)
                log.write(line)
                show_progress(line, width)
    if sys.stdout.isatty():
        sys.stdout.write("\r{}\r".format(" " * (width - 1)))
    return process.returncode == 0, "".join(lines)


def configured_index(venv: Path) -> str:
    """The index that pip asks first."""
    command = [str(venv_program(venv, "python")), "-m", "pip", "config", "get", "global.index-url"]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=clean_environment())
    return os.environ.get("PIP_INDEX_URL") or done.stdout.decode(errors="replace").strip() or PYPI


def install_torch(attempts: Sequence[Attempt], install: Callable[[List[str]], Tuple[bool, str]], log: Path) -> None:
    """Tries the attempts in turn; after a network failure the other attempts at the same index are left out. Raises SetupError."""
    unreachable = set()
    output = ""
    for attempt in attempts:
        if attempt.index_url in unreachable:
            continue
        say(f"Installing {attempt.requirement} from {attempt.source} (a large download, once) ...")
        succeeded, output = install([*(["--index-url", attempt.index_url] if attempt.index_url else []), attempt.requirement])
        if succeeded:
            return
        if is_network_failure(output):
            unreachable.add(attempt.index_url)
    raise SetupError(explain(output, log))


def patience_with(venv: Path) -> List[str]:
    """pip's arguments for an index that does not answer; none where it does."""
    return [] if answers_in_time(configured_index(venv)) else list(IMPATIENT)


def install_everything(goal: str, venv: Path, build: str) -> None:
    """torch, then the package with what it needs. Raises SetupError."""
    if build == "default" and platform.system() == "Windows":
        say("Note: on Windows PyPI's torch computes on the CPU; for the GPU install torch into the environment as https://pytorch.org says.")
    log = venv / LOG_FILE
    patience = patience_with(venv)
    torch_range = torch_requirement(PYPROJECT.read_text(encoding="utf-8"))
    torch_pin = torch_requirement(CONSTRAINTS.read_text(encoding="utf-8"))
    attempts = torch_attempts(goal, build, torch_range, torch_pin, lambda: answers_in_time(TORCH_CPU_INDEX))
    install_torch(attempts, lambda arguments: pip_install(venv, [*patience, *arguments]), log)
    say("Installing SpiderSeg and the packages it needs ...")
    succeeded, output = pip_install(venv, [*patience, *package_arguments(goal)])
    if not succeeded:
        raise SetupError(explain(output, log))


def install_slicer(venv: Path, slicer_venv: Path) -> None:
    """slicer-core with its VTK into the second environment, then the way to the packages of the first. Raises SetupError."""
    say("Installing slicer-core, the MRML classes of 3D Slicer, as users have it ...")
    link = site_packages_of(slicer_venv) / LINK_FILE
    # Without the link pip sees only what is in the second environment itself; with it, it would take the first one's VTK for installed.
    if link.exists():
        link.unlink()
    succeeded, output = pip_install(slicer_venv, [*patience_with(slicer_venv), "--no-deps", "--requirement", str(SLICER_CONSTRAINTS)])
    if not succeeded:
        raise SetupError(explain(output, slicer_venv / LOG_FILE))
    # An editable install is such a file itself, and Python does not follow one that it finds through another: hence the library's folder.
    # It reads them in the encoding of the system's language.
    link.write_text(f"{site_packages_of(venv)}\n{LIBRARY_FOLDER}\n", encoding=locale.getpreferredencoding(False))


def complete(venv: Path, state: State, goal: str, keys: Dict[str, str], install: Callable[[], None]) -> None:
    """Runs `install` unless the goal's key says that all is there, and records `keys` afterwards. Raises SetupError."""
    if state.installed.get(goal) == keys[goal]:
        say(f"Everything is installed in {venv}")
        return
    write_state(venv, state._replace(finished=False))
    try:
        install()
    except SetupError:
        # pip ended in order and left nothing half installed: the next run may go on from here.
        write_state(venv, state._replace(installed={}))
        raise
    write_state(venv, state._replace(installed=dict(state.installed, **keys)))


def set_up(goal: str, venv: Path) -> None:
    """Brings the environment, for the tests both, to what the goal needs; does nothing when it is there already. Raises SetupError."""
    check_ownership(venv)
    build = torch_build(platform.system(), has_nvidia_driver())
    state = usable_state(venv, build) or make_venv(venv, build)
    version = str(python_version_in(venv))
    # What the tests need includes what the demo needs.
    keys = {name: key_of(name, version, PYPROJECT.read_bytes(), CONSTRAINTS.read_bytes()) for name in {"demo", goal}}
    complete(venv, state, goal, keys, lambda: install_everything(goal, venv, build))
    if goal == "test":
        set_up_slicer(venv, build, version)


def set_up_slicer(venv: Path, build: str, version: str) -> None:
    """Brings the tests' second environment to what it needs, where slicer-core exists at all. Raises SetupError."""
    slicer_venv = venv / SLICER_VENV
    if not has_slicer_core(venv):
        say(f"Note: slicer-core has no build for Python {version} on this machine, so the tests that need 3D Slicer's classes are left out.")
        return
    # By the Python of the first environment, whatever Python runs this script: they share compiled packages.
    state = usable_state(slicer_venv, build) or make_venv(slicer_venv, build, venv_program(venv, "python"))
    key = slicer_key(version, SLICER_CONSTRAINTS.read_bytes())
    complete(slicer_venv, state, "slicer", {"slicer": key}, lambda: install_slicer(venv, slicer_venv))


def has_slicer_core(venv: Path) -> bool:
    """Whether slicer-core is in an environment: pyproject.toml asks for it wherever there is a build."""
    return any(site_packages_of(venv).glob("slicer_core-*.dist-info"))


# The two goals


class Run(NamedTuple):
    """A program of an environment with its arguments; the title is what people call it."""

    title: str
    program: List[str]
    arguments: List[str]

    def __str__(self) -> str:
        return " ".join([self.title, *self.arguments])


def run_demo(venv: Path, arguments: Sequence[str]) -> int:
    """Runs `spiderseg demo` in the caller's folder and returns its exit code."""
    say("Running: spiderseg demo {}".format(" ".join(arguments)).rstrip())
    return subprocess.call([str(venv_program(venv, "spiderseg")), "demo", *arguments], env=clean_environment())


def named_path(argument: str) -> Optional[Path]:
    """File or folder of the checkout that an argument of pytest names, or None."""
    path = ROOT / argument.split("::")[0]
    return None if argument.startswith("-") or not path.exists() else path


def is_of_harness(argument: str) -> bool:
    """Whether an argument of pytest names the harness or something in it."""
    path = named_path(argument)
    return path is not None and HARNESS_FOLDER in (path, *path.parents)


def with_markers(arguments: Sequence[str], markers: str) -> List[str]:
    """pytest's arguments, all of Testing unless they name files or folders, for those of the tests that `markers` selects."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("-m", dest="markers")
    options, rest = parser.parse_known_args(list(arguments))
    expression = f"({options.markers}) and ({markers})" if options.markers else markers
    return [*([] if any(map(named_path, rest)) else ["Testing"]), *rest, "-m", expression]


def pytest_runs(venv: Path, arguments: Sequence[str]) -> List[Run]:
    """pytest in each environment that may have tests for what the arguments name."""
    runs = []
    elsewhere = [argument for argument in arguments if not is_of_harness(argument)]
    if any(map(named_path, elsewhere)) or not any(map(named_path, arguments)):
        # Where the harness can't run, its files can't be imported either.
        ignored = f"--ignore={HARNESS_FOLDER.relative_to(ROOT).as_posix()}"
        runs.append(Run("pytest", [str(venv_program(venv, "pytest"))], [*with_markers(elsewhere, "not harness"), ignored]))
    slicer_venv = venv / SLICER_VENV
    if slicer_venv.is_dir():
        program = [str(venv_program(slicer_venv, "python")), "-m", "pytest"]
        # Each remembers what failed in a place of its own: of two runs that end in one place, the last would be remembered alone.
        cache = ["-o", "cache_dir={}".format(slicer_venv / ".pytest_cache")]
        runs.append(Run("pytest with Slicer's current classes", program, [*with_markers(arguments, SLICER_MARKERS), *cache]))
    return runs


class PytestProcess:
    """pytest at work. What it prints is kept until it is relayed, so that several can run at once and be read one after the other."""

    def __init__(self, command: Sequence[str], stdin: Optional[int] = None) -> None:
        environment = dict(WAITING, **clean_environment())
        options: List[str] = []
        if sys.stdout.isatty():
            environment["COLUMNS"] = str(shutil.get_terminal_size().columns)
            options = ["--color=yes"]
        self._process = subprocess.Popen([*command, *options], stdin=stdin, stdout=subprocess.PIPE, env=environment, cwd=str(ROOT))
        self._chunks: queue.Queue[bytes] = queue.Queue()
        self._end = b""
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        with self._process.stdout as output:
            for chunk in iter(lambda: output.read1(4096), b""):
                self._chunks.put(chunk)
        self._chunks.put(b"")

    def relay(self) -> Tuple[int, str]:
        """Prints what it has printed and, as it comes, all that follows. Returns its exit code and its closing line, without ornament."""
        for chunk in iter(self._chunks.get, b""):
            sys.stdout.buffer.write(chunk)
            sys.stdout.buffer.flush()
            self._end = (self._end + chunk)[-4096:]
        lines = re.sub(r"\x1b\[[0-9;]*m", "", self._end.decode(errors="replace")).strip().splitlines()
        return self._process.wait(), lines[-1].strip("= ") if lines else ""

    def stop(self) -> None:
        """Ends it if it is still at work."""
        self._process.terminate()
        self._process.wait()


def run_together(runs: Sequence[Run]) -> List[Tuple[int, str]]:
    """Runs pytest several times at once; all that one prints comes before what the next prints. Returns exit codes and closing lines."""
    processes: List[PytestProcess] = []
    results = []
    try:
        for run in runs:
            # Only one can ask the person at the keyboard.
            processes.append(PytestProcess([*run.program, *run.arguments], subprocess.DEVNULL if processes else None))
        for number, process in enumerate(processes):
            say(f"Running: {runs[number]}" if number == 0 else f"At the same time: {runs[number]}")
            try:
                results.append(process.relay())
            except KeyboardInterrupt:
                # They were interrupted too and say how far they came.
                for interrupted in processes[number:]:
                    interrupted.relay()
                raise
    finally:
        for process in processes:
            process.stop()
    return results


def run_tests(venv: Path, arguments: Sequence[str]) -> int:
    """Runs ruff, mypy and, at once, pytest in both environments, each whatever became of the others. Returns 1 when one of them found fault.

    It is a fault when no run had a test to select, and under SPIDERSEG_TEST_STRICT=1 when there is no second environment.
    """
    checks = [Run(name, [str(venv_program(venv, name))], options) for name, options in (("ruff", ["check", "."]), ("mypy", []))]
    exit_codes = {}
    for check in checks:
        say(f"Running: {check}")
        exit_codes[check.title] = subprocess.call([*check.program, *check.arguments], env=clean_environment(), cwd=str(ROOT))
    closing_lines = []
    selected = False
    runs = pytest_runs(venv, arguments)
    for run, (exit_code, line) in zip(runs, run_together(runs)):
        selected = selected or exit_code != NOTHING_SELECTED
        exit_codes[run.title] = 0 if exit_code == NOTHING_SELECTED else exit_code
        closing_lines.append(f"{run.title}: {line}")
    failed = [title for title, exit_code in exit_codes.items() if exit_code != 0]
    if not selected:
        failed.append("pytest selected no test")
    if os.environ.get(STRICT_VARIABLE) == "1" and not (venv / SLICER_VENV).is_dir():
        failed.append("slicer-core is missing")
    say("Failed: {}".format(", ".join(failed)) if failed else "All passed: {}".format(", ".join(exit_codes)))
    for line in closing_lines:
        say(line)
    return 1 if failed else 0


def parse(argv: Sequence[str]) -> Tuple[str, Path, List[str]]:
    """The goal, the environment's folder, and what is passed on."""
    parser = argparse.ArgumentParser(
        prog="setup_spiderseg.py", description="Sets SpiderSeg up in a virtual environment and runs it.", allow_abbrev=False
    )
    parser.add_argument("goal", choices=("demo", "test"), help="demo: segment a phantom, or the series named; test: run ruff, mypy and pytest")
    parser.add_argument("--venv", type=Path, default=ROOT / ".venv", help="folder of the virtual environment (default: .venv beside this script)")
    options, rest = parser.parse_known_args(argv)
    return options.goal, options.venv.expanduser().resolve(), rest


def main(argv: Sequence[str]) -> int:
    """Exit codes: that of the demo or tests; 1 expected failure, 2 usage, 3 a fault of this script, 130 interrupted."""
    try:
        check_python(sys.version_info[:2], lambda name: importlib.util.find_spec(name) is not None)
        goal, venv, rest = parse(argv)
        set_up(goal, venv)
        return run_demo(venv, rest) if goal == "demo" else run_tests(venv, rest)
    except SetupError as error:
        sys.stderr.write(f"setup_spiderseg: {error}\n")
        return 1
    except OSError as error:
        sys.stderr.write(f"setup_spiderseg: {error}: check that the folder can be written and the disk is not full, then run it again\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("\nsetup_spiderseg: interrupted; run the same command again to go on\n")
        return 130
    except Exception as error:  # noqa: BLE001 - the last line of defense: a newcomer gets a sentence, never a traceback
        sys.stderr.write(f"setup_spiderseg: a fault of this script, please report it: {type(error).__name__}: {error}\n")
        return 3


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
