"""The summaries of all series, quickly: what was read once is kept, and read again only for series whose files changed.

Records never change and are named by their content, so that the list of their names tells whether a summary is still true. The kept file is
derived: losing it costs a few seconds.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from SpiderSegLib.annotation_project.predictions import predicted_series, read_prediction_facts
from SpiderSegLib.annotation_project.project import Project
from SpiderSegLib.annotation_project.summary import SeriesSummary, summarize
from SpiderSegLib.corrections.disk import is_temporary, put
from SpiderSegLib.corrections.folder import ProjectFolder
from SpiderSegLib.corrections.history import read_history
from SpiderSegLib.corrections.records import RECORD_SUFFIX
from SpiderSegLib.corrections.schema import NewerSchema
from SpiderSegLib.corrections.series_record import read_series_record, series_names
from SpiderSegLib.errors import LabelError, OutputError, ProjectError
from SpiderSegLib.io import bytes_writer
from SpiderSegLib.series_names import natural_key

logger = logging.getLogger(__name__)

#: Changes whenever a summary means something else: then nothing kept is believed.
INDEX_VERSION = 1

_NAME = "index.json"


@dataclass(frozen=True)
class _Kept:
    """A summary and what it was made from."""

    seen: tuple[str, ...]
    summary: SeriesSummary


class ProjectIndex:
    """The summaries of a project. `read` brings them up to date; one index is one user's and not shared between threads."""

    def __init__(self, project: Project) -> None:
        self._folder = project.folder
        self._kept: dict[str, _Kept] = {}
        self._is_loaded = False

    def read(self) -> dict[str, SeriesSummary]:
        """The summaries of all series in natural order of their names; a series whose record is damaged is left out with a warning."""
        if not self._is_loaded:
            self._kept, self._is_loaded = _load(self._folder), True
        predictions = predicted_series(self._folder, self._kept.keys())
        histories = _folders(self._folder.revisions)
        kept, is_changed = {}, False
        for series in self._in_order(series_names(self._folder, self._kept.keys())):
            seen = _seen(self._folder, series, predictions, series in histories)
            before = self._kept.get(series)
            # What could not be read a moment ago (a share out of reach, a file in use) may be readable now.
            if before is not None and before.seen == seen and not before.summary.damaged:
                kept[series] = before
                continue
            made = self._made(series, seen)
            if made is not None:
                kept[series] = made
            is_changed = is_changed or made != before
        if is_changed or len(kept) != len(self._kept):
            self._kept = kept
            _store(self._folder, kept)
        return {series: one.summary for series, one in kept.items()}

    def _in_order(self, names: Sequence[str]) -> Sequence[str]:
        """Names in natural order: that of the summaries kept, as long as they are the same series."""
        present = set(names)
        return list(self._kept) if present == self._kept.keys() else sorted(present, key=natural_key)

    def _made(self, series: str, seen: tuple[str, ...]) -> _Kept | None:
        try:
            return _Kept(seen, _summary(self._folder, series))
        except NewerSchema:
            raise
        except ProjectError as error:
            logger.warning("%s", error)
            return None


def _summary(folder: ProjectFolder, series: str) -> SeriesSummary:
    record, history = read_series_record(folder, series), read_history(folder, series)
    try:
        prediction = read_prediction_facts(folder, series)
    except ProjectError as error:
        logger.warning("%s", error)
        prediction = None
    return summarize(record, history, prediction)


def _seen(folder: ProjectFolder, series: str, predictions: Mapping[str, tuple[int, int]], has_history: bool) -> tuple[str, ...]:
    prediction = predictions.get(series)
    names = _names(f"{folder.revisions}{os.sep}{series}") if has_history else ()
    return ("" if prediction is None else f"{prediction[0]}-{prediction[1]}", *names)


def _names(place: str) -> Iterable[str]:
    """The JSON files of a folder, unfinished ones left out; what is no record does no harm in a list that only tells whether it changed."""
    try:
        return sorted(name for name in os.listdir(place) if name.endswith(RECORD_SUFFIX) and not is_temporary(name))  # noqa: PTH208
    except OSError:
        return ()


def _folders(place: Path) -> set[str]:
    try:
        with os.scandir(place) as entries:
            return {entry.name for entry in entries}
    except OSError:
        return set()


def _load(folder: ProjectFolder) -> dict[str, _Kept]:
    try:
        content: Any = json.loads((folder.cache / _NAME).read_bytes())
        if content["version"] != INDEX_VERSION:
            return {}
        return {series: _Kept(tuple(one["seen"]), SeriesSummary.from_dict(one["summary"])) for series, one in content["series"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, LabelError):
        return {}


def _store(folder: ProjectFolder, kept: Mapping[str, _Kept]) -> None:
    series = {name: {"seen": list(one.seen), "summary": one.summary.as_dict()} for name, one in kept.items()}
    content = json.dumps({"version": INDEX_VERSION, "series": series}, ensure_ascii=False, separators=(",", ":"))
    try:
        put(folder.disk, folder.cache / _NAME, bytes_writer(content.encode("utf-8")))
    except OutputError as error:
        # A folder that may only be read can still be looked at.
        logger.info("%s", error)
