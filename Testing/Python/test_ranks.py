"""Which share of the work a process has."""

from __future__ import annotations

import pytest

from SpiderSegLib.errors import InputError
from SpiderSegLib.ranks import Rank


def test_without_torchrun_a_process_is_alone():
    assert Rank.from_environment({}) == Rank(0, 1, 0)
    assert Rank.from_environment({"RANK": "3"}) == Rank(0, 1, 0)


def test_torchrun_s_variables_are_read():
    assert Rank.from_environment({"RANK": "5", "WORLD_SIZE": "8", "LOCAL_RANK": "1"}) == Rank(5, 8, 1)


@pytest.mark.parametrize("environment", [{"RANK": "one", "WORLD_SIZE": "2"}, {"RANK": "2", "WORLD_SIZE": "2"}, {"RANK": "-1", "WORLD_SIZE": "2"}])
def test_variables_that_make_no_sense_are_refused(environment):
    with pytest.raises(InputError, match="found"):
        Rank.from_environment(environment)


def test_the_shares_of_all_processes_are_every_case_once():
    cases = ["a", "b", "c", "d", "e"]
    shares = [Rank(number, 3).share_of(cases) for number in range(3)]
    assert shares == [["a", "d"], ["b", "e"], ["c"]]
