"""`spiderseg evaluate`: scores predicted labelmaps against references."""

from __future__ import annotations

from pathlib import Path

import typer

from SpiderSegLib.evaluation import ReferenceKind, csv_text, evaluate_files, json_text, table_text
from SpiderSegLib.io import write_text_atomically


def evaluate(prediction: Path, reference: Path, json_path: Path | None, csv_path: Path | None, reference_kind: str) -> int:
    """Writes the table of scores to stdout and, on request, JSON and CSV files; returns 0, or 1 when a series failed.

    Raises typer.BadParameter for an unknown reference kind, DatasetError and OutputError as the functions it calls.
    """
    kinds = [kind.value for kind in ReferenceKind]
    if reference_kind not in kinds:
        raise typer.BadParameter(f"expected one of {', '.join(kinds)}, found {reference_kind}", param_hint="--reference-kind")
    evaluation = evaluate_files(prediction, reference, ReferenceKind(reference_kind))
    typer.echo(table_text(evaluation))
    if json_path is not None:
        write_text_atomically(json_path, json_text(evaluation))
    if csv_path is not None:
        write_text_atomically(csv_path, csv_text(evaluation))
    return 1 if evaluation.failed else 0
