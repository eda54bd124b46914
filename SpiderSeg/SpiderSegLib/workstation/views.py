"""Slicer's slice and 3D views as pictures in the page: which are shown, what they show, and where one looks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from enum import Enum
from typing import Any

import numpy as np
import slicer
import vtk
from trame_slicer.core import LayoutManager, SlicerApp
from trame_slicer.rca_view.rca_view_factory import RemoteViewFactory
from trame_slicer.views import Layout, LayoutDirection, NoScheduleRendering, SliceView, ThreeDView, ViewLayoutDefinition, ViewType

from SpiderSegLib.mrml.sagittal_views import VIEW_NAMES, showSagittal
from SpiderSegLib.workstation.editor import EFFECTS

#: JPEG quality while a picture moves and when it stands still: a stroke follows the hand, and what is judged has no blocks in it.
MOVING_QUALITY, STILL_QUALITY = 70, 95

FRAMES_PER_S = 30.0

#: A view that the pointer is not over.
FRAMES_PER_S_ELSEWHERE = 8.0

SAGITTAL, PARTNER, THIRD = VIEW_NAMES
AXIAL, CORONAL, THREE_D = "Red", "Green", "ThreeD"

#: Share of the field of view that a step of zoom takes away.
ZOOM_STEP = 0.2


#: For the positive and the negative direction of R, A, S.
_LETTERS = (("R", "L"), ("A", "P"), ("H", "F"))

#: A smaller part of a direction is not worth a letter.
LEAST_LETTER = 0.3

PopulateView = Callable[[Any, str, Any], None]


class Arrangement(str, Enum):
    """What the page shows; the value is the layout's name in page and layout manager."""

    SAGITTAL = "sagittal"
    SINGLE = "single"
    FOUR = "four"
    SIDE_BY_SIDE = "sideBySide"
    THREE_D = "threeD"


def _definitions() -> dict[str, ViewLayoutDefinition]:
    return {
        SAGITTAL: ViewLayoutDefinition.slice_view("Sagittal", label=SAGITTAL, color="#EDD54C"),
        PARTNER: ViewLayoutDefinition.slice_view("Sagittal", label=PARTNER, color="#4CB3ED"),
        AXIAL: ViewLayoutDefinition.axial_view(),
        CORONAL: ViewLayoutDefinition.coronal_view(),
        THREE_D: ViewLayoutDefinition.threed_view(name=THREE_D, background_color="#000000"),
    }


def _layouts() -> dict[str, Layout]:
    view = _definitions()
    row, column = LayoutDirection.Horizontal, LayoutDirection.Vertical
    return {
        Arrangement.SAGITTAL.value: Layout(row, [view[SAGITTAL], Layout(column, [view[AXIAL], view[CORONAL], view[THREE_D]])], ["2.2", "1"]),
        Arrangement.SINGLE.value: Layout(row, [view[SAGITTAL]]),
        Arrangement.FOUR.value: Layout(
            row, [Layout(column, [view[SAGITTAL], view[CORONAL]]), Layout(column, [view[AXIAL], view[THREE_D]])], ["1", "1"]
        ),
        Arrangement.SIDE_BY_SIDE.value: Layout(row, [view[SAGITTAL], view[PARTNER]]),
        Arrangement.THREE_D.value: Layout(row, [view[THREE_D], Layout(column, [view[SAGITTAL], view[AXIAL]])], ["2.2", "1"]),
    }


