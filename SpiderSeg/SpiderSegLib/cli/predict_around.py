"""`spiderseg predict --around` and `--replace`: one vertebra or disc at a point, beside the labels of a labelmap."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from SpiderSegLib.atomic import make_folder
from SpiderSegLib.cli import predict as whole
from SpiderSegLib.cli.console import STARTING, Progress, ProgressStyle, make_progress
from SpiderSegLib.cli.inputs import SeriesInput, find_series
from SpiderSegLib.errors import InputError, LabelError
from SpiderSegLib.labels import Structure, structure_of
from SpiderSegLib.outputs import OutputPaths
from SpiderSegLib.segmentation_files import DICOM, NamedLabelmap, format_of, read_segmentation, sidecar_of, stem_of
from SpiderSegLib.stages import Stage, StageClock

if TYPE_CHECKING:
    from SpiderSegLib.around import LocalResult
    from SpiderSegLib.inference import Predictor

logger = logging.getLogger(__name__)

STRUCTURES = {"vertebra": Structure.VERTEBRA, "disc": Structure.DISC}


@dataclass(frozen=True)
class AroundOptions:
    """The options of `spiderseg predict` that ask for one structure at a point; point None means: inside the label that is replaced."""

    keep: Path
    structure: Structure
    point_lps_mm: tuple[float, float, float] | None = None
    replace: int | None = None
    value: int | None = None
    only: bool = False
    shift_others: bool = False


def around_options(
    around: str | None, structure: str | None, keep: Path | None, replaced: int | None, value: int | None, only: bool, shift_others: bool
) -> AroundOptions | None:
    """The options, or None when a whole run is asked for. Raises typer.BadParameter for what does not go together."""
    if around is None and replaced is None:
        for option, is_given in (
            ("--structure", structure is not None),
            ("--keep", keep is not None),
            ("--value", value is not None),
            ("--only", only),
            ("--shift-others", shift_others),
        ):
            if is_given:
                raise typer.BadParameter(f"{option} goes with --around X,Y,Z or --replace VALUE")
        return None
    if keep is None:
        raise typer.BadParameter("--around and --replace need the present labelmap: give it with --keep LABELMAP")
    point = None if around is None else parse_point(around)
    return AroundOptions(keep, _structure(structure, replaced), point, replaced, value, only, shift_others)


def parse_point(text: str) -> tuple[float, float, float]:
    """'X,Y,Z' as three numbers. Raises typer.BadParameter."""
    try:
        x, y, z = (float(part) for part in text.split(","))
    except ValueError as error:
        raise typer.BadParameter(f"expected a point X,Y,Z in LPS millimetres, such as -3.5,40,12, found {text!r}", param_hint="--around") from error
    return x, y, z


def _structure(name: str | None, replaced: int | None) -> Structure:
    if name is not None and name not in STRUCTURES:
        raise typer.BadParameter(f"expected {' or '.join(STRUCTURES)}, found {name!r}", param_hint="--structure")
    if replaced is None:
        if name is None:
            raise typer.BadParameter("--around needs what to look for: give --structure vertebra or --structure disc")
        return STRUCTURES[name]
    try:
        found = structure_of(replaced)
    except LabelError as error:
        raise typer.BadParameter(str(error), param_hint="--replace") from error
    if found not in STRUCTURES.values() or (name is not None and STRUCTURES[name] is not found):
        raise typer.BadParameter(f"expected the value of a {name or 'vertebra or disc'}, found {replaced}", param_hint="--replace")
    return found


def predict_around(inputs: Sequence[Path], out: Path, options: whole.PredictOptions, around: AroundOptions) -> int:
    """Segments one structure of one series beside the labels kept; returns 0.

    Raises typer.BadParameter (usage) for several series and for options of whole runs; OutputError when the output exists or can't be
    made; NothingFound and what else segment_around raises; then nothing was written.
    """
    _refuse_whole_run_options(options)
    with closing(make_progress(options.progress, "starting")) as starting:
        starting.report(STARTING, 0.0, "loading")
        series, paths = _one_job(inputs, out, options, around)
        started = time.perf_counter()
        predictor = whole.load_predictor(options)
        import_seconds = time.perf_counter() - started
    with closing(make_progress(options.progress, series.stem)) as progress:
        result = _segment(series, paths, predictor, around, progress, import_seconds)
    _say(result, paths, options)
    return 0


def _refuse_whole_run_options(options: whole.PredictOptions) -> None:
    for name, is_given in (("--overlay", options.overlay), ("--probabilities", options.probabilities), ("--dicom", options.dicom is not None)):
        if is_given:
            raise typer.BadParameter(f"{name} does not go with --around and --replace")


def _one_job(inputs: Sequence[Path], out: Path, options: whole.PredictOptions, around: AroundOptions) -> whole.Job:
    found = find_series(list(inputs), list(options.series))
    if len(found.series) != 1:
        raise typer.BadParameter(
            f"--around and --replace work on exactly one series, found {len(found.series)}; of a DICOM study choose one with --series"
        )
    whole.refuse_useless_selection(found, options)
    (job,) = whole.plan_outputs(found.series, out, options)
    series, paths = job
    if series.error is not None:
        raise series.error
    if format_of(paths.labelmap) == DICOM:
        raise typer.BadParameter("--around and --replace don't write DICOM SEG; write a labelmap, and convert it when the segmentation is done")
    for path in paths.all:
        if whole.is_same_file(path, around.keep) or whole.is_same_file(path, around.keep.with_name(f"{stem_of(around.keep)}.json")):
            raise typer.BadParameter(f"the output {path} is the labelmap to keep, or its sidecar; choose another output")
    whole.without_existing([job], options.overwrite, is_batch=False)
    whole.check_folder(paths.labelmap.parent)
    return job


def _segment(
    series: SeriesInput, paths: OutputPaths, predictor: Predictor, around: AroundOptions, progress: Progress, import_seconds: float
) -> LocalResult:
    """Reads, segments and writes. Raises SpiderSegError; then nothing was written."""
    from SpiderSegLib.around import point_inside, segment_around

    clock = StageClock(lambda stage, share: progress.report(stage.value, share))
    clock.seconds[Stage.IMPORT.value] = import_seconds
    try:
        with clock.stage(Stage.READ):
            volume = series.read()
            kept = _read_kept(around.keep)
            # Without a point there is a label to replace: around_options sees to it.
            point = around.point_lps_mm or point_inside(kept.labelmap, around.replace or 0)
        result = segment_around(volume, kept.labelmap, point, around.structure, predictor, replace=around.replace, value=around.value, clock=clock)
        with clock.stage(Stage.WRITE):
            make_folder(paths.labelmap.parent)
            _write(result, kept, paths, around, like=series.path if series.dicom is None else None)
    except MemoryError as error:
        raise InputError(f"{series.title}: not enough memory for a series of this size; close other programs") from error
    return result


def _read_kept(path: Path) -> NamedLabelmap:
    read = read_segmentation(path)
    for warning in read.warnings:
        logger.warning("%s: %s", path, warning)
    return replace(read.named, labelmap=replace(read.named.labelmap, name=str(path)))


def _write(result: LocalResult, kept: NamedLabelmap, paths: OutputPaths, around: AroundOptions, like: Path | None) -> None:
    from SpiderSegLib.around import write_merged, write_only

    if around.only:
        write_only(result, paths, kept.naming, like)
        return
    facts = sidecar_of(around.keep)
    write_merged(result, kept, paths, around.shift_others, facts.record if facts else None, like)


def _say(result: LocalResult, paths: OutputPaths, options: whole.PredictOptions) -> None:
    if result.needs_shift:
        logger.warning("the new %s lies below level 1: the others belong %d higher", result.structure.name.lower(), result.needs_shift)
    if options.progress is ProgressStyle.BAR:
        typer.echo(
            f"{paths.labelmap}   {result.structure.name.lower()} {result.value} added: confidence {result.confidence:.2f}, "
            f"{result.volume_mm3 / 1000:.1f} ml   {sum(result.seconds.values()):.1f} s on {result.plan.device}"
        )
