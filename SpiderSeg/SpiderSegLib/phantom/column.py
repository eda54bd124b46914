"""The bony column as numbers: which levels a variant has, their sizes, and where each stands.

Positions are LPS millimetres; the column lies in the plane L = 0 with L3 of the normal variant near the origin. A frame's own
axes are (x, a, u): to the left, posteriorly along the endplate, and up the column.
Sizes follow published lumbar morphometry (Panjabi et al. 1992, Zhou et al. 2000), rounded.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields, replace
from functools import lru_cache

import numpy as np

from SpiderSegLib.phantom.shapes import Array

#: Slope of the upper endplate of S1 against the horizontal, and the lordosis between L1 and S1, lying supine.
SACRAL_SLOPE_DEG = 38.0
LUMBAR_LORDOSIS_DEG = 50.0

#: Middle of the upper endplate of the sacrum (P, S): puts L3 of the normal variant at the origin.
SACRAL_ENDPLATE_PS_MM = (17.0, -85.0)

THORACIC_COUNT = 12


@dataclass(frozen=True)
class VertebraShape:
    """Sizes of one vertebra and of the disc below it, in mm and degrees; wedges are positive when taller in front."""

    height_mm: float
    depth_mm: float
    width_mm: float
    wedge_deg: float
    disc_height_mm: float
    disc_wedge_deg: float
    disc_brightness: float
    spinous_slope_deg: float
    spinous_length_mm: float
    spinous_height_mm: float
    transverse_reach_mm: float
    canal_half_width_mm: float
    is_thoracic: bool = False

    @property
    def posterior_wall_mm(self) -> float:
        """Where the back of the body lies along its own posterior axis; the wall is flatter than the front."""
        return 0.46 * self.depth_mm


_LUMBAR = {
    "L5": VertebraShape(26.0, 34.5, 51.0, 8.0, 8.0, 14.0, 0.55, 14.0, 19.0, 12.0, 43.0, 13.5),
    "L4": VertebraShape(26.5, 35.0, 50.0, 2.0, 8.6, 11.0, 0.75, 8.0, 26.0, 16.0, 41.0, 12.3),
    "L3": VertebraShape(27.0, 35.0, 48.0, 0.0, 7.6, 8.0, 1.0, 8.0, 29.0, 18.0, 45.0, 11.8),
    "L2": VertebraShape(26.0, 34.0, 45.5, -1.0, 6.6, 6.0, 1.0, 10.0, 29.0, 17.5, 41.0, 11.5),
    "L1": VertebraShape(25.0, 32.5, 43.5, -2.0, 5.5, 4.0, 0.95, 13.0, 28.0, 17.0, 36.0, 11.2),
}
_T12 = VertebraShape(23.5, 31.0, 41.0, -3.0, 4.4, 0.5, 0.9, 20.0, 26.0, 16.0, 24.0, 10.8, is_thoracic=True)
_T1 = VertebraShape(16.0, 17.0, 30.0, -3.0, 3.0, -1.0, 0.7, 42.0, 32.0, 10.0, 36.0, 10.0, is_thoracic=True)

#: Lumbar-type vertebrae of each variant from the lowest up, by the shape they take.
VARIANTS = {
    "normal": ("L5", "L4", "L3", "L2", "L1"),
    "lumbarized": ("L5", "L4", "L4", "L3", "L2", "L1"),
    "four_lumbar": ("L5", "L3", "L2", "L1"),
}


@dataclass(frozen=True)
class Frame:
    """A place on the column: centre (P, S) in mm and the tilt of its up axis, positive when it leans forward."""

    p_mm: float
    s_mm: float
    tilt_deg: float

    def local(self, x: Array, y: Array, z: Array) -> tuple[Array, Array, Array]:
        """LPS coordinates in this frame's axes (x, a, u)."""
        cos, sin = (np.float32(f(math.radians(self.tilt_deg))) for f in (math.cos, math.sin))
        dy, dz = y - np.float32(self.p_mm), z - np.float32(self.s_mm)
        return x, dy * cos + dz * sin, dz * cos - dy * sin

    def to_ps(self, a_mm: float, u_mm: float) -> tuple[float, float]:
        """(P, S) of a point given in this frame's axes."""
        cos, sin = math.cos(math.radians(self.tilt_deg)), math.sin(math.radians(self.tilt_deg))
        return self.p_mm + a_mm * cos - u_mm * sin, self.s_mm + a_mm * sin + u_mm * cos

    def step(self, height_mm: float, wedge_deg: float, direction: int = 1) -> tuple[Frame, Frame]:
        """Frames of the middle and the far end of a wedge that stands on this one (direction 1) or hangs from it (-1)."""
        tilt_middle, tilt_end = (self.tilt_deg - direction * wedge_deg * f for f in (0.5, 1.0))
        place = Frame(self.p_mm, self.s_mm, tilt_middle)
        middle = place.to_ps(0, direction * height_mm / 2)
        end = place.to_ps(0, direction * height_mm)
        return Frame(*middle, tilt_middle), Frame(*end, tilt_end)


