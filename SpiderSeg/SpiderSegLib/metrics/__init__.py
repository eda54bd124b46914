"""The scores of a labelmap against its reference, each kept apart under its own name.

`overlap` holds the project's Dice scores, level accuracy and body recall, `surface` its distances with the spacing in array
order, `official` the SPIDER challenge's scores with the challenge's own rules. Scores of different names are never comparable.
`changes` says what became of a labelmap that was edited.
"""

from SpiderSegLib.metrics.changes import LabelmapChanges, StructureChange, VoxelChanges, check_same_grid, labelmap_changes
from SpiderSegLib.metrics.official import OFFICIAL_CANAL_ABSENT, OFFICIAL_DETECTION_DICE, OfficialScores, official_scores
from SpiderSegLib.metrics.overlap import (
    CLASS_VALUES,
    SPIDER_VALUES,
    BodyRecall,
    InstanceDice,
    InstancePair,
    OverlapTable,
    StructureDice,
    body_recall,
    instance_dice,
    level_accuracy,
    overlap_table,
    structure_dice,
)
from SpiderSegLib.metrics.statistic import Statistic, summarize
from SpiderSegLib.metrics.surface import InstanceDistance, SurfaceDistances, instance_distances, surface_distances
from SpiderSegLib.metrics.volumes import StructureVolume, structure_volumes

__all__ = [
    "CLASS_VALUES",
    "OFFICIAL_CANAL_ABSENT",
    "OFFICIAL_DETECTION_DICE",
    "SPIDER_VALUES",
    "BodyRecall",
    "InstanceDice",
    "InstanceDistance",
    "InstancePair",
    "LabelmapChanges",
    "OfficialScores",
    "OverlapTable",
    "Statistic",
    "StructureChange",
    "StructureDice",
    "StructureVolume",
    "SurfaceDistances",
    "VoxelChanges",
    "body_recall",
    "check_same_grid",
    "instance_dice",
    "instance_distances",
    "labelmap_changes",
    "level_accuracy",
    "official_scores",
    "overlap_table",
    "structure_dice",
    "structure_volumes",
    "summarize",
    "surface_distances",
]
