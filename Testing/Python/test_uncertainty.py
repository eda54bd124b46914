"""Entropy and confidence over literal arrays."""

from __future__ import annotations

import numpy as np
import pytest

from SpiderSegLib.uncertainty import entropy_map, level_confidences, nearest_on_grid


def voxels(*columns):
    """Probabilities (class, 1, 1, n) from one list of class probabilities a voxel."""
    return np.array(columns, np.float32).T[:, None, None, :]


def test_entropy_is_zero_when_sure_and_one_when_clueless():
    entropy = entropy_map(voxels([1, 0, 0, 0], [0.25, 0.25, 0.25, 0.25], [0.5, 0.5, 0, 0]))
    np.testing.assert_allclose(entropy[0, 0], [0, 1, 0.5], atol=1e-6)


def test_confidence_is_the_mean_probability_of_the_level_s_own_structure():
    probabilities = voxels([0.1, 0.9, 0, 0], [0.3, 0.7, 0, 0], [0, 0.2, 0.8, 0], [0.4, 0, 0, 0.6])
    labelmap = np.array([[[1, 1, 201, 100]]], np.uint8)
    assert level_confidences(labelmap, probabilities) == pytest.approx({1: 0.8, 100: 0.6, 201: 0.8})


def test_disagreement_of_mirrored_runs_lowers_the_confidence_but_not_below_zero():
    probabilities = voxels([0.1, 0.9, 0, 0], [0.8, 0.2, 0, 0])
    disagreement = np.array([[[0.25, 0.5]]], np.float32)
    assert level_confidences(np.array([[[1, 102]]], np.uint8), probabilities, disagreement) == pytest.approx({1: 0.65, 102: 0.0})


def test_an_empty_labelmap_has_no_confidences():
    assert level_confidences(np.zeros((1, 1, 2), np.uint8), voxels([1, 0, 0, 0], [1, 0, 0, 0])) == {}


def test_nearest_values_are_taken_at_voxel_centers():
    array = np.arange(6, dtype=np.uint8).reshape(1, 1, 6)
    assert nearest_on_grid(array, (1, 1, 3)).tolist() == [[[1, 3, 5]]]
    assert nearest_on_grid(array, (1, 1, 12))[0, 0].tolist() == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5]
    assert nearest_on_grid(array, (2, 1, 6)).tolist() == [[[0, 1, 2, 3, 4, 5]]] * 2
