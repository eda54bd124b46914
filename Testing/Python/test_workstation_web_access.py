"""Who may ask the workstation's server: the real server on this computer, asked with and without token, cookie and the right headers."""

from __future__ import annotations

import pytest

pytest.importorskip("trame")

import asyncio
import re

import aiohttp

from small_workstation import running, with_workstation

EVERYTHING = ["/", "/index.html", "/vue.global.js", "/web/pages.css", "/web/connection.js", "/web/status", "/files/x", "/nothing"]


@pytest.mark.parametrize("path", EVERYTHING)
def test_without_the_cookie_everything_is_refused_in_words(path):
    async def check(workstation):
        answer = await workstation.stranger.get(workstation.url / path.lstrip("/"), allow_redirects=False)
        assert answer.status == 403
        text = await answer.text()
        assert "spiderseg workstation printed in the terminal" in text
        assert "patient" not in text

    with_workstation(check)


def test_the_web_socket_and_uploads_are_refused_without_the_cookie():
    async def check(workstation):
        headers = {"Origin": workstation.origin}
        with pytest.raises(aiohttp.WSServerHandshakeError, match="403"):
            await workstation.stranger.ws_connect(workstation.url / "ws", headers=headers)
        for path in ("upload", "continue", "session"):
            answer = await workstation.stranger.post(workstation.url / "web" / path, headers=headers)
            assert (answer.status, list(await answer.json())) == (403, ["error"])

    with_workstation(check)


@pytest.mark.parametrize("token", ["", "wrong", "wrong\u00e9", "%00"])
def test_a_wrong_token_is_refused_and_gives_no_cookie(token):
    async def check(workstation):
        answer = await workstation.stranger.get(workstation.url.with_query(token=token))
        assert answer.status == 403
        assert "Set-Cookie" not in answer.headers

    with_workstation(check)


def test_the_token_opens_the_page_and_stays_in_no_address():
    async def check(workstation):
        answer = await workstation.stranger.get(workstation.address)
        assert answer.status == 200
        assert '<meta http-equiv="refresh" content="0; url=/">' in await answer.text()
        cookie = answer.headers["Set-Cookie"]
        assert cookie.startswith(f"spiderseg_{workstation.url.port}=")
        assert {"HttpOnly", "SameSite=Strict", "Path=/"} <= set(cookie.split("; "))
        assert workstation.address.partition("token=")[2] not in cookie
        page = await workstation.stranger.get(workstation.url)
        assert page.status == 200
        assert "connection.js" in await page.text()

    with_workstation(check)


def test_the_token_opens_nothing_but_the_page():
    async def check(workstation):
        token = workstation.address.partition("=")[2]
        for path in ("index.html", "web/status", "vue.global.js"):
            assert (await workstation.stranger.get((workstation.url / path).with_query(token=token))).status == 403

    with_workstation(check)


def test_two_starts_have_two_tokens():
    async def addresses():
        found = []
        for _ in range(2):
            async with running() as workstation:
                found.append(workstation.address.partition("token=")[2])
        return found

    first, second = asyncio.run(addresses())
    assert first != second
    assert len(first) >= 43


def test_the_token_that_a_browser_is_started_with_works_once():
    async def check(workstation):
        one_time = workstation.serving.access.make_pass()
        statuses = [(await workstation.stranger.get(workstation.url.with_query(token=one_time))).status for _ in range(2)]
        assert statuses == [200, 403]

    with_workstation(check)


def test_the_cookie_of_a_server_on_another_port_is_worth_nothing():
    async def run():
        async with running() as other, running() as workstation:
            (cookie,) = [cookie for cookie in other.client.cookie_jar if cookie.key == f"spiderseg_{other.url.port}"]
            for name in (cookie.key, f"spiderseg_{workstation.url.port}"):
                answer = await workstation.stranger.get(workstation.url, headers={"Cookie": f"{name}={cookie.value}"})
                assert answer.status == 403

    asyncio.run(run())


