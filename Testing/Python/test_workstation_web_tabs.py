"""One page at a time: reloads, a second tab, and taking over, over the real server and real web sockets."""

from __future__ import annotations

import pytest

pytest.importorskip("trame")

import asyncio

import aiohttp
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from small_workstation import with_workstation
from SpiderSegLib.errors import SpiderSegError
from SpiderSegLib.workstation.web.access import SOCKET_PATH
from SpiderSegLib.workstation.web.pages import application_page
from SpiderSegLib.workstation.web.tabs import Tabs


def test_while_a_page_is_open_another_tab_is_told_so():
    async def check(workstation):
        async with await workstation.open_page():
            text = await (await workstation.client.get(workstation.url)).text()
            assert "SpiderSeg is already open in another tab or window" in text
            assert "Continue here" in text
            assert "vue.global.js" not in text
            with pytest.raises(aiohttp.WSServerHandshakeError, match="409"):
                await workstation.open_page()
            assert await workstation.is_open()

    with_workstation(check)


def test_a_closed_page_makes_room_for_the_next():
    async def check(workstation):
        assert not await workstation.is_open()
        socket = await workstation.open_page()
        assert await workstation.is_open()
        await socket.close()
        await workstation.until_closed()
        assert "vue.global.js" in await (await workstation.client.get(workstation.url)).text()
        async with await workstation.open_page():
            pass

    with_workstation(check)


def test_a_reload_waits_for_the_socket_of_the_page_before():
    async def check(workstation):
        socket = await workstation.open_page()
        page, _closed = await asyncio.gather(workstation.client.get(workstation.url), socket.close())
        assert "vue.global.js" in await page.text()

    with_workstation(check)


def test_continuing_in_another_tab_closes_the_first_one_with_a_reason():
    async def check(workstation):
        first = await workstation.open_page()
        taken = asyncio.create_task(workstation.post("web/continue"))
        message = await first.receive()
        assert (message.type, message.data, message.extra) == (aiohttp.WSMsgType.CLOSE, 4001, "opened elsewhere")
        assert await (await taken).json() == {"open": False}
        async with await workstation.open_page():
            assert await workstation.is_open()

    with_workstation(check)


def test_a_browser_that_is_asleep_is_cut_off_when_another_tab_continues():
    async def check(workstation):
        reader, writer = await asyncio.open_connection("127.0.0.1", workstation.url.port)
        (cookie,) = workstation.client.cookie_jar
        lines = [
            "GET /ws HTTP/1.1",
            f"Host: 127.0.0.1:{workstation.url.port}",
            f"Origin: {workstation.origin}",
            f"Cookie: {cookie.key}={cookie.value}",
            "Upgrade: websocket",
            "Connection: Upgrade",
            "Sec-WebSocket-Version: 13",
            "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
        ]
        writer.write("\r\n".join([*lines, "", ""]).encode())
        assert (await reader.readline()).startswith(b"HTTP/1.1 101")
        # Nothing answers the closing handshake.
        assert await (await workstation.post("web/continue")).json() == {"open": False}
        async with await workstation.open_page():
            pass
        writer.close()

    with_workstation(check)


def test_continuing_where_nothing_is_open_is_no_error():
    async def check(workstation):
        assert await (await workstation.post("web/continue")).json() == {"open": False}

    with_workstation(check)


@pytest.mark.parametrize("address", ["?sessionURL=ws://evil.example/ws", "?ui=other", "index.html", "index.html?reconnect=auto"])
def test_nothing_in_the_address_reaches_trame_s_client(address):
    async def check(workstation):
        answer = await workstation.client.get(f"{workstation.origin}/{address}", allow_redirects=False)
        assert (answer.status, answer.headers["Location"]) == (302, "/")

    with_workstation(check)


def test_trame_s_client_is_told_the_server_s_own_socket():
    async def check(workstation):
        answer = await workstation.post("web/session", data=b"{}")
        assert await answer.json() == {"sessionURL": f"ws://127.0.0.1:{workstation.url.port}/ws"}

    with_workstation(check)


def test_the_page_loads_what_trame_s_own_page_loads_after_the_watch_over_the_connection():
    trame = (
        '<script src="a.js"></script><script type="module" crossorigin src="./b.js"></script><link rel="stylesheet" href="c.css"><script>x()</script>'
    )
    page = application_page(trame, "Title & more")
    assert "<title>Title &amp; more</title>" in page
    tags = ['<script src="/web/connection.js">', '<script src="a.js">', '<script type="module" src="./b.js">', '<link rel="stylesheet" href="c.css">']
    places = [page.index(tag) for tag in tags]
    assert places == sorted(places)
    assert "x()" not in page


def test_a_client_of_trame_without_scripts_is_said():
    with pytest.raises(SpiderSegError, match="install"):
        application_page("<p>empty</p>", "")


def test_what_is_sent_to_a_page_while_it_is_left_is_no_fault():
    answers = []

    async def leave(request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        request.transport.close()
        answers.append(await socket.send_bytes(b"a picture"))
        return socket

    async def check():
        app = web.Application()
        Tabs(lambda: "").add_routes(app)
        app.router.add_get(SOCKET_PATH, leave)
        async with TestClient(TestServer(app)) as client, client.ws_connect(SOCKET_PATH) as socket:
            assert (await socket.receive()).type is aiohttp.WSMsgType.CLOSED
        assert answers == [None]

    asyncio.run(check())
