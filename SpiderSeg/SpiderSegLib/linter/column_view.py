"""A labelmap as the rules see it: left-right x superior-inferior x anterior-posterior, every label cut out, places back in LPS mm.

Indices are (k, j, i) of the whole canonical array (see instances.grid), so that axis 1 runs down along the column's axial slices.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from SpiderSegLib.instances.grid import Canonical
from SpiderSegLib.labels import DISC_OFFSET, SPINAL_CANAL, Structure
from SpiderSegLib.level_names import is_partial
from SpiderSegLib.linter.findings import Finding, Point, Rule, Severity
from SpiderSegLib.linter.part import Index, Part, Points
from SpiderSegLib.volume import Geometry

#: What ends so near to the border of the field of view is cut by it: cut vertebrae of resampled reference masks end up to 2.7 mm before it.
BORDER_MM = 4.0

#: A field of view narrower than this is a slab, which cuts every vertebra at its sides: the complete reference masks are 56 mm wide and more.
FULL_WIDTH_MM = 45.0

#: A body is cut sideways when its area in the outermost sagittal slice is more than this share of its largest.
CUT_SHARE = 0.5

#: A body must have at least so many voxels, and the canal be seen beside so much of its height, to be told from the processes.
FEWEST_BODY_VOXELS, CANAL_BESIDE_SHARE = 20, 0.5


@dataclass(frozen=True)
class CanalLine:
    """The canal in each axial slice, straight across slices without it: its middle (k, i) and its front edge (i), in voxels."""

    first: int
    last: int
    middle_k: Index
    middle_i: Index
    front_i: Index


@dataclass(frozen=True)
class ColumnView:
    """The labels of one labelmap in canonical order.

    array: uint8 SPIDER values; spacing_mm and parts go with it; geometry is that of the labelmap as it is stored.
    """

    array: NDArray[np.uint8]
    spacing_mm: Index
    parts: dict[int, Part]
    geometry: Geometry

    @classmethod
    def of(cls, labels: NDArray[np.uint8], geometry: Geometry) -> ColumnView:
        """From SPIDER values on their own grid."""
        canonical = Canonical.of(geometry)
        array = np.ascontiguousarray(canonical.forward(labels))
        parts = {}
        for value, box in enumerate(ndimage.find_objects(array), start=1):
            if box is not None:
                k, j, i = (extent.start for extent in box)
                parts[value] = Part(value, (k, j, i), array[box] == value)
        return cls(array, canonical.spacing_mm(geometry), parts, geometry)

    @cached_property
    def vertebrae(self) -> dict[int, Part]:
        """By level, from the lowest up; of a level labelled both whole and cut, the larger."""
        found: dict[int, Part] = {}
        for part in self.parts.values():
            known = found.get(part.level)
            if part.structure is Structure.VERTEBRA and (known is None or part.mask.sum() > known.mask.sum()):
                found[part.level] = part
        return dict(sorted(found.items()))

    @cached_property
    def discs(self) -> dict[int, Part]:
        """By level, from the lowest up."""
        return {part.level: part for value, part in sorted(self.parts.items()) if value > DISC_OFFSET}

    @cached_property
    def canal(self) -> Part | None:
        """The canal without islands, which would widen its outline and seem to break it; None without one."""
        whole = self.parts.get(SPINAL_CANAL)
        return None if whole is None else whole.without_islands(self.voxel_mm3)

    @property
    def voxel_mm3(self) -> float:
        return float(np.prod(self.spacing_mm))

    @property
    def is_slab(self) -> bool:
        """Whether the field of view is too narrow to hold whole vertebrae."""
        return bool(self.array.shape[0] * self.spacing_mm[0] < FULL_WIDTH_MM)

    @cached_property
    def canal_line(self) -> CanalLine | None:
        """None without a canal."""
        if self.canal is None:
            return None
        (k, j, i), mask = self.canal.start, self.canal.mask
        counts = mask.sum(axis=(0, 2))
        rows = np.flatnonzero(counts)
        middle_k = (mask.sum(axis=2) * np.arange(mask.shape[0])[:, None]).sum(axis=0)[rows] / counts[rows] + k
        middle_i = (mask.sum(axis=0) * np.arange(mask.shape[2])).sum(axis=1)[rows] / counts[rows] + i
        front_i = np.asarray(mask.any(axis=0))[rows].argmax(axis=1) + i
        every = np.arange(self.array.shape[1])
        at = rows + j
        lines = [np.interp(every, at, line) for line in (middle_k, middle_i, front_i)]
        return CanalLine(int(at[0]), int(at[-1]), *lines)

    def body_points(self, part: Part) -> Points | None:
        """Voxels of a vertebra in front of the canal, of another part all; None where no canal lies beside the vertebra."""
        if part.structure is not Structure.VERTEBRA:
            return part.points
        line = self.canal_line
        first, last = part.rows
        if line is None or min(last, line.last) - max(first, line.first) + 1 < CANAL_BESIDE_SHARE * (last - first + 1):
            return None
        body: Points = part.points[part.points[:, 2] < line.front_i[part.points[:, 1]]]
        return body if len(body) >= FEWEST_BODY_VOXELS else None

    @cached_property
    def _middles(self) -> dict[int, Index]:
        found = {}
        for value, part in self.parts.items():
            body = self.body_points(part)
            found[value] = (part.points if body is None else body).mean(axis=0)
        return found

    def middle(self, part: Part) -> Index:
        """The middle of a vertebra's body, or of all of it where the canal does not tell the body; of a disc or the canal."""
        return self._middles[part.value]

    def is_cut(self, part: Part) -> bool:
        """Whether a part ends at the upper or lower border of the field of view."""
        reach = BORDER_MM / self.spacing_mm[1]
        first, last = part.rows
        return bool(first < reach or self.array.shape[1] - 1 - last < reach)

    def is_whole(self, part: Part) -> bool:
        """Whether the border cuts nothing of a part, and its label does not say so."""
        return not (self.is_cut(part) or is_partial(part.value))

    def touches_sides(self, part: Part) -> bool:
        """Whether a part reaches the left or right border of the field of view."""
        return part.start[0] == 0 or part.start[0] + part.mask.shape[0] == self.array.shape[0]

    def leaves_view(self, part: Part) -> bool:
        """Whether the border cuts a part's body: narrow fields of view cut the processes of whole vertebrae. The sides of a slab do not count."""
        body = self.body_points(part)
        points = part.points if body is None else body
        front, back = points[:, 2].min(), self.array.shape[2] - 1 - points[:, 2].max()
        areas = np.bincount(points[:, 0], minlength=self.array.shape[0])
        is_cut_sideways = not self.is_slab and bool(max(areas[0], areas[-1]) > CUT_SHARE * areas.max())
        return self.is_cut(part) or is_cut_sideways or bool(min(front, back) * self.spacing_mm[2] < BORDER_MM)

    def lps_mm(self, index: Index) -> Point:
        """A canonical position (k, j, i), fractions allowed, in LPS millimetres."""
        shape = (self.array.shape[0], self.array.shape[1], self.array.shape[2])
        stored = Canonical.of(self.geometry).input_index(np.asarray(index, dtype=float), shape)
        x, y, z, _ = (self.geometry.affine_lps @ [*stored[::-1], 1.0]).tolist()
        return x, y, z

    def finding(self, rule: Rule, severity: Severity, part: Part | None, index: Index | None, message: str) -> Finding:
        """A finding about a part at a canonical position."""
        return Finding(rule, severity, 0 if part is None else part.value, None if index is None else self.lps_mm(index), message)
