"""What the linter finds in reference masks, how long it takes, and the table of sizes and distances it compares with.

Usage: python benchmarks/linter.py DATA_FOLDER [--set masks_3d|midsagittal] [--table] [--rule RULE]
DATA_FOLDER holds spider/masks_3d and spider/midsagittal/masks. --table prints the numbers of linter/anatomy.py, derived from the masks.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from SpiderSegLib.io import image_stem, read_labelmap
from SpiderSegLib.labels import Structure
from SpiderSegLib.linter import Finding, Rule, Severity, lint
from SpiderSegLib.linter.anatomy import QUANTITIES
from SpiderSegLib.linter.column_view import ColumnView
from SpiderSegLib.linter.measures import canal_area_mm2, measure
from SpiderSegLib.linter.size_rules import FEWEST_OTHERS
from SpiderSegLib.volume import Volume

FOLDERS = {"masks_3d": "masks_3d", "midsagittal": "midsagittal/masks"}

#: A level seen in fewer masks gets the row of the level below.
FEWEST_MASKS = 10

#: Limits are these percentiles of the masks' ratios, widened by the margin: the few faults and fractures among the masks don't set them.
PERCENTILES, MARGIN = (1.0, 99.0), 1.2

STRUCTURES = (Structure.VERTEBRA, Structure.DISC)


@dataclass(frozen=True)
class Measured:
    """Of one mask: structure -> level -> quantity -> value of what the border does not cut; the canal's area where there is one."""

    parts: dict[Structure, dict[int, dict[str, float]]]
    canal_area_mm2: tuple[float, ...]


def measured(labelmap: Volume) -> Measured:
    view = ColumnView.of(labelmap.array.astype(np.uint8), labelmap.geometry)
    parts = {
        structure: {level: measure(view, part) for level, part in own.items() if view.is_whole(part)}
        for structure, own in ((Structure.VERTEBRA, view.vertebrae), (Structure.DISC, view.discs))
    }
    area = canal_area_mm2(view)
    return Measured(parts, () if area is None else (area,))


def print_table(labelmaps: list[Volume]) -> None:
    """Python text: the typical values by level, and the limits of values over them."""
    masks = [measured(labelmap) for labelmap in labelmaps]
    rows = {structure: typical_rows(masks, structure) for structure in STRUCTURES}
    print("TYPICAL = {")
    for structure in STRUCTURES:
        print(f"    Structure.{structure.name}: (")
        for row in rows[structure]:
            print(f"        ({', '.join(f'{value:.0f}' if value >= 100 else f'{value:.1f}' for value in row)}),")
        print("    ),")
    print("}")
    for name, function in (("LIMITS", limits), ("OWN_LIMITS", own_limits)):
        print(f"\n{name} = {{")
        for structure in STRUCTURES:
            for quantity in QUANTITIES:
                low, high = np.percentile(function(ratios(masks, structure, quantity, rows[structure])), PERCENTILES)
                print(f'    (Structure.{structure.name}, "{quantity}"): ({low / MARGIN:.2f}, {high * MARGIN:.2f}),')
        print("}")
    low, high = np.percentile([area for mask in masks for area in mask.canal_area_mm2], PERCENTILES)
    print(f"\nCANAL_AREA_MM2 = ({low / MARGIN:.0f}, {high * MARGIN:.0f})")


def typical_rows(masks: list[Measured], structure: Structure) -> list[list[float]]:
    """Medians by level (from 1 up) and quantity."""
    rows: list[list[float]] = []
    for level in range(1, 26):
        values = [[mask.parts[structure].get(level, {}).get(quantity) for mask in masks] for quantity in QUANTITIES]
        known = [[value for value in each if value is not None] for each in values]
        if max(map(len, known)) < FEWEST_MASKS:
            break
        rows.append([float(np.median(each)) if len(each) >= FEWEST_MASKS else rows[-1][n] for n, each in enumerate(known)])
    return rows


def ratios(masks: list[Measured], structure: Structure, quantity: str, rows: list[list[float]]) -> list[dict[int, float]]:
    """Of each mask: values over the typical ones, by level."""
    column = QUANTITIES.index(quantity)
    return [
        {level: own[quantity] / rows[min(level, len(rows)) - 1][column] for level, own in mask.parts[structure].items() if quantity in own}
        for mask in masks
    ]


def limits(of_masks: list[dict[int, float]]) -> list[float]:
    """The ratios of all masks."""
    return [ratio for own in of_masks for ratio in own.values()]


def own_limits(of_masks: list[dict[int, float]]) -> list[float]:
    """The ratios over the median ratio of the patient's other levels."""
    found = []
    for own in of_masks:
        for level, ratio in own.items():
            others = [other for key, other in own.items() if key != level]
            if len(others) >= FEWEST_OTHERS:
                found.append(ratio / float(np.median(others)))
    return found


def print_findings(found: dict[str, tuple[tuple[Finding, ...], float]], rule: str | None) -> None:
    """Findings per rule and severity, the series of one rule or of all that are no notes, and the time."""
    everything = [(name, finding) for name, (findings, _) in found.items() for finding in findings]
    print("| rule | " + " | ".join(f"{severity.value}s" for severity in Severity) + " | in series |\n|---|---|---|---|---|")
    for each in Rule:
        counts = Counter(finding.severity for _, finding in everything if finding.rule is each)
        if counts:
            series = len({name for name, finding in everything if finding.rule is each})
            print(f"| {each.value} | " + " | ".join(str(counts[severity]) for severity in Severity) + f" | {series} |")
    for name, finding in everything:
        if finding.rule.value == rule or (rule is None and finding.severity is not Severity.NOTE):
            print(f"{name}: {finding.severity.value} {finding.rule.value}: {finding.message}")
    seconds = [taken for _, taken in found.values()]
    print(f"{len(found)} masks: {np.median(seconds):.2f} s in the median, {max(seconds):.2f} s at most")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--set", choices=FOLDERS, default="masks_3d")
    parser.add_argument("--table", action="store_true")
    parser.add_argument("--rule", choices=[rule.value for rule in Rule])
    arguments = parser.parse_args()
    paths = sorted((arguments.data / "spider" / FOLDERS[arguments.set]).glob("*.mha"))
    if arguments.table:
        print_table([read_labelmap(path) for path in paths])
        return
    found = {}
    for path in paths:
        labelmap = read_labelmap(path)
        start = time.perf_counter()
        findings = lint(labelmap)
        found[image_stem(path)] = findings, time.perf_counter() - start
    print_findings(found, arguments.rule)


if __name__ == "__main__":
    main()
