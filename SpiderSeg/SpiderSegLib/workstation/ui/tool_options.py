"""The thin bar above the views: options of the tool in use, or what to do next; always there, so that nothing jumps."""

from __future__ import annotations

from SpiderSegLib.workstation.ui.controls import button, choice, icon, number, slider, switch
from SpiderSegLib.workstation.ui.elements import Js, act, element

EDIT_AREAS = [
    ("everywhere", "Everywhere"),
    ("insideSelected", "Inside the selected level"),
    ("outsideAll", "Outside all levels"),
    ("insideAll", "Inside all levels"),
]
SCISSORS_MODES = [
    ("eraseInside", "Erase inside"),
    ("eraseOutside", "Erase outside"),
    ("fillInside", "Fill inside"),
    ("fillOutside", "Fill outside"),
]
ISLANDS_MODES = [
    ("removeSmall", "Remove small ones"),
    ("keepLargest", "Keep the largest"),
    ("keepClicked", "Keep the clicked one"),
    ("removeClicked", "Remove the clicked one"),
]
SMOOTHING_MODES = [
    ("median", "Median"),
    ("opening", "Opening: cuts off what is thin"),
    ("closing", "Closing: fills what is narrow"),
    ("gaussian", "Gaussian"),
]


def build() -> None:
    """Adds the bar to the open element."""
    with element("div", classes="tool-options", role="toolbar", aria_label="Tool options"):
        with element("div", classes="prompt", v_if="prompt", role="status"):
            icon("cursor-default-click-outline")
            element("span", "{{ prompt }}")
        with element("template", v_else_if="tool === 'paint' || tool === 'erase'"):
            _brush()
            _mask()
        with element("template", v_else_if="tool === 'draw'"):
            _name("Draw")
            _hint("Drag along the edge; letting go fills the outline")
            _mask()
        with element("template", v_else_if="tool === 'scissors'"):
            _name("Scissors")
            choice("Drag to", "scissorsMode", SCISSORS_MODES)
            _mask()
        with element("template", v_else_if="tool === 'threshold'"):
            _threshold()
        with element("template", v_else_if="tool === 'islands'"):
            _name("Islands")
            choice("Pieces", "islandsMode", ISLANDS_MODES)
            number("smaller than", "islandVoxels", "voxels", 1, 1000000, 1, v_if="islandsMode === 'removeSmall'")
            button("Apply", act("applyIslands"), can="applyIslands", kind="plain", v_if="!islandsMode.endsWith('Clicked')")
            element("span", "Click on a piece in a view", classes="hint", v_else=True)
        with element("template", v_else_if="tool === 'smoothing'"):
            _name("Smoothing")
            choice("Method", "smoothingMode", SMOOTHING_MODES)
            number("over", "smoothingMm", "mm", 0.5, 20, 0.5)
            button("Apply", act("applySmoothing"), can="applySmoothing", kind="plain")
        with element("template", v_else_if="tool === 'windowLevel'"):
            _name("Window and level")
            button("Automatic", act("autoWindow"), kind="plain")
            button("Reset", act("resetWindow"), kind="plain")
            _hint("Drag right and left for contrast, up and down for brightness")
        with element("template", v_else=True):
            _hint("Wheel: slices. Ctrl and wheel, or right drag: zoom. Shift and drag: move.")
        element("div", classes="grow")
        button(
            "Leave the tool",
            act("tool", ""),
            iconName="close",
            isIconOnly=True,
            tip="Leave the tool  Esc",
            v_if="tool || prompt",
        )


def _name(words: str) -> None:
    element("span", words, classes="tool-name")


def _hint(words: str) -> None:
    element("span", words, classes="hint")


def _brush() -> None:
    element("span", "{{ tool === 'paint' ? 'Paint' : 'Erase' }}", classes="tool-name")
    slider("Brush", "brushMm", 1, 60, 0.5, "brushMm.toFixed(1) + ' mm'", data_tip="Shift and wheel, or + and -")
    switch("Sphere", "sphereBrush", tip="Over several slices")


def _mask() -> None:
    choice("In", "editArea", EDIT_AREAS, data_tip="Where voxels may change")
    switch("In range", "thresholdMask", tip="Only where the intensity is in the threshold's range")


def _threshold() -> None:
    _name("Threshold")
    for index, label in enumerate(("From", "To")):
        changed = "threshold = [Math.min(Number($event.target.value), threshold[1]), threshold[1]]"
        if index:
            changed = "threshold = [threshold[0], Math.max(Number($event.target.value), threshold[0])]"
        with element("label", classes="control"):
            element("span", label, classes="control-label")
            element(
                "input",
                type="range",
                classes="slider",
                min=Js("thresholdLimits[0]"),
                max=Js("thresholdLimits[1]"),
                step=Js("thresholdLimits[2]"),
                value=Js(f"threshold[{index}]"),
                aria_label=f"{label}, intensity",
                on_input=changed,
            )
            element("span", f"{{{{ Number(threshold[{index}].toPrecision(4)) }}}}", classes="control-value", aria_hidden="true")
    button("Automatic", act("autoThreshold"), can="autoThreshold", kind="plain")
    button("Apply", act("applyThreshold"), can="applyThreshold", kind="plain", tip="Replace the selected level with this range")
    switch("Paint in range only", "thresholdMask")
