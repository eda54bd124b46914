"""What the linter found, worst first; each jumps to its place."""

from __future__ import annotations

from SpiderSegLib.workstation.ui.controls import button, icon
from SpiderSegLib.workstation.ui.elements import Js, act, element

ICONS = "{ error: 'mdi-alert-octagon', warning: 'mdi-alert', note: 'mdi-information-outline' }"


def build() -> None:
    """Adds the section to the open element."""
    with element(
        "section", classes="panel-section", id="panel-findings", role="tabpanel", aria_labelledby="tab-findings", v_if="panelTab === 'findings'"
    ):
        with element("div", classes="empty", v_if="!findings || !findings.length"):
            element("i", classes=Js("'mdi ' + (findings ? 'mdi-check-circle-outline' : 'mdi-magnify')"), aria_hidden="true")
            element("h2", "{{ findings ? 'Nothing found' : 'Not looked at yet' }}")
            element(
                "p",
                "{{ findings ? 'No gap, no overlap, no loose piece and no level out of order was found. That does not replace looking.' "
                ": 'When there is a segmentation, it is searched for gaps, loose pieces and levels out of order.' }}",
            )
            button("Look now", act("checkFindings"), iconName="magnify", can="checkFindings", kind="plain", v_if="!findings")
        with element("template", v_else=True):
            with element("div", classes="button-row panel-bar"):
                element("span", "{{ findings.length === 1 ? '1 finding' : findings.length + ' findings' }}", classes="muted")
                element("div", classes="grow")
                button("Next finding", act("nextFinding"), iconName="skip-next-outline", shortcut="nextFinding", can="nextFinding", kind="plain")
            with (
                element("ul", classes="findings", data_rows="findings"),
                element("li", v_for="(one, index) in findings", key=Js("index + one.text")),
                element(
                    "button",
                    type="button",
                    data_row=True,
                    classes=Js("'finding finding-' + one.severity"),
                    aria_current=Js("index === finding ? 'true' : null"),
                    aria_disabled=Js("one.hasPlace ? null : 'true'"),
                    data_why=Js("one.hasPlace ? null : 'It has no place in the images.'"),
                    on_click=act("jumpToFinding", Js("index")),
                ),
            ):
                element("i", classes=Js(f"'mdi ' + ({ICONS})[one.severity]"), aria_hidden="true")
                with element("span", classes="finding-words"):
                    element("span", "{{ one.severity }}: ", classes="sr-only")
                    element("span", "{{ one.text }}", classes="finding-text")
                    element("span", "{{ one.advice }}", classes="finding-advice", v_if="one.advice")
                icon("chevron-right", v_if="one.hasPlace")
