"""What is open, a series by itself or a case of a project: what of it is kept, until when, and what is offered the next time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from trame_slicer.core import SlicerApp

from command_line import file_size_limit
from mrml_scene import Messages, idOf, named
from small_project import labelmap, make_project
from small_session import addPrediction, newSession, paint
from SpiderSegLib.corrections import Status
from SpiderSegLib.errors import ImageReadError, OutputError
from SpiderSegLib.mrml.annotation_session import AnnotationSession
from SpiderSegLib.mrml.history import NoHistory
from SpiderSegLib.mrml.levels import confirmLevels, shiftLevels
from SpiderSegLib.mrml.segmentations import newSegmentationNode, predictionNodeOf
from SpiderSegLib.mrml.segments import maskOf, setMask
from SpiderSegLib.mrml.spine_tools import predictedLabels
from SpiderSegLib.workstation.kept_edits import KeptEdits
from SpiderSegLib.workstation.work import LooseSeries, ProjectCase
from workstation_scene import box, columnSeries, drawColumn, nodesIn, slicerApp, stateOf

Open = Callable[..., LooseSeries]


@pytest.fixture
def app() -> Iterator[SlicerApp]:
    with slicerApp() as app:
        yield app


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "kept"


@pytest.fixture
def openSeries(app: SlicerApp, folder: Path) -> Open:
    """Opens the series, as a process that was started anew does; without a segmentation."""
    return lambda name="t2": LooseSeries(app.scene, columnSeries(name), KeptEdits(folder))


@pytest.fixture
def work(app: SlicerApp, openSeries: Open) -> LooseSeries:
    """The series, segmented."""
    work = openSeries()
    work.useSegmentation(drawColumn(app, work.volumeNode))
    return work


def kept(folder: Path) -> set[str]:
    """Ends of the names of the kept files."""
    return {path.name[64:] for path in folder.iterdir()} if folder.exists() else set()


def draw(work: LooseSeries) -> None:
    """L5 reaches further to the front."""
    L5 = idOf(work.segmentationNode, 1)
    setMask(work.segmentationNode, L5, maskOf(work.segmentationNode, L5) | box(slice(7, 10), slice(0, 1)))


# A series without a project


def test_an_opened_series_is_shown_without_a_segmentation(app, openSeries, folder):
    work = openSeries("L. Klein t2")
    assert (work.name, work.volumeNode.GetName(), work.segmentationNode) == ("L. Klein t2", "L. Klein t2", None)
    assert work.seriesNodes == [work.volumeNode]
    assert (work.offeredAt, work.isModified(), work.screen(), work.findings()) == ("", False, None, ())
    assert not work.autosave()
    work.leave()
    assert nodesIn(app) == 0
    assert not folder.exists()


def test_a_segmentation_counts_as_modified_until_it_is_exported(work):
    assert work.isModified()
    work.onExported(isWhole=True)
    assert not work.isModified()


@pytest.mark.parametrize(
    "change",
    [draw, lambda work: confirmLevels(work.segmentationNode, NoHistory()), lambda work: shiftLevels(work.segmentationNode, 1, NoHistory())],
)
def test_what_was_exported_is_modified_again_after_a_change(work, change):
    work.onExported(isWhole=True)
    change(work)
    assert work.isModified()
    work.onExported(isWhole=True)
    assert not work.isModified()


def test_a_change_that_was_taken_back_is_none(work):
    work.onExported(isWhole=True)
    L5 = idOf(work.segmentationNode, 1)
    before = maskOf(work.segmentationNode, L5)
    draw(work)
    setMask(work.segmentationNode, L5, before)
    assert not work.isModified()


def test_a_segment_without_a_level_is_exported_only_in_a_whole_file(work):
    setMask(work.segmentationNode, work.segmentationNode.GetSegmentation().AddEmptySegment("", "cyst"), box(slice(0, 2), slice(0, 1)))
    work.onExported(isWhole=False)
    assert work.isModified()
    work.onExported(isWhole=True)
    assert not work.isModified()


def test_the_next_run_counts_as_modified_and_replaces_the_segmentation(app, work):
    work.onExported(isWhole=True)
    again = drawColumn(app, work.volumeNode)
    work.useSegmentation(again)
    assert work.segmentationNode is again
    assert work.isModified()
    # Image, segmentation and its prediction.
    assert nodesIn(app) == 3
    work.useSegmentation(again)
    assert again.GetScene() is app.scene


def test_an_empty_segmentation_has_no_prediction_to_go_back_to(app, openSeries):
    work = openSeries()
    work.startEmpty()
    assert named(work.segmentationNode) == []
    assert work.segmentationNode.GetName() == "t2 segmentation"
    assert predictionNodeOf(work.segmentationNode) is None
    assert (work.screen().labels == 0).all()


def test_findings_are_those_of_the_screen(work):
    before = work.findings()
    assert work.findings() is before
    setMask(work.segmentationNode, idOf(work.segmentationNode, 202), np.zeros((3, 12, 8), bool))
    after = work.findings()
    assert {finding.value for finding in after} != {finding.value for finding in before}


# Keeping it


def test_only_what_changed_is_kept(work, folder):
    assert work.autosave()
    assert kept(folder) == {".seg.nrrd", ".prediction.mha"}
    before = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    assert not work.autosave()
    assert {path: path.stat().st_mtime_ns for path in folder.iterdir()} == before
    draw(work)
    assert work.autosave()
    assert not work.autosave()


def test_showing_and_hiding_is_no_change_to_keep(work):
    work.autosave()
    work.segmentationNode.GetDisplayNode().SetSegmentVisibility(idOf(work.segmentationNode, 1), False)
    work.volumeNode.GetDisplayNode().SetWindowLevel(5, 5)
    assert not work.autosave()


def test_an_empty_segmentation_is_nothing_to_keep(app, openSeries, folder):
    work = openSeries()
    work.startEmpty()
    assert not work.autosave()
    work.leave()
    assert nodesIn(app) == 0
    assert kept(folder) == set()
    assert openSeries().offeredAt == ""


def test_what_is_drawn_into_an_empty_segmentation_is_kept(openSeries):
    work = openSeries()
    work.startEmpty()
    setMask(work.segmentationNode, work.segmentationNode.GetSegmentation().AddEmptySegment("", "L5"), box(slice(7, 10), slice(1, 5)))
    assert work.autosave()
    again = openSeries()
    again.restoreOffered()
    assert stateOf(again.segmentationNode) == stateOf(work.segmentationNode)


def test_a_series_with_the_same_voxels_is_offered_the_edit_under_any_name(work, openSeries, folder):
    work.autosave()
    again = openSeries("renamed")
    assert again.offeredAt == KeptEdits(folder).keptAt(next(folder.glob("*.seg.nrrd")).name[:64])
    assert again.offeredAt.endswith("+00:00")
    assert again.segmentationNode is None


def test_a_series_with_other_voxels_is_not_offered_the_edit(app, work, folder):
    work.autosave()
    other = columnSeries()
    other.array[0, 0, 0] += 1
    assert LooseSeries(app.scene, other, KeptEdits(folder)).offeredAt == ""


def test_a_restored_edit_goes_on_as_it_was(app, work, openSeries):
    draw(work)
    shiftLevels(work.segmentationNode, 1, NoHistory())
    work.autosave()
    again = openSeries()
    again.restoreOffered()
    assert again.offeredAt == ""
    assert stateOf(again.segmentationNode) == stateOf(work.segmentationNode)
    assert np.array_equal(predictedLabels(again.segmentationNode), predictedLabels(work.segmentationNode))
    # It is on the disk as it is, and was not exported.
    assert not again.autosave()
    assert again.isModified()
    setMask(again.segmentationNode, idOf(again.segmentationNode, 2), box(slice(0, 1), slice(0, 1)))
    assert again.autosave()


def test_a_discarded_edit_is_gone(work, openSeries, folder):
    work.autosave()
    again = openSeries()
    again.discardOffered()
    assert again.offeredAt == ""
    assert kept(folder) == set()
    assert openSeries().offeredAt == ""


def test_nothing_is_kept_while_an_edit_of_another_time_is_offered(app, work, openSeries, folder):
    draw(work)
    work.autosave()
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    again = openSeries()
    again.useSegmentation(drawColumn(app, again.volumeNode))
    assert not again.autosave()
    again.leave()
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    last = openSeries()
    last.restoreOffered()
    assert stateOf(last.segmentationNode) == stateOf(work.segmentationNode)


def test_new_work_is_kept_once_the_offered_edit_was_discarded(app, work, openSeries, folder):
    work.autosave()
    again = openSeries()
    again.useSegmentation(drawColumn(app, again.volumeNode))
    again.discardOffered()
    assert again.autosave()
    assert kept(folder) == {".seg.nrrd", ".prediction.mha"}


def test_an_edit_that_can_t_be_read_stays_offered(work, openSeries, folder):
    work.autosave()
    next(folder.glob("*.seg.nrrd")).write_bytes(b"no image")
    again = openSeries()
    with pytest.raises(ImageReadError, match="the kept edit can't be read"):
        again.restoreOffered()
    assert again.offeredAt
    assert again.segmentationNode is None
    again.discardOffered()
    assert kept(folder) == set()


def test_a_full_disk_is_said_and_tried_again(work, folder):
    messages = Messages()
    with file_size_limit(100), pytest.raises(OutputError):
        work.autosave()
    messages.close()
    assert work.autosave()
    assert ".seg.nrrd" in kept(folder)


# Leaving it


def test_what_was_exported_as_it_is_need_not_be_kept(app, work, folder):
    work.autosave()
    work.onExported(isWhole=True)
    work.leave()
    assert kept(folder) == set()
    assert nodesIn(app) == 0


def test_what_was_not_exported_is_kept_and_offered_the_next_time(app, work, openSeries, folder):
    draw(work)
    state = stateOf(work.segmentationNode)
    work.leave()
    assert nodesIn(app) == 0
    again = openSeries()
    again.restoreOffered()
    assert stateOf(again.segmentationNode) == state


def test_what_was_changed_after_the_export_is_kept(work, openSeries):
    work.onExported(isWhole=True)
    draw(work)
    state = stateOf(work.segmentationNode)
    work.leave()
    again = openSeries()
    again.restoreOffered()
    assert stateOf(again.segmentationNode) == state


# A case of a project


@pytest.fixture
def session(app: SlicerApp, tmp_path: Path) -> AnnotationSession:
    project = make_project(tmp_path / "project")
    addPrediction(project, "p1_t2")
    return newSession(app, project)


@pytest.fixture
def case(session: AnnotationSession) -> ProjectCase:
    session.open("p1_t2")
    return ProjectCase(session)


def test_a_case_is_the_session_s_open_one(session, case):
    assert case.name == "p1_t2"
    assert case.volumeNode is session.current.volumeNode
    assert case.segmentationNode is session.current.segmentationNode
    assert [node.GetName() for node in case.seriesNodes] == ["p1_t2", "p1_t1"]
    assert (case.offeredAt, case.isModified()) == ("", False)
    assert not case.autosave()


def test_a_change_of_a_case_is_kept_in_the_project_and_offered_the_next_time(session, case):
    paint(case.case, 1)
    assert case.isModified()
    assert case.autosave()
    assert not case.autosave()
    session.close(keep=True)
    session.open("p1_t2")
    assert case.offeredAt.startswith("2026-03-02T08:00:")
    case.restoreOffered()
    assert case.offeredAt == ""
    assert case.isModified()
    assert maskOf(case.segmentationNode, idOf(case.segmentationNode, 1)).sum() == 6 + 3


def test_the_offered_edit_of_a_case_can_be_discarded(session, case):
    paint(case.case, 1)
    case.leave()
    assert session.current is None
    session.open("p1_t2")
    case.discardOffered()
    assert case.offeredAt == ""
    assert not case.isModified()


def test_an_export_does_not_replace_a_revision(session, case):
    paint(case.case, 1)
    case.onExported(isWhole=True)
    assert case.isModified()
    session.save(Status.IN_PROGRESS)
    assert not case.isModified()


def test_a_case_goes_on_with_a_run_s_result(app, session, case):
    node = newSegmentationNode(app.scene, labelmap(1, 2, 3), case.volumeNode)
    case.useSegmentation(node)
    assert case.segmentationNode is node
    assert case.isModified()
    case.autosave()
    session.save(Status.IN_PROGRESS)
    assert not case.isModified()
    assert session.revisions("p1_t2").newest.annotator == "Ada"


def test_leaving_a_case_takes_its_nodes_out_of_the_scene(app, case):
    case.leave()
    assert nodesIn(app) == 0
