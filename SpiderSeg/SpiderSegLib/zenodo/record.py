"""What a Zenodo record says of itself and its files.

The JSON of https://zenodo.org/api/records/ID: {"doi", "metadata": {"title", "license": {"id"}, "creators": [{"name"}],
"publication_date"}, "files": [{"key", "size", "checksum": "md5:..", "links": {"self"}}]}.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any
from urllib.parse import urljoin

from SpiderSegLib.errors import DownloadError
from SpiderSegLib.zenodo.connection import CONNECTION_FAILURES, check_scheme, open_url

#: The public SPIDER data set.
SPIDER_RECORD_URL = "https://zenodo.org/api/records/10159290"

#: A record is some kilobytes; an endless answer shall not fill the memory.
LARGEST_RECORD_BYTES = 16 * 1024 * 1024

#: More authors than these make no readable line.
MOST_CITED_CREATORS = 6

CHECKSUM = re.compile(r"(?:(?P<algorithm>[a-z0-9]+):)?(?P<digest>[0-9a-f]{32,128})", re.IGNORECASE)
ALGORITHMS = ("md5", "sha1", "sha256", "sha512")


@dataclass(frozen=True)
class RecordFile:
    """One file of a record: a plain name, its size in bytes, the checksum's algorithm and hex digest, and its address."""

    name: str
    size: int
    algorithm: str
    digest: str
    url: str

    @property
    def checksum(self) -> str:
        return f"{self.algorithm}:{self.digest}"


@dataclass(frozen=True)
class Record:
    """A record: what to cite, under which licence it stands, and its files."""

    url: str
    title: str
    licence: str
    doi: str
    creators: tuple[str, ...]
    year: str
    files: tuple[RecordFile, ...]

    @property
    def citation(self) -> str:
        names = "; ".join(self.creators[:MOST_CITED_CREATORS]) + (" et al." if len(self.creators) > MOST_CITED_CREATORS else "")
        parts = (names, f"({self.year})" if self.year else "", f"{self.title}.", f"https://doi.org/{self.doi}" if self.doi else "")
        return " ".join(part for part in parts if part)


def read_record(url: str = SPIDER_RECORD_URL) -> Record:
    """Reads a record from its server.

    Raises DownloadError when the server can't be reached, the answer is not a record with files, or a file name or address in it
    can't be trusted.
    """
    with open_url(url, {"Accept": "application/json"}) as answer:
        try:
            content = answer.read(LARGEST_RECORD_BYTES)
        except CONNECTION_FAILURES as error:
            raise DownloadError(f"{url}: the connection was cut while the record was read ({error}); run the same command again") from error
    try:
        return parse_record(json.loads(content), url)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DownloadError(
            f"{url}: expected a Zenodo record (JSON with files of key, size, checksum, links), found something else: {error}"
        ) from error


def parse_record(content: Any, url: str) -> Record:
    """The record in a decoded JSON; `url` is where it came from, for relative links.

    Raises DownloadError for untrusted names and addresses, KeyError, TypeError, ValueError or AttributeError where the JSON has
    another shape.
    """
    metadata = content["metadata"]
    files = tuple(_file(entry, url) for entry in content["files"])
    names = [file.name.lower() for file in files]
    if not files or len(set(names)) < len(names):
        raise ValueError("no files, or two of one name")
    return Record(
        url=url,
        title=_one_line(metadata["title"]),
        licence=_licence(metadata.get("license")),
        doi=_one_line(content.get("doi") or metadata.get("doi") or ""),
        creators=tuple(_one_line(creator["name"]) for creator in metadata.get("creators", [])),
        year=str(metadata.get("publication_date", ""))[:4],
        files=files,
    )


def _file(entry: Any, record_url: str) -> RecordFile:
    name, size = str(entry["key"]), int(entry["size"])
    if not is_plain_name(name):
        raise DownloadError(f"{record_url}: expected plain file names, found {name!r}, which could leave the folder; nothing was downloaded")
    if size < 0:
        raise ValueError(f"size {size} of {name}")
    found = CHECKSUM.fullmatch(str(entry["checksum"]))
    # For some time in 2023 Zenodo left the algorithm out.
    algorithm = (found.group("algorithm") or "md5").lower() if found else ""
    if found is None or algorithm not in ALGORITHMS or len(found.group("digest")) != 2 * hashlib.new(algorithm, usedforsecurity=False).digest_size:
        raise ValueError(f"checksum {entry['checksum']!r} of {name}")
    address = urljoin(record_url, str(entry["links"]["self"]))
    check_scheme(address)
    return RecordFile(name, size, algorithm, found.group("digest").lower(), address)


def is_plain_name(name: str) -> bool:
    """Whether a name stays in the folder it is put in, on every platform: no separators, drives, control characters, leading dot."""
    is_one_part = PurePosixPath(name).name == name and PureWindowsPath(name).name == name
    return bool(name) and is_one_part and not name.startswith(".") and name.isprintable() and not set(name) & set('<>:"|?*')


def _licence(entry: Any) -> str:
    if isinstance(entry, dict):
        entry = entry.get("title") or entry.get("id")
    return _one_line(entry or "not stated")


def _one_line(text: Any) -> str:
    """Printable text on one line: a record shall not write to the terminal but words."""
    return "".join(letter if letter.isprintable() else " " for letter in " ".join(str(text).split()))
