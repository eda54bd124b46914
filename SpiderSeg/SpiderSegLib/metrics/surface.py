"""Distances between the surfaces of matched instances, in mm.

A surface is the border of a mask: its voxels that full (diagonal) connectivity joins to a voxel outside, the array's outside
included, as in SPIDER's evaluation. Distances run between voxel centers. Where the field of view cuts a structure its cut face is border too.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from SpiderSegLib.errors import InputError

Box = tuple[slice, ...]


@dataclass(frozen=True)
class SurfaceDistances:
    """Average symmetric surface distance and 95th-percentile Hausdorff distance, in mm."""

    asd_mm: float
    hd95_mm: float


@dataclass(frozen=True)
class InstanceDistance:
    """Surface distances of a reference value and the predicted value matched with it."""

    reference: int
    prediction: int
    asd_mm: float
    hd95_mm: float


def border(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Voxels of a mask of any dimension that touch, diagonals included, a voxel outside it or the array's edge."""
    interior: NDArray[np.bool_] = ndimage.binary_erosion(mask, structure=ndimage.generate_binary_structure(mask.ndim, mask.ndim))
    return mask & ~interior


def border_distances_mm(
    first: NDArray[np.bool_], second: NDArray[np.bool_], spacing_mm: Sequence[float]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Distance of each border voxel of the first mask to the second's border, and the other way round, in array order.

    spacing_mm follows the array's axes. Raises InputError when a mask is empty.
    """
    if not (first.any() and second.any()):
        raise InputError("expected two masks with at least one voxel each, found an empty one")
    first_border, second_border = border(first), border(second)
    to_second = ndimage.distance_transform_edt(~second_border, sampling=spacing_mm)[first_border]
    to_first = ndimage.distance_transform_edt(~first_border, sampling=spacing_mm)[second_border]
    return to_second, to_first


def bounding_boxes(labelmap: NDArray[Any]) -> dict[int, Box]:
    """The smallest box that holds each value other than 0 of an integer labelmap."""
    return {value: box for value, box in enumerate(ndimage.find_objects(labelmap.astype(np.uint8, copy=False)), start=1) if box is not None}


def joint_box(first: Box, second: Box) -> Box:
    """The smallest box that holds both: cropping to it changes no border and no distance of the masks inside."""
    return tuple(slice(min(a.start, b.start), max(a.stop, b.stop)) for a, b in zip(first, second, strict=True))


def surface_distances(reference_mask: NDArray[np.bool_], prediction_mask: NDArray[np.bool_], spacing_mm: Sequence[float]) -> SurfaceDistances:
    """ASD and HD95 of two masks of one shape; spacing_mm in array order.

    ASD is the mean over the distances of both borders pooled; HD95 the larger of the two directed 95th percentiles, linearly
    interpolated. Axes of length 1 are dropped, so that a one-slice volume has contours and not borders all over.
    Raises InputError when a mask is empty.
    """
    kept = _extended_axes(reference_mask.shape)
    shape = [reference_mask.shape[axis] for axis in kept]
    return _distances(reference_mask.reshape(shape), prediction_mask.reshape(shape), [spacing_mm[axis] for axis in kept])


def instance_distances(
    reference: NDArray[Any], prediction: NDArray[Any], matches: Iterable[tuple[int, int]], spacing_kji_mm: Sequence[float]
) -> tuple[InstanceDistance, ...]:
    """ASD and HD95, as in `surface_distances`, of (reference value, predicted value) matches, each computed in its own box.

    Labels 1..255. Raises InputError when a labelmap lacks a value.
    """
    kept = _extended_axes(reference.shape)
    shape, spacing_mm = [reference.shape[axis] for axis in kept], [spacing_kji_mm[axis] for axis in kept]
    reference, prediction = reference.reshape(shape), prediction.reshape(shape)
    reference_boxes, prediction_boxes = bounding_boxes(reference), bounding_boxes(prediction)
    results = []
    for reference_value, prediction_value in matches:
        if reference_value not in reference_boxes or prediction_value not in prediction_boxes:
            raise InputError(f"expected reference value {reference_value} and predicted value {prediction_value} in the labelmaps, found one absent")
        box = joint_box(reference_boxes[reference_value], prediction_boxes[prediction_value])
        found = _distances(reference[box] == reference_value, prediction[box] == prediction_value, spacing_mm)
        results.append(InstanceDistance(reference_value, prediction_value, found.asd_mm, found.hd95_mm))
    return tuple(results)


def _distances(first: NDArray[np.bool_], second: NDArray[np.bool_], spacing_mm: Sequence[float]) -> SurfaceDistances:
    to_second, to_first = border_distances_mm(first, second, spacing_mm)
    return SurfaceDistances(
        asd_mm=float(np.concatenate((to_second, to_first)).mean()),
        hd95_mm=float(max(np.percentile(to_second, 95), np.percentile(to_first, 95))),
    )


def _extended_axes(shape: Sequence[int]) -> list[int]:
    return [axis for axis, length in enumerate(shape) if length > 1] or [0]
