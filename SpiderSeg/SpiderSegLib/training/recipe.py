"""What the loop asks of a recipe, and the default recipe's answers."""

from __future__ import annotations

import datetime
import hashlib
import json
import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import fields
from functools import partial
from pathlib import Path
from typing import Protocol, TypeVar

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader
from tqdm import tqdm

from SpiderSegLib.dataset import Datalist, TrainingCase, image_hashes, load_pair, load_training_case
from SpiderSegLib.errors import DatasetError, TrainingError
from SpiderSegLib.inference import autocast, cpu_has_bf16
from SpiderSegLib.network import Checkpoint, Provenance, build_network, save_checkpoint
from SpiderSegLib.processes import gathered
from SpiderSegLib.ranks import Rank
from SpiderSegLib.splits import check_leakage
from SpiderSegLib.training.config import LoopConfig, TrainingConfig
from SpiderSegLib.training.losses import SpineLoss
from SpiderSegLib.training.validation import validate
from SpiderSegLib.training.windows import WindowStream

logger = logging.getLogger(__name__)

Case = TypeVar("Case")

#: Network input, everything the loss compares with, and the names of the cases in it.
Batch = tuple[Tensor, tuple[Tensor, ...], list[str]]


class Recipe(Protocol):
    """Data, network, loss and score of one way to train; the loop is the same for all."""

    @property
    def config(self) -> LoopConfig: ...

    @property
    def identity(self) -> dict[str, str]:
        """What must be the same for a run to go on, by name: configuration, data, initial weights."""

    def precision(self, device: str) -> str:
        """'fp32', 'bf16' or 'fp16', in which the network runs."""

    def build_network(self) -> nn.Module:
        """The network with random weights."""

    def batches(self, first_step: int, rank: Rank) -> Iterator[Batch]:
        """This process's batches from a step on, without end; checks training and validation series before the first."""

    def loss(self, logits: Tensor, targets: tuple[Tensor, ...], rank: Rank) -> Tensor:
        """Loss over the joint batch of all processes, the same in each."""

    def validate(self, weights: Mapping[str, Tensor], step: int, device: str, rank: Rank) -> dict[str, float]:
        """Validation scores by name, among them 'mean', the one that decides; none when all steps are to be trusted alike."""

    def save(self, path: Path, weights: Mapping[str, Tensor], step: int, scores: Mapping[str, float]) -> None:
        """Writes a checkpoint of these weights."""


class DefaultRecipe:
    """Augmented windows at the working spacing, four classes, `SpineLoss`; validated in native space."""

    def __init__(self, datalist: Datalist, config: TrainingConfig, initialized_from: Checkpoint | None = None) -> None:
        """Raises DatasetError when there is nothing to train or validate on, or a validation patient trained the initial weights.

        Raises TrainingError when the initial weights are of another architecture or working grid.
        """
        self._refuse_missing_series(datalist)
        self.config, self._datalist, self._initial = config, datalist, initialized_from
        if initialized_from is not None:
            _refuse_unfit(initialized_from, config, datalist)
        self._hashes = image_hashes(datalist.training)

    @property
    def identity(self) -> dict[str, str]:
        return {
            **hyper_parameters(self.config),
            "training data": digest_of(self._hashes),
            "validation data": digest_of(image_hashes(self._datalist.validation)),
            "initial weights": self._initial.sha256 or self._initial.provenance.model_id if self._initial else "chance",
        }

    def precision(self, device: str) -> str:
        if device != "cpu":
            return "bf16" if torch.cuda.is_bf16_supported() else "fp16"
        return "bf16" if cpu_has_bf16() else "fp32"

    def build_network(self) -> nn.Module:
        network = build_network(self.config.model)
        run_in_float32(network.decoder5.conv_block)
        return network

    def batches(self, first_step: int, rank: Rank) -> Iterator[Batch]:
        """Raises DatasetError for a split that leaks, and what `load_pair` raises for any series, before the first batch."""
        if rank.is_first:
            check_leakage(self._datalist, track=partial(self._tracked, title="checking", rank=rank))
        for item in rank.share_of(self._datalist.validation):
            load_pair(item)
        items = self._tracked(self._datalist.training, title="reading", rank=rank)
        cases = [load_training_case(item, self.config.preprocessing) for item in items]
        stream = self._stream(cases, first_step, rank)
        for image, classes, posterior_elements, indices in DataLoader(stream, self.config.batch_size, num_workers=self.config.workers):
            yield image, (classes, posterior_elements), [cases[index].name for index in indices.tolist()]

    def loss(self, logits: Tensor, targets: tuple[Tensor, ...], rank: Rank) -> Tensor:
        classes, posterior_elements = (gathered(target, rank) for target in targets)
        loss: Tensor = SpineLoss(self.config.posterior_weight)(gathered(logits, rank), classes, posterior_elements)
        return loss

    def validate(self, weights: Mapping[str, Tensor], step: int, device: str, rank: Rank) -> dict[str, float]:
        return validate(self._checkpoint(weights, step), self._datalist.validation, device, rank)

    def save(self, path: Path, weights: Mapping[str, Tensor], step: int, scores: Mapping[str, float]) -> None:
        save_checkpoint(path, self._checkpoint(weights, step, scores))

    def _refuse_missing_series(self, datalist: Datalist) -> None:
        if not datalist.training or not any(item.image for item in datalist.validation):
            raise DatasetError(f"expected training and validation series, found {len(datalist.training)} and {len(datalist.validation)}")

    def _tracked(self, items: Iterable[Case], title: str, rank: Rank) -> Iterable[Case]:
        """The series that are gone through before the first step, with a bar."""
        tracked: Iterable[Case] = tqdm(items, title, unit="series", disable=not rank.is_first)
        return tracked

    def _stream(self, cases: Sequence[TrainingCase], first_step: int, rank: Rank) -> WindowStream:
        return WindowStream(cases, self.config, first_step, rank)

    def _checkpoint(self, weights: Mapping[str, Tensor], step: int, scores: Mapping[str, float] | None = None) -> Checkpoint:
        """Weights with their configuration and provenance; what trained the initial weights counts as having trained these."""
        now = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")
        before = self._initial.provenance if self._initial else Provenance("")
        patients = {item.patient_id for item in self._datalist.training} | set(before.training_patients)
        provenance = Provenance(
            model_id=f"spiderseg_unetr-{now[:10]}-{step}",
            created_utc=now,
            command=f"spiderseg train --steps {self.config.steps} --seed {self.config.seed}",
            steps=step + before.steps,
            training_patients=tuple(sorted(patients)),
            validation_patients=tuple(sorted({item.patient_id for item in self._datalist.validation})),
            training_image_sha256={**before.training_image_sha256, **self._hashes},
            data=self._datalist.description,
            validation_scores=dict(scores or {}),
            initialized_from=before.model_id,
        )
        return Checkpoint(dict(weights), self.config.model, self.config.preprocessing, provenance)


