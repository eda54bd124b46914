"""The numbering on columns made of boxes, and on real reference masks reduced to classes."""

from __future__ import annotations

from itertools import permutations, product
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from numpy.typing import NDArray

from SpiderSegLib import labels
from SpiderSegLib.errors import GeometryError
from SpiderSegLib.instances import InstanceConfig, InstanceResult, number_instances
from SpiderSegLib.instances.grid import Canonical, WorkingGrid
from SpiderSegLib.labels import LevelState, Structure
from SpiderSegLib.level_names import LevelNaming, short_name
from SpiderSegLib.volume import Geometry

SPACING_KJI_MM = (4.0, 1.0, 1.0)
MIDDLE_SLICE = 7
LEVEL_MM, DISC_MM = 34, 8
LOWEST_DISC_ROW = 210
BODY_COLUMNS = slice(30, 64)
BODY_SLICES = slice(2, 13)
# Forty-five degrees would be 1: the lowest disc falls 19 mm over its depth, 29 degrees.
LUMBOSACRAL_SLOPE = 0.55


def sagittal_geometry(shape: tuple[int, ...], spacing_kji_mm: tuple[float, float, float] = SPACING_KJI_MM) -> Geometry:
    """SPIDER's sagittal storage: i to posterior, j to inferior, k to right."""
    k, j, i = spacing_kji_mm
    return Geometry((shape[2], shape[1], shape[0]), (i, j, k), (0.0, 0.0, 0.0), (0, 0, -1, 1, 0, 0, 0, -1, 0))


def box_column(count: int = 5, shape: tuple[int, int, int] = (15, 260, 130), slope: float = LUMBOSACRAL_SLOPE) -> NDArray[np.uint8]:
    """SPIDER values of a column of boxes: bodies 26 mm high with pedicles, laminae and spinous processes, discs 8 mm high, a canal.

    The lowest disc falls to anterior by `slope`, as L5/S1 does; nothing lies below it.
    """
    truth = np.zeros(shape, dtype=np.uint8)
    for number in range(1, count + 1):
        top = LOWEST_DISC_ROW - (number * LEVEL_MM - DISC_MM)
        put(truth, number, BODY_SLICES, (top, top + LEVEL_MM - DISC_MM), (30, 64))
        put(truth, DISC_BASE + number, BODY_SLICES, (top + LEVEL_MM - DISC_MM, top + LEVEL_MM), (30, 64))
        put_arch(truth, number, top)
    put(truth, labels.SPINAL_CANAL, slice(5, 10), (0, 250), (68, 84))
    tilt_lowest_disc(truth, slope)
    return truth


DISC_BASE = labels.DISC_OFFSET


def put(truth: NDArray[np.uint8], value: int, slices: slice, rows: tuple[int, int], columns: tuple[int, int]) -> None:
    truth[slices, max(0, rows[0]) : max(0, rows[1]), columns[0] : columns[1]] = value


def put_arch(truth: NDArray[np.uint8], number: int, top: int) -> None:
    """Pedicles from the body's upper half, a lamina behind the canal, a spinous process that hangs down to touch the next one's."""
    for side in (slice(3, 5), slice(10, 12)):
        put(truth, number, side, (top + 2, top + 12), (64, 86))
    put(truth, number, slice(3, 12), (top + 6, top + 26), (86, 92))
    put(truth, number, slice(6, 9), (top + 4, top + 4 + LEVEL_MM), (92, 116))


def tilt_lowest_disc(truth: NDArray[np.uint8], slope: float) -> None:
    """Shears the lowest disc about its posterior edge; body 1 follows it down."""
    truth[:, LOWEST_DISC_ROW : LOWEST_DISC_ROW + DISC_MM, BODY_COLUMNS] = 0
    for column in range(BODY_COLUMNS.start, BODY_COLUMNS.stop):
        lower = LOWEST_DISC_ROW + round((BODY_COLUMNS.stop - column) * slope)
        truth[BODY_SLICES, LOWEST_DISC_ROW:lower, column] = 1
        truth[BODY_SLICES, lower : lower + DISC_MM, column] = DISC_BASE + 1


def number(truth: NDArray[np.uint8], **options: object) -> InstanceResult:
    return number_instances(labels.to_classes(truth), sagittal_geometry(truth.shape), **options)  # type: ignore[arg-type]


