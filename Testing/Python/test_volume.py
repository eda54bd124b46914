"""Geometry of grids: orientation letters, affines, slice axis, same-grid tolerance, refusal of degenerate geometry."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from SpiderSegLib.errors import GeometryError
from SpiderSegLib.volume import Geometry, Volume, left_right_axis_kji

IDENTITY = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)
# Columns: i to posterior, j to inferior, k to right.
SPIDER_SAGITTAL = (0.0, 0.0, -1.0, 1.0, 0.0, 0.0, 0.0, -1.0, 0.0)


def geometry(size=(4, 3, 2), spacing=(0.5, 0.75, 4.0), origin=(10.0, -20.0, 30.0), direction=IDENTITY) -> Geometry:
    return Geometry(size, spacing, origin, direction)


def rotated_about_left_right(degrees: float) -> tuple[float, ...]:
    """SPIDER's sagittal storage, turned in the sagittal plane."""
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    rotation = np.array([[1, 0, 0], [0, c, -s], [0, s, c]])
    return tuple((rotation @ np.reshape(SPIDER_SAGITTAL, (3, 3))).ravel())


# Orientation


@pytest.mark.parametrize(
    ("direction", "letters"),
    [
        (IDENTITY, "LPS"),
        ((-1, 0, 0, 0, -1, 0, 0, 0, 1), "RAS"),
        (SPIDER_SAGITTAL, "PIR"),
        ((0, 0, 1, 1, 0, 0, 0, -1, 0), "PIL"),  # k the other way: left-handed, yet legal
        ((1, 0, 0, 0, 0, 1, 0, -1, 0), "LIP"),  # coronal
        (rotated_about_left_right(30), "PIR"),
        (rotated_about_left_right(-44), "PIR"),
        (rotated_about_left_right(90), "SPR"),
    ],
)
def test_orientation_names_where_i_j_and_k_point(direction, letters):
    assert geometry(direction=direction).orientation == letters


def test_orientation_at_exactly_45_degrees_still_has_one_letter_of_each_axis():
    letters = geometry(direction=rotated_about_left_right(45)).orientation
    assert letters[2] == "R"
    assert sorted(letters[:2]) in (["I", "P"], ["A", "I"], ["P", "S"])


@pytest.mark.parametrize(("letters", "axis"), [("LPS", 2), ("RAS", 2), ("PIR", 0), ("PIL", 0), ("PLS", 1), ("IRA", 1)])
def test_left_right_axis_is_given_in_array_order(letters, axis):
    assert left_right_axis_kji(letters) == axis


# Affines and axis order


def test_array_order_is_the_reverse_of_image_order():
    grid = geometry()
    assert grid.shape_kji == (2, 3, 4)
    assert grid.spacing_kji_mm == (4.0, 0.75, 0.5)
    assert grid.voxel_volume_mm3 == 1.5


def test_affine_maps_voxel_indices_to_lps_millimetres():
    grid = geometry(direction=SPIDER_SAGITTAL)
    # i = 2 goes 2 x 0.5 mm posterior (+P), j = 1 0.75 mm inferior (-S), k = 1 4 mm right (-L).
    assert (grid.affine_lps @ [2, 1, 1, 1]).tolist() == [10.0 - 4.0, -20.0 + 1.0, 30.0 - 0.75, 1.0]


def test_ras_affine_flips_the_first_two_coordinates():
    assert (geometry().affine_ras @ [0, 0, 0, 1]).tolist() == [-10.0, 20.0, 30.0, 1.0]


# Slice axis


@pytest.mark.parametrize(
    ("size", "spacing", "direction", "axis", "why"),
    [
        ((512, 512, 17), (0.6, 0.6, 4.0), SPIDER_SAGITTAL, 0, "thick sagittal slices are k"),
        ((17, 512, 512), (4.0, 0.6, 0.6), IDENTITY, 2, "thick slices stored as i"),
        ((512, 17, 512), (0.6, 4.0, 0.6), IDENTITY, 1, "thick slices stored as j"),
        ((180, 180, 60), (1.0, 1.0, 1.0), SPIDER_SAGITTAL, 0, "isotropic: left-right"),
        ((180, 180, 60), (1.0, 1.1, 1.0), IDENTITY, 2, "about isotropic: left-right, here i"),
        ((512, 512, 1), (0.6, 0.6, 0.5), SPIDER_SAGITTAL, 0, "one slice thinner than its pixels"),
        ((1, 512, 512), (0.6, 0.6, 0.6), IDENTITY, 2, "one slice stored as i"),
    ],
)
def test_slice_axis_is_that_of_the_slices(size, spacing, direction, axis, why):
    assert geometry(size=size, spacing=spacing, direction=direction).slice_axis_kji == axis, why


# Same grid


