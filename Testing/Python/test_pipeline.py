"""The main job with the bundled weights on the phantom: levels, states, warnings, sidecar, table and picture."""

from __future__ import annotations

import io
import json

import numpy as np
import pytest
from PIL import Image

from SpiderSegLib.errors import Cancelled, ImageReadError
from SpiderSegLib.inference import Predictor
from SpiderSegLib.io import read_labelmap
from SpiderSegLib.labels import LevelState, to_classes
from SpiderSegLib.level_names import RESEARCH_USE, LevelNaming, full_name
from SpiderSegLib.metrics import overlap_table, structure_dice
from SpiderSegLib.outputs import OutputPaths
from SpiderSegLib.overlay import draw_overlay
from SpiderSegLib.phantom import Phantom, PhantomConfig, make_phantom
from SpiderSegLib.pipeline import Segmentation, segment
from SpiderSegLib.results import level_table, sidecar, write_outputs
from SpiderSegLib.stages import Stage, StageClock
from SpiderSegLib.volume import Geometry, Volume
from SpiderSegLib.weights import load_weights


@pytest.fixture(scope="module")
def predictor() -> Predictor:
    return Predictor(load_weights(None), "cpu")


@pytest.fixture(scope="module")
def phantom() -> Phantom:
    return make_phantom(PhantomConfig(sequence="T2"))


@pytest.fixture(scope="module")
def result(predictor, phantom) -> Segmentation:
    return segment(phantom.volume, predictor)


def test_the_phantom_is_found_by_the_bundled_weights(result, phantom):
    dice = structure_dice(overlap_table(phantom.labelmap.array, result.labelmap.array))
    assert dice.vertebra is not None
    assert min(dice.vertebra, dice.disc or 0, dice.canal or 0) > 0.4


def test_the_result_is_on_the_input_s_grid(result, phantom):
    assert result.labelmap.geometry == phantom.volume.geometry
    assert result.labelmap.array.dtype == np.uint8


def test_values_are_the_spider_scheme_and_the_rows_are_the_labelmap_s(result):
    to_classes(result.labelmap.array)
    assert {row.instance.value for row in result.levels} == set(np.unique(result.labelmap.array).tolist()) - {0}
    assert all(0 <= row.confidence <= 1 for row in result.levels)


def test_the_sidecar_is_json_and_holds_what_a_reader_needs(result):
    record = json.loads(json.dumps(sidecar(result)))
    assert record["notice"] == RESEARCH_USE
    assert record["model"]["sha256"] == load_weights(None).sha256
    assert record["sequence"] == {"guess": "T2", "source": "header"}
    assert set(record["seconds"]) == {"preprocess", "network", "resample", "number"}
    assert record["level_state"]["state"] in ("assumed", "unidentified")
    assert record["lumbar_count"] == 5
    assert {"value", "name", "full_name", "structure", "state", "partial", "confidence", "volume_mm3", "center_lps_mm"} == set(record["levels"][0])


def test_no_level_is_named_without_a_word_on_its_confirmation(result):
    table = level_table(result)
    names = {row.name for row in result.levels}
    if result.state is LevelState.UNIDENTIFIED:
        assert result.state_reasons
        assert "Vertebra 1" in names
        assert f"Level unidentified: {result.state_reasons[0]}" in table
    else:
        assert "L5?" in names
        assert "assumption" in table
    assert "L5" not in names
    assert all(row.full_name == full_name(row.instance.value, LevelNaming(result.state)) for row in result.levels)


def test_the_overlay_is_a_picture_with_the_image_and_its_colors(result):
    picture = np.asarray(Image.open(io.BytesIO(draw_overlay(result))).convert("RGB")).astype(int)
    height, width, _ = picture.shape
    saturation = np.ptp(picture, axis=2)
    middle = slice(height // 6, 5 * height // 6)
    assert (saturation[middle, : width // 3] < 10).mean() > 0.99
    assert (saturation[middle, width // 2 :] > 40).mean() > 0.02


def test_files_are_written_with_the_names_asked_for(result, tmp_path):
    paths = OutputPaths(tmp_path / "a.mha", tmp_path / "a.json", tmp_path / "a_overlay.png", tmp_path / "a_probabilities.mha")
    write_outputs(result, paths)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.json", "a.mha", "a_overlay.png", "a_probabilities.mha"]
    assert np.array_equal(read_labelmap(paths.labelmap).array, result.labelmap.array)
    probabilities = read_labelmap(tmp_path / "a_probabilities.mha").array
    assert probabilities[result.labelmap.array > 0].mean() > 127 > probabilities[result.labelmap.array == 0].mean()


def test_left_and_right_swapped_storage_gives_the_same_segmentation(result, phantom, predictor):
    volume = phantom.volume
    geometry = volume.geometry
    i, j, k = geometry.size_ijk
    last = geometry.affine_lps @ [0, 0, k - 1, 1]
    direction = tuple((geometry.direction_matrix * [1, 1, -1]).ravel().tolist())
    flipped = Volume(
        volume.array[::-1].copy(), Geometry((i, j, k), geometry.spacing_ijk_mm, tuple(last[:3].tolist()), direction), "flipped", volume.header
    )
    assert np.array_equal(segment(flipped, predictor).labelmap.array[::-1], result.labelmap.array)


def blobs(shape=(12, 96, 96)) -> Volume:
    rng = np.random.default_rng(0)
    grid = np.indices(shape) - np.array(shape).reshape(3, 1, 1, 1) / 2
    ball = (grid[1] ** 2 + grid[2] ** 2 < 40**2).astype(float) * 300
    direction = (0.0, 0.0, -1.0, 1.0, 0.0, 0.0, 0.0, -1.0, 0.0)
    return Volume(
        (ball + rng.integers(0, 50, shape)).astype(np.int16), Geometry(shape[::-1], (2.0, 2.0, 5.0), (0.0, 0.0, 0.0), direction), "head.mha"
    )


def test_something_else_than_a_spine_warns_and_does_not_crash(predictor):
    found = segment(blobs(), predictor)
    assert any("is this a sagittal MR series of the lumbar spine?" in warning for warning in found.warnings)
    assert draw_overlay(found)
    assert json.dumps(sidecar(found))


def test_a_ct_is_recognized_by_its_air(predictor):
    mr = blobs()
    found = segment(mr.with_array((mr.array - 1000).astype(np.int16)), predictor)
    assert any("made for MR" in warning for warning in found.warnings)
    assert not any("made for MR" in warning for warning in segment(mr, predictor).warnings)


def test_a_constant_image_is_refused(predictor):
    with pytest.raises(ImageReadError, match=r"every voxel is 7"):
        segment(blobs().with_array(np.full((12, 96, 96), 7, np.int16)), predictor)


def test_cancel_stops_before_the_next_stage_and_stages_are_reported_in_order(predictor):
    heard: list[tuple[Stage, float]] = []
    clock = StageClock(lambda stage, share: heard.append((stage, share)), lambda: len(heard) >= 1)
    with pytest.raises(Cancelled):
        segment(blobs(), predictor, clock)
    assert [stage for stage, _ in heard] == [Stage.PREPROCESS]
    assert list(clock.seconds) == ["preprocess"]
