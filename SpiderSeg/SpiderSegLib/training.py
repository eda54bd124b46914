"""The training loop: windows drawn from the training cases, validated in native space, the best checkpoint kept."""

from __future__ import annotations

import datetime
import io as std_io
import json
import logging
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from pickle import UnpicklingError  # noqa: TID251 - only to catch what torch.load raises on damaged files
from typing import Any

import numpy as np
import torch
from monai.losses import DiceCELoss
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset
from tqdm import tqdm

from SpiderSegLib.augmentation import AugmentationConfig, draw_window
from SpiderSegLib.dataset import Datalist, DatasetItem, TrainingCase, image_hashes, load_training_case, reference_classes
from SpiderSegLib.errors import DatasetError, TrainingError
from SpiderSegLib.inference import Predictor, autocast, cpu_has_bf16, resolve_device
from SpiderSegLib.io import read_volume, write_bytes_atomically
from SpiderSegLib.labels import FOREGROUND, Structure
from SpiderSegLib.network import Checkpoint, ModelConfig, Provenance, build_network, save_checkpoint
from SpiderSegLib.preprocessing import PreprocessingConfig, prepare

logger = logging.getLogger(__name__)

#: Training stops when this many steps in a row had a non-finite loss or gradient: the run has diverged.
MOST_SKIPPED_IN_A_ROW = 20


#: Files in the output folder.
BEST, LAST, METRICS = "best.pt", "last.pt", "metrics.jsonl"


@dataclass(frozen=True)
class TrainingConfig:
    """Hyper-parameters of the default recipe.

    source_weights: how often a window comes from a stack of slices, a single slice, a synthesized image. The learning rate warms
    up linearly, then falls as a cosine to zero; ema_decay averages the weights, and the average is what is validated and saved.
    """

    steps: int = 5000
    batch_size: int = 2
    learning_rate: float = 4e-4
    weight_decay: float = 1e-5
    warmup_steps: int = 200
    gradient_norm: float = 1.0
    ema_decay: float = 0.998
    evaluate_every: int = 1000
    checkpoint_every: int = 250
    workers: int = 1
    seed: int = 0
    source_weights: Mapping[str, float] = field(default_factory=lambda: {"stack": 0.55, "slice": 0.25, "synthetic": 0.20})
    model: ModelConfig = field(default_factory=ModelConfig)
    preprocessing: PreprocessingConfig = field(default_factory=PreprocessingConfig)
    augmentation: AugmentationConfig = field(default_factory=AugmentationConfig)


