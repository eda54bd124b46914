"""One saved state of the mask of a series: who, when, from what, how much changed. Never changed once written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import PureWindowsPath
from typing import Any

from SpiderSegLib.corrections.folder import MASK_SUFFIX
from SpiderSegLib.corrections.level_json import naming_body, naming_of
from SpiderSegLib.corrections.names import check_annotator, check_name
from SpiderSegLib.corrections.records import StoredRecord
from SpiderSegLib.errors import LabelError, ProjectError
from SpiderSegLib.level_names import LevelNaming
from SpiderSegLib.metrics.changes import LabelmapChanges

KIND = "revision"


class Status(str, Enum):
    """How far a person is with a series. APPROVED: a second person has seen the mask and changed nothing."""

    IN_PROGRESS = "in progress"
    DONE = "done"
    APPROVED = "approved"
    FLAGGED = "flagged"


#: What a mask of this status may train.
ACCEPTED = (Status.DONE, Status.APPROVED)


class Provenance(str, Enum):
    """Whose work a mask is, measured from what was shown and what was changed.

    IMPORTED masks came from outside: how they were made was not seen here.
    """

    MANUAL = "manual"
    CORRECTED = "corrected"
    REVIEWED_UNCHANGED = "reviewed-unchanged"
    MODEL_ONLY = "model-only"
    IMPORTED = "imported"


@dataclass(frozen=True)
class Revision:
    """A saved mask and all that was measured when it was saved.

    `mask_file` lies in the folder of the series' revisions; a revision that changed no voxel names its parent's, '' is its own. `parents`: what it
    goes on from, then what it supersedes. `prediction` is the id of the model-only revision that was shown, '' where none was;
    `seeded_share` the share of the mask's voxels that a model drew and nobody changed. `findings` counts the linter's by severity, `worst_finding`
    is the first of them in words.
    Raises ProjectError for values that don't belong together.
    """

    series: str
    annotator: str
    status: Status
    provenance: Provenance
    mask_file: str
    mask_sha256: str
    content_sha256: str
    values: tuple[int, ...] = ()
    naming: LevelNaming = field(default_factory=LevelNaming)
    parents: tuple[str, ...] = ()
    prediction: str = ""
    source_model: str = ""
    seeded_share: float = 0.0
    minutes: float = 0.0
    reason: str = ""
    comment: str = ""
    to_parent: LabelmapChanges | None = None
    to_prediction: LabelmapChanges | None = None
    to_superseded: tuple[LabelmapChanges, ...] = ()
    findings: Mapping[str, int] = field(default_factory=dict)
    worst_finding: str = ""
    created_utc: str = ""
    id: str = ""

    def __post_init__(self) -> None:
        check_name(self.series)
        check_annotator(self.annotator)
        if self.status is Status.FLAGGED and not self.reason.strip():
            raise ProjectError(f"{self.series}: expected a reason for flagging the series, found none")
        # Windows's rules, the strictest: 'C:mask.mha' is a file elsewhere.
        if PureWindowsPath(self.mask_file).name != self.mask_file:
            raise ProjectError(f"{self.series}: expected the name of a mask file, found {self.mask_file!r}")
        if not 0 <= self.minutes < float("inf"):
            raise ProjectError(f"{self.series}: expected minutes of 0 or more, found {self.minutes}")
        if not 0 <= self.seeded_share <= 1:
            raise ProjectError(f"{self.series}: expected a share from 0 to 1 drawn by a model, found {self.seeded_share}")

    @property
    def parent(self) -> str:
        """Id of the revision it goes on from; '' for a first one."""
        return self.parents[0] if self.parents else ""

    @property
    def is_by_model(self) -> bool:
        """Whether it only records what a model drew."""
        return self.provenance is Provenance.MODEL_ONLY

    @property
    def is_accepted(self) -> bool:
        return self.status in ACCEPTED and not self.is_by_model


def body_of(revision: Revision) -> dict[str, Any]:
    """A revision as JSON values; id and time are the record's."""
    return {
        "series": revision.series,
        "annotator": revision.annotator,
        "status": revision.status.value,
        "reason": revision.reason,
        "comment": revision.comment,
        "minutes": round(revision.minutes, 2),
        "parents": list(revision.parents),
        "prediction": revision.prediction,
        "source_model": revision.source_model,
        "provenance": revision.provenance.value,
        "seeded_share": round(revision.seeded_share, 4),
        "mask": {"file": revision.mask_file, "sha256": revision.mask_sha256, "content_sha256": revision.content_sha256},
        "values": list(revision.values),
        "levels": naming_body(revision.naming),
        "changes": {
            "parent": None if revision.to_parent is None else revision.to_parent.as_dict(),
            "prediction": None if revision.to_prediction is None else revision.to_prediction.as_dict(),
            "superseded": [changes.as_dict() for changes in revision.to_superseded],
        },
        "findings": dict(revision.findings),
        "worst_finding": revision.worst_finding,
    }


def revision_of(record: StoredRecord) -> Revision:
    """The revision a record holds. Raises ProjectError naming the file when it holds something else."""
    body = record.body
    try:
        mask, changes = body["mask"], body["changes"]
        return Revision(
            series=str(body["series"]),
            annotator=str(body["annotator"]),
            status=Status(body["status"]),
            provenance=Provenance(body["provenance"]),
            mask_file=str(mask["file"]) or record.path.with_suffix(MASK_SUFFIX).name,
            mask_sha256=str(mask["sha256"]),
            content_sha256=str(mask["content_sha256"]),
            values=tuple(int(value) for value in body["values"]),
            naming=naming_of(body["levels"]),
            parents=tuple(str(parent) for parent in body["parents"]),
            prediction=str(body["prediction"]),
            source_model=str(body["source_model"]),
            seeded_share=float(body["seeded_share"]),
            minutes=float(body["minutes"]),
            reason=str(body["reason"]),
            comment=str(body["comment"]),
            to_parent=_read_changes(changes["parent"]),
            to_prediction=_read_changes(changes["prediction"]),
            to_superseded=tuple(LabelmapChanges.from_dict(one) for one in changes["superseded"]),
            findings={str(severity): int(count) for severity, count in body["findings"].items()},
            worst_finding=str(body["worst_finding"]),
            created_utc=str(body["created_utc"]),
            id=record.id,
        )
    except (KeyError, TypeError, ValueError, AttributeError, LabelError, ProjectError) as error:
        raise ProjectError(f"{record.path}: expected the record of a revision: {error}") from error


def _read_changes(body: Any) -> LabelmapChanges | None:
    return None if body is None else LabelmapChanges.from_dict(body)
