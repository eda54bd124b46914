"""An inspection on one page: spacing, size, intensities, volumes, levels, labels, timing and findings."""

from __future__ import annotations

import io as std_io
from collections import Counter
from collections.abc import Sequence
from typing import Any

from SpiderSegLib.inspection.cohort import Inspection
from SpiderSegLib.inspection.findings import FindingKind, Severity
from SpiderSegLib.inspection.series import SeriesStatistics
from SpiderSegLib.labels import FOREGROUND, Structure

#: A4, landscape.
PAGE_INCHES = (11.69, 8.27)
DOTS_PER_INCH = 130

#: A longer title loses its beginning, as paths say most at their end.
LONGEST_TITLE = 60

#: Okabe and Ito's colors, told apart by all eyes.
SEQUENCE_COLORS = {"t1": "#0072B2", "t2": "#D55E00", "t2_SPACE": "#009E73", "unknown": "#666666"}
SEVERITY_COLORS = {Severity.ERROR: "#B2182B", Severity.WARNING: "#EF8A62", Severity.NOTE: "#999999"}
STRUCTURE_TITLES = {Structure.VERTEBRA: "vertebra", Structure.DISC: "disc", Structure.CANAL: "canal"}


def draw_inspection(inspection: Inspection, title: str) -> bytes:
    """PNG of one page."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=PAGE_INCHES, dpi=DOTS_PER_INCH, facecolor="white")
    FigureCanvasAgg(figure)
    grid = figure.add_gridspec(3, 3, left=0.07, right=0.975, top=0.89, bottom=0.075, hspace=0.55, wspace=0.25)
    series = inspection.series
    _draw_spacing(figure.add_subplot(grid[0, 0]), series)
    _draw_size(figure.add_subplot(grid[0, 1]), series)
    _draw_intensities(figure.add_subplot(grid[0, 2]), series)
    _draw_volumes(figure.add_subplot(grid[1, 0]), series)
    _draw_levels(figure.add_subplot(grid[1, 1]), series)
    _draw_timing(figure.add_subplot(grid[1, 2]), series)
    _draw_labels(figure.add_subplot(grid[2, :2]), series)
    # Its names stand left of it.
    findings = figure.add_subplot(grid[2, 2])
    place = findings.get_position()
    findings.set_position((place.x0 + 0.1, place.y0, place.width - 0.1, place.height))
    _draw_findings(findings, inspection)
    patients = len({one.case.patient_id for one in series})
    shown = title if len(title) <= LONGEST_TITLE else f"..{title[-LONGEST_TITLE:]}"
    figure.text(0.07, 0.955, shown, fontsize=13, fontweight="bold")
    figure.text(0.07, 0.928, f"{len(series)} series of {patients} patients", fontsize=9)
    _draw_legend(figure, series)
    buffer = std_io.BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()


def _draw_legend(figure: Any, series: Sequence[SeriesStatistics]) -> None:
    from matplotlib.lines import Line2D

    counts = Counter(one.case.sequence for one in series)
    handles = [
        Line2D([], [], marker="o", linestyle="", color=color, label=f"{name} ({counts[name]})")
        for name, color in SEQUENCE_COLORS.items()
        if counts[name]
    ]
    figure.legend(handles=handles, loc="upper right", bbox_to_anchor=(0.975, 0.985), ncols=len(handles), fontsize=9, frameon=False)


def _prepare(axes: Any, title: str, x: str, y: str) -> None:
    axes.set_title(title, fontsize=9, loc="left", fontweight="bold")
    axes.set_xlabel(x, fontsize=8)
    axes.set_ylabel(y, fontsize=8)
    axes.tick_params(labelsize=7, which="both")
    axes.spines[["top", "right"]].set_visible(False)


def _count_in_whole_numbers(axis: Any) -> None:
    from matplotlib.ticker import MaxNLocator

    axis.set_major_locator(MaxNLocator(integer=True))


def _say_nothing(axes: Any, text: str) -> None:
    axes.text(0.5, 0.5, text, transform=axes.transAxes, ha="center", va="center", fontsize=8, color="#666666")
    axes.set_xticks([])
    axes.set_yticks([])


def _scatter(axes: Any, points: Sequence[tuple[str, float, float]]) -> None:
    """Points by sequence; equal ones lie on each other, so that darker means more."""
    for sequence, color in SEQUENCE_COLORS.items():
        own = [(x, y) for name, x, y in points if name == sequence]
        if own:
            axes.scatter(*zip(*own, strict=True), s=22, color=color, alpha=0.55, linewidths=0)


def _in_plane(one: SeriesStatistics) -> tuple[float, float, int, int] | None:
    """In-plane spacing (the finer), slice spacing, in-plane size (the larger), number of slices."""
    if one.grid is None:
        return None
    axis = one.grid.slice_axis_kji
    plane = [number for number in range(3) if number != axis]
    spacing, shape = one.grid.spacing_kji_mm, one.grid.shape_kji
    return min(spacing[number] for number in plane), spacing[axis], max(shape[number] for number in plane), shape[axis]


def _draw_spacing(axes: Any, series: Sequence[SeriesStatistics]) -> None:
    _prepare(axes, "Spacing", "in plane, mm", "slices, mm")
    _scatter(axes, [(one.case.sequence, found[0], found[1]) for one in series if (found := _in_plane(one)) is not None])
    axes.set_xlim(left=0)
    axes.set_ylim(bottom=0)


def _draw_size(axes: Any, series: Sequence[SeriesStatistics]) -> None:
    _prepare(axes, "Size", "in plane, voxels", "slices")
    _count_in_whole_numbers(axes.yaxis)
    _scatter(axes, [(one.case.sequence, found[2], found[3]) for one in series if (found := _in_plane(one)) is not None])
    axes.set_xlim(left=0)
    axes.set_ylim(bottom=0)


def _draw_intensities(axes: Any, series: Sequence[SeriesStatistics]) -> None:
    _prepare(axes, "Intensities: 1st to 99th percentile, median", "series, by sequence and 99th percentile", "intensity")
    measured = [(one, one.intensities) for one in series if one.intensities is not None and one.intensities.low == one.intensities.low]
    if not measured:
        _say_nothing(axes, "no image could be read")
        return
    order = list(SEQUENCE_COLORS)
    measured.sort(key=lambda pair: (order.index(pair[0].case.sequence), pair[1].high))
    for x, (one, found) in enumerate(measured):
        color = SEQUENCE_COLORS[one.case.sequence]
        axes.plot([x, x], [found.low, found.high], color=color, linewidth=max(0.6, min(4.0, 150 / len(measured))), alpha=0.55, solid_capstyle="butt")
        axes.plot(x, found.median, ".", color="black", markersize=2.5)
    axes.set_xticks([])


def _draw_volumes(axes: Any, series: Sequence[SeriesStatistics]) -> None:
    from matplotlib.ticker import LogFormatter

    _prepare(axes, "Volume of the structures", "", "ml (logarithmic)")
    # Slices, slabs and full volumes differ by orders of magnitude.
    axes.set_yscale("log")
    for formatted in (axes.yaxis.set_major_formatter, axes.yaxis.set_minor_formatter):
        formatted(LogFormatter())
    labels = [(one.case.sequence, one.labels) for one in series if one.labels is not None]
    shown = [sequence for sequence in SEQUENCE_COLORS if any(name == sequence for name, _ in labels)]
    drawn = False
    for x, structure in enumerate(FOREGROUND):
        for number, sequence in enumerate(shown):
            volumes = [found.volume_ml(structure) for name, found in labels if name == sequence and found.structure_voxels[structure]]
            if volumes:
                drawn = True
                position = x + (number - (len(shown) - 1) / 2) * 0.22
                color = SEQUENCE_COLORS[sequence]
                axes.boxplot(
                    [volumes],
                    positions=[position],
                    widths=0.18,
                    patch_artist=True,
                    boxprops={"facecolor": color, "alpha": 0.55, "linewidth": 0.6},
                    medianprops={"color": "black"},
                    flierprops={"markersize": 3, "markeredgewidth": 0.5},
                    whiskerprops={"linewidth": 0.6},
                    capprops={"linewidth": 0.6},
                )
    axes.set_xticks(range(len(FOREGROUND)), [STRUCTURE_TITLES[structure] for structure in FOREGROUND])
    if not drawn:
        axes.set_yscale("linear")
        _say_nothing(axes, "no labels")


def _draw_levels(axes: Any, series: Sequence[SeriesStatistics]) -> None:
    _prepare(axes, "Number of vertebrae in a series", "vertebrae", "series")
    counts = {sequence: Counter[int]() for sequence in SEQUENCE_COLORS}
    for one in series:
        if one.labels is not None and one.labels.kind == "spider" and one.labels.voxels:
            counts[one.case.sequence][len(one.labels.levels(Structure.VERTEBRA))] += 1
    every = sorted({level for found in counts.values() for level in found})
    if not every:
        _say_nothing(axes, "class maps have no levels")
        return
    bottom = Counter[int]()
    for sequence, found in counts.items():
        axes.bar(every, [found[level] for level in every], bottom=[bottom[level] for level in every], color=SEQUENCE_COLORS[sequence], alpha=0.7)
        bottom.update(found)
    axes.set_xticks(range(every[0], every[-1] + 1))
    _count_in_whole_numbers(axes.yaxis)


def _draw_timing(axes: Any, series: Sequence[SeriesStatistics]) -> None:
    _prepare(axes, "Timing (overview.csv)", "repetition time, ms", "echo time, ms")
    points = [
        (one.case.sequence, one.overview.repetition_time_ms, one.overview.echo_time_ms)
        for one in series
        if one.overview is not None and one.overview.repetition_time_ms is not None and one.overview.echo_time_ms is not None
    ]
    if not points:
        _say_nothing(axes, "no overview.csv beside the data")
        return
    _scatter(axes, points)


def _draw_labels(axes: Any, series: Sequence[SeriesStatistics]) -> None:
    _prepare(axes, "Series that hold a label", "label", "series")
    _count_in_whole_numbers(axes.yaxis)
    labels = [one.labels for one in series if one.labels is not None]
    # A class map's 1 is no L5.
    counts = Counter((found.kind != "spider", value) for found in labels for value in found.voxels)
    if not counts:
        _say_nothing(axes, "no labels")
        return
    bars = sorted(counts)
    unknown = {(found.kind != "spider", value) for found in labels for value in found.unknown}
    colors = [SEVERITY_COLORS[Severity.ERROR] if bar in unknown else "#88CCEE" if bar[0] else "#4477AA" for bar in bars]
    axes.bar(range(len(bars)), [counts[bar] for bar in bars], color=colors)
    axes.set_xticks(range(len(bars)), [f"class {value}" if is_class else str(value) for is_class, value in bars], rotation=90, fontsize=6)


def _draw_findings(axes: Any, inspection: Inspection) -> None:
    _prepare(axes, "Findings", "series", "")
    named: dict[tuple[Severity, FindingKind], set[str]] = {}
    for finding in inspection.findings:
        named.setdefault((finding.severity, finding.kind), set()).update(finding.series)
    if not named:
        _say_nothing(axes, "nothing found that will hurt")
        return
    for y, ((severity, _), names) in enumerate(named.items()):
        axes.barh(y, len(names), color=SEVERITY_COLORS[severity])
        axes.text(len(names), y, f" {len(names)}", va="center", fontsize=7)
    axes.set_yticks(range(len(named)), [f"{kind.value} ({severity.value})" for severity, kind in named], fontsize=7)
    axes.invert_yaxis()
    _count_in_whole_numbers(axes.xaxis)
    axes.set_xlim(right=1.15 * max(len(names) for names in named.values()))
