"""Whether the open case has changes: after strokes, undo, renames and removals, and at no cost while nothing happens."""

from __future__ import annotations

import numpy as np
import pytest
import slicer

from mrml_scene import idOf
from small_cases import TWO_LEVELS, mask
from small_project import make_project, save_mask
from small_session import addByHand, addPrediction, labelsOf, newSession, paint
from SpiderSegLib.corrections import Status
from SpiderSegLib.errors import LabelError
from SpiderSegLib.mrml.annotation_session import UnsavedChanges, on_screen
from SpiderSegLib.mrml.display import setOpacity
from SpiderSegLib.mrml.levels import confirmLevels, renameLevel, shiftLevels, unconfirmLevels
from SpiderSegLib.mrml.segments import maskOf, segmentIds, segmentOf, setMask

pytestmark = pytest.mark.mrml


@pytest.fixture
def project(tmp_path):
    project = make_project(tmp_path / "project")
    save_mask(project)
    addPrediction(project, "p1_t1")
    return project


@pytest.fixture
def session(mrml, project):
    return newSession(mrml, project)


@pytest.fixture
def case(session):
    return session.open("p1_t2")


@pytest.fixture
def history(mrml, case):
    return mrml.newEditor(case.segmentationNode, case.volumeNode)


def test_what_was_opened_is_not_modified(session, case):
    assert not session.isModified()
    assert not session.open("p1_t1").isModified()


def test_a_stroke_is_a_change_and_its_undo_takes_it_back(session, case, history):
    history.saveStateForUndo()
    paint(case, 1)
    assert session.isModified()
    history.undo()
    assert not session.isModified()
    history.redo()
    assert session.isModified()


def test_painting_the_old_voxels_back_is_no_change(session, case):
    paint(case, 1)
    setMask(case.segmentationNode, idOf(case.segmentationNode, 1), mask(*TWO_LEVELS) == 1)
    assert not session.isModified()


@pytest.mark.parametrize(
    "change",
    [
        lambda node, history: shiftLevels(node, 1, history),
        lambda node, history: renameLevel(node, idOf(node, 1), "L6", history),
        lambda node, history: confirmLevels(node, history),
        lambda node, history: segmentOf(node, idOf(node, 2)).SetName("L3"),
        lambda node, history: node.GetSegmentation().RemoveSegment(idOf(node, 201)),
    ],
    ids=["shifted", "renamed", "confirmed", "named by hand", "removed"],
)
def test_levels_and_names_are_changes(session, case, history, change):
    change(case.segmentationNode, history)
    assert session.isModified()


def test_a_name_confirmed_and_taken_back_is_no_change(session, case, history):
    confirmLevels(case.segmentationNode, history)
    unconfirmLevels(case.segmentationNode, history)
    assert not session.isModified()


def test_a_segment_is_a_change_once_something_is_drawn_into_it(session, case):
    segmentId = case.segmentationNode.GetSegmentation().AddEmptySegment("", "L3")
    assert not session.isModified()
    setMask(case.segmentationNode, segmentId, labelsOf(case) == 1)
    assert session.isModified()


def test_a_segment_without_a_level_is_a_change_too(session, case):
    segmentId = addByHand(case, "Segment_1")
    assert session.isModified()
    case.segmentationNode.GetSegmentation().RemoveSegment(segmentId)
    assert not session.isModified()


def test_colors_order_and_display_are_no_changes(session, case):
    segmentOf(case.segmentationNode, idOf(case.segmentationNode, 1)).SetColor(1, 0, 0)
    setOpacity(case.segmentationNode, 0.9, True)
    case.segmentationNode.GetSegmentation().SetSegmentIndex(segmentIds(case.segmentationNode)[0], 2)
    case.segmentationNode.SetName("mine")
    assert not session.isModified()


def test_a_transform_of_image_and_mask_together_is_no_change_one_of_the_mask_alone_is(mrml, session, case):
    transform = mrml.newTransform([[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 1], [0, 0, 0, 1]])
    case.segmentationNode.SetAndObserveTransformNodeID(transform.GetID())
    assert session.isModified()
    case.volumeNode.SetAndObserveTransformNodeID(transform.GetID())
    assert not session.isModified()
    assert np.array_equal(labelsOf(case), mask(*TWO_LEVELS))


