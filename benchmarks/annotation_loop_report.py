"""What `annotation_loop.py` measured, as files, tables and curves."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import spearmanr, t

from SpiderSegLib.active_learning import SeriesUncertainty
from SpiderSegLib.evaluation import DEFAULT_BOOTSTRAP, estimate
from SpiderSegLib.io import write_text_atomically
from SpiderSegLib.series_names import patient_of, sequence_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SPACE, MIXED = "space", "mixed"
POOLS = (SPACE, MIXED)
POOL_TEXTS = {SPACE: "pool of the known sequence", MIXED: "pool with two new sequences"}

UNCERTAIN, RANDOM, NOTHING = "uncertain", "random", "none"
ARMS = (UNCERTAIN, RANDOM, NOTHING)
ARM_TEXTS = {UNCERTAIN: "least certain first", RANDOM: "at random", NOTHING: "no new series, same steps"}

SERIES_A_ROUND, ROUNDS = 3, 4

EFFORT = "changed_percent"
SCORES = ("dice", EFFORT, "redrawn_percent")

#: The file of a round.
RECORD = "round.json"


@dataclass(frozen=True)
class Measured:
    """One series under one model: Dice of the pipeline, effort of correcting it, and how unsure the model was.

    changed_percent: voxels that need another label, of those that have one in the reference; redrawn_percent: see `redrawn_percent`.
    """

    series: str
    dice: float
    changed_percent: float
    redrawn_percent: float
    uncertainty: SeriesUncertainty

    def as_json(self) -> dict[str, Any]:
        return {**{name: getattr(self, name) for name in ("series", *SCORES)}, "uncertainty": self.uncertainty.as_json()}

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Measured:
        return cls(**{**record, "uncertainty": SeriesUncertainty.from_json(record["uncertainty"])})


@dataclass(frozen=True)
class Round:
    """After a round: the series corrected so far and in this round, and what the new model makes of validation and remaining pool."""

    corrected: tuple[str, ...]
    chosen: tuple[str, ...]
    validation: tuple[Measured, ...]
    pool: tuple[Measured, ...]

    def write(self, path: Path) -> None:
        rows = {name: [one.as_json() for one in getattr(self, name)] for name in ("validation", "pool")}
        write_text_atomically(path, json.dumps({"corrected": self.corrected, "chosen": self.chosen, **rows}, indent=1) + "\n")

    @classmethod
    def read(cls, path: Path) -> Round:
        record = json.loads(path.read_text())
        validation, pool = (tuple(Measured.from_json(row) for row in record[name]) for name in ("validation", "pool"))
        return cls(tuple(record["corrected"]), tuple(record["chosen"]), validation, pool)


def mean(rows: Sequence[Measured], name: str) -> float:
    """Mean over the means of the sequences, so that a few slabs do not count more than many slices; NaN of nothing."""
    sequences: dict[str, list[float]] = {}
    for row in rows:
        sequences.setdefault(sequence_of(row.series), []).append(getattr(row, name))
    return float(np.mean([np.mean(values) for values in sequences.values()])) if rows else float("nan")


@dataclass(frozen=True)
class Runs:
    """The whole runs of one pool, by seed and arm, each from the round of the first model on."""

    rounds: Mapping[tuple[int, str], Sequence[Round]]

    @classmethod
    def read(cls, folder: Path) -> Runs:
        found = {}
        for seed in sorted(int(path.name.removeprefix("seed")) for path in folder.glob("seed*")):
            for arm in ARMS:
                own = folder / f"seed{seed}"
                paths = [own / "first" / RECORD, *(own / arm / f"round{number}" / RECORD for number in range(1, ROUNDS + 1))]
                if all(path.exists() for path in paths):
                    found[seed, arm] = [Round.read(path) for path in paths]
        return cls(found)

    def arms(self) -> list[str]:
        return [arm for arm in ARMS if any(own == arm for _, own in self.rounds)]

    def seeds(self, *arms: str) -> list[int]:
        """Those that have gone through all of these arms."""
        return sorted({seed for seed, _ in self.rounds if all((seed, arm) in self.rounds for arm in arms)})

    def curves(self, arm: str, name: str, seeds: Sequence[int] | None = None, rows: str = "validation") -> NDArray[np.float64]:
        """(seed, round): the mean of a number over validation or pool."""
        return np.array([[mean(getattr(one, rows), name) for one in self.rounds[seed, arm]] for seed in (seeds or self.seeds(arm))])

    def chosen(self, arm: str, name: str) -> NDArray[np.float64]:
        """(seed, round): the mean over the series chosen, under the model that the annotator had before; NaN before the first round."""
        pairs = [[(None, None), *pairwise(self.rounds[seed, arm])] for seed in self.seeds(arm)]
        return np.array([[chosen_mean(before, after, name) for before, after in own] for own in pairs])


def chosen_mean(before: Round | None, after: Round | None, name: str) -> float:
    if before is None or after is None:
        return float("nan")
    return float(np.mean([getattr(one, name) for one in before.pool if one.series in after.chosen] or [float("nan")]))


def print_report(pool: str, runs: Runs) -> None:
    print(f"\n## {POOL_TEXTS[pool]}, {len(runs.seeds(*runs.arms()))} seeds\n")
    print("| series chosen | corrected | validation Dice | to change, % | to draw anew, % | chosen ones, before it, % | rest of the pool, % |")
    print("|---|---|---|---|---|---|---|")
    for arm in runs.arms():
        columns = [
            *(runs.curves(arm, name) for name in SCORES),
            runs.chosen(arm, "changed_percent"),
            runs.curves(arm, "changed_percent", rows="pool"),
        ]
        for number in range(ROUNDS + 1):
            count = 0 if arm == NOTHING else number * SERIES_A_ROUND
            cells = [spread(column[:, number], digits) for column, digits in zip(columns, (3, 1, 1, 0, 0), strict=True)]
            print(f"| {ARM_TEXTS[arm]} | {count} | {' | '.join(cells)} |")
    for arm, other in ((UNCERTAIN, RANDOM), (UNCERTAIN, NOTHING), (RANDOM, NOTHING)):
        print_comparison(runs, arm, other)
    print_by_sequence(runs)
    print_effort(runs)
    print_correlation(runs)


def spread(values: NDArray[np.float64], digits: int) -> str:
    if np.isnan(values).any():
        return "-"
    return f"{values.mean():.{digits}f} ± {values.std(ddof=1) if len(values) > 1 else 0:.{digits}f}"


def paired(differences: NDArray[np.float64]) -> str:
    """Mean of differences, one a seed, with their 95 % interval (Student's t), and each of them."""
    each = ", ".join(f"{value:+.3g}" for value in differences)
    if len(differences) < 2:
        return f"{differences.mean():+.3g} ({each})"
    half = float(t.ppf(0.975, len(differences) - 1) * differences.std(ddof=1) / np.sqrt(len(differences)))
    return f"{differences.mean():+.3g}, 95 % {differences.mean() - half:+.3g} to {differences.mean() + half:+.3g} (seeds: {each})"


def print_comparison(runs: Runs, arm: str, other: str) -> None:
    """Paired over the seeds, and over validation patients as the project compares two models."""
    seeds = runs.seeds(arm, other)
    if not seeds:
        return
    print(f"\n{ARM_TEXTS[arm]} against {ARM_TEXTS[other]}, on validation, differences:")
    for name in SCORES:
        difference = (runs.curves(arm, name, seeds) - runs.curves(other, name, seeds))[:, 1:]
        print(f"- {name}, mean of the rounds: {paired(difference.mean(axis=1))}")
        print(f"- {name}, last round: {paired(difference[:, -1])}")
    changes = [
        (one.dice - two.dice, patient_of(one.series))
        for seed in seeds
        for here, there in zip(runs.rounds[seed, arm][1:], runs.rounds[seed, other][1:], strict=True)
        for one, two in zip(here.validation, there.validation, strict=True)
    ]
    values, patients = zip(*changes, strict=True)
    found = estimate(values, patients, DEFAULT_BOOTSTRAP)
    assert found.interval is not None
    print(
        f"- dice of every series, seed and round, interval over patients: {found.mean:+.4f}, {found.interval.low:+.4f} to {found.interval.high:+.4f}"
    )


def print_by_sequence(runs: Runs) -> None:
    print("\nDice by sequence, from the first model to the last round, and how many of each were corrected a seed:")
    for arm in runs.arms():
        ends = [[runs.rounds[seed, arm][number] for seed in runs.seeds(arm)] for number in (0, -1)]
        for sequence in dict.fromkeys(sequence_of(row.series) for row in ends[0][0].validation):
            first, last = (np.mean([row.dice for one in end for row in one.validation if sequence_of(row.series) == sequence]) for end in ends)
            count = np.mean([sum(sequence_of(name) == sequence for name in one.corrected) for one in ends[1]])
            print(f"- {ARM_TEXTS[arm]}, {sequence}: {first:.3f} -> {last:.3f}, {count:.1f} corrected")


def print_effort(runs: Runs) -> None:
    print("\nEffort on validation from the first model to the last round:")
    for arm in runs.arms():
        for name in SCORES[1:]:
            values = runs.curves(arm, name)
            print(f"- {ARM_TEXTS[arm]}, {name}: {values[:, 0].mean():.1f} -> {values[:, -1].mean():.1f}: {paired(values[:, -1] - values[:, 0])}")


def print_correlation(runs: Runs) -> None:
    """Whether the ranking knows what will be laborious, within the pool of every model."""
    print("\nRank correlation of a series' entropy, within the pool of each model (mean, lowest, highest):")
    pools = [
        one.pool
        for (seed, arm), rounds in runs.rounds.items()
        # The first model of a seed is the same in all arms, and the last arm measures no pool.
        for one in (rounds if arm == runs.arms()[0] else rounds[1:])
        if one.pool
    ]
    for name in SCORES:
        values = [float(spearmanr([row.uncertainty.entropy for row in pool], [getattr(row, name) for row in pool]).statistic) for pool in pools]
        print(f"- with {name}: {np.mean(values):.2f}, {min(values):.2f} to {max(values):.2f} ({len(values)} models)")


def draw(found: Mapping[str, Runs], path: Path) -> None:
    """Dice and effort against series corrected: mean over seeds, their span as a band; a row a pool."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10.5, 3.4 * len(found)), layout="constrained")
    names = dict(zip(SCORES, ("validation Dice", "to change, % of the reference", "contours to draw anew, %"), strict=True))
    for row, (pool, runs) in zip(figure.subplots(len(found), len(names), squeeze=False), found.items(), strict=True):
        for axes, (name, text) in zip(row, names.items(), strict=True):
            draw_panel(axes, runs, name)
            axes.set(xlabel="series corrected", ylabel=text)
        row[0].legend(fontsize=8, loc="lower right")
        row[1].set_title(POOL_TEXTS[pool].capitalize(), fontsize=11)
    # Below 72 dots an inch the text is hard to read, above the file gets large.
    figure.savefig(path, dpi=72)


def draw_panel(axes: Axes, runs: Runs, name: str) -> None:
    counts = np.arange(ROUNDS + 1) * SERIES_A_ROUND
    for color, arm in zip(("C3", "C0", "0.5"), runs.arms(), strict=False):
        values = runs.curves(arm, name)
        style = "--" if arm == NOTHING else "-"
        axes.plot(counts, values.mean(axis=0), color=color, linestyle=style, marker="o", markersize=4, label=ARM_TEXTS[arm])
        axes.fill_between(counts, values.min(axis=0), values.max(axis=0), color=color, alpha=0.12, linewidth=0)
    axes.set(xticks=counts)
    axes.grid(alpha=0.3)
