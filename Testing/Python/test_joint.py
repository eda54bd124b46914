"""Series of a patient under one segmentation: the verdict in words, and labelmaps on the grid of another series."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from SpiderSegLib.cli.main import run
from SpiderSegLib.errors import InputError, LabelError
from SpiderSegLib.io import write_volume
from SpiderSegLib.joint import check_joint, moving_text, resample_labelmap
from SpiderSegLib.phantom import PhantomConfig, default_geometry, make_phantom
from SpiderSegLib.volume import Geometry, Volume

AXIAL = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)


def grid(size_ijk, spacing_ijk_mm=(1.0, 1.0, 1.0), origin_lps_mm=(0.0, 0.0, 0.0), direction=AXIAL):
    return Geometry(size_ijk, spacing_ijk_mm, origin_lps_mm, direction)


# Labelmaps on another grid


def test_the_same_grid_gives_the_same_array():
    array = np.arange(8, dtype=np.uint8).reshape(2, 2, 2)
    result = resample_labelmap(Volume(array, grid((2, 2, 2))), grid((2, 2, 2)))
    assert result.array is array


def test_a_moved_grid_sees_the_labels_where_they_lie_in_the_world():
    row = np.array([[[0, 7, 7, 0, 0]]], dtype=np.uint8)
    result = resample_labelmap(Volume(row, grid((5, 1, 1))), grid((5, 1, 1), origin_lps_mm=(-1.0, 0.0, 0.0)))
    assert result.array.tolist() == [[[0, 0, 7, 7, 0]]]


def test_a_flipped_axis_turns_the_array():
    row = np.array([[[1, 1, 0, 0, 201]]], dtype=np.uint8)
    flipped = grid((5, 1, 1), origin_lps_mm=(4.0, 0.0, 0.0), direction=(-1.0, 0.0, 0.0, 0.0, -1.0, 0.0, 0.0, 0.0, 1.0))
    assert resample_labelmap(Volume(row, grid((5, 1, 1))), flipped).array.tolist() == [[[201, 0, 0, 1, 1]]]


def test_exchanged_axes_are_exchanged():
    array = np.zeros((1, 2, 3), dtype=np.uint8)
    array[0, 1, 2] = 100
    exchanged = grid((2, 3, 1), direction=(0.0, 1.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, -1.0))
    assert resample_labelmap(Volume(array, grid((3, 2, 1))), exchanged).array.tolist() == [[[0, 0], [0, 0], [0, 100]]]


def test_a_coarse_voxel_takes_the_label_with_the_largest_share():
    # Voxels of 4 mm over 1 mm: shares 3/4 of 1; 1/2 of 2 and 1/4 each of 3 and background; 1/4 of 3.
    row = np.array([[[1, 1, 1, 0, 2, 2, 3, 0, 3, 0, 0, 0]]], dtype=np.uint8)
    coarse = grid((3, 1, 1), (4.0, 1.0, 1.0), (1.5, 0.0, 0.0))
    assert resample_labelmap(Volume(row, grid((12, 1, 1))), coarse).array.tolist() == [[[1, 2, 0]]]


def test_a_field_of_view_that_ends_leaves_background():
    row = np.full((1, 1, 3), 5, dtype=np.uint8)
    assert resample_labelmap(Volume(row, grid((3, 1, 1))), grid((7, 1, 1), origin_lps_mm=(-2.0, 0.0, 0.0))).array.tolist() == [
        [[0, 0, 5, 5, 5, 0, 0]]
    ]


def test_series_apart_share_nothing():
    row = np.full((1, 1, 3), 5, dtype=np.uint8)
    assert not resample_labelmap(Volume(row, grid((3, 1, 1))), grid((3, 3, 3), origin_lps_mm=(100.0, 0.0, 0.0))).array.any()


def test_the_shape_between_thick_slices_is_interpolated():
    # Two 8 mm slices with a bar of 2 and of 6 voxels: between them its width lies between.
    array = np.zeros((2, 1, 10), dtype=np.uint8)
    array[0, 0, 4:6] = 1
    array[1, 0, 2:8] = 1
    fine = resample_labelmap(Volume(array, grid((10, 1, 2), (1.0, 1.0, 8.0))), grid((10, 1, 9)))
    widths = fine.array[:, 0].sum(axis=1).tolist()
    assert widths[0] == 2
    assert widths[8] == 6
    assert widths == sorted(widths)
    assert 4 in widths


def test_values_stay_those_of_the_scheme_on_any_grid():
    phantom = make_phantom(geometry=default_geometry((56, 64, 9), (10 / 3, 1 / 0.31, 4.0)))
    oblique = np.linalg.qr(np.array([[0.9, 0.2, 0.1], [-0.2, 0.95, 0.1], [0.05, -0.1, 1.0]]))[0]
    oblique *= np.sign(np.diag(oblique))
    target = grid((40, 40, 40), (5.0, 5.0, 5.0), (-100.0, -120.0, -100.0), tuple(float(value) for value in oblique.ravel()))
    found = set(np.unique(resample_labelmap(phantom.labelmap, target).array).tolist())
    assert len(found) > 10
    assert found <= set(np.unique(phantom.labelmap.array).tolist())


def test_values_that_are_no_labels_are_refused():
    with pytest.raises(LabelError, match="expected label values from 0 to 255, found 0 to 300"):
        resample_labelmap(Volume(np.array([[[0, 300]]]), grid((2, 1, 1))), grid((3, 1, 1)))


# The verdict


@pytest.mark.parametrize(
    ("displacement", "words"),
    [
        ((0.0, 0.0, -3.1), "3.1 mm toward the feet"),
        ((0.0, 0.8, 3.1), "3.1 mm toward the head, 0.8 mm toward the back"),
        ((2.0, -2.5, 0.4), "2.5 mm toward the front, 2.0 mm toward the left"),
        ((-5.0, 0.0, 0.0), "5.0 mm toward the right"),
        ((0.1, 0.2, 0.3), "less than 0.5 mm"),
    ],
)
def test_a_displacement_is_said_in_words(displacement, words):
    assert moving_text(displacement) == words


@pytest.fixture(scope="module")
def t2_and_t1():
    geometry = default_geometry((160, 180, 9), (1.6, 1.6, 4.0))
    return [make_phantom(PhantomConfig(sequence), geometry).volume for sequence in ("T2", "T1")]


def moved(volume, by_lps_mm):
    origin = tuple(float(value) for value in np.add(volume.geometry.origin_lps_mm, by_lps_mm))
    geometry = volume.geometry
    return Volume(volume.array, Geometry(geometry.size_ijk, geometry.spacing_ijk_mm, origin, geometry.direction), "moved")


def test_series_with_one_frame_that_lie_on_each_other_are_saved_together(t2_and_t1):
    verdict = check_joint(t2_and_t1, ["1.2.3", "1.2.3"])
    assert verdict.is_allowed
    assert verdict.record()["reasons"] == []


@pytest.mark.parametrize(
    ("frames", "reason"),
    [
        (["1.2.3", ""], "it is not known for t1"),
        (["", ""], "it is not known for t2 and t1"),
        (["1.2.3", "1.2.4"], "the patient may have been moved"),
    ],
)
def test_series_without_a_common_frame_need_a_person(t2_and_t1, frames, reason):
    named = [Volume(volume.array, volume.geometry, name) for volume, name in zip(t2_and_t1, ("t2", "t1"), strict=True)]
    verdict = check_joint(named, frames)
    assert not verdict.is_allowed
    assert len(verdict.reasons) == 1
    assert reason in verdict.reasons[0]


def test_more_than_2_mm_need_a_person_and_are_said_in_words(t2_and_t1):
    verdict = check_joint([t2_and_t1[0], moved(t2_and_t1[1], (0.0, 0.0, -4.0))], ["1", "1"])
    [reason] = verdict.reasons
    assert reason.startswith("moved lies up to ")
    assert "mm toward the feet" in reason
    measured = verdict.record()["pairs"][0]["measured"]
    assert 3.0 < measured["largest_displacement_mm"] < 5.0


def test_series_apart_can_not_be_compared(t2_and_t1):
    verdict = check_joint([t2_and_t1[0], moved(t2_and_t1[1], (0.0, 0.0, 900.0))], ["1", "1"])
    assert "can't be compared" in verdict.reasons[0]
    assert verdict.pairs[0].check is None


def test_one_series_is_no_pair(t2_and_t1):
    with pytest.raises(InputError, match="at least two series"):
        check_joint(t2_and_t1[:1], ["1"])


# The command


def test_the_command_writes_the_verdict(t2_and_t1, tmp_path: Path):
    for volume, name in zip(t2_and_t1, ("a_t2.mha", "a_t1.mha"), strict=True):
        write_volume(tmp_path / name, volume)
    series = [str(tmp_path / "a_t2.mha"), str(tmp_path / "a_t1.mha")]
    frames = ["--frame-of-reference=1", "--frame-of-reference=2"]
    code = run(["check-joint", *series, *frames, "--json", str(tmp_path / "joint.json"), "--progress", "none"])
    record = json.loads((tmp_path / "joint.json").read_text(encoding="utf-8"))
    assert code == 0
    assert record["is_allowed"] is False
    assert record["reasons"] == ["a_t2 and a_t1 have no common frame of reference: the patient may have been moved between them"]


def test_a_frame_is_asked_for_every_series(t2_and_t1, tmp_path: Path, capsys):
    for volume, name in zip(t2_and_t1, ("a_t2.mha", "a_t1.mha"), strict=True):
        write_volume(tmp_path / name, volume)
    assert run(["check-joint", str(tmp_path / "a_t2.mha"), str(tmp_path / "a_t1.mha"), "--frame-of-reference=1"]) == 2
    assert "expected one --frame-of-reference a series, found 1 for 2 series" in capsys.readouterr().err
