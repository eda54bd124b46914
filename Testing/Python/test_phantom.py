"""The phantom's anatomy, contrast and labels, on small grids."""

from __future__ import annotations

import itertools
from functools import lru_cache

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import label as label_components

from SpiderSegLib.errors import InputError
from SpiderSegLib.labels import DISC_OFFSET, PARTIAL_OFFSET, SPINAL_CANAL, check_values
from SpiderSegLib.phantom import Phantom, PhantomConfig, default_geometry, make_phantom
from SpiderSegLib.volume import Geometry, Volume

#: 1.5 mm in plane: the whole lumbar spine in a fifth of a second.
COARSE_SIZE_IJK = (192, 211, 15)
COARSE_SPACING_IJK_MM = (1.5, 1.5, 4.0)

#: Coronal storage: i to the left, j to inferior, k to posterior. Axial storage: i to the left, j to posterior, k up.
CORONAL_DIRECTION = (1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, -1.0, 0.0)
AXIAL_DIRECTION = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)

#: The lumbar spine in 1.5 mm cubes, coarse enough to be quick, wide enough for the transverse processes.
CUBE_MM = 1.5
FIELD_LPS_MM = (112.0, 150.0, 260.0)
FIELD_CENTER_LPS_MM = (0.0, 25.0, -10.0)


@lru_cache(maxsize=8)
def coarse(sequence: str = "T2", variant: str = "normal") -> Phantom:
    geometry = default_geometry(COARSE_SIZE_IJK, COARSE_SPACING_IJK_MM)
    return make_phantom(PhantomConfig(sequence=sequence, variant=variant), geometry)


@lru_cache(maxsize=1)
def full_size() -> Phantom:
    return make_phantom()


@lru_cache(maxsize=1)
def axial() -> Phantom:
    return make_phantom(geometry=cubes(AXIAL_DIRECTION))


def cubes(direction: tuple[float, ...]) -> Geometry:
    matrix = np.abs(np.round(np.asarray(direction).reshape(3, 3)))
    size = matrix.T @ np.asarray(FIELD_LPS_MM) / CUBE_MM
    return default_geometry((int(size[0]), int(size[1]), int(size[2])), (CUBE_MM,) * 3, direction, FIELD_CENTER_LPS_MM)


def center_lps_mm(labelmap: Volume, value: int) -> NDArray[np.float64]:
    kji = np.argwhere(labelmap.array == value).mean(axis=0)
    return (labelmap.geometry.affine_lps @ [*kji[::-1], 1.0])[:3]


def volumes_mm3(labelmap: Volume) -> dict[int, float]:
    values, counts = np.unique(labelmap.array, return_counts=True)
    return {int(v): float(n) * labelmap.geometry.voxel_volume_mm3 for v, n in zip(values, counts, strict=True) if v}


def median_of(phantom: Phantom, value: int) -> float:
    return float(np.median(phantom.volume.array[phantom.labelmap.array == value]))


def rotated(direction: tuple[float, ...], degrees: float) -> tuple[float, ...]:
    """The direction turned about the left-right and then about the superior-inferior axis."""
    cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    about_l = np.array([[1, 0, 0], [0, cos, -sin], [0, sin, cos]])
    about_s = np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]])
    return tuple(float(v) for v in (about_s @ about_l @ np.asarray(direction).reshape(3, 3)).ravel())


def test_default_phantom_is_a_sagittal_series_with_its_labelmap() -> None:
    phantom = full_size()
    assert phantom.volume.geometry is phantom.labelmap.geometry
    assert phantom.volume.geometry.orientation == "PIR"
    assert phantom.volume.array.dtype == np.int16
    assert phantom.labelmap.array.dtype == np.uint8
    assert phantom.volume.header["Modality"] == "MR"
    assert phantom.volume.header["SeriesDescription"] == "SAG T2 TSE phantom"
    check_values(np.unique(phantom.labelmap.array))


