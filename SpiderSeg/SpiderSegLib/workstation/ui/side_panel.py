"""The panel at the right: levels, findings and the case, one tab each."""

from __future__ import annotations

from SpiderSegLib.workstation.ui import case_panel, finding_panel, level_panel
from SpiderSegLib.workstation.ui.elements import Js, element

TABS = (
    ("levels", "Levels", ""),
    ("findings", "Findings", "findings && findings.length ? findings.length : ''"),
    ("case", "Case", "currentCase.messages.length || ''"),
)


def build() -> None:
    """Adds the panel to the open element."""
    with element("aside", classes="side-panel", aria_label="Levels, findings and case"):
        with element("div", classes="tabs", role="tablist", aria_label="Panel", data_rows="tabs", data_rows_horizontal=True):
            for name, words, count in TABS:
                with element(
                    "button",
                    type="button",
                    role="tab",
                    id=f"tab-{name}",
                    data_row=True,
                    aria_controls=f"panel-{name}",
                    aria_selected=Js(f"panelTab === '{name}' ? 'true' : 'false'"),
                    tabindex=Js(f"panelTab === '{name}' ? 0 : -1"),
                    on_click=f"panelTab = '{name}'",
                ):
                    element("span", words)
                    if count:
                        element("span", f"{{{{ {count} }}}}", classes="count", v_if=count)
        level_panel.build()
        finding_panel.build()
        case_panel.build()
