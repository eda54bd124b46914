"""Whether what was found at a click can be a vertebra or a disc at all: its size, that of its like, and where it ends.

The limits come from 705 vertebrae and 709 discs in reference masks of SPIDER (van der Graaf et al. 2024): 39 complete ones, 28 middle
slices and 30 slabs.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from SpiderSegLib.around.box import Slices
from SpiderSegLib.around.size import height_mm, sagittal_area_mm2, usual_area_mm2
from SpiderSegLib.errors import NothingFound
from SpiderSegLib.instances.grid import Canonical
from SpiderSegLib.labels import Structure
from SpiderSegLib.volume import Geometry

#: Smallest and largest area in one sagittal slice: vertebrae with their processes 50-2061 mm2 (1st percentile 134; the least are cut by the
#: border of the field of view), discs 42-477 mm2.
AREA_MM2 = {Structure.VERTEBRA: (80.0, 2400.0), Structure.DISC: (35.0, 600.0)}

#: Largest extent from top to bottom: vertebrae with their processes 69 mm, tilted discs 35 mm.
HEIGHT_MM = {Structure.VERTEBRA: 85.0, Structure.DISC: 45.0}

#: Smallest and largest area over the median of the other labels of the structure. Whole ones have more than 0.3 and 0.28, all less than 1.77
#: and 2.39 in the reference masks; of what was found with less on training series, 19 of 25 had a Dice below 0.5 and none above 0.6.
SHARE_OF_USUAL = {Structure.VERTEBRA: (0.3, 2.2), Structure.DISC: (0.25, 3.0)}

#: What ends so near to the upper or lower border of the field of view is cut by it and may be smaller.
BORDER_MM = 2.5

#: A structure lies whole in the box; of one that does not, more than this share of the voxels lies in the box's outermost layer.
LARGEST_SHARE_AT_BORDER = 0.01


def check_plausible(mask: NDArray[np.bool_], kept: NDArray[np.uint8], geometry: Geometry, structure: Structure, region: Slices) -> None:
    """Raises NothingFound when a mask (k, j, i) on the input's grid, not empty, can't be one vertebra or disc.

    kept: the labels beside it, SPIDER values; region: the part of the grid the mask was looked for in.
    """
    name, seen = structure.name.lower(), "nothing found: what the network sees at the point"
    part = mask[region]
    area, height = sagittal_area_mm2(part, geometry), height_mm(part, geometry)
    smallest, largest = AREA_MM2[structure]
    if not smallest <= area <= largest:
        raise NothingFound(f"{seen} covers {area:.0f} mm2 in a sagittal slice, a {name} {smallest:.0f} to {largest:.0f}; paint it by hand")
    if height > HEIGHT_MM[structure]:
        raise NothingFound(f"{seen} is {height:.0f} mm high, a {name} at most {HEIGHT_MM[structure]:.0f}; paint it by hand")
    usual = usual_area_mm2(kept, structure, geometry)
    least, most = SHARE_OF_USUAL[structure]
    if usual is not None and not (0 if _is_cut(mask, geometry) else least) * usual <= area <= most * usual:
        raise NothingFound(f"{seen} has {100 * area / usual:.0f} % of the size of the other labels of its kind; paint it by hand")
    if _share_at_border(part, region, mask.shape) > LARGEST_SHARE_AT_BORDER:
        raise NothingFound(f"{seen} runs on beyond the reach of a {name}; paint it by hand")


def _is_cut(mask: NDArray[np.bool_], geometry: Geometry) -> bool:
    """Whether a mask on the whole grid reaches the upper or lower border of the field of view."""
    canonical = Canonical.of(geometry)
    rows: NDArray[np.bool_] = np.asarray(canonical.forward(mask).any(axis=(0, 2)))
    within = int(BORDER_MM / canonical.spacing_mm(geometry)[1]) + 1
    return bool(rows[:within].any() or rows[-within:].any())


def _share_at_border(part: NDArray[np.bool_], region: Slices, shape: tuple[int, ...]) -> float:
    """Share of a part's voxels in the outermost layer of the region; where the region ends with the grid there is none."""
    layer = np.zeros(part.shape, dtype=bool)
    for axis, extent in enumerate(region):
        ends = [0] * (extent.start > 0) + [-1] * (extent.stop < shape[axis])
        np.moveaxis(layer, axis, 0)[ends] = True
    return float(np.count_nonzero(part & layer) / np.count_nonzero(part))
