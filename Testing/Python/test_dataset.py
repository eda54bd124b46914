"""Data lists and training cases."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from SpiderSegLib.dataset import DatasetItem, image_hashes, load_training_case, read_datalist, reference_classes
from SpiderSegLib.errors import DatasetError, GeometryError, LabelError
from SpiderSegLib.io import write_volume
from SpiderSegLib.paths import data_path
from SpiderSegLib.preprocessing import PreprocessingConfig
from SpiderSegLib.volume import Geometry, Volume

SAGITTAL = (0.0, 0.0, -1.0, 1.0, 0.0, 0.0, 0.0, -1.0, 0.0)


def grid(size_ijk=(8, 10, 3), origin=(0.0, 0.0, 0.0)):
    return Geometry(size_ijk, (1.2, 1.2, 4.0), origin, SAGITTAL)


def write(path: Path, array, geometry=None) -> Path:
    write_volume(path, Volume(np.asarray(array), geometry or grid()))
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    write(tmp_path / "1_t2.mha", rng.integers(0, 200, (3, 10, 8), dtype=np.int16))
    write(tmp_path / "1_t2_mask.mha", np.full((3, 10, 8), 201, np.uint8))
    return tmp_path


def datalist(folder: Path, training, validation=()) -> Path:
    path = folder / "dataset.json"
    path.write_text(json.dumps({"training": list(training), "validation": list(validation)}))
    return path


ENTRY = {"image": "1_t2.mha", "label": "1_t2_mask.mha", "patient_id": "1"}


def test_a_datalist_gives_items_with_resolved_paths(folder):
    (item,) = read_datalist(datalist(folder, [ENTRY]), folder).training
    assert item == DatasetItem(folder / "1_t2_mask.mha", "1", "spider", folder / "1_t2.mha")


def test_a_patient_in_both_splits_is_refused_by_name(folder):
    with pytest.raises(DatasetError, match=r"both training and validation: 1;"):
        read_datalist(datalist(folder, [ENTRY], [ENTRY]), folder)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"label": "absent.mha"}, "absent.mha is missing"),
        ({"label": "../outside.mha"}, "leaves the data folder"),
        ({"reference_kind": "bodies"}, "expected reference_kind"),
        ({"label": None}, "is missing"),
    ],
)
def test_a_wrong_entry_is_refused(folder, change, message):
    with pytest.raises(DatasetError, match=message):
        read_datalist(datalist(folder, [{**ENTRY, **change}]), folder)


@pytest.mark.parametrize("content", ["not json", "[]", '{"training": [1]}', '{"training": [{"label": "1_t2_mask.mha"}]}'])
def test_a_malformed_datalist_is_refused(folder, content):
    path = folder / "dataset.json"
    path.write_text(content)
    with pytest.raises(DatasetError, match=r"dataset\.json: expected"):
        read_datalist(path, folder)


def test_a_spider_mask_becomes_classes_and_a_class_map_stays(folder):
    mask = np.zeros((3, 10, 8), np.uint8)
    mask[0, 0, :4] = 1, 101, 100, 202
    write(folder / "mask.mha", mask)
    assert reference_classes(DatasetItem(folder / "mask.mha", "1", "spider")).array[0, 0, :5].tolist() == [1, 1, 3, 2, 0]
    write(folder / "classes.mha", mask % 3)
    assert np.array_equal(reference_classes(DatasetItem(folder / "classes.mha", "1", "classes")).array, mask % 3)


def test_unknown_values_are_refused_by_file_name(folder):
    path = write(folder / "odd.mha", np.full((3, 10, 8), 77, np.uint8))
    for kind in ("spider", "classes"):
        with pytest.raises(LabelError, match=r"odd\.mha"):
            reference_classes(DatasetItem(path, "1", kind))


def test_image_and_mask_of_different_grids_are_refused(folder):
    moved = write(folder / "moved.mha", np.ones((3, 10, 8), np.uint8), grid(origin=(5.0, 0.0, 0.0)))
    with pytest.raises(GeometryError, match="not on the same grid"):
        load_training_case(DatasetItem(moved, "1", "spider", folder / "1_t2.mha"), PreprocessingConfig())


def test_a_training_case_keeps_slices_and_is_oriented(folder):
    array = np.zeros((20, 4, 16), np.uint8)  # k inferior to superior, j anterior to posterior, i left-right: 'LPS' storage
    array[19] = 100
    path = write(folder / "axial.mha", array, Geometry((16, 4, 20), (4.0, 1.2, 1.2), (0.0, 0.0, 0.0), (1.0, 0, 0, 0, 1.0, 0, 0, 0, 1.0)))
    case = load_training_case(DatasetItem(path, "1", "spider"), PreprocessingConfig(in_plane_spacing_mm=1.5))
    assert case.classes.shape == (16, 20, 4)
    assert case.spacing_kji_mm == pytest.approx((4.0, 1.2, 1.2))
    assert np.all(case.classes[:, 0] == 3)
    assert np.all(case.classes[:, 1:] == 0)


def test_hashes_name_the_file_and_its_two_folders(folder):
    (name,) = image_hashes([DatasetItem(folder / "1_t2_mask.mha", "1", "spider", folder / "1_t2.mha")])
    assert name == f"{folder.parent.name}/{folder.name}/1_t2.mha"


def committed_split() -> dict[str, list[dict[str, str]]]:
    return json.loads(data_path("model_weights", "spiderseg_unetr", "configs", "spider_dataset.json").read_text())


def test_the_committed_split_keeps_patients_apart():
    split = committed_split()
    patients = {name: {entry["patient_id"] for entry in split[name]} for name in ("training", "validation")}
    assert patients["training"] & patients["validation"] == set()
    for entry in (*split["training"], *split["validation"]):
        files = {Path(entry[key]).name.split("_")[0] for key in ("image", "label") if key in entry}
        assert files == {entry["patient_id"]}


def test_the_committed_split_validates_six_patients_of_each_set_and_nothing_external():
    split = committed_split()
    for part in ("space_slabs", "midsagittal"):
        assert len({entry["patient_id"] for entry in split["validation"] if part in entry["image"]}) == 6
    assert all(entry["label"].startswith("spider/") for entry in (*split["training"], *split["validation"]))


@pytest.mark.real_data
def test_the_committed_split_finds_all_its_files(real_data):
    split = read_datalist(data_path("model_weights", "spiderseg_unetr", "configs", "spider_dataset.json"), real_data)
    assert len(split.training) == 77
    assert len(split.validation) == 12
