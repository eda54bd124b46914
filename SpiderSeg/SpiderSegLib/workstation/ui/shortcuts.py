"""Keys of the page: those of the desktop module, those of Slicer's Segment Editor, and what only a page needs.

A key presses the element that carries it (`data-shortcut`), so a button that is off does nothing but say why; the others are handled in
Resources/Workstation/keys.js. Browsers keep Ctrl+N and Ctrl+P for themselves in places: Alt+N and Alt+P stand beside them.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Shortcut:
    """Keys (any of them), what they do, and where the help lists them."""

    keys: tuple[str, ...]
    text: str
    group: str


CASES, LEVELS, CORRECT, TOOLS, VIEWS = "Cases", "Levels", "Correct", "Tools", "Views"

SHORTCUTS: dict[str, Shortcut] = {
    "segment": Shortcut(("G",), "Segment", CASES),
    "save": Shortcut(("Ctrl+S",), "Save", CASES),
    "done": Shortcut(("Ctrl+D",), "Save as done", CASES),
    "nextCase": Shortcut(("Alt+N", "Ctrl+N"), "Next case", CASES),
    "previousCase": Shortcut(("Alt+P", "Ctrl+P"), "Previous case", CASES),
    "nextFinding": Shortcut(("Shift+F",), "Next finding", CASES),
    "nextUncertain": Shortcut(("Shift+N",), "Next uncertain level", LEVELS),
    "shiftUp": Shortcut(("Shift+PageUp",), "Shift all levels up", LEVELS),
    "shiftDown": Shortcut(("Shift+PageDown",), "Shift all levels down", LEVELS),
    "confirm": Shortcut(("Shift+C",), "Confirm the levels", LEVELS),
    "partial": Shortcut(("Shift+P",), "Cut by the field of view", LEVELS),
    "merge": Shortcut(("Shift+M",), "Merge the selected levels", CORRECT),
    "split": Shortcut(("Shift+X",), "Split a level with two clicks", CORRECT),
    "redraw": Shortcut(("Shift+R",), "Draw the level anew with the model", CORRECT),
    "addVertebra": Shortcut(("Shift+V",), "Add a vertebra with one click", CORRECT),
    "addDisc": Shortcut(("Shift+D",), "Add a disc with one click", CORRECT),
    "revert": Shortcut(("Shift+B",), "Back to the prediction", CORRECT),
    "removeIslands": Shortcut(("Shift+I",), "Remove islands", CORRECT),
    "fillHoles": Shortcut(("Shift+H",), "Fill holes", CORRECT),
    "smoothLevel": Shortcut(("Shift+S",), "Smooth the level", CORRECT),
    "undo": Shortcut(("Ctrl+Z",), "Undo", CORRECT),
    "redo": Shortcut(("Ctrl+Y", "Ctrl+Shift+Z"), "Redo", CORRECT),
    "paint": Shortcut(("1",), "Paint", TOOLS),
    "erase": Shortcut(("2",), "Erase", TOOLS),
    "draw": Shortcut(("3",), "Draw", TOOLS),
    "scissors": Shortcut(("4",), "Scissors", TOOLS),
    "threshold": Shortcut(("5",), "Threshold", TOOLS),
    "islands": Shortcut(("6",), "Islands", TOOLS),
    "smoothing": Shortcut(("7",), "Smoothing", TOOLS),
    "windowLevel": Shortcut(("8", "W"), "Window and level", TOOLS),
    "noTool": Shortcut(("Esc", "0"), "No tool", TOOLS),
    "brush": Shortcut(("+", "-"), "Larger or smaller brush", TOOLS),
    "scroll": Shortcut(("Up", "Down"), "Next or previous slice", VIEWS),
    "scrollFar": Shortcut(("PageUp", "PageDown"), "Five slices on or back", VIEWS),
    "visible": Shortcut(("Space",), "Show or hide the segmentation", VIEWS),
    "fit": Shortcut(("F",), "Fit the views", VIEWS),
    "autoWindow": Shortcut(("A",), "Automatic window and level", VIEWS),
    "help": Shortcut(("?", "F1"), "Keys and mouse", VIEWS),
}


def keysOf(name: str) -> str:
    """The keys as an element carries them, '' for an action without one."""
    return " ".join(SHORTCUTS[name].keys) if name in SHORTCUTS else ""


def forHelp() -> list[dict[str, str]]:
    """The list people read."""
    return [{"key": " or ".join(one.keys), "text": one.text, "group": one.group, "action": name} for name, one in SHORTCUTS.items()]
