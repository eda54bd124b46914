"""Two labelmaps of one series compared as equals."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from SpiderSegLib.agreement.result import Agreement, LevelRow, StructureAgreement
from SpiderSegLib.agreement.shift import find_shift
from SpiderSegLib.labels import Structure, check_values, level_of
from SpiderSegLib.metrics import (
    SPIDER_VALUES,
    InstanceDice,
    OverlapTable,
    check_same_grid,
    instance_dice,
    instance_distances,
    overlap_table,
    structure_dice,
)
from SpiderSegLib.metrics.volumes import MM3_PER_ML
from SpiderSegLib.volume import Volume


def agree(a: Volume, b: Volume) -> Agreement:
    """How far two SPIDER labelmaps agree, on their structures, instances and numbers.

    Raises GeometryError naming both when their grids differ, LabelError naming the one that has values outside the scheme.
    """
    table = _checked_table(a, b)
    assignments = _assign(table)
    matches = [(pair.reference, pair.prediction) for one in assignments.values() for pair in one.pairs if pair.prediction is not None]
    distances = instance_distances(a.array, b.array, matches, a.geometry.spacing_kji_mm)
    asd_mm = {(distance.reference, distance.prediction): distance.asd_mm for distance in distances}
    voxel_ml = math.prod(a.geometry.spacing_kji_mm) / MM3_PER_ML
    rows = tuple(row for structure, one in assignments.items() for row in _rows(structure, one, table, asd_mm, voxel_ml))
    return Agreement(
        name_a=a.name,
        name_b=b.name,
        structures=_structures(table, assignments, rows, voxel_ml),
        levels=rows,
        shift=find_shift({structure: one.pairs for structure, one in assignments.items() if structure is not Structure.CANAL}),
        voxels_labeled=int(table.counts.sum() - table.counts[0, 0]),
        voxels_different=int(table.counts.sum() - np.trace(table.counts)),
        voxels_of_other_structure=_of_other_structure(table),
    )


def _checked_table(a: Volume, b: Volume) -> OverlapTable:
    """Rows are A's values, columns B's."""
    check_same_grid(a, b)
    table = overlap_table(a.array, b.array)
    check_values(table.reference_values, a.name or "A")
    check_values(table.prediction_values, b.name or "B")
    return table


def _assign(table: OverlapTable) -> dict[Structure, InstanceDice]:
    """The one-to-one assignment of each structure that A (as reference) or B (as prediction) has; the canal is one instance."""
    found = {structure: instance_dice(table, structure) for structure in SPIDER_VALUES}
    return {structure: one for structure, one in found.items() if one.mean is not None}


def _rows(
    structure: Structure, assignment: InstanceDice, table: OverlapTable, asd_mm: Mapping[tuple[int, int], float], voxel_ml: float
) -> list[LevelRow]:
    pairs: list[tuple[int | None, int | None, float]] = [(pair.reference, pair.prediction, pair.dice) for pair in assignment.pairs]
    pairs += [(None, value, 0.0) for value in assignment.unmatched_predictions]
    rows = []
    for value_a, value_b, dice in sorted(pairs, key=lambda pair: (level_of(pair[0] or pair[1] or 0), pair[0] is None)):
        distance = None if value_a is None or value_b is None else asd_mm[value_a, value_b]
        volume_a = 0.0 if value_a is None else float(table.reference_sizes[value_a]) * voxel_ml
        volume_b = 0.0 if value_b is None else float(table.prediction_sizes[value_b]) * voxel_ml
        rows.append(LevelRow(structure, value_a, value_b, dice, distance, volume_a, volume_b))
    return rows


def _structures(
    table: OverlapTable, assignments: Mapping[Structure, InstanceDice], rows: Sequence[LevelRow], voxel_ml: float
) -> tuple[StructureAgreement, ...]:
    dice = structure_dice(table)
    found = []
    for structure, assignment in assignments.items():
        values = np.array(SPIDER_VALUES[structure])
        asd_mm = [row.asd_mm for row in rows if row.structure is structure and row.asd_mm is not None]
        found.append(
            StructureAgreement(
                structure=structure,
                dice=getattr(dice, structure.name.lower()),
                instance_dice=assignment.mean or 0.0,
                asd_mm=sum(asd_mm) / len(asd_mm) if asd_mm else None,
                matched=len(asd_mm),
                only_a=tuple(pair.reference for pair in assignment.pairs if pair.prediction is None),
                only_b=assignment.unmatched_predictions,
                volume_a_ml=float(table.reference_sizes[values].sum()) * voxel_ml,
                volume_b_ml=float(table.prediction_sizes[values].sum()) * voxel_ml,
            )
        )
    return tuple(found)


def _of_other_structure(table: OverlapTable) -> int:
    same = int(table.counts[0, 0])
    for values in SPIDER_VALUES.values():
        same += int(table.counts[np.ix_(values, values)].sum())
    return int(table.counts.sum()) - same
