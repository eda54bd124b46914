"""A champion of a tiny network and a few small series on disk: what a round of retraining works on, for tests."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from SpiderSegLib.dataset import DatasetItem
from SpiderSegLib.io import write_volume
from SpiderSegLib.network import Checkpoint, ModelConfig, Provenance, build_network, save_checkpoint
from SpiderSegLib.preprocessing import PreprocessingConfig
from SpiderSegLib.retraining import RetrainRequest
from SpiderSegLib.volume import Geometry, Volume

GEOMETRY = Geometry((40, 48, 5), (1.5, 1.5, 4.0), (0.0, 0.0, 0.0), (0.0, 0.0, -1.0, 1.0, 0.0, 0.0, 0.0, -1.0, 0.0))

MODEL = ModelConfig(roi_size_kji=(16, 32, 32), feature_size=4, hidden_size=32, mlp_dim=64, num_heads=4)


def write_series(folder: Path, series: str, patient_id: str, seed: int, shift: int = 0) -> DatasetItem:
    """One vertebra, the disc below it and the canal as bright blocks, with noise of its own."""
    mask = np.zeros(GEOMETRY.shape_kji, np.uint8)
    mask[:, 4:20, 8:20], mask[:, 8:14, 31:36], mask[:, 21:25, 8:20], mask[:, 2:46, 24:30] = 1, 1, 201, 100
    mask = np.roll(mask, shift, axis=2)
    image = (100 * (mask == 1) + 40 * (mask == 201) + 200 * (mask == 100) + np.random.default_rng(seed).integers(0, 30, mask.shape)).astype(np.int16)
    for name, array in (("images", image), ("masks", mask)):
        (folder / name).mkdir(parents=True, exist_ok=True)
        write_volume(folder / name / f"{series}.mha", Volume(array, GEOMETRY))
    return DatasetItem(folder / "masks" / f"{series}.mha", patient_id, "spider", folder / "images" / f"{series}.mha")


def write_champion(path: Path, provenance: Provenance | None = None) -> Path:
    """A checkpoint with random weights that finds something everywhere."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = build_network(MODEL)
    path.parent.mkdir(parents=True, exist_ok=True)
    save_checkpoint(
        path, Checkpoint(network.state_dict(), MODEL, PreprocessingConfig(), provenance or Provenance("first", training_patients=("50",)))
    )
    return path


def request_in(folder: Path) -> RetrainRequest:
    """Two new series of one patient, one older to replay, three validation series of three patients; four quick steps."""
    data = folder / "data"
    new = (write_series(data, "1_t1", "1", 1), write_series(data, "1_t2", "1", 2, shift=1))
    validation = tuple(write_series(data, f"{number}_t2", str(number), number, shift=number - 6) for number in (7, 8, 9))
    return RetrainRequest(
        champion=write_champion(folder / "champion" / "model.pt"),
        new_items=new,
        validation_items=validation,
        out=folder / "models" / "second",
        replay_items=(write_series(data, "2_t2", "2", 3),),
        steps=4,
        device="cpu",
        learning_rate=3e-3,
        warmup_steps=1,
        batch_size=1,
        workers=0,
    )
