"""`spiderseg project grade`: the radiological gradings of one disc."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import typer

from SpiderSegLib.annotation_project.grading_records import read_gradings_history, save_gradings
from SpiderSegLib.annotation_project.project import Project, open_project
from SpiderSegLib.annotation_project.validation_patients import patients_of
from SpiderSegLib.errors import ProjectError
from SpiderSegLib.gradings import GRADED_ITEMS, DiscGrading, GradedItem
from SpiderSegLib.text_table import aligned


def grade(root: Path, patient: str, disc: int, annotator: str, grades: Sequence[str]) -> int:
    """Sets the grades given ('pfirrmann=4', 'modic=' for not graded) and prints all of the disc. Returns 0.

    Raises ProjectError for a patient who is none of the project's, DatasetError for a grade that does not exist.
    """
    project = open_project(root)
    _require_patient(project, patient)
    history = read_gradings_history(project.folder, patient)
    grading = history.current.disc(disc)
    for text in grades:
        item, value = _parsed(text)
        grading = grading.with_grade(item.key, value)
    if grades:
        parents = [head.id for head in history.heads]
        save_gradings(project.folder, history.current.with_disc(grading), annotator, parents)
    typer.echo(f"patient {patient}, disc {disc} (label {grading.label_value})")
    typer.echo(aligned([_row(item, grading) for item in GRADED_ITEMS], has_numbers=False))
    return 0


def _require_patient(project: Project, patient: str) -> None:
    known = patients_of(project)
    if patient not in known:
        raise ProjectError(f"{patient}: no such patient in the project; it has {', '.join(list(known)[:8]) or 'none'}")


def _parsed(text: str) -> tuple[GradedItem, int | None]:
    key, equals, value = text.partition("=")
    item = next((item for item in GRADED_ITEMS if item.key == key.strip().lower()), None)
    if item is None or not equals:
        raise typer.BadParameter(
            f"expected ITEM=GRADE with one of {', '.join(item.key for item in GRADED_ITEMS)}, found {text!r}", param_hint="--set"
        )
    if not value.strip():
        return item, None
    if not value.strip().isdecimal() or int(value) not in item.values:
        allowed = ", ".join(f"{grade.value} ({grade.name})" for grade in item.grades)
        raise typer.BadParameter(f"expected as {item.key} {allowed}, found {value!r}", param_hint="--set")
    return item, int(value)


def _row(item: GradedItem, grading: DiscGrading) -> list[str]:
    value = grading.grade(item.key)
    found = next((grade for grade in item.grades if grade.value == value), None)
    return [item.key, "not graded" if found is None else f"{found.value}  {found.name}", "" if found is None else found.meaning]
