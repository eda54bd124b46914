"""Results as tables for people at a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from SpiderSegLib.evaluation.bootstrap import DEFAULT_BOOTSTRAP, BootstrapConfig, Estimate
from SpiderSegLib.evaluation.comparison import Comparison, Difference, verdict_text
from SpiderSegLib.evaluation.levels import level_title, summarize_levels
from SpiderSegLib.evaluation.ranking import Ranking
from SpiderSegLib.evaluation.report.wording import (
    LEVEL_COLUMNS,
    NOTHING,
    RANKING_FORMULA,
    SERIES_COLUMNS,
    bootstrap_note,
    interval,
    mean_and_interval,
    number,
    signed,
    signed_interval,
)
from SpiderSegLib.evaluation.scoring import SCORE_NAMES
from SpiderSegLib.evaluation.series import Evaluation, SeriesEvaluation
from SpiderSegLib.evaluation.summary import OVERALL, summarize_scores
from SpiderSegLib.text_table import aligned

#: Series named below a comparison as those that changed most.
NAMED_CHANGES = 3


def table_text(evaluation: Evaluation, bootstrap: BootstrapConfig = DEFAULT_BOOTSTRAP) -> str:
    """The project's scores of each series, all scores over series and by sequence, the levels, and what went wrong."""
    blocks = []
    if evaluation.series:
        summary = summarize_scores(evaluation, bootstrap)
        blocks += [_series_table(evaluation.series), _summary_table(summary[OVERALL])]
        # With one sequence alone its column would repeat the overall one.
        blocks += [_sequence_table(summary)] if len(summary) > 2 else []
        levels = summarize_levels(evaluation, bootstrap)[OVERALL]
        blocks += [_level_table(levels)] if levels else []
        blocks.append(bootstrap_note(bootstrap))
    notes = evaluation_notes(evaluation)
    if notes:
        blocks.append("\n".join(["Notes", *(f"  {note}" for note in notes)]))
    if evaluation.failed:
        count, total = len(evaluation.failed), len(evaluation.failed) + len(evaluation.series)
        blocks.append("\n".join([f"Failed: {count} of {total} series", *(f"  {failed.series}: {failed.reason}" for failed in evaluation.failed)]))
    return "\n\n".join(blocks)


def comparison_text(comparison: Comparison) -> str:
    """The differences overall and, in the main score, by sequence; the series that changed most; and the verdict."""
    groups = [group for group in comparison.differences if group != OVERALL]
    rows = [["B - A", "n", "patients", "mean A", "mean B", "change", "interval", "B is"]]
    rows += [_difference_row(name, difference) for name, difference in comparison.differences[OVERALL].items()]
    if len(groups) > 1:
        rows += [
            _difference_row(f"{comparison.main_score}, {group}", comparison.differences[group][comparison.main_score])
            for group in groups
            if comparison.main_score in comparison.differences[group]
        ]
    blocks = [f"A: {comparison.name_a}\nB: {comparison.name_b}", aligned(rows)]
    for title, changes in (("Gained most", comparison.gained(NAMED_CHANGES)), ("Lost most", comparison.lost(NAMED_CHANGES))):
        named = [f"  {change.series}: {change.score_a:.3f} to {change.score_b:.3f} ({change.change:+.3f})" for change in changes]
        blocks.append("\n".join([f"{title} in {comparison.main_score}", *(named or ["  none"])]))
    return "\n\n".join([*blocks, bootstrap_note(comparison.bootstrap), verdict_text(comparison)])


def ranking_text(ranking: Ranking, bootstrap: BootstrapConfig = DEFAULT_BOOTSTRAP) -> str:
    """The sets from the best to the worst, and the formula."""
    rows = [["predictions", "place", "mean relative rank", "interval", "missing"]]
    rows += [
        [one.name, str(one.place), number(one.relative_rank.mean), interval(one.relative_rank.interval), f"{len(one.missing)} of {ranking.n_series}"]
        for one in ranking.sets
    ]
    return "\n\n".join([aligned(rows), RANKING_FORMULA, bootstrap_note(bootstrap)])


def evaluation_notes(evaluation: Evaluation) -> list[str]:
    """What a reader should know beside the numbers: warnings, refused official scores, predictions without a reference."""
    notes = [f"{series.series}: {warning}" for series in evaluation.series for warning in series.warnings]
    refusals = sorted({f"{s.reference_kind.value}: {s.scores.official_refused}" for s in evaluation.series if s.scores.official_refused})
    notes += [f"no official scores for references of kind {refusal}" for refusal in refusals]
    return notes + [f"{path}: prediction without a reference, not scored" for path in evaluation.unscored_predictions]


def _series_table(series: Sequence[SeriesEvaluation]) -> str:
    """The project's scores that occur, a row a series."""
    values = [one.scores.by_name() for one in series]
    shown = [name for name in SERIES_COLUMNS if any(row[name] is not None for row in values)]
    rows = [["series", "reference", *(SERIES_COLUMNS[name] for name in shown)]]
    for one, scores in zip(series, values, strict=True):
        kind = one.reference_kind.value + (" (detected)" if one.is_kind_detected else "")
        rows.append([one.series, kind, *(number(scores[name]) for name in shown)])
    return aligned(rows)


def _summary_table(scores: Mapping[str, Estimate]) -> str:
    """Every score that occurs with mean, standard deviation, interval, number of series and of patients."""
    rows = [["over series", "mean", "std", "interval", "n", "patients"]]
    for name in SCORE_NAMES:
        score = scores[name]
        if score.n:
            rows.append([name, number(score.mean), number(score.std), interval(score.interval), str(score.n), str(score.n_patients)])
    return aligned(rows)


def _sequence_table(summary: Mapping[str, Mapping[str, Estimate]]) -> str:
    groups = [group for group in summary if group != OVERALL]
    rows = [["mean [interval] (n)", *groups]]
    rows += [[name, *(mean_and_interval(summary[group][name]) for group in groups)] for name in SCORE_NAMES if summary[OVERALL][name].n]
    return aligned(rows)


def _level_table(levels: Mapping[int, Mapping[str, Estimate]]) -> str:
    shown = [name for name in LEVEL_COLUMNS if any(scores[name].n for scores in levels.values())]
    rows = [["level (assumed name)", "n", *(LEVEL_COLUMNS[name] for name in shown)]]
    for level, scores in levels.items():
        rows.append([level_title(level), str(scores["level_accuracy"].n), *(_level_cell(scores[name]) for name in shown)])
    return aligned(rows)


def _level_cell(estimate: Estimate) -> str:
    if estimate.mean is None:
        return NOTHING
    return number(estimate.mean) + ("" if estimate.interval is None else f" {interval(estimate.interval)}")


def _difference_row(title: str, difference: Difference) -> list[str]:
    change = difference.change
    means = [number(difference.mean_a), number(difference.mean_b), signed(change.mean), signed_interval(change.interval)]
    return [title, str(change.n), str(change.n_patients), *means, difference.verdict.value]
