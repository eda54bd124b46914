"""Fixtures shared by the library's tests."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mrml_scene import MrmlScene
    from SpiderSegLib.volume import Volume

REAL_DATA_VARIABLE = "SPIDERSEG_REAL_DATA"
STRICT_VARIABLE = "SPIDERSEG_TEST_STRICT"

#: Packages by the module they bring, and the tests that need them: left out where they are not installed; a strict run fails on them instead.
NEEDED = {"slicer": ("slicer-core", "the MRML layer", "test_mrml_*.py"), "trame_slicer": ("trame-slicer", "the workstation", "test_workstation_*.py")}
MISSING = [needs for module, needs in NEEDED.items() if importlib.util.find_spec(module) is None]
collect_ignore_glob = [] if os.environ.get(STRICT_VARIABLE) == "1" else [files for _, _, files in MISSING]


def pytest_report_header() -> list[str]:
    return [f"{package} is not installed: the tests of {part} are left out" for package, part, _ in MISSING]


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


@pytest.fixture(scope="session")
def tiny_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint of a very small network with random weights, for tests of everything but what it finds."""
    import torch

    from SpiderSegLib.network import Checkpoint, ModelConfig, Provenance, build_network, save_checkpoint
    from SpiderSegLib.preprocessing import PreprocessingConfig

    config = ModelConfig(roi_size_kji=(16, 32, 32), feature_size=4, hidden_size=32, mlp_dim=64, num_heads=4)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = build_network(config)
    path = tmp_path_factory.mktemp("weights") / "tiny.pt"
    save_checkpoint(path, Checkpoint(network.state_dict(), config, PreprocessingConfig(in_plane_spacing_mm=6.0), Provenance("tiny")))
    return path


@pytest.fixture(scope="session")
def small_series() -> Volume:
    """A sagittal phantom in few voxels, as a scanner would store it: spacing and origin with all their digits."""
    from SpiderSegLib.phantom import default_geometry, make_phantom

    phantom = make_phantom(geometry=default_geometry((56, 64, 5), (10 / 3, 1 / 0.31, 6.6000001)))
    return phantom.volume.with_array(phantom.volume.array.astype(np.int16))


@pytest.fixture
def series_file(small_series: Volume, tmp_path: Path) -> Path:
    """`small_series` as tmp_path/in/a_t2.mha."""
    from SpiderSegLib.io import write_volume

    path = tmp_path / "in" / "a_t2.mha"
    path.parent.mkdir()
    write_volume(path, small_series)
    return path


@pytest.fixture
def mrml() -> Iterator[MrmlScene]:
    """A scene of real MRML classes; a test during which VTK prints an error or a warning fails."""
    from mrml_scene import Messages, newScene

    messages = Messages()
    yield newScene()
    found = messages.found()
    messages.close()
    assert not found, "\n".join(found)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]):  # type: ignore[no-untyped-def]
    """Under SPIDERSEG_TEST_STRICT=1 a skip is a failure, except for tests that need a GPU."""
    outcome = yield
    report = outcome.get_result()
    if os.environ.get(STRICT_VARIABLE) == "1" and report.skipped and not hasattr(report, "wasxfail") and item.get_closest_marker("gpu") is None:
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} was skipped under {STRICT_VARIABLE}=1: {report.longrepr}"
