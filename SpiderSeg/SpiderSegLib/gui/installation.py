"""One button, one question: torch through the PyTorch extension, then the other packages, and nothing of Slicer's is replaced."""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import logging
import os
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

from SpiderSegLib.errors import MissingPackageError
from SpiderSegLib.gui.offline_instructions import offline_instructions
from SpiderSegLib.gui.requirements import (
    TORCH,
    MissingPackage,
    VersionOf,
    constraint_lines,
    installed_version,
    missing_packages,
    protected_versions,
    read_requirements,
    requirements_path,
)
from SpiderSegLib.mrml.translation import _

logger = logging.getLogger(__name__)

REQUESTER = "SpiderSeg"

#: Since this version pip can tell its progress in lines; an older one refuses to run when asked to.
PIP_WITH_RAW_PROGRESS = "24.1"

#: Of Slicer's own packages, those that pip can download again for another computer.
PINNED_OFFLINE = ("numpy", "torch")

#: What installing raises when the network, the disk or a package is at fault.
FAILURES = (subprocess.CalledProcessError, ImportError, OSError, RuntimeError, ValueError)


class TorchInstaller(Protocol):
    """Brings torch into this Python."""

    def isAvailable(self) -> bool: ...

    def install(self, requirement: str, constraints: Path) -> None: ...


class PackageInstaller(Protocol):
    """Brings requirements into this Python, with pip's constraints file."""

    def install(self, requirements: Sequence[str], constraints: Path) -> None: ...


class PyTorchExtension:
    """Slicer's PyTorch extension, which finds the build that suits the computer's GPU and driver."""

    def isAvailable(self) -> bool:
        return importlib.util.find_spec("PyTorchUtils") is not None

    def install(self, requirement: str, constraints: Path) -> None:
        PyTorchUtils: Any = importlib.import_module("PyTorchUtils")
        # The extension has no parameter for them, but pip reads them from the environment; as a URL because pip cuts at spaces.
        environment = {"PIP_CONSTRAINT": constraints.absolute().as_uri()}
        if not missing_packages([f"pip>={PIP_WITH_RAW_PROGRESS}"]):
            # The extension lets Slicer react whenever a line comes; without this none comes during a download of gigabytes.
            environment["PIP_PROGRESS_BAR"] = "raw"
        with _environment(environment):
            PyTorchUtils.PyTorchUtilsLogic().installTorch(askConfirmation=False, torchVersionRequirement=requirement.removeprefix("torch"))


class SlicerPackaging:
    """Slicer's own pip, with its progress dialog."""

    def install(self, requirements: Sequence[str], constraints: Path) -> None:
        packaging: Any = importlib.import_module("slicer.packaging")
        # No restart is offered: the packages are for runs in processes of their own.
        packaging.pip_ensure(list(requirements), constraints=constraints, prompt_install=False, prompt_restart=False, requester=REQUESTER)


def askInSlicer(question: str, details: str) -> bool:
    """Asks in a dialog of Slicer's."""
    util: Any = importlib.import_module("slicer.util")
    return bool(util.confirmOkCancelDisplay(question, _("Install Python packages"), detailedText=details))


