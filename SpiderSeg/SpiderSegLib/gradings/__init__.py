"""Radiological gradings of the discs, in SPIDER's columns: radiological_gradings.csv is read and written value for value.

`items` is the table of what is graded and how, from which a form can be built, `disc` one graded disc, `patient` the discs of one patient
with their JSON form, `collection` those of many patients, `files` the CSV file.
"""

from SpiderSegLib.gradings.collection import FlaggedRow, Gradings
from SpiderSegLib.gradings.disc import HIGHEST_DISC, NO_DISC, DiscGrading
from SpiderSegLib.gradings.files import GRADINGS_NAME, gradings_bytes, read_gradings, write_gradings
from SpiderSegLib.gradings.items import DISC_COLUMN, GRADED_ITEMS, PATIENT_COLUMN, Grade, GradedItem, graded_item
from SpiderSegLib.gradings.patient import SCHEMA_VERSION, PatientGradings

__all__ = [
    "DISC_COLUMN",
    "GRADED_ITEMS",
    "GRADINGS_NAME",
    "HIGHEST_DISC",
    "NO_DISC",
    "PATIENT_COLUMN",
    "SCHEMA_VERSION",
    "DiscGrading",
    "FlaggedRow",
    "Grade",
    "GradedItem",
    "Gradings",
    "PatientGradings",
    "graded_item",
    "gradings_bytes",
    "read_gradings",
    "write_gradings",
]
