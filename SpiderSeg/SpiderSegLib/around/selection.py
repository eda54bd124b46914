"""Which voxels at the click are the wanted vertebra or disc: where its probability is high enough and no label is, of one level of the column.

The numbering of whole runs (instances) tells neighbours apart: it sees the labels kept and, in the free voxels of the box, what the
network sees now. So two missing bodies that run into each other are divided as in a whole run.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from SpiderSegLib.around.box import Slices
from SpiderSegLib.around.config import AroundConfig
from SpiderSegLib.around.size import sagittal_area_mm2, usual_area_mm2
from SpiderSegLib.errors import NothingFound
from SpiderSegLib.instances import number_instances
from SpiderSegLib.instances.cleaning import SMALLEST_LOOSE_PROCESS_MM3, fill_holes
from SpiderSegLib.instances.grid import Canonical
from SpiderSegLib.labels import FOREGROUND, PARTIAL_OFFSET, Structure, level_of, to_classes
from SpiderSegLib.metrics import SPIDER_VALUES
from SpiderSegLib.volume import Geometry

#: Sagittal area where no others are labelled: the median of the reference masks.
TYPICAL_AREA_MM2 = {Structure.VERTEBRA: 1100.0, Structure.DISC: 200.0}

#: Stands for the new component while its holes are filled; no SPIDER value.
_NEW = 255

Voxel = tuple[int, int, int]


@dataclass(frozen=True)
class Found:
    """The voxels at the click, and what the numbering says.

    mask: bool (k, j, i) on the input's grid; numbered: the SPIDER values of the numbering that told them apart, over labels kept and new
    voxels alike; number: the level of the new voxels in it; threshold: the probability above which they were taken.
    """

    mask: NDArray[np.bool_]
    numbered: NDArray[np.uint8]
    number: int
    is_partial: bool
    threshold: float


@dataclass(frozen=True)
class Search:
    """What is looked for, where, beside which labels.

    voxel: the click (k, j, i); kept: SPIDER values (k, j, i) on the input's grid `geometry`, 0 where voxels may be taken; region: the part
    of that grid the network has looked at.
    """

    structure: Structure
    voxel: Voxel
    kept: NDArray[np.uint8]
    geometry: Geometry
    region: Slices
    config: AroundConfig

    @property
    def name(self) -> str:
        return self.structure.name.lower()

    def nearest(self, mask: NDArray[np.bool_]) -> Voxel | None:
        """The voxel of a mask (k, j, i) on the input's grid nearest to the click, or None when none lies within its reach."""
        spacing = np.asarray(self.geometry.spacing_kji_mm)
        reach = np.floor(self.config.click_reach_mm / spacing).astype(int)
        start = np.maximum(0, np.subtract(self.voxel, reach))
        stop = np.maximum(0, np.add(self.voxel, reach) + 1)
        near = np.argwhere(mask[tuple(slice(a, b) for a, b in zip(start.tolist(), stop.tolist(), strict=True))]) + start
        distance = np.linalg.norm((near - self.voxel) * spacing, axis=1)
        if len(near) == 0 or distance.min() > self.config.click_reach_mm:
            return None
        k, j, i = near[distance.argmin()].tolist()
        return k, j, i

    def cropped(self, part: Slices) -> Search:
        """The same search in a part of the region, which may not hold the click."""
        k, j, i = (at - axis.start for at, axis in zip(self.voxel, part, strict=True))
        inside = tuple(slice(0, axis.stop - axis.start) for axis in part)
        return replace(self, voxel=(k, j, i), kept=self.kept[part], region=(inside[0], inside[1], inside[2]))


def find_at_click(probabilities: NDArray[np.float32], search: Search) -> Found:
    """The wanted structure at the click, of probabilities (class, k, j, i) over the search's region.

    Raises NothingFound when the click lies in a label, no voxel near it can be the structure, the column has no place for it, or what
    lies there belongs to a structure that is labelled already.
    """
    label = int(search.kept[search.voxel])
    if label:
        raise NothingFound(f"nothing found: the point lies in label {label}, which is kept; replace that one, or erase what is wrong there")
    candidate = np.zeros(search.kept.shape, dtype=bool)
    candidate[search.region] = _candidate(probabilities, search)
    if search.nearest(candidate) is None:
        raise NothingFound(
            f"nothing found: the network sees no {search.name} within {search.config.click_reach_mm:g} mm of the point; "
            "click into its middle, or paint it by hand"
        )
    classes = _classes(probabilities, candidate, search)
    numbered = number_instances(classes, search.geometry).labelmap
    level = _levels(numbered, search.structure)
    seed = search.nearest(candidate & (level > 0))
    if seed is None:
        raise NothingFound(
            f"nothing found: what the network sees at the point is no {search.name} of the spinal column; paint it by hand if it is one"
        )
    number = int(level[seed])
    _refuse_labelled(level == number, candidate, search)
    part = ndimage.find_objects((candidate & (level == number)).view(np.uint8))[0]
    in_region = tuple(slice(axis.start - first.start, axis.stop - first.start) for axis, first in zip(part, search.region, strict=True))
    drawn, threshold = _drawn(
        probabilities[search.structure][in_region], candidate[part] & (level[part] == number), search.cropped(part), _enough_mm2(search)
    )
    mask = np.zeros(search.kept.shape, dtype=bool)
    mask[part] = _filled(drawn, search.cropped(part))
    is_partial = bool((numbered[mask] == number + PARTIAL_OFFSET).any())
    return Found(mask, numbered, number, is_partial, threshold)


