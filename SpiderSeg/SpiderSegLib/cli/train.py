"""`spiderseg train`."""

from __future__ import annotations

from pathlib import Path

from SpiderSegLib.paths import MODEL_WEIGHTS, data_path


def train(data: Path, out: Path, datalist: Path | None, steps: int, device: str, seed: int, resume: bool) -> int:
    """Trains on the data list's training series and leaves the best checkpoint in `out`."""
    from SpiderSegLib import training
    from SpiderSegLib.dataset import read_datalist

    split = read_datalist(datalist or data_path(MODEL_WEIGHTS, "spiderseg_unetr", "configs", "spider_dataset.json"), data)
    training.train(split, out, training.TrainingConfig(steps=steps, seed=seed), device, resume)
    return 0
