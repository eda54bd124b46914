"""Splits by patient and the check for leakage; the cases behind both."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from small_cases import add_case, image, mask, write, write_overview
from SpiderSegLib.cases import find_cases
from SpiderSegLib.cli.main import run
from SpiderSegLib.dataset import Datalist, DatasetItem, read_datalist
from SpiderSegLib.errors import DatasetError
from SpiderSegLib.overview import find_overview, read_overview
from SpiderSegLib.splits import check_leakage, make_split
from SpiderSegLib.volume import Geometry

SERIES = ("1_t1", "1_t2", "2_t2", "3_t2_SPACE", "4_t1", "10_t2")


@pytest.fixture
def spider(tmp_path: Path) -> Path:
    """Six series of five patients in SPIDER's layout."""
    for number, series in enumerate(SERIES):
        add_case(tmp_path / "spider", series, number)
    return tmp_path / "spider"


def split_of(root: Path, **options):
    case_set = find_cases(root)
    return make_split(case_set, find_overview(case_set.files), **options)


def patients(cases) -> set[str]:
    return {case.patient_id for case in cases}


# Cases


def test_a_folder_gives_pairs_and_what_lacks_its_other_half(spider):
    (spider / "images" / "2_t2.mha").unlink()
    (spider / "masks" / "4_t1.mha").unlink()
    cases = {case.name: case for case in find_cases(spider).cases}
    assert list(cases) == ["1_t1", "1_t2", "2_t2", "3_t2_SPACE", "4_t1", "10_t2"]
    assert cases["1_t2"].image == spider / "images" / "1_t2.mha"
    assert cases["1_t2"].sequence == "t2"
    assert cases["3_t2_SPACE"].sequence == "t2_SPACE"
    assert cases["2_t2"].image is None
    assert cases["4_t1"].reference is None


def test_a_folder_of_data_sets_is_refused_with_the_ones_it_holds(spider):
    with pytest.raises(DatasetError, match=r"did you mean .*spider\?"):
        find_cases(spider.parent)


@pytest.mark.parametrize("name", ["absent", "empty"])
def test_a_folder_without_images_is_refused(tmp_path, name):
    (tmp_path / "empty").mkdir()
    with pytest.raises(DatasetError, match=r"expected .*images/ and masks/"):
        find_cases(tmp_path / name)


def test_two_files_of_one_series_are_refused(spider):
    write(spider / "images" / "1_t1.nii.gz", image(0))
    with pytest.raises(DatasetError, match=r"expected one file a series, found 1_t1\.mha and 1_t1\.nii\.gz"):
        find_cases(spider)


def test_an_overview_without_the_series_column_is_refused(tmp_path):
    (tmp_path / "overview.csv").write_text("name,subset\n1_t1,training\n")
    with pytest.raises(DatasetError, match=r"overview\.csv: expected a column new_file_name, found name, subset"):
        read_overview(tmp_path / "overview.csv")


# Splits


def test_spiders_subset_column_decides_when_it_knows_every_patient(spider):
    write_overview(spider, {series: "validation" if series.startswith("2") else "training" for series in SERIES})
    split = split_of(spider)
    assert patients(split.validation) == {"2"}
    assert patients(split.training) == {"1", "3", "4", "10"}
    assert split.rule == "SPIDER's subset column"


def test_without_an_overview_a_fifth_of_the_patients_is_drawn_and_none_crosses(spider):
    split = split_of(spider)
    assert len(patients(split.validation)) == 1
    assert patients(split.training) | patients(split.validation) == {"1", "2", "3", "4", "10"}
    assert patients(split.training) & patients(split.validation) == set()


def test_both_series_of_a_patient_go_to_the_same_side(spider):
    for seed in range(8):
        split = split_of(spider, validation_share=0.4, seed=seed)
        sides = [{case.name for case in cases} & {"1_t1", "1_t2"} for cases in (split.training, split.validation)]
        assert sorted(map(len, sides)) == [0, 2]


def test_the_seed_decides_the_draw(spider):
    draws = {frozenset(patients(split_of(spider, validation_share=0.4, seed=seed).validation)) for seed in range(8)}
    assert len(draws) > 1
    assert patients(split_of(spider, seed=3).validation) == patients(split_of(spider, seed=3).validation)


def test_a_drawn_split_keeps_spiders_validation_patients_in_validation(spider):
    write_overview(spider, {"3_t2_SPACE": "validation"})
    for seed in range(8):
        assert "3" in patients(split_of(spider, validation_share=0.4, seed=seed).validation)


def test_cases_without_image_or_mask_are_left_out_by_name(spider):
    (spider / "masks" / "4_t1.mha").unlink()
    assert split_of(spider).left_out == ("4_t1",)


@pytest.mark.parametrize("share", [0.0, 1.0, 1.5])
def test_a_share_that_leaves_a_side_empty_is_refused(spider, share):
    with pytest.raises(DatasetError, match="between 0 and 1"):
        split_of(spider, validation_share=share)


def test_a_single_patient_can_t_be_split(tmp_path):
    add_case(tmp_path, "1_t1", 1)
    with pytest.raises(DatasetError, match="expected patients on both sides, found 1 patients"):
        split_of(tmp_path)


# The command


def test_the_command_writes_a_data_list_that_training_reads(spider, tmp_path, capsys):
    out = tmp_path / "spider_dataset.json"
    assert run(["split", str(spider), "-o", str(out)]) == 0
    datalist = read_datalist(out, spider)
    assert len(datalist.training) + len(datalist.validation) == 6
    content = json.loads(out.read_text())
    assert content["numTraining"] == len(datalist.training)
    assert {key for entry in content["training"] for key in entry} == {"image", "label", "patient_id", "reference_kind"}
    assert "no leakage found" in capsys.readouterr().out


