"""`spiderseg project init|verify|rebuild`: making a project and keeping it whole."""

from __future__ import annotations

import logging
from pathlib import Path

import typer
from tqdm import tqdm

from SpiderSegLib.annotation_project.models import add_model, read_models
from SpiderSegLib.annotation_project.project import create_project, is_project, open_project
from SpiderSegLib.annotation_project.rebuilding import rebuild
from SpiderSegLib.annotation_project.verification import Harm, verify
from SpiderSegLib.errors import ProjectError
from SpiderSegLib.paths import MODEL_WEIGHTS, data_path

logger = logging.getLogger(__name__)


def init(root: Path, name: str, weights: str | None) -> int:
    """Makes a project with its first model, or gives one whose making was interrupted its model. Returns 0.

    Raises ProjectError when the folder holds something else, WeightsError for weights that are none.
    """
    from SpiderSegLib.bundle import write_bundle
    from SpiderSegLib.weights import BUNDLED, load_weights

    checkpoint = load_weights(weights)
    project = open_project(root) if is_project(root) else create_project(root, name)
    if read_models(project):
        raise ProjectError(f"{root}: holds a project already")
    bundle = data_path(MODEL_WEIGHTS, BUNDLED) if weights is None else Path(weights)
    if not (bundle / "models").is_dir():
        bundle = project.folder.model(checkpoint.provenance.model_id)
        write_bundle(checkpoint, bundle)
    model = add_model(project, bundle, checkpoint.provenance)
    typer.echo(f"{root}: project {project.name!r}, model {model.model_id} (generation 0)")
    typer.echo(f"next: spiderseg project import {root} YOUR_SERIES")
    return 0


def verify_project(root: Path) -> int:
    """Prints every problem; returns 0 when everything is whole, else 1."""
    problems = verify(open_project(root))
    for problem in problems:
        typer.echo(f"{problem.harm.value}: {problem.path}: {problem.message}")
    lost = sum(problem.harm is Harm.LOST for problem in problems)
    if not problems:
        typer.echo(f"{root}: everything is whole")
        return 0
    typer.echo(f"{root}: {lost} damaged or missing, {len(problems) - lost} that spiderseg project rebuild settles")
    return 1


def rebuild_project(root: Path, is_forgetting_lost: bool) -> int:
    """Makes everything derived again and says what it did. Returns 0."""
    done = rebuild(open_project(root), is_forgetting_lost, track=lambda series: tqdm(series, "rebuilding", unit="series"))
    for title, paths in (("finished", done.finished), ("removed", done.removed), ("moved to", done.recovered)):
        for path in paths:
            logger.info("%s: %s", title, path)
    typer.echo(f"{root}: rebuilt; {len(done.finished)} interrupted saves finished, {len(done.removed)} unfinished files removed")
    return 0