def _candidate(probabilities: NDArray[np.float32], search: Search) -> NDArray[np.bool_]:
    """The free voxels of the region that may be the structure: likely enough, and no other structure is likelier."""
    wanted = probabilities[search.structure]
    others = np.max([probabilities[other] for other in FOREGROUND if other is not search.structure], axis=0)
    possible: NDArray[np.bool_] = (search.kept[search.region] == 0) & (wanted >= search.config.lowest_probability) & (wanted >= others)
    return possible


def _classes(probabilities: NDArray[np.float32], candidate: NDArray[np.bool_], search: Search) -> NDArray[np.uint8]:
    """The class map to number: the labels kept, the candidate, and elsewhere in the region the other structures where they are most probable."""
    classes = to_classes(search.kept)
    likeliest = probabilities.argmax(axis=0).astype(np.uint8)
    likeliest[likeliest == search.structure] = Structure.BACKGROUND
    np.copyto(classes[search.region], likeliest, where=search.kept[search.region] == 0)
    classes[candidate] = search.structure
    return classes


def _levels(numbered: NDArray[np.uint8], structure: Structure) -> NDArray[np.uint8]:
    """The level of each voxel of a structure, of a numbering in SPIDER values; 0 elsewhere."""
    table = np.zeros(256, dtype=np.uint8)
    values = SPIDER_VALUES[structure]
    table[list(values)] = [level_of(value) for value in values]
    levels: NDArray[np.uint8] = table[numbered]
    return levels


def _refuse_labelled(inside: NDArray[np.bool_], candidate: NDArray[np.bool_], search: Search) -> None:
    """Raises NothingFound when more of the level clicked is labelled than free: then the rim of that label was clicked."""
    labelled = np.bincount(search.kept[inside & ~candidate], minlength=256)
    labelled[0] = 0
    if labelled.sum() > np.count_nonzero(inside & candidate):
        raise NothingFound(
            f"nothing found: the {search.name} at the point is label {int(labelled.argmax())} already; replace that one to draw it anew"
        )


def _enough_mm2(search: Search) -> float:
    """The sagittal area from which on a structure is large enough beside the labels kept."""
    usual = usual_area_mm2(search.kept, search.structure, search.geometry) or TYPICAL_AREA_MM2[search.structure]
    return search.config.enough_share * usual


def _drawn(probability: NDArray[np.float32], possible: NDArray[np.bool_], search: Search, enough_mm2: float) -> tuple[NDArray[np.bool_], float]:
    """The structure at the highest threshold that leaves it large enough, else at the lowest, and that threshold."""
    found = None
    for threshold in search.config.thresholds:
        connected = _connected(possible & (probability >= threshold), search)
        if connected is None:
            continue
        found = connected, threshold
        if sagittal_area_mm2(connected, search.geometry) >= enough_mm2:
            break
    if found is None:
        raise NothingFound(
            f"nothing found: the network sees a {search.name} near the point, but not within {search.config.click_reach_mm:g} mm of it; "
            "click into its middle"
        )
    return found


def _connected(mask: NDArray[np.bool_], search: Search) -> NDArray[np.bool_] | None:
    """The component at the click; of a vertebra its other pieces too, which a slab or a single slice shows apart from the body."""
    seed = search.nearest(mask)
    if seed is None:
        return None
    pieces, _ = ndimage.label(mask, structure=np.ones((3, 3, 3)))
    if search.structure is not Structure.VERTEBRA:
        component: NDArray[np.bool_] = pieces == pieces[seed]
        return component
    large = np.bincount(pieces.ravel()) * search.geometry.voxel_volume_mm3 >= SMALLEST_LOOSE_PROCESS_MM3
    large[0], large[pieces[seed]] = False, True
    vertebra: NDArray[np.bool_] = large[pieces]
    return vertebra


def _filled(mask: NDArray[np.bool_], search: Search) -> NDArray[np.bool_]:
    """The mask without holes in sagittal slices; what is kept in them stays."""
    canonical = Canonical.of(search.geometry)
    labelmap = np.ascontiguousarray(canonical.forward(np.where(mask, _NEW, search.kept).astype(np.uint8)))
    fill_holes(labelmap)
    filled: NDArray[np.bool_] = canonical.backward(labelmap) == _NEW
    return filled