def test_same_config_gives_identical_arrays_and_another_seed_other_noise() -> None:
    geometry = default_geometry((96, 106, 5), (3.0, 3.0, 8.0))
    first, second = make_phantom(PhantomConfig(seed=7), geometry), make_phantom(PhantomConfig(seed=7), geometry)
    other = make_phantom(PhantomConfig(seed=8), geometry)
    np.testing.assert_array_equal(first.volume.array, second.volume.array)
    np.testing.assert_array_equal(first.labelmap.array, second.labelmap.array)
    assert np.any(first.volume.array != other.volume.array)
    np.testing.assert_array_equal(first.labelmap.array, other.labelmap.array)


@pytest.mark.parametrize(("variant", "lumbar"), [("normal", 5), ("lumbarized", 6), ("four_lumbar", 4)])
def test_each_variant_has_its_lumbar_vertebrae_below_twelve_thoracic_ones(variant: str, lumbar: int) -> None:
    config = PhantomConfig(variant=variant, noise=0.0)
    whole_spine = default_geometry((60, 290, 5), (3.0, 2.0, 12.0), center_lps_mm=(0.0, 30.0, 120.0))
    found = volumes_mm3(make_phantom(config, whole_spine).labelmap)
    expected = list(range(1, lumbar + 12 + 1))
    assert config.lumbar_count == lumbar
    assert [v for v in found if v < SPINAL_CANAL] == expected
    assert [v - DISC_OFFSET for v in found if v > DISC_OFFSET] == expected


def test_disc_n_lies_below_vertebra_n_and_above_vertebra_n_minus_1() -> None:
    labelmap = coarse().labelmap
    body_s = {n: _body_center(labelmap, n)[2] for n in range(1, 8)}
    disc_s = {n: center_lps_mm(labelmap, DISC_OFFSET + n)[2] for n in range(1, 8)}
    assert all(disc_s[n] < body_s[n] for n in range(1, 8))
    assert all(body_s[n - 1] < disc_s[n] for n in range(2, 8))


def test_canal_runs_behind_every_body_and_ends_in_the_sacrum() -> None:
    labelmap = coarse().labelmap
    canal = labelmap.array == SPINAL_CANAL
    for n in range(1, 8):
        row = round(float(np.linalg.inv(labelmap.geometry.affine_lps)[1] @ [*_body_center(labelmap, n), 1.0]))
        columns = np.nonzero(canal[7, row])[0]
        in_front = np.nonzero(labelmap.array[7, row] == n)[0]
        assert len(columns) * 1.5 == pytest.approx(15.0, abs=4.0)
        assert in_front.min() < columns.min()
        assert not np.isin(labelmap.array[7, row, columns.min() : columns.max()], (n,)).any()
    lowest_row = np.nonzero(canal.any(axis=(0, 2)))[0].max()
    assert lowest_row > np.nonzero((labelmap.array == DISC_OFFSET + 1).any(axis=(0, 2)))[0].max() + 10


def test_every_structure_is_one_piece() -> None:
    labelmap = full_size().labelmap
    for value, volume in volumes_mm3(labelmap).items():
        pieces, count = label_components(labelmap.array == value, structure=np.ones((3, 3, 3)))
        largest = np.bincount(pieces.ravel())[1:].max() * labelmap.geometry.voxel_volume_mm3
        if value in range(1, 6):
            assert count == 1, f"vertebra {value} is in {count} pieces"
        elif PARTIAL_OFFSET < value < DISC_OFFSET:
            continue
        else:
            assert largest > 0.97 * volume, f"label {value} is in {count} pieces"


def test_sizes_are_those_of_an_adult() -> None:
    """Volumes in mL as in manual 3D masks; L3 about 48 mm wide, 35 mm deep and 27 mm high."""
    found = volumes_mm3(axial().labelmap)
    for n in range(1, 6):
        assert 30e3 < found[n] < 60e3
        assert 6e3 < found[DISC_OFFSET + n] < 18e3
    body = _body_mask(axial().labelmap, 3)
    extent = np.ptp(np.argwhere(body), axis=0) * CUBE_MM + CUBE_MM
    np.testing.assert_allclose(extent, (27, 35, 47), atol=4)


