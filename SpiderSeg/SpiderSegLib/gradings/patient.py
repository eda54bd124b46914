"""The graded discs of one patient, and their JSON form for records of who graded what and when."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from SpiderSegLib.errors import DatasetError
from SpiderSegLib.gradings.disc import NO_DISC, DiscGrading
from SpiderSegLib.gradings.items import GRADED_ITEMS

SCHEMA_VERSION = 1

_DISC_KEYS = ("level", *(item.key for item in GRADED_ITEMS))


@dataclass(frozen=True)
class PatientGradings:
    """The discs of one patient, in the order of their source.

    Raises DatasetError for a disc of another patient, or two gradings of one disc; only NO_DISC may occur more than once.
    """

    patient_id: str
    discs: tuple[DiscGrading, ...] = ()

    def __post_init__(self) -> None:
        strangers = sorted({disc.patient_id for disc in self.discs} - {self.patient_id})
        if strangers:
            raise DatasetError(f"expected discs of patient {self.patient_id}, found some of {', '.join(strangers)}")
        levels = [disc.level for disc in self.discs if disc.level != NO_DISC]
        twice = sorted({level for level in levels if levels.count(level) > 1})
        if twice:
            raise DatasetError(f"patient {self.patient_id}: expected one grading a disc, found several of disc {', '.join(map(str, twice))}")

    def disc(self, level: int) -> DiscGrading:
        """The grading of a disc; one with nothing graded where there is none."""
        return next((disc for disc in self.discs if disc.level == level), DiscGrading(self.patient_id, level))

    def with_disc(self, disc: DiscGrading) -> PatientGradings:
        """The same with this grading of its disc, in the place of the old one, else in the order of levels."""
        if any(one.level == disc.level for one in self.discs):
            return replace(self, discs=tuple(disc if one.level == disc.level else one for one in self.discs))
        place = next((index for index, one in enumerate(self.discs) if one.level > disc.level), len(self.discs))
        return replace(self, discs=(*self.discs[:place], disc, *self.discs[place:]))

    def merged(self, newer: PatientGradings) -> PatientGradings:
        """These gradings with those of `newer` over them, grade by grade: what `newer` leaves out stays as it was.

        Rows of NO_DISC can't be told apart: those of `newer` that are not here already are added. Raises DatasetError for another patient.
        """
        if newer.patient_id != self.patient_id:
            raise DatasetError(f"expected gradings of patient {self.patient_id}, found those of {newer.patient_id}")
        merged = self
        for disc in newer.discs:
            if disc.level == NO_DISC:
                merged = merged if disc in merged.discs else replace(merged, discs=(disc, *merged.discs))
            else:
                older = merged.disc(disc.level)
                grades = {item.key: older.grade(item.key) if disc.grade(item.key) is None else disc.grade(item.key) for item in GRADED_ITEMS}
                merged = merged.with_disc(DiscGrading(self.patient_id, disc.level, **grades))
        return merged

    def as_dict(self) -> dict[str, Any]:
        """What JSON can hold: {"schema_version", "patient_id", "discs": [{"level", "modic", .., "pfirrmann"}]}, null = not graded."""
        discs = [{key: getattr(disc, key) for key in _DISC_KEYS} for disc in self.discs]
        return {"schema_version": SCHEMA_VERSION, "patient_id": self.patient_id, "discs": discs}

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> PatientGradings:
        """The gradings that `as_dict` gave; a grade left out is not graded. Raises DatasetError for anything else."""
        version = content.get("schema_version") if isinstance(content, Mapping) else None
        if version != SCHEMA_VERSION:
            raise DatasetError(f"expected gradings of schema version {SCHEMA_VERSION}, found {version!r}")
        patient_id, discs = content.get("patient_id"), content.get("discs")
        if not isinstance(patient_id, str) or not isinstance(discs, list):
            raise DatasetError(f"expected gradings with a patient_id (text) and discs (list), found {patient_id!r} and {type(discs).__name__}")
        return cls(patient_id, tuple(_disc(patient_id, disc) for disc in discs))


def _disc(patient_id: str, content: Any) -> DiscGrading:
    if not isinstance(content, Mapping) or "level" not in content or set(content) - set(_DISC_KEYS):
        found = ", ".join(map(str, content)) if isinstance(content, Mapping) else repr(content)
        raise DatasetError(f"patient {patient_id}: expected a disc with a level and grades {', '.join(_DISC_KEYS[1:])}, found {found}")
    return DiscGrading(patient_id, **content)
