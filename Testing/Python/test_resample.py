"""The original procedure's resampling, on images whose every voxel is known."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

from small_cases import add_case, grid, image, mask, write, write_overview
from SpiderSegLib.cases import find_cases
from SpiderSegLib.cli.main import run
from SpiderSegLib.errors import DatasetError, InputError, OutputError
from SpiderSegLib.io import read_volume
from SpiderSegLib.resampling import ORIGINAL_RECIPE, ResamplingConfig, resample_dataset, resample_volume
from SpiderSegLib.volume import Geometry, Volume

IDENTITY = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)


def ramp(n: int, spacing_mm: float) -> Volume:
    """n voxels along i with intensities 0, 10, 20, .."""
    return Volume(10 * np.arange(n, dtype=np.int16).reshape(1, 1, n), Geometry((n, 1, 1), (spacing_mm, 1.0, 1.0), (5.0, 6.0, 7.0), IDENTITY))


# The recipe


def test_the_spacing_is_the_old_one_times_old_size_over_new_size_and_the_origin_stays():
    result = resample_volume(ramp(4, 3.0), ResamplingConfig((8, 1, 1), orientation=None), is_labelmap=False)
    assert result.geometry.spacing_ijk_mm == (1.5, 1.0, 1.0)
    assert result.geometry.origin_lps_mm == (5.0, 6.0, 7.0)
    assert result.geometry.direction == IDENTITY
    # New voxel n lies at n * 1.5 mm, old ones at multiples of 3 mm; the last new one lies at 10.5 mm, at the old grid's very edge.
    assert result.array.ravel().tolist() == [0, 5, 10, 15, 20, 25, 30, 0]


def test_a_coarser_size_takes_values_between_voxels():
    result = resample_volume(ramp(6, 1.0), ResamplingConfig((4, 1, 1), orientation=None), is_labelmap=False)
    # Spacing 1.5: at 0, 1.5, 3, 4.5 voxels.
    assert result.array.ravel().tolist() == [0, 15, 30, 45]


def test_labels_are_never_mixed():
    labels = Volume(np.array([[[0, 0, 205, 205, 1, 1]]], np.uint8), Geometry((6, 1, 1), (1.0, 1.0, 1.0), (0.0, 0.0, 0.0), IDENTITY))
    result = resample_volume(labels, ResamplingConfig((5, 1, 1), orientation=None), is_labelmap=True)
    # At 0, 1.2, 2.4, 3.6, 4.8 voxels.
    assert result.array.ravel().tolist() == [0, 0, 205, 1, 1]
    assert result.array.dtype == np.uint8


def test_a_spacing_gives_the_size_that_covers_the_same_field_of_view():
    result = resample_volume(ramp(6, 1.0), ResamplingConfig(None, (2.0, 1.0, 1.0), None), is_labelmap=False)
    assert result.geometry.size_ijk == (3, 1, 1)
    assert result.geometry.spacing_ijk_mm == (2.0, 1.0, 1.0)
    assert result.array.ravel().tolist() == [0, 20, 40]


def test_the_original_recipe_turns_sagittal_storage_to_right_posterior_superior():
    volume = Volume(np.zeros((15, 40, 30), np.int16), Geometry((30, 40, 15), (1.0, 2.0, 4.0), (0.0, 0.0, 0.0), grid().direction))
    assert volume.geometry.orientation == "PIR"
    result = resample_volume(volume, ORIGINAL_RECIPE, is_labelmap=False).geometry
    assert result.orientation == "RPS"
    assert result.size_ijk == (32, 128, 128)
    # 15 slices of 4 mm, 30 columns of 1 mm, 40 rows of 2 mm.
    assert result.spacing_ijk_mm == pytest.approx((60 / 32, 30 / 128, 80 / 128))


def test_orienting_keeps_every_voxel_at_its_place():
    volume = Volume(image(0), grid())
    result = resample_volume(volume, ResamplingConfig((3, 8, 6), orientation="RPS"), is_labelmap=False)
    # PIR to RPS: i and k change places, rows run upward.
    assert np.array_equal(result.array, image(0).transpose(1, 2, 0)[::-1])


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"size_ijk": (1, 1, 1), "spacing_ijk_mm": (1.0, 1.0, 1.0)},
        {"size_ijk": (0, 1, 1)},
        {"spacing_ijk_mm": (1.0, -1.0, 1.0)},
        {"spacing_ijk_mm": (1.0, float("nan"), 1.0)},
        {"size_ijk": (1, 1, 1), "orientation": "RPL"},
        {"size_ijk": (1, 1, 1), "orientation": "XYZ"},
    ],
)
def test_settings_that_make_no_sense_are_refused(settings):
    with pytest.raises(InputError, match="expected"):
        ResamplingConfig(**settings)


# A data set


@pytest.fixture
def spider(tmp_path: Path) -> Path:
    root = tmp_path / "spider"
    for number, series in enumerate(("1_t1", "2_t2")):
        add_case(root, series, number)
    write_overview(root, {"1_t1": "training", "2_t2": "validation"})
    return root


def manifest(out: Path) -> dict:
    return json.loads((out / "manifest.json").read_text())


def test_the_command_writes_every_file_and_says_in_the_manifest_what_it_was_and_became(spider, tmp_path, capsys):
    out = tmp_path / "out"
    assert run(["resample", str(spider), "-o", str(out), "--size", "6,8,12"]) == 0
    assert sorted(path.relative_to(out).as_posix() for path in out.rglob("*.mha")) == [
        "images/1_t1.mha",
        "images/2_t2.mha",
        "masks/1_t1.mha",
        "masks/2_t2.mha",
    ]
    entry = manifest(out)["series"]["1_t1"]["image"]
    assert entry["source"] == entry["output"] == "images/1_t1.mha"
    assert entry["old"] == {"size": [8, 6, 3], "spacing": [1.0, 1.0, 4.0], "orientation": "PIR"}
    assert entry["new"] == {"size": [6, 8, 12], "spacing": [2.0, 1.0, 0.5], "orientation": "RPS"}
    assert entry["output_sha256"] == hashlib.sha256((out / "images" / "1_t1.mha").read_bytes()).hexdigest()
    assert set(np.unique(read_volume(out / "masks" / "1_t1.mha").array)) == {0, 1, 2, 201, 202, 100}
    assert read_volume(out / "images" / "1_t1.mha").geometry.is_same_grid(read_volume(out / "masks" / "1_t1.mha").geometry)
    assert (out / "overview.csv").read_text() == (spider / "overview.csv").read_text()
    assert "2 series resampled, 0 already there, 0 failed" in capsys.readouterr().out


def test_a_second_call_does_only_what_is_missing_or_changed(spider, tmp_path):
    out, config = tmp_path / "out", ResamplingConfig((6, 8, 12))
    resample_dataset(find_cases(spider), out, config)
    assert resample_dataset(find_cases(spider), out, config).resampled == ()
    (out / "masks" / "1_t1.mha").unlink()
    assert resample_dataset(find_cases(spider), out, config).resampled == ("1_t1",)
    write(spider / "masks" / "2_t2.mha", mask(1, 2))
    assert resample_dataset(find_cases(spider), out, config).resampled == ("2_t2",)


def test_an_interrupted_call_goes_on_where_it_stopped(spider, tmp_path):
    out, config = tmp_path / "out", ResamplingConfig((6, 8, 12))

    def stop_after_one(cases):
        yield next(iter(cases))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        resample_dataset(find_cases(spider), out, config, stop_after_one)
    result = resample_dataset(find_cases(spider), out, config)
    assert (result.present, result.resampled) == (("1_t1",), ("2_t2",))


@pytest.mark.parametrize("place", ["", "images", "new"])
def test_the_source_folder_is_never_written_to(spider, place):
    before = sorted(spider.rglob("*"))
    with pytest.raises(DatasetError, match="expected a folder outside the data set"):
        resample_dataset(find_cases(spider), spider / place, ORIGINAL_RECIPE)
    assert sorted(spider.rglob("*")) == before


def test_an_output_that_links_to_the_source_is_refused(spider, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    (out / "images").symlink_to(spider / "images", target_is_directory=True)
    with pytest.raises(DatasetError, match="is a file of the data set"):
        resample_dataset(find_cases(spider), out, ORIGINAL_RECIPE)


def test_a_folder_resampled_otherwise_is_not_mixed(spider, tmp_path):
    resample_dataset(find_cases(spider), tmp_path / "out", ResamplingConfig((6, 8, 12)))
    with pytest.raises(OutputError, match="choose another folder"):
        resample_dataset(find_cases(spider), tmp_path / "out", ORIGINAL_RECIPE)


def test_a_bad_series_fails_by_name_and_the_others_go_on(spider, tmp_path, caplog, capsys):
    (spider / "images" / "1_t1.mha").write_bytes(b"broken")
    write(spider / "images" / "3_t1.mha", image(3))
    write(spider / "masks" / "3_t1.mha", mask(1), grid(x=50.0))
    out = tmp_path / "out"
    assert run(["resample", str(spider), "-o", str(out), "--spacing", "4,2,2"]) == 1
    said = caplog.text + capsys.readouterr().err
    assert "images/1_t1.mha: not an image" in said
    assert "3_t1: image and mask are not on the same grid" in said
    assert list(manifest(out)["series"]) == ["2_t2"]


def test_a_data_list_keeps_its_paths_so_that_it_fits_the_result_too(spider, tmp_path):
    path = tmp_path / "list.json"
    path.write_text(json.dumps({"training": [{"image": "images/1_t1.mha", "label": "masks/1_t1.mha", "patient_id": "1"}]}))
    out = tmp_path / "out"
    assert run(["resample", str(path), "--data", str(spider), "-o", str(out), "--orient", "keep", "--size", "8,6,3"]) == 0
    assert np.array_equal(read_volume(out / "images" / "1_t1.mha").array, image(0))


@pytest.mark.parametrize("options", [["--size", "1,2"], ["--size", "a,b,c"], ["--size", "1,2,3", "--spacing", "1,1,1"], ["--orient", "ABC"]])
def test_wrong_options_are_usage_errors(spider, tmp_path, options):
    assert run(["resample", str(spider), "-o", str(tmp_path / "out"), *options]) == 2
    assert not (tmp_path / "out").exists()
