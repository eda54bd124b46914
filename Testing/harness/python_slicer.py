"""PythonSlicer: Slicer's launcher of Python. It starts the real interpreter as a child and waits; killing it leaves the child alive."""

from __future__ import annotations

import os
import shlex
import sys
import sysconfig
import venv
from dataclasses import dataclass
from pathlib import Path

_LAUNCHER = """\
#!/bin/sh
{python} "$@" <&0 &
wait $!
"""


@dataclass(frozen=True)
class PythonEnvironment:
    """A Python environment of its own: what pip installs goes to `packages`; the packages outside can be seen, never replaced."""

    launcher: Path
    python: Path
    packages: Path


def create_environment(folder: Path) -> PythonEnvironment:
    """Makes the environment, puts PythonSlicer on the PATH, and lets this process import what will be installed.

    Packages installed in development mode are not seen in it: they would hide that a worker needs a PYTHONPATH, as a user's does.
    """
    venv.create(folder, symlinks=True)
    packages = Path(sysconfig.get_path("purelib", "venv", vars={"base": str(folder)}))
    outside = [path for path in sys.path if path.endswith("site-packages")]
    (packages / "outside.pth").write_text("\n".join(outside) + "\n", encoding="utf-8")
    python = folder / "bin" / "python"
    launcher = folder / "launcher" / "PythonSlicer"
    launcher.parent.mkdir()
    launcher.write_text(_LAUNCHER.format(python=shlex.quote(str(python))), encoding="utf-8")
    launcher.chmod(0o755)
    os.environ["PATH"] = os.pathsep.join((str(launcher.parent), os.environ.get("PATH", "")))
    sys.path.insert(0, str(packages))
    return PythonEnvironment(launcher, python, packages)
