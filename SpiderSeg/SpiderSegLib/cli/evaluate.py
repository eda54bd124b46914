"""`spiderseg evaluate`: scores predicted labelmaps against references, compares two sets of them, or ranks several."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import typer

from SpiderSegLib.atomic import write_together
from SpiderSegLib.errors import OutputError
from SpiderSegLib.evaluation import (
    BootstrapConfig,
    Evaluation,
    ReferenceKind,
    compare,
    csv_text,
    evaluate_files,
    evaluation_html,
    json_text,
    levels_csv_text,
    rank,
    table_text,
    to_json_object,
)
from SpiderSegLib.evaluation.report import (
    comparison_csv_text,
    comparison_html,
    comparison_object,
    comparison_text,
    ranking_csv_text,
    ranking_object,
    ranking_text,
)
from SpiderSegLib.evaluation.report.worst_cases import find_images
from SpiderSegLib.io import bytes_writer


@dataclass(frozen=True)
class EvaluateOptions:
    """Options of the command; paths are None for outputs that were not asked for."""

    reference_kind: str = "auto"
    json_path: Path | None = None
    csv_path: Path | None = None
    levels_csv_path: Path | None = None
    html_path: Path | None = None
    images: Path | None = None
    worst: int = 4
    compare: bool = False
    rank: bool = False
    bootstrap: BootstrapConfig = field(default_factory=BootstrapConfig)

    @property
    def outputs(self) -> dict[str, Path]:
        """The files that were asked for, by option."""
        paths = {"--json": self.json_path, "--csv": self.csv_path, "--levels-csv": self.levels_csv_path, "--html": self.html_path}
        return {option: path for option, path in paths.items() if path is not None}


def evaluate(paths: Sequence[Path], options: EvaluateOptions) -> int:
    """Writes tables to stdout and the files that were asked for, all or none; returns 0, or 1 when a series failed.

    `paths` are the predictions and, last, the references. Raises typer.BadParameter for paths and options that don't go together,
    DatasetError and OutputError as the functions it calls; an output folder that is missing is told before anything is scored.
    """
    kind = _checked(paths, options)
    for option, path in options.outputs.items():
        if not path.absolute().parent.is_dir():
            raise OutputError(f"{path}: can't write {option}: the folder {path.parent} does not exist")
    find_images(options.images)  # a wrong folder is told before anything is scored, too
    *predictions, references = paths
    evaluations = {str(path): evaluate_files(path, references, kind) for path in predictions}
    if options.compare:
        texts = _comparison(evaluations, options)
    elif options.rank:
        texts = _ranking(evaluations, options)
    else:
        texts = _evaluation(next(iter(evaluations.values())), options)
    write_together({path: bytes_writer(texts[option].encode("utf-8")) for option, path in options.outputs.items()})
    return 1 if any(evaluation.failed for evaluation in evaluations.values()) else 0


def _checked(paths: Sequence[Path], options: EvaluateOptions) -> ReferenceKind:
    kinds = [kind.value for kind in ReferenceKind]
    if options.reference_kind not in kinds:
        raise typer.BadParameter(f"expected one of {', '.join(kinds)}, found {options.reference_kind}", param_hint="--reference-kind")
    if options.compare and options.rank:
        raise typer.BadParameter("--compare and --rank exclude each other")
    if options.compare and len(paths) != 3:
        raise typer.BadParameter(f"expected A B REFERENCES after --compare, found {len(paths)} paths")
    if options.rank and len(paths) < 3:
        raise typer.BadParameter(f"expected at least two sets of predictions and REFERENCES after --rank, found {len(paths)} paths")
    if not (options.compare or options.rank) and len(paths) != 2:
        raise typer.BadParameter(f"expected PREDICTIONS REFERENCES, found {len(paths)} paths; several predictions need --compare or --rank")
    twice = sorted({str(path) for path in paths[:-1] if paths[:-1].count(path) > 1})
    if twice:
        raise typer.BadParameter(f"expected different predictions, found {', '.join(twice)} twice")
    _check_outputs(options)
    return ReferenceKind(options.reference_kind)


def _check_outputs(options: EvaluateOptions) -> None:
    if (options.compare or options.rank) and (options.levels_csv_path or options.images):
        raise typer.BadParameter("--levels-csv and --images are for one set of predictions, without --compare and --rank")
    if options.rank and options.html_path:
        raise typer.BadParameter("--html is for one set of predictions, or for --compare")
    if options.images and not options.html_path:
        raise typer.BadParameter("--images needs --html: the images are the background of the report's pictures")
    outputs = options.outputs
    if len({path.absolute() for path in outputs.values()}) < len(outputs):
        raise typer.BadParameter(f"expected a file of its own for each of {', '.join(outputs)}")


def _evaluation(evaluation: Evaluation, options: EvaluateOptions) -> dict[str, str]:
    typer.echo(table_text(evaluation, options.bootstrap))
    makers = {
        "--json": lambda: json_text(to_json_object(evaluation, options.bootstrap)),
        "--csv": lambda: csv_text(evaluation),
        "--levels-csv": lambda: levels_csv_text(evaluation, options.bootstrap),
        "--html": lambda: evaluation_html(evaluation, images=find_images(options.images), worst=options.worst, bootstrap=options.bootstrap),
    }
    return {option: makers[option]() for option in options.outputs}


def _comparison(evaluations: Mapping[str, Evaluation], options: EvaluateOptions) -> dict[str, str]:
    _echo_failures(evaluations)
    (name_a, a), (name_b, b) = evaluations.items()
    comparison = compare(a, b, name_a, name_b, options.bootstrap)
    typer.echo(comparison_text(comparison))
    makers = {
        "--json": lambda: json_text({**comparison_object(comparison), "evaluations": _objects(evaluations, options)}),
        "--csv": lambda: comparison_csv_text(comparison),
        "--html": lambda: comparison_html(comparison),
    }
    return {option: makers[option]() for option in options.outputs}


def _ranking(evaluations: Mapping[str, Evaluation], options: EvaluateOptions) -> dict[str, str]:
    _echo_failures(evaluations)
    ranking = rank(evaluations, options.bootstrap)
    typer.echo(ranking_text(ranking, options.bootstrap))
    makers = {
        "--json": lambda: json_text({**ranking_object(ranking, options.bootstrap), "evaluations": _objects(evaluations, options)}),
        "--csv": lambda: ranking_csv_text(ranking),
    }
    return {option: makers[option]() for option in options.outputs}


def _objects(evaluations: Mapping[str, Evaluation], options: EvaluateOptions) -> dict[str, object]:
    return {name: to_json_object(evaluation, options.bootstrap) for name, evaluation in evaluations.items()}


def _echo_failures(evaluations: Mapping[str, Evaluation]) -> None:
    for name, evaluation in evaluations.items():
        if evaluation.failed:
            lines = [f"Failed in {name}: {len(evaluation.failed)} of {len(evaluation.failed) + len(evaluation.series)} series"]
            typer.echo("\n".join([*lines, *(f"  {failed.series}: {failed.reason}" for failed in evaluation.failed), ""]))
