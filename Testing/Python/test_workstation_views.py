"""Slice views without a browser: what they show, where one looks in them, and which way the patient lies."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import slicer

from mrml_scene import COLUMN, columnPoint
from SpiderSegLib.mrml.annotation_session.case_nodes import addVolume, removeNodes
from SpiderSegLib.mrml.display import jumpTo
from SpiderSegLib.volume import Geometry, Volume
from SpiderSegLib.workstation.views import AXIAL, CORONAL, PARTNER, SAGITTAL, THIRD, THREE_D, Arrangement, letters
from workstation_scene import INTENSITIES, Screen, onScreen


@pytest.fixture(scope="module")
def made() -> Iterator[Screen]:
    with onScreen() as screen:
        yield screen


@pytest.fixture
def screen(made: Screen) -> Iterator[Screen]:
    """The views of the first arrangement, empty, 200 x 100 pixels."""
    yield made
    nodes = [made.app.scene.GetNthNodeByClass(n, "vtkMRMLScalarVolumeNode") for n in range(countOf(made, "vtkMRMLScalarVolumeNode"))]
    made.views.clear()
    removeNodes(nodes)
    made.views.arrange(Arrangement.SAGITTAL)
    for tag in made.views.sliceTags:
        made.resize(tag, 200, 100)
    made.told.clear()


def countOf(screen: Screen, className: str) -> int:
    return int(screen.app.scene.GetNumberOfNodesByClass(className))


def newVolume(screen: Screen, name: str = "t2", geometry: Geometry = COLUMN) -> Any:
    return addVolume(screen.app.scene, Volume(INTENSITIES.copy(), geometry, name))


@pytest.fixture
def column(screen: Screen) -> Any:
    """A series of 3 sagittal slices of 12 rows and 8 columns, 8 mm deep and 12 mm high, that is shown."""
    node = newVolume(screen)
    screen.views.show([node])
    screen.told.clear()
    return node


def fieldOfView(screen: Screen, tag: str = SAGITTAL) -> tuple[float, float]:
    """Width and height in mm."""
    width, height, _depth = screen.views.sliceView(tag).get_view_node().GetFieldOfView()
    return width, height


# Letters


@pytest.mark.parametrize(
    ("direction", "text"),
    [
        ((1, 0, 0), "R"),
        ((-1, 0, 0), "L"),
        ((0, 1, 0), "A"),
        ((0, -1, 0), "P"),
        ((0, 0, 1), "H"),
        ((0, 0, -1), "F"),
        # The largest part first, whatever its axis.
        ((0.9, 0.4, 0), "RA"),
        ((0.4, 0.9, 0), "AR"),
        ((0, -0.6, 0.8), "HP"),
        ((-0.5, 0.5, -0.71), "FLA"),
        # Small parts are not worth a letter: up to 17 degrees.
        ((0.29, 0.957, 0), "A"),
        ((0.31, 0.951, 0), "AR"),
        ((-0.2, 0.2, 0.96), "H"),
    ],
)
def test_directions_have_the_letters_that_radiologists_read(direction, text):
    assert letters(direction) == text


def test_the_patient_lies_in_the_views_as_radiologists_expect(screen, column):
    assert screen.views.lettersAround(SAGITTAL) == {"left": "A", "right": "P", "top": "H", "bottom": "F"}
    assert screen.views.lettersAround(AXIAL) == {"left": "R", "right": "L", "top": "A", "bottom": "P"}
    assert screen.views.lettersAround(CORONAL) == {"left": "R", "right": "L", "top": "H", "bottom": "F"}


@pytest.mark.parametrize(("degrees", "left", "right"), [(10, "A", "P"), (30, "AR", "PL"), (-30, "AL", "PR")])
def test_oblique_slices_have_two_letters(screen, degrees, left, right):
    # i runs to posterior, turned to the left of the patient; the slices stay upright.
    sin, cos = math.sin(math.radians(degrees)), math.cos(math.radians(degrees))
    turned = Geometry(COLUMN.size_ijk, COLUMN.spacing_ijk_mm, COLUMN.origin_lps_mm, (sin, 0.0, -cos, cos, 0.0, sin, 0.0, -1.0, 0.0))
    screen.views.show([newVolume(screen, geometry=turned)])
    assert screen.views.lettersAround(SAGITTAL) == {"left": left, "right": right, "top": "H", "bottom": "F"}
    assert screen.views.place(SAGITTAL) == (1, 3)


# Slices


def test_an_empty_view_has_no_slices_and_no_letters(screen):
    for tag in (*screen.views.sliceTags, "no such view", THREE_D):
        assert screen.views.place(tag) == (0, 0)
        assert screen.views.lettersAround(tag) is None
        assert screen.views.backgroundOf(tag) is None
        screen.views.fit(tag)
        view = screen.views.sliceView(tag)
        before = view.get_slice_value() if view is not None else None
        screen.views.scroll(1, tag)
        screen.views.goToSlice(tag, 1)
        assert view is None or view.get_slice_value() == before
    screen.views.zoom(1, "no such view")


def test_a_series_is_shown_in_the_middle_of_all_views(screen, column):
    assert screen.views.sliceTags == [SAGITTAL, AXIAL, CORONAL]
    assert [screen.views.backgroundOf(tag).GetName() for tag in screen.views.sliceTags] == ["t2", "t2", "t2"]
    assert screen.views.place(SAGITTAL) == (1, 3)
    index, count = screen.views.place(AXIAL)
    assert (index in (5, 6), count) == (True, 12)
    index, count = screen.views.place(CORONAL)
    assert (index in (3, 4), count) == (True, 8)


@pytest.mark.parametrize(("tag", "count"), [(SAGITTAL, 3), (AXIAL, 12), (CORONAL, 8)])
def test_every_slice_is_found_by_its_number(screen, column, tag, count):
    for index in range(count):
        screen.views.goToSlice(tag, index)
        assert screen.views.place(tag) == (index, count)
    # Neighbors are as far apart as the voxels.
    view = screen.views.sliceView(tag)
    last = view.get_slice_value()
    screen.views.goToSlice(tag, count - 2)
    assert abs(view.get_slice_value() - last) == pytest.approx(4.0 if tag == SAGITTAL else 1.0)


def test_sagittal_slices_are_counted_from_the_right_of_the_patient(screen, column):
    places = []
    for index in range(3):
        screen.views.goToSlice(SAGITTAL, index)
        places.append(screen.views.sliceView(SAGITTAL).get_view_node().GetSliceToRAS().GetElement(0, 3))
    assert places == pytest.approx([columnPoint(0, 0, k)[0] for k in (2, 1, 0)])


@pytest.mark.parametrize(("asked", "given"), [(-1, 0), (-100, 0), (3, 2), (1000, 2)])
def test_there_are_no_slices_outside_the_image(screen, column, asked, given):
    screen.views.goToSlice(SAGITTAL, asked)
    assert screen.views.place(SAGITTAL) == (given, 3)
    assert screen.views.sliceView(SAGITTAL).get_slice_value() == pytest.approx(-4.0 + 4.0 * given)


def test_scrolling_ends_at_the_last_slice(screen, column):
    places = []
    for steps in (1, 1, 1, -1, -5, 2):
        screen.views.scroll(steps)
        places.append(screen.views.place(SAGITTAL)[0])
    assert places == [2, 2, 2, 1, 0, 2]
    assert screen.views.place(AXIAL)[1] == 12
    screen.views.goToSlice(AXIAL, 3)
    screen.views.scroll(4, AXIAL)
    assert screen.views.place(AXIAL) == (7, 12)
    assert screen.views.place(SAGITTAL) == (2, 3)


def test_after_a_jump_between_two_slices_scrolling_goes_on_by_slices(screen, column):
    right, anterior, superior = columnPoint(3, 4, 2)
    jumpTo(screen.app.scene, (right + 0.9, anterior, superior + 0.4))
    assert screen.views.place(SAGITTAL) == (0, 3)
    assert screen.views.place(AXIAL) == (11 - 4, 12)
    screen.views.scroll(1)
    screen.views.scroll(-1, AXIAL)
    assert screen.views.place(SAGITTAL) == (1, 3)
    assert screen.views.place(AXIAL) == (11 - 5, 12)
    assert screen.views.sliceView(AXIAL).get_slice_value() == pytest.approx(columnPoint(3, 5, 2)[2])


def test_a_change_of_a_view_is_told_with_its_tag(screen, column):
    screen.views.scroll(1, AXIAL)
    assert set(screen.told) == {AXIAL}
    screen.told.clear()
    screen.views.zoom(1, CORONAL)
    assert set(screen.told) == {CORONAL}
    screen.told.clear()
    screen.views.show([newVolume(screen, "t1")])
    assert {SAGITTAL, AXIAL, CORONAL} <= set(screen.told)


# Field of view


def test_a_view_shows_all_of_its_slice(screen, column):
    # 12 mm high in a view twice as wide as high.
    assert fieldOfView(screen) == pytest.approx((24, 12))
    # Slices of 12 mm from right to left and 8 mm from front to back.
    assert fieldOfView(screen, AXIAL) == pytest.approx((16, 8))
    assert fieldOfView(screen, CORONAL) == pytest.approx((24, 12))


@pytest.mark.parametrize(
    ("size", "expected"),
    [((200, 200), (12, 12)), ((400, 100), (48, 12)), ((100, 400), (8, 32)), ((1000, 700), (12 * 10 / 7, 12)), ((201, 100), (12 * 2.01, 12))],
)
def test_a_fitted_view_stays_fitted_in_another_size(screen, column, size, expected):
    screen.resize(SAGITTAL, *size)
    assert fieldOfView(screen) == pytest.approx(expected)
    screen.resize(SAGITTAL, 200, 100)
    assert fieldOfView(screen) == pytest.approx((24, 12))


@pytest.mark.parametrize("size", [(200, 200), (400, 100), (100, 400)])
def test_a_zoomed_view_stays_zoomed_in_another_size(screen, column, size):
    screen.views.zoom(3)
    assert fieldOfView(screen) == pytest.approx((24 * 0.8, 12 * 0.8))
    screen.resize(SAGITTAL, *size)
    assert fieldOfView(screen)[1] == pytest.approx(12 * 0.8)
    assert fieldOfView(screen, AXIAL) != pytest.approx((24 * 0.8, 12 * 0.8))


def test_a_view_that_was_moved_stays_where_it_is_in_another_size(screen, column):
    node = screen.views.sliceView(SAGITTAL).get_view_node()
    node.SetXYZOrigin(3.0, 2.0, 0.0)
    screen.resize(SAGITTAL, 400, 300)
    assert node.GetXYZOrigin()[:2] == (3.0, 2.0)


def test_a_zoomed_view_is_fitted_again_when_asked(screen, column):
    screen.views.zoom(1)
    screen.views.zoom(1, AXIAL)
    axial = fieldOfView(screen, AXIAL)
    screen.views.fit(SAGITTAL)
    assert fieldOfView(screen) == pytest.approx((24, 12))
    assert fieldOfView(screen, AXIAL) == axial
    screen.views.fit()
    assert fieldOfView(screen, AXIAL)[1] == pytest.approx(axial[1] / 0.8)
    # And is a fitted view again.
    screen.resize(SAGITTAL, 100, 400)
    assert fieldOfView(screen) == pytest.approx((8, 32))


def test_an_image_that_came_without_being_fitted_is_fitted_with_the_first_size(screen):
    node = newVolume(screen)
    screen.views._fitted.clear()
    screen.app.scene.GetSingletonNode(SAGITTAL, "vtkMRMLSliceCompositeNode").SetBackgroundVolumeID(node.GetID())
    screen.resize(SAGITTAL, 400, 100)
    assert fieldOfView(screen) == pytest.approx((48, 12))


def test_closer_and_further_away_are_each_other_s_opposite(screen, column):
    screen.views.zoom(1)
    assert fieldOfView(screen) == pytest.approx((19.2, 9.6))
    screen.views.zoom(-1)
    assert fieldOfView(screen) == pytest.approx((24, 12))
    screen.views.zoom(-1)
    assert fieldOfView(screen) == pytest.approx((30, 15))


# Arrangements


def test_the_views_of_an_arrangement_are_made_when_they_are_first_needed(screen):
    assert screen.views.arrangement is Arrangement.SAGITTAL
    assert screen.views.threeD is not None
    screen.views.arrange(Arrangement.SIDE_BY_SIDE)
    assert screen.views.arrangement is Arrangement.SIDE_BY_SIDE
    assert screen.views.sliceTags == [SAGITTAL, AXIAL, CORONAL, PARTNER]
    made = screen.views.sliceView(PARTNER)
    screen.views.arrange(Arrangement.FOUR)
    screen.views.arrange(Arrangement.SIDE_BY_SIDE)
    assert screen.views.sliceView(PARTNER) is made
    assert screen.views.sliceView(THIRD) is None


def test_all_slice_views_are_linked(screen):
    screen.views.arrange(Arrangement.SIDE_BY_SIDE)
    for tag in screen.views.sliceTags:
        assert screen.app.scene.GetSingletonNode(tag, "vtkMRMLSliceCompositeNode").GetLinkedControl()


def test_two_series_of_a_patient_are_shown_beside_each_other(screen, column):
    screen.views.arrange(Arrangement.SIDE_BY_SIDE)
    other = newVolume(screen, "t1")
    screen.views.show([column, other])
    assert screen.views.backgroundOf(SAGITTAL).GetName() == "t2"
    assert screen.views.backgroundOf(PARTNER).GetName() == "t1"
    assert screen.views.backgroundOf(AXIAL).GetName() == "t2"
    assert screen.views.place(PARTNER) == (1, 3)


def test_a_series_without_another_one_has_both_views(screen, column):
    screen.views.arrange(Arrangement.SIDE_BY_SIDE)
    screen.views.show([column, newVolume(screen, "t1")])
    screen.views.show([column])
    assert screen.views.backgroundOf(PARTNER).GetName() == "t2"


def test_cleared_views_are_empty_in_every_arrangement(screen, column):
    screen.views.arrange(Arrangement.SIDE_BY_SIDE)
    screen.views.show([column, newVolume(screen, "t1")])
    screen.views.clear()
    assert [screen.views.backgroundOf(tag) for tag in screen.views.sliceTags] == [None, None, None, None]


# Window and level


def test_the_mouse_changes_the_window_only_when_it_was_asked_to(screen):
    interaction = screen.app.scene.GetNodeByID("vtkMRMLInteractionNodeSingleton")
    screen.views.adjustWindowByMouse(True)
    assert interaction.GetCurrentInteractionMode() == slicer.vtkMRMLInteractionNode.AdjustWindowLevel
    screen.views.adjustWindowByMouse(False)
    assert interaction.GetCurrentInteractionMode() == slicer.vtkMRMLInteractionNode.ViewTransform


def test_the_automatic_window_comes_back_after_a_person_changed_it(screen, column):
    display = column.GetDisplayNode()
    automatic = display.GetWindow(), display.GetLevel()
    display.SetAutoWindowLevel(False)
    display.SetWindowLevel(5, 1000)
    screen.views.setAutomaticWindow(column)
    assert (display.GetWindow(), display.GetLevel()) == automatic
    assert np.ptp(INTENSITIES) / 2 < automatic[0] <= np.ptp(INTENSITIES)
    screen.views.setAutomaticWindow(None)
