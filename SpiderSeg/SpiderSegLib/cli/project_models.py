"""`spiderseg project freeze|models|promote|reject|rollback`: who judges models, and which model counts."""

from __future__ import annotations

import logging
from pathlib import Path

import typer

from SpiderSegLib.annotation_project.decisions import read_decisions
from SpiderSegLib.annotation_project.models import champion, read_models
from SpiderSegLib.annotation_project.project import open_project
from SpiderSegLib.annotation_project.validation_patients import choose_patients, freeze, patients_of, refusals
from SpiderSegLib.retraining.project_round import promote, reject, roll_back, unfinished_round
from SpiderSegLib.text_table import aligned

logger = logging.getLogger(__name__)


def freeze_patients(root: Path, patients: list[str], number: int | None, seed: int, person: str, comment: str) -> int:
    """Freezes the patients named, or so many by chance; with neither, prints who may be frozen and who not. Returns 0.

    Raises ProjectError naming each patient that may not be frozen, and why.
    """
    project = open_project(root)
    if not patients and number is None:
        everyone = list(patients_of(project))
        refused = {one.patient_id: one.reason for one in refusals(project, everyone)}
        rows = [[patient, f"no: {refused[patient]}" if patient in refused else "may be frozen"] for patient in everyone]
        typer.echo(aligned([["patient", ""], *rows], has_numbers=False))
        return 0
    if patients and number is not None:
        raise typer.BadParameter("give patients, or --number for a choice by chance, not both")
    chosen = patients or list(choose_patients(project, number or 0, seed))
    given_up = unfinished_round(project)
    decision = freeze(project, chosen, person, comment)
    typer.echo(f"frozen for validation, never to be trained on: {', '.join(decision.patients)}")
    if given_up is not None and unfinished_round(project) is None:
        logger.warning(
            "the unfinished round of %s trains on one of them and is given up; spiderseg project retrain begins a new one", given_up.model_id
        )
    return 0


def models(root: Path) -> int:
    """Prints the models of a project and what was decided about them. Returns 0."""
    project = open_project(root)
    known = read_models(project)
    present = champion(project).model_id if known else ""
    rows = [["model", "generation", "from", "patients trained on", ""]]
    for model in known.values():
        mark = "champion" if model.model_id == present else ""
        rows.append([model.model_id, str(model.generation), model.parent, str(len(model.training_patients)), mark])
    typer.echo(aligned(rows, has_numbers=False))
    for decision in read_decisions(project.folder):
        subject = decision.model_id or ", ".join(decision.patients)
        comment = f": {decision.comment}" if decision.comment else ""
        typer.echo(f"{decision.created_utc[:19]}  {decision.choice.value} {subject} by {decision.person}{comment}")
    return 0


def promote_model(root: Path, model_id: str, person: str, comment: str) -> int:
    """Makes a model the champion because a person says so. Returns 0."""
    promote(open_project(root), model_id, person, comment)
    typer.echo(f"{model_id} is the champion now; spiderseg project predict segments the open series with it")
    return 0


def reject_model(root: Path, model_id: str, person: str, comment: str) -> int:
    """Writes down that a challenger was not taken. Returns 0."""
    reject(open_project(root), model_id, person, comment)
    typer.echo(f"{model_id} was rejected; the champion stays")
    return 0


def roll_back_model(root: Path, model_id: str, person: str, comment: str) -> int:
    """Makes an earlier model the champion again. Returns 0."""
    decision = roll_back(open_project(root), person, model_id, comment)
    typer.echo(f"{decision.model_id} is the champion again")
    return 0
