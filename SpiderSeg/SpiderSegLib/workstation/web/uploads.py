"""Series that come in through the page: bounded, checked while they arrive, read once, and kept in a private folder.

An upload is kept whole or not at all. Names that people gave their files are shown to them and never used as names on the disk.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import secrets
import shutil
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from aiohttp import BodyPartReader, web
from aiohttp.http_exceptions import BadHttpMessage

from SpiderSegLib.errors import ImageReadError, InputError, SpiderSegError
from SpiderSegLib.workstation.web.pages import PAGES_PATH, error_response
from SpiderSegLib.workstation.web.series_files import SeriesFiles
from SpiderSegLib.workstation.web.upload_content import HEAD_BYTES, Received, check_header, dicom_series_of, kind_of

UPLOAD_PATH = f"{PAGES_PATH}/upload"

#: A study has a few hundred MB; more is a mistake or fills the disk.
LARGEST_UPLOAD_BYTES = 2 * 1024**3

#: What multipart adds to the files: boundaries and names.
_ENVELOPE_BYTES = 16 * 1024**2

_CHUNK_BYTES = 1024**2


class UploadTooLarge(InputError):
    """More bytes than an upload may have."""


@dataclass
class _Upload:
    """One upload on its way: where it lies, what came, and what was left out with the reason."""

    folder: Path
    received: list[Received] = field(default_factory=list)
    left_out: list[tuple[str, str]] = field(default_factory=list)


class Uploads:
    """Takes series in, and finds them by the key that the browser was told."""

    def __init__(self, folder: Path, largest_bytes: int = LARGEST_UPLOAD_BYTES) -> None:
        """folder: a private one, for this alone. largest_bytes: of all uploads that are kept, together."""
        self._folder = folder
        self._largest_bytes = largest_bytes
        self._series: dict[str, SeriesFiles] = {}
        self._is_receiving = False

    def add_routes(self, app: web.Application) -> None:
        app.router.add_post(UPLOAD_PATH, self._receive)

    def find(self, key: str) -> SeriesFiles:
        """The series that was uploaded under a key. Raises InputError when there is none."""
        try:
            return self._series[key]
        except KeyError as error:
            raise InputError("this upload is no longer there; upload the series again") from error

    async def _receive(self, request: web.Request) -> web.StreamResponse:
        if self._is_receiving:
            return error_response(409, "another upload is still running; wait until it is done")
        if not request.content_type.startswith("multipart/"):
            return error_response(400, "expected files of a form, found something else; choose files on SpiderSeg's page")
        self._is_receiving = True
        try:
            return _answer(*await self._take_in(request))
        except UploadTooLarge as error:
            return error_response(413, str(error))
        except SpiderSegError as error:
            return error_response(422, str(error))
        except (ValueError, BadHttpMessage):  # what aiohttp's reader raises for a body that is no multipart
            return error_response(400, "the upload arrived damaged; try it again")
        except OSError as error:
            if isinstance(error, ConnectionError):
                raise
            return error_response(507, f"the upload can't be written: {error.strerror or error}; free space for temporary files")
        finally:
            self._is_receiving = False

    async def _take_in(self, request: web.Request) -> tuple[dict[str, SeriesFiles], list[tuple[str, str]]]:
        """The series of an upload by new keys, and what was left out; on any error and when it is broken off, nothing stays."""
        used = sum(path.stat().st_size for path in self._folder.rglob("*") if path.is_file())
        limit = self._largest_bytes - used
        if (request.content_length or 0) > limit + _ENVELOPE_BYTES:
            raise self._too_large()
        with _new_folder(self._folder) as folder:
            upload = _Upload(folder)
            await self._write(request, upload, limit)
            reading = asyncio.get_running_loop().run_in_executor(None, _read_all, upload)
            try:
                found = await asyncio.shield(reading)
            except asyncio.CancelledError:
                # The thread can't be stopped, and reads what would be removed.
                await asyncio.wait([reading])
                raise
            added = {secrets.token_urlsafe(16): series for series in found}
            self._series.update(added)
        return added, upload.left_out

    async def _write(self, request: web.Request, upload: _Upload, limit: int) -> None:
        total = 0
        async for name, part in _files(request):
            data = await _head(part)
            kind = kind_of(name, data)
            target = upload.folder / kind.folder / f"{len(upload.received):05}{kind.suffix}"
            if kind.reason_left_out:
                upload.left_out.append((name, kind.reason_left_out))
                target = Path(os.devnull)
            else:
                target.parent.mkdir(exist_ok=True)
                upload.received.append(Received(name, target, kind))
            with target.open("wb") as file:
                while True:
                    total += len(data)
                    if total > limit:
                        raise self._too_large()
                    file.write(data)
                    if part.at_eof():
                        break
                    data = await part.read_chunk(_CHUNK_BYTES)

    def _too_large(self) -> UploadTooLarge:
        return UploadTooLarge(
            f"an upload may have {self._largest_bytes / 1024**3:.3g} GB, together with those before it; upload one study at a time, "
            "or give its folder to `spiderseg workstation` instead"
        )


@contextlib.contextmanager
def _new_folder(root: Path) -> Iterator[Path]:
    """A new folder that only this user can look into; gone again when what is done with it fails."""
    folder = root / secrets.token_hex(8)
    folder.mkdir(mode=0o700, parents=True)
    try:
        yield folder
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


async def _files(request: web.Request) -> AsyncIterator[tuple[str, BodyPartReader]]:
    """The files of a form with the names that people gave them, without folders and characters that can't be shown."""
    reader = await request.multipart()
    while (part := await reader.next()) is not None:
        if isinstance(part, BodyPartReader) and part.filename:
            name = PurePosixPath(part.filename.replace("\\", "/")).name
            yield "".join(character for character in name if character.isprintable())[:200] or "file", part


async def _head(part: BodyPartReader) -> bytes:
    """The first bytes of a file, as many as tell what it is, however the network cut them."""
    head = b""
    while len(head) < HEAD_BYTES and not part.at_eof():
        head += await part.read_chunk(_CHUNK_BYTES)
    return head


def _read_all(upload: _Upload) -> list[SeriesFiles]:
    """Really reads everything that came. Raises what the readers raise, with the names of people in place of paths."""
    try:
        images = [SeriesFiles(file.name, file.path) for file in upload.received if not file.kind.is_dicom]
        for file in upload.received:
            if not file.kind.is_dicom:
                check_header(file)
        series, left_out = dicom_series_of(upload.received)
        upload.left_out.extend(left_out)
        found = [*images, *series]
        for one in found:
            one.read()
    except SpiderSegError as error:
        raise type(error)(_without_paths(str(error), upload)) from error
    if not found:
        reasons = "; ".join(f"{name}: {reason}" for name, reason in upload.left_out) or "it holds no files"
        raise ImageReadError(f"nothing in the upload can be opened ({reasons})")
    return found


def _without_paths(text: str, upload: _Upload) -> str:
    for file in upload.received:
        text = text.replace(str(file.path), file.name)
    for folder in {file.path.parent for file in upload.received}:
        text = text.replace(str(folder), "the upload")
    return text


def _answer(added: dict[str, SeriesFiles], left_out: list[tuple[str, str]]) -> web.Response:
    """The first series on top, which is all that most uploads hold, then all of them and what was left out."""
    series = [{"name": one.name, "key": key, "detail": one.detail} for key, one in added.items()]
    answer = {**series[0], "series": series, "leftOut": [{"name": name, "reason": reason} for name, reason in left_out]}
    return web.Response(text=json.dumps(answer), content_type="application/json")
