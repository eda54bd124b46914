"""A picture of a segmentation: the sagittal slice through the canal, plain and with colored, named levels."""

from __future__ import annotations

import io as std_io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from SpiderSegLib.labels import SPINAL_CANAL, LevelState, Structure, label_table
from SpiderSegLib.level_names import RESEARCH_USE
from SpiderSegLib.preprocessing import reorientation_to

if TYPE_CHECKING:
    # Its import brings torch, for which a picture of two masks should not wait.
    from SpiderSegLib.pipeline import LevelRow, Segmentation

#: Opacity of the color over the gray image: borders of bone stay visible below it.
OPACITY = 0.45

#: The brightest shown intensity over the brightest of the spine: some structure remains in the fat behind it.
SPINE_HEADROOM = 1.3

#: The picture of one slice is this high, or this wide when it is wider than high; margins stand around the pair of them.
PICTURE_INCHES = 8.0
TITLE_INCHES, FOOTER_INCHES, GAP_INCHES, NAMES_INCHES = 0.45, 0.65, 0.08, 3.2
DOTS_PER_INCH = 110

#: A level's name is drawn on its own voxels in the shown slice; fewer than this many are too few to point at.
FEWEST_NAMED_VOXELS = 8

NAME_POINTS = 7.5

#: Distance of the lines in the margin over the size of their letters.
LINE_SPACING = 1.45

_POINTS_PER_INCH = 72.0


@dataclass(frozen=True)
class _Layout:
    """Where things are, in inches from the lower left: two pictures of equal size, and the margin with the names beside them."""

    width: float
    height: float

    @classmethod
    def of(cls, height_over_width: float) -> _Layout:
        longest = max(1.0, height_over_width)
        return cls(PICTURE_INCHES / longest, PICTURE_INCHES * height_over_width / longest)

    @property
    def figure(self) -> tuple[float, float]:
        return 2 * self.width + GAP_INCHES + NAMES_INCHES, self.height + TITLE_INCHES + FOOTER_INCHES

    def axes(self, left: float, width: float) -> tuple[float, float, float, float]:
        """Rectangle as high as the pictures, as shares of the figure."""
        total_width, total_height = self.figure
        return left / total_width, FOOTER_INCHES / total_height, width / total_width, self.height / total_height


def draw_overlay(result: Segmentation) -> bytes:
    """PNG with the image, the overlay, and beside it the full names; says how far the names of the levels can be trusted."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    reorientation = reorientation_to(result.volume.geometry)
    image, labelmap = reorientation.apply(result.volume.array), reorientation.apply(result.labelmap.array)
    _, height_mm, width_mm = reorientation.spacing(result.volume.geometry.spacing_kji_mm)
    k = middle_slice(labelmap)
    layout = _Layout.of((image.shape[1] * height_mm) / (image.shape[2] * width_mm))
    figure = Figure(figsize=layout.figure, dpi=DOTS_PER_INCH, facecolor="black")
    FigureCanvasAgg(figure)
    plain, colored = (figure.add_axes(layout.axes(left, layout.width)) for left in (0.0, layout.width + GAP_INCHES))
    low, high = gray_window(image[k], labelmap[k])
    for axes in (plain, colored):
        axes.imshow(image[k], cmap="gray", vmin=low, vmax=high, aspect="auto", interpolation="bilinear")
        axes.axis("off")
    colored.imshow(color_slice(labelmap[k]), aspect="auto", interpolation="nearest")
    for row in result.levels:
        _write_name(colored, labelmap[k], row)
    _write_full_names(figure.add_axes(layout.axes(2 * layout.width + GAP_INCHES, NAMES_INCHES)), layout, labelmap, k, result)
    _, total_height = layout.figure
    figure.text(0.01, 1 - 0.5 * TITLE_INCHES / total_height, _title(result, k, image.shape[0]), color="white", fontsize=9, va="center")
    figure.text(0.01, 0.5 * FOOTER_INCHES / total_height, "\n".join(_footer(result)), color="#ffd479", fontsize=8, va="center")
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


def _write_name(axes: Any, labels: NDArray[np.uint8], row: LevelRow) -> None:
    voxels = np.argwhere(labels == row.instance.value)
    if len(voxels) < FEWEST_NAMED_VOXELS or row.instance.structure is Structure.CANAL:
        return
    j, i = _place(voxels, row.instance.structure)
    size = 9 if row.instance.structure is Structure.VERTEBRA else 7
    axes.text(i, j, row.name, color="white", fontsize=size, ha="center", va="center", bbox={"facecolor": "black", "alpha": 0.45, "pad": 0.8, "lw": 0})


def _write_full_names(axes: Any, layout: _Layout, labelmap: NDArray[np.uint8], k: int, result: Segmentation) -> None:
    """Each level's full name at its height, moved no further than needed to keep the lines apart, with a line in its color to where it is."""
    axes.axis("off")
    axes.set(xlim=(0.0, NAMES_INCHES), ylim=(layout.height, 0.0))
    inches_per_row = layout.height / labelmap.shape[1]
    anchors = {row.instance.value: (_height(labelmap, k, row) + 0.5) * inches_per_row for row in result.levels}
    rows = sorted(result.levels, key=lambda row: anchors[row.instance.value])
    heights = spread([anchors[row.instance.value] for row in rows], LINE_SPACING * NAME_POINTS / _POINTS_PER_INCH, layout.height)
    for row, height in zip(rows, heights, strict=True):
        anchor = anchors[row.instance.value]
        color = [channel / 255 for channel in label_table()[row.instance.value].color_rgba[:3]]
        axes.plot([0.0, 0.08, 0.26, 0.34], [anchor, anchor, height, height], color=color, lw=1.2, solid_capstyle="butt")
        axes.text(0.4, height, row.full_name, color="white", fontsize=NAME_POINTS, ha="left", va="center_baseline")


