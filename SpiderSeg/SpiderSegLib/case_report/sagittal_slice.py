"""The slice that a report shows: through the middle of the canal, as high as the image, as wide as the column and what is around it."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from SpiderSegLib.labels import Structure, structure_of
from SpiderSegLib.overlay import OPACITY, gray_window, middle_slice
from SpiderSegLib.preprocessing import reorientation_to
from SpiderSegLib.segmentation_files import NamedLabelmap
from SpiderSegLib.volume import Volume

#: Shown at least in front of and behind the labels; above and below them all there is, for the levels are counted from the sacrum.
MARGIN_MM = 25.0

#: The least width over the height: two such pictures and the names fill the width of a page.
LEAST_WIDTH = 0.5

#: Labels are drawn in pixels of at most this size, so that their outlines are fine.
FINEST_PIXEL_MM = 0.35


@dataclass(frozen=True)
class SagittalSlice:
    """Gray values and labels (j inferior, i posterior), uint8 both; slice `number` (from 1) of `count`."""

    gray: NDArray[np.uint8]
    labels: NDArray[np.uint8]
    pixel_mm: tuple[float, float]
    number: int
    count: int
    is_cropped: bool

    @property
    def size_mm(self) -> tuple[float, float]:
        """Height and width."""
        rows, columns = self.gray.shape
        return rows * self.pixel_mm[0], columns * self.pixel_mm[1]

    def place(self, value: int) -> tuple[float, float] | None:
        """A point of a structure, mm from the top and left: deepest inside a vertebra or disc, the upper end of the canal; None if not shown."""
        mask = self.labels == value
        if not mask.any():
            return None
        if structure_of(value) is Structure.CANAL:
            j = int(np.argmax(mask.any(axis=1)))
            i = float(np.flatnonzero(mask[j]).mean())
        else:
            if structure_of(value) is Structure.VERTEBRA:
                # Its body is its front half; what is left of one that the image cuts may be less than its spinous process.
                mask = mask & (np.arange(mask.shape[1]) <= np.median(np.nonzero(mask)[1]))
            # Padded, so that a vertebra at the border is no deeper there.
            depth = ndimage.distance_transform_edt(np.pad(mask, 1), sampling=self.pixel_mm)[1:-1, 1:-1]
            j, i = (int(index) for index in np.unravel_index(np.argmax(depth), depth.shape))
        return (j + 0.5) * self.pixel_mm[0], (i + 0.5) * self.pixel_mm[1]


def best_slice(image: Volume, labelmap: Volume) -> SagittalSlice:
    """The slice of a series and its labelmap, on one grid of any orientation, that shows most of the canal."""
    turn = reorientation_to(labelmap.geometry)
    intensities, labels = turn.apply(image.array), turn.apply(labelmap.array)
    _, row_mm, column_mm = turn.spacing(labelmap.geometry.spacing_kji_mm)
    k = middle_slice(labels)
    shown = _columns(labels[k], MARGIN_MM / column_mm, LEAST_WIDTH * labels.shape[1] * row_mm / column_mm)
    low, high = gray_window(intensities[k], labels[k])
    gray = np.clip((intensities[k].astype(np.float64) - low) * (255 / (high - low)), 0, 255).astype(np.uint8)
    is_cropped = shown.stop - shown.start < labels.shape[2]
    return SagittalSlice(gray[:, shown], labels[k][:, shown], (row_mm, column_mm), k + 1, len(labels), is_cropped)


def _columns(labels: NDArray[np.uint8], margin: float, least: float) -> slice:
    """The columns to show: all labels in the middle of at least so many, but no more than there are; all of them without labels."""
    labeled = np.flatnonzero(labels.any(axis=0))
    if not len(labeled):
        return slice(0, labels.shape[1])
    margin = max(margin, (least - (labeled[-1] - labeled[0] + 1)) / 2)
    return slice(max(0, int(labeled[0] - margin)), min(labels.shape[1], int(labeled[-1] + margin) + 1))


def gray_png(shown: SagittalSlice) -> bytes:
    """The image at its own resolution."""
    opaque = np.full_like(shown.gray, 255)
    return _png(np.stack([shown.gray] * 3 + [opaque], axis=-1))


def color_png(shown: SagittalSlice, named: NamedLabelmap) -> bytes:
    """The labels in their colors, outlined, transparent elsewhere."""
    labels = shown.labels
    for axis, pixel_mm in enumerate(shown.pixel_mm):
        labels = labels.repeat(int(np.ceil(pixel_mm / FINEST_PIXEL_MM)), axis)
    colors = np.zeros((256, 4), dtype=np.uint8)
    for value in named.values:
        colors[value] = (*named.color(value), round(255 * OPACITY))
    picture = colors[labels]
    is_border = ndimage.minimum_filter(labels, 3, mode="nearest") != ndimage.maximum_filter(labels, 3, mode="nearest")
    picture[is_border & (labels > 0), 3] = 255
    return _png(picture)


def _png(rgba: NDArray[np.uint8]) -> bytes:
    from matplotlib.image import imsave

    buffer = io.BytesIO()
    # Without its version, which would make another file of the same picture.
    metadata: dict[str, Any] = {"Software": None}
    imsave(buffer, rgba, format="png", metadata=metadata)
    return buffer.getvalue()
