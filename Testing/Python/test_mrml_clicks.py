"""Clicks in the views, on the nodes that an application has for them: what is collected, and what is left behind (nothing)."""

from __future__ import annotations

import pytest
import slicer

from mrml_scene import MrmlScene
from SpiderSegLib.mrml.clicks import ClickCollector

pytestmark = pytest.mark.mrml

Mode = slicer.vtkMRMLInteractionNode

FIRST, SECOND = (1.0, -2.0, 3.0), (4.0, 5.0, -6.0)


class Heard:
    """Whom a collector called, in order."""

    def __init__(self):
        self.calls = []

    def on(self, name):
        return lambda *points: self.calls.append((name, *points))


@pytest.fixture
def heard():
    return Heard()


@pytest.fixture
def clicked(mrml):
    """A collector in a scene with an application's logics."""
    logic = slicer.vtkSlicerMarkupsLogic()
    logic.SetMRMLApplicationLogic(mrml.logics[0])
    logic.SetMRMLScene(mrml.scene)
    mrml.logics.append(logic)
    return ClickCollector(mrml.scene)


def interactionOf(collector):
    return collector.scene.GetNodeByID("vtkMRMLInteractionNodeSingleton")


def selectionOf(collector):
    return collector.scene.GetNodeByID("vtkMRMLSelectionNodeSingleton")


def nodeIds(scene):
    return [scene.GetNthNode(index).GetID() for index in range(scene.GetNumberOfNodes())]


def mouse(collector):
    """What a click does now: mode, whether it stays, and which node is placed."""
    interaction = interactionOf(collector)
    return interaction.GetCurrentInteractionMode(), interaction.GetPlaceModePersistence(), selectionOf(collector).GetActivePlaceNodeID()


def click(collector, *points):
    for point in points:
        collector.node.AddControlPointWorld(point)


def test_one_click_is_a_point_and_the_scene_is_as_before(clicked, heard):
    nodes, before = nodeIds(clicked.scene), mouse(clicked)
    clicked.start(1, heard.on("points"), heard.on("stopped"))
    assert clicked.isActive
    assert mouse(clicked) == (Mode.Place, 0, clicked.node.GetID())
    assert selectionOf(clicked).GetActivePlaceNodeClassName() == "vtkMRMLMarkupsFiducialNode"
    click(clicked, FIRST)
    assert heard.calls == [("points", [FIRST])]
    assert not clicked.isActive
    assert clicked.node is None
    assert nodeIds(clicked.scene) == nodes
    assert mouse(clicked) == before


def test_two_clicks_are_waited_for_in_one_go(clicked, heard):
    nodes, before = nodeIds(clicked.scene), mouse(clicked)
    clicked.start(2, heard.on("points"), heard.on("stopped"))
    assert mouse(clicked)[:2] == (Mode.Place, 1)
    click(clicked, FIRST)
    assert clicked.isActive
    assert heard.calls == []
    click(clicked, SECOND)
    assert heard.calls == [("points", [FIRST, SECOND])]
    assert (nodeIds(clicked.scene), mouse(clicked)) == (nodes, before)


def test_points_are_where_they_are_in_the_world(mrml, clicked, heard):
    clicked.start(1, heard.on("points"))
    transform = mrml.newTransform([[1, 0, 0, 10], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])
    clicked.node.SetAndObserveTransformNodeID(transform.GetID())
    click(clicked, FIRST)
    [(_, [point])] = heard.calls
    assert point == pytest.approx(FIRST)


def test_the_point_under_the_mouse_that_is_not_yet_clicked_does_not_count(clicked, heard):
    clicked.start(2, heard.on("points"))
    preview = clicked.node.AddControlPointWorld(SECOND)
    clicked.node.SetNthControlPointPositionWorld(preview, SECOND, slicer.vtkMRMLMarkupsNode.PositionPreview)
    click(clicked, FIRST)
    assert heard.calls == []
    assert clicked.isActive
    clicked.stop()


def test_the_markups_are_in_no_list_and_in_no_file(clicked, heard):
    clicked.start(1, heard.on("points"))
    assert clicked.node.GetHideFromEditors()
    assert not clicked.node.GetSaveWithScene()
    clicked.stop()


