"""`spiderseg resample`: a data set in one orientation and size, as the original procedure did."""

from __future__ import annotations

import logging
from pathlib import Path

import typer
from tqdm import tqdm

from SpiderSegLib.cases import find_cases
from SpiderSegLib.errors import InputError
from SpiderSegLib.resampling import MANIFEST_NAME, ORIGINAL_RECIPE, ResamplingConfig, resample_dataset

logger = logging.getLogger(__name__)

#: Value of --orient that leaves the orientation as it is.
KEEP = "keep"


def resample(dataset: Path, out: Path, data: Path | None, size: str | None, spacing: str | None, orient: str) -> int:
    """Resamples a data set into `out` and says what became of it; returns 0, or 1 when a series failed.

    Raises typer.BadParameter for options that can't be used, DatasetError and OutputError as the functions it calls.
    """
    config = _config(size, spacing, orient)
    result = resample_dataset(find_cases(dataset, data), out, config, lambda cases: tqdm(cases, "resampling", unit="series"))
    for case in result.failed:
        logger.error("%s: %s", case.name, case.reason)
    typer.echo(f"{out}: {len(result.resampled)} series resampled, {len(result.present)} already there, {len(result.failed)} failed ({MANIFEST_NAME})")
    return 1 if result.failed else 0


def _config(size: str | None, spacing: str | None, orient: str) -> ResamplingConfig:
    if size is not None and spacing is not None:
        raise typer.BadParameter("give --size or --spacing, not both")
    orientation = None if orient.lower() == KEEP else orient.upper()
    try:
        if spacing is not None:
            x, y, z = (float(part) for part in _three(spacing, "--spacing"))
            return ResamplingConfig(None, (x, y, z), orientation)
        if size is not None:
            i, j, k = (int(part) for part in _three(size, "--size"))
            return ResamplingConfig((i, j, k), None, orientation)
        return ResamplingConfig(ORIGINAL_RECIPE.size_ijk, None, orientation)
    except (ValueError, InputError) as error:
        raise typer.BadParameter(str(error)) from error


def _three(text: str, option: str) -> list[str]:
    parts = text.split(",")
    if len(parts) != 3:
        raise typer.BadParameter(f"expected three numbers with commas, found {text!r}", param_hint=option)
    return parts
