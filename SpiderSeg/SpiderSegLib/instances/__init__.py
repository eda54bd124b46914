"""Semantic classes -> numbered vertebrae, discs and canal in SPIDER values, on the input grid.

Needs numpy and scipy only. The steps: working grid (grid), discs of the column (chain), separators and axis (levels, column), coordinates
around the canal (frame), odds of each level (anatomy) evened out through the bone (assignment), faults taken out (cleaning), level state
(identification).
"""

from SpiderSegLib.instances.numbering import number_instances
from SpiderSegLib.instances.result import InstanceConfig, InstanceResult, LevelInstance

__all__ = ["InstanceConfig", "InstanceResult", "LevelInstance", "number_instances"]
