"""Undo: every tool saves the state before it changes anything, into the history that Slicer's own undo button uses."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol


class History(Protocol):
    """What saves undo states: the embedded segment editor widget, or EditorHistory where there is no Qt."""

    def saveStateForUndo(self) -> None:
        """Keeps the present segments, their names, colors and tags included."""


class EditorHistory:
    """The history of a vtkSlicerSegmentEditorLogic, as the segment editor's widget has it inside."""

    def __init__(self, editorLogic: Any) -> None:
        self.editorLogic = editorLogic

    def saveStateForUndo(self) -> None:
        self.editorLogic.SaveStateForUndo()

    def undo(self) -> None:
        self.editorLogic.Undo()

    def redo(self) -> None:
        self.editorLogic.Redo()


class NoHistory:
    """For segmentations nobody looks at, such as a copy that is about to be written."""

    def saveStateForUndo(self) -> None:
        pass


@contextmanager
def undoable(segmentationNode: Any, history: History) -> Iterator[Any]:
    """Saves undo state, then holds the node's events back until the end of the block: one change, one undo, one redraw.

    Gives the vtkSegmentation. Check everything that can be wrong before the block: a state is saved even when it raises.
    """
    history.saveStateForUndo()
    wasModified = segmentationNode.StartModify()
    try:
        yield segmentationNode.GetSegmentation()
    finally:
        segmentationNode.EndModify(wasModified)
