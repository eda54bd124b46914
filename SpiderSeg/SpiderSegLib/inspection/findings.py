"""What is wrong with one series, each with how bad it is and what to do."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from SpiderSegLib.inspection.series import Intensities, LabelStatistics, SeriesStatistics
from SpiderSegLib.labels import FOREGROUND, Structure

#: An image with a larger share of voxels at its maximum was clipped. Measured: 8-bit series that use their range have less than
#: 0.01 %, clipped ones 3 % and more.
SATURATED_SHARE = 0.01

#: Up to so many islands are an annotation tool's crumbs; more come from resampling a mask by interpolation or from noise.
MOST_CRUMBS = 20


class Severity(str, Enum):
    """error: can't be used, or falsifies scores; warning: will hurt; note: should be known."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


class FindingKind(str, Enum):
    """What can be wrong, in the order of the report."""

    UNREADABLE = "unreadable file"
    MISSING_FILE = "missing file"
    GRID_MISMATCH = "grid mismatch"
    UNKNOWN_LABELS = "unknown labels"
    EMPTY_MASK = "empty mask"
    MIXED_NUMBERING = "mixed numbering"
    DOWNWARD_NUMBERING = "downward numbering"
    MISSING_LABELS = "missing labels"
    DISC_WITHOUT_VERTEBRA = "disc without vertebra"
    DUPLICATE = "duplicate image"
    PATIENT_LEVELS = "levels differ in patient"
    COUNT_MISMATCH = "count not as in overview"
    NOT_FINITE = "NaN or infinite voxels"
    CONSTANT = "constant image"
    SATURATED = "saturated image"
    ISLANDS = "islands"


#: One line each.
ADVICE = {
    FindingKind.UNREADABLE: "fetch or export the file again, or remove the series",
    FindingKind.MISSING_FILE: "add the file, or remove the series; it takes no part in training and scoring",
    FindingKind.GRID_MISMATCH: "resample the mask to the image's grid with nearest-neighbor interpolation, or find the image it was drawn on",
    FindingKind.UNKNOWN_LABELS: "map the values to SPIDER's (0, 1-25, 100, 101-125, 201-225), or to classes 0-3 in classes/",
    FindingKind.EMPTY_MASK: "annotate it, or remove the series: as it is, it teaches that there is no spine",
    FindingKind.MIXED_NUMBERING: "renumber so that all masks count from 1 (L5) up; instance scores are meaningless across both",
    FindingKind.DOWNWARD_NUMBERING: "renumber to 1 (L5) upward before scoring with other tools",
    FindingKind.MISSING_LABELS: "complete the mask: what is not labelled is learned as background",
    FindingKind.DISC_WITHOUT_VERTEBRA: "label the vertebra above the disc (100 + n if cut by the field of view), if it is in view",
    FindingKind.DUPLICATE: "remove one of them, or give both one patient id, else the split leaks",
    FindingKind.PATIENT_LEVELS: "compare the masks: another field of view, or a level missed or counted twice",
    FindingKind.COUNT_MISMATCH: "compare the mask with its original: levels were lost or added since",
    FindingKind.NOT_FINITE: "export the series again",
    FindingKind.CONSTANT: "export the series again, or remove it",
    FindingKind.SATURATED: "use the original intensities: bright detail was clipped and can't come back",
    FindingKind.ISLANDS: "remove components far smaller than the structure; after resampling, repeat it with nearest neighbor",
}


@dataclass(frozen=True)
class Finding:
    """One thing that will hurt: its kind, how bad, the series it is about, and what was found."""

    kind: FindingKind
    severity: Severity
    series: tuple[str, ...]
    message: str

    @property
    def advice(self) -> str:
        return ADVICE[self.kind]


