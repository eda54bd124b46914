"""One page at a time: a second tab is told so, waits for the first one to close, or takes its place.

A page is open while its web socket is connected. The socket of a page that was replaced closes with TAKEN_OVER, so that it can say why.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

from aiohttp import WSCloseCode, web
from aiohttp.typedefs import Handler

from SpiderSegLib.workstation.web.access import SOCKET_PATH
from SpiderSegLib.workstation.web.pages import PAGES_PATH, SESSION_PATH, busy_page, error_response, page_response

#: Close code of a web socket (4000 to 4999 are an application's own); connection.js knows it.
TAKEN_OVER = 4001

STATUS_PATH = f"{PAGES_PATH}/status"
CONTINUE_PATH = f"{PAGES_PATH}/continue"

#: A reload asks for the page a moment before the socket of the page that it replaces is closed.
RELOAD_PATIENCE_S = 1.0

#: A browser that is asleep or gone answers nothing when its socket is closed.
CLOSING_PATIENCE_S = 1.0


class Tabs:
    """Serves the application's page to one tab, and lets another one take over."""

    def __init__(self, page: Callable[[], str]) -> None:
        """page: makes the application's page."""
        self._page = page
        self._request: web.Request | None = None
        self._socket: web.WebSocketResponse | None = None
        self._free = asyncio.Event()
        self._free.set()

    @property
    def is_open(self) -> bool:
        return not self._free.is_set()

    def add_routes(self, app: web.Application) -> None:
        app.middlewares.append(self._one_socket)
        app.on_response_prepare.append(self._remember_socket)
        app.router.add_get("/", self._show)
        app.router.add_get("/index.html", _to_the_page)
        app.router.add_get(STATUS_PATH, self._status)
        app.router.add_post(CONTINUE_PATH, self._continue_here)
        app.router.add_post(SESSION_PATH, _socket_address)

    async def close(self, code: int, reason: str) -> None:
        """Closes the open page's socket and returns when it is gone; a browser that doesn't answer is cut off."""
        if self._request is None:
            return
        transport = self._request.transport
        closing = asyncio.create_task(self._close_socket(code, reason))
        if not await self._is_free_within(CLOSING_PATIENCE_S) and transport is not None:
            transport.abort()
            await self._is_free_within(CLOSING_PATIENCE_S)
        closing.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await closing

    async def _close_socket(self, code: int, reason: str) -> None:
        if self._socket is not None:
            await self._socket.close(code=code, message=reason.encode())

    async def _is_free_within(self, patience_s: float) -> bool:
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._free.wait(), patience_s)
        return self._free.is_set()

    @web.middleware
    async def _one_socket(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path != SOCKET_PATH:
            return await handler(request)
        if self._request is not None:
            return error_response(409, "SpiderSeg is already open in another tab or window")
        self._request = request
        self._free.clear()
        try:
            return await handler(request)
        finally:
            self._request = self._socket = None
            self._free.set()

    async def _remember_socket(self, request: web.Request, response: web.StreamResponse) -> None:
        if isinstance(response, web.WebSocketResponse) and request is self._request:
            self._socket = response
            _forgive_leaving(response)

    async def _show(self, request: web.Request) -> web.StreamResponse:
        if request.query_string:
            # trame's client takes the server to connect to, and more, from the address.
            raise web.HTTPFound("/")
        return page_response(self._page() if await self._is_free_within(RELOAD_PATIENCE_S) else busy_page())

    async def _status(self, request: web.Request) -> web.StreamResponse:
        return web.json_response({"open": self.is_open})

    async def _continue_here(self, request: web.Request) -> web.StreamResponse:
        await self.close(TAKEN_OVER, "opened elsewhere")
        return web.json_response({"open": self.is_open})

    async def end(self) -> None:
        """Tells the open page that the server ends."""
        await self.close(WSCloseCode.GOING_AWAY, "stopped")


def _forgive_leaving(socket: web.WebSocketResponse) -> None:
    """What is sent to a page while it is left is lost with it; trame would log a fault for every picture on its way."""
    send = socket.send_bytes

    async def send_bytes(data: bytes, compress: int | None = None) -> None:
        with contextlib.suppress(ConnectionResetError):
            await send(data, compress)

    socket.send_bytes = send_bytes  # type: ignore[method-assign]


async def _to_the_page(request: web.Request) -> web.StreamResponse:
    raise web.HTTPFound("/")


async def _socket_address(request: web.Request) -> web.StreamResponse:
    return web.json_response({"sessionURL": f"ws://{request.host}{SOCKET_PATH}"})
