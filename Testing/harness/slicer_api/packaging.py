"""slicer.packaging: checks and installs Python packages with the real pip, in the environment of the harness's PythonSlicer."""

from __future__ import annotations

import importlib
import logging
import re
import shutil
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import Any

import slicer
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

_in_progress = False
# The command lines given to pip, for tests of what is asked of it.
pip_calls: list[list[str]] = []


def load_requirements(path: str | Path) -> list[Requirement]:
    """The requirements of a requirements.txt; comments, empty lines and pip's options are skipped."""
    lines = (line.strip() for line in Path(path).read_text(encoding="utf-8").splitlines())
    return [Requirement(line) for line in lines if line and not line.startswith(("#", "-"))]


def load_pyproject_dependencies(path: str | Path) -> list[Requirement]:
    """The [project] dependencies of a pyproject.toml."""
    import tomllib

    project = tomllib.loads(Path(path).read_text(encoding="utf-8"))["project"]
    return [Requirement(dependency) for dependency in project.get("dependencies", [])]


def pip_check(req: str | Requirement | list[str | Requirement]) -> bool:
    """Whether every requirement is installed in a version that it allows, those of its extras included."""
    return all(_is_satisfied(requirement) for requirement in _as_requirements(req))


def pip_ensure(
    requirements: str | Requirement | list[str | Requirement],
    constraints: str | Path | None = None,
    skip_packages: list[str] | None = None,
    prompt_install: bool = True,
    prompt_restart: bool = True,
    requester: str | None = None,
    skip_in_testing: bool = True,
    show_progress: bool = True,
) -> list[str] | None:
    """Asks, then installs what is missing; RuntimeError if the user declines. In testing mode it installs only with skip_in_testing=False."""
    missing = [str(requirement) for requirement in _as_requirements(requirements) if not _is_satisfied(requirement)]
    if not missing:
        return None
    if skip_in_testing and slicer.app.testingEnabled():
        logging.info("Testing mode is enabled: not installing %s", missing)
        return None
    question = f"{requester or 'A module'} needs Python packages that are not installed: {', '.join(missing)}. Install them?"
    # In testing mode slicer.util's question comes back as "no", whatever its documentation says.
    ask = prompt_install and not slicer.app.testingEnabled()
    if ask and not slicer.util.confirmOkCancelDisplay(question, windowTitle="Install Python packages"):
        raise RuntimeError("The user declined to install Python packages")
    return pip_install(missing, constraints=constraints, skip_packages=skip_packages, show_progress=show_progress, requester=requester)


def pip_install(
    requirements: str | list[str],
    constraints: str | Path | None = None,
    no_deps_requirements: str | list[str] | None = None,
    skip_packages: list[str] | None = None,
    blocking: bool = True,
    show_progress: bool = True,
    requester: str | None = None,
    parent: Any = None,
    logCallback: Callable[[str], None] | None = None,
    completedCallback: Callable[[int], None] | None = None,
) -> list[str] | None:
    """Runs pip; CalledProcessError if it fails. With skip_packages, returns the requirements that were left out."""
    if skip_packages and no_deps_requirements:
        raise ValueError("skip_packages and no_deps_requirements exclude each other")
    options = ["-c", str(constraints)] if constraints else []
    wanted = requirements.split() if isinstance(requirements, str) else [str(requirement) for requirement in requirements]
    if skip_packages:
        return _install_without(wanted, {canonicalize_name(name) for name in skip_packages}, options)
    if no_deps_requirements:
        names = no_deps_requirements.split() if isinstance(no_deps_requirements, str) else list(no_deps_requirements)
        _pip(["install", "--no-deps", *options, *names], True, logCallback, None)
    _pip(["install", *options, *wanted], blocking, logCallback, completedCallback)
    return None


def pip_uninstall(requirements: str | list[str], **_options: Any) -> None:
    """Uninstalls packages of the environment; those outside it stay."""
    names = requirements.split() if isinstance(requirements, str) else list(requirements)
    _pip(["uninstall", "--yes", *names], True, None, None)


def isPipInstallInProgress() -> bool:
    """Whether a non-blocking installation is going on."""
    return _in_progress


def _pip(arguments: list[str], blocking: bool, logCallback: Callable[[str], None] | None, completedCallback: Callable[[int], None] | None) -> None:
    global _in_progress
    command = [*arguments, "--disable-pip-version-check"]
    pip_calls.append(command)

    def completed(return_code: int) -> None:
        global _in_progress
        _in_progress = False
        importlib.invalidate_caches()
        if completedCallback is not None:
            completedCallback(return_code)

    if blocking:
        launcher = shutil.which("PythonSlicer") or ""
        process = slicer.util.launchConsoleProcess([launcher, "-m", "pip", *command], useStartupEnvironment=False)
        with process.stdout:
            slicer.util.logProcessOutput(process, logCallback)
        importlib.invalidate_caches()
    else:
        _in_progress = True
        slicer.util.executePythonModule("pip", command, blocking=False, logCallback=logCallback or logging.info, completedCallback=completed)


def _install_without(wanted: list[str], skipped_names: set[str], options: list[str]) -> list[str]:
    """Installs each requirement without its dependencies and goes on to those, leaving out the skipped ones."""
    skipped, queue, seen = [], [Requirement(text) for text in wanted], set()
    while queue:
        requirement = queue.pop(0)
        name = canonicalize_name(requirement.name)
        if name in seen:
            continue
        seen.add(name)
        if name in skipped_names:
            skipped.append(str(requirement))
            continue
        if not _is_satisfied(requirement):
            _pip(["install", "--no-deps", *options, str(requirement)], True, None, None)
        queue.extend(_dependencies(requirement))
    return skipped


def _dependencies(requirement: Requirement) -> list[Requirement]:
    dependencies = [Requirement(text) for text in requires(requirement.name) or []]
    extras = requirement.extras or {""}
    return [item for item in dependencies if item.marker is None or any(item.marker.evaluate({"extra": extra}) for extra in extras)]


def _is_satisfied(requirement: Requirement) -> bool:
    if requirement.marker is not None and not requirement.marker.evaluate():
        return True
    try:
        installed = version(requirement.name)
    except PackageNotFoundError:
        return False
    if not requirement.specifier.contains(installed, prereleases=True):
        return False
    of_extras = [item for item in _dependencies(requirement) if item.marker is not None and "extra" in str(item.marker)] if requirement.extras else []
    return all(_is_satisfied(Requirement(re.split(";", str(item))[0])) for item in of_extras)


def _as_requirements(requirements: str | Requirement | list[str | Requirement]) -> list[Requirement]:
    if isinstance(requirements, Requirement):
        return [requirements]
    if isinstance(requirements, str):
        try:
            return [Requirement(requirements)]
        except InvalidRequirement:
            return [Requirement(text) for text in requirements.split()]
    return [Requirement(item) if isinstance(item, str) else item for item in requirements]
