"""The network (MONAI UNETR) and the checkpoint that rebuilds it.

A checkpoint is a plain dict of tensors, numbers and strings: it loads with weights_only=True, so no code of a stranger runs.
"""

from __future__ import annotations

import hashlib
import io as std_io
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from monai.networks.nets import UNETR

from SpiderSegLib.errors import InputError, WeightsError
from SpiderSegLib.io import write_bytes_atomically
from SpiderSegLib.labels import Structure
from SpiderSegLib.preprocessing import PreprocessingConfig

CHECKPOINT_FORMAT = "spiderseg-checkpoint-1"

#: UNETR's transformer cuts its window into cubes of this many voxels (fixed in MONAI).
UNETR_PATCH_SIZE = 16


@dataclass(frozen=True)
class ModelConfig:
    """Architecture of the UNETR (Hatamizadeh et al. 2022) and the window it sees, stored in every checkpoint.

    roi_size_kji is the window in voxels of the working grid; the defaults make 13.5 million parameters.
    """

    roi_size_kji: tuple[int, int, int] = (16, 128, 96)
    classes: int = len(Structure)
    feature_size: int = 16
    hidden_size: int = 256
    mlp_dim: int = 1024
    num_heads: int = 8

    def __post_init__(self) -> None:
        if len(self.roi_size_kji) != 3 or any(size < UNETR_PATCH_SIZE or size % UNETR_PATCH_SIZE for size in self.roi_size_kji):
            raise WeightsError(f"expected a window of three multiples of {UNETR_PATCH_SIZE} voxels, found {self.roi_size_kji}")
        sizes = (*self.roi_size_kji, self.classes, self.feature_size, self.hidden_size, self.mlp_dim, self.num_heads)
        if not all(isinstance(size, int) and size > 0 for size in sizes):
            raise WeightsError(f"expected positive whole numbers as sizes of the network, found {sizes}")
        if self.hidden_size % self.num_heads:
            raise WeightsError(f"expected a hidden size divisible by the {self.num_heads} heads, found {self.hidden_size}")


@dataclass(frozen=True)
class Provenance:
    """Where weights come from: what trained them, and on whom, so that no training patient is ever taken for validation."""

    model_id: str
    created_utc: str = ""
    command: str = ""
    steps: int = 0
    training_patients: tuple[str, ...] = ()
    validation_patients: tuple[str, ...] = ()
    training_image_sha256: Mapping[str, str] = field(default_factory=dict)
    data: str = ""
    validation_scores: Mapping[str, float] = field(default_factory=dict)
    initialized_from: str = ""


@dataclass(frozen=True)
class Checkpoint:
    """Weights with everything needed to use them."""

    weights: Mapping[str, torch.Tensor]
    model: ModelConfig
    preprocessing: PreprocessingConfig
    provenance: Provenance
    sha256: str = ""


def build_network(config: ModelConfig) -> UNETR:
    """A MONAI UNETR with one input channel and random weights."""
    return UNETR(
        in_channels=1,
        out_channels=config.classes,
        img_size=config.roi_size_kji,
        feature_size=config.feature_size,
        hidden_size=config.hidden_size,
        mlp_dim=config.mlp_dim,
        num_heads=config.num_heads,
        norm_name="instance",
        res_block=True,
    )


def network_from(checkpoint: Checkpoint) -> UNETR:
    """The checkpoint's network in float32 and evaluation mode. Raises WeightsError when the weights don't fit the configuration."""
    network = build_network(checkpoint.model)
    try:
        network.load_state_dict({name: tensor.float() for name, tensor in checkpoint.weights.items()})
    except RuntimeError as error:
        reason = " ".join(str(error).split())[:300]
        raise WeightsError(f"{checkpoint.provenance.model_id}: the weights do not fit the stored configuration: {reason}") from error
    return network.eval()


def save_checkpoint(path: Path, checkpoint: Checkpoint) -> str:
    """Writes weights in float16 with configuration and provenance, atomically; returns the file's SHA-256."""
    content = {
        "format": CHECKPOINT_FORMAT,
        "weights": {name: tensor.detach().cpu().half() for name, tensor in checkpoint.weights.items()},
        "model": asdict(checkpoint.model),
        "preprocessing": asdict(checkpoint.preprocessing),
        "provenance": asdict(checkpoint.provenance),
    }
    buffer = std_io.BytesIO()
    torch.save(content, buffer)
    write_bytes_atomically(path, buffer.getvalue())
    return hashlib.sha256(buffer.getvalue()).hexdigest()


def load_checkpoint(path: Path, expected_sha256: str | None = None) -> Checkpoint:
    """Reads a checkpoint without running any code from it.

    Raises WeightsError when the file is missing, damaged, not a SpiderSeg checkpoint, or its SHA-256 is not the expected one.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise WeightsError(f"{path}: can't read the weights: {error.strerror}") from error
    sha256 = hashlib.sha256(data).hexdigest()
    if expected_sha256 is not None and sha256 != expected_sha256:
        raise WeightsError(
            f"{path}: expected SHA-256 {expected_sha256}, found {sha256}; the file is damaged or not the one described: install it again"
        )
    try:
        content = torch.load(std_io.BytesIO(data), map_location="cpu", weights_only=True)
    except Exception as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise WeightsError(f"{path}: not a readable checkpoint, or it holds more than plain tensors (refused): {reason}") from error
    if not isinstance(content, dict) or content.get("format") != CHECKPOINT_FORMAT:
        raise WeightsError(f"{path}: expected a checkpoint of format {CHECKPOINT_FORMAT}, found something else")
    return _checkpoint_from(content, path, sha256)


def _checkpoint_from(content: Mapping[str, Any], path: Path, sha256: str) -> Checkpoint:
    try:
        model = dict(content["model"])
        model["roi_size_kji"] = tuple(model["roi_size_kji"])
        provenance = dict(content["provenance"])
        for key in ("training_patients", "validation_patients"):
            provenance[key] = tuple(provenance[key])
        weights = dict(content["weights"])
        if not all(isinstance(tensor, torch.Tensor) and tensor.isfinite().all() for tensor in weights.values()):
            raise TypeError("weights that are no tensors, or not finite")
        return Checkpoint(weights, ModelConfig(**model), PreprocessingConfig(**content["preprocessing"]), Provenance(**provenance), sha256)
    except (KeyError, TypeError, ValueError, InputError) as error:
        raise WeightsError(f"{path}: the checkpoint's configuration can't be read: {error}") from error
