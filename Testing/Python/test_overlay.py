"""The picture people look at: right slice, right colors, honest names."""

from __future__ import annotations

import numpy as np
import pytest

from SpiderSegLib.labels import label_table
from SpiderSegLib.overlay import OPACITY, color_slice, gray_window, middle_slice, spread


def test_the_slice_in_the_middle_of_the_canal_is_shown():
    labelmap = np.zeros((9, 4, 4), np.uint8)
    labelmap[3:6] = 100
    labelmap[8] = 1
    assert middle_slice(labelmap) == 4


def test_without_a_canal_the_fullest_slice_and_without_labels_the_middle_one_is_shown():
    labelmap = np.zeros((9, 4, 4), np.uint8)
    assert middle_slice(labelmap) == 4
    labelmap[7, :2] = 3
    assert middle_slice(labelmap) == 7


def test_colors_are_those_of_the_label_table_and_background_is_transparent():
    colors = color_slice(np.array([[0, 1, 201]], np.uint8))[0]
    assert colors[0, 3] == 0
    for pixel, value in ((1, 1), (2, 201)):
        assert tuple(colors[pixel, :3]) == label_table()[value].color_rgba[:3]
        assert colors[pixel, 3] == round(255 * OPACITY)


def test_bright_fat_behind_the_spine_does_not_darken_it():
    image = np.full((50, 50), 100.0)
    image[:, 40:] = 1000.0
    labels = np.zeros((50, 50), np.uint8)
    labels[:, 10:20] = 1
    assert gray_window(image, labels)[1] == pytest.approx(130)
    assert gray_window(image, np.zeros_like(labels))[1] == pytest.approx(1000)


def test_a_constant_slice_still_has_a_window():
    low, high = gray_window(np.zeros((5, 5)), np.zeros((5, 5), np.uint8))
    assert low < high


@pytest.mark.parametrize(
    ("positions", "expected"),
    [
        ([], []),
        ([3.0], [3.0]),
        # Far enough apart: where they are.
        ([1.0, 3.0, 7.0], [1.0, 3.0, 7.0]),
        # Two at one place move half a gap each; the third stays.
        ([4.0, 4.0, 8.0], [3.5, 4.5, 8.0]),
        # Moved into each other they make one group about its mean.
        ([4.0, 4.0, 5.0], [10 / 3, 13 / 3, 16 / 3]),
        # The ends of the picture hold them in.
        ([0.0, 0.1, 9.9], [0.5, 1.5, 9.5]),
        # More than fit share the height.
        ([5.0] * 20, [0.25 + 0.5 * n for n in range(20)]),
    ],
)
def test_names_in_the_margin_keep_apart_and_move_as_little_as_they_can(positions, expected):
    assert spread(positions, 1.0, 10.0) == pytest.approx(expected)
