"""Signed distances of vertebrae, discs and sacral segments in their own frames (x left, a posterior, u up; mm)."""

from __future__ import annotations

import math

import numpy as np

from SpiderSegLib.phantom.column import SacralSegment, VertebraShape
from SpiderSegLib.phantom.shapes import Array, capsule, ellipsoid, rounded_box, smooth_max, smooth_min, superellipse

#: How deep the endplates are hollowed in the middle; the lower one of a vertebra is the deeper.
UPPER_ENDPLATE_DEPTH_MM = 1.2
LOWER_ENDPLATE_DEPTH_MM = 2.0

#: Cartilage endplate: what lies between the bone and the disc and belongs to neither.
ENDPLATE_GAP_MM = 0.5

Local = tuple[Array, Array, Array]


def body_distance(shape: VertebraShape, local: Local) -> Array:
    """Vertebral body: wedge with hollowed endplates, a waist, an oval front and a flat back."""
    x, a, u = local
    half_x, half_a = shape.width_mm / 2, shape.depth_mm / 2
    half_u = np.float32(shape.height_mm / 2) - a * np.float32(math.tan(math.radians(shape.wedge_deg / 2)))
    hollow = _hollow(x / np.float32(half_x), a / np.float32(half_a))
    ends = np.maximum(u - half_u + UPPER_ENDPLATE_DEPTH_MM * hollow, -u - half_u + LOWER_ENDPLATE_DEPTH_MM * hollow)
    waist = np.float32(1) - np.float32(0.075) * np.clip(1 - (u / half_u) ** 2, 0, 1)
    return smooth_max(ends, _walls(shape, x, a, waist), 2.2)


def posterior_elements_distance(shape: VertebraShape, local: Local) -> Array:
    """Pedicles, articular processes, laminae, transverse and spinous processes as one shape."""
    x, a, u = local
    side = np.abs(x)
    scale = shape.depth_mm / 35
    back, canal, height = shape.posterior_wall_mm, shape.canal_half_width_mm, shape.height_mm
    r = scale * (1.15 if shape.width_mm > 50 else 0.85 if shape.is_thoracic else 1.0)
    sunk = (side, a, u * np.float32(0.62))
    pedicle = capsule(sunk, (canal + 4.3 * r, back - 5, 0.12 * height), (canal + 4.6 * r, back + 11, 0.10 * height), (4.3 * r, 4.3 * r))
    pillar = (canal + 4.4 * r, back + 12.5 * scale, 0.16 * height)
    upper = capsule((side, a, u), pillar, (canal + 6.2 * r, back + 14.5 * scale, 0.62 * height), (4.4 * r, 3.1 * r))
    lower = capsule((side, a, u), pillar, (canal + 0.4, back + 20.0 * scale, -0.88 * height), (4.6 * r, 3.4 * r))
    processes = smooth_min(smooth_min(upper, lower, 3), pedicle, 4)
    arch = smooth_min(_lamina(shape, side, a, u, scale), _spinous(shape, x, a, u, scale), 3)
    distance = smooth_min(processes, arch, 3)
    reach = (shape.transverse_reach_mm, back + (22 if shape.is_thoracic else 13), 0.24 * height)
    transverse = capsule((side, a, u), (canal + 6 * r, back + 9, 0.12 * height), reach, (3.8 * r, 2.4 * r))
    return smooth_min(distance, transverse, 3)


def posterior_bounds(shape: VertebraShape) -> tuple[tuple[float, float], tuple[float, float], tuple[float, float]]:
    """Box (x, a, u) that holds the whole vertebra with its posterior elements."""
    drop = shape.spinous_length_mm * math.sin(math.radians(shape.spinous_slope_deg)) + shape.spinous_height_mm / 2 + 9
    reach = max(shape.transverse_reach_mm, shape.width_mm / 2) + 5
    far = shape.posterior_wall_mm + 26 + shape.spinous_length_mm
    return (-reach, reach), (-shape.depth_mm / 2 - 3, far), (-max(drop, shape.height_mm + 4), 0.7 * shape.height_mm + 4)


def disc_distance(above: VertebraShape, half_height: Array, local: Local) -> Array:
    """Disc that fills the gap below `above`; `half_height` as `disc_half_height` gives it."""
    x, a, u = local
    hollow = _hollow(x / np.float32(above.width_mm / 2), a / np.float32(above.depth_mm / 2))
    upper = u - half_height - LOWER_ENDPLATE_DEPTH_MM * hollow
    lower = -u - half_height - UPPER_ENDPLATE_DEPTH_MM * hollow
    bulge = np.float32(1.0) + np.float32(0.03) * np.clip(1 - (u / (half_height + 1)) ** 2, 0, 1)
    return smooth_max(np.maximum(upper, lower) + np.float32(ENDPLATE_GAP_MM), _walls(above, x, a, bulge), 1.5)


