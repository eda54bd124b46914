"""What a labelmap's grid and values say before anything is looked at: another grid, unknown values, nothing, classes, downward numbers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from SpiderSegLib.errors import LabelError
from SpiderSegLib.labels import Structure, structure_of
from SpiderSegLib.linter.column_view import ColumnView
from SpiderSegLib.linter.findings import Finding, Rule, Severity
from SpiderSegLib.volume import Geometry, Volume

#: Two of the values 1, 2 and 3 that reach over more than this share of the labelled height are structures, not vertebrae: of two vertebrae
#: with their processes each reaches over 60 %, of three less.
CLASS_HEIGHT_SHARE = 0.75

#: So many unknown values are named.
MOST_NAMED = 10


def grid_findings(labelmap: Geometry, image: Geometry | None) -> Iterator[Finding]:
    """A mask and its image on different grids."""
    if image is not None and not image.is_same_grid(labelmap):
        message = f"the image has {image}, the mask {labelmap}"
        yield Finding(Rule.GRID_MISMATCH, Severity.ERROR, 0, None, message)


def known_labels(labelmap: Volume) -> tuple[NDArray[np.uint8], tuple[float, ...]]:
    """The SPIDER values of a labelmap of any type, 0 elsewhere; and the values outside the scheme."""
    values = np.unique(labelmap.array)
    unknown = tuple(float(value) for value in values if not _is_known(float(value)))
    if not unknown:
        return labelmap.array.astype(np.uint8, copy=False), ()
    return np.where(np.isin(labelmap.array, unknown) | ~_finite(labelmap.array), 0, labelmap.array).astype(np.uint8), unknown


def _finite(array: NDArray[Any]) -> NDArray[np.bool_]:
    return np.isfinite(array) if np.issubdtype(array.dtype, np.floating) else np.ones((), dtype=bool)


def _is_known(value: float) -> bool:
    if not value.is_integer():
        return False
    try:
        structure_of(int(value))
    except LabelError:
        return False
    return True


def unknown_findings(labelmap: Volume, unknown: tuple[float, ...]) -> Iterator[Finding]:
    """One finding for all values outside the scheme, at the largest of them."""
    if not unknown:
        return
    array = labelmap.array
    counts = {value: int(np.count_nonzero(_equal(array, value))) for value in unknown[:MOST_NAMED]}
    most = max(counts, key=lambda value: counts[value])
    points = np.argwhere(_equal(array, most))
    k, j, i = points[len(points) // 2].tolist()
    x, y, z, _ = (labelmap.geometry.affine_lps @ [i, j, k, 1.0]).tolist()
    named = ", ".join(f"{value:g} ({count} voxels)" for value, count in counts.items())
    more = f" and {len(unknown) - MOST_NAMED} more" if len(unknown) > MOST_NAMED else ""
    value = int(most) if np.isfinite(most) else 0
    yield Finding(Rule.UNKNOWN_VALUES, Severity.ERROR, value, (x, y, z), f"expected SPIDER's values, found {named}{more}")


def _equal(array: NDArray[Any], value: float) -> NDArray[np.bool_]:
    return np.isnan(array) if np.isnan(value) else array == value


def is_class_map(view: ColumnView) -> bool:
    """Whether the values 1, 2, 3 are vertebrae, discs and canal rather than the three lowest vertebrae: at least two reach along the column."""
    if not view.parts or max(view.parts) > max(Structure) or len(view.parts) < 2:
        return False
    rows = [part.rows for part in view.parts.values()]
    height = max(last for _, last in rows) - min(first for first, _ in rows) + 1
    return sum(last - first + 1 > CLASS_HEIGHT_SHARE * height for first, last in rows) >= 2


def missing_findings(view: ColumnView) -> Iterator[Finding]:
    """Structures of which nothing is labelled."""
    found = {part.structure for part in view.parts.values()}
    for structure in (Structure.VERTEBRA, Structure.DISC, Structure.CANAL):
        if structure not in found:
            what = "spinal canal" if structure is Structure.CANAL else structure.name.lower()
            yield Finding(Rule.MISSING_STRUCTURE, Severity.WARNING, 0, None, f"no {what} is labelled")
