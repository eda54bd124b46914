"""Validation while training: structure Dice of the network alone, by sliding window, in native space."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from SpiderSegLib.dataset import DatasetItem, load_pair
from SpiderSegLib.inference import Predictor
from SpiderSegLib.io import image_stem
from SpiderSegLib.labels import FOREGROUND, Structure
from SpiderSegLib.network import Checkpoint
from SpiderSegLib.preprocessing import prepare
from SpiderSegLib.processes import results_of_all
from SpiderSegLib.ranks import Rank
from SpiderSegLib.series_names import sequence_of


def validate(checkpoint: Checkpoint, items: Sequence[DatasetItem], device: str, rank: Rank) -> dict[str, float]:
    """Mean Dice over series by '<sequence> <structure>', and 'mean' of all these; without post-processing.

    Each process takes its share of the series; all return the same.
    """
    predictor = Predictor(checkpoint, device)
    own = [(sequence_of(image_stem(item.image)), series_dice(predictor, item)) for item in rank.share_of(items) if item.image is not None]
    dice: dict[str, list[float]] = {}
    for sequence, scores in (found for part in results_of_all(own, rank) for found in part):
        for structure, value in scores.items():
            dice.setdefault(f"{sequence} {structure}", []).append(value)
    means = {name: float(np.mean(values)) for name, values in sorted(dice.items())}
    return {**means, "mean": float(np.mean(list(means.values())))}


def series_dice(predictor: Predictor, item: DatasetItem) -> dict[str, float]:
    """Dice of one series by structure name; 1 where neither reference nor prediction holds the structure."""
    volume, reference = load_pair(item)
    assert volume is not None
    prepared = prepare(volume, predictor.checkpoint.preprocessing)
    classes = prepared.restore_classes(predictor.predict(prepared.array).probabilities)
    return {structure.name.lower(): _dice(classes, reference.array, structure) for structure in FOREGROUND}


def _dice(classes: NDArray[Any], reference: NDArray[Any], structure: Structure) -> float:
    predicted, true = classes == structure, reference == structure
    total = int(predicted.sum()) + int(true.sum())
    return 2 * int((predicted & true).sum()) / total if total else 1.0
