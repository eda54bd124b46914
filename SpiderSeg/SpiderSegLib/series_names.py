"""What the name of a series tells: SPIDER names them <patient>_t1, <patient>_t2 and <patient>_t2_SPACE."""

from __future__ import annotations

import re

SEQUENCES = ("t1", "t2", "t2_SPACE")
UNKNOWN_SEQUENCE = "unknown"

_ENDING = re.compile(r"(?<=.)[_-](t1|t2|t2_SPACE)$", re.IGNORECASE)
_BIDS_SUBJECT = re.compile(r"sub-[A-Za-z0-9]+")


def sequence_of(series: str) -> str:
    """Sequence by the ending of a series name: 't1', 't2', 't2_SPACE' (any case), else 'unknown'."""
    found = _ENDING.search(series)
    return next(sequence for sequence in SEQUENCES if sequence.lower() == found.group(1).lower()) if found else UNKNOWN_SEQUENCE


def patient_of(series: str) -> str:
    """The patient of a series name, whom splits must not cross: '12_t2_SPACE' -> '12', BIDS 'sub-07_ses-1_T2w' -> 'sub-07'.

    A name of no known form is its own patient.
    """
    bids = _BIDS_SUBJECT.match(series)
    return bids.group(0) if bids else _ENDING.sub("", series)


def natural_key(name: str) -> list[tuple[int, int, str]]:
    """Sorts '2_t1' before '10_t1'."""
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in re.split(r"(\d+)", name) if part]
