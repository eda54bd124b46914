"""The spine tools: split, merge, islands, holes, smoothing, back to the prediction; and what the model draws at a click."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence

from SpiderSegLib.labels import Structure
from SpiderSegLib.mrml import spine_tools
from SpiderSegLib.mrml.clicks import Point
from SpiderSegLib.mrml.segmentations import predictionNodeOf
from SpiderSegLib.mrml.segments import segmentIds, segmentOf
from SpiderSegLib.mrml.translation import _
from SpiderSegLib.workstation.bench import Action, Bench
from SpiderSegLib.workstation.controls.level_controls import LevelControls
from SpiderSegLib.workstation.controls.run_controls import RunControls
from SpiderSegLib.workstation.editor import Tool


class SpineControls:
    """Applies the tools of `mrml.spine_tools` to what is selected."""

    def __init__(self, bench: Bench, levels: LevelControls, runs: RunControls) -> None:
        self.bench = bench
        self.levels = levels
        self.runs = runs
        self._waiting = ""
        self.actions: Mapping[str, Action] = {
            "merge": self.merge,
            "split": self.split,
            "addVertebra": lambda: self.add("addVertebra", Structure.VERTEBRA),
            "addDisc": lambda: self.add("addDisc", Structure.DISC),
            "redraw": self.redraw,
            "revert": lambda: self._edit(spine_tools.revertToPrediction),
            "removeIslands": lambda: self._edit(spine_tools.removeIslands),
            "fillHoles": lambda: self._edit(spine_tools.fillHoles),
            "smoothLevel": lambda: self._edit(spine_tools.smoothSegment),
            "addSegment": self.addSegment,
            "deleteSegment": self.deleteSegment,
        }

    # On what is selected

    def _edit(self, tool: Callable[..., int]) -> None:
        segmentId = self.levels.selectedId()
        name = self._nameOf(segmentId)
        changed = tool(self.bench.segmentationNode, segmentId, self.bench.history)
        self.bench.say(
            _("{name}: {count} voxels changed").format(name=name, count=changed) if changed else _("{name}: nothing to do").format(name=name)
        )

    def merge(self) -> None:
        """Joins the selected levels into the first one."""
        kept = spine_tools.mergeSegments(self.bench.segmentationNode, self.levels.selected, self.bench.history)
        self.levels.selected = [kept]
        self.bench.say(_("Merged into {name}").format(name=self._nameOf(kept)))

    def addSegment(self) -> None:
        """An empty segment without a level, to draw into and to be given one."""
        self.bench.history.saveStateForUndo()
        names = {self._nameOf(segmentId) for segmentId in segmentIds(self.bench.segmentationNode)}
        numbered = (_("New segment {number}").format(number=number) for number in itertools.count(2))
        name = next(name for name in itertools.chain([_("New segment")], numbered) if name not in names)
        self.levels.select(self.bench.segmentationNode.GetSegmentation().AddEmptySegment("", name))

    def deleteSegment(self) -> None:
        """Removes the selected segments; undo brings them back."""
        selected = list(self.levels.selected)
        names = ", ".join(self._nameOf(segmentId) for segmentId in selected)
        self.bench.history.saveStateForUndo()
        for segmentId in selected:
            self.bench.segmentationNode.GetSegmentation().RemoveSegment(segmentId)
        self.bench.say(_("{names} deleted; undo brings it back").format(names=names))

    def _nameOf(self, segmentId: str) -> str:
        return str(segmentOf(self.bench.segmentationNode, segmentId).GetName())

    # At clicks

    def split(self) -> None:
        """Waits for one click on each part of the selected level; a second call stops waiting."""
        segmentId = self.levels.selectedId()

        def apply(points: Sequence[Point]) -> None:
            added = spine_tools.splitSegment(self.bench.segmentationNode, segmentId, points[0], points[1], self.bench.history)
            self.bench.say(_("Split into {lower} and {upper}").format(lower=self._nameOf(segmentId), upper=self._nameOf(added)))

        self._wait("split", 2, apply, _("{name}: click once on each of the two parts").format(name=self._nameOf(segmentId)))

    def add(self, name: str, structure: Structure) -> None:
        """Waits for a click into a vertebra or disc that was missed; the model draws it."""

        def apply(points: Sequence[Point]) -> None:
            bench = self.bench
            worker = bench.runs.drawAround(
                bench.segmentationNode,
                bench.volumeNode,
                points[0],
                structure,
                bench.settings,
                bench.history,
                self._onAdded,
                self.runs.onFailed,
                self.runs.onChanged,
            )
            self.runs.follow(worker)

        self._wait(name, 1, apply, _("Click into the middle of what was missed"))

    def redraw(self) -> None:
        """The model draws the selected level once more."""
        bench = self.bench
        worker = bench.runs.drawAnew(
            bench.segmentationNode,
            bench.volumeNode,
            self.levels.selectedId(),
            bench.settings,
            bench.history,
            self._onAdded,
            self.runs.onFailed,
            self.runs.onChanged,
        )
        self.runs.follow(worker)

    def _onAdded(self, segmentId: str) -> None:
        if self.bench.segmentationNode is None or segmentId not in segmentIds(self.bench.segmentationNode):
            return
        self.levels.select(segmentId, isJumping=False)
        self.bench.say(_("{name} was drawn").format(name=self._nameOf(segmentId)), "success")
        self.bench.refreshLater()

    def _wait(self, name: str, count: int, action: Callable[[Sequence[Point]], None], prompt: str) -> None:
        isWaiting = self._waiting == name
        self.bench.clicks.stop()
        if isWaiting:
            return
        self.bench.editor.setTool(Tool.NOTHING)

        def onPoints(points: Sequence[Point]) -> None:
            self._end()
            self.bench.answer(lambda: action(points))

        self.bench.clicks.start(count, onPoints, self._end)
        self._waiting = name
        self.bench.state.prompt = _("{prompt}; Esc leaves").format(prompt=prompt)

    def _end(self) -> None:
        self._waiting = ""
        with self.bench.state as state:
            state.prompt = ""
        self.bench.refreshLater()

    # State

    def refresh(self) -> None:
        if self._waiting:
            self.bench.state.tool = self._waiting

    def reasons(self) -> dict[str, str]:
        node, selected = self.bench.segmentationNode, len(self.levels.selected)
        without = "" if node is not None else _("There is no segmentation yet: segment the series, or begin with an empty one.")
        one = without or ("" if selected == 1 else _("Select one level in the table first."))
        kept = without or ("" if predictionNodeOf(node) is not None else _("This segmentation keeps no prediction: it was not made by SpiderSeg."))
        row = self.levels.selectedRow
        isDrawable = row is not None and row.structure in (Structure.VERTEBRA, Structure.DISC)
        drawable = one or ("" if isDrawable else _("Select a vertebra or a disc: the model draws nothing else anew."))
        return {
            **dict.fromkeys(("split", "removeIslands", "fillHoles", "smoothLevel"), one),
            "merge": without or ("" if selected > 1 else _("Select two or more levels first: Ctrl and click.")),
            "revert": kept or one,
            "addVertebra": without,
            "addDisc": without,
            "redraw": drawable,
            "addSegment": without,
            "deleteSegment": without or ("" if selected else _("Select a level in the table first.")),
        }
