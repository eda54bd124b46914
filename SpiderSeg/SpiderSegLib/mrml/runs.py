"""Runs of the command line on nodes: what is written for it, how it is called, and how its result comes into the scene.

The process itself is started by whoever has an event loop: desktop module and browser do it in their own ways.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from SpiderSegLib.errors import GeometryError, ImageReadError, InputError, LabelError
from SpiderSegLib.io import read_labelmap, write_volume
from SpiderSegLib.labels import SPINAL_CANAL, Structure, level_of, structure_of
from SpiderSegLib.mrml.history import History
from SpiderSegLib.mrml.segmentations import SegmentInfo, labelmapOf, newSegmentationNode, onGridOf
from SpiderSegLib.mrml.segments import maskOf, namingOf, referenceGeometry, segmentOf, taggedSegments, tagsOf
from SpiderSegLib.mrml.spine_tools import takeIn
from SpiderSegLib.mrml.volumes import geometryOf, lpsOf, volumeOf
from SpiderSegLib.segment_tags import SegmentTags
from SpiderSegLib.segmentation_files import read_sidecar
from SpiderSegLib.volume import Volume

#: Names inside a run's private folder. The series' own name would put a patient's name on the disk.
INPUT_NAME, OUTPUT_NAME, KEPT_NAME = "series.mha", "result.mha", "kept.mha"


@dataclass(frozen=True)
class RunSettings:
    """Options of `spiderseg predict` a person chooses: weights '' is the bundled model, device auto, cpu, cuda or cuda:N."""

    weights: str = ""
    device: str = "auto"
    mirror: bool = False

    @property
    def arguments(self) -> tuple[str, ...]:
        return (
            "--device",
            self.device,
            *(("--weights", self.weights) if self.weights else ()),
            *(("--mirror",) if self.mirror else ()),
        )


@dataclass(frozen=True)
class NodeRun:
    """A run on a volume node: the command line's arguments, where its labelmap will be, and which nodes it belongs to, by ID.

    levels: of a local run, the level of every segment by ID when it began.
    """

    arguments: tuple[str, ...]
    output: Path
    volumeId: str
    segmentationId: str = ""
    levels: tuple[tuple[str, int], ...] = ()


def prepareRun(folder: Path, volumeNode: Any, settings: RunSettings) -> NodeRun:
    """Writes a volume node into an empty private folder for a run over all of it. Raises as volumeOf, and OutputError."""
    write_volume(folder / INPUT_NAME, volumeOf(volumeNode))
    output = folder / OUTPUT_NAME
    arguments = ("predict", str(folder / INPUT_NAME), "--out", str(output), "--progress", "json", *settings.arguments)
    return NodeRun(arguments, output, volumeNode.GetID())


def loadResult(scene: Any, run: NodeRun) -> Any:
    """The segmentation node of a finished run; no view is moved.

    Raises InputError when the volume left the scene or changed while the run was going, ImageReadError and LabelError for a damaged
    result; then the scene is as it was.
    """
    volumeNode = _nodeOf(scene, run.volumeId, "volume")
    labelmap = read_labelmap(run.output)
    _checkUnchanged(volumeNode, labelmap)
    return newSegmentationNode(scene, labelmap, volumeNode, infoOf(run.output))


def _nodeOf(scene: Any, nodeId: str, what: str) -> Any:
    node = scene.GetNodeByID(nodeId)
    if node is None:
        raise InputError(f"the {what} was deleted during the run: its result is dropped")
    return node


def _checkUnchanged(volumeNode: Any, labelmap: Volume) -> None:
    image = volumeNode.GetImageData()
    size = tuple(image.GetDimensions()) if image is not None else (0, 0, 0)
    if labelmap.geometry.size_ijk != size:
        raise GeometryError(f"{volumeNode.GetName()} was changed during the run: expected the size {labelmap.geometry.size_ijk}, found {size}")


def sidecarOf(labelmapPath: Path) -> dict[str, Any]:
    """The JSON beside a run's labelmap, whatever it says. Raises ImageReadError when it is missing or damaged."""
    path = labelmapPath.with_suffix(".json")
    try:
        sidecar = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ImageReadError(f"{path}: expected the JSON of a run, found {error}") from error
    if not isinstance(sidecar, dict):
        raise ImageReadError(f"{path}: expected the JSON of a run, found a {type(sidecar).__name__}")
    return sidecar


def infoOf(labelmapPath: Path) -> SegmentInfo:
    """Naming, model and confidences in the JSON beside a run's labelmap. Raises LabelError, naming the file, for what can't be them."""
    path = labelmapPath.with_suffix(".json")
    facts = read_sidecar(path)
    try:
        for value, confidence in facts.confidences.items():
            SegmentTags(value, confidence=confidence)
    except LabelError as error:
        raise LabelError(f"{path}: {error}") from error
    return SegmentInfo(facts.naming, facts.model_id, facts.confidences)


def messagesOf(sidecar: Mapping[str, Any]) -> list[str]:
    """What a run wants a person to know: its warnings, and why levels are unidentified."""
    state = sidecar.get("level_state")
    reasons = _texts(state.get("reasons")) if isinstance(state, dict) else []
    return [*_texts(sidecar.get("warnings")), *(f"Level unidentified: {reason}" for reason in reasons)]


