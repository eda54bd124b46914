"""Two sets of predictions of the same series, A and B: what B gains or loses, series by series.

Paired, because series differ far more from each other than two models do on one series.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from SpiderSegLib.counted import counted
from SpiderSegLib.errors import DatasetError
from SpiderSegLib.evaluation.bootstrap import DEFAULT_BOOTSTRAP, FEWEST_PATIENTS, BootstrapConfig, Estimate, estimate
from SpiderSegLib.evaluation.scoring import MAIN_SCORES, SCORE_NAMES, is_higher_better
from SpiderSegLib.evaluation.series import Evaluation, SeriesEvaluation
from SpiderSegLib.evaluation.summary import OVERALL, by_sequence
from SpiderSegLib.metrics import summarize
from SpiderSegLib.series_names import patient_of

SeriesPair = tuple[SeriesEvaluation, SeriesEvaluation]


class Verdict(str, Enum):
    """What the interval of a difference says of B."""

    BETTER = "better"
    WORSE = "worse"
    NO_DIFFERENCE = "no difference shown"
    TOO_FEW = "too few patients"


@dataclass(frozen=True)
class Difference:
    """One score over the n series that have it in both: both means, and mean, spread and interval of the differences B - A."""

    score: str
    mean_a: float | None
    mean_b: float | None
    change: Estimate

    @property
    def verdict(self) -> Verdict:
        """Better or worse when the interval leaves out 0; distances are better when they fall."""
        if self.change.interval is None:
            return Verdict.TOO_FEW
        if self.change.interval.low <= 0 <= self.change.interval.high:
            return Verdict.NO_DIFFERENCE
        return Verdict.BETTER if (self.change.interval.low > 0) == is_higher_better(self.score) else Verdict.WORSE


@dataclass(frozen=True)
class SeriesChange:
    """The main score of one series in A and in B."""

    series: str
    sequence: str
    score_a: float
    score_b: float

    @property
    def change(self) -> float:
        return self.score_b - self.score_a


@dataclass(frozen=True)
class Comparison:
    """B against A.

    `differences` by group ('overall', each sequence) and score name, scores without a common series left out. `main_score` is the one
    the verdict rests on. `series` holds every series that has it in both, the greatest gain first. `missing_in_a` and `missing_in_b`
    name series that only the other one has: no difference counts them, so look at them before believing a gain.
    """

    name_a: str
    name_b: str
    main_score: str
    differences: dict[str, dict[str, Difference]]
    series: tuple[SeriesChange, ...]
    missing_in_a: tuple[str, ...]
    missing_in_b: tuple[str, ...]
    bootstrap: BootstrapConfig

    @property
    def main(self) -> Difference:
        """The difference in the main score over all series."""
        return self.differences[OVERALL][self.main_score]

    def gained(self, count: int) -> tuple[SeriesChange, ...]:
        """The series that gained most in the main score, at most `count`; none that did not gain."""
        return tuple(change for change in self.series if change.change > 0)[:count]

    def lost(self, count: int) -> tuple[SeriesChange, ...]:
        """The series that lost most in the main score, the worst first, at most `count`; none that did not lose."""
        return tuple(change for change in reversed(self.series) if change.change < 0)[:count]


def compare(a: Evaluation, b: Evaluation, name_a: str = "A", name_b: str = "B", bootstrap: BootstrapConfig = DEFAULT_BOOTSTRAP) -> Comparison:
    """Paired differences B - A of every score, over the series that both evaluations scored (by series name).

    Raises DatasetError when they share no series with a main score, or scored a series against references of different kinds.
    """
    scored_a, scored_b = ({one.series: one for one in evaluation.series} for evaluation in (a, b))
    shared = [name for name in scored_a if name in scored_b]
    pairs = [(scored_a[name], scored_b[name]) for name in shared]
    for one, other in pairs:
        if one.reference_kind is not other.reference_kind:
            kinds = f"{one.reference_kind.value} in {name_a} and {other.reference_kind.value} in {name_b}"
            raise DatasetError(f"{one.series}: expected one kind of reference, found {kinds}")
    differences = {
        group: _differences([pair for pair in pairs if pair[0] in members], bootstrap)
        for group, members in by_sequence([one for one, _ in pairs]).items()
    }
    main_score = next((name for name in MAIN_SCORES if name in differences[OVERALL]), None)
    if main_score is None:
        raise DatasetError(f"expected series that both {name_a} and {name_b} have scores for, found none: there is nothing to compare")
    return Comparison(
        name_a=name_a,
        name_b=name_b,
        main_score=main_score,
        differences=differences,
        series=_changes(pairs, main_score),
        missing_in_a=tuple(name for name in scored_b if name not in scored_a),
        missing_in_b=tuple(name for name in scored_a if name not in scored_b),
        bootstrap=bootstrap,
    )


def verdict_text(comparison: Comparison) -> str:
    """What came out, in plain sentences: the main score, then the other scores that differ, then the series that are not counted."""
    main = comparison.main
    sentences = [_main_sentence(comparison)]
    others = {name: difference for name, difference in comparison.differences[OVERALL].items() if name != comparison.main_score}
    if main.verdict is not Verdict.TOO_FEW:
        for verdict in (Verdict.BETTER, Verdict.WORSE):
            names = [name for name, difference in others.items() if difference.verdict is verdict]
            sentences.append(f"{verdict.value.capitalize()} in {', '.join(names) or 'no other score'}.")
    for missing, name in ((comparison.missing_in_a, comparison.name_a), (comparison.missing_in_b, comparison.name_b)):
        if missing:
            sentences.append(f"Not counted, because {name} has no score for them: {', '.join(missing)}.")
    return " ".join(sentences)


def _main_sentence(comparison: Comparison) -> str:
    change, score = comparison.main.change, comparison.main_score
    amount = change.mean or 0.0
    direction = "higher than" if amount > 0 else "lower than" if amount < 0 else "different from"
    size = f"{abs(amount):.4f} {direction}" if amount else f"not {direction}"
    over = f"over {counted(change.n, 'series')} of {counted(change.n_patients, 'patient')}"
    start = f"{comparison.name_b} is {size} {comparison.name_a} in {score} {over}"
    if change.interval is None:
        return f"{start}; no interval is given for fewer than {FEWEST_PATIENTS} patients, so this may be chance."
    conclusion = {
        Verdict.BETTER: f"the interval leaves out 0, so {comparison.name_b} is better",
        Verdict.WORSE: f"the interval leaves out 0, so {comparison.name_b} is worse",
    }.get(comparison.main.verdict, "the interval includes 0, so no difference is shown")
    confidence = f"{100 * comparison.bootstrap.confidence:g} % interval {change.interval.low:+.4f} to {change.interval.high:+.4f}"
    return f"{start} ({confidence}): {conclusion}."


def _differences(pairs: Sequence[SeriesPair], bootstrap: BootstrapConfig) -> dict[str, Difference]:
    scores = [(patient_of(one.series), one.scores.by_name(), other.scores.by_name()) for one, other in pairs]
    found = {}
    for name in SCORE_NAMES:
        both = [(patient, a[name], b[name]) for patient, a, b in scores]
        # None and NaN propagate into the difference, so that the means below are over the same series.
        changes = [None if first is None or second is None else second - first for _, first, second in both]
        change = estimate(changes, [patient for patient, _, _ in both], bootstrap)
        if change.n:
            kept = [row for row, value in zip(both, changes, strict=True) if value is not None and value == value]
            found[name] = Difference(name, summarize(row[1] for row in kept).mean, summarize(row[2] for row in kept).mean, change)
    return found


def _changes(pairs: Sequence[SeriesPair], score: str) -> tuple[SeriesChange, ...]:
    changes = []
    for one, other in pairs:
        first, second = one.scores.by_name()[score], other.scores.by_name()[score]
        if first is not None and second is not None:
            changes.append(SeriesChange(one.series, one.sequence, first, second))
    return tuple(sorted(changes, key=lambda change: (-change.change, change.series)))
