"""`spiderseg split`: which patients train and which validate, as a MONAI data list."""

from __future__ import annotations

import logging
from pathlib import Path

import typer
from tqdm import tqdm

from SpiderSegLib.cases import find_cases
from SpiderSegLib.errors import OutputError
from SpiderSegLib.io import write_text_atomically
from SpiderSegLib.overview import find_overview
from SpiderSegLib.splits import check_leakage, datalist_json, make_split, to_datalist

logger = logging.getLogger(__name__)


def split(dataset: Path, out: Path, data: Path | None, validation_share: float | None, seed: int, overwrite: bool) -> int:
    """Splits a data set by patient, refuses leakage, writes the data list and says what is in it. Returns 0.

    Raises DatasetError for leakage or a side without patients, OutputError when the list exists or can't be written.
    """
    if out.exists() and not overwrite:
        raise OutputError(f"{out} exists; give --overwrite to replace it")
    case_set = find_cases(dataset, data)
    overview = find_overview(case_set.files)
    made = make_split(case_set, overview, validation_share, seed)
    for name in made.left_out:
        logger.warning("%s: left out, it has no image or no mask", name)
    check_leakage(to_datalist(made), overview, track=lambda items: tqdm(items, "comparing images", unit="series"))
    write_text_atomically(out, datalist_json(made, case_set.root, case_set.root.resolve().name))
    sides = (f"{name} {len(cases)} series of {len({case.patient_id for case in cases})} patients" for name, cases in made.sides.items())
    typer.echo(f"{out}: {', '.join(sides)} ({made.rule}); no leakage found")
    return 0
