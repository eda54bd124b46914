"""What levels are called in every state, and that no name or code asserts a level nobody confirmed."""

from __future__ import annotations

import pytest

from SpiderSegLib.errors import LabelError
from SpiderSegLib.labels import LevelState, Structure, label_table
from SpiderSegLib.level_names import (
    RESERVED_CHARACTERS,
    Code,
    LevelNaming,
    anatomical_name,
    category_code,
    full_name,
    generic_code,
    shifted_value,
    shifted_values,
    short_name,
    type_code,
    vertebra_name,
)

ASSUMED, CONFIRMED, TRANSITIONAL, UNIDENTIFIED = LevelState.ASSUMED, LevelState.CONFIRMED, LevelState.TRANSITIONAL, LevelState.UNIDENTIFIED

GENERIC_VERTEBRA = Code("SCT", "51282000", "Vertebra")
GENERIC_DISC = Code("SCT", "360499006", "Intervertebral disc")
CANAL = Code("SCT", "61853006", "Spinal canal")

# Anatomy


@pytest.mark.parametrize(
    ("lumbar_count", "names"),
    [
        (4, "L4 L3 L2 L1 T12 T11 T10 T9 T8 T7 T6 T5 T4 T3 T2 T1 C7 C6 C5 C4 C3 C2 C1"),
        (5, "L5 L4 L3 L2 L1 T12 T11 T10 T9 T8 T7 T6 T5 T4 T3 T2 T1 C7 C6 C5 C4 C3 C2 C1"),
        (6, "L6 L5 L4 L3 L2 L1 T12 T11 T10 T9 T8 T7 T6 T5 T4 T3 T2 T1 C7 C6 C5 C4 C3 C2 C1"),
    ],
)
def test_vertebrae_are_counted_from_the_lowest_lumbar_one_up(lumbar_count, names):
    naming = LevelNaming(lumbar_count=lumbar_count)
    expected = names.split()
    assert [vertebra_name(level, naming) for level in range(1, len(expected) + 1)] == expected
    assert vertebra_name(0, naming) == "S1"


def test_above_c1_there_are_only_numbers():
    assert vertebra_name(25) == "Vertebra 25"
    assert anatomical_name(225) == "Disc 25"
    assert vertebra_name(24, LevelNaming(lumbar_count=4)) == "Vertebra 24"


@pytest.mark.parametrize(
    ("value", "name"),
    [(1, "L5"), (101, "L5"), (6, "T12"), (201, "L5/S1"), (202, "L4/L5"), (206, "T12/L1"), (218, "C7/T1"), (100, "Spinal canal")],
)
def test_a_disc_is_named_by_the_vertebrae_beside_it(value, name):
    assert anatomical_name(value) == name


def test_a_name_of_one_s_own_is_taken_over_by_the_discs_beside_it():
    naming = LevelNaming(own_names={6: "T13"})
    assert [anatomical_name(value, naming) for value in (5, 6, 7, 206, 207, 208)] == ["L1", "T13", "T12", "T13/L1", "T12/T13", "T11/T12"]


# Names in outputs: value, then short and full name in every state. With four or six lumbar vertebrae the level is one off.

