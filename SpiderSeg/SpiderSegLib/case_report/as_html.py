"""The report as one HTML file, section by section."""

from __future__ import annotations

from collections.abc import Callable

import SpiderSegLib
from SpiderSegLib.case_report import document, wording
from SpiderSegLib.case_report.case import CaseReport
from SpiderSegLib.case_report.document import Html, element, joined, paragraph, text
from SpiderSegLib.case_report.figure import figure_svg
from SpiderSegLib.case_report.levels import LevelRow, LevelTable, level_table
from SpiderSegLib.case_report.sagittal_slice import SagittalSlice, best_slice
from SpiderSegLib.corrections import Revision
from SpiderSegLib.labels import Structure, label_table
from SpiderSegLib.level_names import short_name
from SpiderSegLib.linter import counts_text, finding_counts
from SpiderSegLib.segmentation_files.header_texts import notice
from SpiderSegLib.volume import Geometry

#: Of a series at the lower border of a sheet; longer ones are cut.
LONGEST_NAME = 64

STATE, CONFIDENCE, VOLUME, VIEW = "State", "Confidence", "Volume (cm³)", "In view"
SAVED, MINUTES = "Saved", "Minutes"

#: Columns of numbers and of short words, which are not to be broken.
_STYLES = {CONFIDENCE: "number", VOLUME: "number", MINUTES: "number", STATE: "whole", VIEW: "whole", SAVED: "whole"}


def report_html(report: CaseReport) -> str:
    """One file to look at and to print, the same for the same report. Raises LabelError for a prediction outside SPIDER's scheme."""
    title = f"Segmentation report: {report.series}"
    content = [
        element("h1", text(title)),
        paragraph(wording.NOT_A_DEVICE, "research"),
        _facts(report),
        *_levels(report),
        *_findings(report),
        *_revisions(report),
        _end(report),
    ]
    return document.document(title, f"{wording.shortened(report.series, LONGEST_NAME)}: {notice(report.named.naming)}", content)


def _facts(report: CaseReport) -> Html:
    return document.facts(
        [
            ("Series", report.series),
            ("Patient", report.patient_id),
            ("Sequence", report.sequence),
            ("Image", _grid_text(report.image.geometry)),
            ("Model", report.named.model_id or "none named"),
            ("Report made", wording.moment_text(report.created_at)),
            ("Made by", report.annotator),
        ]
    )


def _grid_text(geometry: Geometry) -> str:
    size, spacing = " x ".join(map(str, geometry.size_ijk)), " x ".join(f"{value:.3g}" for value in geometry.spacing_ijk_mm)
    return f"{size} voxels of {spacing} mm"


# Levels


def _levels(report: CaseReport) -> list[Html]:
    shown, levels = best_slice(report.image, report.named.labelmap), level_table(report)
    if not levels.rows:
        return [document.section("Levels", _figure(report, shown, levels), paragraph("Nothing is labeled in this series."), *_vanished(levels))]
    parts = [
        paragraph(wording.state_sentence(report.named.naming), "state"),
        _figure(report, shown, levels),
        _level_rows(report, levels),
        *_vanished(levels),
        *_notes(report, levels),
    ]
    return [document.section("Levels", *parts)]


def _figure(report: CaseReport, shown: SagittalSlice, levels: LevelTable) -> Html:
    names = ", ".join(row.name for row in levels.rows) or "nothing labeled"
    description = f"Sagittal slice {shown.number} of {shown.count} of {report.series}, plain and with its segmentation: {names}"
    caption = f"Sagittal slice {shown.number} of {shown.count}; anterior is left."
    if shown.is_cropped:
        caption += " Cropped in front of and behind the column."
    hidden = [row.name for row in levels.rows if shown.place(row.value) is None]
    if hidden:
        caption += f" Not in this slice: {', '.join(hidden)}."
    return element("figure", figure_svg(shown, report.named, description), element("figcaption", text(caption)))


