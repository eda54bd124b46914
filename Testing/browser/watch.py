"""What went wrong in a page where a person would not see it: the console, failed requests, and requests to another host."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, ConsoleMessage, Page, Request, Response

LOCAL_HOST = "127.0.0.1"
LOCAL_SCHEMES = ("data", "blob", "about")

#: A request that the browser gave up because the page was left.
GIVEN_UP = "net::ERR_ABORTED"


class Watch:
    """Collects what goes wrong in all pages of a browser's context."""

    def __init__(self, context: BrowserContext) -> None:
        self._found: list[str] = []
        self._expected: list[re.Pattern[str]] = []
        context.on("console", self._console)
        context.on("weberror", lambda error: self._found.append(f"uncaught: {error.error}"))
        context.on("request", self._request)
        context.on("requestfailed", self._failed)
        context.on("response", self._response)
        context.on("page", self._page)

    def expects(self, pattern: str) -> None:
        """What matches is no fault."""
        self._expected.append(re.compile(pattern))

    def faults(self) -> list[str]:
        """What went wrong so far, in order."""
        return [text for text in self._found if not any(pattern.search(text) for pattern in self._expected)]

    def _page(self, page: Page) -> None:
        page.on("websocket", lambda socket: self._address(socket.url))
        page.on("crash", lambda page: self._found.append(f"the page crashed: {page.url}"))

    def _console(self, message: ConsoleMessage) -> None:
        # Chromium's own line about a refused request, which comes by itself with its address.
        if message.type in ("error", "warning") and not message.text.startswith("Failed to load resource"):
            self._found.append(f"console {message.type}: {message.text}")

    def _request(self, request: Request) -> None:
        self._address(request.url)

    def _address(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in LOCAL_SCHEMES and parts.hostname != LOCAL_HOST:
            self._found.append(f"asked another host: {url}")

    def _failed(self, request: Request) -> None:
        if request.failure != GIVEN_UP:
            self._found.append(f"request failed: {request.url}: {request.failure}")

    def _response(self, response: Response) -> None:
        if response.status >= 400:
            self._found.append(f"answered {response.status}: {response.url}")
