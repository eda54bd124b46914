"""Everything without a mouse, and for people who hear the page instead of seeing it."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from browser.case_page import CasePage
from browser.phantoms import GRID
from SpiderSegLib.corrections import ProjectFolder, Status, read_history

#: More presses of Tab than any page here has stops.
MOST_STOPS = 120

#: Roles of what a person can operate.
OPERATED = {
    "button",
    "link",
    "textbox",
    "searchbox",
    "checkbox",
    "slider",
    "spinbutton",
    "combobox",
    "tab",
    "menuitem",
    "menuitemradio",
    "row",
    "application",
}


def tab_to(person, name):
    """Presses Tab until what has this name has the focus."""
    for _ in range(MOST_STOPS):
        if re.search(name, person.focused()):
            return
        person.press("Tab")
    raise AssertionError(f"Tab never comes to {name}")


def focus_is_in_a_dialog(person):
    return person.page.evaluate("Boolean(document.activeElement.closest('.v-overlay'))")


def test_a_case_is_opened_corrected_and_saved_by_keys_alone(workstation, visit, phantom_project):
    person = visit(workstation(phantom_project, "--annotator", "Ada"))
    person.sees("row", "P01_t2")
    tab_to(person, "^P01_t2$")
    person.press("ArrowDown")
    assert person.focused() == "P02_t2"
    person.press("ArrowUp", "Enter")
    person.sees("heading", "P01_t2")
    person.view("Sagittal", GRID).waits_for_the_image()
    case = CasePage(person)
    person.sees("row", "L5?")
    tab_to(person, r"^L5\?$")
    person.press("ArrowDown", "ArrowDown", "Enter")
    expect(case.level("L3")).to_have_attribute("aria-selected", "true")
    person.press("Shift+S")
    person.reads(re.compile(r"L3\?: \d+ voxels changed"))
    person.press("Shift+C")
    person.sees("row", "L3")
    tab_to(person, "^Menu$")
    person.press("Enter")
    person.sees("menuitem", "Approve")
    for _ in range(MOST_STOPS):
        if person.focused().startswith("Save with a comment"):
            break
        person.press("ArrowDown")
    person.press("Enter")
    person.sees("dialog")
    case.waits_for(lambda: person.focused() == "Comment", "the field for the comment has the focus")
    person.page.keyboard.type("smoother")
    tab_to(person, "^Save as done$")
    person.press("Enter")
    person.reads("Saved P01_t2 as done.")
    newest = read_history(ProjectFolder(phantom_project), "P01_t2").newest
    assert (newest.status, newest.comment) == (Status.DONE, "smoother")
    person.press("Alt+n")
    person.sees("heading", "P02_t2")


def test_a_dialog_keeps_the_focus_and_gives_it_back(case):
    person = case.person
    case.level("L4").focus()
    person.press("?")
    person.sees("heading", "Keys and mouse")
    case.waits_for(lambda: focus_is_in_a_dialog(person), "the focus is in the dialog")
    for key in ("Tab", "Tab", "Tab", "Shift+Tab", "Shift+Tab"):
        person.press(key)
        assert focus_is_in_a_dialog(person)
    person.press("1")
    person.press("Escape")
    person.sees_no("heading", "Keys and mouse")
    case.waits_for(lambda: re.fullmatch(r"L4\??", person.focused()), "the focus is where it was")
    expect(person.find("button", "Paint")).to_have_attribute("aria-pressed", "false")


def test_keys_are_letters_where_text_is_typed(case):
    case.person.click("Case", role="tab")
    field = case.page.get_by_label("Comment, saved with the next revision")
    field.press_sequentially("1 GAP f")
    expect(field).to_have_value("1 GAP f")
    expect(case.person.find("button", "Paint")).to_have_attribute("aria-pressed", "false")
    case.person.sees_no("progressbar")
    field.fill("")


def unnamed(person):
    """What can be operated and has no name, as a screen reader is told."""
    session = person.page.context.new_cdp_session(person.page)
    nodes = session.send("Accessibility.getFullAXTree")["nodes"]
    session.detach()
    shown = [node for node in nodes if not node["ignored"]]
    found = [node for node in shown if node.get("role", {}).get("value") in OPERATED]
    assert len(found) > 10
    return [node["role"]["value"] for node in found if not node.get("name", {}).get("value", "").strip()]


def test_everything_that_can_be_operated_has_a_name(case):
    person = case.person
    for tab in ("Levels", "Findings", "Case"):
        person.click(re.compile(f"^{tab}"), role="tab")
        assert unnamed(person) == [], tab
    case.person.click("Levels", role="tab")
    case.select("L3")
    for tool in ("Paint", "Draw an outline", "Scissors", "Threshold", "Smoothing"):
        person.click(tool)
        expect(person.find("button", tool)).to_have_attribute("aria-pressed", "true")
        assert unnamed(person) == [], tool
    for menu in ("Menu", "Display", "Layout of the views"):
        person.click(menu)
        person.page.locator(".v-overlay--active").wait_for()
        assert unnamed(person) == [], menu
        person.press("Escape")
        expect(person.page.locator(".v-overlay--active")).to_have_count(0)
    person.click("Cases")
    person.sees("row", "P02_t2")
    assert unnamed(person) == []


def test_a_series_of_a_folder_is_opened_by_keys_alone(workstation, visit, phantom_series, tmp_path):
    folder = tmp_path / "images"
    folder.mkdir()
    for name in ("P01_t2.mha", "P02_t2.mha"):
        (folder / name).write_bytes(phantom_series.read_bytes())
    person = visit(workstation(folder))
    person.sees("button", re.compile("P02_t2.mha"))
    tab_to(person, "^P01_t2.mha")
    person.press("ArrowDown", "Enter")
    person.sees("heading", "P02_t2")
    person.view("Sagittal", GRID).waits_for_the_image()
    tab_to(person, "^Sagittal view$")
    person.press("ArrowUp")
    person.reads("slice 7 / 11")
