"""Hyper-parameters of the default recipe, and what every recipe has to say to the loop."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from SpiderSegLib.augmentation import AugmentationConfig
from SpiderSegLib.errors import TrainingError
from SpiderSegLib.network import ModelConfig
from SpiderSegLib.preprocessing import PreprocessingConfig


class LoopConfig(Protocol):
    """What the loop needs to know of a recipe's hyper-parameters. gradient_norm may be infinite; ema_decay 0 keeps no average."""

    @property
    def steps(self) -> int: ...
    @property
    def batch_size(self) -> int: ...
    @property
    def learning_rate(self) -> float: ...
    @property
    def weight_decay(self) -> float: ...
    @property
    def gradient_norm(self) -> float: ...
    @property
    def ema_decay(self) -> float: ...
    @property
    def evaluate_every(self) -> int: ...
    @property
    def checkpoint_every(self) -> int: ...
    @property
    def seed(self) -> int: ...
    @property
    def model(self) -> ModelConfig: ...

    def rate_at(self, step: int) -> float:
        """Learning rate of a step, counted from 0."""


@dataclass(frozen=True)
class TrainingConfig:
    """Hyper-parameters of the default recipe.

    source_weights: how often a window comes from a stack of slices, a single slice, a synthesized image. The learning rate warms up
    linearly, stays, and falls as a cosine to zero over the last falling_share of the steps, so that a run can be prolonged from
    any checkpoint before that. ema_decay averages the weights; the average is what is validated and saved.
    posterior_weight: the arches and processes are a sixth of a vertebra's voxels, thin and dark; without a Dice term of their own
    they were found with a Dice of 0.5 when bodies had 0.94.
    """

    steps: int = 7500
    batch_size: int = 2
    learning_rate: float = 4e-4
    weight_decay: float = 1e-5
    warmup_steps: int = 200
    falling_share: float = 0.35
    gradient_norm: float = 1.0
    ema_decay: float = 0.999
    evaluate_every: int = 1000
    checkpoint_every: int = 250
    workers: int = 1
    seed: int = 0
    posterior_weight: float = 0.5
    source_weights: Mapping[str, float] = field(default_factory=lambda: {"stack": 0.57, "slice": 0.27, "synthetic": 0.16})
    model: ModelConfig = field(default_factory=ModelConfig)
    preprocessing: PreprocessingConfig = field(default_factory=PreprocessingConfig)
    augmentation: AugmentationConfig = field(default_factory=AugmentationConfig)

    def __post_init__(self) -> None:
        counts = {name: getattr(self, name) for name in ("steps", "batch_size", "evaluate_every", "checkpoint_every")}
        if any(count < 1 for count in counts.values()):
            raise TrainingError(f"expected at least 1 of each, found {counts}")
        if not 0 <= self.falling_share <= 1 or not 0 <= self.ema_decay < 1:
            raise TrainingError(
                f"expected falling_share from 0 to 1 and ema_decay from 0 to below 1, found {self.falling_share} and {self.ema_decay}"
            )
        if not self.source_weights or min(self.source_weights.values()) < 0 or sum(self.source_weights.values()) <= 0:
            raise TrainingError(f"expected weights of the sources of windows, found {dict(self.source_weights)}")

    def rate_at(self, step: int) -> float:
        """Learning rate of a step, counted from 0: linear warm-up, constant, then a cosine to zero."""
        if step < self.warmup_steps:
            return self.learning_rate * (step + 1) / self.warmup_steps
        falling = max(1, int(self.falling_share * self.steps))
        share = max(0, step - (self.steps - falling)) / falling
        return self.learning_rate * 0.5 * (1 + math.cos(math.pi * min(1.0, share)))
