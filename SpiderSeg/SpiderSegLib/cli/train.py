"""`spiderseg train`."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from SpiderSegLib.paths import MODEL_WEIGHTS, data_path
from SpiderSegLib.ranks import Rank

if TYPE_CHECKING:
    from SpiderSegLib.dataset import Datalist

logger = logging.getLogger(__name__)

PRESETS = ("default", "reference")


@dataclass(frozen=True)
class TrainOptions:
    """The options of `spiderseg train`; None means: as the preset, or the bundled split, or initial weights by chance."""

    data: Path
    out: Path
    datalist: Path | None = None
    preset: str = "default"
    steps: int | None = None
    init: str | None = None
    device: str = "auto"
    seed: int = 0
    resume: bool = False


def train(options: TrainOptions) -> int:
    """Trains by a preset and leaves the best checkpoint in options.out.

    Raises typer.BadParameter for an unknown preset or initial weights it can't take.
    """
    if options.preset not in PRESETS:
        raise typer.BadParameter(f"expected {' or '.join(PRESETS)}, found {options.preset!r}", param_hint="--preset")
    if options.preset == "reference" and options.init is not None:
        raise typer.BadParameter("the preset reference starts from chance, as the report did", param_hint="--init")
    rank = Rank.from_environment()
    datalist = _datalist(options)
    if options.preset == "reference":
        return _train_reference(options, datalist, rank)
    return _train_default(options, datalist, rank)


def _datalist(options: TrainOptions) -> Datalist:
    """The given list; else a data folder in SPIDER's layout is split as `spiderseg split` does; else the list of the bundled weights."""
    from SpiderSegLib.cases import find_cases
    from SpiderSegLib.dataset import read_datalist
    from SpiderSegLib.overview import find_overview
    from SpiderSegLib.splits import make_split, to_datalist

    if options.datalist is None and (options.data / "images").is_dir():
        case_set = find_cases(options.data)
        split = make_split(case_set, find_overview(case_set.files))
        logger.info("%s: %d series train, %d validate: %s", options.data, len(split.training), len(split.validation), split.rule)
        return to_datalist(split)
    return read_datalist(options.datalist or data_path(MODEL_WEIGHTS, "spiderseg_unetr", "configs", "spider_dataset.json"), options.data)


def _train_default(options: TrainOptions, datalist: Datalist, rank: Rank) -> int:
    from SpiderSegLib.training import DefaultRecipe, TrainingConfig, train
    from SpiderSegLib.weights import load_weights

    config = TrainingConfig(seed=options.seed)
    if options.steps is not None:
        config = replace(config, steps=options.steps)
    initial = load_weights(options.init) if options.init is not None else None
    recipe = DefaultRecipe(datalist, config, initial)
    train(recipe, options.out, options.device, options.resume, rank, initial.weights if initial else None)
    return 0


def _train_reference(options: TrainOptions, datalist: Datalist, rank: Rank) -> int:
    from SpiderSegLib.training import ReferenceConfig, ReferenceRecipe, train

    config = ReferenceConfig(seed=options.seed)
    if options.steps is not None:
        config = replace(config, steps=options.steps)
    train(ReferenceRecipe(datalist, config, options.out), options.out, options.device, options.resume, rank)
    return 0
