"""Accuracy of weights on the validation patients of a data list: the whole pipeline, scored in native space.

    python benchmarks/accuracy.py DATA [--weights W] [--out DIR] [--mirror] [--json FILE] [--html FILE] [--external FOLDER] [--training]

Prints scores by set of series (mean, standard deviation, number of series, 95 % interval over patients), and the rank correlation of
the confidence per level with its Dice. The sets are the sequences of single slices and of stacks, and thick slices simulated from
the stacks: the mean of four neighbouring slices, with the majority of their classes as reference. --external adds folders with
images/ and labels/ that nothing was trained on: vb2/ (vertebral bodies alone) and ivd/ (discs alone). vertebra_part_dice tells bodies
and posterior elements (bone behind the middle of the reference's canal) apart. --training scores the training series instead:
what the weights could not learn even there.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from scipy.stats import spearmanr

from SpiderSegLib.cli.predict import PredictOptions, load_predictor
from SpiderSegLib.dataset import DatasetItem, read_datalist, reference_classes
from SpiderSegLib.evaluation import (
    DEFAULT_BOOTSTRAP,
    SCORE_NAMES,
    Evaluation,
    ReferenceKind,
    SeriesEvaluation,
    SeriesFiles,
    estimate,
    evaluate_series,
    evaluation_html,
    table_text,
)
from SpiderSegLib.inference import Predictor
from SpiderSegLib.io import image_stem, read_volume, write_volume
from SpiderSegLib.labels import Structure, structure_of, to_classes
from SpiderSegLib.outputs import OutputPaths
from SpiderSegLib.paths import MODEL_WEIGHTS, data_path
from SpiderSegLib.pipeline import Segmentation, segment
from SpiderSegLib.preprocessing import reorientation_to
from SpiderSegLib.results import write_outputs
from SpiderSegLib.series_names import patient_of, sequence_of
from SpiderSegLib.surroundings import spine_lines
from SpiderSegLib.volume import Geometry, Volume

#: So many 0.9 mm slices are a 3.6 mm slice, a common thickness of T1 and T2 series.
AVERAGED_SLICES = 4

PARTS = ("vertebra_part_dice.body", "vertebra_part_dice.posterior")
REPORTED = ("structure_dice", "instance_dice", "level_accuracy", "body_recall", "asd_mm")


@dataclass(frozen=True)
class Series:
    """A series to score, and the set its scores are summarized in."""

    group: str
    image: Path
    reference: Path
    kind: ReferenceKind


@dataclass(frozen=True)
class ScoredSeries:
    """One series: what was found, and its scores."""

    group: str
    image: Path
    result: Segmentation
    evaluation: SeriesEvaluation
    part_dice: dict[str, float]

    def score(self, name: str) -> float | None:
        return self.part_dice.get(name) if name in PARTS else self.evaluation.scores.by_name()[name]


def listed_series(items: Sequence[DatasetItem], scratch: Path) -> Iterator[Series]:
    """The series of a data list, and what thick slices would have shown of the thin-sliced ones (written to scratch)."""
    for item in items:
        if item.image is None:
            continue
        volume = read_volume(item.image)
        n_slices, sequence = volume.array.shape[0], sequence_of(image_stem(item.image))
        yield Series(f"{sequence}, {'stack' if n_slices > 1 else 'one slice'}", item.image, item.label, ReferenceKind(item.reference_kind))
        if n_slices >= 2 * AVERAGED_SLICES and volume.geometry.spacing_kji_mm[0] < 2:
            image, reference = scratch / "thick" / f"{image_stem(item.image)}.mha", scratch / "thick" / f"{image_stem(item.image)}_classes.mha"
            image.parent.mkdir(exist_ok=True)
            write_volume(image, thickened(volume, AVERAGED_SLICES, is_classes=False))
            write_volume(reference, thickened(reference_classes(item), AVERAGED_SLICES, is_classes=True))
            yield Series(f"{sequence}, thick slices", image, reference, ReferenceKind.CLASSES)


def external_series(folder: Path) -> Iterator[Series]:
    for name, kind in (("vb2", ReferenceKind.BODIES), ("ivd", ReferenceKind.DISCS)):
        for image in sorted((folder / name / "images").glob("*.mha")):
            yield Series(f"external {name}", image, folder / name / "labels" / image.name, kind)


def thickened(volume: Volume, n_slices: int, is_classes: bool) -> Volume:
    """Each n_slices neighbouring slices (k) as one: their mean, of classes the most frequent (ties: the lowest); a rest is left out."""
    count = volume.array.shape[0] // n_slices
    stack = volume.array[: count * n_slices].reshape(count, n_slices, *volume.array.shape[1:])
    if is_classes:
        array = np.argmax([(stack == structure).sum(axis=1) for structure in Structure], axis=0).astype(np.uint8)
    else:
        array = stack.mean(axis=1).astype(np.float32)
    return Volume(array, thicker_geometry(volume.geometry, n_slices, count))


def thicker_geometry(geometry: Geometry, n_slices: int, count: int) -> Geometry:
    """The grid of averaged slices: their centers lie between the first and the last of each."""
    normal = np.array(geometry.direction).reshape(3, 3)[:, 2]
    origin = np.array(geometry.origin_lps_mm) + normal * geometry.spacing_ijk_mm[2] * (n_slices - 1) / 2
    i_mm, j_mm, k_mm = geometry.spacing_ijk_mm
    x, y, z = origin.tolist()
    return replace(geometry, size_ijk=(*geometry.size_ijk[:2], count), spacing_ijk_mm=(i_mm, j_mm, k_mm * n_slices), origin_lps_mm=(x, y, z))


def score(series: Series, predictor: Predictor, out: Path) -> ScoredSeries:
    """Segments a series into out/<group>/ and scores it."""
    stem = image_stem(series.image)
    folder = out / series.group.replace(", ", "_").replace(" ", "_")
    folder.mkdir(exist_ok=True)
    paths = OutputPaths(folder / f"{stem}.mha", folder / f"{stem}.json", folder / f"{stem}_overlay.png")
    result = segment(read_volume(series.image), predictor)
    write_outputs(result, paths, series.image)
    evaluation = evaluate_series(SeriesFiles(stem, series.reference, paths.labelmap), series.kind)
    return ScoredSeries(series.group, series.image, result, evaluation, vertebra_part_dice(series, result))


def vertebra_part_dice(series: Series, result: Segmentation) -> dict[str, float]:
    """Dice of bodies and of posterior elements, by name; empty where the reference has no canal to tell them apart."""
    if series.kind not in (ReferenceKind.SPIDER, ReferenceKind.CLASSES):
        return {}
    reference = reference_classes(DatasetItem(series.reference, "", series.kind.value))
    reorientation = reorientation_to(reference.geometry)
    true = torch.from_numpy(np.ascontiguousarray(reorientation.apply(reference.array)).astype(np.int64))
    found = torch.from_numpy(np.ascontiguousarray(reorientation.apply(to_classes(result.labelmap.array))).astype(np.int64))
    lines = spine_lines(true, reorientation.spacing(reference.geometry.spacing_kji_mm)[1])
    if lines is None:
        return {}
    behind = torch.arange(true.shape[2])[None, None, :] > torch.from_numpy(lines[0])[None, :, None]
    dice = {}
    for name, zone in zip(PARTS, (~behind, behind), strict=True):
        a, b = (true == Structure.VERTEBRA) & zone, (found == Structure.VERTEBRA) & zone
        dice[name] = float(2 * (a & b).sum() / (a.sum() + b.sum()).clamp(min=1))
    return dice


def confidence_pairs(case: ScoredSeries) -> list[tuple[float, float]]:
    """(confidence, Dice) of every predicted vertebra and disc where the reference has whole instances; unmatched ones have Dice 0."""
    if case.evaluation.reference_kind is not ReferenceKind.SPIDER:
        return []
    confidences = {row.instance.value: row.confidence for row in case.result.levels}
    pairs = []
    for assignment in case.evaluation.scores.instance_dice:
        pairs += [(confidences[pair.prediction], pair.dice) for pair in assignment.pairs if pair.prediction is not None]
        pairs += [(confidences[value], 0.0) for value in assignment.unmatched_predictions]
    return pairs


def structure_pairs(case: ScoredSeries) -> list[tuple[float, float]]:
    """(mean confidence, structure Dice) of vertebrae and of discs where the reference has no instances."""
    dice = case.evaluation.scores.structure_dice
    if case.evaluation.reference_kind is not ReferenceKind.CLASSES or dice is None:
        return []
    pairs = []
    for structure, value in ((Structure.VERTEBRA, dice.vertebra), (Structure.DISC, dice.disc)):
        found = [row.confidence for row in case.result.levels if structure_of(row.instance.value) is structure]
        if found and value is not None:
            pairs.append((float(np.mean(found)), value))
    return pairs


def rank_correlation(pairs: Sequence[tuple[float, float]]) -> tuple[float, int]:
    """Spearman's, and the number of pairs; NaN for fewer than three."""
    if len(pairs) < 3:
        return float("nan"), len(pairs)
    first, second = zip(*pairs, strict=True)
    return float(spearmanr(first, second).statistic), len(pairs)


