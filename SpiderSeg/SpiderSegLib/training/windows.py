"""The endless stream of augmented windows that the default recipe trains on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import IterableDataset

from SpiderSegLib.augmentation import draw_window
from SpiderSegLib.dataset import TrainingCase
from SpiderSegLib.errors import DatasetError
from SpiderSegLib.ranks import Rank
from SpiderSegLib.training.config import TrainingConfig


class WindowSample(NamedTuple):
    """One window with a channel axis (1, k, j, i): input, classes, posterior elements, and the index of its case.

    A tuple, because the data loader collates those field by field into a batch.
    """

    image: Tensor
    classes: Tensor
    posterior_elements: Tensor
    case: int


@dataclass(frozen=True)
class Part:
    """Some of the cases, by their index, and their share of all windows among the other parts."""

    cases: Sequence[int]
    share: float


class WindowStream(IterableDataset[WindowSample]):
    """Windows in the order of training; the seed and its number alone determine a window.

    Step s of W processes with batches of B uses the windows from s W B on, rank r those from s W B + r B on: so a resumed run sees
    what it would have seen, and W processes see what one with a batch of W B would. In each of the parts (None: all cases are one)
    the sources have the weights of the configuration; a part without usable cases leaves its share to the others.
    """

    def __init__(
        self, cases: Sequence[TrainingCase], config: TrainingConfig, first_step: int, rank: Rank, parts: Sequence[Part] | None = None
    ) -> None:
        self._cases, self._config, self._first_step, self._rank = cases, config, first_step, rank
        parts = [Part(range(len(cases)), 1.0)] if parts is None else parts
        mixed = [(part.share, *_mixture(cases, config, part)) for part in parts]
        usable = [(share, groups, weights) for share, groups, weights in mixed if share * weights.sum()]
        if not usable:
            raise DatasetError(f"expected training series of the kinds {', '.join(config.source_weights)}, found none with a weight above 0")
        shares = sum(share for share, _, _ in usable)
        self._groups = [group for _, groups, _ in usable for group in groups]
        self._probabilities = np.concatenate([share / shares * (weights / weights.sum()) for share, _, weights in usable])

    def __iter__(self) -> Iterator[WindowSample]:
        worker = torch.utils.data.get_worker_info()
        # Whole batches go to one worker, as DataLoader collects them.
        step, stride = (self._first_step, 1) if worker is None else (self._first_step + worker.id, worker.num_workers)
        while True:
            first = (step * self._rank.world + self._rank.number) * self._config.batch_size
            for number in range(first, first + self._config.batch_size):
                yield self._window(number)
            step += stride

    def _window(self, number: int) -> WindowSample:
        config = self._config
        rng = np.random.default_rng((config.seed, number))
        group = self._groups[int(rng.choice(len(self._groups), p=self._probabilities))]
        index = int(rng.choice(group))
        window = draw_window(self._cases[index], config.model.roi_size_kji, config.preprocessing.in_plane_spacing_mm, rng, config.augmentation)
        return WindowSample(window.image[None], window.classes[None], window.posterior_elements[None], index)


def _mixture(cases: Sequence[TrainingCase], config: TrainingConfig, part: Part) -> tuple[list[list[int]], NDArray[np.float64]]:
    """The part's cases by source, without sources that it lacks, and the sources' weights."""
    groups = {name: [n for n in part.cases if source_of(cases[n]) == name] for name in config.source_weights}
    found = {name: group for name, group in groups.items() if group}
    return list(found.values()), np.array([config.source_weights[name] for name in found], dtype=float)


def source_of(case: TrainingCase) -> str:
    """'synthetic' without an image, 'slice' for a one-slice series, else 'stack'."""
    if case.image is None:
        return "synthetic"
    return "slice" if case.classes.shape[0] == 1 else "stack"
