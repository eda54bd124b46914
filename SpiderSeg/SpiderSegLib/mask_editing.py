"""The spine tools on one structure's mask: what a person does with one click instead of with a brush.

Masks are bool (k, j, i). Nothing here knows segments or files; a tool never changes voxels it was told to leave alone.
scipy is imported by the tools: the module's panel opens without it, and offers to install it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from SpiderSegLib.errors import InputError
from SpiderSegLib.volume import Geometry

#: A loose piece smaller than this share of the largest one is an island. In one slice the spinous process is a loose piece of its vertebra,
#: and has 15-40 % of its body.
ISLAND_SHARE = 0.08

#: Radius of what smoothing rounds off: two to three voxels of a usual T2 in plane, and less than a thick slice.
SMOOTHING_MM = 1.5

_FULL = np.ones((3, 3, 3))


def without_islands(mask: NDArray[np.bool_], share: float = ISLAND_SHARE) -> NDArray[np.bool_]:
    """The mask without loose pieces (26-connected) smaller than `share` of its largest piece."""
    from scipy import ndimage

    pieces, count = ndimage.label(mask, structure=_FULL)
    if count <= 1:
        return mask.copy()
    sizes = np.bincount(pieces.ravel())
    sizes[0] = 0
    keep = sizes >= share * sizes.max()
    keep[0] = False
    kept: NDArray[np.bool_] = keep[pieces]
    return kept


def with_holes_filled(mask: NDArray[np.bool_], slice_axis_kji: int, occupied: NDArray[np.bool_] | None = None) -> NDArray[np.bool_]:
    """The mask with what it encloses in each slice along `slice_axis_kji`, but for voxels that are `occupied` by another structure.

    Slice by slice, because a hole in one sagittal slice is open to its neighbours' background only through the slice's own fault.
    """
    from scipy import ndimage

    filled = np.empty_like(mask)
    for source, target in zip(np.moveaxis(mask, slice_axis_kji, 0), np.moveaxis(filled, slice_axis_kji, 0), strict=True):
        target[...] = ndimage.binary_fill_holes(source)
    return filled if occupied is None else filled & (mask | ~occupied)


def smoothed(
    mask: NDArray[np.bool_], spacing_kji_mm: Sequence[float], radius_mm: float = SMOOTHING_MM, occupied: NDArray[np.bool_] | None = None
) -> NDArray[np.bool_]:
    """The mask with edges rounded to about `radius_mm` and its volume kept; grows into no `occupied` voxel.

    A Gaussian of that sigma over the mask, cut at the level that keeps the number of voxels. Slices thicker than twice the radius are
    smoothed each for itself, and each keeps its number: else the small ones at the ends would be lost to the large ones in the middle.
    """
    from scipy import ndimage

    if not mask.any():
        return mask.copy()
    spacing = np.asarray(spacing_kji_mm, dtype=float)
    sigma = np.where(spacing > 2 * radius_mm, 0.0, radius_mm / spacing)
    box = _box(mask, np.ceil(3 * sigma).astype(int) + 1)
    inside = mask[box]
    blurred = ndimage.gaussian_filter(inside.astype(np.float32), sigma, mode="nearest")
    if occupied is not None:
        blurred[~inside & occupied[box]] = 0.0
    thick = int(np.argmax(spacing))
    result = np.zeros_like(mask)
    if sigma[thick] == 0:
        slices = (np.moveaxis(array, thick, 0) for array in (blurred, inside, result[box]))
        for blurred_slice, inside_slice, target in zip(*slices, strict=True):
            target[...] = _cut(blurred_slice, int(inside_slice.sum()))
    else:
        result[box] = _cut(blurred, int(inside.sum()))
    return result


def _cut(blurred: NDArray[np.float32], count: int) -> NDArray[np.bool_]:
    """The `count` highest values, and what equals the lowest of them."""
    if count == 0:
        return np.zeros(blurred.shape, dtype=bool)
    threshold = np.partition(blurred.ravel(), blurred.size - count)[blurred.size - count]
    above: NDArray[np.bool_] = blurred >= threshold
    return above


def halves(
    mask: NDArray[np.bool_], geometry: Geometry, first_lps_mm: Sequence[float], second_lps_mm: Sequence[float]
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """The mask split by the plane halfway between two points, in millimetres: the part around the first one, and around the second.

    Raises InputError when the points are the same or one part would be empty.
    """
    first, second = np.asarray(first_lps_mm, dtype=float), np.asarray(second_lps_mm, dtype=float)
    normal = second - first
    if float(np.linalg.norm(normal)) < 1e-3:
        raise InputError("expected two different points to split between, found the same point twice")
    points = np.argwhere(mask)[:, ::-1] @ geometry.affine_lps[:3, :3].T + geometry.affine_lps[:3, 3]
    beyond = (points - (first + second) / 2) @ normal > 0
    if beyond.all() or not beyond.any():
        raise InputError("the plane between the two points does not cut the segment: click once on each of the two parts")
    second_part = np.zeros_like(mask)
    second_part[tuple(np.argwhere(mask)[beyond].T)] = True
    return mask & ~second_part, second_part


def _box(mask: NDArray[np.bool_], margin_kji: NDArray[np.int_]) -> tuple[slice, ...]:
    """Slices around the True voxels, `margin_kji` wider where the array reaches so far."""
    from scipy import ndimage

    found = ndimage.find_objects(mask.astype(np.uint8))[0]
    return tuple(
        slice(max(0, extent.start - int(margin)), min(size, extent.stop + int(margin)))
        for extent, margin, size in zip(found, margin_kji, mask.shape, strict=True)
    )
