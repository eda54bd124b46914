"""Observers of MRML objects that end with their widget: the scene outlives every panel, and must not call a deleted one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from weakref import WeakMethod

from PySide6.QtWidgets import QWidget
from shiboken6 import isValid


class SceneObserver:
    """The observers of one widget; they are removed when Qt deletes it."""

    def __init__(self, widget: QWidget) -> None:
        self._tags: list[tuple[Any, int]] = []
        tags = self._tags
        widget.connect("destroyed()", lambda: remove_all(tags))

    def observe(self, observed: Any, events: tuple[Any, ...], method: Callable[[Any, str], None]) -> None:
        """Calls `method(caller, event)`, a method of the widget, as long as there is the widget."""
        weak = WeakMethod(method)

        def call(caller: Any, event: str) -> None:
            alive = weak()
            if alive is not None and isValid(alive.__self__):
                alive(caller, event)

        self._tags.extend((observed, observed.AddObserver(event, call)) for event in events)

    def forget(self, observed: Any = None) -> None:
        """Removes the observers of one object, or all."""
        going = [tag for tag in self._tags if observed is None or tag[0] is observed]
        self._tags[:] = [tag for tag in self._tags if tag not in going]
        remove_all(going)


def remove_all(tags: list[tuple[Any, int]]) -> None:
    """Removes observers given as (observed object, tag) and empties the list."""
    for observed, tag in tags:
        observed.RemoveObserver(tag)
    tags.clear()
