"""Paints sac, sacrum, discs and vertebrae over the surroundings, and marks their SPIDER labels."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from SpiderSegLib.labels import DISC_OFFSET, SPINAL_CANAL
from SpiderSegLib.phantom import bones
from SpiderSegLib.phantom.canal import CORD_RADIUS_AP_MM, CORD_RADIUS_LR_MM, build_sac, root_darkening
from SpiderSegLib.phantom.column import Column, Frame, Level, SacralSegment, build_column
from SpiderSegLib.phantom.shapes import Array, Texture, capsule, coverage, ellipsoid, smooth_min
from SpiderSegLib.phantom.slab import Bounds, Region, Slab
from SpiderSegLib.phantom.tissue import TissueSignals

#: Cortical bone is this thick; the labels end a little inside its outer surface, as annotators draw them.
CORTEX_MM = 0.9
LABEL_INSET_MM = 0.25


@dataclass(frozen=True)
class Scene:
    """What is painted: the anatomy of a variant, the tissue signals of a sequence and the texture of a seed."""

    variant: str
    tissue: TissueSignals
    texture: Texture

    @property
    def column(self) -> Column:
        return build_column(self.variant)


def paint_column(slab: Slab, scene: Scene) -> None:
    """Epidural fat, sac, sacrum, discs and vertebrae, the later over the earlier."""
    _paint_sac(slab, scene)
    for segment in scene.column.sacrum:
        _paint_sacral_segment(slab, scene, segment)
    for level in scene.column.levels:
        _paint_disc(slab, scene, level)
    for level in scene.column.levels:
        _paint_vertebra(slab, scene, level)


def _paint_sac(slab: Slab, scene: Scene) -> None:
    sac, tissue = build_sac(scene.variant), scene.tissue
    for level_frame, bounds in _sac_boxes(scene.column):
        region = slab.region(level_frame, bounds)
        if region is None:
            continue
        x, y, z = slab.x[region], slab.y[region], slab.z[region]
        left, behind = sac.cross_section(x, y, z)
        distance = sac.distance(x, y, z, left, behind)
        # Fat lies mostly behind the sac and, thinly, beside it on the way out of the foramina.
        fat = np.sqrt((left / np.float32(1.5)) ** 2 + ((behind - np.float32(0.17)) / np.float32(1.47)) ** 2)
        slab.paint(region, coverage((fat - 1) * 8, 2.0), tissue.fat * 0.85)
        slab.paint(region, coverage(np.abs(distance - 0.5) - 0.4, slab.edge_mm), tissue.ligament)
        inside = coverage(distance, slab.edge_mm)
        slab.paint(region, inside, tissue.fluid)
        near = inside > 0
        content = np.zeros_like(x)
        content[near] = root_darkening(sac, x[near], y[near], z[near], left[near], behind[near])
        slab.paint(region, content * inside, tissue.root)
        thin = np.maximum(sac.cord_fraction(z), np.float32(0.02))
        off = (behind - np.float32(0.1)) * sac.at(sac.half_ap_mm, z)
        cord = np.sqrt((x / CORD_RADIUS_LR_MM) ** 2 + (off / CORD_RADIUS_AP_MM) ** 2) - thin
        slab.paint(region, coverage(cord * np.float32(CORD_RADIUS_AP_MM), 1.2) * (z > sac.conus_mm), tissue.cord)
        slab.mark(region, distance < 0, SPINAL_CANAL)


def _sac_boxes(column: Column) -> Iterator[tuple[Frame, Bounds]]:
    """Boxes along the column that together hold sac and epidural fat, without overlap in height."""
    frames = [level.frame for level in column.levels]
    edges = [column.sacrum[2].frame.s_mm - 12] + [(low.s_mm + high.s_mm) / 2 for low, high in itertools.pairwise(frames)]
    edges[1:1] = [column.sacrum[0].frame.s_mm]
    edges.append(frames[-1].s_mm + 60)
    centers = [column.sacrum[1].frame, *frames]
    for frame, low, high in zip(centers, edges[:-1], edges[1:], strict=True):
        yield Frame(frame.p_mm, 0.0, 0.0), ((-22, 22), (-20, 75), (low, high))


def _paint_sacral_segment(slab: Slab, scene: Scene, segment: SacralSegment) -> None:
    half = segment.height_mm / 2
    region = slab.region(segment.frame, ((-segment.wing_mm - 2, segment.wing_mm + 2), (-22, 36), (-half - 5, half + 5)))
    if region is None:
        return
    x, a, u = local = slab.local(region, segment.frame)
    disc = np.maximum(np.abs(u - np.float32(half + segment.gap_mm / 2)) - np.float32(segment.gap_mm / 2 + 0.6), np.abs(a) - segment.depth_top_mm / 2)
    if segment.gap_mm:
        slab.paint(region, coverage(np.maximum(disc, np.abs(x) - 14), slab.edge_mm), scene.tissue.annulus)
        core = np.maximum(disc + np.float32(0.25 * segment.gap_mm), np.abs(a) - np.float32(segment.depth_top_mm * 0.27))
        slab.paint(region, coverage(np.maximum(core, np.abs(x) - 9), 1.0) * (segment.gap_mm > 2), scene.tissue.nucleus * 0.7)
    _paint_bone(slab, scene, region, bones.sacral_distance(segment, local), mottle=0.11)
    if segment.depth_top_mm > 13:
        _paint_bone(slab, scene, region, bones.sacral_roof_distance(segment, local), mottle=0.11)
        # The sacral foramina, with fat and a root, beside the lower border of the segment.
        at = (17.0 - 0.12 * (34 - segment.depth_top_mm), 4.0, -half)
        side = (np.abs(x), a, u)
        slab.paint(region, coverage(ellipsoid(side, at, (4.5, 9, 6.5)), 1.5), scene.tissue.fat * 0.9)
        slab.paint(region, coverage(ellipsoid(side, at, (2.5, 3.2, 3.0)), 1.0), scene.tissue.root)


def _paint_disc(slab: Slab, scene: Scene, level: Level) -> None:
    shape, tissue = level.shape, scene.tissue
    reach_x, reach_a, reach_u = shape.width_mm / 2 + 3, shape.depth_mm / 2 + 3, shape.disc_height_mm / 2 + 8
    region = slab.region(level.disc_frame, ((-reach_x, reach_x), (-reach_a, reach_a), (-reach_u, reach_u)))
    if region is None:
        return
    x, a, u = local = slab.local(region, level.disc_frame)
    half = bones.disc_half_height(shape, a)
    distance = bones.disc_distance(shape, half, local)
    slab.paint(region, coverage(distance - 1.0, slab.edge_mm), tissue.ligament)
    slab.paint(region, coverage(distance, slab.edge_mm), tissue.annulus)
    grain = scene.texture.at(x, a, u, (8.0, 6.0, 4.0))
    core = np.sqrt((x / (0.36 * shape.width_mm)) ** 2 + ((a - 1.2) / (0.34 * shape.depth_mm)) ** 2 + (u / (half + np.float32(1.0))) ** 2)
    bright = tissue.annulus + shape.disc_brightness * (tissue.nucleus - tissue.annulus)
    slab.paint(region, coverage((core - 0.86) * 8, 4.0), bright * (1 + np.float32(0.12) * grain))
    cleft = np.exp(-((u / np.float32(1.0)) ** 2)) * coverage((core - 0.6) * 8, 3.0)
    slab.paint(region, cleft * np.float32(0.4), tissue.annulus)
    free = slab.labels[region] != SPINAL_CANAL
    slab.mark(region, (distance < -0.05) & free, DISC_OFFSET + level.number)


def _paint_vertebra(slab: Slab, scene: Scene, level: Level) -> None:
    shape, tissue = level.shape, scene.tissue
    region = slab.region(level.frame, bones.posterior_bounds(shape))
    if region is None:
        return
    x, a, u = local = slab.local(region, level.frame)
    if shape.is_thoracic:
        _paint_rib(slab, scene, level)
    back = shape.posterior_wall_mm
    root = (shape.canal_half_width_mm + 4.5, back + 6.0, -0.30 * shape.height_mm)
    side = (np.abs(x), a, u)
    slab.paint(region, coverage(ellipsoid(side, (root[0], root[1], -0.42 * shape.height_mm), (6, 5.5, 9)), 1.5), tissue.fat * 0.85)
    slab.paint(region, coverage(ellipsoid(side, root, (4, 3.0, 3.2)), 1.0), tissue.root)
    body, arch = bones.body_distance(shape, local), bones.posterior_elements_distance(shape, local)
    distance = smooth_min(body, arch, 3)
    _paint_bone(slab, scene, region, distance, mottle=0.08)
    # The basivertebral vein: a wedge that opens at the middle of the back wall.
    deep = np.float32(back) - a
    vein = np.maximum(np.maximum(np.abs(u) - 3.0 + deep * np.float32(0.28), np.abs(x) - 5.0), np.maximum(-deep - 0.5, deep - 9))
    slab.paint(region, coverage(vein, 1.5) * np.float32(0.8), tissue.vein)
    slab.mark(region, distance < -LABEL_INSET_MM, level.number)


def _paint_rib(slab: Slab, scene: Scene, level: Level) -> None:
    """Heads and necks of the ribs, which tell a thoracic from a lumbar vertebra; unlabelled."""
    shape = level.shape
    height = shape.height_mm
    region = slab.region(level.frame, ((-95, 95), (-20, 60), (-45, height)))
    if region is None:
        return
    x, a, u = slab.local(region, level.frame)
    start = (shape.width_mm / 2 + 2.5, shape.posterior_wall_mm - 3, 0.32 * height)
    bend = (46.0, shape.posterior_wall_mm + 24, -0.1 * height)
    rib = capsule((np.abs(x), a, u), start, bend, (4.2, 5.0))
    rib = np.minimum(rib, capsule((np.abs(x), a, u), bend, (88.0, shape.posterior_wall_mm + 12, -1.4 * height), (5.0, 5.0)))
    _paint_bone(slab, scene, region, rib, mottle=0.08)


def _paint_bone(slab: Slab, scene: Scene, region: Region, distance: Array, mottle: float) -> None:
    """Dark cortex with mottled marrow inside."""
    near = distance < 1.5
    grain = np.zeros_like(distance)
    grain[near] = scene.texture.at(slab.x[region][near], slab.y[region][near], slab.z[region][near], (9.0, 7.0, 7.0))
    slab.paint(region, coverage(distance - 0.2, slab.edge_mm), scene.tissue.cortex)
    slab.paint(region, coverage(distance + CORTEX_MM, 1.1), scene.tissue.marrow * (1 + np.float32(mottle) * grain))
