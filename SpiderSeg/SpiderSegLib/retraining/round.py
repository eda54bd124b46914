"""One round from request to decision: open, train, score, decide, and leave the challenger as a bundle with its report."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from SpiderSegLib.atomic import make_folder, write_together
from SpiderSegLib.errors import DatasetError
from SpiderSegLib.evaluation import OVERALL, Comparison, Evaluation, compare, summarize_scores
from SpiderSegLib.evaluation.report import comparison_csv_text, comparison_object
from SpiderSegLib.io import bytes_writer
from SpiderSegLib.retraining.criteria import MEAN_DICE, STRUCTURE_DICE
from SpiderSegLib.retraining.decision import Decision, decide, decision_from, decision_object
from SpiderSegLib.retraining.files import RoundFiles
from SpiderSegLib.retraining.fine_tuning import fine_tune
from SpiderSegLib.retraining.model_card import model_card
from SpiderSegLib.retraining.opening import OpenRound, open_round
from SpiderSegLib.retraining.pictures import worst_cases
from SpiderSegLib.retraining.progress import RoundCallback, RoundStage
from SpiderSegLib.retraining.report import report_html
from SpiderSegLib.retraining.request import RetrainRequest, series_of
from SpiderSegLib.retraining.scoring import Evaluations, evaluate_both
from SpiderSegLib.stages import CancelCallback

if TYPE_CHECKING:
    from SpiderSegLib.network import Checkpoint

#: Cases in the report's pictures.
WORST_CASES = 5


def run_round(request: RetrainRequest, on_progress: RoundCallback | None = None, is_cancelled: CancelCallback | None = None) -> Decision:
    """Trains and judges a challenger; run again after any interruption it goes on, and once decided it only tells the decision.

    Reads the champion's files and writes none but those below request.out, so whatever fails, the champion stays as it is. Raises
    what `open_round`, `fine_tune` and `evaluate_both` raise.
    """
    opened = open_round(request, on_progress, is_cancelled)
    if not opened.files.decision.is_file():
        fine_tune(opened)
        conclude(opened, evaluate_both(opened))
    opened.meter.report(RoundStage.REPORT, 1.0, "decided")
    return read_decision(request.out)


def conclude(opened: OpenRound, found: Evaluations) -> Decision:
    """Decides, and writes the challenger's bundle, model card, comparison and report; the decision last. Raises OutputError."""
    from SpiderSegLib.bundle import write_bundle
    from SpiderSegLib.network import load_checkpoint

    request, files = opened.request, opened.files
    opened.meter.report(RoundStage.REPORT, 0.0, "writing the report")
    decision = decide(found.champion, found.challenger, validation_uses=request.notes.validation_uses)
    comparison = _comparison(opened, found)
    challenger = _with_scores(load_checkpoint(files.weights), found.challenger)
    images = {series_of(item): item.image for item in request.validation_items if item.image is not None}
    cases = worst_cases(found.champion, found.challenger, images, WORST_CASES)
    _draw_missing_curves(files)
    html = report_html(request, opened.champion.provenance.model_id, decision, comparison, cases, files.curves)
    write_bundle(challenger, files.out)
    make_folder(files.model_card.parent)
    texts = {
        files.model_card: model_card(request, challenger, decision, comparison),
        files.comparison: "" if comparison is None else comparison_csv_text(comparison),
        files.report: html,
        files.decision: json.dumps(_decision_record(opened, decision, comparison), indent=2, allow_nan=False) + "\n",
    }
    write_together({path: bytes_writer(text.encode("utf-8", "replace")) for path, text in texts.items()})
    files.resume_state.unlink(missing_ok=True)  # eight times the size of the weights, and of no use any more
    return decision


def read_decision(out: Path) -> Decision:
    """The decision of the round in a folder. Raises DatasetError when there is none, or it can't be read."""
    path = RoundFiles(out).decision
    try:
        return decision_from(json.loads(path.read_text(encoding="utf-8"))["decision"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DatasetError(f"{path}: expected the decision of a round: {error}") from error


def _comparison(opened: OpenRound, found: Evaluations) -> Comparison | None:
    """None when the models have no score in common."""
    try:
        return compare(found.champion, found.challenger, opened.champion.provenance.model_id, opened.request.model_id)
    except DatasetError:
        return None


def _with_scores(challenger: Checkpoint, evaluation: Evaluation) -> Checkpoint:
    """The checkpoint with its scores on the validation series, named as those of a training run: '<sequence> <structure>', 'mean'."""
    summary = summarize_scores(evaluation)
    means = {(group, score): summary[group][score].mean for group in summary for score in (*STRUCTURE_DICE, MEAN_DICE)}
    scores = {f"{group} {score.split('.')[1]}": mean for (group, score), mean in means.items() if group != OVERALL and score != MEAN_DICE}
    scores["mean"] = means[OVERALL, MEAN_DICE]
    known = {name: mean for name, mean in scores.items() if mean is not None}
    return replace(challenger, provenance=replace(challenger.provenance, validation_scores=known))


def _draw_missing_curves(files: RoundFiles) -> None:
    """A kill right after the last step leaves the weights without their picture."""
    if not files.curves.is_file():
        from SpiderSegLib.training.curves import draw_curves
        from SpiderSegLib.training.journal import Journal

        draw_curves(Journal(files.metrics).records(), files.curves)


def _decision_record(opened: OpenRound, decision: Decision, comparison: Comparison | None) -> dict[str, Any]:
    champion, request = opened.champion, opened.request
    return {
        "schema": 1,
        "champion": {"model_id": champion.provenance.model_id, "sha256": champion.sha256},
        "challenger": {"model_id": request.model_id, "sha256": _bundled_sha256(opened.files)},
        "decision": decision_object(decision),
        "comparison": None if comparison is None else comparison_object(comparison),
    }


def _bundled_sha256(files: RoundFiles) -> str:
    from SpiderSegLib.weights import expected_sha256

    return expected_sha256(files.out)
