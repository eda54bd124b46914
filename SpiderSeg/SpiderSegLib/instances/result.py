"""What numbering gives back, and the settings it takes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from SpiderSegLib.labels import LevelState, Structure


@dataclass(frozen=True)
class InstanceConfig:
    """Settings of the numbering that a user may have reasons to change.

    smallest_vertebra_mm3, smallest_disc_mm3, smallest_canal_mm3: smaller instances are dropped. The smallest cut vertebra of the reference
        masks has 3,300 mm3, the smallest disc 1,700 mm3; one 4 mm slice shows 200 and 150 mm3 of them.
    lower_border_mm: a lowest vertebra nearer to the lower border may have another one below it.
    cut_height_share: a vertebra at the border is partial when its body's height is below this share of its neighbour's; whole
        neighbours differ by less than 20 %.
    border_mm: a body counts as touching the border within this distance; resampled references end up to 2 mm before it.
    """

    smallest_vertebra_mm3: float = 100.0
    smallest_disc_mm3: float = 80.0
    smallest_canal_mm3: float = 80.0
    lower_border_mm: float = 10.0
    cut_height_share: float = 0.8
    border_mm: float = 2.5


@dataclass(frozen=True)
class LevelInstance:
    """One numbered vertebra, disc or the canal.

    value: SPIDER value; centroid_lps_mm: mean of its voxel centres; is_partial: cut by the upper or lower border of the field of view.
    """

    value: int
    structure: Structure
    volume_mm3: float
    centroid_lps_mm: tuple[float, float, float]
    is_partial: bool = False


@dataclass(frozen=True)
class InstanceResult:
    """A numbered labelmap with what is known about its levels.

    labelmap: uint8 (k, j, i) in SPIDER values on the input grid; instances: by value; state: assumed or unidentified; reasons: why
    unidentified, empty when assumed; warnings: what a person should check.
    """

    labelmap: NDArray[np.uint8]
    instances: tuple[LevelInstance, ...]
    state: LevelState
    reasons: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