FIVE = [
    (1, ASSUMED, "L5?", "Lumbar vertebra 1 (level assumed: L5)"),
    (1, CONFIRMED, "L5", "L5"),
    (1, TRANSITIONAL, "L5", "Lumbar vertebra 1 (transitional: L5)"),
    (1, UNIDENTIFIED, "Vertebra 1", "Vertebra 1"),
    (5, ASSUMED, "L1?", "Lumbar vertebra 5 (level assumed: L1)"),
    (6, ASSUMED, "T12?", "Vertebra 6 (level assumed: T12)"),
    (101, ASSUMED, "L5? (partial)", "Lumbar vertebra 1, partial (level assumed: L5)"),
    (101, CONFIRMED, "L5 (partial)", "L5, partial"),
    (108, TRANSITIONAL, "T10 (partial)", "Vertebra 8, partial (transitional: T10)"),
    (108, UNIDENTIFIED, "Vertebra 8 (partial)", "Vertebra 8, partial"),
    (201, ASSUMED, "L5/S1?", "Disc 1 (level assumed: L5/S1)"),
    (201, CONFIRMED, "L5/S1", "L5/S1"),
    (201, TRANSITIONAL, "L5/S1", "Disc 1 (transitional: L5/S1)"),
    (201, UNIDENTIFIED, "Disc 1", "Disc 1"),
    (100, ASSUMED, "Spinal canal", "Spinal canal"),
    (100, CONFIRMED, "Spinal canal", "Spinal canal"),
    (100, UNIDENTIFIED, "Spinal canal", "Spinal canal"),
]
SIX = [
    (1, ASSUMED, "L6?", "Lumbar vertebra 1 (level assumed: L6)"),
    (1, TRANSITIONAL, "L6", "Lumbar vertebra 1 (transitional: L6)"),
    (6, TRANSITIONAL, "L1", "Lumbar vertebra 6 (transitional: L1)"),
    (7, TRANSITIONAL, "T12", "Vertebra 7 (transitional: T12)"),
    (201, TRANSITIONAL, "L6/S1", "Disc 1 (transitional: L6/S1)"),
    (202, ASSUMED, "L5/L6?", "Disc 2 (level assumed: L5/L6)"),
    (1, UNIDENTIFIED, "Vertebra 1", "Vertebra 1"),
]
FOUR = [
    (1, ASSUMED, "L4?", "Lumbar vertebra 1 (level assumed: L4)"),
    (1, TRANSITIONAL, "L4", "Lumbar vertebra 1 (transitional: L4)"),
    (5, TRANSITIONAL, "T12", "Vertebra 5 (transitional: T12)"),
    (201, TRANSITIONAL, "L4/S1", "Disc 1 (transitional: L4/S1)"),
]


@pytest.mark.parametrize(("count", "value", "state", "short", "full"), [(n, *row) for n, rows in ((5, FIVE), (6, SIX), (4, FOUR)) for row in rows])
def test_names_say_how_far_they_can_be_trusted(count, value, state, short, full):
    naming = LevelNaming(state, count)
    assert (short_name(value, naming), full_name(value, naming)) == (short, full)


def test_an_own_name_is_marked_like_any_other():
    naming = LevelNaming(TRANSITIONAL, own_names={6: "T13"})
    assert [short_name(value, naming) for value in (6, 106, 206)] == ["T13", "T13 (partial)", "T13/L1"]
    assert full_name(106, naming) == "Vertebra 6, partial (transitional: T13)"
    assert short_name(6, LevelNaming(own_names={6: "T13"})) == "T13?"


@pytest.mark.parametrize("state", [ASSUMED, UNIDENTIFIED])
@pytest.mark.parametrize("lumbar_count", [4, 5, 6])
def test_no_unconfirmed_name_is_an_anatomic_level_alone(state, lumbar_count):
    anatomy = {anatomical_name(value, LevelNaming(lumbar_count=count)) for value in label_table() for count in (4, 5, 6)}
    anatomy -= {"Spinal canal"} | {name for name in anatomy if name.startswith(("Vertebra ", "Disc "))}
    naming = LevelNaming(state, lumbar_count)
    shown = {name for value in label_table() for name in (short_name(value, naming), full_name(value, naming))}
    assert shown & anatomy == set()


# Codes


@pytest.mark.parametrize("value", [1, 6, 101, 125])
@pytest.mark.parametrize("naming", [LevelNaming(ASSUMED), LevelNaming(UNIDENTIFIED), LevelNaming(TRANSITIONAL, 6), LevelNaming(TRANSITIONAL)])
def test_a_vertebra_s_code_is_generic_until_its_level_is_confirmed(value, naming):
    assert type_code(value, naming) == GENERIC_VERTEBRA


@pytest.mark.parametrize("naming", [LevelNaming(ASSUMED), LevelNaming(UNIDENTIFIED), LevelNaming(TRANSITIONAL, 4)])
def test_a_disc_s_code_is_generic_until_its_level_is_confirmed(naming):
    assert type_code(201, naming) == GENERIC_DISC


