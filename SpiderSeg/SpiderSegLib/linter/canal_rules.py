"""Whether the canal runs through without break or pinch, and no bone lies in it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import ConvexHull

from SpiderSegLib.labels import Structure, to_classes
from SpiderSegLib.linter.column_view import ColumnView
from SpiderSegLib.linter.findings import Finding, Rule, Severity
from SpiderSegLib.linter.part import Index, Part, Points, nearest_voxel

#: Areas are compared over this distance, one slice where slices are thicker: voxels may be so flat that a pinch takes ten of them.
NARROWING_REACH_MM = 2.0

#: A larger share of the area lost on the way is a fault. Over 2 mm the canals of 36 reference masks lose at most 59 %, the broken and pinched
#: ones of the others 65 to 92 %.
LARGEST_LOSS = 0.6

#: At its ends the canal is cut obliquely and tapers; so much of it does not count.
ENDS_MM = 8.0

#: Bone counts as inside the canal's outline when its voxels' centers lie deeper than this, and so much of it does: outlines between voxel
#: centers differ by less.
DEPTH_MM, LEAST_BONE_MM3 = 0.5, 3.0


def canal_findings(view: ColumnView) -> Iterator[Finding]:
    """Everything about the canal."""
    if view.canal is None:
        return
    breaks = list(_breaks(view, view.canal))
    yield from breaks or _loose_pieces(view, view.canal)
    yield from _narrowing(view, view.canal)
    yield from _bone_inside(view, view.canal)


def _runs(flags: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """First and last index of each run of True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]]).astype(np.int8)))
    return [(int(first), int(end) - 1) for first, end in zip(edges[::2], edges[1::2], strict=True)]


def _severity(view: ColumnView, canal: Part, first: int, last: int) -> Severity:
    """A note where the canal leaves the field of view sideways next to the place, as it does in single slices of a bent column."""
    low, high = max(0, first - 1), last + 2
    rows = canal.mask[:, low:high]
    leaves = (canal.start[0] == 0 and rows[0].any()) or (canal.start[0] + len(rows) == view.array.shape[0] and rows[-1].any())
    return Severity.NOTE if leaves else Severity.WARNING


def _place(view: ColumnView, row: float) -> Index | None:
    """The canal's middle at an axial slice of the whole array."""
    line = view.canal_line
    return None if line is None else np.array([line.middle_k[round(row)], row, line.middle_i[round(row)]])


def _breaks(view: ColumnView, canal: Part) -> Iterator[Finding]:
    is_present: NDArray[np.bool_] = np.asarray(canal.mask.any(axis=(0, 2)))
    for first, last in _runs(~is_present):
        height = (last - first + 1) * view.spacing_mm[1]
        message = f"the canal is missing in {last - first + 1} axial slices ({height:.1f} mm)"
        yield view.finding(Rule.CANAL_BREAK, _severity(view, canal, first, last), canal, _place(view, canal.start[1] + (first + last) / 2), message)


def _loose_pieces(view: ColumnView, canal: Part) -> Iterator[Finding]:
    """Pieces side by side, or past each other, that no axial slice is missing between."""
    numbered, sizes = canal.pieces
    count = int(np.count_nonzero(sizes))
    if count > 1:
        second = int(np.argsort(-sizes, kind="stable")[1])
        points = np.argwhere(numbered == second) + canal.start
        message = f"the canal has {count} pieces; the second has {100 * sizes[second] / sizes.max():.0f} % of the first"
        rows = points[:, 1] - canal.start[1]
        severity = _severity(view, canal, int(rows.min()), int(rows.max()))
        yield view.finding(Rule.CANAL_BREAK, severity, canal, nearest_voxel(points, points.mean(axis=0)), message)


