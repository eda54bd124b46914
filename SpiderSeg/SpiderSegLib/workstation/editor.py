"""The segment editor's tools on one segmentation: brush, scissors, threshold, islands, smoothing, and where they may draw."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Any

import slicer
import vtk
from trame_slicer.core import SlicerApp
from trame_slicer.segmentation import (
    BrushDiameterMode,
    ModificationMode,
    ScissorsEffectFillMode,
    SegmentationEditableAreaMode,
    SegmentationEffect,
    SegmentationEffectDraw,
    SegmentationEffectErase,
    SegmentationEffectIslands,
    SegmentationEffectNoTool,
    SegmentationEffectPaint,
    SegmentationEffectScissors,
    SegmentationEffectSmoothing,
    SegmentationEffectThreshold,
    SegmentationIslandsMode,
    SegmentationOverwriteMode,
)
from trame_slicer.segmentation.segmentation_effect_smoothing import SmoothingEffectMode

from SpiderSegLib.errors import InputError
from SpiderSegLib.mrml.segments import occupiedByOthers, segmentOf
from SpiderSegLib.mrml.translation import _
from SpiderSegLib.mrml.volumes import imageArray
from SpiderSegLib.workstation.undo import UndoHistory

#: The smallest and the largest brush in mm: less than a voxel, and more than a vertebra.
SMALLEST_BRUSH_MM, LARGEST_BRUSH_MM = 0.5, 60.0

#: A step of the brush's size.
BRUSH_STEP = 1.25


class Tool(str, Enum):
    """Tools of the segment editor; the value is what page and actions call them."""

    NOTHING = ""
    PAINT = "paint"
    ERASE = "erase"
    DRAW = "draw"
    SCISSORS = "scissors"
    THRESHOLD = "threshold"
    ISLANDS = "islands"
    SMOOTHING = "smoothing"


class Area(str, Enum):
    """Where tools may draw."""

    EVERYWHERE = "everywhere"
    INSIDE_SELECTED = "insideSelected"
    INSIDE_ALL = "insideAll"
    OUTSIDE_ALL = "outsideAll"


class SmoothingOfOneLevel(SegmentationEffectSmoothing):
    """Smoothing that leaves other levels their voxels: a vertebra whose gaps are closed would else take the disc beside it."""

    def apply_smoothing(self, mask_labelmap: Any = None, smoothing_mode: SmoothingEffectMode | None = None) -> None:
        """As trame-slicer's, in the free voxels of mask_labelmap (the brush's; everywhere if None)."""
        modifier = self.modifier
        node = modifier.segmentation.segmentation_node
        free = ~occupiedByOthers(node, [modifier.active_segment_id])
        mask = slicer.vtkOrientedImageData()
        mask.DeepCopy(mask_labelmap or modifier.create_modifier_labelmap())
        imageArray(mask)[...] = free if mask_labelmap is None else free & (imageArray(mask) != 0)
        super().apply_smoothing(mask, smoothing_mode)


EFFECTS: dict[Tool, type[SegmentationEffect]] = {
    Tool.NOTHING: SegmentationEffectNoTool,
    Tool.PAINT: SegmentationEffectPaint,
    Tool.ERASE: SegmentationEffectErase,
    Tool.DRAW: SegmentationEffectDraw,
    Tool.SCISSORS: SegmentationEffectScissors,
    Tool.THRESHOLD: SegmentationEffectThreshold,
    Tool.ISLANDS: SegmentationEffectIslands,
    Tool.SMOOTHING: SmoothingOfOneLevel,
}

_BRUSHES = (SegmentationEffectPaint, SegmentationEffectErase, SmoothingOfOneLevel)

_AREAS = {
    Area.EVERYWHERE: SegmentationEditableAreaMode.EVERYWHERE,
    Area.INSIDE_SELECTED: SegmentationEditableAreaMode.INSIDE_SINGLE_SEGMENT,
    Area.INSIDE_ALL: SegmentationEditableAreaMode.INSIDE_ALL_SEGMENTS,
    Area.OUTSIDE_ALL: SegmentationEditableAreaMode.OUTSIDE_ALL_SEGMENTS,
}

SCISSORS = {
    "eraseInside": ScissorsEffectFillMode.ERASE_INSIDE,
    "eraseOutside": ScissorsEffectFillMode.ERASE_OUTSIDE,
    "fillInside": ScissorsEffectFillMode.FILL_INSIDE,
    "fillOutside": ScissorsEffectFillMode.FILL_OUTSIDE,
}

ISLANDS = {
    "keepLargest": SegmentationIslandsMode.KEEP_LARGEST_ISLAND,
    "removeSmall": SegmentationIslandsMode.REMOVE_SMALL_ISLANDS,
    "keepClicked": SegmentationIslandsMode.KEEP_SELECTED,
    "removeClicked": SegmentationIslandsMode.REMOVE_SELECTED,
}

SMOOTHING = {
    "median": SmoothingEffectMode.MEDIAN,
    "opening": SmoothingEffectMode.OPENING,
    "closing": SmoothingEffectMode.CLOSING,
    "gaussian": SmoothingEffectMode.GAUSSIAN,
}


class Editor:
    """Edits the selected segment of one segmentation over its volume; idle until `begin`."""

    def __init__(self, slicerApp: SlicerApp, history: UndoHistory) -> None:
        self._editor = slicerApp.segmentation_editor
        self._history = history
        self._editor.set_undo_stack(history.stack)
        self._area = Area.EVERYWHERE
        self.brushMm = 8.0
        self.isSphere = False

    @property
    def logic(self) -> Any:
        """The vtkSlicerSegmentEditorLogic."""
        return self._editor.editor_logic

    @property
    def isActive(self) -> bool:
        return self._editor.active_segmentation is not None

    def begin(self, segmentationNode: Any, volumeNode: Any) -> None:
        """Edits a segmentation from now on; what was done before can't be taken back any more."""
        segmentation = self._editor.set_active_segmentation(segmentationNode, volumeNode)
        self._history.begin(segmentation)

    def end(self) -> None:
        """Nothing is open any more."""
        self._editor.clear()
        self._history.begin(None)

    # Segment and tool

    @property
    def selectedId(self) -> str:
        """The segment that tools draw into; '' for none, or one that was deleted."""
        present = str(self._editor.get_active_segment_id())
        return present if present in self._editor.get_segment_ids() else ""

    def select(self, segmentId: str) -> None:
        """Tools draw into this segment."""
        self._editor.set_active_segment_id(segmentId)
        self._applyArea()

    @property
    def tool(self) -> Tool:
        name = self._editor.get_active_effect_name()
        return next((tool for tool, effect in EFFECTS.items() if effect.get_effect_name() == name), Tool.NOTHING)

    def setTool(self, tool: Tool) -> None:
        """Takes a tool up. Raises InputError without a segment to draw into."""
        if tool is not Tool.NOTHING and not self.selectedId:
            raise InputError(_("select the level to draw into first"))
        self._editor.set_active_effect_type(EFFECTS[tool])
        self._applyBrush()

    def effect(self, effectType: type[Any]) -> Any:
        """One of trame-slicer's effects, with its parameters in the scene."""
        return self._editor.get_effect(effectType)

    # Brush

    def setBrush(self, diameterMm: float, isSphere: bool) -> None:
        """Diameter in mm; a sphere draws in neighboring slices too."""
        self.brushMm = min(max(diameterMm, SMALLEST_BRUSH_MM), LARGEST_BRUSH_MM)
        self.isSphere = isSphere
        self._applyBrush()

    def growBrush(self, steps: int) -> None:
        """Larger by so many steps, or smaller."""
        self.setBrush(self.brushMm * BRUSH_STEP**steps, self.isSphere)

    def brushFromViews(self) -> float:
        """The diameter after the wheel was turned with Shift in a view; the other brushes follow."""
        effect = self._editor.active_effect
        if isinstance(effect, _BRUSHES):
            present = float(effect.get_brush_diameter())
            if present != self.brushMm:
                self.setBrush(present, self.isSphere)
        return self.brushMm

    def observeBrush(self, onChanged: Callable[..., object]) -> None:
        """Calls back when the brush gets another size, by the wheel in a view too."""
        for effectType in _BRUSHES:
            self.effect(effectType).get_parameter_node().AddObserver(vtk.vtkCommand.ModifiedEvent, onChanged)

    def _applyBrush(self) -> None:
        for effectType in _BRUSHES:
            effect = self.effect(effectType)
            effect.set_brush_diameter(self.brushMm, BrushDiameterMode.Absolute)
            effect.set_use_sphere_brush(self.isSphere)

    # Where tools may draw

    def setArea(self, area: Area) -> None:
        """Where tools draw. They take voxels of other levels where they may: levels never overlap."""
        self._area = area
        self._editor.set_overwrite_mode(SegmentationOverwriteMode.OVERWRITE_ALL)
        self._applyArea()

    def _applyArea(self) -> None:
        node = self._editor.editor_node
        node.SetMaskMode(_AREAS[self._area].value)
        node.SetMaskSegmentID(self.selectedId if self._area is Area.INSIDE_SELECTED else "")

    def setIntensityMask(self, isOn: bool, low: float, high: float) -> None:
        """Whether all tools draw only where the intensity lies between low and high."""
        node = self._editor.editor_node
        node.SetSourceVolumeIntensityMaskRange(low, high)
        node.SetSourceVolumeIntensityMask(isOn)

    # Threshold

    def setThreshold(self, low: float, high: float) -> None:
        """The range that is shown and applied."""
        self.effect(SegmentationEffectThreshold).set_threshold_min_max_values((low, high))

    def automaticThreshold(self) -> tuple[float, float]:
        """Otsu's threshold up to the brightest voxel; becomes the range. Raises InputError unless the threshold tool is in use."""
        effect = self._inUse(Tool.THRESHOLD)
        effect.auto_threshold()
        low, high = effect.get_threshold_min_max_values()
        return float(low), float(high)

    def applyThreshold(self, low: float, high: float) -> None:
        """Adds all voxels of the range to the selected level, where tools may draw; inside the level itself, keeps only those.

        Raises InputError without a level.
        """
        if not self.selectedId:
            raise InputError(_("select the level to draw into first"))
        modifier = self._editor.active_segment_modifier
        labelmap = modifier.create_modifier_labelmap()
        isTrimming = self._area is Area.INSIDE_SELECTED
        threshold = vtk.vtkImageThreshold()
        threshold.SetInputData(modifier.get_source_image_data())
        threshold.ThresholdBetween(low, high)
        threshold.SetInValue(0 if isTrimming else 1)
        threshold.SetOutValue(1 if isTrimming else 0)
        threshold.SetOutputScalarType(labelmap.GetScalarType())
        threshold.Update()
        labelmap.DeepCopy(threshold.GetOutput())
        modifier.apply_labelmap(labelmap, modification_mode=ModificationMode.Remove if isTrimming else ModificationMode.Add)

    # Scissors, islands, smoothing

    def setScissors(self, mode: str) -> None:
        """One of SCISSORS."""
        self.effect(SegmentationEffectScissors).set_fill_mode(SCISSORS[mode])

    def setIslands(self, mode: str, leastVoxels: int) -> None:
        """One of ISLANDS; leastVoxels of islands that are kept."""
        effect = self.effect(SegmentationEffectIslands)
        effect.set_island_mode(ISLANDS[mode])
        effect.set_minimum_island_size(leastVoxels)

    def applyIslands(self) -> None:
        """Applies the mode to the selected level; those of a click wait for it. Raises InputError as `applySmoothing`."""
        self._checkSelected()
        self._inUse(Tool.ISLANDS).apply()

    def setSmoothing(self, mode: str, sizeMm: float) -> None:
        """One of SMOOTHING and its size in mm: the kernel's, or the standard deviation."""
        effect = self.effect(SmoothingOfOneLevel)
        effect.set_smoothing_mode(SMOOTHING[mode])
        effect.set_kernel_size(sizeMm)
        effect.set_standard_deviation(sizeMm)

    def applySmoothing(self) -> None:
        """Smooths the whole selected level. Raises InputError without a level, and unless the tool is in use."""
        self._checkSelected()
        self._inUse(Tool.SMOOTHING).apply_smoothing()

    def _checkSelected(self) -> None:
        if not self.selectedId:
            raise InputError(_("select a level first"))
        segmentOf(self._editor.active_segmentation_node, self.selectedId)

    def _inUse(self, tool: Tool) -> Any:
        """The effect of a tool that is in use: the others would not know how to change voxels."""
        effect = self.effect(EFFECTS[tool])
        if not effect.is_active:
            raise InputError(_("take the {tool} tool up first").format(tool=tool.value))
        return effect
