"""The work list: who comes next under each strategy, and why, over a handful of cases."""

from __future__ import annotations

import random

import pytest

from SpiderSegLib.active_learning import Candidate, PlaceUncertainty, SeriesUncertainty, Strategy, rank
from SpiderSegLib.errors import InputError
from SpiderSegLib.labels import LevelState
from SpiderSegLib.level_names import LevelNaming
from SpiderSegLib.series_names import patient_of

CONFIRMED = LevelNaming(LevelState.CONFIRMED)


def unsure(entropy, disagreement=None, value=1, at=1, place_entropy=0.3):
    return SeriesUncertainty(entropy, (PlaceUncertainty(value, at, place_entropy),), disagreement)


def case(series, entropy=None, **further):
    """A candidate of the patient that its name tells."""
    uncertainty = None if entropy is None else unsure(entropy)
    return Candidate(series, patient_of(series), **{"uncertainty": uncertainty, **further})


def order(candidates, strategy=Strategy.UNCERTAIN, **further):
    return [ranked.candidate.series for ranked in rank(candidates, strategy, **further)]


def explanation(candidate, strategy=Strategy.UNCERTAIN, **further):
    return rank([candidate], strategy, **further)[0].explanation


# Uncertain


def test_the_least_certain_comes_first():
    assert order([case("1_t2", 0.1), case("2_t2", 0.3), case("3_t2", 0.2)]) == ["2_t2", "3_t2", "1_t2"]


def test_disagreement_of_mirrored_runs_moves_a_case_up():
    candidates = [case("1_t2", 0.12), case("2_t2", uncertainty=unsure(0.1, 0.03)), case("3_t2", uncertainty=unsure(0.1, 0.01))]
    assert order(candidates) == ["2_t2", "1_t2", "3_t2"]


def test_findings_of_the_linter_move_a_case_up_errors_more_than_warnings():
    candidates = [case("1_t2", 0.12), case("2_t2", 0.1, linter_errors=1), case("3_t2", 0.1, linter_warnings=1)]
    assert order(candidates) == ["2_t2", "1_t2", "3_t2"]


def test_a_hundred_warnings_outweigh_no_failed_segmentation():
    nothing_found = case("1_t2", uncertainty=SeriesUncertainty(1.0))
    assert order([case("2_t2", 0.5, linter_warnings=100), nothing_found]) == ["1_t2", "2_t2"]


def test_what_was_not_segmented_yet_comes_last():
    assert order([case("1_t2"), case("2_t2", 0.01)]) == ["2_t2", "1_t2"]


def test_places_count_from_1_and_scores_are_the_strategy_s():
    first, second = rank([case("1_t2", 0.1), case("2_t2", uncertainty=unsure(0.2, 0.05))])
    assert (first.place, second.place) == (1, 2)
    assert (first.score, second.score) == pytest.approx((0.25, 0.1))


# Other strategies


def test_the_linter_s_errors_come_before_its_warnings_and_uncertainty_decides_between_equals():
    candidates = [case("1_t2", 0.9), case("2_t2", 0.1, linter_errors=1), case("3_t2", 0.2, linter_errors=1), case("4_t2", linter_warnings=3)]
    assert order(candidates, Strategy.LINTER) == ["3_t2", "2_t2", "4_t2", "1_t2"]


def test_the_greatest_uncertainty_is_less_than_one_warning():
    candidates = [case("1_t2", uncertainty=SeriesUncertainty(1.0, (), 1.0)), case("2_t2", linter_warnings=1)]
    assert order(candidates, Strategy.LINTER) == ["2_t2", "1_t2"]


def test_the_oldest_is_the_one_that_waits_longest_whatever_its_zone():
    times = {"1_t2": "2025-03-01T10:00:00Z", "2_t2": "2025-03-01T10:30:00+02:00", "3_t2": "", "4_t2": "2024-12-31T00:00:00"}
    candidates = [case(series, waiting_since_utc=when) for series, when in times.items()]
    assert order(candidates, Strategy.OLDEST) == ["4_t2", "2_t2", "1_t2", "3_t2"]


