"""The browser, the server and the person before it, for every test here; what went wrong unseen fails the test."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from browser.chromium import PATIENCE_MS, missing, started_browser
from browser.phantoms import GRID, make_phantom_project, write_phantom_series
from browser.served import Served, workstation_command
from SpiderSegLib.corrections import ProjectFolder

if TYPE_CHECKING:
    from playwright.sync_api import Browser

    from browser.case_page import CasePage
    from browser.person import Person

FOLDER = Path(__file__).parent
STRICT_VARIABLE = "SPIDERSEG_TEST_STRICT"

#: What a laptop shows; a larger screen is for tests of the page's looks.
VIEWPORT = (1280, 720)

_PEOPLE = pytest.StashKey[list["Person"]]()
_SERVERS = pytest.StashKey[list[Served]]()
_SHARED = pytest.StashKey[list[Served]]()

#: Back to the table of cases with nothing open, whatever the test before left; its changes are given up.
AS_AT_FIRST_JS = """
async () => {
  const state = window.trame.state;
  const act = (...parts) => window.trame.trigger('act', parts);
  const first = { dialog: '', layout: 'sagittal', overlay: 'nothing', surfaces: false, opacity: 0.5, outlineOnly: false, confidenceColors: false,
    segmentationShown: true, panelTab: 'levels', brushMm: 8, sphereBrush: false, thresholdMask: false, editArea: 'everywhere',
    islandsMode: 'removeSmall', scissorsMode: 'eraseInside', casesWords: '', casesState: '' };
  state.update(first);
  await act('cancelRun');
  await act('tool', '');
  await act('discardOffered');
  await act('unsavedDiscard');
  await act('showCases');
  await act('dismissNotice');
}
"""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if FOLDER in item.path.parents:
            item.add_marker(pytest.mark.browser)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[Any]:
    """A failure comes with a picture of every page and with the servers' logs."""
    report = yield
    if report.when == "call" and report.failed:
        for number, person in enumerate(item.stash.get(_PEOPLE, [])):
            path = item.funcargs["tmp_path"] / f"page_{number}.png"  # type: ignore[attr-defined]
            report.sections.append(("Page", person.picture_or_reason(path)))
        report.sections += [("Log of the server", server.text) for server in (*item.stash.get(_SERVERS, []), *item.stash.get(_SHARED, []))]
    return report


@pytest.fixture(scope="session")
def phantom_series(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A phantom's series as a file in a folder of its own: P01_t2.mha."""
    return write_phantom_series(tmp_path_factory.mktemp("series") / "P01_t2.mha")


@pytest.fixture(scope="session")
def _made_project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_phantom_project(tmp_path_factory.mktemp("project") / "lumbar").root


@pytest.fixture
def phantom_project(_made_project: Path, tmp_path: Path) -> Path:
    """The folder of a project of phantoms, for this test alone."""
    return Path(shutil.copytree(_made_project, tmp_path / "lumbar"))


# Of the package, not of the session: while playwright runs, no other test in this process could run a loop of asyncio.
@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """Debian's Chromium; skips where it, playwright or slicer-core is missing, and fails where no skip is allowed."""
    if missing():
        (pytest.fail if os.environ.get(STRICT_VARIABLE) == "1" else pytest.skip)(f"the workstation can't be driven here: {missing()}")
    with started_browser() as started:
        yield started


@pytest.fixture
def serve(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[..., Served]]:
    """Starts a command that serves a page: serve(command). Afterwards all must end on Ctrl-C with 0, and no log may tell of a fault."""
    servers: list[Served] = request.node.stash.setdefault(_SERVERS, [])

    def start(command: list[str]) -> Served:
        servers.append(Served(command, tmp_path / "temporary"))
        return servers[-1]

    yield start
    _end_in_order(servers)


def _end_in_order(servers: list[Served]) -> None:
    running = [server for server in servers if server.exit_code is None]
    exit_codes = [server.stop() for server in running]
    faults = [line for server in servers for line in server.faults()]
    assert not faults, "\n".join(["the log of a server tells of faults", *(server.text for server in servers)])
    assert exit_codes == [0] * len(running), "a server did not end in order"


@pytest.fixture
def workstation(browser: Browser, serve: Callable[..., Served]) -> Callable[..., Served]:
    """Starts `spiderseg workstation`: workstation(path or None, *options)."""
    return lambda path=None, *options: serve(workstation_command(path, *options))


@pytest.fixture
def visit(request: pytest.FixtureRequest, browser: Browser, serve: Callable[..., Served]) -> Iterator[Callable[..., Person]]:
    """Opens a server's page, or another address, in a browser of its own with its own cookies. Afterwards nothing may have gone wrong unseen."""
    from browser.person import Person
    from browser.watch import Watch

    people: list[Person] = request.node.stash.setdefault(_PEOPLE, [])
    contexts = []

    def open_page(server: Served, address: str = "", size: tuple[int, int] = VIEWPORT) -> Person:
        context = browser.new_context(viewport={"width": size[0], "height": size[1]}, locale="en-US", reduced_motion="reduce")
        context.set_default_timeout(PATIENCE_MS)
        contexts.append(context)
        watch = Watch(context)
        people.append(Person(context.new_page(), watch))
        people[-1].page.goto(address or server.url)
        return people[-1]

    yield open_page
    faults = [fault for person in people for fault in person.watch.faults()]
    for context in contexts:
        context.close()
    assert not faults, "something went wrong in the page"


@pytest.fixture(scope="module")
def _shared(browser: Browser, _made_project: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Served, Path]]:
    project = shutil.copytree(_made_project, tmp_path_factory.mktemp("shared") / "lumbar")
    server = Served(workstation_command(project, "--annotator", "Ada"), tmp_path_factory.mktemp("temporary"))
    yield server, project
    _end_in_order([server])


@pytest.fixture
def case(request: pytest.FixtureRequest, _shared: tuple[Served, Path], visit: Callable[..., Person]) -> CasePage:
    """P01_t2 of a project, opened and untouched; the workstation is shared with the other tests of the module."""
    from browser.case_page import CasePage

    server, project = _shared
    request.node.stash.setdefault(_SHARED, []).append(server)
    person = visit(server)
    person.page.wait_for_function("window.trame?.state?.get('project')")
    person.page.evaluate(AS_AT_FIRST_JS)
    person.click("P01_t2", role="row")
    person.sees("heading", "P01_t2")
    person.sees("row", "L4?")
    person.view("Sagittal", GRID).waits_for_the_image()
    return CasePage(person, ProjectFolder(project).image("P01_t2"))


@pytest.fixture(scope="module")
def _served_series(browser: Browser, phantom_series: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    server = Served(workstation_command(phantom_series), tmp_path_factory.mktemp("temporary"))
    yield server
    _end_in_order([server])


@pytest.fixture
def served_series(request: pytest.FixtureRequest, _served_series: Served) -> Served:
    """A workstation with the phantom's series, shared with the other tests of the module: for tests that leave it as it is."""
    request.node.stash.setdefault(_SHARED, []).append(_served_series)
    return _served_series
