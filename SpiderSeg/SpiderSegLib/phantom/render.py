"""Renders a scene on a grid slab by slab, and marks the vertebrae that the field of view cuts."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from SpiderSegLib.labels import PARTIAL_OFFSET
from SpiderSegLib.phantom.column import Column
from SpiderSegLib.phantom.painting import Scene, paint_column
from SpiderSegLib.phantom.shapes import Array
from SpiderSegLib.phantom.slab import central_samples, mean_over_samples, open_slab, positions, samples_per_voxel_kji
from SpiderSegLib.phantom.surroundings import paint_surroundings
from SpiderSegLib.volume import Geometry, left_right_axis_kji

#: Fine samples held at once; about 100 bytes each while a slab is painted.
SLAB_SAMPLES = 3_000_000


def render(scene: Scene, geometry: Geometry) -> tuple[Array, Array, NDArray[np.uint8]]:
    """Noise-free signal, depth below the skin of the back (mm) and SPIDER labels, each of the grid's shape (k, j, i)."""
    samples = samples_per_voxel_kji(geometry)
    shape = geometry.shape_kji
    signal, depth = np.empty(shape, np.float32), np.empty(shape, np.float32)
    labels = np.zeros(shape, np.uint8)
    rows = max(1, SLAB_SAMPLES // int(np.prod(shape[1:]) * np.prod(samples)))
    for start in range(0, shape[0], rows):
        part = slice(start, min(start + rows, shape[0]))
        around, depth[part] = paint_surroundings(*positions(geometry, part, (1, 1, 1)), scene.variant, scene.tissue, scene.texture)
        slab = open_slab(geometry, part, samples, around)
        paint_column(slab, scene)
        signal[part], labels[part] = mean_over_samples(slab.signal, samples), central_samples(slab.labels, samples)
    _mark_partial(labels, scene.column, geometry)
    return signal, depth, labels


def _mark_partial(labels: NDArray[np.uint8], column: Column, geometry: Geometry) -> None:
    """Adds 100 to vertebrae whose body the field of view cuts, in place.

    The left-right borders don't count: every sagittal series ends between the tips of the transverse processes.
    """
    lps_to_ijk = np.linalg.inv(geometry.affine_lps)
    axes = [axis for axis in range(3) if 2 - axis != left_right_axis_kji(geometry.orientation)]
    size = np.asarray(geometry.size_ijk)[axes, None]
    for level in column.levels:
        half_a, half_u = level.shape.depth_mm / 2, level.shape.height_mm / 2
        corners = [(0.0, *level.frame.to_ps(a, u), 1.0) for a in (-half_a, half_a) for u in (-half_u, half_u)]
        ijk = (lps_to_ijk @ np.array(corners).T)[axes]
        if np.any(ijk < -0.5) or np.any(ijk > size - 0.5):
            labels[labels == level.number] = PARTIAL_OFFSET + level.number
