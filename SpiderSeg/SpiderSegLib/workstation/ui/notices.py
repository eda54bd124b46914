"""Short messages at the bottom, and the calm cover while something is opened."""

from __future__ import annotations

from SpiderSegLib.workstation.ui.controls import button, icon
from SpiderSegLib.workstation.ui.elements import Js, act, element


def messages() -> None:
    """Adds the messages to the open element: both places stand in the page from the start, so that screen readers speak what comes."""
    with element("div", classes=Js("'toasts toasts-' + mode")):
        with element("div", role="status", aria_live="polite"):
            _notice("notice && notice.kind !== 'error'")
        with element("div", role="alert"):
            _notice("notice && notice.kind === 'error'")
        with element("div", classes="toast toast-info", v_if="blockedUrl", role="status"):
            icon("open-in-new")
            element("span", "The browser did not open the page by itself.")
            element("a", "Open it", href=Js("blockedUrl"), target="_blank", rel="noopener", classes="btn btn-plain", on_click="blockedUrl = ''")
            button("Close", Js("blockedUrl = ''"), iconName="close", isIconOnly=True)


def _notice(shown: str) -> None:
    icons = "{ info: 'mdi-information-outline', success: 'mdi-check-circle-outline', error: 'mdi-alert-octagon' }"
    with element("div", v_if=shown, key=Js("notice.id"), classes=Js("'toast toast-' + notice.kind")):
        element("i", classes=Js(f"'mdi ' + ({icons})[notice.kind]"), aria_hidden="true")
        element("span", "{{ notice.text }}", classes="toast-text")
        button("Close the message", act("dismissNotice"), iconName="close", isIconOnly=True)
        # The line runs out in six seconds, and stands while the mouse or the focus is on the message.
        element("div", v_if="notice.kind !== 'error'", classes="toast-line", aria_hidden="true", on_animationend=act("dismissNotice"))


def busyCover() -> None:
    """Adds the cover to the open element, over the views or a page."""
    with (
        element("div", classes="busy-cover", role="status", aria_live="polite"),
        element("div", v_if="busy", classes="busy"),
        element("div", classes="busy-card"),
    ):
        element("span", classes="spinner", aria_hidden="true")
        element("span", "{{ busy }}")