def agreement(result: InstanceResult, truth: NDArray[np.uint8]) -> float:
    """Share of the true foreground with the true level number."""
    inside = truth > 0
    return float(np.mean(result.labelmap[inside] % 100 == truth[inside] % 100))


def values(result: InstanceResult) -> list[int]:
    return [instance.value for instance in result.instances]


def test_vertebrae_and_discs_are_numbered_from_the_lowest_upward() -> None:
    truth = box_column(5)
    result = number(truth)
    assert values(result) == [1, 2, 3, 4, 5, 100, 201, 202, 203, 204, 205]
    assert agreement(result, truth) > 0.98
    assert result.labelmap.dtype == np.uint8
    assert np.array_equal(result.labelmap > 0, truth > 0)
    assert (result.state, result.reasons, result.warnings) == (LevelState.ASSUMED, (), ())


def test_processes_that_touch_their_neighbours_go_with_their_own_body() -> None:
    truth = box_column(5)
    result = number(truth)
    for level in range(2, 6):
        process = truth == level
        process[:, :, :92] = False
        assert np.mean(result.labelmap[process] == level) > 0.9


def test_a_spinous_process_without_connection_goes_with_its_own_body() -> None:
    """A slab or a midsagittal slice shows no pedicles."""
    truth = box_column(5)[MIDDLE_SLICE : MIDDLE_SLICE + 1]
    truth[(truth < 100) & (np.arange(130) >= 64) & (np.arange(130) < 92)] = 0
    result = number(truth)
    assert values(result) == [1, 2, 3, 4, 5, 100, 201, 202, 203, 204, 205]
    assert agreement(result, truth) > 0.97
    assert result.state is LevelState.ASSUMED


STORAGES = list(product(permutations(range(3)), product((False, True), repeat=3)))


def stored(truth: NDArray[np.uint8], axes: tuple[int, ...], flips: tuple[bool, ...]) -> tuple[NDArray[np.uint8], Geometry]:
    """A sagittal array with permuted and reversed axes, and the geometry that says so."""
    array = np.flip(np.transpose(truth, axes), tuple(axis for axis in range(3) if flips[axis]))
    columns_of_kji = sagittal_geometry(truth.shape).direction_matrix[:, ::-1][:, list(axes)] * np.where(flips, -1, 1)
    k, j, i = (SPACING_KJI_MM[axis] for axis in axes)
    return array, Geometry((array.shape[2], array.shape[1], array.shape[0]), (i, j, k), (0.0, 0.0, 0.0), tuple(columns_of_kji[:, ::-1].ravel()))


@pytest.mark.parametrize(("axes", "flips"), STORAGES)
def test_every_storage_order_is_brought_to_one_and_back(axes: tuple[int, ...], flips: tuple[bool, ...]) -> None:
    truth = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    array, geometry = stored(truth, axes, flips)
    canonical = Canonical.of(geometry)
    # Sagittal storage itself runs to the right, the canonical order to the left.
    assert np.array_equal(canonical.forward(array), truth[::-1])
    assert np.array_equal(canonical.backward(canonical.forward(array)), array)
    assert tuple(canonical.spacing_mm(geometry)) == SPACING_KJI_MM


@pytest.mark.parametrize(("axes", "flips"), STORAGES[5::9])
def test_any_storage_order_gives_the_same_numbers_on_its_own_grid(axes: tuple[int, ...], flips: tuple[bool, ...]) -> None:
    truth = box_column(3)[:, 90:]
    array, geometry = stored(truth, axes, flips)
    expected, _ = stored(number(truth).labelmap, axes, flips)
    assert np.array_equal(number_instances(labels.to_classes(array), geometry).labelmap, expected)


def test_instances_carry_volume_and_place() -> None:
    truth = box_column(3)
    geometry = sagittal_geometry(truth.shape)
    disc = next(instance for instance in number(truth).instances if instance.value == 202)
    assert disc.structure is Structure.DISC
    assert disc.volume_mm3 == 11 * 8 * 34 * 4.0
    expected = geometry.affine_lps @ [*np.argwhere(truth == 202).mean(axis=0)[::-1], 1]
    assert disc.centroid_lps_mm == pytest.approx(tuple(expected[:3]))


