"""Edits of a series without a project on this computer: all of the work comes back, and nothing else is kept."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from trame_slicer.core import SlicerApp

from command_line import file_size_limit
from mrml_scene import COLUMN, Messages, idOf
from SpiderSegLib.errors import ImageReadError, OutputError
from SpiderSegLib.level_names import LevelNaming
from SpiderSegLib.mrml.annotation_session.case_nodes import addVolume
from SpiderSegLib.mrml.history import NoHistory
from SpiderSegLib.mrml.levels import confirmLevels, renameLevel
from SpiderSegLib.mrml.segmentations import MODEL_ATTRIBUTE, SegmentInfo, forgetPrediction, predictionNodeOf
from SpiderSegLib.mrml.segments import setMask
from SpiderSegLib.mrml.spine_tools import predictedLabels
from SpiderSegLib.volume import Geometry, Volume
from SpiderSegLib.workstation.kept_edits import KeptEdits, keptEditsFolder
from workstation_scene import INTENSITIES, box, newColumn, nodesIn, slicerApp, stateOf

KEY = "0123456789abcdef" * 4

PATIENT = "Schmidt_Erika"

INFO = SegmentInfo(LevelNaming(), "unetr-2", {1: 0.9, 2: 0.25})


@pytest.fixture
def app() -> Iterator[SlicerApp]:
    with slicerApp() as app:
        yield app


@pytest.fixture
def edits(tmp_path: Path) -> KeptEdits:
    return KeptEdits(tmp_path / "state" / "workstation")


@pytest.fixture
def column(app: SlicerApp) -> tuple[Any, Any]:
    """A series named after a patient, and what a model drew of it."""
    return newColumn(app, INFO, PATIENT)


def files(edits: KeptEdits) -> list[str]:
    return sorted(path.name for path in edits.folder.rglob("*"))


def corrected(node: Any) -> None:
    """Confirmed names, one of them a person's own, and L5 drawn further."""
    renameLevel(node, idOf(node, 3), "T13", NoHistory())
    confirmLevels(node, NoHistory())
    setMask(node, idOf(node, 1), box(slice(7, 12), slice(0, 4)))


def test_all_of_the_work_comes_back(app, edits, column):
    volumeNode, node = column
    corrected(node)
    edits.keep(KEY, node, volumeNode)
    restored = edits.restore(KEY, app.scene, volumeNode)
    assert restored is not node
    assert restored.GetScene() is app.scene
    assert [name for _, name, *_ in stateOf(restored)] == ["L5", "L4", "T13", "L5/S1", "L4/L5", "T13/L4", "Spinal canal"]
    assert stateOf(restored) == stateOf(node)
    assert restored.GetDisplayNode() is not None
    assert restored.GetNodeReference("referenceImageGeometryRef") is volumeNode


def test_a_color_that_a_person_chose_comes_back(app, edits, column):
    volumeNode, node = column
    node.GetSegmentation().GetSegment(idOf(node, 2)).SetColor(0.25, 0.5, 1.0)
    edits.keep(KEY, node, volumeNode)
    restored = edits.restore(KEY, app.scene, volumeNode)
    assert restored.GetSegmentation().GetSegment(idOf(restored, 2)).GetColor() == pytest.approx((0.25, 0.5, 1.0), abs=1e-5)


def test_a_segment_without_a_level_comes_back(app, edits, column):
    volumeNode, node = column
    cyst = node.GetSegmentation().AddEmptySegment("", "Zyste (süd)")
    setMask(node, cyst, box(slice(0, 2), slice(0, 1)))
    node.GetSegmentation().AddEmptySegment("", "Nothing yet")
    edits.keep(KEY, node, volumeNode)
    restored = edits.restore(KEY, app.scene, volumeNode)
    assert stateOf(restored) == stateOf(node)
    assert [name for _, name, *_ in stateOf(restored)][-2:] == ["Zyste (süd)", "Nothing yet"]


def test_segments_that_overlap_come_back(app, edits, column):
    volumeNode, node = column
    over = node.GetSegmentation().AddEmptySegment("", "over")
    setMask(node, over, box(slice(0, 12), slice(0, 8)))
    edits.keep(KEY, node, volumeNode)
    assert stateOf(edits.restore(KEY, app.scene, volumeNode)) == stateOf(node)


def test_the_prediction_comes_back_with_the_work(app, edits, column):
    volumeNode, node = column
    predicted = predictedLabels(node).copy()
    corrected(node)
    edits.keepPrediction(KEY, node)
    edits.keep(KEY, node, volumeNode)
    restored = edits.restore(KEY, app.scene, volumeNode)
    assert np.array_equal(predictedLabels(restored), predicted)
    assert predictionNodeOf(restored).GetAttribute(MODEL_ATTRIBUTE) == "unetr-2"
    assert predictionNodeOf(restored).GetHideFromEditors()


def test_work_that_no_model_began_has_no_prediction(app, edits, column):
    volumeNode, node = column
    forgetPrediction(node)
    edits.keepPrediction(KEY, node)
    edits.keep(KEY, node, volumeNode)
    assert files(edits) == [f"{KEY}.seg.nrrd"]
    assert predictionNodeOf(edits.restore(KEY, app.scene, volumeNode)) is None


def test_the_latest_work_is_kept(app, edits, column):
    volumeNode, node = column
    edits.keep(KEY, node, volumeNode)
    corrected(node)
    edits.keep(KEY, node, volumeNode)
    assert files(edits) == [f"{KEY}.seg.nrrd"]
    assert stateOf(edits.restore(KEY, app.scene, volumeNode)) == stateOf(node)


