"""A layout with sagittal views first: one a series, side by side, linked, each in the plane of its own slices."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

#: Numbers of our layouts in Slicer's list, by how many series they show; large enough for no other extension to have them.
LAYOUT_IDS = {1: 6301, 2: 6302, 3: 6303}

#: Slice views of the layouts, first the one Slicer uses for sagittal slices.
VIEW_NAMES = ("Yellow", "SpiderSegPartner", "SpiderSegThird")

_SLICE_VIEW = """<item><view class="vtkMRMLSliceNode" singletontag="{name}">
 <property name="orientation" action="default">{orientation}</property>
 <property name="viewlabel" action="default">{label}</property>
 <property name="viewcolor" action="default">{color}</property>
</view></item>"""

_LABELS = {"Yellow": ("Y", "#EDD54C"), "SpiderSegPartner": ("S2", "#4CB3ED"), "SpiderSegThird": ("S3", "#B06FED")}


def layoutDescription(seriesCount: int) -> str:
    """Slicer's layout XML: sagittal views beside each other; of one series with the axial view and 3D at their right."""
    sagittal = [_sliceView(name, "Sagittal", *_LABELS[name]) for name in VIEW_NAMES[:seriesCount]]
    if seriesCount > 1:
        return f'<layout type="horizontal">{"".join(sagittal)}</layout>'
    axial = _sliceView("Red", "Axial", "R", "#F34A33")
    threeD = '<item><view class="vtkMRMLViewNode" singletontag="1"><property name="viewlabel" action="default">1</property></view></item>'
    right = f'<item><layout type="vertical" split="true">{axial}{threeD}</layout></item>'
    return f'<layout type="horizontal" split="true">{sagittal[0]}{right}</layout>'


def _sliceView(name: str, orientation: str, label: str, color: str) -> str:
    return _SLICE_VIEW.format(name=name, orientation=orientation, label=label, color=color)


def showSagittal(scene: Any, volumeNodes: Sequence[Any]) -> None:
    """Arranges the views of a scene for some series, at most three: sagittal first, linked, in the plane of their own slices.

    Without a layout node, as in a scene without an application, only the views that exist are set.
    """
    shown = list(volumeNodes)[: len(VIEW_NAMES)]
    layoutNode = scene.GetFirstNodeByClass("vtkMRMLLayoutNode")
    if layoutNode is not None and shown:
        layoutId = LAYOUT_IDS[len(shown)]
        description = layoutDescription(len(shown))
        if not layoutNode.SetLayoutDescription(layoutId, description):
            layoutNode.AddLayoutDescription(layoutId, description)
        layoutNode.SetViewArrangement(layoutId)
    for name, volumeNode in zip(VIEW_NAMES, shown, strict=False):
        _showIn(scene, name, volumeNode)
    for name in ("Red", "Green"):
        _setBackground(scene, name, shown[0] if shown else None)


def _showIn(scene: Any, name: str, volumeNode: Any) -> None:
    sliceNode = scene.GetSingletonNode(name, "vtkMRMLSliceNode")
    if sliceNode is None:
        return
    _setBackground(scene, name, volumeNode)
    sliceNode.SetOrientation("Sagittal")
    sliceNode.RotateToVolumePlane(volumeNode)
    bounds = [0.0] * 6
    volumeNode.GetRASBounds(bounds)
    sliceNode.JumpSliceByCentering(*((bounds[2 * axis] + bounds[2 * axis + 1]) / 2 for axis in range(3)))


def _setBackground(scene: Any, name: str, volumeNode: Any) -> None:
    composite = scene.GetSingletonNode(name, "vtkMRMLSliceCompositeNode")
    if composite is not None:
        composite.SetLinkedControl(True)
        if volumeNode is not None:
            composite.SetBackgroundVolumeID(volumeNode.GetID())
