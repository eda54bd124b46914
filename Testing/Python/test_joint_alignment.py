"""How far series lie apart: what the comparison is made of on a few pixels, then the phantom's T1 and T2 with known motion."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import SimpleITK as sitk

from SpiderSegLib.errors import GeometryError, ImageReadError
from SpiderSegLib.joint import rigid_check
from SpiderSegLib.joint.comparable import as_float_image, coarser, mask_around, without_shading
from SpiderSegLib.joint.registration import information_landscape
from SpiderSegLib.joint.slice_plane import SliceFrame, image_in_plane
from SpiderSegLib.phantom import SAGITTAL_DIRECTION, PhantomConfig, default_geometry, make_phantom
from SpiderSegLib.volume import Geometry, Volume


def picture(values):
    return sitk.GetImageFromArray(np.array(values, dtype=np.float32))


# What is compared


def test_slices_become_the_last_axis_whatever_the_storage():
    # SPIDER also stores i along the slices.
    stored = Volume(np.arange(24).reshape(4, 3, 2), Geometry((2, 3, 4), (4.0, 0.6, 0.5), (1.0, 2.0, 3.0), tuple(np.eye(3).ravel())))
    image = as_float_image(stored)
    assert image.GetSpacing() == (0.6, 0.5, 4.0)
    for index_ijk in ((0, 0, 0), (1, 2, 3)):
        place = (stored.geometry.affine_lps @ [*index_ijk, 1])[:3].tolist()
        assert image[image.TransformPhysicalPointToIndex(place)] == stored.array[index_ijk[::-1]]


def test_a_coarser_image_covers_the_same_field_of_view():
    ramp = picture(np.tile(np.arange(8.0), (8, 1)))
    image = coarser(ramp, 2.0)
    assert image.GetSize() == (4, 4)
    # The first voxel of 2 mm holds the old ones at 0 and 1 mm.
    assert image.GetOrigin() == (0.5, 0.5)
    assert sitk.GetArrayFromImage(image)[1, 1:3].tolist() == pytest.approx([2.5, 4.5], abs=0.02)


def test_coarser_slices_stay_as_they_are():
    image = sitk.Image(4, 4, 3, sitk.sitkFloat32)
    image.SetSpacing((1.0, 1.0, 4.0))
    assert coarser(image, 2.0).GetSize() == (2, 2, 3)
    assert coarser(image, 2.0).GetSpacing() == (2.0, 2.0, 4.0)


def test_a_mask_holds_what_is_within_the_margin_of_a_point():
    image = picture(np.zeros((3, 5)))
    image.SetSpacing((2.0, 1.0))
    # Columns lie 2 mm apart, rows 1 mm: from the point at (4, 0) mm.
    mask = sitk.GetArrayFromImage(mask_around(image, np.array([[4.0, 0.0], [400.0, 0.0]]), 2.0))
    assert mask.tolist() == [[0, 1, 1, 1, 0], [0, 0, 1, 0, 0], [0, 0, 1, 0, 0]]


def test_shading_by_the_coil_goes_and_contrast_stays():
    # Stripes of 100 and 200, four pixels each, under a coil whose sensitivity falls to 1/e over 120 pixels.
    stripes = np.where(np.arange(120) % 8 < 4, 100.0, 200.0) * np.exp(-np.arange(120) / 120)
    row = sitk.GetArrayFromImage(without_shading(picture(np.tile(stripes, (120, 1)))))[60]
    dark, bright, far_dark = row[24:28].mean(), row[28:32].mean(), row[88:92].mean()
    assert bright / dark == pytest.approx(2.0, rel=0.1)
    # 64 pixels further into the body 41 % of the signal is lost.
    assert far_dark / dark == pytest.approx(1.0, abs=0.15)


def test_an_image_without_signal_has_no_contrast():
    assert not sitk.GetArrayFromImage(without_shading(picture(np.zeros((8, 8))))).any()


# Information


def everywhere(image):
    return sitk.GetImageFromArray(np.ones(image.GetSize()[::-1], dtype=np.uint8))


def test_two_halves_share_the_information_of_one_bit():
    halves = picture([[0, 0, 2.4, 2.4]] * 4)
    inverted = picture([[2.4, 2.4, 0, 0]] * 4)
    for other in (halves, inverted):
        found = information_landscape(halves, other, everywhere(halves), sitk.Transform(2, sitk.sitkIdentity))
        # ln 2, less the bias of 16 counts: (2 cells - 2 rows - 2 columns + 1) / 32.
        assert found.unshifted == pytest.approx(math.log(2) + 1 / 32)
        assert found.n_voxels == 16


def test_a_constant_shares_nothing():
    halves = picture([[0, 0, 2.4, 2.4]] * 4)
    constant = picture(np.ones((4, 4)))
    found = information_landscape(halves, constant, everywhere(halves), sitk.Transform(2, sitk.sitkIdentity))
    assert found.unshifted == pytest.approx(0.0)


def test_the_best_shift_is_where_the_other_image_shows_the_same():
    values = np.zeros((12, 12))
    values[4:6, 3:8] = 2.4
    # The same rectangle 2 columns to the right and 1 row up.
    moved = np.roll(values, (-1, 2), axis=(0, 1))
    fixed = picture(values)
    found = information_landscape(fixed, picture(moved), everywhere(fixed), sitk.Transform(2, sitk.sitkIdentity), (3.0, 3.0))
    assert found.best_shift_mm.tolist() == [2.0, -1.0]
    assert found.beyond(2.0) == pytest.approx(float(np.nanmax(found.information)))
    assert found.beyond(2.5) < found.beyond(2.0)
    assert math.isnan(found.beyond(100.0))


def test_shifts_that_leave_too_little_in_common_are_not_judged():
    fixed = picture(np.arange(16.0).reshape(4, 4) / 8)
    found = information_landscape(fixed, fixed, everywhere(fixed), sitk.Transform(2, sitk.sitkIdentity), (2.0, 0.0))
    # Shifted by 2 of 4 columns half of the pixels are left.
    assert np.isnan(found.information).tolist() == [True, False, False, False, True]


# The plane of a single slice


def sagittal_slice():
    image = sitk.Image(8, 8, 1, sitk.sitkFloat32)
    image.SetSpacing((1.0, 1.0, 4.0))
    image.SetOrigin((10.0, 20.0, 30.0))
    image.SetDirection(SAGITTAL_DIRECTION)
    return image


def test_a_motion_in_the_plane_is_the_same_motion_in_space():
    frame = SliceFrame.of(sagittal_slice())
    transform = sitk.Euler2DTransform()
    transform.SetTranslation((3.0, 2.0))
    # i runs to the back (y), j to the feet (-z).
    moved = frame.matrix_lps(transform) @ [10.0, 20.0, 30.0, 1.0]
    assert moved.tolist() == pytest.approx([10.0, 23.0, 28.0, 1.0])


def test_a_turn_in_the_plane_turns_around_its_normal():
    frame = SliceFrame.of(sagittal_slice())
    transform = sitk.Euler2DTransform()
    transform.SetAngle(math.pi / 2)
    matrix = frame.matrix_lps(transform)
    # From i to j: what lies to the back of the first pixel comes to lie toward the feet of it, also beside the plane.
    assert (matrix @ [10.0, 25.0, 30.0, 1.0]).tolist() == pytest.approx([10.0, 20.0, 25.0, 1.0])
    assert (matrix @ [-7.0, 25.0, 30.0, 1.0]).tolist() == pytest.approx([-7.0, 20.0, 25.0, 1.0])


def test_fine_slices_are_averaged_over_the_thickness_of_a_single_one():
    fine = sitk.GetImageFromArray(np.repeat(np.arange(8, dtype=np.float32) ** 2, 64).reshape(8, 8, 8))
    fine.SetDirection(SAGITTAL_DIRECTION)
    # k runs to the right from x = 11.5: the slice at x = 10 holds 8 .. 12, the slices 0 to 3 with values 0, 1, 4, 9.
    fine.SetOrigin((11.5, 20.0, 30.0))
    plane = sitk.GetArrayFromImage(image_in_plane(fine, sagittal_slice(), np.array([0.0, 0.0]), np.array([7.0, 7.0])))
    assert plane == pytest.approx(np.full((8, 8), 3.5))


def test_a_plane_beside_the_other_series_is_refused():
    fine = sitk.Image(8, 8, 8, sitk.sitkFloat32)
    with pytest.raises(GeometryError, match="in the plane of the other's single slice"):
        image_in_plane(fine, sagittal_slice(), np.array([0.0, 0.0]), np.array([7.0, 7.0]))


# Known motion


GRID = default_geometry((110, 125, 11), (2.2, 2.4, 4.0))


def moved_back(geometry, transform):
    """A grid that sees of the still phantom what `geometry` would see of the moved one."""
    back = transform.GetInverse()
    origin = back.TransformPoint(geometry.origin_lps_mm)
    axes = [back.TransformVector(axis.tolist(), geometry.origin_lps_mm) for axis in geometry.direction_matrix.T]
    return replace(geometry, origin_lps_mm=origin, direction=tuple(np.stack(axes, axis=1).ravel().tolist()))


def t1_after(shift_lps_mm, rotation_deg=(0.0, 0.0, 0.0), geometry=GRID):
    transform = sitk.Euler3DTransform()
    transform.SetRotation(*(math.radians(angle) for angle in rotation_deg))
    transform.SetTranslation(shift_lps_mm)
    phantom = make_phantom(PhantomConfig("T1", seed=2), moved_back(geometry, transform))
    return transform, Volume(phantom.volume.array, geometry, "t1")


@pytest.fixture(scope="module")
def t2():
    return make_phantom(PhantomConfig("T2", seed=1), GRID)


@pytest.fixture(scope="module")
def still_t1():
    return t1_after((0.0, 0.0, 0.0))[1]


def worst_error_mm(check, transform, labelmap):
    """Of the displacement found, anywhere in the labelled region."""
    used = np.argwhere(labelmap.array > 0)[::50, ::-1]
    affine = labelmap.geometry.affine_lps
    points = used @ affine[:3, :3].T + affine[:3, 3]
    matrix = np.reshape(check.matrix_lps, (4, 4))
    true = np.array([transform.TransformPoint(point.tolist()) for point in points])
    return float(np.linalg.norm(points @ matrix[:3, :3].T + matrix[:3, 3] - true, axis=1).max())


@pytest.mark.parametrize(
    ("shift_lps_mm", "rotation_deg"),
    [
        ((0.0, 0.0, 0.0), (0.0, 0.0, 0.0)),
        ((0.0, 3.0, -2.0), (0.0, 0.0, 0.0)),
        ((3.0, 0.0, 0.0), (0.0, 0.0, 0.0)),  # across the 4 mm slices
        ((-1.0, 2.0, 19.0), (2.0, 0.0, 0.0)),  # more than half a vertebra: the next one would match too
        ((0.0, 0.0, 0.0), (3.0, 2.0, -2.0)),
    ],
)
def test_a_known_motion_is_found_to_a_millimetre(t2, shift_lps_mm, rotation_deg):
    transform, t1 = t1_after(shift_lps_mm, rotation_deg)
    check = rigid_check(t2.volume, t1, t2.labelmap)
    assert check.is_reliable
    assert check.is_through_plane_measured
    assert worst_error_mm(check, transform, t2.labelmap) < 1.0


def test_without_a_labelmap_the_body_is_compared(t2):
    transform, t1 = t1_after((1.0, -2.0, 3.0))
    check = rigid_check(t2.volume, t1)
    assert check.is_reliable
    assert worst_error_mm(check, transform, t2.labelmap) < 1.0
    empty = t2.labelmap.with_array(np.zeros_like(t2.labelmap.array))
    assert rigid_check(t2.volume, t1, empty) == check


def test_the_largest_displacement_is_that_of_the_region_not_of_its_center(t2):
    # Turned by 3 degrees around the left-right axis through the origin, L3: the ends of the spine, 130 mm away, move most.
    _, t1 = t1_after((0.0, 0.0, 0.0), (3.0, 0.0, 0.0))
    check = rigid_check(t2.volume, t1, t2.labelmap)
    assert check.rotation_deg == pytest.approx(3.0, abs=0.3)
    assert np.linalg.norm(check.translation_lps_mm) < 3.0
    assert check.largest_displacement_mm > 5.0
    assert np.linalg.norm(check.largest_displacement_lps_mm) == pytest.approx(check.largest_displacement_mm)


def test_the_same_input_gives_the_same_numbers(t2, still_t1):
    assert rigid_check(t2.volume, still_t1, t2.labelmap) == rigid_check(t2.volume, still_t1, t2.labelmap)


def test_exchanging_the_series_turns_the_motion_around(t2):
    # Slices of 5 mm against 4 mm: whichever is called fixed, the same one is interpolated.
    geometry = default_geometry((110, 125, 9), (2.2, 2.4, 5.0))
    _, t1 = t1_after((0.0, 3.0, -2.0), geometry=geometry)
    there, back = rigid_check(t2.volume, t1, t2.labelmap), rigid_check(t1, t2.volume, t2.labelmap)
    assert np.reshape(there.matrix_lps, (4, 4)) @ np.reshape(back.matrix_lps, (4, 4)) == pytest.approx(np.eye(4), abs=1e-9)
    assert there.translation_lps_mm == pytest.approx((0.0, 3.0, -2.0), abs=0.7)
    assert back.translation_lps_mm == pytest.approx((0.0, -3.0, 2.0), abs=0.7)


def test_another_plane_of_slices_is_no_motion(t2):
    # The T1's slices are tilted by 8 degrees and stored with i along them.
    turn = sitk.Euler3DTransform()
    turn.SetRotation(0.0, math.radians(8), math.radians(8))
    tilted = moved_back(default_geometry((110, 125, 11), (2.2, 2.4, 4.0)), turn)
    t1 = make_phantom(PhantomConfig("T1", seed=2), tilted).volume
    image = sitk.PermuteAxes(as_float_image(t1), [2, 0, 1])
    stored = Volume(sitk.GetArrayFromImage(image), Geometry(image.GetSize(), image.GetSpacing(), image.GetOrigin(), image.GetDirection()), "stored")
    check = rigid_check(t2.volume, stored, t2.labelmap)
    assert check.is_reliable
    assert check.largest_displacement_mm < 1.0


# Single slices


def middle_slice(volume):
    k = volume.array.shape[0] // 2
    geometry = volume.geometry
    origin = tuple((geometry.affine_lps @ [0, 0, k, 1])[:3].tolist())
    return Volume(volume.array[k : k + 1], replace(geometry, size_ijk=(*geometry.size_ijk[:2], 1), origin_lps_mm=origin), "slice")


@pytest.mark.parametrize("is_slice_moving", [False, True])
def test_a_single_slice_is_compared_in_its_plane_alone(t2, is_slice_moving):
    _, t1 = t1_after((0.0, 3.0, -2.0))
    single = middle_slice(t2.volume)
    check = rigid_check(t1, single, t2.labelmap) if is_slice_moving else rigid_check(single, t1, t2.labelmap)
    sign = -1 if is_slice_moving else 1
    assert not check.is_through_plane_measured
    assert check.translation_lps_mm == pytest.approx((0.0, 3.0 * sign, -2.0 * sign), abs=0.6)
    assert check.translation_lps_mm[0] == pytest.approx(0.0, abs=1e-9)


def test_two_single_slices_are_compared_in_their_plane(t2):
    _, t1 = t1_after((0.0, 0.0, 4.0))
    check = rigid_check(middle_slice(t2.volume), middle_slice(t1), t2.labelmap)
    assert not check.is_through_plane_measured
    assert check.translation_lps_mm == pytest.approx((0.0, 0.0, 4.0), abs=0.6)


def test_a_stack_too_narrow_is_compared_in_plane_alone():
    # 6 slices of 4 mm: 24 mm, of at least 28.
    geometry = default_geometry((110, 125, 6), (2.2, 2.4, 4.0))
    narrow = make_phantom(PhantomConfig("T2", seed=1), geometry)
    _, t1 = t1_after((0.0, -3.0, 0.0), geometry=geometry)
    check = rigid_check(narrow.volume, t1, narrow.labelmap)
    assert not check.is_through_plane_measured
    assert check.translation_lps_mm == pytest.approx((0.0, -3.0, 0.0), abs=0.6)


# What can't be compared


def test_images_that_have_nothing_in_common_are_not_trusted(t2):
    # The other "series" is the phantom of another spine stored upside down and back to front.
    other = make_phantom(PhantomConfig("T1", "four_lumbar", seed=3), GRID).volume.array[:, ::-1, ::-1]
    check = rigid_check(t2.volume, Volume(np.ascontiguousarray(other), GRID), t2.labelmap)
    assert not check.is_reliable
    assert check.as_json()["is_reliable"] is False
    assert check.as_json()["unreliable_reasons"] == list(check.unreliable_reasons)


def test_noise_is_not_trusted(t2):
    noise = np.random.default_rng(0).normal(500, 100, t2.volume.array.shape)
    check = rigid_check(t2.volume, Volume(noise.astype(np.float32), GRID), t2.labelmap)
    assert "too little in common" in check.unreliable_reasons[0]


def test_fields_of_view_apart_can_not_be_compared(t2, still_t1):
    x, y, z = GRID.origin_lps_mm
    far = replace(still_t1, geometry=replace(GRID, origin_lps_mm=(x, y, z + 1000.0)))
    with pytest.raises(GeometryError, match="t1: expected series that show the same region, found fields of view without overlap"):
        rigid_check(t2.volume, far, t2.labelmap)


def test_a_corner_in_common_is_too_little(t2, still_t1):
    x, y, z = GRID.origin_lps_mm
    corner = replace(still_t1, geometry=replace(GRID, origin_lps_mm=(x, y + 235.0, z + 285.0)))
    with pytest.raises(GeometryError, match="at least 50 x 20 mm of the region in both series, found"):
        rigid_check(t2.volume, corner)


@pytest.mark.parametrize("value", [7.0, float("nan")])
def test_intensities_that_say_nothing_are_refused(t2, value):
    with pytest.raises(ImageReadError):
        rigid_check(t2.volume, t2.volume.with_array(np.full(t2.volume.array.shape, value, dtype=np.float32)))


@pytest.mark.parametrize("size_ijk", [(1, 60, 1), (1, 1, 60), (60, 1, 1)])
def test_a_line_of_voxels_can_not_be_compared(t2, size_ijk):
    line = np.arange(60, dtype=np.float32).reshape(size_ijk[::-1])
    geometry = replace(GRID, size_ijk=size_ijk, spacing_ijk_mm=(2.0, 2.0, 2.0), origin_lps_mm=(20.0, -50.0, 40.0))
    with pytest.raises(GeometryError, match="expected at least 50 x 20 mm of the region in both series, found"):
        rigid_check(t2.volume, Volume(line, geometry))
