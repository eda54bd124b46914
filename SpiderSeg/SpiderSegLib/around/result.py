"""What local segmentation gives back, and the labelmaps that can be made of it."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from SpiderSegLib.around.box import Point
from SpiderSegLib.errors import LabelError
from SpiderSegLib.inference import DevicePlan
from SpiderSegLib.labels import Structure
from SpiderSegLib.level_names import shifted_values
from SpiderSegLib.network import Checkpoint
from SpiderSegLib.volume import Volume


@dataclass(frozen=True)
class LocalResult:
    """One vertebra or disc found at a click.

    mask: bool (k, j, i) on the input's grid, never over a label that is kept; kept: the labelmap given, without the label that is
    replaced; value: the SPIDER value of the new component; needs_shift: by how many levels the labels kept must be shifted up beside
    it; confidence: its mean probability, as of a whole run; threshold: the probability above which voxels were taken; box_start_ijk and
    box_size_ijk: the part of the grid that was looked at.
    """

    mask: Volume
    kept: Volume
    structure: Structure
    value: int
    needs_shift: int
    replaced: int | None
    point_lps_mm: Point
    center_lps_mm: Point
    volume_mm3: float
    confidence: float
    threshold: float
    box_start_ijk: tuple[int, int, int]
    box_size_ijk: tuple[int, int, int]
    checkpoint: Checkpoint
    plan: DevicePlan
    is_mirrored: bool
    seconds: dict[str, float] = field(default_factory=dict)

    def only(self) -> Volume:
        """The new component with its value, uint8, 0 elsewhere."""
        return self.mask.with_array(np.where(self.mask.array, self.value, 0).astype(np.uint8))

    def merged(self, shift_others: bool = False) -> Volume:
        """The labels kept and the new component, uint8; with shift_others the labels kept are shifted up where that is needed.

        Raises LabelError when a shift is needed and not wished, or would leave the scheme.
        """
        if self.needs_shift and not shift_others:
            raise LabelError(
                f"the new {self.structure.name.lower()} lies below level 1: it becomes {self.value}, and all others have to be shifted up by "
                f"{self.needs_shift}; ask for that with --shift-others, or give its value"
            )
        labelmap = self._shifted() if self.needs_shift else self.kept.array.astype(np.uint8)
        labelmap[self.mask.array] = self.value
        return self.mask.with_array(labelmap)

    def _shifted(self) -> NDArray[np.uint8]:
        table = np.zeros(256, dtype=np.uint8)
        for old, new in shifted_values(np.unique(self.kept.array).tolist(), self.needs_shift).items():
            table[old] = new
        shifted: NDArray[np.uint8] = table[self.kept.array]
        return shifted
