"""Where a vertebra, disc or canal lies and how large it is, in ways that hold for thin and thick slices, slabs and single slices alike.

The body of a vertebra is what lies in front of the canal. Heights and depths are those of a box with the same spread of voxels, along and
across the line through the neighbors, so that tilt and stray voxels change them little.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from SpiderSegLib.labels import Structure
from SpiderSegLib.linter.column_view import ColumnView
from SpiderSegLib.linter.part import Part, Points

#: Edge of a uniform box over the standard deviation of its voxels.
BOX_OVER_DEVIATION = float(np.sqrt(12.0))


def measure(view: ColumnView, part: Part) -> dict[str, float]:
    """Of one vertebra or disc, by the names of the quantities in `anatomy`; what can't be measured is left out."""
    values: dict[str, float] = {}
    body = view.body_points(part)
    if body is not None:
        values.update(_sizes(view, part, body))
        line = view.canal_line
        middle = view.middle(part)
        if line is not None and line.first <= middle[1] <= line.last:
            row = round(float(middle[1]))
            beside = (middle[0] - line.middle_k[row]) * view.spacing_mm[0]
            behind = (line.middle_i[row] - middle[2]) * view.spacing_mm[2]
            values["canal_mm"] = float(np.hypot(beside, behind))
    same = view.vertebrae if part.structure is Structure.VERTEBRA else view.discs
    above = same.get(part.level + 1)
    if above is not None and view.is_whole(above):
        values["next_mm"] = float(np.linalg.norm((view.middle(above) - view.middle(part)) * view.spacing_mm))
    if not view.is_slab and not view.touches_sides(part):
        values["volume_mm3"] = float(np.count_nonzero(part.mask) * view.voxel_mm3)
    return values


def _sizes(view: ColumnView, part: Part, body: Points) -> dict[str, float]:
    """Largest sagittal area of the body, its height and depth."""
    in_slice = _within_slices(body) * view.spacing_mm[1:]
    if part.structure is Structure.DISC:
        # A disc is flat enough to say itself how it is tilted; its neighbors do not, at the lumbosacral angle.
        spread = np.sqrt(np.maximum(np.linalg.eigvalsh(in_slice.T @ in_slice / len(in_slice)), 0.0))
    else:
        up = _direction(view, part)
        spread = np.array([np.std(in_slice @ direction) for direction in (up, (up[1], -up[0]))])
    area = float(np.bincount(body[:, 0]).max() * view.spacing_mm[1] * view.spacing_mm[2])
    return {"area_mm2": area, "height_mm": BOX_OVER_DEVIATION * float(spread[0]), "depth_mm": BOX_OVER_DEVIATION * float(spread[1])}


def _within_slices(points: Points) -> NDArray[np.float64]:
    """Offsets (n, 2) from the middle of the same sagittal slice: a column bent sideways does not widen them."""
    counts = np.bincount(points[:, 0])
    offsets = points[:, 1:].astype(np.float64)
    for axis in range(2):
        sums = np.bincount(points[:, 0], weights=offsets[:, axis])
        offsets[:, axis] -= (sums / np.maximum(counts, 1))[points[:, 0]]
    return offsets


def _direction(view: ColumnView, part: Part) -> NDArray[np.float64]:
    """Unit vector (j, i) along the column at a part, from the labelled neighbors of its kind; straight up where there are none."""
    same = view.vertebrae if part.structure is Structure.VERTEBRA else view.discs
    levels = list(same)
    at = levels.index(part.level)
    below, above = same[levels[max(0, at - 1)]], same[levels[min(len(levels) - 1, at + 1)]]
    line = ((view.middle(above) - view.middle(below)) * view.spacing_mm)[1:]
    length = float(np.linalg.norm(line))
    unit: NDArray[np.float64] = line / length if length > 0 else np.array([-1.0, 0.0])
    return unit


def canal_area_mm2(view: ColumnView) -> float | None:
    """Median axial area of the canal; None without one, and where a slab cuts it."""
    if view.canal is None or view.is_slab or view.touches_sides(view.canal):
        return None
    counts = view.canal.mask.sum(axis=(0, 2))
    return float(np.median(counts[counts > 0]) * view.spacing_mm[0] * view.spacing_mm[2])
