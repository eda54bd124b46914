"""To the working grid and back: nothing moves, nothing is lost but detail, and intensities mean the same whatever the scanner's scale."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from SpiderSegLib.errors import InputError
from SpiderSegLib.preprocessing import PreprocessingConfig, normalize, prepare, reorientation_to, resample, resample_classes, working_shape
from SpiderSegLib.volume import Geometry, Volume

CONFIG = PreprocessingConfig()
DIRECTIONS = [
    tuple((np.eye(3)[list(order)] * signs).ravel()) for order in itertools.permutations(range(3)) for signs in itertools.product((1, -1), repeat=3)
]


def geometry(size, spacing, direction=(0.0, 0.0, -1.0, 1.0, 0.0, 0.0, 0.0, -1.0, 0.0)):
    return Geometry(size, spacing, (0.0, 0.0, 0.0), direction)


@pytest.mark.parametrize("direction", DIRECTIONS, ids=lambda direction: geometry((2, 3, 4), (1.0, 1.0, 1.0), direction).orientation)
def test_reorientation_and_its_way_back_are_exact(direction):
    grid = geometry((4, 3, 2), (0.5, 0.75, 4.0), direction)
    array = np.arange(24).reshape(2, 3, 4)
    turn = reorientation_to(grid)
    oriented = turn.apply(array)
    np.testing.assert_array_equal(turn.invert(oriented), array)
    np.testing.assert_array_equal(turn.invert(turn.apply(np.stack([array, -array]))), np.stack([array, -array]))
    # The voxel furthest to the right, bottom and back (R, I, P) comes last.
    k, j, i = np.unravel_index(int(oriented[-1, -1, -1]), array.shape)
    corners = np.array([[a, b, c, 1] for a in (0, 3) for b in (0, 2) for c in (0, 1)]) @ grid.affine_lps.T
    np.testing.assert_allclose((grid.affine_lps @ [i, j, k, 1])[:3], [corners[:, 0].min(), corners[:, 1].max(), corners[:, 2].min()])
    assert turn.spacing(grid.spacing_kji_mm) == tuple(np.asarray(grid.spacing_kji_mm)[list(turn.axes_kji)])


def test_an_oblique_series_keeps_its_axes():
    c, s = np.cos(0.3), np.sin(0.3)
    tilted = geometry((4, 3, 2), (1.0, 1.0, 4.0), (0.0, 0.0, -1.0, c, s, 0.0, s, -c, 0.0))
    turn = reorientation_to(tilted)
    assert (turn.axes_kji, turn.flipped_kji) == ((0, 1, 2), (False, False, False))


@pytest.mark.parametrize(
    ("shape", "spacing", "expected"),
    [
        ((17, 512, 512), (4.0, 0.6, 0.6), (17, 205, 205)),  # thick slices stay
        ((40, 640, 512), (0.9, 0.469, 0.469), (20, 200, 160)),  # SPACE is averaged in pairs
        ((1, 448, 448), (4.0, 0.625, 0.625), (1, 187, 187)),
        ((1, 1, 1), (0.1, 0.1, 0.1), (1, 1, 1)),
        ((9, 100, 100), (10.0, 3.0, 3.0), (9, 200, 200)),  # coarse series are refined in plane, never across slices
    ],
)
def test_the_working_grid_covers_the_same_field_of_view(shape, spacing, expected):
    assert working_shape(shape, spacing, CONFIG) == expected


@pytest.mark.parametrize("direction", DIRECTIONS[::5])
@pytest.mark.parametrize(("size", "spacing"), [((31, 29, 7), (0.6, 0.7, 4.0)), ((7, 31, 29), (0.47, 0.47, 0.9)), ((1, 30, 20), (0.5, 0.5, 3.0))])
def test_results_come_back_on_the_input_s_own_grid(direction, size, spacing):
    volume = Volume(np.random.default_rng(0).random(size[::-1]).astype(np.float32), geometry(size, spacing, direction))
    prepared = prepare(volume, CONFIG)
    assert prepared.array.dtype == np.float32
    assert prepared.restore(prepared.array).shape == volume.array.shape
    probabilities = np.random.default_rng(1).random((4, *prepared.array.shape)).astype(np.float32)
    classes = prepared.restore_classes(probabilities)
    assert (classes.shape, classes.dtype, classes.flags["C_CONTIGUOUS"]) == (volume.array.shape, np.uint8, True)


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_a_structure_comes_back_where_it_was(direction):
    grid = geometry((24, 20, 16), (1.0, 1.2, 2.0), direction)
    mask = np.zeros(grid.shape_kji, np.float32)
    mask[9:14, 3:9, 12:21] = 1
    prepared = prepare(Volume(mask, grid), PreprocessingConfig(minimum_slice_spacing_mm=1.0))
    on_working_grid = resample(prepared.reorientation.apply(mask), prepared.array.shape)
    back = prepared.restore_classes(np.stack([1 - on_working_grid, on_working_grid]))
    assert 2 * (back * mask).sum() / (back.sum() + mask.sum()) > 0.85
    np.testing.assert_allclose(np.argwhere(back).mean(axis=0), np.argwhere(mask).mean(axis=0), atol=0.5)


def test_the_most_probable_class_wins_and_the_first_on_a_tie():
    prepared = prepare(Volume(np.eye(3, dtype=np.float32)[None], geometry((3, 3, 1), (1.5, 1.5, 4.0))), CONFIG)
    probabilities = np.full((3, 1, 3, 3), 0.3, np.float32)
    probabilities[2, 0, 1] = 0.4
    np.testing.assert_array_equal(prepared.restore_classes(probabilities)[0], [[0, 0, 0], [2, 2, 2], [0, 0, 0]])


def test_probabilities_on_a_grid_of_the_same_shape_stay_the_caller_s():
    prepared = prepare(Volume(np.eye(3, dtype=np.float32)[None], geometry((3, 3, 1), (1.5, 1.5, 4.0))), CONFIG)
    probabilities = np.random.default_rng(0).random((3, 1, 3, 3)).astype(np.float32)
    before = probabilities.copy()
    prepared.restore_classes(probabilities)
    np.testing.assert_array_equal(probabilities, before)


def test_a_grid_that_fits_is_not_touched():
    array = np.random.default_rng(0).random((3, 8, 8)).astype(np.float32)
    np.testing.assert_array_equal(resample(array, (3, 8, 8)), array)


def test_a_ramp_stays_a_ramp():
    """Linear interpolation over the same field of view: voxel n of N lies at (n + 0.5) / N of it; the borders repeat."""
    ramp = np.broadcast_to((np.arange(12) + 0.5) / 12, (1, 4, 12))
    finer = resample(ramp, (1, 4, 24))[0, 0]
    np.testing.assert_allclose(finer[1:-1], ((np.arange(24) + 0.5) / 24)[1:-1], atol=1e-6)
    coarser = resample(ramp, (1, 4, 6))[0, 0]
    np.testing.assert_allclose(coarser[1:-1], ((np.arange(6) + 0.5) / 6)[1:-1], atol=2e-3)


def test_fine_detail_is_averaged_not_aliased():
    stripes = np.tile([0.0, 1.0], 60)[None, None] * np.ones((1, 4, 1))
    # Every third voxel alone would give whole stripes of 0 and 1.
    assert np.ptp(resample(stripes, (1, 4, 40))[0, 0, 2:-2]) < 0.4
    np.testing.assert_allclose(resample(stripes, (1, 4, 40)).mean(), 0.5, atol=0.02)


def test_classes_are_resampled_as_fractions():
    classes = np.zeros((1, 4, 4), np.uint8)
    classes[0, :2, :2], classes[0, 2:, :3] = 1, 3
    np.testing.assert_array_equal(resample_classes(classes, (1, 2, 2), 4)[0], [[1, 0], [3, 0]])


def body(n=40_000, seed=0):
    return np.random.default_rng(seed).normal(600, 120, n).clip(100).astype(np.float32)


def test_the_body_has_zero_mean_and_unit_deviation():
    normalized = normalize(body(), CONFIG)
    assert abs(normalized.mean()) < 0.06
    assert abs(normalized.std() - 1) < 0.06


@pytest.mark.parametrize("air_share", [0.0, 0.3, 0.6, 0.9, 0.97])
def test_the_share_of_air_changes_nothing(air_share):
    tissue = body()
    middle = np.abs(tissue - 600) < 240  # clipped tails aside
    air = np.abs(np.random.default_rng(1).normal(0, 8, round(len(tissue) * air_share / (1 - air_share)))).astype(np.float32)
    found = normalize(np.concatenate([tissue, air]), CONFIG)[: len(tissue)]
    np.testing.assert_allclose(found[middle], normalize(tissue, CONFIG)[middle], atol=0.15)


@pytest.mark.parametrize("scale", [0.01, 1.0, 50.0])
@pytest.mark.parametrize("offset", [0.0, -1000.0, 500.0])
def test_scale_and_offset_of_the_scanner_change_nothing(scale, offset):
    image = np.concatenate([body(), np.zeros(20_000, np.float32)])
    np.testing.assert_allclose(normalize(scale * image + offset, CONFIG), normalize(image, CONFIG), atol=1e-2)


@pytest.mark.parametrize("outliers", [[1e6], [-32768.0], [1e6, -32768.0, 65535.0, -1e5]])
def test_broken_voxels_change_nothing_and_stay_in_range(outliers):
    image = np.concatenate([body(), np.zeros(20_000, np.float32)])
    broken = image.copy()
    broken[: len(outliers)] = outliers
    found, expected = normalize(broken, CONFIG), normalize(image, CONFIG)
    np.testing.assert_allclose(found[len(outliers) :], expected[len(outliers) :], atol=0.01)
    assert expected.min() - 0.01 <= found.min() <= found.max() <= expected.max() + 0.01


@pytest.mark.parametrize("value", [0, -5, 1000])
def test_a_constant_image_becomes_zero(value):
    normalized = normalize(np.full((2, 3, 4), value, np.int16), CONFIG)
    assert (normalized.dtype, normalized.any()) == (np.float32, False)


def test_two_values_only_do_not_break_it():
    image = np.zeros((1, 10, 10), np.uint8)
    image[0, :5] = 1
    assert np.isfinite(normalize(image, CONFIG)).all()


@pytest.mark.parametrize(
    "changes",
    [{"in_plane_spacing_mm": 0.0}, {"minimum_slice_spacing_mm": -1.0}, {"lower_percentile": 99.9}, {"upper_percentile": 101.0}],
)
def test_settings_out_of_range_are_refused(changes):
    with pytest.raises(InputError, match="expected"):
        PreprocessingConfig(**changes)
