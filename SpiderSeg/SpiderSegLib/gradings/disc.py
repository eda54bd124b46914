"""The grading of one disc."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from SpiderSegLib.errors import DatasetError
from SpiderSegLib.gradings.items import DISC_COLUMN, GRADED_ITEMS, PATIENT_COLUMN, graded_item
from SpiderSegLib.labels import DISC_OFFSET, HIGHEST_LEVEL

#: SPIDER has rows with this IVD label: they grade something, but say of no disc which.
NO_DISC = 0

HIGHEST_DISC = HIGHEST_LEVEL


@dataclass(frozen=True)
class DiscGrading:
    """What a reader says of one disc; None: not graded.

    `level` is the disc's number from the lowest up (1 = L5/S1 where there are five lumbar vertebrae), NO_DISC where the source names
    none. GRADED_ITEMS lists the other fields with their grades. Raises DatasetError for a value that its item does not have, naming
    patient, level and column.
    """

    patient_id: str
    level: int
    modic: int | None = None
    up_endplate: int | None = None
    low_endplate: int | None = None
    spondylolisthesis: int | None = None
    herniation: int | None = None
    narrowing: int | None = None
    bulging: int | None = None
    pfirrmann: int | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.patient_id, str) or not self.patient_id or self.patient_id != self.patient_id.strip():
            raise DatasetError(f"{PATIENT_COLUMN}: expected an id without spaces around it, found {self.patient_id!r}")
        if not _is_whole(self.level) or not NO_DISC <= self.level <= HIGHEST_DISC:
            raise DatasetError(f"patient {self.patient_id}, {DISC_COLUMN}: expected 0 to {HIGHEST_DISC}, found {self.level!r}")
        for item in GRADED_ITEMS:
            grade = self.grade(item.key)
            if grade is not None and (not _is_whole(grade) or grade not in item.values):
                raise DatasetError(
                    f"patient {self.patient_id}, disc {self.level}, {item.column}: expected {item.values[0]} to {item.values[-1]} "
                    f"or nothing, found {grade!r}"
                )

    def grade(self, key: str) -> int | None:
        """The grade of one of GRADED_ITEMS, by its key."""
        grade: int | None = getattr(self, key)
        return grade

    def with_grade(self, key: str, grade: int | None) -> DiscGrading:
        """The same with one item graded anew (None: not graded). Raises KeyError for no item's key, DatasetError as the class."""
        grades = {item.key: self.grade(item.key) for item in GRADED_ITEMS}
        return DiscGrading(self.patient_id, self.level, **{**grades, graded_item(key).key: grade})

    @property
    def label_value(self) -> int | None:
        """The disc's value in a SPIDER labelmap; None for NO_DISC."""
        return None if self.level == NO_DISC else DISC_OFFSET + self.level

    @property
    def is_graded(self) -> bool:
        """Whether anything is graded."""
        return any(self.grade(item.key) is not None for item in GRADED_ITEMS)


def _is_whole(value: Any) -> bool:
    # A bool is an int to Python, but would be written as 'True'.
    return isinstance(value, int) and not isinstance(value, bool)
