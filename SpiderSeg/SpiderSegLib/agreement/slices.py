"""Where two labelmaps differ most: sagittal slices, and the voxels in them that only one of the two labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from SpiderSegLib.labels import to_classes
from SpiderSegLib.preprocessing import reorientation_to
from SpiderSegLib.volume import Volume

#: Shown slices are at least this far apart: neighbors of one difference would show it twice.
SLICE_GAP_MM = 7.0

#: Around the labels this much is shown.
MARGIN_MM = 15.0


@dataclass(frozen=True, eq=False)
class Differences:
    """Two labelmaps and an image (None without one) in sagittal slices (k, j, i), cropped in plane to the labels and a margin.

    The masks say where only A has a structure, only B has one, they have different ones, and the same one with different numbers.
    """

    image: NDArray[Any] | None
    a: NDArray[Any]
    b: NDArray[Any]
    only_a: NDArray[np.bool_]
    only_b: NDArray[np.bool_]
    other_structure: NDArray[np.bool_]
    other_number: NDArray[np.bool_]
    spacing_kji_mm: tuple[float, float, float]

    def area_cm2(self, k: int) -> float:
        """Area in a slice that differs in structure."""
        _, j_mm, i_mm = self.spacing_kji_mm
        return float((self.only_a[k] | self.only_b[k] | self.other_structure[k]).sum()) * j_mm * i_mm / 100


def find_differences(image: Volume | None, a: Volume, b: Volume) -> Differences:
    """Turns and crops labelmaps and image, all of one grid, and marks what differs."""
    turn = reorientation_to(a.geometry)
    spacing_kji_mm = turn.spacing(a.geometry.spacing_kji_mm)
    labels = [turn.apply(volume.array) for volume in (a, b)]
    window = _window((labels[0] > 0) | (labels[1] > 0), spacing_kji_mm)
    in_a, in_b = (array[window] for array in labels)
    class_a, class_b = to_classes(in_a), to_classes(in_b)
    both = (class_a > 0) & (class_b > 0)
    return Differences(
        image=None if image is None else turn.apply(image.array)[window],
        a=in_a,
        b=in_b,
        only_a=(class_a > 0) & (class_b == 0),
        only_b=(class_b > 0) & (class_a == 0),
        other_structure=both & (class_a != class_b),
        other_number=both & (class_a == class_b) & (in_a != in_b),
        spacing_kji_mm=spacing_kji_mm,
    )


def slices_that_differ(found: Differences, most: int) -> tuple[int, ...]:
    """At most `most` slices, SLICE_GAP_MM apart: those with most area of other structure first.

    Where no structure differs one slice tells everything: that with most of other numbers, else the fullest one.
    """
    area = (found.only_a | found.only_b | found.other_structure).sum(axis=(1, 2))
    if not area.any():
        numbers = found.other_number.sum(axis=(1, 2))
        return (int(np.argmax(numbers if numbers.any() else (found.a > 0).sum(axis=(1, 2)))),)
    chosen: list[int] = []
    for k in np.argsort(-area, kind="stable").tolist():
        if area[k] and all(abs(k - other) * found.spacing_kji_mm[0] >= SLICE_GAP_MM for other in chosen):
            chosen.append(k)
    return tuple(chosen[:most])


def _window(labeled: NDArray[np.bool_], spacing_kji_mm: Sequence[float]) -> tuple[slice, slice, slice]:
    """All slices, and the rows and columns with labels and a margin; everything where there are none."""
    if not labeled.any():
        return slice(None), slice(None), slice(None)
    ends = []
    for axis, other in ((1, 2), (2, 1)):
        occupied = np.flatnonzero(labeled.any(axis=(0, other)))
        margin = round(MARGIN_MM / spacing_kji_mm[axis])
        ends.append(slice(max(0, int(occupied[0]) - margin), int(occupied[-1]) + margin + 1))
    return slice(None), ends[0], ends[1]
