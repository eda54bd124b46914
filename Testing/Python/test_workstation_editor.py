"""The segment editor's tools on a small column: what they change, where they may, and what they refuse."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from trame_slicer.segmentation import SegmentationEffectErase, SegmentationEffectIslands, SegmentationEffectPaint, SegmentationEffectSmoothing

from mrml_scene import columnPoint
from SpiderSegLib.errors import InputError
from SpiderSegLib.mrml.segmentations import labelmapOf
from SpiderSegLib.mrml.volumes import imageArray
from SpiderSegLib.workstation.editor import BRUSH_STEP, EFFECTS, LARGEST_BRUSH_MM, SMALLEST_BRUSH_MM, SMOOTHING, Area, SmoothingOfOneLevel, Tool
from workstation_scene import Editing, box, editing, newColumn

L5, L4, L3, DISC, CANAL = 1, 2, 3, 202, 100

#: The bodies and discs have columns 1 to 4, the canal column 6.
ALL_COLUMNS, BODY, FRONT = slice(0, 8), slice(1, 5), slice(0, 1)

BEFORE = {"L5?": 36, "L4?": 36, "L3?": 24, "L5/S1?": 12, "L4/L5?": 12, "L3/L4?": 12, "Spinal canal": 36}


@pytest.fixture
def desk() -> Iterator[Editing]:
    with editing() as desk:
        yield desk


def changed(desk: Editing) -> dict[str, int]:
    """Voxels of the segments that have another number of them than at first. Fails when segments overlap."""
    assert labelmapOf(desk.node).overlaps == ()
    return {name: count for name, count in desk.voxels().items() if count != BEFORE[name]}


# Segment and tool


def test_the_first_level_is_selected_and_no_tool_is_in_use(desk):
    assert desk.editor.isActive
    assert desk.editor.selectedId == desk.idOf(L5)
    assert desk.editor.tool is Tool.NOTHING


@pytest.mark.parametrize("tool", Tool)
def test_a_tool_is_in_use_once_taken_up_and_until_put_down(desk, tool):
    desk.editor.setTool(tool)
    assert desk.editor.tool is tool
    assert desk.editor.effect(EFFECTS[tool]).is_active
    desk.editor.setTool(Tool.NOTHING)
    assert desk.editor.tool is Tool.NOTHING
    assert not desk.editor.effect(EFFECTS[Tool.PAINT]).is_active


@pytest.mark.parametrize("tool", [tool for tool in Tool if tool is not Tool.NOTHING])
def test_a_tool_without_a_level_is_refused_in_words(desk, tool):
    desk.editor.select("")
    with pytest.raises(InputError, match="select the level to draw into first"):
        desk.editor.setTool(tool)
    assert desk.editor.tool is Tool.NOTHING
    desk.editor.setTool(Tool.NOTHING)


def test_a_segment_that_is_not_there_is_no_level(desk):
    desk.editor.setTool(Tool.PAINT)
    desk.editor.select("no such segment")
    assert desk.editor.selectedId == ""
    assert desk.editor.tool is Tool.NOTHING


def test_the_tool_is_put_down_for_another_segmentation(desk):
    desk.editor.setTool(Tool.ERASE)
    volumeNode, node = newColumn(desk.app, name="t1")
    desk.editor.begin(node, volumeNode)
    assert desk.editor.tool is Tool.NOTHING
    assert node.GetSegmentation().GetSegment(desk.editor.selectedId).GetName() == "L5?"


def test_once_nothing_is_open_no_tool_is_possible(desk):
    desk.editor.setTool(Tool.PAINT)
    desk.editor.end()
    assert not desk.editor.isActive
    assert desk.editor.tool is Tool.NOTHING
    assert desk.editor.selectedId == ""
    with pytest.raises(InputError, match="select the level"):
        desk.editor.setTool(Tool.PAINT)


# Strokes


def test_the_brush_adds_to_the_selected_level_and_the_eraser_takes_from_it(desk):
    desk.select(L4)
    desk.editor.setTool(Tool.PAINT)
    desk.stroke(box(slice(4, 6), FRONT))
    assert changed(desk) == {"L4?": 36 + 6}
    desk.editor.setTool(Tool.ERASE)
    desk.stroke(box(slice(4, 8), ALL_COLUMNS))
    assert changed(desk) == {"L4?": 12}


def test_what_is_painted_over_another_level_is_taken_from_it(desk):
    desk.editor.setTool(Tool.PAINT)
    desk.stroke(box(slice(3, 7), BODY))
    # L4 in rows 3 to 5, its disc in row 6.
    assert changed(desk) == {"L5?": 36 + 36 + 12, "L4?": 0, "L4/L5?": 0}
    labels = labelmapOf(desk.node).labelmap.array
    assert (labels[:, 3:10, BODY] == L5).all()


@pytest.mark.parametrize(
    ("area", "expected"),
    [
        (Area.EVERYWHERE, {"L5?": 36 + 12 + 3 + 3 + 6, "L4/L5?": 0, "Spinal canal": 33}),
        (Area.OUTSIDE_ALL, {"L5?": 36 + 3 + 3 + 3}),
        (Area.INSIDE_ALL, {"L5?": 36 + 12 + 3, "L4/L5?": 0, "Spinal canal": 33}),
        (Area.INSIDE_SELECTED, {}),
    ],
)
def test_the_brush_paints_where_tools_may_draw(desk, area, expected):
    desk.editor.setTool(Tool.PAINT)
    desk.editor.setArea(area)
    # Row 6: the disc above L5, the canal, and three columns of nothing.
    desk.stroke(box(slice(6, 7), ALL_COLUMNS))
    assert changed(desk) == expected


def test_inside_the_selected_level_goes_with_the_selection(desk):
    desk.editor.setArea(Area.INSIDE_SELECTED)
    desk.select(L4)
    desk.editor.setTool(Tool.ERASE)
    desk.stroke(box(slice(0, 12), FRONT) | box(slice(0, 12), slice(1, 2)))
    assert changed(desk) == {"L4?": 27}
    desk.select(L3)
    desk.stroke(box(slice(0, 12), slice(1, 2)))
    assert changed(desk) == {"L4?": 27, "L3?": 18}


def test_the_intensity_mask_limits_a_stroke(desk):
    desk.editor.setIntensityMask(True, 60, 64)
    desk.editor.setTool(Tool.PAINT)
    desk.stroke(box(slice(5, 8), ALL_COLUMNS))
    # Row 6 up to column 4: the disc, and the voxel in front of it.
    assert changed(desk) == {"L5?": 36 + 15, "L4/L5?": 0}
    desk.editor.setIntensityMask(False, 60, 64)
    desk.stroke(box(slice(7, 8), FRONT))
    assert changed(desk) == {"L5?": 36 + 15 + 3, "L4/L5?": 0}


# Brush


@pytest.mark.parametrize(("asked", "given"), [(8, 8), (0, SMALLEST_BRUSH_MM), (-3, SMALLEST_BRUSH_MM), (1000, LARGEST_BRUSH_MM)])
def test_the_brush_is_never_smaller_than_a_voxel_or_larger_than_a_vertebra(desk, asked, given):
    desk.editor.setBrush(asked, False)
    assert desk.editor.brushMm == given
    assert [desk.editor.effect(effect).get_brush_diameter() for effect in (SegmentationEffectPaint, SegmentationEffectErase)] == [given, given]


def test_the_brush_grows_and_shrinks_by_the_same_steps(desk):
    desk.editor.setBrush(10, True)
    desk.editor.growBrush(2)
    assert desk.editor.brushMm == pytest.approx(10 * BRUSH_STEP**2)
    desk.editor.growBrush(-2)
    assert desk.editor.brushMm == pytest.approx(10)
    assert desk.editor.isSphere
    desk.editor.growBrush(100)
    assert desk.editor.brushMm == LARGEST_BRUSH_MM
    desk.editor.growBrush(-100)
    assert desk.editor.brushMm == SMALLEST_BRUSH_MM


@pytest.mark.parametrize("isSphere", [True, False])
def test_all_brushes_have_one_size_and_shape(desk, isSphere):
    desk.editor.setBrush(6, isSphere)
    for effectType in (SegmentationEffectPaint, SegmentationEffectErase, SmoothingOfOneLevel):
        effect = desk.editor.effect(effectType)
        assert (effect.get_brush_diameter(), effect.is_sphere_brush()) == (6, isSphere)


def test_the_other_brushes_follow_the_one_that_was_turned_in_a_view(desk):
    desk.editor.setBrush(6, False)
    desk.editor.setTool(Tool.PAINT)
    desk.editor.effect(SegmentationEffectPaint).increase_brush_size(1.5)
    assert desk.editor.brushFromViews() == 9
    assert desk.editor.effect(SegmentationEffectErase).get_brush_diameter() == 9
    assert desk.editor.effect(SmoothingOfOneLevel).get_brush_diameter() == 9
    desk.editor.effect(SegmentationEffectPaint).increase_brush_size(100)
    assert desk.editor.brushFromViews() == LARGEST_BRUSH_MM
    assert desk.editor.effect(SegmentationEffectPaint).get_brush_diameter() == LARGEST_BRUSH_MM


def test_only_the_brush_in_use_is_asked_for_its_size(desk):
    desk.editor.setBrush(6, False)
    desk.editor.setTool(Tool.SCISSORS)
    desk.editor.effect(SegmentationEffectPaint).increase_brush_size(2)
    assert desk.editor.brushFromViews() == 6
    desk.editor.setTool(Tool.ERASE)
    assert desk.editor.brushFromViews() == 6


# Threshold. Row 7 has the intensities 70 to 77: L5 in columns 1 to 4, the canal in column 6.


@pytest.mark.parametrize(
    ("area", "expected"),
    [
        (Area.EVERYWHERE, {"L5?": 36 + 3 + 3 + 3 + 3, "Spinal canal": 33}),
        (Area.OUTSIDE_ALL, {"L5?": 36 + 3 + 3 + 3}),
        (Area.INSIDE_ALL, {"L5?": 36 + 3, "Spinal canal": 33}),
        # Inside the level itself there is nothing to add: it keeps the range only.
        (Area.INSIDE_SELECTED, {"L5?": 12}),
    ],
)
def test_the_threshold_adds_the_range_where_tools_may_draw(desk, area, expected):
    desk.editor.setArea(area)
    desk.editor.applyThreshold(70, 79)
    assert changed(desk) == expected
    desk.history.undo()
    assert changed(desk) == {}


def test_the_ends_of_the_range_belong_to_it(desk):
    desk.editor.applyThreshold(75, 75)
    assert changed(desk) == {"L5?": 36 + 3}
    desk.editor.setArea(Area.INSIDE_SELECTED)
    desk.editor.applyThreshold(71, 75)
    assert changed(desk) == {"L5?": 12 + 3}


def test_the_threshold_without_a_level_is_refused_in_words(desk):
    desk.editor.select("")
    with pytest.raises(InputError, match="select the level to draw into first"):
        desk.editor.applyThreshold(0, 100)
    assert changed(desk) == {}


def test_the_automatic_threshold_parts_the_image_and_is_shown(desk):
    with pytest.raises(InputError, match="take the threshold tool up first"):
        desk.editor.automaticThreshold()
    desk.editor.setTool(Tool.THRESHOLD)
    low, high = desk.editor.automaticThreshold()
    assert 45 < low < 72
    assert high == 117
    assert desk.editor.effect(EFFECTS[Tool.THRESHOLD]).get_threshold_min_max_values() == (low, high)
    desk.editor.setThreshold(20, 30)
    assert desk.editor.effect(EFFECTS[Tool.THRESHOLD]).get_threshold_min_max_values() == (20, 30)


# Islands: beside the 36 voxels of L5, nine in front of the bodies above and three of a corner.


@pytest.fixture
def pieces(desk):
    desk.editor.setTool(Tool.PAINT)
    desk.stroke(box(slice(0, 3), FRONT))
    desk.stroke(box(slice(11, 12), FRONT))
    desk.editor.setTool(Tool.ISLANDS)
    assert changed(desk) == {"L5?": 36 + 9 + 3}
    return desk


@pytest.mark.parametrize(
    ("mode", "leastVoxels", "left"),
    [("keepLargest", 1, 36), ("removeSmall", 3, 36 + 9 + 3), ("removeSmall", 4, 36 + 9), ("removeSmall", 10, 36), ("removeSmall", 37, 0)],
)
def test_islands_are_left_by_their_size(pieces, mode, leastVoxels, left):
    pieces.editor.setIslands(mode, leastVoxels)
    pieces.editor.applyIslands()
    assert changed(pieces) == ({} if left == 36 else {"L5?": left})


@pytest.mark.parametrize(("mode", "left"), [("keepClicked", 9), ("removeClicked", 36 + 3)])
def test_islands_to_be_clicked_wait_for_the_click(pieces, mode, left):
    pieces.editor.setIslands(mode, 1)
    pieces.editor.applyIslands()
    assert changed(pieces) == {"L5?": 36 + 9 + 3}
    pieces.editor.effect(SegmentationEffectIslands).select_island_at_position(columnPoint(0, 1, 1))
    assert changed(pieces) == {"L5?": left}


def test_islands_are_one_step_of_the_history(pieces):
    pieces.editor.setIslands("keepLargest", 1)
    pieces.editor.applyIslands()
    pieces.history.undo()
    assert changed(pieces) == {"L5?": 36 + 9 + 3}


# Smoothing


@pytest.mark.parametrize("mode", SMOOTHING)
def test_smoothing_changes_the_selected_level_only(desk, mode):
    desk.editor.setTool(Tool.PAINT)
    # L5 below its disc, too: what is closed would take the disc between.
    desk.stroke(box(slice(11, 12), BODY))
    before = {value: desk.mask(value) for value in (L4, L3, 201, 202, 203, CANAL)}
    desk.editor.setTool(Tool.SMOOTHING)
    desk.editor.setSmoothing(mode, 1.0 if mode == "gaussian" else 3.0)
    mask = desk.mask(L5)
    desk.editor.applySmoothing()
    assert (desk.mask(L5) != mask).any()
    for value, expected in before.items():
        assert np.array_equal(desk.mask(value), expected)
    assert set(changed(desk)) <= {"L5?"}
    desk.history.undo()
    assert np.array_equal(desk.mask(L5), mask)


def test_closing_would_take_the_disc_if_it_were_not_held_back(desk):
    desk.editor.setTool(Tool.PAINT)
    desk.stroke(box(slice(11, 12), BODY))
    desk.app.segmentation_editor.set_active_effect_type(SegmentationEffectSmoothing)
    desk.app.segmentation_editor.get_effect(SegmentationEffectSmoothing).apply_closing(3.0, desk.idOf(L5))
    assert desk.voxels()["L5/S1?"] == 0


def test_the_smoothing_brush_smooths_under_itself_only(desk):
    desk.editor.setTool(Tool.PAINT)
    desk.stroke(box(slice(7, 8), FRONT) | box(slice(9, 10), FRONT))
    desk.editor.setTool(Tool.SMOOTHING)
    desk.editor.setSmoothing("opening", 3.0)
    before = desk.mask(L5)
    brush = desk.app.segmentation_editor.create_modifier_labelmap()
    imageArray(brush)[...] = box(slice(9, 10), ALL_COLUMNS)
    desk.editor.effect(SmoothingOfOneLevel).apply_smoothing(brush)
    gone = before & ~desk.mask(L5)
    assert gone.any()
    assert not (gone & ~box(slice(9, 10), ALL_COLUMNS)).any()
    assert set(changed(desk)) == {"L5?"}


@pytest.mark.parametrize(("action", "word"), [("applyIslands", "islands"), ("applySmoothing", "smoothing")])
def test_what_is_applied_needs_a_level_and_its_tool(desk, action, word):
    with pytest.raises(InputError, match=f"take the {word} tool up first"):
        getattr(desk.editor, action)()
    desk.editor.select("")
    with pytest.raises(InputError, match="select a level first"):
        getattr(desk.editor, action)()
    assert changed(desk) == {}
