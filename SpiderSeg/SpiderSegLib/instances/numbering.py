"""From classes to numbered instances: the steps in their order."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from SpiderSegLib.errors import GeometryError
from SpiderSegLib.instances.assignment import assign_levels
from SpiderSegLib.instances.cleaning import clean_canal, clean_vertebra, fill_holes, join_fragments
from SpiderSegLib.instances.frame import canal_frame
from SpiderSegLib.instances.grid import Canonical, WorkingGrid
from SpiderSegLib.instances.identification import reasons_unidentified, sacrum_to_body_intensity
from SpiderSegLib.instances.levels import Levels, find_levels
from SpiderSegLib.instances.result import InstanceConfig, InstanceResult, LevelInstance
from SpiderSegLib.labels import DISC_OFFSET, FOREGROUND, HIGHEST_LEVEL, PARTIAL_OFFSET, SPINAL_CANAL, LevelState, Structure, structure_of
from SpiderSegLib.volume import Geometry

#: Voxels at the rim of a structure that the working grid missed take the number within this many working voxels.
RIM_VOXELS = 2


def number_instances(
    classes: NDArray[np.uint8],
    geometry: Geometry,
    probabilities: NDArray[np.float32] | None = None,
    image: NDArray[Any] | None = None,
    config: InstanceConfig = InstanceConfig(),  # noqa: B008 - frozen
) -> InstanceResult:
    """Numbers the vertebrae and discs of a class map from the lowest lumbar vertebra up and keeps the canal behind them.

    classes: (k, j, i) Structure values on `geometry`, of any orientation; probabilities: (4, k, j, i) of the same classes, used where a disc is
    missing; image: (k, j, i) intensities, used to tell whether the sacrum lies below the lowest disc. A class map without a column gives an
    empty labelmap, or the canal alone, with a warning and state unidentified. Raises GeometryError when an array does not fit the geometry.
    """
    _check_shapes(classes, geometry, probabilities, image)
    foreground = classes > 0
    if not foreground.any():
        return _nothing(classes.shape, "no vertebra, disc or spinal canal was found")
    canonical = Canonical.of(geometry)
    grid = WorkingGrid.around(canonical.forward(foreground), canonical.spacing_mm(geometry))
    work = grid.thin(canonical.forward(classes))
    disc_probability = None if probabilities is None else grid.thin(canonical.forward(probabilities[Structure.DISC]))
    levels = find_levels(work, grid.spacing_mm, disc_probability, _bone_leaves_below(work, grid, config))
    if levels is None:
        return _canal_only(classes, geometry)
    numbered, room_below_mm, partial = _number_working_grid(work, grid, levels, config)
    ratio = None
    if image is not None:
        ratio = sacrum_to_body_intensity(
            grid.thin(canonical.forward(image)).astype(np.float64), levels, numbered[Structure.VERTEBRA], grid.spacing_mm
        )
    crop = _to_crop(numbered, np.ascontiguousarray(canonical.forward(classes)[grid.crop]), grid)
    for number in partial:
        crop[crop == number] = number + PARTIAL_OFFSET
    fill_holes(crop)
    instances = _instances(crop, grid, canonical, geometry, config)
    full = np.zeros(grid.canonical_shape, dtype=np.uint8)
    full[grid.crop] = crop
    reasons = reasons_unidentified(levels, room_below_mm, config.lower_border_mm, ratio)
    state = LevelState.UNIDENTIFIED if reasons else LevelState.ASSUMED
    return InstanceResult(canonical.backward(full), instances, state, reasons, _warnings(levels, instances))


def _check_shapes(classes: NDArray[np.uint8], geometry: Geometry, probabilities: NDArray[np.float32] | None, image: NDArray[Any] | None) -> None:
    expected = geometry.shape_kji
    found = {
        "classes": classes.shape,
        "probabilities": None if probabilities is None else probabilities.shape[1:],
        "image": None if image is None else image.shape,
    }
    for name, shape in found.items():
        if shape is not None and shape != expected:
            raise GeometryError(f"{name}: expected an array of shape {expected} (k, j, i), found {shape}")


def _nothing(shape: tuple[int, ...], warning: str) -> InstanceResult:
    return InstanceResult(np.zeros(shape, dtype=np.uint8), (), LevelState.UNIDENTIFIED, ("no vertebra was found",), (warning,))


def _canal_only(classes: NDArray[np.uint8], geometry: Geometry) -> InstanceResult:
    """The largest piece of the canal class, for a class map without a column."""
    canal, count = ndimage.label(classes == Structure.CANAL)
    if count == 0:
        return _nothing(classes.shape, "no spinal column was found: what was segmented is too small or lies apart")
    largest = canal == np.bincount(canal.ravel())[1:].argmax() + 1
    labelmap = np.where(largest, SPINAL_CANAL, 0).astype(np.uint8)
    position = geometry.affine_lps @ [*np.argwhere(largest).mean(axis=0)[::-1], 1.0]
    volume = float(largest.sum() * geometry.voxel_volume_mm3)
    instance = LevelInstance(SPINAL_CANAL, Structure.CANAL, volume, (float(position[0]), float(position[1]), float(position[2])))
    return InstanceResult(labelmap, (instance,), LevelState.UNIDENTIFIED, ("no vertebra was found",), ("only the spinal canal was found",))


def _bone_leaves_below(work: NDArray[np.uint8], grid: WorkingGrid, config: InstanceConfig) -> bool:
    """Whether vertebra reaches the lower border of the field of view."""
    rows = np.flatnonzero((work == Structure.VERTEBRA).any(axis=(0, 2)))
    return len(rows) > 0 and grid.room_below_mm(float(rows[-1])) <= config.border_mm


def _number_working_grid(
    work: NDArray[np.uint8], grid: WorkingGrid, levels: Levels, config: InstanceConfig
) -> tuple[dict[Structure, NDArray[np.uint8]], float, set[int]]:
    """Values of each structure on the working grid, room below the lowest vertebra's body in mm, and the numbers of cut vertebrae."""
    canal = clean_canal(work == Structure.CANAL, levels, grid.spacing_mm)
    frame = canal_frame(canal, levels, grid.spacing_mm)
    bone = clean_vertebra(work == Structure.VERTEBRA, levels, frame, grid.spacing_mm)
    vertebrae = join_fragments(assign_levels(bone, levels, frame, grid.spacing_mm))
    vertebrae[vertebrae > HIGHEST_LEVEL] = 0
    disc_numbers = np.where(levels.disc_number > HIGHEST_LEVEL, 0, levels.disc_number)
    discs = disc_numbers[levels.pieces]
    numbered = {
        Structure.VERTEBRA: vertebrae,
        Structure.DISC: np.where(discs > 0, discs + DISC_OFFSET, 0).astype(np.uint8),
        Structure.CANAL: np.where(canal, SPINAL_CANAL, 0).astype(np.uint8),
    }
    return numbered, _room_below_mm(vertebrae, levels, grid), _partial(vertebrae, levels, grid, config)


