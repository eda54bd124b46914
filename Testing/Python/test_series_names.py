"""What the name of a series tells."""

from __future__ import annotations

import pytest

from SpiderSegLib.series_names import natural_key, patient_of, sequence_of


@pytest.mark.parametrize(
    ("series", "sequence"),
    [("1_t1", "t1"), ("1_t2", "t2"), ("1_t2_SPACE", "t2_SPACE"), ("1_T2_space", "t2_SPACE"), ("t2", "unknown"), ("1_t2_stir", "unknown")],
)
def test_the_sequence_is_the_ending_of_the_series_name(series, sequence):
    assert sequence_of(series) == sequence


@pytest.mark.parametrize(
    ("series", "patient"),
    [
        *(("12_t1", "12"), ("12_t2_SPACE", "12"), ("12_T2_space", "12"), ("pat_001_t2", "pat_001"), ("a-b_1-t1", "a-b_1")),
        *(("sub-07_ses-1_T2w", "sub-07"), ("scan", "scan"), ("_t2", "_t2"), ("", "")),
    ],
)
def test_the_patient_is_what_stands_before_the_sequence(series, patient):
    assert patient_of(series) == patient


def test_names_sort_by_their_numbers():
    assert sorted(["10_t1", "2_t2", "2_t1", "a"], key=natural_key) == ["2_t1", "2_t2", "10_t1", "a"]
