"""What the person opened on the command line: the only place whose files the page may name, and only by names inside it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from SpiderSegLib.dicom import is_dicom_folder, list_series
from SpiderSegLib.errors import ImageReadError, InputError
from SpiderSegLib.io import image_suffix
from SpiderSegLib.segmentation_files import SLICER, format_of
from SpiderSegLib.workstation.web.series_files import SeriesFiles

#: Deeper folders and later series are left out: who opens a whole disk by mistake gets an answer all the same.
DEEPEST_LEVEL = 4
MOST_SERIES = 1000


class OpenedFolder:
    """Lists the series of a folder, or of one file, and finds them again by name."""

    def __init__(self, opened: Path) -> None:
        """Raises InputError when there is no such file or folder."""
        try:
            self._root = opened.resolve(strict=True)
        except OSError as error:
            raise InputError(f"{opened}: no such file or folder") from error
        self._series: dict[str, SeriesFiles] = {}

    @property
    def title(self) -> str:
        return self._root.name

    def list_series(self) -> tuple[SeriesFiles, ...]:
        """Image files (no Slicer segmentations) and sagittal lumbar DICOM series, by name; a DICOM folder that can't be read is left out."""
        self._series = {}
        for series in self._found():
            self._series.setdefault(series.name, series)
            if len(self._series) == MOST_SERIES:
                break
        return tuple(self._series.values())

    def find(self, name: str) -> SeriesFiles:
        """The series of a name that `list_series` gave. Raises InputError for any other."""
        series = self._series.get(name)
        if series is None:
            raise InputError(f"{name!r} is no series of {self.title}; reload the page for the list of today")
        # A file may have become a link to elsewhere since it was listed.
        self._check_inside(series.path, name)
        return series

    def resolve(self, name: str) -> Path:
        """The path of a file or folder that is named relative to the opened folder.

        Raises InputError when the name is absolute or goes up, when it leads outside through a link, and when nothing is there.
        """
        path = Path(name)
        if not name or not name.isprintable() or path.drive or path.is_absolute() or ".." in path.parts:
            raise InputError(f"expected a name inside {self.title}, found {name[:80]!r}")
        if self._root.is_file() and name == self.title:
            return self._root
        return self._check_inside(self._root / name, name)

    def _check_inside(self, path: Path, name: str) -> Path:
        try:
            real = path.resolve(strict=True)
        except (OSError, RuntimeError) as error:  # RuntimeError: links in a circle
            raise InputError(f"{name[:80]!r}: no such file or folder in {self.title}") from error
        if not real.is_relative_to(self._root):
            raise InputError(f"{name[:80]!r} leads outside {self.title}; open that folder with `spiderseg workstation` instead")
        return real

    def _found(self) -> Iterator[SeriesFiles]:
        if self._root.is_file():
            yield SeriesFiles(self._root.name, self._root)
            return
        for folder, folders, files in os.walk(self._root):
            here = Path(folder)
            is_deepest = len(here.relative_to(self._root).parts) == DEEPEST_LEVEL
            folders[:] = [] if is_deepest else sorted(filter(_is_shown, folders))
            yield from self._images(here, sorted(filter(_is_shown, files)))
            yield from self._dicom(here)

    def _images(self, folder: Path, files: list[str]) -> Iterator[SeriesFiles]:
        for path in (folder / name for name in files):
            if image_suffix(path) and format_of(path) != SLICER and self._is_file_inside(path):
                yield SeriesFiles(path.relative_to(self._root).as_posix(), path)

    def _dicom(self, folder: Path) -> Iterator[SeriesFiles]:
        try:
            everything = list_series(folder) if is_dicom_folder(folder) else []
        except ImageReadError:
            return
        chosen = [series for series in everything if series.reason_left_out is None]
        place = self.title if folder == self._root else folder.relative_to(self._root).as_posix()
        names: list[str] = []
        for series in chosen:
            names.append(name := place if len(chosen) == 1 else f"{place}: {series.label}")
            nth = names.count(name)
            if all(self._is_file_inside(Path(file)) for file in series.files):
                yield SeriesFiles(name if nth == 1 else f"{name} ({nth})", folder, series)

    def _is_file_inside(self, path: Path) -> bool:
        try:
            return self._check_inside(path, path.name).is_file()
        except InputError:
            return False


def _is_shown(name: str) -> bool:
    """Whether a name can be sent to a page, and is not hidden."""
    return name.isprintable() and not name.startswith(".")
