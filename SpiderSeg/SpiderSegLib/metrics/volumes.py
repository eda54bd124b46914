"""How much of each structure there is in the reference and in the prediction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from SpiderSegLib.labels import Structure
from SpiderSegLib.metrics.overlap import SPIDER_VALUES, OverlapTable

MM3_PER_ML = 1000.0


@dataclass(frozen=True)
class StructureVolume:
    """Volume of one structure in both labelmaps of a series."""

    structure: Structure
    reference_ml: float
    prediction_ml: float


def structure_volumes(
    table: OverlapTable, voxel_volume_mm3: float, reference_values: Mapping[Structure, Sequence[int]] = SPIDER_VALUES
) -> tuple[StructureVolume, ...]:
    """Volumes of the structures that the reference's mapping has and that either labelmap contains; predictions in SPIDER values."""
    found = []
    for structure, values in reference_values.items():
        reference = int(table.reference_sizes[list(values)].sum())
        prediction = int(table.prediction_sizes[list(SPIDER_VALUES[structure])].sum())
        if reference or prediction:
            found.append(StructureVolume(structure, reference * voxel_volume_mm3 / MM3_PER_ML, prediction * voxel_volume_mm3 / MM3_PER_ML))
    return tuple(found)
