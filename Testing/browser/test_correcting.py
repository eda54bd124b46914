"""Levels are corrected by hand: brushes, outlines, scissors, threshold, islands, smoothing, undo and redo, with real mouse and key events."""

from __future__ import annotations

import re

import numpy as np
import pytest
from playwright.sync_api import expect

from browser.case_page import FREE
from browser.phantoms import GRID, inside, phantom
from SpiderSegLib.io import read_volume

#: Ends of a stroke in front of L3.
STROKE = [(0.0, 50.0, 3.25), FREE]

ML_A_VOXEL = float(np.prod(GRID.spacing_ijk_mm)) / 1000


def test_a_level_is_painted_and_erased_with_the_mouse(case):
    case.select("L3")
    case.sees_no_level(FREE)
    before = case.volume_ml("L3")
    case.person.click("Paint")
    case.sagittal().stroke(STROKE)
    case.sees_level("L3", FREE)
    case.sees_level("L3", STROKE[0])
    # 10 mm long and 8 mm wide with round ends, in one slice of 5 mm.
    painted = case.waits_for_volume("L3", lambda volume: volume != before, "is larger")
    assert painted - before == pytest.approx((10 * 8 + np.pi * 4**2) * 5 / 1000, abs=0.2)
    case.person.click("Erase")
    case.sagittal().stroke(STROKE)
    case.sees_no_level(FREE)
    case.waits_for_volume("L3", lambda volume: volume == before, "is as before")


def test_strokes_are_undone_and_redone_by_keys(case):
    case.select("L3")
    before = case.volume_ml("L3")
    case.person.press("1")
    case.sagittal().stroke(STROKE)
    case.sees_level("L3", FREE)
    after = case.waits_for_volume("L3", lambda volume: volume != before, "is larger")
    case.person.press("Control+z")
    case.sees_no_level(FREE)
    case.waits_for_volume("L3", lambda volume: volume == before, "is as before")
    case.person.press("Control+y")
    case.sees_level("L3", FREE)
    case.waits_for_volume("L3", lambda volume: volume == after, "is larger again")
    case.person.press("Control+z")
    expect(case.person.find("button", "Undo")).to_have_attribute("aria-disabled", "true")


def test_a_level_takes_the_voxels_that_are_painted_over_another_one(case):
    case.select("L3")
    place = inside(4)
    before = case.volume_ml("L2")
    case.sees_level("L2", place)
    case.person.press("1")
    case.sagittal().click(place)
    case.sees_level("L3", place)
    case.waits_for_volume("L2", lambda volume: volume < before, "is smaller")


def test_the_brush_grows_with_shift_and_the_wheel_and_by_keys(case):
    case.select("L3")
    case.person.press("1")
    brush = case.person.find("slider", "Brush")
    expect(brush).to_have_attribute("aria-valuetext", "8.0 mm")
    slice_before = case.slice_of("Sagittal")
    case.sagittal().hover(FREE)
    case.page.keyboard.down("Shift")
    case.sagittal().wheel(-2, FREE)
    case.page.keyboard.up("Shift")
    case.waits_for(lambda: float(brush.input_value()) > 8, "the brush is larger")
    larger = float(brush.input_value())
    assert case.slice_of("Sagittal") == slice_before
    case.person.press("-")
    case.waits_for(lambda: float(brush.input_value()) < larger, "the brush is smaller")
    case.person.press("Escape")
    case.person.sees_no("slider", "Brush")


def test_an_outline_is_drawn_and_filled(case):
    case.select("L1")
    before = case.volume_ml("L1")
    case.person.click("Draw an outline")
    case.sagittal().stroke([(0.0, 45.0, -10.0), (0.0, 75.0, -10.0), (0.0, 75.0, 15.0), (0.0, 45.0, 15.0), (0.0, 45.0, -10.0)])
    case.sees_level("L1", FREE)
    case.sees_no_level((0.0, 85.0, 3.25))
    after = case.waits_for_volume("L1", lambda volume: volume != before, "is larger")
    assert after - before == pytest.approx(30 * 25 * 5 / 1000, rel=0.15)


def test_scissors_cut_away_what_the_mouse_goes_around(case):
    case.select("L3")
    case.person.press("1")
    case.sagittal().click(FREE)
    case.sees_level("L3", FREE)
    painted = case.volume_ml("L3")
    case.person.press("4")
    case.person.page.get_by_label("Drag to").select_option("Erase inside")
    around = [(0.0, FREE[1] + y, FREE[2] + z) for y, z in ((-14, -14), (14, -14), (14, 14), (-14, 14), (-14, -14))]
    case.sagittal().stroke(around)
    case.sees_no_level(FREE)
    case.sees_level("L3", inside(3))
    case.waits_for_volume("L3", lambda volume: volume < painted, "is smaller")


def test_a_threshold_inside_a_level_keeps_only_the_range(case):
    case.select("L3")
    before = case.volume_ml("L3")
    case.person.press("1")
    case.page.get_by_label("In", exact=True).select_option("Inside the selected level")
    case.person.press("Escape", "5")
    low = case.person.find("slider", "From, intensity")
    low.focus()
    low.press("Home")
    for _ in range(5):
        low.press("PageUp")
    expect(low).not_to_have_js_property("value", low.get_attribute("min"))
    bound = float(low.input_value())
    case.person.click("Apply")
    after = case.waits_for_volume("L3", lambda volume: volume != before, "is smaller")
    array = read_volume(case.image).array
    kept = np.count_nonzero((phantom().labelmap.array == 3) & (array >= bound))
    assert after == pytest.approx(kept * ML_A_VOXEL, abs=0.051)
    case.person.press("Control+z")
    case.waits_for_volume("L3", lambda volume: volume == before, "is as before")


def test_islands_of_a_level_are_removed_but_for_the_largest(case):
    case.select("L3")
    before = case.volume_ml("L3")
    case.person.press("1")
    case.sagittal().click(FREE)
    case.sees_level("L3", FREE)
    case.person.press("6")
    case.page.get_by_label("Pieces", exact=True).select_option("Keep the largest")
    case.person.click("Apply")
    case.sees_no_level(FREE)
    case.waits_for_volume("L3", lambda volume: volume == before, "is as before")


def test_smoothing_rounds_a_level_and_leaves_the_others(case):
    case.select("L3")
    before = {name: case.volume_ml(name) for name in ("L3", "L2/L3", "L3/L4")}
    case.person.press("7")
    case.page.get_by_label("Method", exact=True).select_option("Opening: cuts off what is thin")
    case.person.type_into("over, mm", "12")
    case.person.click("Apply")
    case.waits_for_volume("L3", lambda volume: volume < before["L3"], "is smaller")
    assert {name: case.volume_ml(name) for name in ("L2/L3", "L3/L4")} == {name: before[name] for name in ("L2/L3", "L3/L4")}
    case.person.press("Control+z")
    case.waits_for_volume("L3", lambda volume: volume == before["L3"], "is as before")


def test_islands_holes_and_the_edge_are_corrected_at_one_press(case):
    case.select("L3")
    before = case.volume_ml("L3")
    case.person.press("1")
    case.sagittal().click(FREE)
    case.sees_level("L3", FREE)
    case.person.press("Shift+I")
    case.sees_no_level(FREE)
    case.person.press("2")
    case.sagittal().click(inside(3))
    case.sees_no_level(inside(3))
    case.person.press("Shift+B")
    case.sees_level("L3", inside(3))
    case.waits_for_volume("L3", lambda volume: volume == before, "is as predicted")
    case.person.press("Shift+S")
    case.person.reads(re.compile(r"L3\?: \d+ voxels changed"))
