"""How fast the browser workstation answers: start, open, wheel, brush, segments on screen, memory. Prints a table.

    python benchmarks/workstation.py [--json FILE]

Needs the first environment of `setup_spiderseg.py test` and Debian's chromium. The real command serves a 512 x 512 x 20 phantom to a real
browser of 1280 x 720 points on the same machine, and both draw in software. Times are taken in the page, from the event of the mouse to the
loaded frame that shows what it did.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import platform
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "Testing"), str(ROOT / "SpiderSeg")]

from browser.chromium import PATIENCE_MS, started_browser  # noqa: E402
from browser.served import Served, workstation_command  # noqa: E402

from SpiderSegLib.annotation_project.models import add_model  # noqa: E402
from SpiderSegLib.annotation_project.predictions import PredictionFacts, write_prediction  # noqa: E402
from SpiderSegLib.annotation_project.project import create_project  # noqa: E402
from SpiderSegLib.corrections import SeriesRecord, write_series_record  # noqa: E402
from SpiderSegLib.fingerprint import content_hash  # noqa: E402
from SpiderSegLib.io import write_volume  # noqa: E402
from SpiderSegLib.paths import MODEL_WEIGHTS, data_path  # noqa: E402
from SpiderSegLib.phantom import default_geometry, make_phantom  # noqa: E402
from SpiderSegLib.weights import BUNDLED, load_weights  # noqa: E402

#: A usual T2: 512 x 512 pixels, 20 slices.
GRID = default_geometry((512, 512, 20), (0.55, 0.55, 4.4))

STARTS, OPENINGS, WHEELS, STROKES = 3, 3, 40, 15

VIEW = "Sagittal view"

#: Where strokes go: in front of the spine, as shares of the view's width and height.
STROKE_AT = (0.3, 0.5)

#: Notes, for every frame of the sagittal view, when it was loaded and the color at STROKE_AT; and when mouse and wheel did what.
WATCH_JS = """
([across, down]) => {
  window.noted = {frames: [], wheels: [], releases: []};
  const view = document.querySelector('[aria-label="Sagittal view"]');
  const canvas = document.createElement('canvas');
  canvas.width = canvas.height = 1;
  const context = canvas.getContext('2d', {willReadFrequently: true});
  const image = view.querySelector('img.image-display-area');
  const note = () => {
    context.drawImage(image, -Math.floor(image.naturalWidth * across), -Math.floor(image.naturalHeight * down));
    window.noted.frames.push({at: performance.now(), color: [...context.getImageData(0, 0, 1, 1).data].slice(0, 3)});
  };
  image.addEventListener('load', note);
  window.addEventListener('wheel', () => window.noted.wheels.push(performance.now()), true);
  window.addEventListener('pointerup', () => window.noted.releases.push(performance.now()), true);
  window.addEventListener('mouseup', () => window.noted.releases.push(performance.now()), true);
}
"""


#: Whether the last frame shows another color there than without a stroke.
DIFFERS_JS = """
bare => { window.differs = () => Math.max(...noted.frames.at(-1).color.map((value, n) => Math.abs(value - bare[n]))) > 10; }
"""


class Session:
    """The workstation in a process of its own, and its page."""

    def __init__(self, browser: Any, path: Path | None, temporary: Path) -> None:
        start = time.perf_counter()
        self.server = Served(workstation_command(path, "--annotator", "Ada"), temporary)
        self.addressAfterS = time.perf_counter() - start
        context = browser.new_context(viewport={"width": 1280, "height": 720}, reduced_motion="reduce")
        context.set_default_timeout(PATIENCE_MS)
        self.page = context.new_page()
        self.page.goto(self.server.url)
        self.page.wait_for_function("document.querySelector('.v-application') && window.trame?.state?.state.mode")
        self.readyAfterS = time.perf_counter() - start

    def state(self, key: str) -> Any:
        return self.page.evaluate(f"JSON.parse(JSON.stringify(trame.state.state.{key}))")

    def act(self, *arguments: Any) -> None:
        self.page.evaluate("arguments => trame.trigger('act', arguments)", list(arguments))

    def inView(self, across: float, down: float) -> tuple[float, float]:
        """A place of the sagittal view on the page, from shares of its width and height."""
        box = self.page.get_by_label(VIEW, exact=True).bounding_box()
        assert box is not None
        return box["x"] + box["width"] * across, box["y"] + box["height"] * down

    def memoryMb(self) -> float:
        """The most that the server's process ever took."""
        status = Path(f"/proc/{self.server.process.pid}/status").read_text(encoding="utf-8")
        return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM"))) / 1024

    def end(self) -> None:
        self.page.context.close()
        self.server.stop()


def _project(folder: Path) -> Path:
    """A project of copies of one phantom with its true mask for a prediction."""
    phantom = make_phantom(geometry=GRID)
    project = create_project(folder, "speed")
    model = add_model(project, data_path(MODEL_WEIGHTS, BUNDLED), load_weights(None).provenance)
    for number in range(1, OPENINGS + 2):
        series = f"S{number:02}_t2"
        path = project.folder.image(series)
        write_volume(path, phantom.volume)
        sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
        write_series_record(project.folder, SeriesRecord(series, f"S{number:02}", GRID, sha256, sha256, content_hash(phantom.volume), {}), "Ada")
        sidecar = {
            "level_state": {"state": "assumed", "reasons": []},
            "levels": [],
            "model": {"id": model.model_id},
            "lumbar_count": 5,
            "own_names": {},
        }
        write_prediction(project.folder, series, phantom.labelmap, PredictionFacts(model.model_id), sidecar)
    return project.root