def _narrowing(view: ColumnView, canal: Part) -> Iterator[Finding]:
    """Stretches in which the area falls too fast, each at its narrowest slice; slices without canal are breaks."""
    row_mm = float(view.spacing_mm[1])
    areas = canal.mask.sum(axis=(0, 2)) * view.spacing_mm[0] * view.spacing_mm[2]
    ends = int(np.ceil(ENDS_MM / row_mm))
    step = max(1, round(NARROWING_REACH_MM / row_mm))
    inner = areas[ends : len(areas) - ends]
    if len(inner) <= step:
        return
    low, high = np.minimum(inner[step:], inner[:-step]), np.maximum(inner[step:], inner[:-step])
    falls: NDArray[np.bool_] = np.asarray((low > 0) & (low < (1 - LARGEST_LOSS) * high))
    for first, last in _joined(_runs(falls), inner, step):
        stretch = inner[first : last + step + 1]
        narrowest = ends + first + int(np.argmin(np.where(stretch > 0, stretch, np.inf)))
        message = f"the canal narrows to {areas[narrowest]:.0f} mm2 from {stretch.max():.0f} mm2 next to it"
        severity = _severity(view, canal, narrowest, narrowest)
        yield view.finding(Rule.CANAL_NARROWING, severity, canal, _place(view, canal.start[1] + narrowest), message)


def _joined(runs: list[tuple[int, int]], areas: NDArray[np.float64], step: int) -> list[tuple[int, int]]:
    """The two walls of one pinch as one run: the area stays small between them."""
    joined: list[tuple[int, int]] = []
    for first, last in runs:
        if joined and areas[joined[-1][1] + 1 : first + step].max() < (1 - LARGEST_LOSS) * areas[joined[-1][0] : last + step + 1].max():
            joined[-1] = (joined[-1][0], last)
        else:
            joined.append((first, last))
    return joined


def _bone_inside(view: ColumnView, canal: Part) -> Iterator[Finding]:
    inside = _voxels_inside(view, canal)
    values = view.array[tuple(inside.T)]
    for value in np.unique(values):
        points = inside[values == value]
        volume = len(points) * view.voxel_mm3
        if volume >= LEAST_BONE_MM3:
            part = view.parts[int(value)]
            message = f"{part.title} lies inside the canal's outline with {len(points)} voxels ({volume:.3g} mm3)"
            yield view.finding(Rule.VERTEBRA_IN_CANAL, Severity.WARNING, part, nearest_voxel(points, points.mean(axis=0)), message)


def _voxels_inside(view: ColumnView, canal: Part) -> Points:
    """Vertebra voxels (n, 3) of the whole array within the outline of each axial slice."""
    box = tuple(slice(start, start + size) for start, size in zip(canal.start, canal.mask.shape, strict=True))
    bone = to_classes(view.array[box]) == Structure.VERTEBRA
    spacing = view.spacing_mm[[0, 2]]
    found = [np.empty((0, 3), dtype=np.intp)]
    for row in np.flatnonzero(bone.any(axis=(0, 2))):
        candidates = np.argwhere(bone[:, row])
        outline = np.argwhere(canal.mask[:, row])
        deep = candidates[_depth_mm(candidates * spacing, outline * spacing) > DEPTH_MM]
        found.append(np.insert(deep, 1, row, axis=1) + canal.start)
    return np.concatenate(found)


def _depth_mm(points: NDArray[np.float64], outline: NDArray[np.float64]) -> NDArray[np.float64]:
    """How deep points (n, 2) lie within the convex hull of others; on a line, how far from its nearer end. Negative outside."""
    inside = np.full(len(points), -1.0)
    if not len(outline):
        return inside
    low, high = outline.min(axis=0), outline.max(axis=0)
    in_box = ((points >= low) & (points <= high)).all(axis=1)
    if not in_box.any():
        return inside
    flat = low == high
    if flat.any():
        along = int(np.argmin(flat))
        inside[in_box] = np.minimum(points[in_box] - low, high - points[in_box])[:, along]
    elif np.linalg.matrix_rank(outline - outline[0]) == 2:
        planes = ConvexHull(outline).equations
        inside[in_box] = -(points[in_box] @ planes[:, :2].T + planes[:, 2]).max(axis=1)
    return inside
