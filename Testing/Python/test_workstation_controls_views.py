"""What the page shows of the views, and a brush that is moved in them with the mouse."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from mrml_scene import COLUMN, columnPoint
from SpiderSegLib.level_names import LevelNaming
from SpiderSegLib.mrml.segmentations import SegmentInfo
from SpiderSegLib.workstation.controls.display_controls import CLOSED_SURFACE
from SpiderSegLib.workstation.views import AXIAL, PARTNER, SAGITTAL
from workstation_place import Workplace, workplace
from workstation_scene import resize


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workplace]:
    with workplace(tmp_path_factory.mktemp("place"), hasViews=True) as place:
        yield place


@pytest.fixture
def place(made: Workplace) -> Iterator[Workplace]:
    """A column is open, in views of 240 x 120 pixels."""
    made.set(layout="sagittal", surfaces=False, overlay="nothing")
    fitAll(made)
    made.openColumn(SegmentInfo(LevelNaming(), "unetr-2"))
    made.act("tool", "")
    made.state.notice = None
    opened = made.bench.work
    yield made
    made.do(lambda: made.cases.show(None))
    opened.leave()


def fitAll(place: Workplace) -> None:
    for tag in place.bench.views.sliceTags:
        place.do(lambda tag=tag: resize(place.bench.views, tag, 240, 120))
    place.act("fit")


def drag(place: Workplace, tag: str, *points: tuple[float, float, float]) -> None:
    """Draws with the left button through places of the patient (RAS)."""
    view = place.bench.views.sliceView(tag)
    toView = view.get_view_node().GetXYToRAS().__class__()
    toView.DeepCopy(view.get_view_node().GetXYToRAS())
    toView.Invert()
    places = [tuple(round(part) for part in toView.MultiplyPoint((*point, 1.0))[:2]) for point in points]

    def event(name: str, x: int, y: int) -> None:
        view.interactor().SetEventInformation(x, y, 0, 0, chr(0), 0, None)
        view.interactor().InvokeEvent(name)

    def move() -> None:
        event("EnterEvent", *places[0])
        event("MouseMoveEvent", *places[0])
        event("LeftButtonPressEvent", *places[0])
        for x, y in places:
            event("MouseMoveEvent", x, y)
        event("LeftButtonReleaseEvent", *places[-1])

    place.do(move)


def drawn(place: Workplace, tag: str) -> list[list[int]]:
    """Voxels (k, j, i) that a stroke of 1.8 mm between L4's middle and the row below adds to L5, taken back afterwards."""
    place.set(brushMm=1.8, sphereBrush=False)
    before = place.mask(1)
    drag(place, tag, columnPoint(3, 4, 1), columnPoint(3, 5, 1))
    added = np.argwhere(place.mask(1) & ~before).tolist()
    if added:
        place.act("undo")
    assert np.array_equal(place.mask(1), before)
    return added


# What the page shows


def test_every_view_says_what_it_shows(place):
    assert place.state.view_Yellow == {
        "label": "Sagittal",
        "series": "t2",
        "position": "slice 2 / 3",
        "index": 1,
        "count": 3,
        "letters": {"left": "A", "right": "P", "top": "H", "bottom": "F"},
        "window": place.state.view_Red["window"],
    }
    assert [place.state[f"view_{tag}"]["label"] for tag in place.bench.views.sliceTags][:3] == ["Sagittal", "Axial", "Coronal"]
    place.do(lambda: place.cases.show(None))
    assert place.state.view_Yellow == {"label": "Sagittal", "series": "", "position": "", "index": 0, "count": 0, "letters": None, "window": ""}


def test_the_page_follows_every_slice(place):
    place.act("scroll", 1)
    assert place.state.view_Yellow["position"] == "slice 3 / 3"
    place.act("slice", "Red", 4)
    assert (place.state.view_Red["position"], place.state.view_Red["index"]) == ("slice 5 / 12", 4)
    # L5 has the rows 7 to 9 from the top.
    place.act("jumpTo", place.idOf(1))
    assert place.state.view_Red["position"] == f"slice {12 - 8} / 12"
    place.act("selectLevel", place.idOf(3))
    assert place.state.view_Red["position"] != f"slice {12 - 8} / 12"
    before = place.state.view_Red["position"]
    place.act("selectLevel", place.idOf(1), True)
    assert place.state.view_Red["position"] == before


def test_all_views_go_to_a_finding(place):
    place.act("checkFindings")
    places = [finding.location_lps_mm for finding in place.bench.work.findings()]
    index = next(index for index, location in enumerate(places) if location is not None)
    _i, j, k = (np.linalg.inv(COLUMN.affine_lps) @ (*places[index], 1.0))[:3]
    place.act("slice", SAGITTAL, 0)
    place.act("slice", AXIAL, 0)
    place.act("jumpToFinding", index)
    assert place.state.view_Yellow["index"] == 2 - round(k) != 0
    assert place.state.view_Red["index"] == 11 - round(j) != 0


