"""Whether a person is at work: the pointer, the views, the segmentation, the comment.

Looked at once a second. An event filter of the whole application would be called in Python for every event of Slicer's, thousands a
second while a brush is moved.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import qt

if TYPE_CHECKING:
    from SpiderSegLib.gui.panel import Panel


class ActivityWatch:
    """Compares what a person can change with what it was."""

    def __init__(self, panel: Panel) -> None:
        self._panel = panel
        self._before: tuple[Any, ...] = ()

    def look(self) -> bool:
        """Whether anything was done since the last look."""
        present = self._present()
        before, self._before = self._before, present
        return present != before

    def _present(self) -> tuple[Any, ...]:
        position = qt.QCursor.pos()
        scene, node = self._panel.scene, self._panel.segmentationNode
        views = tuple(
            scene.GetNthNodeByClass(index, kind).GetMTime()
            for kind in ("vtkMRMLSliceNode", "vtkMRMLCameraNode")
            for index in range(scene.GetNumberOfNodesByClass(kind))
        )
        edited = () if node is None else (node.GetMTime(), node.GetSegmentation().GetMTime())
        written = str(self._panel.ui.commentLineEdit.text)
        return (position.x(), position.y(), views, edited, written)
