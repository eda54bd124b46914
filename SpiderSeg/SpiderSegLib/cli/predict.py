"""`spiderseg predict`: segment series and write labelmap, sidecar and, on request, overlay and probabilities."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from SpiderSegLib.cli.console import STARTING, Progress, ProgressStyle, make_progress
from SpiderSegLib.cli.inputs import FoundSeries, SeriesInput, find_series
from SpiderSegLib.errors import Cancelled, OutputError, SpiderSegError
from SpiderSegLib.io import OUTPUT_FORMATS, image_stem, image_suffix
from SpiderSegLib.outputs import OutputPaths
from SpiderSegLib.stages import Stage, StageClock

if TYPE_CHECKING:
    from SpiderSegLib.inference import Predictor
    from SpiderSegLib.pipeline import Segmentation

logger = logging.getLogger(__name__)

DEFAULT_FORMAT = "mha"


@dataclass(frozen=True)
class PredictOptions:
    """The options of `spiderseg predict`; file_format None means: as OUT's suffix says, else mha."""

    device: str = "auto"
    weights: str | None = None
    file_format: str | None = None
    series: tuple[str, ...] = ()
    probabilities: bool = False
    overlay: bool = False
    progress: ProgressStyle = ProgressStyle.BAR
    mirror: bool = False
    overwrite: bool = False


def predict(inputs: Sequence[Path], out: Path, options: PredictOptions) -> int:
    """Segments every series of `inputs`; returns 0, or 1 when any failed.

    Raises typer.BadParameter (usage, before anything runs) for two inputs of one name, an output that is an input, or a format that
    contradicts OUT's suffix; OutputError when the single output exists or OUT can't be made.
    """
    first = make_progress(options.progress, "starting")
    first.report(STARTING, 0.0, "loading")
    found = find_series(list(inputs), list(options.series))
    jobs = plan_outputs(found.series, out, options)
    for name, reason in found.left_out:
        logger.info("left out: %s: %s", name, reason)
    waiting, skipped = _without_existing(jobs, options.overwrite)
    if not waiting:
        first.close()
        return _summarize(found, 0, skipped, [])
    _make_folders(paths for _, paths in waiting)
    started = time.perf_counter()
    predictor = load_predictor(options)
    import_seconds = time.perf_counter() - started
    first.close()
    failed = []
    for number, (series, paths) in enumerate(waiting):
        progress = make_progress(options.progress, series.stem, number, len(waiting))
        try:
            result = segment_series(series, paths, predictor, progress, import_seconds if number == 0 else 0.0)
        except Cancelled:
            raise
        except SpiderSegError as error:
            progress.close()
            logger.error("%s", error if str(series.path) in str(error) else f"{series.title}: {error}")
            failed.append(series)
            continue
        finally:
            progress.close()
        _say(result, paths, options)
    return _summarize(found, len(waiting) - len(failed), skipped, failed)


def load_predictor(options: PredictOptions) -> Predictor:
    """The network on the wished device; imports torch and MONAI."""
    from SpiderSegLib.inference import InferenceConfig, Predictor
    from SpiderSegLib.weights import load_weights

    return Predictor(load_weights(options.weights), options.device, InferenceConfig(mirror=options.mirror))


def segment_series(series: SeriesInput, paths: OutputPaths, predictor: Predictor, progress: Progress, import_seconds: float = 0.0) -> Segmentation:
    """Reads, segments and writes one series. Raises SpiderSegError; then nothing of it was written."""
    from SpiderSegLib.pipeline import segment
    from SpiderSegLib.results import write_outputs

    clock = StageClock(lambda stage, share: progress.report(stage.value, share))
    if import_seconds:
        clock.seconds[Stage.IMPORT.value] = import_seconds
    with clock.stage(Stage.READ):
        volume = series.read()
    result = segment(volume, predictor, clock)
    with clock.stage(Stage.WRITE):
        write_outputs(result, paths, like=series.path if series.dicom is None else None)
    return result


def plan_outputs(series: Sequence[SeriesInput], out: Path, options: PredictOptions) -> list[tuple[SeriesInput, OutputPaths]]:
    """Where each series' files go. Raises typer.BadParameter as `predict`."""
    suffix = "" if out.is_dir() else image_suffix(out)
    if len(series) == 1 and suffix:
        file_format = suffix.lstrip(".")
        if suffix == ".mhd":
            raise typer.BadParameter(f"{out}: .mhd would be two files; use .mha")
        if options.file_format is not None and options.file_format != file_format:
            raise typer.BadParameter(f"--format {options.file_format} contradicts the output {out.name}")
        targets = [out]
    else:
        file_format = options.file_format or DEFAULT_FORMAT
        targets = [out / f"{one.stem}.{file_format}" for one in series]
    _refuse_collisions(series, targets)
    jobs = []
    for one, target in zip(series, targets, strict=True):
        base = target.parent / image_stem(target)
        overlay = base.with_name(f"{base.name}_overlay.png") if options.overlay else None
        probabilities = base.with_name(f"{base.name}_probabilities.{file_format}") if options.probabilities else None
        jobs.append((one, OutputPaths(target, base.with_name(f"{base.name}.json"), overlay, probabilities)))
    return jobs


def _refuse_collisions(series: Sequence[SeriesInput], targets: Sequence[Path]) -> None:
    twice = sorted(str(target) for target, count in Counter(targets).items() if count > 1)
    if twice:
        names = ", ".join(one.title for one, target in zip(series, targets, strict=True) if str(target) == twice[0])
        raise typer.BadParameter(f"several inputs would be written to {twice[0]}: {names}; run them into different folders")
    inputs = {one.path.resolve() for one in series}
    for target in targets:
        if target.resolve() in inputs:
            raise typer.BadParameter(f"the output {target} is an input; choose another output")


def _without_existing(jobs: list[tuple[SeriesInput, OutputPaths]], overwrite: bool) -> tuple[list[tuple[SeriesInput, OutputPaths]], int]:
    if overwrite:
        return jobs, 0
    waiting = [job for job in jobs if not job[1].labelmap.exists()]
    if not waiting and len(jobs) == 1:
        raise OutputError(f"{jobs[0][1].labelmap} exists; give --overwrite to replace it")
    return waiting, len(jobs) - len(waiting)


def _make_folders(all_paths: Iterable[OutputPaths]) -> None:
    for paths in all_paths:
        try:
            paths.labelmap.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(f"{paths.labelmap.parent}: can't make this folder: {error.strerror}") from error


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
    if file_format is not None and file_format not in OUTPUT_FORMATS:
        raise typer.BadParameter(f"expected the format {', '.join(OUTPUT_FORMATS)}, found {file_format!r}")
    return file_format
