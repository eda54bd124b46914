"""From a training case to one window as the network may meet it: other slices, pose, contrast and artefacts.

Randomness comes from the numpy Generator alone, so that (seed, step, sample) determines a window. Windows are (k, j, i) tensors on
the working grid; millimetre distances are in the patient, intensities in units of the body's standard deviation.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from SpiderSegLib.artefacts import add_ghosts, add_metal, bend_sideways, wrap_around
from SpiderSegLib.dataset import TrainingCase
from SpiderSegLib.labels import FOREGROUND, Structure
from SpiderSegLib.surroundings import spine_lines
from SpiderSegLib.synthesis import synthesize


@dataclass(frozen=True)
class AugmentationConfig:
    """Ranges and probabilities of the default recipe."""

    rotation_degrees: float = 12.0
    scale_range: tuple[float, float] = (0.85, 1.2)
    elastic_mm: float = 4.0
    uniform_center_probability: float = 0.25
    center_jitter_mm: float = 30.0
    thickest_slice_mm: float = 5.0
    recolor_probability: float = 0.5
    blur_probability: float = 0.25
    low_resolution_probability: float = 0.15
    noise_probability: float = 0.35
    scoliosis_probability: float = 0.2
    largest_scoliosis_mm: float = 8.0
    metal_probability: float = 0.03
    ghost_probability: float = 0.08
    wrap_probability: float = 0.04


@dataclass(frozen=True)
class Window:
    """Network input (k, j, i) float32, its classes (k, j, i) int64, and which voxels are posterior elements (k, j, i) bool."""

    image: Tensor
    classes: Tensor
    posterior_elements: Tensor


def draw_window(case: TrainingCase, roi_kji: tuple[int, int, int], in_plane_spacing_mm: float, rng: Generator, config: AugmentationConfig) -> Window:
    """One augmented window of a case; the class map of an image-less case gets a synthetic image."""
    image, classes, slice_spacing_mm = _slices(case, roi_kji[0], rng, config)
    if rng.random() < config.scoliosis_probability:
        amplitude_mm = float(rng.uniform(0, config.largest_scoliosis_mm))
        image, classes = bend_sideways(image, classes, amplitude_mm / slice_spacing_mm, rng)
    grid = _in_plane_grid(case, classes, roi_kji, in_plane_spacing_mm, rng, config)
    window_classes = functional.grid_sample(classes[None].float(), grid, mode="nearest", padding_mode="border", align_corners=False)[0].long()
    if image is None:
        window_image = synthesize(window_classes, in_plane_spacing_mm, rng)
    else:
        window_image = functional.grid_sample(image[None], grid, mode="bilinear", padding_mode="border", align_corners=False)[0]
        if rng.random() < config.recolor_probability:
            window_image = recolor(window_image, window_classes, rng)
    window_image = _with_artefacts(window_image, window_classes, in_plane_spacing_mm, rng, config)
    if rng.random() < 0.5:  # left and right look alike
        window_image, window_classes = window_image.flip(0), window_classes.flip(0)
    return Window(degrade(window_image, rng, config), window_classes, posterior_elements(window_classes, in_plane_spacing_mm))


def posterior_elements(classes: Tensor, in_plane_spacing_mm: float) -> Tensor:
    """Where a class map (k, j, i), +i posterior, holds vertebra behind the middle of the canal: arches and processes."""
    lines = spine_lines(classes, in_plane_spacing_mm)
    if lines is None:
        return torch.zeros_like(classes, dtype=torch.bool)
    behind = torch.arange(classes.shape[2])[None, :] > torch.from_numpy(lines[0])[:, None]
    return (classes == Structure.VERTEBRA) & behind


def _with_artefacts(image: Tensor, classes: Tensor, in_plane_spacing_mm: float, rng: Generator, config: AugmentationConfig) -> Tensor:
    if rng.random() < config.metal_probability:
        image = add_metal(image, classes, in_plane_spacing_mm, rng)
    if rng.random() < config.ghost_probability:
        image = add_ghosts(image, rng)
    return wrap_around(image, rng) if rng.random() < config.wrap_probability else image


def _slices(case: TrainingCase, n_slices: int, rng: Generator, config: AugmentationConfig) -> tuple[Tensor | None, Tensor, float]:
    """n_slices neighbouring slices and their distance; thin ones are averaged to thicker ones, missing ones repeat the border."""
    most = max(1, min(int(config.thickest_slice_mm / case.spacing_kji_mm[0]), case.classes.shape[0]))
    pooled = int(rng.choice([2, 2, 2, *range(1, most + 1)])) if most > 1 else 1
    offset = int(rng.integers(0, min(pooled, case.classes.shape[0] - pooled + 1)))
    count = (case.classes.shape[0] - offset) // pooled
    first = int(rng.integers(0, count - n_slices + 1)) if count > n_slices else (count - n_slices) // 2
    wanted = np.clip(np.arange(first, first + n_slices), 0, count - 1)
    classes = _majority(case.classes[offset : offset + count * pooled], pooled)[wanted]
    spacing_mm = pooled * case.spacing_kji_mm[0]
    if case.image is None:
        return None, torch.from_numpy(classes), spacing_mm
    stack = case.image[offset : offset + count * pooled].astype(np.float32)
    image = stack.reshape(count, pooled, *stack.shape[1:]).mean(axis=1)[wanted]
    return torch.from_numpy(image), torch.from_numpy(classes), spacing_mm


def _majority(classes: NDArray[np.uint8], pooled: int) -> NDArray[np.uint8]:
    """Most frequent class of each `pooled` neighbouring slices; background wins ties."""
    if pooled == 1:
        return classes
    stack = classes.reshape(-1, pooled, *classes.shape[1:])
    votes = np.stack([np.sum(stack == index, axis=1, dtype=np.uint8) for index in range(len(Structure))])
    return np.argmax(votes, axis=0).astype(np.uint8)


def _in_plane_grid(
    case: TrainingCase, classes: Tensor, roi_kji: tuple[int, int, int], spacing_mm: float, rng: Generator, config: AugmentationConfig
) -> Tensor:
    """Sampling grid (1, j, i, 2) of torch.grid_sample: rotated, scaled, bent, centered mostly on the spine."""
    _, height, width = roi_kji
    size_mm = np.array([case.classes.shape[1] * case.spacing_kji_mm[1], case.classes.shape[2] * case.spacing_kji_mm[2]])
    half_mm = np.array([height, width]) * spacing_mm / 2
    scale = np.exp(rng.uniform(*np.log(config.scale_range)))
    aspect = np.exp(rng.uniform(-0.08, 0.08))
    angle = np.deg2rad(rng.uniform(-1, 1) * config.rotation_degrees)
    center = _center_mm(case, classes, size_mm, half_mm * scale, rng, config)
    j = torch.linspace(-1, 1, height + 1)[:-1] + 1 / height
    i = torch.linspace(-1, 1, width + 1)[:-1] + 1 / width
    y, x = torch.meshgrid(j * half_mm[0] * scale * aspect, i * half_mm[1] * scale / aspect, indexing="ij")
    bend = torch.from_numpy(rng.normal(0, config.elastic_mm * rng.random(), (1, 2, 5, 4)).astype(np.float32))
    bend = functional.interpolate(bend, (height, width), mode="bicubic", align_corners=True)[0]
    y_mm = center[0] + np.cos(angle) * y - np.sin(angle) * x + bend[0]
    x_mm = center[1] + np.sin(angle) * y + np.cos(angle) * x + bend[1]
    return torch.stack((2 * x_mm / size_mm[1] - 1, 2 * y_mm / size_mm[0] - 1), dim=-1)[None].float()


def _center_mm(
    case: TrainingCase, classes: Tensor, size_mm: NDArray[np.float64], half_mm: NDArray[np.float64], rng: Generator, config: AugmentationConfig
) -> NDArray[np.float64]:
    """Center of the window: near a voxel of the spine or anywhere, kept inside the image as inference's windows are."""
    center = rng.uniform(0, 1, 2) * size_mm
    if rng.random() >= config.uniform_center_probability:
        foreground = torch.nonzero(classes[classes.shape[0] // 2] > 0)
        if len(foreground):
            voxel = foreground[int(rng.integers(len(foreground)))].numpy()
            center = (voxel + 0.5) * np.array(case.spacing_kji_mm[1:]) + rng.normal(0, config.center_jitter_mm, 2)
    lowest, highest = np.minimum(half_mm, size_mm / 2), np.maximum(size_mm - half_mm, size_mm / 2)
    return np.clip(center, lowest, highest)


def recolor(image: Tensor, classes: Tensor, rng: Generator) -> Tensor:
    """Another contrast on the same anatomy: each structure is shifted to a new mean and its own texture scaled.

    With an even chance the spinal fluid gets dark and the discs grey as in T1; else every structure gets any intensity. The
    background keeps its pattern under a random monotone curve.
    """
    t1_like = rng.random() < 0.5
    result = image * float(rng.uniform(0.6, 1.3)) + float(rng.uniform(-0.3, 0.3))
    for structure in FOREGROUND:
        mask = (classes == structure).float()
        if not mask.any():
            continue
        weight = functional.avg_pool2d(mask[None], 3, stride=1, padding=1)[0]
        mean = float((image * mask).sum() / mask.sum())
        target, gain = _t1_like(structure, rng) if t1_like else (float(rng.uniform(-1.3, 2.0)), float(rng.uniform(0.3, 1.2)))
        result = result + weight * ((image - mean) * gain + target - result)
    return result


def _t1_like(structure: Structure, rng: Generator) -> tuple[float, float]:
    """Mean and texture gain of a structure on a T1 image: dark fluid with hardly visible roots, marrow brighter than disc."""
    if structure is Structure.CANAL:
        return float(rng.uniform(-1.1, 0.0)), float(rng.uniform(-0.3, 0.3))
    if structure is Structure.DISC:
        return float(rng.uniform(-0.7, 0.5)), float(rng.uniform(0.1, 0.6))
    return float(rng.uniform(0.0, 1.3)), float(rng.uniform(0.5, 1.2))


def degrade(image: Tensor, rng: Generator, config: AugmentationConfig) -> Tensor:
    """What scanners and patients add: coil bias, blur, low resolution, noise, gamma and gain."""
    low = rng.normal(0, 0.25 * rng.random(), (1, 1, 3, 3, 3)).astype(np.float32)
    bias = functional.interpolate(torch.from_numpy(low), image.shape, mode="trilinear", align_corners=True)[0, 0]
    floor = image.min()
    result = (image - floor) * torch.exp(bias)
    peak = result.max().clamp(min=1e-3)
    result = peak * (result / peak).clamp(min=0) ** float(np.exp(rng.uniform(-0.35, 0.35))) + floor
    if rng.random() < config.blur_probability:
        kernel = int(rng.choice([3, 3, 5]))
        share = float(rng.uniform(0.3, 1.0))
        result = (1 - share) * result + share * functional.avg_pool2d(result[None], kernel, stride=1, padding=kernel // 2, count_include_pad=False)[0]
    if rng.random() < config.low_resolution_probability:
        factors = (float(rng.uniform(0.45, 1.0)), float(rng.uniform(0.45, 1.0)))
        coarse = functional.interpolate(result[None], scale_factor=factors, mode="bilinear", align_corners=False, recompute_scale_factor=True)
        result = functional.interpolate(coarse, result.shape[1:], mode="bilinear", align_corners=False)[0]
    if rng.random() < config.noise_probability:
        result = result + torch.from_numpy(rng.normal(0, 0.3 * rng.random(), result.shape).astype(np.float32))
    if rng.random() < 0.5:  # a window rarely has the mean and deviation of its whole series
        result = (result - result.mean()) / result.std().clamp(min=1e-3)
    return result * float(rng.uniform(0.8, 1.25)) + float(rng.normal(0, 0.2))
