"""Faults of a network taken out: blobs away from the column before numbering, fragments and holes after it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from SpiderSegLib.instances.frame import CanalFrame
from SpiderSegLib.instances.levels import Levels

#: The canal's voxels lie this far behind the axis of the discs (centre 20-43 mm, half depth 10 mm) and beside it.
CANAL_BEHIND_AXIS_MM = (2.0, 60.0)
CANAL_BESIDE_AXIS_MM = 30.0

#: A piece of the canal class is kept when this share of it lies in that corridor.
CANAL_SHARE_IN_CORRIDOR = 0.5

#: Bone further in front of the axis than the largest disc's half depth (25 mm) and an osteophyte is vessel or bowel.
BONE_BEFORE_AXIS_MM = 33.0

#: Bodies are at most 60 mm wide; wider bone in front of the canal is muscle or kidney.
BODY_BESIDE_MM = 36.0

#: Transverse processes reach 55 mm from the midline.
BONE_BESIDE_MM = 58.0

#: Spinous processes reach 54 mm behind the canal's centre in the 39 reference masks, but from 16 mm beside the midline on no bone lies further
#: back than 25 mm: what does is muscle. Distance beside the midline -> how far back bone is believed, with a margin for large patients.
BONE_BEHIND_AT_BESIDE_MM = (11.0, 17.0)
BONE_BEHIND_CANAL_MM = (62.0, 34.0)

#: In front of this distance before the canal's centre lies the body.
BODY_ZONE_MM = -10.0

#: A loose piece of bone in front of the canal belongs to the column when it comes this near to the axis.
LOOSE_BODY_TO_AXIS_MM = 16.0

#: A loose piece behind the canal is a process when it comes this near to the midline and is not smaller than a facet in one slice.
LOOSE_PROCESS_BESIDE_MM = 40.0
SMALLEST_LOOSE_PROCESS_MM3 = 60.0

#: A part of an instance that is not connected to its largest part and smaller than this share of it goes to the bone it touches.
FRAGMENT_SHARE = 0.08

_FULL = np.ones((3, 3, 3))


def clean_canal(canal: NDArray[np.bool_], levels: Levels, spacing_mm: NDArray[np.float64]) -> NDArray[np.bool_]:
    """The pieces of a canal mask (k, j, i) that lie behind the discs."""
    numbered, count = ndimage.label(canal, structure=_FULL)
    if count == 0:
        return canal
    behind = levels.height_map.behind_mm
    sideways = np.interp(levels.height_map.level, levels.axis.height_mm, levels.axis.points_mm[:, 0])
    beside = np.abs(np.arange(canal.shape[0])[:, None, None] * spacing_mm[0] - sideways)
    corridor = (behind >= CANAL_BEHIND_AXIS_MM[0]) & (behind <= CANAL_BEHIND_AXIS_MM[1]) & (beside <= CANAL_BESIDE_AXIS_MM)
    total = np.bincount(numbered.ravel(), minlength=count + 1)
    inside = np.bincount(numbered[corridor], minlength=count + 1)
    keep = inside >= CANAL_SHARE_IN_CORRIDOR * total
    keep[0] = False
    cleaned: NDArray[np.bool_] = keep[numbered]
    return cleaned


def clean_vertebra(vertebra: NDArray[np.bool_], levels: Levels, frame: CanalFrame, spacing_mm: NDArray[np.float64]) -> NDArray[np.bool_]:
    """The bone of a vertebra mask (k, j, i) that can belong to the column: near it, and not a loose piece in front of or far beside it."""
    beside = np.abs(np.arange(vertebra.shape[0])[:, None, None] * spacing_mm[0] - frame.sideways_mm[None, :, None])
    body_zone = frame.behind_mm < BODY_ZONE_MM
    not_before = levels.height_map.behind_mm >= -BONE_BEFORE_AXIS_MM
    not_behind = frame.behind_mm <= np.interp(beside, BONE_BEHIND_AT_BESIDE_MM, BONE_BEHIND_CANAL_MM)
    near = vertebra & not_before & not_behind & (beside <= np.where(body_zone, BODY_BESIDE_MM, BONE_BESIDE_MM))
    numbered, count = ndimage.label(near, structure=_FULL)
    if count == 0:
        return near
    k, j, i = np.nonzero(near)
    piece, piece_beside = numbered[k, j, i], beside[k, j, 0]
    to_axis, to_midline, foremost = np.full(count + 1, np.inf), np.full(count + 1, np.inf), np.full(count + 1, -np.inf)
    np.minimum.at(to_axis, piece, np.hypot(levels.height_map.behind_mm[j, i], piece_beside))
    np.minimum.at(to_midline, piece, piece_beside)
    np.maximum.at(foremost, piece, frame.behind_mm[j, i])
    volume = np.bincount(numbered.ravel(), minlength=count + 1) * float(np.prod(spacing_mm))
    process = (foremost > BODY_ZONE_MM) & (to_midline <= LOOSE_PROCESS_BESIDE_MM) & (volume >= SMALLEST_LOOSE_PROCESS_MM3)
    keep = (to_axis <= LOOSE_BODY_TO_AXIS_MM) | process
    keep[0] = False
    cleaned: NDArray[np.bool_] = keep[numbered]
    return cleaned


def join_fragments(levels_of_bone: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Level numbers (k, j, i) with small parts that are cut off from their instance given to the instance they touch; loose ones are kept."""
    result = levels_of_bone.copy()
    for number, box in enumerate(ndimage.find_objects(levels_of_bone), start=1):
        if box is None:
            continue
        parts, count = ndimage.label(levels_of_bone[box] == number, structure=_FULL)
        sizes = np.bincount(parts.ravel())[1:]
        for part in np.flatnonzero(sizes < FRAGMENT_SHARE * sizes.max()) + 1 if count > 1 else ():
            neighbour = _touched(levels_of_bone, box, parts == part, number)
            if neighbour:
                result[box][parts == part] = neighbour
    return result


def _touched(levels_of_bone: NDArray[np.uint8], box: tuple[slice, ...], part: NDArray[np.bool_], own: int) -> int:
    """The other number most often found next to a part; 0 when it touches none."""
    wide = tuple(slice(max(0, axis.start - 1), axis.stop + 1) for axis in box)
    padded = np.zeros(levels_of_bone[wide].shape, dtype=bool)
    padded[tuple(slice(axis.start - outer.start, axis.stop - outer.start) for axis, outer in zip(box, wide, strict=True))] = part
    rim = ndimage.binary_dilation(padded) & ~padded
    counts = np.bincount(levels_of_bone[wide][rim], minlength=own + 1)
    counts[[0, own]] = 0
    return int(counts.argmax()) if counts.any() else 0


def fill_holes(labelmap: NDArray[np.uint8]) -> None:
    """Background enclosed by one instance within a sagittal slice (axis 0) becomes that instance; in place.

    Slice by slice, because a hole through the full width of a thin slab is open at its sides.
    """
    in_slice = np.zeros((3, 3, 3), dtype=int)
    in_slice[1] = ndimage.generate_binary_structure(2, 1)
    for value, box in enumerate(ndimage.find_objects(labelmap), start=1):
        if box is None:
            continue
        part = labelmap[box]
        outside, count = ndimage.label(np.pad(part != value, ((0, 0), (1, 1), (1, 1)), constant_values=True), structure=in_slice)
        if count > part.shape[0]:
            open_parts = np.zeros(count + 1, dtype=bool)
            open_parts[np.concatenate([[0], outside[:, 0, 0]])] = True
            part[~open_parts[outside[:, 1:-1, 1:-1]] & (part == 0)] = value
