"""Labelmaps on the grid of another series: truths derived by hand on a few voxels, then thick slices of the phantom."""

from __future__ import annotations

import numpy as np
import pytest

from SpiderSegLib.joint import cut_shares, resample_labelmap
from SpiderSegLib.phantom import default_geometry, make_phantom
from SpiderSegLib.volume import Geometry, Volume

AXES = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)
HALF = 0.5**0.5


def labelmap(values, spacing_ijk_mm=(1.0, 1.0, 1.0), origin_lps_mm=(0.0, 0.0, 0.0), direction=AXES, dtype=np.uint8):
    array = np.array(values, dtype=dtype)
    k, j, i = array.shape
    return Volume(array, Geometry((i, j, k), spacing_ijk_mm, origin_lps_mm, direction))


def grid(size_ijk, spacing_ijk_mm=(1.0, 1.0, 1.0), origin_lps_mm=(0.0, 0.0, 0.0), direction=AXES):
    return Geometry(size_ijk, spacing_ijk_mm, origin_lps_mm, direction)


# Shares


@pytest.mark.parametrize(
    ("eight", "expected"),
    [
        ([1, 1, 1, 1, 1, 0, 0, 0], 1),
        ([1, 1, 1, 0, 0, 0, 0, 0], 0),
        ([1, 1, 1, 1, 0, 0, 0, 0], 1),  # as much label as background: the label
        ([5, 5, 5, 201, 201, 201, 0, 0], 5),  # equal labels: the lower value
        ([5, 5, 201, 201, 201, 0, 0, 0], 201),  # as much of the best label as background: the label
        ([5, 5, 201, 201, 201, 100, 0, 0], 201),
    ],
)
def test_a_voxel_over_eight_takes_the_most_frequent(eight, expected):
    source = labelmap(np.reshape(eight, (2, 2, 2)))
    # One voxel of 2 mm over the eight: their common corner is its center.
    result = resample_labelmap(source, grid((1, 1, 1), (2.0, 2.0, 2.0), (0.5, 0.5, 0.5)))
    assert result.array.tolist() == [[[expected]]]


def test_fine_slices_are_averaged_over_a_thick_one():
    # Columns over ten 1 mm slices: the two 5 mm slices hold 3 and 1 voxels of vertebra 2, and 2 and 5 of disc 202.
    source = labelmap([[[2, 202]], [[2, 202]], [[2, 0]], [[0, 0]], [[0, 0]], [[2, 202]], [[0, 202]], [[0, 202]], [[0, 202]], [[0, 202]]])
    result = resample_labelmap(source, grid((2, 1, 2), (1.0, 1.0, 5.0), (0.0, 0.0, 2.0)))
    assert result.array.tolist() == [[[2, 0]], [[0, 202]]]


def test_a_grid_turned_by_45_degrees_meets_one_voxel_alone():
    # Its neighbors at (0.71, 0.71) hold (1 - 0.71)^2 = 0.09 of the voxel.
    source = labelmap([[[0, 0, 0], [0, 7, 0], [0, 0, 0]]])
    turned = grid((3, 3, 1), (1.0, 1.0, 1.0), (1.0, 1.0 - 2 * HALF, 0.0), (HALF, -HALF, 0.0, HALF, HALF, 0.0, 0.0, 0.0, 1.0))
    assert resample_labelmap(source, turned).array.tolist() == [[[0, 0, 0], [0, 7, 0], [0, 0, 0]]]


def test_a_grid_turned_by_45_degrees_sees_a_diagonal_as_a_row():
    source = labelmap([np.eye(5, dtype=int) * 3])
    # i runs along the diagonal in steps of its voxels, from the second to the fourth; j across it.
    turned = grid((3, 3, 1), (2**0.5, 2**0.5, 1.0), (2.0, 0.0, 0.0), (HALF, -HALF, 0.0, HALF, HALF, 0.0, 0.0, 0.0, 1.0))
    assert resample_labelmap(source, turned).array.tolist() == [[[0, 0, 0], [3, 3, 3], [0, 0, 0]]]


def test_another_storage_of_the_same_voxels_is_exact():
    rng = np.random.default_rng(0)
    source = labelmap(rng.choice([0, 1, 2, 100, 101, 201, 225], (4, 5, 6)), (0.6, 0.7, 4.0), (10.0, -20.0, 30.0))
    # Axes in the order k, i, j; k and i run backward: the corner at index (5, 0, 3) comes first.
    origin = tuple((source.geometry.affine_lps @ [5, 0, 3, 1])[:3].tolist())
    stored = grid((4, 6, 5), (4.0, 0.6, 0.7), origin, (0.0, -1.0, 0.0, 0.0, 0.0, 1.0, -1.0, 0.0, 0.0))
    result = resample_labelmap(source, stored)
    assert np.array_equal(result.array, source.array.transpose(1, 2, 0)[:, ::-1, ::-1])
    assert np.array_equal(resample_labelmap(result, source.geometry).array, source.array)


def test_a_label_reaches_to_the_border_of_its_field_of_view_and_no_further():
    source = labelmap([[[4, 4]]], (2.0, 1.0, 1.0))
    # Voxels of 2 mm at 0 and 2 mm: the field of view is -1 .. 3 mm.
    result = resample_labelmap(source, grid((10, 1, 1), (0.5, 1.0, 1.0), (-1.25, 0.0, 0.0)))
    assert result.array.tolist() == [[[0, 4, 4, 4, 4, 4, 4, 4, 4, 0]]]


