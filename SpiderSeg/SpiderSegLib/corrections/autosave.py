"""The unsaved edit of an annotator, kept beside the revisions until it is saved or given up: a crash costs minutes, not hours."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from SpiderSegLib.corrections.disk import is_temporary, put
from SpiderSegLib.corrections.folder import MASK_SUFFIX, ProjectFolder
from SpiderSegLib.corrections.level_json import naming_body, naming_of
from SpiderSegLib.corrections.names import check_annotator, check_name, folded, is_name, safe_name
from SpiderSegLib.corrections.records import Clock, read_json, utc_now, utc_text
from SpiderSegLib.corrections.saving import encoded_mask, labels_hash
from SpiderSegLib.corrections.schema import migrated
from SpiderSegLib.corrections.series_record import json_text
from SpiderSegLib.errors import LabelError, ProjectError, SpiderSegError
from SpiderSegLib.io import bytes_writer, read_labelmap
from SpiderSegLib.level_names import LevelNaming
from SpiderSegLib.volume import Volume

KIND = "autosave"

#: Characters of a mask's hash in its file name.
_SHORT_HASH = 12


@dataclass(frozen=True)
class UnsavedEdit:
    """What was on screen: labelmap and level names, the revision it began from, the model whose prediction was shown, minutes spent."""

    series: str
    annotator: str
    labelmap: Volume
    parent: str = ""
    shown_model: str = ""
    naming: LevelNaming = field(default_factory=LevelNaming)
    minutes: float = 0.0
    kept_utc: str = ""


def keep_edit(folder: ProjectFolder, edit: UnsavedEdit, clock: Clock = utc_now) -> None:
    """Keeps an edit in place of the annotator's earlier one of this series. Raises OutputError; the earlier one then stays."""
    labels = edit.labelmap.array
    place = _place(folder, edit.annotator)
    stem = check_name(edit.series)
    mask_name = f"{stem}~{labels_hash(labels)[:_SHORT_HASH]}{MASK_SUFFIX}"
    put(folder.disk, place / mask_name, bytes_writer(encoded_mask(edit.labelmap)))
    body = {
        "schema": 1,
        "kind": KIND,
        "series": edit.series,
        "annotator": check_annotator(edit.annotator),
        "kept_utc": utc_text(clock()),
        "mask": mask_name,
        "content_sha256": labels_hash(labels),
        "parent": edit.parent,
        "shown_model": edit.shown_model,
        "minutes": round(edit.minutes, 2),
        "levels": naming_body(edit.naming),
    }
    # The record names its mask, so that a kill between the two files leaves the earlier edit whole.
    put(folder.disk, place / f"{stem}.json", bytes_writer(json_text(body).encode("utf-8")))
    _remove_masks(folder, place, stem, mask_name)


def kept_edit(folder: ProjectFolder, series: str, annotator: str) -> UnsavedEdit | None:
    """The edit kept for an annotator; None without one. Raises ProjectError when there is one and it can't be read."""
    place = _place(folder, annotator)
    path = place / f"{check_name(series)}.json"
    if not path.is_file():
        return None
    body = migrated(KIND, read_json(path), path)
    try:
        name = str(body["mask"])
        if Path(name).name != name:
            raise ProjectError(f"expected the name of a file beside it, found {name!r}")
        labelmap = read_labelmap(place / name)
        if labels_hash(labelmap.array) != body["content_sha256"]:
            raise ProjectError(f"{place / name} is not what was kept")
        return UnsavedEdit(
            series=str(body["series"]),
            annotator=str(body["annotator"]),
            labelmap=labelmap,
            parent=str(body["parent"]),
            shown_model=str(body["shown_model"]),
            naming=naming_of(body["levels"]),
            minutes=float(body["minutes"]),
            kept_utc=str(body["kept_utc"]),
        )
    except (KeyError, TypeError, ValueError, AttributeError, LabelError, SpiderSegError) as error:
        raise ProjectError(f"{path}: the unsaved edit can't be read: {error}") from error


def kept_series(folder: ProjectFolder, annotator: str) -> list[str]:
    """The series an annotator has unsaved edits of."""
    try:
        with os.scandir(_place(folder, annotator)) as entries:
            names = [entry.name[: -len(".json")] for entry in entries if entry.name.endswith(".json") and not is_temporary(entry.name)]
    except OSError:
        return []
    return sorted(name for name in names if is_name(name))


def drop_edit(folder: ProjectFolder, series: str, annotator: str) -> None:
    """Forgets an edit: it was saved, or given up. The record goes first: a mask without one is no edit."""
    place = _place(folder, annotator)
    folder.disk.unlink(place / f"{check_name(series)}.json")
    _remove_masks(folder, place, series, "")


def _place(folder: ProjectFolder, annotator: str) -> Path:
    return folder.autosave / safe_name(folded(check_annotator(annotator)))


def _remove_masks(folder: ProjectFolder, place: Path, series: str, but: str) -> None:
    for path in place.glob(f"{series}~*{MASK_SUFFIX}"):
        if path.name != but:
            folder.disk.unlink(path)
