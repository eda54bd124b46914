"""A series and a project are opened by the command, and the page shows what they hold."""

from __future__ import annotations

import numpy as np

from browser.phantoms import GRID, SERIES, phantom

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
