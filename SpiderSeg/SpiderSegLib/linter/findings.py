"""What can be wrong with a labelmap, how bad it is, where, and what to do about it."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from SpiderSegLib.counted import counted

Point = tuple[float, float, float]


class Severity(str, Enum):
    """error: falsifies levels or scores; warning: most likely a fault; note: should be seen once."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


class Rule(str, Enum):
    """The rules by their ids, in the order of a report."""

    GRID_MISMATCH = "grid-mismatch"
    UNKNOWN_VALUES = "unknown-values"
    EMPTY_LABELMAP = "empty-labelmap"
    CLASS_MAP = "class-map"
    DOWNWARD_NUMBERING = "downward-numbering"
    MISSING_STRUCTURE = "missing-structure"
    NUMBERING_GAP = "numbering-gap"
    NUMBERING_ORDER = "numbering-order"
    LEVEL_TWICE = "level-twice"
    PARTIAL_IN_MIDDLE = "partial-in-middle"
    MISSING_DISC = "missing-disc"
    DISC_WITHOUT_VERTEBRA = "disc-without-vertebra"
    DISC_NOT_BETWEEN = "disc-not-between"
    TWO_BODIES = "two-bodies"
    ISLANDS = "islands"
    HOLES = "holes"
    CANAL_BREAK = "canal-break"
    CANAL_NARROWING = "canal-narrowing"
    VERTEBRA_IN_CANAL = "vertebra-in-canal"
    IMPLAUSIBLE_SIZE = "implausible-size"
    IMPLAUSIBLE_POSITION = "implausible-position"


#: What a rule looks for, and one line on what to do.
MEANING_AND_ADVICE = {
    Rule.GRID_MISMATCH: (
        "mask and image lie on different grids",
        "resample the mask to the image's grid with nearest-neighbor interpolation, or find the image it was drawn on",
    ),
    Rule.UNKNOWN_VALUES: (
        "values outside SPIDER's scheme",
        "change the values to SPIDER's (1-25 vertebrae, 100 canal, 101-125 cut vertebrae, 201-225 discs), or erase them",
    ),
    Rule.EMPTY_LABELMAP: ("background alone", "annotate the series, or remove the mask: as it is, it teaches that there is no spine"),
    Rule.CLASS_MAP: (
        "structures without numbers: 1 vertebrae, 2 discs, 3 canal",
        "number the vertebrae and discs, or keep the file in classes/ where no numbers are expected",
    ),
    Rule.DOWNWARD_NUMBERING: ("levels counted 24 downward", "renumber so that the lowest lumbar vertebra is 1 and the disc below it 201"),
    Rule.MISSING_STRUCTURE: ("no vertebra, no disc or no canal", "complete the mask: what is not labelled is learned as background"),
    Rule.NUMBERING_GAP: ("a number is left out", "label the level left out, or renumber the ones above it"),
    Rule.NUMBERING_ORDER: ("a level lies below one of a lower number", "change the numbers so that they rise from the lowest vertebra up"),
    Rule.LEVEL_TWICE: ("a vertebra is labelled both whole and cut", "merge the two labels, or give one of them the number of its own level"),
    Rule.PARTIAL_IN_MIDDLE: (
        "a vertebra labelled as cut lies between others, off the border",
        "label it as whole: only the field of view cuts a vertebra",
    ),
    Rule.MISSING_DISC: ("no disc between two vertebrae", "label the disc, unless the two vertebrae are fused"),
    Rule.DISC_WITHOUT_VERTEBRA: (
        "a disc whose vertebra above, or below, is not labelled",
        "label the vertebra (100 + n if the field of view cuts it), if it is in view",
    ),
    Rule.DISC_NOT_BETWEEN: ("a disc does not lie between its two vertebrae", "give the disc the number of the vertebra above it, plus 200"),
    Rule.TWO_BODIES: ("two sizable pieces under one label", "give each vertebra or disc its own number, or erase the piece that is none"),
    Rule.ISLANDS: ("pieces far smaller than their structure, apart from it", "remove the islands, or join them to the structure"),
    Rule.HOLES: ("background enclosed by a structure in a sagittal slice", "fill the holes"),
    Rule.CANAL_BREAK: ("the canal is interrupted", "label the canal where it is missing"),
    Rule.CANAL_NARROWING: (
        "the canal's area falls by more than 60 % from one axial slice to the next",
        "look whether the canal is drawn at its full width on both sides of the place",
    ),
    Rule.VERTEBRA_IN_CANAL: (
        "vertebra inside the canal's outline",
        "erase the bone inside the canal, or draw the canal's border back to it",
    ),
    Rule.IMPLAUSIBLE_SIZE: (
        "far larger or smaller than its like in the reference masks",
        "look for a missed part, a neighbor's part or a wrong number; a fracture or a metastasis can explain it, too",
    ),
    Rule.IMPLAUSIBLE_POSITION: (
        "far nearer to a neighbor or to the canal, or farther from them, than in the reference masks",
        "look for a level that is not labelled or numbered twice, and for labels off the column",
    ),
}

_SEVERITIES, _RULES = list(Severity), list(Rule)


@dataclass(frozen=True)
class Finding:
    """One fault: rule, severity, label it is about (0 if none), a place to look at (LPS mm, None if it has none), what is wrong in words.

    Levels are called by number ('vertebra 3'): no name of a level is asserted.
    """

    rule: Rule
    severity: Severity
    value: int
    location_lps_mm: Point | None
    message: str

    @property
    def advice(self) -> str:
        """What to do, in one line."""
        return MEANING_AND_ADVICE[self.rule][1]

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON, places to 0.1 mm."""
        location = None if self.location_lps_mm is None else [round(value, 1) for value in self.location_lps_mm]
        return {
            "rule": self.rule.value,
            "severity": self.severity.value,
            "value": self.value,
            "location_lps_mm": location,
            "message": self.message,
            "advice": self.advice,
        }

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Finding:
        """What `as_dict` wrote. Raises KeyError or ValueError for another record."""
        location = record["location_lps_mm"]
        place = None if location is None else (float(location[0]), float(location[1]), float(location[2]))
        return cls(Rule(record["rule"]), Severity(record["severity"]), int(record["value"]), place, str(record["message"]))


def finding_counts(findings: Iterable[Finding]) -> dict[str, int]:
    """How many findings there are of each severity that occurs, the worst first: {'error': 1, 'note': 4}."""
    counts = Counter(finding.severity for finding in findings)
    return {severity.value: counts[severity] for severity in Severity if counts[severity]}


def counts_text(counts: Mapping[str, int]) -> str:
    """Counts by severity in words, the worst first: '1 error, 4 notes'."""
    return ", ".join(counted(counts[severity.value], severity.value) for severity in Severity if counts.get(severity.value))


def is_at_least(severity: Severity, least: Severity) -> bool:
    """Whether a severity is as bad as `least` or worse."""
    return _SEVERITIES.index(severity) <= _SEVERITIES.index(least)


def in_order(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """The worst first, then without a place, then from top to bottom."""
    return tuple(sorted(findings, key=_place_in_order))


def _place_in_order(finding: Finding) -> tuple[int, float, int, int, str]:
    depth = -math.inf if finding.location_lps_mm is None else -round(finding.location_lps_mm[2], 1)
    return _SEVERITIES.index(finding.severity), depth, _RULES.index(finding.rule), finding.value, finding.message
