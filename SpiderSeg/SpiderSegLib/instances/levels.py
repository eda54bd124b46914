"""How many vertebrae there are and where one ends: separators from the discs found and, where a disc is missing, from the bodies' profile."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from SpiderSegLib.instances.chain import TYPICAL_LEVEL_HEIGHT_MM, best_chain, canal_by_row, disc_pieces
from SpiderSegLib.instances.column import CURVE_STEP_MM, Axis, SagittalMap, Separator, axis_through, plane_of_disc, sagittal_map
from SpiderSegLib.labels import Structure

#: A gap between discs this many times the expected one holds another vertebra; of the 414 reference gaps none exceeds 1.42 times its neighbours.
SECOND_BODY_RATIO = 1.5

#: No level of a column is lower than this share of the usual one, unless its vertebra has collapsed.
LOWEST_LEVEL_SHARE = 0.8

#: Half width of the tube along the axis in which bodies are looked for; bodies are 30-45 mm wide and deep.
TUBE_HALF_WIDTH_MM = 11.0

#: A height of the axis shows a body when this share of the tube is vertebra.
BODY_SHARE = 0.45

#: Height of a lumbar disc; a level is a body and a disc.
TYPICAL_DISC_HEIGHT_MM = 8.0

#: Below the lowest disc a piece shorter than this share of a body is a false sacrum, not a vertebra.
SMALLEST_LOWEST_BODY_SHARE = 0.65

#: A disc falling to anterior by this many degrees, with bone but no disc of its own below, is L5/S1 and the bone the sacrum: of the 67 reference
#: discs L4/L5 none is tilted by more than 28 degrees, so that an L5 whose own disc was missed is never taken for the sacrum.
LUMBOSACRAL_TILT_DEG = 29.0

#: Below a disc tilted like the least tilted reference L5/S1, a piece of disc smaller than this share of it is the rudimentary disc S1/S2 or a
#: false one, and the bone between them the sacrum.
LIKELY_LUMBOSACRAL_TILT_DEG = 18.0
RUDIMENTARY_DISC_SHARE = 0.3

#: Down the lumbar spine the discs fall more and more to anterior; a lowest piece that falls this much less than the one above is no disc.
IMPLAUSIBLE_TILT_DROP_DEG = 15.0

#: Unless it is at least this share of the one above: then something false was joined to a real disc.
SMALLEST_REAL_DISC_SHARE = 0.7

#: Bodies reaching less than this beyond the outer disc are not counted: the voxels of one slice of endplate.
SHORTEST_OUTER_BODY_MM = 3.0

#: A loose disc piece belongs to a separator whose plane it lies this near to, within the tube's reach.
PIECE_TO_PLANE_MM = 8.0
PIECE_TO_CENTRE_MM = 30.0

#: The same for a separator without disc, whose place is an estimate.
PIECE_TO_CUT_MM = 12.0

#: A cut is looked for this share of a level around its expected place.
CUT_SEARCH_SHARE = 0.25

#: Without discs the bodies' centres are averaged over this height.
BODY_LINE_SMOOTHING_MM = 15.0

#: A body lies in front of the canal's centre by at most this much.
BODY_BEFORE_CANAL_MM = (8.0, 55.0)

UP = np.array([0.0, -1.0, 0.0])


@dataclass(frozen=True)
class Levels:
    """The column: `separators[n - 1]` lies below vertebra n, one more closes the highest vertebra; `heights_mm` are theirs along `axis`.

    `disc_number` maps the numbered pieces of the disc class to separators (0 = none, n = disc n); `profile` is the share of vertebra along
    the axis; `level_height_mm` the usual distance of separators; `sacrum_left_out`: bone below the lowest disc was taken for the sacrum,
    of the height `left_out_mm`.
    """

    axis: Axis
    separators: tuple[Separator, ...]
    heights_mm: NDArray[np.float64]
    pieces: NDArray[np.int32]
    disc_number: NDArray[np.uint8]
    level_height_mm: float
    tube: NDArray[np.bool_]
    height_map: SagittalMap
    sacrum_left_out: bool = False
    left_out_mm: float = 0.0

    @property
    def count(self) -> int:
        """Number of vertebra places between the separators."""
        return len(self.separators) - 1

    def level_at(self, height_mm: NDArray[np.float64]) -> NDArray[np.float64]:
        """Level coordinate of heights along the axis, running on evenly beyond the outer separators."""
        numbers = np.arange(1, len(self.heights_mm) + 1) - 0.5
        inside = np.interp(height_mm, self.heights_mm, numbers)
        below = np.minimum(height_mm - self.heights_mm[0], 0) / self.level_height_mm
        above = np.maximum(height_mm - self.heights_mm[-1], 0) / self.level_height_mm
        level: NDArray[np.float64] = inside + below + above
        return level


def find_levels(
    classes: NDArray[np.uint8], spacing_mm: NDArray[np.float64], disc_probability: NDArray[np.float32] | None, open_below: bool
) -> Levels | None:
    """The levels of a working-grid class map (k, j, i), or None when it shows no column.

    `disc_probability` on the same grid guides cuts where a disc is missing. `open_below` says that the column leaves the field of view at the
    lower border, so that a short piece of bone there is a cut vertebra.
    """
    pieces, candidates = disc_pieces(classes == Structure.DISC, spacing_mm)
    sacrum_left_out = False
    chain = [piece.number for piece in best_chain(candidates, classes, spacing_mm)]
    if chain:
        axis, discs, owner = _axis_of_discs(chain, pieces, spacing_mm)
        # One at most: with several small discs the true L5/S1 may be among them, and the level is better left unidentified.
        if _is_below_sacrum(discs, owner, pieces):
            pieces[owner[pieces] == 1] = 0
            axis, discs, owner = _axis_of_discs(chain[1:], pieces, spacing_mm)
            sacrum_left_out = True
    else:
        line = _body_line(classes, spacing_mm)
        if line is None:
            return None
        axis, discs, owner = line, [], np.zeros(int(pieces.max()) + 1, dtype=np.uint8)
    height_map = sagittal_map(classes.shape[1:], spacing_mm[1:], axis.points_mm[:, 1:], axis.height_mm)
    tube = tube_mask(classes.shape, spacing_mm, axis, height_map)
    profile = _profile(classes == Structure.VERTEBRA, tube, height_map, axis)
    cost = profile if disc_probability is None else profile - _profile(disc_probability, tube, height_map, axis)
    level_height = _level_height(axis.knots_mm) if discs else TYPICAL_LEVEL_HEIGHT_MM
    if discs and not open_below and tilt_deg(discs[0]) >= LUMBOSACRAL_TILT_DEG and _reach_mm(profile[axis.height_mm < 0][::-1]) > 0:
        sacrum_left_out = True
    left_out_mm = _reach_mm(profile[axis.height_mm < 0][::-1]) if sacrum_left_out else 0.0
    heights, found = _all_heights(axis, profile, cost, bool(discs), level_height, open_below, sacrum_left_out)
    if len(heights) < 2:
        return None
    separators, new_number = [], np.zeros(len(discs) + 1, dtype=np.uint8)
    for position, (height, index) in enumerate(zip(heights, found, strict=True), start=1):
        if index >= 0:
            separators.append(discs[index])
            new_number[index + 1] = position
        else:
            separators.append(Separator(*axis.at(height), is_disc=False))
    disc_number = new_number[owner]
    _claim_pieces_at_cuts(disc_number, pieces, separators, spacing_mm)
    return Levels(axis, tuple(separators), np.asarray(heights), pieces, disc_number, level_height, tube, height_map, sacrum_left_out, left_out_mm)


def tilt_deg(separator: Separator) -> float:
    """Angle in the sagittal plane by which a separator falls to anterior."""
    return float(np.degrees(np.arctan2(-separator.normal[2], -separator.normal[1])))


def _is_below_sacrum(discs: list[Separator], owner: NDArray[np.uint8], pieces: NDArray[np.int32]) -> bool:
    """Whether the lowest disc found lies below S1: under one tilted like L5/S1, and rudimentary or tilted as no lumbar disc is."""
    if len(discs) < 2 or tilt_deg(discs[1]) < LIKELY_LUMBOSACRAL_TILT_DEG:
        return False
    sizes = np.bincount(owner[pieces].ravel(), minlength=3)
    share = float(sizes[1] / max(1, sizes[2]))
    is_implausible = tilt_deg(discs[0]) < tilt_deg(discs[1]) - IMPLAUSIBLE_TILT_DROP_DEG
    return share < (SMALLEST_REAL_DISC_SHARE if is_implausible else RUDIMENTARY_DISC_SHARE)


def _claim_pieces_at_cuts(
    disc_number: NDArray[np.uint8], pieces: NDArray[np.int32], separators: list[Separator], spacing_mm: NDArray[np.float64]
) -> None:
    """Gives loose pieces near a separator without disc that separator's number; in place. The rest of a disc may be all that was found of it."""
    boxes = ndimage.find_objects(pieces)
    for number in np.flatnonzero(disc_number[1:] == 0) + 1:
        if boxes[number - 1] is None:
            continue
        centre = _points(pieces, int(number), boxes, spacing_mm).mean(axis=0)
        for position, separator in enumerate(separators, start=1):
            near = np.linalg.norm(centre - separator.centre_mm) <= PIECE_TO_CENTRE_MM
            if near and not separator.is_disc and abs(float(separator.height_above_mm(centre[None])[0])) <= PIECE_TO_CUT_MM:
                disc_number[number] = position