class WindowStream(IterableDataset[tuple[Tensor, Tensor, int]]):
    """Endless windows; number n of the stream depends on the seed and n alone, so a resumed run sees what it would have seen."""

    def __init__(self, cases: Sequence[TrainingCase], config: TrainingConfig, first: int) -> None:
        self._config, self._first = config, first
        groups = {name: [n for n, case in enumerate(cases) if source_of(case) == name] for name in config.source_weights}
        self._cases, self._groups = cases, {name: group for name, group in groups.items() if group}
        weights = np.array([config.source_weights[name] for name in self._groups])
        self._probabilities = weights / weights.sum()

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor, int]]:
        worker = torch.utils.data.get_worker_info()
        start, stride = (0, 1) if worker is None else (worker.id, worker.num_workers)
        batch = self._config.batch_size
        number = self._first * batch
        while True:
            # Whole batches go to one worker, as DataLoader collects them.
            if (number // batch - self._first) % stride == start:
                yield self._window(number)
            number += 1

    def _window(self, number: int) -> tuple[Tensor, Tensor, int]:
        config = self._config
        rng = np.random.default_rng((config.seed, number))
        source = list(self._groups)[int(rng.choice(len(self._groups), p=self._probabilities))]
        index = int(rng.choice(self._groups[source]))
        window = draw_window(self._cases[index], config.model.roi_size_kji, config.preprocessing.in_plane_spacing_mm, rng, config.augmentation)
        return window.image[None], window.classes[None], index


def source_of(case: TrainingCase) -> str:
    """'synthetic' without an image, 'slice' for a one-slice series, else 'stack'."""
    if case.image is None:
        return "synthetic"
    return "slice" if case.classes.shape[0] == 1 else "stack"


def train(datalist: Datalist, out: Path, config: TrainingConfig, device: str = "auto", resume: bool = False) -> Path:
    """Trains on datalist.training, validates on datalist.validation, and returns the path of the best checkpoint.

    `out` gets best.pt, last.pt (with which resume goes on), metrics.jsonl. Raises DatasetError when there is nothing to train or
    validate on, TrainingError when the loss stays non-finite or there is nothing to resume.
    """
    if not datalist.training or not any(item.image for item in datalist.validation):
        raise DatasetError(f"expected training and validation series, found {len(datalist.training)} and {len(datalist.validation)}")
    out.mkdir(parents=True, exist_ok=True)
    device = resolve_device(device)
    precision = "fp16" if device != "cpu" else "bf16" if cpu_has_bf16() else "fp32"
    cases = [load_training_case(item, config.preprocessing) for item in tqdm(datalist.training, "reading", unit="series")]
    state = TrainingState.start(config, device)
    if precision == "bf16":
        run_in_float32(state.network.decoder5.conv_block)
    if resume:
        state.load(out / LAST)
    batches = iter(DataLoader(WindowStream(cases, config, state.step), config.batch_size, num_workers=config.workers))
    loss_function = DiceCELoss(to_onehot_y=True, softmax=True, batch=True)
    scaler = torch.amp.GradScaler(enabled=precision == "fp16")
    progress = tqdm(total=config.steps, initial=state.step, desc="training", unit="step")
    while state.step < config.steps:
        rate = learning_rate(state.step, config)
        for group in state.optimizer.param_groups:
            group["lr"] = rate

        image, classes, indices = next(batches)
        with autocast(device, precision):
            logits = state.network(image.to(device))
        loss = loss_function(logits.float(), classes.to(device))

        state.optimizer.zero_grad(set_to_none=True)
        scaler.scale(loss).backward()
        scaler.unscale_(state.optimizer)
        norm = torch.nn.utils.clip_grad_norm_(state.network.parameters(), config.gradient_norm)
        if torch.isfinite(loss) and torch.isfinite(norm):
            scaler.step(state.optimizer)
            state.average(config.ema_decay)
            state.skipped = 0
        else:
            state.skip([cases[index].name for index in indices.tolist()], loss.item(), norm.item())
        scaler.update()

        state.step += 1
        progress.update()
        progress.set_postfix(loss=f"{loss.item():.3f}", refresh=False)
        record: dict[str, Any] = {"step": state.step, "loss": loss.item(), "norm": norm.item(), "lr": rate}
        is_last = state.step == config.steps
        if is_last or state.step % config.evaluate_every == 0:
            record["validation"] = _evaluate(state, config, datalist, device, out)
        _append_line(out / METRICS, record)
        if is_last or state.step % config.checkpoint_every == 0:
            state.save(out / LAST)
    progress.close()
    return out / BEST


def _evaluate(state: TrainingState, config: TrainingConfig, datalist: Datalist, device: str, out: Path) -> dict[str, float]:
    """Scores the averaged weights and keeps them as best.pt when their mean is the highest so far."""
    scores = validate(state.checkpoint(config, datalist), datalist.validation, device)
    if scores["mean"] > state.best:
        state.best = scores["mean"]
        hashes = image_hashes(datalist.training)
        save_checkpoint(out / BEST, state.checkpoint(config, datalist, scores, hashes))
    tqdm.write(f"step {state.step}: " + ", ".join(f"{name} {value:.3f}" for name, value in scores.items()), file=sys.stderr)
    return scores


def run_in_float32(module: torch.nn.Module) -> None:
    """Takes a module out of autocast.

    oneDNN's bfloat16 weight gradient of UNETR's deepest decoder block (3x3x3, 256 to 128 channels on a map of 2x16x12 voxels, torch
    2.13) now and then holds garbage of 1e30 in some thousand elements: a fifth of all steps were lost to it. It costs nothing there.
    """
    forward = module.forward

    def forward_in_float32(*tensors: Tensor) -> Tensor:
        with torch.autocast(tensors[0].device.type, enabled=False):
            result: Tensor = forward(*(tensor.float() for tensor in tensors))
        return result

    module.forward = forward_in_float32


def learning_rate(step: int, config: TrainingConfig) -> float:
    """Linear warm-up, then a cosine to zero at the last step."""
    if step < config.warmup_steps:
        return config.learning_rate * (step + 1) / config.warmup_steps
    share = (step - config.warmup_steps) / max(1, config.steps - config.warmup_steps)
    return float(config.learning_rate * 0.5 * (1 + np.cos(np.pi * min(1.0, share))))


@dataclass
class TrainingState:
    """What a checkpoint must hold to go on exactly: network, its running average, optimizer, step, best score."""

    network: torch.nn.Module
    averaged: dict[str, Tensor]
    optimizer: torch.optim.Optimizer
    step: int = 0
    best: float = -1.0
    skipped: int = 0

    @classmethod
    def start(cls, config: TrainingConfig, device: str) -> TrainingState:
        torch.manual_seed(config.seed)
        network = build_network(config.model).to(device).train()
        averaged = {name: tensor.detach().clone() for name, tensor in network.state_dict().items()}
        return cls(network, averaged, torch.optim.AdamW(network.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay))

    def average(self, decay: float) -> None:
        """Moves the running average toward the network's weights."""
        # A young average follows quickly: it must forget the random start.
        decay = min(decay, (1 + self.step) / (10 + self.step))
        tensors = [tensor.detach() for tensor in self.network.state_dict().values()]
        torch._foreach_lerp_(list(self.averaged.values()), tensors, 1 - decay)

    def skip(self, names: Sequence[str], loss: float, norm: float) -> None:
        """Counts a step without an update. Raises TrainingError when too many follow each other, naming the last series."""
        self.skipped += 1
        logger.warning("step %d skipped: loss %.4g, gradient norm %.4g (%s)", self.step, loss, norm, ", ".join(names))
        if self.skipped >= MOST_SKIPPED_IN_A_ROW:
            raise TrainingError(
                f"{self.skipped} steps in a row had a non-finite loss or gradient, the last on {', '.join(names)}; lower the learning rate"
            )

    def save(self, path: Path) -> None:
        """Writes everything needed to go on, atomically."""
        buffer = std_io.BytesIO()
        content = {"network": self.network.state_dict(), "averaged": self.averaged, "optimizer": self.optimizer.state_dict()}
        torch.save({**content, "step": self.step, "best": self.best}, buffer)
        write_bytes_atomically(path, buffer.getvalue())

    def load(self, path: Path) -> None:
        """Goes back to a saved state. Raises TrainingError when there is none or it is of another configuration."""
        try:
            content = torch.load(path, weights_only=True)
            self.network.load_state_dict(content["network"])
            self.optimizer.load_state_dict(content["optimizer"])
        except OSError as error:
            raise TrainingError(f"{path}: nothing to resume: {error.strerror}") from error
        except (RuntimeError, KeyError, ValueError, TypeError, UnpicklingError) as error:
            raise TrainingError(f"{path}: can't resume from this file, it is damaged or of another configuration: {error}") from error
        for name, tensor in content["averaged"].items():
            self.averaged[name].copy_(tensor)
        self.step, self.best = content["step"], content["best"]

    def checkpoint(
        self, config: TrainingConfig, datalist: Datalist, scores: Mapping[str, float] | None = None, hashes: Mapping[str, str] | None = None
    ) -> Checkpoint:
        """The averaged weights with their configuration and provenance."""
        now = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")
        provenance = Provenance(
            model_id=f"spiderseg_unetr-{now[:10]}-{self.step}",
            created_utc=now,
            command=f"spiderseg train --steps {config.steps} --seed {config.seed}",
            steps=self.step,
            training_patients=tuple(sorted({item.patient_id for item in datalist.training})),
            validation_patients=tuple(sorted({item.patient_id for item in datalist.validation})),
            training_image_sha256=dict(hashes or {}),
            data=datalist.description,
            validation_scores=dict(scores or {}),
        )
        return Checkpoint(dict(self.averaged), config.model, config.preprocessing, provenance)


def validate(checkpoint: Checkpoint, items: Sequence[DatasetItem], device: str) -> dict[str, float]:
    """Structure Dice in native space, without post-processing: mean over series per structure and kind, and the mean of all."""
    predictor = Predictor(checkpoint, device)
    dice: dict[str, list[float]] = {}
    for item in items:
        if item.image is None:
            continue
        volume, reference = read_volume(item.image), reference_classes(item)
        prepared = prepare(volume, checkpoint.preprocessing)
        classes = prepared.restore_classes(predictor.predict(prepared.array).probabilities)
        kind = item.image.stem.partition("_")[2]
        for structure in FOREGROUND:
            dice.setdefault(f"{kind} {structure.name.lower()}", []).append(_dice(classes, reference.array, structure))
    scores = {name: float(np.mean(values)) for name, values in sorted(dice.items())}
    return {**scores, "mean": float(np.mean(list(scores.values())))}


def _dice(classes: np.ndarray[Any, Any], reference: np.ndarray[Any, Any], structure: Structure) -> float:
    predicted, true = classes == structure, reference == structure
    total = int(predicted.sum()) + int(true.sum())
    return 2 * int((predicted & true).sum()) / total if total else 1.0


def _append_line(path: Path, record: Mapping[str, Any]) -> None:
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(record) + "\n")
