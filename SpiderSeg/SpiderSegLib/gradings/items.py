"""What is graded of a disc: SPIDER's columns in SPIDER's order, with the grades of each and their meaning.

Sources of the wording: van der Graaf et al., Scientific Data 11, 264 (2024) for the items; Pfirrmann et al., Spine 26, 1873 (2001);
Modic et al., Radiology 166, 193 (1988). SPIDER writes Pfirrmann's name with one n; its columns keep its spelling.
"""

from __future__ import annotations

from dataclasses import dataclass

#: SPIDER's columns that say which disc a row grades. The label in a mask is 200 + 'IVD label'.
PATIENT_COLUMN, DISC_COLUMN = "Patient", "IVD label"


@dataclass(frozen=True)
class Grade:
    """One allowed value, its short name for a button or a list, and what it means ('' where the name says all)."""

    value: int
    name: str
    meaning: str = ""


@dataclass(frozen=True)
class GradedItem:
    """One thing that is graded: the field of DiscGrading, SPIDER's column, its title for people and the allowed grades, ascending."""

    key: str
    column: str
    title: str
    grades: tuple[Grade, ...]

    @property
    def values(self) -> tuple[int, ...]:
        return tuple(grade.value for grade in self.grades)

    @property
    def is_binary(self) -> bool:
        """Whether only absent and present are told apart, as by a check box."""
        return self.values == (0, 1)


_ABSENT_OR_PRESENT = (Grade(0, "absent"), Grade(1, "present"))

_MODIC = (
    Grade(0, "none"),
    Grade(1, "type I", "edema: endplates dark on T1, bright on T2"),
    Grade(2, "type II", "fat: endplates bright on T1, bright or as before on T2"),
    Grade(3, "type III", "sclerosis: endplates dark on T1 and T2"),
)

_PFIRRMANN = (
    Grade(1, "I", "homogeneous and bright, height normal"),
    Grade(2, "II", "inhomogeneous and bright, nucleus and annulus distinct, height normal"),
    Grade(3, "III", "inhomogeneous and gray, nucleus and annulus hardly distinct, height normal or slightly lower"),
    Grade(4, "IV", "inhomogeneous, gray to black, nucleus and annulus not distinct, height normal or moderately lower"),
    Grade(5, "V", "inhomogeneous and black, disc space collapsed"),
)

GRADED_ITEMS = (
    GradedItem("modic", "Modic", "Modic changes", _MODIC),
    GradedItem("up_endplate", "UP endplate", "Upper endplate changes or Schmorl nodes", _ABSENT_OR_PRESENT),
    GradedItem("low_endplate", "LOW endplate", "Lower endplate changes or Schmorl nodes", _ABSENT_OR_PRESENT),
    GradedItem("spondylolisthesis", "Spondylolisthesis", "Spondylolisthesis", _ABSENT_OR_PRESENT),
    GradedItem("herniation", "Disc herniation", "Disc herniation", _ABSENT_OR_PRESENT),
    GradedItem("narrowing", "Disc narrowing", "Disc narrowing", _ABSENT_OR_PRESENT),
    GradedItem("bulging", "Disc bulging", "Disc bulging", _ABSENT_OR_PRESENT),
    GradedItem("pfirrmann", "Pfirrman grade", "Pfirrmann grade", _PFIRRMANN),
)


def graded_item(key: str) -> GradedItem:
    """The item of a DiscGrading field. Raises KeyError for another name."""
    return {item.key: item for item in GRADED_ITEMS}[key]
