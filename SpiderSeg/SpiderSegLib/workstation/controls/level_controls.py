"""The level table: rows, selection, and what changes which level is which."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from SpiderSegLib.errors import InputError, SpiderSegError
from SpiderSegLib.labels import PARTIAL_OFFSET, LevelState, Structure, label_table
from SpiderSegLib.level_names import is_partial, short_name
from SpiderSegLib.mrml import levels
from SpiderSegLib.mrml.display import jumpTo, showSegmentAlone
from SpiderSegLib.mrml.level_texts import stateName, stateText
from SpiderSegLib.mrml.levels import LevelRow
from SpiderSegLib.mrml.segments import namingOf
from SpiderSegLib.mrml.translation import _
from SpiderSegLib.uncertainty import LOW_CONFIDENCE
from SpiderSegLib.workstation.bench import Action, Bench

_KINDS = {Structure.VERTEBRA: "vertebra", Structure.DISC: "disc", Structure.CANAL: "canal"}


class LevelControls:
    """Shows the levels of the open segmentation; the selected ones are what tools work on."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.rows: list[LevelRow] = []
        self.selected: list[str] = []
        self.problem = ""
        self._isolated: Any = None
        self._lastUncertain: str | None = None
        self.actions: Mapping[str, Action] = {
            "selectLevel": self.select,
            "jumpTo": self.jumpTo,
            "toggleVisible": self.toggleVisible,
            "isolate": self.isolate,
            "nextUncertain": self.nextUncertain,
            "shift": lambda by: self._change(levels.shiftLevels, int(by)),
            "confirm": self.confirm,
            "partial": lambda: self._change(levels.togglePartial, self.selectedId()),
            "unidentified": lambda: self._change(levels.markUnidentified),
            "lumbarCount": lambda count: self._change(levels.setLumbarCount, int(count)),
            "renameLevel": lambda name: self._change(levels.renameLevel, self.selectedId(), str(name)),
            "setLevel": lambda value: self._change(levels.setLevel, self.selectedId(), int(value)),
        }

    # Selection

    def selectedId(self) -> str:
        """The one selected segment. Raises InputError when it is none or several."""
        if len(self.selected) != 1:
            raise InputError(_("select one level in the table; {count} are selected").format(count=len(self.selected)))
        return self.selected[0]

    @property
    def selectedRow(self) -> LevelRow | None:
        """The one selected level; None when it is none or several."""
        return next((row for row in self.rows if [row.segmentId] == self.selected), None)

    def select(self, segmentId: str, isAdditive: bool = False, isJumping: bool = True) -> None:
        """Selects a level, or, additive, takes it into the selection or out of it; all views go to its middle."""
        if isAdditive and segmentId in self.selected:
            self.selected = [one for one in self.selected if one != segmentId]
        else:
            self.selected = [*self.selected, segmentId] if isAdditive else [segmentId]
        if self.selected and self.bench.editor.selectedId not in self.selected:
            self.bench.editor.select(self.selected[0])
        if self._isolated is not None:
            self._showAlone()
        if isJumping and not isAdditive:
            self.jumpTo(segmentId)

    def jumpTo(self, segmentId: str) -> None:
        """All views go to the middle of a level; an empty one is nowhere."""
        row = next((row for row in levels.levelRows(self.bench.segmentationNode) if row.segmentId == segmentId), None)
        if row is not None and row.centerRas is not None:
            jumpTo(self.bench.scene, row.centerRas)

    def nextUncertain(self) -> None:
        """Goes to the level with the lowest confidence, the next time to the next one. Raises InputError without any."""
        row = levels.leastCertain(self.rows, self._lastUncertain)
        if row is None:
            raise InputError(_("no level was drawn by the model"))
        self._lastUncertain = row.segmentId
        self.select(row.segmentId)

    def toggleVisible(self, segmentId: str) -> None:
        """Shows or hides a level."""
        display = self.bench.segmentationNode.GetDisplayNode()
        display.SetSegmentVisibility(segmentId, not display.GetSegmentVisibility(segmentId))

    def isolate(self) -> None:
        """Shows the selected levels only, the next time all again."""
        if self._isolated is not None:
            self._showAll()
        elif self.selected:
            self._isolated = self.bench.segmentationNode
            self._showAlone()

    def _showAlone(self) -> None:
        node = self.bench.segmentationNode
        showSegmentAlone(node, self.selected[0] if self.selected else None)
        for other in self.selected[1:]:
            node.GetDisplayNode().SetSegmentVisibility(other, True)

    def _showAll(self) -> None:
        if self._isolated is not None and self._isolated.GetDisplayNode() is not None:
            showSegmentAlone(self._isolated, None)
        self._isolated = None

    # Levels

    def _change(self, tool: Callable[..., object], *arguments: Any) -> None:
        tool(self.bench.segmentationNode, *arguments, self.bench.history)

    def confirm(self) -> None:
        """Confirms the names of the levels, or takes that back."""
        isConfirmed = namingOf(self.bench.segmentationNode).state in (LevelState.CONFIRMED, LevelState.TRANSITIONAL)
        self._change(levels.unconfirmLevels if isConfirmed else levels.confirmLevels)

    # State

    def refresh(self) -> None:
        node = self.bench.segmentationNode
        if self._isolated is not None and node is not self._isolated:
            self._isolated = None
        self.rows, self.problem = [], ""
        try:
            self.rows = levels.levelRows(node) if node is not None else []
        except SpiderSegError as error:
            self.problem = str(error)
        ids = [row.segmentId for row in self.rows]
        present = self.bench.editor.selectedId
        self.selected = [one for one in self.selected if one in ids] or [one for one in (present,) if one in ids]
        if self.selected and present not in self.selected:
            self.bench.editor.select(self.selected[0])
        state = self.bench.state
        state.levels = [rowState(row) for row in self.rows]
        state.selected = self.selected
        state.isIsolated = self._isolated is not None
        state.levelState = self._levelState(node)
        state.levelValues = self._levelValues(node)

    def _levelState(self, node: Any) -> dict[str, Any]:
        naming = namingOf(node) if node is not None and not self.problem else None
        return {
            "text": self.problem
            or (stateText(node, self.rows) if node is not None else _("Segment draws and names every vertebra, disc and the canal.")),
            "isConfirmed": naming is not None and naming.state in (LevelState.CONFIRMED, LevelState.TRANSITIONAL),
            "lumbarCount": naming.lumbar_count if naming is not None else 5,
            "problem": self.problem,
        }

    def _levelValues(self, node: Any) -> list[dict[str, Any]]:
        if node is None or self.problem:
            return []
        naming = namingOf(node)
        return [{"value": value, "name": short_name(value, naming)} for value in label_table() if not is_partial(value)]

    def reasons(self) -> dict[str, str]:
        hasLevels = any(row.value for row in self.rows)
        without = "" if hasLevels else self.problem or _("There are no levels yet: segment the series first.")
        one = without or ("" if len(self.selected) == 1 else _("Select one level in the table first."))
        row = self.selectedRow
        vertebra = one or (
            "" if row is not None and row.structure is Structure.VERTEBRA else _("Select a vertebra: discs and the canal have no such mark.")
        )
        isLowest = any(numberOf(row) == 1 for row in self.rows)
        lowest = _("The lowest level is 1 already. A lumbarized S1 is set by six lumbar vertebrae; delete a segment that is no vertebra.")
        uncertain = any(row.confidence is not None for row in self.rows)
        return {
            "shiftUp": without,
            "shiftDown": without or (lowest if isLowest else ""),
            "confirm": without,
            "unidentified": without,
            "lumbarCount": without,
            "partial": vertebra,
            "renameLevel": vertebra,
            "setLevel": "" if len(self.selected) == 1 else _("Select one segment in the table first."),
            "isolate": "" if self._isolated is not None else without or ("" if self.selected else _("Select a level in the table first.")),
            "nextUncertain": without or ("" if uncertain else _("No level of this segmentation was drawn by the model.")),
        }


def numberOf(row: LevelRow) -> int:
    """Number of a vertebra or disc, cut by the image or not; 0 for the canal and segments without a level."""
    return row.value % 100 if row.structure in (Structure.VERTEBRA, Structure.DISC) else 0


def rowState(row: LevelRow) -> dict[str, Any]:
    """A level as the page shows it."""
    red, green, blue = (round(255 * part) for part in row.color)
    return {
        "id": row.segmentId,
        "name": row.name,
        "fullName": row.fullName,
        "value": row.value - PARTIAL_OFFSET if row.isPartial else row.value,
        "kind": _KINDS[row.structure] if row.structure is not None else "other",
        "color": f"#{red:02x}{green:02x}{blue:02x}",
        "state": stateName(row.state),
        "isPartial": row.isPartial,
        "confidence": "" if row.confidence is None else f"{100 * row.confidence:.0f} %",
        "isLow": row.confidence is not None and row.confidence < LOW_CONFIDENCE,
        "volume": f"{row.volumeMm3 / 1000:.1f} ml",
        "isVisible": row.isVisible,
        "isEmpty": row.volumeMm3 == 0,
    }