def test_stop_says_so_once_and_cleans_up(clicked, heard):
    nodes, before = nodeIds(clicked.scene), mouse(clicked)
    clicked.stop()
    clicked.start(2, heard.on("points"), heard.on("stopped"))
    node = clicked.node
    click(clicked, FIRST)
    clicked.stop()
    clicked.stop()
    assert heard.calls == [("stopped",)]
    assert (nodeIds(clicked.scene), mouse(clicked)) == (nodes, before)
    # No one listens any more.
    node.AddControlPointWorld(SECOND)
    interactionOf(clicked).SetCurrentInteractionMode(Mode.Place)
    interactionOf(clicked).SetCurrentInteractionMode(Mode.ViewTransform)
    assert heard.calls == [("stopped",)]


def test_a_second_tool_stops_the_first(clicked, heard):
    nodes, before = nodeIds(clicked.scene), mouse(clicked)
    clicked.start(2, heard.on("first"), heard.on("first stopped"))
    click(clicked, FIRST)
    clicked.start(1, heard.on("second"), heard.on("second stopped"))
    assert heard.calls == [("first stopped",)]
    assert len(nodeIds(clicked.scene)) == len(nodes) + 2
    click(clicked, SECOND)
    assert heard.calls == [("first stopped",), ("second", [SECOND])]
    assert (nodeIds(clicked.scene), mouse(clicked)) == (nodes, before)


def test_a_tool_may_start_the_next_when_it_has_its_points(clicked, heard):
    clicked.start(1, lambda points: clicked.start(1, heard.on("second")))
    click(clicked, FIRST)
    assert clicked.isActive
    assert mouse(clicked) == (Mode.Place, 0, clicked.node.GetID())
    click(clicked, SECOND)
    assert heard.calls == [("second", [SECOND])]
    assert not clicked.isActive


@pytest.mark.parametrize("chosen", [Mode.ViewTransform, Mode.AdjustWindowLevel])
def test_leaving_place_mode_cancels_and_the_person_s_choice_stays(clicked, heard, chosen):
    nodes = nodeIds(clicked.scene)
    clicked.start(1, heard.on("points"), heard.on("stopped"))
    interactionOf(clicked).SetCurrentInteractionMode(chosen)
    assert heard.calls == [("stopped",)]
    assert not clicked.isActive
    assert nodeIds(clicked.scene) == nodes
    assert mouse(clicked) == (chosen, 0, None)


def test_the_mode_and_the_node_of_before_come_back(clicked, heard):
    own = clicked.scene.AddNewNodeByClass("vtkMRMLMarkupsFiducialNode", "of the person")
    selectionOf(clicked).SetActivePlaceNodeID(own.GetID())
    interactionOf(clicked).SetPlaceModePersistence(1)
    interactionOf(clicked).SetCurrentInteractionMode(Mode.AdjustWindowLevel)
    clicked.start(1, heard.on("points"))
    click(clicked, FIRST)
    assert mouse(clicked) == (Mode.AdjustWindowLevel, 1, own.GetID())
    assert own.GetNumberOfControlPoints() == 0


def test_a_tool_that_placed_points_before_does_not_go_on_unasked(clicked, heard):
    interactionOf(clicked).SetCurrentInteractionMode(Mode.Place)
    clicked.start(1, heard.on("points"))
    click(clicked, FIRST)
    assert mouse(clicked)[0] == Mode.ViewTransform


def test_another_node_that_is_active_but_not_placed_stays_so(clicked, heard):
    own = clicked.scene.AddNewNodeByClass("vtkMRMLMarkupsFiducialNode", "of the person")
    before = mouse(clicked)
    assert before == (Mode.ViewTransform, 0, own.GetID())
    clicked.start(1, heard.on("points"))
    clicked.stop()
    assert mouse(clicked) == before


def test_another_tool_that_took_over_is_left_alone(clicked, heard):
    clicked.start(1, heard.on("points"), heard.on("stopped"))
    other = clicked.scene.AddNewNodeByClass("vtkMRMLMarkupsFiducialNode", "of another tool")
    selectionOf(clicked).SetActivePlaceNodeID(other.GetID())
    clicked.stop()
    assert heard.calls == [("stopped",)]
    assert mouse(clicked) == (Mode.Place, 0, other.GetID())


