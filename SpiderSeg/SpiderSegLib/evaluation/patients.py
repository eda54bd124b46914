"""Which patient a series belongs to: what splits must not cross and what is drawn when an interval is estimated."""

from __future__ import annotations


def patient_of(series: str) -> str:
    """Patient id of a series as SPIDER names them: what stands before the first underscore ('108_t2_SPACE' -> '108').

    A name without an underscore, or that begins with one, is a patient of its own.
    """
    return series.partition("_")[0] or series
