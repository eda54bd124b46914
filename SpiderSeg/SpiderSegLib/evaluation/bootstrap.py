"""How sure a mean over series is: percentile bootstrap intervals over patients.

Series of one patient resemble each other, so patients are drawn, each with all of its series, never single series.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from SpiderSegLib.errors import InputError
from SpiderSegLib.metrics import Statistic, summarize

#: With fewer patients the few possible draws say nothing of the patients not seen.
FEWEST_PATIENTS = 3


@dataclass(frozen=True)
class BootstrapConfig:
    """Number of resamples, seed and confidence of every interval of a report.

    10,000 resamples leave a tail of 250 on each side of a 95 % interval: its ends move by about 2 % of its width from seed to seed.
    Raises InputError for fewer than one resample, a negative seed, or a confidence outside 0..1.
    """

    resamples: int = 10_000
    seed: int = 0
    confidence: float = 0.95

    def __post_init__(self) -> None:
        if self.resamples < 1 or self.seed < 0:
            raise InputError(f"expected at least one resample and a seed from 0 up, found {self.resamples} and {self.seed}")
        if not 0 < self.confidence < 1:
            raise InputError(f"expected a confidence between 0 and 1, found {self.confidence}")


DEFAULT_BOOTSTRAP = BootstrapConfig()


@dataclass(frozen=True)
class Interval:
    """Ends of a bootstrap interval of a mean."""

    low: float
    high: float


@dataclass(frozen=True)
class Estimate(Statistic):
    """A statistic over n values of n_patients patients; interval None with fewer than FEWEST_PATIENTS."""

    n_patients: int
    interval: Interval | None


def estimate(values: Iterable[float | None], patients: Iterable[str], config: BootstrapConfig = DEFAULT_BOOTSTRAP) -> Estimate:
    """Mean, spread and interval of the values that are neither None nor NaN; `patients` names the patient of each value.

    Every resample draws as many patients as have a value, with replacement; its mean is over all values of the patients drawn, so a
    patient with more series weighs more, as in the mean itself. The ends are percentiles of the resampled means. The order of the
    values plays no part. Raises ValueError when values and patients differ in number.
    """
    counted = [(value, patient) for value, patient in zip(values, patients, strict=True) if value is not None and not math.isnan(value)]
    statistic = summarize(value for value, _ in counted)
    names, members = np.unique([patient for _, patient in counted], return_inverse=True)
    interval = None
    if len(names) >= FEWEST_PATIENTS:
        sums = np.bincount(members, weights=[value for value, _ in counted]).astype(float)
        interval = _interval(sums, np.bincount(members).astype(float), config)
    return Estimate(statistic.mean, statistic.std, statistic.n, len(names), interval)


def _interval(sums: NDArray[np.float64], counts: NDArray[np.float64], config: BootstrapConfig) -> Interval:
    drawn = _times_drawn(len(sums), config.resamples, config.seed)
    means = (drawn @ sums) / (drawn @ counts)
    tail = 50 * (1 - config.confidence)
    low, high = np.percentile(means, (tail, 100 - tail))
    return Interval(float(low), float(high))


@lru_cache(maxsize=8)
def _times_drawn(n_patients: int, resamples: int, seed: int) -> NDArray[np.float64]:
    """(resamples, n_patients): how often each patient was drawn. Kept, because a report asks for the same numbers of patients often."""
    drawn = np.random.default_rng(seed).multinomial(n_patients, [1 / n_patients] * n_patients, size=resamples).astype(float)
    drawn.setflags(write=False)
    return drawn