def _axis_of_discs(chain: list[int], pieces: NDArray[np.int32], spacing_mm: NDArray[np.float64]) -> tuple[Axis, list[Separator], NDArray[np.uint8]]:
    """Axis, disc planes from inferior to superior, and for each piece number the place of its disc in the chain (from 1, 0 = none)."""
    boxes = ndimage.find_objects(pieces)
    points = {number: _points(pieces, number, boxes, spacing_mm) for number, box in enumerate(boxes, start=1) if box is not None}
    own = [points[number] for number in chain]
    owner = np.zeros(len(boxes) + 1, dtype=np.uint8)
    owner[chain] = np.arange(1, len(chain) + 1)
    planes = _planes(own)
    for number, loose in points.items():
        if owner[number]:
            continue
        centre = loose.mean(axis=0)
        near = [
            (abs(float(plane.height_above_mm(centre[None])[0])), place)
            for place, plane in enumerate(planes)
            if np.linalg.norm(centre - plane.centre_mm) <= PIECE_TO_CENTRE_MM
        ]
        if near and min(near)[0] <= PIECE_TO_PLANE_MM:
            owner[number] = min(near)[1] + 1
            own[min(near)[1]] = np.concatenate([own[min(near)[1]], loose])
    planes = _planes(own)
    centres = np.array([plane.centre_mm for plane in planes])
    return axis_through(centres, planes[0].normal, planes[-1].normal), planes, owner


