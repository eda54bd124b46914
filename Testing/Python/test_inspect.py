"""`spiderseg inspect`: what it measures on series of 144 voxels, and that it finds what was spoiled on purpose."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from small_cases import TWO_LEVELS, add_case, grid, image, mask, write, write_overview
from SpiderSegLib.cases import Case, find_cases
from SpiderSegLib.cli.main import run
from SpiderSegLib.inspection import ADVICE, FindingKind, Inspection, Severity, inspect_case, inspect_cases, table_text
from SpiderSegLib.inspection.findings import find_in_series
from SpiderSegLib.inspection.series import measure_intensities, measure_labels
from SpiderSegLib.labels import Structure
from SpiderSegLib.overview import find_overview


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Two good series of two patients."""
    add_case(tmp_path, "1_t1", 1)
    add_case(tmp_path, "2_t2", 2)
    return tmp_path


def inspect(root: Path) -> Inspection:
    case_set = find_cases(root)
    return inspect_cases(case_set, find_overview(case_set.files))


def found(root: Path) -> list[tuple[str, str, tuple[str, ...]]]:
    """Kind, severity and series of every finding."""
    return [(finding.kind.value, finding.severity.value, finding.series) for finding in inspect(root).findings]


# Measurements


def test_intensities_of_known_voxels():
    intensities = measure_intensities(np.arange(101, dtype=np.int16).reshape(1, 1, 101))
    assert (intensities.minimum, intensities.low, intensities.median, intensities.high, intensities.maximum) == (0, 1, 50, 99, 100)
    assert intensities.share_at_maximum == pytest.approx(1 / 101)


def test_voxels_and_volumes_by_label_structure_and_region():
    labels = measure_labels(mask(1, 6, 201, 206, 100), grid(spacing_ijk_mm=(1.0, 1.0, 4.0)), "spider")
    assert labels.voxels == {1: 6, 6: 6, 100: 6, 201: 6, 206: 6}
    assert labels.structure_voxels == {Structure.VERTEBRA: 12, Structure.DISC: 12, Structure.CANAL: 6}
    assert labels.region_voxels == {"lumbar": 12, "thoracic": 12}
    assert labels.volume_ml(Structure.CANAL) == pytest.approx(0.024)
    assert labels.foreground_share == pytest.approx(30 / 144)
    assert labels.structure_ratio == pytest.approx(2.0)


def test_a_class_map_has_structures_and_no_levels():
    labels = measure_labels(mask(1, 2, 2, 3), grid(), "classes")
    assert labels.structure_voxels == {Structure.VERTEBRA: 6, Structure.DISC: 12, Structure.CANAL: 6}
    assert labels.levels(Structure.VERTEBRA) == ()
    assert labels.region_voxels == {}


def test_a_mask_that_counts_downward_has_the_same_levels():
    labels = measure_labels(mask(24, 23, 224, 123, 100), grid(), "spider")
    assert labels.is_downward
    assert labels.levels(Structure.VERTEBRA) == (1, 2)
    assert labels.levels(Structure.DISC) == (1,)
    assert labels.region_voxels == {"lumbar": 24, "thoracic": 0}


@pytest.mark.parametrize(
    ("gap", "size", "islands"),
    [
        (2, 1, 1),  # one voxel apart from 100
        (2, 3, 0),  # more than 2 % of the largest component
        (0, 1, 0),  # touching
    ],
)
def test_an_island_is_far_smaller_than_its_structure_and_apart(gap, size, islands):
    labelmap = np.zeros((1, 10, 20), np.uint8)
    labelmap[0, :, :10] = 5
    labelmap[0, :size, 10 + gap] = 5
    assert sum(measure_labels(labelmap, grid((20, 10, 1)), "spider").islands.values()) == islands


def test_a_large_separate_part_is_no_island_though_it_is_a_small_share():
    labelmap = np.zeros((1, 100, 201), np.uint8)
    labelmap[0, :, :100] = 5
    labelmap[0, :, 200] = 5  # 1 % of the body, 100 voxels of 4 mm3
    assert measure_labels(labelmap, grid((201, 100, 1)), "spider").islands == {}


# Findings


def test_good_series_give_no_finding(root):
    assert found(root) == []


def test_a_file_that_can_t_be_read_is_a_finding(root):
    (root / "masks" / "1_t1.mha").write_bytes(b"broken")
    assert found(root) == [("unreadable file", "error", ("1_t1",))]


@pytest.mark.parametrize("folder", ["images", "masks"])
def test_a_missing_half_is_a_finding(root, folder):
    (root / folder / "1_t1.mha").unlink()
    assert found(root) == [("missing file", "error", ("1_t1",))]


