"""Reports to read in a browser, each one file that works offline and can be printed or mailed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import SpiderSegLib
from SpiderSegLib.evaluation.bootstrap import DEFAULT_BOOTSTRAP, BootstrapConfig, Estimate
from SpiderSegLib.evaluation.comparison import Comparison, Difference, verdict_text
from SpiderSegLib.evaluation.levels import level_title, summarize_levels
from SpiderSegLib.evaluation.report import page, plots
from SpiderSegLib.evaluation.report.as_table import evaluation_notes
from SpiderSegLib.evaluation.report.wording import (
    LEVEL_COLUMNS,
    SERIES_COLUMNS,
    bootstrap_note,
    interval,
    mean_and_interval,
    number,
    signed,
    signed_interval,
)
from SpiderSegLib.evaluation.report.worst_cases import WorstCase, draw_worst_case, worst_series
from SpiderSegLib.evaluation.scoring import SCORE_NAMES
from SpiderSegLib.evaluation.series import Evaluation
from SpiderSegLib.evaluation.summary import OVERALL, summarize_scores
from SpiderSegLib.series_names import patient_of

#: What the names of scores mean; a report is read far from the documentation.
_MEANINGS = (
    "structure_dice: all vertebra, disc or canal voxels of a series; .mean is the mean of the structures that the reference has.",
    "instance_dice: single vertebrae and discs, assigned one to one; a missed and a false one each count 0.",
    "level_accuracy: share of the reference's vertebrae and discs whose assigned prediction has the same number; missed ones are wrong.",
    "body_recall: share of each vertebral body under its best label, where the reference holds bodies alone.",
    "asd_mm, hd95_mm: mean and 95th-percentile surface distance in mm of matched structures; less is better.",
    "official: the scores of the SPIDER challenge by the rules of its evaluator; not comparable with the others.",
    "By level: a level is detected when its assigned prediction has a Dice of at least 0.1; names assume that the lowest vertebra is L5.",
)


def evaluation_html(
    evaluation: Evaluation,
    title: str = "SpiderSeg evaluation",
    images: Mapping[str, Path] | None = None,
    worst: int = 4,
    bootstrap: BootstrapConfig = DEFAULT_BOOTSTRAP,
) -> str:
    """The report of one set of predictions.

    `images` by series name are the background of the `worst` series' pictures; without them labels alone are drawn, which is said.
    Raises what reading the labelmaps of those series again raises.
    """
    sections = [page.paragraph(_about(evaluation))]
    if evaluation.failed:
        sections += [page.heading("Failed series"), page.bullets(f"{failed.series}: {failed.reason}" for failed in evaluation.failed)]
    if evaluation.series:
        summary = summarize_scores(evaluation, bootstrap)
        sections += [*_summary_sections(summary, bootstrap), *_level_sections(summarize_levels(evaluation, bootstrap)[OVERALL])]
        sections += [*_plot_sections(evaluation), *_worst_sections(evaluation, images or {}, worst), *_series_sections(evaluation)]
    notes = evaluation_notes(evaluation)
    if notes:
        sections += [page.heading("Notes"), page.bullets(notes)]
    return page.page(title, [*sections, page.heading("What the scores are"), page.bullets(_MEANINGS), _version()])


def comparison_html(comparison: Comparison, title: str = "SpiderSeg comparison") -> str:
    """The report of B against A: the verdict, the differences overall and by sequence, and every series."""
    sections = [
        page.paragraph(f"A: {comparison.name_a}"),
        page.paragraph(f"B: {comparison.name_b}"),
        page.paragraph(verdict_text(comparison), "lead"),
    ]
    for group, differences in comparison.differences.items():
        if group == OVERALL or len(comparison.differences) > 2:
            sections += [page.heading(f"B - A, {group}"), page.table(_difference_rows(differences))]
    sections.append(page.paragraph(bootstrap_note(comparison.bootstrap), "note"))
    caption = "Every series in the main score; of more than 40 series the 20 that gained and the 20 that lost most."
    sections += [page.heading("Series"), page.figure(plots.changes(comparison), f"{comparison.main_score} of each series in A and B", caption)]
    rows = [["series", "sequence", "A", "B", "change"]]
    rows += [[one.series, one.sequence, number(one.score_a), number(one.score_b), signed(one.change)] for one in comparison.series]
    return page.page(title, [*sections, page.table(rows), page.heading("What the scores are"), page.bullets(_MEANINGS), _version()])


def _about(evaluation: Evaluation) -> str:
    patients = {patient_of(one.series) for one in evaluation.series}
    folders = sorted({str(one.files.prediction.parent) for one in evaluation.series if one.files.prediction is not None})
    references = sorted({str(one.files.reference.parent) for one in evaluation.series})
    scored = f"{len(evaluation.series)} series of {len(patients)} patients scored, {len(evaluation.failed)} failed."
    return f"{scored} Predictions: {', '.join(folders) or '-'}. References: {', '.join(references) or '-'}."


def _summary_sections(summary: Mapping[str, Mapping[str, Estimate]], bootstrap: BootstrapConfig) -> list[str]:
    own = [name for name in SCORE_NAMES if not name.startswith("official.") and summary[OVERALL][name].n]
    official = [name for name in SCORE_NAMES if name.startswith("official.") and summary[OVERALL][name].n]
    sections = [page.heading("Summary"), page.table(_summary_rows(summary[OVERALL], own)), page.paragraph(bootstrap_note(bootstrap), "note")]
    groups = [group for group in summary if group != OVERALL]
    if len(groups) > 1:
        rows = [["mean [interval] (series)", *groups]]
        rows += [[name, *(mean_and_interval(summary[group][name]) for group in groups)] for name in own]
        sections += [page.heading("By sequence"), page.table(rows)]
    if official:
        sections += [page.heading("Official scores of the SPIDER challenge"), page.table(_summary_rows(summary[OVERALL], official))]
    return sections


def _summary_rows(scores: Mapping[str, Estimate], names: Sequence[str]) -> list[list[str]]:
    rows = [["score", "mean", "std", "interval", "series", "patients"]]
    for name in names:
        score = scores[name]
        rows.append([name, number(score.mean), number(score.std), interval(score.interval), str(score.n), str(score.n_patients)])
    return rows


def _level_sections(levels: Mapping[int, Mapping[str, Estimate]]) -> list[str]:
    if not levels:
        return []
    shown = [name for name in LEVEL_COLUMNS if any(scores[name].n for scores in levels.values())]
    rows = [["level (assumed name)", "n", "patients", *(LEVEL_COLUMNS[name] for name in shown)]]
    for level, scores in levels.items():
        every = scores["level_accuracy"]
        rows.append([level_title(level), str(every.n), str(every.n_patients), *(mean_and_interval(scores[name]) for name in shown)])
    return [page.heading("By level"), page.table(rows)]


def _plot_sections(evaluation: Evaluation) -> list[str]:
    drawn = (
        (plots.dice_by_structure(evaluation), "Structure Dice by sequence", "Each point is a series; boxes show quartiles and median."),
        (plots.dice_by_level(evaluation), "Instance Dice by level", "Each point is a vertebra or disc of one series; missed ones are at 0."),
        (plots.volumes(evaluation), "Predicted and reference volume", "Points below the line: less was predicted than the reference holds."),
    )
    found = [page.figure(png, description, f"{description}. {caption}") for png, description, caption in drawn if png is not None]
    return [page.heading("Plots"), *found] if found else []


def _worst_sections(evaluation: Evaluation, images: Mapping[str, Path], worst: int) -> list[str]:
    cases = [draw_worst_case(one, images) for one in worst_series(evaluation, worst)]
    if not cases:
        return []
    said = "The series with the lowest mean structure Dice, each in the sagittal slice with most error."
    legend = "Difference: orange was missed, blue is extra, purple is another structure."
    without = " Only labels are drawn, because no images were given (option --images)." if not images else ""
    pictures = [page.figure(case.png, f"Outlines of {case.series.series}", _case_caption(case)) for case in cases]
    return [page.heading("Worst series"), page.paragraph(f"{said} {legend}{without}", "note"), *pictures]


def _case_caption(case: WorstCase) -> str:
    scores = case.series.scores.by_name()
    named = ("structure_dice.vertebra", "structure_dice.disc", "structure_dice.canal", "level_accuracy", "body_recall")
    values = [f"{name} {scores[name]:.3f}" for name in named if scores[name] is not None]
    parts = [f"{case.series.series}: {', '.join(values)}", f"slice {case.slice_number} of {case.slice_count}", *([case.note] if case.note else [])]
    return "; ".join(parts) + "."


def _series_sections(evaluation: Evaluation) -> list[str]:
    values = [one.scores.by_name() for one in evaluation.series]
    shown = [name for name in SERIES_COLUMNS if any(row[name] is not None for row in values)]
    rows = [["series", "sequence", "reference", *(SERIES_COLUMNS[name] for name in shown)]]
    for one, scores in zip(evaluation.series, values, strict=True):
        rows.append([one.series, one.sequence, one.reference_kind.value, *(number(scores[name]) for name in shown)])
    return [page.heading("Every series"), page.table(rows)]


def _difference_rows(differences: Mapping[str, Difference]) -> list[list[str]]:
    rows = [["score", "series", "patients", "mean A", "mean B", "B - A", "interval", "B is"]]
    for name, difference in differences.items():
        change = difference.change
        means = [number(difference.mean_a), number(difference.mean_b), signed(change.mean), signed_interval(change.interval)]
        rows.append([name, str(change.n), str(change.n_patients), *means, difference.verdict.value])
    return rows


def _version() -> str:
    return page.paragraph(f"Made by SpiderSeg {SpiderSegLib.__version__}.", "note")