@pytest.mark.parametrize(
    ("value", "code"),
    [
        (1, Code("SCT", "49668003", "Fifth lumbar vertebra")),
        (101, Code("SCT", "49668003", "Fifth lumbar vertebra")),
        (6, Code("SCT", "23215003", "Twelfth thoracic vertebra")),
        (12, GENERIC_VERTEBRA),
        (201, Code("SCT", "715056000", "Lumbosacral intervertebral disc")),
        (202, Code("SCT", "84020006", "L4-L5 intervertebral disc")),
        (212, GENERIC_DISC),
        (100, CANAL),
    ],
)
def test_a_confirmed_level_has_its_own_code_where_there_is_one(value, code):
    assert type_code(value, LevelNaming(CONFIRMED)) == code


@pytest.mark.parametrize("state", LevelState)
def test_the_canal_has_its_code_in_every_state(state):
    assert type_code(100, LevelNaming(state)) == CANAL


def test_generic_codes_and_the_category():
    assert (generic_code(Structure.VERTEBRA), generic_code(Structure.DISC)) == (GENERIC_VERTEBRA, GENERIC_DISC)
    assert category_code() == Code("SCT", "123037004", "Anatomical Structure")


# Naming


@pytest.mark.parametrize(
    ("naming", "state"),
    [
        (LevelNaming(ASSUMED), CONFIRMED),
        (LevelNaming(UNIDENTIFIED), CONFIRMED),
        (LevelNaming(ASSUMED, 6), TRANSITIONAL),
        (LevelNaming(ASSUMED, 4), TRANSITIONAL),
        (LevelNaming(ASSUMED, own_names={6: "T13"}), TRANSITIONAL),
    ],
)
def test_confirming_an_unusual_count_or_name_makes_it_transitional(naming, state):
    confirmed = naming.confirmed()
    assert confirmed.state is state
    assert (confirmed.lumbar_count, confirmed.own_names) == (naming.lumbar_count, naming.own_names)
    assert confirmed.is_asserted
    assert not naming.is_asserted


@pytest.mark.parametrize("count", [0, 3, 7, -5])
def test_other_counts_are_refused(count):
    with pytest.raises(LabelError, match=f"expected 4, 5 or 6 lumbar vertebrae, found {count}"):
        LevelNaming(lumbar_count=count)


@pytest.mark.parametrize("own_names", [{0: "S1"}, {26: "X"}, {1: ""}, {1: "  "}, *({1: f"a{sign}b"} for sign in RESERVED_CHARACTERS)])
def test_other_levels_empty_names_and_signs_that_files_need_are_refused(own_names):
    with pytest.raises(LabelError, match="expected a name without"):
        LevelNaming(own_names=own_names)


@pytest.mark.parametrize("function", [short_name, full_name, type_code])
@pytest.mark.parametrize("value", [-1, 26, 99, 126, 200, 226])
def test_a_value_outside_the_scheme_is_an_error_that_names_it(function, value):
    with pytest.raises(LabelError, match=f"found {value}$"):
        function(value, LevelNaming())


# Shifting


@pytest.mark.parametrize(
    ("value", "by", "expected"),
    [(1, 1, 2), (2, -1, 1), (101, 2, 103), (201, 1, 202), (224, 1, 225), (100, 1, 100), (100, -3, 100), (0, 5, 0), (125, 0, 125)],
)
def test_a_value_moves_within_its_structure_and_the_canal_stays(value, by, expected):
    assert shifted_value(value, by) == expected


@pytest.mark.parametrize(("value", "by"), [(25, 1), (125, 1), (225, 1), (1, -1), (101, -1), (201, -1), (5, -5)])
def test_no_value_leaves_its_structure_s_range(value, by):
    with pytest.raises(LabelError, match="the labels reach from 1"):
        shifted_value(value, by)


def test_vertebrae_discs_and_partial_ones_move_together():
    assert shifted_values([1, 2, 103, 100, 201, 202], 1) == {1: 2, 2: 3, 103: 104, 100: 100, 201: 202, 202: 203}
    assert shifted_values([2, 202, 100], -1) == {2: 1, 202: 201, 100: 100}


def test_shifting_below_the_lowest_level_says_what_to_do_instead():
    with pytest.raises(LabelError, match="set six lumbar vertebrae instead"):
        shifted_values([1, 2, 100, 201], -1)
