"""Entry point of the challenge's evaluation container: the predictions of all jobs against the references, as metrics.json.

Grand Challenge writes /input/predictions.json and puts each job's labelmap at
/input/<job>/output/images/sagittal-spine-mr-segmentation/<image>.mha; references lie in /opt/evaluation/ground-truth under the
name of the job's input image. The scores are the *official* ones. A job that can't be scored stops the evaluation: a mean over
fewer series would look like a better one.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
from pathlib import Path
from typing import Any

from SpiderSegLib.errors import DatasetError, SpiderSegError
from SpiderSegLib.evaluation import Evaluation, ReferenceKind, SeriesFiles, evaluate_series, official_metrics_json
from SpiderSegLib.io import write_text_atomically

OUTPUT = Path("output", "images", "sagittal-spine-mr-segmentation")

logger = logging.getLogger("evaluate")


def read_jobs(input_root: Path, reference_root: Path) -> list[SeriesFiles]:
    """Prediction and reference of every job of predictions.json.

    Raises DatasetError when it is not what Grand Challenge writes, lists no job, one input twice, or a path outside its folder.
    """
    path = input_root / "predictions.json"
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DatasetError(f"{path}: expected Grand Challenge's list of jobs: {error}") from error
    if not isinstance(entries, list) or not entries:
        raise DatasetError(f"{path}: expected a list with at least one job, found {str(entries)[:80]}")
    jobs = [_job(entry, path, input_root, reference_root) for entry in entries]
    expected = {path.name.removesuffix(".mha") for path in reference_root.glob("*.mha")}
    names = [job.series for job in jobs]
    missing = sorted(expected - set(names))
    if missing:
        raise DatasetError(f"{path}: expected a job for every reference, found none for {', '.join(missing)}")
    if len(set(names)) < len(names):
        raise DatasetError(f"{path}: expected every input image once, found {', '.join(sorted({n for n in names if names.count(n) > 1}))} again")
    return jobs


def _job(entry: Any, path: Path, input_root: Path, reference_root: Path) -> SeriesFiles:
    try:
        job, image, name = str(entry["pk"]), str(entry["outputs"][0]["image"]["pk"]), str(entry["inputs"][0]["image"]["name"])
    except (KeyError, IndexError, TypeError) as error:
        raise DatasetError(f"{path}: expected jobs with pk, inputs[0].image.name and outputs[0].image.pk, found {str(entry)[:200]}") from error
    prediction = _inside(input_root, input_root / job / OUTPUT / f"{image}.mha", path)
    reference = _inside(reference_root, reference_root / name, path)
    for file, role in ((reference, "reference"), (prediction, "prediction")):
        if not file.is_file():
            raise DatasetError(f"{name}: expected its {role} at {file}, found none")
    return SeriesFiles(name.removesuffix(".mha"), reference, prediction)


def _inside(root: Path, file: Path, path: Path) -> Path:
    if not file.resolve().is_relative_to(root.resolve()):
        raise DatasetError(f"{path}: {file} leaves the folder {root}")
    return file


def evaluate(input_root: Path, reference_root: Path, output_root: Path) -> Path:
    """Scores all jobs and returns the path of metrics.json: mean and std over series of each official score."""
    series = []
    for job in read_jobs(input_root, reference_root):
        series.append(evaluate_series(job, ReferenceKind.SPIDER))
        logger.info("%s: scored", job.series)
    target = output_root / "metrics.json"
    write_text_atomically(target, official_metrics_json(Evaluation(tuple(series), (), ())))
    return target


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--input", type=Path, default=Path("/input"))
    parser.add_argument("--references", type=Path, default=Path("/opt/evaluation/ground-truth"))
    parser.add_argument("--output", type=Path, default=Path("/output"))
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(levelname)s: %(message)s")
    try:
        evaluate(options.input, options.references, options.output)
    except SpiderSegError as error:
        logger.error("%s", error)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
