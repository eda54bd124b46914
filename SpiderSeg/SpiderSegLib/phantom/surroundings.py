"""Everything around the column and the sac: air, skin, fat, back muscle, ligaments, psoas, vessels and abdomen.

It varies slowly from slice to slice, so it is evaluated once a voxel; the column is painted over it at finer steps.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import PchipInterpolator
from scipy.ndimage import gaussian_filter1d

from SpiderSegLib.phantom.column import Column, build_column
from SpiderSegLib.phantom.shapes import Array, Texture, coverage
from SpiderSegLib.phantom.tissue import TissueSignals

#: Edges of soft tissue are about a pixel wide.
EDGE_MM = 1.2

ABDOMEN_DEPTH_MM = 142.0
BODY_HALF_WIDTH_MM = 165.0

_STEP_MM = 0.5
_HEIGHTS = np.arange(-320.0, 460.0, _STEP_MM)

#: Thickness of the fat behind the fascia, by height (S): thin over the thorax, thick over the sacrum.
_BACK_FAT_MM = ((-250, 26), (-170, 33), (-120, 30), (-60, 24), (0, 17), (70, 12), (140, 9), (400, 8))


@dataclass(frozen=True)
class Profiles:
    """P of the column's front, of the laminae's back, of the fascia over the spinous processes and of the skin, by height (S)."""

    front_mm: NDArray[np.float32]
    lamina_mm: NDArray[np.float32]
    fascia_mm: NDArray[np.float32]
    skin_mm: NDArray[np.float32]

    @staticmethod
    def at(values: NDArray[np.float32], z: Array) -> Array:
        """A profile at heights z, constant beyond its ends."""
        position = np.clip((z - np.float32(_HEIGHTS[0])) / np.float32(_STEP_MM), 0, len(values) - 1)
        return np.asarray(values[position.astype(np.int32)], dtype=np.float32)


@lru_cache(maxsize=3)
def build_profiles(variant: str) -> Profiles:
    """Profiles drawn through the fronts, laminae and spinous tips of a variant's column."""
    column = build_column(variant)
    front = [level.frame.to_ps(-level.shape.depth_mm / 2, 0) for level in column.levels]
    lamina = [level.frame.to_ps(level.shape.posterior_wall_mm + 19, -5) for level in column.levels]
    front += [segment.frame.to_ps(-segment.depth_top_mm / 2, 0) for segment in column.sacrum]
    lamina += [segment.frame.to_ps(segment.depth_top_mm / 2 + 13, 0) for segment in column.sacrum]
    fascia = _profile(_fascia_points(column), 24)
    thickness = np.interp(_HEIGHTS, [height for height, _ in _BACK_FAT_MM], [fat for _, fat in _BACK_FAT_MM])
    skin = gaussian_filter1d(fascia.astype(float) + thickness, 20)
    return Profiles(_profile(front, 8), _profile(lamina, 8), fascia, skin.astype(np.float32))


