"""Tests in the harness: every one gets a clean application, and fails if something went wrong where only a log would say so."""

from __future__ import annotations

import functools
import importlib.util
import inspect
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import harness

FOLDER = Path(__file__).parent
STRICT_VARIABLE = "SPIDERSEG_TEST_STRICT"


@functools.cache
def missing() -> str:
    """Why the harness cannot run here; '' if it can."""
    for name, package in (("PySide6", "PySide6-Essentials"), ("slicer", "slicer-core"), ("vtk", "vtk")):
        if importlib.util.find_spec(name) is None:
            return f"{package} is not installed"
    import slicer.util

    if "blocking" not in inspect.signature(slicer.util.launchConsoleProcess).parameters:
        return "slicer-core is older than 5.12: slicer.util.launchConsoleProcess has no `blocking`"
    return ""


class UnavailableModule(pytest.Module):
    """A test file that cannot be imported here: skipped with the reason, or an error where no skip is allowed."""

    def collect(self) -> Any:
        if os.environ.get(STRICT_VARIABLE) == "1":
            raise self.CollectError(missing())
        pytest.skip(missing(), allow_module_level=True)


def pytest_pycollect_makemodule(module_path: Path, parent: Any) -> pytest.Module | None:
    """Starts the application before a test file imports qt or slicer."""
    if FOLDER not in module_path.parents:
        return None
    if missing():
        module: pytest.Module = UnavailableModule.from_parent(parent, path=module_path)
        return module
    harness.start()
    return None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if FOLDER in item.path.parents:
            item.add_marker(pytest.mark.harness)


@pytest.fixture(autouse=True)
def application() -> Iterator[Any]:
    """The session with an empty scene and default settings; afterwards nothing may have failed unseen."""
    session = harness.start()
    _clean(session)
    yield session
    unseen = [*harness.failed_connections, *harness.slot_errors, *harness.vtk_errors]
    _clean(session)
    assert not unseen, "went wrong where only the log would tell"


@pytest.fixture
def load_module() -> Iterator[Callable[[Path], Any]]:
    """harness.load_module, whose modules are unloaded after the test."""
    loaded = []

    def load(path: Path) -> Any:
        loaded.append(harness.load_module(path))
        return loaded[-1]

    yield load
    for module in loaded:
        module.unload()


def _clean(session: Any) -> None:
    import slicer

    harness.close_views()
    slicer.mrmlScene.Clear(0)
    session.app.userSettings().clear()
    session.app.processEvents()
    for record in (harness.failed_connections, harness.slot_errors, harness.vtk_errors, harness.shown_dialogs):
        record.clear()
