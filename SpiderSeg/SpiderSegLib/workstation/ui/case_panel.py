"""What is known of the open case: messages, the revision it goes on from, and the comment that goes with the next one."""

from __future__ import annotations

from SpiderSegLib.workstation.ui.controls import button, icon
from SpiderSegLib.workstation.ui.elements import Js, act, element


def build() -> None:
    """Adds the section to the open element."""
    with element("section", classes="panel-section", id="panel-case", role="tabpanel", aria_labelledby="tab-case", v_if="panelTab === 'case'"):
        with element("div", classes="case-facts"):
            _messages()
            with element("dl", classes="facts"):
                for label, value in (
                    ("Series", "currentCase.name"),
                    ("Patient", "currentCase.patient"),
                    ("Image", "currentCase.detail"),
                    ("Goes on from", "currentCase.parent"),
                    ("In work by", "currentCase.heldBy"),
                    ("Time", "saveState.minutes"),
                ):
                    with element("template", v_if=value):
                        element("dt", label)
                        element("dd", f"{{{{ {value} }}}}")
        with element("div", classes="case-saving", v_if="currentCase.isProject"):
            with element("label", classes="stacked"):
                element("span", "Comment, saved with the next revision", classes="control-label")
                element("textarea", classes="field", rows="4", v_model="comment", maxlength="2000")
            with element("div", classes="correction-grid"):
                button("Save", act("save"), iconName="content-save-outline", can="save", kind="plain", tip="Save as in progress")
                button("Approve", act("approve"), iconName="check-decagram-outline", can="approve", kind="plain", tip="The mask is right as it is")
                button("Flag ..", Js("dialog = 'flag'"), iconName="flag-outline", kind="plain", tip="Something is wrong with this case")
        with element("div", classes="case-saving", v_else=True):
            element("p", "A series without a project: what you correct is kept on this computer until you export it.", classes="muted")
            with element("div", classes="button-row"):
                button("Export ..", Js("dialog = 'export'"), iconName="tray-arrow-down", can="export", kind="plain")
                button("Report", act("report"), iconName="file-document-outline", can="report", kind="plain")


def _messages() -> None:
    with (
        element("ul", classes="messages", v_if="currentCase.messages.length"),
        element("li", v_for="message in currentCase.messages", key=Js("message")),
    ):
        icon("information-outline")
        element("span", "{{ message }}")
