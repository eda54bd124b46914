"""The level table, and the tools that say which level is which: shift, count, rename, partial, confirm; each one step of undo."""

from __future__ import annotations

import numpy as np
import pytest
import vtk

from mrml_scene import COLUMN, columnLabels, columnPoint, idOf, named
from SpiderSegLib.errors import InputError, LabelError
from SpiderSegLib.labels import LevelState, Structure, label_table
from SpiderSegLib.level_names import LevelNaming
from SpiderSegLib.mrml.history import NoHistory
from SpiderSegLib.mrml.levels import (
    confirmLevels,
    countsAndCenters,
    leastCertain,
    levelRows,
    markUnidentified,
    renameLevel,
    setLevel,
    setLumbarCount,
    shiftLevels,
    togglePartial,
    unconfirmLevels,
)
from SpiderSegLib.mrml.segmentations import SegmentInfo, labelmapOf
from SpiderSegLib.mrml.segments import applyTags, namingOf, segmentIds, segmentOf, setMask, taggedSegments
from SpiderSegLib.phantom import SAGITTAL_DIRECTION
from SpiderSegLib.segment_tags import SegmentTags
from SpiderSegLib.volume import Geometry

pytestmark = pytest.mark.mrml

ASSUMED, CONFIRMED, TRANSITIONAL, UNIDENTIFIED = LevelState.ASSUMED, LevelState.CONFIRMED, LevelState.TRANSITIONAL, LevelState.UNIDENTIFIED

AS_FOUND = ["L5?", "L4?", "L3?", "L5/S1?", "L4/L5?", "L3/L4?", "Spinal canal"]
CONFIDENCES = {1: 0.9, 2: 0.5, 3: 0.7, 201: 0.5, 100: 0.6}


def values(node):
    return [tags.value for _, _, tags in taggedSegments(node)]


def code(node, value):
    text = vtk.reference("")
    segmentOf(node, idOf(node, value)).GetTag("TerminologyEntry", text)
    return str(text).split("~")[2]


def row(node, value):
    return next(found for found in levelRows(node) if found.value == value)


def state(node):
    """All that a level tool may change, and the voxels it must not."""
    segments = [segmentOf(node, segmentId) for segmentId in segmentIds(node)]
    return (
        [(segment.GetName(), segment.GetColor()) for segment in segments],
        [tags for _, _, tags in taggedSegments(node)],
        [code(node, value) for value in values(node)],
    )


# ---------------------------------------------------------------------------------------------- the table


def test_rows_tell_name_value_structure_volume_and_center(mrml):
    node = mrml.newColumn(SegmentInfo(confidences=CONFIDENCES)).node
    rows = levelRows(node)
    assert [found.name for found in rows] == AS_FOUND
    l5 = rows[0]
    assert (l5.value, l5.structure, l5.state, l5.isPartial, l5.confidence) == (1, Structure.VERTEBRA, ASSUMED, False, 0.9)
    assert l5.segmentId == idOf(node, 1)
    assert l5.fullName == "Lumbar vertebra 1 (level assumed: L5)"
    # 3 rows of 4 voxels in 3 slices, 4 mm3 each.
    assert l5.volumeMm3 == 36 * 4.0
    assert l5.centerRas == columnPoint(2.5, 8, 1) == (0.0, -4.5, 2.0)
    assert [round(255 * part) for part in l5.color] == list(label_table()[1].color_rgba[:3])
    assert l5.isVisible
    assert [found.volumeMm3 for found in rows] == [144, 144, 96, 48, 48, 48, 144]
    assert row(node, 100).centerRas == columnPoint(6, 5.5, 1)


def test_rows_run_vertebrae_discs_canal_and_then_what_has_no_level(mrml):
    case = mrml.newColumn()
    mask = np.zeros(COLUMN.shape_kji, bool)
    mask[0, 11, :2] = True
    for name in ("cyst", "T12", "L2 (partial)"):
        setMask(case.node, case.node.GetSegmentation().AddEmptySegment("", name), mask)
    rows = levelRows(case.node)
    assert [found.name for found in rows] == ["L5?", "L4?", "L3?", "L2 (partial)", "T12", *AS_FOUND[3:], "cyst"]
    cyst, partial = rows[-1], rows[3]
    assert (cyst.value, cyst.structure, cyst.state, cyst.confidence, cyst.fullName) == (0, None, None, None, "cyst")
    assert cyst.volumeMm3 == 8.0
    assert partial.isPartial
    assert partial.fullName == "Lumbar vertebra 4, partial (level assumed: L2)"
    assert partial.confidence is None


