"""Two menus of the rail: which views there are, and how the segmentation looks in them."""

from __future__ import annotations

from trame.widgets import vuetify3

from SpiderSegLib.workstation.ui.controls import button, choice, icon, slider, switch
from SpiderSegLib.workstation.ui.elements import Js, act, element, text

LAYOUTS = (
    ("sagittal", "Sagittal large", "view-split-vertical", ""),
    ("single", "Sagittal only", "square-outline", ""),
    ("four", "Four views", "view-grid-outline", ""),
    ("sideBySide", "Series side by side", "view-column-outline", "sideBySide"),
    ("threeD", "3D large", "cube-outline", ""),
)
OVERLAYS = [("nothing", "Nothing"), ("prediction", "The prediction"), ("difference", "What was changed")]


def _activator(label: str, iconName: str) -> None:
    with (
        vuetify3.Template(v_slot_activator="{ props }"),
        element("button", type="button", classes="btn btn-quiet btn-icon", v_bind="props", aria_label=label, data_tip=label),
    ):
        icon(iconName)


def layoutMenu() -> None:
    """Adds the menu of the layouts to the open element."""
    with vuetify3.VMenu(location="end bottom", offset="6"):
        _activator("Layout of the views", "view-dashboard-outline")
        with vuetify3.VList(density="compact", classes="menu-list", raw_attrs=['role="menu"']):
            for name, words, iconName, can in LAYOUTS:
                reason = Js(f"can['{can}']") if can else None
                with element(
                    "v-list-item",
                    role="menuitemradio",
                    aria_checked=Js(f"layout === '{name}' ? 'true' : 'false'"),
                    on_click=Js(f"layout = '{name}'"),
                    active=Js(f"layout === '{name}'"),
                    aria_disabled=Js(f"{reason} ? 'true' : null") if reason else None,
                    aria_description=Js(f"{reason} || null") if reason else None,
                    data_why=Js(f"{reason} || null") if reason else None,
                ):
                    icon(iconName)
                    element("span", text(words))


def displayMenu() -> None:
    """Adds the menu of the display to the open element."""
    with vuetify3.VMenu(location="end bottom", offset="6", close_on_content_click=False):
        _activator("Display", "palette-outline")
        with element("div", classes="popover", role="group", aria_label="Display"):
            element("h2", "Display", classes="popover-title")
            slider("Opacity", "opacity", 0, 1, 0.05, "Math.round(opacity * 100) + ' %'")
            switch("Outlines only", "outlineOnly")
            switch("Color by confidence", "confidenceColors", tip="Unsure levels are amber")
            switch("Surfaces in 3D", "surfaces", can="surfaces")
            choice("Compare with", "overlay", OVERLAYS, can="overlay")
            element("hr", classes="popover-line")
            element("h2", "Gray levels", classes="popover-title")
            with element("div", classes="button-row"):
                button("Automatic", act("autoWindow"), shortcut="autoWindow", kind="plain")
                button("Reset", act("resetWindow"), kind="plain")
            element("hr", classes="popover-line")
            element("h2", "Segmenting", classes="popover-title")
            choice("Runs on", "device", [("auto", "The fastest there is"), ("cpu", "Processor"), ("cuda", "Graphics card")])
            switch("Mirror and average", "mirror", tip="A little more exact, takes twice as long")
