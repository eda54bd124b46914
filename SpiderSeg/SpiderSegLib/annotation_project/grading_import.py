"""The gradings beside imported series, as first records of their patients."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from SpiderSegLib.annotation_project.grading_records import GradingsHistory, of_patient, read_gradings_history, save_gradings
from SpiderSegLib.annotation_project.import_report import ImportOptions, Remark, Tally
from SpiderSegLib.corrections.folder import ProjectFolder
from SpiderSegLib.corrections.records import Clock
from SpiderSegLib.errors import DatasetError
from SpiderSegLib.gradings import GRADINGS_NAME, PatientGradings, read_gradings


def import_gradings(folder: ProjectFolder, places: Sequence[Path], options: ImportOptions, tally: Tally, clock: Clock) -> None:
    """Takes in radiological_gradings.csv from the first of these folders that has it, for the patients of this import.

    Gradings that the project has stay; a file that can't be read is reported.
    """
    path = next((place / GRADINGS_NAME for place in places if (place / GRADINGS_NAME).is_file()), None)
    if path is None:
        return
    try:
        gradings = read_gradings(path)
    except DatasetError as error:
        # The reason quotes the file, patients' ids among it.
        tally.failed.append(Remark(GRADINGS_NAME, "not as SPIDER's; nothing of it was taken in" if options.new_ids else str(error)))
        return
    for original, patient_id in tally.patients.items():
        graded = gradings.patient(original)
        if graded.discs:
            _import_patient(folder, of_patient(graded, patient_id), options, tally, clock)
    flagged = [row for row in gradings.flagged if row.patient_id in tally.patients]
    tally.notes.extend(Remark(f"{GRADINGS_NAME}, row {row.row}", f"patient {tally.patients[row.patient_id]}: {row.reason}; kept") for row in flagged)


def _import_patient(folder: ProjectFolder, gradings: PatientGradings, options: ImportOptions, tally: Tally, clock: Clock) -> None:
    history = read_gradings_history(folder, gradings.patient_id)
    if _has(history, gradings):
        return
    if history.records or history.damaged:
        tally.skipped.append(Remark(f"gradings of patient {gradings.patient_id}", "the project has others already; they stay"))
        return
    save_gradings(folder, gradings, options.annotator, clock=clock)
    tally.gradings += 1


def _has(history: GradingsHistory, gradings: PatientGradings) -> bool:
    return any(record.gradings == gradings for record in history.records)
