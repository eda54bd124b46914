"""The workstation: wires scene, views, editor, controls and page, and is served to one person."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

from trame.app import get_server
from trame_slicer import module as slicerModule

from SpiderSegLib.annotation_project.project import is_project, open_project
from SpiderSegLib.errors import InputError
from SpiderSegLib.mrml.annotation_session import AnnotationSession
from SpiderSegLib.mrml.translation import _
from SpiderSegLib.mrml.workers.launching import launchPython
from SpiderSegLib.mrml.workers.queue import WorkerQueue
from SpiderSegLib.workstation.asyncio_ticker import AsyncioTicker
from SpiderSegLib.workstation.bench import Bench
from SpiderSegLib.workstation.controls.all_controls import AllControls
from SpiderSegLib.workstation.kept_edits import KeptEdits, keptEditsFolder
from SpiderSegLib.workstation.options import WorkstationOptions
from SpiderSegLib.workstation.slicer_scene import newSlicerApp
from SpiderSegLib.workstation.ui import page, state, view_frame
from SpiderSegLib.workstation.views import Arrangement, Views
from SpiderSegLib.workstation.web.server import Routes, Serving

#: How often the clock of the case is shown anew.
CLOCK_INTERVAL_S = 10.0


class Workstation:
    """The application that is served. Raises SpiderSegError when what is to be opened can't be."""

    def __init__(self, options: WorkstationOptions, edits: KeptEdits | None = None) -> None:
        self.server = get_server("spiderseg", client_type="vue3")
        self.server.enable_module(slicerModule)
        self.server.state.update(state.defaults())
        self.options = options
        self.app = newSlicerApp()
        views = Views(self.server, self.app, view_frame.populate, self.onViewChanged)
        queue = WorkerQueue(launchPython, AsyncioTicker, lambda: Path(tempfile.gettempdir()))
        self.bench = Bench(self.server, self.app, views, queue, options.settings)
        isProject = options.path is not None and is_project(options.path)
        self.controls = AllControls(self.bench, edits or KeptEdits(keptEditsFolder()), None if isProject else options.path)
        self.server.trigger("act")(self.bench.perform)
        self.server.state.annotator = options.annotator
        if isProject and not options.annotator:
            raise InputError(_("a project keeps who corrected what: give your name with --annotator NAME"))
        if isProject and options.path is not None:
            self.bench.session = AnnotationSession(self.app.scene, open_project(options.path), options.annotator)
        page.build(self.server, views.layoutManager)
        self._clock: asyncio.Task[None] | None = None

    def onStart(self, routes: Routes) -> None:
        """The server is about to listen: the page gets its views, and what was asked for on the command line is opened."""
        self.controls.onStart(routes)
        self.bench.views.arrange(Arrangement.SAGITTAL)
        self._openFirst()
        self.bench.refresh()
        self._clock = asyncio.create_task(self._tick())

    def _openFirst(self) -> None:
        if self.bench.session is not None:
            self.controls.caseList.read()
            self.server.state.mode = "cases"
            return
        self.controls.opening.list()
        path = self.options.path
        files = self.server.state.opened["files"]
        if path is not None and len(files) == 1:
            asyncio.get_running_loop().create_task(self.bench.perform("openSeries", files[0]["name"]))

    def onStop(self) -> None:
        """The server is about to end: what is unsaved is kept."""
        if self._clock is not None:
            self._clock.cancel()
        self.bench.shutDown()
        work = self.bench.work
        if work is not None:
            work.leave()

    def onViewChanged(self, tag: str) -> None:
        """A person looks elsewhere, which counts as work."""
        self.bench.touch()
        self.controls.display.onViewChanged(tag)

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(CLOCK_INTERVAL_S)
            if self.bench.session is not None and self.bench.work is not None:
                with self.server.state:
                    self.controls.cases.refreshSaveState()


def run(options: WorkstationOptions) -> int:
    """Serves the workstation until the person ends it; 0. Raises SpiderSegError."""
    Serving(Workstation(options), options.host, options.port, options.openBrowser).run()
    return 0
