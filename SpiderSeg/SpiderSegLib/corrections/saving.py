"""Saving a correction: checked, measured against what it came from, and added; what others saved is never touched."""

from __future__ import annotations

import hashlib
import logging
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from SpiderSegLib.corrections.disk import put
from SpiderSegLib.corrections.folder import MASK_SUFFIX, ProjectFolder
from SpiderSegLib.corrections.history import History, read_history
from SpiderSegLib.corrections.measuring import Base, measure
from SpiderSegLib.corrections.names import check_annotator, same_person
from SpiderSegLib.corrections.records import Clock, add_record, record_names, utc_now
from SpiderSegLib.corrections.revision import KIND, Provenance, Revision, Status, body_of, revision_of
from SpiderSegLib.corrections.series_record import read_series_record
from SpiderSegLib.errors import GeometryError, OutputError, ProjectError, SpiderSegError
from SpiderSegLib.io import bytes_writer, read_labelmap, volume_writer
from SpiderSegLib.labels import check_values
from SpiderSegLib.level_names import LevelNaming
from SpiderSegLib.volume import Geometry, Volume

logger = logging.getLogger(__name__)

#: Who a model-only revision is by: the model itself, no person.
MODEL_AUTHOR = "model"


@dataclass(frozen=True)
class ShownPrediction:
    """A prediction that a person saw before saving: labelmap (k, j, i) of SPIDER values on the series' grid, and the model's id."""

    labelmap: NDArray[np.uint8]
    model_id: str
    naming: LevelNaming = field(default_factory=LevelNaming)


@dataclass(frozen=True)
class Correction:
    """What a person saves of a series.

    `parent` is the id of the revision the work began from ('' for none), `supersedes` those of other heads that this one settles;
    `shown` the prediction that was on screen at any time since then. `is_imported`: the mask was made elsewhere.
    """

    series: str
    labelmap: Volume
    annotator: str
    status: Status = Status.DONE
    parent: str = ""
    supersedes: tuple[str, ...] = ()
    shown: ShownPrediction | None = None
    naming: LevelNaming = field(default_factory=LevelNaming)
    minutes: float = 0.0
    reason: str = ""
    comment: str = ""
    findings: Mapping[str, int] = field(default_factory=dict)
    worst_finding: str = ""
    is_imported: bool = False


@dataclass(frozen=True)
class Saved:
    """The new revision and the series' history with it; a conflict when others went on from the same place meanwhile."""

    revision: Revision
    history: History

    @property
    def is_conflict(self) -> bool:
        return self.history.is_conflict


def save(folder: ProjectFolder, correction: Correction, clock: Clock = utc_now) -> Saved:
    """Adds a revision and brings masks/ up to date.

    A parent that others went on from meanwhile makes a second head: a conflict to be seen, nothing is replaced. Raises ProjectError when
    the series or parent is not the project's or a rule is broken (approving one's own mask), GeometryError for a mask of another grid,
    LabelError for unknown values, OutputError when it can't be written; then no mask was added. Once it was, nothing is raised: masks/ that
    can't be brought up to date are logged, and a rebuild makes them again.
    """
    check_annotator(correction.annotator)
    geometry = read_series_record(folder, correction.series).geometry
    labels = _checked_labels(correction, geometry)
    history = read_history(folder, correction.series)
    parent = history.require(correction.parent) if correction.parent else None
    superseded = [history.require(identity) for identity in correction.supersedes]
    prediction = None if correction.shown is None else _kept_prediction(folder, correction.series, history, correction.shown, geometry, clock)
    mask = Volume(labels, geometry, correction.series)
    shown = _shown_base(folder, history, parent, prediction, correction.shown, geometry)
    others = [_base(folder, revision, geometry) for revision in superseded]
    measured = measure(mask, _base(folder, parent, geometry), shown, correction.is_imported, others)
    revision = Revision(
        series=correction.series,
        annotator=check_annotator(correction.annotator),
        status=correction.status,
        provenance=measured.provenance,
        mask_file="",
        mask_sha256="",
        content_sha256=labels_hash(labels),
        values=tuple(int(value) for value in np.unique(labels) if value),
        naming=correction.naming,
        parents=_parents(parent or prediction, superseded),
        prediction=measured.prediction,
        source_model=measured.source_model,
        seeded_share=measured.seeded_share,
        minutes=correction.minutes,
        reason=correction.reason,
        comment=correction.comment,
        to_parent=measured.to_parent,
        to_prediction=measured.to_prediction,
        to_superseded=measured.to_superseded,
        findings=correction.findings,
        worst_finding=correction.worst_finding,
    )
    _check_rules(history, revision, parent)
    added = _add(folder, revision, mask, _same_mask(parent or prediction, revision), clock)
    return Saved(added, _published(folder, correction.series))