@pytest.mark.parametrize("spacing_kji_mm", [(0.9, 0.5, 0.5), (4.4, 0.8, 0.6), (10.0, 1.2, 1.0)])
def test_voxel_size_does_not_matter(spacing_kji_mm: tuple[float, float, float]) -> None:
    truth = box_column(4)
    axes = [np.arange(0, size * old - 1e-6, new) / old for size, old, new in zip(truth.shape, SPACING_KJI_MM, spacing_kji_mm, strict=True)]
    resampled = truth[np.ix_(*(axis.astype(int) for axis in axes))]
    result = number_instances(labels.to_classes(resampled), sagittal_geometry(resampled.shape, spacing_kji_mm))
    assert values(result) == [1, 2, 3, 4, 100, 201, 202, 203, 204]
    assert agreement(result, resampled) > 0.97


def test_bodies_merged_around_a_disc_are_divided_at_its_plane() -> None:
    truth = box_column(5)
    truth[BODY_SLICES, 100:200, 24:30] = 0
    classes = labels.to_classes(truth)
    classes[BODY_SLICES, 40:200, 26:30] = Structure.VERTEBRA
    result = number_instances(classes, sagittal_geometry(truth.shape))
    assert agreement(result, truth) > 0.98
    bridge = result.labelmap[MIDDLE_SLICE, :, 28]
    middles = [LOWEST_DISC_ROW - (level * LEVEL_MM - 21) for level in (2, 3, 4)]
    assert [int(bridge[row]) for row in middles] == [2, 3, 4]


def test_a_curve_to_the_side_does_not_matter() -> None:
    truth = box_column(6, (31, 260, 130))
    curved = np.zeros_like(truth)
    for row in range(truth.shape[1]):
        curved[:, row] = np.roll(truth[:, row], 8 + round(5 * np.sin(row / 50)), axis=0)
    result = number(curved)
    assert values(result) == [1, 2, 3, 4, 5, 6, 100, 201, 202, 203, 204, 205, 206]
    assert agreement(result, curved) > 0.97


@pytest.mark.parametrize("filling", [Structure.BACKGROUND, Structure.VERTEBRA])
def test_a_missing_disc_keeps_its_number_free(filling: Structure) -> None:
    truth = box_column(5)
    classes = labels.to_classes(truth)
    classes[truth == 203] = filling
    result = number_instances(classes, sagittal_geometry(truth.shape))
    assert values(result) == [1, 2, 3, 4, 5, 100, 201, 202, 204, 205]
    assert agreement(result, np.where(truth == 203, 0, truth)) > 0.96
    assert result.state is LevelState.ASSUMED
    assert "no disc was found between vertebrae 2 and 3" in result.warnings[0]


def test_the_disc_probability_places_the_cut_of_a_missing_disc() -> None:
    truth = box_column(5)
    classes = labels.to_classes(truth)
    classes[truth == 203] = Structure.VERTEBRA
    probabilities = np.zeros((4, *truth.shape), dtype=np.float32)
    # Six millimetres above the place that even division would choose.
    rows = np.flatnonzero((truth == 203).any(axis=(0, 2))) - 6
    for row, probability in zip(rows, (0.1, 0.2, 0.3, 0.45, 0.45, 0.3, 0.2, 0.1), strict=True):
        probabilities[Structure.DISC, BODY_SLICES, row, BODY_COLUMNS] = probability
    result = number_instances(classes, sagittal_geometry(truth.shape), probabilities)
    boundary = np.flatnonzero(result.labelmap[MIDDLE_SLICE, :, 45] == 2)[0]
    assert boundary == pytest.approx(rows.mean(), abs=3)


def test_a_disc_found_in_fragments_is_one_disc() -> None:
    truth = box_column(5)
    truth[:, :, 44:50][truth[:, :, 44:50] == 203] = 0
    truth[:7, :, 55:][truth[:7, :, 55:] == 203] = 0
    result = number(truth)
    assert values(result) == [1, 2, 3, 4, 5, 100, 201, 202, 203, 204, 205]
    assert np.array_equal(result.labelmap == 203, truth == 203)


def test_discs_that_hang_together_by_a_ligament_are_several() -> None:
    truth = box_column(5)
    strip = truth.copy()
    # A strip of disc class along the front of the bodies, two voxels deep, in one slice.
    rows = slice(LOWEST_DISC_ROW - 4 * LEVEL_MM, LOWEST_DISC_ROW - LEVEL_MM)
    strip[MIDDLE_SLICE, rows, 28:30] = DISC_BASE + 3
    result = number(strip)
    assert values(result) == values(number(truth))
    assert agreement(result, truth) > 0.98