def measure(folder: Path) -> dict[str, float]:
    """Name of each figure -> seconds, milliseconds or megabytes, as its name says."""
    root = _project(folder / "project")
    series = folder / "series"
    series.mkdir()
    for name in ("a_t2", "b_t2"):
        write_volume(series / f"{name}.mha", make_phantom(geometry=GRID).volume)
    with started_browser() as browser:
        starts = []
        for number in range(STARTS):
            session = Session(browser, None, folder / f"start{number}")
            starts.append((session.addressAfterS, session.readyAfterS))
            session.end()
        session = Session(browser, series, folder / "opening")
        openings = [_open(session, name) for name in ("a_t2.mha", "b_t2.mha", "a_t2.mha")]
        session.end()
        session = Session(browser, root, folder / "case")
        cases = [_openCase(session, f"S{number:02}_t2") for number in range(1, OPENINGS + 1)]
        session.page.evaluate(WATCH_JS, STROKE_AT)
        wheels, strokes = _wheel(session), _strokes(session)
        memory = session.memoryMb()
        session.end()
    return {
        "start -> address printed, s": statistics.median(first for first, _ in starts),
        "start -> page ready, s": statistics.median(ready for _, ready in starts),
        "click -> 512x512x20 series on screen, s": statistics.median(openings),
        "click -> case with its 16 segments on screen, s": statistics.median(cases),
        "wheel -> frame, median, ms": statistics.median(wheels),
        "wheel -> frame, 95 %, ms": sorted(wheels)[int(0.95 * len(wheels))],
        "end of a stroke -> color on screen, median, ms": statistics.median(strokes),
        "memory of the server at most, MB": memory,
    }


def _open(session: Session, name: str) -> float:
    session.act("showStart")
    session.page.wait_for_function("trame.state.state.mode === 'start'")
    before = session.page.evaluate("performance.now()")
    session.act("openSeries", name)
    stem = name.removesuffix(".mha")
    session.page.wait_for_function(
        "name => trame.state.state.view_Yellow.series === name && document.querySelector('[aria-label=\"Sagittal view\"] img')?.complete", arg=stem
    )
    return float(session.page.evaluate("performance.now()") - before) / 1000


def _openCase(session: Session, series: str) -> float:
    before = session.page.evaluate("performance.now()")
    session.act("openCase", series)
    session.page.wait_for_function(
        "name => trame.state.state.view_Yellow.series === name && trame.state.state.levels.length > 10"
        " && document.querySelector('[aria-label=\"Sagittal view\"] img')?.complete",
        arg=series,
    )
    return float(session.page.evaluate("performance.now()") - before) / 1000


def _wheel(session: Session) -> list[float]:
    """Milliseconds from a turn of the wheel to the next frame."""
    session.page.mouse.move(*session.inView(0.5, 0.5))
    found = []
    for number in range(WHEELS):
        frames = session.page.evaluate("noted.frames.length")
        # Up and down in the middle of the column, so that every slice shows something else.
        session.page.mouse.wheel(0, 100 if number % 8 < 4 else -100)
        session.page.wait_for_function("count => noted.frames.length > count && noted.frames.at(-1).at > noted.wheels.at(-1)", arg=frames)
        found.append(session.page.evaluate("noted.frames.find(frame => frame.at > noted.wheels.at(-1)).at - noted.wheels.at(-1)"))
        # The still picture of full quality belongs to this turn, not to the next one.
        session.page.wait_for_timeout(300)
    return [float(value) for value in found]


def _strokes(session: Session) -> list[float]:
    """Milliseconds from the end of a stroke through a place to a frame in which the place has its final color."""
    x, y = session.inView(*STROKE_AT)
    session.act("selectLevel", session.state("levels")[0]["id"])
    session.act("tool", "paint")
    session.page.wait_for_function("trame.state.state.tool === 'paint'")
    session.page.mouse.move(x - 25, y)
    # The still frame of the level that was gone to.
    session.page.wait_for_timeout(1000)
    bare = session.page.evaluate("noted.frames.at(-1).color")
    session.page.evaluate(DIFFERS_JS, bare)
    found = []
    for _ in range(STROKES):
        session.page.mouse.move(x - 25, y)
        session.page.wait_for_function("!differs()")
        session.page.mouse.down()
        for along in (-15, -5, 5, 15, 25):
            # As a hand moves; what comes faster than the page sends is joined to one movement.
            session.page.wait_for_timeout(20)
            session.page.mouse.move(x + along, y)
        session.page.wait_for_timeout(20)
        session.page.mouse.move(x + 60, y + 60)
        session.page.wait_for_timeout(20)
        session.page.mouse.up()
        session.page.wait_for_function("trame.state.state.undo.canUndo && differs()")
        # Until the still picture of full quality is there, too.
        session.page.wait_for_timeout(600)
        noted = session.page.evaluate("noted")
        final, released = noted["frames"][-1]["color"], noted["releases"][-1]
        shown = next(frame for frame in noted["frames"] if frame["at"] > released and _distance(frame["color"], final) < 10)
        found.append(shown["at"] - released)
        session.act("undo")
    return found


def _distance(one: list[int], other: list[int]) -> int:
    return max(abs(a - b) for a, b in zip(one, other, strict=True))


def main() -> None:
    """Prints the table; with --json writes it too."""
    parser = argparse.ArgumentParser(description="How fast the browser workstation answers.")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        figures = measure(Path(folder))
    for name, value in figures.items():
        print(f"{name:<60}{value:>9.2f}")
    if options.json is not None:
        record = {"processor": platform.processor() or platform.machine(), "figures": figures}
        options.json.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
