"""The bar at the top: where one is, what is open, whether it is saved, and the job: segment, save, done."""

from __future__ import annotations

from trame.widgets import vuetify3
from trame_client.widgets.core import AbstractElement

from SpiderSegLib.workstation.ui.assets import LOGO
from SpiderSegLib.workstation.ui.controls import button, icon
from SpiderSegLib.workstation.ui.elements import Js, act, element, text
from SpiderSegLib.workstation.ui.shortcuts import keysOf

#: Words, icon, key in `can`, click.
MENU: tuple[tuple[str, str, str, Js], ...] = (
    ("Export ..", "tray-arrow-down", "export", Js("dialog = 'export'")),
    ("Report of this case", "file-document-outline", "report", act("report")),
)
PROJECT_MENU: tuple[tuple[str, str, str, Js], ...] = (
    ("Save with a comment ..", "content-save-edit-outline", "save", Js("dialog = 'save'")),
    ("Approve", "check-decagram-outline", "approve", act("approve")),
    ("Flag ..", "flag-outline", "", Js("dialog = 'flag'")),
)

#: Whether something would be lost by segmenting.
HAS_LEVELS = "(currentCase.hasSegmentation && levels.some((one) => !one.isEmpty))"


def build() -> None:
    """Adds the bar to the open element."""
    with element("header", classes=Js("'top-bar mode-' + mode")):
        _brand()
        _navigation()
        _title()
        element("div", classes="grow")
        _saveState()
        with element("div", classes="top-actions", v_if="mode === 'case' && currentCase"):
            _segment()
            _save()
        _menu()


def _brand() -> None:
    with element("div", classes="brand"):
        element("img", src=LOGO, alt="", width="24", height="24")
        element("span", "SpiderSeg", classes="brand-name")


def _navigation() -> None:
    with element("nav", classes="top-nav", v_if="project", aria_label="Cases"):
        button(
            "Cases",
            act("showCases"),
            iconName="format-list-bulleted",
            tip="All cases of the project",
            aria_current=Js("mode === 'cases' ? 'page' : null"),
        )
        with element("template", v_if="currentCase"):
            button("Previous case", act("previousCase"), iconName="chevron-left", isIconOnly=True, shortcut="previousCase", can="previousCase")
            element("span", "{{ currentCase.position }}", classes="muted tabular", v_if="currentCase.position")
            button("Next case", act("nextCase"), iconName="chevron-right", isIconOnly=True, shortcut="nextCase", can="nextCase")
            button("Back to the case", act("showCase"), iconName="arrow-right", kind="plain", v_if="mode === 'cases'")
    with element("nav", classes="top-nav", v_else_if="currentCase", aria_label="Series"):
        button("Open", act("showStart"), iconName="folder-open-outline", tip="Open another series", v_if="mode === 'case'")
        button("Back to the series", act("showCase"), iconName="arrow-right", kind="plain", v_else=True)


def _title() -> None:
    with element("div", classes="case-title", v_if="mode === 'case' && currentCase"):
        element("h1", "{{ currentCase.name }}", classes="case-name", data_tip=Js("currentCase.name"))
        with element("span", v_if="currentCase.heldBy", classes="case-detail held", data_tip=Js("currentCase.heldBy")):
            icon("account-edit-outline")
            element("span", " {{ currentCase.heldBy }}")
        element("span", "{{ currentCase.detail }}", v_else=True, classes="case-detail", data_tip=Js("currentCase.detail"))
    names = "currentCase.partners.map((one) => one.name).join(', ')"
    with element(
        "button",
        v_if="mode === 'case' && currentCase && currentCase.partners.length",
        type="button",
        classes="btn btn-quiet partner",
        data_tip="Other series of the patient: side by side, or back",
        aria_label=Js(f"'Side by side with ' + {names}"),
        aria_pressed=Js("layout === 'sideBySide' ? 'true' : 'false'"),
        aria_disabled=Js("can.sideBySide ? 'true' : null"),
        data_why=Js("can.sideBySide || null"),
        on_click="layout = layout === 'sideBySide' ? 'sagittal' : 'sideBySide'",
    ):
        icon("view-column-outline")
        element("span", f"{{{{ {names} }}}}", classes="btn-text")
    element("h1", "{{ project.name }}", classes="case-name", v_if="mode === 'cases' && project")