def test_a_facet_joint_taken_for_a_disc_is_no_level() -> None:
    shape = (21, 260, 130)
    truth = box_column(5, shape)
    false = truth.copy()
    # 24 mm beside the middle, 12 mm above a disc: as far from that and from the next disc as discs are from each other.
    top = LOWEST_DISC_ROW - LEVEL_MM
    put(false, DISC_BASE + 3, slice(13, 14), (top - 12, top - 5), (44, 66))
    assert agreement(number(false), truth) > 0.97


def test_a_missing_disc_among_low_thoracic_levels_keeps_its_number_free() -> None:
    # Three lumbar levels of 36 mm below four of 27: two of the latter measure 54 mm, 1.5 times the median of 36.
    truth = np.zeros((15, 320, 130), dtype=np.uint8)
    row = 290
    for level, height in enumerate((36, 36, 36, 36, 27, 27, 27, 27), start=1):
        put(truth, DISC_BASE + level, BODY_SLICES, (row - 8, row), (30, 64))
        put(truth, level, BODY_SLICES, (row - height, row - 8), (30, 64))
        row -= height
    put(truth, labels.SPINAL_CANAL, slice(5, 10), (0, 310), (68, 84))
    merged = truth.copy()
    merged[truth == DISC_BASE + 7] = 7
    result = number(merged)
    assert [value for value in values(result) if value < 100] == [1, 2, 3, 4, 5, 6, 7, 8]
    assert DISC_BASE + 7 not in values(result)
    assert agreement(result, merged) > 0.95


def test_a_missing_body_keeps_its_number_free() -> None:
    truth = box_column(5)
    truth[truth == 3] = 0
    result = number(truth)
    assert values(result) == [1, 2, 4, 5, 100, 201, 202, 203, 204, 205]
    assert result.warnings == ("no bone was found at the place of vertebra 3",)


def test_a_collapsed_vertebra_is_a_level_of_its_own() -> None:
    truth = box_column(5)
    rows = np.flatnonzero((truth[:, :, 45] == 3).any(axis=0))
    # Twelve of the body's 26 mm are left; all above comes down.
    shorter = np.delete(truth, rows[6:20], axis=1)
    result = number_instances(labels.to_classes(shorter), sagittal_geometry(shorter.shape))
    assert values(result) == [1, 2, 3, 4, 5, 100, 201, 202, 203, 204, 205]


def test_false_bone_and_discs_away_from_the_column_are_dropped() -> None:
    truth = np.pad(box_column(5), ((4, 4), (0, 0), (60, 20)))
    classes = labels.to_classes(truth)
    bowel, vessel = (slice(8, 14), slice(90, 120), slice(10, 35)), (slice(9, 12), slice(30, 200), slice(48, 54))
    classes[bowel] = Structure.VERTEBRA
    classes[8:14, 125:135, 5:40] = Structure.DISC
    classes[vessel] = Structure.VERTEBRA
    classes[2:4, 230:250, 150:170] = Structure.CANAL
    result = number_instances(classes, sagittal_geometry(truth.shape))
    assert values(result) == [1, 2, 3, 4, 5, 100, 201, 202, 203, 204, 205]
    assert not result.labelmap[truth == 0].any()


def test_muscle_beside_the_spinous_processes_is_no_bone() -> None:
    truth = box_column(5, (19, 260, 160))
    classes = labels.to_classes(truth)
    # 28 mm beside the middle, up to 50 mm behind the canal, and touching a spinous process by way of the muscle.
    classes[8:15, 120:140, 112:130] = Structure.VERTEBRA
    result = number_instances(classes, sagittal_geometry(truth.shape))
    assert not result.labelmap[13:15, 120:140, 118:130].any()
    assert agreement(result, truth) > 0.97


def test_a_hole_in_an_instance_is_filled() -> None:
    truth = box_column(5)
    classes = labels.to_classes(truth)
    row = LOWEST_DISC_ROW - (3 * LEVEL_MM - 20)
    classes[5:8, row : row + 4, 40:46] = 0
    assert np.all(number_instances(classes, sagittal_geometry(truth.shape)).labelmap[5:8, row : row + 4, 40:46] == 3)


def test_a_vertebra_cut_by_the_upper_border_is_partial() -> None:
    """Of the seventh body the lower 6 of 26 mm are in view."""
    result = number(box_column(7))
    assert values(result) == [1, 2, 3, 4, 5, 6, 100, 107, 201, 202, 203, 204, 205, 206, 207]
    assert [instance.value for instance in result.instances if instance.is_partial] == [107]


