"""Which series of a scene a person most likely wants: the T2 first, the T1 and the SPACE of the same patient beside it."""

from __future__ import annotations

from typing import Any

import slicer

from SpiderSegLib.errors import InputError
from SpiderSegLib.mrml.volumes import geometryOf
from SpiderSegLib.sequence import Sequence, guess_sequence
from SpiderSegLib.series_names import patient_of
from SpiderSegLib.volume import left_right_axis_kji

#: The sequence in which discs are read, first; one without a known sequence last.
PREFERENCE = (Sequence.T2, Sequence.T1, Sequence.T2_SPACE, Sequence.STIR, Sequence.T1_CONTRAST, Sequence.UNKNOWN)


def chooseSeries(scene: Any) -> list[Any]:
    """The sagittal gray-value volumes of one patient, the one to segment first; at most one a sequence, at most three, maybe none.

    The patient is the one of the last volume that was loaded: the study in the subject hierarchy, else by the names.
    """
    candidates = []
    for index in range(scene.GetNumberOfNodesByClass("vtkMRMLScalarVolumeNode")):
        node = scene.GetNthNodeByClass(index, "vtkMRMLScalarVolumeNode")
        sequence = None if node.GetHideFromEditors() else _sagittalSequence(node)
        if sequence is not None:
            candidates.append((sequence, node))
    if not candidates:
        return []
    patient = _patientOf(scene, candidates[-1][1])
    chosen: dict[Sequence, Any] = {}
    for sequence, node in candidates:
        if _patientOf(scene, node) == patient:
            chosen.setdefault(sequence, node)
    return [chosen[sequence] for sequence in PREFERENCE if sequence in chosen][:3]


def _sagittalSequence(volumeNode: Any) -> Sequence | None:
    """The sequence by the node's name; None for what is no sagittal gray-value volume."""
    try:
        geometry = geometryOf(volumeNode)
    except InputError:
        return None
    axis = geometry.slice_axis_kji
    if axis != left_right_axis_kji(geometry.orientation):
        return None
    # A description and no file name: "T1 w/o" has no folder in it.
    return guess_sequence({"SeriesDescription": volumeNode.GetName()}, "", geometry.spacing_kji_mm[axis]).sequence


def _patientOf(scene: Any, volumeNode: Any) -> str:
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
    if hierarchy is not None:
        item = hierarchy.GetItemByDataNode(volumeNode)
        patient = hierarchy.GetItemAncestorAtLevel(item, "Patient") if item else 0
        if patient:
            return f"item {patient}"
    return patient_of(volumeNode.GetName())
