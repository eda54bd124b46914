"""One file, resumably: NAME.part grows, NAME.part.json says what it is a part of, NAME appears when its checksum is right."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import json
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from SpiderSegLib.errors import DownloadError, OutputError
from SpiderSegLib.io import write_text_atomically
from SpiderSegLib.zenodo.connection import CONNECTION_FAILURES, open_url
from SpiderSegLib.zenodo.record import RecordFile

#: Told what is under way, how many bytes are done, and of how many.
Watch = Callable[[str, int, int], None]

CHUNK_BYTES = 1024 * 1024

RANGE_NOT_SATISFIABLE, PARTIAL_CONTENT = 416, 206

_CONTENT_RANGE = re.compile(r"bytes (?P<first>\d+)-\d+/(?P<total>\d+|\*)")


@dataclass(frozen=True)
class PartFile:
    """The unfinished file beside its place, and the note that says what it belongs to."""

    path: Path
    note: Path

    @classmethod
    def of(cls, target: Path) -> PartFile:
        return cls(target.with_name(f"{target.name}.part"), target.with_name(f"{target.name}.part.json"))

    def size_for(self, file: RecordFile) -> int:
        """How many bytes of this file are there already; 0 when the part belongs to another version of it."""
        if not self.path.is_file() or self._read_note().get("checksum") != file.checksum:
            return 0
        size = self.path.stat().st_size
        return size if size <= file.size else 0

    @property
    def etag(self) -> str:
        return str(self._read_note().get("etag", ""))

    def start(self, file: RecordFile, etag: str) -> None:
        """Forgets what was there and notes what is to come."""
        self.remove()
        write_text_atomically(self.note, json.dumps({"checksum": file.checksum, "size": file.size, "etag": etag}))

    def remove(self) -> None:
        for path in (self.path, self.note):
            try:
                path.unlink(missing_ok=True)
            except OSError as error:
                raise OutputError(f"{path}: can't remove the part of an earlier call: {error.strerror}") from error

    def _read_note(self) -> dict[str, object]:
        try:
            note = json.loads(self.note.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return note if isinstance(note, dict) else {}


def download(file: RecordFile, folder: Path, watch: Watch) -> bool:
    """Brings a file into the folder; False when it was there already.

    Goes on with a part of an earlier call when the server allows it and still has the same file, else starts over. Raises
    DownloadError when the connection breaks (the part stays for the next call) or size or checksum are wrong (the part is
    removed), OutputError when the disk is full or another file of this name is there.
    """
    target, part = folder / file.name, PartFile.of(folder / file.name)
    if target.exists():
        _check_existing(target, file, watch)
        part.remove()
        return False
    have = part.size_for(file)
    if have < file.size or not part.path.is_file():
        _transfer(file, part, have, watch)
    _finish(file, part, target, watch)
    return True


def _check_existing(target: Path, file: RecordFile, watch: Watch) -> None:
    found = f"{target.stat().st_size} bytes" if target.stat().st_size != file.size else checksum_of(target, file, watch)
    if found != file.checksum:
        raise OutputError(f"{target} exists and is not the record's file: expected {file.checksum}, found {found}; move it away and run again")


def checksum_of(path: Path, file: RecordFile, watch: Watch) -> str:
    """The checksum of a file on disk, by the algorithm of `file`, as 'md5:..'."""
    digest, done = hashlib.new(file.algorithm, usedforsecurity=False), 0
    with path.open("rb") as stream:
        while chunk := stream.read(CHUNK_BYTES):
            digest.update(chunk)
            done += len(chunk)
            watch(f"checking {file.name}", done, file.size)
    return f"{file.algorithm}:{digest.hexdigest()}"


def _transfer(file: RecordFile, part: PartFile, have: int, watch: Watch) -> None:
    with contextlib.closing(_answer(file, part, have)) as answer:
        is_continued = answer.status == PARTIAL_CONTENT
        if not is_continued:
            _check_length(file, answer)
            part.start(file, answer.headers.get("ETag", ""))
            have = 0
        watch(file.name, have, file.size)
        try:
            with part.path.open("ab") as stream:
                for chunk in _chunks(answer, file, have):
                    stream.write(chunk)
                    have += len(chunk)
                    watch(file.name, have, file.size)
                stream.flush()
                os.fsync(stream.fileno())
        except OSError as error:
            raise OutputError(f"{part.path}: can't write: {error.strerror or error}; what is there is kept for the next call") from error


def _answer(file: RecordFile, part: PartFile, have: int) -> http.client.HTTPResponse:
    """The rest of the file where the server gives it, else the whole file."""
    if have == 0:
        return open_url(file.url)
    headers = {"Range": f"bytes={have}-"}
    # A weak ETag may not stand in If-Range (RFC 9110); it is compared in the answer.
    if part.etag and not part.etag.startswith("W/"):
        headers["If-Range"] = part.etag
    try:
        answer = open_url(file.url, headers)
    except DownloadError as error:
        if error.status != RANGE_NOT_SATISFIABLE:
            raise
        return open_url(file.url)
    if answer.status != PARTIAL_CONTENT or _is_the_rest(answer, file, part, have):
        return answer
    answer.close()
    return open_url(file.url)


def _is_the_rest(answer: http.client.HTTPResponse, file: RecordFile, part: PartFile, have: int) -> bool:
    found = _CONTENT_RANGE.fullmatch(answer.headers.get("Content-Range", "").strip())
    etag = answer.headers.get("ETag", "")
    return (
        found is not None
        and int(found.group("first")) == have
        and found.group("total") in ("*", str(file.size))
        and (not etag or not part.etag or etag == part.etag)
    )


def _check_length(file: RecordFile, answer: http.client.HTTPResponse) -> None:
    length = answer.headers.get("Content-Length")
    if length is not None and length.isdigit() and int(length) != file.size:
        raise DownloadError(f"{file.name}: expected {file.size} bytes as the record says, the server sends {length}; try again later")


def _chunks(answer: http.client.HTTPResponse, file: RecordFile, have: int) -> Iterator[bytes]:
    """What the server sends, up to the file's size. Raises DownloadError when that ends early or goes on."""
    failure: BaseException | None = None
    while have < file.size:
        try:
            chunk = answer.read(min(CHUNK_BYTES, file.size - have))
        except CONNECTION_FAILURES as error:
            failure = error
            # What came before the break is as good as the rest.
            chunk = error.partial if isinstance(error, http.client.IncompleteRead) else b""
        if chunk:
            have += len(chunk)
            yield chunk
        if have < file.size and (failure is not None or not chunk):
            raise DownloadError(
                f"{file.name}: the connection was cut after {have} of {file.size} bytes; run the same command again, it goes on from there"
            ) from failure


def _finish(file: RecordFile, part: PartFile, target: Path, watch: Watch) -> None:
    found = checksum_of(part.path, file, watch)
    if found != file.checksum:
        part.remove()
        raise DownloadError(
            f"{file.name}: wrong checksum, expected {file.checksum}, found {found}; the file was removed, run the same command again to fetch it anew"
        )
    try:
        part.path.replace(target)
    except OSError as error:
        raise OutputError(f"{target}: can't write: {error.strerror or error}") from error
    part.remove()
