"""Which vertebra a voxel behind, beside or in the bodies belongs to, from where it lies along and around the canal.

A lumbar spinous process hangs down behind the disc below its body, the inferior articular process reaches past that disc, the superior one
rises to the disc above, and the pedicle leaves from the upper half. In the level coordinate (see column) vertebra n therefore owns the
stretch [n + LOWER_LIMIT, n + LOWER_LIMIT + 1), with a limit that depends on the distance behind the canal's centre and beside the midline.
Both tables are the maximum-likelihood fit of that rule, blurred logistically, to the 39 complete reference masks of SPIDER (van der Graaf et
al. 2024); fits to two halves of the masks differ by 0.04 in the median.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import RegularGridInterpolator

#: Distance behind the canal's centre, mm: rows of both tables.
BEHIND_CANAL_MM = (-15.0, -7.5, -2.5, 2.5, 7.5, 12.5, 17.5, 25.0, 35.0, 45.0)

#: Distance beside the canal's centre, mm: columns of both tables.
BESIDE_CANAL_MM = (0.0, 5.0, 10.0, 14.0, 18.0, 23.0, 30.0)

#: Where a vertebra's stretch begins, in levels below its middle.
LOWER_LIMIT = (
    (-0.50, -0.50, -0.50, -0.50, -0.50, -0.50, -0.50),
    (-0.46, -0.46, -0.46, -0.42, -0.42, -0.38, -0.46),
    (-0.46, -0.46, -0.38, -0.34, -0.30, -0.30, -0.38),
    (-0.54, -0.54, -0.42, -0.34, -0.34, -0.34, -0.30),
    (-0.54, -0.74, -0.66, -0.50, -0.42, -0.38, -0.30),
    (-0.70, -0.78, -0.90, -0.70, -0.38, -0.30, -0.30),
    (-0.70, -0.74, -0.98, -0.78, -0.38, -0.26, -0.30),
    (-0.78, -0.74, -0.98, -0.78, -0.38, -0.26, -0.30),
    (-0.78, -0.78, -0.82, -0.78, -0.38, -0.26, -0.30),
    (-0.74, -0.74, -0.82, -0.78, -0.38, -0.26, -0.30),
)

#: How blurred that limit is, in levels: sharp between bodies, uncertain where the facet joints of neighbours interlock.
LIMIT_BLUR = (
    (0.02, 0.02, 0.02, 0.02, 0.02, 0.04, 0.10),
    (0.02, 0.02, 0.02, 0.02, 0.02, 0.04, 0.04),
    (0.02, 0.02, 0.04, 0.02, 0.02, 0.04, 0.04),
    (0.02, 0.02, 0.04, 0.07, 0.07, 0.10, 0.07),
    (0.02, 0.04, 0.07, 0.10, 0.10, 0.10, 0.07),
    (0.04, 0.02, 0.04, 0.15, 0.15, 0.10, 0.07),
    (0.04, 0.04, 0.02, 0.15, 0.15, 0.04, 0.07),
    (0.04, 0.04, 0.02, 0.15, 0.15, 0.04, 0.07),
    (0.04, 0.04, 0.02, 0.15, 0.15, 0.04, 0.07),
    (0.04, 0.04, 0.02, 0.15, 0.15, 0.04, 0.07),
)

#: Probability left to every level, so that a voxel's neighbours can overrule a limit.
LEAST_PROBABILITY = 1e-4


def level_probabilities(
    level: NDArray[np.float64], behind_mm: NDArray[np.float64], beside_mm: NDArray[np.float64], levels: NDArray[np.int64]
) -> NDArray[np.float32]:
    """Probability (voxels, levels) that voxels at a level coordinate and position around the canal belong to each of `levels`."""
    where = np.stack(
        [np.clip(behind_mm, BEHIND_CANAL_MM[0], BEHIND_CANAL_MM[-1]), np.clip(np.abs(beside_mm), BESIDE_CANAL_MM[0], BESIDE_CANAL_MM[-1])], axis=1
    )
    limit = RegularGridInterpolator((BEHIND_CANAL_MM, BESIDE_CANAL_MM), np.array(LOWER_LIMIT))(where)[:, None]
    blur = RegularGridInterpolator((BEHIND_CANAL_MM, BESIDE_CANAL_MM), np.array(LIMIT_BLUR))(where)[:, None]
    offset = level[:, None] - levels
    likelihood = _logistic((offset - limit) / blur) * _logistic((limit + 1 - offset) / blur) + LEAST_PROBABILITY
    probability: NDArray[np.float32] = (likelihood / likelihood.sum(axis=1, keepdims=True)).astype(np.float32)
    return probability


def _logistic(x: NDArray[np.float64]) -> NDArray[np.float64]:
    result: NDArray[np.float64] = 1 / (1 + np.exp(-np.clip(x, -30, 30)))
    return result