def _saveState() -> None:
    with element("div", classes="save-state", v_if="mode === 'case' && currentCase", role="status", aria_live="polite"):
        with element("span", classes="save-words"):
            element("span", classes="dot", v_if="saveState.isModified", aria_hidden="true")
            element("span", "{{ saveState.text }}")
        element("span", "{{ saveState.minutes }}", classes="muted tabular", v_if="saveState.minutes", data_tip="Time worked on this case")


def _segment() -> None:
    """The button, or the progress of what it started, in the same room."""
    with element("div", classes="run-slot"):
        element(
            "button",
            f"{{{{ {HAS_LEVELS} ? 'Segment again' : 'Segment' }}}}",
            v_if="!run",
            type="button",
            classes=Js(f"'btn run-button ' + ({HAS_LEVELS} ? 'btn-plain' : 'btn-primary')"),
            aria_label="Segment",
            aria_disabled=Js("can.segment ? 'true' : null"),
            aria_description=Js("can.segment || null"),
            data_why=Js("can.segment || null"),
            data_tip="Find vertebrae, discs and spinal canal",
            data_shortcut=keysOf("segment"),
            on_click=act("segment"),
        )
        with element("div", v_else=True, classes="run", data_tip=Js("run.title")):
            with element(
                "div",
                classes="run-progress",
                role="progressbar",
                aria_label=Js("run.title"),
                aria_valuemin="0",
                aria_valuemax="100",
                aria_valuenow=Js("Math.round(run.percent)"),
                aria_valuetext=Js("run.text + ' ' + Math.round(run.percent) + ' %, ' + run.left"),
            ):
                element("div", classes="run-bar", style=Js("'transform: scaleX(' + run.percent / 100 + ')'"))
                element(
                    "span", "{{ run.isCancelling ? 'stopping ..' : run.text + ' ' + Math.round(run.percent) + ' %' }}", classes="run-text tabular"
                )
                element("span", "{{ run.left }}", classes="run-left tabular", v_if="!run.isCancelling")
            button("Cancel", act("cancelRun"), why=Js("(run && run.isCancelling ? 'It is stopping.' : '')"), kind="plain")


def _save() -> None:
    with element("template", v_if="currentCase.isProject"):
        element(
            "button",
            text("Save"),
            type="button",
            classes=Js("'btn ' + (saveState.isModified ? 'btn-primary' : 'btn-plain')"),
            aria_disabled=Js("can.save ? 'true' : null"),
            aria_description=Js("can.save || null"),
            data_why=Js("can.save || null"),
            data_tip="Save as in progress",
            data_shortcut=keysOf("save"),
            on_click=act("save"),
        )
        button("Done", act("done"), iconName="check", shortcut="done", can="done", kind="plain", tip="Save as done")
    with element("template", v_else=True):
        button(
            "Export", Js("dialog = 'export'"), iconName="tray-arrow-down", shortcut="save", can="export", kind="plain", tip="Save the segmentation"
        )


def _menu() -> None:
    with vuetify3.VMenu(location="bottom end", offset="6"):
        with (
            vuetify3.Template(v_slot_activator="{ props }"),
            element("button", type="button", classes="btn btn-quiet btn-icon", v_bind="props", aria_label="Menu", data_tip="Export, report, help"),
        ):
            icon("dots-vertical")
        with vuetify3.VList(density="compact", classes="menu-list", raw_attrs=['role="menu"']):
            with element("template", v_if="mode === 'case' && currentCase"):
                with element("template", v_if="currentCase.isProject"):
                    _items(PROJECT_MENU)
                    vuetify3.VDivider()
                _items(MENU)
                vuetify3.VDivider()
            _item("Keys and mouse", "keyboard-outline", "", Js("dialog = 'help'"))
            _item("About SpiderSeg", "information-outline", "", Js("dialog = 'about'"))


def _items(entries: tuple[tuple[str, str, str, Js], ...]) -> None:
    for entry in entries:
        _item(*entry)


def _item(words: str, iconName: str, can: str, click: Js) -> AbstractElement:
    reason = Js(f"can['{can}']") if can else None
    with element(
        "v-list-item",
        role="menuitem",
        on_click=click,
        data_why=Js(f"{reason} || null") if reason else None,
        aria_disabled=Js(f"{reason} ? 'true' : null") if reason else None,
        aria_description=Js(f"{reason} || null") if reason else None,
    ) as made:
        icon(iconName)
        element("span", text(words))
    return made
