"""SpiderSeg's panel in a test: opened, with a column of three vertebrae on it, and worked on as a person does."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import qt
import slicer
import vtk
from numpy.typing import NDArray
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest

import harness
from mrml_scene import COLUMN, columnLabels
from SpiderSegLib.errors import SpiderSegError
from SpiderSegLib.gui.levels_section import LEVEL
from SpiderSegLib.io import write_volume
from SpiderSegLib.mrml.segmentations import SegmentInfo, labelmapOf, newSegmentationNode
from SpiderSegLib.mrml.segments import maskOf, segmentIds, segmentOf, setMask
from SpiderSegLib.mrml.volumes import newVolumeNode
from SpiderSegLib.volume import Geometry, Volume

MODULE = Path(__file__).resolve().parents[2] / "SpiderSeg" / "SpiderSeg.py"
UI_FILE = Path(__file__).resolve().parents[2] / "Resources" / "UI" / "SpiderSeg.ui"
PROJECT_UI_FILE, VALIDATION_UI_FILE = (UI_FILE.with_name(name) for name in ("SpiderSegProject.ui", "SpiderSegValidation.ui"))

#: The panel's first, and all of them.
PANEL_UI_FILES = (UI_FILE, PROJECT_UI_FILE)
UI_FILES = (*PANEL_UI_FILES, VALIDATION_UI_FILE)

PATIENCE_S = 120.0

#: What the model says of the column's levels: unsure of L4 and, most of all, of the disc below it.
CONFIDENCES = {1: 0.95, 2: 0.72, 3: 0.9, 201: 0.85, 202: 0.6, 203: 0.99, 100: 0.97}


class SpinePanel:
    """A loaded SpiderSeg module that the user has selected."""

    def __init__(self, loaded: Any) -> None:
        self.loaded = loaded
        loaded.enter()
        self.settle()

    @property
    def ui(self) -> Any:
        return self.loaded.ui

    @property
    def panel(self) -> Any:
        return self.loaded.widget.panel

    @property
    def parameters(self) -> Any:
        return self.panel.parameterNode

    @property
    def node(self) -> Any:
        """The chosen segmentation."""
        return self.panel.segmentationNode

    # What is on the screen

    def open_volume(self, name: str = "t2", geometry: Geometry = COLUMN, array: NDArray[Any] | None = None) -> Any:
        """A volume node, chosen by the panel itself if it is the first."""
        values = np.zeros(geometry.shape_kji, np.int16) if array is None else array
        node = newVolumeNode(slicer.mrmlScene, Volume(values, geometry, name))
        node.CreateDefaultDisplayNodes()
        self.settle()
        return node

    def open_column(self, labels: NDArray[np.uint8] | None = None, info: SegmentInfo | None = None) -> Any:
        """The column of mrml_scene as a volume and its segmentation, both chosen; returns the volume node."""
        volume_node = self.open_volume()
        info = info or SegmentInfo(model_id="model-1", confidences=CONFIDENCES)
        labelmap = Volume(columnLabels() if labels is None else labels, COLUMN)
        self.parameters.inputVolume = volume_node
        self.parameters.segmentation = newSegmentationNode(slicer.mrmlScene, labelmap, volume_node, info)
        self.settle()
        return volume_node

    def settle(self) -> None:
        """Lets the panel look at the scene again, if it is about to."""
        harness.wait_until(lambda: not self.panel._timer.active, what="the panel's refresh")
        harness.spin()

    # What a person does

    def click(self, name: str) -> None:
        """Clicks a widget and lets the panel refresh."""
        harness.click(getattr(self.ui, name))
        self.settle()

    def click_cell(self, row: int, column: int = LEVEL, modifiers: Any = Qt.KeyboardModifier.NoModifier) -> None:
        """Clicks a cell of the level table."""
        table = self.ui.levelTable
        table.scrollToItem(table.item(row, column))
        center: QPoint = table.visualItemRect(table.item(row, column)).center()
        QTest.mouseClick(table.viewport(), Qt.MouseButton.LeftButton, modifiers, center)
        self.settle()

    def select(self, *names: str) -> None:
        """Clicks the levels with these names in the table, those after the first with Ctrl."""
        for index, name in enumerate(names):
            self.click_cell(self.row(name), LEVEL, Qt.KeyboardModifier.ControlModifier if index else Qt.KeyboardModifier.NoModifier)

    def place(self, *points_ras: Sequence[float]) -> None:
        """Clicks into the views: control points of the node that the panel has put into place mode."""
        for point in points_ras:
            self.panel.clicks.node.AddControlPointWorld(vtk.vtkVector3d(*point))
        self.settle()

    def paint(self, name: str, brush: NDArray[np.bool_]) -> None:
        """A stroke of the Paint effect, with its state for undo."""
        segment_id = self.id(name)
        self.ui.segmentEditorWidget.saveStateForUndo()
        setMask(self.node, segment_id, self.mask(name) | brush)
        self.settle()

    def undo(self) -> None:
        """The undo button of the embedded Segment Editor."""
        harness.click(self.ui.segmentEditorWidget._undo_button)
        self.settle()

    def refused(self, act: Callable[[], object]) -> str:
        """What a dialog says when an action can't be done; fails when there is no dialog, or for an error that is none of SpiderSeg's."""
        with watched_by_a_person(self.loaded.panel), harness.answering(qt.QMessageBox.Ok) as shown:
            act()
            self.settle()
        errors = [error.error for error in harness.slot_errors]
        assert all(isinstance(error, SpiderSegError) for error in errors), errors
        harness.slot_errors.clear()
        return str(shown[-1].text)

    # What it shows

    def row(self, name: str) -> int:
        """Row of a level in the table."""
        return self.column(LEVEL).index(name)

    def column(self, column: int) -> list[str]:
        """Texts of a column of the level table."""
        return [self.ui.levelTable.item(row, column).text() for row in range(self.ui.levelTable.rowCount)]

    def selected(self) -> list[str]:
        """Names of the selected rows."""
        return [self.column(LEVEL)[index.row()] for index in self.ui.levelTable.selectionModel().selectedRows()]

    # What is in the scene

    def names(self) -> list[str]:
        """Names of the segments, in the order of the segment list."""
        return [segmentOf(self.node, segment_id).GetName() for segment_id in segmentIds(self.node)]

    def id(self, name: str) -> str:
        """ID of a segment."""
        return str(segmentIds(self.node)[self.names().index(name)])

    def mask(self, name: str) -> NDArray[np.bool_]:
        """Voxels of a segment."""
        return maskOf(self.node, self.id(name))

    def voxels(self) -> dict[str, int]:
        """Number of voxels by name."""
        return {name: int(self.mask(name).sum()) for name in self.names()}

    def labels(self) -> NDArray[np.uint8]:
        """The segmentation in SPIDER values."""
        return labelmapOf(self.node).labelmap.array.copy()

    def visible(self) -> list[str]:
        """Names of the segments that are shown."""
        return [name for name in self.names() if self.node.GetDisplayNode().GetSegmentVisibility(self.id(name))]


def node_ids() -> list[str]:
    """IDs of all nodes of the scene."""
    return sorted(slicer.mrmlScene.GetNthNode(index).GetID() for index in range(slicer.mrmlScene.GetNumberOfNodes()))


@contextmanager
def main_window(widget: Any) -> Iterator[Any]:
    """Slicer's main window around a panel, as slicer.util.mainWindow finds it."""
    window = qt.QMainWindow()
    window.objectName = "qSlicerMainWindow"
    window.setCentralWidget(widget)
    window.show()
    window.activateWindow()
    harness.spin()
    try:
        yield window
    finally:
        widget.setParent(None)
        window.objectName = ""
        window.deleteLater()
        harness.spin()
        widget.show()


