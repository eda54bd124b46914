"""Makes the pictures of the module in Resources/Screenshots, from the phantom alone: `python Testing/make_screenshots.py [FOLDER [PROJECT]]`.

PROJECT is a project that phantom_project made before; without it one is made, which takes minutes.

Runs in the harness: the panel's widgets are Qt's, the slice views are rendered by Slicer's own classes, and the levels are those that
the bundled weights found. Stand-ins (section titles, node selectors, the Segment Editor) look plainer than Slicer's.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

TESTING = Path(__file__).resolve().parent
ROOT = TESTING.parent
sys.path[:0] = [str(TESTING), str(TESTING / "Python")]

import harness  # noqa: E402

SECTIONS = ("input", "segment", "levels", "correct", "export")
PANEL_WIDTH, VIEWS_HEIGHT, VIEW_WIDTH, BORDER = 480, 600, 800, 4
PATIENCE_S = 300.0


def segmented_phantom() -> Any:
    """The loaded module with slice views, and the phantom segmented by its button."""
    loaded = harness.load_module(ROOT / "SpiderSeg" / "SpiderSeg.py")
    loaded.enter()
    harness.open_views("Yellow")
    loaded.python_module.loadPhantom()
    panel = loaded.widget.panel
    panel.refresh()
    harness.click(loaded.ui.applyButton)
    harness.wait_until(lambda: not panel.segment.isRunning, PATIENCE_S)
    if panel.segmentationNode is None:
        raise SystemExit(loaded.ui.progressLabel.text)
    return loaded


def panel_picture(loaded: Any) -> NDArray[np.uint8]:
    """The whole panel, as long as it is."""
    loaded.panel.resize(PANEL_WIDTH, loaded.panel.minimumSizeHint().height())
    harness.spin(0.2)
    picture: NDArray[np.uint8] = harness.grab(loaded.panel)
    return picture


def views_picture(loaded: Any, height: int) -> NDArray[np.uint8]:
    """The sagittal view through the middle of L4, beside the axial and the coronal one."""
    harness.close_views()
    volume_node = loaded.widget.panel.volumeNode
    center = next(row for row in loaded.widget.panel.levels.rows if row.value == 2).centerRas
    sagittal = harness.slice_view(volume_node, "Yellow", (height * 7 // 8, height), center)
    half = (height - BORDER) // 2
    side = [harness.slice_view(volume_node, name, (half * 3 // 4, half), center) for name in ("Red", "Green")]
    return beside(sagittal, above(*side))


def sagittal_picture(loaded: Any, height: int) -> NDArray[np.uint8]:
    """The sagittal view through the middle of L4 alone."""
    harness.close_views()
    center = next(row for row in loaded.widget.panel.levels.rows if row.value == 2).centerRas
    picture: NDArray[np.uint8] = harness.slice_view(loaded.widget.panel.volumeNode, "Yellow", (VIEW_WIDTH, height), center)
    return picture


def beside(*pictures: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Pictures from left to right on gray, at one height."""
    height = max(picture.shape[0] for picture in pictures)
    column = np.full((height, BORDER, 3), 160, np.uint8)
    parts = [column if index % 2 else padded(pictures[index // 2], height) for index in range(2 * len(pictures) - 1)]
    return np.concatenate(parts, axis=1)


def above(first: NDArray[np.uint8], second: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """One picture above another."""
    return np.concatenate([first, np.full((BORDER, first.shape[1], 3), 160, np.uint8), second])


def padded(picture: NDArray[np.uint8], height: int) -> NDArray[np.uint8]:
    """The picture with as many rows, of its own background, below it."""
    return np.concatenate([picture, np.broadcast_to(picture[-1:, :1], (height - len(picture), picture.shape[1], 3))])


def project_pictures(folder: Path, project: Path | None) -> None:
    """The annotation loop: the series of a project with a case open, a conflict, and the comparison of two models."""
    from harness.annotation_panel import AnnotationPanel
    from harness.phantom_project import phantom_project
    from harness.spine_panel import MODULE
    from harness.views import save_png

    from SpiderSegLib.annotation_project.project import open_project

    with tempfile.TemporaryDirectory() as scratch:
        # Short, because the panel shows it.
        root = Path(scratch) / "lumbar"
        if project is None:
            phantom_project(root)
        else:
            shutil.copytree(project, root)
        harness.open_views("Yellow")
        case = AnnotationPanel(harness.load_module(MODULE), "Ada")
        case.open_project(open_project(root))
        case.ui.projectPathLineEdit.currentPath = "/data/lumbar"
        case.open_series("P15_t2")
        only(case, "project", "cases", "case", "findings")
        save_png(beside(panel := panel_picture(case.loaded), sagittal_picture(case.loaded, panel.shape[0])), folder / "slicer_project.png")
        case.open_series("P14_t2")
        only(case, "revisions")
        case.click("compareButton")
        save_png(panel_picture(case.loaded), folder / "slicer_conflict.png")
        only(case, "models")
        case.click_row("modelTable", 0)
        save_png(panel_picture(case.loaded), folder / "slicer_compare.png")
        case.loaded.unload()


def only(case: Any, *sections: str) -> None:
    """Folds all sections but these."""
    for name, button in harness.buttons(case.loaded.panel).items():
        if name.endswith("CollapsibleButton"):
            button.collapsed = name.removesuffix("CollapsibleButton") not in sections
    case.settle()


def main(folder: Path, project: Path | None = None) -> None:
    """Writes all pictures into a folder."""
    harness.start()
    import slicer
    from harness.views import save_png

    folder.mkdir(parents=True, exist_ok=True)
    loaded = segmented_phantom()
    harness.click(loaded.ui.leastCertainButton)
    harness.spin(0.2)
    save_png(panel_picture(loaded), folder / "panel.png")
    for section in SECTIONS:
        harness.grab(getattr(loaded.ui, f"{section}CollapsibleButton"), folder / f"section_{section}.png")
    for section in ("correct", "export"):
        getattr(loaded.ui, f"{section}CollapsibleButton").collapsed = True
    harness.spin(0.2)
    panel = panel_picture(loaded)
    save_png(beside(panel, views_picture(loaded, panel.shape[0])), folder / "slicer_module.png")
    save_png(views_picture(loaded, VIEWS_HEIGHT), folder / "slice_views.png")
    loaded.unload()
    slicer.mrmlScene.Clear(0)
    project_pictures(folder, project)


if __name__ == "__main__":
    paths = [Path(argument) for argument in sys.argv[1:]]
    main(paths[0] if paths else ROOT / "Resources" / "Screenshots", paths[1] if len(paths) > 1 else None)