def test_lumbar_spine_is_lordotic() -> None:
    centers = {n: _body_center(coarse().labelmap, n) for n in range(1, 8)}
    front = min(centers[n][1] for n in (2, 3))
    assert centers[1][1] > front + 4
    assert centers[5][1] > front + 7
    slopes = [np.degrees(np.arctan2(centers[n][1] - centers[n + 1][1], centers[n + 1][2] - centers[n][2])) for n in (1, 5)]
    assert 15 < slopes[0] - slopes[1] < 45


def test_sacrum_is_marrow_without_a_label() -> None:
    phantom = coarse()
    # The middle of S1: 15 mm below the middle of the lowest disc along the sacrum's axis.
    at = center_lps_mm(phantom.labelmap, DISC_OFFSET + 1) + np.array([0.0, 14.0, -15.0])
    i, j, k = np.round(np.linalg.inv(phantom.volume.geometry.affine_lps) @ [*at, 1.0]).astype(int)[:3]
    block = (slice(k, k + 1), slice(j - 3, j + 4), slice(i - 3, i + 4))
    assert not phantom.labelmap.array[block].any()
    assert np.median(phantom.volume.array[block]) == pytest.approx(median_of(phantom, 1), rel=0.2)


@pytest.mark.parametrize(
    ("sequence", "darkest_to_brightest"),
    [("T1", (SPINAL_CANAL, DISC_OFFSET + 3, 3)), ("T2", (DISC_OFFSET + 3, 3, SPINAL_CANAL)), ("STIR", (3, SPINAL_CANAL))],
)
def test_contrast_follows_the_sequence(sequence: str, darkest_to_brightest: tuple[int, ...]) -> None:
    medians = [median_of(coarse(sequence), value) for value in darkest_to_brightest]
    assert all(darker < 0.9 * brighter for darker, brighter in itertools.pairwise(medians))


def test_fat_behind_the_back_is_bright_except_in_stir_and_air_is_dark() -> None:
    for sequence, is_bright in (("T1", True), ("T2", True), ("STIR", False)):
        phantom = coarse(sequence)
        row = phantom.volume.array[7, 105]
        skin = np.nonzero(row > 60)[0].max()
        assert (np.median(row[skin - 8 : skin - 3]) > 1.3 * median_of(phantom, 3)) == is_bright
        assert np.median(row[-5:]) < 40


def test_signal_falls_off_with_the_distance_from_the_coil() -> None:
    row = make_phantom(PhantomConfig("T1", noise=0.0), default_geometry((192, 1, 1), (1.5, 1.5, 4.0))).volume.array[0, 0]
    inside = np.nonzero(row > 100)[0]
    back_fat, belly_fat = row[inside[-12:-4]].mean(), row[inside[4:12]].mean()
    assert back_fat > 1.8 * belly_fat


@pytest.mark.parametrize(
    ("name", "direction"),
    [("coronal", CORONAL_DIRECTION), ("oblique", rotated(AXIAL_DIRECTION, 9.0)), ("mirrored", (-1.0, 0, 0, 0, -1.0, 0, 0, 0, -1.0))],
)
def test_any_orientation_gives_the_same_anatomy(name: str, direction: tuple[float, ...]) -> None:
    expected, found = axial().labelmap, make_phantom(geometry=cubes(direction)).labelmap
    for value in (*range(1, 6), *range(DISC_OFFSET + 1, DISC_OFFSET + 6)):
        assert volumes_mm3(found)[value] == pytest.approx(volumes_mm3(expected)[value], rel=0.03), f"{name}: label {value}"
        np.testing.assert_allclose(center_lps_mm(found, value), center_lps_mm(expected, value), atol=0.5)


def test_thick_slices_have_the_volumes_of_thin_ones() -> None:
    thin, thick = volumes_mm3(axial().labelmap), volumes_mm3(coarse().labelmap)
    for n in range(1, 6):
        assert thick[DISC_OFFSET + n] == pytest.approx(thin[DISC_OFFSET + n], rel=0.08)