def _room_below_mm(vertebrae: NDArray[np.uint8], levels: Levels, grid: WorkingGrid) -> float:
    """Millimetres between the lowest body and the lower border; the lowest disc stands in for a missing body."""
    rows = np.flatnonzero((levels.tube & (vertebrae == 1)).any(axis=(0, 2)))
    row = float(rows[-1]) if len(rows) else float(levels.separators[0].centre_mm[1] / grid.spacing_mm[1])
    return grid.room_below_mm(row)


def _partial(vertebrae: NDArray[np.uint8], levels: Levels, grid: WorkingGrid, config: InstanceConfig) -> set[int]:
    """Numbers of the outer vertebrae whose body is cut by the upper or lower border of the field of view."""
    body = np.bincount(vertebrae[levels.tube], minlength=HIGHEST_LEVEL + 2)
    present = [int(number) for number in np.unique(vertebrae) if number]
    if len(present) < 2:
        return set()
    partial = set()
    for number, neighbour, is_upper in ((present[-1], present[-2], True), (present[0], present[1], False)):
        rows = np.flatnonzero((vertebrae == number).any(axis=(0, 2)))
        room = grid.room_above_mm(float(rows[0])) if is_upper else grid.room_below_mm(float(rows[-1]))
        if room <= config.border_mm and body[number] < config.cut_height_share * body[neighbour]:
            partial.add(number)
    return partial


