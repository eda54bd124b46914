"""One history for brush, scissors and the spine tools: undo takes back what was done last, whoever did it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import slicer
from trame_slicer.segmentation import Segmentation
from trame_slicer.segmentation.segmentation_undo_command import SegmentationLabelMapUndoCommand
from undo_stack import UndoCommand, UndoStack

#: As many as in the desktop module. A state is a copy of the labelmap: 5 MB for 512 x 512 x 20 voxels.
MOST_STATES = 20


class UndoHistory:
    """The history of the segmentation that is edited, as the spine tools ask for it (`mrml.history.History`).

    `stack` is the one that trame-slicer's effects push to. onChanged is called after every step, undo and redo.
    """

    def __init__(self, onChanged: Callable[[], object]) -> None:
        self.stack = _Stack(undo_limit=MOST_STATES)
        self._segmentation: Segmentation | None = None
        self.stack.index_changed.connect(lambda *arguments: onChanged())

    def begin(self, segmentation: Segmentation | None) -> None:
        """Another segmentation is edited, or none: earlier steps can't be taken back any more."""
        self._segmentation = segmentation
        self.stack.clear()

    def saveStateForUndo(self) -> None:
        if self._segmentation is not None:
            self.stack.push(_StateBefore(self._segmentation, _State.of(self._segmentation)))

    @property
    def canUndo(self) -> bool:
        return bool(self.stack.can_undo())

    @property
    def canRedo(self) -> bool:
        return bool(self.stack.can_redo())

    def undo(self) -> None:
        self.stack.undo()

    def redo(self) -> None:
        self.stack.redo()


class _Stack(UndoStack):
    """Takes the strokes of trame-slicer's effects, too, which come with a copy of the state before and one of the state after."""

    def push(self, command: UndoCommand) -> None:
        if isinstance(command, SegmentationLabelMapUndoCommand):
            before, _after = (_State(state) for state in command._segmentation_stack._segmentation_states)
            command = _StateBefore(command._segmentation, before)
        super().push(command)


class _State:
    """A copy of a segmentation."""

    def __init__(self, segmentation: Any) -> None:
        self.segmentation = segmentation

    @classmethod
    def of(cls, segmentation: Segmentation) -> _State:
        copy = slicer.vtkSegmentation()
        copy.DeepCopy(segmentation.segmentation)
        return cls(copy)

    def __del__(self) -> None:
        # A segmentation that goes clears every segment's voxels in the labelmap they share, one after the other: a tenth of a second.
        for index in range(self.segmentation.GetNumberOfSegments()):
            self.segmentation.GetNthSegment(index).RemoveAllRepresentations()


class _StateBefore(UndoCommand):
    """The state before a change; the one after it is copied when the change is undone, when it is there again."""

    def __init__(self, segmentation: Segmentation, before: _State) -> None:
        super().__init__()
        self._segmentation = segmentation
        self._before = before
        self._after: _State | None = None

    def undo(self) -> None:
        self._after = _State.of(self._segmentation)
        self._restore(self._before)

    def redo(self) -> None:
        if self._after is not None:
            self._restore(self._after)

    def _restore(self, state: _State) -> None:
        self._segmentation.segmentation.DeepCopy(state.segmentation)
        self._segmentation.trigger_modified()
