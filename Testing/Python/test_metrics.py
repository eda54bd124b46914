"""Scores over labelmaps small enough to derive every number by hand."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from SpiderSegLib.errors import GeometryError, InputError, LabelError
from SpiderSegLib.labels import Structure
from SpiderSegLib.metrics import (
    CLASS_VALUES,
    SPIDER_VALUES,
    InstancePair,
    OfficialScores,
    Statistic,
    StructureDice,
    body_recall,
    instance_dice,
    instance_distances,
    level_accuracy,
    official_scores,
    overlap_table,
    structure_dice,
    summarize,
    surface_distances,
)

ISOTROPIC = (1.0, 1.0, 1.0)


def line(*values: int) -> NDArray[np.uint8]:
    """A labelmap of one column of voxels along k."""
    return np.array(values, dtype=np.uint8).reshape(-1, 1, 1)


def vertebrae(reference: NDArray[Any], prediction: NDArray[Any]) -> Any:
    return instance_dice(overlap_table(reference, prediction), Structure.VERTEBRA)


def accuracy(reference: NDArray[Any], prediction: NDArray[Any]) -> float | None:
    table = overlap_table(reference, prediction)
    return level_accuracy([instance_dice(table, Structure.VERTEBRA), instance_dice(table, Structure.DISC)])


def official(reference: NDArray[Any], prediction: NDArray[Any], spacing_kji_mm: tuple[float, float, float] = ISOTROPIC) -> OfficialScores:
    return official_scores(reference, prediction, spacing_kji_mm)


# Overlap table


def test_every_voxel_is_counted_once_whatever_the_size() -> None:
    reference = np.zeros((3, 700, 700), dtype=np.int16)
    prediction = np.zeros((3, 700, 700), dtype=np.uint8)
    reference[0], prediction[1], prediction[0, 0, :5] = 225, 7, 100
    table = overlap_table(reference, prediction)
    assert table.counts.sum() == 3 * 700 * 700
    assert (table.counts[225, 100], table.counts[225, 0], table.counts[0, 7]) == (5, 490_000 - 5, 490_000)
    assert (table.reference_values, table.prediction_values) == ((225,), (7, 100))


def test_labelmaps_of_different_shapes_are_refused() -> None:
    with pytest.raises(GeometryError, match=r"\(2, 1, 1\).*\(1, 1, 1\)"):
        overlap_table(line(1, 1), line(1))


@pytest.mark.parametrize("wrong", [np.array([[[-1]]]), np.array([[[256]]]), np.array([[[0.5]]])], ids=["negative", "too large", "not integer"])
def test_values_that_are_no_labels_are_refused(wrong: NDArray[Any]) -> None:
    with pytest.raises(LabelError, match="prediction"):
        overlap_table(line(0), wrong)


# Structure Dice


def test_structure_dice_takes_all_vertebrae_partial_ones_included_as_one() -> None:
    # Vertebra voxels: reference 4, prediction 3, shared 3. Disc voxels: 2, 3, shared 2. No canal voxel is shared.
    reference = line(1, 1, 2, 108, 201, 202, 100, 0)
    prediction = line(5, 5, 101, 201, 205, 205, 0, 100)
    assert structure_dice(overlap_table(reference, prediction)) == StructureDice(vertebra=6 / 7, disc=4 / 5, canal=0.0)


def test_a_structure_absent_in_both_is_not_counted_and_absent_in_one_is_zero() -> None:
    assert structure_dice(overlap_table(line(1, 0, 201), line(1, 100, 0))) == StructureDice(vertebra=1.0, disc=0.0, canal=0.0)
    assert structure_dice(overlap_table(line(1), line(1))) == StructureDice(vertebra=1.0, disc=None, canal=None)


def test_structure_dice_reads_a_class_map_as_reference() -> None:
    table = overlap_table(line(1, 1, 2, 3), line(4, 5, 203, 100))
    assert structure_dice(table, reference_values=CLASS_VALUES) == StructureDice(1.0, 1.0, 1.0)


def test_a_structure_the_reference_does_not_label_is_not_scored() -> None:
    table = overlap_table(line(201, 0), line(201, 1))
    assert structure_dice(table, {Structure.DISC: SPIDER_VALUES[Structure.DISC]}) == StructureDice(vertebra=None, disc=1.0, canal=None)


# Instance Dice


def test_instances_are_assigned_one_to_one_so_that_the_summed_dice_is_largest() -> None:
    # Dice: 1-5 6/10, 1-6 4/7, 2-5 4/8, 2-6 0. Taking the best pair first (1-5) would leave 2 with nothing.
    result = vertebrae(line(1, 1, 1, 1, 1, 2, 2, 2), line(5, 5, 5, 6, 6, 5, 5, 0))
    assert result.pairs == (InstancePair(1, 6, 4 / 7), InstancePair(2, 5, 1 / 2))
    assert result.mean == pytest.approx((4 / 7 + 1 / 2) / 2)


def test_a_missed_reference_and_an_unmatched_prediction_each_count_zero() -> None:
    result = vertebrae(line(1, 1, 2, 2, 0, 0), line(1, 1, 0, 0, 3, 3))
    assert result.pairs == (InstancePair(1, 1, 1.0), InstancePair(2, None, 0.0))
    assert result.unmatched_predictions == (3,)
    assert result.mean == pytest.approx(1 / 3)


def test_instances_that_share_no_voxel_are_no_match() -> None:
    result = vertebrae(line(1, 1, 0, 0), line(0, 0, 1, 1))
    assert result.pairs == (InstancePair(1, None, 0.0),)
    assert result.unmatched_predictions == (1,)
    assert result.mean == 0.0


def test_merged_vertebrae_are_one_match_and_one_miss() -> None:
    result = vertebrae(line(1, 1, 1, 2, 2), line(1, 1, 1, 1, 1))
    assert result.pairs == (InstancePair(1, 1, 6 / 8), InstancePair(2, None, 0.0))


def test_a_partial_vertebra_is_matched_with_vertebrae_and_never_with_a_disc() -> None:
    assert vertebrae(line(108, 108), line(8, 8)).pairs == (InstancePair(108, 8, 1.0),)
    assert vertebrae(line(108, 108), line(208, 208)).pairs == (InstancePair(108, None, 0.0),)


def test_instance_dice_is_undefined_without_any_instance_and_zero_with_predictions_alone() -> None:
    assert vertebrae(line(100), line(100)).mean is None
    assert vertebrae(line(0), line(1)).mean == 0.0


# Level accuracy


def test_level_accuracy_compares_numbers_modulo_100() -> None:
    assert accuracy(line(1, 108, 201), line(101, 8, 201)) == 1.0


def test_a_numbering_shifted_by_one_level_has_no_right_level_and_full_dice() -> None:
    reference, prediction = line(1, 2, 201, 202), line(2, 3, 202, 203)
    assert accuracy(reference, prediction) == 0.0
    assert vertebrae(reference, prediction).mean == 1.0


def test_missed_references_are_wrong_levels_and_unmatched_predictions_are_free() -> None:
    assert accuracy(line(1, 2, 201, 0), line(1, 0, 205, 3)) == pytest.approx(1 / 3)


def test_level_accuracy_is_undefined_without_reference_instances() -> None:
    assert accuracy(line(0, 100), line(1, 100)) is None


# Body recall


def test_body_recall_is_the_mean_share_of_each_body_under_its_best_vertebra_label() -> None:
    # Body 1: 3 of 4 voxels are vertebra 1. Body 2: the disc is no vertebra, so 1 of 3. Posterior elements outside cost nothing.
    result = body_recall(overlap_table(line(1, 1, 1, 1, 2, 2, 2, 0), line(1, 1, 1, 2, 201, 201, 102, 1)))
    assert result.bodies == ((1, 1, 0.75), (2, 102, pytest.approx(1 / 3)))
    assert result.mean == pytest.approx((0.75 + 1 / 3) / 2)


def test_a_body_without_a_vertebra_voxel_counts_zero() -> None:
    result = body_recall(overlap_table(line(1, 2), line(1, 100)))
    assert result.bodies == ((1, 1, 1.0), (2, None, 0.0))
    assert result.mean == 0.5


# Surface distances


def test_distances_use_the_spacing_in_array_order() -> None:
    reference, prediction = np.zeros((2, 4, 4, 4), dtype=bool)
    reference[0, 0, 0], prediction[3, 0, 0] = True, True
    found = surface_distances(reference, prediction, (4.0, 0.5, 1.0))
    assert (found.asd_mm, found.hd95_mm) == (12.0, 12.0)


def test_a_one_slice_volume_has_contours() -> None:
    # 5x5 around 3x3: the 8 inner border pixels are 1 away, the outer border has 12 pixels 1 away and 4 corners sqrt 2 away.
    outer, inner = np.zeros((2, 1, 7, 7), dtype=bool)
    outer[0, 1:6, 1:6], inner[0, 2:5, 2:5] = True, True
    found = surface_distances(outer, inner, (9.0, 1.0, 1.0))
    assert found.asd_mm == pytest.approx((20 + 4 * math.sqrt(2)) / 24)
    assert found.hd95_mm == pytest.approx(math.sqrt(2))


def test_hd95_is_the_larger_of_the_two_directed_percentiles_and_asd_pools_both() -> None:
    # Ends of a 10 voxel rod: 0 and 9. From the single voxel: 0; from the rod: 0 and 9, whose 95th percentile is 8.55.
    rod, voxel = line(*[1] * 10) > 0, line(1, *[0] * 9) > 0
    for first, second in ((rod, voxel), (voxel, rod)):
        found = surface_distances(first, second, ISOTROPIC)
        assert (found.asd_mm, found.hd95_mm) == (pytest.approx(3.0), pytest.approx(8.55))


def test_identical_masks_are_at_distance_zero_even_at_the_edge_of_the_array() -> None:
    everything = np.ones((3, 3, 3), dtype=bool)
    found = surface_distances(everything, everything, ISOTROPIC)
    assert (found.asd_mm, found.hd95_mm) == (0.0, 0.0)


def test_diagonal_neighbors_outside_make_a_voxel_border() -> None:
    # A 5x5 square without one corner: the pixel diagonal to the gap becomes border, so the gap-free square is 0 from all but it.
    full = np.zeros((1, 7, 7), dtype=bool)
    full[0, 1:6, 1:6] = True
    notched = full.copy()
    notched[0, 1, 1] = False
    # To the full border: 15 outer pixels 0, (2, 2) 1 away. To the notched border: 15 pixels 0, the corner 1 away.
    assert surface_distances(full, notched, ISOTROPIC).asd_mm == pytest.approx(2 / 32)


def test_distances_in_boxes_equal_distances_in_the_whole_array() -> None:
    reference, prediction = np.zeros((2, 6, 20, 20), dtype=np.uint8)
    reference[1:5, 2:8, 3:9], reference[0:6, 11:19, 0:9] = 1, 201
    prediction[2:6, 3:9, 1:6], prediction[1:4, 10:15, 5:20] = 3, 202
    spacing_kji_mm = (3.3, 0.6, 0.7)
    found = instance_distances(reference, prediction, [(1, 3), (201, 202)], spacing_kji_mm)
    for distance in found:
        whole = surface_distances(reference == distance.reference, prediction == distance.prediction, spacing_kji_mm)
        assert (distance.asd_mm, distance.hd95_mm) == (whole.asd_mm, whole.hd95_mm)
    assert [(distance.reference, distance.prediction) for distance in found] == [(1, 3), (201, 202)]


def test_an_instance_one_slice_thick_in_a_thicker_volume_keeps_the_slice_distance() -> None:
    reference, prediction = np.zeros((2, 3, 3, 3), dtype=np.uint8)
    reference[0, 1, 1], prediction[2, 1, 1] = 1, 1
    assert instance_distances(reference, prediction, [(1, 1)], (4.0, 1.0, 1.0))[0].asd_mm == 8.0


def test_distances_to_nothing_are_refused() -> None:
    with pytest.raises(InputError, match="empty"):
        surface_distances(line(1) > 0, line(0) > 0, ISOTROPIC)
    with pytest.raises(InputError, match="predicted value 5"):
        instance_distances(line(1), line(1), [(1, 5)], ISOTROPIC)


# Official scores


def test_official_outputs_have_the_names_of_the_challenge() -> None:
    assert list(official(line(1), line(1)).by_name()) == [
        "DiceScoreVertebrae",
        "DiceScoreDiscs",
        "DiceScoreSpinalCanal",
        "OveralDiceScore",
        "DetectionRateVertebrae",
        "DetectionRateDiscs",
        "ASDVertebrae",
        "ASDDiscs",
        "ASDSpinalCanal",
        "OveralASD",
    ]


def test_official_scores_of_a_perfect_prediction() -> None:
    labelmap = line(1, 2, 201, 100)
    assert official(labelmap, labelmap) == OfficialScores(1, 1, 1, 1, 1, 1, 0, 0, 0, 0)


def test_official_matching_is_not_exclusive() -> None:
    # One predicted label over two vertebrae serves both: 2*2/(2+4) each. The project's own score counts the second as missed.
    reference, prediction = line(1, 1, 2, 2), line(7, 7, 7, 7)
    assert official(reference, prediction).dice_vertebrae == pytest.approx(2 / 3)
    assert vertebrae(reference, prediction).mean == pytest.approx(1 / 3)


def test_official_matching_takes_the_most_frequent_foreground_label_of_any_structure() -> None:
    # Inside vertebra 1: background 3, disc 201 twice, vertebra 1 once. Dice with 201: 2*2/(6+2).
    assert official(line(1, 1, 1, 1, 1, 1), line(0, 0, 0, 201, 201, 1)).dice_vertebrae == pytest.approx(1 / 2)


def test_official_matching_of_equally_frequent_labels_takes_the_lowest() -> None:
    # 3 and 9 share one voxel each; 3 has another voxel outside: 2*1/(2+2), not 2*1/(2+1).
    assert official(line(1, 1, 0), line(9, 3, 3)).dice_vertebrae == pytest.approx(1 / 2)


def test_official_dice_below_a_tenth_is_missed_for_dice_and_detection_but_has_a_distance() -> None:
    # Vertebra 1: 2*1/(1+20) = 0.095. It leaves the class mean, stays in the overall mean, and its ASD is a number.
    reference, prediction = line(2, 1, *[0] * 19), line(2, *[1] * 20)
    found = official(reference, prediction)
    assert found.dice_vertebrae == 1.0
    assert found.detection_vertebrae == 0.5
    assert found.dice_overall == pytest.approx((1 + 2 / 21) / 2)
    # All 20 voxels of the column are border: 0..19 away from vertebra 1's voxel, whose own distance is 0.
    assert found.asd_vertebrae == pytest.approx((0 + 190 / 21) / 2)


def test_official_dice_of_exactly_a_tenth_is_detected() -> None:
    found = official(line(1, *[0] * 18), line(*[1] * 19))
    assert (found.dice_vertebrae, found.detection_vertebrae) == (0.1, 1.0)


def test_official_label_with_no_foreground_inside_is_dice_zero_and_makes_its_distances_nan() -> None:
    found = official(line(1, 2, 201), line(1, 0, 201))
    assert (found.dice_vertebrae, found.detection_vertebrae, found.dice_overall) == (1.0, 0.5, pytest.approx(2 / 3))
    assert math.isnan(found.asd_vertebrae)
    assert math.isnan(found.asd_overall)
    assert found.asd_discs == 0.0


def test_official_class_mean_is_nan_when_all_of_the_class_are_missed() -> None:
    found = official(line(1, 201), line(0, 201))
    assert math.isnan(found.dice_vertebrae)
    assert found.detection_vertebrae == 0.0


def test_official_class_means_leave_out_partial_vertebrae_and_the_overall_mean_keeps_them() -> None:
    # 105 is missed; 200 is no disc for the challenge, which asks for more than 200.
    found = official(line(1, 105, 200, 201), line(1, 0, 0, 201))
    assert (found.dice_vertebrae, found.dice_discs, found.detection_vertebrae, found.detection_discs) == (1.0, 1.0, 1.0, 1.0)
    assert found.dice_overall == pytest.approx(1 / 2)


def test_official_unmatched_predictions_are_free() -> None:
    assert official(line(1, 0, 0, 201), line(1, 5, 6, 201)).dice_overall == 1.0


def test_official_vertebrae_end_below_100_and_discs_begin_above_200() -> None:
    # Dice 1 of 99 (a vertebra), 2/3 of 201 (a disc); 100, 101 and 200 are found whole and in neither class.
    found = official(line(99, 100, 101, 200, 201, 201), line(99, 100, 101, 200, 201, 0))
    assert (found.dice_vertebrae, found.dice_discs, found.dice_canal) == (1.0, pytest.approx(2 / 3), 1.0)
    assert found.dice_overall == pytest.approx((4 + 2 / 3) / 5)


def test_official_dice_is_over_whole_masks_and_not_inside_the_reference_alone() -> None:
    # Label 5 fills vertebra 1 and three voxels elsewhere: 2*1/(1+4).
    assert official(line(1, 0, 0, 0), line(5, 5, 5, 5)).dice_vertebrae == pytest.approx(2 / 5)


def test_official_canal_takes_any_label_and_keeps_a_dice_below_a_tenth() -> None:
    # The canal's only foreground is vertebra 4, of 39 voxels: 2*1/(1+39) = 0.05, neither missed nor 0.
    found = official(line(100, *[0] * 38), line(*[4] * 39))
    assert found.dice_canal == pytest.approx(0.05)


def test_official_overall_distance_is_over_labels_and_not_over_classes() -> None:
    # The disc's borders are reference voxels 4, 5 and prediction 3, 4: distances 1, 0 and 0, 1. The other three labels are at 0.
    # A mean of the three class means would be a sixth.
    found = official(line(1, 2, 100, 0, 201, 201), line(1, 2, 100, 201, 201, 0))
    assert (found.asd_discs, found.asd_overall) == (0.5, 0.125)


def test_official_missed_partial_vertebra_spoils_the_overall_distance_alone() -> None:
    found = official(line(1, 105, 201, 100), line(1, 0, 201, 100))
    assert (found.asd_vertebrae, found.asd_discs, found.asd_canal) == (0.0, 0.0, 0.0)
    assert math.isnan(found.asd_overall)


def test_official_detection_counts_each_class_apart() -> None:
    # Vertebra 2 is missed of three; disc 201 has Dice 2*1/(20+1) = 0.095 of two.
    found = official(line(1, 2, 3, *[201] * 20, 202), line(1, 0, 3, 201, *[0] * 19, 202))
    assert (found.detection_vertebrae, found.detection_discs) == (pytest.approx(2 / 3), 0.5)
    assert (found.dice_vertebrae, found.dice_discs) == (1.0, 1.0)


def test_official_canal_scores_are_999_when_the_reference_has_none() -> None:
    found = official(line(1, 0), line(1, 100))
    assert (found.dice_canal, found.asd_canal) == (999.0, 999.0)


def test_official_missed_canal_is_zero_and_nan() -> None:
    found = official(line(1, 100), line(1, 0))
    assert found.dice_canal == 0.0
    assert math.isnan(found.asd_canal)


def test_official_distance_applies_the_xyz_spacing_to_the_zyx_array() -> None:
    # Reference in slice 0, prediction in slices 0 and 1, 4 mm apart; the challenge multiplies by the x spacing, 0.5.
    reference, prediction = np.zeros((2, 2, 1, 1), dtype=np.uint8)
    reference[0], prediction[:] = 1, 1
    assert official(reference, prediction, (4.0, 1.0, 0.5)).asd_vertebrae == pytest.approx(0.5 / 3)
    own = instance_distances(reference, prediction, [(1, 1)], (4.0, 1.0, 0.5))[0]
    assert own.asd_mm == pytest.approx(4 / 3)


def test_official_borders_of_a_one_slice_volume_are_whole_areas() -> None:
    # All 25 and 9 pixels are border: 9 are 0 from the outer area; 16 pixels around are 1 (12) or sqrt 2 (4) from the inner.
    outer, inner = np.zeros((2, 1, 7, 7), dtype=np.uint8)
    outer[0, 1:6, 1:6], inner[0, 2:5, 2:5] = 1, 1
    assert official(outer, inner).asd_vertebrae == pytest.approx((12 + 4 * math.sqrt(2)) / 34)


def test_official_scores_of_a_class_without_references_are_nan() -> None:
    found = official(line(1), line(1))
    assert all(math.isnan(value) for value in (found.dice_discs, found.detection_discs, found.asd_discs))


# Statistic


def test_statistic_skips_undefined_scores_and_divides_by_n_minus_one() -> None:
    assert summarize([1.0, None, 3.0, math.nan]) == Statistic(mean=2.0, std=math.sqrt(2), n=2)
    assert summarize([0.5]) == Statistic(mean=0.5, std=None, n=1)
    assert summarize([None, math.nan]) == Statistic(mean=None, std=None, n=0)