def _points(pieces: NDArray[np.int32], number: int, boxes: list[tuple[slice, slice, slice]], spacing_mm: NDArray[np.float64]) -> NDArray[np.float64]:
    box = boxes[number - 1]
    points: NDArray[np.float64] = (np.argwhere(pieces[box] == number) + [axis.start for axis in box]) * spacing_mm
    return points


def _planes(own: list[NDArray[np.float64]]) -> list[Separator]:
    """Disc planes, their tilt judged against the line through their neighbours."""
    centres = np.array([points.mean(axis=0) for points in own])
    if len(own) == 1:
        return [plane_of_disc(own[0], UP)]
    links = np.diff(centres, axis=0)
    links /= np.linalg.norm(links, axis=1, keepdims=True)
    directions = np.concatenate([links[:1], links[:-1] + links[1:], links[-1:]])
    return [plane_of_disc(points, direction / np.linalg.norm(direction)) for points, direction in zip(own, directions, strict=True)]


def tube_mask(shape: tuple[int, ...], spacing_mm: NDArray[np.float64], axis: Axis, height_map: SagittalMap) -> NDArray[np.bool_]:
    """Voxels within TUBE_HALF_WIDTH_MM of the axis, (k, j, i)."""
    sideways = np.interp(height_map.level, axis.height_mm, axis.points_mm[:, 0])
    near = np.abs(height_map.behind_mm) <= TUBE_HALF_WIDTH_MM
    offset = np.arange(shape[0])[:, None, None] * spacing_mm[0] - sideways
    # A single slice may lie off the axis's sideways position by rounding only.
    mask: NDArray[np.bool_] = near & (np.abs(offset) <= max(TUBE_HALF_WIDTH_MM, 0.6 * spacing_mm[0]))
    return mask


