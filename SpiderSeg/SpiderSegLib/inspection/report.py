"""An inspection as a table for people, as CSV with one row a series, and as JSON."""

from __future__ import annotations

import csv
import io as std_io
import json
import math
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from SpiderSegLib.inspection.cohort import Inspection
from SpiderSegLib.inspection.findings import ADVICE, Finding, FindingKind, Severity
from SpiderSegLib.inspection.series import SeriesStatistics
from SpiderSegLib.labels import FOREGROUND, Structure, label_table
from SpiderSegLib.preprocessing import reorientation_to
from SpiderSegLib.volume import Geometry

#: Names printed with a finding; the CSV has them all.
MOST_NAMED = 4

_TITLES = {Structure.VERTEBRA: "vertebra", Structure.DISC: "disc", Structure.CANAL: "canal"}


def series_record(series: SeriesStatistics, findings: Iterable[Finding] = ()) -> dict[str, Any]:
    """One series as plain values, None where there is nothing; the keys are the CSV's columns."""
    case, grid, intensities, labels, row = series.case, series.grid, series.intensities, series.labels, series.overview
    record: dict[str, Any] = {
        "series": case.name,
        "patient_id": case.patient_id,
        "sequence": case.sequence,
        "split": case.split or None,
        "image": None if case.image is None else str(case.image),
        "mask": None if case.reference is None else str(case.reference),
        "reference_kind": case.reference_kind,
    }
    for number, axis in enumerate("ijk"):
        record[f"size_{axis}"] = None if grid is None else grid.size_ijk[number]
    for number, axis in enumerate("ijk"):
        record[f"spacing_{axis}_mm"] = None if grid is None else round(grid.spacing_ijk_mm[number], 6)
    record["orientation"] = None if grid is None else grid.orientation
    record["dtype"] = series.dtype or None
    for name in ("minimum", "low", "median", "high", "maximum", "share_at_maximum"):
        key = {"low": "percentile_1", "high": "percentile_99"}.get(name, name)
        record[key] = None if intensities is None else _finite(getattr(intensities, name))
    record["labels"] = None if labels is None else " ".join(map(str, labels.voxels))
    record["n_vertebrae"] = None if labels is None or labels.kind == "classes" else len(labels.levels(Structure.VERTEBRA))
    record["n_discs"] = None if labels is None or labels.kind == "classes" else len(labels.levels(Structure.DISC))
    for structure, title in _TITLES.items():
        record[f"{title}_voxels"] = None if labels is None else labels.structure_voxels[structure]
        record[f"{title}_ml"] = None if labels is None else round(labels.volume_ml(structure), 3)
    for region in ("lumbar", "thoracic"):
        record[f"{region}_voxels"] = None if labels is None else labels.region_voxels.get(region)
    record["foreground_share"] = None if labels is None else round(labels.foreground_share, 6)
    record["structure_ratio"] = None if labels is None or labels.structure_ratio is None else round(labels.structure_ratio, 2)
    record["islands"] = None if labels is None else sum(labels.islands.values())
    for column in ("subset", "manufacturer", "model", "field_strength_t", "repetition_time_ms", "echo_time_ms"):
        record[column] = None if row is None else getattr(row, column) or None
    record["findings"] = "; ".join(finding.kind.value for finding in findings)
    return record


def _finite(value: float) -> float | None:
    return round(value, 6) if math.isfinite(value) else None