def test_a_deleted_node_ends_the_wait(clicked, heard):
    nodes = nodeIds(clicked.scene)
    clicked.start(1, heard.on("points"), heard.on("stopped"))
    clicked.scene.RemoveNode(clicked.node)
    assert heard.calls == [("stopped",)]
    assert not clicked.isActive
    assert nodeIds(clicked.scene) == nodes
    assert mouse(clicked) == (Mode.ViewTransform, 0, None)
    clicked.start(1, heard.on("points"))
    click(clicked, FIRST)
    assert heard.calls[1:] == [("points", [FIRST])]


def test_a_closed_scene_ends_the_wait(clicked, heard):
    clicked.start(1, heard.on("points"), heard.on("stopped"))
    clicked.scene.Clear(False)
    assert heard.calls == [("stopped",)]
    assert not clicked.isActive
    assert clicked.scene.GetNumberOfNodesByClass("vtkMRMLMarkupsFiducialNode") == 0


def test_other_nodes_may_be_deleted_meanwhile(clicked, heard):
    other = clicked.scene.AddNewNodeByClass("vtkMRMLMarkupsFiducialNode")
    clicked.start(1, heard.on("points"), heard.on("stopped"))
    clicked.scene.RemoveNode(other)
    assert clicked.isActive
    click(clicked, FIRST)
    assert heard.calls == [("points", [FIRST])]


@pytest.mark.usefixtures("mrml")
def test_without_an_application_there_are_points_all_the_same(heard):
    bare = MrmlScene(slicer.vtkMRMLScene())
    collector = ClickCollector(bare.scene)
    assert interactionOf(collector) is None
    assert selectionOf(collector) is None
    collector.start(2, heard.on("points"), heard.on("stopped"))
    click(collector, FIRST, SECOND)
    assert heard.calls == [("points", [FIRST, SECOND])]
    collector.start(1, heard.on("points"), heard.on("stopped"))
    collector.stop()
    assert heard.calls[1:] == [("stopped",)]
    assert bare.scene.GetNumberOfNodesByClass("vtkMRMLMarkupsNode") == 0
    assert bare.scene.GetNumberOfNodesByClass("vtkMRMLDisplayNode") == 0


class Later:
    """Calls functions when the event that is being handled is over, as an application's event loop does."""

    def __init__(self):
        self.waiting = []

    def __call__(self, function):
        self.waiting.append(function)

    def passes(self):
        while self.waiting:
            self.waiting.pop(0)()


@pytest.fixture
def later():
    return Later()


@pytest.fixture
def patient(clicked, later):
    """A collector that waits for the end of the event."""
    collector = ClickCollector(clicked.scene, later)
    yield collector
    collector.stop()


def test_the_node_stays_until_the_views_are_done_with_the_last_click(patient, heard, later):
    patient.start(1, heard.on("points"), heard.on("stopped"))
    node = patient.node
    click(patient, FIRST)
    assert node.GetScene() is patient.scene
    assert heard.calls == []
    later.passes()
    assert node.GetScene() is None
    assert heard.calls == [("points", [FIRST])]


def test_views_that_leave_place_mode_by_themselves_after_the_last_click_lose_no_point(patient, heard, later):
    patient.start(1, heard.on("points"), heard.on("stopped"))
    click(patient, FIRST)
    interactionOf(patient).SetCurrentInteractionMode(Mode.ViewTransform)
    later.passes()
    assert heard.calls == [("points", [FIRST])]


def test_a_tool_that_was_left_before_its_last_click_counted_hears_of_it_once(patient, heard, later):
    patient.start(1, heard.on("points"), heard.on("stopped"))
    click(patient, FIRST)
    patient.stop()
    later.passes()
    assert heard.calls == [("stopped",)]


def test_a_tool_that_begins_meanwhile_is_not_given_the_clicks_of_the_one_before(patient, heard, later):
    patient.start(1, heard.on("points"), heard.on("stopped"))
    click(patient, FIRST)
    patient.start(1, heard.on("points of the second"), heard.on("stopped the second"))
    later.passes()
    assert heard.calls == [("stopped",)]
    assert patient.isActive
