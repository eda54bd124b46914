"""The numbers that decide what is drawn at a click."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from SpiderSegLib.errors import InputError


@dataclass(frozen=True)
class AroundConfig:
    """How faint a structure may be, where its border is drawn, and how near to it the click must be.

    thresholds: probabilities of the structure at which its border may be drawn, falling. The first is where a whole run draws it; a lower
        one is taken only when the structure would be too small, and below the last it is not seen at all.
    enough_share: large enough is this share of the usual sagittal area of its like. On 350 clicks into training series, clean ones and
        ones with noise, shading, lesions or another contrast, this rule has the Dice of the best fixed threshold for what a whole run
        had found (disc 0.891; fixed at 0.5 and 0.1: 0.887 and 0.818) and for what it had missed (0.326; 0.223 and 0.327).
    click_reach_mm: how far from the structure the click may lie.

    Raises InputError for thresholds that don't fall from at most 1 to above 0, and for negative numbers.
    """

    thresholds: tuple[float, ...] = (0.5, 0.4, 0.3, 0.2, 0.15, 0.1)
    enough_share: float = 0.7
    click_reach_mm: float = 5.0

    def __post_init__(self) -> None:
        bounds = (1.0, *self.thresholds, 0.0)
        if not self.thresholds or any(b >= a and (a, b) != (1.0, 1.0) for a, b in pairwise(bounds)):
            raise InputError(f"expected thresholds that fall from at most 1 to above 0, found {self.thresholds}")
        if self.enough_share < 0 or self.click_reach_mm < 0:
            raise InputError(f"expected a share and a reach of 0 or more, found {self.enough_share} and {self.click_reach_mm} mm")

    @property
    def lowest_probability(self) -> float:
        return self.thresholds[-1]
