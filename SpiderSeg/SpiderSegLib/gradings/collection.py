"""The gradings of many patients, in the order of their file."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import groupby

from SpiderSegLib.gradings.disc import NO_DISC, DiscGrading
from SpiderSegLib.gradings.items import DISC_COLUMN
from SpiderSegLib.gradings.patient import PatientGradings
from SpiderSegLib.series_names import natural_key

#: The header is row 1 of the file.
FIRST_ROW = 2


@dataclass(frozen=True)
class FlaggedRow:
    """A row that is kept but needs a look: its number in the file (the header is 1), its patient and the reason."""

    row: int
    patient_id: str
    reason: str


@dataclass(frozen=True)
class Gradings:
    """The rows of a gradings file, unchanged and in their order.

    Raises DatasetError when one disc of a patient is graded twice.
    """

    rows: tuple[DiscGrading, ...] = ()
    _by_patient: dict[str, PatientGradings] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        discs: dict[str, list[DiscGrading]] = {}
        for row in self.rows:
            discs.setdefault(row.patient_id, []).append(row)
        object.__setattr__(self, "_by_patient", {patient: PatientGradings(patient, tuple(rows)) for patient, rows in discs.items()})

    @property
    def flagged(self) -> tuple[FlaggedRow, ...]:
        """Rows that say of no disc which they grade."""
        reason = f"{DISC_COLUMN} {NO_DISC} names no disc"
        return tuple(FlaggedRow(number, row.patient_id, reason) for number, row in enumerate(self.rows, FIRST_ROW) if row.level == NO_DISC)

    @property
    def patient_ids(self) -> tuple[str, ...]:
        """In the order of the file."""
        return tuple(self._by_patient)

    def patient(self, patient_id: str) -> PatientGradings:
        """The graded discs of a patient, rows without a disc among them; without discs where nothing is graded."""
        return self._by_patient.get(patient_id, PatientGradings(patient_id))

    def replaced(self, patient: PatientGradings) -> Gradings:
        """With exactly these rows for the patient (none: the patient is left out), where the old ones began.

        A new patient stands before the first one of a higher number, as in SPIDER's file.
        """
        groups = [(key, tuple(rows)) for key, rows in groupby(self.rows, key=lambda row: row.patient_id)]
        if patient.patient_id in self._by_patient:
            place = next(index for index, (key, _) in enumerate(groups) if key == patient.patient_id)
        else:
            own = natural_key(patient.patient_id)
            place = next((index for index, (key, _) in enumerate(groups) if natural_key(key) > own), len(groups))
        before, after = groups[:place], groups[place:]
        kept_after = [rows for key, rows in after if key != patient.patient_id]
        return replace(self, rows=tuple(row for rows in (*(rows for _, rows in before), patient.discs, *kept_after) for row in rows))

    def merged(self, patient: PatientGradings) -> Gradings:
        """With these gradings over those of the patient, grade by grade: what is not given stays."""
        return self.replaced(self.patient(patient.patient_id).merged(patient))