def find_in_series(series: SeriesStatistics) -> Iterator[Finding]:
    """What is wrong with one series on its own."""

    def finding(kind: FindingKind, severity: Severity, message: str) -> Finding:
        return Finding(kind, severity, (series.case.name,), message)

    for message in series.unreadable:
        yield finding(FindingKind.UNREADABLE, Severity.ERROR, message)
    for message in series.missing:
        yield finding(FindingKind.MISSING_FILE, Severity.ERROR, message)
    if series.geometry is not None and series.mask_geometry is not None and not series.geometry.is_same_grid(series.mask_geometry):
        message = f"image {series.geometry}, mask {series.mask_geometry}"
        yield finding(FindingKind.GRID_MISMATCH, Severity.ERROR, message)
    if series.intensities is not None:
        for kind, severity, message in _intensity_findings(series.intensities):
            yield finding(kind, severity, message)
    if series.labels is not None:
        for kind, severity, message in (*_label_findings(series.labels), *_count_findings(series, series.labels)):
            yield finding(kind, severity, message)


def _intensity_findings(found: Intensities) -> Iterator[tuple[FindingKind, Severity, str]]:
    if found.n_not_finite:
        yield FindingKind.NOT_FINITE, Severity.ERROR, f"{found.n_not_finite} voxels are NaN or infinite"
    if found.minimum == found.maximum:
        yield FindingKind.CONSTANT, Severity.ERROR, f"every voxel is {found.maximum:g}"
    elif found.share_at_maximum > SATURATED_SHARE:
        yield FindingKind.SATURATED, Severity.WARNING, f"{100 * found.share_at_maximum:.1f} % of the voxels are at the maximum, {found.maximum:g}"


def _label_findings(labels: LabelStatistics) -> Iterator[tuple[FindingKind, Severity, str]]:
    if labels.unknown:
        yield FindingKind.UNKNOWN_LABELS, Severity.ERROR, f"values {_listed(labels.unknown)} ({labels.kind})"
    if not labels.voxels:
        yield FindingKind.EMPTY_MASK, Severity.ERROR, "background alone"
        return
    absent = [structure.name.lower() for structure in FOREGROUND if labels.structure_voxels[structure] == 0]
    if absent:
        yield FindingKind.MISSING_LABELS, Severity.WARNING, f"no {' and no '.join(absent)}"
    for structure in (Structure.VERTEBRA, Structure.DISC):
        message = _gaps(structure, labels.levels(structure))
        if message:
            yield FindingKind.MISSING_LABELS, Severity.WARNING, message
    orphans = sorted(set(labels.levels(Structure.DISC)) - set(labels.levels(Structure.VERTEBRA)))
    if orphans:
        yield FindingKind.DISC_WITHOUT_VERTEBRA, Severity.WARNING, f"discs {_listed(orphans)} (counted from the lowest) have no vertebra above"
    n_islands = sum(labels.islands.values())
    if n_islands:
        severity = Severity.WARNING if n_islands > MOST_CRUMBS else Severity.NOTE
        yield FindingKind.ISLANDS, severity, f"{n_islands} small separate parts, of labels {_listed(sorted(labels.islands))}"


def _gaps(structure: Structure, levels: tuple[int, ...]) -> str:
    """What is missing below and between the levels of a structure, in words; '' when nothing is."""
    gaps = sorted(set(range(1, max(levels, default=0))) - set(levels))
    return f"{structure.name.lower()} levels {_listed(levels)} without {_listed(gaps)}" if gaps else ""


def _count_findings(series: SeriesStatistics, labels: LabelStatistics) -> Iterator[tuple[FindingKind, Severity, str]]:
    row = series.overview
    if row is None or not labels.voxels or labels.kind == "classes" or row.n_vertebrae is None or row.n_discs is None:
        return
    found = len(labels.levels(Structure.VERTEBRA)), len(labels.levels(Structure.DISC))
    if found != (row.n_vertebrae, row.n_discs):
        message = f"{found[0]} vertebrae and {found[1]} discs, overview.csv says {row.n_vertebrae} and {row.n_discs}"
        yield FindingKind.COUNT_MISMATCH, Severity.WARNING, message


def _listed(values: list[int] | tuple[int, ...]) -> str:
    return ", ".join(map(str, values[:10])) + (", .." if len(values) > 10 else "")
