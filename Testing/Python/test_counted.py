"""Numbers with their nouns."""

import pytest

from SpiderSegLib.counted import counted


@pytest.mark.parametrize(
    ("number", "noun", "text"), [(0, "mask", "0 masks"), (1, "mask", "1 mask"), (2, "mask", "2 masks"), (2, "series", "2 series")]
)
def test_a_number_has_its_noun_in_the_right_form(number, noun, text):
    assert counted(number, noun) == text
