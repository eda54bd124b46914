"""Reads, checks and scores files; a series that can't be scored is listed with the reason, never dropped."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from SpiderSegLib.errors import Cancelled, DatasetError, GeometryError, SpiderSegError
from SpiderSegLib.evaluation.pairing import SeriesFiles, pair_files
from SpiderSegLib.evaluation.references import ReferenceKind, detect_reference_kind, in_spider_values
from SpiderSegLib.evaluation.scoring import Scores, score_labelmaps
from SpiderSegLib.io import read_labelmap
from SpiderSegLib.labels import SPINAL_CANAL, Structure, check_values
from SpiderSegLib.metrics import OverlapTable, overlap_table
from SpiderSegLib.series_names import sequence_of

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class SeriesEvaluation:
    """Scores of one series, the kind of reference they rest on and whether that was detected, and what a reader should know."""

    files: SeriesFiles
    sequence: str
    reference_kind: ReferenceKind
    is_kind_detected: bool
    scores: Scores
    warnings: tuple[str, ...]

    @property
    def series(self) -> str:
        return self.files.series


@dataclass(frozen=True)
class FailedSeries:
    """A reference that could not be scored, and why."""

    files: SeriesFiles
    sequence: str
    reason: str

    @property
    def series(self) -> str:
        return self.files.series


@dataclass(frozen=True)
class Evaluation:
    """Every reference is in `series` or `failed`; predictions without a reference are named in `unscored_predictions`."""

    series: tuple[SeriesEvaluation, ...]
    failed: tuple[FailedSeries, ...]
    unscored_predictions: tuple[Path, ...]


def evaluate_files(prediction: Path, reference: Path, kind: ReferenceKind = ReferenceKind.AUTO) -> Evaluation:
    """Scores a prediction file or folder against a reference file or folder.

    A series that fails (no prediction, unreadable, other grid, unknown values) goes to `failed` and the others go on. Raises
    DatasetError as `pair_files`.
    """
    pairing = pair_files(prediction, reference)
    return replace(evaluate_pairs(pairing.series, kind), unscored_predictions=pairing.unscored_predictions)


def evaluate_pairs(pairs: Sequence[SeriesFiles], kind: ReferenceKind = ReferenceKind.AUTO) -> Evaluation:
    """Scores pairs of files whose names need not agree; a series that fails goes to `failed` and the others go on."""
    series: list[SeriesEvaluation] = []
    failed: list[FailedSeries] = []
    for number, files in enumerate(pairs, start=1):
        logger.info("evaluating %s (%d of %d)", files.series, number, len(pairs))
        try:
            series.append(evaluate_series(files, kind))
        except Cancelled:
            raise
        except SpiderSegError as error:
            failed.append(FailedSeries(files, sequence_of(files.series), str(error)))
    return Evaluation(tuple(series), tuple(failed), ())


def evaluate_series(files: SeriesFiles, kind: ReferenceKind = ReferenceKind.AUTO) -> SeriesEvaluation:
    """Scores one series.

    Raises DatasetError without a prediction, ImageReadError for an unreadable file, GeometryError naming both files when the
    grids differ, LabelError for values outside the scheme or a reference whose kind can't be told.
    """
    if files.prediction is None:
        raise DatasetError(f"{files.series}: expected a prediction for {files.reference}, found none")
    reference, prediction = read_labelmap(files.reference), read_labelmap(files.prediction)
    if not reference.geometry.is_same_grid(prediction.geometry):
        raise GeometryError(
            f"expected one grid, found {files.prediction} ({prediction.geometry}) and {files.reference} ({reference.geometry}): "
            "resample the prediction to the reference's grid with nearest-neighbor interpolation"
        )
    table = overlap_table(reference.array, prediction.array)
    resolved = detect_reference_kind(table.reference_values, str(files.reference)) if kind is ReferenceKind.AUTO else kind
    check_values(table.prediction_values, str(files.prediction))
    labelmap, warnings = in_spider_values(reference.array, table.reference_values, resolved, str(files.reference))
    if labelmap is not reference.array:
        table = overlap_table(labelmap, prediction.array)
    return SeriesEvaluation(
        files=files,
        sequence=sequence_of(files.series),
        reference_kind=resolved,
        is_kind_detected=kind is ReferenceKind.AUTO,
        scores=score_labelmaps(labelmap, prediction.array, reference.geometry.spacing_kji_mm, resolved, table),
        warnings=(*warnings, *_warnings(resolved, table)),
    )


def _warnings(kind: ReferenceKind, table: OverlapTable) -> list[str]:
    found = []
    if not table.prediction_values:
        found.append("prediction is empty")
    if kind is ReferenceKind.CLASSES and {2, 3} & set(table.prediction_values) and max(table.prediction_values) <= max(Structure):
        found.append("prediction holds values 1-3 alone, read as SPIDER vertebrae; if it is a class map, its scores are wrong")
    if kind is ReferenceKind.SPIDER and SPINAL_CANAL not in table.reference_values:
        found.append("reference has no canal: the official canal scores are 999, as in the challenge")
    return found