def test_after_saving_nothing_is_modified_until_the_next_stroke(session, case):
    paint(case, 1)
    session.save(Status.IN_PROGRESS)
    assert not session.isModified()
    paint(case, 1, columns=2)
    assert session.isModified()


def test_looking_is_cheap_while_nothing_was_touched(session, case, monkeypatch):
    reads = []
    labelmapOf = on_screen.labelmapOf
    monkeypatch.setattr(on_screen, "labelmapOf", lambda node: reads.append(node) or labelmapOf(node))
    for _ in range(5):
        session.isModified()
    setOpacity(case.segmentationNode, 0.5, False)
    session.findings()
    session.autosave()
    assert reads == []
    paint(case, 1)
    assert session.isModified()
    assert session.findings() is session.findings()
    assert len(reads) == 1


def test_what_can_t_be_read_counts_as_modified(session, case):
    segmentOf(case.segmentationNode, idOf(case.segmentationNode, 1)).SetTag("SpiderSeg.Value", "no number")
    assert session.isModified()
    with pytest.raises(UnsavedChanges, match="segment tags of SpiderSeg can't be read"):
        session.close()
    with pytest.raises(LabelError, match="segment tags of SpiderSeg can't be read"):
        session.save(Status.DONE)
    session.close(discard=True)
    assert session.current is None


def test_a_segmentation_shown_as_surfaces_is_still_read(session, case):
    assert case.segmentationNode.CreateClosedSurfaceRepresentation()
    assert not session.isModified()
    paint(case, 1)
    assert session.isModified()
    case.segmentationNode.GetSegmentation().RemoveRepresentation(slicer.vtkSegmentationConverter.GetSegmentationClosedSurfaceRepresentationName())


# Nobody leaves unsaved work unasked


@pytest.mark.parametrize(
    "leave",
    [
        lambda session: session.open("p2_t2"),
        lambda session: session.open("p1_t2"),
        lambda session: session.next(),
        lambda session: session.previous(),
        lambda session: session.close(),
    ],
    ids=["open", "open again", "next", "previous", "close"],
)
def test_leaving_with_changes_is_refused_and_changes_nothing(session, project, leave):
    session.open("p2_t2")
    case = session.open("p1_t2")
    paint(case, 1)
    before = labelsOf(case)
    with pytest.raises(UnsavedChanges, match="p1_t2: the changes since the last save are not saved") as refused:
        leave(session)
    assert refused.value.series == "p1_t2"
    assert session.current is case
    assert labelsOf(case) is before


def test_going_back_with_changes_is_refused(session):
    session.open("p2_t2")
    session.open("p1_t2")
    session.previous()
    addByHand(session.current, "L5")
    with pytest.raises(UnsavedChanges):
        session.back()


def test_discarded_changes_are_gone(session, case):
    paint(case, 1)
    assert session.autosave()
    session.close(discard=True)
    again = session.open("p1_t2")
    assert np.array_equal(labelsOf(again), mask(*TWO_LEVELS))
    assert again.offered is None


def test_a_segment_without_a_level_holds_the_case_open_after_a_save(session, case):
    segmentId = addByHand(case, "Segment_1")
    result = session.save(Status.DONE)
    assert result.messages == ("Segment_1 names no level and is left out: give it a level in the Levels table",)
    with pytest.raises(UnsavedChanges, match="Segment_1 names no level, so that it can't be saved: give it a level, or delete it"):
        session.close()
    case.segmentationNode.GetSegmentation().RemoveSegment(segmentId)
    session.close()


def test_undo_after_a_save_is_a_change(session, case, history):
    history.saveStateForUndo()
    paint(case, 1)
    session.save(Status.IN_PROGRESS)
    history.undo()
    assert session.isModified()
    assert maskOf(case.segmentationNode, idOf(case.segmentationNode, 1)).sum() == 6
