"""Synthetic intensities over a class map, in any contrast (the idea of SynthSeg, Billot et al. 2023).

They teach what the real training images lack: everything lateral of the midline, and contrasts other than T2. What SPIDER leaves
unlabelled is laid out around the spine by `surroundings`: muscle, fat, vessels, bowel, skin and a sacrum that looks like vertebrae.
Intensities are in units of the body's standard deviation, as `preprocessing.normalize` makes them.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from numpy.random import Generator
from torch import Tensor
from torch.nn import functional

from SpiderSegLib.labels import Structure
from SpiderSegLib.surroundings import Tissue, lay_out_surroundings, smooth_noise

#: Ranges of mean intensity per contrast, read off the training images (structures) and off common knowledge (tissues).
_ANY = (-1.6, 2.2)
_CONTRASTS: dict[str, dict[str, tuple[float, float]]] = {
    "t2": {
        "vertebra": (-0.9, 1.0), "nucleus": (-1.3, 1.1), "annulus": (-1.6, -0.8), "canal": (-0.2, 2.4), "rim": (-1.6, -0.5),
        "muscle": (-1.5, -0.5), "fat": (0.6, 2.3), "bowel": (-1.2, 1.8), "vessel": (-1.8, -0.6), "ligament": (-1.8, -1.0), "air": (-2.2, -1.5),
    },
    "t1": {
        "vertebra": (-0.1, 0.9), "nucleus": (-1.0, -0.2), "annulus": (-1.1, -0.4), "canal": (-1.3, -0.5), "rim": (-1.4, -0.4),
        "muscle": (-1.1, -0.3), "fat": (0.9, 2.5), "bowel": (-1.2, 1.2), "vessel": (-1.8, 0.0), "ligament": (-1.6, -0.8), "air": (-2.4, -1.4),
    },
    "fat-suppressed": {
        "vertebra": (-1.2, 0.0), "nucleus": (-1.0, 1.5), "annulus": (-1.4, -0.6), "canal": (0.8, 3.0), "rim": (-1.6, -0.9),
        "muscle": (-0.8, 0.5), "fat": (-1.6, -0.8), "bowel": (-1.0, 2.0), "vessel": (-1.6, 1.5), "ligament": (-1.7, -1.0), "air": (-1.9, -1.4),
    },
    "any": dict.fromkeys(("vertebra", "nucleus", "annulus", "canal", "rim", "muscle", "fat", "bowel", "vessel", "ligament", "air"), _ANY),
}  # fmt: skip
_CONTRAST_SHARES = {"t2": 0.35, "t1": 0.35, "fat-suppressed": 0.1, "any": 0.2}


@dataclass(frozen=True)
class Contrast:
    """Mean intensity of every tissue, by name."""

    means: dict[str, float]

    def of(self, tissue: Tissue) -> float:
        return self.means[tissue.name.lower()]


def draw_contrast(rng: Generator) -> Contrast:
    """A T2-like, T1-like, fat-suppressed or entirely random contrast."""
    name = str(rng.choice(list(_CONTRAST_SHARES), p=list(_CONTRAST_SHARES.values())))
    return Contrast({tissue: float(rng.uniform(*limits)) for tissue, limits in _CONTRASTS[name].items()})


def synthesize(classes: Tensor, in_plane_spacing_mm: float, rng: Generator) -> Tensor:
    """An image (k, j, i) for classes (k, j, i): surroundings, marrow, discs with a nucleus, spinal fluid with roots, cortical rims."""
    contrast = draw_contrast(rng)
    layout = lay_out_surroundings(classes, in_plane_spacing_mm, rng)
    image = torch.tensor([contrast.of(tissue) for tissue in Tissue])[layout.tissues]
    image = image + _texture(classes.shape, rng, 0.5) * (layout.tissues != Tissue.AIR)
    vertebra = (classes == Structure.VERTEBRA) | layout.sacrum
    image = torch.where(vertebra, _marrow(classes.shape, contrast, layout.behind_canal, rng), image)
    image = torch.where((classes == Structure.DISC) | layout.sacral_discs, _disc(classes, contrast, rng), image)
    image = torch.where(classes == Structure.CANAL, contrast.means["canal"] + _roots(classes.shape, rng), image)
    image = _with_cortical_rim(image, vertebra, contrast.means["rim"], rng)
    if rng.random() < 0.4:
        image = _with_chemical_shift(image, vertebra | (layout.tissues == Tissue.FAT), rng)
    return _with_partial_volume(image + _texture(classes.shape, rng, 0.25), rng)


def _texture(shape: torch.Size, rng: Generator, deviation: float) -> Tensor:
    """Smooth noise at the scale of a few voxels, of at most the given deviation."""
    return deviation * float(rng.random()) * smooth_noise(shape, (1, 3, 3), rng)


def _marrow(shape: torch.Size, contrast: Contrast, behind_canal: Tensor, rng: Generator) -> Tensor:
    """Bodies and, often of another intensity, posterior elements."""
    posterior = float(rng.normal(0, 0.4))
    return contrast.means["vertebra"] + posterior * behind_canal + _texture(shape, rng, 0.6)


def _disc(classes: Tensor, contrast: Contrast, rng: Generator) -> Tensor:
    """Annulus at the rim, nucleus where a neighbourhood is all disc; a degenerated disc has none."""
    disc = (classes == Structure.DISC).float()
    share = functional.avg_pool2d(disc[None], 5, stride=1, padding=2)[0]
    nucleus = ((share - 0.6) / 0.35).clamp(0, 1)
    annulus = contrast.means["annulus"]
    return annulus + nucleus * (contrast.means["nucleus"] - annulus) + _texture(classes.shape, rng, 0.5)


def _roots(shape: torch.Size, rng: Generator) -> Tensor:
    """Nerve roots: streaks along the canal."""
    return float(rng.uniform(0, 1.0)) * smooth_noise(shape, (1, 12, 1), rng) + _texture(shape, rng, 0.4)


def _with_cortical_rim(image: Tensor, bone: Tensor, rim: float, rng: Generator) -> Tensor:
    """Cortical bone gives no signal: the border voxels of `bone` are drawn towards `rim`, more or less as the rim fills them."""
    inside = functional.avg_pool2d(bone.float()[None], 3, stride=1, padding=1, count_include_pad=False)[0]
    share = float(rng.uniform(0, 1)) * (bone & (inside < 0.99)).float()
    return image + share * (rim - image)


def _with_chemical_shift(image: Tensor, fatty: Tensor, rng: Generator) -> Tensor:
    """Fat is displaced against water along one in-plane axis: a bright rim on one side, a dark one on the other."""
    axis, step = int(rng.integers(1, 3)), int(rng.choice([-1, 1]))
    fat = fatty.float()
    return image + float(rng.uniform(0.2, 0.8)) * (fat.roll(step, axis) - fat)


def _with_partial_volume(image: Tensor, rng: Generator) -> Tensor:
    """Voxels at borders mix what they cover, in plane and across slices."""
    share = float(rng.uniform(0.2, 0.9))
    blurred = functional.avg_pool2d(image[None], 3, stride=1, padding=1, count_include_pad=False)[0]
    image = (1 - share) * image + share * blurred
    across = float(rng.uniform(0, 0.2))
    neighbours = torch.cat((image[1:], image[-1:])) + torch.cat((image[:1], image[:-1]))
    return (1 - 2 * across) * image + across * neighbours
