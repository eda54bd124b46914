"""`spiderseg workstation`: the page for segmenting and correcting without 3D Slicer, served on the person's own computer."""

from __future__ import annotations

import ctypes
import getpass
import sys
from dataclasses import dataclass
from pathlib import Path

from SpiderSegLib.corrections.names import check_annotator
from SpiderSegLib.errors import InputError, MissingPackageError, ProjectError

#: What the extra `workstation` installs; the name of the missing module says which is not there.
_PACKAGES = ("aiohttp", "slicer", "trame", "undo_stack", "vtk", "vtkmodules", "wslink")

#: VTK draws through it on Linux, without a screen too.
_DRAWING_LIBRARY = "libEGL.so.1"

_ADVICE = "on Debian and Ubuntu: sudo apt-get install libegl1 libgl1 libgl1-mesa-dri"


@dataclass(frozen=True)
class WorkstationArguments:
    """The arguments of the command; annotator None: the name the person logged in with, where it can be one."""

    path: Path | None = None
    annotator: str | None = None
    host: str = "127.0.0.1"
    port: int = 0
    browser: bool = True
    weights: str | None = None
    device: str = "auto"
    mirror: bool = False


def workstation(arguments: WorkstationArguments) -> int:
    """Serves the page until Ctrl-C, which is its usual end.

    Raises InputError for a path that isn't there and a name that can't be an annotator's, MissingPackageError where the extra
    `workstation` or a library of the system is not installed.
    """
    if arguments.path is not None and not arguments.path.exists():
        raise InputError(f"{arguments.path}: no such file or folder")
    annotator = _login_name() if arguments.annotator is None else check_annotator(arguments.annotator)
    _check_drawing_library()
    try:
        from SpiderSegLib.workstation.app import run
        from SpiderSegLib.workstation.options import RunSettings, WorkstationOptions
    except ImportError as error:
        raise _what_is_missing(error) from error
    settings = RunSettings(arguments.weights or "", arguments.device, arguments.mirror)
    run(WorkstationOptions(arguments.path, annotator, arguments.host, arguments.port, arguments.browser, settings))
    return 0


def _what_is_missing(error: ImportError) -> Exception:
    """The package or the library that an import fails for, in words; the error itself where it is neither."""
    if not isinstance(error, ModuleNotFoundError):
        return MissingPackageError(f"a library of the system is missing: {error}; {_ADVICE}")
    package = (error.name or "").partition(".")[0]
    if package not in _PACKAGES and not package.startswith("trame_"):
        return error
    return MissingPackageError(f'the workstation needs {package}: pip install "spiderseg[workstation]"')


def _login_name() -> str:
    """The name this person logged in with; '' where there is none that can be an annotator's."""
    try:
        return check_annotator(getpass.getuser())
    except (ProjectError, OSError, KeyError, ImportError):  # as getpass fails for a user without a name
        return ""


def _check_drawing_library() -> None:
    if sys.platform != "linux":
        return
    try:
        ctypes.CDLL(_DRAWING_LIBRARY)
    except OSError as error:
        raise MissingPackageError(f"{_DRAWING_LIBRARY} is missing: the pictures are drawn with it; {_ADVICE}") from error
