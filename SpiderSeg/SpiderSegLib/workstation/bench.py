"""What the parts of the workstation share: scene, views, editor, runs, the open work, and the state that the page shows."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from trame_slicer.core import SlicerApp

from SpiderSegLib.errors import SpiderSegError
from SpiderSegLib.mrml.annotation_session import AnnotationSession
from SpiderSegLib.mrml.clicks import ClickCollector
from SpiderSegLib.mrml.node_observer import NodeObserver
from SpiderSegLib.mrml.runs import RunSettings
from SpiderSegLib.mrml.translation import _
from SpiderSegLib.mrml.workers.node_runs import NodeRuns
from SpiderSegLib.mrml.workers.queue import WorkerQueue
from SpiderSegLib.workstation.editor import Editor
from SpiderSegLib.workstation.undo import UndoHistory
from SpiderSegLib.workstation.views import Views
from SpiderSegLib.workstation.work import LooseSeries, Work

logger = logging.getLogger(__name__)

#: Many events of one edit are answered once, so long after the first one.
REFRESH_DELAY_S = 0.03

#: A stroke is kept when so long nothing was drawn after it.
AUTOSAVE_DELAY_S = 0.7

Action = Callable[..., object]


class Controls(Protocol):
    """A part of the page: its buttons' actions, why some of them are impossible now, and what it shows."""

    actions: Mapping[str, Action]

    def reasons(self) -> dict[str, str]:
        """By the name of an action, why it is impossible; '' or left out when it is possible."""

    def refresh(self) -> None:
        """Looks at the scene again and updates the state."""


class Bench:
    """Made once. `work` is what is open, `session` the opened project's; both None at first.

    settings are those of the runs. `parts` are looked at whenever something changed.
    """

    def __init__(self, server: Any, slicerApp: SlicerApp, views: Views, queue: WorkerQueue, settings: RunSettings) -> None:
        self.server = server
        self.state = server.state
        self.app = slicerApp
        self.scene = slicerApp.scene
        self.views = views
        self.queue = queue
        self.runs = NodeRuns(slicerApp.scene, queue)
        self.settings = settings
        self.history = UndoHistory(self.refreshLater)
        self.editor = Editor(slicerApp, self.history)
        self.clicks = ClickCollector(slicerApp.scene, lambda function: asyncio.get_running_loop().call_soon(function))
        self.work: Work | None = None
        self.session: AnnotationSession | None = None
        self.parts: tuple[Controls, ...] = ()
        self._observer = NodeObserver(self.onNodeChanged)
        self._refresh: asyncio.TimerHandle | None = None
        self._autosave: asyncio.TimerHandle | None = None
        self._notices = 0
        self._performing = asyncio.Lock()
        self._actions: dict[str, Action] = {"dismissNotice": self.dismissNotice}

    # What the parts work on

    @property
    def volumeNode(self) -> Any:
        """The image of the open series; None while none is open."""
        return self.work.volumeNode if self.work is not None else None

    @property
    def segmentationNode(self) -> Any:
        """What is corrected; None while there is nothing."""
        return self.work.segmentationNode if self.work is not None else None

    @property
    def loose(self) -> LooseSeries | None:
        """The open series, when it belongs to no project."""
        return self.work if isinstance(self.work, LooseSeries) else None

    @property
    def whyNoSegmentation(self) -> str:
        """Why there is nothing to work on, for buttons that need a segmentation; '' when there is one."""
        if self.work is None:
            return _("Open a series first.")
        return "" if self.segmentationNode is not None else _("There is no segmentation yet: segment the series first.")

    # When

    def onNodeChanged(self, *arguments: Any) -> None:
        """Something was drawn, renamed, shown or hidden."""
        self.refreshLater()
        self.keepLater()

    def refreshLater(self, *arguments: Any) -> None:
        """Looks again soon; many calls are answered once."""
        if self._refresh is None:
            self._refresh = asyncio.get_running_loop().call_later(REFRESH_DELAY_S, self.refresh)

    def refresh(self) -> None:
        """Lets every part look again, and sends what changed to the page."""
        if self._refresh is not None:
            self._refresh.cancel()
            self._refresh = None
        self._observer.observe([self.volumeNode, self.segmentationNode])
        with self.state as state:
            can: dict[str, str] = {}
            for part in self.parts:
                part.refresh()
                can.update(part.reasons())
            state.can = can

    def keepLater(self) -> None:
        """Keeps the edit once nothing more is drawn for a moment."""
        if self._autosave is not None:
            self._autosave.cancel()
        self._autosave = asyncio.get_running_loop().call_later(AUTOSAVE_DELAY_S, self.keepNow)

    def keepNow(self) -> None:
        """Keeps what is not saved yet; a full disk is said, and does not stop the work."""
        if self._autosave is not None:
            self._autosave.cancel()
            self._autosave = None
        if self.work is None:
            return
        try:
            if self.work.autosave():
                self.refreshLater()
        except SpiderSegError as error:
            self.say(f"The unsaved edit could not be kept: {error}", "error")

    def touch(self) -> None:
        """The person did something: the clock of the case goes on."""
        if self.session is not None:
            self.session.timer.touch()

    # Work

    def setWork(self, work: Work | None) -> None:
        """Works on something else, or nothing: views, editor and history follow. The work before must have been left."""
        self.clicks.stop()
        self.work = work
        if work is None:
            self.views.clear()
        else:
            self.views.show(work.seriesNodes)
        self.edit()

    def edit(self) -> None:
        """The editor takes up the segmentation of the open work, after it became another one."""
        node = self.segmentationNode
        if node is None:
            self.editor.end()
        else:
            self.editor.begin(node, self.volumeNode)
        self.refreshLater()

    # Words

    def say(self, text: str, kind: str = "info") -> None:
        """Tells the person something: info, success or error."""
        self._notices += 1
        with self.state as state:
            state.notice = {"id": self._notices, "kind": kind, "text": text}

    def dismissNotice(self) -> None:
        """The person has read it."""
        self.state.notice = None

    async def perform(self, name: str, *arguments: Any) -> None:
        """Does what a button of the page stands for. What it raises is told in words; what must not happen is logged, too."""
        self.touch()
        action = self._actions.get(name) or next((part.actions[name] for part in self.parts if name in part.actions), None)
        if action is None:
            logger.error("the page asked for the unknown action %r", name)
            return
        try:
            # One after another: a second click on Next waits until the first one has opened its case.
            async with self._performing:
                result = action(*arguments)
                if asyncio.iscoroutine(result):
                    await result
        except SpiderSegError as error:
            self.say(str(error), "error")
        except Exception as error:
            logger.exception("internal error in %s", name)
            self.say(f"Internal error: {type(error).__name__}: {error}. Please report it with `spiderseg version`.", "error")
        finally:
            self.refreshLater()
            with self.state as state:
                state.busy = ""

    def answer(self, action: Callable[[], object]) -> None:
        """Does something that no button asked for, such as a tool once it has its clicks; what it raises is told in words."""
        try:
            action()
        except SpiderSegError as error:
            self.say(str(error), "error")
        self.refreshLater()

    async def busy(self, text: str) -> None:
        """Tells the page what takes a moment, and lets it show that before the moment begins."""
        with self.state as state:
            state.busy = text
        await asyncio.sleep(0)

    def shutDown(self) -> None:
        """The process ends: runs are ended, the edit is kept."""
        self.clicks.stop()
        self.queue.shutDown()
        self.keepNow()
