"""What patients and series are called in a project, so that `patient_of` a series' name gives its patient wherever that can be."""

from __future__ import annotations

import re
from collections.abc import Collection

from SpiderSegLib.corrections.names import is_name, safe_name
from SpiderSegLib.errors import ProjectError
from SpiderSegLib.sequence import Sequence, guess_sequence
from SpiderSegLib.series_names import UNKNOWN_SEQUENCE, patient_of, sequence_of

#: With the longest ending of a series name still an allowed name.
LONGEST_PATIENT = 44

#: Prefix of new ids where none was given.
DEFAULT_PREFIX = "P"

#: How a series of each sequence ends. All but the last two are told apart by SPIDER's endings.
ENDINGS = {
    Sequence.T1: "t1",
    Sequence.T1_CONTRAST: "ce_t1",
    Sequence.T2: "t2",
    Sequence.T2_SPACE: "t2_SPACE",
    Sequence.STIR: "stir",
    Sequence.UNKNOWN: "mr",
}

_PREFIX = re.compile(r"[A-Za-z][A-Za-z0-9]{0,15}")
_BIDS = "sub-"


def check_prefix(prefix: str) -> str:
    """The prefix itself, '' included. Raises ProjectError unless it is a letter followed by up to 15 letters and digits."""
    if prefix and not _PREFIX.fullmatch(prefix):
        raise ProjectError(f"expected a patient prefix of a letter and up to 15 letters and digits, found {prefix!r}")
    return prefix


def patient_name(original: str, prefix: str = "") -> str:
    """A patient's id in the project: with the prefix, after the 'sub-' of a BIDS id, and an allowed name."""
    is_bids = original.startswith(_BIDS) and patient_of(original) == original
    name = safe_name(f"{_BIDS}{prefix}{original[len(_BIDS) :]}" if is_bids else f"{prefix}{original}", LONGEST_PATIENT)
    # What only looks like a BIDS id would lose all after its first word.
    return f"sub_{name[len(_BIDS) :]}" if name.startswith(_BIDS) and patient_of(name) != name else name


def series_name(stem: str, original_patient: str, patient_id: str) -> str:
    """A series' name from that of its file: '1_t2' of patient '1', who is now 'X1', becomes 'X1_t2'.

    '' when the file's name does not begin with its patient: `free_name` then makes one.
    """
    if patient_of(stem) != original_patient:
        return ""
    name = patient_id + stem[len(original_patient) :]
    if is_name(name):
        return name
    # Only a BIDS name has more after the patient than SPIDER's endings.
    return f"{patient_id}_{safe_name(stem[len(original_patient) :].strip('_-'), 20)}"


def ending_by_name(stem: str) -> str:
    """How a series of this file name should end: by SPIDER's ending, else by the words in the name."""
    sequence = sequence_of(stem)
    return sequence if sequence != UNKNOWN_SEQUENCE else ENDINGS[guess_sequence({}, stem, 0.0).sequence]


def free_name(patient_id: str, ending: str, taken: Collection[str]) -> str:
    """'<patient>_<ending>', numbered where `taken` (case-folded names) holds it: 'sub-P0001_2_t2'.

    A patient id that is not BIDS gives 'p7-2_t2', whose patient the name alone no longer tells.
    """
    number, joint = 1, "_" if patient_id.startswith(_BIDS) else "-"
    name = f"{patient_id}_{ending}"
    while name.casefold() in taken:
        number += 1
        name = f"{patient_id}{joint}{number}_{ending}"
    return name


def new_patient(prefix: str, known: Collection[str]) -> str:
    """The next free id: 'sub-P0001'.

    BIDS ids because they alone let several series of one sequence, and sequences SPIDER has no ending for, name their patient.
    """
    pattern = re.compile(rf"{_BIDS}{re.escape(prefix or DEFAULT_PREFIX)}(\d+)", re.IGNORECASE)
    numbers = [int(found.group(1)) for found in map(pattern.fullmatch, known) if found]
    return f"{_BIDS}{prefix or DEFAULT_PREFIX}{1 + max(numbers, default=0):04d}"