def disc_half_height(above: VertebraShape, a: Array) -> Array:
    """Half the disc's height at a position from front to back, without the hollows of the endplates."""
    slope = math.tan(math.radians(above.disc_wedge_deg / 2))
    return np.asarray(np.maximum(np.float32(above.disc_height_mm / 2) - a * np.float32(slope), np.float32(1.2)), dtype=np.float32)


def sacral_distance(segment: SacralSegment, local: Local) -> Array:
    """One sacral segment with its lateral parts, which swing backward."""
    x, a, u = local
    t = np.clip(np.float32(0.5) - u / np.float32(segment.height_mm), 0, 1)
    depth = np.float32(segment.depth_top_mm) + t * np.float32(segment.depth_bottom_mm - segment.depth_top_mm)
    ends = np.abs(u) - np.float32(segment.height_mm / 2)
    swung = a - np.float32(0.006) * x * x
    half_a = depth / 2 * (1 - np.float32(0.35) * np.minimum(np.abs(x) / segment.wing_mm, 1))
    hourglass = 1 - np.float32(0.06) * np.clip(1 - (2 * u / segment.height_mm) ** 2, 0, 1)
    walls = np.maximum(np.abs(swung) - half_a * hourglass, np.abs(x) - np.float32(segment.wing_mm))
    return smooth_max(ends, walls, 2.0)


def sacral_roof_distance(segment: SacralSegment, local: Local) -> Array:
    """The bony roof of the sacral canal with the median crest."""
    x, a, u = local
    t = np.clip(np.float32(0.5) - u / np.float32(segment.height_mm), 0, 1)
    depth = np.float32(segment.depth_top_mm) + t * np.float32(segment.depth_bottom_mm - segment.depth_top_mm)
    behind = a - depth * np.float32(0.86) - np.float32(3.5)
    plate = rounded_box((x, behind + np.abs(x) * np.float32(0.45), u), (17, 2.2, segment.height_mm / 2 + 2), 2)
    tubercle = ellipsoid((x, behind, u), (0, 2.5, -1), (3.0, 5.5, segment.height_mm * 0.36))
    return smooth_min(plate, tubercle, 4)


def _hollow(x_ratio: Array, a_ratio: Array) -> Array:
    """1 in the middle of an endplate, 0 on its rim."""
    return np.asarray(np.clip(np.float32(1.15) - np.float32(1.5) * (x_ratio * x_ratio + a_ratio * a_ratio), 0, 1), dtype=np.float32)


def _walls(shape: VertebraShape, x: Array, a: Array, factor: Array) -> Array:
    half_x, half_a = shape.width_mm / 2, shape.depth_mm / 2
    oval = superellipse(x, a, half_x * factor, half_a * factor, 2.5)
    # The back is slightly hollow towards the canal, fuller at the pedicles.
    back = a - factor * np.float32(shape.posterior_wall_mm) - np.minimum((x / 13) ** 2, np.float32(1.2))
    return smooth_max(oval, back, 2.0)


def _lamina(shape: VertebraShape, side: Array, a: Array, u: Array, scale: float) -> Array:
    """Plate that leans backward as it goes down and meets its fellow in the midline."""
    back, canal = shape.posterior_wall_mm, shape.canal_half_width_mm
    middle = -0.22 * shape.height_mm
    leaning = a + (u - np.float32(middle)) * np.float32(0.3)
    long_u = np.float32(middle) + (u - np.float32(middle)) * np.float32(0.36 if shape.width_mm < 51 else 0.48)
    return capsule((side, leaning, long_u), (canal + 2, back + 15.5 * scale, middle), (0, back + 22.8 * scale, middle), (3.2 * scale, 3.2 * scale))


def _spinous(shape: VertebraShape, x: Array, a: Array, u: Array, scale: float) -> Array:
    """Hatchet in the midline that slopes down, thicker along its free border."""
    root_a, root_u = shape.posterior_wall_mm + 22 * scale, -0.30 * shape.height_mm
    slope = math.radians(shape.spinous_slope_deg)
    da, du = a - np.float32(root_a), u - np.float32(root_u)
    along = da * np.float32(math.cos(slope)) - du * np.float32(math.sin(slope))
    across = du * np.float32(math.cos(slope)) + da * np.float32(math.sin(slope))
    t = np.clip(along / shape.spinous_length_mm, 0, 1)
    half_u = shape.spinous_height_mm / 2 * (np.float32(0.7) + np.float32(0.3) * t * t)
    half_x = np.float32(2.7) + t * t * np.float32(1.3)
    middle = np.float32(shape.spinous_length_mm / 2)
    # Rounded as seen from the side first: a box with small edge radii all round looks sawn off.
    profile = rounded_box(
        (np.zeros_like(x), along - middle, across / half_u * np.float32(shape.spinous_height_mm / 2)),
        (9, shape.spinous_length_mm / 2, shape.spinous_height_mm / 2),
        0.36 * shape.spinous_height_mm,
    )
    return smooth_max(profile, np.abs(x) - half_x, 3.0)