def csv_text(inspection: Inspection) -> str:
    """One row a series, with a header."""
    records = [series_record(series, inspection.findings_of(series.case.name)) for series in inspection.series]
    buffer = std_io.StringIO()
    writer = csv.DictWriter(buffer, fieldnames=list(records[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(records)
    return buffer.getvalue()


def json_text(inspection: Inspection) -> str:
    """Everything: the columns of the CSV with voxels by label, and the findings with their advice."""
    rows = []
    for series in inspection.series:
        record = series_record(series, inspection.findings_of(series.case.name))
        record["voxels_by_label"] = None if series.labels is None else {str(value): count for value, count in series.labels.voxels.items()}
        record["content_sha256"] = series.content or None
        rows.append(record)
    findings = [
        {"kind": one.kind.value, "severity": one.severity.value, "series": list(one.series), "message": one.message, "advice": one.advice}
        for one in inspection.findings
    ]
    return json.dumps({"series": rows, "findings": findings}, indent=1) + "\n"


def table_text(inspection: Inspection) -> str:
    """Sequences, labels and findings as text for people."""
    parts = [_sequence_table(inspection.series), _structure_table(inspection.series), _level_table(inspection.series), _finding_table(inspection)]
    return "\n\n".join(part for part in parts if part)


def _sequence_table(series: Sequence[SeriesStatistics]) -> str:
    patients = len({one.case.patient_id for one in series})
    lines = [f"{len(series)} series of {patients} patients; sizes and spacings are front-back x head-foot x left-right"]
    for sequence in sorted({one.case.sequence for one in series}):
        own = [one for one in series if one.case.sequence == sequence]
        grids = [_sagittal(one.grid) for one in own if one.grid is not None]
        sizes = " x ".join(_range([size[axis] for size, _ in grids]) for axis in range(3))
        spacings = " x ".join(_range([spacing[axis] for _, spacing in grids]) for axis in range(3))
        orientations = Counter(one.grid.orientation for one in own if one.grid is not None).most_common()
        stored = ", ".join(f"{name} {count}" for name, count in orientations)
        lines.append(f"{sequence} ({len(own)}): {sizes} voxels; {spacings} mm; orientation {stored}")
        lines.append(f"    {_intensity_line(own)}")
        scanners = Counter(one.overview.manufacturer or "unknown" for one in own if one.overview is not None)
        if scanners:
            lines.append(f"    {_scanner_line(own, scanners)}")
    return "\n".join(lines)


def _sagittal(geometry: Geometry) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Size and spacing in one order, however the file is stored."""
    axes = [2 - axis for axis in reversed(reorientation_to(geometry).axes_kji)]
    return tuple(geometry.size_ijk[axis] for axis in axes), tuple(geometry.spacing_ijk_mm[axis] for axis in axes)


def _intensity_line(own: Sequence[SeriesStatistics]) -> str:
    found = [one.intensities for one in own if one.intensities is not None]
    types = ", ".join(sorted({one.dtype for one in own if one.dtype}))
    if not found:
        return "no image"
    return (
        f"{types}; minimum {_range([one.minimum for one in found])}, median {_range([one.median for one in found])}, "
        f"99th percentile {_range([one.high for one in found])}, maximum {_range([one.maximum for one in found])}"
    )


def _scanner_line(own: Sequence[SeriesStatistics], scanners: Counter[str]) -> str:
    rows = [one.overview for one in own if one.overview is not None]
    names = ", ".join(f"{name} {count}" for name, count in scanners.most_common(4))
    times = {
        "TR": [row.repetition_time_ms for row in rows if row.repetition_time_ms is not None],
        "TE": [row.echo_time_ms for row in rows if row.echo_time_ms is not None],
    }
    strengths = [row.field_strength_t for row in rows if row.field_strength_t is not None]
    timing = "".join(f"; {name} {_range(values)} ms" for name, values in times.items() if values)
    return names + (f"; {_range(strengths)} T" if strengths else "") + timing


def _range(values: Sequence[float]) -> str:
    if not values or not all(math.isfinite(value) for value in values):
        return "-"
    low, high = f"{min(values):.4g}", f"{max(values):.4g}"
    return low if low == high else f"{low}..{high}"


def _structure_table(series: Sequence[SeriesStatistics]) -> str:
    labels = [one.labels for one in series if one.labels is not None and one.labels.voxels]
    if not labels:
        return ""
    shares = [one.foreground_share for one in labels]
    lines = [
        f"Foreground: {100 * min(shares):.2f}..{100 * max(shares):.2f} % of the voxels",
        f"{'structure':<12}{'in series':>10}{'share of foreground':>21}{'ml, median':>12}",
    ]
    total = sum(sum(one.structure_voxels.values()) for one in labels)
    for structure in FOREGROUND:
        present = [one for one in labels if one.structure_voxels[structure]]
        share = sum(one.structure_voxels[structure] for one in present) / max(1, total)
        median = sorted(one.volume_ml(structure) for one in present)[len(present) // 2] if present else 0.0
        lines.append(f"{_TITLES[structure]:<12}{len(present):>10}{100 * share:>20.1f}%{median:>12.1f}")
    ratios = sorted(one.structure_ratio for one in labels if one.structure_ratio is not None)
    if ratios:
        lines.append(f"Largest over smallest structure: {ratios[len(ratios) // 2]:.1f} in the median series, {ratios[-1]:.1f} at most")
    regions: Counter[str] = Counter()
    for one in labels:
        regions.update(one.region_voxels)
    if regions:
        total = max(1, sum(regions.values()))
        shown = ", ".join(f"{region} {100 * count / total:.1f} %" for region, count in regions.items())
        lines.append(f"Vertebrae and discs by region (level 1-5 lumbar, above thoracic): {shown}")
    return "\n".join(lines)


def _level_table(series: Sequence[SeriesStatistics]) -> str:
    """In how many SPIDER masks each label is present, and how many voxels it has there; masks that count downward renumbered."""
    labels = [one.labels for one in series if one.labels is not None and one.labels.kind == "spider"]
    counts = Counter(value for one in labels for value in one.upward_voxels)
    if not counts:
        return ""
    lines = [f"{'label':>6}  {'name':<16}{'in series':>10}{'voxels, all series':>20}"]
    for value in sorted(counts):
        known = all(value not in one.unknown for one in labels)
        name = label_table()[value].name if known else "unknown value"
        lines.append(f"{value:>6}  {name:<16}{counts[value]:>10}{sum(one.upward_voxels.get(value, 0) for one in labels):>20}")
    return "\n".join(lines)


def _finding_table(inspection: Inspection) -> str:
    if not inspection.findings:
        return "Nothing found that will hurt."
    totals = Counter(finding.severity for finding in inspection.findings)
    lines = ["Found: " + ", ".join(f"{totals[severity]} {severity.value}s" for severity in Severity if totals[severity])]
    for severity in Severity:
        for kind in FindingKind:
            own = [finding for finding in inspection.findings if (finding.kind, finding.severity) == (kind, severity)]
            if own:
                lines.extend(_finding_lines(kind, severity, own))
    return "\n".join(lines)


def _finding_lines(kind: FindingKind, severity: Severity, own: Sequence[Finding]) -> list[str]:
    n_series = len({name for finding in own for name in finding.series})
    lines = [f"{severity.value.upper():<8} {kind.value}, {n_series} series: {ADVICE[kind]}"]
    for finding in own[:MOST_NAMED]:
        names = ", ".join(finding.series[:MOST_NAMED]) + (", .." if len(finding.series) > MOST_NAMED else "")
        lines.append(f"           {names}: {finding.message}")
    if len(own) > MOST_NAMED:
        lines.append(f"           and {len(own) - MOST_NAMED} more")
    return lines
