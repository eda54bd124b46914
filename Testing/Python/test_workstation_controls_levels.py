"""The level table as the page shows it, what is selected, and what the spine tools do to that."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from mrml_scene import columnPoint, named
from SpiderSegLib.level_names import LevelNaming
from SpiderSegLib.mrml.segmentations import SegmentInfo
from SpiderSegLib.mrml.segments import segmentIds, setMask
from SpiderSegLib.workstation.editor import Tool
from workstation_place import Workplace, workplace
from workstation_scene import box, stateOf

INFO = SegmentInfo(LevelNaming(), "unetr-2", {1: 0.93, 2: 0.25, 202: 0.666})

NAMES = ["L5?", "L4?", "L3?", "L5/S1?", "L4/L5?", "L3/L4?", "Spinal canal"]


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[Workplace]:
    with workplace(tmp_path) as place:
        yield place


@pytest.fixture
def place(empty: Workplace) -> Workplace:
    """A segmented series without a project is open."""
    empty.openColumn(INFO)
    return empty


def shown(place: Workplace, *keys: str) -> list[tuple[object, ...]]:
    return [tuple(row[key] for key in keys) for row in place.state.levels]


def select(place: Workplace, *values: int) -> None:
    for number, value in enumerate(values):
        place.act("selectLevel", place.idOf(value), number > 0)


def selected(place: Workplace) -> list[str]:
    """Names of the selected levels."""
    return [row["name"] for each in place.state.selected for row in place.state.levels if row["id"] == each]


# The table


def test_every_level_has_a_row_in_the_order_of_the_column(place):
    L5, L4, L3, *_, canal = place.state.levels
    assert {
        "id": place.idOf(1),
        "name": "L5?",
        "fullName": "Lumbar vertebra 1 (level assumed: L5)",
        "value": 1,
        "kind": "vertebra",
        "color": "#f2bd6d",
        "state": "assumed",
        "isPartial": False,
        "confidence": "93 %",
        "isLow": False,
        "volume": "0.1 ml",
        "isVisible": True,
        "isEmpty": False,
    } == L5
    assert shown(place, "name", "value", "kind", "confidence", "isLow") == [
        ("L5?", 1, "vertebra", "93 %", False),
        ("L4?", 2, "vertebra", "25 %", True),
        ("L3?", 3, "vertebra", "", False),
        ("L5/S1?", 201, "disc", "", False),
        ("L4/L5?", 202, "disc", "67 %", True),
        ("L3/L4?", 203, "disc", "", False),
        ("Spinal canal", 100, "canal", "", False),
    ]
    assert {L5["id"], L4["id"], L3["id"], canal["id"]} == {place.idOf(value) for value in (1, 2, 3, 100)}


def test_a_segment_without_a_level_comes_last(place):
    place.act("addSegment")
    assert place.state.levels[-1] | {"id": "", "color": ""} == {
        "id": "",
        "name": "New segment",
        "fullName": "New segment",
        "value": 0,
        "kind": "other",
        "color": "",
        "state": "no level",
        "isPartial": False,
        "confidence": "",
        "isLow": False,
        "volume": "0.0 ml",
        "isVisible": True,
        "isEmpty": True,
    }
    assert selected(place) == ["New segment"]
    place.act("addSegment")
    assert len({row["name"] for row in place.state.levels}) == 9
    place.act("undo")
    place.act("undo")
    assert named(place.node) == NAMES


def test_a_vertebra_that_the_image_cuts_is_listed_under_its_number(place):
    select(place, 3)
    place.act("partial")
    assert shown(place, "name", "value", "isPartial")[2] == ("L3? (partial)", 3, True)
    place.act("partial")
    assert shown(place, "name", "value", "isPartial")[2] == ("L3?", 3, False)


def test_what_is_drawn_shows_in_the_table_by_itself(place):
    place.happens(lambda: setMask(place.node, place.idOf(1), box(slice(0, 12), slice(0, 8))))
    assert shown(place, "volume")[0] == ("0.1 ml",)
    place.until(lambda: shown(place, "volume")[0] == ("1.2 ml",))


def test_levels_can_be_given_to_segments(place):
    values = {one["name"]: one["value"] for one in place.state.levelValues}
    assert values["L5?"] == 1
    assert values["Spinal canal"] == 100
    assert all(value < 100 or value == 100 or value > 200 for value in values.values())
    place.act("addSegment")
    place.act("setLevel", values["L2?"])
    assert named(place.node)[-1] == "L2?"
    place.act("setLevel", 1)
    assert place.notice == ("error", "L5? is that level already: shift or merge the segments")


def test_damaged_tags_are_told_where_the_levels_would_be(place):
    place.do(lambda: place.node.GetSegmentation().GetSegment(place.idOf(2)).SetTag("SpiderSeg.Value", "many"))
    assert place.state.levels == []
    assert "L4?" in place.state.levelState["problem"]
    assert place.state.levelState["text"] == place.state.levelState["problem"]
    assert place.why("shiftUp", "confirm", "partial") == {place.state.levelState["problem"]}
    assert place.state.levelValues == []
    place.do(lambda: place.node.GetSegmentation().GetSegment(segmentIds(place.node)[1]).SetTag("SpiderSeg.Value", "2"))
    assert shown(place, "name")[1] == ("L4?",)


# Names


def test_levels_are_assumed_until_they_are_confirmed(place):
    assert not place.state.levelState["isConfirmed"]
    assert place.state.levelState["text"].startswith("The levels are assumed: the lowest vertebra is taken for L5.")
    place.act("confirm")
    assert place.state.levelState == {"text": "The levels are confirmed.", "isConfirmed": True, "lumbarCount": 5, "problem": ""}
    assert shown(place, "name", "state")[0] == ("L5", "confirmed")
    place.act("confirm")
    assert shown(place, "name", "state")[0] == ("L5?", "assumed")


def test_six_lumbar_vertebrae_and_names_of_one_s_own(place):
    place.act("lumbarCount", "6")
    assert place.state.levelState["lumbarCount"] == 6
    assert place.state.levelState["isConfirmed"]
    assert shown(place, "name")[0] == ("L6",)
    place.act("lumbarCount", 5)
    select(place, 3)
    place.act("renameLevel", "T13")
    assert named(place.node)[2] == "T13"
    place.act("renameLevel", "")
    assert named(place.node)[2] == "L3?"
    place.act("unidentified")
    assert named(place.node)[0] == "Vertebra 1"


def test_shifting_and_back(place):
    place.act("shift", 1)
    assert shown(place, "name")[:4] == [("L4?",), ("L3?",), ("L2?",), ("L4/L5?",)]
    assert place.why("shiftDown") == {""}
    place.act("shift", -1)
    assert [name for (name,) in shown(place, "name")] == NAMES
    assert place.why("shiftDown", "shiftUp") != {""}
    place.act("shift", -1)
    assert place.notice[0] == "error"
    assert [name for (name,) in shown(place, "name")] == NAMES


# Selection


def test_the_first_level_is_selected_at_first(place):
    assert selected(place) == ["L5?"]
    assert place.bench.editor.selectedId == place.idOf(1)


def test_tools_draw_into_the_level_that_is_selected(place):
    select(place, 202)
    assert selected(place) == ["L4/L5?"]
    assert place.bench.editor.selectedId == place.idOf(202)


def test_more_levels_can_be_selected_and_left_out_again(place):
    select(place, 1, 202, 2)
    assert selected(place) == ["L5?", "L4/L5?", "L4?"]
    # Tools go on with the first one.
    assert place.bench.editor.selectedId == place.idOf(1)
    place.act("selectLevel", place.idOf(1), True)
    assert selected(place) == ["L4/L5?", "L4?"]
    assert place.bench.editor.selectedId == place.idOf(202)
    select(place, 3)
    assert selected(place) == ["L3?"]


def test_something_is_always_selected(place):
    place.act("selectLevel", place.idOf(1), True)
    assert selected(place) == ["L5?"]


def test_segments_that_are_gone_are_not_selected_any_more(place):
    select(place, 2, 202)
    place.do(lambda: place.node.GetSegmentation().RemoveSegment(place.idOf(2)))
    assert selected(place) == ["L4/L5?"]
    assert place.bench.editor.selectedId == place.idOf(202)
    place.act("selectLevel", "no such segment")
    assert place.state.notice is None
    assert selected(place) == []


def test_another_segmentation_begins_with_its_first_level(place):
    select(place, 2, 202)
    place.openColumn()
    assert selected(place) == ["L5?"]


# Showing


def test_levels_are_hidden_and_shown(place):
    place.act("toggleVisible", place.idOf(2))
    assert [name for name, isVisible in shown(place, "name", "isVisible") if not isVisible] == ["L4?"]
    place.act("toggleVisible", place.idOf(2))
    assert all(isVisible for (isVisible,) in shown(place, "isVisible"))


def test_only_the_selected_levels_are_shown_until_they_are_shown_all_again(place):
    def visible() -> list[object]:
        return [name for name, isVisible in shown(place, "name", "isVisible") if isVisible]

    select(place, 1, 201)
    place.act("isolate")
    assert place.state.isIsolated
    assert visible() == ["L5?", "L5/S1?"]
    # The selection goes on to another level.
    select(place, 2)
    assert visible() == ["L4?"]
    place.act("isolate")
    assert not place.state.isIsolated
    assert visible() == NAMES


def test_a_new_segmentation_is_shown_whole(place):
    place.act("isolate")
    place.openColumn()
    assert not place.state.isIsolated
    assert all(isVisible for (isVisible,) in shown(place, "isVisible"))


def test_the_least_certain_level_comes_first(place):
    places = []
    for _ in range(4):
        place.act("nextUncertain")
        places += selected(place)
    assert places == ["L4?", "L4/L5?", "L5?", "L4?"]


def test_what_no_model_drew_has_no_uncertain_level(empty):
    empty.openColumn()
    assert empty.why("nextUncertain") == {"No level of this segmentation was drawn by the model."}
    empty.act("nextUncertain")
    assert empty.notice == ("error", "no level was drawn by the model")


# Spine tools


def test_selected_levels_are_merged_into_the_first_one(place):
    select(place, 2, 202, 1)
    place.act("merge")
    assert place.notice == ("info", "Merged into L4?")
    assert [name for (name,) in shown(place, "name")] == ["L4?", "L3?", "L5/S1?", "L3/L4?", "Spinal canal"]
    assert selected(place) == ["L4?"]
    assert place.mask(2).sum() == 36 + 12 + 36


def test_deleted_levels_come_back_with_undo(place):
    before = stateOf(place.node)
    select(place, 3, 203)
    place.act("deleteSegment")
    assert place.notice == ("info", "L3?, L3/L4? deleted; undo brings it back")
    assert [name for (name,) in shown(place, "name")] == ["L5?", "L4?", "L5/S1?", "L4/L5?", "Spinal canal"]
    assert place.state.undo == {"canUndo": True, "canRedo": False}
    place.act("undo")
    assert stateOf(place.node) == before
    assert place.state.undo == {"canUndo": False, "canRedo": True}
    place.act("redo")
    assert len(place.state.levels) == 5


def test_a_tool_is_put_down_when_its_level_is_deleted(place):
    place.act("tool", "paint")
    assert place.state.tool == "paint"
    place.act("deleteSegment")
    assert (place.state.tool, selected(place)) == ("", [])
    assert place.bench.editor.tool is Tool.NOTHING
    assert place.why("paint") == {"Select the level to draw into first."}


def test_a_level_is_split_at_two_clicks(place):
    def click(point: tuple[float, float, float]) -> None:
        place.do(lambda: place.bench.clicks.node.AddControlPointWorld(*point))

    select(place, 2)
    place.act("split")
    assert (place.state.tool, place.state.prompt) == ("split", "L4?: click once on each of the two parts; Esc leaves")
    click(columnPoint(2, 5, 1))
    assert place.state.tool == "split"
    click(columnPoint(2, 3, 1))
    place.until(lambda: not place.bench.clicks.isActive)
    place.do(lambda: None)
    assert place.notice == ("info", "Split into L4? and L3?")
    assert (place.state.tool, place.state.prompt) == ("", "")
    # What lay above moved up by one.
    assert [name for (name,) in shown(place, "name")] == ["L5?", "L4?", "L3?", "L2?", "L5/S1?", "L4/L5?", "L2/L3?", "Spinal canal"]
    place.act("undo")
    assert named(place.node) == NAMES


@pytest.mark.parametrize("leave", [("split",), ("tool", ""), ("tool", "paint")])
def test_waiting_for_clicks_ends_with_the_same_button_with_esc_and_with_another_tool(place, leave):
    place.act("split")
    assert place.bench.clicks.isActive
    place.act(*leave)
    place.until(lambda: not place.bench.clicks.isActive)
    place.do(lambda: None)
    assert place.state.prompt == ""
    assert place.state.tool == ("paint" if leave[-1] == "paint" else "")


def test_a_tool_is_put_down_for_clicks(place):
    place.act("tool", "erase")
    place.act("addVertebra")
    assert (place.state.tool, place.state.prompt) == ("addVertebra", "Click into the middle of what was missed; Esc leaves")
    assert place.bench.editor.tool is Tool.NOTHING
    place.act("addDisc")
    assert place.state.tool == "addDisc"


def test_what_a_split_refuses_is_told_in_words(place):
    place.act("split")
    for _ in range(2):
        place.do(lambda: place.bench.clicks.node.AddControlPointWorld(*columnPoint(2, 8, 1)))
    place.until(lambda: not place.bench.clicks.isActive)
    assert place.notice[0] == "error"
    assert named(place.node) == NAMES


@pytest.mark.parametrize(
    ("action", "changed", "voxels"),
    [
        ("removeIslands", "L5?: 1 voxels changed", 33),
        ("fillHoles", "L5?: 3 voxels changed", 37),
        ("revert", "L5?: 4 voxels changed", 36),
    ],
)
def test_tools_say_what_they_changed(place, action, changed, voxels):
    # A hole of a voxel in every slice, and a voxel apart from the body.
    def damage() -> None:
        mask = place.mask(1)
        mask[:, 8, 2] = False
        mask[1, 11, 0] = True
        setMask(place.node, place.idOf(1), mask)

    place.do(damage)
    place.act(action)
    assert place.notice == ("info", changed)
    assert place.mask(1).sum() == voxels
    place.act(action)
    assert place.notice == ("info", "L5?: nothing to do")
    place.act("undo")
    assert place.mask(1).sum() == 34
    assert place.state.undo["canUndo"] is False


def test_tools_for_one_level_say_so_when_several_are_selected(place):
    select(place, 1, 2)
    for action in ("removeIslands", "fillHoles", "smoothLevel", "revert", "split", "redraw", "partial"):
        place.act(action)
        assert place.notice == ("error", "select one level in the table; 2 are selected")
    assert np.array_equal(place.mask(1), box(slice(7, 10), slice(1, 5)))
