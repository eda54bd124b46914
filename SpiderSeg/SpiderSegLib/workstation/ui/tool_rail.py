"""The rail at the left: tools of the Segment Editor, undo and redo, and how the views are shown."""

from __future__ import annotations

from dataclasses import dataclass

from SpiderSegLib.workstation.ui.controls import button
from SpiderSegLib.workstation.ui.display_menu import displayMenu, layoutMenu
from SpiderSegLib.workstation.ui.elements import Js, act, element


@dataclass(frozen=True)
class Tool:
    """A tool of the rail; its name is the key in `can` that says why it cannot be used."""

    name: str
    words: str
    iconName: str


TOOLS = (
    Tool("windowLevel", "Window and level: drag in a view", "contrast-circle"),
    Tool("paint", "Paint", "brush"),
    Tool("erase", "Erase", "eraser"),
    Tool("draw", "Draw an outline", "draw"),
    Tool("scissors", "Scissors", "content-cut"),
    Tool("threshold", "Threshold", "tune-vertical-variant"),
    Tool("islands", "Islands", "blur"),
    Tool("smoothing", "Smoothing", "waves"),
)


def build() -> None:
    """Adds the rail to the open element."""
    with element("div", classes="rail", role="toolbar", aria_label="Tools", aria_orientation="vertical", data_rows="tools"):
        for tool in TOOLS:
            button(
                tool.words,
                act("tool", tool.name),
                iconName=tool.iconName,
                isIconOnly=True,
                shortcut=tool.name,
                can=tool.name,
                data_row=True,
                aria_pressed=Js(f"tool === '{tool.name}' ? 'true' : 'false'"),
            )
        element("hr", classes="rail-line")
        button("Undo", act("undo"), iconName="undo", isIconOnly=True, shortcut="undo", can="undo")
        button("Redo", act("redo"), iconName="redo", isIconOnly=True, shortcut="redo", can="redo")
        element("div", classes="grow")
        button("Fit the views", act("fit"), iconName="fit-to-page-outline", isIconOnly=True, shortcut="fit")
        button(
            "Show the segmentation",
            Js("segmentationShown = !segmentationShown"),
            iconName="eye-outline",
            isIconOnly=True,
            shortcut="visible",
            aria_pressed=Js("segmentationShown ? 'true' : 'false'"),
        )
        layoutMenu()
        displayMenu()
        button("Keys and mouse", Js("dialog = 'help'"), iconName="help-circle-outline", isIconOnly=True, shortcut="help")