def test_each_image_has_work_of_its_own(app, edits, column):
    volumeNode, node = column
    before = stateOf(node)
    edits.keep(KEY, node, volumeNode)
    corrected(node)
    edits.keep("f" * 64, node, volumeNode)
    assert stateOf(edits.restore(KEY, app.scene, volumeNode)) == before
    edits.drop("f" * 64)
    assert files(edits) == [f"{KEY}.seg.nrrd"]


# What can go wrong


def assertRefused(app: SlicerApp, edits: KeptEdits, volumeNode: Any, words: str) -> None:
    """A restore that fails in words and leaves nothing in the scene."""
    before = app.scene.GetNumberOfNodes()
    messages = Messages()
    with pytest.raises(ImageReadError, match=words):
        edits.restore(KEY, app.scene, volumeNode)
    messages.close()
    assert app.scene.GetNumberOfNodes() == before


@pytest.mark.parametrize("damage", [lambda data: b"", lambda data: b"no image" * 100, lambda data: data[:200], lambda data: data[: len(data) - 20]])
def test_a_damaged_edit_is_refused_in_words(app, edits, column, damage):
    volumeNode, node = column
    edits.keep(KEY, node, volumeNode)
    path = edits.folder / f"{KEY}.seg.nrrd"
    path.write_bytes(damage(path.read_bytes()))
    assertRefused(app, edits, volumeNode, f"{KEY}.seg.nrrd: the kept edit can't be read")


def test_an_edit_that_is_not_there_is_refused_in_words(app, edits, column):
    assertRefused(app, edits, column[0], "the kept edit can't be read")


def test_an_edit_on_another_grid_is_refused_in_words(app, edits, column):
    volumeNode, node = column
    edits.keep(KEY, node, volumeNode)
    grid = Geometry(COLUMN.size_ijk, (1.0, 1.0, 4.5), COLUMN.origin_lps_mm, COLUMN.direction)
    other = addVolume(app.scene, Volume(INTENSITIES.copy(), grid, "other"))
    assertRefused(app, edits, other, "the kept edit lies on another grid than the image")


def test_with_a_damaged_prediction_the_work_comes_back_all_the_same(app, edits, column):
    volumeNode, node = column
    corrected(node)
    edits.keepPrediction(KEY, node)
    edits.keep(KEY, node, volumeNode)
    (edits.folder / f"{KEY}.prediction.mha").write_bytes(b"no image")
    restored = edits.restore(KEY, app.scene, volumeNode)
    assert stateOf(restored) == stateOf(node)
    assert predictionNodeOf(restored) is None


def test_a_full_disk_leaves_the_earlier_work(app, edits, column):
    volumeNode, node = column
    before = stateOf(node)
    edits.keep(KEY, node, volumeNode)
    corrected(node)
    messages = Messages()
    with file_size_limit(100), pytest.raises(OutputError):
        edits.keep(KEY, node, volumeNode)
    messages.close()
    assert files(edits) == [f"{KEY}.seg.nrrd"]
    assert stateOf(edits.restore(KEY, app.scene, volumeNode)) == before


# What is on the disk


@pytest.mark.parametrize("key", ["", "a" * 63, "A" * 64, "g" * 64, "../" + "a" * 61, "a" * 64 + "\n", f"{'a' * 64}/x", PATIENT])
def test_only_hashes_name_files(edits, key):
    for use in (edits.keptAt, edits.drop):
        with pytest.raises(ValueError, match="expected a SHA-256 in hex"):
            use(key)
    assert not edits.folder.exists()


def test_only_this_user_can_look_into_the_folder(edits, column):
    volumeNode, node = column
    edits.folder.mkdir(parents=True, mode=0o755)
    edits.folder.chmod(0o755)
    edits.keepPrediction(KEY, node)
    edits.keep(KEY, node, volumeNode)
    assert stat.S_IMODE(edits.folder.stat().st_mode) == 0o700


def test_a_prediction_alone_is_private_too(edits, column):
    edits.keepPrediction(KEY, column[1])
    assert stat.S_IMODE(edits.folder.stat().st_mode) == 0o700


def test_nothing_on_the_disk_names_the_series(edits, column):
    volumeNode, node = column
    corrected(node)
    edits.keepPrediction(KEY, node)
    edits.keep(KEY, node, volumeNode)
    assert files(edits) == [f"{KEY}.prediction.mha", f"{KEY}.seg.nrrd"]
    for path in edits.folder.iterdir():
        content = path.read_bytes()
        assert PATIENT.encode() not in content
        assert b"Erika" not in content


def test_an_edit_that_was_given_up_is_gone(edits, column):
    volumeNode, node = column
    edits.keepPrediction(KEY, node)
    edits.keep(KEY, node, volumeNode)
    edits.drop(KEY)
    assert files(edits) == []
    assert edits.keptAt(KEY) == ""
    edits.drop(KEY)


def test_it_is_known_when_an_edit_was_kept(edits, column):
    volumeNode, node = column
    assert edits.keptAt(KEY) == ""
    edits.keepPrediction(KEY, node)
    assert edits.keptAt(KEY) == ""
    edits.keep(KEY, node, volumeNode)
    noon = datetime(2026, 3, 2, 12, 34, 56, tzinfo=timezone(timedelta(hours=1)))
    os.utime(edits.folder / f"{KEY}.seg.nrrd", (noon.timestamp(), noon.timestamp()))
    assert edits.keptAt(KEY) == "2026-03-02T11:34+00:00"


def test_edits_are_kept_in_the_user_s_own_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert keptEditsFolder() == tmp_path / "spiderseg" / "workstation"


def test_nodes_of_a_restored_edit_are_its_own(app, edits, column):
    volumeNode, node = column
    edits.keep(KEY, node, volumeNode)
    before = nodesIn(app)
    edits.restore(KEY, app.scene, volumeNode)
    assert nodesIn(app) == before + 1
