"""Which level is which, and the spine tools: shift, confirm, partial, split, merge, and what the model draws at a click."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from browser.case_page import FREE
from browser.phantoms import inside
from browser.served import wait_until

#: A run of the model on a busy machine of two cores.
RUN_PATIENCE_S = 120.0

#: In the body of L3 and in its posterior elements.
BODY, ARCH = (0.0, 10.0, 3.25), (0.0, -40.0, -8.0)


def test_levels_are_shifted_confirmed_and_taken_back(case):
    assert case.names()[:2] == ["L5?", "L4?"]
    color = case.color_of("L5")
    case.person.press("Shift+PageUp")
    case.person.sees_no("row", "L5?")
    assert case.names()[:2] == ["L4?", "L3?"]
    # What was L5 is L4 now, and is shown so.
    case.sees_level("L4", inside(1))
    assert case.color_of("L4") != color
    case.person.click("Confirm")
    case.person.sees("row", "L4")
    expect(case.person.find("button", "Confirm")).to_have_attribute("aria-pressed", "true")
    case.person.reads("The levels are confirmed.")
    case.person.press("Shift+C")
    case.person.sees("row", "L4?")
    case.person.click("Shift down")
    case.person.sees("row", "L5?")
    case.person.sees_no("row", "T9? (partial)")
    case.person.press("Control+z")
    case.person.sees_no("row", "L5?")
    case.person.press("Control+z", "Control+z", "Control+z")
    case.person.sees("row", "L5?")
    expect(case.person.find("button", "Undo")).to_have_attribute("aria-disabled", "true")


def test_a_vertebra_at_the_edge_is_marked_as_cut(case):
    case.select("L3")
    case.person.click("Partial")
    case.person.sees("row", "L3? (partial)")
    case.person.press("Shift+P")
    case.person.sees("row", "L3?")
    case.select("L3/L4")
    expect(case.person.find("button", "Partial")).to_have_attribute("aria-disabled", "true")
    case.person.press("Shift+P")
    case.person.reads("Select a vertebra: discs and the canal have no such mark.")


def test_a_level_is_split_at_two_clicks(case):
    case.select("L3")
    whole = case.volume_ml("L3")
    case.person.press("Shift+X")
    case.person.reads("L3?: click once on each of the two parts; Esc leaves")
    case.person.press("Escape")
    case.person.sees_no("button", "Leave the tool")
    case.person.click("Split")
    case.person.reads("L3?: click once on each of the two parts; Esc leaves")
    case.sagittal().click(BODY)
    case.sagittal().click(ARCH)
    case.person.reads("Split into L3? and L2?")
    # Above the new level all names go one up.
    case.person.sees("row", "T9? (partial)")
    parts = [case.volume_ml("L3"), case.volume_ml("L2")]
    assert sum(parts) == pytest.approx(whole, abs=0.11)
    # The lower part keeps the name.
    case.sees_level("L3", ARCH)
    case.sees_level("L2", BODY)
    case.person.press("Control+z")
    case.person.sees_no("row", "T9? (partial)")
    case.waits_for_volume("L3", lambda volume: volume == whole, "is whole again")


def test_two_selected_levels_are_merged_into_the_first(case):
    case.select("L3", "L2")
    both = case.volume_ml("L3") + case.volume_ml("L2")
    case.person.click("Merge")
    case.person.reads("Merged into L3?")
    case.person.sees_no("row", "L2?")
    assert case.volume_ml("L3") == pytest.approx(both, abs=0.11)
    case.sees_level("L3", inside(4))
    case.person.press("Control+z")
    case.person.sees("row", "L2?")
    case.sees_level("L2", inside(4))


def test_a_level_is_renamed_deleted_and_brought_back(case):
    case.select("L1/L2")
    case.person.click("Delete the segment")
    case.person.reads("L1/L2? deleted; undo brings it back")
    case.sees_no_level(inside(205))
    case.person.press("Control+z")
    case.sees_level("L1/L2", inside(205))
    case.select("L1")
    case.person.click("Name or number of the segment")
    case.person.type_into("Another name, for a transitional vertebra", "L1 with a rib")
    case.person.press("Enter")
    case.person.sees("row", re.compile("L1 with a rib"))
    case.person.sees_no("dialog")


def test_the_model_draws_a_vertebra_that_was_missed_at_a_click_and_once_more(case):
    case.select("L3")
    before = case.volume_ml("L3")
    case.person.click("Delete the segment")
    case.sees_no_level(inside(3))
    case.person.click("Vertebra")
    case.person.reads("Click into the middle of what was missed; Esc leaves")
    case.sagittal().click(inside(3))
    case.person.sees("progressbar")
    wait_until(lambda: case.person.find("row", "L3?").count(), "L3 is there", RUN_PATIENCE_S)
    case.person.reads("L3? was drawn")
    case.sees_level("L3", inside(3))
    drawn = case.volume_ml("L3")
    assert drawn == pytest.approx(before, rel=0.3)
    case.person.click("Paint")
    case.sagittal().click(FREE)
    case.sees_level("L3", FREE)
    case.person.press("Escape", "Shift+R")
    case.person.sees("progressbar")
    wait_until(lambda: not case.person.find("progressbar").count(), "the run is over", RUN_PATIENCE_S)
    case.sees_no_level(FREE)
    assert case.volume_ml("L3") == pytest.approx(drawn, rel=0.1)
