"""Scoliosis, metal, ghosts and wrap-around, over literal truths."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from SpiderSegLib.artefacts import add_ghosts, add_metal, bend_sideways, wrap_around
from SpiderSegLib.labels import Structure


def rng(seed=0):
    return np.random.default_rng(seed)


def numbered_slices() -> torch.Tensor:
    """Slice k holds k."""
    return torch.arange(9.0)[:, None, None].expand(9, 30, 4).clone()


def test_a_bend_shows_each_row_slices_beside_its_own_within_the_amplitude():
    image, classes = bend_sideways(numbered_slices(), numbered_slices().long(), 2.0, rng(1))
    assert image is not None
    shift = image - numbered_slices()
    assert shift[4].abs().max() <= 2.0
    assert shift[4].std() > 0.3
    # Smooth from row to row, and the same for all columns.
    assert image[4].diff(dim=0).abs().max() < 0.6
    assert torch.equal(image[:, :, 0], image[:, :, 3])
    # Classes follow the image to the nearest slice.
    assert (classes - image).abs().max() <= 0.5


def test_a_bend_of_nothing_changes_nothing():
    image, classes = bend_sideways(numbered_slices(), numbered_slices().long(), 0.0, rng())
    assert image is not None
    assert torch.equal(image, numbered_slices())
    assert torch.equal(classes, numbered_slices().long())


def test_without_an_image_the_classes_alone_are_bent():
    assert bend_sideways(None, numbered_slices().long(), 2.0, rng())[0] is None


def test_metal_leaves_a_void_in_bone():
    classes = torch.zeros(5, 40, 40, dtype=torch.long)
    classes[2, 20, 20] = Structure.VERTEBRA
    image = add_metal(torch.ones(5, 40, 40), classes, 1.5, rng(2))
    assert image[2, 20, 20] == -2.0
    assert (image == 1.0).float().mean() > 0.8


def test_without_bone_there_is_no_metal():
    image = torch.ones(5, 40, 40)
    assert torch.equal(add_metal(image, torch.zeros(5, 40, 40, dtype=torch.long), 1.5, rng()), image)


def test_ghosts_are_weak_copies_and_keep_the_mean():
    image = torch.zeros(1, 40, 40)
    image[0, 20, 20] = 100.0
    ghosted = add_ghosts(image, rng(3))
    copies = (ghosted - ghosted.median() > 1).nonzero()
    assert len(copies) == 3
    assert float(ghosted[0, 20, 20]) == pytest.approx(100, abs=1)
    assert ghosted.max(dim=2).values.max() > 0
    assert 3 <= ghosted.flatten().sort().values[-2] <= 15
    assert float(ghosted.mean()) == pytest.approx(float(image.mean()), abs=1e-3)


def test_wrap_around_folds_one_border_onto_the_other():
    image = torch.zeros(1, 40, 40)
    image[:, :2], image[:, -2:], image[:, :, :2], image[:, :, -2:] = 8.0, 8.0, 8.0, 8.0
    changed = (wrap_around(image, rng(5)) != image).nonzero()[:, 1:]
    assert len(changed)
    assert any(int(column.min()) >= 30 or int(column.max()) <= 9 for column in changed.T)
