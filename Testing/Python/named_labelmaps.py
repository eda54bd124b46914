"""A small oblique labelmap with names, for tests of segmentation files."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from SpiderSegLib.labels import LevelState
from SpiderSegLib.level_names import LevelNaming
from SpiderSegLib.segmentation_files import NamedLabelmap
from SpiderSegLib.volume import Geometry, Volume

#: Sagittal storage (i to posterior, j to inferior, k to the right), turned by 11 degrees, with digits that no header rounds away unseen.
_SIN, _COS = math.sin(math.radians(11)), math.cos(math.radians(11))
GRID = Geometry((9, 7, 5), (1 / 3, 0.7, 4.4000001), (-12.3456789, 3.3, 77.7), (_SIN, 0.0, -_COS, _COS, 0.0, _SIN, 0.0, -1.0, 0.0))

#: Value by the voxel (k, j, i) it has; the canal is a column of them.
VOXELS = {1: (1, 1, 1), 2: (1, 3, 2), 202: (2, 2, 2), 103: (4, 6, 8)}


def labels() -> np.ndarray[Any, Any]:
    """L5, L4, the disc between them, a partial L3, and the canal in slice 3; slice 0 is empty."""
    array = np.zeros(GRID.shape_kji, np.uint8)
    for value, place in VOXELS.items():
        array[place] = value
    array[1, 1, 2:4] = 1
    array[3, :, 5] = 100
    return array


def named_labelmap(naming: LevelNaming | None = None, model_id: str = "model-7") -> NamedLabelmap:
    return NamedLabelmap(Volume(labels(), GRID, "small"), naming or LevelNaming(), model_id, {1: 0.75, 202: 0.5})


#: Six lumbar vertebrae, and a name of a person's own with letters beyond ASCII.
TRANSITIONAL = LevelNaming(LevelState.TRANSITIONAL, 6, {6: "T13 (süd)"})
