"""The workstation's scene, editor and controls in this process: no page, no browser, and no views unless a test asks for them."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import slicer
import vtk
from numpy.typing import NDArray
from trame.app import get_server
from trame.ui.html import DivLayout
from trame_slicer.core import SlicerApp
from trame_slicer.segmentation import ModificationMode

from mrml_scene import COLUMN, Messages, columnLabels, idOf
from SpiderSegLib.mrml.annotation_session.case_nodes import addVolume
from SpiderSegLib.mrml.segmentations import SegmentInfo, newSegmentationNode
from SpiderSegLib.mrml.segments import maskOf, segmentIds, segmentOf, tagTexts
from SpiderSegLib.mrml.volumes import imageArray
from SpiderSegLib.volume import Volume
from SpiderSegLib.workstation.editor import Editor
from SpiderSegLib.workstation.slicer_scene import newSlicerApp
from SpiderSegLib.workstation.ui import state
from SpiderSegLib.workstation.undo import UndoHistory
from SpiderSegLib.workstation.views import Arrangement, Views

_numbers = itertools.count()

#: A voxel's intensity tells its row j and column i.
INTENSITIES = np.broadcast_to(10 * np.arange(12)[:, None] + np.arange(8), COLUMN.shape_kji).astype(np.int16)


@contextmanager
def slicerApp() -> Iterator[SlicerApp]:
    """An application that is closed at the end; fails when VTK printed an error or a warning."""
    app = newSlicerApp()
    _forgetRepeatedConversions()
    messages = Messages()
    try:
        yield app
        found = messages.found()
    finally:
        messages.close()
        app.io_manager.cache_dir.cleanup()
        # Else its tools would be those of the next application's views.
        slicer.vtkMRMLLayerDMPipelineFactory.GetInstance().RemovePipelineCreator(app.segmentation_editor._pipeline_creator)
    assert not found, "\n".join(found)


def _forgetRepeatedConversions() -> None:
    """Every scene of this process registers the conversions of segmentations once more, and copies of a segmentation take longer with each."""
    factory = slicer.vtkSegmentationConverterFactory.GetInstance()
    seen: set[str] = set()
    for rule in factory.GetConverterRules():
        if rule.GetClassName() in seen:
            factory.UnregisterConverterRule(rule)
        seen.add(rule.GetClassName())


def stateOf(node: Any) -> list[tuple[Any, ...]]:
    """Everything of the segments that a person sees or saves, in the order of their list; colors as a file keeps them."""
    return [_stateOfSegment(node, segmentId, segmentOf(node, segmentId)) for segmentId in segmentIds(node)]


def _stateOfSegment(node: Any, segmentId: str, segment: Any) -> tuple[Any, ...]:
    color = tuple(round(part, 4) for part in segment.GetColor())
    return segmentId, segment.GetName(), color, tagTexts(segment), maskOf(node, segmentId).tolist()


def nodesIn(app: SlicerApp, *classNames: str) -> int:
    """How many volumes and segmentations the scene has, or nodes of other classes."""
    return sum(app.scene.GetNumberOfNodesByClass(name) for name in classNames or ("vtkMRMLVolumeNode", "vtkMRMLSegmentationNode"))


@dataclass
class Editing:
    """A segmentation under the editor, and how often a step of its history was told."""

    app: SlicerApp
    volumeNode: Any
    node: Any
    history: UndoHistory
    editor: Editor
    steps: list[int]

    def idOf(self, value: int) -> str:
        return idOf(self.node, value)

    def select(self, value: int) -> None:
        self.editor.select(self.idOf(value))

    def mask(self, value: int) -> NDArray[np.bool_]:
        return maskOf(self.node, self.idOf(value))

    def voxels(self) -> dict[str, int]:
        """By the name of a segment, how many voxels it has."""
        segmentation = self.node.GetSegmentation()
        return {segmentation.GetSegment(each).GetName(): int(maskOf(self.node, each).sum()) for each in segmentation.GetSegmentIDs()}

    def stroke(self, mask: NDArray[np.bool_], mode: ModificationMode | None = None) -> None:
        """What a brush, pen or scissors do once the mouse is let go: the tool in use says whether it is added or taken away."""
        modifier = self.app.segmentation_editor.active_segment_modifier
        labelmap = modifier.create_modifier_labelmap()
        imageArray(labelmap)[...] = mask
        modifier.apply_labelmap(labelmap, modification_mode=mode)


def newColumn(app: SlicerApp, info: SegmentInfo | None = None, name: str = "t2") -> tuple[Any, Any]:
    """A series of INTENSITIES, and the segmentation of three bodies, discs and canal over it."""
    volumeNode = addVolume(app.scene, columnSeries(name))
    return volumeNode, drawColumn(app, volumeNode, info)


@contextmanager
def editing() -> Iterator[Editing]:
    """The editor on a column, L5 selected, no tool in use."""
    with slicerApp() as app:
        steps: list[int] = []
        history = UndoHistory(lambda: steps.append(1))
        editor = Editor(app, history)
        volumeNode, node = newColumn(app)
        editor.begin(node, volumeNode)
        steps.clear()
        yield Editing(app, volumeNode, node, history, editor, steps)
        editor.end()


def box(rows: slice, columns: slice, slices: slice = slice(None)) -> NDArray[np.bool_]:
    """A mask on COLUMN."""
    mask = np.zeros(COLUMN.shape_kji, bool)
    mask[slices, rows, columns] = True
    return mask


@dataclass
class Screen:
    """Views that draw without a screen, and the tags of those that told of a change."""

    app: SlicerApp
    views: Views
    told: list[str]

    def resize(self, tag: str, width: int, height: int) -> None:
        resize(self.views, tag, width, height)


def resize(views: Views, tag: str, width: int, height: int) -> None:
    """As the page does when the view's place in it gets another size."""
    interactor = views.sliceView(tag).interactor()
    interactor.UpdateSize(width, height)
    interactor.InvokeEvent(vtk.vtkCommand.WindowResizeEvent)


@contextmanager
def onScreen() -> Iterator[Screen]:
    """The views of a page that nobody looks at, of 200 x 100 pixels each, empty."""
    with slicerApp() as app:
        loop = asyncio.new_event_loop()

        async def arrange() -> Screen:
            server, told = newServer(), []
            views = Views(server, app, lambda *arguments: None, told.append)
            with DivLayout(server) as page:
                views.layoutManager.initialize_layout_grid(page)
            views.arrange(Arrangement.SAGITTAL)
            return Screen(app, views, told)

        async def finish() -> None:
            drawing = asyncio.all_tasks() - {asyncio.current_task()}
            for task in drawing:
                task.cancel()
            await asyncio.gather(*drawing, return_exceptions=True)

        screen = loop.run_until_complete(arrange())
        for tag in screen.views.sliceTags:
            screen.resize(tag, 200, 100)
        try:
            yield screen
        finally:
            loop.run_until_complete(finish())
            loop.close()


def newServer() -> Any:
    """A trame server of its own that does not listen, with the page's state as it is at first."""
    server = get_server(f"workstation {next(_numbers)}", client_type="vue3")
    server.state.update(state.defaults())
    return server


def columnSeries(name: str = "t2") -> Volume:
    """The image of `newColumn`."""
    return Volume(INTENSITIES.copy(), COLUMN, name)


def drawColumn(app: SlicerApp, volumeNode: Any, info: SegmentInfo | None = None) -> Any:
    """What a run of the model brings into the scene."""
    return newSegmentationNode(app.scene, Volume(columnLabels(), COLUMN, volumeNode.GetName()), volumeNode, info)
