"""Edits of series without a project, kept on this computer until they are exported or given up: a crash costs the last stroke.

Only masks are kept, named after the image's voxels: no image, no name of a series or a patient.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk
import slicer
from platformdirs import user_state_path

from SpiderSegLib.atomic import make_folder, write_together
from SpiderSegLib.errors import GeometryError, ImageReadError, InputError
from SpiderSegLib.mrml.exporting import ExportFormat, ExportPlan, export
from SpiderSegLib.mrml.segmentations import MODEL_ATTRIBUTE, keepPrediction, predictionNodeOf
from SpiderSegLib.mrml.segments import referenceGeometry
from SpiderSegLib.mrml.spine_tools import predictedLabels
from SpiderSegLib.mrml.volumes import geometryOf
from SpiderSegLib.segmentation_files import NamedLabelmap, labelmap_writer, read_labelmap_file
from SpiderSegLib.volume import Geometry, Volume

_KEY = re.compile(r"[0-9a-f]{64}")


def keptEditsFolder() -> Path:
    """Where this user's edits are kept."""
    return user_state_path("spiderseg", appauthor=False) / "workstation"


@dataclass(frozen=True)
class KeptEdits:
    """The kept edits of a folder; `key` is the content hash of an image."""

    folder: Path

    def keep(self, key: str, segmentationNode: Any, volumeNode: Any) -> None:
        """Keeps a segmentation in place of an earlier one of this image. Raises OutputError; the earlier one then stays."""
        self._makeFolder()
        export(segmentationNode, ExportPlan(ExportFormat.SLICER, ((volumeNode, self._mask(key)),)))

    def keepPrediction(self, key: str, segmentationNode: Any) -> None:
        """Keeps what the model drew, to be gone back to after a crash, too; does nothing for a mask without one. Raises OutputError."""
        node = predictionNodeOf(segmentationNode)
        if node is None:
            return
        self._makeFolder()
        labelmap = Volume(predictedLabels(segmentationNode), referenceGeometry(segmentationNode))
        named = NamedLabelmap.of(labelmap, model_id=node.GetAttribute(MODEL_ATTRIBUTE) or "")
        write_together({self._prediction(key): labelmap_writer(self._prediction(key), named)})

    def keptAt(self, key: str) -> str:
        """When an edit was kept, ISO and UTC; '' when there is none."""
        try:
            return datetime.fromtimestamp(self._mask(key).stat().st_mtime, timezone.utc).isoformat(timespec="minutes")
        except OSError:
            return ""

    def restore(self, key: str, scene: Any, volumeNode: Any) -> Any:
        """The kept segmentation as a node over its image, with the prediction it began from. Raises ImageReadError when it can't be read."""
        path = self._mask(key)
        if not _isWhole(path):
            raise ImageReadError(f"{path}: the kept edit can't be read")
        node = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", f"{volumeNode.GetName()} segmentation")
        storage = slicer.vtkMRMLSegmentationStorageNode()
        storage.SetFileName(str(path))
        if not storage.ReadData(node):
            scene.RemoveNode(node)
            raise ImageReadError(f"{path}: the kept edit can't be read")
        if not _isOnGrid(node, geometryOf(volumeNode)):
            scene.RemoveNode(node)
            raise ImageReadError(f"{path}: the kept edit lies on another grid than the image")
        node.CreateDefaultDisplayNodes()
        node.SetReferenceImageGeometryParameterFromVolumeNode(volumeNode)
        self._restorePrediction(key, node)
        return node

    def _restorePrediction(self, key: str, node: Any) -> None:
        path = self._prediction(key)
        if not path.is_file():
            return
        try:
            named = read_labelmap_file(path).named
            keepPrediction(node, named.labelmap.array.astype(np.uint8, copy=False), named.model_id)
        except InputError:
            # A damaged prediction can't be gone back to; the person's own work is what counts.
            return

    def drop(self, key: str) -> None:
        """Forgets an edit: it was exported, or given up."""
        for path in (self._mask(key), self._prediction(key)):
            path.unlink(missing_ok=True)

    def _makeFolder(self) -> None:
        make_folder(self.folder)
        self.folder.chmod(0o700)

    def _mask(self, key: str) -> Path:
        return self.folder / f"{self._checked(key)}.seg.nrrd"

    def _prediction(self, key: str) -> Path:
        return self.folder / f"{self._checked(key)}.prediction.mha"

    def _checked(self, key: str) -> str:
        if not _KEY.fullmatch(key):
            raise ValueError(f"expected a SHA-256 in hex, found {key!r}")
        return key


def _isWhole(path: Path) -> bool:
    """Whether all voxels of an image file can be read. Slicer's reader ends the process over a file that breaks off."""
    try:
        sitk.ReadImage(str(path))
    except RuntimeError:
        return False
    return True


def _isOnGrid(segmentationNode: Any, geometry: Geometry) -> bool:
    try:
        return referenceGeometry(segmentationNode).is_same_grid(geometry)
    except GeometryError:
        return False
