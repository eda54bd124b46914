"""Style sheets, scripts and pictures of the page: all of this machine, no other host is ever asked."""

from __future__ import annotations

from typing import Any

from SpiderSegLib import __version__
from SpiderSegLib.paths import RESOURCES, data_path

#: Addresses hold the version, so that a browser never shows an old release's look.
_OWN = f"__spiderseg_{__version__}"
_ICONS = f"__spiderseg_icons_{__version__}"

STYLES = ("base.css", "controls.css", "shell.css", "panels.css", "pages.css")
SCRIPTS = ("send.js", "tips.js", "keys.js", "rows.js", "focus.js", "upload.js", "links.js")
LOGO = f"{_ICONS}/SpiderSeg.svg"


def module() -> dict[str, Any]:
    """For `server.enable_module`; asked after Vuetify's, so that these style sheets stand behind its own."""
    return {
        "serve": {_OWN: str(data_path(RESOURCES, "Workstation")), _ICONS: str(data_path(RESOURCES, "Icons"))},
        "styles": [f"{_OWN}/{name}" for name in STYLES],
        # One after the other: the first makes what the others use.
        "scripts": [[f"{_OWN}/{name}", {"serial": "spiderseg"}] for name in SCRIPTS],
        "state": {"trame__title": "SpiderSeg", "trame__favicon": f"{_ICONS}/SpiderSeg.png"},
    }