def test_an_empty_level_has_no_center(mrml):
    case = mrml.newColumn()
    setMask(case.node, idOf(case.node, 1), np.zeros(COLUMN.shape_kji, bool))
    assert (row(case.node, 1).volumeMm3, row(case.node, 1).centerRas) == (0.0, None)
    assert levelRows(mrml.newCase(np.zeros(COLUMN.shape_kji, np.uint8), COLUMN).node) == []


def test_centers_are_in_the_world(mrml):
    case = mrml.newColumn()
    case.node.SetAndObserveTransformNodeID(mrml.newTransform([[0, -1, 0, 0], [1, 0, 0, 0], [0, 0, 1, 7], [0, 0, 0, 1]]).GetID())
    # RAS (0, -4.5, 2) turns to (4.5, 0, 2) and moves to (4.5, 0, 9).
    assert row(case.node, 1).centerRas == pytest.approx((4.5, 0.0, 9.0))


def test_overlapping_segments_are_counted_whole(mrml):
    case = mrml.newColumn()
    setMask(case.node, idOf(case.node, 1), np.ones(COLUMN.shape_kji, bool))
    assert row(case.node, 1).volumeMm3 == 8 * 12 * 3 * 4
    assert row(case.node, 2).volumeMm3 == 144


def test_hidden_segments_are_marked(mrml):
    case = mrml.newColumn()
    case.node.GetDisplayNode().SetSegmentVisibility(idOf(case.node, 2), False)
    assert [found.name for found in levelRows(case.node) if not found.isVisible] == ["L4?"]


def test_surfaces_have_names_but_no_volumes(mrml):
    sphere = vtk.vtkSphereSource()
    sphere.Update()
    node = mrml.scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "surfaces")
    node.SetSourceRepresentationToClosedSurface()
    node.AddSegmentFromClosedSurfaceRepresentation(sphere.GetOutput(), "vertebrae_L4", [1.0, 0.0, 0.0])
    [found] = levelRows(node)
    assert (found.name, found.value, found.volumeMm3, found.centerRas) == ("vertebrae_L4", 2, 0.0, None)
    node.SetReferenceImageGeometryParameterFromVolumeNode(mrml.newVolume(COLUMN))
    assert levelRows(node)[0].volumeMm3 == 0.0


def test_counts_and_centers_of_labels():
    labels = np.zeros((2, 2, 3), np.uint8)
    labels[0, 0] = 2
    labels[1, 1, 2] = 1
    counts, centers = countsAndCenters(labels, 4)
    assert counts[1:].tolist() == [1, 3, 0]
    assert centers[1].tolist() == [1, 1, 2]
    assert centers[2].tolist() == [0, 0, 1]


# ---------------------------------------------------------------------------------------------- least certain


def test_the_least_certain_level_comes_first_then_the_next_and_round_again(mrml):
    node = mrml.newColumn(SegmentInfo(confidences=CONFIDENCES)).node
    rows = levelRows(node)
    found = leastCertain(rows)
    order = []
    for _ in range(6):
        order.append(found.name)
        found = leastCertain(rows, found.segmentId)
    # 0.5 twice, the lower value first; L4/L5 and L3/L4 have no confidence.
    assert order == ["L4?", "L5/S1?", "Spinal canal", "L3?", "L5?", "L4?"]


def test_after_a_segment_without_confidence_it_starts_at_the_least_certain(mrml):
    rows = levelRows(mrml.newColumn(SegmentInfo(confidences=CONFIDENCES)).node)
    unsure = next(found for found in rows if found.confidence is None)
    assert leastCertain(rows, unsure.segmentId).name == "L4?"
    assert leastCertain(rows, "gone").name == "L4?"


def test_without_confidences_there_is_no_least_certain_level(mrml):
    assert leastCertain(levelRows(mrml.newColumn().node)) is None
    assert leastCertain([]) is None


