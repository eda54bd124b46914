"""A whole record into SPIDER's layout: images/, masks/, overview.csv, radiological_gradings.csv."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from SpiderSegLib.atomic import make_folder
from SpiderSegLib.errors import OutputError
from SpiderSegLib.io import write_text_atomically
from SpiderSegLib.zenodo.download import PartFile, Watch, download
from SpiderSegLib.zenodo.record import Record, RecordFile
from SpiderSegLib.zenodo.unpacking import Unpacked, check_free_space, unpack

logger = logging.getLogger(__name__)

#: Says where the data came from, under which licence, and what was unpacked, so that a later call downloads no archive again.
FETCHED_NAME = "spider_record.json"

ARCHIVE_SUFFIX = ".zip"


@dataclass(frozen=True)
class FetchOptions:
    """Whether archives are unpacked, and whether they stay after that."""

    unpack: bool = True
    keep_archives: bool = False


@dataclass(frozen=True)
class FetchResult:
    """Names of the files that were downloaded, of those that were there already, and how many files were unpacked."""

    downloaded: tuple[str, ...]
    present: tuple[str, ...]
    unpacked: int


def fetch(record: Record, folder: Path, options: FetchOptions, watch: Watch) -> FetchResult:
    """Brings every file of a record into `folder`, which is made; what is there already is not fetched again.

    Raises DownloadError and OutputError as `download`, InputError for a bad archive, OutputError when the disk is too small.
    """
    make_folder(folder)
    history = _read_history(folder, record)
    waiting = [file for file in record.files if not _is_unpacked(file, folder, history, options)]
    check_free_space(folder, _needed_bytes(waiting, folder, options), "the download")
    downloaded, unpacked = [], 0
    for file in waiting:
        if download(file, folder, watch):
            downloaded.append(file.name)
        if options.unpack and _is_archive(file):
            unpacked += _unpack(file, folder, record, history, options, watch)
    _write_history(folder, record, history)
    return FetchResult(tuple(downloaded), tuple(file.name for file in record.files if file.name not in downloaded), unpacked)


def _unpack(file: RecordFile, folder: Path, record: Record, history: dict[str, Any], options: FetchOptions, watch: Watch) -> int:
    archive = folder / file.name
    result: Unpacked = unpack(archive, folder, watch)
    for name in result.changed:
        logger.warning("%s: left as it is, it differs from the one in %s", folder / name, file.name)
    history[file.name] = {"checksum": file.checksum, "files": result.sizes}
    # Before the archive goes: a kill between the two costs nothing.
    _write_history(folder, record, history)
    if not options.keep_archives:
        try:
            archive.unlink()
        except OSError as error:
            raise OutputError(f"{archive}: unpacked, but can't be removed: {error.strerror}") from error
    return len(result.written)


def _is_archive(file: RecordFile) -> bool:
    return file.name.lower().endswith(ARCHIVE_SUFFIX)


def _is_unpacked(file: RecordFile, folder: Path, history: dict[str, Any], options: FetchOptions) -> bool:
    """Whether an archive's files are all there from an earlier call, and the archive itself is not asked for."""
    entry = history.get(file.name)
    if entry is None or not options.unpack or options.keep_archives or (folder / file.name).exists():
        return False
    return entry.get("checksum") == file.checksum and all((folder / name).is_file() for name in entry["files"])


def _needed_bytes(waiting: list[RecordFile], folder: Path, options: FetchOptions) -> int:
    """Bytes to download, and as many for what comes out of archives, which is practically never less."""
    needed = 0
    for file in waiting:
        if not (folder / file.name).exists():
            is_doubled = options.unpack and _is_archive(file)
            needed += file.size * (2 if is_doubled else 1) - PartFile.of(folder / file.name).size_for(file)
    return needed


def _read_history(folder: Path, record: Record) -> dict[str, Any]:
    """What earlier calls unpacked here from this record; empty when that can't be told."""
    try:
        content = json.loads((folder / FETCHED_NAME).read_text(encoding="utf-8"))
        archives = {name: {"checksum": entry["checksum"], "files": dict(entry["files"])} for name, entry in content["unpacked"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}
    return archives if content.get("record") == record.url else {}


def _write_history(folder: Path, record: Record, history: dict[str, Any]) -> None:
    content = {
        "record": record.url,
        "doi": record.doi,
        "title": record.title,
        "licence": record.licence,
        "citation": record.citation,
        "files": {file.name: {"size": file.size, "checksum": file.checksum} for file in record.files},
        "unpacked": history,
    }
    write_text_atomically(folder / FETCHED_NAME, json.dumps(content, indent=1) + "\n")