def paint_surroundings(x: Array, y: Array, z: Array, variant: str, tissue: TissueSignals, texture: Texture) -> tuple[Array, Array]:
    """Signal without column and sac at LPS positions, and the depth below the skin of the back in mm (negative in air)."""
    profiles = build_profiles(variant)
    skin = profiles.at(profiles.skin_mm, z) - np.float32(0.0016) * x * x
    depth = skin - y
    fascia = profiles.at(profiles.fascia_mm, z) + np.minimum(x * x * np.float32(0.012), 4) - np.float32(0.0022) * x * x
    front = profiles.at(profiles.front_mm, z)
    fine = texture.at(x, y, z, (9.0, 5.0, 5.0))
    signal = np.float32(tissue.fat) * (np.float32(0.94) + np.float32(0.05) * fine)
    signal = _paint(signal, coverage(y - fascia, EDGE_MM), _back_muscle(x, y, z, profiles, tissue, texture, fine))
    # Beside the bodies fat reaches back to the transverse processes.
    behind = (front + 4 + 32 * np.clip((np.abs(x) - 22) / 14, 0, 1)).astype(np.float32)
    signal = _paint(signal, coverage(y - behind, 4), _abdomen(x, y, z, front, tissue, texture, fine))
    signal = _paint(signal, _psoas(x, y, z, front), tissue.muscle * (1 + np.float32(0.12) * fine))
    signal = _paint_vessels(signal, x, y, z, profiles, tissue)
    belly = y + np.float32(ABDOMEN_DEPTH_MM) - np.float32(0.002) * x * x - 12 * np.sin(z * np.float32(0.018))
    signal = _abdominal_wall(signal, belly, tissue, fine)
    outside = np.maximum(np.maximum(-depth, -belly), np.abs(x) - np.float32(BODY_HALF_WIDTH_MM))
    signal = _paint(signal, coverage(np.abs(outside + 1.2) - 1.0, EDGE_MM), tissue.skin)
    return np.asarray(signal * coverage(outside, EDGE_MM), dtype=np.float32), depth


def _paint(under: Array, share: Array, value: Array | float) -> Array:
    return np.asarray(under + share * (value - under), dtype=np.float32)


def _back_muscle(x: Array, y: Array, z: Array, profiles: Profiles, tissue: TissueSignals, texture: Texture, fine: Array) -> Array:
    """Muscle with fatty streaks along its fibres, more of them low down and near the laminae; ligaments in the midline."""
    streaks = texture.at(x, y - np.float32(0.25) * z, z, (10.0, 5.5, 48.0))
    lower = np.clip((np.float32(20) - z) / 130, 0, 1)
    behind_lamina = y - profiles.at(profiles.lamina_mm, z)
    deep = np.exp(-((behind_lamina / 16) ** 2))
    fatty = np.clip((streaks - np.float32(1.25) + lower * np.float32(0.9) + deep * np.float32(0.35)) * np.float32(1.1), 0, 0.85)
    muscle = tissue.muscle * (1 + np.float32(0.15) * fine) + fatty * np.float32(tissue.fat * 0.85 - tissue.muscle)
    midline = np.exp(-((x / 3.4) ** 4)) * np.clip(behind_lamina / 3, 0, 1)
    stripes = texture.at(x, y * np.float32(0.9) + z * np.float32(0.5), z, (12.0, 16.0, 7.0))
    between = np.clip(np.float32(0.42) + np.float32(0.42) * stripes, 0, 1)
    ligament = tissue.ligament + between * np.float32(0.75 * tissue.fat + 0.1 * tissue.fluid - tissue.ligament)
    painted = _paint(muscle, midline, ligament)
    supraspinous = np.exp(-((x / 6) ** 2)) * coverage(np.abs(y - profiles.at(profiles.fascia_mm, z) + 1.6) - 1.3, EDGE_MM)
    return _paint(painted, supraspinous, tissue.ligament)


def _abdomen(x: Array, y: Array, z: Array, front: Array, tissue: TissueSignals, texture: Texture, fine: Array) -> Array:
    """Fat with bowel loops of differing content; the liver above, the pelvic organs below."""
    shape = texture.at(x, y, z, (48.0, 44.0, 38.0))
    content = texture.at(x + 400, y, z, (70.0, 60.0, 60.0))
    ahead = front - y
    loops = coverage((np.float32(0.15) - shape) * 12 + np.maximum(14 - ahead, 0) * np.float32(0.8), 3.5)
    inside = tissue.bowel + (tissue.bowel_content - tissue.bowel) * np.clip(content * 2 + np.float32(0.3), -0.4, 1)
    fat = np.float32(tissue.fat) * (np.float32(0.68) + np.float32(0.06) * fine)
    abdomen = _paint(fat, loops, inside * (1 + np.float32(0.10) * fine))
    wall = np.exp(-(((np.float32(0.15) - shape) / np.float32(0.12)) ** 2)) * np.clip((ahead - 14) / 8, 0, 1)
    abdomen = _paint(abdomen, wall * np.float32(0.5), tissue.bowel * 0.8)
    liver = coverage((np.float32(62) - z) - np.float32(0.25) * (y + 40) + np.maximum(34 - ahead, 0) * 2, 4)
    return _paint(abdomen, liver, tissue.organ * (1 + np.float32(0.05) * fine))


