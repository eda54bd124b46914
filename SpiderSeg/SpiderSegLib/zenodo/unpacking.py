"""The archives of the record in SPIDER's layout: images.zip becomes images/*.mha, masks.zip masks/*.mha."""

from __future__ import annotations

import shutil
import stat
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath

from SpiderSegLib.atomic import make_folder, write_together
from SpiderSegLib.errors import InputError, OutputError
from SpiderSegLib.zenodo.download import CHUNK_BYTES, Watch

#: What macOS adds to archives.
_MACOS_FOLDER = "__MACOSX"


@dataclass(frozen=True)
class Unpacked:
    """Files of an archive by their path in the folder ('images/1_t1.mha'), with sizes; which were new, and which a person changed."""

    sizes: dict[str, int]
    written: tuple[str, ...]
    changed: tuple[str, ...]


def unpack(archive: Path, folder: Path, watch: Watch) -> Unpacked:
    """Unpacks an archive into the subfolder of `folder` that bears its name; files that are there already stay as they are.

    A file that is there with other content (a corrected mask) is left alone and listed in `changed`. Each file appears whole or
    not at all. Raises InputError naming the archive when it is damaged, encrypted or an entry would leave the folder (then
    nothing is written), OutputError when the disk can't take it.
    """
    try:
        with zipfile.ZipFile(archive) as opened:
            entries = _entries(opened, archive)
            return _unpack_entries(opened, entries, folder, archive, watch)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
        raise InputError(f"{archive}: not a zip archive, or damaged ({error}); remove it and run the same command again") from error


def _entries(opened: zipfile.ZipFile, archive: Path) -> dict[str, zipfile.ZipInfo]:
    """The files of an archive by their path in the folder. Raises InputError for entries that can't be trusted."""
    entries: dict[str, zipfile.ZipInfo] = {}
    for info in opened.infolist():
        parts = _parts(info, archive)
        if info.is_dir() or _MACOS_FOLDER in parts or parts[-1].startswith("."):
            continue
        # Whether an archive holds its folder, or its files alone, changed between versions of such records.
        inside = parts[1:] if len(parts) > 1 and parts[0] == archive.stem else parts
        name = "/".join((archive.stem, *inside))
        if name in entries:
            raise InputError(f"{archive}: holds {name} twice")
        entries[name] = info
    return entries


def _parts(info: zipfile.ZipInfo, archive: Path) -> tuple[str, ...]:
    posix, windows = PurePosixPath(info.filename), PureWindowsPath(info.filename)
    is_link = stat.S_ISLNK(info.external_attr >> 16)
    if posix.is_absolute() or windows.drive or windows.root or ".." in windows.parts or not posix.parts or is_link:
        kind = "a link" if is_link else "an entry that would leave the folder"
        raise InputError(f"{archive}: holds {kind}, {info.filename!r}; nothing was unpacked")
    if info.flag_bits & 0x1:
        raise InputError(f"{archive}: {info.filename!r} is encrypted; nothing was unpacked")
    return windows.parts


def _unpack_entries(opened: zipfile.ZipFile, entries: dict[str, zipfile.ZipInfo], folder: Path, archive: Path, watch: Watch) -> Unpacked:
    missing = {name: info for name, info in entries.items() if not (folder / name).exists()}
    check_free_space(folder, sum(info.file_size for info in missing.values()), f"unpacking {archive.name}")
    total = sum(info.file_size for info in entries.values())
    done, changed = 0, []
    for name, info in entries.items():
        target = folder / name
        if name in missing:
            make_folder(target.parent)
            write_together({target: _entry_writer(opened, info)})
        elif not _is_same(target, info):
            changed.append(name)
        done += info.file_size
        watch(f"unpacking {archive.name}", done, total)
    return Unpacked({name: info.file_size for name, info in entries.items()}, tuple(missing), tuple(changed))


def _entry_writer(opened: zipfile.ZipFile, info: zipfile.ZipInfo) -> Callable[[Path], None]:
    def write(temporary: Path) -> None:
        with opened.open(info) as source, temporary.open("wb") as target:
            shutil.copyfileobj(source, target, CHUNK_BYTES)

    return write


def _is_same(path: Path, info: zipfile.ZipInfo) -> bool:
    if path.stat().st_size != info.file_size:
        return False
    crc = 0
    with path.open("rb") as stream:
        while chunk := stream.read(CHUNK_BYTES):
            crc = zlib.crc32(chunk, crc)
    return crc == info.CRC


def check_free_space(folder: Path, needed: int, purpose: str) -> None:
    """Raises OutputError when the disk that holds `folder` has less than `needed` bytes free."""
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise OutputError(f"{folder}: {purpose} needs {needed / 1e9:.2f} GB, the disk has {free / 1e9:.2f} GB free")
