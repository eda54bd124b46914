"""The dural sac with cord, conus and roots: a tube behind the bodies that ends in the sacrum.

All of it is the SPIDER label 100, the whole lumen with what floats in it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import PchipInterpolator
from scipy.ndimage import gaussian_filter1d

from SpiderSegLib.phantom.column import Column, build_column
from SpiderSegLib.phantom.shapes import Array

#: Gap between the posterior wall and the sac: ligament and epidural veins.
ANTERIOR_EPIDURAL_MM = 1.4
CORD_RADIUS_AP_MM = 3.6
CORD_RADIUS_LR_MM = 4.6
CONUS_TAPER_MM = 32.0
ROOT_PAIRS = 8
ROOT_RADIUS_MM = 0.95

_STEP_MM = 0.5
_BOTTOM_MM, _TOP_MM = -260.0, 420.0


@dataclass(frozen=True)
class SacTable:
    """The sac by height: middle (P) and its slope dP/dS, half sizes; sampled every 0.5 mm from `bottom_mm` up."""

    middle_mm: NDArray[np.float32]
    slope: NDArray[np.float32]
    half_ap_mm: NDArray[np.float32]
    half_lr_mm: NDArray[np.float32]
    end_mm: float
    conus_mm: float
    root_exits_mm: tuple[float, ...]

    @staticmethod
    def at(values: NDArray[np.float32], z: Array) -> Array:
        """A column of the table at heights z, linear between its samples, constant beyond."""
        position = np.clip((z - np.float32(_BOTTOM_MM)) / np.float32(_STEP_MM), 0, len(values) - 1.001).astype(np.float32)
        index = position.astype(np.int32)
        low = values[index]
        return np.asarray(low + (position - index) * (values[index + 1] - low), dtype=np.float32)

    def cross_section(self, x: Array, y: Array, z: Array) -> tuple[Array, Array]:
        """Position in the sac as fractions of its half sizes (to the left, posteriorly); both 0 on its axis."""
        slope = self.at(self.slope, z)
        behind = (y - self.at(self.middle_mm, z)) / np.sqrt(1 + slope * slope)
        return x / self.at(self.half_lr_mm, z), behind / self.at(self.half_ap_mm, z)

    def distance(self, x: Array, y: Array, z: Array, left: Array, behind: Array) -> Array:
        """Signed distance in mm to the sac from `cross_section`; the tip in the sacrum is rounded."""
        radius = np.sqrt(left * left + behind * behind)
        size = np.sqrt(x * x + (behind * self.at(self.half_ap_mm, z)) ** 2) / np.maximum(radius, np.float32(1e-3))
        return np.asarray(np.maximum((radius - 1) * np.maximum(size, 3), np.float32(self.end_mm) - z), dtype=np.float32)

    def cord_fraction(self, z: Array) -> Array:
        """Size of the cord relative to its full section: 1 above the conus, 0 below its tip."""
        return np.asarray(np.clip((z - np.float32(self.conus_mm)) / np.float32(CONUS_TAPER_MM), 0, 1) ** np.float32(0.6), dtype=np.float32)


@lru_cache(maxsize=3)
def build_sac(variant: str) -> SacTable:
    """The sac of a variant, drawn through points behind each body, disc and sacral segment."""
    column = build_column(variant)
    s, p, half_ap, half_lr = _control_points(column)
    heights = np.arange(_BOTTOM_MM, _TOP_MM, _STEP_MM)
    middle = gaussian_filter1d(PchipInterpolator(s, p)(heights), 5.0 / _STEP_MM, mode="nearest")
    second = column.sacrum[1].frame
    end = second.to_ps(0, -2)[1]
    taper = np.sqrt(np.clip((heights - end) / 28, 0.02, 1))
    lumbar = column.levels[: column.lumbar_count]
    exits = [column.sacrum[1].frame.s_mm + 8, column.sacrum[0].frame.s_mm + 6] + [level.disc_frame.s_mm + 4 for level in lumbar]
    return SacTable(
        middle.astype(np.float32),
        np.gradient(middle, _STEP_MM).astype(np.float32),
        (PchipInterpolator(s, half_ap)(heights) * taper).astype(np.float32),
        (PchipInterpolator(s, half_lr)(heights) * taper).astype(np.float32),
        end,
        lumbar[-1].frame.s_mm - 8,
        tuple((exits * 2)[:ROOT_PAIRS]),
    )


def _control_points(column: Column) -> tuple[NDArray[np.float64], ...]:
    """S, P of the sac's middle and its half sizes at every body, disc and sacral segment, upward, and straight on beyond both ends."""
    rows = []
    for segment, at, half_ap, half_lr in zip(column.sacrum, (23.5, 15.5, 12.0, 9.5), (5.8, 4.6, 3.5, 2.5), (9.0, 7.0, 5.0, 3.0), strict=False):
        rows.append((*segment.frame.to_ps(at, 0), half_ap, half_lr))
    for level in column.levels:
        shape = level.shape
        half_ap, margin = (6.6, 2.6) if shape.is_thoracic else (7.2, 2.2)
        half_lr = shape.canal_half_width_mm - margin
        at = shape.posterior_wall_mm + ANTERIOR_EPIDURAL_MM + half_ap
        # The sac leaves the lowest disc behind: fat fills the corner in front of S1.
        gap, narrower = (2.5, 2.0) if level.number == 1 else (0.5, 0.4)
        rows.append((*level.disc_frame.to_ps(at + gap, 0), half_ap - 0.4, half_lr - narrower))
        rows.append((*level.frame.to_ps(at + 0.4, 0), half_ap + 0.3, half_lr))
    p, s, half_ap_mm, half_lr_mm = np.array(sorted(rows, key=lambda row: row[1])).T
    ends = np.array([_BOTTOM_MM, _TOP_MM])
    beyond = p[[0, -1]] + (ends - s[[0, -1]]) * (p[[2, -1]] - p[[0, -3]]) / (s[[2, -1]] - s[[0, -3]])
    s, p = np.r_[ends[0], s, ends[1]], np.r_[beyond[0], p, beyond[1]]
    return s, p, np.pad(half_ap_mm, 1, mode="edge"), np.pad(half_lr_mm, 1, mode="edge")


