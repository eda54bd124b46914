"""Which MR sequence a series is: from its header, else its name, else its image."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from SpiderSegLib.labels import Structure


class Sequence(str, Enum):
    """The sequences SpiderSeg is made for."""

    T1 = "T1"
    T1_CONTRAST = "T1 post-contrast"
    T2 = "T2"
    T2_SPACE = "T2-SPACE"
    STIR = "STIR"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class SequenceGuess:
    """A sequence and where the guess comes from: 'header', 'name', 'image' or 'nothing'."""

    sequence: Sequence
    source: str


_WORDS = (
    (Sequence.STIR, re.compile(r"stir|tirm|(?<![a-z])ir(?![a-z])", re.IGNORECASE)),
    (Sequence.T2_SPACE, re.compile(r"space|cube|vista|spc(?![a-z])", re.IGNORECASE)),
    (Sequence.T1_CONTRAST, re.compile(r"t1.*(?:\+ ?c(?![a-z])|gd|gado|post|contrast|km(?![a-z]))", re.IGNORECASE)),
    (Sequence.T1, re.compile(r"(?<![a-z0-9])t1", re.IGNORECASE)),
    (Sequence.T2, re.compile(r"(?<![a-z0-9])t2", re.IGNORECASE)),
)

#: Spin-echo timing: T1 weighting needs a short repetition and echo time, T2 weighting a long echo time (textbook limits, ms).
SHORT_TR_MS, SHORT_TE_MS, LONG_TE_MS = 1200.0, 40.0, 60.0
#: Inversion times that null fat at 1.5 and 3 T, ms; longer ones (T1-FLAIR) null fluid instead.
FAT_NULLING_TI_MS = (80.0, 300.0)
#: 3D acquisitions of the lumbar spine have slices thinner than this, 2D ones thicker, mm.
THIN_SLICE_MM = 1.5
#: On T2 fluid is two to four times as bright as marrow, on STIR much more.
STIR_FLUID_TO_MARROW = 6.0


def guess_sequence(header: Mapping[str, str], name: str, slice_spacing_mm: float) -> SequenceGuess:
    """The sequence by header (timing, then description), else by file name; `unknown` when neither says."""
    timed = _from_timing(header, slice_spacing_mm)
    described = _from_words(" ".join(header.get(key, "") for key in ("SeriesDescription", "ProtocolName", "SequenceName", "descrip")))
    if described in (Sequence.STIR, Sequence.T2_SPACE, Sequence.T1_CONTRAST) or timed is None:
        if described is not None:
            return SequenceGuess(described, "header")
    elif timed is not None:
        return SequenceGuess(timed, "header")
    named = _from_words(name)
    return SequenceGuess(named, "name") if named is not None else SequenceGuess(Sequence.UNKNOWN, "nothing")


def _from_timing(header: Mapping[str, str], slice_spacing_mm: float) -> Sequence | None:
    repetition, echo, inversion = (_milliseconds(header.get(key, "")) for key in ("RepetitionTime", "EchoTime", "InversionTime"))
    if inversion is not None and FAT_NULLING_TI_MS[0] <= inversion <= FAT_NULLING_TI_MS[1]:
        return Sequence.STIR
    if repetition is None or echo is None:
        return None
    if repetition <= SHORT_TR_MS and echo <= SHORT_TE_MS:
        return Sequence.T1_CONTRAST if header.get("ContrastBolusAgent") else Sequence.T1
    if echo >= LONG_TE_MS:
        return Sequence.T2_SPACE if slice_spacing_mm < THIN_SLICE_MM and header.get("MRAcquisitionType", "3D") == "3D" else Sequence.T2
    return None


def _milliseconds(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _from_words(text: str) -> Sequence | None:
    separated = text.replace("_", " ").replace("-", " ")
    return next((sequence for sequence, pattern in _WORDS if pattern.search(separated)), None)


def guess_from_image(array: NDArray[Any], classes: NDArray[np.uint8], slice_spacing_mm: float) -> SequenceGuess:
    """The sequence by the brightness of spinal fluid against marrow in a segmented series (arrays k, j, i).

    Fluid is bright on T2, and the more so against the nulled fatty marrow of STIR; dark on T1. `unknown` without both structures.
    """
    canal, vertebra = array[classes == Structure.CANAL], array[classes == Structure.VERTEBRA]
    if canal.size == 0 or vertebra.size == 0:
        return SequenceGuess(Sequence.UNKNOWN, "nothing")
    floor = float(array.min())
    fluid, marrow = float(np.percentile(canal, 75)) - floor, float(np.median(vertebra)) - floor
    if fluid < marrow:
        return SequenceGuess(Sequence.T1, "image")
    if fluid > STIR_FLUID_TO_MARROW * marrow:
        return SequenceGuess(Sequence.STIR, "image")
    return SequenceGuess(Sequence.T2_SPACE if slice_spacing_mm < THIN_SLICE_MM else Sequence.T2, "image")
