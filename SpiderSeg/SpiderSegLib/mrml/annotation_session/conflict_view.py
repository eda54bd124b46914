"""Two masks of one series over its image, as outlines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from SpiderSegLib.agreement.panel import A_COLOR, B_COLOR
from SpiderSegLib.corrections import ProjectFolder, Revision
from SpiderSegLib.mrml.annotation_session.case_nodes import plainSegmentation, removeSegmentation
from SpiderSegLib.mrml.annotation_session.conflicts import namedMask
from SpiderSegLib.mrml.segmentations import SegmentInfo
from SpiderSegLib.mrml.segments import segmentIds
from SpiderSegLib.volume import Volume

if TYPE_CHECKING:
    from SpiderSegLib.mrml.annotation_session.open_case import OpenCase

#: Width in pixels and color of each mask's outlines, in the colors of the picture of where they differ: the thin one is seen inside the wide one.
OUTLINES = ((4, A_COLOR), (2, B_COLOR))


class ConflictView:
    """The masks that are shown over an open case; its own segmentation is hidden meanwhile."""

    def __init__(self, case: OpenCase) -> None:
        self._case = case
        self._nodes: tuple[Any, ...] = ()

    def show(self, folder: ProjectFolder, revisions: Sequence[Revision]) -> tuple[Any, ...]:
        """Shows two revisions and returns their segmentation nodes. Raises ProjectError when a mask can't be read; then nothing changed."""
        masks = [(revision, namedMask(folder, revision)) for revision in revisions]
        self.hide()
        self._nodes = tuple(self._added(revision, mask, *outline) for (revision, mask), outline in zip(masks, OUTLINES, strict=False))
        self._setOwnVisibility(False)
        return self._nodes

    def hide(self) -> None:
        """Takes them away again."""
        if self._nodes:
            for node in self._nodes:
                removeSegmentation(node)
            self._nodes = ()
            self._setOwnVisibility(True)

    def _added(self, revision: Revision, mask: Volume, width: int, color: str) -> Any:
        case = self._case
        labelmap = Volume(mask.array, case.record.geometry, mask.name)
        node = plainSegmentation(case.scene, case.volumeNode, labelmap, SegmentInfo(revision.naming), mask.name)
        display = node.GetDisplayNode()
        display.SetVisibility2DFill(False)
        display.SetVisibility2DOutline(True)
        display.SetVisibility3D(False)
        display.SetSliceIntersectionThickness(width)
        rgb = [int(color[index : index + 2], 16) / 255 for index in (1, 3, 5)]
        for segmentId in segmentIds(node):
            display.SetSegmentOverrideColor(segmentId, *rgb)
        return node

    def _setOwnVisibility(self, isVisible: bool) -> None:
        if self._case.isWhole:
            self._case.segmentationNode.GetDisplayNode().SetVisibility(isVisible)
