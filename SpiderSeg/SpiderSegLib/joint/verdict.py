"""Whether several series of a patient may be corrected and saved with one segmentation, in words, and what a person accepted."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from SpiderSegLib.errors import InputError
from SpiderSegLib.joint.rigid_check import RigidCheck, Vector, rigid_check
from SpiderSegLib.volume import Volume

#: Series that lie further apart are not saved together unasked: half of a 4 mm slice, three pixels.
LARGEST_UNASKED_MM = 2.0

#: Smaller rotations are left out of the words; they move the ends of a lumbar spine by less than 2 mm.
NOTEWORTHY_ROTATION_DEG = 1.0

#: Where the LPS axes point, positive and negative.
_TOWARD = (("toward the left", "toward the right"), ("toward the back", "toward the front"), ("toward the head", "toward the feet"))


@dataclass(frozen=True)
class PairCheck:
    """One series against the first: their names, the measurement (None when it could not be made), and what speaks against joint saving."""

    fixed: str
    moving: str
    check: RigidCheck | None
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class JointVerdict:
    """Whether series may be saved together unasked, and for what reasons not; notes say what could not be seen but does not speak against it."""

    pairs: tuple[PairCheck, ...]
    notes: tuple[str, ...] = ()

    @property
    def is_allowed(self) -> bool:
        return not self.reasons

    @property
    def reasons(self) -> tuple[str, ...]:
        return tuple(reason for pair in self.pairs for reason in pair.reasons)

    def record(self) -> dict[str, Any]:
        """As JSON values, for sidecars: the verdict and every measurement; no patient data but the names of the series."""
        return {
            "is_allowed": self.is_allowed,
            "reasons": list(self.reasons),
            "notes": list(self.notes),
            "limit_mm": LARGEST_UNASKED_MM,
            "pairs": [
                {"fixed": pair.fixed, "moving": pair.moving, "measured": None if pair.check is None else pair.check.as_json()} for pair in self.pairs
            ],
        }


def check_joint(series: Sequence[Volume], frame_of_reference_uids: Sequence[str], labelmap: Volume | None = None) -> JointVerdict:
    """Checks every series against the first: a common DICOM frame of reference, and at most LARGEST_UNASKED_MM between them.

    series: at least two, with one frame-of-reference UID each, '' where it is not known. labelmap: where the spine is, on any grid; else
    the body counts. Raises InputError for fewer than two series or another number of UIDs.
    """
    if len(series) < 2 or len(series) != len(frame_of_reference_uids):
        raise InputError(
            f"expected at least two series and a frame-of-reference UID (or '') for each, found {len(series)} and {len(frame_of_reference_uids)}"
        )
    pairs = []
    notes = []
    for moving, uid in zip(series[1:], frame_of_reference_uids[1:], strict=True):
        pair = _check_pair(series[0], moving, frame_of_reference_uids[0], uid, labelmap)
        pairs.append(pair)
        if pair.check is not None and not pair.check.is_through_plane_measured:
            notes.append(f"{pair.fixed} and {pair.moving} share too few slices to measure a shift across them")
    return JointVerdict(tuple(pairs), tuple(notes))


def _check_pair(fixed: Volume, moving: Volume, fixed_uid: str, moving_uid: str, labelmap: Volume | None) -> PairCheck:
    names = f"{fixed.name} and {moving.name}"
    reasons = []
    if not fixed_uid or not moving_uid:
        reasons.append(
            f"{names} have no common frame of reference: it is not known for {' and '.join(_without(fixed, moving, fixed_uid, moving_uid))}"
        )
    elif fixed_uid != moving_uid:
        reasons.append(f"{names} have no common frame of reference: the patient may have been moved between them")
    check = None
    try:
        check = rigid_check(fixed, moving, labelmap)
    except InputError as error:
        reasons.append(f"{names} can't be compared: {error}")
    else:
        reasons += _findings(check, fixed.name, moving.name)
    return PairCheck(fixed.name, moving.name, check, tuple(reasons))


def _without(fixed: Volume, moving: Volume, fixed_uid: str, moving_uid: str) -> list[str]:
    return [volume.name for volume, uid in ((fixed, fixed_uid), (moving, moving_uid)) if not uid]


def _findings(check: RigidCheck, fixed: str, moving: str) -> list[str]:
    if not check.is_reliable:
        return [f"how far {fixed} and {moving} lie apart can't be told ({'; '.join(check.unreliable_reasons)})"]
    if check.largest_displacement_mm > LARGEST_UNASKED_MM:
        turned = f", turned by {check.rotation_deg:.1f} degrees" if check.rotation_deg >= NOTEWORTHY_ROTATION_DEG else ""
        where = f"{moving_text(check.largest_displacement_lps_mm)}{turned}"
        return [f"{moving} lies up to {check.largest_displacement_mm:.1f} mm beside {fixed} ({where}); {LARGEST_UNASKED_MM:g} mm pass unasked"]
    return []


def accepted_record(record: Mapping[str, Any], by: str, at: datetime.datetime) -> dict[str, Any]:
    """The record of a verdict with who accepted its reasons, and when, under "accepted", for sidecars.

    Raises InputError without a name, for a time without its zone, and for a verdict with nothing to accept.
    """
    if not by.strip():
        raise InputError("expected the name of who accepts that the series are saved together, found none")
    if at.tzinfo is None:
        raise InputError(f"expected a time with its zone, found {at.isoformat()}")
    reasons = list(record.get("reasons", ()))
    if not reasons:
        raise InputError("these series may be saved together unasked: there is nothing to accept")
    utc = at.astimezone(datetime.timezone.utc).isoformat(timespec="seconds")
    return {**record, "accepted": {"by": by.strip(), "utc": utc, "reasons": reasons}}


def moving_text(displacement_lps_mm: Vector) -> str:
    """A displacement in words: '3.1 mm toward the feet, 0.8 mm toward the back'; parts below half a millimetre are left out."""
    towards = [toward[0] if value > 0 else toward[1] for value, toward in zip(displacement_lps_mm, _TOWARD, strict=True)]
    parts = [(abs(value), f"{abs(value):.1f} mm {toward}") for value, toward in zip(displacement_lps_mm, towards, strict=True)]
    shown = [text for size, text in sorted(parts, reverse=True) if size >= 0.5]
    return ", ".join(shown) or "less than 0.5 mm"
