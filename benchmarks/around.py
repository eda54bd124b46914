"""Accuracy of local segmentation at a click: `segment_around` on the validation patients of a data list.

    python benchmarks/around.py DATA [--weights W] [--json FILE] [--mirror] [--training] [--series PART]

Each vertebra and disc of the reference is deleted from the whole run's labelmap (or missing there already), and clicked at the point
furthest from its surface and at three random points inside it. Printed are the Dice of the whole run's instance and of what the click
gives, how often nothing is found, how often the value is right; and how often a click where no structure is yields a shape all the same:
below the lowest disc (sacrum), in front of the bodies (vessels, bowel), behind the processes (muscle, fat), anywhere else, beside a
labelmap that is complete and beside one that lacks a vertebra or disc. References that are class maps are numbered first.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from SpiderSegLib.around import LocalResult, Point, point_inside, segment_around
from SpiderSegLib.cli.predict import PredictOptions, load_predictor
from SpiderSegLib.dataset import DatasetItem, read_datalist
from SpiderSegLib.errors import LabelError, NothingFound
from SpiderSegLib.inference import Predictor
from SpiderSegLib.instances import number_instances
from SpiderSegLib.instances.grid import Canonical
from SpiderSegLib.io import image_stem, read_labelmap, read_volume
from SpiderSegLib.labels import DISC_OFFSET, HIGHEST_LEVEL, SPINAL_CANAL, Structure, level_of, structure_of, to_classes
from SpiderSegLib.paths import MODEL_WEIGHTS, data_path
from SpiderSegLib.pipeline import segment
from SpiderSegLib.volume import Volume

RANDOM_CLICKS = 3
BACKGROUND_CLICKS = 4

#: A click counts as one into the background from this distance to every structure of the reference on.
CLEAR_OF_STRUCTURES_MM = 10.0


@dataclass(frozen=True)
class Click:
    """A click into a structure, and what it gave; dice None: nothing was found; is_value_right None: the whole run had no value for it."""

    series: str
    structure: str
    value: int
    where: str
    whole_dice: float
    dice: float | None = None
    is_value_right: bool | None = None
    confidence: float | None = None
    threshold: float | None = None
    reason: str = ""


@dataclass(frozen=True)
class BackgroundClick:
    """A click where no structure is; volume_mm3 of the shape that was drawn all the same, 0 where nothing was."""

    series: str
    structure: str
    where: str
    volume_mm3: float
    confidence: float | None = None


def reference_labelmap(item: DatasetItem) -> Volume:
    volume = read_labelmap(item.label)
    if item.reference_kind == "spider":
        return volume.with_array(volume.array.astype(np.uint8))
    return volume.with_array(number_instances(volume.array.astype(np.uint8), volume.geometry).labelmap)


def dice(a: NDArray[np.bool_], b: NDArray[np.bool_]) -> float:
    return float(2 * np.count_nonzero(a & b) / max(1, np.count_nonzero(a) + np.count_nonzero(b)))


def own_instance(predicted: NDArray[np.uint8], reference: NDArray[np.uint8], value: int) -> int:
    """The predicted value that covers a reference instance, 0 where that is mainly another's or there is none."""
    inside = reference == value
    structure = structure_of(value)
    counts = np.bincount(predicted[inside & (to_classes(predicted) == structure)], minlength=256)
    best = int(counts.argmax()) if counts.any() else 0
    if not best:
        return 0
    back = np.bincount(reference[(predicted == best) & (reference > 0)], minlength=256)
    return best if int(back.argmax()) == value else 0


def points_inside(reference: Volume, value: int, free: NDArray[np.bool_], rng: np.random.Generator) -> Iterator[tuple[str, Point]]:
    yield "middle", point_inside(reference, value)
    voxels = np.argwhere((reference.array == value) & free)
    for voxel in rng.choice(voxels, min(RANDOM_CLICKS, len(voxels)), replace=False):
        yield "random", at(reference, voxel)


