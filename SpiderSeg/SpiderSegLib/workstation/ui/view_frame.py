"""What lies over each view: its name, where it is, its slice slider and buttons. Lets every mouse event through but those on a control."""

from __future__ import annotations

from typing import Any

from trame_client.widgets.core import HTML_CTX

from SpiderSegLib.workstation.ui.controls import button
from SpiderSegLib.workstation.ui.elements import Js, act, element

#: The view without slices; it is empty until surfaces are asked for.
THREE_D = "ThreeD"


def populate(server: Any, viewId: str, slicerView: Any) -> None:
    """Adds the overlay to the open element, which holds the view's picture: the `populate_view_ui_f` of the view factories.

    Reads `view_<viewId>` and nothing of the view itself.
    """
    view = f"view_{viewId}"
    _nameArea(view)
    with element("div", classes="view-overlay", data_view=viewId):
        with element("div", classes="view-top"):
            element("span", f"{{{{ {view}.label }}}}", classes="view-label")
            element("span", f"{{{{ {view}.series }}}}", classes="view-series", v_if=f"{view}.series")
            element("div", classes="grow")
            with element("div", classes="view-buttons"):
                button(Js(f"'Fit ' + {view}.label"), act("fit", viewId), iconName="fit-to-page-outline", isIconOnly=True, tip="Fit")
                button(
                    Js(f"'Maximize ' + {view}.label"),
                    act("maximize", viewId),
                    iconName="arrow-expand",
                    isIconOnly=True,
                    tip="Large, or back",
                )
        _letters(view)
        if viewId == THREE_D:
            _surfaces()
        with element("div", classes="view-bottom", v_if=f"{view}.count > 0"):
            element("span", f"{{{{ {view}.position }}}}", classes="view-position tabular")
            element(
                "input",
                type="range",
                classes="slider view-slider",
                min="0",
                step="1",
                max=Js(f"{view}.count - 1"),
                value=Js(f"{view}.index"),
                aria_label=Js(f"{view}.label + ' slice'"),
                aria_valuetext=Js(f"{view}.position"),
                on_input=f"window.SpiderSeg.latest('slice', '{viewId}', Number($event.target.value))",
            )
            element("span", f"{{{{ {view}.window }}}}", classes="view-window tabular")


def _surfaces() -> None:
    """What stands in an empty 3D view."""
    with element("div", classes="view-empty", v_if="!surfaces"):
        button("Show surfaces", Js("surfaces = true"), iconName="cube-outline", kind="plain", can="surfaces")


def _nameArea(view: str) -> None:
    """Gives the picture, the last child of the open element, the name that screen readers and tests know it by."""
    children = HTML_CTX.element_stack[-1].children
    if children:
        children[-1]._attributes["aria-label"] = f""":aria-label="{view}.label + ' view'" role="application\""""


def _letters(view: str) -> None:
    """Which way the patient lies; a view whose sides are not known shows none."""
    with element("template", v_if=f"{view}.letters"):
        for side in ("left", "right", "top", "bottom"):
            element("span", f"{{{{ {view}.letters.{side} }}}}", classes=f"view-letter view-letter-{side}", aria_hidden="true")
