"""A stack of slices at fine sampling: where its samples lie, and what has been painted on them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from SpiderSegLib.phantom.column import Frame
from SpiderSegLib.phantom.shapes import Array
from SpiderSegLib.volume import Geometry

#: A voxel edge longer than this is sampled at several points, so that thick slices show partial volume.
SAMPLE_STEP_MM = 1.5
MAXIMUM_SAMPLES = 5

Bounds = tuple[tuple[float, float], tuple[float, float], tuple[float, float]]
Region = tuple[slice, slice, slice]


@dataclass(frozen=True)
class Slab:
    """Some slices of the grid, finely sampled: LPS coordinates, and the signal and labels painted so far."""

    x: Array
    y: Array
    z: Array
    signal: Array
    labels: NDArray[np.uint8]
    index_of_lps: NDArray[np.floating[Any]]
    edge_mm: float

    def region(self, frame: Frame, bounds: Bounds) -> Region | None:
        """Index box that holds a box given in a frame's axes (x, a, u); None when it is outside the slab."""
        corners = [(x, *frame.to_ps(a, u), 1.0) for x in bounds[0] for a in bounds[1] for u in bounds[2]]
        indices = (self.index_of_lps @ np.array(corners).T)[:3]
        low = np.maximum(np.floor(indices.min(axis=1)).astype(int), 0)
        high = np.minimum(np.ceil(indices.max(axis=1)).astype(int) + 1, self.x.shape)
        if np.any(low >= high):
            return None
        return slice(low[0], high[0]), slice(low[1], high[1]), slice(low[2], high[2])

    def local(self, region: Region, frame: Frame) -> tuple[Array, Array, Array]:
        return frame.local(self.x[region], self.y[region], self.z[region])

    def paint(self, region: Region, share: Array, value: Array | float) -> None:
        self.signal[region] += share * (value - self.signal[region])

    def mark(self, region: Region, inside: NDArray[np.bool_], value: int) -> None:
        self.labels[region][inside] = value


def samples_per_voxel_kji(geometry: Geometry) -> tuple[int, int, int]:
    """Odd number of samples along each edge of a voxel (k, j, i), so that one lies at its centre."""
    counts = [min(2 * int(np.ceil((s / SAMPLE_STEP_MM - 1) / 2)) + 1, MAXIMUM_SAMPLES) for s in geometry.spacing_kji_mm]
    return max(counts[0], 1), max(counts[1], 1), max(counts[2], 1)


def positions(geometry: Geometry, part: slice, samples: tuple[int, int, int]) -> tuple[Array, Array, Array]:
    """LPS coordinates of the samples of some slices (axis 0 of the array), each of the finely sampled shape."""
    starts = (part.start, 0, 0)
    counts = (part.stop - part.start, *geometry.shape_kji[1:])
    axes = [start + (np.arange(n * f) - (f - 1) / 2) / f for start, n, f in zip(starts, counts, samples, strict=True)]
    k, j, i = np.meshgrid(*axes, indexing="ij", sparse=True)
    affine = geometry.affine_lps
    x, y, z = ((row[0] * i + row[1] * j + row[2] * k + row[3]).astype(np.float32) for row in affine[:3])
    return x, y, z


def open_slab(geometry: Geometry, part: slice, samples: tuple[int, int, int], around: Array) -> Slab:
    x, y, z = positions(geometry, part, samples)
    signal = around
    for axis, count in enumerate(samples):
        signal = np.repeat(signal, count, axis=axis)
    # (k, j, i) of a sample = samples * (voxel index + 1/2) - 1/2, with slices counted from the start of the slab.
    lps_to_ijk = np.linalg.inv(geometry.affine_lps)
    to_kji = lps_to_ijk[[2, 1, 0, 3]]
    to_kji[0, 3] -= part.start
    scale = np.asarray(samples, dtype=float)
    to_kji[:3] *= scale[:, None]
    to_kji[:3, 3] += (scale - 1) / 2
    edge = max(0.7, float(np.min(np.asarray(geometry.spacing_kji_mm) / scale)))
    return Slab(x, y, z, signal.copy(), np.zeros(x.shape, np.uint8), to_kji, edge)


def mean_over_samples(fine: Array, samples: tuple[int, int, int]) -> Array:
    """Mean over the samples of each voxel."""
    k, j, i = (n // f for n, f in zip(fine.shape, samples, strict=True))
    return np.asarray(fine.reshape(k, samples[0], j, samples[1], i, samples[2]).mean(axis=(1, 3, 5)), dtype=np.float32)


def central_samples(fine: NDArray[np.uint8], samples: tuple[int, int, int]) -> NDArray[np.uint8]:
    """Value of each voxel's central sample."""
    return fine[tuple(slice(f // 2, None, f) for f in samples)]
