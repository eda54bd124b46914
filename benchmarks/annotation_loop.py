"""Does the annotation loop work? Simulated annotators on real series, real training; CPU-sized.

    python benchmarks/annotation_loop.py DATA --out DIR [--pools space mixed] [--seeds 0 1 2] [--arms uncertain random none]
        [--report] [--picture FILE]

A first model is trained on three patients of T2-SPACE. Then, round by round, an annotator corrects three series of a pool (takes over their
reference), chosen as `spiderseg project next` would by uncertainty, or at random; the model is trained on, always for the same number
of steps, and scored on patients that were set aside before anything was trained. The third arm corrects nothing and is trained on all
the same: what more steps alone bring. All arms of a seed share its first model.

Two pools. space: more series like those the first model knows. mixed: T1 and T2 series (their middle slices) come in too, which it has never
seen; the first model is the one that the arm without corrections of the pool space ends with.

Measured is the structure Dice of the whole pipeline, and the effort a correction would take: how much has to get another label, in percent of
the reference's volume, and how much of its contours has to be drawn anew. Means are over the sequences' means. Series are taken at
half their resolution, so that this runs on two cores. What is done stays in DIR and is not done again; --report prints what is there. Several
processes may share a DIR when each has seeds of its own.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from annotation_loop_report import (
    ARMS,
    NOTHING,
    POOLS,
    RECORD,
    ROUNDS,
    SCORES,
    SERIES_A_ROUND,
    SPACE,
    Measured,
    Round,
    Runs,
    draw,
    mean,
    print_report,
)
from numpy.typing import NDArray
from scipy import ndimage

from SpiderSegLib.active_learning import Candidate, Strategy, rank, series_uncertainty
from SpiderSegLib.atomic import make_folder
from SpiderSegLib.augmentation import AugmentationConfig
from SpiderSegLib.dataset import Datalist, DatasetItem, reference_classes
from SpiderSegLib.inference import InferenceConfig, Predictor
from SpiderSegLib.io import image_stem, read_labelmap, read_volume, write_volume
from SpiderSegLib.labels import FOREGROUND, Structure, to_classes
from SpiderSegLib.metrics import CLASS_VALUES, overlap_table, structure_dice
from SpiderSegLib.metrics.surface import border
from SpiderSegLib.network import ModelConfig, load_checkpoint
from SpiderSegLib.pipeline import segment
from SpiderSegLib.preprocessing import PreprocessingConfig, resample, resample_classes
from SpiderSegLib.series_names import natural_key, patient_of, sequence_of
from SpiderSegLib.training import DefaultRecipe, TrainingConfig, train
from SpiderSegLib.training.loop import BEST, LAST
from SpiderSegLib.volume import Volume

VALIDATION_PATIENTS, FIRST_PATIENTS = 8, 3

#: Patients of T1 and T2 slices that validate, of those who are in no other set.
SLICE_VALIDATION_PATIENTS = 9
FIRST_STEPS, STEPS_A_ROUND = 300, 80

#: Fixed, whatever the seed: the validation patients are the same in every run.
SPLIT_SEED = 0

#: A border this near to the true one is left as it is: one voxel of the working grid.
TOLERANCE_MM = 2.0

#: What is not needed for one sequence at one slice distance only slows learning down.
AUGMENTATION = AugmentationConfig(
    rotation_degrees=8.0,
    scale_range=(0.9, 1.1),
    thickest_slice_mm=3.0,
    recolor_probability=0.0,
    blur_probability=0.1,
    low_resolution_probability=0.0,
    noise_probability=0.2,
    scoliosis_probability=0.0,
    metal_probability=0.0,
    ghost_probability=0.0,
    wrap_probability=0.0,
)

FIRST_TRAINING = TrainingConfig(
    steps=FIRST_STEPS,
    learning_rate=1e-3,
    warmup_steps=50,
    evaluate_every=FIRST_STEPS,
    checkpoint_every=100,
    workers=0,
    model=ModelConfig(roi_size_kji=(16, 96, 64), feature_size=8, hidden_size=128, mlp_dim=512, num_heads=8),
    preprocessing=PreprocessingConfig(in_plane_spacing_mm=2.0),
    augmentation=AUGMENTATION,
)
ROUND_TRAINING = replace(FIRST_TRAINING, steps=STEPS_A_ROUND, learning_rate=5e-4, warmup_steps=10, evaluate_every=STEPS_A_ROUND)

INFERENCE = InferenceConfig(overlap=0.25)


@dataclass(frozen=True)
class Split:
    """Who validates and who may be corrected, by patient, set aside before anything is trained."""

    validation: tuple[DatasetItem, ...]
    pool: tuple[DatasetItem, ...]

    def named(self, names: Iterable[str]) -> tuple[DatasetItem, ...]:
        by_name = {name_of(item): item for item in self.pool}
        return tuple(by_name[name] for name in names)


def name_of(item: DatasetItem) -> str:
    assert item.image is not None
    return image_stem(item.image)


def halved(volume: Volume, is_classes: bool) -> Volume:
    """A series with half as many slices, rows and columns over the same field of view; a single slice stays one."""
    geometry = volume.geometry
    k, j, i = (max(1, size // 2) for size in volume.array.shape)
    factors = [old / new for old, new in zip(geometry.size_ijk, (i, j, k), strict=True)]
    spacing_i, spacing_j, spacing_k = (mm * factor for mm, factor in zip(geometry.spacing_ijk_mm, factors, strict=True))
    x, y, z, _ = (geometry.affine_lps @ [*((factor - 1) / 2 for factor in factors), 1.0]).tolist()
    coarse = replace(geometry, size_ijk=(i, j, k), spacing_ijk_mm=(spacing_i, spacing_j, spacing_k), origin_lps_mm=(x, y, z))
    if is_classes:
        return Volume(resample_classes(volume.array, (k, j, i), len(Structure)), coarse)
    return Volume(np.rint(resample(volume.array, (k, j, i))).astype(np.int16), coarse)


def halved_series(data: Path, out: Path) -> list[DatasetItem]:
    """All slabs and middle slices at half resolution in `out`, with class maps, by patient."""
    items = []
    for folder, labels, kind in (("space_slabs", "classes", "classes"), ("midsagittal", "masks", "spider")):
        paths = sorted((data / "spider" / folder / "images").glob("*.mha"), key=lambda path: natural_key(path.name))
        for path in paths:
            source = DatasetItem(path.parents[1] / labels / path.name, patient_of(image_stem(path)), kind, path)
            items.append(DatasetItem(out / "classes" / path.name, source.patient_id, "classes", out / "images" / path.name))
            write_halved(source, items[-1])
    return items


def write_halved(source: DatasetItem, target: DatasetItem) -> None:
    assert source.image is not None
    assert target.image is not None
    if target.label.exists():
        return
    for path in (target.image, target.label):
        make_folder(path.parent)
    write_volume(target.image, halved(read_volume(source.image), is_classes=False))
    write_volume(target.label, halved(reference_classes(source), is_classes=True))


def frozen_split(items: Sequence[DatasetItem], pool: str) -> Split:
    """The same validation patients whatever the seed; those of the pool space validate the pool mixed too."""
    slabs = shuffled([item for item in items if sequence_of(name_of(item)) == "t2_SPACE"])
    validation, rest = slabs[:VALIDATION_PATIENTS], slabs[VALIDATION_PATIENTS:]
    if pool == SPACE:
        return Split(tuple(validation), tuple(rest))
    slices = [item for item in items if item not in slabs]
    known = {item.patient_id for item in slabs}
    others = sorted({item.patient_id for item in slices} - known, key=natural_key)
    chosen = {*shuffled(others)[:SLICE_VALIDATION_PATIENTS], *(item.patient_id for item in validation)}
    return Split(
        (*validation, *(item for item in slices if item.patient_id in chosen)), (*rest, *(item for item in slices if item.patient_id not in chosen))
    )


def shuffled(values: Sequence[Any]) -> list[Any]:
    return [values[n] for n in np.random.default_rng(SPLIT_SEED).permutation(len(values))]


def trained(split: Split, training: Sequence[DatasetItem], config: TrainingConfig, folder: Path, before: Path | None = None) -> Path:
    """The weights of a training run, begun, gone on with or there already; from the weights of `before` or from chance.

    Its own validation decides nothing, as there is one at the end only: one series will do.
    """
    initial = load_checkpoint(before) if before is not None else None
    recipe = DefaultRecipe(Datalist(tuple(training), split.validation[:1], "simulated annotation"), config, initial)
    return train(recipe, folder, resume=(folder / LAST).exists(), weights=initial.weights if initial else None)


def measure(weights: Path, items: Sequence[DatasetItem]) -> tuple[Measured, ...]:
    predictor = Predictor(load_checkpoint(weights), "cpu", INFERENCE)
    return tuple(measure_one(item, predictor) for item in items)


def measure_one(item: DatasetItem, predictor: Predictor) -> Measured:
    assert item.image is not None
    reference, result = read_labelmap(item.label), segment(read_volume(item.image), predictor)
    found = to_classes(result.labelmap.array)
    dice = structure_dice(overlap_table(reference.array, result.labelmap.array), reference_values=CLASS_VALUES)
    return Measured(
        series=name_of(item),
        dice=float(np.mean([value or 0.0 for value in (dice.vertebra, dice.disc, dice.canal)])),
        changed_percent=100 * np.count_nonzero(found != reference.array) / np.count_nonzero(reference.array),
        redrawn_percent=redrawn_percent(reference.array, found, reference.geometry.spacing_kji_mm),
        uncertainty=series_uncertainty(result),
    )


def redrawn_percent(reference: NDArray[Any], found: NDArray[Any], spacing_kji_mm: tuple[float, float, float]) -> float:
    """The share of the reference's contours in all slices (k) that lie further than TOLERANCE_MM from a contour found.

    The added path length of Vaassen et al. 2020, with a tolerance.
    """
    missed = drawn = 0
    for structure in FOREGROUND:
        for true, predicted in zip(reference == structure, found == structure, strict=True):
            contour = border(true)
            drawn += np.count_nonzero(contour)
            if predicted.any() and contour.any():
                contour &= ndimage.distance_transform_edt(~border(predicted), sampling=spacing_kji_mm[1:]) > TOLERANCE_MM
            missed += np.count_nonzero(contour)
    return 100 * missed / drawn


def choose(arm: str, pool: Sequence[Measured], seed: int) -> tuple[str, ...]:
    """The next series as the work list gives them; none in the arm that corrects nothing."""
    if arm == NOTHING:
        return ()
    candidates = [Candidate(one.series, patient_of(one.series), one.uncertainty) for one in pool]
    return tuple(ranked.candidate.series for ranked in rank(candidates, Strategy(arm), seed)[:SERIES_A_ROUND])


def first_round(split: Split, pool: str, seed: int, out: Path) -> tuple[Round, tuple[DatasetItem, ...], Path]:
    """The first model of a seed: what it makes of everything, who trained it, its weights."""
    slabs = [item for item in split.pool if sequence_of(name_of(item)) == "t2_SPACE"]
    order = np.random.default_rng(seed).permutation(len(slabs))
    first = [slabs[n] for n in order[:FIRST_PATIENTS]]
    folder = out / pool / f"seed{seed}" / "first"
    if pool == SPACE:
        weights = trained(split, first, replace(FIRST_TRAINING, seed=seed), folder)
    else:
        weights = out / SPACE / f"seed{seed}" / NOTHING / f"round{ROUNDS}" / BEST
    if not (folder / RECORD).exists():
        make_folder(folder)
        rest = [item for item in split.pool if item not in first]
        Round((), (), measure(weights, split.validation), measure(weights, rest)).write(folder / RECORD)
    return Round.read(folder / RECORD), tuple(first), weights


def run_arm(split: Split, pool: str, arm: str, seed: int, out: Path) -> None:
    """All rounds of an arm."""
    before, first, weights = first_round(split, pool, seed, out)
    for number in range(1, ROUNDS + 1):
        folder = out / pool / f"seed{seed}" / arm / f"round{number}"
        chosen = choose(arm, before.pool, seed)
        corrected = (*before.corrected, *chosen)
        weights = trained(split, (*first, *split.named(corrected)), replace(ROUND_TRAINING, seed=1000 * number + seed), folder, weights)
        if not (folder / RECORD).exists():
            rest = () if arm == NOTHING else split.named(one.series for one in before.pool if one.series not in chosen)
            Round(corrected, chosen, measure(weights, split.validation), measure(weights, rest)).write(folder / RECORD)
        before = Round.read(folder / RECORD)
        print(f"{pool}, seed {seed}, {arm}, round {number}, corrected {', '.join(chosen) or 'nothing'}: {describe(before)}", flush=True)


def describe(found: Round) -> str:
    dice, changed, redrawn = (mean(found.validation, name) for name in SCORES)
    return f"validation Dice {dice:.3f}, {changed:.0f} % to change, {redrawn:.0f} % to draw anew"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder that holds spider/")
    parser.add_argument("--out", type=Path, required=True, help="models and measurements; a call goes on with what is there")
    parser.add_argument("--pools", nargs="+", choices=POOLS, default=list(POOLS), help="mixed needs what space leaves behind")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--arms", nargs="+", choices=ARMS, default=list(ARMS))
    parser.add_argument("--report", action="store_true", help="train nothing")
    parser.add_argument("--picture", type=Path, help="draw the curves here")
    arguments = parser.parse_args()
    if not arguments.report:
        items = halved_series(arguments.data, arguments.out / "series")
        for pool, arm, seed in product(arguments.pools, arguments.arms, arguments.seeds):
            run_arm(frozen_split(items, pool), pool, arm, seed, arguments.out)
    found = {pool: runs for pool in arguments.pools if (runs := Runs.read(arguments.out / pool)).rounds}
    for pool, runs in found.items():
        print_report(pool, runs)
    if found:
        draw(found, arguments.picture or arguments.out / "annotation_loop.png")


if __name__ == "__main__":
    main()