def at(volume: Volume, voxel: NDArray[np.int64]) -> Point:
    x, y, z, _ = (volume.geometry.affine_lps @ [*voxel[::-1], 1.0]).tolist()
    return x, y, z


def clicks_inside(name: str, volume: Volume, reference: Volume, predicted: Volume, predictor: Predictor, rng: np.random.Generator) -> Iterator[Click]:
    for value in (int(value) for value in np.unique(reference.array) if value not in (0, SPINAL_CANAL)):
        own = own_instance(predicted.array, reference.array, value)
        kept = predicted.with_array(np.where(predicted.array == own, 0, predicted.array)) if own else predicted
        true = reference.array == value
        whole = dice(predicted.array == own, true) if own else 0.0
        for where, point in points_inside(reference, value, kept.array == 0, rng):
            click = Click(name, structure_of(value).name.lower(), value, where, whole)
            try:
                found = added(volume, kept, point, structure_of(value), predictor)
            except NothingFound as error:
                yield replace(click, reason=str(error))
                continue
            is_right = level_of(found.value) - found.needs_shift == level_of(own) if own else None
            yield replace(click, dice=dice(found.mask.array, true), is_value_right=is_right, confidence=found.confidence, threshold=found.threshold)


def added(volume: Volume, kept: Volume, point: Point, structure: Structure, predictor: Predictor) -> LocalResult:
    """What a click gives, under the highest value of the scheme where the neighbours leave none."""
    try:
        return segment_around(volume, kept, point, structure, predictor)
    except LabelError:
        return segment_around(volume, kept, point, structure, predictor, value=(DISC_OFFSET if structure is Structure.DISC else 0) + HIGHEST_LEVEL)


def background_points(reference: Volume, rng: np.random.Generator) -> Iterator[tuple[str, Point]]:
    """Points clear of every structure, by where they lie, in the middle third of the slices."""
    canonical = Canonical.of(reference.geometry)
    spacing = canonical.spacing_mm(reference.geometry)
    labels = canonical.forward(reference.array)
    clear = ndimage.distance_transform_edt(labels == 0, sampling=spacing) > CLEAR_OF_STRUCTURES_MM
    slices = np.arange(labels.shape[0])
    clear &= (np.abs(slices - slices.mean()) <= max(0.5, labels.shape[0] / 6))[:, None, None]
    rows, columns = np.arange(labels.shape[1])[:, None], np.arange(labels.shape[2])[None, :]
    spine = np.flatnonzero((labels > 0).any(axis=(0, 2)))
    front, back = np.full(labels.shape[1], np.inf), np.full(labels.shape[1], -np.inf)
    for row in spine:
        used = np.flatnonzero((labels[:, row] > 0).any(axis=0))
        front[row], back[row] = used[0], used[-1]
    lowest = canonical.forward(reference.array == DISC_OFFSET + 1)
    _, disc_row, disc_column = np.argwhere(lowest).mean(axis=0) if lowest.any() else (0.0, np.inf, 0.0)
    near = lambda distance, pixels, limit_mm: np.abs(distance) * pixels <= limit_mm  # noqa: E731
    zones = {
        "sacrum": (rows > disc_row) & near(rows - disc_row, spacing[1], 60) & near(columns - disc_column - 20 / spacing[2], spacing[2], 25),
        "in front": columns < front[:, None],
        "behind": columns > back[:, None],
        "anywhere": np.ones(labels.shape[1:], dtype=bool),
    }
    for name, zone in zones.items():
        voxels = np.argwhere(clear & zone)
        for voxel in rng.choice(voxels, min(BACKGROUND_CLICKS, len(voxels)), replace=False) if len(voxels) else ():
            yield name, at(reference, canonical.input_index(voxel.astype(float), labels.shape))


