"""`spiderseg predict`: segment series and write labelmap, sidecar and, on request, overlay and probabilities."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from SpiderSegLib.atomic import make_folder
from SpiderSegLib.cli.console import STARTING, Progress, ProgressStyle, make_progress
from SpiderSegLib.cli.inputs import FoundSeries, SeriesInput, find_series
from SpiderSegLib.errors import Cancelled, InputError, OutputError, SpiderSegError
from SpiderSegLib.outputs import OutputPaths
from SpiderSegLib.ranks import Rank
from SpiderSegLib.segmentation_files import (
    DICOM,
    SEGMENTATION_FORMATS,
    DicomSource,
    check_highdicom,
    find_source,
    format_of,
    image_format_beside,
    stem_of,
    suffix_of,
)
from SpiderSegLib.stages import Stage, StageClock

if TYPE_CHECKING:
    from SpiderSegLib.inference import Predictor
    from SpiderSegLib.pipeline import Segmentation
    from SpiderSegLib.volume import Volume

logger = logging.getLogger(__name__)

DEFAULT_FORMAT = "mha"

#: A series and where its files go.
Job = tuple[SeriesInput, OutputPaths]


@dataclass(frozen=True)
class PredictOptions:
    """The options of `spiderseg predict`; file_format None means: as OUT's suffix says, else mha.

    dicom is the folder of the original series, for DICOM SEG of inputs that are no DICOM themselves.
    """

    device: str = "auto"
    weights: str | None = None
    file_format: str | None = None
    series: tuple[str, ...] = ()
    probabilities: bool = False
    overlay: bool = False
    progress: ProgressStyle = ProgressStyle.BAR
    mirror: bool = False
    overwrite: bool = False
    dicom: Path | None = None


def predict(inputs: Sequence[Path], out: Path, options: PredictOptions) -> int:
    """Segments every series of `inputs`; returns 0, or 1 when any failed. Of several processes (torchrun) each takes its share.

    Raises typer.BadParameter (usage, before anything runs) for two inputs of one name, an output that is an input, a format that
    contradicts OUT's suffix, --series without a DICOM study, or DICOM SEG without the original series; OutputError when the single output
    exists or OUT can't be made.
    """
    rank = Rank.from_environment()
    with closing(make_progress(options.progress, "starting")) as starting:
        starting.report(STARTING, 0.0, "loading")
        found = find_series(list(inputs), list(options.series))
        refuse_useless_selection(found, options)
        jobs = plan_outputs(found.series, out, options)
        _refuse_missing_dicom(jobs, options)
        for name, reason in found.left_out:
            logger.info("left out: %s: %s", name, reason)
        is_batch = len(jobs) > 1
        # Shared out before looking at what exists: another process may be writing it now.
        jobs = list(rank.share_of(jobs))
        waiting, skipped = without_existing(jobs, options.overwrite, is_batch)
        for _, paths in waiting:
            check_folder(paths.labelmap.parent)
        failed = [series for series, _ in waiting if series.error is not None]
        for series in failed:
            _log_failure(series, series.error)
        waiting = [job for job in waiting if job[0].error is None]
        started = time.perf_counter()
        predictor = load_predictor(options, rank) if waiting else None
        import_seconds = time.perf_counter() - started
    if predictor is not None:
        failed += _segment_all(waiting, predictor, options, import_seconds)
    if rank.is_of_torchrun:
        _wait_for_others(rank)
    return _summarize(found, len(jobs) - skipped - len(failed), skipped, failed)


def _wait_for_others(rank: Rank) -> None:
    """torchrun ends all processes when one of them ends with a failure."""
    from SpiderSegLib.processes import joined, wait_for_all

    with joined(rank, "cpu"):
        wait_for_all(rank)


def _segment_all(jobs: Sequence[Job], predictor: Predictor, options: PredictOptions, import_seconds: float) -> list[SeriesInput]:
    """Segments one series after another; returns those that failed."""
    failed = []
    for number, (series, paths) in enumerate(jobs):
        try:
            with closing(make_progress(options.progress, series.stem, number, len(jobs))) as progress:
                result = segment_series(series, paths, predictor, progress, import_seconds if number == 0 else 0.0, options)
        except Cancelled:
            raise
        except SpiderSegError as error:
            _log_failure(series, error)
            failed.append(series)
            continue
        _say(result, paths, options)
    return failed


def _log_failure(series: SeriesInput, error: SpiderSegError | None) -> None:
    logger.error("%s", error if str(series.path) in str(error) else f"{series.title}: {error}")


def load_predictor(options: PredictOptions, rank: Rank | None = None) -> Predictor:
    """The network on the wished device, of several processes each on a GPU of its own; imports torch and MONAI."""
    from SpiderSegLib.inference import InferenceConfig, Predictor, device_of, resolve_device
    from SpiderSegLib.weights import load_weights

    device = device_of(rank or Rank(), resolve_device(options.device))
    return Predictor(load_weights(options.weights), device, InferenceConfig(mirror=options.mirror))


def segment_series(
    series: SeriesInput,
    paths: OutputPaths,
    predictor: Predictor,
    progress: Progress,
    import_seconds: float = 0.0,
    options: PredictOptions | None = None,
) -> Segmentation:
    """Reads, segments and writes one series. Raises SpiderSegError; then nothing of it was written."""
    from SpiderSegLib.pipeline import segment
    from SpiderSegLib.results import write_outputs

    options = options or PredictOptions()
    clock = StageClock(lambda stage, share: progress.report(stage.value, share))
    if import_seconds:
        clock.seconds[Stage.IMPORT.value] = import_seconds
    try:
        with clock.stage(Stage.READ):
            volume = series.read()
            source = _dicom_source(series, volume, options) if format_of(paths.labelmap) == DICOM else None
        result = segment(volume, predictor, clock)
        with clock.stage(Stage.WRITE):
            make_folder(paths.labelmap.parent)
            write_outputs(result, paths, like=series.path if series.dicom is None else None, source=source)
    except MemoryError as error:
        raise InputError(f"{series.title}: not enough memory for a series of this size; close other programs") from error
    return result


def _dicom_source(series: SeriesInput, volume: Volume, options: PredictOptions) -> DicomSource:
    """The series a DICOM SEG refers to: the input's own, else the one in --dicom with the same voxels. Raises InputError."""
    if series.dicom is not None:
        return DicomSource.of(series.dicom)
    if options.dicom is None:
        raise InputError(f"{series.title}: DICOM SEG refers to the original DICOM series: give its folder with --dicom DIR")
    return find_source(options.dicom, volume.geometry, series.title, options.series[0] if options.series else None)


