"""Means with intervals over patients, scores of each level, and the official summary, derived by hand."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from evaluation_files import evaluation_of, scored, slices, write
from SpiderSegLib.errors import DatasetError, InputError
from SpiderSegLib.evaluation import (
    BootstrapConfig,
    Evaluation,
    Interval,
    LevelScore,
    ReferenceKind,
    Scores,
    SeriesFiles,
    estimate,
    evaluate_pairs,
    evaluate_series,
    level_title,
    official_metrics,
    official_metrics_json,
    score_labelmaps,
    score_levels,
    summarize_levels,
    summarize_scores,
)
from SpiderSegLib.metrics import OfficialScores, Statistic, overlap_table


def line(*values: int) -> NDArray[np.uint8]:
    """A labelmap of one column of voxels along k."""
    return np.array(values, dtype=np.uint8).reshape(-1, 1, 1)


def scores_of(reference: NDArray[Any], prediction: NDArray[Any], kind: ReferenceKind = ReferenceKind.SPIDER) -> Scores:
    return score_labelmaps(reference, prediction, (1.0, 1.0, 1.0), kind, overlap_table(reference, prediction))


# Intervals


def test_the_interval_of_three_patients_reaches_both_ends() -> None:
    # Of the 27 equally likely draws of three patients one takes the lowest three times: 3.7 %, more than the tail of 2.5 %.
    found = estimate([1.0, 2.0, 3.0], ["a", "b", "c"])
    assert (found.mean, found.std, found.n, found.n_patients) == (2.0, 1.0, 3, 3)
    assert found.interval == Interval(1.0, 3.0)


def test_a_narrower_confidence_leaves_out_the_rare_draws() -> None:
    # The sums 3..9 of three draws from 1, 2, 3 come 1 3 6 7 6 3 1 times in 27: the twentieth percentile is 5, the eightieth 7.
    assert estimate([1.0, 2.0, 3.0], "abc", BootstrapConfig(confidence=0.6)).interval == Interval(pytest.approx(5 / 3), pytest.approx(7 / 3))


def test_the_interval_of_four_patients_leaves_out_the_draw_of_one_patient_four_times() -> None:
    # The single 1 is drawn four times in 1 of 256 draws (0.4 %), at least three times in 13 (5.1 %), never in 81.
    assert estimate([0.0, 0.0, 0.0, 1.0], "abcd").interval == Interval(0.0, 0.75)


def test_all_series_of_a_patient_are_drawn_together() -> None:
    # Every patient has a 0 and a 1: whoever is drawn, the mean is a half. Drawing series alone would spread it.
    assert estimate([0.0, 1.0] * 4, "aabbccdd").interval == Interval(0.5, 0.5)


def test_a_patient_with_more_series_weighs_more() -> None:
    # Draws without a (8 of 27) have mean 1, draws of a alone (1 of 27) mean 0; a once of three: 2 ones among 5 values.
    found = estimate([0.0, 0.0, 0.0, 1.0, 1.0], "aaabc")
    assert (found.mean, found.interval) == (0.4, Interval(0.0, 1.0))


def test_fewer_than_three_patients_have_no_interval() -> None:
    found = estimate([0.1, 0.2, 0.3, 0.4], "aabb")
    assert (found.n, found.n_patients, found.interval) == (4, 2, None)
    assert estimate([], []).n_patients == 0


def test_undefined_values_are_not_counted_nor_their_patients() -> None:
    found = estimate([1.0, None, math.nan, 3.0], "abcd")
    assert (found.mean, found.n, found.n_patients, found.interval) == (2.0, 2, 2, None)


def test_the_same_seed_gives_the_same_interval_in_any_order_and_another_seed_another() -> None:
    values, patients = [0.61, 0.72, 0.83, 0.94, 0.55], "abcde"
    config = BootstrapConfig(resamples=60, seed=4)
    first = estimate(values, patients, config).interval
    assert estimate(values, patients, config).interval == first
    backward = estimate(values[::-1], patients[::-1], config).interval
    assert backward == Interval(pytest.approx(first.low), pytest.approx(first.high))
    assert estimate(values, patients, replace(config, seed=5)).interval != first


@pytest.mark.parametrize("wrong", [{"resamples": 0}, {"seed": -1}, {"confidence": 0.0}, {"confidence": 1.0}])
def test_a_bootstrap_that_cannot_be_drawn_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="found"):
        BootstrapConfig(**wrong)


def test_every_mean_has_its_interval_overall_and_by_sequence() -> None:
    # Patient 1 has two series. t1 alone has one patient: no interval.
    summary = summarize_scores(evaluation_of(scored("1_t1", 0.5), scored("1_t2", 0.7), scored("2_t2", 0.8), scored("3_t2", 0.9)))
    overall = summary["overall"]["structure_dice.vertebra"]
    assert (overall.n, overall.n_patients, overall.interval) == (4, 3, Interval(pytest.approx(0.6), pytest.approx(0.9)))
    assert summary["overall"]["structure_dice.mean"].mean == pytest.approx(0.725)
    assert summary["t2"]["structure_dice.disc"].interval == Interval(pytest.approx(0.7), pytest.approx(0.9))
    assert (summary["t1"]["structure_dice.vertebra"].n_patients, summary["t1"]["structure_dice.vertebra"].interval) == (1, None)


def test_the_mean_structure_dice_is_over_the_structures_that_are_defined() -> None:
    assert scored("1_t2", 0.6, 0.9).scores.by_name()["structure_dice.mean"] == pytest.approx(0.7)
    assert scored("1_t2", 0.6).scores.by_name()["structure_dice.mean"] == pytest.approx(0.6)
    assert scored("1_t2").scores.by_name()["structure_dice.mean"] is None


# Levels


def test_every_reference_instance_is_scored_at_its_level() -> None:
    # 1 found whole; half of 2, called 3, at distance 0 and 0, 1; the partial 108 missed; half of 201 found.
    found = score_levels(scores_of(line(1, 1, 2, 2, 108, 100, 201, 201), line(1, 1, 3, 0, 0, 100, 201, 0)))
    assert found == (
        LevelScore(1, dice=1.0, asd_mm=0.0, is_detected=True, is_level_right=True, body_recall=None),
        LevelScore(2, dice=2 / 3, asd_mm=pytest.approx(1 / 3), is_detected=True, is_level_right=False, body_recall=None),
        LevelScore(8, dice=0.0, asd_mm=None, is_detected=False, is_level_right=False, body_recall=None),
        LevelScore(201, dice=2 / 3, asd_mm=pytest.approx(1 / 3), is_detected=True, is_level_right=True, body_recall=None),
    )


@pytest.mark.parametrize(("predicted_voxels", "is_detected"), [(19, True), (20, False)])
def test_a_level_is_detected_from_a_dice_of_a_tenth(predicted_voxels: int, is_detected: bool) -> None:
    # One reference voxel: Dice 2/(1+19) = 0.1 and 2/(1+20) = 0.095.
    found = score_levels(scores_of(line(1, *[0] * 19), line(*[1] * predicted_voxels, *[0] * (20 - predicted_voxels))))
    assert found[0].is_detected is is_detected


def test_levels_of_vertebral_bodies_have_recall_and_number_but_no_dice() -> None:
    found = score_levels(scores_of(line(1, 1, 2, 2), line(1, 1, 3, 0), ReferenceKind.BODIES))
    assert [(one.level, one.dice, one.is_detected, one.is_level_right, one.body_recall) for one in found] == [
        (1, None, None, True, 1.0),
        (2, None, None, False, 0.5),
    ]


def test_class_maps_have_no_levels() -> None:
    assert score_levels(scores_of(line(1, 2, 3), line(1, 201, 100), ReferenceKind.CLASSES)) == ()


def test_levels_are_summarized_over_all_instances_by_sequence() -> None:
    perfect, missed, shifted = (scores_of(line(1, 201), prediction) for prediction in (line(1, 201), line(0, 201), line(2, 201)))
    series = [replace(scored(name), scores=scores) for name, scores in (("1_t1", perfect), ("2_t1", missed), ("3_t2", shifted))]
    levels = summarize_levels(evaluation_of(*series))
    assert list(levels) == ["overall", "t1", "t2"]
    assert list(levels["overall"]) == [1, 201]
    l5 = levels["overall"][1]
    assert (l5["instance_dice"].mean, l5["detection"].mean, l5["level_accuracy"].mean) == (pytest.approx(2 / 3), pytest.approx(2 / 3), 1 / 3)
    assert (l5["level_accuracy"].n, l5["asd_mm"].n, l5["level_accuracy"].interval) == (3, 2, Interval(0.0, 1.0))
    assert levels["t2"][201]["instance_dice"].mean == 1.0


@pytest.mark.parametrize(("level", "title"), [(1, "1 (L5)"), (6, "6 (T12)"), (201, "201 (L5/S1)"), (206, "206 (T12/L1)")])
def test_a_level_is_called_by_its_value_and_its_assumed_name(level: int, title: str) -> None:
    assert level_title(level) == title


# The official summary


def official_series(name: str, dice: float, canal: float, asd: float) -> Any:
    official = OfficialScores(dice, dice, canal, dice, 1.0, 1.0, asd, asd, asd, asd)
    return replace(scored(name), scores=Scores(official=official))


def test_official_aggregates_skip_nan_divide_by_n_minus_one_and_count_the_999() -> None:
    # As a pandas column: mean and std (ddof 1) of the numbers; a NaN distance leaves its column, an absent canal's 999 stays.
    series = [official_series("1_t1", 0.8, 0.9, 1.0), official_series("1_t2", 0.9, 999.0, math.nan), official_series("2_t1", 1.0, 0.9, 3.0)]
    metrics = official_metrics(evaluation_of(*series, failed=["3_t1"]))
    assert metrics["DiceScoreVertebrae"] == Statistic(pytest.approx(0.9), pytest.approx(0.1), 3)
    assert metrics["ASDDiscs"] == Statistic(2.0, pytest.approx(math.sqrt(2)), 2)
    # 333.6 on average; deviations -332.7 twice and 665.4: root of (2 * 332.7^2 + 665.4^2) / 2 = 332.7 * root of 3.
    assert metrics["DiceScoreSpinalCanal"] == Statistic(pytest.approx(333.6), pytest.approx(332.7 * math.sqrt(3)), 3)


def test_official_aggregates_have_the_names_of_the_challenge_and_nothing_else() -> None:
    content = json.loads(official_metrics_json(evaluation_of(official_series("1_t1", 0.8, 0.9, math.nan))))
    assert list(content) == list(OfficialScores(*[0.0] * 10).by_name())
    # One series has no standard deviation; the evaluator writes NaN, which JSON does not have.
    assert content["OveralDiceScore"] == {"mean": 0.8, "std": None}
    assert content["OveralASD"] == {"mean": None, "std": None}


def test_official_aggregates_need_a_series_with_official_scores() -> None:
    assert official_metrics(evaluation_of(scored("1_t1", 0.9))) == {}
    with pytest.raises(DatasetError, match="no official scores"):
        official_metrics_json(evaluation_of(scored("1_t1", 0.9)))


def test_pairs_of_files_whose_names_disagree_are_scored_for_the_challenge(tmp_path: Path) -> None:
    labelmap = slices(1, 2, 201, 100)
    pairs = [
        SeriesFiles("1_t1", write(tmp_path / "truth/1_t1.mha", labelmap), write(tmp_path / "job/6f1c.mha", labelmap)),
        SeriesFiles("2_t1", write(tmp_path / "truth/2_t1.mha", labelmap), None),
    ]
    evaluation: Evaluation = evaluate_pairs(pairs, ReferenceKind.SPIDER)
    assert [one.series for one in evaluation.series] == ["1_t1"]
    assert [one.series for one in evaluation.failed] == ["2_t1"]
    assert json.loads(official_metrics_json(evaluation))["DiceScoreDiscs"]["mean"] == 1.0


# Volumes


def test_volumes_are_in_millilitres_of_the_files_voxels(tmp_path: Path) -> None:
    # 4 voxels a slice of 0.5 x 0.5 x 4 mm: 4 mm3 = 0.004 ml. The partial vertebra is a vertebra; neither has a disc.
    reference, prediction = write(tmp_path / "r.mha", slices(1, 108, 100)), write(tmp_path / "p.mha", slices(1, 0, 100))
    volumes = evaluate_series(SeriesFiles("1_t2", reference, prediction)).scores.volumes
    assert [(v.structure.name, v.reference_ml, v.prediction_ml) for v in volumes] == [
        ("VERTEBRA", pytest.approx(0.008), pytest.approx(0.004)),
        ("CANAL", pytest.approx(0.004), pytest.approx(0.004)),
    ]
