"""The spine tools on masks drawn as text: '#' is the structure, 'o' another one, '.' background; rows are j, columns i, blocks k."""

from __future__ import annotations

import numpy as np
import pytest

from SpiderSegLib.errors import InputError
from SpiderSegLib.mask_editing import ISLAND_SHARE, SMOOTHING_MM, halves, smoothed, with_holes_filled, without_islands
from SpiderSegLib.volume import Geometry

SAGITTAL = (0.0, 0.0, -1.0, 1.0, 0.0, 0.0, 0.0, -1.0, 0.0)
THICK_KJI_MM = (4.0, 1.0, 1.0)


def drawn(*slices: str, letter: str = "#") -> np.ndarray:
    """Bool (k, j, i) of slices whose rows are apart by spaces."""
    return np.array([[[character == letter for character in row] for row in rows.split()] for rows in slices])


def shown(mask: np.ndarray) -> list[str]:
    return [" ".join("".join("#" if voxel else "." for voxel in row) for row in rows) for rows in mask]


# ---------------------------------------------------------------------------------------------- islands


def test_a_small_loose_piece_goes_and_the_body_stays():
    mask = drawn("#####... #####... #####..# ........")
    assert shown(without_islands(mask)) == ["#####... #####... #####... ........"]


def test_a_piece_of_exactly_the_island_share_stays():
    # 25 voxels and 2: 2 / 25 = 0.08.
    assert ISLAND_SHARE == 0.08
    mask = drawn("#####.## #####... #####... #####... #####...")
    assert np.array_equal(without_islands(mask), mask)
    assert without_islands(mask, share=0.081).sum() == 25


def test_a_spinous_process_apart_from_its_body_is_no_island():
    # Body of 20 voxels, process of 3: 15 %.
    mask = drawn("#####..# #####..# #####..# #####...")
    assert np.array_equal(without_islands(mask), mask)


def test_voxels_that_touch_at_a_corner_are_one_piece_also_across_slices():
    mask = drawn("#####... #####... #####... ........", "........ ........ ........ .....#..", "........ ........ ........ ......#.")
    assert np.array_equal(without_islands(mask), mask)


def test_islands_of_nothing_are_nothing_and_the_mask_given_stays_as_it_was():
    assert not without_islands(np.zeros((2, 2, 2), bool)).any()
    mask = drawn("#####... #####... #####..#")
    before = mask.copy()
    result = without_islands(mask)
    assert result.sum() == 15
    assert np.array_equal(mask, before)
    whole = np.ones((2, 2, 2), bool)
    assert without_islands(whole) is not whole


# ---------------------------------------------------------------------------------------------- holes


def test_what_a_slice_encloses_is_filled_although_the_neighbor_slices_are_open():
    ring = "##### #...# #...# #####"
    mask = drawn("..... ..... ..... .....", ring, "..... ..... ..... .....")
    assert shown(with_holes_filled(mask, 0)) == ["..... ..... ..... .....", "##### ##### ##### #####", "..... ..... ..... ....."]


def test_a_bay_is_no_hole():
    mask = drawn("##### #...# #.... #####")
    assert np.array_equal(with_holes_filled(mask, 0), mask)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_holes_are_filled_along_the_axis_of_the_slices_whichever_it_is(axis):
    in_first_axis = drawn("..... ..... .....", "##### #...# #####", "..... ..... .....")
    mask = np.moveaxis(in_first_axis, 0, axis)
    filled = with_holes_filled(mask, axis)
    assert filled.sum() == mask.sum() + 3
    for other in {0, 1, 2} - {axis}:
        assert np.array_equal(with_holes_filled(mask, other), mask)


def test_a_hole_that_another_structure_lies_in_stays_open():
    text = "##### #.oo# #...# #####"
    mask, occupied = drawn(text), drawn(text, letter="o")
    assert shown(with_holes_filled(mask, 0, occupied)) == ["##### ##..# ##### #####"]