def plan_outputs(series: Sequence[SeriesInput], out: Path, options: PredictOptions) -> list[Job]:
    """Where each series' files go. Raises typer.BadParameter as `predict`."""
    file_format = "" if out.is_dir() else format_of(out)
    if len(series) == 1 and file_format:
        if file_format == "mhd":
            raise typer.BadParameter(f"{out}: .mhd would be two files; use .mha")
        if options.file_format is not None and options.file_format != file_format:
            raise typer.BadParameter(f"--format {options.file_format} contradicts the output {out.name}")
        targets = [out]
    else:
        file_format = options.file_format or DEFAULT_FORMAT
        targets = [out / f"{one.stem}{suffix_of(file_format)}" for one in series]
    jobs = [(one, _output_paths(target, file_format, options)) for one, target in zip(series, targets, strict=True)]
    _refuse_collisions(jobs)
    return jobs


def _output_paths(labelmap: Path, file_format: str, options: PredictOptions) -> OutputPaths:
    stem = stem_of(labelmap)
    return OutputPaths(
        labelmap,
        labelmap.with_name(f"{stem}.json"),
        labelmap.with_name(f"{stem}_overlay.png") if options.overlay else None,
        labelmap.with_name(f"{stem}_probabilities.{image_format_beside(file_format)}") if options.probabilities else None,
    )


