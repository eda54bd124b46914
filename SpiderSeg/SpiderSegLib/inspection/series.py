"""One case measured: grid, intensities, labels. A file that is missing or can't be read becomes a problem in words, not an error."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from SpiderSegLib.cases import Case
from SpiderSegLib.errors import Cancelled, SpiderSegError
from SpiderSegLib.fingerprint import content_hash
from SpiderSegLib.io import read_labelmap, read_volume
from SpiderSegLib.labels import DISC_OFFSET, DOWNWARD_LOWEST_LEVEL, HIGHEST_LEVEL, Structure, is_downward_numbering, level_of
from SpiderSegLib.overview import Overview, OverviewRow
from SpiderSegLib.volume import Geometry

#: Percentiles that stand for the range of intensities.
LOW_PERCENTILE, HIGH_PERCENTILE = 1.0, 99.0

#: A component of a label is an island below this share of the label's largest component and below this volume. Measured on SPIDER:
#: spinous processes in single slices have 4 % of their vertebra and more, what annotation tools leave behind has less than 2 %.
ISLAND_SHARE, ISLAND_VOLUME_MM3 = 0.02, 100.0

#: Levels from the lowest up that count as lumbar; the name of a level is an assumption, as everywhere.
LUMBAR_LEVELS = 5

_ANY_NEIGHBOR = np.ones((3, 3, 3), dtype=bool)


@dataclass(frozen=True)
class Intensities:
    """Of all finite voxels: extremes, percentiles 1, 50 and 99, share of voxels at the maximum; and how many voxels are not finite."""

    minimum: float
    low: float
    median: float
    high: float
    maximum: float
    share_at_maximum: float
    n_not_finite: int


@dataclass(frozen=True)
class LabelStatistics:
    """Voxels by label value (background left out), islands by label value, and the grid they are counted on."""

    kind: str
    voxels: dict[int, int]
    islands: dict[int, int]
    n_voxels: int
    voxel_volume_mm3: float

    @property
    def unknown(self) -> tuple[int, ...]:
        """Values that are neither SPIDER's nor, in a class map, a class."""
        return tuple(value for value in self.voxels if self.structure_of(value) is None)

    def structure_of(self, value: int) -> Structure | None:
        if self.kind == "classes":
            return Structure(value) if 0 < value <= max(Structure) else None
        if value == 100:
            return Structure.CANAL
        is_level = 1 <= value % 100 <= HIGHEST_LEVEL and 0 < value < 300
        return None if not is_level else Structure.DISC if value > DISC_OFFSET else Structure.VERTEBRA

    @property
    def structure_voxels(self) -> dict[Structure, int]:
        """Voxels of vertebrae, discs and canal, 0 where there are none."""
        counts = {Structure.VERTEBRA: 0, Structure.DISC: 0, Structure.CANAL: 0}
        for value, count in self.voxels.items():
            structure = self.structure_of(value)
            if structure is not None:
                counts[structure] += count
        return counts

    @property
    def is_downward(self) -> bool:
        """Whether a SPIDER mask counts 24 downward."""
        return self.kind == "spider" and is_downward_numbering(value for value in self.voxels if value not in self.unknown)

    def level_of(self, value: int) -> int:
        """Level of a value, 1 = lowest, also where the mask counts downward; 0 for the canal."""
        level = level_of(value)
        return DOWNWARD_LOWEST_LEVEL + 1 - level if level and self.is_downward else level

    @property
    def upward_voxels(self) -> dict[int, int]:
        """Voxels by SPIDER value as it would be if the mask counted upward."""
        return {value - level_of(value) + self.level_of(value): count for value, count in self.voxels.items()}

    def levels(self, structure: Structure) -> tuple[int, ...]:
        """Levels of the vertebrae (partial ones too) or discs, 1 = lowest, also where the mask counts downward; none in a class map."""
        if self.kind == "classes":
            return ()
        return tuple(sorted({self.level_of(value) for value in self.voxels if self.structure_of(value) is structure}))

    @property
    def region_voxels(self) -> dict[str, int]:
        """Voxels of vertebrae and discs at the five lowest levels and above; empty for a class map, which has no levels."""
        if self.kind == "classes":
            return {}
        regions = {"lumbar": 0, "thoracic": 0}
        for value, count in self.voxels.items():
            if self.structure_of(value) in (Structure.VERTEBRA, Structure.DISC):
                regions["lumbar" if self.level_of(value) <= LUMBAR_LEVELS else "thoracic"] += count
        return regions

    @property
    def foreground_share(self) -> float:
        return sum(self.voxels.values()) / self.n_voxels

    @property
    def structure_ratio(self) -> float | None:
        """Voxels of the largest structure over those of the smallest; None when one is absent."""
        counts = self.structure_voxels.values()
        return max(counts) / min(counts) if min(counts) > 0 else None

    def volume_ml(self, structure: Structure) -> float:
        return self.structure_voxels[structure] * self.voxel_volume_mm3 / 1000