def _profile(values: NDArray[np.generic], tube: NDArray[np.bool_], height_map: SagittalMap, axis: Axis) -> NDArray[np.float64]:
    """Mean of `values` in the tube at each sample of the axis, smoothed over 3 mm; 0 where the tube leaves the grid."""
    bins = np.rint((height_map.level - axis.height_mm[0]) / CURVE_STEP_MM).astype(int)
    inside = np.bincount(bins.ravel(), weights=tube.sum(axis=0).ravel(), minlength=len(axis.height_mm))
    total = np.bincount(bins.ravel(), weights=(values * tube).sum(axis=0).ravel(), minlength=len(axis.height_mm))
    size = round(3.0 / CURVE_STEP_MM)
    smooth_total, smooth_inside = ndimage.uniform_filter1d(total, size), ndimage.uniform_filter1d(inside, size)
    return np.where(smooth_inside > 1e-6, smooth_total / np.maximum(smooth_inside, 1e-6), 0.0)


def _level_height(knots_mm: NDArray[np.float64]) -> float:
    """The usual distance of neighbouring discs: the median of the gaps that hold one vertebra."""
    gaps = np.diff(knots_mm)
    single = gaps[gaps < SECOND_BODY_RATIO * TYPICAL_LEVEL_HEIGHT_MM]
    return float(np.median(single)) if len(single) else TYPICAL_LEVEL_HEIGHT_MM


def _expected_gaps(knots_mm: NDArray[np.float64], level_height: float) -> list[float]:
    """What each gap between discs would measure with one vertebra in it: the usual level, or less where its neighbours measure less.

    Thoracic levels are lower than the lumbar ones, which make the median; a gap halved by a false disc says nothing of its neighbours.
    """
    gaps = np.diff(knots_mm)
    single = gaps < SECOND_BODY_RATIO * level_height
    expected = []
    for place in range(len(gaps)):
        beside = [float(gaps[other]) for other in (place - 1, place + 1) if 0 <= other < len(gaps) and single[other]]
        usual = min(level_height, sum(beside) / len(beside)) if beside else level_height
        expected.append(max(usual, LOWEST_LEVEL_SHARE * level_height))
    return expected


def _all_heights(
    axis: Axis, profile: NDArray[np.float64], cost: NDArray[np.float64], has_discs: bool, level_height: float, open_below: bool, sacrum_left_out: bool
) -> tuple[list[float], list[int]]:
    """Heights of all separators from the lowest up, and for each the place of its disc in the chain or -1 for a cut."""
    if not has_discs:
        heights = _heights_of_bodies(axis, profile, level_height)
        return heights, [-1] * len(heights)
    heights, found = [float(axis.knots_mm[0])], [0]
    expected = _expected_gaps(axis.knots_mm, level_height)
    for place, upper in enumerate(axis.knots_mm[1:], start=1):
        for cut in _cuts(axis, cost, heights[-1], float(upper), expected[place - 1]):
            heights.append(cut)
            found.append(-1)
        heights.append(float(upper))
        found.append(place)
    below = 0.0 if sacrum_left_out else _reach_mm(profile[axis.height_mm < 0][::-1])
    shortest = SHORTEST_OUTER_BODY_MM if open_below else SMALLEST_LOWEST_BODY_SHARE * (level_height - TYPICAL_DISC_HEIGHT_MM)
    for _ in range(_bodies_in(below, level_height, shortest)):
        heights.insert(0, heights[0] - level_height)
        found.insert(0, -1)
    above = _reach_mm(profile[axis.height_mm > axis.knots_mm[-1]])
    for _ in range(_bodies_in(above, level_height, SHORTEST_OUTER_BODY_MM)):
        heights.append(heights[-1] + level_height)
        found.append(-1)
    return heights, found


def _cuts(axis: Axis, cost: NDArray[np.float64], lower: float, upper: float, level_height: float) -> list[float]:
    """Heights between two discs at which a disc is missing: near even division, where least vertebra lies."""
    bodies = round((upper - lower) / level_height) if upper - lower > SECOND_BODY_RATIO * level_height else 1
    step = (upper - lower) / bodies
    return [_best_cut(axis, cost, lower + number * step, CUT_SEARCH_SHARE * step) for number in range(1, bodies)]


