"""What lies around the labelled spine in a sagittal window: a map of tissues, for synthetic images.

Posterior is +i, inferior is +j. Everything is laid out relative to two lines that follow the spine from row to row: the spinal canal
and the front of the column.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from SpiderSegLib.labels import Structure

#: Height and depth of the first sacral segment in mm; each next one is a sixth smaller.
SACRAL_SEGMENT_MM = (27.0, 30.0)

#: Bone below the lowest disc, no further behind its middle than this, and of more voxels than this, is a body.
BODY_REACH_MM = 15.0
FEWEST_BODY_VOXELS = 200

#: Distance from the canal's middle to the front of a column whose bodies are not in the window, in mm.
TYPICAL_FRONT_MM = 45.0


class Tissue(IntEnum):
    """What is not labelled."""

    MUSCLE = 0
    FAT = 1
    BOWEL = 2
    VESSEL = 3
    LIGAMENT = 4
    AIR = 5


@dataclass(frozen=True)
class Surroundings:
    """Tissue of every voxel (k, j, i), int64, meant for background; masks of the unlabelled sacrum; where it is behind the canal."""

    tissues: Tensor
    sacrum: Tensor
    sacral_discs: Tensor
    behind_canal: Tensor


def lay_out_surroundings(classes: Tensor, spacing_mm: float, rng: Generator) -> Surroundings:
    """Tissues around the spine of a class map (k, j, i); without a spine in it, blobs of tissues alone."""
    tissues = _blobs(classes.shape, rng)
    nothing = torch.zeros_like(classes, dtype=torch.bool)
    lines = spine_lines(classes, spacing_mm)
    if lines is None:
        return Surroundings(tissues, nothing, nothing, nothing)
    canal, front = (torch.from_numpy(line).float()[None, :, None] for line in lines)
    i = torch.arange(classes.shape[2])[None, None, :]
    behind_mm, before_mm = (i - canal) * spacing_mm, (front - i) * spacing_mm
    _lay_out_front(tissues, before_mm, rng)
    _lay_out_column(tissues, (before_mm <= 0) & (behind_mm < 6), classes, spacing_mm, rng)
    _lay_out_back(tissues, behind_mm, rng)
    sacrum, sacral_discs = _sacrum(classes, spacing_mm, rng)
    return Surroundings(tissues, sacrum, sacral_discs, (behind_mm > -4).expand(classes.shape))


def smooth_noise(shape: torch.Size, period_kji: tuple[int, int, int], rng: Generator) -> Tensor:
    """Noise (k, j, i) of deviation about 1 with independent values every period_kji voxels, interpolated between."""
    coarse = [max(2, -(-size // period)) for size, period in zip(shape, period_kji, strict=True)]
    values = torch.from_numpy(rng.standard_normal((1, 1, *coarse), dtype=np.float32))
    return functional.interpolate(values, tuple(shape), mode="trilinear", align_corners=True)[0, 0]


def _blobs(shape: torch.Size, rng: Generator) -> Tensor:
    """Organs and fat, a few centimetres in size; air is rare."""
    periods = (int(rng.integers(4, 12)), int(rng.integers(8, 30)), int(rng.integers(8, 25)))
    kinds = [Tissue.MUSCLE, Tissue.FAT, Tissue.FAT, Tissue.BOWEL, Tissue.BOWEL, Tissue.VESSEL, Tissue.AIR]
    scores = torch.stack([smooth_noise(shape, periods, rng) for _ in kinds])
    scores[-1] -= 0.8
    return torch.tensor([int(kind) for kind in kinds])[scores.argmax(0)]


def spine_lines(classes: Tensor, spacing_mm: float) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
    """Column index i of the canal's middle and of the column's front, for every row j of a class map (k, j, i) with +i posterior.

    Rows between and beyond are interpolated and continued. None without a vertebra or disc in the window.
    """
    array = classes.numpy()
    rows = np.arange(array.shape[1])
    index_i = np.arange(array.shape[2])
    counts = (array == Structure.CANAL).sum(axis=0)
    column = ((array == Structure.VERTEBRA) | (array == Structure.DISC)).any(axis=0)
    with_canal, with_column = counts.sum(axis=1) > 0, column.any(axis=1)
    if not with_column.any():
        return None
    fronts = np.interp(rows, rows[with_column], column[with_column].argmax(axis=1))
    if with_canal.any():
        middles = (counts[with_canal] * index_i).sum(axis=1) / counts[with_canal].sum(axis=1)
        canal = np.interp(rows, rows[with_canal], middles)
    else:
        canal = fronts + TYPICAL_FRONT_MM / spacing_mm
    # A row that shows only posterior elements says nothing about the front.
    furthest = canal - 0.5 * TYPICAL_FRONT_MM / spacing_mm
    fronts = np.minimum(fronts, furthest)
    kernel = np.ones(9) / 9
    return canal, np.convolve(np.pad(fronts, 4, mode="edge"), kernel, mode="valid")


def _lay_out_front(tissues: Tensor, before_mm: Tensor, rng: Generator) -> None:
    """Longitudinal ligament, often a great vessel, and skin far in front."""
    before_mm = before_mm.expand(tissues.shape)
    if rng.random() < 0.7:
        start, width = float(rng.uniform(1, 6)), float(rng.uniform(8, 22))
        first = int(rng.integers(0, tissues.shape[0]))
        beside = torch.zeros_like(tissues, dtype=torch.bool)
        beside[max(0, first - int(rng.integers(1, 8))) : first + 1] = True
        wave = 2.0 * smooth_noise(tissues.shape, (tissues.shape[0], 20, tissues.shape[2]), rng)
        tissues[beside & (before_mm + wave > start) & (before_mm + wave < start + width)] = Tissue.VESSEL
    tissues[(before_mm > 0) & (before_mm < float(rng.uniform(0, 3)))] = Tissue.LIGAMENT
    skin = float(rng.uniform(70, 180))
    tissues[before_mm > skin] = Tissue.FAT
    tissues[before_mm > skin + float(rng.uniform(5, 60))] = Tissue.AIR


def _lay_out_column(tissues: Tensor, zone: Tensor, classes: Tensor, spacing_mm: float, rng: Generator) -> None:
    """Beside the bodies: psoas with some fat, and fat around the canal and in the foramina."""
    zone = zone.expand(tissues.shape)
    fat = smooth_noise(tissues.shape, (3, 8, 6), rng) > float(rng.uniform(0.5, 1.8))
    tissues[zone] = torch.where(fat, int(Tissue.FAT), int(Tissue.MUSCLE))[zone]
    if rng.random() < 0.8:
        tissues[_grown(classes == Structure.CANAL, float(rng.uniform(2, 7)) / spacing_mm)] = Tissue.FAT


def _lay_out_back(tissues: Tensor, behind_mm: Tensor, rng: Generator) -> None:
    """Muscle streaked with fat, ligaments between the spinous processes, fat under the skin, air."""
    behind_mm = behind_mm.expand(tissues.shape)
    wave = 4.0 * smooth_noise(tissues.shape, (tissues.shape[0], 40, tissues.shape[2]), rng)
    streaks = smooth_noise(tissues.shape, (2, int(rng.integers(8, 25)), int(rng.integers(2, 6))), rng) > float(rng.uniform(0.2, 1.6))
    ligaments = smooth_noise(tissues.shape, (2, 6, 8), rng) > float(rng.uniform(1.0, 2.0))
    back = behind_mm >= 6
    inner = torch.where(streaks, int(Tissue.FAT), torch.where(ligaments, int(Tissue.LIGAMENT), int(Tissue.MUSCLE)))
    tissues[back] = inner[back]
    fascia = float(rng.uniform(35, 75))
    tissues[behind_mm + wave > fascia] = Tissue.FAT
    tissues[behind_mm + wave > fascia + float(rng.uniform(4, 60))] = Tissue.AIR


def _grown(mask: Tensor, voxels: float) -> Tensor:
    size = 2 * max(1, round(voxels)) + 1
    return functional.max_pool2d(mask.float()[None], size, stride=1, padding=size // 2)[0] > 0


def _sacrum(classes: Tensor, spacing_mm: float, rng: Generator) -> tuple[Tensor, Tensor]:
    """Masks (k, j, i) of sacral segments and of the thin discs between them, below the lowest disc, on background only.

    Nothing when a body lies below that disc: then the sacrum is outside the window.
    """
    nothing = torch.zeros_like(classes, dtype=torch.bool)
    disc = torch.nonzero(classes == Structure.DISC).float()
    if len(disc) == 0:
        return nothing, nothing
    lowest = disc[disc[:, 1] > disc[:, 1].max() - 12 / spacing_mm].mean(0)
    below = classes[:, int(disc[:, 1].max()) + 1 :, : int(lowest[2]) + round(BODY_REACH_MM / spacing_mm)]
    if int((below == Structure.VERTEBRA).sum()) > FEWEST_BODY_VOXELS:
        return nothing, nothing
    tilt = np.deg2rad(rng.uniform(10, 60))  # the sacrum turns backward
    down, back = float(np.cos(tilt)), float(np.sin(tilt))
    y, x = torch.meshgrid(torch.arange(classes.shape[1]), torch.arange(classes.shape[2]), indexing="ij")
    y, x = (y - lowest[1]) * spacing_mm, (x - lowest[2]) * spacing_mm
    along, across = y * down + x * back, x * down - y * back
    segments, gaps = torch.zeros_like(y, dtype=torch.bool), torch.zeros_like(y, dtype=torch.bool)
    start, (height, depth) = float(rng.uniform(4, 8)), SACRAL_SEGMENT_MM
    for _ in range(3):
        segments |= (along > start) & (along < start + height) & (across.abs() < depth / 2)
        gaps |= (along >= start + height) & (along <= start + height + 3) & (across.abs() < depth / 2)
        start, height, depth = start + height + 3, height * 5 / 6, depth * 5 / 6
    background = classes == Structure.BACKGROUND
    return segments[None] & background, gaps[None] & background
