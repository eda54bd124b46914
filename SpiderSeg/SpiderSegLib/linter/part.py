"""One label of a labelmap, cut out, and its pieces."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from SpiderSegLib.labels import Structure, level_of, structure_of
from SpiderSegLib.level_names import is_partial

#: A piece is an island below this share of its label's largest piece and below this volume. Measured on SPIDER: detached spinous processes have
#: more than 2 % of their vertebra, or 600 mm3; what annotation tools leave behind has less than 35 mm3.
ISLAND_SHARE, ISLAND_MM3 = 0.02, 100.0

_ANY_NEIGHBOR = np.ones((3, 3, 3), dtype=bool)

#: A position (k, j, i), fractions allowed.
Index = NDArray[np.float64]

#: Voxels (n, 3).
Points = NDArray[np.intp]


@dataclass(frozen=True)
class Part:
    """One label: its mask (k, j, i) cut out at `start` of the canonical array."""

    value: int
    start: tuple[int, int, int]
    mask: NDArray[np.bool_]

    @property
    def structure(self) -> Structure:
        return structure_of(self.value)

    @property
    def level(self) -> int:
        return level_of(self.value)

    @property
    def title(self) -> str:
        """'vertebra 3', 'partial vertebra 8', 'disc 3' or 'canal'."""
        if self.structure is Structure.CANAL:
            return "canal"
        return f"{'partial ' if is_partial(self.value) else ''}{self.structure.name.lower()} {self.level}"

    @cached_property
    def points(self) -> Points:
        """Indices (n, 3) of its voxels."""
        return np.argwhere(self.mask) + self.start

    @property
    def rows(self) -> tuple[int, int]:
        """First and last axial slice."""
        return self.start[1], self.start[1] + self.mask.shape[1] - 1

    @cached_property
    def pieces(self) -> tuple[NDArray[np.int32], NDArray[np.intp]]:
        """Mask of numbered 26-connected pieces, and the voxels of each (of number 0, which is no piece, none)."""
        numbered, _ = ndimage.label(self.mask, _ANY_NEIGHBOR)
        sizes = np.bincount(numbered.ravel())
        sizes[0] = 0
        return numbered, sizes

    def are_islands(self, voxel_mm3: float) -> NDArray[np.bool_]:
        """Which of the pieces are islands, by number."""
        _, sizes = self.pieces
        islands: NDArray[np.bool_] = (sizes < ISLAND_SHARE * sizes.max()) & (sizes * voxel_mm3 < ISLAND_MM3)
        return islands

    def without_islands(self, voxel_mm3: float) -> Part:
        """The same without its islands, in its new box."""
        numbered, sizes = self.pieces
        keep = ~self.are_islands(voxel_mm3) & (sizes > 0)
        mask = keep[numbered]
        box = ndimage.find_objects(mask.astype(np.uint8))[0]
        k, j, i = (start + extent.start for start, extent in zip(self.start, box, strict=True))
        return Part(self.value, (k, j, i), mask[box])


def nearest_voxel(points: Points, index: Index) -> Index:
    """The point (n, 3) nearest to a position, counted in voxels: a middle may lie outside a curved structure."""
    nearest: Index = points[np.argmin(((points - index) ** 2).sum(axis=1))].astype(float)
    return nearest