class Installation:
    """The packages that runs need: what is missing, and bringing it in."""

    def __init__(
        self,
        requirements: Path | None = None,
        torch: TorchInstaller | None = None,
        packages: PackageInstaller | None = None,
        versionOf: VersionOf = installed_version,
    ) -> None:
        self._requirements = read_requirements(requirements or requirements_path())
        self._torch = torch or PyTorchExtension()
        self._packages = packages or SlicerPackaging()
        self._versionOf = versionOf

    def missingPackages(self) -> list[MissingPackage]:
        """What a run needs and is not there, torch first. Some milliseconds; imports none of it."""
        return missing_packages([TORCH, *self._requirements], self._versionOf)

    def installEverything(self, ask: Callable[[str, str], bool] = askInSlicer) -> bool:
        """Installs what is missing after one question; False when the answer was no.

        Raises MissingPackageError, saying what to do, when that can't be done or something is still missing afterwards.
        """
        missing = self.missingPackages()
        if not missing:
            return True
        self._checkTorch(missing)
        if not ask(self._question(missing), "\n".join(str(package) for package in missing)):
            return False
        before = protected_versions(self._versionOf)
        if self._torchIsMissing(missing):
            self._install(TORCH, lambda constraints: self._torch.install(TORCH, constraints))
        others = [package.requirement for package in missing if package.name != "torch"]
        if others:
            self._install(", ".join(others), lambda constraints: self._packages.install(others, constraints))
        self._verify(before)
        return True

    def offlineInstructions(self) -> str:
        """How to install without internet, as text with the commands for this computer."""
        versions = protected_versions(self._versionOf)
        pins = constraint_lines({name: versions[name] for name in PINNED_OFFLINE if name in versions})
        return offline_instructions([*([] if "torch" in versions else [TORCH]), *self._requirements], pins)

    def _torchIsMissing(self, missing: Sequence[MissingPackage]) -> bool:
        return any(package.name == "torch" for package in missing)

    def _checkTorch(self, missing: Sequence[MissingPackage]) -> None:
        torch = next((package for package in missing if package.name == "torch"), None)
        if torch is not None and torch.found is not None:
            raise MissingPackageError(
                _(
                    "PyTorch {found} is installed, {wanted} is needed. Other extensions may work with the installed one, so it is not replaced "
                    "unasked: uninstall it in the module PyTorch Utils, restart Slicer, and install again here."
                ).format(found=torch.found, wanted=torch.requirement)
            )
        if torch is not None and not self._torch.isAvailable():
            raise MissingPackageError(
                _(
                    "The extension PyTorch is needed. Open View > Extensions Manager, find PyTorch, install it, restart Slicer, and install "
                    "again here. Without internet: see the offline instructions."
                )
            )

    def _question(self, missing: Sequence[MissingPackage]) -> str:
        size = _("some 300 MB, with an NVIDIA GPU 3 GB") if self._torchIsMissing(missing) else _("some 100 MB")
        return _(
            "Python packages that SpiderSeg needs are missing: {count} ({size} to download). They are added to Slicer's Python; "
            "numpy, SimpleITK, requests and an installed PyTorch stay as they are.\n\nInstall them now?"
        ).format(count=len(missing), size=size)

    def _install(self, what: str, install: Callable[[Path], None]) -> None:
        logger.info("installing %s", what)
        try:
            with _constraintsFile(constraint_lines(protected_versions(self._versionOf))) as constraints:
                install(constraints)
        except FAILURES as error:
            raise MissingPackageError(f"{_('{what} could not be installed: {error}.').format(what=what, error=error)} {whatToDo()}") from error

    def _verify(self, before: dict[str, str]) -> None:
        missing = self.missingPackages()
        if missing:
            names = ", ".join(str(package) for package in missing)
            raise MissingPackageError(f"{_('Still missing after the installation: {names}.').format(names=names)} {whatToDo()}")
        after = protected_versions(self._versionOf)
        changed = [f"{name} {version} -> {after.get(name, '-')}" for name, version in before.items() if after.get(name) != version]
        if changed:
            raise MissingPackageError(
                _("The installation changed packages it must not change: {changed}. Restart Slicer; if it has trouble, install Slicer again.").format(
                    changed=", ".join(changed)
                )
            )


def whatToDo() -> str:
    """What helps when an installation failed."""
    return _(
        "Check the internet connection (behind a proxy set HTTPS_PROXY before Slicer starts) and the free disk space, restart Slicer and try again. "
        "The Python console shows what pip said. Without internet: see the offline instructions."
    )


@contextlib.contextmanager
def _constraintsFile(lines: Sequence[str]) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="spiderseg-") as folder:
        path = Path(folder) / "constraints.txt"
        path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        yield path


@contextlib.contextmanager
def _environment(variables: dict[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
