"""The server's life: it listens, says where, and ends when the person ends it, after the application kept its work."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import sys
import tempfile
import webbrowser
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any, Protocol

import typer
from aiohttp import web
from aiohttp.typedefs import Handler

from SpiderSegLib.errors import InputError
from SpiderSegLib.mrml.workers.run_folder import RunFolder, remove_leftovers
from SpiderSegLib.workstation.web.access import EVERY_ADDRESS, LOCAL_HOST, LOCAL_NAMES, SOCKET_PATH, TOKEN_PARAMETER, Access
from SpiderSegLib.workstation.web.downloads import Downloads
from SpiderSegLib.workstation.web.pages import PAGES_PATH, application_page, pages_folder
from SpiderSegLib.workstation.web.tabs import Tabs
from SpiderSegLib.workstation.web.uploads import LARGEST_UPLOAD_BYTES, UPLOAD_PATH, Uploads

logger = logging.getLogger(__name__)

TITLE = "SpiderSeg"

#: trame reads the arguments of its own command line from here, and else from ours.
_TRAME_ARGUMENTS = "TRAME_ARGS"


@dataclass(frozen=True)
class Routes:
    """What an application has to do with the web: where files go in and out, and a private folder for its own."""

    uploads: Uploads
    downloads: Downloads
    folder: Path
    uploadUrl: str = UPLOAD_PATH


class WebApplication(Protocol):
    """What is served: a trame server (client vue3) with its page and state."""

    @property
    def server(self) -> Any: ...

    def onStart(self, routes: Routes) -> None:
        """Called in the event loop before the server listens."""

    def onStop(self) -> None:
        """Called in the event loop before the server ends, also when it could not listen: keeps what isn't saved, ends what runs."""