def summary_rows(cases: Sequence[ScoredSeries]) -> list[dict[str, object]]:
    """One row a set and score."""
    rows = []
    for group in dict.fromkeys(case.group for case in cases):
        members = [case for case in cases if case.group == group]
        patients = [patient_of(one.evaluation.series) for one in members]
        for name in (*(name for name in SCORE_NAMES if name.split(".")[0] in REPORTED), *PARTS):
            found = estimate([one.score(name) for one in members], patients, DEFAULT_BOOTSTRAP)
            if found.n:
                interval = [found.interval.low, found.interval.high] if found.interval else None
                rows.append({"set": group, "score": name, "mean": found.mean, "std": found.std, "n": found.n, "interval": interval})
    return rows


def print_rows(rows: Sequence[dict[str, object]]) -> None:
    print("\n| set | score | mean | std | n | 95 % over patients |\n|---|---|---|---|---|---|")
    for row in rows:
        std, interval = row["std"], row["interval"]
        spread = "-" if std is None else f"{std:.3f}"
        between = f"{interval[0]:.3f} to {interval[1]:.3f}" if isinstance(interval, list) else "-"
        print(f"| {row['set']} | {row['score']} | {row['mean']:.3f} | {spread} | {row['n']} | {between} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder the data list's paths are relative to")
    parser.add_argument("--datalist", type=Path, default=data_path(MODEL_WEIGHTS, "spiderseg_unetr", "configs", "spider_dataset.json"))
    parser.add_argument("--weights")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--out", type=Path, help="keep labelmaps and overlays here")
    parser.add_argument("--external", type=Path, help="score vb2/ and ivd/ of this folder too")
    parser.add_argument("--mirror", action="store_true")
    parser.add_argument("--training", action="store_true", help="score the training series")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--html", type=Path)
    arguments = parser.parse_args()
    predictor = load_predictor(PredictOptions(device=arguments.device, weights=arguments.weights, mirror=arguments.mirror))
    with tempfile.TemporaryDirectory() as temporary:
        out = arguments.out or Path(temporary)
        out.mkdir(parents=True, exist_ok=True)
        datalist = read_datalist(arguments.datalist, arguments.data)
        series = list(listed_series(datalist.training if arguments.training else datalist.validation, Path(temporary)))
        series += list(external_series(arguments.external)) if arguments.external else []
        cases = [score(one, predictor, out) for one in series]
        native = [case for case in cases if "thick" not in case.group and "external" not in case.group]
        evaluation = Evaluation(tuple(case.evaluation for case in native), (), ())
        if arguments.html:
            images = {case.evaluation.series: case.image for case in native}
            arguments.html.write_text(evaluation_html(evaluation, "SpiderSeg on its validation patients", images), encoding="utf-8")
    print(table_text(evaluation))
    rows = summary_rows(cases)
    print_rows(rows)
    correlations = {
        "confidence of a level and its instance Dice": rank_correlation([pair for case in cases for pair in confidence_pairs(case)]),
        "mean confidence of a structure and its Dice": rank_correlation([pair for case in cases for pair in structure_pairs(case)]),
    }
    for name, (correlation, n) in correlations.items():
        print(f"\nrank correlation, {name}: {correlation:.2f} ({n})")
    if arguments.json:
        model = predictor.checkpoint.provenance.model_id
        report = {"model": model, "mirror": arguments.mirror, "scores": rows, "confidence_rank_correlations": correlations}
        arguments.json.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
