"""Plots of a report, as PNG: every series (or level, or change) is a point, so that no mean hides a disaster."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import numpy as np

from SpiderSegLib.evaluation.comparison import Comparison, SeriesChange
from SpiderSegLib.evaluation.levels import level_title, score_levels
from SpiderSegLib.evaluation.series import Evaluation
from SpiderSegLib.labels import DISC_OFFSET, FOREGROUND
from SpiderSegLib.series_names import SEQUENCES, UNKNOWN_SEQUENCE

DOTS_PER_INCH = 110

#: Okabe and Ito's colors, which color-blind readers can tell apart.
SEQUENCE_COLORS = dict(zip((*SEQUENCES, UNKNOWN_SEQUENCE), ("#0072b2", "#d55e00", "#009e73", "#666666"), strict=True))

#: A point's place beside its column is spread over this width, so that equal values stay visible.
SPREAD = 0.36

#: A box of fewer values would only hide them.
FEWEST_BOXED = 3

#: Series drawn in the plot of changes, from each end.
MOST_CHANGES = 20


def dice_by_structure(evaluation: Evaluation) -> bytes | None:
    """Structure Dice of every series, a panel a structure and a column a sequence, with boxes; None without structure Dice."""
    rows = [(one.sequence, one.scores.by_name()) for one in evaluation.series]
    structures = [s.name.lower() for s in FOREGROUND if any(scores[f"structure_dice.{s.name.lower()}"] is not None for _, scores in rows)]
    if not structures:
        return None
    present = [name for name in SEQUENCE_COLORS if any(sequence == name for sequence, _ in rows)]
    figure = _figure(2.2 + 2.6 * len(structures), 3.6)
    panels = figure.subplots(1, len(structures), sharey=True, squeeze=False)[0]
    for axes, structure in zip(panels, structures, strict=True):
        for column, sequence in enumerate(present):
            values = [scores[f"structure_dice.{structure}"] for name, scores in rows if name == sequence]
            _strip(axes, column, [value for value in values if value is not None], SEQUENCE_COLORS[sequence])
        axes.set_title(structure)
        axes.set_xticks(range(len(present)), present)
        axes.set_xlim(-0.6, len(present) - 0.4)
    panels[0].set_ylabel("structure Dice")
    return _png(figure)


def dice_by_level(evaluation: Evaluation) -> bytes | None:
    """Instance Dice of every reference instance by level, missed ones at 0; None without instance Dice."""
    found: dict[int, list[tuple[str, float]]] = {}
    for one in evaluation.series:
        for score in score_levels(one.scores):
            if score.dice is not None:
                found.setdefault(score.level, []).append((one.sequence, score.dice))
    groups = [group for group in (_levels(found, is_disc=False), _levels(found, is_disc=True)) if group]
    if not groups:
        return None
    figure = _figure(1.5 + 0.75 * sum(map(len, groups)), 3.9)
    panels = figure.subplots(1, len(groups), sharey=True, squeeze=False, width_ratios=[len(group) for group in groups])[0]
    for axes, group in zip(panels, groups, strict=True):
        for column, level in enumerate(group):
            _strip(axes, column, [dice for _, dice in found[level]], [SEQUENCE_COLORS[sequence] for sequence, _ in found[level]])
        axes.set_xticks(range(len(group)), [level_title(level).replace(" ", "\n") for level in group], fontsize=8)
        axes.set_xlim(-0.6, len(group) - 0.4)
        axes.set_title("discs" if group[0] > DISC_OFFSET else "vertebrae")
    panels[0].set_ylabel("instance Dice")
    _sequence_legend(panels[-1], {sequence for points in found.values() for sequence, _ in points})
    return _png(figure)


def volumes(evaluation: Evaluation) -> bytes | None:
    """Predicted against reference volume of every series, a panel a structure, with the line of equality; None without volumes."""
    points = [(one.sequence, volume) for one in evaluation.series for volume in one.scores.volumes]
    structures = [structure for structure in FOREGROUND if any(volume.structure is structure for _, volume in points)]
    if not structures:
        return None
    figure = _figure(2.9 * len(structures) + 0.8, 3.4)
    panels = figure.subplots(1, len(structures), squeeze=False)[0]
    for axes, structure in zip(panels, structures, strict=True):
        shown = [(sequence, volume.reference_ml, volume.prediction_ml) for sequence, volume in points if volume.structure is structure]
        top = 1.08 * max(max(reference, prediction) for _, reference, prediction in shown)
        axes.plot([0, top], [0, top], color="#999999", linewidth=1, zorder=1)
        colors = [SEQUENCE_COLORS[sequence] for sequence, _, _ in shown]
        axes.scatter([row[1] for row in shown], [row[2] for row in shown], s=16, color=colors, alpha=0.7, linewidths=0, zorder=2)
        axes.set_xlim(0, top)
        axes.set_ylim(0, top)
        axes.set_box_aspect(1)
        axes.set_title(structure.name.lower())
        axes.set_xlabel("reference, ml")
    panels[0].set_ylabel("prediction, ml")
    _sequence_legend(panels[0], {sequence for sequence, _ in points})
    return _png(figure)


def changes(comparison: Comparison) -> bytes:
    """The main score of each series in A (open) and B (filled), the greatest gain on top; of many only both ends."""
    shown = _ends(comparison.series)
    figure = _figure(8.0, 1.2 + 0.24 * len(shown))
    axes = figure.subplots()
    for row, change in enumerate(reversed(shown)):
        color = SEQUENCE_COLORS[change.sequence]
        axes.plot([change.score_a, change.score_b], [row, row], color=color, linewidth=2, alpha=0.6, zorder=1)
        axes.scatter([change.score_a], [row], s=26, facecolors="white", edgecolors=color, zorder=2)
        axes.scatter([change.score_b], [row], s=26, color=color, zorder=3)
    axes.set_yticks(range(len(shown)), [_drawable(change.series) for change in reversed(shown)], fontsize=8, parse_math=False)
    axes.set_ylim(-0.8, len(shown) - 0.2)
    axes.set_xlabel(f"{comparison.main_score}   (open: A, filled: B)")
    axes.grid(axis="x", color="#e3e7ec")
    _sequence_legend(axes, {change.sequence for change in shown})
    return _png(figure)


def _ends(series: Sequence[SeriesChange]) -> list[SeriesChange]:
    return list(series) if len(series) <= 2 * MOST_CHANGES else [*series[:MOST_CHANGES], *series[-MOST_CHANGES:]]


def _levels(found: dict[int, Any], is_disc: bool) -> list[int]:
    return sorted(level for level in found if (level > DISC_OFFSET) == is_disc)


def _figure(width_inches: float, height_inches: float) -> Any:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width_inches, height_inches), dpi=DOTS_PER_INCH, layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def _strip(axes: Any, column: int, values: Sequence[float], color: str | Sequence[str]) -> None:
    if not values:
        return
    # Spread in the order of the list, not at random: the same report twice is the same file.
    places = column + SPREAD * (((np.arange(len(values)) * 0.618) % 1) - 0.5)
    look = {"color": "#8a94a1", "linewidth": 1}
    lines = {"boxprops": look, "whiskerprops": look, "capprops": look, "medianprops": {"color": "#1d2430", "linewidth": 1.5}}
    if len(values) >= FEWEST_BOXED:
        axes.boxplot([values], positions=[column], widths=0.6, showfliers=False, zorder=1, **lines)
    axes.scatter(places, values, s=14, color=color, alpha=0.75, linewidths=0, zorder=2)
    axes.grid(axis="y", color="#e3e7ec")
    axes.set_axisbelow(True)


def _sequence_legend(axes: Any, sequences: set[str]) -> None:
    for sequence, color in SEQUENCE_COLORS.items():
        if sequence in sequences:
            axes.scatter([], [], s=20, color=color, label=sequence)
    axes.legend(fontsize=8, framealpha=0.8)


def _drawable(name: str) -> str:
    """A name in characters that the font has."""
    return "".join(character if " " <= character <= "~" else "?" for character in name)[:60]


def _png(figure: Any) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()
