"""The SPIDER label scheme: values, structures, names, codes, and the downward-numbered variant."""

from __future__ import annotations

import csv

import numpy as np
import pytest

from SpiderSegLib.errors import InputError, LabelError
from SpiderSegLib.labels import (
    FOREGROUND,
    Structure,
    check_values,
    from_downward_numbering,
    is_downward_numbering,
    label_table,
    level_of,
    structure_of,
    to_classes,
)
from SpiderSegLib.paths import data_path

ALL_VALUES = [*range(1, 26), 100, *range(101, 126), *range(201, 226)]

# SNOMED CT, DICOM CID 7602-7604: value, name, code.
VERTEBRAE = [
    (1, "L5", "49668003"),
    (2, "L4", "11994002"),
    (3, "L3", "36470004"),
    (4, "L2", "14293000"),
    (5, "L1", "66794005"),
    (6, "T12", "23215003"),
    (7, "T11", "12989004"),
    (8, "T10", "7610001"),
    (9, "T9", "82687006"),
    (10, "T8", "11068009"),
    (11, "T7", "62487009"),
]
DISCS = [
    (201, "L5/S1", "715056000"),
    (202, "L4/L5", "84020006"),
    (203, "L3/L4", "62551000"),
    (204, "L2/L3", "67459009"),
    (205, "L1/L2", "80064006"),
    (206, "T12/L1", "76206002"),
    (207, "T11/T12", "1537001"),
    (208, "T10/T11", "34959001"),
    (209, "T9/T10", "113209001"),
    (210, "T8/T9", "9188009"),
    (211, "T7/T8", "28693002"),
]
GENERIC_VERTEBRA, GENERIC_DISC, SPINAL_CANAL = "51282000", "360499006", "61853006"

OUTSIDE_THE_SCHEME = [-1, 26, 99, 126, 200, 226, 255, 256, 1000]


# The table


def test_the_table_has_every_spider_value_and_no_other():
    assert sorted(label_table()) == ALL_VALUES


@pytest.mark.parametrize(("value", "name", "code"), VERTEBRAE + DISCS)
def test_each_named_level_has_its_own_snomed_code(value, name, code):
    entry = label_table()[value]
    assert (entry.value, entry.name, entry.type_code[:2]) == (value, name, ("SCT", code))


@pytest.mark.parametrize(("value", "name", "code"), VERTEBRAE)
def test_a_partial_vertebra_is_named_and_coded_as_the_same_vertebra(value, name, code):
    entry = label_table()[value + 100]
    assert (entry.name, entry.type_code[:2]) == (f"{name} (partial)", ("SCT", code))


def test_levels_without_a_code_of_their_own_and_the_canal_have_the_generic_code():
    table = label_table()
    assert {table[value].type_code[1] for value in [*range(12, 26), *range(112, 126)]} == {GENERIC_VERTEBRA}
    assert {table[value].type_code[1] for value in range(212, 226)} == {GENERIC_DISC}
    assert table[100].type_code[:2] == ("SCT", SPINAL_CANAL)


def test_every_row_is_an_anatomical_structure():
    with data_path("Resources", "SpiderLabels.csv").open(newline="", encoding="utf-8") as file:
        categories = {(row["Category_CodingScheme"], row["Category_CodeValue"], row["Category_CodeMeaning"]) for row in csv.DictReader(file)}
    assert categories == {("SCT", "123037004", "Anatomical Structure")}


def test_names_and_colors_tell_all_segments_apart():
    entries = label_table().values()
    assert len({entry.name for entry in entries}) == len(ALL_VALUES)
    assert len({entry.color_rgba for entry in entries}) == len(ALL_VALUES)
    assert all(0 <= channel <= 255 for entry in entries for channel in entry.color_rgba)


def test_names_count_upward_through_lumbar_thoracic_and_cervical_levels():
    names = [label_table()[value].name for value in range(1, 25)]
    assert names == [f"L{n}" for n in (5, 4, 3, 2, 1)] + [f"T{n}" for n in range(12, 0, -1)] + [f"C{n}" for n in range(7, 0, -1)]


