"""Buttons of the page: why each of them is disabled, what an action may not do, and the tools' and display's options."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import slicer
from trame_slicer.segmentation import SegmentationEffectErase, SegmentationEffectIslands, SegmentationEffectPaint

from command_line import file_size_limit
from mrml_scene import COLUMN, named
from small_project import make_project
from SpiderSegLib.errors import InputError
from SpiderSegLib.level_names import LevelNaming
from SpiderSegLib.mrml.segmentations import SegmentInfo, forgetPrediction
from SpiderSegLib.mrml.volumes import imageArray
from SpiderSegLib.volume import Volume
from SpiderSegLib.workstation.bench import AUTOSAVE_DELAY_S
from SpiderSegLib.workstation.controls.display_controls import CLOSED_SURFACE
from SpiderSegLib.workstation.editor import EFFECTS, ISLANDS, SCISSORS, SMOOTHING, SmoothingOfOneLevel, Tool
from SpiderSegLib.workstation.ui import state as page_state
from workstation_place import Workplace, workplace
from workstation_scene import box

OPEN_FIRST = "Open a series first."
NO_LEVELS = "There are no levels yet: segment the series first."
NO_SEGMENTATION = "There is no segmentation yet: segment the series first."
NOTHING_TO_WORK_ON = "There is no segmentation yet: segment the series, or begin with an empty one."
NOTHING_TO_DRAW_INTO = "Segment the series first, or begin with an empty segmentation."
SELECT_ONE = "Select one level in the table first."
NO_PROJECT = "This series belongs to no project: export it instead."

TOOLS = tuple(tool.value for tool in Tool if tool is not Tool.NOTHING)
DRAWING = (*TOOLS, "applyThreshold", "autoThreshold", "applyIslands", "applySmoothing")
VIEWING = ("windowLevel", "fit", "autoWindow", "resetWindow", "scroll", "zoom", "slice")
NAMING = ("shiftUp", "confirm", "unidentified", "lumbarCount")
OF_ONE_LEVEL = ("split", "removeIslands", "fillHoles", "smoothLevel")
SAVING = ("export", "report", "save", "checkFindings")


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Workplace]:
    with workplace(tmp_path) as place:
        yield place


def disabled(place: Workplace) -> dict[str, str]:
    return {name: why for name, why in place.state.can.items() if why}


def expected(*groups: tuple[tuple[str, ...], str]) -> dict[str, str]:
    return {name: why for names, why in groups for name in names}


# Why not


def test_while_nothing_is_open_every_button_says_so(place):
    assert disabled(place) == expected(
        (VIEWING, OPEN_FIRST),
        (("segment", "startEmpty", "save", "checkFindings", "nextFinding", "done", "flag", "approve"), OPEN_FIRST),
        (DRAWING, NOTHING_TO_DRAW_INTO),
        ((*NAMING, "shiftDown", "partial", "renameLevel", "isolate", "nextUncertain"), NO_LEVELS),
        ((*OF_ONE_LEVEL, "merge", "addVertebra", "addDisc", "redraw", "revert", "addSegment", "deleteSegment"), NOTHING_TO_WORK_ON),
        (("export", "report", "dicomSeg"), OPEN_FIRST),
        (("overlay", "surfaces"), "There is no segmentation yet."),
        (("setLevel",), "Select one segment in the table first."),
        (("sideBySide",), "No other series of the patient is open."),
        (("nextCase", "showCases"), "No project is open."),
        (("previousCase",), "No case was open before this one."),
        (("undo",), "There is nothing to undo."),
        (("redo",), "There is nothing to redo."),
        (("cancelRun",), "Nothing runs."),
    )


def test_a_series_can_be_segmented_or_begun_with_an_empty_segmentation(place):
    before = disabled(place)
    place.openLoose()
    after = disabled(place)
    assert set(before) - set(after) == {"segment", "startEmpty", *VIEWING}
    assert {name: after[name] for name in ("save", "checkFindings", "nextFinding")} == dict.fromkeys(
        ("save", "checkFindings", "nextFinding"), NO_SEGMENTATION
    )
    assert {name: after[name] for name in ("done", "flag", "approve")} == dict.fromkeys(("done", "flag", "approve"), NO_PROJECT)
    assert after["dicomSeg"] == NO_SEGMENTATION
    assert place.state.levelState["text"] == "Segment draws and names every vertebra, disc and the canal."


def test_a_segmented_series_can_be_corrected_and_exported(place):
    place.openColumn()
    assert disabled(place) == expected(
        (("done", "flag", "approve"), NO_PROJECT),
        (("nextCase", "showCases"), "No project is open."),
        (("startEmpty",), "There is a segmentation already."),
        (("dicomSeg",), "Only for series that were opened from DICOM: the file refers to the original images."),
        (("merge",), "Select two or more levels first: Ctrl and click."),
        (("nextUncertain",), "No level of this segmentation was drawn by the model."),
        (
            ("shiftDown",),
            "The lowest level is 1 already. A lumbarized S1 is set by six lumbar vertebrae; delete a segment that is no vertebra.",
        ),
        (("sideBySide",), "No other series of the patient is open."),
        (("previousCase",), "No case was open before this one."),
        (("undo",), "There is nothing to undo."),
        (("redo",), "There is nothing to redo."),
        (("cancelRun",), "Nothing runs."),
    )


def test_what_works_on_one_level_says_so_when_several_are_selected(place):
    place.openColumn()
    before = disabled(place)
    place.act("selectLevel", place.idOf(2), True)
    after = disabled(place)
    assert set(before) - set(after) == {"merge"}
    assert {name: after[name] for name in set(after) - set(before)} == expected(
        ((*OF_ONE_LEVEL, "partial", "renameLevel", "redraw", "revert"), SELECT_ONE), (("setLevel",), "Select one segment in the table first.")
    )


@pytest.mark.parametrize(("value", "isDrawable"), [(202, True), (100, False)])
def test_what_is_for_vertebrae_only_says_so_of_the_rest(place, value, isDrawable):
    place.openColumn()
    place.act("selectLevel", place.idOf(value))
    assert place.why("partial", "renameLevel") == {"Select a vertebra: discs and the canal have no such mark."}
    assert place.why("redraw") == {"" if isDrawable else "Select a vertebra or a disc: the model draws nothing else anew."}


def test_without_a_selected_level_nothing_can_be_drawn(place):
    place.openColumn()
    place.act("deleteSegment")
    assert place.why(*DRAWING) == {"Select the level to draw into first."}
    assert place.why("deleteSegment", "isolate") == {"Select a level in the table first."}
    assert place.why(*OF_ONE_LEVEL, "partial", "redraw") == {SELECT_ONE}


def test_a_segmentation_that_no_model_drew_keeps_no_prediction(place):
    place.openColumn()
    place.do(lambda: forgetPrediction(place.node))
    assert place.why("revert", "overlay") == {"This segmentation keeps no prediction: it was not made by SpiderSeg."}
    place.openLoose()
    place.act("startEmpty")
    assert place.why("overlay") == {"This segmentation keeps no prediction: it was not made by SpiderSeg."}


def test_an_empty_segmentation_takes_segments_and_nothing_else(place):
    place.openLoose()
    place.act("startEmpty")
    assert place.why("addSegment", "addVertebra", "addDisc") == {""}
    assert place.why(*NAMING) == {NO_LEVELS}
    place.act("addSegment")
    assert place.why("paint", "setLevel") == {""}
    place.act("setLevel", 1)
    assert named(place.node) == ["L5?"]
    assert place.why("confirm") == {""}


def test_series_of_a_patient_can_be_shown_beside_each_other(place, tmp_path):
    place.openProject(make_project(tmp_path / "project"))
    place.act("openCase", "p1_t2")
    assert place.why("sideBySide") == {""}
    place.act("openCase", "p2_t2")
    assert place.why("sideBySide") == {"No other series of the patient is open."}


def test_the_page_knows_every_button_that_can_be_disabled(place):
    actions = {name for part in place.bench.parts for name in part.actions}
    # A shift has two buttons, and some buttons set an option or one of the tools.
    others = {"shiftUp", "shiftDown", "dicomSeg", "overlay", "surfaces", "sideBySide", "windowLevel", *TOOLS}
    assert set(place.state.can) <= actions | others
    assert set(place.state.to_dict()) >= set(page_state.defaults())


# Actions


def test_an_unknown_action_is_logged_and_harmless(place, caplog):
    place.openColumn()
    before = disabled(place)
    with caplog.at_level(logging.ERROR):
        place.act("formatDisk", "now")
    assert "the page asked for the unknown action 'formatDisk'" in caplog.text
    assert place.state.notice is None
    assert disabled(place) == before


def test_what_an_action_refuses_is_told_as_an_error(place):
    place.openColumn()
    place.act("selectLevel", place.idOf(100))
    place.act("partial")
    assert place.state.notice["kind"] == "error"
    assert place.state.notice["text"] == "Spinal canal: only vertebrae are marked as cut by the field of view"
    place.act("partial")
    assert place.state.notice["id"] == 2
    place.act("dismissNotice")
    assert place.state.notice is None


def test_an_internal_error_is_logged_and_told(place, caplog):
    place.openColumn()
    with caplog.at_level(logging.ERROR):
        place.act("shift", "up")
    assert "internal error in shift" in caplog.text
    kind, text = place.notice
    assert kind == "error"
    assert text.startswith("Internal error: ValueError:")
    assert text.endswith("Please report it with `spiderseg version`.")


def test_the_page_is_not_busy_after_an_action_however_it_ends(place):
    shown: list[str] = []

    async def fails() -> None:
        asyncio.get_running_loop().call_soon(lambda: shown.append(place.state.busy))
        await place.bench.busy("Working ..")
        # The page had the time to show it.
        assert shown == ["Working .."]
        raise InputError("no")

    place.opening.actions = {**place.opening.actions, "openSeries": fails}
    place.act("openSeries")
    assert (shown, place.state.busy) == (["Working .."], "")
    assert place.notice == ("error", "no")


def test_actions_are_done_one_after_another(place):
    told = []

    async def slow(name: str) -> None:
        told.append(f"{name} begins")
        await place.bench.busy(name)
        told.append(f"{name} ends")

    place.opening.actions = {**place.opening.actions, "openSeries": slow}

    async def both() -> None:
        await asyncio.gather(*(place.bench.perform("openSeries", name) for name in ("first", "second")))

    place.do(both)
    assert told == ["first begins", "first ends", "second begins", "second ends"]


def test_many_changes_are_answered_once(place):
    refreshed = []
    refresh = place.levels.refresh
    place.levels.refresh = lambda: (refreshed.append(1), refresh())[1]
    place.happens(*([place.bench.refreshLater] * 20))
    place.until(lambda: bool(refreshed))
    place.happens(place.bench.refresh)
    assert len(refreshed) == 2


def test_strokes_that_follow_each_other_are_kept_once(place):
    kept: list[bool] = []
    isLater: list[bool] = []
    work = place.openColumn()
    place.until(lambda: any(place.folder.glob("kept/*.seg.nrrd")))
    autosave = work.autosave
    work.autosave = lambda: (kept.append(True), autosave())[1]
    # A timer that was set behind all of theirs runs out behind them.
    place.happens(*([place.bench.keepLater] * 5), lambda: asyncio.get_running_loop().call_later(AUTOSAVE_DELAY_S, isLater.append, True))
    place.until(lambda: bool(isLater))
    assert len(kept) == 1


def test_a_full_disk_is_told_and_does_not_stop_the_work(place):
    place.openColumn()
    with file_size_limit(100):
        place.do(place.bench.keepNow)
    kind, text = place.notice
    assert kind == "error"
    assert text.startswith("The unsaved edit could not be kept: ")
    place.act("shift", 1)
    assert named(place.node)[0] == "L4?"


def test_when_the_process_ends_the_edit_is_kept(place):
    place.openColumn()
    place.act("split")
    place.do(place.bench.shutDown)
    assert any(place.folder.glob("kept/*.seg.nrrd"))
    assert not place.bench.clicks.isActive


# Tools


def test_a_tool_is_taken_up_and_put_down_by_the_same_button(place):
    place.openColumn()
    for name in (*TOOLS, "windowLevel"):
        place.act("tool", name)
        assert place.state.tool == name
    place.act("tool", "windowLevel")
    assert place.state.tool == ""
    place.act("tool", "scissors")
    place.act("tool", "")
    assert place.state.tool == ""


def test_window_and_level_are_changed_with_the_mouse_until_another_tool_is_taken_up(place):
    def mode() -> int:
        return int(place.app.scene.GetNodeByID("vtkMRMLInteractionNodeSingleton").GetCurrentInteractionMode())

    place.openColumn()
    place.act("tool", "windowLevel")
    assert mode() == slicer.vtkMRMLInteractionNode.AdjustWindowLevel
    assert place.bench.editor.tool is Tool.NOTHING
    place.act("tool", "paint")
    assert mode() == slicer.vtkMRMLInteractionNode.ViewTransform
    assert place.state.tool == "paint"


def test_options_of_the_page_are_those_of_the_tools(place):
    place.openColumn()
    editor = place.bench.editor
    place.set(brushMm="7.5", sphereBrush=False)
    assert [editor.effect(effect).get_brush_diameter() for effect in (SegmentationEffectPaint, SegmentationEffectErase)] == [7.5, 7.5]
    assert not editor.effect(SegmentationEffectPaint).is_sphere_brush()
    for mode, expectedMode in ISLANDS.items():
        place.set(islandsMode=mode, islandVoxels="12")
        assert editor.effect(SegmentationEffectIslands).get_island_mode() == expectedMode
    assert editor.effect(SegmentationEffectIslands).get_minimum_island_size() == 12
    for mode, expectedMode in SMOOTHING.items():
        place.set(smoothingMode=mode, smoothingMm=3)
        assert editor.effect(SmoothingOfOneLevel).smoothing_mode == expectedMode
    assert editor.effect(SmoothingOfOneLevel).kernel_size == 3


def test_what_the_page_offers_for_a_tool_exists():
    defaults = page_state.defaults()
    assert defaults["scissorsMode"] in SCISSORS
    assert defaults["islandsMode"] in ISLANDS
    assert defaults["smoothingMode"] in SMOOTHING


def test_the_brush_s_size_on_the_page_follows_the_wheel_and_the_keys(place):
    place.openColumn()
    place.set(brushMm=8)
    place.act("growBrush", 1)
    assert place.state.brushMm == 10
    place.act("tool", "paint")
    place.do(lambda: place.bench.editor.effect(SegmentationEffectPaint).increase_brush_size(1.2))
    assert place.state.brushMm == 12
    place.act("growBrush", -100)
    assert place.state.brushMm == 0.5


def test_the_threshold_begins_with_the_brighter_half_of_each_image(place):
    place.openLoose()
    # 0 to 117 in steps of 1.
    assert (place.state.thresholdLimits, place.state.threshold) == ([0, 117, 1], [58.5, 117])
    place.set(threshold=[20, 30], thresholdMask=True)
    place.openLoose()
    assert (place.state.threshold, place.state.thresholdMask) == ([58.5, 117], False)
    assert place.bench.editor.effect(EFFECTS[Tool.THRESHOLD]).get_threshold_min_max_values() == (58.5, 117)


def test_the_threshold_s_steps_suit_images_of_small_numbers(place):
    place.openLoose(Volume(np.linspace(0, 2, 288, dtype=np.float32).reshape(COLUMN.shape_kji), COLUMN, "fractions"))
    assert place.state.thresholdLimits == [0, 2, 0.01]
    place.openLoose(Volume(np.full(COLUMN.shape_kji, 7, np.int16), COLUMN, "flat"))
    assert place.state.thresholdLimits == [7, 7, 0.01]


def test_the_threshold_is_applied_to_the_selected_level(place):
    place.openColumn()
    place.set(threshold=[70, 79], editArea="outsideAll")
    place.act("applyThreshold")
    assert place.mask(1).sum() == 36 + 9
    place.act("undo")
    assert place.mask(1).sum() == 36
    place.act("tool", "threshold")
    place.act("autoThreshold")
    assert 45 < place.state.threshold[0] < 72
    assert place.state.threshold[1] == 117


def test_painting_in_the_threshold_s_range_only(place):
    def paint() -> None:
        modifier = place.app.segmentation_editor.active_segment_modifier
        labelmap = modifier.create_modifier_labelmap()
        imageArray(labelmap)[...] = box(slice(7, 8), slice(0, 8))
        modifier.apply_labelmap(labelmap)

    place.openColumn()
    place.act("tool", "paint")
    place.set(threshold=[70, 70], thresholdMask=True)
    place.do(paint)
    assert place.mask(1).sum() == 36 + 3
    place.set(thresholdMask=False)
    place.do(paint)
    assert place.mask(1).sum() == 36 + 12


def test_islands_and_smoothing_are_applied_to_the_selected_level(place):
    place.openColumn()
    place.act("tool", "islands")
    place.set(islandsMode="removeSmall", islandVoxels=37)
    place.act("applyIslands")
    assert place.mask(1).sum() == 0
    place.act("undo")
    place.act("tool", "smoothing")
    place.set(smoothingMode="median", smoothingMm=3)
    place.act("applySmoothing")
    assert 0 < place.mask(1).sum() < 36


# Display


def test_the_segmentation_is_shown_as_the_page_says(place):
    place.openColumn()
    display = place.node.GetDisplayNode()
    place.set(opacity=0.25, outlineOnly=False, segmentationShown=True)
    assert (display.GetOpacity2DFill(), display.GetVisibility2DFill(), display.GetVisibility()) == (0.25, 1, 1)
    place.set(outlineOnly=True)
    assert (display.GetVisibility2DFill(), display.GetVisibility2DOutline()) == (0, 1)
    place.set(segmentationShown=False)
    assert display.GetVisibility() == 0
    # The next one looks the same.
    place.openColumn()
    assert place.node.GetDisplayNode() is not display
    assert (place.node.GetDisplayNode().GetOpacity2DFill(), place.node.GetDisplayNode().GetVisibility()) == (0.25, 0)


def test_levels_are_colored_by_confidence_until_they_are_not(place):
    place.openColumn(SegmentInfo(LevelNaming(), "unetr-2", {1: 0.3}))

    def color() -> list[float]:
        found = [0.0, 0.0, 0.0]
        place.node.GetDisplayNode().GetSegmentColor(place.idOf(1), found)
        return found

    own = color()
    place.set(confidenceColors=True)
    assert color() == pytest.approx([0.95, 0.6, 0.1])
    place.set(confidenceColors=False)
    assert color() == own


def test_surfaces_are_made_only_for_a_view_that_shows_them(place):
    place.openColumn()
    place.set(surfaces=True)
    assert not place.node.GetSegmentation().ContainsRepresentation(CLOSED_SURFACE)
