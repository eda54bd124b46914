"""Labelmaps of a few voxels as files, and scored series without files, for the tests of the evaluation."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from SpiderSegLib.evaluation import Evaluation, FailedSeries, ReferenceKind, Scores, SeriesEvaluation, SeriesFiles
from SpiderSegLib.metrics import InstanceDistance, StructureDice
from SpiderSegLib.phantom import SAGITTAL_DIRECTION
from SpiderSegLib.series_names import sequence_of

#: Two vertebrae, their discs and the canal, four voxels each, in a 5 x 2 x 2 labelmap.
SPIDER_VALUES_BY_SLICE = (1, 2, 201, 202, 100)


def slices(*values: int) -> NDArray[np.uint8]:
    """One value a slice of 2 x 2 voxels."""
    return np.repeat(np.array(values, dtype=np.uint8), 4).reshape(-1, 2, 2)


def write(path: Path, array: NDArray[Any], origin: tuple[float, float, float] = (0.0, 0.0, 0.0), is_sagittal: bool = False) -> Path:
    """Writes an array with 0.5 mm pixels and 4 mm slices, in ITK's default orientation or stored sagittally as in SPIDER."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = sitk.GetImageFromArray(array)
    image.SetSpacing((0.5, 0.5, 4.0))
    image.SetOrigin(origin)
    if is_sagittal:
        image.SetDirection(SAGITTAL_DIRECTION)
    sitk.WriteImage(image, str(path))
    return path


def scored(
    series: str, dice: float | None = None, canal: float | None = None, asd_mm: float | None = None, kind: ReferenceKind = ReferenceKind.SPIDER
) -> SeriesEvaluation:
    """A series with this structure Dice of vertebrae and discs, and of the canal, and this ASD of vertebra 1."""
    scores = Scores(
        structure_dice=StructureDice(dice, dice, canal),
        distances=() if asd_mm is None else (InstanceDistance(1, 1, asd_mm, asd_mm),),
    )
    files = SeriesFiles(series, Path("references") / f"{series}.mha", Path("predictions") / f"{series}.mha")
    return SeriesEvaluation(files, sequence_of(series), kind, False, scores, ())


def evaluation_of(*series: SeriesEvaluation, failed: Sequence[str] = ()) -> Evaluation:
    """An evaluation of these series, in which the series named in `failed` had no prediction."""
    missing = tuple(FailedSeries(SeriesFiles(name, Path(f"references/{name}.mha"), None), sequence_of(name), "no prediction") for name in failed)
    return Evaluation(series, missing, ())