def test_the_page_follows_the_window(place):
    display = place.bench.volumeNode.GetDisplayNode()

    def change() -> None:
        display.SetAutoWindowLevel(False)
        display.SetWindowLevel(840, 420)

    automatic = place.state.view_Yellow["window"]
    place.do(change)
    assert place.state.view_Yellow["window"] == place.state.view_Red["window"] == "W 840 L 420"
    place.act("resetWindow")
    assert place.state.view_Yellow["window"] == automatic


def test_surfaces_are_made_when_they_are_asked_for_and_go_again(place):
    def hasSurfaces() -> bool:
        return bool(place.node.GetSegmentation().ContainsRepresentation(CLOSED_SURFACE))

    def reachesForward() -> float:
        return float(place.node.GetSegmentation().GetSegment(place.idOf(1)).GetRepresentation(CLOSED_SURFACE).GetBounds()[3])

    assert not hasSurfaces()
    place.set(surfaces=True)
    assert hasSurfaces()
    # They follow what is drawn.
    before = reachesForward()
    place.act("tool", "paint")
    drag(place, SAGITTAL, columnPoint(0, 8, 1), columnPoint(0, 9, 1))
    assert hasSurfaces()
    assert reachesForward() > before
    place.set(surfaces=False)
    assert not hasSurfaces()


def test_what_the_model_drew_and_what_was_changed_lie_over_the_slices(place):
    def overlay() -> str:
        return str(place.app.scene.GetSingletonNode(SAGITTAL, "vtkMRMLSliceCompositeNode").GetLabelVolumeID() or "")

    place.set(overlay="prediction")
    prediction = overlay()
    assert prediction
    place.set(overlay="difference")
    assert overlay() not in ("", prediction)
    place.openColumn()
    assert (place.state.overlay, overlay()) == ("nothing", "")


def test_a_view_is_shown_alone_and_among_the_others_again(place):
    for tag, alone in ((SAGITTAL, "single"), ("ThreeD", "threeD")):
        place.act("maximize", tag)
        assert place.state.layout == alone
        place.act("maximize", tag)
        assert place.state.layout == "sagittal"


# Tools in the views


def test_a_stroke_of_the_mouse_is_drawn(place):
    place.act("tool", "paint")
    assert drawn(place, SAGITTAL) == [[1, 4, 3], [1, 5, 3]]
    # 4 mm thick slices: a brush of 1.8 mm in the axial view, too, stays in its slice.
    place.do(lambda: place.bench.views.goToSlice(AXIAL, 12 - 1 - 4))
    drag(place, AXIAL, columnPoint(3, 4, 1), columnPoint(3, 4, 1))
    assert place.mask(1)[1, 4, 3]
    place.act("undo")


@pytest.mark.parametrize(
    ("mode", "voxels"),
    # Around 27 voxels in three slices: the front half of L5, and a column of nothing in front of it. The image has 288.
    [("eraseInside", 18), ("eraseOutside", 18), ("fillInside", 36 + 9), ("fillOutside", 288 - 9)],
)
def test_scissors_erase_or_fill_inside_or_outside_of_a_line(place, mode, voxels):
    place.set(scissorsMode=mode)
    place.act("tool", "scissors")
    corners = [columnPoint(i, j, 1) for i, j in ((-0.5, 6.5), (2.5, 6.5), (2.5, 9.5), (-0.5, 9.5), (-0.5, 6.5))]
    drag(place, SAGITTAL, *corners)
    assert place.mask(1).sum() == voxels
    place.act("undo")
    assert place.mask(1).sum() == 36


def test_without_a_tool_nothing_is_drawn(place):
    assert drawn(place, SAGITTAL) == []


@pytest.mark.parametrize("isTakenUpBefore", [True, False])
def test_tools_work_in_views_that_were_made_later(place, isTakenUpBefore):
    if isTakenUpBefore:
        place.act("tool", "paint")
    place.set(layout="sideBySide")
    fitAll(place)
    if not isTakenUpBefore:
        place.act("tool", "paint")
    assert (place.state.notice, place.state.tool) == (None, "paint")
    assert drawn(place, PARTNER) == [[1, 4, 3], [1, 5, 3]]
    assert drawn(place, SAGITTAL) == [[1, 4, 3], [1, 5, 3]]
    place.act("tool", "threshold")
    place.act("tool", "")
    assert drawn(place, PARTNER) == []