def _best_cut(axis: Axis, cost: NDArray[np.float64], expected: float, reach: float) -> float:
    near = np.flatnonzero(np.abs(axis.height_mm - expected) <= reach)
    # The small slope keeps the cut at its expected place in a fused block, whose profile is flat.
    score = cost[near] + 0.2 * np.abs(axis.height_mm[near] - expected) / reach
    return float(axis.height_mm[near[np.argmin(score)]])


def _reach_mm(profile: NDArray[np.float64]) -> float:
    """How far bone reaches outward from an outer disc, gaps of up to a disc's height allowed."""
    bone = np.flatnonzero(profile >= BODY_SHARE)
    if len(bone) == 0 or bone[0] * CURVE_STEP_MM > 2 * TYPICAL_DISC_HEIGHT_MM:
        return 0.0
    breaks = np.flatnonzero(np.diff(bone) * CURVE_STEP_MM > 1.5 * TYPICAL_DISC_HEIGHT_MM)
    last = bone[breaks[0]] if len(breaks) else bone[-1]
    return float((last - bone[0] + 1) * CURVE_STEP_MM)


def _bodies_in(reach_mm: float, level_height: float, shortest_mm: float) -> int:
    """Number of vertebrae in a stretch of bone beyond the outermost disc."""
    if reach_mm < shortest_mm:
        return 0
    return max(1, round((reach_mm + TYPICAL_DISC_HEIGHT_MM) / level_height)) if reach_mm > 1.2 * level_height else 1


def _heights_of_bodies(axis: Axis, profile: NDArray[np.float64], level_height: float) -> list[float]:
    """Separators of a column without any disc: even division of the bone along the axis, moved to where least vertebra lies."""
    bone = axis.height_mm[profile >= BODY_SHARE]
    if len(bone) == 0 or bone[-1] - bone[0] < SHORTEST_OUTER_BODY_MM:
        return []
    bodies = max(1, round((bone[-1] - bone[0] + TYPICAL_DISC_HEIGHT_MM) / level_height))
    half = TYPICAL_DISC_HEIGHT_MM / 2
    lower, upper = float(bone[0]) - half, float(bone[-1]) + half
    step = (upper - lower) / bodies
    cuts = [_best_cut(axis, profile, lower + number * step, CUT_SEARCH_SHARE * step) for number in range(1, bodies)]
    return [lower, *cuts, upper]


def _body_line(classes: NDArray[np.uint8], spacing_mm: NDArray[np.float64]) -> Axis | None:
    """Axis through the vertebra voxels in front of the canal, for a class map without discs; None without vertebra."""
    vertebra = classes == Structure.VERTEBRA
    canal = canal_by_row(classes == Structure.CANAL, spacing_mm)
    rows = np.arange(len(canal))
    if np.isfinite(canal[:, 1]).any():
        known = np.isfinite(canal[:, 1])
        before = np.interp(rows, rows[known], canal[known, 1])[:, None] - np.arange(classes.shape[2]) * spacing_mm[2]
        vertebra = vertebra & (before >= BODY_BEFORE_CANAL_MM[0]) & (before <= BODY_BEFORE_CANAL_MM[1])
    if not vertebra.any():
        return None
    size = max(1, round(BODY_LINE_SMOOTHING_MM / spacing_mm[1]))
    counts = vertebra.sum(axis=(0, 2)).astype(float)
    centre = canal_by_row(vertebra, spacing_mm)
    weight = ndimage.uniform_filter1d(counts, size)
    smooth = [ndimage.uniform_filter1d(np.nan_to_num(centre[:, axis]) * counts, size) / np.maximum(weight, 1e-6) for axis in (0, 1)]
    used = np.flatnonzero(counts > 0)
    picked = np.unique(np.linspace(used[0], used[-1], max(2, round((used[-1] - used[0]) / size))).astype(int))[::-1]
    picked = picked[weight[picked] > 0]
    points = np.stack([smooth[0][picked], picked * spacing_mm[1], smooth[1][picked]], axis=1)
    if len(points) == 1:
        return axis_through(points, UP, UP)
    ends = np.diff(points, axis=0)[[0, -1]]
    ends /= np.linalg.norm(ends, axis=1, keepdims=True)
    return axis_through(points, ends[0], ends[1])
