"""A few small cases and a tiny network to train on; also the program that each process of a multi-process run executes."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

from SpiderSegLib.dataset import Datalist, DatasetItem
from SpiderSegLib.io import write_volume
from SpiderSegLib.network import ModelConfig
from SpiderSegLib.training import TrainingConfig
from SpiderSegLib.volume import Geometry, Volume

CONFIG = TrainingConfig(
    steps=4,
    batch_size=1,
    learning_rate=3e-3,
    warmup_steps=1,
    falling_share=0.5,
    evaluate_every=3,
    checkpoint_every=2,
    workers=0,
    model=ModelConfig(roi_size_kji=(16, 32, 32), feature_size=4, hidden_size=32, mlp_dim=64, num_heads=4),
)


def write_cases(folder: Path) -> Datalist:
    """A stack, a single slice and a mask for synthesis; another stack validates."""
    geometry = Geometry((40, 48, 6), (1.5, 1.5, 3.0), (0.0, 0.0, 0.0), (0.0, 0.0, -1.0, 1.0, 0.0, 0.0, 0.0, -1.0, 0.0))
    mask = np.zeros(geometry.shape_kji, np.uint8)
    mask[:, 4:20, 8:20], mask[:, 8:14, 31:36], mask[:, 21:25, 8:20], mask[:, 2:46, 24:30] = 1, 1, 201, 100
    image = (100 * (mask == 1) + 40 * (mask == 201) + 200 * (mask == 100) + np.random.default_rng(0).integers(0, 30, mask.shape)).astype(np.int16)
    for name, array in {"image_t2": image, "mask": mask}.items():
        write_volume(folder / f"{name}.mha", Volume(array, geometry))
        write_volume(folder / f"validation_{name}.mha", Volume(np.roll(array, 1, axis=2), geometry))
        one = Geometry((40, 48, 1), geometry.spacing_ijk_mm, geometry.origin_lps_mm, geometry.direction)
        write_volume(folder / f"{name}_slice.mha", Volume(array[3:4], one))
    return datalist_of(folder)


def datalist_of(folder: Path) -> Datalist:
    stack = DatasetItem(folder / "mask.mha", "1", "spider", folder / "image_t2.mha")
    slice_ = DatasetItem(folder / "mask_slice.mha", "2", "spider", folder / "image_t2_slice.mha")
    other = DatasetItem(folder / "validation_mask.mha", "3", "spider", folder / "validation_image_t2.mha")
    return Datalist((stack, slice_, replace(stack, image=None)), (other,), "made up")


def main(folder: str, out: str) -> None:
    """One process of a run: as many steps as CONFIG says, with the rank that torchrun tells."""
    from SpiderSegLib.ranks import Rank
    from SpiderSegLib.training import DefaultRecipe, train

    train(DefaultRecipe(datalist_of(Path(folder)), CONFIG), Path(out), "cpu", rank=Rank.from_environment())


if __name__ == "__main__":
    main(*sys.argv[1:])
