"""Synthetic intensities over a class map, any contrast (the idea of SynthSeg, Billot et al. 2023).

They teach what the real training images lack: everything lateral of the midline, and contrasts other than T2. The sacrum, which
SPIDER leaves unlabelled, is imitated below the lowest disc as background that looks like vertebrae.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.random import Generator
from torch import Tensor
from torch.nn import functional

from SpiderSegLib.labels import FOREGROUND, Structure

#: Kinds of soft tissue around the spine: fat, muscle, vessels, bowel, air.
BACKGROUND_TISSUES = 6

#: Height and depth of the first sacral segment in mm; each next one is a sixth smaller.
SACRAL_SEGMENT_MM = (27.0, 30.0)


def synthesize(classes: Tensor, in_plane_spacing_mm: float, rng: Generator) -> Tensor:
    """An image (k, j, i) for classes (k, j, i): random tissue means, textures, dark cortical rims and a look-alike sacrum."""
    means = {structure: float(rng.uniform(-1.2, 2.2)) for structure in FOREGROUND}
    image = _soft_tissue(classes.shape, rng)
    sacrum, sacral_discs = _sacrum_masks(classes, in_plane_spacing_mm, rng)
    image = torch.where(sacrum, torch.tensor(means[Structure.VERTEBRA]), image)
    image = torch.where(sacral_discs, torch.tensor(means[Structure.DISC]), image)
    for structure in FOREGROUND:
        mask = classes == structure
        image = torch.where(mask, means[structure] + _texture(classes.shape, rng), image)
    if rng.random() < 0.8:
        image = _darken_rims(image, (classes == Structure.VERTEBRA) | sacrum, float(rng.uniform(-1.6, -0.6)))
    return image + _texture(classes.shape, rng)


def _soft_tissue(shape: torch.Size, rng: Generator) -> Tensor:
    """Blobs of a few tissues, a few centimetres in size."""
    coarse = rng.normal(size=(1, BACKGROUND_TISSUES, 3, int(rng.integers(4, 14)), int(rng.integers(4, 12)))).astype(np.float32)
    kind = functional.interpolate(torch.from_numpy(coarse), tuple(shape), mode="trilinear", align_corners=True)[0].argmax(0)
    tissue = torch.from_numpy(rng.uniform(-1.5, 2.0, BACKGROUND_TISSUES).astype(np.float32))
    return tissue[kind]


def _texture(shape: torch.Size, rng: Generator) -> Tensor:
    coarse = rng.normal(0, 0.35 * rng.random(), (1, 1, shape[0], shape[1] // 3, shape[2] // 3)).astype(np.float32)
    return functional.interpolate(torch.from_numpy(coarse), tuple(shape), mode="trilinear", align_corners=True)[0, 0]


def _sacrum_masks(classes: Tensor, spacing_mm: float, rng: Generator) -> tuple[Tensor, Tensor]:
    """Masks (k, j, i) of sacral segments and of the thin discs between them, below the lowest disc, on background only."""
    nothing = torch.zeros_like(classes, dtype=torch.bool)
    disc = torch.nonzero(classes == Structure.DISC).float()
    if len(disc) == 0:
        return nothing, nothing
    lowest = disc[disc[:, 1] > disc[:, 1].max() - 12 / spacing_mm].mean(0)
    tilt = np.deg2rad(rng.uniform(10, 60))  # the sacrum turns backward
    down, back = float(np.cos(tilt)), float(np.sin(tilt))
    y, x = torch.meshgrid(torch.arange(classes.shape[1]), torch.arange(classes.shape[2]), indexing="ij")
    y, x = (y - lowest[1]) * spacing_mm, (x - lowest[2]) * spacing_mm
    along, across = y * down + x * back, x * down - y * back
    segments, gaps = torch.zeros_like(y, dtype=torch.bool), torch.zeros_like(y, dtype=torch.bool)
    start, (height, depth) = float(rng.uniform(4, 8)), SACRAL_SEGMENT_MM
    for _ in range(3):
        segments |= (along > start) & (along < start + height) & (across.abs() < depth / 2)
        gaps |= (along >= start + height) & (along <= start + height + 3) & (across.abs() < depth / 2)
        start, height, depth = start + height + 3, height * 5 / 6, depth * 5 / 6
    background = classes == Structure.BACKGROUND
    return segments[None] & background, gaps[None] & background


def _darken_rims(image: Tensor, bone: Tensor, rim_value: float) -> Tensor:
    """Cortical bone gives no signal: the border voxels of `bone` become dark."""
    inside = functional.avg_pool2d(bone.float()[None], 3, stride=1, padding=1, count_include_pad=False)[0]
    return torch.where(bone & (inside < 0.99), torch.tensor(rim_value), image)
