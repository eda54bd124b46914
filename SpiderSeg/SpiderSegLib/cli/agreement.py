"""`spiderseg agreement`: how far two labelmaps of a series, or two folders of them, agree, and where they don't."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path

import typer

from SpiderSegLib.agreement import (
    AgreementSet,
    SeriesAgreement,
    agree_files,
    agree_folders,
    agreement_set_object,
    agreement_set_table,
    agreement_table,
    draw_agreement,
)
from SpiderSegLib.atomic import FileWriter, make_folder, write_together
from SpiderSegLib.errors import DatasetError, OutputError, SpiderSegError
from SpiderSegLib.evaluation import json_text
from SpiderSegLib.evaluation.report.worst_cases import find_images
from SpiderSegLib.io import bytes_writer, read_labelmap, read_volume, write_bytes_atomically
from SpiderSegLib.metrics import check_same_grid
from SpiderSegLib.volume import Volume

logger = logging.getLogger(__name__)


def agreement(a: Path, b: Path, image: Path | None, picture: Path | None, json_path: Path | None) -> int:
    """Writes the table to stdout and, on request, a picture (of each series, in a folder) and everything as JSON.

    Returns 0, or 1 when a series can't be compared. Raises typer.BadParameter for paths and options that don't go
    together, DatasetError, GeometryError and OutputError as the functions it calls; a wrong path is told before anything is compared.
    """
    is_set = _is_set(a, b, image, picture)
    if json_path is not None and not json_path.absolute().parent.is_dir():
        raise OutputError(f"{json_path}: can't write --json: the folder {json_path.parent} does not exist")
    if picture is not None:
        _check_picture(picture, is_set)
    images = find_images(image) if is_set and image is not None else None
    found = agree_folders(a, b) if is_set else agree_files(a, b)
    typer.echo(agreement_set_table(found) if is_set else agreement_table(found.series[0].agreement))
    files: dict[Path, FileWriter] = {}
    if picture is not None and is_set:
        _draw_set(found, images, picture)
    elif picture is not None:
        files[picture] = bytes_writer(_draw(found.series[0], None if image is None else read_volume(image)))
    if json_path is not None:
        files[json_path] = bytes_writer(json_text(agreement_set_object(found)).encode("utf-8"))
    write_together(files)
    return 1 if found.failed else 0


def _is_set(a: Path, b: Path, image: Path | None, picture: Path | None) -> bool:
    """Whether two folders are compared, not two files."""
    for path in (a, b, *([] if image is None else [image])):
        if not path.exists():
            raise DatasetError(f"{path}: expected a labelmap or a folder of labelmaps, found nothing there")
    if a.is_dir() != b.is_dir():
        raise typer.BadParameter(f"expected two files or two folders, found {a} and {b}")
    if image is not None and image.is_dir() != a.is_dir():
        raise typer.BadParameter("expected an image for two files, a folder of images for two folders", param_hint="--image")
    if image is not None and picture is None:
        raise typer.BadParameter("--image needs --picture: it is the background of the picture", param_hint="--image")
    return a.is_dir()


def _check_picture(picture: Path, is_set: bool) -> None:
    if is_set and (picture.is_file() or picture.suffix.lower() == ".png"):
        raise typer.BadParameter(f"expected a folder for the pictures of two folders, found {picture}", param_hint="--picture")
    if not is_set and not picture.absolute().parent.is_dir():
        raise OutputError(f"{picture}: can't write --picture: the folder {picture.parent} does not exist")


def _draw(one: SeriesAgreement, image: Volume | None) -> bytes:
    return draw_agreement(image, read_labelmap(one.path_a), read_labelmap(one.path_b), agreement=one.agreement)


def _draw_set(found: AgreementSet, images: Mapping[str, Path] | None, folder: Path) -> None:
    """Draws each series to <series>.png, one at a time."""
    make_folder(folder)
    for one in found.series:
        image = None if images is None else _image_of(one, images)
        write_bytes_atomically(folder / f"{one.series}.png", _draw(one, image))


def _image_of(one: SeriesAgreement, images: Mapping[str, Path]) -> Volume | None:
    """The image of a series; None, and a warning, where it is missing, can't be read or lies on another grid."""
    try:
        if one.series not in images:
            raise DatasetError("expected an image of this name, found none")
        image = read_volume(images[one.series])
        check_same_grid(read_labelmap(one.path_a), image)
    except SpiderSegError as error:
        logger.warning("%s: drawn without its image: %s", one.series, error)
        return None
    return image
