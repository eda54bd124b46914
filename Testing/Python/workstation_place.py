"""A workplace without a page: bench and controls as the application wires them, and a person who presses buttons and reads what is shown."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from trame.ui.html import DivLayout
from trame_slicer.core import SlicerApp

from mrml_scene import idOf
from small_session import newSession
from SpiderSegLib.annotation_project.project import Project
from SpiderSegLib.dicom import DicomSeries
from SpiderSegLib.mrml.annotation_session import AnnotationSession
from SpiderSegLib.mrml.runs import RunSettings
from SpiderSegLib.mrml.segmentations import SegmentInfo
from SpiderSegLib.mrml.segments import maskOf
from SpiderSegLib.mrml.workers.launching import Launch, launchPython
from SpiderSegLib.mrml.workers.queue import WorkerQueue
from SpiderSegLib.volume import Volume
from SpiderSegLib.workstation.asyncio_ticker import AsyncioTicker
from SpiderSegLib.workstation.bench import Bench
from SpiderSegLib.workstation.controls.all_controls import AllControls
from SpiderSegLib.workstation.kept_edits import KeptEdits
from SpiderSegLib.workstation.views import Arrangement, Views
from SpiderSegLib.workstation.web.downloads import Downloads
from SpiderSegLib.workstation.web.server import Routes
from SpiderSegLib.workstation.web.uploads import Uploads
from SpiderSegLib.workstation.work import LooseSeries
from workstation_scene import columnSeries, drawColumn, newServer, slicerApp


class Workplace:
    """Bench and controls as the application wires them, on a server that does not listen; what the page shows is in `state`.

    opened: the file or folder of the command line. launch: what starts a run. There are views only after `showViews`.
    `start` comes last, when the page's options become the tools' and views'.
    """

    def __init__(self, app: SlicerApp, folder: Path, opened: Path | None, loop: asyncio.AbstractEventLoop) -> None:
        self.app, self.folder, self._loop = app, folder, loop
        self.edits = KeptEdits(folder / "kept")
        server = newServer()
        self.state = server.state
        self.state.annotator = "Ada"
        self.launch: Launch = launchPython
        self._server = server
        views = Views(server, app, lambda *arguments: None, self._onViewChanged)
        queue = WorkerQueue(lambda arguments: self.launch(arguments), AsyncioTicker, lambda: folder / "private")
        bench = self.bench = Bench(server, app, views, queue, RunSettings())
        controls = AllControls(bench, self.edits, opened)
        self.display, self.levels, self.tools, self.spine = controls.display, controls.levels, controls.tools, controls.spine
        self.runs, self.caseList, self.cases, self.opening = controls.runs, controls.caseList, controls.cases, controls.opening
        self.files = controls.files
        self.routes = Routes(Uploads(folder / "uploads"), Downloads(), folder / "private")
        controls.onStart(self.routes)

    def _onViewChanged(self, tag: str) -> None:
        self.display.onViewChanged(tag)

    def showViews(self) -> None:
        """Makes the views of the page, which takes a second or two."""
        with DivLayout(self._server) as page:
            self.bench.views.layoutManager.initialize_layout_grid(page)
        self.bench.views.arrange(Arrangement.SAGITTAL)

    def start(self) -> None:
        self.state.ready()
        self.bench.refresh()

    # What a person does

    def do(self, something: Callable[[], Any]) -> Any:
        """Does something as the page or a view would, and lets the controls look again."""

        return self.happens(something, self.bench.refresh)

    def happens(self, *parts: Callable[[], Any]) -> Any:
        """What a person or a view does, one after another, before the controls look again by themselves. Returns what the first one does."""

        async def once() -> Any:
            results = []
            for part in parts:
                result = part()
                results.append(await result if asyncio.iscoroutine(result) else result)
            return results[0]

        return self._loop.run_until_complete(once())

    def act(self, name: str, *arguments: Any) -> None:
        """Presses a button."""
        self.do(lambda: self.bench.perform(name, *arguments))

    def set(self, **values: Any) -> None:
        """Sets options of the page."""

        def change() -> None:
            with self.state as state:
                state.update(values)

        self.do(change)

    def until(self, isSo: Callable[[], bool]) -> None:
        """Waits for what happens by itself."""

        async def wait() -> None:
            while not isSo():
                await asyncio.sleep(0)

        self._loop.run_until_complete(asyncio.wait_for(wait(), 30))

    # What a person sees

    @property
    def notice(self) -> tuple[str, str]:
        """Kind and text of the last notice; it is taken away."""
        notice = self.state.notice or {"kind": "", "text": ""}
        self.act("dismissNotice")
        return notice["kind"], notice["text"]

    def why(self, *names: str) -> set[str]:
        """Why some buttons are disabled; {''} when they are not."""
        return {self.state.can[name] for name in names}

    @property
    def node(self) -> Any:
        return self.bench.segmentationNode

    def idOf(self, value: int) -> str:
        return idOf(self.node, value)

    def mask(self, value: int) -> NDArray[np.bool_]:
        return maskOf(self.node, self.idOf(value))

    # What is open

    def openLoose(self, volume: Volume | None = None, dicom: DicomSeries | None = None) -> LooseSeries:
        """A series without a project, not segmented."""
        work = LooseSeries(self.app.scene, volume or columnSeries(), self.edits, dicom)
        self.do(lambda: self.cases.show(work))
        return work

    def openColumn(self, info: SegmentInfo | None = None) -> LooseSeries:
        """A series without a project, segmented."""
        work = self.openLoose()
        work.useSegmentation(drawColumn(self.app, work.volumeNode, info))
        self.do(self.bench.edit)
        return work

    def openProject(self, project: Project, annotator: str = "Ada") -> AnnotationSession:
        """The project's table of cases."""
        self.bench.session = newSession(self.app, project, annotator)  # type: ignore[arg-type]
        self.act("showCases")
        return self.bench.session

    def close(self) -> None:
        def end() -> None:
            if self.bench.work is not None:
                self.bench.work.leave()
            self.bench.setWork(None)
            self.bench.queue.shutDown()
            # Views draw in tasks of their own.
            for task in asyncio.all_tasks() - {asyncio.current_task()}:
                task.cancel()

        self.do(end)


@contextmanager
def workplace(folder: Path, opened: Path | None = None, hasViews: bool = False) -> Iterator[Workplace]:
    """A workplace at which nothing is open."""
    (folder / "private").mkdir()
    with slicerApp() as app:
        loop = asyncio.new_event_loop()

        async def start() -> Workplace:
            place = Workplace(app, folder, opened, loop)
            if hasViews:
                place.showViews()
            place.start()
            return place

        place = loop.run_until_complete(start())
        try:
            yield place
        finally:
            place.close()
            loop.close()
