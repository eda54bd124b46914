"""`spiderseg`: arguments in, exit code out, and the one place that turns errors into a line on stderr.

Exit codes: 0 done, 1 expected failure, 2 usage, 3 bug, 130 interrupted. Commands import what they need when they run, so that
--help and usage errors are instant.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import Annotated, cast

import typer

from SpiderSegLib.cli import project_app
from SpiderSegLib.errors import Cancelled, SpiderSegError
from SpiderSegLib.watchdog import end_with_parent

EXIT_FAILURE, EXIT_BUG, EXIT_INTERRUPTED = 1, 3, 130

INTERRUPTED = "interrupted; no half-written file was left"

#: Set to 1 to see where an internal error comes from.
TRACEBACK_VARIABLE = "SPIDERSEG_TRACEBACK"

#: typer's usage error; its class is public only as the base of BadParameter.
UsageError = cast(type[typer.BadParameter], typer.BadParameter.__bases__[0])

logger = logging.getLogger(__name__)

app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False, rich_markup_mode=None)
app.add_typer(project_app.app, name="project")

Device = Annotated[str, typer.Option(help="auto (a GPU where there is one), cpu, cuda or cuda:N.", show_default=True)]


@app.callback()
def spiderseg() -> None:
    """Segment lumbar-spine MR: vertebrae, discs and spinal canal. Research use only, not for diagnosis."""


@app.command()
def predict(
    inputs: Annotated[list[Path], typer.Argument(metavar="INPUT...", help="Image files, DICOM folders, or folders of series.")],
    out: Annotated[Path, typer.Option("-o", "--out", help="A file for one series, ending in its format, else a folder.")],
    device: Device = "auto",
    weights: Annotated[str | None, typer.Option(help="Bundled model, bundle folder or checkpoint file; the bundled model if not given.")] = None,
    file_format: Annotated[str | None, typer.Option("--format", help="mha, nii.gz, nrrd, seg.nrrd or dicom-seg; mha if not given.")] = None,
    dicom: Annotated[Path | None, typer.Option(metavar="DIR", help="Original DICOM series, for dicom-seg of inputs that are image files.")] = None,
    series: Annotated[list[str] | None, typer.Option(help="Only this series of a DICOM study: number, UID or part of the description.")] = None,
    probabilities: Annotated[bool, typer.Option("--probabilities", help="Write the foreground probability (0..255) too.")] = False,
    overlay: Annotated[bool, typer.Option("--overlay", help="Write a PNG to look at too.")] = False,
    progress: Annotated[str, typer.Option(help="bar, json (one object a line) or none.")] = "bar",
    mirror: Annotated[bool, typer.Option("--mirror", help="Run the left-right mirrored series too: slower, better confidences.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace existing outputs.")] = False,
    around: Annotated[
        str | None,
        typer.Option(metavar="X,Y,Z", help="Add only the structure at this point, in world LPS millimetres (RAS: change the signs of X and Y)."),
    ] = None,
    structure: Annotated[str | None, typer.Option(help="What to add at the point: vertebra or disc.")] = None,
    keep: Annotated[Path | None, typer.Option(metavar="LABELMAP", help="The present labelmap; none of its labels is overwritten.")] = None,
    replace: Annotated[int | None, typer.Option(metavar="VALUE", help="Segment this label of --keep anew, at its middle or at --around.")] = None,
    value: Annotated[int | None, typer.Option(help="SPIDER value of what is added; if not given, what its neighbours leave for it.")] = None,
    only: Annotated[bool, typer.Option("--only", help="Write what is added alone, without the labels kept.")] = False,
    shift_others: Annotated[bool, typer.Option("--shift-others", help="Shift all labels up for a structure added below level 1.")] = False,
) -> None:
    """Segment series of the lumbar spine into numbered vertebrae, discs and the spinal canal.

    With --around or --replace, add one vertebra or disc to the labelmap of one series.
    """
    from SpiderSegLib.cli import predict as command
    from SpiderSegLib.cli import predict_around as local
    from SpiderSegLib.cli.console import ProgressStyle, set_up_logging

    set_up_logging()
    if progress not in [style.value for style in ProgressStyle]:
        raise typer.BadParameter(f"expected bar, json or none, found {progress!r}", param_hint="--progress")
    command.check_format(file_format)
    options = command.PredictOptions(
        device, weights, file_format, tuple(series or ()), probabilities, overlay, ProgressStyle(progress), mirror, overwrite, dicom
    )
    wish = local.around_options(around, structure, keep, replace, value, only, shift_others)
    raise typer.Exit(command.predict(inputs, out, options) if wish is None else local.predict_around(inputs, out, options, wish))


@app.command()
def convert(
    source: Annotated[Path, typer.Argument(metavar="INPUT", help="Labelmap in SPIDER values, .seg.nrrd, or DICOM SEG (file or folder).")],
    out: Annotated[Path, typer.Option("-o", "--out", help="A file ending in its format, or a folder with --format.")],
    file_format: Annotated[str | None, typer.Option("--format", help="mha, nii.gz, nrrd, seg.nrrd or dicom-seg.")] = None,
    dicom: Annotated[Path | None, typer.Option(metavar="DIR", help="Original DICOM series: needed for dicom-seg, and the grid of one.")] = None,
    series: Annotated[str | None, typer.Option(help="The series of DIR meant: number, UID or part of the description.")] = None,
    levels: Annotated[Path | None, typer.Option(metavar="JSON", help="Sidecar that names the levels; INPUT's own if not given.")] = None,
    lumbar: Annotated[int | None, typer.Option(min=4, max=6, help="Number of lumbar vertebrae: the lowest is L4, L5 or L6.")] = None,
    confirmed: Annotated[bool, typer.Option("--confirmed", help="A person has confirmed the levels: names and codes say so.")] = False,
    skip_unknown: Annotated[bool, typer.Option("--skip-unknown", help="Leave out segments whose names tell no structure.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace existing outputs.")] = False,
) -> None:
    """Convert a segmentation between .mha, .nii.gz, .nrrd, 3D Slicer's .seg.nrrd and DICOM SEG; values and grid stay exact."""
    from SpiderSegLib.cli import convert as command
    from SpiderSegLib.cli.console import set_up_logging

    set_up_logging()
    options = command.ConvertOptions(file_format, dicom, series, levels, lumbar, confirmed, skip_unknown, overwrite)
    raise typer.Exit(command.convert(source, out, options))