def test_thick_slices_show_partial_volume() -> None:
    """Beside the sac a thin slice is dark in STIR; a thick one at the same place takes in some of the fluid."""
    config = PhantomConfig("STIR", noise=0.0)
    thin, thick = (make_phantom(config, default_geometry((12, 24, 1), (1.0, 1.0, mm), center_lps_mm=(11.0, 27.5, -14.0))) for mm in (1.0, 7.0))
    assert SPINAL_CANAL not in thin.labelmap.array
    assert SPINAL_CANAL not in thick.labelmap.array
    assert np.median(thick.volume.array) > 1.3 * np.median(thin.volume.array)


def test_single_slice_is_the_middle_of_the_spine() -> None:
    geometry = default_geometry((192, 211, 1), COARSE_SPACING_IJK_MM)
    labelmap = make_phantom(geometry=geometry).labelmap
    np.testing.assert_array_equal(labelmap.array[0], coarse().labelmap.array[7])
    assert {*range(1, 8), SPINAL_CANAL, *range(DISC_OFFSET + 1, DISC_OFFSET + 8)} <= set(volumes_mm3(labelmap))


def test_vertebra_cut_by_the_upper_border_counts_as_partial() -> None:
    """A field of view whose upper border goes through the middle of vertebra 4."""
    height = _body_center(coarse().labelmap, 4)[2]
    geometry = default_geometry((96, 60, 5), (2.0, 2.0, 8.0), center_lps_mm=(0.0, 10.0, height - 60.0))
    found = volumes_mm3(make_phantom(geometry=geometry).labelmap)
    assert PARTIAL_OFFSET + 4 in found
    assert 4 not in found
    assert {1, 2, 3} <= set(found)


def test_a_narrow_stack_does_not_make_vertebrae_partial() -> None:
    geometry = default_geometry((96, 106, 3), (3.0, 3.0, 5.0))
    assert {1, 2, 3, 4, 5} <= set(volumes_mm3(make_phantom(geometry=geometry).labelmap))


def test_field_of_view_outside_the_body_is_empty() -> None:
    phantom = make_phantom(PhantomConfig(noise=0.0), default_geometry((10, 10, 3), center_lps_mm=(0.0, 400.0, 0.0)))
    assert not phantom.volume.array.any()
    assert not phantom.labelmap.array.any()


@pytest.mark.parametrize("wrong", [{"sequence": "T3"}, {"variant": "six"}, {"noise": -0.1}, {"noise": float("nan")}, {"seed": -1}])
def test_config_refuses_what_it_cannot_make(wrong: dict[str, object]) -> None:
    with pytest.raises(InputError, match="expected"):
        PhantomConfig(**wrong)  # type: ignore[arg-type]


def _body_mask(labelmap: Volume, number: int) -> NDArray[np.bool_]:
    """The vertebra in front of its canal: its body."""
    k, j, i = np.nonzero(labelmap.array == number)
    lps = labelmap.geometry.affine_lps @ np.stack([i, j, k, np.ones_like(i)])
    canal = np.argwhere(labelmap.array == SPINAL_CANAL)[:, ::-1]
    canal_lps = labelmap.geometry.affine_lps @ np.c_[canal, np.ones(len(canal))].T
    near = np.abs(canal_lps[2] - np.median(lps[2])) < 15
    # Pedicles leave the body's widest part; they are beyond the front of the canal.
    front = np.percentile(canal_lps[1][near], 2)
    mask = np.zeros(labelmap.array.shape, bool)
    kept = lps[1] < front
    mask[k[kept], j[kept], i[kept]] = True
    return mask


def _body_center(labelmap: Volume, number: int) -> NDArray[np.float64]:
    kji = np.argwhere(_body_mask(labelmap, number)).mean(axis=0)
    return (labelmap.geometry.affine_lps @ [*kji[::-1], 1.0])[:3]