def test_a_queue_by_age_stays_one_within_a_patient():
    candidates = [case(f"{name}", waiting_since_utc=f"2025-01-0{day}") for day, name in enumerate(("7_t1", "7_t2", "8_t1"), start=1)]
    assert order(candidates, Strategy.OLDEST) == ["7_t1", "7_t2", "8_t1"]


def test_a_time_of_another_form_is_refused():
    with pytest.raises(InputError, match=r"1_t2: expected a time as .*, found '1.2.2025'"):
        order([case("1_t2", waiting_since_utc="1.2.2025")], Strategy.OLDEST)


def test_chance_is_the_seed_s():
    candidates = [case(f"{n}_t2") for n in range(20)]
    assert order(candidates, Strategy.RANDOM, seed=1) == order(candidates, Strategy.RANDOM, seed=1)
    assert len({tuple(order(candidates, Strategy.RANDOM, seed=seed)) for seed in range(5)}) == 5


def test_the_draw_of_the_others_stays_when_a_case_is_done():
    candidates = [case(f"{n}_t2") for n in range(20)]
    before = order(candidates, Strategy.RANDOM)
    assert order([one for one in candidates if one.series != before[0]], Strategy.RANDOM) == before[1:]


def test_every_series_is_as_likely_to_be_drawn_first():
    candidates = [case(f"{n}_t2") for n in range(4)]
    firsts = [order(candidates, Strategy.RANDOM, seed=seed)[0] for seed in range(400)]
    assert all(70 < firsts.count(one.series) < 130 for one in candidates)


# Patients, holders, order


def test_a_second_series_of_a_patient_waits_for_other_patients():
    candidates = [case("1_t1", 0.4), case("1_t2", 0.39), case("2_t2", 0.3), case("3_t2", 0.1)]
    assert order(candidates) == ["1_t1", "2_t2", "1_t2", "3_t2"]


def test_a_patient_annotated_lately_waits():
    candidates = [case("1_t1", 0.4), case("2_t2", 0.3)]
    assert order(candidates, recent_patients=["1"]) == ["2_t2", "1_t1"]
    assert order(candidates, recent_patients=["2"]) == ["1_t1", "2_t2"]


def test_equal_cases_spread_over_patients_too_then_follow_their_names():
    assert order([case("10_t2"), case("2_t2"), case("2_t1")]) == ["2_t1", "10_t2", "2_t2"]


def test_what_another_holds_is_left_out_and_one_s_own_is_not():
    candidates = [case("1_t2", 0.3, held_by="Ann"), case("2_t2", 0.2, held_by="Bob"), case("3_t2", 0.1)]
    assert order(candidates, annotator="Ann") == ["1_t2", "3_t2"]
    assert order(candidates) == ["3_t2"]


def test_a_series_that_another_holds_does_not_put_back_the_patient_s_others():
    candidates = [case("1_t1", 0.4, held_by="Bob"), case("1_t2", 0.3), case("2_t2", 0.2)]
    assert order(candidates, annotator="Ann") == ["1_t2", "2_t2"]


def test_nothing_to_do_is_an_empty_list():
    assert rank([]) == ()
    assert rank([case("1_t2", held_by="Bob")], annotator="Ann") == ()


@pytest.mark.parametrize("strategy", list(Strategy))
def test_the_order_of_the_candidates_plays_no_part(strategy):
    rng = random.Random(0)
    candidates = [
        case(f"{n}_{sequence}", rng.choice((None, 0.1, 0.2)), linter_errors=rng.randrange(2), waiting_since_utc=f"2025-01-0{1 + n % 3}")
        for n in range(12)
        for sequence in ("t1", "t2")
    ]
    shuffled = rng.sample(candidates, len(candidates))
    assert rank(candidates, strategy) == rank(shuffled, strategy)


def test_counts_below_zero_are_refused():
    with pytest.raises(InputError, match="1_t2: expected counts"):
        case("1_t2", linter_errors=-1)