class Views:
    """The views of the page. `onChanged` is called with the tag of a slice view whose slice, field of view or content changed."""

    def __init__(self, server: Any, slicerApp: SlicerApp, populate: PopulateView, onChanged: Callable[[str], object]) -> None:
        self._app = slicerApp
        self._onChanged = onChanged
        self._factories = [
            RemoteViewFactory(
                server,
                _notDrawing(viewType),
                tag,
                populate_view_ui_f=populate,
                target_fps=FRAMES_PER_S,
                blur_fps=FRAMES_PER_S_ELSEWHERE,
                interactive_quality=MOVING_QUALITY,
                rca_encoder="jpeg",
            )
            for viewType, tag in ((SliceView, ViewType.SLICE_VIEW), (ThreeDView, ViewType.THREE_D_VIEW))
        ]
        for factory in self._factories:
            slicerApp.view_manager.register_factory(factory)
        self.layoutManager = LayoutManager(slicerApp.scene, slicerApp.view_manager, server)
        self.layoutManager.register_layout_dict(_layouts(), lazy_initialization=True)
        self._prepared: set[str] = set()
        #: Scale and origin that a slice view had when it was fitted.
        self._fitted: dict[str, tuple[float, ...]] = {}

    # Which are shown

    @property
    def arrangement(self) -> Arrangement:
        return Arrangement(self.layoutManager.layout_id or Arrangement.SAGITTAL.value)

    def arrange(self, arrangement: Arrangement) -> None:
        """Shows another arrangement; its views are made when they are first needed."""
        with _withoutWarnings():
            self.layoutManager.set_layout(arrangement.value)
            self._prepareNewViews()

    def _prepareNewViews(self) -> None:
        """What every view gets once: linked slices, still pictures of full quality, word of its changes."""
        for view in self._app.view_manager.get_views():
            tag = view.get_singleton_tag()
            if tag in self._prepared:
                continue
            self._prepared.add(tag)
            for factory in self._factories:
                if factory.has_view(tag):
                    factory.get_factory_view(tag).view_adapter.update_quality(MOVING_QUALITY, STILL_QUALITY)
            if isinstance(view, SliceView):
                # Eight samples a pixel take most of the time of a frame that is drawn without a GPU, and an image gains nothing by them.
                view.render_window().SetMultiSamples(0)
                view.modified.connect(lambda *arguments, tag=tag: self._onChanged(tag))
                self._compositeOf(tag).SetLinkedControl(True)
                view.interactor().AddObserver(vtk.vtkCommand.WindowResizeEvent, lambda *arguments, view=view: self._onResized(view))
            self._connectTools(view)

    def _connectTools(self, view: Any) -> None:
        """Has the segment editor's tools work in a view that was made after they were first used.

        trame-slicer looks for the view while it is still being made, finds none, and the brush then fails in all views.
        """
        editor = self._app.segmentation_editor
        tool = editor.active_effect
        editor.deactivate_effect()
        for effectType in EFFECTS.values():
            for pipeline in (reference() for reference in editor.get_effect(effectType).pipelines):
                if pipeline is not None and pipeline.GetViewNode() is view.get_view_node():
                    pipeline.SetView(view)
        if tool is not None:
            editor.set_active_effect(tool)

    def sliceView(self, tag: str) -> SliceView | None:
        """A slice view of the page by its tag; None when it was not made yet."""
        view = self._app.view_manager.get_view(tag)
        return view if isinstance(view, SliceView) else None

    @property
    def sliceTags(self) -> list[str]:
        """Tags of the slice views that were made, in the order they were."""
        return [view.get_singleton_tag() for view in self._app.view_manager.get_slice_views()]

    @property
    def threeD(self) -> ThreeDView | None:
        view = self._app.view_manager.get_view(THREE_D)
        return view if isinstance(view, ThreeDView) else None

    # What they show

    def show(self, volumeNodes: Sequence[Any]) -> None:
        """Shows the series of a patient, the first one in all views, fitted, in their middle."""
        showSagittal(self._app.scene, volumeNodes)
        if len(volumeNodes) < 2 and self._compositeOf(PARTNER) is not None:
            self._compositeOf(PARTNER).SetBackgroundVolumeID(volumeNodes[0].GetID() if volumeNodes else None)
        self.fit()

    def clear(self) -> None:
        """Empty views."""
        for tag in self.sliceTags:
            self._compositeOf(tag).SetBackgroundVolumeID(None)

    def backgroundOf(self, tag: str) -> Any:
        """The volume node in a slice view; None if there is none."""
        composite = self._compositeOf(tag)
        volumeId = composite.GetBackgroundVolumeID() if composite is not None else None
        return self._app.scene.GetNodeByID(volumeId) if volumeId else None

    def _compositeOf(self, tag: str) -> Any:
        return self._app.scene.GetSingletonNode(tag, "vtkMRMLSliceCompositeNode")

    # Where one looks

    def fit(self, tag: str = "") -> None:
        """Fits the field of view of a view, or of all."""
        for view in self._app.view_manager.get_views():
            if not tag or view.get_singleton_tag() == tag:
                view.fit_view_to_content()
                view.schedule_render()
                if isinstance(view, SliceView):
                    self._fitted[view.get_singleton_tag()] = _lookOf(view)

    def _onResized(self, view: SliceView) -> None:
        """A view that shows all of its slice shows all of it in its new size, too; one that a person zoomed or moved stays as it is."""
        tag = view.get_singleton_tag()
        fitted = self._fitted.get(tag)
        if self.backgroundOf(tag) is not None and (fitted is None or np.allclose(fitted, _lookOf(view))):
            self.fit(tag)

    def zoom(self, steps: int, tag: str = SAGITTAL) -> None:
        """Closer by a step, or further away for a negative one."""
        view = self.sliceView(tag)
        if view is not None:
            view.zoom(ZOOM_STEP if steps > 0 else -ZOOM_STEP / (1 - ZOOM_STEP))

    def scroll(self, steps: int, tag: str = SAGITTAL) -> None:
        """So many slices on, at most to the last one."""
        self.goToSlice(tag, self.place(tag)[0] + steps)

    def goToSlice(self, tag: str, index: int) -> None:
        """To a slice by its number from 0; the last one for a larger number."""
        view = self.sliceView(tag)
        count = self.place(tag)[1]
        if view is not None and count:
            view.set_slice_value(view.get_slice_range()[0] + min(max(index, 0), count - 1) * view.get_slice_step())

    def place(self, tag: str) -> tuple[int, int]:
        """Number of the present slice from 0, and how many there are; (0, 0) for an empty view."""
        view = self.sliceView(tag)
        if view is None or self.backgroundOf(tag) is None:
            return 0, 0
        low, high = view.get_slice_range()
        step = view.get_slice_step()
        count = max(1, round((high - low) / step) + 1)
        return min(max(round((view.get_slice_value() - low) / step), 0), count - 1), count

    def lettersAround(self, tag: str) -> dict[str, str] | None:
        """What of the patient lies at the left, right, top and bottom of a slice view: A, P, L, R, H, F, two of them when it is oblique."""
        view = self.sliceView(tag)
        if view is None or self.backgroundOf(tag) is None:
            return None
        matrix = view.get_view_node().GetSliceToRAS()
        right, top = ([matrix.GetElement(row, column) for row in range(3)] for column in (0, 1))
        return {"left": letters([-part for part in right]), "right": letters(right), "top": letters(top), "bottom": letters([-part for part in top])}

    # Window and level

    def adjustWindowByMouse(self, isOn: bool) -> None:
        """Whether dragging with the left button changes window and level, as in Slicer's mode of that name."""
        interaction = self._app.scene.GetNodeByID("vtkMRMLInteractionNodeSingleton")
        modes = slicer.vtkMRMLInteractionNode
        interaction.SetCurrentInteractionMode(modes.AdjustWindowLevel if isOn else modes.ViewTransform)

    def setAutomaticWindow(self, volumeNode: Any) -> None:
        """Window and level from the intensities, without the few brightest and darkest voxels."""
        display = volumeNode.GetScalarVolumeDisplayNode() if volumeNode is not None else None
        if display is not None:
            display.SetAutoWindowLevel(False)
            display.SetAutoWindowLevel(True)


