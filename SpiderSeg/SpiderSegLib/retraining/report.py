"""report.html of a round: the decision and its criteria, champion against challenger, the worst cases and the training curve."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import SpiderSegLib
from SpiderSegLib.evaluation import Comparison
from SpiderSegLib.evaluation.report import page, plots
from SpiderSegLib.evaluation.report.wording import bootstrap_note, number, signed
from SpiderSegLib.retraining.decision import Decision
from SpiderSegLib.retraining.pictures import ComparedCase
from SpiderSegLib.retraining.request import RetrainRequest
from SpiderSegLib.retraining.wording import comparison_rows, criteria_texts, data_rows, headline, seeded_text, training_text

_MEANINGS = (
    "structure Dice: all vertebra, disc or canal voxels of a series; the mean is over the structures that the reference has.",
    "level accuracy: share of the reference's vertebrae and discs whose assigned prediction has the same number; missed ones are wrong.",
    "A case holds a level when its vertebra or disc is found (Dice of at least 0.1) and has the right number.",
    "All other scores, surface distances among them, are in comparison.csv, champion.json and challenger.json beside this file.",
)


def report_html(
    request: RetrainRequest,
    champion_id: str,
    decision: Decision,
    comparison: Comparison | None,
    cases: Sequence[ComparedCase],
    curves: Path,
) -> str:
    """The report as one file that works offline. `curves` is the picture of the training curve; comparison None: nothing to compare."""
    sections = [
        page.paragraph(f"Champion: {champion_id}. Challenger: {request.model_id}."),
        page.paragraph(headline(decision), "lead"),
        page.bullets(decision.reasons),
        *([page.heading("Keep in mind"), page.bullets(decision.warnings)] if decision.warnings else []),
        *([page.heading("Criteria of a promotion"), page.bullets(criteria_texts(decision))] if decision.criteria else []),
        *(_comparison_sections(comparison) if comparison is not None else []),
        *_case_sections(cases),
        page.heading("Training"),
        page.paragraph(training_text(request)),
        page.table(data_rows(request)),
        page.paragraph(seeded_text(request)),
        page.figure(curves.read_bytes(), "Training loss and learning rate by step", "Training loss: each step, and its running mean."),
        page.heading("What the scores are"),
        page.bullets(_MEANINGS),
        page.paragraph(f"Made by SpiderSeg {SpiderSegLib.__version__}.", "note"),
    ]
    return page.page(f"Retraining: {request.model_id}", sections)


def _comparison_sections(comparison: Comparison) -> list[str]:
    rows = [["series", "sequence", "champion", "challenger", "change"]]
    rows += [[one.series, one.sequence, number(one.score_a), number(one.score_b), signed(one.change)] for one in comparison.series]
    caption = "Every validation series in the main score; A is the champion, B the challenger; of more than 40 series the 20 at each end."
    return [
        page.heading("Champion and challenger"),
        page.table(comparison_rows(comparison)),
        page.paragraph(bootstrap_note(comparison.bootstrap), "note"),
        page.heading("Series"),
        page.figure(plots.changes(comparison), f"{comparison.main_score} of each series with champion and challenger", caption),
        page.table(rows),
    ]


def _case_sections(cases: Sequence[ComparedCase]) -> list[str]:
    if not cases:
        return []
    said = "The series with the challenger's lowest scores, each in the sagittal slice where it errs most."
    pictures = [page.figure(case.png, f"{case.series}: champion, challenger and reference", case.caption) for case in cases]
    return [page.heading("Worst cases"), page.paragraph(said, "note"), *pictures]