@contextmanager
def watched_by_a_person(widget: Any) -> Iterator[Any]:
    """The application with a main window and not in testing mode: messages are shown and wait for an answer."""
    with main_window(widget) as window:
        was_testing, slicer.app._testing = slicer.app._testing, False
        try:
            yield window
        finally:
            slicer.app._testing = was_testing


# A PythonSlicer that says what a test wants

#: Begins every such program; `arguments` are those of `spiderseg`, `out` is where its result belongs.
_PRELUDE = """\
import json, os, shutil, sys, time
from pathlib import Path
folder = Path({folder!r})
arguments = sys.argv[3:]
out = Path(next((arguments[index + 1] for index, one in enumerate(arguments) if one in ("--out", "--json")), folder / "out"))
with open(folder / "calls.jsonl", "a") as file:
    file.write(json.dumps(arguments) + "\\n")
def report(stage, fraction):
    print(json.dumps(dict(stage=stage, fraction=fraction, message="")), flush=True)
def answer(name):
    for suffix in (".mha", ".json"):
        if (folder / (name + suffix)).exists():
            shutil.copy(folder / (name + suffix), out.with_suffix(suffix))
def wait_for(name):
    while not (folder / name).exists():
        time.sleep(0.01)
report("import", 0.0)
"""

#: Never ends by itself.
ENDLESS = "report('network', 0.4)\ntime.sleep(600)\n"


class FakePythonSlicer:
    """A program on the PATH in the place of PythonSlicer: a real process, which says and writes what a test wants it to."""

    def __init__(self, folder: Path, program: str) -> None:
        self.folder = folder
        folder.mkdir()
        launcher = folder / "PythonSlicer"
        launcher.write_text(f"#!{sys.executable} -IS\n{_PRELUDE.format(folder=str(folder))}{program}", encoding="utf-8")
        launcher.chmod(0o755)

    @property
    def calls(self) -> list[list[str]]:
        """Arguments of `spiderseg`, call by call."""
        path = self.folder / "calls.jsonl"
        return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []

    def has(self, name: str, labels: NDArray[np.uint8], record: Mapping[str, Any]) -> None:
        """Prepares a result that `answer(name)` gives."""
        write_volume(self.folder / f"{name}.mha", Volume(labels, COLUMN))
        (self.folder / f"{name}.json").write_text(json.dumps(record), encoding="utf-8")

    def go(self, name: str) -> None:
        """Lets `wait_for(name)` end."""
        (self.folder / name).touch()


def whole_record(confidences: Mapping[int, float] = CONFIDENCES, warnings: Sequence[str] = ()) -> dict[str, Any]:
    """The JSON that a run over a whole series writes, as far as the module reads it."""
    return {
        "level_state": {"state": "assumed", "reasons": []},
        "levels": [{"value": value, "confidence": confidence} for value, confidence in confidences.items()],
        "model": {"id": "model-1"},
        "warnings": list(warnings),
    }


def fake_on_path(monkeypatch: Any, folder: Path, program: str) -> FakePythonSlicer:
    """Puts a FakePythonSlicer before the real one for the rest of the test."""
    fake = FakePythonSlicer(folder / "fake", program)
    monkeypatch.setenv("PATH", os.pathsep.join((str(fake.folder), os.environ["PATH"])))
    return fake