def _level_rows(report: CaseReport, levels: LevelTable) -> Html:
    """The table, without the columns that nothing is known for."""
    naming = report.named.naming
    columns: dict[str, Callable[[LevelRow], Html]] = {
        "Level": _name,
        "Full name": lambda row: text(row.full_name),
        STATE: lambda row: text("" if row.structure is Structure.CANAL else naming.state.value),
    }
    if any(row.confidence is not None for row in levels.rows):
        columns[CONFIDENCE] = _confidence
    columns[VOLUME] = lambda row: text(wording.volume_text(row.volume_mm3))
    columns[VIEW] = lambda row: text(wording.view_text(row))
    if report.prediction is not None:
        columns["Changed since the prediction"] = lambda row: text(wording.change_text(row))
    rows = [[cell(row) for cell in columns.values()] for row in levels.rows]
    return document.table("Levels", list(columns), rows, _STYLES)


def _name(row: LevelRow) -> Html:
    color = "#{:02x}{:02x}{:02x}".format(*row.color)
    return joined(element("span", class_="swatch", style=f"background: {color}", aria_hidden="true"), text(row.name))


def _confidence(row: LevelRow) -> Html:
    confidence = text(wording.confidence_text(row.confidence))
    return joined(element("span", text("low"), class_="mark"), text(" "), confidence) if row.is_low else confidence


def _vanished(levels: LevelTable) -> list[Html]:
    if not levels.vanished:
        return []
    return [paragraph(f"Removed since the prediction: {', '.join(wording.number_name(value) for value in levels.vanished)}.")]


def _notes(report: CaseReport, levels: LevelTable) -> list[Html]:
    notes = []
    if any(row.is_low for row in levels.rows):
        notes.append(wording.LOW_CONFIDENCE_NOTE)
    if any(row.is_cut or row.is_partial for row in levels.rows):
        notes.append(wording.CUT_NOTE)
    if report.prediction is None:
        notes.append("No prediction is kept to compare with.")
    elif any(row.change and row.change.share for row in levels.rows):
        notes.append(wording.CHANGE_NOTE)
    return [paragraph(note, "note") for note in notes]


# What was found, and who did what


def _findings(report: CaseReport) -> list[Html]:
    if not report.findings:
        return [document.section("Findings of the check", paragraph("The check of the mask found nothing. It looks for faults of the mask alone."))]
    known = label_table()
    rows = [
        [
            text(finding.severity.value),
            text(short_name(finding.value, report.named.naming) if finding.value in known else ""),
            text(finding.message),
            text(finding.advice),
        ]
        for finding in report.findings
    ]
    found = f"{counts_text(finding_counts(report.findings))}. The check looks at the mask; it calls levels by number, from the lowest one up."
    table = document.table("Findings of the check", ["Severity", "Level", "Found", "What to do"], rows, _STYLES)
    return [document.section("Findings of the check", paragraph(found), table)]


def _revisions(report: CaseReport) -> list[Html]:
    parts = [paragraph(wording.saved_sentence(report))]
    if report.revisions:
        columns = ["Revision", SAVED, "By", "Status", "How it was made", "Voxels changed", MINUTES, "Comment"]
        rows = [_revision_row(number, revision) for number, revision in enumerate(report.revisions, start=1)]
        parts.append(document.table("Corrections", columns, rows, _STYLES))
    return [document.section("Corrections", *parts)]


def _revision_row(number: int, revision: Revision) -> list[Html]:
    cells = [
        str(number),
        wording.moment_text(revision.created_utc),
        wording.author(revision),
        wording.status_text(revision),
        wording.provenance_text(revision),
        wording.changes_text(revision),
        "" if revision.is_by_model else f"{revision.minutes:.1f}",
        revision.comment,
    ]
    return [text(cell) for cell in cells]


def _end(report: CaseReport) -> Html:
    model = f", weights {report.named.model_id}" if report.named.model_id else ""
    return element(
        "footer",
        paragraph(f"SpiderSeg {SpiderSegLib.__version__}{model}.", "note"),
        paragraph(wording.NOT_A_DEVICE, "research"),
    )
