"""Names that become files of a project: what is allowed, and the nearest allowed name to any text."""

from __future__ import annotations

import hashlib
import re
import unicodedata

from SpiderSegLib.errors import ProjectError
from SpiderSegLib.series_names import SEQUENCES, UNKNOWN_SEQUENCE, patient_of, sequence_of

#: Long enough for any sensible name, and with the time, annotator and hash of a revision still short of Windows's 260 characters.
LONGEST_NAME = 64

_ALLOWED = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")

#: Device names of Windows: no file may be called so, whatever its suffix.
_RESERVED = {"con", "prn", "aux", "nul", *(f"{device}{number}" for device in ("com", "lpt") for number in range(10))}

_HASH_LENGTH = 8


def check_name(name: str, what: str = "series") -> str:
    """The name itself. Raises ProjectError unless it is a file name on every system: ASCII letters, digits, '_', '-' and '.'."""
    if len(name) > LONGEST_NAME or not _ALLOWED.fullmatch(name) or name.endswith(".") or _is_reserved(name):
        shown = name if len(name) <= 80 else f"{name[:77]}..."
        raise ProjectError(
            f"expected a {what} name of at most {LONGEST_NAME} letters A-Z, digits, '_', '-' and '.', that is no device name, found {shown!r}"
        )
    return name


def is_name(name: str) -> bool:
    """Whether `check_name` lets a name pass."""
    try:
        check_name(name)
    except ProjectError:
        return False
    return True


def safe_name(text: str, longest: int = LONGEST_NAME) -> str:
    """An allowed name for any text: the text itself where it is one, else its letters with a short hash, so that two stay two.

    The ending of a series name that tells its sequence stays.
    """
    if is_name(text) and len(text) <= longest:
        return text
    sequence = sequence_of(text)
    ending = f"_{sequence}" if sequence in SEQUENCES and sequence != UNKNOWN_SEQUENCE else ""
    plain = unicodedata.normalize("NFKD", patient_of(text) if ending else text).encode("ascii", "ignore").decode()
    plain = re.sub(r"[^A-Za-z0-9_-]+", "-", plain).strip("-_")
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:_HASH_LENGTH]
    kept = plain[: longest - len(ending) - _HASH_LENGTH - 1].strip("-_")
    return f"{kept}-{digest}{ending}" if kept else f"{digest}{ending}"


def same_person(one: str, other: str) -> bool:
    """Whether two annotators' names are one person's, whatever their case and spaces."""
    return folded(one) == folded(other)


def folded(name: str) -> str:
    """A name as names are compared."""
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())


def check_annotator(name: str) -> str:
    """An annotator's name without spaces at its ends. Raises ProjectError when it is empty, long, or holds control characters."""
    stripped = name.strip()
    if not stripped or len(stripped) > LONGEST_NAME or not stripped.isprintable():
        raise ProjectError(f"expected an annotator's name of 1 to {LONGEST_NAME} characters, found {name[:80]!r}")
    return stripped


def _is_reserved(name: str) -> bool:
    return name.partition(".")[0].lower() in _RESERVED
