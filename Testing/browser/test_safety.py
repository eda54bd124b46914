"""Who may ask, what may be asked for, and that nothing drawn is lost: refusals in words, uploads, a second tab, a server that dies."""

from __future__ import annotations

import http.client
import re
import shutil

import numpy as np
import pytest
from playwright.sync_api import expect

from browser.case_page import FREE, CasePage
from browser.phantoms import GRID
from browser.served import Served, wait_until, workstation_command
from SpiderSegLib.corrections import ProjectFolder
from SpiderSegLib.workstation.web.uploads import LARGEST_UPLOAD_BYTES

#: Ends of a stroke in front of L3, and the beginning of another one below it.
STROKE = [(0.0, 50.0, 3.25), FREE]
LATER = (0.0, 60.0, -40.0)

CONNECTION_LOST = r"WebSocket|ERR_CONNECTION_REFUSED|ERR_INCOMPLETE_CHUNKED|ERR_EMPTY_RESPONSE|ERR_CONNECTION_RESET|JS Error"

REFUSED = "SpiderSeg opens only with its whole address"


@pytest.fixture
def shared(_shared):
    """The workstation of a project that the tests of this module share."""
    return _shared[0]


@pytest.fixture(scope="module")
def start_page(browser, tmp_path_factory):
    """A workstation with nothing opened."""
    yield from _served(None, tmp_path_factory.mktemp("start"))


@pytest.fixture(scope="module")
def opened(tmp_path_factory, phantom_series):
    """A folder with two series and a link that leads out of it, beside a series that nobody opened."""
    folder = tmp_path_factory.mktemp("study") / "opened"
    folder.mkdir()
    for path in (folder / "P01_t2.mha", folder / "changing.mha", folder.parent / "secret.mha"):
        shutil.copy(phantom_series, path)
    (folder / "link.mha").symlink_to("../secret.mha")
    return folder


@pytest.fixture(scope="module")
def folder_of_series(browser, opened, tmp_path_factory):
    """A workstation with that folder opened."""
    yield from _served(opened, tmp_path_factory.mktemp("folder"))


def _served(path, temporary):
    server = Served(workstation_command(path), temporary)
    yield server
    assert server.stop() == 0
    assert not server.faults(), server.text


# Who may ask


@pytest.mark.parametrize("query", ["", "?token=", "?token=" + "A" * 43, "?token=%ff%00"])
def test_without_the_right_token_nothing_is_opened_and_the_page_says_what_to_do(shared, visit, query):
    person = visit(shared, shared.url.partition("?")[0] + query)
    person.watch.expects("answered 403")
    person.sees("heading", "Not opened")
    person.reads(re.compile(REFUSED))
    assert person.page.context.cookies() == []
    assert person.page.locator("script").count() == 0


@pytest.mark.parametrize("path", ["/", "/index.html", "/web/connection.js", "/web/status", "/files/x", "/ws", "/assets/index.js"])
def test_without_the_cookie_no_address_is_answered(shared, path):
    status, body = _ask(shared, "GET", path)
    assert status == 403
    assert REFUSED in body


def test_a_page_of_somebody_else_may_not_ask_though_the_browser_has_the_cookie(shared, visit):
    cookie = _cookie(visit(shared))
    for method, path in (("POST", "/web/continue"), ("POST", "/web/upload"), ("GET", "/ws")):
        status, body = _ask(shared, method, path, {"Cookie": cookie, "Origin": "http://127.0.0.1:1"})
        assert status == 403
        assert "not SpiderSeg's own" in body
    status, _body = _ask(shared, "GET", "/", {"Cookie": cookie, "Host": "evil.example.org"})
    assert status == 403


# What may be asked for


@pytest.mark.parametrize("name", ["../../etc/passwd", "/etc/passwd", "../secret.mha", "link.mha", "", "P01_t2.mha\x00"])
def test_a_crafted_name_of_a_series_is_refused_in_words(visit, folder_of_series, name):
    person = visit(folder_of_series)
    person.sees("heading", "Series in the opened folder")
    person.sees("button", re.compile("^P01_t2.mha"))
    _act(person, "openSeries", name)
    person.reads(re.compile("is no series of opened; reload the page"))
    person.sees_no("heading", "P01_t2")


def test_a_series_that_became_a_link_to_elsewhere_is_refused_in_words(visit, folder_of_series, opened):
    person = visit(folder_of_series)
    (opened / "changing.mha").unlink()
    (opened / "changing.mha").symlink_to("../secret.mha")
    person.click(re.compile("^changing.mha"))
    person.reads(re.compile("'changing.mha' leads outside opened"))


