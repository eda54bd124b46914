"""A picture of a segmentation: the sagittal slice through the canal, plain and with colored, named levels."""

from __future__ import annotations

import io as std_io
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from SpiderSegLib.labels import SPINAL_CANAL, LevelState, Structure, label_table
from SpiderSegLib.pipeline import LevelRow, Segmentation
from SpiderSegLib.preprocessing import reorientation_to

#: Opacity of the color over the gray image: borders of bone stay visible below it.
OPACITY = 0.45

#: The brightest shown intensity over the brightest of the spine: some structure remains in the fat behind it.
SPINE_HEADROOM = 1.3

FIGURE_HEIGHT_INCHES = 8.0
DOTS_PER_INCH = 110

#: A level's name is drawn on its own voxels in the shown slice; fewer than this many are too few to point at.
FEWEST_NAMED_VOXELS = 8


def draw_overlay(result: Segmentation) -> bytes:
    """PNG with the image on the left and the overlay on the right; says how far the level names can be trusted."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    reorientation = reorientation_to(result.volume.geometry)
    image, labelmap = reorientation.apply(result.volume.array), reorientation.apply(result.labelmap.array)
    _, height_mm, width_mm = reorientation.spacing(result.volume.geometry.spacing_kji_mm)
    k = middle_slice(labelmap)
    aspect = (image.shape[1] * height_mm) / (image.shape[2] * width_mm)
    figure = Figure(figsize=(max(7.5, 2 * FIGURE_HEIGHT_INCHES / aspect), FIGURE_HEIGHT_INCHES + 0.9), dpi=DOTS_PER_INCH, facecolor="black")
    FigureCanvasAgg(figure)
    plain, colored = figure.subplots(1, 2, gridspec_kw={"wspace": 0.01, "left": 0.0, "right": 1.0, "top": 0.95, "bottom": 0.09})
    low, high = gray_window(image[k], labelmap[k])
    for axes in (plain, colored):
        axes.imshow(image[k], cmap="gray", vmin=low, vmax=high, aspect=height_mm / width_mm, interpolation="bilinear")
        axes.axis("off")
    colored.imshow(color_slice(labelmap[k]), aspect=height_mm / width_mm, interpolation="nearest")
    for row in result.levels:
        _write_name(colored, labelmap[k], row, result.state)
    figure.text(0.01, 0.97, _title(result, k, image.shape[0]), color="white", fontsize=9, va="center")
    figure.text(0.01, 0.045, "\n".join(_footer(result)), color="#ffd479", fontsize=8, va="center")
    buffer = std_io.BytesIO()
    figure.savefig(buffer, format="png", facecolor="black")
    return buffer.getvalue()


def middle_slice(labelmap: NDArray[np.uint8]) -> int:
    """Index of the sagittal slice (k) that shows most of the canal, else most of any label, else the middle one."""
    for mask in (labelmap == SPINAL_CANAL, labelmap > 0):
        area = mask.sum(axis=(1, 2))
        if area.any():
            # The middle of the widest stretch: the largest area alone may sit at its edge.
            return round(float(np.average(np.flatnonzero(area > 0.7 * area.max()))))
    return labelmap.shape[0] // 2


def gray_window(image: NDArray[Any], labels: NDArray[np.uint8]) -> tuple[float, float]:
    """Lowest and highest intensity to show: of the spine and what is around it, not of the bright fat next to the coil."""
    low, high = (float(value) for value in np.percentile(image, (0.5, 99.7)))
    if (labels > 0).any():
        high = min(high, SPINE_HEADROOM * float(np.percentile(image[labels > 0], 98)))
    return low, max(high, low + 1e-6)


def color_slice(labels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """RGBA uint8 (j, i, 4) of a slice of SPIDER values, transparent where there is none."""
    lookup = np.zeros((256, 4), dtype=np.uint8)
    for value, entry in label_table().items():
        lookup[value] = (*entry.color_rgba[:3], round(255 * OPACITY))
    return lookup[labels]


def _write_name(axes: Any, labels: NDArray[np.uint8], row: LevelRow, state: LevelState) -> None:
    voxels = np.argwhere(labels == row.instance.value)
    if len(voxels) < FEWEST_NAMED_VOXELS or row.instance.structure is Structure.CANAL:
        return
    # The front half of a vertebra is its body; a name on the mean would fall into the canal.
    front = voxels[voxels[:, 1] <= np.median(voxels[:, 1])] if row.instance.structure is Structure.VERTEBRA else voxels
    j, i = front.mean(axis=0)
    name = f"{row.name}?" if state is LevelState.ASSUMED else row.name
    size = 9 if row.instance.structure is Structure.VERTEBRA else 7
    axes.text(i, j, name, color="white", fontsize=size, ha="center", va="center", bbox={"facecolor": "black", "alpha": 0.45, "pad": 0.8, "lw": 0})


def _title(result: Segmentation, k: int, slices: int) -> str:
    name, sequence, model = Path(result.volume.name).name, result.sequence.sequence.value, result.checkpoint.provenance.model_id
    return f"{name}   {sequence}   sagittal slice {k + 1} of {slices}   model {model}"


def _footer(result: Segmentation) -> list[str]:
    lines = ["Research use only, not for diagnosis."]
    if result.state is LevelState.ASSUMED:
        lines[0] += "  A question mark says that the level is assumed (lowest vertebra = L5), not confirmed."
    if result.state_reasons:
        lines.append("Level unidentified: " + "; ".join(result.state_reasons))
    lines.extend(result.warnings[:2])
    return lines