def forward(network: nn.Module, image: Tensor, device: str, precision: str) -> Tensor:
    """Logits in float32 of a batch of images (batch, 1, k, j, i)."""
    with autocast(device, precision):
        logits: Tensor = network(image.to(device))
    return logits.float()


def run_in_float32(module: nn.Module) -> None:
    """Takes a module out of autocast.

    oneDNN's bfloat16 weight gradient of UNETR's deepest decoder block (3x3x3, 256 to 128 channels on a map of 2x16x12 voxels, torch
    2.13) now and then holds garbage of 1e30 in some thousand elements: a fifth of all steps were lost to it. It costs nothing there.
    """
    original = module.forward

    def forward_in_float32(*tensors: Tensor) -> Tensor:
        with torch.autocast(tensors[0].device.type, enabled=False):
            result: Tensor = original(*(tensor.float() for tensor in tensors))
        return result

    module.forward = forward_in_float32


def _refuse_unfit(checkpoint: Checkpoint, config: TrainingConfig, datalist: Datalist) -> None:
    """Initial weights must fit the network, and must not have seen who is to validate it."""
    model_id = checkpoint.provenance.model_id
    for wanted, found in ((config.model, checkpoint.model), (config.preprocessing, checkpoint.preprocessing)):
        if wanted != found:
            raise TrainingError(f"the initial weights {model_id} are of another configuration: expected {wanted}, found {found}")
    validation = {item.patient_id for item in datalist.validation}
    seen = sorted(validation & set(checkpoint.provenance.training_patients))
    known = set(checkpoint.provenance.training_image_sha256.values())
    seen += [name for name, sha256 in image_hashes(datalist.validation).items() if sha256 in known]
    if seen:
        raise DatasetError(f"the initial weights {model_id} were trained on what is to validate: {', '.join(seen)}; its scores would be too high")


def hyper_parameters(config: LoopConfig) -> dict[str, str]:
    """All as text by name, but those that may change on the way: the number of steps, how often is evaluated and saved, workers."""
    free = {"steps", "evaluate_every", "checkpoint_every", "workers"}
    return {field.name: json.dumps(getattr(config, field.name), default=str) for field in fields(config) if field.name not in free}  # type: ignore[arg-type]


def digest_of(hashes: Mapping[str, str]) -> str:
    """One short digest of many files' hashes, whatever their order and names."""
    return hashlib.sha256("".join(sorted(hashes.values())).encode()).hexdigest()[:16]