@app.command("check-joint")
def check_joint(
    inputs: Annotated[list[Path], typer.Argument(metavar="SERIES...", help="Series of one patient; the others are compared with the first.")],
    frames: Annotated[
        list[str] | None,
        typer.Option("--frame-of-reference", metavar="UID", help="DICOM frame of reference of each series; from DICOM headers if not given."),
    ] = None,
    levels: Annotated[Path | None, typer.Option(metavar="LABELMAP", help="Where the spine is, on any grid; the body counts if not given.")] = None,
    json_path: Annotated[Path | None, typer.Option("--json", help="Write verdict and measurements to this file.")] = None,
    progress: Annotated[str, typer.Option(help="bar, json (one object a line) or none.")] = "bar",
) -> None:
    """Check whether series of a patient lie on each other, so that one segmentation serves them all."""
    from SpiderSegLib.cli import check_joint as command
    from SpiderSegLib.cli.console import ProgressStyle, set_up_logging

    set_up_logging()
    if progress not in [style.value for style in ProgressStyle]:
        raise typer.BadParameter(f"expected bar, json or none, found {progress!r}", param_hint="--progress")
    raise typer.Exit(command.run(inputs, frames or [], levels, json_path, ProgressStyle(progress)))


@app.command()
def demo(
    path: Annotated[Path | None, typer.Argument(metavar="[SERIES]", help="A series of your own; a phantom if not given.")] = None,
    out: Annotated[Path, typer.Option("-o", "--out", help="Folder for the results.")] = Path("spiderseg_demo"),
    device: Device = "auto",
) -> None:
    """Segment a phantom, or a series of your own, and make a picture of it."""
    from SpiderSegLib.cli import demo as command
    from SpiderSegLib.cli.console import set_up_logging

    set_up_logging()
    raise typer.Exit(command.demo(path, out, device))