def _texts(values: Any) -> list[str]:
    return [str(value) for value in values] if isinstance(values, list) else []


# Around a click


def prepareRunAround(
    folder: Path, segmentationNode: Any, volumeNode: Any, pointRas: tuple[float, float, float], structure: Structure, settings: RunSettings
) -> NodeRun:
    """Writes what a run needs that draws one missing vertebra or disc around a point in the world. Raises as labelmapOf and OutputError."""
    return _localRun(folder, segmentationNode, volumeNode, pointRas, structure, settings, ())


def prepareRerun(folder: Path, segmentationNode: Any, volumeNode: Any, segmentId: str, settings: RunSettings) -> NodeRun:
    """Writes what a run needs that draws one level anew, from the middle of what it is now.

    Raises InputError for the canal, for a segment without a level and for an empty one.
    """
    segment = segmentOf(segmentationNode, segmentId)
    tags = tagsOf(segment, namingOf(segmentationNode))
    if tags is None or tags.value == SPINAL_CANAL:
        raise InputError(f"{segment.GetName()}: a vertebra or a disc can be drawn anew; choose one")
    mask = maskOf(segmentationNode, segmentId)
    if not mask.any():
        raise InputError(f"{segment.GetName()} is empty: use Add vertebra or Add disc and click where it is")
    return _localRun(folder, segmentationNode, volumeNode, None, structure_of(tags.value), settings, ("--replace", str(tags.value)))


def _localRun(
    folder: Path,
    segmentationNode: Any,
    volumeNode: Any,
    pointRas: tuple[float, float, float] | None,
    structure: Structure,
    settings: RunSettings,
    more: tuple[str, ...],
) -> NodeRun:
    write_volume(folder / INPUT_NAME, volumeOf(volumeNode))
    write_volume(folder / KEPT_NAME, labelmapOf(segmentationNode, volumeNode).labelmap)
    output = folder / OUTPUT_NAME
    around = () if pointRas is None else ("--around=" + ",".join(f"{value:.3f}" for value in lpsOf(pointRas)),)
    arguments = (
        *("predict", str(folder / INPUT_NAME), "--out", str(output), "--progress", "json", *settings.arguments, *around),
        *("--structure", structure.name.lower(), "--keep", str(folder / KEPT_NAME), "--only", *more),
    )
    return NodeRun(arguments, output, volumeNode.GetID(), segmentationNode.GetID(), _levelsOf(segmentationNode))


def takeInResult(scene: Any, run: NodeRun, history: History) -> str:
    """Takes what a local run drew into the segmentation, as one step of undo; returns the ID of its segment.

    What lies below level 1 becomes level 1 and moves all others up. Raises InputError when the nodes left the scene or levels got other
    numbers during the run, or when nothing of it is free any more; ImageReadError and LabelError for a damaged result.
    """
    segmentationNode = _nodeOf(scene, run.segmentationId, "segmentation")
    volumeNode = _nodeOf(scene, run.volumeId, "volume")
    labelmap = read_labelmap(run.output)
    _checkUnchanged(volumeNode, labelmap)
    _checkLevels(segmentationNode, run.levels)
    added = _addedOf(run.output, labelmap)
    onReference = onGridOf(Volume(labelmap.array, geometryOf(volumeNode)), referenceGeometry(segmentationNode), "")
    return takeIn(segmentationNode, onReference.array > 0, added.tags, history, added.needsShift)


@dataclass(frozen=True)
class _Added:
    """What a local run says of the structure it drew: its tags, and by how many levels all others have to move up beside it."""

    tags: SegmentTags
    needsShift: int


def _addedOf(path: Path, labelmap: Volume) -> _Added:
    """Raises InputError when nothing was drawn, LabelError and ImageReadError for a damaged result."""
    values = [int(value) for value in np.unique(labelmap.array) if value]
    if not values:
        raise InputError("the run drew nothing")
    try:
        last = sidecarOf(path)["added"][-1]
        if values != [last["value"]]:
            raise ImageReadError(f"{path}: expected one structure of the value {last['value']}, found {values}")
        confidence = None if last["confidence"] is None else float(last["confidence"])
        return _Added(SegmentTags(values[0], model_id=str(last["model"]["id"]), confidence=confidence), int(last["needs_shift"]))
    except (KeyError, IndexError, TypeError, ValueError, LabelError) as error:
        raise ImageReadError(f"{path.with_suffix('.json')}: expected a record of what the local run added, found none ({error})") from error


def _levelsOf(segmentationNode: Any) -> tuple[tuple[str, int], ...]:
    return tuple((segmentId, level_of(tags.value)) for segmentId, _, tags in taggedSegments(segmentationNode))


def _checkLevels(segmentationNode: Any, before: tuple[tuple[str, int], ...]) -> None:
    """What a run drew is numbered after the levels it was given: with others it would name, or replace, the wrong one."""
    present = dict(_levelsOf(segmentationNode))
    if any(present.get(segmentId, level) != level for segmentId, level in before):
        raise InputError("the levels got other numbers during the run: its result is dropped; draw it once more")
