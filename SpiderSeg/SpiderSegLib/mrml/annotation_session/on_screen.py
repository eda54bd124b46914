"""What is on screen of a case, as it would be saved, and whether it changed: read again only after the nodes were touched."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from SpiderSegLib.errors import ProjectError
from SpiderSegLib.level_names import LevelNaming
from SpiderSegLib.mrml.segmentations import labelmapOf, onGridOf
from SpiderSegLib.mrml.segments import BINARY_LABELMAP, layersOf, referenceGeometry, segmentIds, segmentOf, taggedSegments
from SpiderSegLib.mrml.volumes import geometryOf
from SpiderSegLib.volume import Geometry, Volume


@dataclass(frozen=True)
class Screen:
    """A segmentation as SPIDER values on the voxels of its image.

    labels: uint8 (k, j, i). withoutLevel: segments with voxels that name no level, 1 for the first of `namesWithoutLevel`, and so on; they
    can't be saved as they are. warnings: what a person should know of the labels, in words.
    """

    labels: NDArray[np.uint8]
    naming: LevelNaming
    withoutLevel: NDArray[np.uint8]
    namesWithoutLevel: tuple[str, ...]
    warnings: tuple[str, ...]

    def isSame(self, other: Screen) -> bool:
        """Whether both hold the same work."""
        return (
            self.naming == other.naming
            and self.namesWithoutLevel == other.namesWithoutLevel
            and np.array_equal(self.labels, other.labels)
            and np.array_equal(self.withoutLevel, other.withoutLevel)
        )

    def withoutUnnamed(self) -> Screen:
        """What of it can be saved."""
        return replace(self, withoutLevel=np.zeros_like(self.withoutLevel), namesWithoutLevel=())


class ScreenReader:
    """Reads the segmentation of a series. `geometry` is the grid of its image in the project; the nodes may lie under transforms."""

    def __init__(self, series: str, geometry: Geometry, segmentationNode: Any, volumeNode: Any) -> None:
        self.segmentationNode = segmentationNode
        self.volumeNode = volumeNode
        self._series = series
        self._geometry = geometry
        self._seen: tuple[Any, ...] | None = None
        self._screen: Screen | None = None

    def touched(self) -> tuple[Any, ...]:
        """Changes with every change of voxels, names, levels, order or place; cheap. Display properties play no part."""
        segmentation = self.segmentationNode.GetSegmentation()
        ids = segmentIds(self.segmentationNode)
        return (
            tuple((segmentId, segmentation.GetSegment(segmentId).GetMTime()) for segmentId in ids),
            tuple(
                segmentation.GetLayerDataObject(layer, BINARY_LABELMAP).GetMTime() for layer in range(segmentation.GetNumberOfLayers(BINARY_LABELMAP))
            ),
            segmentation.GetMTime(),
            *(_placeOf(node) for node in (self.segmentationNode, self.volumeNode)),
        )

    def read(self) -> Screen:
        """What is on screen now. Raises ProjectError when the segmentation was deleted, and as labelmapOf."""
        if self.segmentationNode.GetScene() is None:
            raise ProjectError(f"{self._series}: its segmentation was deleted; open the series again: what was not saved is offered there")
        seen = self.touched()
        if self._screen is None or seen != self._seen:
            self._screen = self._read()
            # Surfaces are turned into voxels while they are read.
            self._seen = self.touched()
        return self._screen

    def _read(self) -> Screen:
        found = labelmapOf(self.segmentationNode)
        names, rest = _withoutLevel(self.segmentationNode)
        onImage = [self.onImage(Volume(array, found.labelmap.geometry)) for array in (found.labelmap.array, rest)]
        return Screen(onImage[0], found.naming, onImage[1], names, found.warnings)

    def onImage(self, labelmap: Volume) -> NDArray[np.uint8]:
        """A labelmap in the world on the image's voxels (k, j, i): where its node lies, or where the project says when that is gone."""
        target = self._geometry if self.volumeNode.GetScene() is None else geometryOf(self.volumeNode)
        return onGridOf(labelmap, target, self._series).array


def _placeOf(node: Any) -> tuple[Any, ...]:
    transform = node.GetParentTransformNode()
    return (node.GetScene() is None, "" if transform is None else transform.GetID(), 0 if transform is None else transform.GetTransformToWorldMTime())


def _withoutLevel(segmentationNode: Any) -> tuple[tuple[str, ...], NDArray[np.uint8]]:
    """Names of the segments with voxels that name no level, and their voxels (k, j, i) on the reference grid; the later one on top."""
    named = {segmentId for segmentId, _, _ in taggedSegments(segmentationNode)}
    rest = np.zeros(referenceGeometry(segmentationNode).shape_kji, dtype=np.uint8)
    names: list[str] = []
    if len(named) == len(segmentIds(segmentationNode)):
        return (), rest
    for array, values in layersOf(segmentationNode):
        for segmentId in (segmentId for segmentId in values if segmentId not in named):
            mask = array == values[segmentId]
            if mask.any():
                names.append(segmentOf(segmentationNode, segmentId).GetName())
                rest[mask] = len(names)
    return tuple(names), rest