@app.command()
def evaluate(
    paths: Annotated[
        list[Path], typer.Argument(metavar="PREDICTIONS... REFERENCES", help="Labelmap files or folders of the same file names; references last.")
    ],
    compare: Annotated[bool, typer.Option("--compare", help="A B REFERENCES: what B gains over A, series by series.")] = False,
    rank: Annotated[bool, typer.Option("--rank", help="A B C .. REFERENCES: order them by their mean relative rank.")] = False,
    json_path: Annotated[Path | None, typer.Option("--json", help="Write everything to this file.")] = None,
    csv_path: Annotated[Path | None, typer.Option("--csv", help="Write the scores of each series (differences, ranks) to this file.")] = None,
    levels_csv: Annotated[Path | None, typer.Option("--levels-csv", help="Write the scores of each level to this file.")] = None,
    html: Annotated[Path | None, typer.Option("--html", help="Write a report with plots and the worst series to this file.")] = None,
    images: Annotated[Path | None, typer.Option("--images", help="Images behind the outlines of the report, same file names.")] = None,
    worst: Annotated[int, typer.Option(min=0, help="Number of worst series drawn in the report.")] = 4,
    reference_kind: Annotated[str, typer.Option(help="auto, spider, classes, bodies or discs.")] = "auto",
    resamples: Annotated[int, typer.Option(min=1, help="Bootstrap resamples of the intervals over patients.")] = 10_000,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the bootstrap.")] = 0,
) -> None:
    """Score labelmaps against references: official, structure, instance, level and surface scores.

    With --compare, two sets of predictions are compared pairwise; with --rank, several are ordered.
    """
    from SpiderSegLib.cli import evaluate as command
    from SpiderSegLib.cli.console import set_up_logging
    from SpiderSegLib.evaluation import BootstrapConfig

    set_up_logging()
    bootstrap = BootstrapConfig(resamples, seed)
    outputs = (json_path, csv_path, levels_csv, html)
    raise typer.Exit(command.evaluate(paths, command.EvaluateOptions(reference_kind, *outputs, images, worst, compare, rank, bootstrap)))


@app.command()
def agreement(
    a: Annotated[Path, typer.Argument(metavar="A", help="A labelmap, or a folder of them.")],
    b: Annotated[Path, typer.Argument(metavar="B", help="Another of the same series, or a folder of the same file names.")],
    image: Annotated[Path | None, typer.Option(help="The series itself (a folder of images for folders), behind the picture.")] = None,
    picture: Annotated[Path | None, typer.Option(help="Draw where they differ to this PNG (for folders: a PNG a series in this folder).")] = None,
    json_path: Annotated[Path | None, typer.Option("--json", help="Write everything to this file.")] = None,
) -> None:
    """Compare two labelmaps of a series as equals: two annotators, two revisions, a person and a model."""
    from SpiderSegLib.cli import agreement as command
    from SpiderSegLib.cli.console import set_up_logging

    set_up_logging()
    raise typer.Exit(command.agreement(a, b, image, picture, json_path))


@app.command()
def train(
    data: Annotated[Path, typer.Option(help="Data set with images/ and masks/, or the folder the data list's paths are relative to.")],
    out: Annotated[Path, typer.Option(help="Folder for checkpoints, metrics and curves; made if absent.")],
    datalist: Annotated[Path | None, typer.Option(help="MONAI data list (see split); if not given, DATA is split by patient.")] = None,
    preset: Annotated[str, typer.Option(help="default, or reference: the original report's recipe, for comparison only.")] = "default",
    steps: Annotated[int | None, typer.Option(min=1, help="Optimizer steps; those of the preset if not given.")] = None,
    init: Annotated[str | None, typer.Option(help="Start from these weights: bundled model, bundle folder or checkpoint file.")] = None,
    device: Device = "auto",
    seed: Annotated[int, typer.Option(min=0, help="Seed of initial weights and augmentation.")] = 0,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from OUT/last.pt, exactly.")] = False,
) -> None:
    """Train the network on a data list with a patient split; under torchrun on several GPUs or machines."""
    from SpiderSegLib.cli import train as command
    from SpiderSegLib.cli.console import set_up_logging

    set_up_logging()
    options = command.TrainOptions(data, out, datalist, preset, steps, init, device, seed, resume)
    raise typer.Exit(command.train(options))


