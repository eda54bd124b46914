"""A series and a project are opened by the command, and the page shows what they hold; the series is segmented, or the run is cancelled."""

from __future__ import annotations

import re

import numpy as np

from browser.case_page import CasePage
from browser.phantoms import GRID, SERIES, inside, phantom
from browser.served import wait_until
from SpiderSegLib.process_table import family, identity_of, running_processes

#: A run of the model on a busy machine of two cores.
RUN_PATIENCE_S = 180.0

#: Slices through L4 of the phantom, from 0.
SLICES_OF_L4 = {"Sagittal": 5, "Axial": 88, "Coronal": 67}

#: Every text of the progress bar from now on, in window.noted.
NOTE_PROGRESS_JS = """
() => {
  window.noted = [];
  const note = () => {
    const bar = document.querySelector('[role=progressbar]');
    if (bar) window.noted.push(bar.getAttribute('aria-valuetext'));
  };
  new MutationObserver(note).observe(document.body, { subtree: true, childList: true, attributeFilter: ['aria-valuetext'] });
}
"""

#: Brighter than this the phantom is shown white.
WHITE = np.percentile(phantom().volume.array, 99)


def test_three_views_show_the_intensities_of_a_series(workstation, visit, phantom_series):
    person = visit(workstation(phantom_series))
    person.sees("heading", "P01_t2")
    rng = np.random.default_rng(0)
    for name, axis in (("Sagittal", 2), ("Axial", 1), ("Coronal", 0)):
        view = person.view(name, GRID)
        seen, stored = [], []
        for _ in range(30):
            ijk = [int(rng.integers(3, size - 3)) for size in GRID.size_ijk]
            ijk[axis] = (GRID.size_ijk[axis] - 1) // 2  # the slice that is shown first
            seen.append(view.color(tuple((GRID.affine_ras @ (*ijk, 1))[:3]))[0])
            stored.append(min(phantom().volume.array[tuple(reversed(ijk))], WHITE))
        assert np.corrcoef(seen, stored)[0, 1] > 0.9, name


def test_a_project_shows_its_series_the_most_doubtful_first(workstation, visit, phantom_project):
    person = visit(workstation(phantom_project))
    person.sees("heading", "lumbar phantoms")
    rows = [person.sees("row", name) for name in SERIES]
    places = {row.get_by_role("gridcell").nth(1).inner_text(): row.get_by_role("gridcell").nth(0).inner_text() for row in rows}
    assert places == {"P01_t2": "1", "P02_t2": "2", "P01_t1": "3"}


def opened_series(workstation, visit, phantom_series):
    server = workstation(phantom_series, "--device", "cpu")
    person = visit(server)
    person.sees("heading", "P01_t2")
    person.view("Sagittal", GRID).waits_for_the_image()
    return server, person


def workers(server):
    """Processes that a server started and that run."""
    own = identity_of(server.process.pid)
    return family(running_processes(), [own]) - {own}


def test_a_series_is_segmented_and_a_level_is_gone_to(workstation, visit, phantom_series):
    server, person = opened_series(workstation, visit, phantom_series)
    case = CasePage(person)
    person.reads("Segment draws and names every vertebra, disc and the canal.")
    person.page.evaluate(NOTE_PROGRESS_JS)
    person.click("Segment")
    person.sees("progressbar")
    wait_until(lambda: person.find("row", "L4?").count(), "the levels are there", RUN_PATIENCE_S)
    person.sees_no("progressbar")
    person.reads("Done: check the levels, then confirm them.")
    told = [re.fullmatch(r"(.+) (\d+) %, .*", text) for text in person.page.evaluate("window.noted")]
    stages = [found[1] for found in told if found]
    for stage in ("Loading the model", "Finding vertebrae, discs and canal"):
        assert stage in stages
    percents = [int(found[2]) for found in told if found]
    assert percents == sorted(percents)
    assert len(set(percents)) > 5
    assert {"L5?", "L4?", "L3?", "L2?", "L1?", "L4/L5?", "L3/L4?", "Spinal canal"} <= set(case.names())
    case.level("L4").click()
    for view in ("Sagittal", "Axial", "Coronal"):
        case.waits_for(lambda view=view: abs(case.slice_of(view) - SLICES_OF_L4[view]) <= 12, f"the {view} view is at L4")
    case.fit()
    case.sees_level("L4", inside(2))
    case.sees_level("L1", inside(5))
    wait_until(lambda: not workers(server), "the run is gone")


def test_a_cancelled_run_leaves_no_process_and_no_levels(workstation, visit, phantom_series):
    server, person = opened_series(workstation, visit, phantom_series)
    assert not workers(server)
    person.press("g")
    person.sees("progressbar")
    wait_until(lambda: workers(server), "the run has a process")
    person.click("Cancel")
    person.sees_no("progressbar")
    person.reads(re.compile("ancelled"))
    wait_until(lambda: not workers(server), "the process is gone")
    person.sees("button", "Segment")
    person.sees("heading", "No levels yet")
    assert not list(server.temporary.rglob("*.mha"))
