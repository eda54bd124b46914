"""The annotation sections in a test: a project of small series beside the panel, opened and worked on as a person does."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest

import harness
from harness.spine_panel import SpinePanel
from mrml_scene import COLUMN, columnLabels
from small_project import MODEL, add_small_model
from SpiderSegLib.annotation_project.predictions import PredictionFacts, write_prediction
from SpiderSegLib.annotation_project.project import Project, create_project
from SpiderSegLib.corrections import Correction, Revision, SeriesRecord, Status, read_history, save, write_series_record
from SpiderSegLib.fingerprint import content_hash
from SpiderSegLib.io import write_volume
from SpiderSegLib.mrml.annotation_session.case_rows import Column
from SpiderSegLib.series_names import patient_of
from SpiderSegLib.volume import Volume

#: Two patients; the first one has T1 and T2.
SERIES = ("p1_t1", "p1_t2", "p2_t2")

#: Three by three voxels in the first slice, where the column has nothing.
BRUSH: NDArray[np.bool_] = np.zeros(COLUMN.shape_kji, bool)
BRUSH[0, 0:3, 5:8] = True


def column_project(root: Path, series: Sequence[str] = SERIES, predicted: Sequence[str] = SERIES) -> Project:
    """A project with a model and series on the grid of mrml_scene's column; the model has drawn the column in those that are `predicted`."""
    project = create_project(root)
    add_small_model(project)
    for number, name in enumerate(series):
        _add_series(project, name, number)
    for number, name in enumerate(predicted):
        predict(project, name, 0.1 * (number + 1))
    return project


def _add_series(project: Project, name: str, seed: int) -> None:
    volume = Volume(np.random.default_rng(seed).integers(0, 500, COLUMN.shape_kji).astype(np.int16), COLUMN, name)
    path = project.folder.image(name)
    write_volume(path, volume)
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    write_series_record(project.folder, SeriesRecord(name, patient_of(name), COLUMN, sha256, sha256, content_hash(volume), {}), "test")


def predict(project: Project, series: str, entropy: float) -> None:
    """What a model drew: the column, with so much entropy."""
    uncertainty = {"entropy": entropy, "disagreement": None, "places": [{"value": 202, "at": 202, "entropy": 0.4}]}
    facts = PredictionFacts(MODEL, uncertainty=uncertainty, findings={"warning": 1}, worst_finding="disc 202 has a hole")
    sidecar = {"level_state": {"state": "assumed", "reasons": []}, "levels": [], "model": {"id": MODEL}, "lumbar_count": 5, "own_names": {}}
    write_prediction(project.folder, series, Volume(columnLabels(), COLUMN, series), facts, sidecar)


def saved_by(project: Project, series: str, annotator: str, labels: NDArray[np.uint8], parent: str = "", **fields: Any) -> Revision:
    """A mask that somebody saved somewhere else, as done."""
    correction = Correction(series, Volume(labels, COLUMN, series), annotator, fields.pop("status", Status.DONE), parent, **fields)
    return save(project.folder, correction).revision


class AnnotationPanel(SpinePanel):
    """The panel with an annotator at it."""

    def __init__(self, loaded: Any, annotator: str = "Ada") -> None:
        super().__init__(loaded)
        self.ui.projectCollapsibleButton.collapsed = False
        if annotator:
            harness.type_text(self.ui.annotatorLineEdit, annotator)
        self.settle()

    @property
    def workspace(self) -> Any:
        return self.panel.annotation.workspace

    @property
    def session(self) -> Any:
        return self.workspace.session

    @property
    def series(self) -> str:
        """The series of the open case; '' when none is open."""
        case = self.workspace.current
        return "" if case is None else str(case.series)

    def settle(self) -> None:
        """Lets the panel look at the scene again, and at the project, if it is about to."""
        super().settle()
        annotation = getattr(self.panel, "annotation", None)
        if annotation is not None and annotation.workspace is not None and annotation.workspace._readTimer.active:
            harness.wait_until(lambda: not annotation.workspace._readTimer.active, what="reading the project")
            super().settle()

    def open_project(self, project: Project) -> None:
        """Writes the folder and presses Open."""
        self.ui.projectPathLineEdit.currentPath = str(project.root)
        self.settle()
        self.click("openProjectButton")

    def open_series(self, name: str) -> None:
        """Double clicks a series in the case table."""
        self.double_click("caseTable", self.cases(Column.SERIES).index(name), int(Column.SERIES))

    def double_click(self, table_name: str, row: int, column: int) -> None:
        """A double click on a cell, with the presses that Qt expects before it."""
        table = getattr(self.ui, table_name)
        table.scrollToItem(table.item(row, column))
        center: QPoint = table.visualItemRect(table.item(row, column)).center()
        for event in (QTest.mouseClick, QTest.mouseDClick):
            event(table.viewport(), Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, center)
        self.settle()

    def click_row(self, table_name: str, row: int, column: int = 1) -> None:
        """A click on a cell of a table."""
        table = getattr(self.ui, table_name)
        table.scrollToItem(table.item(row, column))
        center: QPoint = table.visualItemRect(table.item(row, column)).center()
        QTest.mouseClick(table.viewport(), Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, center)
        self.settle()

    def click_title(self, table_name: str, column: int) -> None:
        """A click on the title of a column."""
        header = getattr(self.ui, table_name).horizontalHeader()
        place = QPoint(header.sectionViewportPosition(column) + 8, 8)
        QTest.mouseClick(header.viewport(), Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, place)
        self.settle()

    def edit(self, brush: NDArray[np.bool_] = BRUSH) -> None:
        """A stroke of the brush on L4."""
        self.paint("L4?", brush)

    def answering(self, answer: Any, act: Callable[[], object]) -> list[Any]:
        """Does something that asks one question, and answers it; gives the question."""
        with harness.answering(answer) as shown:
            act()
            self.settle()
        return list(shown)

    # What it shows

    def cases(self, column: Column) -> list[str]:
        """Texts of a column of the case table."""
        return self.texts("caseTable", int(column))

    def texts(self, table_name: str, column: int) -> list[str]:
        """Texts of a column of a table."""
        table = getattr(self.ui, table_name)
        return [table.item(row, column).text() for row in range(table.rowCount)]

    def status(self, series: str) -> str:
        """Status of the newest revision on disk; '' when there is none."""
        newest = read_history(self.session.project.folder, series).newest
        return "" if newest is None else newest.status.value
