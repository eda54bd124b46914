"""HTTP with the standard library: http and https alone, and every failure as a DownloadError that names the address."""

from __future__ import annotations

import http.client
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from SpiderSegLib import __version__
from SpiderSegLib.errors import DownloadError

SCHEMES = ("http", "https")

#: A server that is silent for so long is taken for gone; the next call goes on where this one stopped.
TIMEOUT_S = 60.0

TOO_MANY_REQUESTS = 429

#: What reading from a connection raises when it breaks.
CONNECTION_FAILURES = (OSError, http.client.HTTPException)


def check_scheme(url: str) -> None:
    """Raises DownloadError for an address that is not http or https, file:// above all."""
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise DownloadError(f"{url}: not an address: {error}") from error
    if parts.scheme not in SCHEMES or not parts.netloc:
        raise DownloadError(f"{url}: expected an address that starts with https:// or http://")


def open_url(url: str, headers: Mapping[str, str] | None = None) -> http.client.HTTPResponse:
    """The server's answer to a GET, to be closed by the caller. Raises DownloadError.

    Redirects are followed, to http and https alone.
    """
    check_scheme(url)
    # Encoded content would have another length than the record says.
    request = urllib.request.Request(url, headers={"User-Agent": f"SpiderSeg/{__version__}", "Accept-Encoding": "identity", **(headers or {})})
    try:
        answer: Any = _opener().open(request, timeout=TIMEOUT_S)
    except urllib.error.HTTPError as error:
        error.close()
        raise DownloadError(_described(url, error), error.code) from error
    except urllib.error.URLError as error:
        raise DownloadError(f"{url}: the server can't be reached ({error.reason}); check the network connection and the address") from error
    except (*CONNECTION_FAILURES, ValueError) as error:
        raise DownloadError(f"{url}: the server can't be reached ({error}); check the network connection and the address") from error
    return answer


def _opener() -> urllib.request.OpenerDirector:
    """Without urllib's handlers for file, ftp and data addresses, so that no redirect leads there either."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(),
        urllib.request.UnknownHandler(),
        urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPRedirectHandler(),
        urllib.request.HTTPErrorProcessor(),
    ):
        opener.add_handler(handler)
    return opener


def _described(url: str, error: urllib.error.HTTPError) -> str:
    if error.code == TOO_MANY_REQUESTS:
        wait = error.headers.get("Retry-After", "")
        return f"{url}: the server asks to wait{f' {wait} s' if wait.isdigit() else ''} (429 too many requests); run the same command again later"
    return f"{url}: the server answered {error.code} {error.reason}"