def keep_prediction(folder: ProjectFolder, series: str, shown: ShownPrediction, clock: Clock = utc_now) -> Revision:
    """Keeps a prediction that a person sees as a model-only revision, so that it can be looked up when a newer one has taken its place.

    One that is kept already is given back. Raises ProjectError when there is no such series, OutputError when it can't be written.
    """
    geometry = read_series_record(folder, series).geometry
    return _kept_prediction(folder, series, read_history(folder, series), shown, geometry, clock)


def labels_hash(labels: NDArray[np.uint8]) -> str:
    """SHA-256, hex, of labels (k, j, i): of their shape and values, whatever file holds them."""
    digest = hashlib.sha256(str(labels.shape).encode())
    digest.update(np.ascontiguousarray(labels, dtype=np.uint8).tobytes())
    return digest.hexdigest()


def read_mask(folder: ProjectFolder, revision: Revision) -> Volume:
    """The labelmap of a revision. Raises ProjectError when its file is missing or no longer what was saved."""
    path = folder.revisions_of(revision.series) / revision.mask_file
    try:
        labelmap = read_labelmap(path)
    except SpiderSegError as error:
        raise ProjectError(f"{path}: the mask of revision {revision.id[:12]} can't be read: {error}") from error
    labels = labelmap.array.astype(np.uint8)
    if labels_hash(labels) != revision.content_sha256:
        raise ProjectError(f"{path}: not the mask that revision {revision.id[:12]} saved: it was changed or damaged")
    return labelmap.with_array(labels)


def publish(folder: ProjectFolder, series: str) -> History:
    """Makes masks/ hold the accepted mask of a series, or none; returns the history it followed. Raises OutputError."""
    while True:
        names = record_names(folder.revisions_of(series))
        history = read_history(folder, series)
        _publish_once(folder, history)
        # Somebody who saved meanwhile may have published before us.
        if record_names(folder.revisions_of(series)) == names:
            return history


def _published(folder: ProjectFolder, series: str) -> History:
    """Publishes after a save. An error here would have people save again what is saved, and be in conflict with themselves."""
    try:
        return publish(folder, series)
    except OutputError as error:
        logger.warning("%s; the mask itself is saved, and spiderseg project rebuild brings masks/ up to date", error)
        return read_history(folder, series)


def _publish_once(folder: ProjectFolder, history: History) -> None:
    accepted, path = history.accepted, folder.mask(history.series)
    if accepted is None:
        try:
            folder.disk.unlink(path)
        except OSError as error:
            raise OutputError(f"{path}: can't be removed, though no mask of the series is accepted: {error.strerror}") from error
        return
    source = folder.revisions_of(history.series) / accepted.mask_file
    try:
        content = source.read_bytes()
    except OSError as error:
        logger.warning("%s: the accepted mask can't be published: %s", source, error.strerror)
        return
    if hashlib.sha256(content).hexdigest() != accepted.mask_sha256:
        logger.warning("%s: the accepted mask can't be published: it is not what was saved; spiderseg project verify says more", source)
        return
    put(folder.disk, path, bytes_writer(content))


def _checked_labels(correction: Correction, geometry: Geometry) -> NDArray[np.uint8]:
    labelmap = correction.labelmap
    if not labelmap.geometry.is_same_grid(geometry):
        raise GeometryError(
            f"{correction.series}: expected a mask on the grid of its image ({geometry}), found {labelmap.geometry}; is it of another series?"
        )
    check_values(np.unique(labelmap.array), correction.series)
    return labelmap.array.astype(np.uint8)


