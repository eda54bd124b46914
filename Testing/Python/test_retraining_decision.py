"""The rule of a promotion over literal evaluations: each criterion failing alone, its edges, few patients, none."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from SpiderSegLib.evaluation import Evaluation, FailedSeries, ReferenceKind, Scores, SeriesEvaluation, SeriesFiles
from SpiderSegLib.labels import Structure, structure_of
from SpiderSegLib.metrics import InstanceDice, InstancePair, StructureDice, level_accuracy
from SpiderSegLib.retraining import Decision, DecisionKind, decide, headline, use_warning
from SpiderSegLib.retraining.decision import decision_from, decision_object
from SpiderSegLib.series_names import sequence_of

TEN = tuple(f"{patient}_t2" for patient in range(1, 11))

#: L5, L4 and the disc between them, all found under their own numbers.
ALL_RIGHT: Mapping[int, tuple[int | None, float]] = {1: (1, 0.9), 2: (2, 0.9), 201: (201, 0.9)}

MEAN, INTERVAL, STRUCTURE = "mean structure Dice is higher", "the lower end of the 95 % interval", "no structure in any sequence"
ACCURACY, LEVEL = "level accuracy does not fall", "no case newly loses a level"


def scored(
    series: str,
    vertebra: float = 0.9,
    disc: float = 0.9,
    canal: float = 0.9,
    levels: Mapping[int, tuple[int | None, float]] = ALL_RIGHT,
    kind: ReferenceKind = ReferenceKind.SPIDER,
) -> SeriesEvaluation:
    """A series with these Dice scores; `levels` by reference value: the prediction assigned to it and its Dice."""
    pairs = tuple(InstancePair(value, prediction, dice) for value, (prediction, dice) in levels.items())
    assignments = tuple(
        InstanceDice(structure, tuple(pair for pair in pairs if structure_of(pair.reference) is structure), ())
        for structure in (Structure.VERTEBRA, Structure.DISC)
    )
    scores = Scores(StructureDice(vertebra, disc, canal), assignments, pairs, level_accuracy(assignments))
    files = SeriesFiles(series, Path("reference.mha"), Path("prediction.mha"))
    return SeriesEvaluation(files, sequence_of(series), kind, False, scores, ())


def every(names: tuple[str, ...] = TEN, **scores: float) -> Evaluation:
    return Evaluation(tuple(scored(name, **scores) for name in names), (), ())


def with_failed(evaluation: Evaluation, *names: str) -> Evaluation:
    """The evaluation where these series failed instead."""
    kept = tuple(one for one in evaluation.series if one.series not in names)
    failed = tuple(FailedSeries(SeriesFiles(name, Path("r.mha"), None), sequence_of(name), "unreadable") for name in names)
    return Evaluation(kept, failed, ())


def with_levels(evaluation: Evaluation, **levels: Mapping[int, tuple[int | None, float]]) -> Evaluation:
    """The evaluation where the patients p<id> have other levels."""
    changed = {f"{patient.removeprefix('p')}_t2": found for patient, found in levels.items()}
    series = tuple(
        scored(one.series, *vars(one.scores.structure_dice).values(), changed[one.series]) if one.series in changed else one
        for one in evaluation.series
    )
    return Evaluation(series, (), ())


def unmet(decision: Decision) -> list[str]:
    return [criterion.name for criterion in decision.criteria if not criterion.is_met]


CHAMPION, BETTER = every(), every(vertebra=0.92, disc=0.92, canal=0.92)


def test_a_challenger_that_meets_every_criterion_on_ten_patients_is_promoted():
    decision = decide(CHAMPION, BETTER)
    assert (decision.kind, decision.is_better, decision.n_patients, decision.n_series) == (DecisionKind.PROMOTE, True, 10, 10)
    assert decision.reasons == ("Every criterion is met.",)
    assert decision.criteria[1].sentence == ("Mean structure Dice over 10 series: 0.9000 with the champion, 0.9200 with the challenger (+0.0200).")
    assert decision.warnings == ()


def test_an_equal_mean_is_not_higher():
    decision = decide(CHAMPION, CHAMPION)
    assert decision.kind is DecisionKind.REJECT
    assert unmet(decision) == [MEAN]


def test_a_gain_that_one_patient_alone_brings_is_not_trusted():
    gains = (0.2, *(-0.008,) * 9)
    challenger = Evaluation(tuple(scored(name, *(0.7 + gain,) * 3) for name, gain in zip(TEN, gains, strict=True)), (), ())
    decision = decide(every(vertebra=0.7, disc=0.7, canal=0.7), challenger)
    assert [name.startswith(INTERVAL) for name in unmet(decision)] == [True]
    assert "-0.0080 to " in next(one.sentence for one in decision.criteria if not one.is_met)


# Change of all patients alike, which is then the interval's end, and whether it is above -0.005.
@pytest.mark.parametrize(("change", "is_met"), [(-0.0049, True), (-0.005, False), (-0.0051, False)])
def test_the_interval_s_end_must_be_above_its_threshold(change, is_met):
    decision = decide(CHAMPION, every(vertebra=0.9 + change, disc=0.9 + change, canal=0.9 + change))
    assert next(one for one in decision.criteria if one.name.startswith(INTERVAL)).is_met is is_met


# A fall by exactly 0.01 is not more than 0.01, whatever 0.9 - 0.01 is in binary.
@pytest.mark.parametrize(("disc", "fallen"), [(0.91, []), (0.89, []), (0.8899, [True])])
def test_no_structure_may_fall_by_more_than_a_hundredth(disc, fallen):
    decision = decide(CHAMPION, every(vertebra=0.95, disc=disc, canal=0.95))
    assert [name.startswith(STRUCTURE) for name in unmet(decision)] == fallen


def test_a_gain_in_one_sequence_does_not_pay_for_a_fall_in_another():
    names = (*TEN, "1_t1", "2_t1")
    challenger = Evaluation(tuple(scored(name, 0.95, 0.88 if name.endswith("t1") else 0.95, 0.95) for name in names), (), ())
    decision = decide(every(names), challenger)
    assert [name.startswith(STRUCTURE) for name in unmet(decision)] == [True]
    assert next(one.sentence for one in decision.criteria if not one.is_met) == "Dice fell: disc in t1 -0.0200."


def test_level_accuracy_may_not_fall():
    hardly_found = {**ALL_RIGHT, 2: (2, 0.05)}  # under its right number, but too little of it to count as found
    decision = decide(with_levels(CHAMPION, p3=hardly_found), with_levels(BETTER, p3={**ALL_RIGHT, 2: (None, 0.0)}))
    assert unmet(decision) == [ACCURACY]


def test_a_level_gained_in_one_case_does_not_pay_for_one_lost_in_another():
    missed = {**ALL_RIGHT, 2: (None, 0.0)}
    decision = decide(with_levels(CHAMPION, p1=missed), with_levels(BETTER, p2=missed))
    assert unmet(decision) == [LEVEL]
    assert next(one.sentence for one in decision.criteria if not one.is_met) == "Held by the champion alone: 2_t2 2 (L4) missed."


def test_a_case_that_is_renumbered_loses_its_levels():
    decision = decide(with_levels(CHAMPION, p1={1: (2, 0.9), 2: (3, 0.9)}), with_levels(BETTER, p4={1: (2, 0.9), 2: (3, 0.9)}))
    assert unmet(decision) == [LEVEL]
    assert "4_t2 1 (L5) misnumbered, 4_t2 2 (L4) misnumbered" in next(one.sentence for one in decision.criteria if not one.is_met)


def test_a_level_that_the_champion_did_not_hold_can_t_be_lost():
    missed = {**ALL_RIGHT, 2: (None, 0.0)}
    assert decide(with_levels(CHAMPION, p1=missed), with_levels(BETTER, p1=missed)).kind is DecisionKind.PROMOTE


def test_a_challenger_that_fails_on_a_series_loses():
    decision = decide(CHAMPION, with_failed(BETTER, "7_t2"))
    assert (decision.kind, decision.n_patients, unmet(decision)) == (DecisionKind.REJECT, 10, ["no series fails that the champion segments"])
    everything = decide(CHAMPION, with_failed(BETTER, *TEN))
    assert (everything.kind, everything.n_series) == (DecisionKind.REJECT, 0)
    assert everything.criteria[0].sentence == "The challenger fails on 1_t2, 2_t2, 3_t2, 4_t2, 5_t2 and 5 more."


def test_a_series_that_neither_model_has_a_score_for_is_said_and_not_counted():
    decision = decide(with_failed(every((*TEN, "11_t2")), "11_t2"), with_failed(every((*TEN, "11_t2"), vertebra=0.95), "11_t2"))
    assert decision.kind is DecisionKind.PROMOTE
    assert decision.warnings == ("not compared, because neither model has a score for it: 11_t2 (unreadable)",)


def test_under_ten_patients_it_only_recommends_whichever_way():
    nine = TEN[:9]
    up, down = decide(every(nine), every(nine, vertebra=0.95)), decide(every(nine, vertebra=0.95), every(nine))
    assert [(one.kind, one.is_better) for one in (up, down)] == [(DecisionKind.RECOMMEND, True), (DecisionKind.RECOMMEND, False)]
    assert up.reasons[0] == "Only 9 validation patients, fewer than 10: this is a recommendation, and a person decides."
    assert headline(up) == "Recommendation: promote the challenger. A person decides."
    assert headline(down) == "Recommendation: keep the champion. A person decides."


def test_patients_are_counted_and_not_series():
    names = tuple(f"{patient}_{sequence}" for patient in range(1, 6) for sequence in ("t1", "t2"))
    decision = decide(every(names), every(names, vertebra=0.95))
    assert (decision.kind, decision.n_patients, decision.n_series) == (DecisionKind.RECOMMEND, 5, 10)


def test_with_two_patients_there_is_no_interval_and_the_criterion_is_not_met():
    two = TEN[:2]
    decision = decide(every(two), every(two, vertebra=0.95))
    assert [name.startswith(INTERVAL) for name in unmet(decision)] == [True]
    assert "No interval can be given for 2 patients." in [one.sentence for one in decision.criteria]


def test_without_validation_patients_nothing_is_compared_and_it_says_so():
    nothing = Evaluation((), (), ())
    decision = decide(nothing, nothing)
    assert (decision.kind, decision.is_better, decision.is_compared) == (DecisionKind.RECOMMEND, False, False)
    assert "no validation patients" in decision.reasons[0]
    assert headline(decision) == "The challenger could not be compared with the champion: a person decides."


def test_a_champion_without_any_score_can_t_be_compared():
    decision = decide(with_failed(CHAMPION, *TEN), BETTER)
    assert not decision.is_compared
    assert decision.reasons == ("The champion has no score for any validation series: the models can't be compared, and a person decides.",)


def test_class_maps_have_no_levels_to_lose():
    names = TEN
    one, other = (Evaluation(tuple(scored(name, dice, dice, dice, {}, ReferenceKind.CLASSES) for name in names), (), ()) for dice in (0.9, 0.92))
    decision = decide(one, other)
    assert decision.kind is DecisionKind.PROMOTE
    assert "numbering was not compared" in next(criterion.sentence for criterion in decision.criteria if criterion.name == ACCURACY)


def test_the_same_evaluations_give_the_same_decision():
    gains = [0.03, -0.01, 0.02, 0.0, 0.01, 0.04, -0.02, 0.01, 0.0, 0.02]
    challenger = Evaluation(tuple(scored(name, 0.9 + gain) for name, gain in zip(TEN, gains, strict=True)), (), ())
    shuffled = Evaluation(tuple(reversed(challenger.series)), (), ())
    assert decide(CHAMPION, challenger) == decide(CHAMPION, shuffled)


@pytest.mark.parametrize(("uses", "is_said"), [(0, False), (9, False), (10, True), (25, True)])
def test_a_validation_set_used_for_ten_rounds_is_warned_of(uses, is_said):
    assert (use_warning(uses) is not None) is is_said
    decision = decide(CHAMPION, BETTER, validation_uses=uses)
    assert any("freeze new validation patients" in warning for warning in decision.warnings) is is_said
    assert decision.kind is DecisionKind.PROMOTE  # a warning changes no decision


def test_a_decision_survives_being_written_as_json():
    decision = decide(CHAMPION, with_failed(BETTER, "7_t2"), validation_uses=12)
    assert decision_from(decision_object(decision)) == decision
