"""The pages around the application's own: the one that loads it, and the small ones that say in words why it isn't shown."""

from __future__ import annotations

import html
import json
from html.parser import HTMLParser
from pathlib import Path

from aiohttp import web

from SpiderSegLib.errors import SpiderSegError
from SpiderSegLib.paths import RESOURCES, data_path

#: Where the files of these pages are served.
PAGES_PATH = "/web"

#: Where trame's client asks for the address of its web socket.
SESSION_PATH = f"{PAGES_PATH}/session"

_FOLDER = (RESOURCES, "Workstation", "web")


def pages_folder() -> Path:
    """Style and scripts of these pages."""
    return data_path(*_FOLDER)


def application_page(trame_page: str, title: str) -> str:
    """The page that loads the application: trame's scripts and styles after the script that watches the connection.

    `trame_page` is the index page of trame's client. Raises SpiderSegError when it names no scripts: another trame than expected.
    """
    assets = _Assets()
    assets.feed(trame_page)
    if not any("script" in tag for tag in assets.tags):
        raise SpiderSegError("trame's client has no index page with scripts; install spiderseg[workstation] again")
    head = "\n    ".join([f'<script src="{PAGES_PATH}/connection.js"></script>', *assets.tags])
    return _page(title, '<div id="app"><main class="notice" role="status"><p class="quiet">Loading SpiderSeg ..</p></main></div>', head)


def refused_page(words: str) -> str:
    return _notice("Not opened", words)


def opening_page() -> str:
    """Goes on to the application, and takes the place of the address with the token in the browser's history."""
    return _page("SpiderSeg", "", '<meta http-equiv="refresh" content="0; url=/">')


def busy_page() -> str:
    words = "This page goes on by itself as soon as that one is closed. Or continue here: the other one is then closed, and no work is lost."
    button = '<button id="continue" type="button">Continue here</button><p id="news" role="status"></p>'
    return _notice("SpiderSeg is already open in another tab or window", words, button, f'<script src="{PAGES_PATH}/busy.js" defer></script>')


def page_response(text: str, status: int = 200) -> web.Response:
    return web.Response(text=text, status=status, content_type="text/html")


def error_response(status: int, words: str) -> web.Response:
    """What scripts of the page show: {"error": words}."""
    return web.Response(text=json.dumps({"error": words}), status=status, content_type="application/json")


def _notice(title: str, words: str, controls: str = "", head: str = "") -> str:
    body = f'<main class="notice"><h1>{html.escape(title)}</h1><p>{html.escape(words)}</p>{controls}</main>'
    return _page(f"{title} - SpiderSeg", body, head)


def _page(title: str, body: str, head: str = "") -> str:
    return f"""<!doctype html>
<html lang="en" data-session-manager-url="{SESSION_PATH}">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <meta name="color-scheme" content="dark">
    <title>{html.escape(title)}</title>
    <link rel="icon" href="data:,">
    <style>{_style()}</style>
    {head}
  </head>
  <body>{body}</body>
</html>
"""


def _style() -> str:
    # In the page itself: who is refused gets no other file.
    return (pages_folder() / "pages.css").read_text(encoding="utf-8")


class _Assets(HTMLParser):
    """The scripts and style sheets that a page loads from files, as tags, in their order."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = dict(attrs)
        if tag == "script" and attributes.get("src"):
            kind = ' type="module"' if attributes.get("type") == "module" else ""
            self.tags.append(f'<script{kind} src="{html.escape(attributes["src"] or "")}"></script>')
        if tag == "link" and attributes.get("rel") == "stylesheet" and attributes.get("href"):
            self.tags.append(f'<link rel="stylesheet" href="{html.escape(attributes["href"] or "")}">')