@pytest.mark.parametrize(
    ("change", "same"),
    [
        ({}, True),
        ({"origin": (10.005, -20.0, 30.0)}, True),
        ({"origin": (10.02, -20.0, 30.0)}, False),
        ({"spacing": (0.5 + 1e-6, 0.75, 4.0)}, True),
        ({"spacing": (0.51, 0.75, 4.0)}, False),  # 3 steps of 0.01 mm to the far corner
        ({"size": (4, 3, 3)}, False),
        ({"direction": (-1, 0, 0, 0, 1, 0, 0, 0, 1)}, False),
    ],
)
def test_grids_are_the_same_within_a_hundredth_of_a_millimetre_at_the_corners(change, same):
    assert geometry().is_same_grid(geometry(**change)) is same
    assert geometry(**change).is_same_grid(geometry()) is same


def test_a_spacing_error_too_small_for_one_voxel_counts_over_a_wide_grid():
    wide = geometry(size=(512, 512, 17), spacing=(0.6, 0.6, 4.0))
    assert not wide.is_same_grid(replace(wide, spacing_ijk_mm=(0.6001, 0.6, 4.0)))


def test_a_rotation_shows_at_the_far_corner():
    wide = geometry(size=(512, 512, 17), direction=SPIDER_SAGITTAL)
    assert not wide.is_same_grid(replace(wide, direction=rotated_about_left_right(0.01)))


# Degenerate geometry


@pytest.mark.parametrize("size", [(0, 3, 2), (4, -1, 2)])
def test_an_empty_grid_is_refused(size):
    with pytest.raises(GeometryError, match="size"):
        geometry(size=size)


@pytest.mark.parametrize("spacing", [(0.0, 1.0, 1.0), (1.0, -1.0, 1.0), (1.0, 1.0, math.nan), (math.inf, 1.0, 1.0)])
def test_a_spacing_that_is_not_positive_is_refused(spacing):
    with pytest.raises(GeometryError, match="positive spacing"):
        geometry(spacing=spacing)


@pytest.mark.parametrize("coordinate", [math.nan, math.inf])
def test_an_origin_that_is_not_finite_is_refused(coordinate):
    with pytest.raises(GeometryError, match="finite origin"):
        geometry(origin=(0.0, coordinate, 0.0))


@pytest.mark.parametrize(
    "direction",
    [
        (0.0,) * 9,
        (1, 0, 0, 0, 1, 0, 0, 1, 0),  # two columns alike
        (1, 0, 0, 0, 1, 0, 0, 0, math.nan),
        (1, 0, 0, 1),  # a 2D image's
    ],
)
def test_a_singular_direction_is_refused(direction):
    with pytest.raises(GeometryError, match="direction"):
        geometry(direction=direction)


@pytest.mark.parametrize(
    "direction",
    [
        (2, 0, 0, 0, 1, 0, 0, 0, 1),  # a column of length 2 would double the spacing
        (1, 0.8, 0, 0, 0.6, 0, 0, 0, 1),  # i and j at 37 degrees: a sheared grid
        (1, 0, 0, 0, 1, 0.05, 0, 0, 1),  # k leans by 3 degrees, as under gantry tilt
    ],
)
def test_a_direction_of_other_than_perpendicular_unit_vectors_is_refused(direction):
    with pytest.raises(GeometryError, match="perpendicular unit vectors"):
        geometry(direction=direction)


def test_direction_cosines_rounded_in_a_header_are_accepted():
    rounded = tuple(round(cosine, 3) for cosine in rotated_about_left_right(17))
    assert geometry(direction=rounded).direction == rounded


# Volumes


def test_array_and_geometry_must_agree_in_k_j_i_order():
    with pytest.raises(GeometryError, match=r"t2\.mha: expected an array of shape \(2, 3, 4\) \(k, j, i\), found \(4, 3, 2\)"):
        Volume(np.zeros((4, 3, 2)), geometry(), name="t2.mha")


def test_other_values_keep_grid_name_and_header():
    volume = Volume(np.zeros((2, 3, 4)), geometry(), name="1_t2", header={"Modality": "MR"}, source_affine_ras=np.eye(4))
    labelmap = volume.with_array(np.ones((2, 3, 4), dtype=np.uint8))
    assert labelmap.array.dtype == np.uint8
    assert (labelmap.geometry, labelmap.name, labelmap.header) == (volume.geometry, "1_t2", {"Modality": "MR"})
    assert labelmap.source_affine_ras is volume.source_affine_ras


def test_other_values_of_another_shape_are_refused():
    with pytest.raises(GeometryError, match="shape"):
        Volume(np.zeros((2, 3, 4)), geometry()).with_array(np.zeros((2, 3, 5)))


def test_a_grid_is_told_in_words():
    geometry = Geometry((512, 448, 17), (0.5859375, 0.6, 4.4), (-8.25, 120.333333, 44.0), (0.0, 0.0, -1.0, 1.0, 0.0, 0.0, 0.0, -1.0, 0.0))
    assert str(geometry) == "size 512 x 448 x 17, spacing 0.586 x 0.6 x 4.4 mm, origin -8.25, 120.3, 44, orientation PIR"
