"""A series that is open in the scene: its nodes, where its mask came from, and whether the mask changed since."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from SpiderSegLib.corrections import Revision, SeriesRecord, ShownPrediction, UnsavedEdit
from SpiderSegLib.errors import ProjectError, SpiderSegError
from SpiderSegLib.linter import Finding, lint
from SpiderSegLib.mrml.annotation_session.case_nodes import addSegmentation, addVolume, removeNodes, removeSegmentation
from SpiderSegLib.mrml.annotation_session.conflict_view import ConflictView
from SpiderSegLib.mrml.annotation_session.on_screen import Screen, ScreenReader
from SpiderSegLib.mrml.annotation_session.predictions_shown import PredictionWatch
from SpiderSegLib.mrml.annotation_session.starting_point import StartingMask, StartingPoint
from SpiderSegLib.volume import Volume


class OpenCase:
    """What the panel shows of an open series.

    heldBy: who else holds it, '' for nobody. offered: the annotator's unsaved edit of another time, until it is restored or discarded.
    messages: what could not be read or done while opening, in words. parent: id of the revision that a save goes on from, '' for none.
    The nodes are replaced by restoring, settling and adopting: look at them again after those.
    """

    def __init__(self, scene: Any, start: StartingPoint) -> None:
        self.scene = scene
        self.record: SeriesRecord = start.record
        self.partnerRecords: Mapping[str, SeriesRecord] = {record.series: record for record, _ in start.partners}
        self.partnerParents = dict(start.parents)
        self.heldBy = ""
        self.offered: UnsavedEdit | None = None
        self.messages: tuple[str, ...] = ()
        self.volumeNode = addVolume(scene, start.image)
        self.partnerNodes: Mapping[str, Any] = {record.series: addVolume(scene, image) for record, image in start.partners}
        self.extraNodes: list[Any] = []
        self.conflictView = ConflictView(self)
        self.segmentationNode: Any = None
        self._linted: tuple[Screen, tuple[Finding, ...]] | None = None
        try:
            self.useMask(start.mask)
        except BaseException:
            self.remove()
            raise

    @property
    def series(self) -> str:
        return self.record.series

    @property
    def patientId(self) -> str:
        return self.record.patient_id

    @property
    def seriesNodes(self) -> list[Any]:
        """The volume nodes that are in the scene, that of the series first."""
        return [node for node in (self.volumeNode, *self.partnerNodes.values()) if node.GetScene() is not None]

    @property
    def isWhole(self) -> bool:
        """Whether its segmentation is still in the scene."""
        return self.segmentationNode is not None and self.segmentationNode.GetScene() is not None

    # The mask

    def useMask(self, mask: StartingMask) -> None:
        """Shows a mask in a new segmentation node, in place of the present one; it counts as saved."""
        node = addSegmentation(self.scene, self.volumeNode, self.record, mask)
        self._removeSegmentation()
        self.segmentationNode = node
        self.messages = (*self.messages, *mask.messages)
        self.parent = mask.parent.id if mask.parent else ""
        self._reader = ScreenReader(self.series, self.record.geometry, node, self.volumeNode)
        self.predictions = PredictionWatch(self._reader, mask.shown, mask.inherited, bool(mask.parent and mask.parent.prediction))
        self._savedScreen: Screen | None = self._reader.read()

    def adopt(self, segmentationNode: Any) -> None:
        """Goes on with another segmentation of the scene, such as a run's result; the mask saved last stays what it is compared with.

        Raises ProjectError for a node of another scene, or none.
        """
        if segmentationNode is None or segmentationNode.GetScene() is not self.scene:
            raise ProjectError(f"{self.series}: expected a segmentation of the scene to go on with, found none")
        if segmentationNode is not self.segmentationNode:
            self.extraNodes.append(self.segmentationNode)
            self.segmentationNode = self._reader.segmentationNode = segmentationNode
        self.shownPrediction()

    def screen(self) -> Screen:
        """What would be saved now. Raises ProjectError when the segmentation was deleted, and as labelmapOf."""
        return self._reader.read()

    def labelmap(self) -> Volume:
        """What is on screen on the grid of the image in the project, whatever transforms the nodes are under."""
        return Volume(self.screen().labels, self.record.geometry, self.series)

    def findings(self) -> tuple[Finding, ...]:
        """What the linter finds on screen; looked for once a change."""
        screen = self.screen()
        if self._linted is None or self._linted[0] is not screen:
            self._linted = (screen, lint(self.labelmap(), self.record.geometry))
        return self._linted[1]

    def shownPrediction(self) -> ShownPrediction | None:
        """The prediction that was on screen since the parent."""
        return self.predictions.shown(self.screen())

    def isModified(self) -> bool:
        """Whether the mask is another one than was saved or opened last. What can't be read counts as modified, what was deleted doesn't."""
        if not self.isWhole:
            return False
        try:
            return self._savedScreen is None or not self.screen().isSame(self._savedScreen)
        except SpiderSegError:
            return True

    def unsavedDetails(self) -> tuple[str, ...]:
        """What saving alone would not keep, in words."""
        try:
            names = self.screen().namesWithoutLevel
        except SpiderSegError as error:
            return (str(error),)
        return tuple(f"{name} names no level, so that it can't be saved: give it a level, or delete it" for name in names)

    def touched(self) -> tuple[Any, ...]:
        """Changes whenever the mask may have changed."""
        return self._reader.touched()

    def onSaved(self, revision: Revision) -> None:
        """What is on screen is this revision now; segments without a level are not in it."""
        screen = self.screen()
        self.parent, self._savedScreen = revision.id, screen.withoutUnnamed()
        self.predictions.onSaved()

    def forgetSaved(self) -> None:
        """What is on screen is saved nowhere."""
        self._savedScreen = None

    # The end

    def remove(self) -> None:
        """Takes the nodes out of the scene, those that are still there."""
        self.conflictView.hide()
        for node in self.extraNodes:
            removeSegmentation(node)
        self._removeSegmentation()
        removeNodes(self.seriesNodes)

    def _removeSegmentation(self) -> None:
        if self.isWhole:
            removeSegmentation(self.segmentationNode)
