"""A project survives a kill and a full disk at every single thing it does to the disk, and many who save at once."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from fault_injection import SHARED_SERIES

pytestmark = [pytest.mark.faults, pytest.mark.slow, pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")]

DRIVER = Path(__file__).with_name("fault_injection.py")

#: Saves of each of the four processes: more than SHARED_SERIES, so that they meet in every series more than once.
SAVES = 125


def inject(scenario: str, folder: Path) -> dict[str, int]:
    done = subprocess.run([sys.executable, str(DRIVER), scenario, str(folder / "faults"), str(SAVES)], capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize(
    ("scenario", "fewest_kills"),
    [
        ("first save", 30),
        ("save", 50),
        ("autosave", 20),
        ("freeze", 15),
        ("promote", 15),
        ("retrain", 45),
        ("import", 60),
        ("rebuild", 40),
        ("freeze without links", 15),
    ],
)
def test_a_kill_or_a_full_disk_loses_nothing_but_what_was_being_done(scenario, fewest_kills, tmp_path):
    counts = inject(scenario, tmp_path)
    # Fewer would mean that operations go past the layer where they are counted.
    assert counts["kills"] >= fewest_kills
    # Early kills leave it undone, late ones done: both were looked at.
    assert 0 < counts["done"] <= counts["kills"]
    assert counts["full disks"] > 0


def test_a_project_whose_making_was_killed_can_be_made(tmp_path):
    assert inject("init", tmp_path)["kills"] >= 10


def test_four_who_save_at_once_lose_nothing_and_every_difference_is_seen(tmp_path):
    counts = inject("at once", tmp_path)
    # Each goes on from its own last revision, so that each series ends with four heads.
    assert counts == {
        "failed": 0,
        "revisions": 4 * SAVES,
        "heads": 4 * SHARED_SERIES,
        "damaged": 0,
        "problems before the rebuild": 0,
        "problems": 0,
    }