@pytest.mark.parametrize(
    "host", ["evil.example:{port}", "127.0.0.1.evil.example:{port}", "127.0.0.1:1", "127.0.0.1", "localhost", "", ":{port}", "[::1"]
)
def test_a_foreign_host_name_is_refused_even_with_the_cookie(host):
    async def check(workstation):
        answer = await workstation.client.get(workstation.url, headers={"Host": host.format(port=workstation.url.port)}, allow_redirects=False)
        assert answer.status in (400, 403)
        answer = await workstation.client.get(workstation.address, headers={"Host": host.format(port=workstation.url.port)})
        assert answer.status in (400, 403)

    with_workstation(check)


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost", "LOCALHOST", "[::1]"])
def test_the_computer_s_own_names_are_taken(name):
    async def check(workstation):
        answer = await workstation.client.get(workstation.url, headers={"Host": f"{name}:{workstation.url.port}"})
        assert answer.status == 200

    with_workstation(check)


@pytest.mark.parametrize(("name", "status"), [("192.168.7.7", 200), ("localhost", 200), ("[fe80::1]", 200), ("evil.example", 403)])
def test_served_on_every_address_only_names_that_no_outside_server_answers_for_are_taken(name, status):
    async def check(workstation):
        assert (await workstation.client.get(workstation.url, headers={"Host": f"{name}:9000"})).status == status

    with_workstation(check, host="0.0.0.0")


ORIGINS = ["http://evil.example", "null", "http://127.0.0.1:1", "https://127.0.0.1:{port}", "http://localhost:{port}", None]


@pytest.mark.parametrize("origin", ORIGINS)
def test_the_web_socket_and_uploads_are_refused_to_pages_of_others(origin):
    async def check(workstation):
        headers = {} if origin is None else {"Origin": origin.format(port=workstation.url.port)}
        with pytest.raises(aiohttp.WSServerHandshakeError, match="403"):
            await workstation.client.ws_connect(workstation.url / "ws", headers=headers)
        for path in ("upload", "continue"):
            assert (await workstation.client.post(workstation.url / "web" / path, headers=headers)).status == 403

    with_workstation(check)


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("", {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}, 200),  # a link to the page
        ("", {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe"}, 403),
        ("web/status", {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "script"}, 403),  # a page on another port
        ("web/status", {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}, 403),
        ("web/status", {"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty"}, 200),
        ("web/status", {"Sec-Fetch-Site": "none"}, 200),
    ],
)
def test_what_pages_of_others_ask_for_with_the_person_s_cookie_is_refused(path, headers, status):
    async def check(workstation):
        assert (await workstation.client.get(workstation.url / path, headers=headers)).status == status

    with_workstation(check)


@pytest.mark.parametrize("path", ["", "vue.global.js", "web/connection.js", "web/status", "nothing", "files/x"])
def test_every_answer_forbids_outside_hosts_frames_and_guesses(path):
    async def check(workstation):
        headers = (await workstation.client.get(workstation.url / path)).headers
        policy = headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'none'; ")
        assert "frame-ancestors 'none'" in policy
        # Own files, inline styles and what is made in the page; the one address is the server's own socket.
        sources = set(re.findall(r"\S+://\S+|https?:|\*", policy))
        assert sources == {f"ws://127.0.0.1:{workstation.url.port};"}
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["X-Frame-Options"] == "DENY"
        assert headers["Referrer-Policy"] == "no-referrer"
        assert headers["Cache-Control"] == ("private, no-cache" if path.endswith(".js") else "no-store")

    with_workstation(check)


def test_a_refusal_does_not_repeat_a_foreign_host_name():
    async def check(workstation):
        answer = await workstation.stranger.get(workstation.url, headers={"Host": "evil.example"})
        assert "evil" not in await answer.text() + str(answer.headers)

    with_workstation(check)
