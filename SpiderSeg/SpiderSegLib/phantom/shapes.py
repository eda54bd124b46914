"""Implicit shapes of the phantom: signed distances in millimetres, negative inside, over float32 coordinate arrays.

The distances are exact for capsules and boxes and first-order near the surface elsewhere, which is what soft edges need.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates

Array = NDArray[np.float32]

_TEXTURE_LATTICE = 48


def capsule(p: tuple[Array, Array, Array], start: tuple[float, float, float], end: tuple[float, float, float], radii: tuple[float, float]) -> Array:
    """Distance to a rod whose radius goes linearly from `radii[0]` at `start` to `radii[1]` at `end`."""
    axis = [e - s for s, e in zip(start, end, strict=True)]
    length2 = sum(c * c for c in axis)
    offset = [c - np.float32(s) for c, s in zip(p, start, strict=True)]
    t = np.clip(sum(o * np.float32(c / length2) for o, c in zip(offset, axis, strict=True)), 0, 1).astype(np.float32)
    squared = sum((o - t * np.float32(c)) ** 2 for o, c in zip(offset, axis, strict=True))
    return np.asarray(np.sqrt(squared) - (np.float32(radii[0]) + t * np.float32(radii[1] - radii[0])), dtype=np.float32)


def rounded_box(p: tuple[Array, Array, Array], half: tuple[float, float, float], radius: float) -> Array:
    """Distance to a box of half sizes `half` about the origin with edges rounded by `radius`."""
    q = [np.abs(c) - np.float32(h - radius) for c, h in zip(p, half, strict=True)]
    outside = np.sqrt(sum(np.maximum(c, 0) ** 2 for c in q))
    return np.asarray(outside + np.minimum(np.maximum(np.maximum(q[0], q[1]), q[2]), 0) - np.float32(radius), dtype=np.float32)


def ellipsoid(p: tuple[Array, Array, Array], center: tuple[float, float, float], radii: tuple[float, float, float]) -> Array:
    """Distance along the ray from the centre to an ellipsoid with semi-axes `radii`."""
    offset = [c - np.float32(m) for c, m in zip(p, center, strict=True)]
    scaled = np.sqrt(sum((o / np.float32(r)) ** 2 for o, r in zip(offset, radii, strict=True)))
    return np.asarray((scaled - 1) * np.float32(min(radii)), dtype=np.float32)


def superellipse(x: Array, y: Array, half_x: Array | float, half_y: Array | float, power: float) -> Array:
    """Distance, measured along the ray from the centre, to |x/half_x|^power + |y/half_y|^power = 1."""
    ratio = (np.abs(x / half_x) ** np.float32(power) + np.abs(y / half_y) ** np.float32(power)) ** np.float32(1 / power)
    reach = np.sqrt(x * x + y * y)
    return np.asarray(reach - reach / np.maximum(ratio, np.float32(1e-3)), dtype=np.float32)


def smooth_max(a: Array, b: Array, radius_mm: float) -> Array:
    """The larger of two distances with the edge between them rounded (polynomial blend of width `radius_mm`)."""
    return -smooth_min(-a, -b, radius_mm)


def smooth_min(a: Array, b: Array, radius_mm: float) -> Array:
    """The smaller of two distances with the crease between them filled (polynomial blend of width `radius_mm`)."""
    blend = np.maximum(np.float32(radius_mm) - np.abs(a - b), 0)
    return np.asarray(np.minimum(a, b) - blend * blend * np.float32(0.25 / radius_mm), dtype=np.float32)


def coverage(distance: Array, width_mm: float) -> Array:
    """How much of a voxel lies inside, 0..1, with an edge `width_mm` wide centred on the surface."""
    return np.asarray(np.clip(np.float32(0.5) - distance / np.float32(width_mm), 0, 1), dtype=np.float32)


class Texture:
    """Smooth random field over all space, the same at a position whatever the grid: periodic noise on a lattice."""

    def __init__(self, rng: np.random.Generator) -> None:
        lattice = rng.standard_normal((_TEXTURE_LATTICE,) * 3)
        # A periodic Gaussian in frequency space, so that the field has no visible lattice or seam.
        f2 = sum(np.meshgrid(*[np.fft.fftfreq(_TEXTURE_LATTICE) ** 2] * 3, indexing="ij"))
        smooth = np.fft.ifftn(np.fft.fftn(lattice) * np.exp(-2 * math.pi**2 * f2)).real
        self._field = (smooth / smooth.std()).astype(np.float32)

    def at(self, x: Array, y: Array, z: Array, wavelengths_mm: tuple[float, float, float]) -> Array:
        """Field of mean 0 and standard deviation about 0.8; details are about `wavelengths_mm` long along L, P, S."""
        steps = [
            np.broadcast_to(c, np.broadcast_shapes(x.shape, y.shape, z.shape)) * np.float32(4 / w)
            for c, w in zip((x, y, z), wavelengths_mm, strict=True)
        ]
        return np.asarray(map_coordinates(self._field, steps, order=1, mode="grid-wrap", output=np.float32), dtype=np.float32)
