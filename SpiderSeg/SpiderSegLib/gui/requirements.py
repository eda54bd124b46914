"""Which packages a run needs, which of them are missing, and which versions an installation must leave as they are.

Only the packages' metadata is looked at: importing torch or MONAI takes seconds, and a loaded library can't be replaced on Windows.
"""

from __future__ import annotations

import importlib
import importlib.metadata
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from SpiderSegLib.paths import data_path

if TYPE_CHECKING:
    from packaging.requirements import Requirement

#: As in pyproject.toml; installed through the PyTorch extension, never by pip directly.
TORCH = "torch>=2.5"

#: An installation never replaces these: Slicer and other extensions work with the very versions that are there.
PROTECTED = ("torch", "numpy", "SimpleITK", "requests")

#: The version of an installed package by its name, None when it is not installed.
VersionOf = Callable[[str], "str | None"]


@dataclass(frozen=True)
class MissingPackage:
    """A package that a run needs, and the version found instead, None when there is none."""

    requirement: str
    name: str
    found: str | None

    def __str__(self) -> str:
        return self.requirement if self.found is None else f"{self.requirement} ({self.found} is installed)"


def installed_version(name: str) -> str | None:
    """The installed version of a package by its metadata; None when it is not installed."""
    try:
        # A damaged installation has metadata without a version.
        return importlib.metadata.version(name) or None
    except importlib.metadata.PackageNotFoundError:
        return None


def requirements_path() -> Path:
    """The shipped requirements file."""
    return data_path("Resources", "requirements.txt")


def read_requirements(path: Path) -> list[str]:
    """The requirements of a file, comments and empty lines left out."""
    lines = (line.strip() for line in path.read_text(encoding="utf-8").splitlines())
    return [line for line in lines if line and not line.startswith("#")]


def missing_packages(requirements: Iterable[str], version_of: VersionOf = installed_version) -> list[MissingPackage]:
    """Those of the requirements that this machine needs and that are not installed in the range they ask for."""
    from packaging.requirements import Requirement

    importlib.invalidate_caches()  # what another process installed a moment ago counts
    missing = []
    for text in requirements:
        requirement = Requirement(text)
        if requirement.marker is None or requirement.marker.evaluate():
            found = version_of(requirement.name)
            if found is None or not _is_met(requirement, found):
                missing.append(MissingPackage(text, requirement.name, found))
    return missing


def _is_met(requirement: Requirement, version: str) -> bool:
    from packaging.version import InvalidVersion

    try:
        return requirement.specifier.contains(version, prereleases=True)
    except InvalidVersion:
        return False


def protected_versions(version_of: VersionOf = installed_version) -> dict[str, str]:
    """The versions of the PROTECTED packages that are installed, local tags such as +cu128 included."""
    importlib.invalidate_caches()
    versions = {name: version_of(name) for name in PROTECTED}
    return {name: version for name, version in versions.items() if version is not None}


def constraint_lines(versions: dict[str, str]) -> list[str]:
    """The lines of a pip constraints file that hold packages at exactly these versions.

    '==2.8.0+cu128' holds the local tag too, while '==2.8.0' would let any build of 2.8.0 come. A version that is none by PEP 440
    (some application builds) is compared as text.
    """
    from packaging.version import InvalidVersion, Version

    lines = []
    for name, version in versions.items():
        try:
            Version(version)
            lines.append(f"{name}=={version}")
        except InvalidVersion:
            lines.append(f"{name}==={version}")
    return lines
