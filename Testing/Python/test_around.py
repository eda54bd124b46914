"""Local segmentation at a click: what is drawn, what is refused, and which value it gets, on a column of boxes and on the phantom."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import permutations, product

import numpy as np
import pytest

from small_column import (
    BODY_COLUMNS,
    BODY_SLICES,
    SHAPE_KJI,
    ToldPredictor,
    column,
    faint,
    geometry,
    labelmap,
    probabilities,
    rows_of,
    series,
    stored_as,
    to_working,
    without,
)
from SpiderSegLib.around import AroundConfig, LocalResult, point_inside, segment_around, write_merged, write_only
from SpiderSegLib.around.box import box_around, input_position, restore_in_box
from SpiderSegLib.around.plausibility import check_plausible
from SpiderSegLib.errors import GeometryError, InputError, LabelError, NothingFound
from SpiderSegLib.inference import Predictor
from SpiderSegLib.io import read_labelmap, read_volume
from SpiderSegLib.labels import SPINAL_CANAL, LevelState, Structure
from SpiderSegLib.level_names import LevelNaming
from SpiderSegLib.outputs import OutputPaths
from SpiderSegLib.phantom import Phantom, make_phantom
from SpiderSegLib.preprocessing import PreprocessingConfig, prepare
from SpiderSegLib.segmentation_files import NamedLabelmap
from SpiderSegLib.volume import Geometry, Volume
from SpiderSegLib.weights import load_weights

VERTEBRA, DISC = Structure.VERTEBRA, Structure.DISC

#: segment_around on the column of boxes: kept labels, what the network sees, and the clicked voxel (k, j, i).
Click = Callable[..., LocalResult]


@pytest.fixture
def click(working_weights) -> Click:
    def run(kept, told, voxel, structure=VERTEBRA, **options):
        point = at(geometry(), voxel)
        return segment_around(series(column()), labelmap(kept), point, structure, ToldPredictor(working_weights, told), **options)

    return run


@pytest.fixture(scope="module")
def working_weights(tiny_weights, tmp_path_factory):
    """The tiny checkpoint, with the working grid of the column of boxes."""
    from dataclasses import replace

    from SpiderSegLib.network import load_checkpoint, save_checkpoint

    path = tmp_path_factory.mktemp("weights") / "column.pt"
    save_checkpoint(path, replace(load_checkpoint(tiny_weights), preprocessing=PreprocessingConfig(in_plane_spacing_mm=1.5)))
    return path


def at(grid: Geometry, voxel) -> tuple[float, float, float]:
    x, y, z, _ = (grid.affine_lps @ [*reversed(voxel), 1.0]).tolist()
    return x, y, z


def middle(value: int) -> tuple[int, int, int]:
    rows = rows_of(value)
    return 4, (rows.start + rows.stop) // 2, 22


def dice(a, b) -> float:
    return 2 * np.count_nonzero(a & b) / (np.count_nonzero(a) + np.count_nonzero(b))


# ------------------------------------------------------------------------------------------------ what is drawn


@pytest.mark.parametrize(("value", "structure"), [(1, VERTEBRA), (3, VERTEBRA), (5, VERTEBRA), (201, DISC), (203, DISC)])
def test_what_the_labelmap_lacks_is_drawn_whole_under_the_value_its_neighbours_leave(click, value, structure):
    labels = column()
    result = click(without(labels, value), probabilities(labels), middle(value), structure)
    assert result.value == value
    assert result.needs_shift == 0
    np.testing.assert_array_equal(result.mask.array, labels == value)
    np.testing.assert_array_equal(result.merged().array, labels)
    assert result.volume_mm3 == pytest.approx(np.count_nonzero(labels == value) * 9.0)
    assert result.confidence == pytest.approx(0.9, abs=1e-6)
    assert result.threshold == 0.5


def test_the_center_is_the_mean_of_the_voxels_in_lps(click):
    labels = column()
    result = click(without(labels, 203), probabilities(labels), middle(203), DISC)
    # Slices 1-7, rows 68-73 (BODY_ROWS and DISC_ROWS above LOWEST_ROW), columns 12-33; x = -30 - 4 k, y = -40 + 1.5 i, z = 90 - 1.5 j.
    assert rows_of(203) == slice(68, 74)
    assert result.center_lps_mm == pytest.approx((-30 - 4 * 4, -40 + 1.5 * 22.5, 90 - 1.5 * 70.5))


def test_no_voxel_of_a_label_that_is_kept_is_taken(click):
    """Labels 2 and 203, drawn too large by hand, reach into the missing body."""
    labels = column()
    kept = without(labels, 3)
    top, bottom = rows_of(3).start, rows_of(3).stop
    kept[BODY_SLICES, bottom - 3 : bottom, BODY_COLUMNS] = 203
    kept[BODY_SLICES, top : top + 2, BODY_COLUMNS] = SPINAL_CANAL
    result = click(kept, probabilities(labels), middle(3))
    assert result.value == 3
    np.testing.assert_array_equal(result.merged().array[kept > 0], kept[kept > 0])
    np.testing.assert_array_equal(result.mask.array, (labels == 3) & (kept == 0))


def test_what_the_whole_run_would_not_draw_is_found_at_a_lower_threshold(click):
    """0.3 bone against 0.7 background: a whole run draws nothing there."""
    labels = column()
    told = faint(probabilities(labels), labels == 3, VERTEBRA, 0.3)
    result = click(without(labels, 3), told, middle(3))
    np.testing.assert_array_equal(result.mask.array, labels == 3)
    assert result.threshold == pytest.approx(0.3)
    assert result.confidence == pytest.approx(0.3, abs=1e-6)


def test_a_lower_threshold_is_taken_only_when_the_structure_would_be_too_small(click):
    """A rim of 0.3 around a whole disc stays out; around a rest of a disc it belongs to it."""
    labels = column()
    rows = rows_of(203)
    told = probabilities(labels)
    rim = np.zeros(SHAPE_KJI, dtype=bool)
    rim[BODY_SLICES, rows, 34:36] = True
    seen = faint(told, rim, DISC, 0.3)
    assert not click(without(labels, 203), seen, middle(203), DISC).mask.array[rim].any()
    rest = (labels == 203) & (np.arange(SHAPE_KJI[2]) >= 20)
    seen = faint(told, rest, DISC, 0.3)
    result = click(without(labels, 203), seen, (4, 70, 15), DISC)
    np.testing.assert_array_equal(result.mask.array, labels == 203)


def test_below_the_lowest_threshold_nothing_is_drawn(click):
    labels = column()
    told = faint(probabilities(labels), labels == 3, VERTEBRA, 0.09)
    with pytest.raises(NothingFound, match=r"sees no vertebra within 5 mm"):
        click(without(labels, 3), told, middle(3))


def test_where_another_structure_is_likelier_nothing_is_drawn(click):
    labels = column()
    told = faint(probabilities(labels), labels == 3, VERTEBRA, 0.3)
    told[Structure.BACKGROUND][labels == 3] = 0.1
    told[DISC][labels == 3] = 0.6
    with pytest.raises(NothingFound):
        click(without(labels, 3), told, middle(3))


def test_a_spinous_process_apart_from_its_body_belongs_to_the_vertebra(click):
    """A slab or a single slice shows no pedicles."""
    labels = column()
    process = (labels == 3) & (np.arange(SHAPE_KJI[2]) >= 48)
    result = click(without(labels, 3), probabilities(labels), middle(3))
    assert result.mask.array[process].all()


def test_of_two_missing_bodies_that_run_into_each_other_only_the_clicked_one_is_drawn(click):
    """Vertebrae 2 and 3 and the disc between them are missing, and the network sees bone all through."""
    labels = column()
    told = probabilities(np.where(labels == 203, 3, labels).astype(np.uint8))
    kept = without(labels, 2, 3, 203)
    for value in (2, 3):
        result = click(kept, told, middle(value))
        assert result.value == value
        assert dice(result.mask.array, labels == value) > 0.85
        assert not result.mask.array[labels == 5 - value].any()


def test_the_click_may_miss_the_structure_by_as_much_as_the_config_says(click):
    labels = column()
    front = BODY_COLUMNS.start
    told, kept = probabilities(labels), without(labels, 3)
    # Columns are 1.5 mm: 3 of them are 4.5 mm, 4 are 6 mm.
    assert click(kept, told, (4, middle(3)[1], front - 3)).value == 3
    with pytest.raises(NothingFound, match=r"within 5 mm"):
        click(kept, told, (4, middle(3)[1], front - 4))
    assert click(kept, told, (4, middle(3)[1], front - 4), config=AroundConfig(click_reach_mm=6.0)).value == 3


STORAGES = list(product(permutations(range(3)), product((False, True), repeat=3)))


@pytest.mark.parametrize(("transpose", "flipped"), STORAGES[::5])
def test_the_storage_of_the_series_makes_no_difference(working_weights, transpose, flipped):
    labels = column()
    kept = stored_as(without(labels, 3), geometry(), transpose, flipped)
    told = probabilities(to_working(stored_as(labels, geometry(), transpose, flipped).array, kept.geometry))
    volume = series(stored_as(labels, geometry(), transpose, flipped).array, kept.geometry)
    result = segment_around(volume, kept, at(geometry(), middle(3)), VERTEBRA, ToldPredictor(working_weights, told))
    assert result.value == 3
    np.testing.assert_array_equal(result.mask.array, stored_as(labels == 3, geometry(), transpose, flipped).array)


def test_a_single_slice_is_enough(working_weights):
    labels = column()[4:5]
    grid = Geometry((SHAPE_KJI[2], SHAPE_KJI[1], 1), (1.5, 1.5, 4.0), (-46.0, -40.0, 90.0), geometry().direction)
    kept = labelmap(without(labels, 3), grid)
    point = at(grid, (0, *middle(3)[1:]))
    result = segment_around(series(labels, grid), kept, point, VERTEBRA, ToldPredictor(working_weights, probabilities(labels)))
    np.testing.assert_array_equal(result.mask.array, labels == 3)


# ------------------------------------------------------------------------------------------------ what is refused


def test_a_click_where_no_structure_is_draws_nothing(click):
    labels = column()
    with pytest.raises(NothingFound, match=r"^nothing found: the network sees no vertebra"):
        click(without(labels, 3), probabilities(labels), (4, 5, 3))


def test_a_click_into_a_label_that_is_kept_says_which(click):
    labels = column()
    with pytest.raises(NothingFound, match=r"lies in label 202"):
        click(without(labels, 3), probabilities(labels), middle(202))


def test_a_click_on_the_rim_of_what_is_labelled_draws_no_second_one(click):
    """The network sees vertebra 3 a voxel larger than it is labelled."""
    labels = column()
    larger = labels.copy()
    larger[BODY_SLICES, rows_of(3), BODY_COLUMNS.start - 1] = 3
    with pytest.raises(NothingFound, match=r"is label 3 already"):
        click(labels, probabilities(larger), (4, middle(3)[1], BODY_COLUMNS.start - 1))


def test_what_lies_far_from_the_column_is_no_vertebra(click):
    """A piece of bowel 45 mm behind the bodies, in the muscle."""
    labels = column()
    false = labels.copy()
    false[3:6, 60:70, 66:72] = 3
    far = false.copy()
    far[:, :, 48:64] = without(far[:, :, 48:64], 1, 2, 3, 4, 5)
    with pytest.raises(NothingFound):
        click(labels, probabilities(far), (4, 65, 69))


@pytest.mark.parametrize(
    ("rows", "columns", "structure", "message"),
    [
        (slice(50, 52), slice(12, 15), VERTEBRA, "covers 14 mm2"),  # 2 x 3 voxels of 2.25 mm2
        (slice(50, 52), slice(12, 15), DISC, "covers 14 mm2"),
        (slice(20, 90), slice(10, 30), VERTEBRA, "covers 3150 mm2"),  # 70 x 20
        (slice(20, 80), slice(12, 16), VERTEBRA, "is 90 mm high"),  # 60 x 1.5 mm
        (slice(20, 52), slice(12, 16), DISC, "is 48 mm high"),
        (slice(50, 54), slice(10, 20), VERTEBRA, "has 11 % of the size"),  # 90 mm2
        (slice(20, 50), slice(8, 36), VERTEBRA, "has 226 % of the size"),  # 1890 mm2
    ],
)
def test_what_can_t_be_the_structure_is_refused(rows, columns, structure, message):
    mask = np.zeros(SHAPE_KJI, dtype=bool)
    mask[4, rows, columns] = True
    kept = np.zeros(SHAPE_KJI, dtype=np.uint8)
    if "%" in message:
        # Two others of 12 x 31 voxels, 837 mm2.
        kept[4, 100:112, 10:41] = 1
        kept[4, 4:16, 10:41] = 5
    with pytest.raises(NothingFound, match=message):
        check_plausible(mask, kept, geometry(), structure, (slice(0, 9), slice(0, 124), slice(0, 72)))


def test_a_vertebra_cut_by_the_border_may_be_small():
    kept = without(column(), 5)
    mask = np.zeros(SHAPE_KJI, dtype=bool)
    region = (slice(0, 9), slice(0, 124), slice(0, 72))
    mask[4, 0:4, 12:34] = True
    check_plausible(mask, kept, geometry(), VERTEBRA, region)
    with pytest.raises(NothingFound, match=r"% of the size"):
        check_plausible(np.roll(mask, 10, axis=1), kept, geometry(), VERTEBRA, region)


def test_what_runs_out_of_the_box_is_refused_and_what_leaves_the_field_of_view_is_not():
    mask = np.zeros(SHAPE_KJI, dtype=bool)
    mask[4, 30:50, 0:20] = True
    kept = np.zeros(SHAPE_KJI, dtype=np.uint8)
    whole = (slice(0, 9), slice(0, 124), slice(0, 72))
    check_plausible(mask, kept, geometry(), VERTEBRA, whole)
    mask[4, 30:50, 20:25] = True
    with pytest.raises(NothingFound, match=r"runs on beyond"):
        check_plausible(mask, kept, geometry(), VERTEBRA, (slice(0, 9), slice(0, 124), slice(0, 25)))


def test_a_labelmap_on_another_grid_is_refused(working_weights):
    labels = column()
    other = Geometry((72, 124, 9), (1.5, 1.5, 4.0), (-30.0, -40.0, 95.0), geometry().direction)
    with pytest.raises(GeometryError, match=r"^kept: expected a labelmap on the grid of the series \(72x124x9 voxels .* from -30, -40, 90"):
        segment_around(
            series(labels), labelmap(labels, other), at(geometry(), middle(3)), VERTEBRA, ToldPredictor(working_weights, probabilities(labels))
        )


@pytest.mark.parametrize("point", [(-30.0, -48.0, 50.0), (60.0, 0.0, 0.0), (float("nan"), 0.0, 0.0)])
def test_a_point_outside_the_series_is_refused(working_weights, point):
    labels = column()
    with pytest.raises(InputError, match=r"LPS millimetres"):
        segment_around(series(labels), labelmap(labels), point, VERTEBRA, ToldPredictor(working_weights, probabilities(labels)))


def test_half_a_slice_beyond_the_last_slice_s_center_is_still_inside():
    assert input_position(geometry(), (-28.01, -40.0, 90.0)).tolist() == [0.0, 0.0, 0.0]
    with pytest.raises(InputError, match=r"lies 1 mm outside the series"):
        input_position(geometry(), (-27.0, -40.0, 90.0))


def test_the_canal_can_t_be_asked_for(click):
    with pytest.raises(LabelError, match=r"expected a vertebra or a disc"):
        click(column(), probabilities(column()), middle(3), Structure.CANAL)


@pytest.mark.parametrize("thresholds", [(), (0.5, 0.5), (0.2, 0.3), (1.2, 0.5), (0.5, 0.0)])
def test_thresholds_that_don_t_fall_are_refused(thresholds):
    with pytest.raises(InputError, match=r"thresholds"):
        AroundConfig(thresholds=thresholds)


# ------------------------------------------------------------------------------------------------ which value


def renumbered(labels, by: int):
    """Vertebrae and discs counted `by` higher."""
    return np.where((labels > 0) & (labels != SPINAL_CANAL), labels.astype(int) + by, labels).astype(np.uint8)


def test_values_continue_above_the_highest_label(click):
    labels = column()
    assert click(without(labels, 4, 5, 204, 205), probabilities(labels), middle(4)).value == 4
    assert click(without(labels, 4, 5, 204, 205), probabilities(labels), middle(5)).value == 5


def test_the_neighbours_numbers_count_and_not_the_lowest_vertebra_s_place(click):
    labels = column()
    assert click(without(renumbered(labels, 3), 6), probabilities(labels), middle(3)).value == 6
    assert click(without(renumbered(labels, 3), 206), probabilities(labels), middle(203), DISC).value == 206


def test_below_level_1_it_becomes_level_1_and_the_others_need_a_shift(click):
    """Vertebra 1 and its disc were missed, and the others counted from the next one up."""
    labels = column()
    kept = renumbered(without(labels, 1, 201), -1)
    assert set(np.unique(kept)) == {0, 1, 2, 3, 4, 100, 201, 202, 203, 204}
    result = click(kept, probabilities(labels), middle(1))
    assert (result.value, result.needs_shift) == (1, 1)
    with pytest.raises(LabelError, match=r"shifted up by 1.*--shift-others"):
        result.merged()
    np.testing.assert_array_equal(result.merged(shift_others=True).array, without(labels, 201))
    np.testing.assert_array_equal(result.only().array, np.where(labels == 1, 1, 0))


def test_a_gap_that_the_numbers_close_is_ambiguous(click):
    """Somebody counted on past the missing vertebra: below it 2, above it 3."""
    labels = column()
    kept = without(labels, 3, 203)
    above = kept % 100 > 3
    kept[above] -= 1
    with pytest.raises(LabelError, match=r"labels 2 below and 203 above leave no one number.*give its value"):
        click(kept, probabilities(labels), middle(3))


def test_a_value_that_is_in_use_is_refused_with_what_to_do(click):
    """Only the body of vertebra 3 is missing; its spinous process is labelled."""
    labels = column()
    kept = labels.copy()
    kept[(labels == 3) & (np.arange(SHAPE_KJI[2]) < 48)] = 0
    with pytest.raises(LabelError, match=r"would be 3, but the labelmap holds 3 already.*replace 3"):
        click(kept, probabilities(labels), middle(3))


def test_beside_no_label_the_value_must_be_given(click):
    labels = column()
    empty = np.zeros(SHAPE_KJI, dtype=np.uint8)
    with pytest.raises(LabelError, match=r"number can't be told; give its value"):
        click(empty, probabilities(labels), middle(3))
    assert click(empty, probabilities(labels), middle(3), value=3).value == 3


@pytest.mark.parametrize(
    ("value", "message"), [(2, "holds 2 already"), (102, "holds 2 already"), (203, "value of a vertebra"), (0, "value of a vertebra")]
)
def test_a_given_value_must_be_free_and_of_the_structure(click, value, message):
    labels = column()
    with pytest.raises(LabelError, match=message):
        click(without(labels, 3), probabilities(labels), middle(3), value=value)


def test_a_given_value_counts_more_than_the_neighbours(click):
    labels = column()
    result = click(without(labels, 3), probabilities(labels), middle(3), value=103)
    assert result.value == 103
    assert result.needs_shift == 0


def test_a_vertebra_cut_by_the_upper_border_is_partial(working_weights):
    """The series begins in the middle of vertebra 5: 6 of its 16 rows are seen."""
    cut = rows_of(5).start + 10
    labels = np.ascontiguousarray(column()[:, cut:])
    grid = Geometry((SHAPE_KJI[2], SHAPE_KJI[1] - cut, SHAPE_KJI[0]), (1.5, 1.5, 4.0), (-30.0, -40.0, 90.0 - 1.5 * cut), geometry().direction)
    kept = labelmap(without(labels, 5), grid)
    result = segment_around(series(labels, grid), kept, at(grid, (4, 2, 22)), VERTEBRA, ToldPredictor(working_weights, probabilities(labels)))
    assert result.value == 105


# ------------------------------------------------------------------------------------------------ replacing


def test_a_replaced_label_s_voxels_are_free_and_nothing_of_it_stays(click):
    """Label 3 was drawn half as deep and with an island in front."""
    labels = column()
    kept = labels.copy()
    kept[(labels == 3) & (np.arange(SHAPE_KJI[2]) >= 24)] = 0
    kept[4, 60:64, 2:6] = 3
    result = click(kept, probabilities(labels), middle(3), replace=3)
    assert (result.value, result.replaced) == (3, 3)
    np.testing.assert_array_equal(result.merged().array, labels)


def test_a_replaced_label_may_get_another_value(click):
    labels = column()
    result = click(labels, probabilities(labels), middle(5), replace=5, value=105)
    assert set(np.unique(result.merged().array)) == {0, 1, 2, 3, 4, 105, 100, 201, 202, 203, 204, 205}


@pytest.mark.parametrize(("value", "message"), [(4, "holds no label 4"), (203, "value of a vertebra to replace"), (99, "SPIDER value")])
def test_only_a_label_that_is_there_and_of_the_structure_can_be_replaced(click, value, message):
    labels = column()
    with pytest.raises(LabelError, match=message):
        click(without(labels, 4), probabilities(labels), middle(3), replace=value)


def test_the_point_inside_a_vertebra_lies_in_its_body(working_weights):
    """The mean of a body and its process may lie in the canal; the body is deepest."""
    labels = column()
    x, y, z = point_inside(labelmap(labels), 3)
    k, j, i = input_position(geometry(), (x, y, z)).round().astype(int).tolist()
    assert labels[k, j, i] == 3
    assert BODY_COLUMNS.start + 5 <= i < BODY_COLUMNS.stop - 5
    slice_ = labelmap(labels[4:5], Geometry((72, 124, 1), (1.5, 1.5, 4.0), (-46.0, -40.0, 90.0), geometry().direction))
    _, j, i = input_position(slice_.geometry, point_inside(slice_, 3)).round().astype(int).tolist()
    # 16 rows from 52: the deepest rows are 59 and 60.
    assert rows_of(3).start == 52
    assert j in (59, 60)
    with pytest.raises(LabelError, match=r"holds no label 9"):
        point_inside(labelmap(labels), 9)


# ------------------------------------------------------------------------------------------------ the box


def test_the_box_reaches_as_far_as_said_is_never_less_than_the_window_and_stays_in_the_series():
    grid = Geometry((400, 400, 60), (1.5, 1.5, 4.0), (0.0, 0.0, 0.0), geometry().direction)
    prepared = prepare(Volume(np.arange(60 * 400 * 400, dtype=np.int32).reshape(60, 400, 400), grid), PreprocessingConfig(in_plane_spacing_mm=1.5))
    box = box_around(prepared, np.array([30.0, 200.0, 200.0]), (16, 128, 96))
    # 80 mm of 4 mm slices, 96 and 104 mm of 1.5 mm voxels, to each side: 40, 128 and 139 voxels.
    assert [axis.stop - axis.start for axis in box.working] == [40, 128, 139]
    assert [axis.start for axis in box.working] == [10, 136, 131]
    assert box.region == box.working
    corner = box_around(prepared, np.array([0.0, 399.0, 0.0]), (16, 128, 160))
    assert corner.working == (slice(0, 40), slice(272, 400), slice(0, 160))


def test_the_region_of_the_box_on_the_input_s_grid_holds_the_same_place():
    """A storage with other axes, flipped, and twice as fine in plane as the working grid: k upward, j to anterior, i to the left."""
    grid = Geometry((20, 300, 480), (4.0, 0.75, 0.75), (0.0, 0.0, 0.0), (1.0, 0.0, 0.0, 0.0, -1.0, 0.0, 0.0, 0.0, 1.0))
    rng = np.random.default_rng(0)
    prepared = prepare(Volume(rng.normal(size=(480, 300, 20)), grid), PreprocessingConfig(in_plane_spacing_mm=1.5))
    assert prepared.array.shape == (20, 240, 150)
    box = box_around(prepared, np.array([140.0, 100.0, 5.0]), (16, 32, 32))
    # 96 mm are 128 of the 0.75 mm voxels, 104 mm are 139; the working grid rounds to 2 of them.
    assert box.region == (slice(12, 268), slice(0, 278), slice(0, 20))
    assert box.working == (slice(0, 20), slice(106, 234), slice(11, 150))
    values = rng.random(tuple(axis.stop - axis.start for axis in box.working)).astype(np.float32)
    whole = np.zeros(prepared.array.shape, dtype=np.float32)
    whole[box.working] = values
    np.testing.assert_array_equal(restore_in_box(prepared, box, values), prepared.restore(whole)[box.region])


# ------------------------------------------------------------------------------------------------ files


def test_the_files_of_a_shift_carry_the_others_facts_to_their_new_values(click, tmp_path):
    labels = column()
    kept = renumbered(without(labels, 1, 201), -1)
    result = click(kept, probabilities(labels), middle(1))
    named = NamedLabelmap(labelmap(kept), LevelNaming(LevelState.CONFIRMED), "earlier", {1: 0.8})
    record = {"sequence": {"guess": "T2"}, "levels": [{"value": 1, "center_lps_mm": [1, 2, 3]}]}
    paths = OutputPaths(tmp_path / "x.mha", tmp_path / "x.json")
    write_merged(result, named, paths, shift_others=True, record=record)
    np.testing.assert_array_equal(read_labelmap(paths.labelmap).array, without(labels, 201))
    sidecar = json.loads(paths.sidecar.read_text(encoding="utf-8"))
    rows = {row["value"]: row for row in sidecar["levels"]}
    assert rows[2]["center_lps_mm"] == [1, 2, 3]
    assert (rows[2]["confidence"], rows[1]["confidence"]) == (0.8, 0.9)
    assert sidecar["sequence"] == {"guess": "T2"}
    assert sidecar["level_state"]["state"] == "assumed"
    (added,) = sidecar["added"]
    assert (added["value"], added["needs_shift"], added["shifted_by"]) == (1, 1, 1)


def test_a_second_click_adds_a_second_record(click, tmp_path):
    labels = column()
    paths = OutputPaths(tmp_path / "x.mha", tmp_path / "x.json")
    first = without(labels, 3, 203)
    write_merged(click(first, probabilities(labels), middle(3)), NamedLabelmap(labelmap(first)), paths)
    record = json.loads(paths.sidecar.read_text(encoding="utf-8"))
    second = without(labels, 203)
    write_merged(click(second, probabilities(labels), middle(203), DISC), NamedLabelmap(labelmap(second)), paths, record=record)
    sidecar = json.loads(paths.sidecar.read_text(encoding="utf-8"))
    assert [one["value"] for one in sidecar["added"]] == [3, 203]
    assert sidecar["notice"] == "Research use only, not for diagnosis"


def test_alone_the_new_component_needs_no_shift_to_be_written(click, tmp_path):
    labels = column()
    result = click(renumbered(without(labels, 1, 201), -1), probabilities(labels), middle(1))
    paths = OutputPaths(tmp_path / "x.mha", tmp_path / "x.json")
    write_only(result, paths)
    np.testing.assert_array_equal(read_labelmap(paths.labelmap).array, np.where(labels == 1, 1, 0))
    (added,) = json.loads(paths.sidecar.read_text(encoding="utf-8"))["added"]
    assert (added["needs_shift"], added["shifted_by"], added["name"]) == (1, 0, "Vertebra 1")


# ------------------------------------------------------------------------------------------------ the bundled weights


@pytest.fixture(scope="module")
def real_predictor() -> Predictor:
    return Predictor(load_weights(None), "cpu")


@pytest.fixture(scope="module")
def phantom() -> Phantom:
    return make_phantom()


@pytest.mark.parametrize(("value", "structure"), [(3, VERTEBRA), (203, DISC)])
def test_the_bundled_weights_find_what_the_phantom_s_truth_lacks(real_predictor, phantom, value, structure):
    truth = phantom.labelmap.array
    kept = phantom.labelmap.with_array(without(truth, value))
    result = segment_around(phantom.volume, kept, point_inside(phantom.labelmap, value), structure, real_predictor)
    assert result.value == value
    assert dice(result.mask.array, truth == value) > 0.5
    np.testing.assert_array_equal(result.merged().array[kept.array > 0], kept.array[kept.array > 0])


def test_the_bundled_weights_draw_nothing_in_the_air(real_predictor, phantom):
    corner = at(phantom.volume.geometry, (7, 20, 5))
    with pytest.raises(NothingFound):
        segment_around(phantom.volume, phantom.labelmap, corner, VERTEBRA, real_predictor)


@pytest.mark.real_data
@pytest.mark.parametrize(("value", "structure"), [(3, VERTEBRA), (203, DISC)])
def test_in_a_real_slice_the_missing_structure_is_drawn_and_the_sacrum_is_not(real_predictor, real_data, value, structure):
    folder = real_data / "spider" / "midsagittal"
    volume, reference = read_volume(folder / "images" / "250_t2.mha"), read_labelmap(folder / "masks" / "250_t2.mha")
    kept = reference.with_array(without(reference.array, value))
    result = segment_around(volume, kept, point_inside(reference, value), structure, real_predictor)
    assert result.value == value
    assert dice(result.mask.array, reference.array == value) > 0.6
    lowest, disc = (np.array(point_inside(reference, one)) for one in (1, 201))
    x, y, z = (disc + 1.3 * (disc - lowest)).tolist()
    with pytest.raises(NothingFound):
        segment_around(volume, kept, (x, y, z), structure, real_predictor)
