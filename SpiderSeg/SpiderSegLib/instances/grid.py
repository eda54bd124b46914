"""The working grid of the numbering: left-right x superior-inferior x anterior-posterior, cropped to the foreground and thinned.

Arrays are (k, j, i) with k along left-right, j from superior to inferior, i from anterior to posterior; millimetres are counted in the
same order from the first voxel of the working grid. Only axes are permuted and flipped, so that the way back is exact.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from SpiderSegLib.volume import Geometry

#: The working voxel in plane is not made coarser than this: discs are 5-12 mm high and must keep three voxels.
COARSEST_IN_PLANE_MM = 1.5

#: The same for left-right, where nothing thinner than a transverse process (8 mm) is looked for.
COARSEST_LEFT_RIGHT_MM = 2.0

#: Kept around the foreground: the image below the lowest disc is looked at.
MARGIN_MM = (0.0, 30.0, 15.0)

_AXIS_OF_LETTER = {"L": 0, "R": 0, "S": 1, "I": 1, "A": 2, "P": 2}
_FORWARD_LETTERS = "LIP"


@dataclass(frozen=True)
class Canonical:
    """Permutation and flips between an input grid and left-right x superior-inferior x anterior-posterior.

    `transpose` is what numpy.transpose needs on an input array; `flipped` are the axes reversed after it.
    """

    transpose: tuple[int, int, int]
    flipped: tuple[int, ...]

    @classmethod
    def of(cls, geometry: Geometry) -> Canonical:
        """The permutation for a geometry, by its nearest anatomical axes."""
        letters_kji = geometry.orientation[::-1]
        transpose: list[int] = [0, 0, 0]
        for axis, letter in enumerate(letters_kji):
            transpose[_AXIS_OF_LETTER[letter]] = axis
        flipped = tuple(target for target, axis in enumerate(transpose) if letters_kji[axis] not in _FORWARD_LETTERS)
        return cls((transpose[0], transpose[1], transpose[2]), flipped)

    def forward(self, array: NDArray[Any]) -> NDArray[Any]:
        """View of an input array in canonical order."""
        return np.flip(np.transpose(array, self.transpose), self.flipped)

    def backward(self, array: NDArray[Any]) -> NDArray[Any]:
        """Contiguous input-order copy of a canonical array."""
        return np.ascontiguousarray(np.transpose(np.flip(array, self.flipped), np.argsort(self.transpose)))

    def input_index(self, index: NDArray[np.float64], canonical_shape: tuple[int, int, int]) -> NDArray[np.float64]:
        """A canonical (k, j, i) position, fractions allowed, as a position (k, j, i) of the input array."""
        unflipped = [canonical_shape[axis] - 1 - index[axis] if axis in self.flipped else index[axis] for axis in range(3)]
        return np.asarray(unflipped, dtype=float)[np.argsort(self.transpose)]

    def spacing_mm(self, geometry: Geometry) -> NDArray[np.float64]:
        """Spacing along left-right, superior-inferior, anterior-posterior."""
        return np.asarray(geometry.spacing_kji_mm)[list(self.transpose)]


@dataclass(frozen=True)
class WorkingGrid:
    """A crop of a canonical array, thinned by whole steps.

    `start` is the first canonical voxel of the crop, `shape` the crop's size, `step` the thinning; `spacing_mm` is that of the thinned grid.
    `canonical_shape` and `canonical_spacing_mm` describe the array it was cut from.
    """

    start: tuple[int, int, int]
    shape: tuple[int, int, int]
    step: tuple[int, int, int]
    spacing_mm: NDArray[np.float64]
    canonical_shape: tuple[int, int, int]
    canonical_spacing_mm: NDArray[np.float64]

    @classmethod
    def around(cls, foreground: NDArray[np.bool_], spacing_mm: NDArray[np.float64]) -> WorkingGrid:
        """The bounding box of a non-empty canonical mask with its margin, thinned to at most COARSEST_IN_PLANE_MM and COARSEST_LEFT_RIGHT_MM."""
        start, stop = [], []
        for axis in range(3):
            used = np.flatnonzero(foreground.any(axis=tuple(a for a in range(3) if a != axis)))
            margin = round(MARGIN_MM[axis] / float(spacing_mm[axis]))
            start.append(max(0, int(used[0]) - margin))
            stop.append(min(foreground.shape[axis], int(used[-1]) + 1 + margin))
        coarsest = np.array([COARSEST_LEFT_RIGHT_MM, COARSEST_IN_PLANE_MM, COARSEST_IN_PLANE_MM])
        step = np.maximum(1, np.floor(coarsest / spacing_mm + 1e-6)).astype(int)
        shape = np.subtract(stop, start)
        step = np.minimum(step, shape)
        return cls(_triple(start), _triple(shape), _triple(step), spacing_mm * step, _triple(foreground.shape), spacing_mm)

    @property
    def crop(self) -> tuple[slice, slice, slice]:
        """The crop of the canonical array."""
        k, j, i = (slice(start, start + size) for start, size in zip(self.start, self.shape, strict=True))
        return k, j, i

    def thin(self, canonical: NDArray[Any]) -> NDArray[Any]:
        """The middle voxel of each block of the crop."""
        k, j, i = (slice(step // 2 if size > step // 2 else 0, None, step) for step, size in zip(self.step, self.shape, strict=True))
        return np.ascontiguousarray(canonical[self.crop][k, j, i])

    def room_below_mm(self, row: float) -> float:
        """Millimetres from a row of the thinned grid to the lower border of the field of view."""
        bottom = (self.canonical_shape[1] - self.start[1]) * self.canonical_spacing_mm[1]
        return float(bottom - (row + 1) * self.spacing_mm[1])

    def room_above_mm(self, row: float) -> float:
        """Millimetres from a row of the thinned grid to the upper border of the field of view."""
        return float(self.start[1] * self.canonical_spacing_mm[1] + row * self.spacing_mm[1])


def _triple(values: Any) -> tuple[int, int, int]:
    k, j, i = (int(value) for value in values)
    return k, j, i
