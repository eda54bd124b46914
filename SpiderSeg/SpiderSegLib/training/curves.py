"""Loss and validation curves of a run as one PNG."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from SpiderSegLib.io import write_bytes_atomically

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: The loss is noisy from step to step; its curve is the mean over this share of the run.
SMOOTHING_SHARE = 0.02


def draw_curves(records: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Draws loss, learning rate and, where there are any, validation scores of a run's records (see `journal`) to a PNG, atomically."""
    from matplotlib.figure import Figure

    scored = [record for record in records if record.get("validation")]
    figure = Figure(figsize=(11 if scored else 7, 4.5), layout="constrained")
    panels = figure.subplots(1, 2 if scored else 1, squeeze=False)[0]
    _draw_loss(panels[0], records)
    if scored:
        _draw_scores(panels[1], scored)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110)
    write_bytes_atomically(path, buffer.getvalue())


def _draw_loss(axes: Axes, records: Sequence[Mapping[str, Any]]) -> None:
    steps = np.array([record["step"] for record in records])
    loss = np.array([record["loss"] for record in records], dtype=float)  # a null becomes NaN
    axes.plot(steps, loss, color="0.85", linewidth=0.5, label="each step")
    axes.plot(steps, _smoothed(loss), color="C0", label="mean")
    axes.set(xlabel="step", ylabel="training loss", title="Loss")
    finite = loss[np.isfinite(loss)]
    if finite.size:
        axes.set_ylim(0, float(np.percentile(finite, 99)) * 1.1)
    rate_axes = axes.twinx()
    rate_axes.plot(steps, [record["lr"] for record in records], color="C1", linewidth=1, linestyle="--")
    rate_axes.set_ylabel("learning rate", color="C1")
    rate_axes.set_ylim(bottom=0)
    axes.legend(loc="upper center", ncols=2)


def _smoothed(values: NDArray[np.float64]) -> NDArray[np.float64]:
    width = max(1, int(SMOOTHING_SHARE * len(values)))
    finite = np.isfinite(values)
    kernel = np.ones(width)
    counts = np.convolve(finite.astype(float), kernel, mode="same")
    return np.convolve(np.where(finite, values, 0.0), kernel, mode="same") / np.maximum(counts, 1)


def _draw_scores(axes: Axes, records: Sequence[Mapping[str, Any]]) -> None:
    axes.set(xlabel="step", ylabel="Dice", title="Validation, network alone")
    axes.grid(alpha=0.3)
    steps = [record["step"] for record in records]
    for name in records[-1]["validation"]:
        is_mean = name == "mean"
        values = [record["validation"].get(name, float("nan")) for record in records]
        axes.plot(steps, values, marker="o", markersize=3, label=name, color="k" if is_mean else None, linewidth=2.5 if is_mean else 1.2)
    axes.legend(fontsize=7, ncols=2, loc="lower right")
