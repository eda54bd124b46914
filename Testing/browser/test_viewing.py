"""Looking at a case: slices, jumps, window and level, zoom and pan, side by side, findings, and the sizes of screens."""

from __future__ import annotations

import re

import numpy as np
import pytest
from playwright.sync_api import expect

from browser.case_page import FREE
from browser.phantoms import GRID, inside

#: Slices of the three views through the middle of the series, from 0.
MIDDLE = {"Sagittal": 5, "Axial": 99, "Coronal": 89}

#: What may not lie outside of a small screen.
ESSENTIAL = (
    *(("button", name) for name in ("Segment", "Done", "Menu", "Undo", "Keys and mouse", "Confirm", "Smooth")),
    *(("slider", f"{view} slice") for view in MIDDLE),
    ("row", "L5?"),
)


def nearest_slices(ras):
    """Numbers of the slices through a place, from 0 at the right, the feet and the back."""
    corner = np.array([GRID.affine_ras @ (*ijk, 1) for ijk in ((0, 0, 0), tuple(size - 1 for size in GRID.size_ijk))])[:, :3].min(axis=0)
    right, anterior, superior = np.array(ras) - corner
    return {"Sagittal": right / 5, "Axial": superior / 1.5, "Coronal": anterior / 1.5}


def shown_slices(case):
    return {view: case.slice_of(view) for view in MIDDLE}


def test_the_wheel_and_the_arrow_keys_go_through_the_slices(case):
    case.fit()
    assert shown_slices(case) == MIDDLE
    case.sagittal().wheel(1, FREE)
    case.waits_for(lambda: abs(case.slice_of("Sagittal") - 5) == 1, "the next slice")
    down = case.slice_of("Sagittal") - 5
    case.sagittal().wheel(-1, FREE)
    case.waits_for(lambda: case.slice_of("Sagittal") == 5, "the slice before")
    assert down == -1
    case.person.press("ArrowUp", "ArrowUp")
    case.waits_for(lambda: case.slice_of("Sagittal") == 7, "two slices on")
    case.person.press("PageDown")
    case.waits_for(lambda: case.slice_of("Sagittal") == 2, "five slices back")
    slider = case.person.find("slider", "Axial slice")
    slider.focus()
    slider.press("ArrowRight")
    case.waits_for(lambda: case.slice_of("Axial") == 100, "the next axial slice")
    case.person.reads("slice 101 / 200")


def test_a_level_takes_all_views_to_its_place(case):
    case.fit()
    for name, value in (("L4", 2), ("T12", 6)):
        case.level(name).click()
        expected = nearest_slices(inside(value))
        case.waits_for(
            lambda expected=expected: all(abs(number - expected[view]) < 12 for view, number in shown_slices(case).items()),
            f"all views are at {name}",
        )
    assert abs(shown_slices(case)["Axial"] - MIDDLE["Axial"]) > 50


def test_dragging_changes_window_and_level_and_a_key_brings_them_back(case):
    case.fit()
    before = case.window_of("Sagittal")
    gray = case.sagittal().color(FREE)
    case.person.click("Window and level: drag in a view")
    case.sagittal().stroke([FREE, (0.0, 20.0, 60.0)])
    case.waits_for(lambda: case.window_of("Sagittal")[0] > before[0], "a wider window")
    assert case.window_of("Axial") == case.window_of("Sagittal")
    case.sagittal().waits_for_color(FREE, lambda color: abs(color[0] - gray[0]) > 10, "another gray")
    case.person.press("Escape")
    # The end of a drag may still be on its way when the key is pressed.
    case.waits_for(lambda: case.person.press("a") or case.window_of("Sagittal") == before, "the window that fits the image")


def extent(view):
    """Middle (x, y) and spread of what is bright in a view, in CSS pixels."""
    bright = view.bright()
    y, x = np.nonzero(bright > 200)
    return np.array([x.mean(), y.mean()]), float(np.hypot(x.std(), y.std()))


def test_a_view_is_zoomed_moved_and_fitted_as_in_slicer(case):
    case.fit()
    view = case.sagittal()
    middle, spread = extent(view)
    down = [view.middle(), (0.0, view.middle()[1], view.middle()[2] - 60)]
    view.stroke(down, "right")
    case.waits_for(lambda: abs(extent(view)[1] / spread - 1) > 0.1, "another size by the right button")
    case.person.click("Fit Sagittal")
    case.waits_for(lambda: abs(extent(view)[1] / spread - 1) < 0.01, "the fitted size")
    case.page.keyboard.down("Control")
    view.wheel(3, view.middle())
    case.page.keyboard.up("Control")
    case.waits_for(lambda: abs(extent(view)[1] / spread - 1) > 0.05, "another size by the wheel")
    assert case.slice_of("Sagittal") == MIDDLE["Sagittal"]
    case.person.click("Fit Sagittal")
    case.waits_for(lambda: abs(extent(view)[1] / spread - 1) < 0.01, "the fitted size")
    for button, modifier in (("left", "Shift"), ("middle", "")):
        if modifier:
            case.page.keyboard.down(modifier)
        view.stroke([view.middle(), (0.0, view.middle()[1] + 25, view.middle()[2])], button)
        if modifier:
            case.page.keyboard.up(modifier)
        case.waits_for(lambda: extent(view)[0][0] < middle[0] - 20, f"moved with {modifier} {button}")
        case.person.click("Fit Sagittal")
        case.waits_for(lambda: np.allclose(extent(view)[0], middle, atol=2), "the fitted place")


