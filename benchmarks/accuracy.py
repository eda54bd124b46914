"""Accuracy of weights on the validation patients of a data list: the whole pipeline, scored in native space.

    python benchmarks/accuracy.py DATA [--weights W] [--out DIR] [--mirror] [--json FILE]

Prints structure, instance and level scores by sequence (mean, standard deviation, number of series), and the rank correlation of the
confidence per level with its Dice.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.stats import spearmanr

from SpiderSegLib.cli.predict import PredictOptions, load_predictor
from SpiderSegLib.dataset import DatasetItem, read_datalist
from SpiderSegLib.evaluation import Evaluation, ReferenceKind, SeriesEvaluation, SeriesFiles, evaluate_series, summarize_scores, table_text
from SpiderSegLib.evaluation.series import sequence_of
from SpiderSegLib.inference import Predictor
from SpiderSegLib.io import image_stem, read_volume
from SpiderSegLib.outputs import OutputPaths
from SpiderSegLib.paths import MODEL_WEIGHTS, data_path
from SpiderSegLib.pipeline import Segmentation, segment
from SpiderSegLib.results import write_outputs


@dataclass(frozen=True)
class ScoredCase:
    """One validation series: what was found, and its scores."""

    result: Segmentation
    evaluation: SeriesEvaluation


def score_validation(items: tuple[DatasetItem, ...], predictor: Predictor, out: Path) -> Iterator[ScoredCase]:
    """Segments every validation series into `out` and scores it."""
    for item in items:
        if item.image is None:
            continue
        stem = image_stem(item.image)
        # T2-SPACE slabs and middle slices of one patient have different names, so one folder holds all.
        paths = OutputPaths(out / f"{stem}.mha", out / f"{stem}.json", out / f"{stem}_overlay.png")
        result = segment(read_volume(item.image), predictor)
        write_outputs(result, paths, item.image)
        yield ScoredCase(result, evaluate_series(SeriesFiles(stem, item.label, paths.labelmap), ReferenceKind(item.reference_kind)))


def confidence_pairs(case: ScoredCase) -> list[tuple[float, float]]:
    """(confidence, Dice) of every predicted vertebra and disc where the reference has instances; unmatched ones have Dice 0."""
    confidences = {row.instance.value: row.confidence for row in case.result.levels}
    pairs = []
    for assignment in case.evaluation.scores.instance_dice:
        pairs += [(confidences[pair.prediction], pair.dice) for pair in assignment.pairs if pair.prediction is not None]
        pairs += [(confidences[value], 0.0) for value in assignment.unmatched_predictions]
    return pairs


def summary_rows(cases: list[ScoredCase]) -> list[dict[str, object]]:
    """One row a sequence and score: mean, standard deviation, number of series."""
    rows = []
    for sequence in sorted({sequence_of(case.evaluation.series) for case in cases}):
        evaluations = tuple(case.evaluation for case in cases if sequence_of(case.evaluation.series) == sequence)
        for name, statistic in summarize_scores(Evaluation(evaluations, (), ()))["overall"].items():
            if statistic.n and name.split(".")[0] in ("structure_dice", "instance_dice", "level_accuracy", "asd_mm"):
                rows.append({"sequence": sequence, "score": name, "mean": statistic.mean, "std": statistic.std, "n": statistic.n})
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder the data list's paths are relative to")
    parser.add_argument("--datalist", type=Path, default=data_path(MODEL_WEIGHTS, "spiderseg_unetr", "configs", "spider_dataset.json"))
    parser.add_argument("--weights")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--out", type=Path, help="keep labelmaps and overlays here")
    parser.add_argument("--mirror", action="store_true")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    predictor = load_predictor(PredictOptions(device=arguments.device, weights=arguments.weights, mirror=arguments.mirror))
    items = read_datalist(arguments.datalist, arguments.data).validation
    with tempfile.TemporaryDirectory() as scratch:
        out = arguments.out or Path(scratch)
        out.mkdir(parents=True, exist_ok=True)
        cases = list(score_validation(items, predictor, out))
    print(table_text(Evaluation(tuple(case.evaluation for case in cases), (), ())))
    rows = summary_rows(cases)
    print("\n| sequence | score | mean | std | n |\n|---|---|---|---|---|")
    for row in rows:
        print(f"| {row['sequence']} | {row['score']} | {row['mean']:.3f} | {row['std']:.3f} | {row['n']} |")
    pairs = np.array([pair for case in cases for pair in confidence_pairs(case)])
    correlation = float(spearmanr(pairs[:, 0], pairs[:, 1]).statistic)
    print(f"\nrank correlation of confidence and instance Dice: {correlation:.2f} ({len(pairs)} levels)")
    if arguments.json:
        model = predictor.checkpoint.provenance.model_id
        report = {"model": model, "mirror": arguments.mirror, "scores": rows, "confidence_rank_correlation": correlation}
        arguments.json.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
