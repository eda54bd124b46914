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

from SpiderSegLib.errors import Cancelled, SpiderSegError

EXIT_FAILURE, EXIT_BUG, EXIT_INTERRUPTED = 1, 3, 130

INTERRUPTED = "interrupted; no half-written file was left"

#: Set to 1 to see where an internal error comes from.
TRACEBACK_VARIABLE = "SPIDERSEG_TRACEBACK"

#: typer's usage error; its class is public only as the base of BadParameter.
UsageError = cast(type[typer.BadParameter], typer.BadParameter.__bases__[0])

logger = logging.getLogger(__name__)

app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False, rich_markup_mode=None)

Device = Annotated[str, typer.Option(help="auto (a GPU where there is one), cpu, cuda or cuda:N.", show_default=True)]


@app.callback()
def spiderseg() -> None:
    """Segment lumbar-spine MR: vertebrae, discs and spinal canal. Research use only, not for diagnosis."""


@app.command()
def predict(
    inputs: Annotated[list[Path], typer.Argument(metavar="INPUT...", help="Image files, DICOM folders, or folders of series.")],
    out: Annotated[Path, typer.Option("-o", "--out", help="A file for one series (.mha, .nii.gz, .nrrd), else a folder.")],
    device: Device = "auto",
    weights: Annotated[str | None, typer.Option(help="Bundled model, bundle folder or checkpoint file; the bundled model if not given.")] = None,
    file_format: Annotated[str | None, typer.Option("--format", help="mha, nii.gz or nrrd; mha if not given.")] = None,
    series: Annotated[list[str] | None, typer.Option(help="Only this series of a DICOM study: number, UID or part of the description.")] = None,
    probabilities: Annotated[bool, typer.Option("--probabilities", help="Write the foreground probability (0..255) too.")] = False,
    overlay: Annotated[bool, typer.Option("--overlay", help="Write a PNG to look at too.")] = False,
    progress: Annotated[str, typer.Option(help="bar, json (one object a line) or none.")] = "bar",
    mirror: Annotated[bool, typer.Option("--mirror", help="Run the left-right mirrored series too: slower, better confidences.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace existing outputs.")] = False,
) -> None:
    """Segment series of the lumbar spine into numbered vertebrae, discs and the spinal canal."""
    from SpiderSegLib.cli import predict as command
    from SpiderSegLib.cli.console import ProgressStyle, set_up_logging

    set_up_logging()
    if progress not in [style.value for style in ProgressStyle]:
        raise typer.BadParameter(f"expected bar, json or none, found {progress!r}", param_hint="--progress")
    command.check_format(file_format)
    options = command.PredictOptions(
        device, weights, file_format, tuple(series or ()), probabilities, overlay, ProgressStyle(progress), mirror, overwrite
    )
    raise typer.Exit(command.predict(inputs, out, options))


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
    prediction: Annotated[Path, typer.Argument(help="Labelmap file, or folder of them.")],
    reference: Annotated[Path, typer.Argument(help="Reference file, or folder with the same file names.")],
    json_path: Annotated[Path | None, typer.Option("--json", help="Write all scores to this file.")] = None,
    csv_path: Annotated[Path | None, typer.Option("--csv", help="Write the scores of each series to this file.")] = None,
    reference_kind: Annotated[str, typer.Option(help="auto, spider, classes, bodies or discs.")] = "auto",
) -> None:
    """Score labelmaps against references: official, structure, instance, level and surface scores."""
    from SpiderSegLib.cli import evaluate as command
    from SpiderSegLib.cli.console import set_up_logging

    set_up_logging()
    raise typer.Exit(command.evaluate(prediction, reference, json_path, csv_path, reference_kind))


@app.command()
def train(
    data: Annotated[Path, typer.Option(help="Folder the data list's paths are relative to.")],
    out: Annotated[Path, typer.Option(help="Folder for checkpoints and metrics; made if absent.")],
    datalist: Annotated[Path | None, typer.Option(help="MONAI data list; the split of the bundled weights if not given.")] = None,
    steps: Annotated[int, typer.Option(min=1, help="Optimizer steps.")] = 5000,
    device: Device = "auto",
    seed: Annotated[int, typer.Option(help="Seed of initial weights and augmentation.")] = 0,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from OUT/last.pt.")] = False,
) -> None:
    """Train the network on a data list with a patient split."""
    from SpiderSegLib.cli import train as command
    from SpiderSegLib.cli.console import set_up_logging

    set_up_logging()
    raise typer.Exit(command.train(data, out, datalist, steps, device, seed, resume))


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


@app.command()
def version() -> None:
    """Show versions, weights and devices, for bug reports."""
    from SpiderSegLib.cli import version as command

    raise typer.Exit(command.version())


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
    sys.exit(run())


def _interrupt(number: int, frame: FrameType | None) -> None:
    # As Ctrl-C: temporary files are removed on the way out.
    raise KeyboardInterrupt
