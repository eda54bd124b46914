"""`spiderseg lint`: what is wrong with labelmaps in SPIDER values, and where."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import typer
from tqdm import tqdm

from SpiderSegLib.atomic import write_together
from SpiderSegLib.cases import IMAGES
from SpiderSegLib.errors import DatasetError, SpiderSegError
from SpiderSegLib.evaluation.pairing import files_by_series
from SpiderSegLib.io import bytes_writer, image_stem, read_labelmap, read_volume
from SpiderSegLib.linter import Severity, lint
from SpiderSegLib.linter.report import LintedSeries, csv_text, json_text, table_text
from SpiderSegLib.segmentation_files import SLICER, format_of, read_segmentation, stem_of
from SpiderSegLib.volume import Volume

MASKS = "masks"

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class LintOptions:
    """Options of the command; paths are None for outputs that were not asked for."""

    images: Path | None = None
    csv_path: Path | None = None
    json_path: Path | None = None
    severity: Severity = Severity.WARNING
    is_strict: bool = False


@dataclass(frozen=True)
class _Labelmap:
    """A file to look at and the image of its series, if there is one."""

    path: Path
    image: Path | None


def run(paths: Sequence[Path], options: LintOptions) -> int:
    """Says what is wrong with each labelmap and writes the files asked for; 0, or 1 when one can't be read or, if strict, has an error.

    Raises DatasetError for images that are not there or are two of one series, OutputError when a file can't be written.
    """
    given = None if options.images is None else _images_in(options.images)
    labelmaps, failed = _find(paths, given)
    linted = failed + [_lint(each) for each in tqdm(labelmaps, "linting", unit="series", disable=len(labelmaps) < 2)]
    for one in linted:
        if one.error:
            logger.error("%s", one.error)
    typer.echo(table_text(linted, options.severity))
    texts = ((options.csv_path, csv_text), (options.json_path, json_text))
    write_together({path: bytes_writer(text(linted).encode("utf-8")) for path, text in texts if path is not None})
    has_error = any(finding.severity is Severity.ERROR for one in linted for finding in one.findings)
    return 1 if any(one.error for one in linted) or (options.is_strict and has_error) else 0


def _images_in(folder: Path) -> dict[str, Path]:
    if not folder.is_dir():
        raise DatasetError(f"{folder}: expected a folder of images, found {'a file' if folder.exists() else 'nothing there'}")
    return files_by_series(folder)


def _find(paths: Sequence[Path], given: Mapping[str, Path] | None) -> tuple[list[_Labelmap], list[LintedSeries]]:
    """The labelmaps that the arguments mean, and those that can't be used with the reason."""
    found: list[_Labelmap] = []
    failed = []
    for path in paths:
        try:
            found += _in_folder(path, given) if path.is_dir() else [_with_image(path, given)]
        except SpiderSegError as error:
            failed.append(LintedSeries(path.name, str(path), error=str(error)))
    return found, failed


def _in_folder(folder: Path, given: Mapping[str, Path] | None) -> list[_Labelmap]:
    """A data set's masks/, or the labelmaps of the folder itself."""
    masks = folder / MASKS if (folder / MASKS).is_dir() else folder
    files = list(files_by_series(masks).values())
    if not files:
        raise DatasetError(f"{folder}: expected labelmaps, or a folder {MASKS}/ with labelmaps, found neither")
    beside = _beside(masks) if given is None else given
    return [_with_image(file, beside) for file in files]


def _with_image(path: Path, images: Mapping[str, Path] | None) -> _Labelmap:
    if not path.exists():
        raise DatasetError(f"{path}: expected a labelmap or a folder of labelmaps, found nothing there")
    images = _beside(path.parent) if images is None else images
    return _Labelmap(path, images.get(stem_of(path)))


def _beside(folder: Path) -> dict[str, Path]:
    """The images of the data set whose masks/ a folder is."""
    images = folder.absolute().parent / IMAGES
    return files_by_series(images) if folder.absolute().name == MASKS and images.is_dir() else {}


def _lint(labelmap: _Labelmap) -> LintedSeries:
    name = image_stem(labelmap.path)
    try:
        geometry = None if labelmap.image is None else read_volume(labelmap.image).geometry
        return LintedSeries(name, str(labelmap.path), lint(_read(labelmap.path), geometry))
    except SpiderSegError as error:
        return LintedSeries(name, str(labelmap.path), error=str(error))


def _read(path: Path) -> Volume:
    return read_segmentation(path).named.labelmap if format_of(path) == SLICER else read_labelmap(path)