def _notDrawing(viewType: type[Any]) -> Callable[..., Any]:
    """Makes views that draw nothing until the page asks: by themselves they draw after every one of the sixty properties they start with."""
    return lambda **arguments: viewType(scheduled_render_strategy=NoScheduleRendering(), **arguments)


def _lookOf(view: SliceView) -> tuple[float, ...]:
    """Millimeters a pixel and the origin of the field of view: what stays when a view gets another size."""
    node = view.get_view_node()
    return (node.GetFieldOfView()[1] / max(1, node.GetDimensions()[1]), *node.GetXYZOrigin())


def letters(direction: Sequence[float]) -> str:
    """Patient's letters of a direction (RAS, of length 1), the largest part first: (0.9, 0.4, 0) is 'RA'. H and F are head and feet."""
    parts = sorted(zip(map(abs, direction), direction, _LETTERS, strict=True), key=lambda part: -part[0])
    return "".join(pair[value < 0] for size, value, pair in parts if size > LEAST_LETTER)


@contextmanager
def _withoutWarnings() -> Iterator[None]:
    """trame-slicer's views observe an event that VTK 9.6 warns of, once a view."""
    wasShown = vtk.vtkObject.GetGlobalWarningDisplay()
    vtk.vtkObject.SetGlobalWarningDisplay(0)
    try:
        yield
    finally:
        vtk.vtkObject.SetGlobalWarningDisplay(wasShown)
