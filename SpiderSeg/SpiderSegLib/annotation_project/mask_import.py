"""Masks from elsewhere as the first revisions of their series."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from SpiderSegLib.annotation_project.import_report import ImportOptions
from SpiderSegLib.corrections.folder import ProjectFolder
from SpiderSegLib.corrections.history import History, read_history
from SpiderSegLib.corrections.records import Clock
from SpiderSegLib.corrections.revision import Revision, Status
from SpiderSegLib.corrections.saving import Correction, labels_hash, publish, save
from SpiderSegLib.errors import LabelError, ProjectError
from SpiderSegLib.io import read_labelmap
from SpiderSegLib.labels import Structure, check_values, from_downward_numbering, is_downward_numbering
from SpiderSegLib.volume import Volume

RENUMBERED = "the mask counted 24 downward (L5 = 24): renumbered to SPIDER's 1 upward"


@dataclass(frozen=True)
class ImportedMask:
    """What became of a mask: revisions added (the mask, its approval), and what is to be said of it."""

    revisions: int
    note: str = ""


def import_mask(folder: ProjectFolder, series: str, path: Path, kind: str, options: ImportOptions, clock: Clock) -> ImportedMask:
    """Makes a mask the first revision of a series, with its approval where somebody approved; what an interrupted import left is completed.

    Raises LabelError for a class map and unknown values, GeometryError for another grid, ImageReadError, and ProjectError when the series has
    other masks already; then nothing was added.
    """
    labelmap, note = _read(path, kind)
    history = read_history(folder, series)
    revision, added = _first_revision(history, labelmap), 0
    if revision is None:
        correction = Correction(series, labelmap, options.annotator, options.status, comment=note, is_imported=True)
        revision, added = save(folder, correction, clock).revision, 1
    if options.approved_by and _awaits_approval(read_history(folder, series), revision):
        save(folder, Correction(series, labelmap, options.approved_by, Status.APPROVED, parent=revision.id), clock)
        added += 1
    if not added:
        # A kill after the revision may have left masks/ behind.
        publish(folder, series)
    return ImportedMask(added, note if added else "")


def _first_revision(history: History, labelmap: Volume) -> Revision | None:
    """The revision that this mask became in an earlier import. Raises ProjectError when the series has masks, and this is not one of them."""
    if history.damaged:
        raise ProjectError(f"{history.series}: has damaged revisions; spiderseg project verify names them")
    if not history.by_people:
        return None
    identity = labels_hash(labelmap.array.astype(np.uint8))
    same = next((revision for revision in history.by_people if revision.content_sha256 == identity), None)
    if same is None:
        raise ProjectError(f"{history.series}: has a mask by {history.by_people[-1].annotator} already; it stays, and this one is left out")
    return same


def _awaits_approval(history: History, revision: Revision) -> bool:
    return history.heads == (revision,) and revision.status is Status.DONE


def _read(path: Path, kind: str) -> tuple[Volume, str]:
    """The labelmap with SPIDER's values, and what was renumbered."""
    labelmap = read_labelmap(path)
    values = {int(value) for value in np.unique(labelmap.array)} - {0}
    # A SPIDER mask practically always holds the canal (100) or a disc (201 up).
    if kind == "classes" or (values and values <= {int(structure) for structure in Structure}):
        raise LabelError(
            f"{path}: expected a mask with SPIDER values (1-25, 100, 101-125, 201-225), found a class map (1 vertebra, 2 disc, 3 canal): it does "
            "not tell the levels apart"
        )
    check_values(values, str(path))
    if not is_downward_numbering(values):
        return labelmap, ""
    return labelmap.with_array(from_downward_numbering(labelmap.array)), RENUMBERED