def test_a_whole_vertebra_at_the_upper_border_is_not_partial() -> None:
    truth = box_column(5)
    result = number(truth[:, int(np.flatnonzero((truth == 5).any(axis=(0, 2)))[0]) :])
    assert values(result) == [1, 2, 3, 4, 5, 100, 201, 202, 203, 204, 205]


def test_a_vertebra_out_of_view_is_partial_by_its_processes() -> None:
    """The field of view begins in the disc below vertebra 5, whose spinous process hangs into it."""
    truth = box_column(5)
    result = number(truth[:, int(np.flatnonzero((truth == 205).any(axis=(0, 2)))[0]) + 1 :])
    assert values(result) == [1, 2, 3, 4, 100, 105, 201, 202, 203, 204, 205]


UNIDENTIFIED = [
    # what was changed, what the reason says
    ("border", "mm from the lower border of the field of view"),
    ("no disc", "no disc was found below"),
    ("level disc", "tilted by 0 degrees only"),
    ("no marrow", "the intensity below the lowest disc is 0.1 times"),
]


@pytest.mark.parametrize(("change", "reason"), UNIDENTIFIED)
def test_the_level_is_unidentified_when_the_sacrum_is_not_seen(change: str, reason: str) -> None:
    truth, image = box_column(5), None
    if change == "border":
        lowest = int(np.flatnonzero((truth[:, :, 41:53] == 1).any(axis=(0, 2)))[-1])
        truth = truth[:, : lowest + 1 + 8]
    elif change == "no disc":
        truth[truth == 201] = 0
    elif change == "level disc":
        truth = box_column(5, slope=0.0)
    else:
        image = np.where(truth > 0, 300, 30).astype(np.int16)
    result = number(truth, image=image)
    assert result.state is LevelState.UNIDENTIFIED
    assert any(reason in text for text in result.reasons), result.reasons
    assert values(result)[0] == 1
    assert short_name(1, LevelNaming(result.state)) == "Vertebra 1"


def test_marrow_below_the_lowest_disc_leaves_the_level_assumed() -> None:
    truth = box_column(5)
    image = np.where(truth > 0, 300, 200).astype(np.int16)
    assert number(truth, image=image).state is LevelState.ASSUMED


def sacral_piece(truth: NDArray[np.uint8], height: int, slope: float) -> NDArray[np.uint8]:
    """Class map with bone below the lowest disc, going back with its tilt."""
    classes = labels.to_classes(truth)
    for column in range(BODY_COLUMNS.start, BODY_COLUMNS.stop):
        upper = int(np.flatnonzero(truth[MIDDLE_SLICE, :, column] == 201)[-1]) + 1
        for depth in range(height):
            classes[BODY_SLICES, upper + depth, column + round(depth * slope)] = Structure.VERTEBRA
    return np.where(truth == labels.SPINAL_CANAL, Structure.CANAL, classes).astype(np.uint8)


FALSE_SACRUM = [
    # tilt of the lowest disc, height of the bone below it
    (0.0, 9),
    (LUMBOSACRAL_SLOPE, 9),
    (0.7, 28),  # 35 degrees, steeper than any L4/L5
]


def test_bone_as_high_as_a_vertebra_left_out_as_sacrum_leaves_the_level_unidentified() -> None:
    truth = box_column(5, (15, 290, 130), 0.7)
    result = number_instances(sacral_piece(truth, 28, 0.7), sagittal_geometry(truth.shape))
    assert values(result) == [1, 2, 3, 4, 5, 100, 201, 202, 203, 204, 205]
    assert result.state is LevelState.UNIDENTIFIED
    assert "bone as high as a vertebra lies below the lowest disc" in result.reasons[0]


@pytest.mark.parametrize(("slope", "height_mm"), FALSE_SACRUM)
def test_a_false_sacrum_is_dropped(slope: float, height_mm: int) -> None:
    truth = box_column(5, (15, 290, 130), slope)
    result = number_instances(sacral_piece(truth, height_mm, slope), sagittal_geometry(truth.shape))
    assert values(result) == [1, 2, 3, 4, 5, 100, 201, 202, 203, 204, 205]
    assert agreement(result, truth) > 0.97


