"""The strategies of the work list, and the number each gives to a case: more is more urgent."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime, timezone
from enum import Enum

from SpiderSegLib.active_learning.candidate import Candidate
from SpiderSegLib.errors import InputError

#: Entropy and disagreement are both 0 to 1 over the same voxels. Measured on 26 series under an early model: the sum ranks them by the
#: volume that has to be corrected as well as entropy alone (rank correlation 0.79 and 0.77); any weight from 0.25 to 4 does.
DISAGREEMENT_WEIGHT = 1.0

#: A finding of the linter in units of entropy. Series of one model differ by a standard deviation of 0.015 (the bundled weights) to 0.05 (an
#: early model): an error, such as a gap in the numbering, moves a series up by about one of them, a warning by a quarter of that.
ERROR_WEIGHT, WARNING_WEIGHT = 0.03, 0.0075

#: More than five errors, or twenty warnings, add nothing: a mask of twenty faults is seen to be bad at five.
MOST_FINDINGS_WEIGHT = 5 * ERROR_WEIGHT

#: No uncertainty is above it.
MOST_UNCERTAIN = 1 + DISAGREEMENT_WEIGHT + MOST_FINDINGS_WEIGHT

#: Findings are counted in errors.
ERRORS_PER_WARNING = WARNING_WEIGHT / ERROR_WEIGHT


class Strategy(str, Enum):
    """How the work list is ordered."""

    UNCERTAIN = "uncertain"
    RANDOM = "random"
    LINTER = "linter"
    OLDEST = "oldest"

    @property
    def is_diverse(self) -> bool:
        """Whether series of one patient are kept apart: a queue by age and a draw by chance stay what they are."""
        return self in (Strategy.UNCERTAIN, Strategy.LINTER)


def scores(candidates: Sequence[Candidate], strategy: Strategy, seed: int) -> list[float]:
    """One number a candidate, not negative.

    uncertain: entropy + DISAGREEMENT_WEIGHT x disagreement + the weight of its findings, 0 before it was segmented. linter: errors + a
    quarter of the warnings, then uncertainty. random: 0 to 1, drawn from seed and series alone, so that it stays when others come and go.
    oldest: days it has waited longer than the newest. Raises InputError for a time that is not ISO 8601.
    """
    if strategy is Strategy.RANDOM:
        return [_drawn(candidate.series, seed) for candidate in candidates]
    if strategy is Strategy.OLDEST:
        return _days_before_newest(candidates)
    if strategy is Strategy.LINTER:
        return [_findings(candidate) + _less_than_a_warning(candidate) for candidate in candidates]
    return [_uncertainty(candidate) for candidate in candidates]


def _uncertainty(candidate: Candidate) -> float:
    if candidate.uncertainty is None:
        return 0.0
    return candidate.uncertainty.entropy + DISAGREEMENT_WEIGHT * (candidate.uncertainty.disagreement or 0.0) + _weight_of_findings(candidate)


def _weight_of_findings(candidate: Candidate) -> float:
    return min(MOST_FINDINGS_WEIGHT, ERROR_WEIGHT * candidate.linter_errors + WARNING_WEIGHT * candidate.linter_warnings)


def _findings(candidate: Candidate) -> float:
    return candidate.linter_errors + candidate.linter_warnings * ERRORS_PER_WARNING


def _less_than_a_warning(candidate: Candidate) -> float:
    """The uncertainty so small that it decides between series with equal findings alone."""
    return ERRORS_PER_WARNING * _uncertainty(candidate) / (1 + MOST_UNCERTAIN)


def _drawn(series: str, seed: int) -> float:
    digest = hashlib.sha256(f"{seed} {series}".encode()).digest()
    return int.from_bytes(digest[:7], "big") / 2**56


def _days_before_newest(candidates: Sequence[Candidate]) -> list[float]:
    times = [_seconds(candidate) for candidate in candidates]
    newest = max((time for time in times if time is not None), default=0.0)
    return [0.0 if time is None else (newest - time) / 86400 for time in times]


def _seconds(candidate: Candidate) -> float | None:
    """None without a time: it counts as new."""
    if not candidate.waiting_since_utc:
        return None
    try:
        # Python 3.10 reads no Z.
        moment = datetime.fromisoformat(candidate.waiting_since_utc.replace("Z", "+00:00"))
    except ValueError as error:
        raise InputError(f"{candidate.series}: expected a time as 2025-01-31T12:00:00Z, found {candidate.waiting_since_utc!r}") from error
    return (moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)).timestamp()
