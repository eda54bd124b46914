"""Messages in the panel."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from SpiderSegLib.gui.visibility import setShown


def names(nodes: Sequence[Any]) -> str:
    """Names of nodes, separated by commas."""
    return ", ".join(node.GetName() for node in nodes)


def setMessage(label: Any, text: str) -> None:
    """Shows a text in a label; an empty one takes no room."""
    label.text = text
    setShown(label, bool(text))
