"""Whether a challenger takes the champion's place: a pure function of both evaluations, each criterion with its numbers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from SpiderSegLib.counted import counted
from SpiderSegLib.evaluation import DEFAULT_BOOTSTRAP, BootstrapConfig, Evaluation, compare
from SpiderSegLib.retraining.criteria import MOST_NAMED, Criterion, DecisionRule, criteria_of_scores, every_series, listed, no_level_lost
from SpiderSegLib.series_names import patient_of


class DecisionKind(str, Enum):
    """What follows from a comparison."""

    PROMOTE = "promote"
    REJECT = "reject"
    RECOMMEND = "recommend"
    """Too few patients to be sure: a person decides, whichever way it points."""


DEFAULT_RULE = DecisionRule()


@dataclass(frozen=True)
class Decision:
    """What came out: `is_better` when every criterion is met; `reasons` in plain sentences, `warnings` what to keep in mind.

    Without a comparison (no validation patients, no score in common) there are no criteria and the kind is RECOMMEND.
    """

    kind: DecisionKind
    is_better: bool
    criteria: tuple[Criterion, ...]
    reasons: tuple[str, ...]
    n_patients: int
    n_series: int
    warnings: tuple[str, ...] = ()

    @property
    def is_compared(self) -> bool:
        """Whether anything could be compared."""
        return bool(self.criteria)


def decide(
    champion: Evaluation,
    challenger: Evaluation,
    rule: DecisionRule = DEFAULT_RULE,
    bootstrap: BootstrapConfig = DEFAULT_BOOTSTRAP,
    validation_uses: int = 0,
) -> Decision:
    """The challenger is better when every criterion is met; from rule.fewest_patients patients on that promotes or rejects.

    Both evaluations are of the same validation series. A series the challenger fails on and the champion does not is lost. Patients
    are those that the champion has scores of. Raises DatasetError as `compare` for references of different kinds.
    """
    patients = {patient_of(one.series) for one in champion.series}
    warnings = tuple(_warnings(champion, challenger, rule, validation_uses))
    failed_alone = _failed_alone(champion, challenger)
    shared = {one.series for one in champion.series} & {one.series for one in challenger.series}
    if not patients or not (shared or failed_alone):
        return Decision(DecisionKind.RECOMMEND, False, (), (_why_not_compared(champion),), 0, 0, warnings)
    criteria = [every_series(failed_alone, len(champion.series))]
    if shared:
        criteria += criteria_of_scores(compare(champion, challenger, "the champion", "the challenger", bootstrap), rule)
        criteria.append(no_level_lost(champion, challenger))
    is_better = all(criterion.is_met for criterion in criteria)
    is_decided = len(patients) >= rule.fewest_patients
    kind = (DecisionKind.PROMOTE if is_better else DecisionKind.REJECT) if is_decided else DecisionKind.RECOMMEND
    reasons = _reasons(criteria, is_better, len(patients), rule)
    return Decision(kind, is_better, tuple(criteria), reasons, len(patients), len(shared), warnings)


def use_warning(validation_uses: int, rule: DecisionRule = DEFAULT_RULE) -> str | None:
    """What to say of a validation set that so many rounds before were decided on; None while they are few."""
    if validation_uses < rule.warn_after:
        return None
    return (
        f"{validation_uses} rounds before this one were decided on the same validation patients: what passed so many choices is fitted to them, "
        "and their scores are too high; freeze new validation patients"
    )


def _failed_alone(champion: Evaluation, challenger: Evaluation) -> list[str]:
    scored = {one.series for one in challenger.series}
    return [one.series for one in champion.series if one.series not in scored]


def _warnings(champion: Evaluation, challenger: Evaluation, rule: DecisionRule, validation_uses: int) -> Iterator[str]:
    used = use_warning(validation_uses, rule)
    if used is not None:
        yield used
    reasons = {one.series: one.reason for one in champion.failed}
    both = [one.series for one in challenger.failed if one.series in reasons]
    if both:
        yield f"not compared, because neither model has a score for it: {', '.join(f'{series} ({reasons[series]})' for series in both[:MOST_NAMED])}"
    gained = [one.series for one in challenger.series if one.series in reasons]
    if gained:
        yield f"not compared, because the champion has no score for it: {listed(gained)}"


def _why_not_compared(champion: Evaluation) -> str:
    if not champion.series and not champion.failed:
        return "There are no validation patients: the models can't be compared, and a person decides. Freeze some patients for validation."
    return "The champion has no score for any validation series: the models can't be compared, and a person decides."


def _reasons(criteria: Sequence[Criterion], is_better: bool, n_patients: int, rule: DecisionRule) -> tuple[str, ...]:
    verdict = "Every criterion is met." if is_better else f"Not met: {'; '.join(one.name for one in criteria if not one.is_met)}."
    if n_patients >= rule.fewest_patients:
        return (verdict,)
    few = f"Only {counted(n_patients, 'validation patient')}, fewer than {rule.fewest_patients}: this is a recommendation, and a person decides."
    return (few, verdict)


def decision_object(decision: Decision) -> dict[str, Any]:
    """A decision as JSON values."""
    return {
        "kind": decision.kind.value,
        "is_better": decision.is_better,
        "criteria": [{"name": one.name, "is_met": one.is_met, "sentence": one.sentence} for one in decision.criteria],
        "reasons": list(decision.reasons),
        "n_patients": decision.n_patients,
        "n_series": decision.n_series,
        "warnings": list(decision.warnings),
    }


def decision_from(content: Mapping[str, Any]) -> Decision:
    """The decision of such values. Raises KeyError, TypeError or ValueError for others."""
    return Decision(
        kind=DecisionKind(content["kind"]),
        is_better=bool(content["is_better"]),
        criteria=tuple(Criterion(str(one["name"]), bool(one["is_met"]), str(one["sentence"])) for one in content["criteria"]),
        reasons=tuple(content["reasons"]),
        n_patients=int(content["n_patients"]),
        n_series=int(content["n_series"]),
        warnings=tuple(content["warnings"]),
    )