def test_an_empty_level_is_nothing_to_look_at(mrml):
    case = mrml.newColumn(SegmentInfo(confidences=CONFIDENCES))
    setMask(case.node, idOf(case.node, 2), np.zeros(COLUMN.shape_kji, bool))
    assert leastCertain(levelRows(case.node)).name == "L5/S1?"


# ---------------------------------------------------------------------------------------------- shift


def test_levels_shift_up_with_their_discs_and_the_canal_stays(mrml):
    case = mrml.newColumn()
    shiftLevels(case.node, 1, case.history)
    assert named(case.node) == ["L4?", "L3?", "L2?", "L4/L5?", "L3/L4?", "L2/L3?", "Spinal canal"]
    labels = columnLabels()
    expected = np.where((labels > 0) & (labels != 100), labels + 1, labels)
    assert np.array_equal(labelmapOf(case.node, case.volumeNode).labelmap.array, expected)


def test_levels_shift_back_down_to_what_they_were(mrml):
    case = mrml.newColumn(SegmentInfo(model_id="m", confidences=CONFIDENCES))
    before = state(case.node)
    shiftLevels(case.node, 2, case.history)
    assert named(case.node)[:3] == ["L3?", "L2?", "L1?"]
    shiftLevels(case.node, -2, case.history)
    assert state(case.node) == before


def test_colors_and_confidences_go_with_the_bodies_they_belong_to(mrml):
    case = mrml.newColumn(SegmentInfo(confidences=CONFIDENCES))
    shiftLevels(case.node, 1, case.history)
    assert row(case.node, 2).confidence == 0.9
    assert [round(255 * part) for part in row(case.node, 2).color] == list(label_table()[2].color_rgba[:3])


def test_the_lowest_level_can_t_be_shifted_down_and_nothing_changes(mrml):
    case = mrml.newColumn()
    before = state(case.node)
    with pytest.raises(LabelError, match="six lumbar vertebrae"):
        shiftLevels(case.node, -1, case.history)
    assert state(case.node) == before
    assert not case.history.editorLogic.CanUndo()


def test_levels_do_not_shift_beyond_the_scheme(mrml):
    case = mrml.newColumn()
    shiftLevels(case.node, 22, case.history)
    assert values(case.node) == [23, 24, 25, 223, 224, 225, 100]
    before = state(case.node)
    with pytest.raises(LabelError, match="would get level 26"):
        shiftLevels(case.node, 1, case.history)
    assert state(case.node) == before


def test_partial_vertebrae_shift_as_partial_ones(mrml):
    case = mrml.newCase(np.where(columnLabels() == 3, 103, columnLabels()).astype(np.uint8), COLUMN)
    shiftLevels(case.node, 1, case.history)
    assert values(case.node) == [2, 3, 104, 202, 203, 204, 100]
    assert "L2? (partial)" in named(case.node)


def test_a_shift_takes_own_names_and_a_confirmation_with_it(mrml):
    naming = LevelNaming(TRANSITIONAL, 6, {3: "T13"})
    case = mrml.newColumn(SegmentInfo(naming))
    assert named(case.node)[:3] == ["L6", "L5", "T13"]
    shiftLevels(case.node, 1, case.history)
    assert namingOf(case.node) == LevelNaming(ASSUMED, 6)
    assert named(case.node)[:3] == ["L5?", "L4?", "L3?"]
    confirmed = mrml.newColumn(SegmentInfo(LevelNaming(CONFIRMED)))
    assert code(confirmed.node, 1) == "SCT^49668003^Fifth lumbar vertebra"
    shiftLevels(confirmed.node, 1, confirmed.history)
    assert namingOf(confirmed.node) == LevelNaming(ASSUMED)
    assert code(confirmed.node, 2) == "SCT^51282000^Vertebra"


def test_unidentified_levels_stay_unidentified_in_a_shift(mrml):
    case = mrml.newColumn(SegmentInfo(LevelNaming(UNIDENTIFIED)))
    shiftLevels(case.node, 1, case.history)
    assert named(case.node)[:4] == ["Vertebra 2", "Vertebra 3", "Vertebra 4", "Disc 2"]


def test_segments_named_by_hand_shift_too_and_those_without_a_level_stay(mrml):
    case = mrml.newColumn()
    for name in ("L2", "cyst"):
        case.node.GetSegmentation().AddEmptySegment("", name)
    shiftLevels(case.node, 1, case.history)
    assert named(case.node)[-2:] == ["L1?", "cyst"]


