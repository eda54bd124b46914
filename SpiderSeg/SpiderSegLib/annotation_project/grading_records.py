"""Who graded the discs of a patient and when: append-only records under gradings/<patient>/, merged where two people graded at once."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from SpiderSegLib.corrections.folder import ProjectFolder
from SpiderSegLib.corrections.names import check_annotator, check_name, is_name
from SpiderSegLib.corrections.records import Clock, DamagedRecord, StoredRecord, add_record, heads_of, in_order, read_records, utc_now
from SpiderSegLib.errors import DatasetError, ProjectError
from SpiderSegLib.gradings import GRADED_ITEMS, NO_DISC, DiscGrading, Gradings, PatientGradings
from SpiderSegLib.series_names import natural_key

KIND = "gradings"


@dataclass(frozen=True)
class GradingRecord:
    """All graded discs of a patient as one person saved them."""

    gradings: PatientGradings
    annotator: str
    comment: str = ""
    created_utc: str = ""
    id: str = ""
    parents: tuple[str, ...] = ()


@dataclass(frozen=True)
class GradingsHistory:
    """The records of one patient, parents before children, and the files that should be records and are not."""

    patient_id: str
    records: tuple[GradingRecord, ...] = ()
    damaged: tuple[DamagedRecord, ...] = ()

    @cached_property
    def by_id(self) -> Mapping[str, GradingRecord]:
        return {record.id: record for record in self.records}

    @cached_property
    def heads(self) -> tuple[GradingRecord, ...]:
        """The records that nobody went on from; more than one is a conflict."""
        return heads_of(self.records)

    @property
    def is_conflict(self) -> bool:
        return len(self.heads) > 1

    @cached_property
    def current(self) -> PatientGradings:
        """The gradings that count.

        In a conflict every grade that one side changed since the last record that all sides go on from; where several changed one
        grade, the latest.
        """
        if not self.heads:
            return PatientGradings(self.patient_id)
        ordered = sorted(self.heads, key=lambda head: (head.created_utc, head.id))
        merged, base = ordered[0].gradings, self._shared(ordered)
        for head in ordered[1:]:
            merged = _with_changes(merged, base, head.gradings)
        return merged

    def _shared(self, heads: Sequence[GradingRecord]) -> PatientGradings:
        common = set.intersection(*(self._line(head) for head in heads))
        last = next((record for record in reversed(self.records) if record.id in common), None)
        return PatientGradings(self.patient_id) if last is None else last.gradings

    def _line(self, head: GradingRecord) -> set[str]:
        found: set[str] = set()
        waiting = [head.id]
        while waiting:
            identity = waiting.pop()
            if identity in self.by_id and identity not in found:
                found.add(identity)
                waiting.extend(self.by_id[identity].parents)
        return found


@dataclass(frozen=True)
class SavedGradings:
    """The new record and the patient's history with it; a conflict when others went on from the same place meanwhile."""

    record: GradingRecord
    history: GradingsHistory = field(repr=False)

    @property
    def is_conflict(self) -> bool:
        return self.history.is_conflict


def save_gradings(
    folder: ProjectFolder,
    gradings: PatientGradings,
    annotator: str,
    parents: Sequence[str] = (),
    comment: str = "",
    clock: Clock = utc_now,
) -> SavedGradings:
    """Adds all gradings of a patient as they are now; `parents` are the ids of the records they go on from and settle.

    Parents that others went on from meanwhile make a second head: a conflict to be seen. Raises ProjectError when a parent is not the
    patient's, OutputError when it can't be written; then nothing was added.
    """
    check_name(gradings.patient_id, "patient")
    known = read_gradings_history(folder, gradings.patient_id).by_id
    unknown = [parent for parent in parents if parent not in known]
    if unknown:
        raise ProjectError(f"patient {gradings.patient_id}: expected gradings to go on from, found no record {unknown[0][:12]!r}")
    body = {
        "patient_id": gradings.patient_id,
        "annotator": check_annotator(annotator),
        "comment": comment,
        "parents": list(dict.fromkeys(parents)),
        "gradings": gradings.as_dict(),
    }
    stored = add_record(folder, folder.gradings_of(gradings.patient_id), KIND, annotator, body, clock)
    return SavedGradings(_record(stored, gradings.patient_id), read_gradings_history(folder, gradings.patient_id))


def read_gradings_history(folder: ProjectFolder, patient_id: str) -> GradingsHistory:
    """Reads all gradings of a patient. A damaged record is listed, not raised; only one of a newer schema raises (NewerSchema)."""
    stored, damaged = read_records(folder.gradings_of(patient_id), KIND)
    records = []
    for one in stored:
        try:
            records.append(_record(one, patient_id))
        except ProjectError as error:
            damaged.append(DamagedRecord(one.path, str(error)))
    return GradingsHistory(patient_id, in_order(records), tuple(damaged))


def graded_patients(folder: ProjectFolder) -> list[str]:
    """The patients of whom there are gradings, in natural order."""
    try:
        with os.scandir(folder.gradings) as entries:
            names = [entry.name for entry in entries if is_name(entry.name)]
    except OSError:
        return []
    return sorted(names, key=natural_key)


def all_gradings(folder: ProjectFolder, patients: Iterable[str] | None = None) -> Gradings:
    """The gradings that count, of all patients or of these, in natural order of their ids."""
    wanted = None if patients is None else set(patients)
    chosen = [patient for patient in graded_patients(folder) if wanted is None or patient in wanted]
    return Gradings(tuple(disc for patient in chosen for disc in read_gradings_history(folder, patient).current.discs))


def of_patient(gradings: PatientGradings, patient_id: str) -> PatientGradings:
    """The same gradings under another patient id."""
    return PatientGradings(patient_id, tuple(replace(disc, patient_id=patient_id) for disc in gradings.discs))


def _with_changes(gradings: PatientGradings, base: PatientGradings, changed: PatientGradings) -> PatientGradings:
    """Gradings with what is different in `changed` from `base`."""
    merged = gradings
    for level in sorted({disc.level for disc in (*base.discs, *changed.discs)} - {NO_DISC}):
        old, new = base.disc(level), changed.disc(level)
        differing = {item.key: new.grade(item.key) for item in GRADED_ITEMS if new.grade(item.key) != old.grade(item.key)}
        if differing or (new in changed.discs and old not in base.discs):
            kept = {item.key: merged.disc(level).grade(item.key) for item in GRADED_ITEMS}
            merged = merged.with_disc(DiscGrading(merged.patient_id, level, **{**kept, **differing}))
    added = [disc for disc in changed.discs if disc.level == NO_DISC and disc not in base.discs and disc not in merged.discs]
    return replace(merged, discs=(*added, *merged.discs))


def _record(stored: StoredRecord, patient_id: str) -> GradingRecord:
    body: Mapping[str, Any] = stored.body
    try:
        gradings = PatientGradings.from_dict(body["gradings"])
        if not gradings.patient_id == body["patient_id"] == patient_id:
            raise ProjectError(f"gradings of {gradings.patient_id} in the folder of {patient_id}")
        return GradingRecord(
            gradings=gradings,
            annotator=check_annotator(str(body["annotator"])),
            comment=str(body["comment"]),
            created_utc=str(body["created_utc"]),
            id=stored.id,
            parents=tuple(str(parent) for parent in body["parents"]),
        )
    except (KeyError, TypeError, ValueError, DatasetError, ProjectError) as error:
        raise ProjectError(f"{stored.path}: expected the record of gradings: {error}") from error
