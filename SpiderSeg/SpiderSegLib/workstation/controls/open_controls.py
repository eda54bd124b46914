"""The start page: which series there are to open, uploads, and opening one."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from SpiderSegLib.errors import InputError, SpiderSegError
from SpiderSegLib.io import image_stem
from SpiderSegLib.mrml.translation import _
from SpiderSegLib.workstation.bench import Action, Bench
from SpiderSegLib.workstation.controls.case_controls import CaseControls
from SpiderSegLib.workstation.kept_edits import KeptEdits
from SpiderSegLib.workstation.web.opened_folder import OpenedFolder
from SpiderSegLib.workstation.web.series_files import SeriesFiles
from SpiderSegLib.workstation.web.server import Routes
from SpiderSegLib.workstation.work import LooseSeries


class OpenControls:
    """Opens series of the folder that was given on the command line, and uploads."""

    def __init__(self, bench: Bench, cases: CaseControls, edits: KeptEdits, opened: Path | None) -> None:
        """Raises InputError when there is no such file or folder."""
        self.bench = bench
        self.cases = cases
        self.edits = edits
        self.folder = OpenedFolder(opened) if opened is not None else None
        self._routes: Routes | None = None
        self.actions: Mapping[str, Action] = {
            "openSeries": self.openSeries,
            "openUploaded": self.openUploaded,
            "startEmpty": self.startEmpty,
            "showStart": self.showStart,
        }

    def onStart(self, routes: Routes) -> None:
        """The server takes uploads from now on."""
        self._routes = routes
        self.bench.state.uploadUrl = routes.uploadUrl

    def list(self) -> None:
        """Looks for series in the opened folder. Raises InputError."""
        series = self.folder.list_series() if self.folder is not None else ()
        with self.bench.state as state:
            state.opened = {
                "folder": self.folder.title if self.folder is not None else "",
                "files": [{"name": one.name, "detail": one.detail} for one in series],
            }

    async def showStart(self) -> None:
        """The start page; what is open stays open."""
        self.list()
        self.bench.state.mode = "start"

    async def openSeries(self, name: str) -> None:
        """Opens a series of the folder by its name in the list. Raises InputError."""
        if self.folder is None:
            raise InputError(_("no folder was opened: upload a series"))
        series = self.folder.find(str(name))
        await self.cases.leaving(lambda: self.open(series))

    async def openUploaded(self, key: str) -> None:
        """Opens what was uploaded."""
        assert self._routes is not None
        series = self._routes.uploads.find(str(key))
        await self.cases.leaving(lambda: self.open(series))

    async def open(self, series: SeriesFiles) -> None:
        """Reads a series and shows it; what is open stays open when it can't be read. Raises InputError."""
        bench = self.bench
        await bench.busy(_("Opening {name} ..").format(name=series.name))
        volume = replace(await asyncio.to_thread(series.read), name=image_stem(Path(series.name)))
        loose = LooseSeries(bench.scene, volume, self.edits, series.dicom)
        self.cases.runs.cancelAll()
        try:
            if bench.session is not None and bench.loose is None:
                bench.session.close(keep=True)
            elif bench.work is not None:
                bench.work.leave()
        except SpiderSegError:
            loose.leave()
            raise
        self.cases.show(loose)

    def startEmpty(self) -> None:
        """An empty segmentation, to draw by hand."""
        loose = self.bench.loose
        if loose is None:
            raise InputError(_("a case of a project has a segmentation already"))
        loose.startEmpty()
        self.bench.edit()

    def refresh(self) -> None:
        """The list is read when it is shown."""

    def reasons(self) -> dict[str, str]:
        work = self.bench.work
        reason = _("Open a series first.") if work is None else _("There is a segmentation already.") if work.segmentationNode is not None else ""
        return {"startEmpty": reason}