def test_without_levels_there_is_nothing_to_shift(mrml):
    case = mrml.newCase(np.zeros(COLUMN.shape_kji, np.uint8), COLUMN)
    case.node.GetSegmentation().AddEmptySegment("", "cyst")
    for tool in (confirmLevels, markUnidentified, unconfirmLevels):
        with pytest.raises(InputError, match=r"has no levels: segment a volume, or name its segments L5, L4/L5"):
            tool(case.node, case.history)
    with pytest.raises(InputError, match="has no levels"):
        shiftLevels(case.node, 1, case.history)


# ---------------------------------------------------------------------------------------------- how many lumbar vertebrae


def test_with_six_lumbar_vertebrae_the_lowest_is_l6_and_values_stay(mrml):
    case = mrml.newColumn()
    setLumbarCount(case.node, 6, case.history)
    assert named(case.node) == ["L6", "L5", "L4", "L6/S1", "L5/L6", "L4/L5", "Spinal canal"]
    assert namingOf(case.node) == LevelNaming(TRANSITIONAL, 6)
    assert np.array_equal(labelmapOf(case.node, case.volumeNode).labelmap.array, columnLabels())
    # No code says which of the usual levels an L6 stands for.
    assert code(case.node, 1) == "SCT^51282000^Vertebra"
    assert row(case.node, 1).fullName == "Lumbar vertebra 1 (transitional: L6)"


def test_with_four_lumbar_vertebrae_the_lowest_is_l4_and_five_are_an_assumption_again(mrml):
    case = mrml.newColumn()
    setLumbarCount(case.node, 4, case.history)
    assert named(case.node)[:4] == ["L4", "L3", "L2", "L4/S1"]
    setLumbarCount(case.node, 5, case.history)
    assert named(case.node) == AS_FOUND
    with pytest.raises(LabelError, match="expected 4, 5 or 6 lumbar vertebrae, found 7"):
        setLumbarCount(case.node, 7, case.history)
    assert named(case.node) == AS_FOUND


# ---------------------------------------------------------------------------------------------- names of one's own


def test_a_renamed_vertebra_takes_the_discs_beside_it_along(mrml):
    case = mrml.newColumn()
    shiftLevels(case.node, 4, case.history)
    assert named(case.node) == ["L1?", "T12?", "T11?", "L1/L2?", "T12/L1?", "T11/T12?", "Spinal canal"]
    renameLevel(case.node, idOf(case.node, 6), " T13 ", case.history)
    assert named(case.node) == ["L1", "T13", "T12", "L1/L2", "T13/L1", "T12/T13", "Spinal canal"]
    assert namingOf(case.node) == LevelNaming(TRANSITIONAL, 5, {6: "T13"})
    assert code(case.node, 6) == "SCT^51282000^Vertebra"
    assert values(case.node) == [5, 6, 7, 205, 206, 207, 100]


def test_an_empty_name_gives_the_counted_one_back_as_an_assumption(mrml):
    case = mrml.newColumn()
    renameLevel(case.node, idOf(case.node, 2), "Lx", case.history)
    renameLevel(case.node, idOf(case.node, 1), "Ly", case.history)
    renameLevel(case.node, idOf(case.node, 2), "", case.history)
    assert namingOf(case.node) == LevelNaming(TRANSITIONAL, 5, {1: "Ly"})
    assert named(case.node)[:2] == ["Ly", "L4"]
    renameLevel(case.node, idOf(case.node, 1), "  ", case.history)
    # Nobody has said that these are L5, L4 and L3.
    assert named(case.node) == AS_FOUND
    six = mrml.newColumn(SegmentInfo(LevelNaming(TRANSITIONAL, 6, {3: "X"})))
    renameLevel(six.node, idOf(six.node, 3), "", six.history)
    assert namingOf(six.node) == LevelNaming(TRANSITIONAL, 6)