def test_a_lowest_disc_much_smaller_than_the_others_leaves_the_level_unidentified() -> None:
    truth = box_column(5, (15, 290, 130))
    remnant = truth == labels.DISC_OFFSET + 1
    remnant[:6], remnant[8:] = False, False
    remnant[:, :, 44:] = False
    truth[(truth == labels.DISC_OFFSET + 1) & ~remnant] = 0
    result = number_instances(labels.to_classes(truth), sagittal_geometry(truth.shape))
    assert result.state is LevelState.UNIDENTIFIED
    assert any("% of the usual size" in reason for reason in result.reasons)


def test_a_false_disc_in_the_sacrum_is_left_out_with_the_bone_above_it() -> None:
    truth = box_column(5, (15, 320, 130))
    classes = sacral_piece(truth, 26, LUMBOSACRAL_SLOPE)
    classes[6:9, 245:251, 20:34] = Structure.DISC
    result = number_instances(classes, sagittal_geometry(truth.shape))
    assert values(result) == [1, 2, 3, 4, 5, 100, 201, 202, 203, 204, 205]
    assert "bone below the lowest disc was taken for the sacrum and left out" in result.warnings


def test_a_vertebra_of_full_size_below_a_level_disc_is_counted() -> None:
    """A lowest disc that was missed: the numbers start at the vertebra above its place and the level is unidentified."""
    truth = box_column(5, (15, 290, 130), slope=0.0)
    result = number_instances(sacral_piece(truth, 27, 0.0), sagittal_geometry(truth.shape))
    assert values(result) == [1, 2, 3, 4, 5, 6, 100, 202, 203, 204, 205, 206]
    assert result.reasons == ("no disc was found below the lowest vertebra",)


def test_a_rudimentary_sacral_disc_is_dropped() -> None:
    truth = box_column(5, (15, 290, 130))
    classes = sacral_piece(truth, 26, LUMBOSACRAL_SLOPE)
    for column in range(44, 56):
        bone = np.flatnonzero(classes[MIDDLE_SLICE, :, column] == Structure.VERTEBRA)[-1]
        classes[5:10, bone : bone + 5, column] = Structure.DISC
    result = number_instances(classes, sagittal_geometry(truth.shape))
    assert values(result) == [1, 2, 3, 4, 5, 100, 201, 202, 203, 204, 205]


def test_a_column_without_canal_is_numbered_and_warned_of() -> None:
    truth = box_column(5)
    truth[truth == 100] = 0
    result = number(truth)
    assert agreement(result, truth) > 0.95
    assert result.warnings == ("no spinal canal was found",)


def test_a_column_without_any_disc_is_numbered_by_its_bodies() -> None:
    truth = box_column(5)
    truth[truth > 200] = 0
    result = number(truth)
    assert values(result) == [1, 2, 3, 4, 5, 100]
    assert agreement(result, truth) > 0.9
    assert result.reasons == ("no disc was found below the lowest vertebra",)


def test_an_empty_class_map_gives_an_empty_result_with_a_warning() -> None:
    result = number(np.zeros((3, 20, 20), dtype=np.uint8))
    assert not result.labelmap.any()
    assert result.instances == ()
    assert result.state is LevelState.UNIDENTIFIED
    assert result.warnings == ("no vertebra, disc or spinal canal was found",)


def test_the_canal_alone_is_kept_with_a_warning() -> None:
    truth = box_column(2)
    truth[truth != 100] = 0
    result = number(truth)
    assert values(result) == [100]
    assert result.warnings == ("only the spinal canal was found",)
    assert result.reasons == ("no vertebra was found",)


@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 40, 40), (20, 30, 40), (60, 1, 60)])
def test_noise_does_not_crash(shape: tuple[int, int, int]) -> None:
    rng = np.random.default_rng(3)
    for share in (0.01, 0.3, 1.0):
        classes = (rng.integers(0, 4, shape) * (rng.random(shape) < share)).astype(np.uint8)
        result = number_instances(classes, sagittal_geometry(shape))
        labels.check_values(np.unique(result.labelmap))
        assert set(values(result)) == set(np.unique(result.labelmap)) - {0}


def test_small_instances_are_erased() -> None:
    truth = box_column(3)
    result = number(truth, config=InstanceConfig(smallest_disc_mm3=1e6))
    assert values(result) == [1, 2, 3, 100]
    assert not (result.labelmap > 200).any()


