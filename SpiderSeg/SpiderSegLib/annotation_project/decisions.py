"""What people decided about the project as a whole: which patients judge models, and which model is the champion. Append-only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from SpiderSegLib.corrections.folder import ProjectFolder
from SpiderSegLib.corrections.names import check_annotator
from SpiderSegLib.corrections.records import Clock, StoredRecord, add_record, heads_of, in_order, read_records, utc_now
from SpiderSegLib.errors import ProjectError

KIND = "decision"


class Choice(str, Enum):
    """FREEZE adds validation patients; RETRAIN is one use of them; PROMOTE and ROLL_BACK name the champion, REJECT leaves it."""

    FREEZE = "freeze"
    RETRAIN = "retrain"
    PROMOTE = "promote"
    REJECT = "reject"
    ROLL_BACK = "roll back"


@dataclass(frozen=True)
class Decision:
    """One decision; `patients` for FREEZE, `model_id` for the others; `details` says why in JSON values, e.g. the criteria that were met."""

    choice: Choice
    person: str
    model_id: str = ""
    patients: tuple[str, ...] = ()
    comment: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)
    created_utc: str = ""
    id: str = ""
    parents: tuple[str, ...] = ()


def decide(folder: ProjectFolder, decision: Decision, clock: Clock = utc_now) -> Decision:
    """Adds a decision after all that are known. Raises OutputError."""
    parents = [head.id for head in heads_of(read_decisions(folder))]
    body = {
        "choice": decision.choice.value,
        "person": check_annotator(decision.person),
        "model_id": decision.model_id,
        "patients": list(decision.patients),
        "comment": decision.comment,
        "details": dict(decision.details),
        "parents": parents,
    }
    return _decision(add_record(folder, folder.decisions, KIND, decision.person, body, clock))


def read_decisions(folder: ProjectFolder) -> tuple[Decision, ...]:
    """All decisions in order. Raises ProjectError for a damaged one: leaving it out could let a frozen patient train."""
    records, damaged = read_records(folder.decisions, KIND)
    if damaged:
        raise ProjectError(f"{damaged[0].reason}; get the file back from a backup: without it nobody knows what was decided")
    return in_order(_decision(record) for record in records)


def frozen_patients(decisions: Sequence[Decision]) -> frozenset[str]:
    """Patients whose masks judge models and never train."""
    return frozenset(patient for decision in decisions if decision.choice is Choice.FREEZE for patient in decision.patients)


def validation_uses(decisions: Sequence[Decision]) -> int:
    """How many rounds a validation patient has judged on average, rounded down: the more, the more the models fit them by choice.

    Patients who are frozen later have judged fewer. Rounds without validation patients are no use of any.
    """
    uses: dict[str, int] = {}
    for decision in decisions:
        if decision.choice is Choice.FREEZE:
            uses.update({patient: uses.get(patient, 0) for patient in decision.patients})
        elif decision.choice is Choice.RETRAIN and _is_judged(decision):
            uses = {patient: count + 1 for patient, count in uses.items()}
    return sum(uses.values()) // len(uses) if uses else 0


def _is_judged(decision: Decision) -> bool:
    found = decision.details.get("decision")
    return not isinstance(found, dict) or found.get("n_patients") != 0


def champion_id(decisions: Sequence[Decision]) -> str | None:
    """The model that was promoted or rolled back to last; None before the first decision: then it is generation 0."""
    chosen = [decision.model_id for decision in decisions if decision.choice in (Choice.PROMOTE, Choice.ROLL_BACK)]
    return chosen[-1] if chosen else None


def _decision(record: StoredRecord) -> Decision:
    body = record.body
    try:
        return Decision(
            choice=Choice(body["choice"]),
            person=str(body["person"]),
            model_id=str(body["model_id"]),
            patients=tuple(str(patient) for patient in body["patients"]),
            comment=str(body["comment"]),
            details=dict(body["details"]),
            created_utc=str(body["created_utc"]),
            id=record.id,
            parents=tuple(str(parent) for parent in body["parents"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ProjectError(f"{record.path}: expected the record of a decision: {error}") from error
