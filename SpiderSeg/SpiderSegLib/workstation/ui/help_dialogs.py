"""What the help dialogs say: keys and mouse, and what SpiderSeg is."""

from __future__ import annotations

from SpiderSegLib.workstation.ui.elements import Js, element, text
from SpiderSegLib.workstation.ui.shortcuts import CASES, CORRECT, LEVELS, TOOLS, VIEWS
from SpiderSegLib.workstation.ui.start_page import RESEARCH_USE_TEXT, STAYS_HERE

MOUSE = (
    ("Wheel", "Next or previous slice"),
    ("Ctrl and wheel, or right drag", "Zoom"),
    ("Shift and drag, or middle drag", "Move the picture"),
    ("Left drag with the tool of that name", "Window and level"),
    ("Shift and wheel while painting", "Size of the brush"),
    ("Click on a level in the table", "All views go to its middle"),
    ("Shift and click in the table", "Select several levels"),
)


def keysAndMouse() -> None:
    """Adds the list of keys, in groups."""
    with element("div", classes="dialog-body help-columns"):
        for group in (CASES, LEVELS, CORRECT, TOOLS, VIEWS):
            with element("section", classes="help-group"):
                element("h3", group)
                with (
                    element("dl", classes="keys"),
                    element("template", v_for=f"one in shortcuts.filter((one) => one.group === '{group}')", key=Js("one.action")),
                ):
                    with element("dt"), element("template", v_for="(key, index) in one.key.split(' or ')", key=Js("key")):
                        element("span", " or ", v_if="index", classes="muted")
                        element("kbd", "{{ key }}")
                    element("dd", "{{ one.text }}")
        with element("section", classes="help-group"):
            element("h3", "Mouse")
            with element("dl", classes="keys"):
                for gesture, words in MOUSE:
                    element("dt", text(gesture))
                    element("dd", text(words))


def about() -> None:
    """Adds what people ask first."""
    with element("div", classes="dialog-body"):
        element("p", "SpiderSeg {{ appVersion }}", classes="lead")
        element("p", "Segments vertebrae, discs and spinal canal in T1, T2 and T2-SPACE series of the lumbar spine.")
        element("p", text(RESEARCH_USE_TEXT), classes="warning-text")
        element("p", text(STAYS_HERE))
        element("p", "You work as {{ annotator }}.", v_if="annotator", classes="muted")
        element("p", "Apache License 2.0. Built on 3D Slicer's MRML library and trame.", classes="muted")