@pytest.mark.parametrize("key", ["x", "", "../../etc/passwd"])
def test_a_crafted_key_of_an_upload_is_refused_in_words(visit, folder_of_series, key):
    person = visit(folder_of_series)
    _act(person, "openUploaded", key)
    person.reads("this upload is no longer there; upload the series again")


def test_a_crafted_name_of_a_case_is_refused_in_words(case):
    for name in ("../P01_t2", "/etc/passwd", "nobody"):
        _act(case.person, "openCase", name)
        case.is_told(re.compile(re.escape(name)))
    case.person.sees("heading", "P01_t2")


@pytest.mark.parametrize(
    "path",
    [
        "/files/../../etc/passwd",
        "/files/..%2f..%2fetc%2fpasswd",
        "/files//etc/passwd",
        "/files/",
        "/web/../../etc/passwd",
        "/web/%2e%2e/%2e%2e/%2e%2e/%2e%2e/%2e%2e/%2e%2e/etc/passwd",
        "/web/..%2f..%2f..%2f..%2f..%2f..%2f..%2fetc%2fpasswd",
        "/web//etc/passwd",
        "/web/",
        "/../../../../../../etc/passwd",
        "//etc/passwd",
        "/%2e%2e/%2e%2e/%2e%2e/%2e%2e/%2e%2e/%2e%2e/%2e%2e/%2e%2e/etc/passwd",
    ],
)
def test_a_crafted_address_gives_no_file(shared, visit, path):
    status, body = _ask(shared, "GET", path, {"Cookie": _cookie(visit(shared))})
    assert status in (403, 404)
    assert "root:" not in body


# Uploads


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("scan.mha", np.random.default_rng(0).bytes(100_000), "not an image of the kind its suffix .mha says"),
        ("scan.nii.gz", b"\x1f\x8b" + bytes(5000), "not a readable NIfTI file"),
        ("holiday.jpg", b"\xff\xd8\xff\xe0" + bytes(5000), "neither an image file"),
        ("IM1", bytes(128) + b"DICM" + bytes(5000), "no DICOM image series found"),
        ("header.mha", b"ObjectType = Image\nNDims = 3\nDimSize = 4 4 4\nElementType = MET_UCHAR\nElementDataFile = /etc/passwd\n", "another file"),
        ("huge.mha", b"ObjectType = Image\nNDims = 3\nDimSize = 9999 9999 9999\nElementType = MET_SHORT\nElementDataFile = LOCAL\n", "at most"),
    ],
)
def test_a_garbage_upload_is_refused_in_words_and_leaves_nothing(visit, start_page, tmp_path, name, content, words):
    path = tmp_path / name
    path.write_bytes(content)
    person = visit(start_page)
    person.watch.expects("answered 422")
    person.upload("Choose files", [path])
    expect(person.find("alert").filter(has_text=words)).to_be_visible()
    person.sees("button", "Choose files")
    assert _uploaded(start_page) == []


def test_an_upload_that_says_it_is_too_large_is_refused_before_it_comes(visit, start_page):
    headers = {
        "Cookie": _cookie(visit(start_page)),
        "Origin": start_page.url.partition("/?")[0],
        "Content-Type": "multipart/form-data; boundary=x",
        "Content-Length": str(LARGEST_UPLOAD_BYTES + 2**30),
    }
    status, body = _ask(start_page, "POST", "/web/upload", headers)
    assert status == 413
    assert "an upload may have 2 GB" in body
    assert _uploaded(start_page) == []


def test_a_file_that_is_too_large_is_refused_in_words(visit, start_page, tmp_path):
    path = tmp_path / "large.mha"
    with path.open("wb") as file:
        file.truncate(LARGEST_UPLOAD_BYTES + 2**26)
    person = visit(start_page)
    person.watch.expects("answered 413")
    person.upload("Choose files", [path])
    expect(person.find("alert").filter(has_text="an upload may have 2 GB")).to_be_visible()
    person.sees("button", "Choose files")
    assert _uploaded(start_page) == []


# One page at a time


def test_a_second_tab_is_told_so_takes_over_and_gives_back(case):
    _paint(case)
    second = case.person.another_tab()
    second.sees("heading", "SpiderSeg is already open in another tab or window")
    second.click("Continue here")
    second.sees("heading", "P01_t2")
    case.person.sees("heading", "SpiderSeg was opened in another tab or window")
    CasePage(second).sees_level("L3", FREE)
    case.person.click("Continue here")
    case.person.sees("heading", "P01_t2")
    case.sees_level("L3", FREE)
    second.sees("heading", "SpiderSeg was opened in another tab or window")


def test_a_second_tab_goes_on_by_itself_when_the_first_one_is_closed(case):
    _paint(case)
    second = case.person.another_tab()
    second.sees("heading", "SpiderSeg is already open in another tab or window")
    case.page.close()
    second.sees("heading", "P01_t2")
    CasePage(second).sees_level("L3", FREE)