def test_a_data_list_can_be_split_anew_and_keeps_masks_without_images(spider, tmp_path):
    old, new = tmp_path / "old.json", tmp_path / "new.json"
    entries = [{"image": f"images/{series}.mha", "label": f"masks/{series}.mha", "patient_id": series.split("_")[0]} for series in SERIES]
    del entries[3]["image"]
    write(spider / entries[3]["label"], mask(1, 2, 3, 100))  # unlike the others' masks
    old.write_text(json.dumps({"training": entries}))
    assert run(["split", str(old), "--data", str(spider), "-o", str(new), "--validation-share", "0.4"]) == 0
    content = json.loads(new.read_text())
    labels = {entry["label"]: entry.get("image") for entry in content["training"] + content["validation"]}
    assert len(labels) == 6
    assert labels["masks/3_t2_SPACE.mha"] is None


def test_class_maps_are_listed_as_such(tmp_path):
    for number, series in enumerate(("1_t1", "2_t1")):
        add_case(tmp_path / "set", series, number, (1, 2, 3), folder="classes")
    assert run(["split", str(tmp_path / "set"), "-o", str(tmp_path / "list.json")]) == 0
    assert json.loads((tmp_path / "list.json").read_text())["training"][0]["reference_kind"] == "classes"


def test_an_existing_data_list_is_not_replaced(spider, tmp_path):
    out = tmp_path / "list.json"
    out.write_text("mine")
    assert run(["split", str(spider), "-o", str(out)]) == 1
    assert out.read_text() == "mine"
    assert run(["split", str(spider), "-o", str(out), "--overwrite"]) == 0


# Leakage


def datalist(root: Path, training: list[tuple[str, str]], validation: list[tuple[str, str]]):
    """Read from JSON, from pairs of series and patient."""
    sides = {
        side: [{"image": f"images/{series}.mha", "label": f"masks/{series}.mha", "patient_id": patient} for series, patient in pairs]
        for side, pairs in (("training", training), ("validation", validation))
    }
    (root / "list.json").write_text(json.dumps(sides))
    return read_datalist(root / "list.json", root)


def test_a_split_without_leakage_passes(spider):
    check_leakage(datalist(spider, [("1_t1", "1"), ("1_t2", "1")], [("2_t2", "2")]))


@pytest.mark.parametrize("training", [("1_t1", "1"), ("1_t1", "other name"), ("1_t2", "1"), ("4_t1", "1")])
def test_a_patient_of_spiders_validation_subset_must_not_train(spider, training):
    """Known by the name of any of its series, or by its id."""
    write_overview(spider, {"1_t1": "validation", "2_t2": "training"})
    with pytest.raises(DatasetError, match=rf"patients of SPIDER's validation subset in training: {training[1]};"):
        check_leakage(datalist(spider, [("3_t2_SPACE", "3"), training], [("2_t2", "2")]))


def test_the_mask_of_a_validation_series_must_not_train_under_another_patient(spider):
    content = {
        "training": [{"label": "masks/1_t1.mha", "patient_id": "77"}],
        "validation": [{"image": "images/1_t1.mha", "label": "masks/1_t1.mha", "patient_id": "1"}],
    }
    (spider / "list.json").write_text(json.dumps(content))
    with pytest.raises(DatasetError, match=r"the same image in training \(.*masks/1_t1\.mha, patient 77\)"):
        check_leakage(read_datalist(spider / "list.json", spider))


def test_the_same_image_under_two_patients_must_not_be_on_both_sides(spider):
    # The copy is stored with other axes, number type and name.
    stored = image(0).astype("float32").transpose(2, 1, 0)
    upright = Geometry((3, 6, 8), (4.0, 1.0, 1.0), (9.0, 9.0, 9.0), (-1.0, 0, 0, 0, 0, 1.0, 0, -1.0, 0))
    write(spider / "images" / "99_t2.nii.gz", stored, upright)
    write(spider / "masks" / "99_t2.mha", mask(1))
    content = {
        "training": [{"image": "images/1_t1.mha", "label": "masks/1_t1.mha", "patient_id": "1"}],
        "validation": [{"image": "images/99_t2.nii.gz", "label": "masks/99_t2.mha", "patient_id": "99"}],
    }
    (spider / "list.json").write_text(json.dumps(content))
    with pytest.raises(DatasetError, match=r"the same image in training \(.*1_t1\.mha, patient 1\) and validation \(.*99_t2\.nii\.gz, patient 99\)"):
        check_leakage(read_datalist(spider / "list.json", spider))


def test_a_patient_on_both_sides_is_named(spider):
    item = DatasetItem(spider / "masks" / "1_t1.mha", "1", "spider", spider / "images" / "1_t1.mha")
    with pytest.raises(DatasetError, match="both training and validation: 1;"):
        check_leakage(Datalist((item,), (item,)), compare_images=False)


def test_the_command_refuses_a_leaking_split_and_writes_nothing(tmp_path, caplog, capsys):
    root = tmp_path / "set"
    add_case(root, "1_t1", 1)
    add_case(root, "2_t1", 1)
    assert run(["split", str(root), "-o", str(tmp_path / "list.json")]) == 1
    assert "leakage" in caplog.text + capsys.readouterr().err
    assert not (tmp_path / "list.json").exists()


@pytest.mark.real_data
def test_the_real_middle_slices_split_without_leakage(real_data, tmp_path):
    out = tmp_path / "list.json"
    assert run(["split", str(real_data / "spider" / "midsagittal"), "-o", str(out)]) == 0
    content = json.loads(out.read_text())
    # All of these patients are in SPIDER's training subset: the column alone would leave nothing to validate.
    assert (content["numTraining"] + content["numValidation"], len({entry["patient_id"] for entry in content["validation"]})) == (28, 5)
