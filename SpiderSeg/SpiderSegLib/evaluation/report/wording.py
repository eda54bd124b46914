"""How numbers, intervals and score names are worded, the same in the terminal and in HTML."""

from __future__ import annotations

from SpiderSegLib.evaluation.bootstrap import FEWEST_PATIENTS, BootstrapConfig, Estimate, Interval

#: What stands where there is no number.
NOTHING = "-"

#: The project's scores of one series, with the heading of their column.
SERIES_COLUMNS = {
    "structure_dice.vertebra": "structure Dice: vertebra",
    "structure_dice.disc": "disc",
    "structure_dice.canal": "canal",
    "instance_dice.vertebra": "instance Dice: vertebra",
    "instance_dice.disc": "disc",
    "level_accuracy": "level accuracy",
    "body_recall": "body recall",
    "asd_mm.vertebra": "ASD mm: vertebra",
    "asd_mm.disc": "disc",
    "asd_mm.canal": "canal",
}

#: Headings of the scores of a level, in order.
LEVEL_COLUMNS = {
    "instance_dice": "instance Dice",
    "asd_mm": "ASD mm",
    "detection": "detected",
    "level_accuracy": "level accuracy",
    "body_recall": "body recall",
}

RANKING_FORMULA = (
    "Mean relative rank: for every score and series the sets are ranked (1 = best, ties share the mean rank), "
    "the rank is divided by the number of sets, and all are averaged; a missing prediction ranks last."
)

RESEARCH_USE = "Research use only, not for diagnosis."


def number(value: float | None) -> str:
    """Three decimals, or NOTHING."""
    return NOTHING if value is None else f"{value:.3f}"


def signed(value: float | None) -> str:
    """Four decimals with the sign, or NOTHING."""
    return NOTHING if value is None else f"{value:+.4f}"


def interval(ends: Interval | None) -> str:
    """'[0.912, 0.934]', or NOTHING."""
    return NOTHING if ends is None else f"[{ends.low:.3f}, {ends.high:.3f}]"


def signed_interval(ends: Interval | None) -> str:
    """'[-0.0012, +0.0340]', or NOTHING."""
    return NOTHING if ends is None else f"[{ends.low:+.4f}, {ends.high:+.4f}]"


def mean_and_interval(estimate: Estimate) -> str:
    """'0.923 [0.912, 0.934] (12)': mean, interval and n; without an interval '0.923 (2)'."""
    if estimate.mean is None:
        return NOTHING
    middle = "" if estimate.interval is None else f" {interval(estimate.interval)}"
    return f"{estimate.mean:.3f}{middle} ({estimate.n})"


def bootstrap_note(config: BootstrapConfig) -> str:
    """What the intervals are and when there is none."""
    return (
        f"Brackets: {100 * config.confidence:g} % interval, bootstrap over patients with all of their series "
        f"({config.resamples:,} resamples, seed {config.seed}); none with fewer than {FEWEST_PATIENTS} patients."
    )