def test_arrays_that_do_not_fit_the_geometry_are_refused() -> None:
    truth = box_column(2)
    geometry = sagittal_geometry(truth.shape)
    with pytest.raises(GeometryError, match=r"image: expected an array of shape \(15, 260, 130\) \(k, j, i\), found \(2, 2, 2\)"):
        number_instances(labels.to_classes(truth), geometry, image=np.zeros((2, 2, 2)))
    with pytest.raises(GeometryError, match="classes"):
        number_instances(labels.to_classes(truth)[:2], geometry)


def test_the_working_grid_knows_the_room_to_the_borders() -> None:
    foreground = np.zeros((1, 100, 50), dtype=bool)
    foreground[:, 40:60, 20:30] = True
    grid = WorkingGrid.around(foreground, np.array([4.0, 0.5, 0.5]))
    # 30 mm of margin are more than the 20 mm there are; the grid starts at the border with voxels of 1.5 mm.
    assert (grid.start, grid.step) == ((0, 0, 0), (1, 3, 3))
    assert grid.room_above_mm(2) == 3.0
    assert grid.room_below_mm(2) == 50 - 4.5


def read(path: Path) -> tuple[NDArray[np.uint8], Geometry]:
    image = sitk.ReadImage(str(path))
    geometry = Geometry(image.GetSize(), image.GetSpacing(), image.GetOrigin(), image.GetDirection())
    return sitk.GetArrayFromImage(image).astype(np.uint8), geometry


def level_accuracy(result: InstanceResult, reference: NDArray[np.uint8]) -> float:
    right = []
    for value in np.unique(reference[reference > 0]):
        found = np.bincount(result.labelmap[reference == value], minlength=2)
        right.append(found[1:].argmax() + 1 if found[1:].any() else 0)
    return float(np.mean(np.array(right) % 100 == np.unique(reference[reference > 0]) % 100))


def vertebra_dice(result: InstanceResult, reference: NDArray[np.uint8]) -> float:
    found = np.where(labels.to_classes(result.labelmap) == Structure.VERTEBRA, result.labelmap % 100, 0)
    numbers = [value for value in np.unique(reference) if 0 < value < 100]
    overlaps = [(np.count_nonzero((found == n) & (reference == n)), np.count_nonzero(found == n) + np.count_nonzero(reference == n)) for n in numbers]
    return float(np.mean([2 * both / total for both, total in overlaps]))


# Full width: scoliosis, a fractured vertebra, a top vertebra seen by its processes only, a slipped vertebra.
@pytest.mark.real_data
@pytest.mark.parametrize("name", ["18_t2", "166_t2", "82_t1", "29_t1"])
def test_real_masks_get_back_their_own_numbers(real_data: Path, name: str) -> None:
    reference, geometry = read(real_data / "spider" / "masks_3d" / f"{name}.mha")
    result = number_instances(labels.to_classes(reference), geometry)
    assert level_accuracy(result, reference) == 1
    assert vertebra_dice(result, reference) > 0.97
    assert result.state is LevelState.ASSUMED


@pytest.mark.real_data
@pytest.mark.parametrize("name", ["18_t2"])
def test_real_slabs_get_back_their_own_numbers(real_data: Path, name: str) -> None:
    """The central 20 mm, in which most posterior elements are apart from their bodies."""
    reference, geometry = read(real_data / "spider" / "masks_3d" / f"{name}.mha")
    canonical = Canonical.of(geometry)
    sagittal = canonical.forward(reference)
    middle = round(float(np.median(np.flatnonzero((sagittal > 200).any(axis=(1, 2))))))
    half = round(10 / canonical.spacing_mm(geometry)[0])
    slab = np.ascontiguousarray(sagittal[middle - half : middle + half + 1])
    spacing_kji_mm = tuple(canonical.spacing_mm(geometry))
    result = number_instances(labels.to_classes(slab), sagittal_geometry(slab.shape, spacing_kji_mm))
    assert level_accuracy(result, slab) == 1
    assert vertebra_dice(result, slab) > 0.97


@pytest.mark.real_data
def test_real_midsagittal_masks_get_back_their_own_numbers(real_data: Path) -> None:
    folder = real_data / "spider" / "midsagittal"
    for path in sorted((folder / "masks").glob("*.mha"))[::4]:
        reference, geometry = read(path)
        image, _ = read(folder / "images" / path.name)
        result = number_instances(labels.to_classes(reference), geometry, image=image)
        assert level_accuracy(result, reference) == 1, path.name
        assert result.state is LevelState.ASSUMED, (path.name, result.reasons)