class Serving:
    """Serves an application to one person.

    Closing the browser does not end the server: the person may come back. Ctrl-C and SIGTERM do. A second one while it ends is ignored.
    """

    def __init__(
        self,
        application: WebApplication,
        host: str = LOCAL_HOST,
        port: int = 0,
        openBrowser: bool = False,
        say: Callable[[str], object] = typer.echo,
        largestUploadBytes: int = LARGEST_UPLOAD_BYTES,
    ) -> None:
        """port 0 is a free one. say: prints the address for the person."""
        self._application = application
        # Under the name, a computer with IPv6 would listen on two free ports.
        self._host = LOCAL_HOST if host in LOCAL_NAMES[:2] else host
        self._port = port
        self._opensBrowser = openBrowser
        self._say = say
        self._largestUploadBytes = largestUploadBytes
        self.access = Access(self._host)
        self._requests = _RunningRequests()

    def run(self) -> None:
        """Serves until Ctrl-C, SIGTERM or the application ends it. Raises InputError when it can't listen, and what onStop raises."""
        asyncio.run(self._runUntilAsked())

    async def start(self) -> str:
        """Listens, and returns the address with the token. Raises InputError when it can't."""
        remove_leftovers(Path(tempfile.gettempdir()))
        self._folder = RunFolder.make(Path(tempfile.gettempdir()))
        uploads = Uploads(self._folder.path / "uploads", self._largestUploadBytes)
        self._routes = Routes(uploads, Downloads(), self._folder.path)
        try:
            self._application.onStart(self._routes)
            try:
                await self._listen()
            except BaseException:
                self._application.onStop()
                raise
        except BaseException:
            self._folder.remove()
            raise
        return self._address(self.access.token)

    async def stop(self) -> None:
        """Lets the application keep its work, tells the open page, and ends what is left of the server."""
        try:
            self._application.onStop()
        finally:
            await self._tabs.end()
            await self._requests.cancel()
            await self._application.server.stop()
            await self._ended
            self._folder.remove()

    async def _runUntilAsked(self) -> None:
        asked = asyncio.Event()
        with _onSignals(asked.set):
            address = await self.start()
            try:
                self._tell(address)
                waiting = asyncio.create_task(asked.wait())
                await asyncio.wait({waiting, self._ended}, return_when=asyncio.FIRST_COMPLETED)
                waiting.cancel()
            finally:
                await self.stop()

    async def _listen(self) -> None:
        server = self._application.server
        server.controller.on_server_bind.add(self._onBind)
        with _withoutOurArguments():
            serving = server.start(
                exec_mode="coroutine",
                host=self._host,
                port=self._port,
                timeout=0,  # nobody connected is no reason to end
                thread=True,  # signals are ours
                open_browser=False,
                show_connection_info=False,
                disable_logging=True,
                backend="aiohttp",
            )
        self._ended = asyncio.ensure_future(serving)
        await asyncio.wait({self._ended, server.ready}, return_when=asyncio.FIRST_COMPLETED)
        if self._ended.done():
            self._raiseWhyNot()

    def _raiseWhyNot(self) -> None:
        try:
            self._ended.result()
        except OSError as error:
            raise InputError(
                f"can't listen on {self._host}, port {self._port}: {error.strerror or error}; choose another --port (0: a free one) or --host"
            ) from error

    def _onBind(self, wslinkServer: Any) -> None:
        """Called with wslink's server before it has routes of its own."""
        app: web.Application = wslinkServer.app
        self.access.protect(app)
        app.middlewares.append(self._requests.remember)
        tramePage = Path(self._application.server.server_options.content, "index.html").read_text(encoding="utf-8")
        page = application_page(tramePage, TITLE)
        self._tabs = Tabs(lambda: page)
        self._tabs.add_routes(app)
        self._routes.uploads.add_routes(app)
        self._routes.downloads.add_routes(app)
        app.router.add_static(PAGES_PATH, pages_folder())

    def _tell(self, address: str) -> None:
        self._say(f"SpiderSeg workstation: {address}")
        self._say("Only who has this address can open it. Ctrl-C here ends SpiderSeg; closing the browser does not.")
        if self._host not in LOCAL_NAMES and self._host != "::1":
            logger.warning(
                "the page is served to other computers (%s) without encryption: whoever reads the network or has the address can see patient "
                "data; safer is an SSH tunnel to %s",
                self._host,
                LOCAL_HOST,
            )
        if self._opensBrowser and _hasScreen():
            url = self._address(self.access.make_pass())
            asyncio.get_running_loop().run_in_executor(None, webbrowser.open, url)

    def _address(self, token: str) -> str:
        name = LOCAL_HOST if self._host in EVERY_ADDRESS else self._host
        shown = f"[{name}]" if ":" in name else name
        return f"http://{shown}:{self._application.server.port}/?{TOKEN_PARAMETER}={token}"


class _RunningRequests:
    """What is being answered, except the web socket: an upload that goes on would hold the server for a minute at its end."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()

    @web.middleware
    async def remember(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        task = asyncio.current_task()
        if task is None or request.path == SOCKET_PATH:
            return await handler(request)
        self._tasks.add(task)
        try:
            return await handler(request)
        finally:
            self._tasks.discard(task)

    async def cancel(self) -> None:
        tasks = set(self._tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)


@contextlib.contextmanager
def _withoutOurArguments() -> Iterator[None]:
    before = os.environ.get(_TRAME_ARGUMENTS)
    os.environ[_TRAME_ARGUMENTS] = ""
    try:
        yield
    finally:
        if before is None:
            del os.environ[_TRAME_ARGUMENTS]
        else:
            os.environ[_TRAME_ARGUMENTS] = before


@contextlib.contextmanager
def _onSignals(ask: Callable[[], object]) -> Iterator[None]:
    """Ctrl-C and SIGTERM call `ask` in the event loop instead of breaking off whatever runs."""
    loop = asyncio.get_running_loop()

    def handle(number: int, frame: FrameType | None) -> None:
        loop.call_soon_threadsafe(ask)

    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _hasScreen() -> bool:
    """Whether a browser with windows can be there; on a server `webbrowser` would start one in the terminal."""
    return sys.platform != "linux" or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