@dataclass(frozen=True)
class Level:
    """Vertebra `number` (1 = lowest lumbar) with its shape and frame, and the frame of the disc below it."""

    number: int
    shape: VertebraShape
    frame: Frame
    disc_frame: Frame


@dataclass(frozen=True)
class SacralSegment:
    """One segment of the sacrum, S1 first: sizes in mm, `wing_mm` the half width of its lateral parts, `gap_mm` the disc above."""

    height_mm: float
    depth_top_mm: float
    depth_bottom_mm: float
    wing_mm: float
    gap_mm: float
    frame: Frame


@dataclass(frozen=True)
class Column:
    """Levels from the lowest lumbar vertebra up to T1, and the sacrum from its uppermost segment down."""

    levels: tuple[Level, ...]
    sacrum: tuple[SacralSegment, ...]
    lumbar_count: int


@lru_cache(maxsize=len(VARIANTS))
def build_column(variant: str) -> Column:
    """Stacks the levels of a variant upward from the sacrum, which stands at the same place in every variant."""
    names = VARIANTS[variant]
    shapes = [_LUMBAR[name] for name in names] + [_thoracic(n) for n in range(THORACIC_COUNT, 0, -1)]
    lumbar = shapes[: len(names)]
    # More or fewer lumbar levels share the same lordosis; a sixth level must not bend the spine backward.
    bend = LUMBAR_LORDOSIS_DEG / sum(s.wedge_deg + s.disc_wedge_deg for s in lumbar)
    here = Frame(*SACRAL_ENDPLATE_PS_MM, SACRAL_SLOPE_DEG)
    levels = []
    for number, shape in enumerate(shapes, start=1):
        factor = 1.0 if shape.is_thoracic else bend
        disc, here = here.step(shape.disc_height_mm, shape.disc_wedge_deg * factor)
        body, here = here.step(shape.height_mm, shape.wedge_deg * factor)
        levels.append(Level(number, replace(shape, wedge_deg=shape.wedge_deg * factor, disc_wedge_deg=shape.disc_wedge_deg * factor), body, disc))
    return Column(tuple(levels), _build_sacrum(4 if variant == "lumbarized" else 5), len(names))


def _thoracic(number: int) -> VertebraShape:
    """T1..T12 between the two tabulated ends."""
    t = (THORACIC_COUNT - number) / (THORACIC_COUNT - 1)
    sizes = [field.name for field in fields(VertebraShape) if field.name != "is_thoracic"]
    return replace(_T12, **{name: (1 - t) * getattr(_T12, name) + t * getattr(_T1, name) for name in sizes})


def _build_sacrum(count: int) -> tuple[SacralSegment, ...]:
    """Segments hung from the sacral endplate; wedges turn the sacrum first backward, then forward to the coccyx."""
    #        height, depth top, depth bottom, wing, gap above, wedge (positive turns the lower end backward)
    table = (
        (30.0, 34.0, 25.5, 50.0, 0.0, 8.0),
        (24.0, 25.0, 20.0, 44.0, 2.6, 3.0),
        (20.0, 19.5, 16.0, 36.0, 1.0, -14.0),
        (17.0, 15.5, 13.0, 27.0, 0.8, -24.0),
        (15.0, 12.5, 9.0, 18.0, 0.8, -26.0),
        (14.0, 8.0, 4.0, 7.0, 2.0, -22.0),
    )
    here = Frame(*SACRAL_ENDPLATE_PS_MM, SACRAL_SLOPE_DEG)
    segments = []
    for height, top, bottom, wing, gap, wedge in table[: count + 1]:
        _, here = here.step(gap, 0.0, direction=-1)
        middle, here = here.step(height, wedge, direction=-1)
        segments.append(SacralSegment(height, top, bottom, wing, gap, middle))
    return tuple(segments)
