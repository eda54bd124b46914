"""Whether each label is one piece without holes: two bodies under one number, islands, holes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from SpiderSegLib.labels import Structure
from SpiderSegLib.linter.column_view import ColumnView
from SpiderSegLib.linter.findings import Finding, Rule, Severity
from SpiderSegLib.linter.part import Index, Part, Points, nearest_voxel
from SpiderSegLib.mask_editing import with_holes_filled

#: A piece of this share of the largest one is a body of its own: of a disc wherever it lies, of a vertebra in front of the canal. There the
#: second pieces of the reference masks have 2 % at most.
BODY_SHARE = 0.1

#: A vertebra's arch and processes may lie apart from its body: behind the canal's front edge less this much, and not farther from the body's
#: middle along the column than this.
BEFORE_CANAL_MM, ALONG_COLUMN_MM = 4.0, 50.0

#: Without a canal, what lies so far behind the foremost sizable piece is taken for its arch.
BEHIND_BODY_MM = 20.0

#: Holes with less area in a sagittal slice are a brush's gaps, of which every reference mask has some; those with more are missed parts.
SMALL_HOLE_MM2, LARGE_HOLE_MM2 = 4.0, 10.0

#: The vertebral foramen lies within this distance of the canal's middle.
FORAMEN_MM = 16.0


@dataclass(frozen=True)
class _Piece:
    """A loose piece of a label: its voxels, and its volume over that of the label's largest piece."""

    points: Points
    share: float
    volume_mm3: float
    is_island: bool

    @property
    def middle(self) -> Index:
        mean: Index = self.points.mean(axis=0)
        return mean


def piece_findings(view: ColumnView) -> Iterator[Finding]:
    """Everything about the pieces and holes of single labels; the canal's breaks are `canal_rules`'s."""
    for part in view.parts.values():
        pieces = _pieces(view, part)
        islands = [piece for piece in pieces if piece.is_island]
        if part.structure is not Structure.CANAL:
            sizable = [piece for piece in pieces if not piece.is_island]
            bodies = [piece for piece in sizable if not _is_arch(view, part, sizable, piece)]
            large = [piece for piece in bodies if piece.share >= BODY_SHARE]
            fore = _fore_part(view, part)
            fore_large = [] if fore is None else [piece for piece in _pieces(view, fore) if piece.share >= BODY_SHARE]
            if max(len(large), len(fore_large)) > 1:
                yield _two_bodies(view, part, fore_large if len(fore_large) > 1 else large)
            islands += [piece for piece in bodies if piece.share < BODY_SHARE]
        if islands:
            yield _islands(view, part, islands)
        yield from _holes(view, part)


def _pieces(view: ColumnView, part: Part) -> list[_Piece]:
    """The pieces from the largest down."""
    numbered, sizes = part.pieces
    is_island = part.are_islands(view.voxel_mm3)
    order = np.argsort(-sizes, kind="stable")[: np.count_nonzero(sizes)]
    boxes = ndimage.find_objects(numbered)
    found = []
    for number in order:
        box = boxes[number - 1]
        points = np.argwhere(numbered[box] == number) + [extent.start for extent in box] + part.start
        found.append(_Piece(points, float(sizes[number] / sizes.max()), float(sizes[number] * view.voxel_mm3), bool(is_island[number])))
    return found


def _fore_part(view: ColumnView, part: Part) -> Part | None:
    """A vertebra in front of the canal, where neighbors do not hang together as at their facet joints; None where no canal tells it."""
    line = view.canal_line
    if part.structure is not Structure.VERTEBRA or line is None or view.body_points(part) is None:
        return None
    (_, j, i), (_, height, depth) = part.start, part.mask.shape
    in_front = i + np.arange(depth) < line.front_i[j : j + height, None]
    return Part(part.value, part.start, part.mask & in_front)


