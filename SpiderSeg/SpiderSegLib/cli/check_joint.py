"""`spiderseg check-joint`: do series of a patient lie on each other, so that one segmentation serves them all?"""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import typer

from SpiderSegLib.cli.console import ProgressStyle, make_progress
from SpiderSegLib.cli.inputs import find_series
from SpiderSegLib.io import read_labelmap, write_text_atomically
from SpiderSegLib.joint import check_joint
from SpiderSegLib.stages import Stage

FRAME_OF_REFERENCE = "FrameOfReferenceUID"


def run(inputs: Sequence[Path], frames: Sequence[str], levels: Path | None, json_path: Path | None, progress: ProgressStyle) -> int:
    """Compares all series with the first and says the verdict; 0 whatever it is.

    `frames` are the series' frame-of-reference UIDs; if none is given, those of their DICOM headers. Raises typer.BadParameter for fewer
    than two series or another number of frames, and what reading and writing raise.
    """
    found = find_series(list(inputs)).series
    if len(found) < 2:
        raise typer.BadParameter(f"expected at least two series of a patient, found {len(found)}")
    if frames and len(frames) != len(found):
        raise typer.BadParameter(f"expected one --frame-of-reference a series, found {len(frames)} for {len(found)} series")
    with closing(make_progress(progress, "comparing")) as shown:
        shown.report(Stage.READ.value, 0.0)
        volumes = [replace(series.read(), name=series.stem) for series in found]
        labelmap = None if levels is None else read_labelmap(levels)
        shown.report(Stage.PREPROCESS.value, 0.2)
        verdict = check_joint(volumes, frames or [volume.header.get(FRAME_OF_REFERENCE, "") for volume in volumes], labelmap)
        shown.report(Stage.WRITE.value, 1.0)
    if json_path is not None:
        write_text_atomically(json_path, json.dumps(verdict.record(), indent=2) + "\n")
    if progress is ProgressStyle.BAR:
        for pair in verdict.pairs:
            if pair.check is not None:
                typer.echo(f"{pair.fixed} | {pair.moving}: {pair.check.largest_displacement_mm:.1f} mm, {pair.check.rotation_deg:.1f} degrees")
        typer.echo("They can be saved together." if verdict.is_allowed else "\n".join(["Not to be saved together unasked:", *verdict.reasons]))
    return 0
