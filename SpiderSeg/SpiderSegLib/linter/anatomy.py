"""Sizes and distances of vertebrae, discs and canal in the 39 complete reference masks of SPIDER (van der Graaf et al. 2024).

What `measures` gives for 518 vertebrae and discs that the border does not cut; `python benchmarks/linter.py DATA_FOLDER --table` prints the
numbers anew. Percentiles and not extremes set the limits, because a few of the masks have faults and two of the vertebrae are fractured.
"""

from __future__ import annotations

from SpiderSegLib.labels import Structure

#: volume with the processes; largest sagittal area, height and depth of a body or disc; from its middle to the canal's, and to the middle of
#: the next one up.
QUANTITIES = ("volume_mm3", "area_mm2", "height_mm", "depth_mm", "canal_mm", "next_mm")

#: Those that say where something lies, not how large it is.
POSITIONS = ("canal_mm", "next_mm")

#: Medians: a row for each level from the lowest up, a column for each quantity. Levels above the last row are like it.
TYPICAL: dict[Structure, tuple[tuple[float, ...], ...]] = {
    Structure.VERTEBRA: (
        (44248, 851, 25.7, 29.2, 26.3, 34.0),
        (45107, 900, 26.9, 32.5, 24.5, 34.6),
        (43354, 904, 26.7, 32.4, 23.8, 35.6),
        (39661, 895, 26.7, 31.1, 22.9, 34.5),
        (35489, 794, 25.8, 29.3, 22.4, 32.8),
        (30731, 735, 24.9, 27.7, 21.3, 29.8),
        (30731, 681, 22.5, 27.4, 20.8, 29.8),
    ),
    Structure.DISC: (
        (6877, 230, 6.3, 32.0, 33.2, 33.8),
        (9623, 258, 6.5, 33.7, 27.7, 34.9),
        (9353, 247, 7.0, 32.1, 25.9, 35.7),
        (9181, 251, 6.9, 31.4, 25.9, 35.1),
        (7040, 196, 6.0, 29.9, 25.2, 33.6),
        (5423, 155, 5.2, 27.2, 24.2, 31.3),
        (3803, 134, 4.5, 25.7, 22.9, 31.3),
    ),
}

#: Lowest and highest value over the typical one: 1st and 99th percentile of the masks, widened by a fifth.
LIMITS: dict[tuple[Structure, str], tuple[float, float]] = {
    (Structure.VERTEBRA, "volume_mm3"): (0.58, 1.76),
    (Structure.VERTEBRA, "area_mm2"): (0.63, 1.60),
    (Structure.VERTEBRA, "height_mm"): (0.69, 1.35),
    (Structure.VERTEBRA, "depth_mm"): (0.67, 1.55),
    (Structure.VERTEBRA, "canal_mm"): (0.72, 1.53),
    (Structure.VERTEBRA, "next_mm"): (0.66, 1.35),
    (Structure.DISC, "volume_mm3"): (0.43, 2.46),
    (Structure.DISC, "area_mm2"): (0.43, 2.15),
    (Structure.DISC, "height_mm"): (0.47, 2.08),
    (Structure.DISC, "depth_mm"): (0.66, 1.72),
    (Structure.DISC, "canal_mm"): (0.70, 1.57),
    (Structure.DISC, "next_mm"): (0.67, 1.34),
}

#: The same for a value over the typical one, divided by the median of that over the patient's other levels: all of a small person is small.
OWN_LIMITS: dict[tuple[Structure, str], tuple[float, float]] = {
    (Structure.VERTEBRA, "volume_mm3"): (0.70, 1.37),
    (Structure.VERTEBRA, "area_mm2"): (0.62, 1.44),
    (Structure.VERTEBRA, "height_mm"): (0.71, 1.31),
    (Structure.VERTEBRA, "depth_mm"): (0.70, 1.47),
    (Structure.VERTEBRA, "canal_mm"): (0.73, 1.42),
    (Structure.VERTEBRA, "next_mm"): (0.67, 1.37),
    (Structure.DISC, "volume_mm3"): (0.42, 2.14),
    (Structure.DISC, "area_mm2"): (0.42, 1.90),
    (Structure.DISC, "height_mm"): (0.48, 1.88),
    (Structure.DISC, "depth_mm"): (0.67, 1.68),
    (Structure.DISC, "canal_mm"): (0.69, 1.48),
    (Structure.DISC, "next_mm"): (0.69, 1.36),
}

#: Median axial area of the canal.
CANAL_AREA_MM2 = (108, 384)


def typical(structure: Structure, level: int, quantity: str) -> float:
    """The median of a quantity at a level (from 1 up) of vertebrae or discs."""
    rows = TYPICAL[structure]
    return rows[min(level, len(rows)) - 1][QUANTITIES.index(quantity)]