def test_mask_and_image_on_different_grids_are_a_finding(root):
    write(root / "masks" / "1_t1.mha", mask(*TWO_LEVELS), grid(x=1.0))
    assert found(root) == [("grid mismatch", "error", ("1_t1",))]


@pytest.mark.parametrize(
    ("values", "kind", "message"),
    [
        ((1, 2, 201, 202, 100, 77), "unknown labels", "values 77 (spider)"),
        ((), "empty mask", "background alone"),
        ((1, 2, 201, 202), "missing labels", "no canal"),
        ((201, 100), "missing labels", "no vertebra"),
        ((1, 3, 201, 203, 100), "missing labels", "vertebra levels 1, 3 without 2"),
        ((2, 3, 202, 203, 100), "missing labels", "vertebra levels 2, 3 without 1"),
        ((1, 2, 201, 202, 203, 100), "disc without vertebra", "discs 3 (counted from the lowest) have no vertebra above"),
    ],
)
def test_what_is_wrong_with_labels_is_named(root, values, kind, message):
    write(root / "masks" / "1_t1.mha", mask(*values))
    assert (kind, message) in [(finding.kind.value, finding.message) for finding in inspect(root).findings]


def test_a_partial_vertebra_counts_as_the_vertebra_above_its_disc(root):
    write(root / "masks" / "1_t1.mha", mask(1, 2, 103, 201, 203, 100))
    assert [finding.message for finding in inspect(root).findings] == ["disc levels 1, 3 without 2"]


def test_masks_that_count_downward_among_others_are_an_error_that_names_the_fewer(root):
    add_case(root, "3_t1", 3)
    write(root / "masks" / "2_t2.mha", mask(24, 23, 224, 223, 100))
    assert found(root) == [("mixed numbering", "error", ("2_t2",))]


def test_masks_that_all_count_downward_are_a_note(root):
    for series in ("1_t1", "2_t2"):
        write(root / "masks" / f"{series}.mha", mask(24, 23, 224, 223, 100))
    assert found(root) == [("downward numbering", "note", ("1_t1", "2_t2"))]


def test_the_same_image_under_two_patients_is_an_error_and_within_one_a_warning(root):
    write(root / "images" / "2_t2.mha", image(1).astype(np.float32))
    assert found(root) == [("duplicate image", "error", ("1_t1", "2_t2"))]
    add_case(root, "2_t2", 2)
    add_case(root, "1_t2", 1)
    assert found(root) == [("duplicate image", "warning", ("1_t1", "1_t2"))]


def test_a_patient_whose_series_have_different_numbers_of_vertebrae_is_named(root):
    add_case(root, "1_t2", 5, (1, 2, 3, 201, 202, 100))
    (finding,) = inspect(root).findings
    assert finding.kind is FindingKind.PATIENT_LEVELS
    assert finding.message == "patient 1: vertebrae 2 in 1_t1, 3 in 1_t2"


def test_counts_other_than_the_overview_s_are_a_finding(root):
    write_overview(root, {"1_t1": "training"}, num_vertebrae=7, num_discs=2)
    assert found(root) == [("count not as in overview", "warning", ("1_t1",))]


@pytest.mark.parametrize(
    ("spoil", "kind"),
    [
        (lambda array: np.full_like(array, 7), "constant image"),
        (lambda array: np.minimum(array, 500), "saturated image"),
        (lambda array: np.where(array == 1000, np.nan, array.astype(np.float32)), "NaN or infinite voxels"),
    ],
)
def test_images_that_can_t_teach_are_found(root, spoil, kind):
    # Large enough that one voxel at the maximum is less than 1 %.
    array = np.concatenate([image(seed) for seed in range(9)], axis=2)
    array[array == 1000] = 0
    array[0, 0, 0] = 1000
    write(root / "images" / "1_t1.mha", array, grid((72, 6, 3)))
    write(root / "masks" / "1_t1.mha", np.concatenate([mask(*TWO_LEVELS)] * 9, axis=2), grid((72, 6, 3)))
    assert found(root) == []
    write(root / "images" / "1_t1.mha", spoil(array), grid((72, 6, 3)))
    assert [name for name, _, _ in found(root)] == [kind]