@dataclass(frozen=True)
class SeriesStatistics:
    """A case and what its files hold; None where a file is absent or unreadable, then `missing` or `unreadable` says so in words."""

    case: Case
    geometry: Geometry | None = None
    dtype: str = ""
    intensities: Intensities | None = None
    content: str = ""
    mask_geometry: Geometry | None = None
    labels: LabelStatistics | None = None
    overview: OverviewRow | None = None
    missing: tuple[str, ...] = ()
    unreadable: tuple[str, ...] = ()

    @property
    def is_read(self) -> bool:
        """Whether any file of the case could be read."""
        return self.geometry is not None or self.mask_geometry is not None

    @property
    def grid(self) -> Geometry | None:
        """The image's grid, else the mask's."""
        return self.geometry or self.mask_geometry


def inspect_case(case: Case, overview: Overview, is_image_expected: bool = True) -> SeriesStatistics:
    """Reads and measures a case; never raises for its files."""
    series = SeriesStatistics(case, overview=overview.get(case.series))
    if case.image is not None:
        series = _with_file(series, case.image, _with_image)
    elif is_image_expected:
        series = replace(series, missing=(*series.missing, "no image"))
    if case.reference is not None:
        return _with_file(series, case.reference, _with_mask)
    return replace(series, missing=(*series.missing, "no mask"))


def _with_file(series: SeriesStatistics, path: Path, measure: Any) -> SeriesStatistics:
    if not path.exists():
        return replace(series, missing=(*series.missing, f"{path} is not there"))
    try:
        measured: SeriesStatistics = measure(series, path)
    except Cancelled:
        raise
    except SpiderSegError as error:
        return replace(series, unreadable=(*series.unreadable, str(error)))
    return measured


def _with_image(series: SeriesStatistics, path: Path) -> SeriesStatistics:
    volume = read_volume(path)
    return replace(
        series, geometry=volume.geometry, dtype=str(volume.array.dtype), intensities=measure_intensities(volume.array), content=content_hash(volume)
    )


def _with_mask(series: SeriesStatistics, path: Path) -> SeriesStatistics:
    labelmap = read_labelmap(path)
    labels = measure_labels(labelmap.array, labelmap.geometry, series.case.reference_kind)
    return replace(series, mask_geometry=labelmap.geometry, labels=labels)


def measure_intensities(array: NDArray[Any]) -> Intensities:
    """Intensities of an image; all NaN where no voxel is finite."""
    finite = array[np.isfinite(array)] if np.issubdtype(array.dtype, np.floating) else array.ravel()
    n_not_finite = array.size - finite.size
    if finite.size == 0:
        nothing = float("nan")
        return Intensities(nothing, nothing, nothing, nothing, nothing, 0.0, n_not_finite)
    low, median, high = (float(value) for value in np.percentile(finite, (LOW_PERCENTILE, 50, HIGH_PERCENTILE)))
    maximum = finite.max()
    return Intensities(float(finite.min()), low, median, high, float(maximum), float((finite == maximum).mean()), n_not_finite)


def measure_labels(labelmap: NDArray[Any], geometry: Geometry, kind: str) -> LabelStatistics:
    """Voxels and islands of every label of a labelmap (k, j, i)."""
    values, counts = np.unique(labelmap, return_counts=True)
    voxels = {int(value): int(count) for value, count in zip(values, counts, strict=True) if value != 0}
    # Components are searched in each label's own box, over consecutive numbers: label values may be negative or huge.
    indices = np.searchsorted(values, labelmap)
    boxes = ndimage.find_objects(indices + 1)
    islands = {}
    for number, value in enumerate(values):
        box = boxes[number]
        if value != 0 and box is not None:
            count = _count_islands(indices[box] == number, geometry.voxel_volume_mm3)
            if count:
                islands[int(value)] = count
    return LabelStatistics(kind, voxels, islands, labelmap.size, geometry.voxel_volume_mm3)


def _count_islands(mask: NDArray[np.bool_], voxel_volume_mm3: float) -> int:
    components, n_components = ndimage.label(mask, _ANY_NEIGHBOR)
    if n_components < 2:
        return 0
    sizes = np.bincount(components.ravel())[1:]
    return int(((sizes < ISLAND_SHARE * sizes.max()) & (sizes * voxel_volume_mm3 < ISLAND_VOLUME_MM3)).sum())