@app.command()
def bundle(
    checkpoint: Annotated[Path, typer.Argument(help="A checkpoint of `spiderseg train`, e.g. best.pt.")],
    out: Annotated[Path, typer.Option("-o", "--out", help="Bundle folder; made if absent.")],
) -> None:
    """Pack a training checkpoint into a MONAI bundle, for --weights and python -m monai.bundle run."""
    from SpiderSegLib.cli import bundle as command
    from SpiderSegLib.cli.console import set_up_logging

    set_up_logging()
    raise typer.Exit(command.bundle(checkpoint, out))


@app.command("fetch-spider")
def fetch_spider(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder for the data set; made if absent.")],
    record_url: Annotated[str | None, typer.Option(help="JSON of another Zenodo record; SPIDER's if not given.")] = None,
    unpack: Annotated[bool, typer.Option("--unpack/--no-unpack", help="Unpack the archives into images/ and masks/.")] = True,
    keep_archives: Annotated[bool, typer.Option("--keep-archives", help="Keep the archives after they are unpacked.")] = False,
) -> None:
    """Download the public SPIDER data set (CC BY 4.0), verified; interrupted, the same command goes on."""
    from SpiderSegLib.cli import fetch_spider as command
    from SpiderSegLib.cli.console import set_up_logging
    from SpiderSegLib.zenodo import SPIDER_RECORD_URL, FetchOptions

    set_up_logging()
    raise typer.Exit(command.fetch_spider(folder, record_url or SPIDER_RECORD_URL, FetchOptions(unpack, keep_archives)))


@app.command()
def inspect(
    dataset: Annotated[Path, typer.Argument(help="Folder with images/ and masks/ (or classes/), or a data list.")],
    data: Annotated[Path | None, typer.Option(help="Folder the data list's paths are relative to; the list's own if not given.")] = None,
    csv_path: Annotated[Path | None, typer.Option("--csv", help="Write a row for each series to this file.")] = None,
    json_path: Annotated[Path | None, typer.Option("--json", help="Write everything to this file.")] = None,
    picture: Annotated[Path | None, typer.Option(help="Draw one page of distributions and findings to this PNG.")] = None,
) -> None:
    """Show what a data set holds, and what in it will hurt training or scoring."""
    from SpiderSegLib.cli import inspect as command
    from SpiderSegLib.cli.console import set_up_logging

    set_up_logging()
    raise typer.Exit(command.inspect(dataset, data, csv_path, json_path, picture))


@app.command()
def lint(
    paths: Annotated[list[Path], typer.Argument(metavar="PATH...", help="Labelmap files, folders of them, or data sets with masks/ (and images/).")],
    images: Annotated[Path | None, typer.Option(metavar="DIR", help="Images of the same file names; images/ beside masks/ if not given.")] = None,
    csv_path: Annotated[Path | None, typer.Option("--csv", help="Write a row for each finding to this file.")] = None,
    json_path: Annotated[Path | None, typer.Option("--json", help="Write everything to this file.")] = None,
    severity: Annotated[str, typer.Option(help="Show what is at least so bad: error, warning or note; the files have everything.")] = "warning",
    strict: Annotated[bool, typer.Option("--strict", help="Exit with 1 when there is an error.")] = False,
) -> None:
    """Find what is wrong with labelmaps: numbering, missing and loose parts, breaks of the canal, implausible sizes."""
    from SpiderSegLib.cli import lint as command
    from SpiderSegLib.cli.console import set_up_logging
    from SpiderSegLib.linter import Severity

    set_up_logging()
    if severity not in [each.value for each in Severity]:
        raise typer.BadParameter(f"expected error, warning or note, found {severity!r}", param_hint="--severity")
    raise typer.Exit(command.run(paths, command.LintOptions(images, csv_path, json_path, Severity(severity), strict)))


@app.command()
def resample(
    dataset: Annotated[Path, typer.Argument(help="Folder with images/ and masks/ (or classes/), or a data list.")],
    out: Annotated[Path, typer.Option("-o", "--out", help="Folder for the resampled files and manifest.json.")],
    data: Annotated[Path | None, typer.Option(help="Folder the data list's paths are relative to; the list's own if not given.")] = None,
    size: Annotated[str | None, typer.Option(metavar="I,J,K", help="New size in SimpleITK order; 32,128,128 if neither is given.")] = None,
    spacing: Annotated[str | None, typer.Option(metavar="X,Y,Z", help="New spacing in mm, in the same order.")] = None,
    orient: Annotated[str, typer.Option(help="Orientation by SimpleITK's DICOMOrient, or keep.")] = "RPS",
) -> None:
    """Resample images (linearly) and masks (nearest) as the original procedure did; interrupted, the same command goes on."""
    from SpiderSegLib.cli import resample as command
    from SpiderSegLib.cli.console import set_up_logging

    set_up_logging()
    raise typer.Exit(command.resample(dataset, out, data, size, spacing, orient))