def _refuse_collisions(jobs: Sequence[Job]) -> None:
    writers: dict[Path, SeriesInput] = {}
    for series, paths in jobs:
        for path in paths.all:
            if path in writers:
                raise typer.BadParameter(
                    f"several inputs would be written to {path}: {writers[path].title}, {series.title}; run them into different folders"
                )
            writers[path] = series
    for path in writers:
        for series, _ in jobs:
            if is_same_file(path, series.path):
                raise typer.BadParameter(f"the output {path} is an input; choose another output")


def is_same_file(output: Path, source: Path) -> bool:
    """Whether both are one file, also through links and on file systems that don't tell a from A."""
    return output.resolve() == source.resolve() or (output.exists() and source.exists() and output.samefile(source))


def refuse_useless_selection(found: FoundSeries, options: PredictOptions) -> None:
    if options.series and options.dicom is None and all(series.dicom is None and series.error is None for series in found.series):
        raise typer.BadParameter("--series selects in a DICOM folder, and no INPUT is one")


def _refuse_missing_dicom(jobs: Sequence[Job], options: PredictOptions) -> None:
    """Raises typer.BadParameter when a DICOM SEG has no series to refer to, MissingPackageError when it can't be written here."""
    if all(format_of(paths.labelmap) != DICOM for _, paths in jobs):
        if options.dicom is not None:
            raise typer.BadParameter("--dicom names the series a DICOM SEG refers to; give --format dicom-seg too")
        return
    check_highdicom()
    if options.dicom is None:
        for series, _ in jobs:
            if series.dicom is None and series.error is None:
                raise typer.BadParameter(f"DICOM SEG refers to the original DICOM series: give that of {series.title} with --dicom DIR")


def without_existing(jobs: list[Job], overwrite: bool, is_batch: bool) -> tuple[list[Job], int]:
    """The jobs of which no output exists, and how many others there are. Raises OutputError when it is no batch but one series."""
    existing = [[] if overwrite else [path for path in paths.all if path.exists()] for _, paths in jobs]
    if not is_batch and jobs and existing[0]:
        raise OutputError(f"{existing[0][0]} exists; give --overwrite to replace it")
    waiting = [job for job, found in zip(jobs, existing, strict=True) if not found]
    return waiting, len(jobs) - len(waiting)


def check_folder(folder: Path) -> None:
    """Raises OutputError when a folder is none, or can't be made, before time is spent on what would go there."""
    nearest = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    if not nearest.is_dir():
        raise OutputError(f"{folder}: expected a folder for the results, but {nearest} is a file")
    if not os.access(nearest, os.W_OK):
        raise OutputError(f"{folder}: can't write to {nearest}: permission denied")


def _say(result: Segmentation, paths: OutputPaths, options: PredictOptions) -> None:
    from SpiderSegLib.results import level_table

    for warning in result.warnings:
        logger.warning("%s: %s", Path(result.volume.name).name, warning)
    if options.progress is ProgressStyle.BAR:
        source = f"{result.sequence.sequence.value} (from the {result.sequence.source})"
        typer.echo(f"{paths.labelmap}   {source}   {sum(result.seconds.values()):.1f} s on {result.plan.device}")
        typer.echo(level_table(result) + "\n")


def _summarize(found: FoundSeries, done: int, skipped: int, failed: Sequence[SeriesInput]) -> int:
    if len(found.series) > 1 or skipped:
        logger.info("%d segmented, %d skipped because their output exists (--overwrite replaces them), %d failed", done, skipped, len(failed))
        for series in failed:
            logger.info("failed: %s", series.title)
    return 1 if failed else 0


def check_format(file_format: str | None) -> str | None:
    """The format if it can be written. Raises typer.BadParameter."""
    if file_format is not None and file_format not in SEGMENTATION_FORMATS:
        raise typer.BadParameter(f"expected the format {', '.join(SEGMENTATION_FORMATS)}, found {file_format!r}")
    return file_format
