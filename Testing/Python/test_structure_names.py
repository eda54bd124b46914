"""Which structure the name of a segment means, in the ways our own files, Slicer, people and other spine tools write it."""

from __future__ import annotations

import pytest

from SpiderSegLib.labels import LevelState, label_table
from SpiderSegLib.level_names import LevelNaming, full_name, short_name
from SpiderSegLib.structure_names import naming_of_names, value_of_name

OURS = [
    ("L5", 1),
    ("L5?", 1),
    ("L4? (partial)", 102),
    ("L4/L5", 202),
    ("L5/S1?", 201),
    ("C7/T1", 218),
    ("C1", 24),
    ("Vertebra 3", 3),
    ("Vertebra 3 (partial)", 103),
    ("Vertebra 25", 25),
    ("Disc 2", 202),
    ("Disc 25", 225),
    ("Spinal canal", 100),
    ("Lumbar vertebra 1 (level assumed: L5)", 1),
    ("Lumbar vertebra 1, partial (level assumed: L5)", 101),
    ("Lumbar vertebra 1 (transitional: L6)", 1),
    ("Disc 1 (level assumed: L5/S1)", 201),
]
TOTAL_SEGMENTATOR = [("vertebrae_L5", 1), ("vertebrae_T12", 6), ("vertebrae_C1", 24), ("L5 vertebra", 1)]
TOTAL_SPINE_SEG = [("disc_L5_S", 201), ("disc_L4_L5", 202), ("disc_T12_L1", 206), ("vertebrae_L1", 5), ("spinal_canal", 100)]
OTHERS = [
    ("Disc_L5_S1", 201),
    ("IVD_L5-S1", 201),
    ("IVD_L5L4", 202),
    ("IVD_L1T12", 206),
    ("IVD_L4", 202),
    ("L5_ivd", 201),
    ("intervertebral_disc_l5_s1", 201),
    ("L5 vertebral body", 1),
    ("L4-5", 202),
    ("L4/5", 202),
    ("Disc L4-5", 202),
    ("L5S1", 201),
    ("L5-sacrum", 201),
    ("T12-L1", 206),
    ("Th12", 6),
    ("l3", 3),
    ("  L3  ", 3),
    ("L3 partially visible", 103),
]
SNOMED = [
    ("Fifth lumbar vertebra", 1),
    ("Twelfth thoracic vertebra", 6),
    ("Lumbosacral intervertebral disc", 201),
    ("L4-L5 intervertebral disc", 202),
]


@pytest.mark.parametrize(("name", "value"), OURS + TOTAL_SEGMENTATOR + TOTAL_SPINE_SEG + OTHERS + SNOMED)
def test_a_structure_of_the_scheme_is_found_by_its_name(name, value):
    assert value_of_name(name) == value


@pytest.mark.parametrize(
    "name",
    [
        *("", "?", "  ", "Segment_1", "Segment 201", "201", "腰椎", "Lendenwirbel", "vertebrae", "Vertebra", "Intervertebral disc", "discs"),
        # Not the structure of that name.
        *("spinal_cord", "thecal sac", "sacrum", "S1", "vertebrae_S1", "S1 disc", "L5_endplate", "L5 nerve root", "left L5 pedicle", "L5 fracture"),
        # No such level among five lumbar, twelve thoracic and seven cervical vertebrae.
        *("L6", "T13", "C8", "L0", "L55", "Vertebra 0", "Vertebra 26", "Disc 26", "L5/L6"),
        # Not neighbors, or two vertebrae at once.
        *("L3/L5", "L5/S2", "vertebrae L4 L5", "L3 L4 L5"),
        # Copies, whose number would make a disc.
        *("L5_1", "L1_2", "L1 2", "L2-1", "L4_5"),
        # A disc has no word on partial view.
        "L4/L5 (partial)",
    ],
)
def test_anything_else_is_not_guessed(name):
    assert value_of_name(name) is None


@pytest.mark.parametrize(
    ("lumbar_count", "name", "value"),
    [
        (6, "L6", 1),
        (6, "L5", 2),
        (6, "L6/S1", 201),
        (6, "L5/L6", 202),
        (6, "T12", 7),
        (4, "L4", 1),
        (4, "T12", 5),
        (4, "L4/S1", 201),
        (4, "L5", None),
    ],
)
def test_levels_are_counted_as_the_naming_says(lumbar_count, name, value):
    assert value_of_name(name, LevelNaming(lumbar_count=lumbar_count)) == value


@pytest.mark.parametrize("state", LevelState)
@pytest.mark.parametrize("lumbar_count", [4, 5, 6])
@pytest.mark.parametrize("own_names", [{}, {6: "T13"}, {1: "L6/S1 (hemi), left"}, {2: "a:b (c?)"}], ids=["usual", "T13", "words", "signs"])
def test_every_name_we_write_leads_back_to_its_value(state, lumbar_count, own_names):
    # The first thoracic vertebra: a T13 elsewhere would leave two vertebrae called T12.
    naming = LevelNaming(state, lumbar_count, {lumbar_count + 1 if name == "T13" else level: name for level, name in own_names.items()})
    assert {value: value_of_name(short_name(value, naming), naming) for value in label_table()} == {value: value for value in label_table()}
    assert {value: value_of_name(full_name(value, naming), naming) for value in label_table()} == {value: value for value in label_table()}


def test_a_segmentation_with_an_l6_counts_six_lumbar_vertebrae():
    names = ["vertebrae_L4", "vertebrae_L5", "vertebrae_L6", "disc_L6_S", "spinal_canal", "something"]
    naming = naming_of_names(names)
    assert naming == LevelNaming(LevelState.ASSUMED, 6)
    assert [value_of_name(name, naming) for name in names] == [3, 2, 1, 201, 100, None]


def test_a_segmentation_with_a_t13_has_one_more_thoracic_vertebra():
    names = ["L1", "T13", "T12", "T11", "T1", "C7", "C1", "T13/L1", "T12/T13", "T11/T12"]
    naming = naming_of_names(names)
    assert naming.state is LevelState.ASSUMED
    assert [value_of_name(name, naming) for name in names] == [5, 6, 7, 8, 18, 19, 25, 206, 207, 208]


def test_usual_names_are_counted_as_usual():
    assert naming_of_names(["L5", "T12", "Tumor", ""]) == LevelNaming()
