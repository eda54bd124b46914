"""`spiderseg demo`: the main job in one command, on a phantom or on a series of one's own."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import typer
from numpy.typing import NDArray

from SpiderSegLib.atomic import make_folder
from SpiderSegLib.cli.console import ProgressStyle, make_progress
from SpiderSegLib.cli.inputs import find_series
from SpiderSegLib.cli.predict import PredictOptions, load_predictor, plan_outputs, segment_series
from SpiderSegLib.errors import SpiderSegError
from SpiderSegLib.io import write_volume
from SpiderSegLib.labels import DISC_OFFSET, PARTIAL_OFFSET, SPINAL_CANAL
from SpiderSegLib.volume import Volume

logger = logging.getLogger(__name__)

PHANTOM_FILE = "phantom_t2.mha"
TRUTH_FILE = "phantom_t2_truth.mha"


def demo(path: Path | None, out: Path, device: str) -> int:
    """Segments `path`, or a phantom with known truth, into `out`; prints the level table and where the picture is."""
    make_folder(out)
    options = PredictOptions(device=device, overlay=True, overwrite=True)
    truth = None
    if path is None:
        truth = _write_phantom(out)
        path = out / PHANTOM_FILE
    results = out if truth is None else out / "segmentation"
    results.mkdir(exist_ok=True)
    jobs = plan_outputs(find_series([path]).series, results, options)
    predictor = load_predictor(options)
    failed = 0
    for series, paths in jobs:
        progress = make_progress(ProgressStyle.BAR, series.stem)
        try:
            result = segment_series(series, paths, predictor, progress)
        except SpiderSegError as error:
            failed += 1
            logger.error("%s", error)
            continue
        finally:
            progress.close()
        from SpiderSegLib.results import level_table

        dice = None if truth is None else _dice_by_label(result.labelmap, truth)
        typer.echo(f"{series.title}: {result.sequence.sequence.value}, {sum(result.seconds.values()):.1f} s on {result.plan.device}\n")
        typer.echo(level_table(result, dice))
        for warning in result.warnings:
            logger.warning("%s", warning)
        typer.echo(f"\nlabelmap  {paths.labelmap}\nsidecar   {paths.sidecar}\noverlay   {paths.overlay}   <- look at this picture")
    return 1 if failed else 0


def _write_phantom(out: Path) -> Volume:
    from SpiderSegLib.phantom import PhantomConfig, make_phantom

    typer.echo("Making a lumbar T2 phantom (geometry and tissue are synthetic, the truth is known).")
    phantom = make_phantom(PhantomConfig(sequence="T2"))
    write_volume(out / PHANTOM_FILE, phantom.volume)
    write_volume(out / TRUTH_FILE, phantom.labelmap)
    return phantom.labelmap


def _dice_by_label(labelmap: Volume, truth: Volume) -> dict[int, float]:
    """Dice of each label of `labelmap` against the same level of the truth; a level is the same whole or cut by the field of view."""
    true = _whole_levels(truth)
    dice = {}
    for value in np.unique(labelmap.array[labelmap.array > 0]).tolist():
        whole = value - PARTIAL_OFFSET if SPINAL_CANAL < value < DISC_OFFSET else value
        found, expected = labelmap.array == value, true == whole
        dice[value] = 2.0 * int((found & expected).sum()) / (int(found.sum()) + int(expected.sum()))
    return dice


def _whole_levels(labelmap: Volume) -> NDArray[np.uint8]:
    array = labelmap.array
    return np.where((array > SPINAL_CANAL) & (array < DISC_OFFSET), array - PARTIAL_OFFSET, array)
