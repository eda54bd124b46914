"""Debian's Chromium, driven by playwright; playwright's own browsers are never downloaded."""

from __future__ import annotations

import importlib.util
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Browser

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")

#: The sandbox needs rights that containers lack and refuses to start for root. No name is ever looked up: what asks for another host fails.
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
)

#: As long as a page may take on a busy machine of two cores; what happens sooner is not waited for.
PATIENCE_MS = 30_000


def program() -> str | None:
    """Path of the browser, or None."""
    return next(filter(None, map(shutil.which, PROGRAMS)), None)


def missing() -> str:
    """Why no browser can be driven here; '' if one can."""
    # Looked for by their distributions' top folders: importing them takes seconds.
    for module, package in (("slicer", "slicer-core"), ("trame_slicer", "trame-slicer"), ("playwright", "playwright")):
        if importlib.util.find_spec(module) is None:
            return f"{package} is not installed"
    return "" if program() else "there is no chromium (on Debian: apt install chromium)"


@contextmanager
def started_browser() -> Iterator[Browser]:
    """The browser without a window, until the block ends. Meanwhile no asyncio loop can be run in this thread: playwright's own one is."""
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program(), args=list(FLAGS))
        yield browser
        browser.close()
