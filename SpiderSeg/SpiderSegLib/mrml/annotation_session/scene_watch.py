"""Tells when nodes of a case are about to go: the scene closes, or somebody deletes them."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

import vtk


class SceneWatch:
    """Watches a scene while a case is open. Both callbacks are called while the nodes are still whole, and must not raise."""

    def __init__(self, scene: Any, onSceneClosing: Callable[[], None], onNodeGoing: Callable[[Any], None]) -> None:
        self._scene = scene
        self.onSceneClosing = onSceneClosing
        self.onNodeGoing = onNodeGoing
        self._tags: list[int] = []

    def start(self) -> None:
        """Watches; once is enough."""
        if self._tags:
            return
        onStartClose, onNode = _OBSERVERS[self] = _observers(weakref.ref(self))
        self._tags = [
            self._scene.AddObserver(self._scene.StartCloseEvent, onStartClose),
            self._scene.AddObserver(self._scene.NodeAboutToBeRemovedEvent, onNode),
        ]

    def stop(self) -> None:
        """Watches no more."""
        for tag in self._tags:
            self._scene.RemoveObserver(tag)
        self._tags = []


#: A scene that Python collects together with its watch closes, and VTK calls its observers then: they must not be garbage themselves.
_OBSERVERS: weakref.WeakKeyDictionary[SceneWatch, tuple[Callable[..., None], Callable[..., None]]] = weakref.WeakKeyDictionary()


def _observers(watchRef: weakref.ref[SceneWatch]) -> tuple[Callable[..., None], Callable[..., None]]:
    def onStartClose(caller: Any, event: str) -> None:
        watch = watchRef()
        if watch is not None:
            watch.onSceneClosing()

    @vtk.calldata_type(vtk.VTK_OBJECT)  # type: ignore[untyped-decorator, unused-ignore]
    def onNode(caller: Any, event: str, node: Any) -> None:
        watch = watchRef()
        if watch is not None and not caller.IsClosing():
            watch.onNodeGoing(node)

    return onStartClose, onNode