def test_voxels_claimed_twice_are_not_taken_out_by_filling():
    mask = drawn("##### #...# #####")
    assert with_holes_filled(mask, 0, occupied=np.ones_like(mask)).sum() == mask.sum()


# ---------------------------------------------------------------------------------------------- smoothing

SPIKE = "............ ............ ..######.... ..######.... ..#########. ..######.... ..######.... ..######.... ............ ............"


def test_smoothing_takes_a_spike_off_and_keeps_the_volume():
    result = smoothed(drawn(SPIKE), THICK_KJI_MM)
    assert shown(result) == [
        "............ ............ ..######.... ..#######... ..#######... ..#######... ..######.... ..######.... ............ ............"
    ]
    assert result.sum() == drawn(SPIKE).sum() == 39


def test_the_radius_is_in_millimetres():
    # At half the spacing the radius is 3 voxels, and the square of 3 mm becomes round.
    fine = smoothed(drawn(SPIKE), (4.0, 0.5, 0.5))
    assert fine.sum() == 39
    assert not fine[0, 2, 2]
    assert np.array_equal(smoothed(drawn(SPIKE), (4.0, 0.5, 0.5), radius_mm=0.75), smoothed(drawn(SPIKE), THICK_KJI_MM))


def test_smoothing_never_grows_into_another_structure():
    text = SPIKE.replace("######....", "######oo..")
    mask, occupied = drawn(text), drawn(text, letter="o")
    result = smoothed(mask, THICK_KJI_MM, occupied=occupied)
    assert not (result & occupied).any()
    assert result.sum() == 39
    assert not np.array_equal(result, mask)


def test_voxels_claimed_twice_are_smoothed_as_the_others():
    mask = drawn(SPIKE)
    everywhere = np.ones_like(mask)
    assert np.array_equal(smoothed(mask, THICK_KJI_MM, occupied=everywhere), mask)


def test_one_voxel_of_a_very_fine_grid_stays():
    mask = np.zeros((9, 9, 9), bool)
    mask[4, 4, 4] = True
    assert np.array_equal(smoothed(mask, (0.1, 0.1, 0.1)), mask)


def test_thick_slices_are_not_blurred_through():
    square = "......... ......... ......... ...###... ...###... ...###... ......... ......... ........."
    nothing = square.replace("#", ".")
    assert THICK_KJI_MM[0] > 2 * SMOOTHING_MM
    assert [int(count) for count in smoothed(drawn(nothing, square, square, nothing), THICK_KJI_MM).sum(axis=(1, 2))] == [0, 9, 9, 0]


def square(half: int) -> str:
    """A square of 2 * half + 1 voxels in the middle of 15 x 15; none for -1."""
    return " ".join("".join("#" if max(abs(i - 7), abs(j - 7)) <= half else "." for i in range(15)) for j in range(15))


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_small_slices_at_the_ends_are_not_lost_to_the_large_ones_beside_them(axis):
    # 1, 9 and 49 voxels in slices of 3.1 mm; each keeps its number.
    mask = np.moveaxis(drawn(square(-1), square(0), square(3), square(1), square(-1)), 0, axis)
    spacing = [1.0, 1.0, 1.0]
    spacing[axis] = 3.1
    result = smoothed(mask, spacing)
    others = tuple({0, 1, 2} - {axis})
    assert [int(count) for count in mask.sum(axis=others)] == [0, 1, 49, 9, 0]
    # The square of 49 voxels has its four corners cut, and what comes for them comes in fours or eights.
    counts = [int(count) for count in result.sum(axis=others)]
    assert counts[0] == counts[4] == 0
    assert counts[1] == 1
    assert 49 <= counts[2] <= 49 + 4
    assert 9 <= counts[3] <= 9 + 4


def test_thin_slices_are_rounded_in_all_three_directions():
    mask = np.zeros((9, 9, 9), bool)
    mask[2:7, 2:7, 2:7] = True
    result = smoothed(mask, (1.0, 1.0, 1.0))
    corners = result[2:7:4, 2:7:4, 2:7:4]
    assert not corners.any()
    assert result[1, 4, 4]
    assert result[7, 4, 4]