@app.command()
def split(
    dataset: Annotated[Path, typer.Argument(help="Folder with images/ and masks/ (or classes/), or a data list.")],
    out: Annotated[Path, typer.Option("-o", "--out", help="The data list to write.")] = Path("spider_dataset.json"),
    data: Annotated[Path | None, typer.Option(help="Folder the data list's paths are relative to; the list's own if not given.")] = None,
    validation_share: Annotated[
        float | None, typer.Option(min=0.01, max=0.99, help="Draw this share of the patients; SPIDER's subset column if not given.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of the draw.")] = 0,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an existing data list.")] = False,
) -> None:
    """Split a data set by patient into training and validation, and refuse leakage between them."""
    from SpiderSegLib.cli import split as command
    from SpiderSegLib.cli.console import set_up_logging

    set_up_logging()
    raise typer.Exit(command.split(dataset, out, data, validation_share, seed, overwrite))


@app.command()
def version() -> None:
    """Show versions, weights and devices, for bug reports."""
    from SpiderSegLib.cli import version as command

    raise typer.Exit(command.version())


@app.command()
def workstation(
    path: Annotated[
        Path | None, typer.Argument(metavar="[SERIES|PROJECT|FOLDER]", help="What to open; the page lets you upload a series if not given.")
    ] = None,
    annotator: Annotated[str | None, typer.Option(help="Who corrects: your name; the one you logged in with if not given.")] = None,
    host: Annotated[str, typer.Option(help="Name or address to serve on; another than this computer alone is not encrypted.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to serve on; 0: a free one.")] = 0,
    no_browser: Annotated[bool, typer.Option("--no-browser", help="Print the address only.")] = False,
    weights: Annotated[str | None, typer.Option(help="Bundled model, bundle folder or checkpoint file; the bundled model if not given.")] = None,
    device: Device = "auto",
    mirror: Annotated[bool, typer.Option("--mirror", help="Run the left-right mirrored series too: slower, better confidences.")] = False,
) -> None:
    """Segment and correct in the browser, without 3D Slicer; Ctrl-C ends it, closing the browser does not."""
    from SpiderSegLib.cli import workstation as command
    from SpiderSegLib.cli.console import set_up_logging

    set_up_logging()
    arguments = command.WorkstationArguments(path, annotator, host, port, not no_browser, weights, device, mirror)
    raise typer.Exit(command.workstation(arguments))


def run(arguments: list[str] | None = None) -> int:
    """Runs a command line and returns its exit code; arguments default to the process's."""
    try:
        code = app(args=arguments, standalone_mode=False)
    except UsageError as error:
        error.show()
        return error.exit_code
    except (KeyboardInterrupt, typer.Abort, Cancelled):
        logger.error(INTERRUPTED)
        return EXIT_INTERRUPTED
    except SpiderSegError as error:
        logger.error("%s", error)
        return EXIT_FAILURE
    except Exception as error:
        if os.environ.get(TRACEBACK_VARIABLE) == "1":
            raise
        logger.error(
            "internal error: %s: %s; please report it with `spiderseg version` (%s=1 shows where)", type(error).__name__, error, TRACEBACK_VARIABLE
        )
        return EXIT_BUG
    if code == EXIT_INTERRUPTED:  # newer typers turn Ctrl-C into this code themselves
        logger.error(INTERRUPTED)
    return code if isinstance(code, int) else 0


def main() -> None:
    """Entry point of the `spiderseg` script."""
    signal.signal(signal.SIGTERM, _interrupt)
    end_with_parent()
    sys.exit(run())


def _interrupt(number: int, frame: FrameType | None) -> None:
    # As Ctrl-C: temporary files are removed on the way out.
    raise KeyboardInterrupt
