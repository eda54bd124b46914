"""A whole data set measured, and what only shows between series: mixed numbering, duplicates, patients that don't agree."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from SpiderSegLib.cases import Case, CaseSet, Track
from SpiderSegLib.inspection.findings import Finding, FindingKind, Severity, find_in_series
from SpiderSegLib.inspection.series import SeriesStatistics, inspect_case
from SpiderSegLib.labels import Structure
from SpiderSegLib.overview import Overview

_KINDS, _SEVERITIES = list(FindingKind), list(Severity)


@dataclass(frozen=True)
class Inspection:
    """Every series, and everything found, the worst first."""

    series: tuple[SeriesStatistics, ...]
    findings: tuple[Finding, ...]

    @property
    def is_nothing_read(self) -> bool:
        return not any(series.is_read for series in self.series)

    def findings_of(self, name: str) -> list[Finding]:
        return [finding for finding in self.findings if name in finding.series]


def inspect_cases(case_set: CaseSet, overview: Overview, track: Track[Case] = iter) -> Inspection:
    """Reads and measures every case of a data set; files that can't be read become findings."""
    # A data list's entry without image is meant so: images are synthesized over its mask.
    measure = partial(inspect_case, overview=overview, is_image_expected=not case_set.is_datalist)
    series = tuple(measure(case) for case in track(case_set.cases))
    found = [finding for one in series for finding in find_in_series(one)]
    found += [*_numbering(series), *_duplicates(series), *_patients(series)]
    found.sort(key=lambda finding: (_SEVERITIES.index(finding.severity), _KINDS.index(finding.kind)))
    return Inspection(series, tuple(found))


def _numbering(series: Sequence[SeriesStatistics]) -> Iterator[Finding]:
    downward = [one.case.name for one in series if one.labels is not None and one.labels.is_downward]
    upward = [one.case.name for one in series if one.labels is not None and 1 in one.labels.levels(Structure.VERTEBRA) and not one.labels.is_downward]
    if downward and upward:
        message = f"masks that count 24 downward (L5 = 24): {len(downward)}, 1 upward (L5 = 1): {len(upward)}"
        yield Finding(FindingKind.MIXED_NUMBERING, Severity.ERROR, tuple(downward if len(downward) <= len(upward) else upward), message)
    elif downward:
        yield Finding(FindingKind.DOWNWARD_NUMBERING, Severity.NOTE, tuple(downward), "all of them count 24 downward (L5 = 24)")


def _duplicates(series: Sequence[SeriesStatistics]) -> Iterator[Finding]:
    by_content: dict[str, list[SeriesStatistics]] = defaultdict(list)
    for one in series:
        if one.content:
            by_content[one.content].append(one)
    for same in by_content.values():
        if len(same) > 1:
            patients = sorted({one.case.patient_id for one in same})
            severity = Severity.ERROR if len(patients) > 1 else Severity.WARNING
            whose = f"of different patients ({', '.join(patients)})" if len(patients) > 1 else f"of patient {patients[0]}"
            yield Finding(FindingKind.DUPLICATE, severity, tuple(one.case.name for one in same), f"the same image {len(same)} times, {whose}")


def _patients(series: Sequence[SeriesStatistics]) -> Iterator[Finding]:
    by_patient: dict[str, list[SeriesStatistics]] = defaultdict(list)
    for one in series:
        if one.labels is not None and one.labels.levels(Structure.VERTEBRA):
            by_patient[one.case.patient_id].append(one)
    for patient, own in by_patient.items():
        counts = {one.case.name: len(one.labels.levels(Structure.VERTEBRA)) for one in own if one.labels is not None}
        if len(set(counts.values())) > 1:
            message = f"patient {patient}: vertebrae " + ", ".join(f"{count} in {name}" for name, count in counts.items())
            yield Finding(FindingKind.PATIENT_LEVELS, Severity.WARNING, tuple(counts), message)
