"""Pictures of the worst validation cases: champion, challenger and reference on one sagittal slice."""

from __future__ import annotations

import io as std_io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from SpiderSegLib.errors import DatasetError
from SpiderSegLib.evaluation import Evaluation, ReferenceKind, SeriesEvaluation
from SpiderSegLib.evaluation.report.worst_cases import main_score, worst_series
from SpiderSegLib.io import read_labelmap, read_volume
from SpiderSegLib.labels import SPINAL_CANAL, Structure, to_classes
from SpiderSegLib.preprocessing import Reorientation, reorientation_to

PANEL_HEIGHT_INCHES = 4.6
DOTS_PER_INCH = 110

#: Around the labels this much is shown.
MARGIN_MM = 20.0

#: A class map's structures in SPIDER values, for their colors.
_VALUE_OF_CLASS = np.zeros(len(Structure), dtype=np.uint8)
_VALUE_OF_CLASS[[Structure.VERTEBRA, Structure.DISC, Structure.CANAL]] = (1, 201, SPINAL_CANAL)


@dataclass(frozen=True)
class ComparedCase:
    """A series of which both models have a prediction: its picture, what it shows in words, and the slice (from 1)."""

    series: str
    png: bytes
    caption: str


def worst_cases(champion: Evaluation, challenger: Evaluation, images: Mapping[str, Path], count: int) -> tuple[ComparedCase, ...]:
    """The `count` series with the challenger's lowest main score that the champion has a score of, too; the worst first.

    `images` by series name. Raises what reading the files raises.
    """
    others = {one.series: one for one in champion.series}
    shared = Evaluation(tuple(one for one in challenger.series if one.series in others), (), ())
    return tuple(_compared(others[one.series], one, images[one.series]) for one in worst_series(shared, count))


def _compared(champion: SeriesEvaluation, challenger: SeriesEvaluation, image: Path) -> ComparedCase:
    volume, reference = read_volume(image), read_labelmap(challenger.files.reference)
    turn = reorientation_to(reference.geometry)
    is_class_map = challenger.reference_kind is ReferenceKind.CLASSES
    truth = _VALUE_OF_CLASS[reference.array] if is_class_map else reference.array
    labels = tuple(turn.apply(array) for array in (_labels_of(champion), _labels_of(challenger), truth))
    k = _slice_to_show(*labels)
    png = _draw(turn.apply(volume.array)[k], [one[k] for one in labels], _window(labels, turn, volume.geometry.spacing_kji_mm), turn, volume)
    return ComparedCase(challenger.series, png, _caption(champion, challenger, k + 1, labels[0].shape[0]))


def _labels_of(evaluation: SeriesEvaluation) -> NDArray[Any]:
    if evaluation.files.prediction is None:
        raise DatasetError(f"{evaluation.series}: expected a prediction to draw, found none")
    return read_labelmap(evaluation.files.prediction).array


def _slice_to_show(champion: NDArray[Any], challenger: NDArray[Any], truth: NDArray[Any]) -> int:
    """The slice where the challenger's structures differ most from the reference, else the one with most labels."""
    wrong = (to_classes(challenger) != to_classes(truth)).sum(axis=(1, 2))
    return int(np.argmax(wrong if wrong.any() else (truth > 0).sum(axis=(1, 2))))


def _window(labels: tuple[NDArray[Any], ...], turn: Reorientation, spacing_kji_mm: tuple[float, float, float]) -> tuple[slice, slice]:
    """Rows and columns that hold all labels of the series."""
    occupied = np.any([(one > 0).any(axis=0) for one in labels], axis=0)
    ends = []
    for axis, pixel_mm in enumerate(turn.spacing(spacing_kji_mm)[1:]):
        places, margin = np.flatnonzero(occupied.any(axis=1 - axis)), round(MARGIN_MM / pixel_mm)
        ends.append(slice(max(0, int(places[0]) - margin), int(places[-1]) + margin + 1) if places.size else slice(None))
    return ends[0], ends[1]


def _draw(image: NDArray[Any], labels: list[NDArray[Any]], window: tuple[slice, slice], turn: Reorientation, volume: Any) -> bytes:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    # Imported only here: it brings in the network's packages.
    from SpiderSegLib.overlay import color_slice, gray_window

    _, height_mm, width_mm = turn.spacing(volume.geometry.spacing_kji_mm)
    shown = image[window]
    low, high = gray_window(image, labels[2])
    width = min(max(PANEL_HEIGHT_INCHES * shown.shape[1] * width_mm / (shown.shape[0] * height_mm), 1.6), 4.5)
    figure = Figure(figsize=(3 * width, PANEL_HEIGHT_INCHES + 0.3), dpi=DOTS_PER_INCH, facecolor="black")
    FigureCanvasAgg(figure)
    panels = figure.subplots(1, 3, gridspec_kw={"wspace": 0.02, "left": 0.0, "right": 1.0, "top": 0.94, "bottom": 0.0})
    for axes, title, one in zip(panels, ("champion", "challenger", "reference"), labels, strict=True):
        axes.imshow(shown, cmap="gray", vmin=low, vmax=high, aspect=height_mm / width_mm, interpolation="bilinear")
        axes.imshow(color_slice(one[window]), aspect=height_mm / width_mm, interpolation="nearest")
        axes.set_title(title, color="white", fontsize=10, pad=3)
        axes.axis("off")
    buffer = std_io.BytesIO()
    figure.savefig(buffer, format="png", facecolor="black")
    return buffer.getvalue()


def _caption(champion: SeriesEvaluation, challenger: SeriesEvaluation, slice_number: int, slice_count: int) -> str:
    before, after = main_score(champion), main_score(challenger)
    scores = "" if before is None or after is None else f"mean structure Dice {before:.3f} with the champion, {after:.3f} with the challenger; "
    return f"{challenger.series}: {scores}slice {slice_number} of {slice_count}."