def _is_arch(view: ColumnView, part: Part, sizable: list[_Piece], piece: _Piece) -> bool:
    """Whether a piece lies where a vertebra's arch and processes do."""
    if part.structure is not Structure.VERTEBRA:
        return False
    _, j, i = (float(value) for value in piece.middle)
    if abs(j - view.middle(part)[1]) * view.spacing_mm[1] > ALONG_COLUMN_MM:
        return False
    line = view.canal_line
    if line is None:
        foremost = min(float(other.middle[2]) for other in sizable)
        return bool((i - foremost) * view.spacing_mm[2] >= BEHIND_BODY_MM)
    return bool((i - line.front_i[round(j)]) * view.spacing_mm[2] >= -BEFORE_CANAL_MM)


def _two_bodies(view: ColumnView, part: Part, bodies: list[_Piece]) -> Finding:
    first, second = bodies[:2]
    distance = float(np.linalg.norm((second.middle - first.middle) * view.spacing_mm))
    count = "two pieces" if len(bodies) == 2 else f"{len(bodies)} pieces"
    message = f"{part.title} has {count}: the second has {100 * second.share / first.share:.0f} % of the first, {distance:.0f} mm from it"
    return view.finding(Rule.TWO_BODIES, Severity.ERROR, part, nearest_voxel(second.points, second.middle), message)


def _islands(view: ColumnView, part: Part, islands: list[_Piece]) -> Finding:
    largest = max(islands, key=lambda piece: piece.volume_mm3)
    count = "an island" if len(islands) == 1 else f"{len(islands)} islands, the largest"
    severity = Severity.NOTE if largest.is_island else Severity.WARNING
    message = f"{part.title} has {count} of {len(largest.points)} voxels ({largest.volume_mm3:.3g} mm3)"
    return view.finding(Rule.ISLANDS, severity, part, nearest_voxel(largest.points, largest.middle), message)


def _holes(view: ColumnView, part: Part) -> Iterator[Finding]:
    """Background enclosed in sagittal slices: in axial ones a vertebra's arch encloses what is around the canal."""
    box = tuple(slice(start, start + size) for start, size in zip(part.start, part.mask.shape, strict=True))
    holes = with_holes_filled(part.mask, 0, view.array[box] > 0) & ~part.mask
    numbered, count = ndimage.label(holes, _IN_SLICE)
    around = _around_canal(view, part)
    sizes = np.bincount(numbered.ravel(), minlength=count + 1)[1:] * view.spacing_mm[1] * view.spacing_mm[2]
    sizes[np.unique(numbered[around & holes]) - 1] = 0.0
    large = int(np.count_nonzero(sizes >= SMALL_HOLE_MM2))
    if large:
        points = np.argwhere(numbered == int(np.argmax(sizes)) + 1) + part.start
        severity = Severity.WARNING if sizes.max() >= LARGE_HOLE_MM2 else Severity.NOTE
        words = "a hole" if large == 1 else f"{large} holes, the largest"
        message = f"{part.title} has {words} of {sizes.max():.0f} mm2 in a sagittal slice"
        yield view.finding(Rule.HOLES, severity, part, nearest_voxel(points, points.mean(axis=0)), message)


def _around_canal(view: ColumnView, part: Part) -> NDArray[np.bool_]:
    """What of a part's box lies in the vertebral foramen: a sagittal slice through its side wall shows it as a hole of the vertebra."""
    line = view.canal_line
    if line is None:
        return np.zeros(part.mask.shape, dtype=bool)
    k, j, i = (start + np.arange(size) for start, size in zip(part.start, part.mask.shape, strict=True))
    beside = (k[:, None] - line.middle_k[j]) * view.spacing_mm[0]
    behind = (i - line.middle_i[j][:, None]) * view.spacing_mm[2]
    around: NDArray[np.bool_] = beside[:, :, None] ** 2 + behind[None] ** 2 <= FORAMEN_MM**2
    return around


#: Pieces of holes are counted within a sagittal slice.
_IN_SLICE: NDArray[np.bool_] = np.zeros((3, 3, 3), dtype=bool)
_IN_SLICE[1] = True
