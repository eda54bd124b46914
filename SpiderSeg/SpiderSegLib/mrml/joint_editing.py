"""Several series of a patient under one segmentation: whether they lie on each other, and what a person accepted."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import slicer

from SpiderSegLib.errors import ImageReadError
from SpiderSegLib.io import write_volume
from SpiderSegLib.mrml.runs import NodeRun
from SpiderSegLib.mrml.segmentations import labelmapOf
from SpiderSegLib.mrml.volumes import volumeOf

FRAME_OF_REFERENCE = "DICOM.FrameOfReferenceUID"
FRAME_OF_REFERENCE_TAG = "0020,0052"

#: Attribute of a segmentation with what was found about its series and what a person accepted, as JSON.
JOINT_ATTRIBUTE = "SpiderSeg.joint"

#: Key of that JSON: which nodes it is about. Means nothing outside the scene.
NODE_IDS = "node_ids"

REPORT_NAME = "joint.json"


def frameOfReferenceOf(volumeNode: Any) -> str:
    """UID of the DICOM frame of reference a volume was loaded with; '' when it did not come from DICOM or its files are gone."""
    uid = volumeNode.GetAttribute(FRAME_OF_REFERENCE)
    if uid:
        return str(uid)
    instances = (volumeNode.GetAttribute("DICOM.instanceUIDs") or "").split()
    database = getattr(slicer, "dicomDatabase", None)
    return str(database.instanceValue(instances[0], FRAME_OF_REFERENCE_TAG)) if instances and database is not None else ""


def prepareJointCheck(folder: Path, volumeNodes: Sequence[Any], segmentationNode: Any = None) -> NodeRun:
    """Writes what a run needs that checks whether series lie on each other: all of them, and the levels where there are any.

    Raises as volumeOf and labelmapOf, and OutputError.
    """
    arguments = ["check-joint"]
    for index, volumeNode in enumerate(volumeNodes):
        path = folder / f"{_placeholder(index)}.mha"
        write_volume(path, volumeOf(volumeNode))
        arguments.append(str(path))
    for volumeNode in volumeNodes:
        arguments.append(f"--frame-of-reference={frameOfReferenceOf(volumeNode)}")
    if segmentationNode is not None:
        write_volume(folder / "levels.mha", labelmapOf(segmentationNode).labelmap)
        arguments += ["--levels", str(folder / "levels.mha")]
    output = folder / REPORT_NAME
    return NodeRun((*arguments, "--json", str(output), "--progress", "json"), output, volumeNodes[0].GetID())


def _placeholder(index: int) -> str:
    """What a series is called in the run: its own name may be the patient's."""
    return f"series_{index + 1}"


def readJointReport(path: Path, names: Sequence[str]) -> dict[str, Any]:
    """The verdict a run wrote, with the series' own names in it. Raises ImageReadError for a damaged file."""
    try:
        report = json.loads(_named(path.read_text(encoding="utf-8"), names))
        reasons = [str(reason) for reason in report["reasons"]]
        return {**report, "is_allowed": report["is_allowed"] is True, "reasons": reasons}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ImageReadError(f"{path}: expected the report of a check of series, found {error}") from error


def _named(text: str, names: Sequence[str]) -> str:
    """JSON with names for placeholders, all at once: a series may itself be called as a placeholder is."""
    nameOf = {_placeholder(index): json.dumps(name)[1:-1] for index, name in enumerate(names)}
    return re.sub(r"series_\d+", lambda found: nameOf.get(found[0], found[0]), text)


def setJointRecord(segmentationNode: Any, record: Mapping[str, Any] | None) -> None:
    """Keeps with a segmentation what was found about its series and what was accepted; None forgets it. Saved with the scene."""
    segmentationNode.SetAttribute(JOINT_ATTRIBUTE, json.dumps(record, sort_keys=True) if record is not None else None)


def jointRecordOf(segmentationNode: Any) -> dict[str, Any] | None:
    """What `setJointRecord` kept; None if nothing, or if it is damaged."""
    try:
        record = json.loads(segmentationNode.GetAttribute(JOINT_ATTRIBUTE) or "null")
    except ValueError:
        return None
    return record if isinstance(record, dict) else None
