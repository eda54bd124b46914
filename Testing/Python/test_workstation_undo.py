"""One history of strokes and spine tools: what is done last is taken back first, whoever did it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from mrml_scene import named
from SpiderSegLib.mrml.levels import confirmLevels, shiftLevels
from SpiderSegLib.mrml.spine_tools import mergeSegments
from SpiderSegLib.workstation.undo import MOST_STATES
from workstation_scene import Editing, box, editing, newColumn, stateOf

NAMES = ["L5?", "L4?", "L3?", "L5/S1?", "L4/L5?", "L3/L4?", "Spinal canal"]
SHIFTED = ["L4?", "L3?", "L2?", "L4/L5?", "L3/L4?", "L2/L3?", "Spinal canal"]

#: Nothing lies in front of the bodies.
FRONT = box(slice(7, 10), slice(0, 1))


@pytest.fixture
def desk() -> Iterator[Editing]:
    with editing() as desk:
        yield desk


def test_a_stroke_is_taken_back_and_brought_again(desk):
    before = stateOf(desk.node)
    desk.stroke(FRONT)
    assert desk.voxels()["L5?"] == 36 + 9
    after = stateOf(desk.node)
    desk.history.undo()
    assert stateOf(desk.node) == before
    assert (desk.history.canUndo, desk.history.canRedo) == (False, True)
    desk.history.redo()
    assert stateOf(desk.node) == after
    assert (desk.history.canUndo, desk.history.canRedo) == (True, False)


def test_a_shift_is_taken_back_with_names_and_tags(desk):
    confirmLevels(desk.node, desk.history)
    before = stateOf(desk.node)
    shiftLevels(desk.node, 1, desk.history)
    after = stateOf(desk.node)
    assert named(desk.node) == SHIFTED
    desk.history.undo()
    assert stateOf(desk.node) == before
    desk.history.redo()
    assert stateOf(desk.node) == after


def test_merged_segments_come_back_in_their_places(desk):
    before = stateOf(desk.node)
    mergeSegments(desk.node, [desk.idOf(2), desk.idOf(202), desk.idOf(1)], desk.history)
    assert desk.voxels() == {"L4?": 36 + 12 + 36, "L3?": 24, "L5/S1?": 12, "L3/L4?": 12, "Spinal canal": 36}
    desk.history.undo()
    assert stateOf(desk.node) == before


def test_strokes_and_tools_are_taken_back_in_the_order_they_were_done(desk):
    states = [stateOf(desk.node)]

    def do(step):
        step()
        states.append(stateOf(desk.node))

    do(lambda: desk.stroke(FRONT))
    do(lambda: shiftLevels(desk.node, 1, desk.history))
    do(lambda: desk.stroke(box(slice(4, 7), slice(1, 2))))
    do(lambda: mergeSegments(desk.node, [desk.idOf(3), desk.idOf(4)], desk.history))
    assert len({str(each) for each in states}) == 5
    for expected in reversed(states[:-1]):
        desk.history.undo()
        assert stateOf(desk.node) == expected
    assert not desk.history.canUndo
    for expected in states[1:]:
        desk.history.redo()
        assert stateOf(desk.node) == expected
    assert not desk.history.canRedo
    # And once more: what was brought again can be taken back again.
    for expected in reversed(states[:-1]):
        desk.history.undo()
        assert stateOf(desk.node) == expected


def test_what_was_taken_back_is_gone_once_something_else_is_done(desk):
    desk.stroke(FRONT)
    shiftLevels(desk.node, 1, desk.history)
    desk.history.undo()
    desk.stroke(box(slice(0, 2), slice(0, 1)))
    assert not desk.history.canRedo
    desk.history.redo()
    assert named(desk.node) == NAMES
    desk.history.undo()
    desk.history.undo()
    assert desk.voxels()["L5?"] == 36


def test_another_segmentation_begins_without_history(desk):
    desk.stroke(FRONT)
    shiftLevels(desk.node, 1, desk.history)
    first = stateOf(desk.node)
    volumeNode, node = newColumn(desk.app, name="t1")
    desk.editor.begin(node, volumeNode)
    assert not desk.history.canUndo
    desk.history.undo()
    assert stateOf(desk.node) == first
    assert named(node) == NAMES
    shiftLevels(node, 1, desk.history)
    desk.history.undo()
    assert named(node) == NAMES
    assert stateOf(desk.node) == first


def test_once_nothing_is_open_there_is_nothing_to_take_back(desk):
    desk.stroke(FRONT)
    desk.editor.end()
    assert (desk.history.canUndo, desk.history.canRedo) == (False, False)
    desk.history.saveStateForUndo()
    assert not desk.history.canUndo


def test_the_oldest_steps_are_forgotten(desk):
    # One voxel of the front column a step: 12 rows in 3 slices are more than there are states.
    places = np.argwhere(box(slice(0, 12), slice(0, 1)))[: MOST_STATES + 3]
    for k, j, i in places:
        desk.stroke(box(slice(j, j + 1), slice(i, i + 1), slice(k, k + 1)))
    assert desk.voxels()["L5?"] == 36 + MOST_STATES + 3
    undone = 0
    while desk.history.canUndo:
        desk.history.undo()
        undone += 1
    assert undone == MOST_STATES == 20
    assert desk.voxels()["L5?"] == 36 + 3


def test_every_step_undo_and_redo_is_told(desk):
    for step in (lambda: desk.stroke(FRONT), lambda: shiftLevels(desk.node, 1, desk.history), desk.history.undo, desk.history.redo):
        desk.steps.clear()
        step()
        assert desk.steps
    desk.history.undo()
    desk.history.undo()
    desk.steps.clear()
    desk.history.undo()
    assert not desk.steps
