"""The findings of many series as text for people, as CSV with one row a finding, and as JSON."""

from __future__ import annotations

import csv
import io as std_io
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from SpiderSegLib.linter.findings import MEANING_AND_ADVICE, Finding, Rule, Severity, counts_text, is_at_least

CSV_COLUMNS = ("series", "rule", "severity", "value", "x_lps_mm", "y_lps_mm", "z_lps_mm", "message", "advice")


@dataclass(frozen=True)
class LintedSeries:
    """One labelmap by name and path, and what was found in it, the worst first; or in words why it could not be read."""

    name: str
    path: str
    findings: tuple[Finding, ...] = ()
    error: str = ""


def table_text(series: Sequence[LintedSeries], least: Severity) -> str:
    """The findings of each series that are at least so bad, and a summary by rule with what to do."""
    shown = [(one, [finding for finding in one.findings if is_at_least(finding.severity, least)]) for one in series if not one.error]
    parts = [_series_text(one.name, findings) for one, findings in shown if findings]
    return "\n\n".join([*parts, _summary(series, least)])


def _series_text(name: str, findings: Sequence[Finding]) -> str:
    return "\n".join([name, *(f"  {one.severity.value:<8}{one.rule.value:<22}{one.message}{_place(one)}" for one in findings)])


def _place(finding: Finding) -> str:
    if finding.location_lps_mm is None:
        return ""
    return " at LPS " + ", ".join(f"{value:.0f}" for value in finding.location_lps_mm)


def _summary(series: Sequence[LintedSeries], least: Severity) -> str:
    read = [one for one in series if not one.error]
    hidden = sum(not is_at_least(finding.severity, least) for one in read for finding in one.findings)
    clean = sum(not any(is_at_least(finding.severity, least) for finding in one.findings) for one in read)
    failed = f", {len(series) - len(read)} could not be read" if len(read) < len(series) else ""
    lines = [f"{len(read)} labelmaps looked at{failed}; nothing found in {clean}"]
    if hidden:
        lines[0] += f"; {hidden} less severe findings are not shown (--severity note)"
    for rule, counts, n_series in rule_counts(read):
        if any(counts[severity] for severity in Severity if is_at_least(severity, least)):
            lines += [
                f"{rule.value}: {counts_text({severity.value: count for severity, count in counts.items()})} in {n_series} series",
                f"    {MEANING_AND_ADVICE[rule][1]}",
            ]
    return "\n".join(lines)


def rule_counts(series: Sequence[LintedSeries]) -> list[tuple[Rule, Counter[Severity], int]]:
    """Of each rule that found something: findings by severity, and in how many series."""
    rows = []
    for rule in Rule:
        counts = Counter(finding.severity for one in series for finding in one.findings if finding.rule is rule)
        if counts:
            rows.append((rule, counts, sum(any(finding.rule is rule for finding in one.findings) for one in series)))
    return rows


def csv_text(series: Sequence[LintedSeries]) -> str:
    """One row a finding, with a header; series without findings have none."""
    buffer = std_io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(CSV_COLUMNS)
    for one in series:
        for finding in one.findings:
            place = ("", "", "") if finding.location_lps_mm is None else tuple(f"{value:.1f}" for value in finding.location_lps_mm)
            writer.writerow([one.name, finding.rule.value, finding.severity.value, finding.value, *place, finding.message, finding.advice])
    return buffer.getvalue()


def json_text(series: Sequence[LintedSeries]) -> str:
    """Every series with its findings, and the rules that found something with their counts."""
    rules = {
        rule.value: {"meaning": MEANING_AND_ADVICE[rule][0], **{severity.value: counts[severity] for severity in Severity}, "series": n_series}
        for rule, counts, n_series in rule_counts(series)
    }
    rows = [
        {"series": one.name, "path": one.path, "error": one.error or None, "findings": [finding.as_dict() for finding in one.findings]}
        for one in series
    ]
    return json.dumps({"series": rows, "rules": rules}, indent=1) + "\n"