def test_two_series_of_a_patient_are_seen_side_by_side_slice_by_slice(case):
    case.person.click("Side by side with P01_t1")
    case.person.view("Sagittal, other series", GRID).waits_for_the_image()
    case.person.sees_no("application", "Axial view")
    names = case.page.locator(".view-series")
    expect(names).to_have_text(["P01_t2", "P01_t1"])
    case.sagittal().wheel(-2, FREE)
    case.waits_for(lambda: case.slice_of("Sagittal") == 7, "two slices on")
    case.waits_for(lambda: case.slice_of("Sagittal, other series") == 7, "the other series follows")
    # Fat and water are told apart by T1 and T2: the two pictures are no copies.
    canal = inside(100)
    case.person.press("ArrowDown", "ArrowDown")
    case.waits_for(lambda: case.slice_of("Sagittal") == 5, "back in the middle")
    case.person.press("Space")
    case.sees_no_level(inside(3))
    other = case.person.view("Sagittal, other series", GRID)
    assert abs(case.sagittal().color(canal)[0] - other.color(canal)[0]) > 40
    case.person.click("Side by side with P01_t1")
    case.person.sees("application", "Axial view")


def test_a_finding_takes_the_views_to_its_place(case):
    case.fit()
    case.person.click(re.compile("^Findings"), role="tab")
    finding = case.person.sees("button", re.compile("vertebra 8 has an island"))
    finding.click()
    # The highest vertebra, cut by the upper edge of the image.
    case.waits_for(lambda: case.slice_of("Axial") > 180, "the axial view is at the island")
    expect(finding).to_have_attribute("aria-current", "true")
    case.person.press("Shift+F")
    expect(case.person.find("button", re.compile("vertebra 7 has 2 islands"))).to_have_attribute("aria-current", "true")


def test_keys_work_whichever_tab_of_the_panel_is_open(case):
    case.person.click("Case", role="tab")
    case.person.press("Shift+PageUp")
    case.person.click("Levels", role="tab")
    case.person.sees_no("row", "L5?")
    case.person.sees("row", "T9? (partial)")
    case.person.press("Shift+F")
    case.person.click(re.compile("^Findings"), role="tab")
    expect(case.person.find("button", re.compile("vertebra 8 has an island"))).to_have_attribute("aria-current", "true")
    case.person.press("Shift+M")
    case.is_told("Select two or more levels first: Ctrl and click.")


def test_surfaces_are_shown_on_demand_and_a_level_can_be_hidden(case):
    case.select("L3")
    case.person.click("Show surfaces")
    case.person.sees_no("button", "Show surfaces")
    case.level("L3").get_by_role("button", name=re.compile("^Hide L3")).click()
    case.sees_no_level(inside(3))
    case.sees_level("L2", inside(4))
    case.level("L3").get_by_role("button", name=re.compile("^Show L3")).click()
    case.sees_level("L3", inside(3))


@pytest.mark.parametrize("size", [(1280, 720), (2560, 1440)], ids=lambda size: f"{size[0]} x {size[1]}")
def test_the_page_fits_the_screen_and_the_views_take_most_of_it(case, size):
    case.page.set_viewport_size({"width": size[0], "height": size[1]})
    case.sagittal().waits_for_the_image()
    width, height = size
    for mode in ("case", "cases"):
        scroll = case.page.evaluate("() => [document.documentElement.scrollWidth, document.documentElement.scrollHeight]")
        assert scroll[0] <= width
        assert scroll[1] <= height
        if mode == "case":
            views = case.page.locator("[data-views]").bounding_box()
            assert views["width"] * views["height"] > 0.6 * width * height
            for role, name in ESSENTIAL:
                box = case.person.sees(role, name).bounding_box()
                assert min(box["x"], box["y"]) >= 0, name
                assert box["x"] + box["width"] <= width, name
                assert box["y"] + box["height"] <= height, name
            case.person.click("Cases")
            case.person.sees("row", "P02_t2")
