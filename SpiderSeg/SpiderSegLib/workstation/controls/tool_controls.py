"""The segment editor's tools in the page: which one is in use, its options, undo and redo."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from SpiderSegLib.mrml.translation import _
from SpiderSegLib.workstation.bench import Action, Bench
from SpiderSegLib.workstation.editor import Area, Tool

#: Tool of the page that is no effect of the segment editor: dragging changes window and level.
WINDOW_LEVEL = "windowLevel"


class ToolControls:
    """Takes tools up and passes their options on."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self._isWindowing = False
        self._volume: Any = None
        self.actions: Mapping[str, Action] = {
            "tool": self.take,
            "undo": bench.history.undo,
            "redo": bench.history.redo,
            "growBrush": lambda steps: bench.editor.growBrush(int(steps)),
            "applyThreshold": self.applyThreshold,
            "autoThreshold": self.automaticThreshold,
            "applyIslands": bench.editor.applyIslands,
            "applySmoothing": bench.editor.applySmoothing,
        }
        bench.editor.observeBrush(bench.refreshLater)
        bench.state.change("brushMm", "sphereBrush")(self._onBrush)
        bench.state.change("editArea")(self._onArea)
        bench.state.change("threshold", "thresholdMask")(self._onThreshold)
        bench.state.change("scissorsMode")(lambda scissorsMode, **others: bench.editor.setScissors(scissorsMode))
        bench.state.change("islandsMode", "islandVoxels")(self._onIslands)
        bench.state.change("smoothingMode", "smoothingMm")(self._onSmoothing)

    def take(self, name: str) -> None:
        """Takes a tool up, or puts it down when it is in use; '' puts any down."""
        bench = self.bench
        isInUse = name == self._name()
        bench.clicks.stop()
        self._isWindowing = name == WINDOW_LEVEL and not isInUse
        isEffect = name in [tool.value for tool in Tool] and not isInUse
        bench.editor.setTool(Tool(name) if isEffect else Tool.NOTHING)
        bench.views.adjustWindowByMouse(self._isWindowing)

    def _name(self) -> str:
        return WINDOW_LEVEL if self._isWindowing else self.bench.editor.tool.value

    # Options

    def _onBrush(self, brushMm: Any, sphereBrush: Any, **others: Any) -> None:
        self.bench.editor.setBrush(float(brushMm), bool(sphereBrush))

    def _onArea(self, editArea: str, **others: Any) -> None:
        self.bench.editor.setArea(Area(editArea))

    def _onThreshold(self, threshold: list[float], thresholdMask: bool, **others: Any) -> None:
        low, high = (float(value) for value in threshold)
        self.bench.editor.setThreshold(low, high)
        self.bench.editor.setIntensityMask(bool(thresholdMask), low, high)

    def _onIslands(self, islandsMode: str, islandVoxels: Any, **others: Any) -> None:
        self.bench.editor.setIslands(islandsMode, int(islandVoxels))

    def _onSmoothing(self, smoothingMode: str, smoothingMm: Any, **others: Any) -> None:
        self.bench.editor.setSmoothing(smoothingMode, float(smoothingMm))

    def applyThreshold(self) -> None:
        low, high = self.bench.state.threshold
        self.bench.editor.applyThreshold(float(low), float(high))

    def automaticThreshold(self) -> None:
        self.bench.state.threshold = [round(value, 3) for value in self.bench.editor.automaticThreshold()]

    # State

    def refresh(self) -> None:
        bench, state = self.bench, self.bench.state
        if bench.volumeNode is not self._volume:
            self._volume = bench.volumeNode
            self._startThreshold()
        if bench.editor.tool is not Tool.NOTHING and not bench.editor.selectedId:
            # Its level was deleted: strokes would go nowhere.
            bench.editor.setTool(Tool.NOTHING)
        if self._isWindowing and bench.editor.tool is not Tool.NOTHING:
            self._isWindowing = False
        if not bench.clicks.isActive:
            state.tool = self._name()
        state.brushMm = round(bench.editor.brushFromViews(), 2)
        state.undo = {"canUndo": bench.history.canUndo, "canRedo": bench.history.canRedo}

    def _startThreshold(self) -> None:
        """A range for another image: its brighter half."""
        image = self._volume.GetImageData() if self._volume is not None else None
        low, high = image.GetScalarRange() if image is not None else (0.0, 1.0)
        step = 1.0 if high - low > 20 else (high - low) / 200 or 0.01
        state = self.bench.state
        state.thresholdLimits = [low, high, step]
        state.threshold = [round((low + high) / 2, 3), high]
        state.thresholdMask = False

    def reasons(self) -> dict[str, str]:
        bench = self.bench
        without = "" if bench.segmentationNode is not None else _("Segment the series first, or begin with an empty segmentation.")
        draw = without or ("" if bench.editor.selectedId else _("Select the level to draw into first."))
        tools = [tool.value for tool in Tool if tool is not Tool.NOTHING]
        history = bench.history
        return {
            **dict.fromkeys(tools, draw),
            WINDOW_LEVEL: "" if bench.volumeNode is not None else _("Open a series first."),
            **dict.fromkeys(("applyThreshold", "autoThreshold", "applyIslands", "applySmoothing"), draw),
            "undo": "" if history.canUndo else _("There is nothing to undo."),
            "redo": "" if history.canRedo else _("There is nothing to redo."),
        }