def clicks_outside(
    name: str, volume: Volume, reference: Volume, predicted: Volume, predictor: Predictor, rng: np.random.Generator
) -> Iterator[BackgroundClick]:
    for where, point in background_points(reference, rng):
        for structure in (Structure.VERTEBRA, Structure.DISC):
            values = [int(value) for value in np.unique(predicted.array) if value and structure_of(int(value)) is structure]
            missing = int(rng.choice(values))
            for labels, kept in (("complete", predicted.array), ("one missing", np.where(predicted.array == missing, 0, predicted.array))):
                click = BackgroundClick(name, structure.name.lower(), f"{where}, {labels}", 0.0)
                try:
                    found = added(volume, predicted.with_array(kept.astype(np.uint8)), point, structure, predictor)
                    click = replace(click, volume_mm3=found.volume_mm3, confidence=found.confidence)
                except NothingFound:
                    pass
                yield click


def print_inside(clicks: Sequence[Click]) -> None:
    print("\n| series | structure | click | clicks | whole run's Dice | Dice at the click | nothing found | Dice < 0.5 | value right |")
    print("|---|---|---|---|---|---|---|---|---|")
    for kind in ("stack", "one slice"):
        for structure in ("vertebra", "disc"):
            for where in ("middle", "random"):
                own = [one for one in clicks if (one.series.split(",")[1].strip(), one.structure, one.where) == (kind, structure, where)]
                found = [one.dice for one in own if one.dice is not None]
                if not own:
                    continue
                judged = [one.is_value_right for one in own if one.is_value_right is not None]
                print(
                    f"| {kind} | {structure} | {where} | {len(own)} | {np.mean([one.whole_dice for one in own]):.3f} | "
                    f"{np.mean(found) if found else float('nan'):.3f} | {len(own) - len(found)} | {sum(one < 0.5 for one in found)} | "
                    f"{sum(judged)} of {len(judged)} |"
                )
    for one in clicks:
        if one.dice is None or one.dice < 0.5:
            print(f"  {one.series}: {one.value} {one.where}: whole {one.whole_dice:.2f}, click {one.dice}: {one.reason}")


def print_outside(clicks: Sequence[BackgroundClick]) -> None:
    print("\n| click into | structure asked for | clicks | shapes drawn | their volumes in ml |\n|---|---|---|---|---|")
    for where in dict.fromkeys(one.where for one in clicks):
        for structure in ("vertebra", "disc"):
            own = [one for one in clicks if (one.where, one.structure) == (where, structure)]
            drawn = [one for one in own if one.volume_mm3]
            print(f"| {where} | {structure} | {len(own)} | {len(drawn)} | {', '.join(f'{one.volume_mm3 / 1000:.1f}' for one in drawn)} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder the data list's paths are relative to")
    parser.add_argument("--datalist", type=Path, default=data_path(MODEL_WEIGHTS, "spiderseg_unetr", "configs", "spider_dataset.json"))
    parser.add_argument("--weights")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--mirror", action="store_true")
    parser.add_argument("--training", action="store_true", help="the training series instead")
    parser.add_argument("--series", action="append", help="only series whose name holds this")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    predictor = load_predictor(PredictOptions(device=arguments.device, weights=arguments.weights, mirror=arguments.mirror))
    datalist = read_datalist(arguments.datalist, arguments.data)
    inside: list[Click] = []
    outside: list[BackgroundClick] = []
    for item in datalist.training if arguments.training else datalist.validation:
        if item.image is None or (arguments.series and not any(part in item.image.name for part in arguments.series)):
            continue
        volume, reference = read_volume(item.image), reference_labelmap(item)
        name = f"{image_stem(item.image)}, {'stack' if volume.array.shape[0] > 1 else 'one slice'}"
        predicted = segment(volume, predictor).labelmap
        rng = np.random.default_rng(0)
        inside += clicks_inside(name, volume, reference, predicted, predictor, rng)
        outside += clicks_outside(name, volume, reference, predicted, predictor, rng)
    print_inside(inside)
    print_outside(outside)
    if arguments.json:
        report = {
            "model": predictor.checkpoint.provenance.model_id,
            "inside": [asdict(one) for one in inside],
            "outside": [asdict(one) for one in outside],
        }
        arguments.json.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