def test_discs_the_canal_and_bad_names_are_refused(mrml):
    case = mrml.newColumn()
    with pytest.raises(LabelError, match=r"L4/L5\?: discs are named after their vertebrae"):
        renameLevel(case.node, idOf(case.node, 202), "X", case.history)
    with pytest.raises(LabelError, match="discs are named after"):
        renameLevel(case.node, idOf(case.node, 100), "X", case.history)
    for name in ("a;b", "a=b", "a|b", "a~b", "a^b"):
        with pytest.raises(LabelError, match="expected a name without"):
            renameLevel(case.node, idOf(case.node, 1), name, case.history)
    cyst = case.node.GetSegmentation().AddEmptySegment("", "cyst")
    with pytest.raises(LabelError, match="cyst has no level yet"):
        renameLevel(case.node, cyst, "X", case.history)
    assert named(case.node) == [*AS_FOUND, "cyst"]


@pytest.mark.parametrize("name", ["Поясничный 5", "第五腰椎", "L5 🦴", "L5: lumbarized (?)"])
def test_a_vertebra_can_have_a_name_in_any_language(mrml, name):
    case = mrml.newColumn()
    renameLevel(case.node, idOf(case.node, 1), name, case.history)
    assert named(case.node)[0] == name
    assert named(case.node)[3] == f"{name}/S1"
    assert np.array_equal(labelmapOf(case.node).labelmap.array, columnLabels())


# ---------------------------------------------------------------------------------------------- one level


def test_a_segment_drawn_by_hand_is_given_a_level(mrml):
    case = mrml.newColumn(SegmentInfo(LevelNaming(TRANSITIONAL, 6)))
    added = case.node.GetSegmentation().AddEmptySegment("", "new one")
    setLevel(case.node, added, 4, case.history)
    assert segmentOf(case.node, added).GetName() == "L3"
    assert [round(255 * part) for part in segmentOf(case.node, added).GetColor()] == list(label_table()[4].color_rgba[:3])
    assert row(case.node, 4).confidence is None


def test_a_level_can_be_moved_by_its_number(mrml):
    case = mrml.newColumn(SegmentInfo(model_id="m", confidences=CONFIDENCES))
    setLevel(case.node, idOf(case.node, 3), 104, case.history)
    assert values(case.node) == [1, 2, 104, 201, 202, 203, 100]
    assert (row(case.node, 104).confidence, row(case.node, 104).name) == (0.7, "L2? (partial)")


@pytest.mark.parametrize(("value", "owner"), [(2, r"L4\?"), (102, r"L4\?"), (202, r"L4/L5\?"), (100, "Spinal canal")])
def test_a_level_that_another_segment_has_is_refused(mrml, value, owner):
    case = mrml.newColumn()
    added = case.node.GetSegmentation().AddEmptySegment("", "new one")
    with pytest.raises(LabelError, match=f"{owner} is that level already"):
        setLevel(case.node, added, value, case.history)
    assert named(case.node) == [*AS_FOUND, "new one"]


@pytest.mark.parametrize("value", [0, 26, 99, 150, 200, 300])
def test_a_value_outside_the_scheme_is_no_level(mrml, value):
    case = mrml.newColumn()
    before = state(case.node)
    with pytest.raises(LabelError, match=f"found {value}"):
        setLevel(case.node, idOf(case.node, 1), value, case.history)
    assert state(case.node) == before


def test_a_vertebra_is_marked_as_cut_and_back(mrml):
    case = mrml.newColumn()
    before = state(case.node)
    l3 = idOf(case.node, 3)
    togglePartial(case.node, l3, case.history)
    assert values(case.node) == [1, 2, 103, 201, 202, 203, 100]
    assert named(case.node)[2] == "L3? (partial)"
    assert (labelmapOf(case.node).labelmap.array == 103).sum() == 24
    togglePartial(case.node, l3, case.history)
    assert state(case.node) == before


def test_only_vertebrae_are_cut_by_the_field_of_view(mrml):
    case = mrml.newColumn()
    for value in (202, 100):
        with pytest.raises(LabelError, match="only vertebrae are marked"):
            togglePartial(case.node, idOf(case.node, value), case.history)


# ---------------------------------------------------------------------------------------------- confirm