def _to_crop(numbered: dict[Structure, NDArray[np.uint8]], classes: NDArray[np.uint8], grid: WorkingGrid) -> NDArray[np.uint8]:
    """The values at the resolution of the crop, slice by slice: each voxel takes the value of its own structure."""
    wide = np.stack([np.zeros_like(numbered[Structure.VERTEBRA])] + [_with_rim(numbered[structure]) for structure in FOREGROUND])
    last = np.subtract(wide.shape[1:], 1)
    result = np.zeros(classes.shape, dtype=np.uint8)
    for k in range(classes.shape[0]):
        j, i = np.nonzero(classes[k])
        rows, columns = np.minimum(j // grid.step[1], last[1]), np.minimum(i // grid.step[2], last[2])
        result[k, j, i] = wide[classes[k, j, i], min(k // grid.step[0], last[0]), rows, columns]
    return result


def _with_rim(values: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Values spread over background by RIM_VOXELS."""
    wide = values
    for _ in range(RIM_VOXELS):
        wide = np.where(wide == 0, ndimage.maximum_filter(wide, size=3), wide)
    return wide


def _instances(
    crop: NDArray[np.uint8], grid: WorkingGrid, canonical: Canonical, geometry: Geometry, config: InstanceConfig
) -> tuple[LevelInstance, ...]:
    """The instances of a crop by value; those too small are erased from it."""
    smallest = {
        Structure.VERTEBRA: config.smallest_vertebra_mm3,
        Structure.DISC: config.smallest_disc_mm3,
        Structure.CANAL: config.smallest_canal_mm3,
    }
    instances = []
    for value, box in enumerate(ndimage.find_objects(crop), start=1):
        if box is None:
            continue
        voxels = crop[box] == value
        volume = float(np.count_nonzero(voxels) * geometry.voxel_volume_mm3)
        if volume < smallest[structure_of(value)]:
            crop[box][voxels] = 0
            continue
        centre = _centre(voxels) + [axis.start for axis in box] + np.asarray(grid.start)
        position = geometry.affine_lps @ [*canonical.input_index(centre, grid.canonical_shape)[::-1], 1.0]
        place = (float(position[0]), float(position[1]), float(position[2]))
        instances.append(LevelInstance(value, structure_of(value), volume, place, PARTIAL_OFFSET < value < DISC_OFFSET))
    return tuple(instances)


def _centre(voxels: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Mean index of a mask, by its sums along the axes."""
    sums = (voxels.sum(axis=(1, 2)), voxels.sum(axis=(0, 2)), voxels.sum(axis=(0, 1)))
    return np.array([float(np.arange(len(counts)) @ counts / counts.sum()) for counts in sums])


def _warnings(levels: Levels, instances: tuple[LevelInstance, ...]) -> tuple[str, ...]:
    """What a person should check: missing discs and bodies, and too few levels for a lumbar spine."""
    warnings = []
    found = {instance.value % PARTIAL_OFFSET for instance in instances if instance.structure is Structure.VERTEBRA}
    for number in range(2, levels.count + 1):
        if not levels.separators[number - 1].is_disc:
            warnings.append(f"no disc was found between vertebrae {number - 1} and {number}; they were divided by their shape")
    warnings += [f"no bone was found at the place of vertebra {number}" for number in range(1, levels.count + 1) if number not in found]
    if levels.sacrum_left_out:
        warnings.append("bone below the lowest disc was taken for the sacrum and left out")
    if levels.count > HIGHEST_LEVEL:
        warnings.append(f"more than {HIGHEST_LEVEL} levels were found; the highest ones were left out")
    if not any(instance.structure is Structure.CANAL for instance in instances):
        warnings.append("no spinal canal was found")
    return tuple(warnings)
