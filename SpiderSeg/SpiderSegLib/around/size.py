"""How large a structure is where a slab or a single slice shows no whole volume: its largest area in one sagittal slice, and its height."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from SpiderSegLib.instances.grid import Canonical
from SpiderSegLib.labels import Structure, structure_of
from SpiderSegLib.volume import Geometry

#: Fewer other labels say nothing about how large their like is.
FEWEST_OTHERS = 2


def sagittal_area_mm2(mask: NDArray[np.bool_], geometry: Geometry) -> float:
    """Largest area of a mask (k, j, i) in one sagittal slice; the mask may be cut out of the geometry's grid."""
    canonical = Canonical.of(geometry)
    _, row_mm, column_mm = canonical.spacing_mm(geometry).tolist()
    return float(canonical.forward(mask).sum(axis=(1, 2)).max() * row_mm * column_mm)


def height_mm(mask: NDArray[np.bool_], geometry: Geometry) -> float:
    """Extent of a mask (k, j, i), not empty, from superior to inferior; the mask may be cut out of the geometry's grid."""
    canonical = Canonical.of(geometry)
    rows = np.flatnonzero(canonical.forward(mask).any(axis=(0, 2)))
    return float((rows[-1] - rows[0] + 1) * canonical.spacing_mm(geometry)[1])


def usual_area_mm2(labels: NDArray[np.uint8], structure: Structure, geometry: Geometry) -> float | None:
    """The median sagittal area of the labels of a structure in SPIDER values (k, j, i); None where there are fewer than FEWEST_OTHERS."""
    boxes = ndimage.find_objects(labels)
    own = [(box, value) for value, box in enumerate(boxes, start=1) if box is not None and structure_of(value) is structure]
    areas = [sagittal_area_mm2(labels[box] == value, geometry) for box, value in own]
    return float(np.median(areas)) if len(areas) >= FEWEST_OTHERS else None
