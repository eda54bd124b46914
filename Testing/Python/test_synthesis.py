"""Synthetic images and the tissues laid out around the spine."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from SpiderSegLib.labels import Structure
from SpiderSegLib.surroundings import Tissue, lay_out_surroundings, smooth_noise, spine_lines
from SpiderSegLib.synthesis import draw_contrast, synthesize


def rng(seed=0):
    return np.random.default_rng(seed)


def spine() -> torch.Tensor:
    """A body, a disc and a canal in every slice; front of the column at i = 20, canal at 50-53."""
    classes = torch.zeros(6, 96, 90, dtype=torch.long)
    classes[:, 5:30, 20:44] = Structure.VERTEBRA
    classes[:, 31:37, 20:44] = Structure.DISC
    classes[:, 0:40, 50:54] = Structure.CANAL
    return classes


def test_the_lines_follow_canal_and_front_and_go_on_beyond_them():
    found = spine_lines(spine().float().long(), 1.5)
    assert found is not None
    canal, front = found
    assert canal == pytest.approx(np.full(96, 51.5))
    assert front == pytest.approx(np.full(96, 20.0))


def test_a_row_of_posterior_elements_alone_does_not_move_the_front():
    classes = spine()
    classes[:, 80:84, 60:70] = Structure.VERTEBRA
    found = spine_lines(classes, 1.5)
    assert found is not None
    assert found[1][80:84].max() < 40


def test_no_spine_no_lines():
    assert spine_lines(torch.zeros(2, 8, 8, dtype=torch.long), 1.5) is None


def test_tissues_lie_where_they_belong():
    layout = lay_out_surroundings(spine(), 1.5, rng(1))
    far_behind = layout.tissues[:, :40, 85:]
    assert set(far_behind.unique().tolist()) <= {Tissue.FAT, Tissue.AIR, Tissue.MUSCLE, Tissue.LIGAMENT}
    beside_the_bodies = layout.tissues[:, 5:30, 24:44]
    assert set(beside_the_bodies.unique().tolist()) <= {Tissue.MUSCLE, Tissue.FAT}
    assert layout.behind_canal[:, :, 60:].all()
    assert not layout.behind_canal[:, :, :40].any()


def test_the_sacrum_is_laid_on_background_below_the_lowest_disc():
    classes = spine()
    for seed in range(5):
        layout = lay_out_surroundings(classes, 1.5, rng(seed))
        assert layout.sacrum.any()
        assert not (layout.sacrum | layout.sacral_discs)[classes > 0].any()
        assert not layout.sacrum[:, :30].any()


def test_above_a_labelled_body_no_sacrum_is_laid():
    classes = spine()
    classes[:, 38:60, 20:44] = Structure.VERTEBRA  # the window ends above the next disc
    for seed in range(5):
        assert not lay_out_surroundings(classes, 1.5, rng(seed)).sacrum.any()


def test_smooth_noise_has_the_wanted_shape_and_is_smooth():
    noise = smooth_noise(torch.Size((8, 40, 40)), (2, 20, 4), rng())
    assert noise.shape == (8, 40, 40)
    assert noise.diff(dim=1).abs().mean() < 0.5 * noise.diff(dim=2).abs().mean()


def test_contrasts_are_those_of_their_sequence():
    # In every T1-like or T2-like draw fat is brighter than muscle; in fat-suppressed ones darker; so most draws are the former.
    brighter = [contrast.of(Tissue.FAT) > contrast.of(Tissue.MUSCLE) for contrast in (draw_contrast(rng(seed)) for seed in range(60))]
    assert 40 <= sum(brighter) < 60


@pytest.mark.parametrize("classes", [spine(), torch.zeros(16, 64, 48, dtype=torch.long)])
def test_a_synthetic_image_is_finite_and_of_its_classes_shape(classes):
    for seed in range(8):
        image = synthesize(classes, 1.5, rng(seed))
        assert image.shape == classes.shape
        assert torch.isfinite(image).all()


def test_the_generator_alone_determines_an_image():
    assert torch.equal(synthesize(spine(), 1.5, rng(4)), synthesize(spine(), 1.5, rng(4)))
    assert not torch.equal(synthesize(spine(), 1.5, rng(4)), synthesize(spine(), 1.5, rng(5)))


def test_the_sacrum_looks_like_vertebrae():
    classes, close = spine(), 0
    for seed in range(20):
        image = synthesize(classes, 1.5, rng(seed))
        sacrum = lay_out_surroundings_of(classes, seed)
        bodies = (classes == Structure.VERTEBRA) & ~sacrum
        close += bool(abs(image[sacrum].median() - image[bodies].median()) < 0.6)
    assert close >= 14


def lay_out_surroundings_of(classes: torch.Tensor, seed: int) -> torch.Tensor:
    """The sacrum of synthesize(classes, 1.5, rng(seed)): its contrast is drawn first."""
    generator = rng(seed)
    draw_contrast(generator)
    return lay_out_surroundings(classes, 1.5, generator).sacrum
