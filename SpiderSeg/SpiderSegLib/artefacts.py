"""Artefacts and deformities that a few training series can't show: scoliosis, metal, motion ghosts, wrap-around.

Windows are (k, j, i) tensors; randomness comes from the Generator alone.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.random import Generator
from torch import Tensor

from SpiderSegLib.labels import Structure

#: Signal below every tissue's: where metal dephases the spins there is none.
VOID = -2.0


def bend_sideways(image: Tensor | None, classes: Tensor, amplitude_slices: float, rng: Generator) -> tuple[Tensor | None, Tensor]:
    """A scoliosis: every row shows the slice that lies a smooth, row-dependent distance beside its own.

    The distance reaches amplitude_slices at most; images are interpolated between slices, classes taken from the nearest; the
    outermost slices are repeated.
    """
    depth, height, _ = classes.shape
    phase, periods = rng.uniform(0, 2 * np.pi), rng.uniform(0.4, 1.2)
    offset = amplitude_slices * np.sin(phase + 2 * np.pi * periods * np.arange(height) / height)
    position = torch.from_numpy(np.clip(np.arange(depth)[:, None] + offset, 0, depth - 1))
    row = torch.arange(height)[None, :]
    bent = classes[position.round().long(), row]
    if image is None:
        return None, bent
    lower = position.floor().long()
    upper = (lower + 1).clamp(max=depth - 1)
    share = (position - lower).float()[..., None]
    return image[lower, row] * (1 - share) + image[upper, row] * share, bent


def add_metal(image: Tensor, classes: Tensor, in_plane_spacing_mm: float, rng: Generator) -> Tensor:
    """A pedicle screw's void in a vertebra: an ellipsoid without signal and a bright edge where the lost signal is piled up."""
    bone = torch.nonzero(classes == Structure.VERTEBRA)
    if not len(bone):
        return image
    center = bone[int(rng.integers(len(bone)))]
    radii = torch.tensor([rng.uniform(0.6, 2.5), rng.uniform(4, 9) / in_plane_spacing_mm, rng.uniform(6, 25) / in_plane_spacing_mm])
    axes = [(torch.arange(size) - int(c)) / radius for size, c, radius in zip(image.shape, center, radii, strict=True)]
    distance = axes[0][:, None, None] ** 2 + axes[1][None, :, None] ** 2 + axes[2][None, None, :] ** 2
    bright = float(image.max()) * float(rng.uniform(0.4, 1.0))
    image = torch.where((distance < 1.5) & (distance >= 1) & (axes[1] < 0)[None, :, None], torch.tensor(bright), image)
    return torch.where(distance < 1, torch.tensor(min(VOID, float(image.min()))), image)


def add_ghosts(image: Tensor, rng: Generator) -> Tensor:
    """Motion during the scan: weak displaced copies along the phase direction."""
    axis = int(rng.integers(1, 3))
    shift = int(rng.integers(6, image.shape[axis] // 2))
    share = float(rng.uniform(0.03, 0.15))
    ghost = image.roll(shift, axis) + image.roll(-shift, axis)
    return image + share * (ghost - ghost.mean())


def wrap_around(image: Tensor, rng: Generator) -> Tensor:
    """What lies beyond the field of view appears folded over one border."""
    axis = int(rng.integers(1, 3))
    extent = max(1, int(image.shape[axis] * rng.uniform(0.05, 0.2)))
    folded = image.clone()
    source, target = (slice(0, extent), slice(-extent, None)) if rng.random() < 0.5 else (slice(-extent, None), slice(0, extent))
    index: list[slice] = [slice(None)] * 3
    from_, to = list(index), list(index)
    from_[axis], to[axis] = source, target
    folded[tuple(to)] += float(rng.uniform(0.2, 0.7)) * (image[tuple(from_)] - image.min())
    return folded
