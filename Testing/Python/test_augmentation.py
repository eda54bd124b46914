"""Windows drawn for training."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from SpiderSegLib import augmentation
from SpiderSegLib.augmentation import AugmentationConfig, _majority, degrade, draw_window, posterior_elements, recolor
from SpiderSegLib.dataset import TrainingCase
from SpiderSegLib.labels import Structure

ROI = (16, 64, 48)


def case(slices=20, spacing_k=0.9, with_image=True) -> TrainingCase:
    classes = np.zeros((slices, 120, 100), np.uint8)
    classes[:, 10:110, 60:70] = Structure.CANAL
    for level in range(3):
        classes[:, 10 + 32 * level : 34 + 32 * level, 30:56] = Structure.VERTEBRA
        classes[:, 35 + 32 * level : 41 + 32 * level, 30:56] = Structure.DISC
    image = (classes + np.linspace(0, 1, 100)).astype(np.float16) if with_image else None
    return TrainingCase("case", image, classes, (spacing_k, 1.2, 1.2))


def rng(seed=0):
    return np.random.default_rng(seed)


@pytest.mark.parametrize("one", [case(), case(slices=1, spacing_k=4.0), case(slices=12, spacing_k=4.0, with_image=False)])
def test_a_window_has_the_network_s_shape_and_only_known_classes(one):
    for seed in range(5):
        window = draw_window(one, ROI, 1.5, rng(seed), AugmentationConfig())
        assert window.image.shape == window.classes.shape == ROI
        assert window.image.dtype == torch.float32
        assert torch.isfinite(window.image).all()
        assert set(window.classes.unique().tolist()) <= {0, 1, 2, 3}


def test_the_generator_alone_determines_a_window():
    first, second, other = (draw_window(case(), ROI, 1.5, rng(seed), AugmentationConfig()) for seed in (1, 1, 2))
    assert torch.equal(first.image, second.image)
    assert torch.equal(first.classes, second.classes)
    assert not torch.equal(first.image, other.image)


def test_a_scoliosis_is_measured_in_the_slices_that_averaging_left(monkeypatch):
    slices, bend, spacings, amplitudes = augmentation._slices, augmentation.bend_sideways, [], []

    def recorded_slices(*given):
        found = slices(*given)
        spacings.append(found[2])
        return found

    def recorded_bend(image, classes, amplitude, generator):
        amplitudes.append(amplitude)
        return bend(image, classes, amplitude, generator)

    monkeypatch.setattr(augmentation, "_slices", recorded_slices)
    monkeypatch.setattr(augmentation, "bend_sideways", recorded_bend)
    config = AugmentationConfig(scoliosis_probability=1.0, largest_scoliosis_mm=8.0)
    for seed in range(20):
        draw_window(case(), ROI, 1.5, rng(seed), config)
    assert {round(spacing / 0.9) for spacing in spacings} >= {2, 3, 4}
    bends_mm = [spacing * amplitude for spacing, amplitude in zip(spacings, amplitudes, strict=True)]
    assert 4.0 < max(bends_mm) <= 8.0


@pytest.mark.parametrize("name", ["metal_probability", "ghost_probability", "wrap_probability"])
def test_an_artefact_comes_with_its_own_probability(name):
    none = AugmentationConfig(metal_probability=0.0, ghost_probability=0.0, wrap_probability=0.0)
    classes = torch.from_numpy(case().classes[:16])
    image = torch.from_numpy(rng().random(classes.shape, dtype=np.float32))
    assert torch.equal(augmentation._with_artefacts(image, classes, 1.5, rng(), none), image)
    assert not torch.equal(augmentation._with_artefacts(image, classes, 1.5, rng(), replace(none, **{name: 1.0})), image)


def test_most_windows_show_the_spine():
    shown = [bool((draw_window(case(), ROI, 1.5, rng(seed), AugmentationConfig()).classes > 0).any()) for seed in range(20)]
    assert sum(shown) >= 18


def test_a_single_slice_is_repeated_through_the_window():
    classes = draw_window(case(slices=1, spacing_k=4.0), ROI, 1.5, rng(), AugmentationConfig()).classes
    assert all(torch.equal(classes[k], classes[0]) for k in range(ROI[0]))


def test_averaged_slices_take_the_class_of_most_of_them():
    # columns: all three slices, two of three, one of three, and a tie that background wins
    stack = np.array([[[1, 2, 3, 1]], [[1, 2, 0, 0]], [[1, 0, 0, 2]]], np.uint8)
    assert _majority(stack, 3).tolist() == [[[1, 2, 0, 0]]]


def test_t1_like_recoloring_makes_bright_fluid_darker_than_marrow():
    classes = torch.from_numpy(case().classes[:16])
    image = torch.where(classes == Structure.CANAL, 3.0, torch.where(classes == Structure.VERTEBRA, 0.5, 0.0))
    darker = 0
    for seed in range(40):
        result = recolor(image, classes, rng(seed))
        darker += bool(result[classes == Structure.CANAL].mean() < result[classes == Structure.VERTEBRA].mean())
    assert darker >= 20  # half of the draws are T1-like, some of the others happen to be


def test_recoloring_moves_no_border():
    classes = torch.zeros(4, 20, 20, dtype=torch.long)
    classes[:, 5:15, 5:15] = Structure.DISC
    result = recolor(torch.zeros(4, 20, 20), classes, rng(3))
    assert result[:, :4].unique().numel() == 1
    assert result[:, 7:13, 7:13].unique().numel() == 1


def test_degrading_keeps_shape_and_stays_finite_on_a_constant_image():
    for seed in range(10):
        result = degrade(torch.zeros(8, 32, 32), rng(seed), AugmentationConfig())
        assert result.shape == (8, 32, 32)
        assert torch.isfinite(result).all()


def test_only_vertebra_behind_the_canal_is_a_posterior_element():
    classes = torch.zeros(2, 4, 12, dtype=torch.long)
    classes[:, :, 2:5] = Structure.VERTEBRA  # body
    classes[:, :, 6:8] = Structure.CANAL
    classes[:, 1:3, 9:11] = Structure.VERTEBRA  # spinous process
    found = posterior_elements(classes, 1.5)
    assert found[:, 1:3, 9:11].all()
    assert int(found.sum()) == 2 * 2 * 2


def test_without_a_canal_the_body_is_still_no_posterior_element():
    # Far lateral windows show bodies and articular processes but no canal: its place is estimated 45 mm behind the front.
    classes = torch.zeros(2, 4, 60, dtype=torch.long)
    classes[:, :, 5:25] = Structure.VERTEBRA
    classes[:, 1:3, 45:50] = Structure.VERTEBRA
    found = posterior_elements(classes, 1.5)
    assert found[:, 1:3, 45:50].all()
    assert not found[:, :, :30].any()


def test_a_window_without_a_spine_has_no_posterior_elements():
    assert not posterior_elements(torch.zeros(2, 4, 12, dtype=torch.long), 1.5).any()
