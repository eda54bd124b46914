"""Files that the application gives out, each under an address nobody can guess; a path never comes from the browser."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from aiohttp import web
from aiohttp.abc import AbstractStreamWriter
from aiohttp.web import BaseRequest

DOWNLOADS_PATH = "/files"

#: A page of ours that is shown in a tab: words and pictures, no script, nothing from anywhere.
_PAGE_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"


@dataclass(frozen=True)
class Offer:
    """A file to give out under a name; is_page: shown in the browser as HTML instead of saved."""

    path: Path
    name: str
    is_page: bool = False


class _SentOnce(web.FileResponse):
    """aiohttp prepares what a handler returns once more; by then the file is gone."""

    async def prepare(self, request: BaseRequest) -> AbstractStreamWriter | None:
        return await (web.StreamResponse.prepare(self, request) if self.prepared else super().prepare(request))


class Downloads:
    """What is offered now. An offer owns its file: the file is removed with it."""

    def __init__(self) -> None:
        self._offers: dict[str, Offer] = {}

    def add_routes(self, app: web.Application) -> None:
        app.router.add_get(f"{DOWNLOADS_PATH}/{{key}}", self._send, allow_head=False)

    def offer_file(self, path: Path, name: str) -> str:
        """The address under which the file is saved as `name`, once."""
        return self._offer(Offer(path, name))

    def offer_page(self, path: Path, name: str) -> str:
        """The address under which an HTML file is shown, until it is forgotten: a tab may be loaded again."""
        return self._offer(Offer(path, name, is_page=True))

    def forget(self, address: str) -> None:
        """Ends an offer; one that has ended already is no error."""
        offer = self._offers.pop(address.rpartition("/")[2], None)
        if offer is not None:
            offer.path.unlink(missing_ok=True)

    def _offer(self, offer: Offer) -> str:
        key = secrets.token_urlsafe(32)
        self._offers[key] = offer
        return f"{DOWNLOADS_PATH}/{key}"

    async def _send(self, request: web.Request) -> web.StreamResponse:
        key = request.match_info["key"]
        offer = self._offers.get(key)
        if offer is None or not offer.path.is_file():
            raise web.HTTPNotFound(text="This file was fetched already, or is no longer there: export it again in SpiderSeg.")
        response = _SentOnce(offer.path, headers=_headers(offer))
        if not offer.is_page:
            # Taken before it is sent, so that it is sent once; given back when the browser breaks off.
            del self._offers[key]
            try:
                await response.prepare(request)
                await response.write_eof()
            except BaseException:
                self._offers[key] = offer
                raise
            offer.path.unlink(missing_ok=True)
        return response


def _headers(offer: Offer) -> dict[str, str]:
    disposition = "inline" if offer.is_page else "attachment"
    headers = {
        "Content-Disposition": f"{disposition}; {_file_name(offer.name)}",
        "Content-Type": "text/html; charset=utf-8" if offer.is_page else "application/octet-stream",
    }
    return {**headers, "Content-Security-Policy": _PAGE_POLICY} if offer.is_page else headers


def _file_name(name: str) -> str:
    """The two ways RFC 6266 asks for: for old programs in ASCII, for all others with every character."""
    clean = "".join(character if character.isprintable() and character not in '/\\:"' else "_" for character in name) or "file"
    plain = "".join(character if character.isascii() else "_" for character in clean)
    return f"filename=\"{plain}\"; filename*=UTF-8''{quote(clean, safe='')}"
