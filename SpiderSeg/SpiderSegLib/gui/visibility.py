"""Widgets that are shown only now and then, inside sections that fold.

A folded section hides everything in it, and what is hidden a second time meanwhile is shown with the rest when the section is unfolded.
So the wish is kept with the widget, and done again then.
"""

from __future__ import annotations

from typing import Any

import qt

_WISH = "SpiderSeg.shown"


def setShown(widget: Any, isShown: bool) -> None:
    """Shows or hides a widget, also after its section was folded and unfolded."""
    widget.setProperty(_WISH, isShown)
    widget.visible = isShown


def keepWishes(section: Any) -> None:
    """From now on what `setShown` says holds in a ctkCollapsibleButton whenever it is unfolded."""
    section.connect("contentsCollapsed(bool)", lambda isCollapsed: None if isCollapsed else showAsWished(section))


def showAsWished(widget: Any) -> None:
    """Does again what `setShown` said of the widgets in a widget."""
    for child in widget.findChildren(qt.QWidget):
        wish = child.property(_WISH)
        if wish is not None:
            child.visible = bool(wish)
