"""Masks of one series that two people made from the same one: which there are, and how far they agree."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from SpiderSegLib.agreement import Agreement, agree, draw_agreement
from SpiderSegLib.corrections import History, ProjectFolder, Revision, read_mask
from SpiderSegLib.errors import MissingPackageError, ProjectError
from SpiderSegLib.io import read_volume
from SpiderSegLib.level_names import LevelNaming
from SpiderSegLib.volume import Volume


@dataclass(frozen=True)
class Conflict:
    """The heads of a series, the latest first, and how far the two latest agree; None, with the reason as `problem`, when it can't be told."""

    series: str
    heads: tuple[Revision, ...]
    agreement: Agreement | None
    problem: str = ""


class Comparison(NamedTuple):
    """How far two masks agree, and a PNG of where they differ."""

    agreement: Agreement
    picture: bytes


def conflictOf(folder: ProjectFolder, history: History) -> Conflict | None:
    """The conflict of a series; None without one."""
    if not history.is_conflict:
        return None
    heads = tuple(sorted(history.heads, key=lambda head: (head.created_utc, head.id), reverse=True))
    try:
        return Conflict(history.series, heads, agree(*(namedMask(folder, head) for head in heads[:2])))
    except ProjectError as error:
        return Conflict(history.series, heads, None, str(error))


def namedMask(folder: ProjectFolder, revision: Revision) -> Volume:
    """The mask of a revision, called by its annotator and time. Raises ProjectError when it can't be read."""
    mask = read_mask(folder, revision)
    return Volume(mask.array, mask.geometry, f"{revision.annotator} {revision.created_utc[:16].replace('T', ' ')}")


def compareRevisions(folder: ProjectFolder, first: Revision, second: Revision) -> Comparison:
    """Compares two revisions of a series over its image. Raises ProjectError for damaged files, MissingPackageError without matplotlib."""
    a, b = namedMask(folder, first), namedMask(folder, second)
    image = read_volume(folder.image(first.series))
    agreement = agree(a, b)
    try:
        return Comparison(agreement, _drawn(image, a, b, agreement, first.naming))
    except ImportError as error:
        raise MissingPackageError(f"the picture of two masks needs {error.name}: install it with the button of the module") from error


def _drawn(image: Volume, a: Volume, b: Volume, agreement: Agreement, naming: LevelNaming) -> bytes:
    try:
        return draw_agreement(image, a, b, agreement=agreement, naming=naming)
    except ImportError:
        # With the image it needs the network's packages, too, which who only corrects may do without.
        return draw_agreement(None, a, b, agreement=agreement, naming=naming)
