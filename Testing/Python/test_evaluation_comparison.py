"""One set of predictions against another, and several in order, derived by hand."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from evaluation_files import evaluation_of, scored
from SpiderSegLib.errors import DatasetError
from SpiderSegLib.evaluation import Evaluation, Interval, ReferenceKind, Scores, Verdict, compare, rank, verdict_text
from SpiderSegLib.metrics import OfficialScores


def dices(**values: float) -> Evaluation:
    """An evaluation of series _1_t2=0.9, ..: their structure Dice (a keyword can't begin with a digit)."""
    return evaluation_of(*(scored(name[1:], value) for name, value in values.items()))


# Comparison


def test_differences_are_b_minus_a_series_by_series() -> None:
    comparison = compare(dices(_1_t2=0.8, _2_t2=0.9, _3_t1=0.7), dices(_3_t1=0.6, _2_t2=0.9, _1_t2=1.0))
    found = comparison.differences["overall"]["structure_dice.disc"]
    assert (found.mean_a, found.mean_b) == (pytest.approx(0.8), pytest.approx(2.5 / 3))
    # Changes 0.2, 0 and -0.1, one a patient: the mean is a thirtieth, the interval reaches both ends (1 of 27 draws each).
    assert (found.change.mean, found.change.n, found.change.n_patients) == (pytest.approx(0.1 / 3), 3, 3)
    assert found.change.interval == Interval(pytest.approx(-0.1), pytest.approx(0.2))
    assert found.verdict is Verdict.NO_DIFFERENCE
    assert list(comparison.differences) == ["overall", "t1", "t2"]
    assert comparison.differences["t2"]["structure_dice.disc"].change.mean == pytest.approx(0.1)


def test_a_gain_in_every_patient_is_better_and_a_loss_worse() -> None:
    low, high = dices(_1_t2=0.5, _2_t2=0.75, _3_t2=0.25), dices(_1_t2=0.625, _2_t2=0.875, _3_t2=0.375)
    assert compare(low, high).main.change.interval == Interval(0.125, 0.125)
    assert (compare(low, high).main.verdict, compare(high, low).main.verdict) == (Verdict.BETTER, Verdict.WORSE)


def test_a_distance_that_falls_is_better() -> None:
    far, near = (evaluation_of(*(scored(f"{n}_t2", 0.5, asd_mm=asd) for n in range(3))) for asd in (2.0, 1.0))
    comparison = compare(far, near)
    assert comparison.differences["overall"]["asd_mm.vertebra"].verdict is Verdict.BETTER
    assert comparison.main.verdict is Verdict.NO_DIFFERENCE


def test_with_two_patients_nothing_is_concluded() -> None:
    comparison = compare(dices(_1_t1=0.1, _1_t2=0.1, _2_t2=0.1), dices(_1_t1=0.9, _1_t2=0.9, _2_t2=0.9))
    assert comparison.main.verdict is Verdict.TOO_FEW
    text = verdict_text(comparison)
    assert "over 3 series of 2 patients" in text
    assert "fewer than 3 patients" in text
    assert "better" not in text.lower()


def test_series_that_one_side_lacks_are_named_and_not_counted() -> None:
    comparison = compare(dices(_1_t2=0.5, _2_t2=0.5, _3_t2=0.5, _4_t2=0.0), dices(_1_t2=0.6, _2_t2=0.6, _3_t2=0.6, _5_t2=1.0), "old", "new")
    assert (comparison.missing_in_a, comparison.missing_in_b) == (("5_t2",), ("4_t2",))
    assert comparison.main.change.mean == pytest.approx(0.1)
    text = verdict_text(comparison)
    assert "old has no score for them: 5_t2" in text
    assert "new has no score for them: 4_t2" in text


def test_the_series_that_changed_most_are_named_worst_first() -> None:
    a = dices(_1_t2=0.5, _2_t2=0.5, _3_t2=0.5, _4_t2=0.5, _5_t2=0.5)
    comparison = compare(a, dices(_1_t2=0.4, _2_t2=0.9, _3_t2=0.5, _4_t2=0.1, _5_t2=0.6))
    assert [change.series for change in comparison.gained(3)] == ["2_t2", "5_t2"]
    assert [change.series for change in comparison.lost(1)] == ["4_t2"]
    assert comparison.lost(1)[0].change == pytest.approx(-0.4)


def test_an_official_nan_on_one_side_leaves_the_difference() -> None:
    def with_asd(values: list[float]) -> Evaluation:
        scores = [Scores(structure_dice=scored("x", 0.5).scores.structure_dice, official=OfficialScores(*[1.0] * 9, asd)) for asd in values]
        return evaluation_of(*(replace(scored(f"{n}_t2"), scores=one) for n, one in enumerate(scores)))

    found = compare(with_asd([1.0, math.nan, 2.0]), with_asd([1.5, 1.0, 2.5])).differences["overall"]["official.OveralASD"]
    assert (found.change.n, found.change.mean, found.mean_a, found.mean_b) == (2, 0.5, 1.5, 2.0)


def test_the_verdict_is_a_plain_sentence() -> None:
    a, b = dices(_1_t2=0.5, _2_t2=0.5, _3_t2=0.5), dices(_1_t2=0.625, _2_t2=0.625, _3_t2=0.625)
    text = verdict_text(compare(a, b, "old", "new"))
    assert text.startswith(
        "new is 0.1250 higher than old in structure_dice.mean over 3 series of 3 patients "
        "(95 % interval +0.1250 to +0.1250): the interval leaves out 0, so new is better."
    )
    assert "Better in structure_dice.vertebra, structure_dice.disc." in text
    assert "Worse in no other score." in text
    assert verdict_text(compare(a, a, "old", "new")).startswith("new is not different from old")


def test_bodies_are_compared_by_their_recall() -> None:
    from SpiderSegLib.metrics import BodyRecall

    a, b = (
        evaluation_of(replace(scored("1_t2", kind=ReferenceKind.BODIES), scores=Scores(body_recall=BodyRecall(((1, 1, share),)))))
        for share in (0.5, 0.75)
    )
    assert compare(a, b).main_score == "body_recall"
    assert compare(a, b).main.change.mean == 0.25


def test_evaluations_that_cannot_be_compared_are_refused() -> None:
    with pytest.raises(DatasetError, match="nothing to compare"):
        compare(dices(_1_t2=0.5), dices(_2_t2=0.5))
    with pytest.raises(DatasetError, match=r"1_t2.*spider in A and classes in B"):
        compare(evaluation_of(scored("1_t2", 0.5)), evaluation_of(scored("1_t2", 0.5, kind=ReferenceKind.CLASSES)))


# Ranking


def test_ties_share_the_mean_rank() -> None:
    # Ranks 1, 2.5 and 2.5 of three, in each of two scores of each of two series.
    ranking = rank({"b": dices(_1_t2=0.5, _2_t2=0.5), "a": dices(_1_t2=0.9, _2_t2=0.9), "c": dices(_1_t2=0.5, _2_t2=0.5)})
    assert [(one.name, one.place, one.relative_rank.mean) for one in ranking.sets] == [
        ("a", 1, pytest.approx(1 / 3)),
        ("b", 2, pytest.approx(2.5 / 3)),
        ("c", 2, pytest.approx(2.5 / 3)),
    ]
    assert (ranking.sets[0].relative_rank.n, ranking.n_series) == (4, 2)


def test_a_missing_prediction_ranks_last_and_two_missing_ones_share_the_last_ranks() -> None:
    missing = evaluation_of(scored("2_t2", 0.9), failed=["1_t2"])
    ranking = rank({"a": evaluation_of(scored("1_t2", 0.1, asd_mm=50.0), scored("2_t2", 0.9)), "b": missing, "c": missing})
    # Series 1: ranks 1, 2.5, 2.5 in two Dice and two distances; series 2: all share 2 in two Dice. Sums 8, 14, 14 of 6 x 3.
    assert [(one.name, one.relative_rank.mean, one.missing) for one in ranking.sets] == [
        ("a", pytest.approx(8 / 18), ()),
        ("b", pytest.approx(14 / 18), ("1_t2",)),
        ("c", pytest.approx(14 / 18), ("1_t2",)),
    ]


def test_what_no_set_has_is_not_ranked() -> None:
    both_missing = [evaluation_of(scored("1_t2", value), failed=["2_t2"]) for value in (0.4, 0.6)]
    ranking = rank(dict(zip("ab", both_missing, strict=True)))
    assert [(one.name, one.relative_rank.mean, one.relative_rank.n) for one in ranking.sets] == [("b", 0.5, 2), ("a", 1.0, 2)]


def test_short_distances_rank_first_and_undefined_ones_last() -> None:
    # In the two Dice scores all tie (rank 2); in ASD and HD95 they rank near, far, none: means 1.5, 2, 2.5 of 3.
    sets = {name: evaluation_of(scored("1_t2", 0.5, asd_mm=asd)) for name, asd in (("far", 2.0), ("none", None), ("near", 1.0))}
    assert [(one.name, one.relative_rank.mean) for one in rank(sets).sets] == [
        ("near", pytest.approx(1.5 / 3)),
        ("far", pytest.approx(2 / 3)),
        ("none", pytest.approx(2.5 / 3)),
    ]


def test_leaving_out_a_structure_that_is_not_there_ranks_before_inventing_it() -> None:
    # The reference has no canal: a predicts none (undefined), b predicts one (Dice 0). The other two scores tie at 1.5.
    sets = {"b": evaluation_of(scored("1_t2", 0.5, canal=0.0)), "a": evaluation_of(scored("1_t2", 0.5, canal=None))}
    ranking = rank(sets)
    assert [(one.name, one.relative_rank.mean) for one in ranking.sets] == [("a", pytest.approx(4 / 6)), ("b", pytest.approx(5 / 6))]


def test_official_scores_and_the_mean_of_the_structures_are_not_counted_again() -> None:
    scores = rank({"a": dices(_1_t2=0.5), "b": dices(_1_t2=0.6)}).scores
    assert "structure_dice.canal" in scores
    assert not [name for name in scores if name.startswith("official.") or name == "structure_dice.mean"]


def test_there_must_be_something_to_rank() -> None:
    with pytest.raises(DatasetError, match="at least two"):
        rank({"a": dices(_1_t2=0.5)})
    with pytest.raises(DatasetError, match="found none"):
        rank({"a": evaluation_of(failed=["1_t2"]), "b": evaluation_of(failed=["1_t2"])})
