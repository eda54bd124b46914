"""Makes the pictures of the workstation in Resources/Screenshots, from phantoms: `python Testing/make_workstation_screenshots.py [FOLDER]`.

The real command serves a project of phantoms to Debian's chromium; the levels are those that the bundled weights found.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

TESTING = Path(__file__).resolve().parent
ROOT = TESTING.parent
sys.path[:0] = [str(TESTING), str(TESTING / "Python"), str(ROOT / "SpiderSeg")]

from browser.chromium import PATIENCE_MS, started_browser  # noqa: E402
from browser.served import Served, workstation_command  # noqa: E402
from harness.phantom_project import GRID, add_series  # noqa: E402

from SpiderSegLib.active_learning.pre_segmenting import pre_segment  # noqa: E402
from SpiderSegLib.annotation_project.index import ProjectIndex  # noqa: E402
from SpiderSegLib.annotation_project.models import add_model, champion  # noqa: E402
from SpiderSegLib.annotation_project.project import create_project  # noqa: E402
from SpiderSegLib.corrections import Correction, Status, save  # noqa: E402
from SpiderSegLib.inference import Predictor  # noqa: E402
from SpiderSegLib.paths import MODEL_WEIGHTS, data_path  # noqa: E402
from SpiderSegLib.phantom import PhantomConfig, default_geometry, make_phantom  # noqa: E402
from SpiderSegLib.stages import StageClock  # noqa: E402
from SpiderSegLib.volume import Volume  # noqa: E402
from SpiderSegLib.weights import BUNDLED, load_weights  # noqa: E402

SIZE = {"width": 1440, "height": 900}

#: The series in the foreground has a scanner's voxels; the others only stand in the list.
FINE = default_geometry((400, 440, 15), (0.7, 0.7, 4.4))
SHOWN = "P21_t2"
PREDICTED = (SHOWN, "P21_t1", "P22_t2", "P24_t2")
NEW, DONE, FLAGGED = "P25_t2", "P23_t2", "P26_t2"


def make_project(folder: Path) -> Path:
    """A project with series in every state that a list shows."""
    project = create_project(folder, "lumbar phantoms")
    checkpoint = load_weights(None)
    add_model(project, data_path(MODEL_WEIGHTS, BUNDLED), checkpoint.provenance)
    coarse = {sequence: make_phantom(PhantomConfig(sequence), GRID) for sequence in ("T1", "T2")}
    fine = {sequence: make_phantom(PhantomConfig(sequence), FINE) for sequence in ("T1", "T2")}
    for seed, series in enumerate((*PREDICTED, NEW, DONE, FLAGGED)):
        phantoms = fine if series.startswith("P21") else coarse
        add_series(project, series, phantoms["T1" if series.endswith("t1") else "T2"], seed)
    labels = Volume(coarse["T2"].labelmap.array, GRID)
    save(project.folder, Correction(DONE, labels, "Grace", Status.DONE, minutes=6.0))
    save(project.folder, Correction(FLAGGED, labels, "Grace", Status.FLAGGED, reason="Implant or postoperative", minutes=1.0))
    pre_segment(project, list(PREDICTED), champion(project), Predictor(checkpoint, "cpu"), lambda *_: StageClock())
    assert len(ProjectIndex(project).read()) == len(PREDICTED) + 3
    return project.root


class Photographer:
    """Goes through the page and takes its picture in the main states."""

    def __init__(self, page: Any, folder: Path) -> None:
        self.page = page
        self.folder = folder

    def act(self, *arguments: Any) -> None:
        self.page.evaluate("arguments => trame.trigger('act', arguments)", list(arguments))

    def set(self, key: str, value: Any) -> None:
        self.page.evaluate("([key, value]) => trame.state.set(key, value)", [key, value])

    def wait(self, condition: str) -> None:
        self.page.wait_for_function(f"(() => {{ const state = trame.state.state; return {condition}; }})()")

    def take(self, name: str) -> None:
        # The still picture of full quality comes a moment after the last change.
        self.page.wait_for_timeout(1500)
        self.page.screenshot(path=self.folder / f"workstation_{name}.png")
        sys.stdout.write(f"{self.folder / name}\n")


def take_all(photographer: Photographer) -> None:
    """The list, a case, a stroke, surfaces, T1 beside T2."""
    photographer.wait("state.mode === 'cases' && state.cases.length")
    photographer.take("cases")
    photographer.act("openCase", SHOWN)
    photographer.wait("state.levels.length > 10")
    photographer.set("surfaces", True)
    level = photographer.page.evaluate("trame.state.state.levels.find(level => level.name.startsWith('L3')).id")
    photographer.act("selectLevel", level)
    photographer.take("case")
    photographer.act("tool", "paint")
    photographer.wait("state.tool === 'paint'")
    photographer.page.keyboard.press("Escape")
    photographer.set("panelTab", "findings")
    photographer.set("layout", "sideBySide")
    photographer.take("side_by_side")


def main() -> None:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "Resources" / "Screenshots"
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as temporary, started_browser() as browser:
        server = Served(workstation_command(make_project(Path(temporary) / "project"), "--annotator", "Ada"), Path(temporary) / "server")
        context = browser.new_context(viewport=SIZE, reduced_motion="reduce")
        context.set_default_timeout(PATIENCE_MS)
        page = context.new_page()
        page.goto(server.url)
        page.wait_for_function("window.trame?.state?.state.mode")
        take_all(Photographer(page, folder))
        context.close()
        server.stop()


if __name__ == "__main__":
    main()
