"""Buttons that say why they can't be pressed."""

from __future__ import annotations

from typing import Any


class ButtonReasons:
    """Enables buttons, or disables them with the reason as their tooltip; the tooltip of the .ui comes back with the button."""

    def __init__(self) -> None:
        self._toolTips: dict[str, str] = {}

    def set(self, button: Any, reason: str = "") -> None:
        """Disables a button for a reason; '' enables it."""
        name = button.objectName
        self._toolTips.setdefault(name, button.toolTip)
        button.enabled = not reason
        button.toolTip = reason or self._toolTips[name]
