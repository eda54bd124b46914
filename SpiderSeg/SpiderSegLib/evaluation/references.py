"""What the values of a reference labelmap stand for."""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from SpiderSegLib.errors import LabelError
from SpiderSegLib.labels import (
    DISC_OFFSET,
    HIGHEST_LEVEL,
    SPINAL_CANAL,
    Structure,
    check_values,
    from_downward_numbering,
    is_downward_numbering,
)


class ReferenceKind(str, Enum):
    """Kinds of reference: `auto` asks for detection; the others say what the values are."""

    AUTO = "auto"
    SPIDER = "spider"
    """SPIDER values: every score."""
    CLASSES = "classes"
    """A class map (1 vertebra, 2 disc, 3 canal): structure Dice alone."""
    BODIES = "bodies"
    """Vertebral bodies alone, 1 = lowest: body recall and level accuracy."""
    DISCS = "discs"
    """Discs alone, 1 = lowest (or 201 = lowest): disc scores and level accuracy."""


def detect_reference_kind(values: Iterable[int], name: str = "reference") -> ReferenceKind:
    """The kind of a labelmap with these values.

    Only values 1-3: a class map (a SPIDER mask practically always holds the canal, 100, or a disc, 201 up). Any value from 100
    up: SPIDER. Raises LabelError when the labelmap is empty, or holds levels alone, which may be vertebrae, bodies or discs.
    """
    present = {int(value) for value in values} - {0}
    if not present:
        raise LabelError(f"{name}: expected a reference with labels, found background alone")
    if present <= {int(structure) for structure in Structure}:
        return ReferenceKind.CLASSES
    if max(present) >= SPINAL_CANAL:
        return ReferenceKind.SPIDER
    raise LabelError(
        f"{name}: expected the spinal canal (100), discs (201..) or a class map (1-3), found only {sorted(present)}: "
        "vertebrae, vertebral bodies or discs? State the reference kind (spider, bodies or discs)"
    )


def in_spider_values(reference: NDArray[Any], values: Iterable[int], kind: ReferenceKind, name: str) -> tuple[NDArray[Any], tuple[str, ...]]:
    """The reference with SPIDER values (a class map unchanged) and warnings about what was renumbered.

    `values` are the values present. SPIDER masks that count 24 downward are renumbered; discs 1.. become 201...
    Raises LabelError naming the file for an empty reference or values that the kind does not have.
    """
    present = {int(value) for value in values} - {0}
    if not present:
        raise LabelError(f"{name}: expected a reference with labels, found background alone")
    if kind is ReferenceKind.SPIDER:
        return _spider(reference, present, name)
    if kind is ReferenceKind.DISCS and min(present) > DISC_OFFSET:
        check_values(present, name)
        return reference, ()
    highest = int(max(Structure)) if kind is ReferenceKind.CLASSES else HIGHEST_LEVEL
    if max(present) > highest:
        raise LabelError(f"{name}: expected values 1-{highest} in a reference of kind {kind.value}, found {sorted(present)}")
    if kind is ReferenceKind.DISCS:
        return np.where(reference > 0, reference.astype(np.uint8) + np.uint8(DISC_OFFSET), 0).astype(np.uint8), ()
    return reference, ()


def _spider(reference: NDArray[Any], present: set[int], name: str) -> tuple[NDArray[Any], tuple[str, ...]]:
    check_values(present, name)
    if is_downward_numbering(present):
        return from_downward_numbering(reference), ("reference counts 24 downward (L5 = 24): renumbered to SPIDER's 1 upward",)
    return reference, ()