def test_every_disc_lies_below_the_vertebra_of_its_number():
    upper = [label_table()[value].name.split("/")[0] for value in range(201, 225)]
    assert upper == [label_table()[value].name for value in range(1, 25)]


# Values and structures


@pytest.mark.parametrize(
    ("value", "structure", "level"),
    [
        (0, Structure.BACKGROUND, 0),
        (1, Structure.VERTEBRA, 1),
        (25, Structure.VERTEBRA, 25),
        (100, Structure.CANAL, 0),
        (101, Structure.VERTEBRA, 1),
        (125, Structure.VERTEBRA, 25),
        (201, Structure.DISC, 1),
        (225, Structure.DISC, 25),
    ],
)
def test_a_value_stands_for_one_structure_at_one_level(value, structure, level):
    assert structure_of(value) is structure
    assert level_of(value) == level


@pytest.mark.parametrize("value", OUTSIDE_THE_SCHEME)
def test_a_value_outside_the_scheme_is_an_error_that_names_it(value):
    with pytest.raises(LabelError, match=rf"found {value}$"):
        structure_of(value)
    with pytest.raises(LabelError, match=rf"mask\.mha: .*found \[{value}\]"):
        check_values([0, 1, value], "mask.mha")


def test_a_label_error_is_an_input_error():
    assert issubclass(LabelError, InputError)


def test_every_value_of_the_scheme_passes_the_check():
    check_values([0, *ALL_VALUES])


def test_a_labelmap_reduces_to_classes_with_partial_vertebrae_as_vertebrae():
    labelmap = np.array([[[0, 1, 25], [100, 101, 125]], [[201, 225, 0], [2, 202, 102]]], dtype=np.int16)
    classes = to_classes(labelmap)
    assert classes.dtype == np.uint8
    assert classes.tolist() == [[[0, 1, 1], [3, 1, 1]], [[2, 2, 0], [1, 2, 1]]]


def test_reducing_to_classes_refuses_unknown_values():
    with pytest.raises(LabelError, match=r"found \[-3, 150\]"):
        to_classes(np.array([0, 150, -3]))


def test_foreground_classes_are_vertebra_disc_canal_in_the_order_of_class_maps():
    assert [int(structure) for structure in FOREGROUND] == [1, 2, 3]


# Masks numbered 24 downward


def test_downward_numbering_is_recognized_by_24_without_1():
    assert is_downward_numbering([0, 18, 19, 20, 21, 22, 23, 24, 100, 220, 221, 222, 223, 224])
    assert is_downward_numbering([0, 100, 124, 23])
    assert not is_downward_numbering([0, 1, 2, 3, 4, 5, 100, 201, 202])
    assert not is_downward_numbering([0, 100])
    assert not is_downward_numbering([*range(25)])


def test_downward_numbering_becomes_spider_numbering():
    downward = np.array([0, 24, 23, 18, 124, 100, 224, 223, 218], dtype=np.uint8)
    renumbered = from_downward_numbering(downward)
    assert renumbered.tolist() == [0, 1, 2, 7, 101, 100, 201, 202, 207]
    assert renumbered.dtype == np.uint8


def test_renumbering_refuses_values_outside_the_scheme():
    with pytest.raises(LabelError, match="26"):
        from_downward_numbering(np.array([24, 26]))


def test_renumbering_of_level_25_never_makes_another_structure():
    # 25 downward would lie below the sacrum: no mask has it, and 0, 100 or 200 would be background, canal or nothing.
    with pytest.raises(LabelError):
        from_downward_numbering(np.array([24, 25]))
    with pytest.raises(LabelError):
        from_downward_numbering(np.array([124, 125]))


@pytest.mark.real_data
def test_spider_masks_hold_only_values_of_the_scheme_and_count_upward(real_data):
    import SimpleITK as sitk

    for path in sorted((real_data / "spider" / "masks_3d").glob("*.mha"))[:3]:
        values = np.unique(sitk.GetArrayFromImage(sitk.ReadImage(str(path))))
        check_values(values, path.name)
        assert not is_downward_numbering(values)
