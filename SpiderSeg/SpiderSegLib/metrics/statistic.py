"""Mean and spread of one score over series."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Statistic:
    """Mean and sample standard deviation (n - 1) over the n series that have the score; None where n is too small."""

    mean: float | None
    std: float | None
    n: int


def summarize(values: Iterable[float | None]) -> Statistic:
    """Mean, sample standard deviation and count of the values that are neither None nor NaN.

    Skipping NaN and dividing by n - 1 is also how the SPIDER challenge summarizes its scores over series.
    """
    counted = np.array([value for value in values if value is not None and not np.isnan(value)], dtype=float)
    return Statistic(
        mean=float(counted.mean()) if counted.size else None,
        std=float(counted.std(ddof=1)) if counted.size > 1 else None,
        n=int(counted.size),
    )