def test_crumbs_are_a_note_and_many_islands_a_warning(root):
    for count, severity in ((1, "note"), (21, "warning")):
        labelmap = np.zeros((3, 60, 40), np.uint8)
        labelmap[:, :30, :4], labelmap[:, 31, :4], labelmap[:, 32, :4] = 1, 201, 100
        for number in range(count):
            labelmap[0, 34 + 2 * (number // 10), 2 * (number % 10)] = 1
        write(root / "images" / "1_t1.mha", np.random.default_rng(0).normal(size=(3, 60, 40)).astype(np.float32), grid((40, 60, 3)))
        write(root / "masks" / "1_t1.mha", labelmap, grid((40, 60, 3)))
        assert found(root) == [("islands", severity, ("1_t1",))]


def test_every_kind_has_its_advice_in_one_line():
    assert set(ADVICE) == set(FindingKind)
    assert all(advice and "\n" not in advice for advice in ADVICE.values())


def test_the_worst_comes_first(root):
    write(root / "masks" / "1_t1.mha", mask(1, 2, 201, 202))
    (root / "images" / "2_t2.mha").unlink()
    assert [finding.severity for finding in inspect(root).findings] == [Severity.ERROR, Severity.WARNING]


# The command


def test_the_command_writes_a_row_a_series_json_and_a_picture(root, tmp_path, capsys):
    write_overview(root, {"1_t1": "training"}, Manufacturer="SIEMENS", RepetitionTime=600, EchoTime=9.5, MagneticFieldStrength=1.5)
    paths = [tmp_path / name for name in ("out.csv", "out.json", "out.png")]
    assert run(["inspect", str(root), "--csv", str(paths[0]), "--json", str(paths[1]), "--picture", str(paths[2])]) == 0
    with paths[0].open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["series"] for row in rows] == ["1_t1", "2_t2"]
    first = rows[0]
    assert (first["size_i"], first["spacing_k_mm"], first["orientation"], first["dtype"]) == ("8", "4.0", "PIR", "int16")
    assert (first["labels"], first["n_vertebrae"], first["disc_voxels"], first["maximum"]) == ("1 2 100 201 202", "2", "12", "1000.0")
    assert (first["manufacturer"], first["repetition_time_ms"], first["echo_time_ms"]) == ("SIEMENS", "600.0", "9.5")
    content = json.loads(paths[1].read_text())
    assert content["series"][0]["voxels_by_label"]["201"] == 6
    assert paths[2].read_bytes().startswith(b"\x89PNG")
    text = capsys.readouterr().out
    assert "2 series of 2 patients" in text
    assert "SIEMENS 1; 1.5 T; TR 600 ms; TE 9.5 ms" in text


def test_the_table_names_finding_series_and_advice(root):
    write(root / "masks" / "1_t1.mha", mask(1, 2, 201, 202))
    text = table_text(inspect(root))
    assert "1_t1: no canal" in text
    assert ADVICE[FindingKind.MISSING_LABELS] in text


def test_some_broken_files_are_exit_code_0_and_only_broken_files_1(root, tmp_path):
    (root / "images" / "1_t1.mha").write_bytes(b"broken")
    assert run(["inspect", str(root)]) == 0
    for path in root.rglob("*.mha"):
        path.write_bytes(b"broken")
    assert run(["inspect", str(root), "--csv", str(tmp_path / "a.csv"), "--picture", str(tmp_path / "a.png")]) == 1
    assert len((tmp_path / "a.csv").read_text().splitlines()) == 3


def test_a_data_list_with_a_file_that_is_not_there_is_inspected_all_the_same(root, capsys):
    entries = [
        {"image": "images/1_t1.mha", "label": "masks/1_t1.mha", "patient_id": "1"},
        {"label": "masks/2_t2.mha", "patient_id": "2"},
        {"image": "images/gone.mha", "label": "masks/2_t2.mha", "patient_id": "3"},
    ]
    (root / "list.json").write_text(json.dumps({"training": entries}))
    assert run(["inspect", str(root / "list.json")]) == 0
    text = capsys.readouterr().out
    # The mask without image is meant to be one.
    assert "ERROR    missing file, 1 series" in text
    assert "gone.mha is not there" in text


@pytest.mark.real_data
@pytest.mark.parametrize(("patient", "is_clipped"), [("41", True), ("200", True), ("5", False), ("98", False)])
def test_the_slabs_known_to_be_clipped_are_found_and_others_not(real_data, patient, is_clipped):
    """The data's own notes name 41 and 200."""
    path = real_data / "spider" / "space_slabs" / "images" / f"{patient}_t2_SPACE.mha"
    series = inspect_case(Case(patient, patient, path, None, "classes"), {})
    assert (FindingKind.SATURATED in {finding.kind for finding in find_in_series(series)}) is is_clipped