def test_smoothing_at_the_border_of_the_grid_and_of_nothing():
    assert not smoothed(np.zeros((2, 3, 4), bool), THICK_KJI_MM).any()
    whole = np.ones((2, 3, 4), bool)
    assert smoothed(whole, THICK_KJI_MM).all()
    one = np.zeros((2, 3, 4), bool)
    one[0, 0, 0] = True
    assert np.array_equal(smoothed(one, THICK_KJI_MM), one)


# ---------------------------------------------------------------------------------------------- halves

#: i posterior, j inferior, k right: voxel (i, j, k) lies at LPS (4 - 4k, 2 + i, 10 - j).
GEOMETRY = Geometry((3, 6, 2), (1.0, 1.0, 4.0), (4.0, 2.0, 10.0), SAGITTAL)


def test_a_mask_is_cut_halfway_between_two_points():
    mask = np.ones(GEOMETRY.shape_kji, bool)
    # z = 10 (j = 0) and z = 7 (j = 3): halfway is 8.5, between j = 1 and j = 2.
    first, second = halves(mask, GEOMETRY, (4.0, 2.0, 10.0), (4.0, 2.0, 7.0))
    assert first[:, :2].all()
    assert second[:, 2:].all()
    assert (first.sum(), second.sum()) == (12, 24)
    assert not (first & second).any()


def test_voxels_on_the_plane_go_to_the_first_point():
    mask = np.ones(GEOMETRY.shape_kji, bool)
    # z = 10 and z = 8: the plane is z = 9, the row j = 1.
    first, second = halves(mask, GEOMETRY, (4.0, 2.0, 10.0), (4.0, 2.0, 8.0))
    assert first[:, 1].all()
    first, second = halves(mask, GEOMETRY, (4.0, 2.0, 8.0), (4.0, 2.0, 10.0))
    assert first[:, 1].all()
    assert second.sum() == 6


def test_the_plane_may_be_oblique_and_takes_only_voxels_of_the_mask():
    mask = np.ones(GEOMETRY.shape_kji, bool)
    mask[1] = False
    # Between (y 2, z 10) and (y 4, z 8) the plane is (y - 3) - (z - 9) = 0: second part where i - 1 - (1 - j) > 0, so i + j > 2.
    first, second = halves(mask, GEOMETRY, (4.0, 2.0, 10.0), (4.0, 4.0, 8.0))
    assert shown(second) == ["... ..# .## ### ### ###", "... ... ... ... ... ..."]
    assert np.array_equal(first | second, mask)


def test_slices_are_told_apart_in_millimetres():
    mask = np.ones(GEOMETRY.shape_kji, bool)
    # Slices at x = 4 and x = 0, the plane at x = 1.5.
    first, second = halves(mask, GEOMETRY, (4.0, 2.0, 10.0), (-1.0, 2.0, 10.0))
    assert first[0].all()
    assert second[1].all()


def test_splitting_at_one_point_or_beside_the_mask_is_refused():
    mask = np.zeros(GEOMETRY.shape_kji, bool)
    mask[:, :2] = True
    with pytest.raises(InputError, match="two different points"):
        halves(mask, GEOMETRY, (4.0, 2.0, 10.0), (4.0, 2.0, 10.0))
    for second in ((4.0, 2.0, 0.0), (4.0, 2.0, 30.0)):
        with pytest.raises(InputError, match="does not cut the segment"):
            halves(mask, GEOMETRY, (4.0, 2.0, 10.0), second)


def test_splitting_nothing_is_refused():
    with pytest.raises(InputError, match="does not cut the segment"):
        halves(np.zeros(GEOMETRY.shape_kji, bool), GEOMETRY, (4.0, 2.0, 10.0), (4.0, 2.0, 7.0))