def _kept_prediction(folder: ProjectFolder, series: str, history: History, shown: ShownPrediction, geometry: Geometry, clock: Clock) -> Revision:
    """The model-only revision of a prediction; added when it is not there yet, so that what was shown can always be looked up."""
    identity = labels_hash(shown.labelmap)
    for revision in history.revisions:
        if revision.is_by_model and revision.content_sha256 == identity and revision.source_model == shown.model_id:
            return revision
    revision = Revision(
        series=series,
        annotator=MODEL_AUTHOR,
        status=Status.IN_PROGRESS,
        provenance=Provenance.MODEL_ONLY,
        mask_file="",
        mask_sha256="",
        content_sha256=identity,
        values=tuple(int(value) for value in np.unique(shown.labelmap) if value),
        naming=shown.naming,
        source_model=shown.model_id,
        seeded_share=1.0,
    )
    return _add(folder, revision, Volume(shown.labelmap, geometry), None, clock)


def _base(folder: ProjectFolder, revision: Revision | None, geometry: Geometry) -> Base | None:
    if revision is None:
        return None
    try:
        return Base(revision, Volume(read_mask(folder, revision).array, geometry, revision.id[:12]))
    except SpiderSegError as error:
        logger.warning("%s; the changes to it are not measured", error)
        return Base(revision, None)


def _shown_base(
    folder: ProjectFolder, history: History, parent: Revision | None, prediction: Revision | None, shown: ShownPrediction | None, geometry: Geometry
) -> Base | None:
    """The prediction the mask is measured against: the one shown now, else the one that its parent began from."""
    if prediction is not None and shown is not None:
        return Base(prediction, Volume(shown.labelmap, geometry, shown.model_id))
    earlier = None if parent is None else history.by_id.get(parent.prediction or (parent.id if parent.is_by_model else ""))
    return _base(folder, earlier, geometry)


def _parents(parent: Revision | None, superseded: list[Revision]) -> tuple[str, ...]:
    ids = [revision.id for revision in ([parent] if parent is not None else []) + superseded]
    return tuple(dict.fromkeys(ids))


def _same_mask(parent: Revision | None, revision: Revision) -> Revision | None:
    return parent if parent is not None and parent.content_sha256 == revision.content_sha256 else None


def _check_rules(history: History, revision: Revision, parent: Revision | None) -> None:
    if revision.status in (Status.DONE, Status.APPROVED) and not revision.values:
        raise ProjectError(f"{revision.series}: the mask is empty: it can't be done; flag the series and say why")
    if revision.status is Status.APPROVED:
        if parent is None or parent.is_by_model or parent.content_sha256 != revision.content_sha256:
            raise ProjectError(f"{revision.series}: approving takes a saved mask as it is; save your changes as done and let another person approve")
        if parent.status is Status.IN_PROGRESS:
            raise ProjectError(f"{revision.series}: {parent.annotator} has not finished this mask; it has to be done before it can be approved")
        if same_person(history.maker(parent), revision.annotator):
            raise ProjectError(f"{revision.series}: {revision.annotator} made this mask; another person has to approve it")


def _add(folder: ProjectFolder, revision: Revision, mask: Volume, same_as: Revision | None, clock: Clock) -> Revision:
    """Writes mask and record; where the mask is that of another revision, the record alone."""
    companion = None
    if same_as is not None:
        complete = replace(revision, mask_file=same_as.mask_file, mask_sha256=same_as.mask_sha256)
    else:
        companion = (MASK_SUFFIX, encoded_mask(mask))
        complete = replace(revision, mask_sha256=hashlib.sha256(companion[1]).hexdigest())
    place = folder.revisions_of(revision.series)
    return revision_of(add_record(folder, place, KIND, revision.annotator, body_of(complete), clock, companion))


def encoded_mask(mask: Volume) -> bytes:
    """A labelmap as the content of a MetaImage file. Raises OutputError when there is no room for a temporary one."""
    try:
        with tempfile.TemporaryDirectory(prefix="spiderseg-") as scratch:
            path = Path(scratch) / f"mask{MASK_SUFFIX}"
            volume_writer(path, mask)(path)
            return path.read_bytes()
    except OSError as error:
        raise OutputError(f"{tempfile.gettempdir()}: can't write a temporary file: {error.strerror or error}") from error
