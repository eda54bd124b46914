"""One line about a series for lists: where it stands, who was at it last, what speaks for looking at it next."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from SpiderSegLib.annotation_project.predictions import PredictionFacts
from SpiderSegLib.corrections.history import History
from SpiderSegLib.corrections.level_json import naming_body, naming_of
from SpiderSegLib.corrections.names import same_person
from SpiderSegLib.corrections.revision import Status
from SpiderSegLib.corrections.series_record import SeriesRecord
from SpiderSegLib.level_names import LevelNaming
from SpiderSegLib.series_names import sequence_of


class SeriesState(str, Enum):
    """Where a series stands. NEW: no mask at all; PREDICTED: a model's alone; CONFLICT: two people went different ways."""

    NEW = "new"
    PREDICTED = "predicted"
    IN_PROGRESS = "in progress"
    DONE = "done"
    APPROVED = "approved"
    FLAGGED = "flagged"
    CONFLICT = "conflict"


#: States in which the work list offers a series.
OPEN_STATES = (SeriesState.NEW, SeriesState.PREDICTED, SeriesState.IN_PROGRESS)

_STATE_OF_TEXT = {state.value: state for state in SeriesState}

_STATE_OF_STATUS = {
    Status.IN_PROGRESS: SeriesState.IN_PROGRESS,
    Status.DONE: SeriesState.DONE,
    Status.APPROVED: SeriesState.APPROVED,
    Status.FLAGGED: SeriesState.FLAGGED,
}


@dataclass(frozen=True)
class SeriesSummary:
    """A series in a list.

    annotator, updated_utc, provenance, reason and naming are those of the newest revision; minutes are of all revisions; values and findings
    those of the newest mask, a person's or else the model's. accepted: id of the mask that may train, '' without one; may_validate: whether
    it may judge models. prediction_model: '' without a prediction. agreement: mean Dice of the structures the last time that masks of two
    people met, None when none did. damaged: files of its history that can't be read.
    """

    series: str
    patient_id: str
    state: SeriesState = SeriesState.NEW
    annotator: str = ""
    updated_utc: str = ""
    imported_utc: str = ""
    head: str = ""
    revisions: int = 0
    minutes: float = 0.0
    provenance: str = ""
    seeded_share: float = 0.0
    reason: str = ""
    accepted: str = ""
    accepted_by: str = ""
    accepted_provenance: str = ""
    accepted_seeded_share: float = 0.0
    may_validate: bool = False
    naming: LevelNaming = field(default_factory=LevelNaming)
    values: tuple[int, ...] = ()
    findings: Mapping[str, int] = field(default_factory=dict)
    worst_finding: str = ""
    prediction_model: str = ""
    uncertainty: Mapping[str, Any] | None = None
    agreement: float | None = None
    damaged: int = 0

    @property
    def sequence(self) -> str:
        """'t1', 't2', 't2_SPACE' or 'unknown'."""
        return sequence_of(self.series)

    @property
    def is_open(self) -> bool:
        """Whether it waits for a person."""
        return self.state in OPEN_STATES

    def as_dict(self) -> dict[str, Any]:
        """JSON values; `from_dict` reads them."""
        return {**vars(self), "state": self.state.value, "naming": naming_body(self.naming), "values": list(self.values)}

    @classmethod
    def from_dict(cls, body: Mapping[str, Any]) -> SeriesSummary:
        """The summary that `as_dict` gave. Raises KeyError, TypeError, ValueError, AttributeError or LabelError for anything else."""
        changed = {"state": _STATE_OF_TEXT[body["state"]], "naming": naming_of(body["naming"]), "values": tuple(body["values"])}
        return cls(**{**body, **changed})


def summarize(record: SeriesRecord, history: History, prediction: PredictionFacts | None) -> SeriesSummary:
    """The line about a series."""
    newest, accepted = history.newest, history.accepted
    latest = newest if newest is not None else prediction
    return SeriesSummary(
        series=record.series,
        patient_id=record.patient_id,
        state=_state(history, prediction),
        annotator=newest.annotator if newest else "",
        updated_utc=newest.created_utc if newest else "",
        imported_utc=record.imported_utc,
        head=newest.id if newest else "",
        revisions=len(history.by_people),
        minutes=sum(revision.minutes for revision in history.by_people),
        provenance=newest.provenance.value if newest else "",
        seeded_share=newest.seeded_share if newest else 0.0,
        reason=newest.reason if newest else "",
        accepted=accepted.id if accepted else "",
        accepted_by=accepted.annotator if accepted else "",
        accepted_provenance=accepted.provenance.value if accepted else "",
        accepted_seeded_share=accepted.seeded_share if accepted else 0.0,
        may_validate=accepted is not None and history.may_validate(accepted),
        naming=latest.naming if latest else LevelNaming(),
        values=latest.values if latest else (),
        findings=dict(latest.findings) if latest else {},
        worst_finding=latest.worst_finding if latest else "",
        prediction_model=prediction.model_id if prediction else "",
        uncertainty=prediction.uncertainty if prediction else None,
        agreement=_agreement(history),
        damaged=len(history.damaged),
    )


def _state(history: History, prediction: PredictionFacts | None) -> SeriesState:
    if history.is_conflict:
        return SeriesState.CONFLICT
    if history.newest is not None:
        return _STATE_OF_STATUS[history.newest.status]
    return SeriesState.NEW if prediction is None else SeriesState.PREDICTED


def _agreement(history: History) -> float | None:
    """Of the last time that two people's masks met: the sides of a conflict that was settled, or a mask that went on from another person's."""
    for revision in reversed(history.by_people):
        parent = history.by_id.get(revision.parent)
        if revision.to_superseded:
            met = list(revision.to_superseded)
        elif parent is None or parent.is_by_model or revision.to_parent is None or same_person(history.maker(parent), revision.annotator):
            continue
        elif revision.content_sha256 == parent.content_sha256:
            # Somebody looked and drew nothing: that tells nothing of how they would have drawn it.
            continue
        else:
            met = [revision.to_parent]
        # A structure that only one of them has is a disagreement.
        dice = [change.dice or 0.0 for changes in met for change in changes.structures]
        return sum(dice) / len(dice) if dice else None
    return None
