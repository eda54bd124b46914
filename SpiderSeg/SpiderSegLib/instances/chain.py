"""Finding the discs of one spinal column among the connected pieces of the disc class.

A chain is scored: discs of normal size, stacked at a normal distance along a smooth line with vertebra between them and the canal behind
them, win against pieces in bowel, vessels or fat. Coordinates are (left-right, superior-inferior, anterior-posterior) in mm.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from SpiderSegLib.labels import Structure

#: Distance between the centres of neighbouring lumbar and lower thoracic discs; 27-40 mm in 95 % of 300 reference discs.
TYPICAL_LEVEL_HEIGHT_MM = 34.0

#: How much longer than typical a link may be before it is worth nothing, and the most it costs: a missing disc must not break the chain.
LONG_LINK_SPREAD_MM = 25.0
LARGEST_LONG_LINK_COST = 0.8

#: How much shorter, without a most: a collapsed vertebra (20 mm) may be passed, two links half a level long by way of a false disc may not.
SHORT_LINK_SPREAD_MM = 14.0

#: Width over depth of a piece above which it is too round for a whole disc, and the share of its worth that is left to it. Discs have 0.2-0.5.
ROUND_RATIO = 0.7
ROUND_WORTH = 0.4

#: Links longer than three levels or shorter than a collapsed vertebra (20 mm in the reference masks) are not made.
SHORTEST_LINK_MM = 13.0
LONGEST_LINK_MM = 110.0

#: Two pieces of one disc can lie a disc's depth apart; without bone between them nearer pieces are not linked.
SHORTEST_LINK_WITHOUT_BONE_MM = 24.0

#: A share of vertebra between two discs that counts as bone.
BONE_SHARE = 0.3

#: What less bone costs: as much as a disc is worth, so that a chain passes a missed body but does not end in a lone piece without bone before it.
MISSING_BONE_COST = 1.0

#: The angle between a link and the vertical that makes it worthless; the lowest link leans back by up to 45 degrees.
WORTHLESS_ANGLE_DEG = 60.0

#: Neighbouring discs lie beside each other by up to 17 mm in 245 pairs of the reference masks, 95 % by less than 10; further out lie facet joints.
FREE_SIDEWAYS_MM = 12.0
SIDEWAYS_SPREAD_MM = 10.0

#: Sagittal area of a disc that counts in full; healthy discs have 200-400 mm2, collapsed ones 75.
FULL_DISC_AREA_MM2 = 120.0

#: Smaller pieces are never a disc of their own.
SMALLEST_DISC_AREA_MM2 = 20.0

#: Distance of the canal's centre behind a disc's centre; measured 15-35 mm.
CANAL_BEHIND_DISC_MM = (5.0, 50.0)

#: Largest sideways distance between a disc's centre and the canal's.
CANAL_BESIDE_DISC_MM = 25.0

#: Discs joined by a strip thinner than 3 working voxels are separate when what is left of each has this sagittal area and they lie this far apart.
JOINED_DISC_AREA_MM2 = 60.0
JOINED_DISC_DISTANCE_MM = 18.0

CANAL_REWARD = 0.5
CANAL_PENALTY = 1.0


@dataclass(frozen=True)
class DiscPiece:
    """A connected piece of the disc class: its number among the pieces, centre, largest area in one sagittal slice, and its width over depth."""

    number: int
    centre_mm: NDArray[np.float64]
    area_mm2: float
    roundness: float


def disc_pieces(discs: NDArray[np.bool_], spacing_mm: NDArray[np.float64]) -> tuple[NDArray[np.int32], list[DiscPiece]]:
    """Connected pieces of a disc mask, numbered, and those large enough to be a disc from inferior to superior.

    Pieces a working voxel apart in a slice are one: a thin disc falls apart on the working grid. Discs that hang together by a thin
    strip, as along a ligament, are several.
    """
    joined = ndimage.binary_dilation(discs, structure=np.ones((1, 3, 3)))
    numbered, _ = ndimage.label(joined, structure=np.ones((3, 3, 3)))
    numbered[~discs] = 0
    _separate_joined(numbered, spacing_mm)
    pieces = []
    for index, box in enumerate(ndimage.find_objects(numbered), start=1):
        voxels = numbered[box] == index
        areas = voxels.sum(axis=(1, 2)) * spacing_mm[1] * spacing_mm[2]
        area = float(areas.max())
        if area < SMALLEST_DISC_AREA_MM2:
            continue
        corner = np.array([axis.start for axis in box])
        centre = (np.argwhere(voxels).mean(axis=0) + corner) * spacing_mm
        pieces.append(DiscPiece(index, centre, area, _roundness(voxels[int(areas.argmax())], spacing_mm)))
    return numbered.astype(np.int32), sorted(pieces, key=lambda piece: -float(piece.centre_mm[1]))


def _separate_joined(numbered: NDArray[np.int32], spacing_mm: NDArray[np.float64]) -> None:
    """Gives each of several discs in one piece a number of its own, its voxels those nearest to its core; in place."""
    last = int(numbered.max())
    for index, box in enumerate(ndimage.find_objects(numbered), start=1):
        piece = numbered[box] == index
        cores = _cores(piece, spacing_mm)
        if cores.max() < 2:
            continue
        nearest = ndimage.distance_transform_edt(cores == 0, sampling=spacing_mm, return_distances=False, return_indices=True)
        owner = cores[tuple(nearest)]
        numbered[box][piece & (owner > 1)] = last + owner[piece & (owner > 1)] - 1
        last += int(cores.max()) - 1


def _cores(piece: NDArray[np.bool_], spacing_mm: NDArray[np.float64]) -> NDArray[np.int32]:
    """The discs in a piece, without the strips between them, numbered from 1; at most one for a piece that is one disc."""
    across = ndimage.generate_binary_structure(3, 1)
    parts, count = ndimage.label(ndimage.binary_opening(piece, structure=np.ones((1, 3, 3))), structure=across)
    cores = np.zeros(piece.shape, dtype=np.int32)
    centres: list[float] = []
    for part in range(1, count + 1):
        voxels = parts == part
        area = float(voxels.sum(axis=(1, 2)).max() * spacing_mm[1] * spacing_mm[2])
        height = float(np.nonzero(voxels)[1].mean() * spacing_mm[1])
        if area < JOINED_DISC_AREA_MM2:
            continue
        near = [number for number, other in enumerate(centres, start=1) if abs(height - other) < JOINED_DISC_DISTANCE_MM]
        if not near:
            centres.append(height)
        cores[voxels] = near[0] if near else len(centres)
    return cores


def _roundness(in_slice: NDArray[np.bool_], spacing_mm: NDArray[np.float64]) -> float:
    """Square root of the smaller over the larger second moment of a 2D mask; 1 for a circle."""
    points = np.argwhere(in_slice) * spacing_mm[1:]
    moments = np.linalg.eigvalsh(np.cov(points.T))
    return float(np.sqrt(max(moments[0], 0) / moments[1]))


def best_chain(pieces: list[DiscPiece], classes: NDArray[np.uint8], spacing_mm: NDArray[np.float64]) -> list[DiscPiece]:
    """The best-scored sequence of pieces from inferior to superior; empty when there is none."""
    if not pieces:
        return []
    canal = canal_by_row(classes == Structure.CANAL, spacing_mm)
    worth = [_piece_worth(piece, canal, float(spacing_mm[1])) for piece in pieces]
    total, before = list(worth), [-1] * len(pieces)
    for upper in range(len(pieces)):
        for lower in range(upper):
            score = total[lower] + worth[upper] + _link_worth(pieces[lower], pieces[upper], classes, spacing_mm)
            if score > total[upper]:
                total[upper], before[upper] = score, lower
    chain, at = [], int(np.argmax(total))
    while at >= 0:
        chain.append(pieces[at])
        at = before[at]
    return chain[::-1]


def canal_by_row(canal: NDArray[np.bool_], spacing_mm: NDArray[np.float64]) -> NDArray[np.float64]:
    """Centre of the canal mask in each row: (rows, 2) of left-right and anterior-posterior mm, NaN where there is none."""
    rows = canal.shape[1]
    counts = canal.sum(axis=(0, 2)).astype(float)
    counts[counts == 0] = np.nan
    sideways = np.tensordot(np.arange(canal.shape[0]) * spacing_mm[0], canal.sum(axis=2), axes=1)
    backward = canal.sum(axis=0) @ (np.arange(canal.shape[2]) * spacing_mm[2])
    return np.stack([sideways / counts, backward / counts], axis=1).reshape(rows, 2)


def _piece_worth(piece: DiscPiece, canal: NDArray[np.float64], row_mm: float) -> float:
    """Up to 1 for the size, more with the canal behind the piece, less with the canal elsewhere."""
    size = min(1.0, piece.area_mm2 / FULL_DISC_AREA_MM2) * (ROUND_WORTH if piece.roundness > ROUND_RATIO else 1.0)
    sideways, backward = canal[min(round(float(piece.centre_mm[1]) / row_mm), len(canal) - 1)]
    if np.isnan(backward):
        return size
    behind = backward - piece.centre_mm[2]
    beside = abs(sideways - piece.centre_mm[0])
    fits = CANAL_BEHIND_DISC_MM[0] <= behind <= CANAL_BEHIND_DISC_MM[1] and beside <= CANAL_BESIDE_DISC_MM
    return size + (CANAL_REWARD if fits else -CANAL_PENALTY)


def _link_worth(lower: DiscPiece, upper: DiscPiece, classes: NDArray[np.uint8], spacing_mm: NDArray[np.float64]) -> float:
    """Up to 1: the share of vertebra between two discs, less for an unusual distance or direction; minus infinity when impossible."""
    link = upper.centre_mm - lower.centre_mm
    length = float(np.linalg.norm(link))
    if not SHORTEST_LINK_MM <= length <= LONGEST_LINK_MM or link[1] >= 0:
        return -np.inf
    angle = np.degrees(np.arccos(np.clip(-link[1] / length, -1, 1)))
    points = lower.centre_mm + np.linspace(0.2, 0.8, 13)[:, None] * link
    k, j, i = np.minimum(np.rint(points / spacing_mm).astype(int), np.subtract(classes.shape, 1)).T
    bone = float(np.mean(classes[k, j, i] == Structure.VERTEBRA))
    if bone < BONE_SHARE and length < SHORTEST_LINK_WITHOUT_BONE_MM:
        return -np.inf
    excess = length - TYPICAL_LEVEL_HEIGHT_MM
    distance_cost = min(LARGEST_LONG_LINK_COST, (excess / LONG_LINK_SPREAD_MM) ** 2) if excess > 0 else (excess / SHORT_LINK_SPREAD_MM) ** 2
    if bone < BONE_SHARE:
        distance_cost += MISSING_BONE_COST
    distance_cost += (max(0.0, abs(float(link[0])) - FREE_SIDEWAYS_MM) / SIDEWAYS_SPREAD_MM) ** 2
    return bone - distance_cost - float(angle / WORTHLESS_ANGLE_DEG) ** 2
