"""A very small application behind the workstation's real server, and a client that asks it as a browser would."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
from trame.app import get_server
from trame.ui.html import DivLayout
from trame.widgets import html
from yarl import URL

from SpiderSegLib.workstation.web.server import Routes, Serving

_numbers = itertools.count()


class SmallApplication:
    """A page with one line; remembers what it was told."""

    def __init__(self) -> None:
        self.server = get_server(f"small workstation {next(_numbers)}", client_type="vue3")
        self.told: list[str] = []
        with DivLayout(self.server):
            html.Div("a patient's page")

    def onStart(self, routes: Routes) -> None:
        self.told.append("start")
        self.routes = routes

    def onStop(self) -> None:
        self.told.append("stop")


class Workstation:
    """A server that runs, with a client that has its cookie, and one that has nothing."""

    def __init__(self, application: SmallApplication, serving: Serving, address: str, client: aiohttp.ClientSession, stranger: aiohttp.ClientSession):
        self.application, self.serving, self.address = application, serving, address
        self.client, self.stranger = client, stranger
        self.url = URL(address).with_query(None)
        self.origin = str(self.url.origin())

    @property
    def routes(self) -> Routes:
        return self.application.routes

    async def post(self, path: str, **options: Any) -> aiohttp.ClientResponse:
        """A POST from the server's own page."""
        return await self.client.post(self.url / path.lstrip("/"), headers={"Origin": self.origin}, **options)

    async def open_page(self) -> aiohttp.ClientWebSocketResponse:
        """The web socket of an open page."""
        return await self.client.ws_connect(self.url / "ws", headers={"Origin": self.origin})

    async def is_open(self) -> bool:
        return (await (await self.client.get(self.url / "web" / "status")).json())["open"]

    async def until_closed(self) -> None:
        while await self.is_open():
            pass


@asynccontextmanager
async def running(**options: Any) -> AsyncIterator[Workstation]:
    """A workstation on a free port of this computer, stopped at the end."""
    application = SmallApplication()
    serving = Serving(application, **options)
    address = await serving.start()
    # The jar keeps cookies for addresses in numbers only when told to.
    jars = [aiohttp.CookieJar(unsafe=True) for _ in range(2)]
    async with aiohttp.ClientSession(cookie_jar=jars[0]) as client, aiohttp.ClientSession(cookie_jar=jars[1]) as stranger:
        await client.get(address)
        try:
            yield Workstation(application, serving, address, client, stranger)
        finally:
            await serving.stop()


def with_workstation(check: Callable[[Workstation], Awaitable[None]], **options: Any) -> None:
    """Runs a check against a workstation of its own."""

    async def run() -> None:
        async with running(**options) as workstation:
            await check(workstation)

    asyncio.run(run())
