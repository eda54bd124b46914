"""Accuracy and processor time of the numbering alone: reference masks reduced to classes, numbered again and compared with their own numbers.

Usage: python benchmarks/instances.py DATA_FOLDER [--set masks_3d|midsagittal] [--fault NAME] [--only STEM]
DATA_FOLDER holds spider/masks_3d and spider/midsagittal. A fault is made in the class map before numbering.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray
from scipy import ndimage

from SpiderSegLib import labels
from SpiderSegLib.instances import InstanceResult, number_instances
from SpiderSegLib.instances.grid import Canonical
from SpiderSegLib.labels import Structure
from SpiderSegLib.volume import Geometry

FOLDERS = {"masks_3d": ("masks_3d", None), "midsagittal": ("midsagittal/masks", "midsagittal/images")}

#: (reference in canonical order, spacing) -> (reference to compare with, class map to number), both canonical
Fault = Callable[[NDArray[np.uint8], NDArray[np.float64]], tuple[NDArray[np.uint8], NDArray[np.uint8]]]


@dataclass(frozen=True)
class Scores:
    """Of one mask: share of reference instances with the right number, mean instance Dice per structure, false instances, processor seconds."""

    name: str
    instances: int
    right: int
    dice: dict[Structure, float]
    wrong: tuple[str, ...]
    false: tuple[int, ...]
    partial: tuple[int, ...]
    seconds: float
    result: InstanceResult


def read(path: Path) -> tuple[NDArray[np.generic], Geometry]:
    image = sitk.ReadImage(str(path))
    return sitk.GetArrayFromImage(image), Geometry(image.GetSize(), image.GetSpacing(), image.GetOrigin(), image.GetDirection())


def compare(name: str, reference: NDArray[np.uint8], result: InstanceResult, seconds: float) -> Scores:
    """Best-overlap labels modulo 100 within each structure, and Dice with that label; a missed instance counts 0."""
    dice: dict[Structure, list[float]] = {structure: [] for structure in labels.FOREGROUND}
    wrong, matched = [], set()
    found = result.labelmap
    structure_found = labels.to_classes(found)
    values = [int(value) for value in np.unique(reference) if value]
    for value in values:
        structure = labels.structure_of(value)
        own = reference == value
        best = int(np.bincount(found[own & (structure_found == structure)], minlength=2)[1:].argmax() + 1)
        other = found == best
        overlap = np.count_nonzero(own & other)
        dice[structure].append(2 * overlap / (np.count_nonzero(own) + np.count_nonzero(other)) if overlap else 0.0)
        matched.add(best)
        if labels.level_of(best) != labels.level_of(value) or not overlap:
            wrong.append(f"{value}->{best if overlap else 0}")
    false = tuple(instance.value for instance in result.instances if instance.value not in matched)
    partial = tuple(instance.value for instance in result.instances if instance.is_partial)
    means = {structure: float(np.mean(scores)) if scores else float("nan") for structure, scores in dice.items()}
    return Scores(name, len(values), len(values) - len(wrong), means, tuple(wrong), false, partial, seconds, result)


def whole(reference: NDArray[np.uint8], spacing_mm: NDArray[np.float64]) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    return reference, labels.to_classes(reference)


def slab(reference: NDArray[np.uint8], spacing_mm: NDArray[np.float64]) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """The central +-10 mm."""
    discs = np.flatnonzero((reference > labels.DISC_OFFSET).any(axis=(1, 2)))
    middle, half = round(float(np.median(discs))), max(1, round(10 / spacing_mm[0]))
    cut = reference[max(0, middle - half) : middle + half + 1].copy()
    return cut, labels.to_classes(cut)


def crop_top(reference: NDArray[np.uint8], spacing_mm: NDArray[np.float64]) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """The field of view ends 80 mm below its upper border."""
    cut = reference[:, round(80 / spacing_mm[1]) :].copy()
    return cut, labels.to_classes(cut)


def crop_bottom(reference: NDArray[np.uint8], spacing_mm: NDArray[np.float64]) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """The field of view ends in the middle of vertebra 2; the numbers are shifted down by one."""
    vertebra = np.flatnonzero((reference == 202).any(axis=(0, 2)))
    cut = reference[:, : int(vertebra[0]) - round(8 / spacing_mm[1])].copy()
    level = cut % 100
    cut[(level == 1) | (cut == 202)] = 0
    numbered = (cut > 0) & (cut != labels.SPINAL_CANAL)
    cut[numbered] -= 1
    return cut, labels.to_classes(cut)


def merged(reference: NDArray[np.uint8], spacing_mm: NDArray[np.float64]) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Bone grown by 3 mm in plane over background and canal: bodies touch around the discs, processes touch each other."""
    classes = labels.to_classes(reference)
    bone = classes == Structure.VERTEBRA
    grown = ndimage.distance_transform_edt(~bone, sampling=[1e3, spacing_mm[1], spacing_mm[2]]) <= 3.0
    classes[grown & (classes == 0)] = Structure.VERTEBRA
    return reference, classes


