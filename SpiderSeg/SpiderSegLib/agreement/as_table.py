"""Agreement as text for people at a terminal."""

from __future__ import annotations

from SpiderSegLib.agreement.files import AgreementSet
from SpiderSegLib.agreement.result import Agreement, LevelRow
from SpiderSegLib.evaluation.report.wording import NOTHING, number
from SpiderSegLib.level_names import LevelNaming, short_name
from SpiderSegLib.text_table import aligned

#: Measures of a series, with the heading of their column.
SERIES_COLUMNS = {
    "structure_dice.vertebra": "Dice: vertebra",
    "structure_dice.disc": "disc",
    "structure_dice.canal": "canal",
    "instance_dice.vertebra": "instance Dice: vertebra",
    "instance_dice.disc": "disc",
    "asd_mm.vertebra": "ASD mm: vertebra",
    "asd_mm.disc": "disc",
    "asd_mm.canal": "canal",
    "level_agreement": "levels",
    "voxels_different": "voxels that differ",
}
_SHARES = ("level_agreement", "voxels_different")


def agreement_table(agreement: Agreement, naming: LevelNaming | None = None) -> str:
    """Structures, levels (named as `naming` does, after A's number where A has one) and what differs, as aligned text."""
    naming = naming or LevelNaming()
    structures = [["structure", "Dice", "instance Dice", "ASD mm", "matched", "only in A", "only in B", "A ml", "B ml"]]
    for one in agreement.structures:
        measured = [number(one.dice), number(one.instance_dice), number(one.asd_mm)]
        counts = [str(one.matched), str(len(one.only_a)), str(len(one.only_b))]
        structures.append([one.structure.name.lower(), *measured, *counts, f"{one.volume_a_ml:.1f}", f"{one.volume_b_ml:.1f}"])
    levels = [["level", "in A", "in B", "Dice", "ASD mm", "A ml", "B - A ml", ""]]
    levels += [_level(row, naming) for row in agreement.levels]
    blocks = [f"A: {agreement.name_a}\nB: {agreement.name_b}", aligned(structures), aligned(levels), "\n".join(summary_lines(agreement))]
    return "\n\n".join(blocks)


def agreement_set_table(found: AgreementSet) -> str:
    """A row a series, mean and deviation over series, what could not be compared and what is in one folder alone."""
    summary = found.summary()
    shown = [name for name in SERIES_COLUMNS if summary.get(name) is not None and summary[name].n]
    rows = [["series", *(SERIES_COLUMNS[name] for name in shown)]]
    for one in found.series:
        values = one.agreement.by_name()
        rows.append([one.series, *(_cell(name, values[name]) for name in shown)])
    for title in ("mean", "std"):
        rows.append([title, *(_cell(name, getattr(summary[name], title)) for name in shown)])
    rows.append(["n", *(str(summary[name].n) for name in shown)])
    shifted = [f"  {one.series}: {one.agreement.shift.text}" for one in found.series if one.agreement.shift]
    blocks = [f"A: {found.name_a}\nB: {found.name_b}", aligned(rows)]
    blocks += ["\n".join(["Numbered differently throughout", *shifted])] if shifted else []
    blocks += ["\n".join(["Not comparable", *(f"  {one.series}: {one.reason}" for one in found.failed)])] if found.failed else []
    blocks += [f"Only in {side}: {', '.join(names)}" for side, names in (("A", found.only_in_a), ("B", found.only_in_b)) if names]
    return "\n\n".join(blocks)


def summary_lines(agreement: Agreement) -> list[str]:
    """Levels and voxels that agree, and a numbering that is off by a constant, a sentence each."""
    lines = []
    if agreement.leveled:
        lines.append(f"Levels: {agreement.levels_same} of {len(agreement.leveled)} vertebrae and discs match and carry the same number.")
    if agreement.voxels_labeled:
        share = 100 * agreement.voxels_different / agreement.voxels_labeled
        lines.append(
            f"Voxels: {agreement.voxels_different:,} of {agreement.voxels_labeled:,} labeled ones differ ({share:.1f} %), "
            f"{agreement.voxels_of_other_structure:,} of them in their structure."
        )
    else:
        lines.append("Voxels: both labelmaps are empty.")
    return [*lines, *([f"{agreement.shift.text}."] if agreement.shift else [])]


def _level(row: LevelRow, naming: LevelNaming) -> list[str]:
    value = row.value_a if row.value_a is not None else row.value_b
    name = short_name(value or 0, naming)
    note = "" if row.is_level_same else "other number" if row.is_matched else "only in A" if row.value_b is None else "only in B"
    values = [NOTHING if value is None else str(value) for value in (row.value_a, row.value_b)]
    return [name, *values, number(row.dice), number(row.asd_mm), f"{row.volume_a_ml:.2f}", f"{row.volume_difference_ml:+.2f}", note]


def _cell(name: str, value: float | None) -> str:
    return f"{100 * value:.1f} %" if name in _SHARES and value is not None else number(value)
