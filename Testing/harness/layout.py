"""slicer.app.layoutManager() with real slice views. Without open_views() it is None, as in a Slicer without main window."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import slicer
import vtk

from harness.session import start
from harness.views import ORIENTATIONS, SliceView, save_png


class SliceWidget:
    """sliceWidget("Yellow"): its node, its logic and its view."""

    def __init__(self, view: SliceView) -> None:
        self._view = view

    def mrmlSliceNode(self) -> Any:
        return self._view.node

    def mrmlSliceCompositeNode(self) -> Any:
        return self._view.logic.GetSliceCompositeNode()

    def sliceLogic(self) -> Any:
        return self._view.logic

    def sliceView(self) -> SliceWidget:
        return self

    def interactor(self) -> Any:
        return self._view.interactor()

    def forceRender(self) -> None:
        self._view.render()

    def fitSliceToBackground(self) -> None:
        self._view.logic.FitSliceToBackground()


class LayoutManager:
    """The slice views that are open; there are no 3D, table and plot views."""

    threeDViewCount = 0
    tableViewCount = 0
    plotViewCount = 0

    def __init__(self, views: dict[str, SliceView]) -> None:
        self._views = views

    def sliceViewNames(self) -> tuple[str, ...]:
        return tuple(self._views)

    def sliceWidget(self, name: str) -> SliceWidget | None:
        return SliceWidget(self._views[name]) if name in self._views else None

    def mrmlSliceLogics(self) -> Any:
        logics = vtk.vtkCollection()
        for view in self._views.values():
            logics.AddItem(view.logic)
        return logics

    def resetSliceViews(self) -> None:
        for view in self._views.values():
            view.logic.FitSliceToBackground()

    def setLayout(self, layout: int) -> None:
        """The number of the layout is kept in its node; the views stay."""
        node = slicer.util.getNodesByClass("vtkMRMLLayoutNode") or [slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLayoutNode")]
        node[0].SetViewArrangement(layout)

    def layoutLogic(self) -> None:
        return None


def open_views(*names: str, size: tuple[int, int] = (400, 400)) -> LayoutManager:
    """Opens slice views ("Red", "Yellow", "Green": all three if none is named) and gives the application its layout manager."""
    session = start()
    close_views()
    manager = LayoutManager({name: SliceView(name, session.mrml, size) for name in names or tuple(ORIENTATIONS)})
    session.app._layout_manager = manager
    return manager


def close_views() -> None:
    """Back to an application without views; does nothing if there are none."""
    session = start()
    manager = session.app._layout_manager
    session.app._layout_manager = None
    if manager is None:
        return
    for view in manager._views.values():
        session.mrml.application_logic.GetSliceLogics().RemoveItem(view.logic)
        composite = view.logic.GetSliceCompositeNode()
        for node in (composite, view.node):
            if node is not None and node.GetScene() is not None:
                slicer.mrmlScene.RemoveNode(node)
        view.close()


def slice_view(
    volume: Any = None,
    name: str = "Yellow",
    size: tuple[int, int] = (400, 400),
    position_ras: tuple[float, float, float] | None = None,
    path: str | Path | None = None,
) -> Any:
    """A picture of a slice view, as a (row, column, RGB) array or, with a path, as PNG.

    `volume` becomes the background and the view is aligned with it and fitted to it; without one the view is shown as the module
    left it, if open_views() opened it. Visible segmentations and markups are drawn as in Slicer. `position_ras` is where the slice passes.
    """
    session = start()
    manager = session.app._layout_manager
    opened = manager is not None and name in manager._views
    view = manager._views[name] if opened else SliceView(name, session.mrml, size)
    if volume is not None:
        view.logic.GetSliceCompositeNode().SetBackgroundVolumeID(volume.GetID())
        view.node.RotateToVolumePlane(volume)
        view.logic.FitSliceToBackground()
        view.logic.SnapSliceOffsetToIJK()
    if position_ras is not None:
        view.node.JumpSliceByOffsetting(*position_ras)
    picture = view.render()
    if not opened:
        _forget(session, view)
    if path is None:
        return picture
    save_png(picture, path)
    return None


def _forget(session: Any, view: SliceView) -> None:
    session.mrml.application_logic.GetSliceLogics().RemoveItem(view.logic)
    for node in (view.logic.GetSliceCompositeNode(), view.node):
        slicer.mrmlScene.RemoveNode(node)
    view.close()
