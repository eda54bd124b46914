"""Which prediction was on screen since the parent revision: what a saved mask owes to a model is measured against it.

A prediction counts once a segmentation over the image keeps it: it is drawn as outlines, or one click away. The one that the parent
itself began from does not count anew: the store knows it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import slicer

from SpiderSegLib.corrections import ShownPrediction
from SpiderSegLib.errors import InputError
from SpiderSegLib.mrml.annotation_session.on_screen import Screen, ScreenReader
from SpiderSegLib.mrml.segmentations import MODEL_ATTRIBUTE, predictionNodeOf
from SpiderSegLib.mrml.segments import namingOf, referenceGeometry, taggedSegments
from SpiderSegLib.mrml.spine_tools import predictedLabels
from SpiderSegLib.volume import Volume

#: Model of a prediction that says nothing of it.
UNKNOWN_MODEL = "unknown"


class PredictionWatch:
    """The predictions of one open case. `shown` was on screen from the start; `inherited` is the one the parent began from.

    isParentSeeded: whether the parent began from a prediction, be it readable or not.
    """

    def __init__(self, reader: ScreenReader, shown: ShownPrediction | None, inherited: ShownPrediction | None, isParentSeeded: bool) -> None:
        self._reader = reader
        self._shown = shown
        self._counted = [predictionNodeOf(reader.segmentationNode)]
        self._byModel = frozenset(self._segmentsByModel())
        self._isParentSeeded = isParentSeeded
        #: What the mask on screen rests on, shown since the parent or before; None for a mask drawn by hand.
        self.behind = shown or inherited

    def shown(self, screen: Screen) -> ShownPrediction | None:
        """The prediction that was on screen since the parent, of several the latest; None when none was.

        Where none was, but the model drew single levels at a click, those levels as they are now.
        """
        for segmentationNode, node in self._kept():
            if node not in self._counted:
                self._counted.append(node)
                self._shown = self._read(segmentationNode, node, screen)
        shown = self._shown or self._drawnAtClicks(screen)
        self.behind = shown or self.behind
        return shown

    def onSaved(self) -> None:
        """The parent has it now; what is shown from here on counts anew."""
        self._isParentSeeded = self._isParentSeeded or self.behind is not None
        self._shown, self._byModel = None, frozenset(self._segmentsByModel())

    def _kept(self) -> Iterator[tuple[Any, Any]]:
        """Segmentations over the image with the predictions that they keep, that of the case last."""
        own, scene = self._reader.segmentationNode, self._reader.segmentationNode.GetScene()
        role = slicer.vtkMRMLSegmentationNode.GetReferenceImageGeometryReferenceRole()
        count = scene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode") if scene is not None else 0
        nodes = [scene.GetNthNodeByClass(index, "vtkMRMLSegmentationNode") for index in range(count)]
        others = [node for node in nodes if node is not own and node.GetNodeReference(role) is self._reader.volumeNode]
        for node in (*others, own):
            prediction = predictionNodeOf(node)
            if prediction is not None:
                yield node, prediction

    def _read(self, segmentationNode: Any, node: Any, screen: Screen) -> ShownPrediction:
        modelId = node.GetAttribute(MODEL_ATTRIBUTE) or UNKNOWN_MODEL
        try:
            labelmap = Volume(predictedLabels(segmentationNode).copy(), referenceGeometry(segmentationNode))
            return ShownPrediction(self._reader.onImage(labelmap), modelId, namingOf(segmentationNode))
        except InputError:
            # On a grid that is not the segmentation's any more: all that is on screen may be the model's.
            return ShownPrediction(screen.labels, modelId, screen.naming)

    def _drawnAtClicks(self, screen: Screen) -> ShownPrediction | None:
        drawn = {segmentId: found for segmentId, found in self._segmentsByModel().items() if segmentId not in self._byModel}
        if self._isParentSeeded or not drawn:
            return None
        isDrawn = np.isin(screen.labels, [value for value, _ in drawn.values()])
        return ShownPrediction(np.where(isDrawn, screen.labels, 0).astype(np.uint8), next(iter(drawn.values()))[1], screen.naming)

    def _segmentsByModel(self) -> dict[str, tuple[int, str]]:
        """Value and model of the segments that a model drew, by ID."""
        tagged = taggedSegments(self._reader.segmentationNode)
        return {segmentId: (tags.value, tags.model_id) for segmentId, _, tags in tagged if tags.model_id}
