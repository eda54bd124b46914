"""What watches over the tests: a page and a server that do wrong on request are found out, and an orderly one is not."""

from __future__ import annotations

import sys

import pytest

from browser.conftest import FOLDER
from browser.served import FAULTS, Served, wait_until

PAGE_FAULTS = {
    "Complain": "console warning: something is odd",
    "Throw": "uncaught: out of a script",
    "Ask elsewhere": "https://fonts.example.org/a.woff2",
    "Ask for nothing": "answered 404: http://127.0.0.1:",
}


@pytest.fixture
def plain_page(browser, serve):
    """The page that does wrong on request."""
    return serve([sys.executable, str(FOLDER / "plain_page.py")])


def test_a_page_is_used_as_a_person_does_and_its_server_ends_on_ctrl_c(plain_page, visit):
    person = visit(plain_page)
    person.type_into("Name", "Ada")
    assert person.focused() == "Greet"
    person.press("Enter")
    person.reads("Hello Ada")
    person.sees_no("button", "Complain loudly")
    person.page.reload()
    person.reads("Hello Ada")
    assert plain_page.exit_code is None
    person.page.close()
    assert plain_page.stop() == 0


def test_what_goes_wrong_in_a_page_is_found(plain_page, visit):
    person = visit(plain_page)
    # trame's client passes on to the server what goes wrong in a page.
    plain_page.expects("JS Error")
    for button, fault in PAGE_FAULTS.items():
        assert not any(fault in found for found in person.watch.faults())
        person.click(button)
        # Playwright tells of events while it is asked something.
        wait_until(lambda fault=fault: person.page.evaluate("1") and any(fault in found for found in person.watch.faults()), f"{fault} is found")
    person.watch.expects("something is odd|out of a script|fonts.example.org|answered 404")
    assert person.watch.faults() == []


def test_what_goes_wrong_in_a_server_is_found(plain_page, visit):
    person = visit(plain_page)
    for button, line in (("Fail", "RuntimeError: as in a slot"), ("Warn", r"ERR\|")):
        assert plain_page.faults() == [] or button == "Warn"
        person.click(button)
        plain_page.wait_for_line(line)
    assert len(plain_page.faults()) >= 2
    plain_page.expects("")
    assert plain_page.faults() == []
    # The page is told that its request failed, by trame.
    person.watch.expects("Exception raised")


def test_a_killed_server_is_gone_at_once_and_its_page_tells(plain_page, visit):
    person = visit(plain_page)
    person.sees("button", "Greet")
    person.watch.expects("WebSocket|ERR_CONNECTION_REFUSED|JS Error")
    plain_page.kill()
    assert plain_page.exit_code == -9
    person.sees("button", "Reload")


def test_a_command_that_serves_nothing_fails_with_what_it_printed(tmp_path):
    with pytest.raises(AssertionError, match=r"(?s)nothing like .*no such series"):
        Served([sys.executable, "-c", "import sys; print('no such series'); sys.exit(3)"], tmp_path)


@pytest.mark.parametrize(
    ("line", "is_fault"),
    [
        ("Traceback (most recent call last):", True),
        ("Task exception was never retrieved", True),
        ("WARNING: the mask has no levels", True),
        ("ERROR:trame_server.protocol:JS Error => something is odd", True),
        ("2026-11-27 19:00:00.000 (   0.512s) [     4A5B]  vtkAlgorithm.cxx:95     ERR| vtkImageReslice (0x1): Input port 0", True),
        ("2026-11-27 19:00:00.000 (   0.512s) [     4A5B]  vtkMRMLNode.cxx:95    WARN| vtkMRMLScalarVolumeNode (0x1): no storage", True),
        ("Warning: In vtkMRMLScene.cxx, line 12", True),
        ("UserWarning: something is odd", True),
        ("SpiderSeg workstation: http://127.0.0.1:4000/?token=WARN", False),
        ("INFO: 2 warnings of the linter in error_t2.mha", False),
        ("segmented 3 levels", False),
    ],
)
def test_a_line_of_a_log_is_a_fault_or_not(line, is_fault):
    assert bool(FAULTS.search(line)) is is_fault
