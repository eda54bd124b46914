"""Wheels of a few hundred bytes, and an environment to install them into with the real pip, without any network."""

from __future__ import annotations

import importlib.metadata
import os
import subprocess
import sys
import venv
import zipfile
from collections.abc import Sequence
from pathlib import Path


def make_wheel(folder: Path, name: str, version: str, *requires: str) -> Path:
    """A pure Python wheel with one empty module and these requirements."""
    module = name.lower().replace("-", "_")
    info = f"{module}-{version}.dist-info"
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n" + "".join(f"Requires-Dist: {one}\n" for one in requires)
    files = {
        f"{module}/__init__.py": "",
        f"{info}/METADATA": metadata,
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    files[f"{info}/RECORD"] = "".join(f"{path},,\n" for path in [*files, f"{info}/RECORD"])
    folder.mkdir(exist_ok=True)
    wheel = folder / f"{module}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for path, text in files.items():
            archive.writestr(path, text)
    return wheel


class Environment:
    """A virtual environment of its own, as Slicer's Python is one, filled by the pip that runs the tests."""

    def __init__(self, folder: Path, wheels: Path) -> None:
        self.folder = folder
        self.wheels = wheels
        venv.create(folder, with_pip=False)
        self.python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")

    def put(self, name: str, version: str) -> None:
        """Installs a wheel as it is, by hand, which is faster than pip."""
        (site,) = self.folder.rglob("site-packages")
        with zipfile.ZipFile(self.wheels / f"{name.lower()}-{version}-py3-none-any.whl") as archive:
            archive.extractall(site)

    def version_of(self, name: str) -> str | None:
        """Version of a package that is installed in it, None when it isn't."""
        sites = [str(path) for path in self.folder.rglob("site-packages")]
        found = next(iter(importlib.metadata.distributions(name=name, path=sites)), None)
        return None if found is None else found.version

    def versions(self, *names: str) -> dict[str, str | None]:
        return {name: self.version_of(name) for name in names}

    def pip_install(self, requirements: Sequence[str], *options: str) -> None:
        """Installs from the wheels alone. Raises CalledProcessError."""
        command = [sys.executable, "-m", "pip", "--python", str(self.python), "install", "--quiet", "--no-index", "--find-links", str(self.wheels)]
        subprocess.run([*command, *options, *requirements], check=True, capture_output=True, text=True)
