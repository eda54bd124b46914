"""Fixtures shared by the library's tests."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

REAL_DATA_VARIABLE = "SPIDERSEG_REAL_DATA"
STRICT_VARIABLE = "SPIDERSEG_TEST_STRICT"


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder of the real MR data set (holds spider/ and external/); skips when SPIDERSEG_REAL_DATA does not name it."""
    folder = os.environ.get(REAL_DATA_VARIABLE)
    if not folder:
        pytest.skip(f"{REAL_DATA_VARIABLE} is not set: it names the folder of the real MR data")
    path = Path(folder).resolve()
    if not (path / "spider").is_dir():
        pytest.skip(f"{REAL_DATA_VARIABLE}={folder} holds no folder spider/")
    return path


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]):  # type: ignore[no-untyped-def]
    """Under SPIDERSEG_TEST_STRICT=1 a skip is a failure, except for tests that need a GPU."""
    outcome = yield
    report = outcome.get_result()
    if os.environ.get(STRICT_VARIABLE) == "1" and report.skipped and not hasattr(report, "wasxfail") and item.get_closest_marker("gpu") is None:
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} was skipped under {STRICT_VARIABLE}=1: {report.longrepr}"
