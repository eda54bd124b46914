"""A lumbar column of boxes, its series, and a Predictor that sees what it is told, for tests of what happens at a click."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from SpiderSegLib.inference import DevicePlan, Prediction, Predictor
from SpiderSegLib.labels import DISC_OFFSET, SPINAL_CANAL, Structure, to_classes
from SpiderSegLib.network import load_checkpoint
from SpiderSegLib.preprocessing import reorientation_to
from SpiderSegLib.volume import Geometry, Volume

#: i to posterior, j to inferior, k to the right; the working grid of SPACING_KJI_MM is the same grid.
SAGITTAL = (0.0, 0.0, -1.0, 1.0, 0.0, 0.0, 0.0, -1.0, 0.0)
SPACING_KJI_MM = (4.0, 1.5, 1.5)
SHAPE_KJI = (9, 124, 72)

BODY_ROWS, DISC_ROWS, LEVELS = 16, 6, 5
BODY_SLICES, BODY_COLUMNS = slice(1, 8), slice(12, 34)
LOWEST_ROW = 118

Column = NDArray[np.uint8]


def geometry() -> Geometry:
    k, j, i = SPACING_KJI_MM
    return Geometry((SHAPE_KJI[2], SHAPE_KJI[1], SHAPE_KJI[0]), (i, j, k), (-30.0, -40.0, 90.0), SAGITTAL)


def rows_of(value: int) -> slice:
    """Rows of a body, or of the disc below it; disc 201 ends at LOWEST_ROW."""
    level = value % 100
    top = LOWEST_ROW - level * (BODY_ROWS + DISC_ROWS)
    return slice(top, top + BODY_ROWS) if value < DISC_OFFSET else slice(top + BODY_ROWS, top + BODY_ROWS + DISC_ROWS)


def column() -> Column:
    """Bodies 24 mm high, 33 mm deep, 28 mm wide, discs 9 mm high between them, a spinous process apart behind the canal."""
    labels = np.zeros(SHAPE_KJI, dtype=np.uint8)
    for level in range(1, LEVELS + 1):
        for value in (level, DISC_OFFSET + level):
            labels[BODY_SLICES, rows_of(value), BODY_COLUMNS] = value
        labels[3:6, rows_of(level).start + 8 : rows_of(level).stop + 2, 48:64] = level
    labels[3:6, :, 37:46] = SPINAL_CANAL
    return labels


def without(labels: Column, *values: int) -> Column:
    return np.where(np.isin(labels, values), 0, labels).astype(np.uint8)


def series(labels: Column, grid: Geometry | None = None) -> Volume:
    """Intensities in which every class has its own."""
    return Volume(np.array([100, 700, 400, 900], dtype=np.int16)[to_classes(labels)], grid or geometry(), "series")


def labelmap(labels: Column, grid: Geometry | None = None) -> Volume:
    return Volume(labels, grid or geometry(), "kept")


def probabilities(labels: Column, sure: float = 0.9) -> NDArray[np.float32]:
    """(class, k, j, i): so much for the class of each voxel, the rest for the background; where nothing is, 0.97 for the background."""
    classes = to_classes(labels)
    result = np.zeros((len(Structure), *labels.shape), dtype=np.float32)
    for structure in Structure:
        result[structure][classes == structure] = sure if structure else 0.97
    result[Structure.BACKGROUND][classes > 0] = 1 - sure
    return result


def faint(whole: NDArray[np.float32], mask: NDArray[np.bool_], structure: Structure, probability: float) -> NDArray[np.float32]:
    """The same with a structure that the network hardly sees in a mask."""
    whole = whole.copy()
    whole[:, mask] = 0
    whole[structure][mask] = probability
    whole[Structure.BACKGROUND][mask] = 1 - probability
    return whole


class ToldPredictor(Predictor):
    """A Predictor whose network is not asked: it sees the probabilities (class, k, j, i) it was made with, on the working grid.

    They must cover the whole series, so a series has to fit into the box around any click.
    """

    def __init__(self, checkpoint: Path, told: NDArray[np.float32]) -> None:
        super().__init__(load_checkpoint(checkpoint), "cpu")
        self._told = told

    def predict(
        self,
        array: NDArray[np.float32],
        on_progress: Callable[[float], None] | None = None,
        is_cancelled: Callable[[], bool] | None = None,
    ) -> Prediction:
        assert array.shape == self._told.shape[1:]
        if on_progress is not None:
            on_progress(1.0)
        return Prediction(self._told, None, DevicePlan("cpu", "fp32", 1, "cpu", 0))


def stored_as(array: NDArray[np.generic], grid: Geometry, transpose: tuple[int, int, int], flipped: tuple[bool, bool, bool]) -> Volume:
    """The same voxels in the same places in the world, stored with other axes."""
    flips = tuple(axis for axis, flip in enumerate(flipped) if flip)
    stored = np.ascontiguousarray(np.flip(np.transpose(array, transpose), flips))
    affine = grid.affine_lps
    steps = [affine[:3, 2 - axis] for axis in transpose]
    origin = affine[:3, 3].copy()
    for axis in flips:
        origin += steps[axis] * (stored.shape[axis] - 1)
        steps[axis] = -steps[axis]
    spacing = [float(np.linalg.norm(step)) for step in steps]
    direction = np.stack([step / mm for step, mm in zip(steps, spacing, strict=True)][::-1], axis=1)
    size = stored.shape
    x, y, z = origin.tolist()
    return Volume(stored, Geometry((size[2], size[1], size[0]), (spacing[2], spacing[1], spacing[0]), (x, y, z), tuple(direction.ravel().tolist())))


def to_working(labels: Column, grid: Geometry) -> Column:
    """An array on a grid in the axis order of the working grid."""
    return np.ascontiguousarray(reorientation_to(grid).apply(labels))