def root_darkening(sac: SacTable, x: Array, y: Array, z: Array, left: Array, behind: Array) -> Array:
    """How much of each position is nerve root, 0..1: roots leave the conus, sink to the back of the sac, then go to their exits."""
    half_lr, half_ap = sac.at(sac.half_lr_mm, z), sac.at(sac.half_ap_mm, z)
    start = sac.conus_mm + CONUS_TAPER_MM
    share = np.zeros_like(x)
    for pair, exit_mm in enumerate(sac.root_exits_mm):
        t = np.clip((np.float32(start) - z) / np.float32(start - exit_mm), 0, 1)
        alive = (z > exit_mm).astype(np.float32) * np.clip((np.float32(start) - z) / 6, 0, 1)
        resting = 0.03 + 0.075 * pair
        root_left = np.float32(0.25) + t * np.float32(resting - 0.25) + t**6 * np.float32(0.95 - resting)
        root_behind = (
            np.float32(0.15) + np.sin(np.float32(np.pi) * np.minimum(t * 1.2, 1)) * np.float32(0.55 - 0.09 * (pair % 4)) - t**6 * np.float32(0.4)
        )
        squared = ((np.abs(left) - root_left) * half_lr) ** 2 + ((behind - root_behind) * half_ap) ** 2
        share = np.maximum(share, alive * np.exp(squared * np.float32(-0.5 / ROOT_RADIUS_MM**2)))
    return np.asarray(share * np.float32(0.85), dtype=np.float32)