def test_values_of_any_number_type_become_bytes():
    source = labelmap([[[225, 125, 0]]], dtype=np.int32)
    result = resample_labelmap(source, grid((3, 1, 1), origin_lps_mm=(0.2, 0.0, 0.0)))
    assert result.array.dtype == np.uint8
    assert result.array.tolist() == [[[225, 125, 0]]]


def test_an_empty_labelmap_stays_empty():
    assert not resample_labelmap(labelmap(np.zeros((2, 2, 2))), grid((3, 3, 3))).array.any()


# Depths: thick slices


def bars_of_thick_slices(first, second):
    values = np.zeros((2, 1, 12), dtype=np.uint8)
    values[0, 0, first], values[1, 0, second] = 1, 1
    return labelmap(values, (1.0, 1.0, 4.0))


MIDDLE_SLICE = grid((12, 1, 1), (1.0, 1.0, 4.0), (0.0, 0.0, 2.0))


def test_halfway_between_thick_slices_a_bar_has_the_width_between():
    # Depths at voxel 4 are -0.5 and 1.5 in the two slices, 0.5 in the middle; at voxel 3 they are -1.5 and 0.5.
    result = resample_labelmap(bars_of_thick_slices(slice(5, 7), slice(3, 9)), MIDDLE_SLICE)
    assert np.flatnonzero(result.array).tolist() == [4, 5, 6, 7]


def test_what_lies_on_the_surface_exactly_belongs_to_the_label():
    # Depths at voxel 4 are -0.5 and 0.5, which is the surface in the middle.
    result = resample_labelmap(bars_of_thick_slices(slice(5, 7), slice(4, 8)), MIDDLE_SLICE)
    assert np.flatnonzero(result.array).tolist() == [4, 5, 6, 7]


def test_a_single_thick_slice_fills_its_own_thickness():
    # A 4 mm slice, 40 x 40 mm all label: it holds -2 .. 2 mm; slices of 0.9 mm lie at -2.7, -1.8, .. 2.7.
    source = labelmap(np.full((1, 10, 10), 9), (4.0, 4.0, 4.0))
    result = resample_labelmap(source, grid((1, 1, 7), (1.0, 1.0, 0.9), (16.0, 16.0, -2.7)))
    assert result.array.ravel().tolist() == [0, 9, 9, 9, 9, 9, 0]


def test_two_labels_of_thick_slices_leave_no_gap_between_them():
    # Vertebra in one slice, disc in the next: fine slices belong to the nearer one.
    values = np.zeros((2, 8, 8), dtype=np.uint8)
    values[0], values[1] = 1, 201
    result = resample_labelmap(labelmap(values, (1.0, 1.0, 4.0)), grid((1, 1, 6), (1.0, 1.0, 1.0), (4.0, 4.0, -0.5)))
    assert result.array.ravel().tolist() == [1, 1, 1, 201, 201, 201]


def dice(found, reference, values):
    own, other = np.isin(found, values), np.isin(reference, values)
    return 2 * np.count_nonzero(own & other) / (np.count_nonzero(own) + np.count_nonzero(other))


def test_from_thick_slices_the_shape_between_is_nearer_to_the_truth_than_copied_slices():
    thick = make_phantom(geometry=default_geometry((80, 90, 15), (2.5, 2.5, 4.0))).labelmap
    fine = make_phantom(geometry=default_geometry((80, 90, 60), (2.5, 2.5, 1.0))).labelmap
    found = resample_labelmap(thick, fine.geometry).array
    copied = np.repeat(thick.array, 4, axis=0)
    for values in (list(range(1, 26)), list(range(201, 226)), [100]):
        assert dice(found, fine.array, values) > dice(copied, fine.array, values)
    assert set(np.unique(found)) == set(np.unique(thick.array))


# What is cut


def test_the_share_of_a_label_outside_the_other_field_of_view_is_known():
    source = labelmap([[[1, 1, 1, 1, 0, 202, 202]]])
    # The target ends at 2.5 mm.
    assert cut_shares(source, grid((3, 1, 1))) == {1: 0.25, 202: 1.0}


def test_the_share_cut_is_counted_in_an_oblique_field_of_view():
    source = labelmap([[[3, 3, 3], [3, 3, 3], [3, 3, 3]]])
    # Turned by 45 degrees, 2.2 mm wide around the middle: the four corners lie at 1.41 mm along an axis, beyond its 1.1.
    turned = grid((2, 2, 1), (1.1, 1.1, 1.0), (1.0, 1.0 - 1.1 * HALF, 0.0), (HALF, -HALF, 0.0, HALF, HALF, 0.0, 0.0, 0.0, 1.0))
    assert cut_shares(source, turned) == {3: pytest.approx(4 / 9)}


def test_nothing_is_cut_by_the_same_grid_and_nothing_of_nothing():
    source = labelmap([[[0, 1], [201, 100]]])
    assert cut_shares(source, source.geometry) == {1: 0.0, 100: 0.0, 201: 0.0}
    assert cut_shares(labelmap(np.zeros((1, 2, 2))), source.geometry) == {}
