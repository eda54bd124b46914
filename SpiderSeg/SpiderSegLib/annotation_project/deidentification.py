"""What of a series may enter a project: its voxels, its grid and a white list of technical facts. Nothing that tells whose it is."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from SpiderSegLib.overview import OverviewRow
from SpiderSegLib.sequence import Sequence

_NUMBER = re.compile(r"[-+]?\d+(?:\.\d*)?(?:[eE][-+]?\d+)?")
_WORDS = re.compile(r"[A-Za-z0-9 .,+/()_-]{1,64}")

#: The facts that are kept, by DICOM keyword as in SPIDER's overview.csv, and what their values look like. Free texts (descriptions,
#: protocols), serial numbers, dates, places and UIDs are not among them: people write names there, or find them by those.
FACTS: Mapping[str, re.Pattern[str]] = {
    "Manufacturer": _WORDS,
    "ManufacturerModelName": _WORDS,
    "MagneticFieldStrength": _NUMBER,
    "RepetitionTime": _NUMBER,
    "EchoTime": _NUMBER,
    "InversionTime": _NUMBER,
    "EchoTrainLength": _NUMBER,
    "FlipAngle": _NUMBER,
    "SliceThickness": _NUMBER,
    "SpacingBetweenSlices": _NUMBER,
    "MRAcquisitionType": re.compile(r"[23]D"),
    "ScanningSequence": re.compile(r"[A-Z]{2}(?:\\[A-Z]{2})*"),
}

#: What is known beside the header: the sequence as `sequence` guessed it, and SPIDER's subset and counts.
SEQUENCE_FACT, SUBSET_FACT, VERTEBRAE_FACT, DISCS_FACT = "Sequence", "subset", "num_vertebrae", "num_discs"

#: Shorter texts are parts of many harmless words and numbers.
_SHORTEST_SECRET = 3

#: Header lines of a MetaImage file that hold geometry and how the voxels are stored, and what their values look like.
_NUMBERS = re.compile(r"[-+0-9.eE ]*")
_TRUTH = re.compile(r"True|False")
_PLAIN_LINES: Mapping[str, re.Pattern[str]] = {
    "ObjectType": re.compile(r"Image"),
    "NDims": re.compile(r"3"),
    "BinaryData": _TRUTH,
    "BinaryDataByteOrderMSB": _TRUTH,
    "ElementByteOrderMSB": _TRUTH,
    "CompressedData": _TRUTH,
    "CompressedDataSize": _NUMBERS,
    "TransformMatrix": _NUMBERS,
    "Offset": _NUMBERS,
    "Position": _NUMBERS,
    "CenterOfRotation": _NUMBERS,
    "AnatomicalOrientation": re.compile(r"[RLAPIS?]{3}"),
    "ElementSpacing": _NUMBERS,
    "ElementSize": _NUMBERS,
    "DimSize": _NUMBERS,
    "ElementNumberOfChannels": re.compile(r"1"),
    "ElementType": re.compile(r"MET_[A-Z_]+"),
    "ITK_InputFilterName": re.compile(r"\w*ImageIO"),
    "ElementDataFile": re.compile(r"LOCAL"),
}

_LONGEST_HEADER = 1 << 14

_BYTES = {"CHAR": 1, "UCHAR": 1, "SHORT": 2, "USHORT": 2, "INT": 4, "UINT": 4, "LONG": 4, "ULONG": 4, "LONG_LONG": 8, "ULONG_LONG": 8, "FLOAT": 4}


def technical_facts(header: Mapping[str, str], secrets: Iterable[str] = ()) -> dict[str, str]:
    """The white list's facts of a header; values that don't look as they should, or hold one of the secrets, are left out."""
    hidden = tuple(secrets)
    found = {}
    for key, pattern in FACTS.items():
        value = header.get(key, "").strip()
        if pattern.fullmatch(value) and not (pattern is _WORDS and holds_any(value, hidden)):
            found[key] = value
    return found


def facts_of_overview(row: OverviewRow) -> dict[str, str]:
    """What a row of overview.csv says, under its columns' names; sex and age stay outside."""
    values = {
        SUBSET_FACT: row.subset,
        "Manufacturer": row.manufacturer,
        "ManufacturerModelName": row.model,
        "MagneticFieldStrength": row.field_strength_t,
        "RepetitionTime": row.repetition_time_ms,
        "EchoTime": row.echo_time_ms,
        VERTEBRAE_FACT: row.n_vertebrae,
        DISCS_FACT: row.n_discs,
    }
    texts = {key: str(value) for key, value in values.items() if value not in (None, "")}
    extra = {key: texts[key] for key in (SUBSET_FACT, VERTEBRAE_FACT, DISCS_FACT) if _WORDS.fullmatch(texts.get(key, ""))}
    return {**technical_facts(texts), **extra}


def sequence_fact(sequence: Sequence) -> dict[str, str]:
    """The guessed sequence as a fact; none where it is unknown."""
    return {} if sequence is Sequence.UNKNOWN else {SEQUENCE_FACT: sequence.value}


def secrets_in(texts: Iterable[str]) -> tuple[str, ...]:
    """The texts and their words that must not appear anywhere, the longest first; very short ones are no secrets."""
    found = {part.casefold() for text in texts for part in (text.strip(), *re.split(r"[\s^=,;/\\]+", text)) if len(part) >= _SHORTEST_SECRET}
    return tuple(sorted(found, key=lambda part: (-len(part), part)))


def holds_any(text: str, secrets: Iterable[str]) -> bool:
    """Whether a text holds one of the secrets, in any case."""
    folded = text.casefold()
    return any(secret in folded for secret in secrets)


def scrubbed(message: str, secrets: Iterable[str]) -> str:
    """A message with every secret replaced by '..'."""
    for secret in secrets:
        message = re.sub(re.escape(secret), "..", message, flags=re.IGNORECASE)
    return message


def is_plain_metaimage(path: Path) -> bool:
    """Whether a file is a 3D .mha that says nothing beyond its geometry and holds nothing beyond its voxels: it may be copied as it is."""
    try:
        with path.open("rb") as file:
            start = file.read(_LONGEST_HEADER)
        size = path.stat().st_size
    except OSError:
        return False
    end = re.search(rb"^ElementDataFile *= *LOCAL\r?\n", start, re.MULTILINE)
    if path.suffix.lower() != ".mha" or end is None:
        return False
    lines = [line.partition("=") for line in start[: end.end()].decode("latin-1").split("\n") if line.strip()]
    header = {key.strip(): value.strip() for key, _, value in lines}
    if not all(key in _PLAIN_LINES and _PLAIN_LINES[key].fullmatch(value) for key, value in header.items()):
        return False
    return size - end.end() == _voxel_bytes(header)


def _voxel_bytes(header: Mapping[str, str]) -> int:
    """How many bytes the voxels take in the file; -1 when the header does not say."""
    try:
        if header.get("CompressedData") == "True":
            return int(header["CompressedDataSize"])
        total = _BYTES.get(header["ElementType"].removeprefix("MET_"), 8)
        for size in header["DimSize"].split():
            total *= int(size)
        return total
    except (KeyError, ValueError):
        return -1