# Nothing is lost


def test_a_page_that_is_loaded_again_shows_everything_as_it_was(case):
    before = case.volume_ml("L3")
    _paint(case)
    painted = case.waits_for_volume("L3", lambda volume: volume != before, "is larger")
    case.page.reload()
    case.person.sees("heading", "P01_t2")
    expect(case.level("L3")).to_have_attribute("aria-selected", "true")
    assert case.volume_ml("L3") == painted
    case.sees_level("L3", FREE)
    case.person.press("Control+z")
    case.sees_no_level(FREE)
    case.waits_for_volume("L3", lambda volume: volume == before, "is as before")


def test_a_killed_server_costs_the_stroke_that_was_being_drawn_alone(workstation, visit, phantom_project):
    first = workstation(phantom_project, "--annotator", "Ada")
    case = _open_case(visit(first))
    _paint(case)
    wait_until(lambda: _is_kept(phantom_project), "the edit is kept")
    view = case.sagittal()
    view.hover(LATER)
    case.page.mouse.down()
    view.hover((LATER[0], LATER[1] + 10, LATER[2]))
    case.person.watch.expects(CONNECTION_LOST)
    first.kill()
    case.person.sees("heading", "SpiderSeg has stopped")
    case.person.reads(re.compile("Your work up to the last stroke is kept"))
    case.page.close()

    again = _open_case(visit(workstation(phantom_project, "--annotator", "Ada")))
    again.person.sees("heading", "Unsaved work was kept")
    again.person.press("Escape")
    again.person.click("Restore")
    again.person.sees_no("heading", "Unsaved work was kept")
    again.sees_level("L3", FREE)
    again.sees_no_level(LATER)


def test_ctrl_c_ends_with_0_keeps_the_last_stroke_and_is_told(workstation, visit, phantom_project):
    first = workstation(phantom_project, "--annotator", "Ada")
    case = _open_case(visit(first))
    _paint(case)
    case.person.watch.expects(CONNECTION_LOST)
    assert first.stop() == 0
    case.person.sees("heading", "SpiderSeg has stopped")

    again = _open_case(visit(workstation(phantom_project, "--annotator", "Ada")))
    again.person.sees("heading", "Unsaved work was kept")
    again.person.click("Restore")
    again.sees_level("L3", FREE)


def test_a_kept_edit_that_nobody_wants_is_forgotten(workstation, visit, phantom_project):
    first = workstation(phantom_project, "--annotator", "Ada")
    case = _open_case(visit(first))
    _paint(case)
    case.page.close()
    assert first.stop() == 0
    again = _open_case(visit(workstation(phantom_project, "--annotator", "Ada")))
    again.person.click("Discard it")
    again.person.sees_no("heading", "Unsaved work was kept")
    again.sees_no_level(FREE)
    assert not _is_kept(phantom_project)


def test_a_page_of_a_server_that_was_started_anew_says_so(workstation, visit, phantom_series):
    first = workstation(phantom_series)
    person = visit(first)
    person.sees("heading", "P01_t2")
    person.watch.expects(f"{CONNECTION_LOST}|answered 403")
    first.kill()
    person.sees("heading", "SpiderSeg has stopped")
    workstation(phantom_series, "--port", str(first.port))
    person.sees("heading", "SpiderSeg was started anew")
    person.click("Reload")
    person.sees("heading", "Not opened")


def _open_case(person):
    person.click("P01_t2", role="row")
    person.sees("heading", "P01_t2")
    person.sees("row", "L4?")
    person.view("Sagittal", GRID).waits_for_the_image()
    return CasePage(person)


def _paint(case):
    """A stroke in front of L3, seen."""
    case.select("L3")
    case.person.click("Paint")
    case.sagittal().stroke(STROKE)
    case.sees_level("L3", FREE)


def _is_kept(project):
    return any(ProjectFolder(project).autosave.rglob("P01_t2.json"))


def _act(person, *parts):
    """As somebody does in the browser's console."""
    person.page.wait_for_function("window.trame?.state?.get('uploadUrl')")
    person.page.evaluate("(parts) => window.trame.trigger('act', parts)", list(parts))


def _cookie(person):
    (cookie,) = person.page.context.cookies()
    return f"{cookie['name']}={cookie['value']}"


def _ask(server, method, path, headers=None):
    """Status and text of the answer to a request as it is written here: browsers tidy addresses up."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    try:
        connection.putrequest(method, path, skip_host="Host" in (headers or {}))
        for name, value in (headers or {}).items():
            connection.putheader(name, value)
        connection.endheaders()
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def _uploaded(server):
    """What lies in the server's folder of uploads."""
    return [path for folder in server.temporary.glob("*/uploads") for path in folder.rglob("*")]
