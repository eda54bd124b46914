"""A project is worked through: worst first, open, correct, comment, save, found saved, next, previous, flag, approve, unsaved changes."""

from __future__ import annotations

import re

import numpy as np
import pytest
from playwright.sync_api import expect

from browser.case_page import FREE, CasePage
from browser.phantoms import GRID, phantom
from SpiderSegLib.corrections import Correction, ProjectFolder, Status, kept_series, read_history, read_mask, save

#: Voxel (k, j, i) that lies nearest to FREE.
FREE_KJI = tuple(int(index) for index in np.rint(np.linalg.inv(GRID.affine_ras) @ (*FREE, 1))[2::-1])


@pytest.fixture
def project(workstation, visit, phantom_project):
    """Ada before the cases of a project."""
    person = visit(workstation(phantom_project, "--annotator", "Ada"))
    person.sees("heading", "lumbar phantoms")
    return person, ProjectFolder(phantom_project)


def opened(person, series):
    person.sees("row", series).click()
    return shown(person, series)


def shown(person, series):
    person.sees("heading", series)
    person.view("Sagittal", GRID).waits_for_the_image()
    return CasePage(person)


def painted(person, series="P01_t2"):
    """The case, opened, with a stroke of L3."""
    case = opened(person, series)
    case.select("L3")
    person.press("1")
    case.sagittal().click(FREE)
    case.sees_level("L3", FREE)
    person.reads("Not saved yet; kept on this computer")
    return case


def state_of(person, series):
    """What the table says of a series."""
    return person.sees("row", series).get_by_role("gridcell").nth(2).inner_text()


def test_a_corrected_case_is_found_saved_after_the_page_is_loaded_again(project):
    person, folder = project
    case = painted(person)
    volume = case.volume_ml("L3")
    person.click("Case", role="tab")
    person.type_into("Comment, saved with the next revision", "L3 reaches farther")
    person.press("Control+s")
    person.reads("Saved P01_t2 as in progress.")
    revision = read_history(folder, "P01_t2").newest
    assert (revision.annotator, revision.status, revision.comment) == ("Ada", Status.IN_PROGRESS, "L3 reaches farther")
    labels = read_mask(folder, revision).array
    assert labels[FREE_KJI] == 3
    changed = labels != phantom().labelmap.array
    assert 10 < np.count_nonzero(changed) < 60
    assert set(labels[changed]) == {3}
    # A mouse event that is on its way is lost with the page it came from.
    person.watch.expects("_processEventQueue.*connection not open")
    person.page.reload()
    again = shown(person, "P01_t2")
    person.click("Levels", role="tab")
    person.sees("row", "L3?")
    again.sees_level("L3", FREE)
    assert again.volume_ml("L3") == volume
    person.reads(re.compile("^Saved$"))
    person.click("Case", role="tab")
    person.reads(re.compile(r"Ada, .* UTC, in progress, corrected"))
    expect(person.page.get_by_label("Comment, saved with the next revision")).to_have_value("")


def test_the_worst_case_comes_first_and_done_ones_are_stepped_through(project):
    person, folder = project
    shown_order = [row.get_attribute("aria-label") for row in person.find("grid", "Cases").locator("tbody tr").all()]
    assert shown_order == ["P01_t2", "P02_t2", "P01_t1"]
    painted(person)
    person.press("Control+d")
    person.reads("Saved P01_t2 as done.")
    person.press("Alt+n")
    shown(person, "P02_t2")
    person.reads("1 of 3 done")
    person.click("Previous case")
    shown(person, "P01_t2")
    person.click("Next case")
    shown(person, "P02_t2")
    person.click("Cases")
    assert (state_of(person, "P01_t2"), state_of(person, "P02_t2")) == ("done", "predicted")
    assert read_history(folder, "P01_t2").newest.status is Status.DONE
    person.page.get_by_role("group", name="State").get_by_role("button", name=re.compile("^done")).click()
    person.sees_no("row", "P02_t2")
    person.sees("row", "P01_t2")
    person.page.get_by_role("group", name="State").get_by_role("button", name=re.compile("^all")).click()
    person.type_into("Search", "P02")
    person.sees_no("row", "P01_t2")
    person.click("Back to the case")
    shown(person, "P02_t2")


def test_a_case_is_flagged_with_a_reason(project):
    person, folder = project
    opened(person, "P02_t2")
    person.click("Menu")
    person.click("Flag ..", role="menuitem")
    dialog = person.sees("dialog")
    expect(dialog.get_by_role("button", name="Flag", exact=True)).to_have_attribute("aria-disabled", "true")
    person.type_into("What is wrong", "Implant or postoperative")
    dialog.get_by_role("button", name="Flag", exact=True).click()
    person.reads("Saved P02_t2 as flagged.")
    revision = read_history(folder, "P02_t2").newest
    assert (revision.status, revision.reason) == (Status.FLAGGED, "Implant or postoperative")


def test_a_mask_is_approved_by_another_person_only(workstation, visit, phantom_project):
    folder = ProjectFolder(phantom_project)
    for series, annotator in (("P01_t2", "Ada"), ("P02_t2", "Grace")):
        save(folder, Correction(series, phantom().labelmap, annotator, Status.DONE))
    person = visit(workstation(phantom_project, "--annotator", "Ada"))
    opened(person, "P01_t2")
    person.click("Case", role="tab")
    approve = person.find("button", "Approve")
    expect(approve).to_have_attribute("aria-description", "You made this mask: another person has to approve it.")
    approve.click(force=True)
    person.reads("You made this mask: another person has to approve it.")
    person.click("Cases")
    opened(person, "P02_t2")
    person.click("Approve")
    person.reads("Saved P02_t2 as approved.")
    newest = read_history(folder, "P02_t2").newest
    assert (newest.annotator, newest.status) == ("Ada", Status.APPROVED)
    assert len(read_history(folder, "P01_t2").revisions) == 1


def test_unsaved_changes_are_asked_about_before_another_case_is_opened(project):
    person, folder = project
    case = painted(person)
    person.click("Next case")
    person.reads("P01_t2 has changes that are not saved as a revision.")
    case.waits_for(lambda: person.focused() == "Save", "the dialog has the focus")
    person.press("Escape")
    person.sees_no("dialog")
    case.sees_level("L3", FREE)
    person.click("Next case")
    person.click("Keep for later")
    shown(person, "P02_t2")
    assert kept_series(folder, "Ada") == ["P01_t2"]
    person.click("Previous case")
    person.reads(re.compile(r"Work of .* UTC was not saved"))
    person.click("Restore")
    case.sees_level("L3", FREE)
    person.reads("Not saved yet; kept on this computer")
    person.click("Next case")
    person.click("Discard the changes")
    shown(person, "P02_t2")
    assert kept_series(folder, "Ada") == []
    person.click("Previous case")
    case = shown(person, "P01_t2")
    person.sees_no("dialog")
    case.select("L3")
    case.sees_no_level(FREE)
    person.press("1")
    case.sagittal().click(FREE)
    case.sees_level("L3", FREE)
    person.press("Escape")
    person.click("Next case")
    person.sees("dialog").get_by_role("button", name="Save", exact=True).click()
    shown(person, "P02_t2")
    assert read_mask(folder, read_history(folder, "P01_t2").newest).array[FREE_KJI] == 3