def test_confirmed_levels_are_named_and_coded_by_their_anatomy(mrml):
    case = mrml.newColumn()
    assert code(case.node, 1) == "SCT^51282000^Vertebra"
    confirmLevels(case.node, case.history)
    assert named(case.node) == ["L5", "L4", "L3", "L5/S1", "L4/L5", "L3/L4", "Spinal canal"]
    assert [code(case.node, value).split("^")[1] for value in (1, 2, 3, 201, 202, 203, 100)] == [
        "49668003", "11994002", "36470004", "715056000", "84020006", "62551000", "61853006"
    ]  # fmt: skip
    assert row(case.node, 1).fullName == "L5"
    unconfirmLevels(case.node, case.history)
    assert named(case.node) == AS_FOUND
    assert code(case.node, 201) == "SCT^360499006^Intervertebral disc"


def test_an_unusual_count_or_name_is_confirmed_as_transitional_and_stays_generic(mrml):
    case = mrml.newColumn(SegmentInfo(LevelNaming(ASSUMED, 6)))
    confirmLevels(case.node, case.history)
    assert namingOf(case.node) == LevelNaming(TRANSITIONAL, 6)
    assert {code(case.node, value) for value in (1, 2, 3)} == {"SCT^51282000^Vertebra"}


def test_levels_that_can_t_be_told_are_only_numbered(mrml):
    case = mrml.newColumn()
    confirmLevels(case.node, case.history)
    markUnidentified(case.node, case.history)
    assert named(case.node) == ["Vertebra 1", "Vertebra 2", "Vertebra 3", "Disc 1", "Disc 2", "Disc 3", "Spinal canal"]
    assert code(case.node, 1) == "SCT^51282000^Vertebra"
    assert row(case.node, 1).fullName == "Vertebra 1"


# ---------------------------------------------------------------------------------------------- undo

TOOLS = {
    "shift": lambda node, history: shiftLevels(node, 1, history),
    "count": lambda node, history: setLumbarCount(node, 6, history),
    "rename": lambda node, history: renameLevel(node, idOf(node, 2), "Lx", history),
    "level": lambda node, history: setLevel(node, idOf(node, 3), 4, history),
    "partial": lambda node, history: togglePartial(node, idOf(node, 3), history),
    "confirm": confirmLevels,
    "unidentified": markUnidentified,
}


@pytest.mark.parametrize("tool", list(TOOLS))
def test_one_undo_takes_a_tool_back_and_redo_brings_it_again(mrml, tool):
    case = mrml.newColumn(SegmentInfo(LevelNaming(), "m", CONFIDENCES))
    before = state(case.node)
    TOOLS[tool](case.node, case.history)
    after = state(case.node)
    assert after != before
    case.history.undo()
    assert state(case.node) == before
    assert np.array_equal(labelmapOf(case.node).labelmap.array, columnLabels())
    case.history.redo()
    assert state(case.node) == after


def test_unconfirming_is_undone_too(mrml):
    case = mrml.newColumn(SegmentInfo(LevelNaming(CONFIRMED)))
    before = state(case.node)
    unconfirmLevels(case.node, case.history)
    case.history.undo()
    assert state(case.node) == before


def test_a_tool_tells_the_views_once(mrml):
    case = mrml.newColumn()
    told = []
    case.node.AddObserver(vtk.vtkCommand.AnyEvent, lambda *_: told.append(1))
    shiftLevels(case.node, 1, NoHistory())
    assert len(told) == 1


def test_events_go_on_after_a_tool_failed(mrml):
    case = mrml.newColumn()
    with pytest.raises(LabelError):
        shiftLevels(case.node, -1, case.history)
    told = []
    case.node.AddObserver(vtk.vtkCommand.ModifiedEvent, lambda *_: told.append(1))
    case.node.SetName("other")
    assert told


def test_tags_written_over_others_leave_none_of_them(mrml):
    geometry = Geometry((1, 2, 2), (1.0, 1.0, 4.0), (0.0, 0.0, 0.0), SAGITTAL_DIRECTION)
    case = mrml.newCase(np.full(geometry.shape_kji, 1, np.uint8), geometry, SegmentInfo(LevelNaming(own_names={1: "X"}), "m", {1: 0.5}))
    segment = segmentOf(case.node, idOf(case.node, 1))
    applyTags(segment, SegmentTags(2))
    for tag in ("SpiderSeg.OwnNames", "SpiderSeg.Model", "SpiderSeg.Confidence"):
        assert not segment.HasTag(tag)
    assert segment.GetName() == "L4?"
