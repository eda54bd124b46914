"""Who may ask the server anything: the browser that was given the token, from the server's own page, under the server's own name.

A token in the address is exchanged for a cookie at once, so that it stays in no history; every other request needs the cookie.
Cookies are shared between the ports of a host, so their name holds the port. The Host header is checked against DNS rebinding,
Origin and Sec-Fetch-Site against pages of others.
"""

from __future__ import annotations

import hmac
import ipaddress
import secrets
import socket

from aiohttp import web
from aiohttp.typedefs import Handler

from SpiderSegLib.workstation.web.pages import error_response, opening_page, page_response, refused_page

TOKEN_PARAMETER = "token"

SOCKET_PATH = "/ws"

LOCAL_HOST = "127.0.0.1"

#: Names of this computer for itself; a page bound to one of them is reached under all.
LOCAL_NAMES = (LOCAL_HOST, "localhost", "[::1]")

#: Hosts that mean every address of the computer.
EVERY_ADDRESS = ("0.0.0.0", "::")

_REFUSED = "SpiderSeg opens only with its whole address: use the one that spiderseg workstation printed in the terminal."
_FOREIGN = "This was asked for by a page that is not SpiderSeg's own: use the address that spiderseg workstation printed in the terminal."

#: Vue compiles its templates in the browser (unsafe-eval) and sets style attributes; the picture stream is decoded in a worker made from a blob.
_CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self' 'unsafe-eval'",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data: blob:",
        "font-src 'self' data:",
        "media-src 'self' blob:",
        "worker-src 'self' blob:",
        "connect-src 'self' {own_socket}",
        "base-uri 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    )
)

_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class Access:
    """Tokens, cookie and checks of one server that listens on `host`."""

    def __init__(self, host: str) -> None:
        self.token = secrets.token_urlsafe(32)
        self._cookie = secrets.token_urlsafe(32)
        self._passes: set[str] = set()
        self._host = host

    def protect(self, app: web.Application) -> None:
        """Refuses before any other handler of the application is asked, and adds the headers to every response."""
        app.middlewares.insert(0, self._check)
        app.on_response_prepare.append(self._add_headers)

    def make_pass(self) -> str:
        """A token that opens the page once: a browser's command line can be read by every user of the computer."""
        self._passes.add(one_time := secrets.token_urlsafe(32))
        return one_time

    @web.middleware
    async def _check(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        if not self._is_own_name(request):
            return _refusal(request, _REFUSED)
        if request.path == "/" and request.method == "GET" and TOKEN_PARAMETER in request.query:
            return self._exchange(request)
        if not _is_same(request.cookies.get(_cookie_name(request), ""), self._cookie):
            return _refusal(request, _REFUSED)
        if not _is_own_page(request):
            return _refusal(request, _FOREIGN)
        return await handler(request)

    def _exchange(self, request: web.Request) -> web.Response:
        given = request.query.getone(TOKEN_PARAMETER)
        used = next((one_time for one_time in self._passes if _is_same(given, one_time)), None)
        if used is None and not _is_same(given, self.token):
            return _refusal(request, _REFUSED)
        self._passes.discard(used or "")
        # A page that goes on by itself instead of a redirect: a browser counts a redirect as asked for by the program or page that
        # followed the link, and then keeps a strict cookie back.
        response = page_response(opening_page())
        response.set_cookie(_cookie_name(request), self._cookie, httponly=True, samesite="Strict", path="/")
        return response

    def _is_own_name(self, request: web.Request) -> bool:
        name, port = _split(request.headers.get("Host", ""))
        if self._host in EVERY_ADDRESS:
            # A name that an outside DNS server answers for is what rebinding needs; behind a container the port may be another.
            return name in LOCAL_NAMES or _is_address(name) or name == socket.gethostname().lower()
        names = LOCAL_NAMES if self._host in LOCAL_NAMES or self._host == "::1" else (_bracketed(self._host.lower()),)
        return name in names and port == _port_of(request)

    async def _add_headers(self, request: web.Request, response: web.StreamResponse) -> None:
        if isinstance(response, web.WebSocketResponse):
            return
        # Not every browser takes 'self' for the web socket too.
        own_socket = f"ws://{request.headers['Host']}" if self._is_own_name(request) else ""
        response.headers.setdefault("Content-Security-Policy", _CONTENT_SECURITY_POLICY.format(own_socket=own_socket))
        for name, value in _HEADERS.items():
            response.headers.setdefault(name, value)
        is_asset = isinstance(request.match_info.route.resource, web.StaticResource) and response.status < 400
        response.headers["Cache-Control"] = "private, no-cache" if is_asset else "no-store"


def _is_own_page(request: web.Request) -> bool:
    """Whether a request comes from the server's own page, or is a person's own way to a page (address line, link, bookmark)."""
    if request.path == SOCKET_PATH or request.method not in ("GET", "HEAD"):
        return request.headers.get("Origin", "") == f"http://{request.headers['Host']}"
    if request.headers.get("Sec-Fetch-Site", "none") in ("same-origin", "none"):
        return True
    return request.path == "/" and request.headers.get("Sec-Fetch-Mode") == "navigate" and request.headers.get("Sec-Fetch-Dest") == "document"


def _refusal(request: web.Request, words: str) -> web.Response:
    if request.method in ("GET", "HEAD") and request.path != SOCKET_PATH:
        return page_response(refused_page(words), 403)
    return error_response(403, words)


def _cookie_name(request: web.Request) -> str:
    return f"spiderseg_{_port_of(request)}"


def _port_of(request: web.Request) -> int:
    """The port the server listens on, whatever the request says."""
    name = request.transport.get_extra_info("sockname") if request.transport is not None else None
    return int(name[1]) if name else 0


def _split(host: str) -> tuple[str, int]:
    """Name in lower case and port of a Host header; port 80 where there is none, ('', 0) where it is none."""
    name, colon, port = host.lower().rpartition(":")
    if not colon or host.endswith("]"):
        return host.lower(), 80
    return (name, int(port)) if port.isascii() and port.isdigit() and len(port) <= 5 else ("", 0)


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name.removeprefix("[").removesuffix("]"))
    except ValueError:
        return False
    return True


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _is_same(given: str, expected: str) -> bool:
    # Bytes, because text outside ASCII can't be compared so.
    return hmac.compare_digest(given.encode("utf-8", "surrogatepass"), expected.encode())
