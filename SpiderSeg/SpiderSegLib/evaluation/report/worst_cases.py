"""Pictures of the worst series: the sagittal slice with most error, reference and prediction outlined side by side."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from SpiderSegLib.errors import DatasetError, SpiderSegError
from SpiderSegLib.evaluation.pairing import files_by_series
from SpiderSegLib.evaluation.references import ReferenceKind, in_spider_values
from SpiderSegLib.evaluation.report.plots import DOTS_PER_INCH
from SpiderSegLib.evaluation.scoring import MAIN_SCORES
from SpiderSegLib.evaluation.series import Evaluation, SeriesEvaluation
from SpiderSegLib.io import image_stem, read_labelmap, read_volume
from SpiderSegLib.labels import DISC_OFFSET, SPINAL_CANAL, Structure, label_table, level_of, to_classes
from SpiderSegLib.level_names import vertebra_name
from SpiderSegLib.preprocessing import Reorientation, reorientation_to
from SpiderSegLib.volume import Geometry

PANEL_HEIGHT_INCHES = 5.2

#: Around the labels this much is shown, so that a missed level at the end is seen with its surroundings.
MARGIN_MM = 20.0

#: A level's name is drawn where it has at least this many voxels in the slice.
FEWEST_NAMED_VOXELS = 30

#: Colors of the third panel, which the caption names.
MISSED_COLOR, EXTRA_COLOR, CONFUSED_COLOR = (255, 140, 0), (60, 160, 255), (220, 80, 220)
DIFFERENCE_OPACITY = 0.75

#: Values whose colors stand for the classes of a class map.
_COLOR_OF_CLASS = {Structure.VERTEBRA: 1, Structure.DISC: DISC_OFFSET + 1, Structure.CANAL: SPINAL_CANAL}

#: Structures that a kind of reference labels; elsewhere a prediction is no error.
_LABELED = {
    ReferenceKind.SPIDER: tuple(_COLOR_OF_CLASS),
    ReferenceKind.CLASSES: tuple(_COLOR_OF_CLASS),
    ReferenceKind.BODIES: (Structure.VERTEBRA,),
    ReferenceKind.DISCS: (Structure.DISC,),
}


@dataclass(frozen=True)
class WorstCase:
    """A series to look at: its picture, which slice it shows (from 1), and what must be said about it."""

    series: SeriesEvaluation
    png: bytes
    slice_number: int
    slice_count: int
    note: str


@dataclass(frozen=True)
class _Slice:
    """One sagittal slice in working orientation (j, i): gray values or None, labels to outline, classes to compare."""

    image: NDArray[Any] | None
    reference: NDArray[Any]
    prediction: NDArray[Any]
    missed: NDArray[np.bool_]
    extra: NDArray[np.bool_]
    confused: NDArray[np.bool_]
    pixel_mm: tuple[float, float]
    is_reference_named: bool


def find_images(path: Path | None) -> Mapping[str, Path]:
    """Image files by series name, of a folder or of one file; empty for None.

    Raises DatasetError for a path that does not exist.
    """
    if path is None:
        return {}
    if not path.exists():
        raise DatasetError(f"{path}: expected an image or a folder of images, found nothing there")
    return files_by_series(path) if path.is_dir() else {image_stem(path): path}


def worst_series(evaluation: Evaluation, count: int) -> tuple[SeriesEvaluation, ...]:
    """The `count` series with the lowest mean structure Dice (body recall where a reference has bodies alone), the worst first."""
    scored = [(main_score(one), one) for one in evaluation.series]
    known = [(score, one) for score, one in scored if score is not None]
    return tuple(one for _, one in sorted(known, key=lambda row: (row[0], row[1].series))[:count])


def main_score(series: SeriesEvaluation) -> float | None:
    """The first of MAIN_SCORES that the series has."""
    scores = series.scores.by_name()
    return next((scores[name] for name in MAIN_SCORES if scores[name] is not None), None)


def draw_worst_case(series: SeriesEvaluation, images: Mapping[str, Path]) -> WorstCase:
    """Reads the files of a series again and draws the slice where the structures of most voxels differ.

    Without an image, or with one that can't be read or lies on another grid, the labels are drawn on black and `note` says why.
    Raises what reading the labelmaps raises.
    """
    if series.files.prediction is None:
        raise DatasetError(f"{series.series}: expected a prediction to draw, found none")
    reference, prediction = read_labelmap(series.files.reference), read_labelmap(series.files.prediction)
    labels, _ = in_spider_values(reference.array, np.unique(reference.array), series.reference_kind, series.series)
    image, note = _image_of(series.series, images, reference.geometry)
    turn = reorientation_to(reference.geometry)
    shown, k, count = _worst_slice(turn, reference.geometry, image, labels, prediction.array, series.reference_kind)
    return WorstCase(series, _draw(shown), k + 1, count, note)


def _image_of(series: str, images: Mapping[str, Path], geometry: Geometry) -> tuple[NDArray[Any] | None, str]:
    path = images.get(series)
    if path is None:
        return None, "no image of this name was given, labels only"
    try:
        volume = read_volume(path)
    except SpiderSegError as error:
        return None, f"the image can't be shown ({error}), labels only"
    if not volume.geometry.is_same_grid(geometry):
        return None, f"{path.name} is not on the grid of the reference, labels only"
    return volume.array, ""


def _worst_slice(
    turn: Reorientation, geometry: Geometry, image: NDArray[Any] | None, reference: NDArray[Any], prediction: NDArray[Any], kind: ReferenceKind
) -> tuple[_Slice, int, int]:
    """The slice with most error (the one with most labels when there is none), its index and the number of slices."""
    classes = reference.astype(np.uint8) if kind is ReferenceKind.CLASSES else to_classes(reference)
    predicted = to_classes(prediction)
    predicted = np.where(np.isin(predicted, _LABELED[kind]), predicted, 0).astype(np.uint8)
    colors = _as_spider_values(classes) if kind is ReferenceKind.CLASSES else reference
    first, second, colors, shown = (turn.apply(array) for array in (classes, predicted, colors, prediction))
    missed, extra = (first > 0) & (second == 0), (first == 0) & (second > 0)
    if kind is ReferenceKind.BODIES:  # posterior elements outside the bodies are right
        extra = np.zeros_like(extra)
    confused = (first > 0) & (second > 0) & (first != second)
    area = (missed | extra | confused).sum(axis=(1, 2))
    k = int(np.argmax(area if area.any() else (first > 0).sum(axis=(1, 2))))
    _, height_mm, width_mm = turn.spacing(geometry.spacing_kji_mm)
    window = _window((colors > 0) | (shown > 0), (height_mm, width_mm))
    gray = None if image is None else turn.apply(image)[k][window]
    planes = (colors[k][window], shown[k][window], missed[k][window], extra[k][window], confused[k][window])
    return _Slice(gray, *planes, pixel_mm=(height_mm, width_mm), is_reference_named=kind is not ReferenceKind.CLASSES), k, len(area)


def _as_spider_values(classes: NDArray[np.uint8]) -> NDArray[np.uint8]:
    lookup = np.zeros(len(_COLOR_OF_CLASS) + 1, dtype=np.uint8)
    for structure, value in _COLOR_OF_CLASS.items():
        lookup[structure] = value
    return lookup[classes]


def _window(labels: NDArray[np.bool_], pixel_mm: tuple[float, float]) -> tuple[slice, slice]:
    """Rows and columns that hold all labels of the series, with MARGIN_MM around them."""
    ends = []
    for axis, spacing in zip((1, 2), pixel_mm, strict=True):
        occupied = np.flatnonzero(labels.any(axis=(0, 3 - axis)))
        margin = round(MARGIN_MM / spacing)
        ends.append(slice(max(0, int(occupied[0]) - margin), int(occupied[-1]) + margin + 1))
    return ends[0], ends[1]


def _draw(shown: _Slice) -> bytes:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    height_mm, width_mm = (size * spacing for size, spacing in zip(shown.reference.shape, shown.pixel_mm, strict=True))
    panel_width = min(max(PANEL_HEIGHT_INCHES * width_mm / height_mm, 1.6), 4.5)
    figure = Figure(figsize=(3 * panel_width, PANEL_HEIGHT_INCHES + 0.3), dpi=DOTS_PER_INCH, facecolor="black")
    FigureCanvasAgg(figure)
    panels = figure.subplots(1, 3, gridspec_kw={"wspace": 0.02, "left": 0.0, "right": 1.0, "top": 0.945, "bottom": 0.0})
    for axes, title in zip(panels, ("reference", "prediction", "difference"), strict=True):
        _draw_image(axes, shown)
        axes.set_title(title, color="white", fontsize=10, pad=3)
    _draw_outlines(panels[0], shown.reference, shown.is_reference_named)
    _draw_outlines(panels[1], shown.prediction, is_named=True)
    panels[2].imshow(_difference_colors(shown), aspect=shown.pixel_mm[0] / shown.pixel_mm[1], interpolation="nearest")
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", facecolor="black")
    return buffer.getvalue()


def _draw_image(axes: Any, shown: _Slice) -> None:
    axes.axis("off")
    aspect = shown.pixel_mm[0] / shown.pixel_mm[1]
    if shown.image is None:
        axes.imshow(np.zeros(shown.reference.shape), cmap="gray", vmin=0, vmax=1, aspect=aspect)
        return
    # Imported only with an image: it brings in the network's packages, which scores do not need.
    from SpiderSegLib.overlay import gray_window

    low, high = gray_window(shown.image, np.maximum(shown.reference, shown.prediction))
    axes.imshow(shown.image, cmap="gray", vmin=low, vmax=high, aspect=aspect, interpolation="bilinear")


def _draw_outlines(axes: Any, labels: NDArray[Any], is_named: bool) -> None:
    entries = label_table()
    for value in (int(value) for value in np.unique(labels) if value):
        mask = labels == value
        red, green, blue, _ = entries[value].color_rgba
        # Padded, so that a structure that leaves the picture is closed; drawn half a voxel outside its voxels' centers.
        axes.contour(
            np.arange(-1, mask.shape[1] + 1), np.arange(-1, mask.shape[0] + 1), np.pad(mask, 1), [0.5], colors=[(red / 255, green / 255, blue / 255)]
        )
        if is_named and value != SPINAL_CANAL and value < DISC_OFFSET and mask.sum() >= FEWEST_NAMED_VOXELS:
            _write_name(axes, mask, value)
    axes.set_xlim(-0.5, labels.shape[1] - 0.5)
    axes.set_ylim(labels.shape[0] - 0.5, -0.5)


def _write_name(axes: Any, mask: NDArray[np.bool_], value: int) -> None:
    voxels = np.argwhere(mask)
    # The front half of a vertebra is its body; a name on the mean would fall into the canal.
    j, i = voxels[voxels[:, 1] <= np.median(voxels[:, 1])].mean(axis=0)
    name = vertebra_name(level_of(value))
    look = {"facecolor": "black", "alpha": 0.45, "pad": 0.8, "lw": 0}
    axes.text(i, j, name, color="white", fontsize=8, ha="center", va="center", bbox=look, clip_on=True)


def _difference_colors(shown: _Slice) -> NDArray[np.uint8]:
    colors = np.zeros((*shown.missed.shape, 4), dtype=np.uint8)
    for mask, color in ((shown.missed, MISSED_COLOR), (shown.extra, EXTRA_COLOR), (shown.confused, CONFUSED_COLOR)):
        colors[mask] = (*color, round(255 * DIFFERENCE_OPACITY))
    return colors
