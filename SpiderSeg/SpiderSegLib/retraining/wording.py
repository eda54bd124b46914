"""What reports and model cards say of a round, in words and rows of text."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from SpiderSegLib.counted import counted
from SpiderSegLib.dataset import DatasetItem
from SpiderSegLib.evaluation import OVERALL, Comparison
from SpiderSegLib.evaluation.report.wording import NOTHING, number, signed, signed_interval
from SpiderSegLib.retraining.criteria import LEVEL_ACCURACY, MEAN_DICE, STRUCTURE_DICE
from SpiderSegLib.retraining.decision import Decision, DecisionKind
from SpiderSegLib.retraining.request import RetrainRequest, series_of
from SpiderSegLib.series_names import sequence_of

#: The scores of the comparison's table, with what they are called there.
SHOWN_SCORES: Mapping[str, str] = {
    **{name: f"{name.split('.')[1]} Dice" for name in STRUCTURE_DICE},
    MEAN_DICE: "mean structure Dice",
    LEVEL_ACCURACY: "level accuracy",
}


def headline(decision: Decision) -> str:
    """The decision in one sentence."""
    if decision.kind is DecisionKind.PROMOTE:
        return "The challenger is better on every count: promote it."
    if decision.kind is DecisionKind.REJECT:
        return "The challenger is not better on every count: the champion stays."
    if not decision.is_compared:
        return "The challenger could not be compared with the champion: a person decides."
    advice = "promote the challenger" if decision.is_better else "keep the champion"
    return f"Recommendation: {advice}. A person decides."


def data_rows(request: RetrainRequest) -> list[list[str]]:
    """New, replayed and validation series: how many, of how many patients, of which sequences."""
    titles = {"new": "new", "replay": "replayed", "validation": "validation (frozen)"}
    rows = [["data", "series", "patients", "sequences"]]
    return [*rows, *([titles[side], str(len(items)), str(_patients(items)), _sequences(items)] for side, items in request.sides.items())]


def training_text(request: RetrainRequest) -> str:
    """How the challenger was trained."""
    replayed = f"{100 * request.replay_share:g} % of the windows from replayed series" if request.replay_items else "no older series to replay"
    return (
        f"{request.steps} steps of {counted(request.batch_size, 'window')} from the champion's weights, learning rate {request.learning_rate:g} "
        f"falling to zero, seed {request.seed}, {replayed}. The running average of the weights after the last step was kept; "
        "the validation patients chose nothing."
    )


def seeded_text(request: RetrainRequest) -> str:
    """Which part of the masks began as a prediction of the champion's line: scores on such masks favor models of that line."""
    notes = request.notes
    known = {"training masks": notes.training_seeded_share, "validation masks": notes.validation_seeded_share}
    shares = ", ".join(f"{'an unknown share' if share is None else f'{100 * share:.0f} %'} of the {name}" for name, share in known.items())
    return f"Seeded by predictions of the champion's line: {shares}. Where validation masks were seeded, scores favor models of that line."


def comparison_rows(comparison: Comparison) -> list[list[str]]:
    """Champion against challenger by sequence and score: both means, the change with its interval, n and patients."""
    rows = [["sequence", "score", "series", "patients", "champion", "challenger", "change", "interval"]]
    groups = [group for group in comparison.differences if group != OVERALL]
    for group in (OVERALL, *(groups if len(groups) > 1 else [])):
        for score, title in SHOWN_SCORES.items():
            difference = comparison.differences[group].get(score)
            if difference is not None:
                change = difference.change
                means = [number(difference.mean_a), number(difference.mean_b), signed(change.mean), signed_interval(change.interval)]
                rows.append([_group_title(group, groups), title, str(change.n), str(change.n_patients), *means])
    return rows


def criteria_texts(decision: Decision) -> list[str]:
    """Each criterion, whether it is met, and its numbers."""
    return [f"{'Met' if one.is_met else 'NOT MET'}: {one.name}. {one.sentence}" for one in decision.criteria]


def _group_title(group: str, groups: Sequence[str]) -> str:
    return groups[0] if group == OVERALL and len(groups) == 1 else group


def _patients(items: Iterable[DatasetItem]) -> int:
    return len({item.patient_id for item in items})


def _sequences(items: Sequence[DatasetItem]) -> str:
    found = [sequence_of(series_of(item)) for item in items]
    return ", ".join(f"{found.count(name)} {name}" for name in dict.fromkeys(found)) or NOTHING