@pytest.mark.parametrize("strategy", list(Strategy))
def test_each_of_ten_thousand_candidates_has_its_place(strategy):
    places = tuple(PlaceUncertainty(value, value, 0.1) for value in (*range(1, 8), *range(201, 208)))
    candidates = [
        Candidate(f"{n // 2}_t{1 + n % 2}", str(n // 2), SeriesUncertainty((n * 7919 % 1000) / 1000, places, 0.01), waiting_since_utc="2025-01-01")
        for n in range(10_000)
    ]
    ranked = rank(candidates, strategy)
    assert [one.place for one in ranked] == list(range(1, 10_001))
    assert len({one.candidate.series for one in ranked}) == 10_000
    assert ranked[0].explanation


# Explanations


def test_the_example_of_the_manual_reads_as_it_stands_there():
    candidate = case("1_t2", uncertainty=unsure(0.3, value=100, at=4), naming=CONFIRMED, linter_errors=1, linter_worst="gap above L3")
    assert explanation(candidate) == "canal uncertain at L2, linter: gap above L3"


@pytest.mark.parametrize(
    ("naming", "value", "at", "words"),
    [
        (LevelNaming(), 1, 1, "vertebra uncertain at L5?"),
        (LevelNaming(), 202, 202, "disc uncertain at L4/L5?"),
        (LevelNaming(), 100, 100, "canal uncertain"),
        (CONFIRMED, 107, 107, "vertebra uncertain at T11 (partial)"),
        (LevelNaming(LevelState.UNIDENTIFIED), 100, 3, "canal uncertain at Vertebra 3"),
        (LevelNaming(LevelState.TRANSITIONAL, 6), 1, 1, "vertebra uncertain at L6"),
    ],
)
def test_no_level_is_named_as_more_than_it_is(naming, value, at, words):
    assert explanation(case("1_t2", uncertainty=unsure(0.3, value=value, at=at), naming=naming)) == words


@pytest.mark.parametrize(
    ("further", "words"),
    [
        ({}, "not segmented yet"),
        ({"uncertainty": SeriesUncertainty(1.0)}, "nothing found"),
        ({"uncertainty": unsure(0.05, place_entropy=0.1)}, "no level uncertain"),
        ({"uncertainty": unsure(0.3, 0.1)}, "vertebra uncertain at L5?, mirrored runs disagree"),
        ({"linter_errors": 1, "linter_warnings": 2}, "not segmented yet, linter: 1 error and 2 warnings"),
        ({"linter_warnings": 1}, "not segmented yet, linter: 1 warning"),
        ({"linter_warnings": 3, "linter_worst": "island of 201"}, "not segmented yet, linter: island of 201 and 2 more"),
    ],
)
def test_a_rank_is_explained_by_what_is_known(further, words):
    assert explanation(case("1_t2", **further)) == words


def test_a_rank_is_explained_by_its_strategy_too():
    assert explanation(case("1_t2", waiting_since_utc="2025-01-31T10:00:00Z"), Strategy.OLDEST) == "waiting since 2025-01-31, not segmented yet"
    assert explanation(case("1_t2"), Strategy.OLDEST) == "waiting since an unknown time, not segmented yet"
    assert explanation(case("1_t2"), Strategy.RANDOM) == "drawn at random, not segmented yet"


def test_a_case_that_was_put_back_or_is_held_says_so():
    first, second = rank([case("1_t1"), case("1_t2", held_by="Ann")], annotator="Ann")
    assert first.explanation == "not segmented yet"
    assert second.explanation == "not segmented yet, put back behind 1 other series of patient 1, held by you"


def test_a_prediction_of_an_older_model_says_so():
    older, newest = rank([case("1_t2", 0.3, generation=1), case("2_t2", 0.2, generation=3)])
    assert older.explanation == "vertebra uncertain at L5?, segmented by model generation 1, the newest is 3"
    assert newest.explanation == "vertebra uncertain at L5?"