def _psoas(x: Array, y: Array, z: Array, front: Array) -> Array:
    """Share of the two psoas muscles: beside the bodies from L1 down, thickening and moving forward and outward."""
    down = np.clip((np.float32(62) - z) / 150, 0, 1)
    radius = 5 + 15 * np.sqrt(down)
    aside = np.abs(x) - (np.float32(25) + 20 * down)
    behind = y - front - np.float32(20) + 34 * down**2
    return coverage(np.sqrt(aside * aside * np.float32(1.5) + behind * behind) - radius, EDGE_MM) * (z < 62)


def _paint_vessels(signal: Array, x: Array, y: Array, z: Array, profiles: Profiles, tissue: TissueSignals) -> Array:
    """Aorta left and vena cava right of the midline with flow voids; below L4 they part into the iliac vessels."""
    front = profiles.at(profiles.front_mm, np.maximum(z, -60))
    below = np.maximum(np.float32(-36) - z, 0)
    fork = below * below / (below + 18)
    for start, spread, radius, gap in ((7.0, 0.75, 8.5, 12.5), (-15.0, -0.55, 9.5, 11.5)):
        size = radius - np.minimum(fork * np.float32(0.09), 3.5)
        distance = np.sqrt((x - start - spread * fork) ** 2 + ((y - front + gap - np.float32(0.25) * fork) * np.float32(1.05)) ** 2) - size
        signal = _paint(signal, coverage(np.abs(distance) - 1.0, EDGE_MM) * np.float32(0.8), tissue.muscle)
        signal = _paint(signal, coverage(distance + 0.8, 2.0), tissue.vessel)
    ligament = coverage(np.abs(y - profiles.at(profiles.front_mm, z) - np.float32(0.016) * x * x + 0.4) - 0.9, EDGE_MM) * (np.abs(x) < 11) * (z > -95)
    return _paint(signal, ligament, tissue.ligament)


def _abdominal_wall(signal: Array, belly: Array, tissue: TissueSignals, fine: Array) -> Array:
    signal = _paint(signal, coverage(belly - 30, 2.0), tissue.muscle * (1 + np.float32(0.1) * fine))
    return _paint(signal, coverage(belly - 19, 2.0), tissue.fat * (np.float32(0.92) + np.float32(0.05) * fine))


def _fascia_points(column: Column) -> list[tuple[float, float]]:
    """Tips of the spinous processes and of the median sacral crest."""
    points = []
    for level in column.levels:
        shape = level.shape
        drop = shape.spinous_length_mm * np.sin(np.radians(shape.spinous_slope_deg))
        points.append(level.frame.to_ps(shape.posterior_wall_mm + 24.5 + shape.spinous_length_mm * 0.97, -0.3 * shape.height_mm - drop))
    return points + [segment.frame.to_ps(segment.depth_top_mm / 2 + 22, 0) for segment in column.sacrum]


def _profile(points: list[tuple[float, float]], smoothing: float) -> NDArray[np.float32]:
    """P by height through points (P, S), smoothed; the lowest and highest values go on beyond the ends."""
    by_height = sorted((s, p) for p, s in points)
    kept = [by_height[0]]
    for point in by_height[1:]:
        if point[0] > kept[-1][0] + 2:
            kept.append(point)
    s, p = np.array(kept).T
    values = PchipInterpolator(s, p)(np.clip(_HEIGHTS, s[0], s[-1]))
    return np.asarray(gaussian_filter1d(values, smoothing, mode="nearest"), dtype=np.float32)
