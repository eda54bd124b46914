"""What is open in the workstation: one series by itself, or a case of a project; the page treats both alike."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

from SpiderSegLib.dicom import DicomSeries
from SpiderSegLib.errors import SpiderSegError
from SpiderSegLib.fingerprint import content_hash
from SpiderSegLib.linter import Finding, lint
from SpiderSegLib.mrml.annotation_session import AnnotationSession, OpenCase
from SpiderSegLib.mrml.annotation_session.case_nodes import addVolume, plainSegmentation, removeNodes, removeSegmentation
from SpiderSegLib.mrml.annotation_session.on_screen import Screen, ScreenReader
from SpiderSegLib.mrml.segmentations import SegmentInfo, predictionNodeOf
from SpiderSegLib.mrml.segments import segmentIds
from SpiderSegLib.mrml.volumes import geometryOf
from SpiderSegLib.volume import Volume
from SpiderSegLib.workstation.kept_edits import KeptEdits


class Work(Protocol):
    """An open series: its nodes, whether there is something to save, and keeping that through a crash.

    segmentationNode is None as long as there is no segmentation. All methods raise SpiderSegError, in words for people.
    """

    @property
    def name(self) -> str: ...

    @property
    def volumeNode(self) -> Any: ...

    @property
    def segmentationNode(self) -> Any: ...

    @property
    def seriesNodes(self) -> list[Any]: ...

    @property
    def offeredAt(self) -> str:
        """When an edit of another time was kept that waits for an answer, ISO and UTC; '' when there is none."""

    def isModified(self) -> bool: ...

    def autosave(self) -> bool: ...

    def restoreOffered(self) -> None: ...

    def discardOffered(self) -> None: ...

    def useSegmentation(self, segmentationNode: Any) -> None: ...

    def findings(self) -> tuple[Finding, ...]: ...

    def onExported(self, isWhole: bool) -> None:
        """What is on screen is in a file of the person's now; segments without a level only if it is whole."""

    def leave(self) -> None: ...


class LooseSeries:
    """A series that belongs to no project: it is segmented, corrected and exported; edits are kept until then.

    dicom is the series' files, for DICOM SEG. Raises GeometryError or ImageReadError for a volume that can't be shown.
    """

    def __init__(self, scene: Any, volume: Volume, edits: KeptEdits, dicom: DicomSeries | None = None) -> None:
        self._scene = scene
        self._edits = edits
        self._key = content_hash(volume)
        self.dicom = dicom
        self.name = volume.name
        self.volume = volume
        self.volumeNode = addVolume(scene, volume)
        self.segmentationNode: Any = None
        self.offeredAt = edits.keptAt(self._key)
        self._reader: ScreenReader | None = None
        self._exported: Screen | None = None
        self._kept: tuple[Any, ...] | None = None
        self._keptPrediction: Any = None
        self._linted: tuple[Screen, tuple[Finding, ...]] | None = None

    @property
    def seriesNodes(self) -> list[Any]:
        return [self.volumeNode]

    def isModified(self) -> bool:
        """Whether there is something that was not exported."""
        if self._reader is None:
            return False
        try:
            return self._exported is None or not self._reader.read().isSame(self._exported)
        except SpiderSegError:
            return True

    def useSegmentation(self, segmentationNode: Any) -> None:
        """Goes on with a segmentation, such as a run's result, in place of the present one."""
        if segmentationNode is self.segmentationNode:
            return
        before = self.segmentationNode
        self.segmentationNode = segmentationNode
        self._reader = ScreenReader(self.name, geometryOf(self.volumeNode), segmentationNode, self.volumeNode)
        self._exported = None
        if before is not None:
            removeSegmentation(before)

    def startEmpty(self) -> None:
        """An empty segmentation, to draw by hand."""
        empty = Volume(np.zeros(geometryOf(self.volumeNode).shape_kji, np.uint8), geometryOf(self.volumeNode), self.name)
        self.useSegmentation(plainSegmentation(self._scene, self.volumeNode, empty, SegmentInfo(), f"{self.name} segmentation"))

    def screen(self) -> Screen | None:
        """What would be exported; None without a segmentation."""
        return self._reader.read() if self._reader is not None else None

    def findings(self) -> tuple[Finding, ...]:
        """What the linter finds on screen; looked for once a change."""
        screen = self.screen()
        if screen is None:
            return ()
        if self._linted is None or self._linted[0] is not screen:
            geometry = geometryOf(self.volumeNode)
            self._linted = (screen, lint(Volume(screen.labels, geometry, self.name), geometry))
        return self._linted[1]

    # The unsaved edit

    def autosave(self) -> bool:
        """Keeps what changed since the last time; returns whether it did.

        Nothing is kept while an edit of another time is offered, and of a segmentation without segments.
        """
        if self._reader is None or self.offeredAt or self._reader.touched() == self._kept or not segmentIds(self.segmentationNode):
            return False
        prediction = predictionNodeOf(self.segmentationNode)
        if prediction is not self._keptPrediction:
            self._edits.keepPrediction(self._key, self.segmentationNode)
            self._keptPrediction = prediction
        self._edits.keep(self._key, self.segmentationNode, self.volumeNode)
        self._kept = self._reader.touched()
        return True

    def restoreOffered(self) -> None:
        """Shows the kept edit."""
        node = self._edits.restore(self._key, self._scene, self.volumeNode)
        self.offeredAt = ""
        self.useSegmentation(node)
        self._kept = self._reader.touched() if self._reader is not None else None

    def discardOffered(self) -> None:
        """Forgets the kept edit."""
        self._edits.drop(self._key)
        self.offeredAt = ""

    def onExported(self, isWhole: bool) -> None:
        screen = self.screen()
        self._exported = screen if screen is None or isWhole else screen.withoutUnnamed()

    def leave(self) -> None:
        """Takes the nodes out of the scene; an edit that was exported as it is need not be kept."""
        if self._reader is not None and not self.offeredAt:
            if self.isModified():
                self.autosave()
            else:
                self._edits.drop(self._key)
        if self.segmentationNode is not None:
            removeSegmentation(self.segmentationNode)
        removeNodes([self.volumeNode])


class ProjectCase:
    """The open case of a session, as the page sees it."""

    def __init__(self, session: AnnotationSession) -> None:
        self._session = session

    @property
    def case(self) -> OpenCase:
        assert self._session.current is not None
        return self._session.current

    @property
    def name(self) -> str:
        return self.case.series

    @property
    def volumeNode(self) -> Any:
        return self.case.volumeNode

    @property
    def segmentationNode(self) -> Any:
        return self.case.segmentationNode

    @property
    def seriesNodes(self) -> list[Any]:
        return self.case.seriesNodes

    @property
    def offeredAt(self) -> str:
        return self.case.offered.kept_utc if self.case.offered is not None else ""

    def isModified(self) -> bool:
        return self._session.isModified()

    def autosave(self) -> bool:
        return self._session.autosave()

    def restoreOffered(self) -> None:
        self._session.restoreOffered()

    def discardOffered(self) -> None:
        self._session.discardOffered()

    def useSegmentation(self, segmentationNode: Any) -> None:
        self._session.useSegmentation(segmentationNode)

    def findings(self) -> tuple[Finding, ...]:
        return self._session.findings()

    def onExported(self, isWhole: bool) -> None:
        """An export does not replace a revision."""

    def leave(self) -> None:
        """Changes stay in the project and are offered the next time."""
        self._session.close(keep=True)
