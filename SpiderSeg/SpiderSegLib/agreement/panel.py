"""One slice of the picture: outlines of A and B in their colors, filled where only one of them has a structure, and the names."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from SpiderSegLib.agreement.result import Agreement, LevelRow
from SpiderSegLib.agreement.slices import Differences
from SpiderSegLib.labels import Structure
from SpiderSegLib.level_names import LevelNaming, short_name

#: Okabe and Ito's colors, which color-blind readers can tell apart, also on gray.
A_COLOR, B_COLOR, CONFUSED_COLOR = "#e69f00", "#56b4e9", "#cc79a7"

FILL_OPACITY = 0.65

#: B's outline is dashed and drawn last: where both agree the line is in both colors.
A_LINE: dict[str, Any] = {"linewidth": 1.1, "linestyle": "solid"}
B_LINE: dict[str, Any] = {"linewidth": 1.1, "linestyle": (0, (3, 3))}

#: A name is written on at least this many voxels in the slice.
FEWEST_NAMED_VOXELS = 30

NAME_POINTS = {Structure.VERTEBRA: 8.0, Structure.DISC: 6.5}


def draw_plain_panel(axes: Any, found: Differences, k: int) -> None:
    """The image alone; black without one."""
    _draw_image(axes, found, k)
    axes.set_title(f"slice {k + 1} of {len(found.a)}", color="white", fontsize=9, pad=4)


def draw_panel(axes: Any, found: Differences, k: int, agreement: Agreement, naming: LevelNaming) -> None:
    """A slice with everything on it."""
    _draw_image(axes, found, k)
    _fill(axes, found, k)
    for labels, color, line in ((found.a[k], A_COLOR, A_LINE), (found.b[k], B_COLOR, B_LINE)):
        _outline(axes, labels, color, line)
    axes.set(xlim=(-0.5, found.a.shape[2] - 0.5), ylim=(found.a.shape[1] - 0.5, -0.5))
    for row in agreement.levels:
        if _is_named(row, agreement):
            _write_names(axes, found, k, row, naming)
    area_cm2 = found.area_cm2(k)
    what = f"{area_cm2:.1f} cm² differ" if area_cm2 else "other numbers" if found.other_number[k].any() else "no difference"
    axes.set_title(f"slice {k + 1} of {len(found.a)}: {what}", color="white", fontsize=9, pad=4)


def _draw_image(axes: Any, found: Differences, k: int) -> None:
    axes.axis("off")
    _, j_mm, i_mm = found.spacing_kji_mm
    if found.image is None:
        axes.imshow(np.zeros(found.a.shape[1:]), cmap="gray", vmin=0, vmax=1, aspect=j_mm / i_mm)
        return
    # Imported only with an image: it brings in the network's packages.
    from SpiderSegLib.overlay import gray_window

    low, high = gray_window(found.image[k], np.maximum(found.a[k], found.b[k]))
    axes.imshow(found.image[k], cmap="gray", vmin=low, vmax=high, aspect=j_mm / i_mm, interpolation="bilinear")


def _fill(axes: Any, found: Differences, k: int) -> None:
    from matplotlib.colors import to_rgb

    _, j_mm, i_mm = found.spacing_kji_mm
    colors = np.zeros((*found.a.shape[1:], 4))
    for mask, color in ((found.only_a[k], A_COLOR), (found.only_b[k], B_COLOR), (found.other_structure[k], CONFUSED_COLOR)):
        colors[mask] = (*to_rgb(color), FILL_OPACITY)
    axes.imshow(colors, aspect=j_mm / i_mm, interpolation="nearest")


def _outline(axes: Any, labels: NDArray[Any], color: str, line: dict[str, Any]) -> None:
    for value in (int(value) for value in np.unique(labels) if value):
        # Padded, so that a structure that leaves the picture is closed.
        mask = np.pad(labels == value, 1)
        places = np.arange(-1, mask.shape[1] - 1), np.arange(-1, mask.shape[0] - 1)
        axes.contour(*places, mask, [0.5], colors=[color], linewidths=line["linewidth"], linestyles=[line["linestyle"]])


def _is_named(row: LevelRow, agreement: Agreement) -> bool:
    """Vertebrae are; a disc only where A and B differ on it, and the names of the vertebrae don't tell that already."""
    if row.structure is not Structure.DISC:
        return row.structure is Structure.VERTEBRA
    is_told_by_vertebrae = agreement.shift is not None and agreement.shift.structure is None
    return row.value_a != row.value_b and not (row.is_matched and is_told_by_vertebrae)


def _write_names(axes: Any, found: Differences, k: int, row: LevelRow, naming: LevelNaming) -> None:
    """One name where A and B say the same, else A's above B's in their colors; nothing where the slice shows too little of it."""
    # B's voxels only for what A lacks: a value of B may stand for another instance than the same value of A.
    mask = found.a[k] == row.value_a if row.value_a is not None else found.b[k] == row.value_b
    voxels = np.argwhere(mask)
    if len(voxels) < FEWEST_NAMED_VOXELS:
        return
    if row.structure is Structure.VERTEBRA:
        # The front half of a vertebra is its body; a name on the mean of all would fall into the canal.
        voxels = voxels[voxels[:, 1] <= np.median(voxels[:, 1])]
    j, i = (float(place) for place in voxels.mean(axis=0))
    names = [(row.value_a, A_COLOR, "bottom"), (row.value_b, B_COLOR, "top")]
    if row.value_a == row.value_b:
        names = [(row.value_a, "white", "center")]
    elif not row.is_matched:
        names = [(value, color, "center") for value, color, _ in names if value is not None]
    look = {"facecolor": "black", "alpha": 0.65, "pad": 0.8, "lw": 0}
    for value, color, side in names:
        name = short_name(value or 0, naming)
        axes.text(i, j, name, color=color, fontsize=NAME_POINTS[row.structure], ha="center", va=side, bbox=look, clip_on=True)
