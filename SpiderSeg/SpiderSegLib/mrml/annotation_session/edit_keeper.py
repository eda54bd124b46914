"""Keeping the unsaved edit of an open case in the project, and forgetting it once it is saved or given up."""

from __future__ import annotations

from typing import Any

from SpiderSegLib.corrections import ProjectFolder, drop_edit, keep_edit, keep_prediction
from SpiderSegLib.corrections.records import Clock
from SpiderSegLib.mrml.annotation_session.open_case import OpenCase
from SpiderSegLib.mrml.annotation_session.unsaved_edits import editOf


class EditKeeper:
    """Keeps the edit of one case at a time. Touches no edit on disk but those it wrote or was given by `takeOver`."""

    def __init__(self, folder: ProjectFolder, annotator: str, clock: Clock) -> None:
        self._folder = folder
        self._annotator = annotator
        self._clock = clock
        self._kept: tuple[Any, ...] | None = None
        #: Whether the edit on disk is that of the open case.
        self.isOnDisk = False

    def begin(self) -> None:
        """Another case was opened."""
        self._kept, self.isOnDisk = None, False

    def takeOver(self, case: OpenCase) -> None:
        """The edit on disk was restored: it is what is on screen."""
        self._kept, self.isOnDisk = case.touched(), True

    def keep(self, case: OpenCase, minutes: float) -> bool:
        """Writes the edit if it changed since the last time; returns whether it did. What was undone is forgotten. Raises OutputError."""
        if case.touched() == self._kept:
            return False
        if not case.isModified():
            self.drop(case.series)
            self._kept = case.touched()
            return False
        edit, shown = editOf(case, self._annotator, minutes), case.shownPrediction()
        if shown is not None:
            # A newer model may have replaced it by the time the edit is taken up again.
            keep_prediction(self._folder, case.series, shown, self._clock)
        keep_edit(self._folder, edit, self._clock)
        # Reading may touch the nodes: surfaces become voxels.
        self._kept, self.isOnDisk = case.touched(), True
        return True

    def drop(self, series: str) -> None:
        """Forgets the edit on disk, if it is this case's."""
        if self.isOnDisk:
            drop_edit(self._folder, series, self._annotator)
        self._kept, self.isOnDisk = None, False
