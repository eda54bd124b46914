"""Which MR sequence a series is: from its header, else its name, else its image."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
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


def _word(pattern: str) -> re.Pattern[str]:
    """A pattern that is not part of a longer word: 'space' but not 'workspace', 'IR' but not 'FLAIR'."""
    return re.compile(rf"(?<![a-z])(?:{pattern})(?![a-z])", re.IGNORECASE)


_T1 = re.compile(r"(?<![a-z0-9])t1(?![0-9])", re.IGNORECASE)
_T2 = re.compile(r"(?<![a-z0-9])t2(?![0-9])", re.IGNORECASE)
_FAT_NULLED = _word(r"stir|tirm|ir")
_SPACE = _word(r"space|cube|vista|spc")
_CONTRAST = _word(r"\+ ?c|c\+|gd|gado[a-z]*|post|contrast|km|ce")
_NO_CONTRAST = _word(r"pre|without|w/o|wo|non?e?|nativ[a-z]*|ohne")

#: Spin-echo timing: T1 weighting needs a short repetition and echo time, T2 weighting a long echo time (textbook limits, ms).
SHORT_TR_MS, SHORT_TE_MS, LONG_TE_MS = 1200.0, 40.0, 60.0
#: Inversion times that null fat at 1.5 and 3 T, ms; longer ones null fluid instead: T1-FLAIR where the echo time is short.
FAT_NULLING_TI_MS = (80.0, 300.0)
#: 3D acquisitions of the lumbar spine have slices thinner than this, 2D ones thicker, mm.
THIN_SLICE_MM = 1.5
#: On T2 fluid is two to four times as bright as marrow, on STIR much more.
STIR_FLUID_TO_MARROW = 6.0


def guess_sequence(header: Mapping[str, str], name: str, slice_spacing_mm: float) -> SequenceGuess:
    """The sequence by header (timing, then description), else by file name; `unknown` when neither says.

    `name` may be a path: only its last part counts. Where the timing knows T1 or T2, words add what timing can't see (SPACE, STIR,
    contrast agent).
    """
    timed = _from_timing(header, slice_spacing_mm)
    described = _from_words(" ".join(header.get(key, "") for key in ("SeriesDescription", "ProtocolName", "SequenceName", "descrip")))
    if timed is not None:
        return SequenceGuess(described if described in _REFINEMENTS.get(timed, ()) else timed, "header")
    if described is not None:
        return SequenceGuess(described, "header")
    named = _from_words(Path(name).name)
    return SequenceGuess(named, "name") if named is not None else SequenceGuess(Sequence.UNKNOWN, "nothing")


#: What a description may make of the sequence that the timing shows; a STIR without its inversion time has the echo time of T1 or T2.
_REFINEMENTS = {
    Sequence.T1: (Sequence.T1_CONTRAST, Sequence.STIR),
    Sequence.T2: (Sequence.T2_SPACE, Sequence.STIR),
    Sequence.T2_SPACE: (Sequence.STIR,),
}


def _from_timing(header: Mapping[str, str], slice_spacing_mm: float) -> Sequence | None:
    repetition, echo, inversion = (_milliseconds(header.get(key, "")) for key in ("RepetitionTime", "EchoTime", "InversionTime"))
    if inversion is not None and FAT_NULLING_TI_MS[0] <= inversion <= FAT_NULLING_TI_MS[1]:
        return Sequence.STIR
    if repetition is None or echo is None:
        return None
    is_fluid_nulled = inversion is not None and inversion > FAT_NULLING_TI_MS[1]
    if echo <= SHORT_TE_MS and (repetition <= SHORT_TR_MS or is_fluid_nulled):
        return Sequence.T1_CONTRAST if _has_contrast_agent(header) else Sequence.T1
    if echo >= LONG_TE_MS:
        return Sequence.T2_SPACE if slice_spacing_mm < THIN_SLICE_MM and header.get("MRAcquisitionType", "3D") == "3D" else Sequence.T2
    return None


def _has_contrast_agent(header: Mapping[str, str]) -> bool:
    agent = header.get("ContrastBolusAgent", "").strip()
    return agent != "" and not _NO_CONTRAST.search(agent)


def _milliseconds(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _from_words(text: str) -> Sequence | None:
    """The sequence that a description or file name states; None when it states none, or both T1 and T2."""
    separated = re.sub(r"[_.-]", " ", text)
    is_t1, is_t2 = bool(_T1.search(separated)), bool(_T2.search(separated))
    if is_t1 and is_t2:
        return None
    if is_t1:
        # T1 comes as SPACE and with (fluid-nulling) inversion too.
        has_contrast = _CONTRAST.search(separated) and not _NO_CONTRAST.search(separated)
        return Sequence.T1_CONTRAST if has_contrast else Sequence.T1
    if _FAT_NULLED.search(separated):
        return Sequence.STIR
    if _SPACE.search(separated):
        return Sequence.T2_SPACE
    return Sequence.T2 if is_t2 else None


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
