"""Aligned tables of text."""

from SpiderSegLib.text_table import aligned

ROWS = [["", "Dice", "n"], ["vertebra", "0.9", "12"], ["disc", "0.85", ""]]


def test_numbers_stand_to_the_right_of_their_column_and_names_to_the_left():
    assert aligned(ROWS) == "          Dice   n\nvertebra   0.9  12\ndisc      0.85"


def test_words_stand_to_the_left():
    assert aligned(ROWS, has_numbers=False) == "          Dice  n\nvertebra  0.9   12\ndisc      0.85"
