"""Points that a person clicks in the views for a tool: placed like markups, gone when the tool has them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import slicer

Point = tuple[float, float, float]

PLACE_NODE_CLASS = "vtkMRMLMarkupsFiducialNode"


@dataclass(frozen=True)
class _Before:
    """What the mouse did before a tool waited for clicks."""

    mode: int
    isPersistent: int
    placeClass: str | None
    placeId: str | None

    @staticmethod
    def of(interaction: Any, selection: Any) -> _Before:
        viewing = slicer.vtkMRMLInteractionNode.ViewTransform
        mode = viewing if interaction is None else interaction.GetCurrentInteractionMode()
        # A tool that placed points gives up to ours, and would place nothing known afterwards.
        return _Before(
            viewing if mode == slicer.vtkMRMLInteractionNode.Place else mode,
            0 if interaction is None else interaction.GetPlaceModePersistence(),
            None if selection is None else selection.GetActivePlaceNodeClassName(),
            None if selection is None else selection.GetActivePlaceNodeID(),
        )

    def restore(self, interaction: Any, selection: Any, ownId: str) -> None:
        """Goes back, except from a mode or another tool's node that the person chose meanwhile."""
        if selection is not None:
            if selection.GetActivePlaceNodeID() not in (None, "", ownId):
                return
            selection.SetReferenceActivePlaceNodeClassName(self.placeClass)
            selection.SetActivePlaceNodeID(self.placeId)
        if interaction is not None:
            interaction.SetPlaceModePersistence(self.isPersistent)
            if interaction.GetCurrentInteractionMode() == slicer.vtkMRMLInteractionNode.Place:
                interaction.SetCurrentInteractionMode(self.mode)


class ClickCollector:
    """Puts the views into place mode, collects a number of points (RAS, world), and leaves the scene as it was.

    onPoints is called with the points; onStopped when the person left place mode before (right click, Esc, another tool), the scene was
    closed, or `stop` was called.

    `later` calls a function when the event that is being handled is over: a view that placed the last point still works on the markups
    node, and crashes when it is gone. Without views around it may be called at once, as it is if none is given.
    """

    def __init__(self, scene: Any, later: Callable[[Callable[[], object]], object] | None = None) -> None:
        self.scene = scene
        self._later = later or (lambda function: function())
        self._node: Any = None
        self._displayNode: Any = None
        self._observations: list[tuple[Any, int]] = []
        self._count = 0
        self._before: _Before | None = None
        self._onPoints: Callable[[Sequence[Point]], object] | None = None
        self._onStopped: Callable[[], object] | None = None

    @property
    def isActive(self) -> bool:
        return self._node is not None

    @property
    def node(self) -> Any:
        """The markups node that is being placed; None when no tool waits for clicks."""
        return self._node

    def start(self, count: int, onPoints: Callable[[Sequence[Point]], object], onStopped: Callable[[], object] | None = None) -> None:
        """Waits for `count` clicks; a tool that was waiting is stopped first."""
        self.stop()
        self._count, self._onPoints, self._onStopped = count, onPoints, onStopped
        interaction, selection = self._interaction(), self._selection()
        # A new markups node becomes the one to place at once.
        self._before = _Before.of(interaction, selection)
        node = self.scene.AddNewNodeByClass(PLACE_NODE_CLASS, "SpiderSeg click")
        node.SetHideFromEditors(True)
        node.SetSaveWithScene(False)
        node.CreateDefaultDisplayNodes()
        self._node, self._displayNode = node, node.GetDisplayNode()
        if selection is not None:
            selection.SetReferenceActivePlaceNodeClassName(PLACE_NODE_CLASS)
            selection.SetActivePlaceNodeID(node.GetID())
        if interaction is not None:
            interaction.SetPlaceModePersistence(1 if count > 1 else 0)
            interaction.SetCurrentInteractionMode(slicer.vtkMRMLInteractionNode.Place)
            self._observe(interaction, slicer.vtkMRMLInteractionNode.InteractionModeChangedEvent, self._onModeChanged)
        self._observe(node, slicer.vtkMRMLMarkupsNode.PointPositionDefinedEvent, self._onPoint)
        self._observe(self.scene, slicer.vtkMRMLScene.NodeRemovedEvent, self._onNodeRemoved)

    def stop(self) -> None:
        """Stops waiting; nothing happens when no tool waits."""
        if self._node is None:
            return
        onStopped = self._onStopped
        self._leave()
        if onStopped is not None:
            onStopped()

    def _onPoint(self, caller: Any, event: str) -> None:
        if len(self._defined()) >= self._count:
            node = self._node
            self._later(lambda: self._finish(node))

    def _defined(self) -> list[int]:
        return [index for index in range(self._node.GetNumberOfControlPoints()) if self._isDefined(index)]

    def _finish(self, node: Any) -> None:
        """All points are there, unless the person left or another tool began meanwhile."""
        if node is None or node is not self._node:
            return
        defined = self._defined()
        points = [self._position(index) for index in defined[: self._count]]
        onPoints = self._onPoints
        self._leave()
        if onPoints is not None:
            onPoints(points)

    def _isDefined(self, index: int) -> bool:
        return bool(self._node.GetNthControlPointPositionStatus(index) == slicer.vtkMRMLMarkupsNode.PositionDefined)

    def _position(self, index: int) -> Point:
        position = [0.0, 0.0, 0.0]
        self._node.GetNthControlPointPositionWorld(index, position)
        return position[0], position[1], position[2]

    def _onModeChanged(self, caller: Any, event: str) -> None:
        if caller.GetCurrentInteractionMode() != slicer.vtkMRMLInteractionNode.Place:
            node = self._node
            # The views leave place mode by themselves after the last point: `_finish` comes first then.
            self._later(lambda: self.stop() if node is self._node else None)

    def _onNodeRemoved(self, caller: Any, event: str) -> None:
        if self._node is not None and self._node.GetScene() is None:
            self.stop()

    def _leave(self) -> None:
        node, self._node = self._node, None
        for observed, tag in self._observations:
            observed.RemoveObserver(tag)
        self._observations = []
        self._onPoints = self._onStopped = None
        if self._before is not None:
            self._before.restore(self._interaction(), self._selection(), node.GetID() or "")
        # The scene keeps display nodes of what is removed.
        for part in (self._displayNode, node):
            if part is not None and part.GetScene() is not None:
                self.scene.RemoveNode(part)

    def _observe(self, observed: Any, event: int, callback: Callable[[Any, str], None]) -> None:
        self._observations.append((observed, observed.AddObserver(event, callback)))

    def _interaction(self) -> Any:
        return self.scene.GetNodeByID("vtkMRMLInteractionNodeSingleton")

    def _selection(self) -> Any:
        return self.scene.GetNodeByID("vtkMRMLSelectionNodeSingleton")
