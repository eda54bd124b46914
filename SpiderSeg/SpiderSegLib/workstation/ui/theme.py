"""Colors of the reading room: near-black views, dark panels, quiet greys, one accent; amber is doubt, red is only ever an error.

Text on its ground keeps a contrast of at least 4.5 to 1. The style sheets take every color from here, as `rgb(var(--v-theme-<name>))`.
"""

from __future__ import annotations

from typing import Any

COLORS = {
    "background": "#0b0e12",
    "surface": "#12171d",
    "raised": "#1b222a",
    "line": "#2a333d",
    "field": "#0d1116",
    "edge": "#5d6b79",
    "text": "#e4e9ee",
    "muted": "#9caab8",
    "accent": "#4fc3f7",
    "on-accent": "#06202c",
    "primary": "#4fc3f7",
    "on-primary": "#06202c",
    "secondary": "#9caab8",
    "on-background": "#e4e9ee",
    "on-surface": "#e4e9ee",
    "warning": "#f5b84d",
    "error": "#ff8a80",
    "success": "#7fd6a2",
    "info": "#4fc3f7",
}


def vuetifyConfig() -> dict[str, Any]:
    """What Vuetify is started with."""
    return {
        "theme": {
            "defaultTheme": "dark",
            "themes": {"dark": {"dark": True, "colors": COLORS}},
        },
        "defaults": {"VMenu": {"transition": False}, "VDialog": {"transition": False}},
    }
