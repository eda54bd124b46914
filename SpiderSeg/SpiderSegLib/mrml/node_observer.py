"""Tells about changes of a few nodes: names, transforms, visibility, segments and their voxels."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import slicer
import vtk

#: What can change in a segmentation: its segments, their names and tags, their voxels, their surfaces.
SEGMENTATION_EVENTS = (
    "SegmentAdded",
    "SegmentRemoved",
    "SegmentModified",
    "SegmentsOrderModified",
    "SourceRepresentationModified",
    "RepresentationModified",
)


class NodeObserver:
    """Calls `onChanged` whenever one of the observed nodes changes."""

    def __init__(self, onChanged: Callable[..., object]) -> None:
        self._onChanged = onChanged
        self._nodes: list[Any] = []
        self._observations: list[tuple[Any, int]] = []

    def observe(self, nodes: list[Any]) -> None:
        """Observes these nodes, None among them ignored, and no others any more."""
        wanted = [node for node in nodes if node is not None]
        if wanted == self._nodes:
            return
        for observed, tag in self._observations:
            observed.RemoveObserver(tag)
        self._nodes = wanted
        self._observations = [(observed, observed.AddObserver(event, self._onChanged)) for node in wanted for observed, event in _events(node)]


def _events(node: Any) -> list[tuple[Any, int]]:
    events: list[tuple[Any, int]] = [
        (node, vtk.vtkCommand.ModifiedEvent),
        (node, slicer.vtkMRMLTransformableNode.TransformModifiedEvent),
        (node, slicer.vtkMRMLDisplayableNode.DisplayModifiedEvent),
    ]
    if node.IsA("vtkMRMLSegmentationNode"):
        segmentation = node.GetSegmentation()
        events += [(segmentation, getattr(slicer.vtkSegmentation, name)) for name in SEGMENTATION_EVENTS]
    return events