def _place(voxels: NDArray[np.intp], structure: Structure) -> tuple[float, float]:
    """Row and column that point at a structure, of its voxels (n, 2): the upper end of the canal, the middle of a body or disc."""
    if structure is Structure.CANAL:
        voxels = voxels[voxels[:, 0] == voxels[:, 0].min()]
    elif structure is Structure.VERTEBRA:
        # The front half of a vertebra is its body; the mean of all would fall into the canal.
        voxels = voxels[voxels[:, 1] <= np.median(voxels[:, 1])]
    j, i = voxels.mean(axis=0)
    return float(j), float(i)


def _height(labelmap: NDArray[np.uint8], k: int, row: LevelRow) -> float:
    """The image row a name belongs to: where its structure is in the shown slice, else in all of them."""
    voxels = np.argwhere(labelmap[k] == row.instance.value)
    if len(voxels) == 0:
        voxels = np.argwhere(labelmap == row.instance.value)[:, 1:]
    return _place(voxels, row.instance.structure)[0]


def spread(positions: Sequence[float], gap: float, end: float) -> list[float]:
    """Ascending positions moved apart to at least `gap` within 0..end, by the least squares; closer than `gap` when they would not fit."""
    gap = min(gap, end / max(1, len(positions)))
    # Without the gaps they need only not descend: neighbors that do are pooled at their mean.
    blocks: list[list[float]] = []
    for index, position in enumerate(positions):
        blocks.append([position - index * gap])
        while len(blocks) > 1 and np.mean(blocks[-2]) > np.mean(blocks[-1]):
            last = blocks.pop()
            blocks[-1] += last
    pooled = [float(np.mean(block)) for block in blocks for _ in block]
    low, high = gap / 2, end - gap / 2 - (len(positions) - 1) * gap
    return [min(max(position, low), high) + index * gap for index, position in enumerate(pooled)]


def _title(result: Segmentation, k: int, slices: int) -> str:
    name, sequence, model = Path(result.volume.name).name, result.sequence.sequence.value, result.checkpoint.provenance.model_id
    return f"{name}   {sequence}   sagittal slice {k + 1} of {slices}   model {model}"


def _footer(result: Segmentation) -> list[str]:
    lines = [f"{RESEARCH_USE}."]
    if result.state is LevelState.ASSUMED:
        lines[0] += "  A question mark says that the level is assumed (lowest vertebra = L5), not confirmed."
    if result.state_reasons:
        lines.append("Level unidentified: " + "; ".join(result.state_reasons))
    lines.extend(result.warnings[:2])
    return lines
