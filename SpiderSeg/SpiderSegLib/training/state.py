"""What a run must keep to go on exactly as if it had never stopped."""

from __future__ import annotations

import io as std_io
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError  # noqa: TID251 - only to catch what torch.load raises on damaged files

import torch
from torch import Tensor, nn

from SpiderSegLib.errors import TrainingError
from SpiderSegLib.io import write_bytes_atomically
from SpiderSegLib.training.config import LoopConfig

logger = logging.getLogger(__name__)

#: Training stops when this many steps in a row had a non-finite loss or gradient: the run has diverged.
MOST_SKIPPED_IN_A_ROW = 20


@dataclass
class TrainingState:
    """Network, running average of its weights, optimizer, loss scaler (fp16), step, best score, steps skipped in a row and in all."""

    network: nn.Module
    averaged: dict[str, Tensor]
    optimizer: torch.optim.Optimizer
    scaler: torch.amp.GradScaler
    step: int = 0
    best: float = -1.0
    skipped: int = 0
    skipped_in_all: int = 0

    @classmethod
    def start(cls, network: nn.Module, config: LoopConfig, device: str, precision: str, weights: Mapping[str, Tensor] | None = None) -> TrainingState:
        """Step 0 from the network's own weights, or from others of the same configuration."""
        if weights is not None:
            network.load_state_dict({name: tensor.float() for name, tensor in weights.items()})
        network = network.to(device).train()
        averaged = {name: tensor.detach().clone() for name, tensor in network.state_dict().items()}
        optimizer = torch.optim.AdamW(network.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay)
        return cls(network, averaged, optimizer, torch.amp.GradScaler(enabled=precision == "fp16"))

    def set_learning_rate(self, rate: float) -> None:
        for group in self.optimizer.param_groups:
            group["lr"] = rate

    def average(self, decay: float) -> None:
        """Moves the running average toward the network's weights; decay 0 copies them."""
        # A young average follows quickly: it must forget the random start.
        decay = min(decay, (1 + self.step) / (10 + self.step))
        tensors = [tensor.detach() for tensor in self.network.state_dict().values()]
        torch._foreach_lerp_(list(self.averaged.values()), tensors, 1 - decay)

    def skip(self, names: Sequence[str], loss: float, norm: float) -> None:
        """Counts a step without an update. Raises TrainingError when too many follow each other, naming the last series."""
        self.skipped += 1
        self.skipped_in_all += 1
        logger.warning("step %d skipped: loss %.4g, gradient norm %.4g (%s)", self.step, loss, norm, ", ".join(names))
        if self.skipped >= MOST_SKIPPED_IN_A_ROW:
            raise TrainingError(
                f"{self.skipped} steps in a row had a non-finite loss or gradient, the last on {', '.join(names)}; lower the learning rate"
            )

    def save(self, path: Path, identity: Mapping[str, str]) -> None:
        """Writes everything needed to go on, and what the run is, atomically.

        Raises OutputError when there is no space; the file of before then stays.
        """
        buffer = std_io.BytesIO()
        tensors = {"network": self.network.state_dict(), "averaged": self.averaged, "optimizer": self.optimizer.state_dict()}
        counts = {"step": self.step, "best": self.best, "skipped": self.skipped, "skipped_in_all": self.skipped_in_all}
        torch.save({**tensors, **counts, "scaler": self.scaler.state_dict(), "identity": dict(identity)}, buffer)
        write_bytes_atomically(path, buffer.getvalue())

    def load(self, path: Path, identity: Mapping[str, str]) -> None:
        """Goes back to a saved state.

        Raises TrainingError when there is none, or it is of a run of another identity: what was changed is named.
        """
        try:
            content = torch.load(path, weights_only=True, map_location="cpu")
            _refuse_another_run(path, content["identity"], identity)
            self.network.load_state_dict(content["network"])
            self.optimizer.load_state_dict(content["optimizer"])
            self.scaler.load_state_dict(content["scaler"])
            for name, tensor in content["averaged"].items():
                self.averaged[name].copy_(tensor)
            self.step, self.best = int(content["step"]), float(content["best"])
            self.skipped, self.skipped_in_all = int(content["skipped"]), int(content["skipped_in_all"])
        except OSError as error:
            raise TrainingError(f"{path}: nothing to resume: {error.strerror}") from error
        except (RuntimeError, KeyError, ValueError, TypeError, AttributeError, EOFError, UnpicklingError) as error:
            reason = " ".join(str(error).split())[:300]
            raise TrainingError(f"{path}: can't resume from this file, it is damaged or of another configuration: {reason}") from error


def _refuse_another_run(path: Path, found: Mapping[str, str], expected: Mapping[str, str]) -> None:
    changed = [name for name in expected if found.get(name) != expected[name]]
    if changed:
        differences = "; ".join(f"{name}: it was {found.get(name, 'unknown')}, now {expected[name]}" for name in changed)
        raise TrainingError(f"{path}: a run goes on only as it was started; {differences}")