def without_disc(number: int) -> Fault:
    """One disc missed, its place background or bone."""

    def fault(reference: NDArray[np.uint8], spacing_mm: NDArray[np.float64]) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        kept = reference.copy()
        kept[kept == number] = 0
        classes = labels.to_classes(kept)
        # Half of the missed disc is called bone, so that the neighbours merge.
        columns = np.flatnonzero((reference == number).any(axis=(0, 1)))
        bone = reference == number
        bone[:, :, columns[len(columns) // 2] :] = False
        classes[bone] = Structure.VERTEBRA
        return kept, classes

    return fault


def blobs(reference: NDArray[np.uint8], spacing_mm: NDArray[np.float64]) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Sixty false balls of 4-12 mm radius, vertebra or disc, in the background."""
    rng = np.random.default_rng(len(reference))
    classes = labels.to_classes(reference)
    for _ in range(60):
        centre = rng.integers(0, reference.shape)
        radius = rng.uniform(4, 12)
        box = tuple(slice(max(0, int(c - radius / s)), int(c + radius / s) + 1) for c, s in zip(centre, spacing_mm, strict=True))
        grids = np.meshgrid(
            *((np.arange(b.start, min(b.stop, n)) - c) * s for b, n, c, s in zip(box, reference.shape, centre, spacing_mm, strict=True)),
            indexing="ij",
        )
        ball = sum(g**2 for g in grids) <= radius**2
        part = classes[box]
        part[ball & (part == 0)] = rng.integers(1, 3)
    return reference, classes


def fragments(reference: NDArray[np.uint8], spacing_mm: NDArray[np.float64]) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Smooth random holes and gaps of 2-10 mm in all structures."""
    rng = np.random.default_rng(len(reference))
    noise = ndimage.gaussian_filter(rng.standard_normal(reference.shape).astype(np.float32), 2.5 / spacing_mm, mode="wrap")
    classes = labels.to_classes(reference)
    classes[noise > 1.2 * noise.std()] = 0
    return reference, classes


FAULTS: dict[str, Fault] = {
    "none": whole,
    "slab": slab,
    "crop_top": crop_top,
    "crop_bottom": crop_bottom,
    "merged": merged,
    "no_disc_201": without_disc(201),
    "no_disc_203": without_disc(203),
    "blobs": blobs,
    "fragments": fragments,
}


def canonical_geometry(shape: tuple[int, ...], spacing_mm: NDArray[np.float64]) -> Geometry:
    """Left-right, superior-inferior, anterior-posterior storage, as SPIDER's sagittal files."""
    spacing = (float(spacing_mm[2]), float(spacing_mm[1]), float(spacing_mm[0]))
    return Geometry((shape[2], shape[1], shape[0]), spacing, (0.0, 0.0, 0.0), (0, 0, 1, 1, 0, 0, 0, -1, 0))


def measure(path: Path, image_path: Path | None, fault: str) -> Scores:
    reference, geometry = read(path)
    reference = reference.astype(np.uint8)
    image = read(image_path)[0] if image_path and fault == "none" else None
    if fault == "none":
        classes = labels.to_classes(reference)
    else:
        canonical = Canonical.of(geometry)
        spacing_mm = canonical.spacing_mm(geometry)
        reference, classes = FAULTS[fault](np.ascontiguousarray(canonical.forward(reference)), spacing_mm)
        geometry = canonical_geometry(reference.shape, spacing_mm)
    started = time.process_time()
    result = number_instances(classes, geometry, image=image)
    seconds = time.process_time() - started
    if fault == "merged":
        # The bone added on purpose has no true number.
        result = replace(result, labelmap=np.where(reference > 0, result.labelmap, 0).astype(np.uint8))
    return compare(path.stem, reference, result, seconds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--set", choices=FOLDERS, default="masks_3d")
    parser.add_argument("--fault", choices=FAULTS, default="none")
    parser.add_argument("--only", default="*")
    parser.add_argument("--quiet", action="store_true", help="the mean only")
    arguments = parser.parse_args()
    masks, images = FOLDERS[arguments.set]
    scores = []
    for path in sorted((arguments.data / "spider" / masks).glob(f"{arguments.only}.mha")):
        score = measure(path, arguments.data / "spider" / images / path.name if images else None, arguments.fault)
        scores.append(score)
        if not arguments.quiet:
            row = " ".join(f"{score.dice[structure]:.3f}" for structure in labels.FOREGROUND)
            notes = " ".join([*score.wrong, *(f"false {value}" for value in score.false), *(f"partial {value}" for value in score.partial)])
            print(f"{score.name:14s} {score.right:2d}/{score.instances:2d} {row} {score.seconds:5.2f} s CPU {score.result.state.value} {notes}")
            for text in (*score.result.reasons, *score.result.warnings):
                print(f"               {text}")
    print(f"{arguments.set} {arguments.fault}: {summary(scores)}")


def summary(scores: list[Scores]) -> str:
    """The means over all masks in a line."""
    right, total = sum(score.right for score in scores), sum(score.instances for score in scores)
    means = ", ".join(f"{structure.name.lower()} {np.nanmean([s.dice[structure] for s in scores]):.4f}" for structure in labels.FOREGROUND)
    lowest = min(score.dice[Structure.VERTEBRA] for score in scores)
    false = sum(len(score.false) for score in scores)
    assumed = sum(score.result.state is labels.LevelState.ASSUMED for score in scores)
    slowest = max(score.seconds for score in scores)
    return (
        f"level accuracy {right / total:.4f} of {total}; instance Dice {means}; worst mask's vertebrae {lowest:.3f}; {false} false; "
        f"{assumed}/{len(scores)} assumed; slowest {slowest:.2f} s CPU"
    )


if __name__ == "__main__":
    main()
