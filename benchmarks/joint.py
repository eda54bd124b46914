"""How well series of a patient are found to lie apart, and what labelmaps lose on the grid of another series.

Usage: python benchmarks/joint.py [--part motion|slices|labels] [--data DATA_FOLDER] [--volumes N] [--json FILE]
motion: T1 and T2 with known motion, thick slices: of the phantom and, with data, made from external/vb2 (1 mm, whole width); a T1-like
contrast with shading and texture of its own stands for the second series.
slices: real middle slices of T1, T2 and SPACE of the same patients (spider/midsagittal, spider/space_slabs), moved by known amounts, and
series of different patients. labels: SPACE masks (spider/masks_3d) on other grids and back, by several interpolations.
"""

from __future__ import annotations

import argparse
import itertools
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray
from scipy import ndimage

from SpiderSegLib.io import geometry_of, read_labelmap, read_volume, to_itk
from SpiderSegLib.joint import LARGEST_UNASKED_MM, RigidCheck, resample_labelmap, rigid_check
from SpiderSegLib.joint import world_resampling as resampling
from SpiderSegLib.labels import Structure, structure_of
from SpiderSegLib.phantom import PhantomConfig, default_geometry, make_phantom
from SpiderSegLib.volume import Geometry, Volume

#: Lengths of the shifts, mm. One of exactly the limit is measured, but neither answer is wrong.
SHIFTS_MM = (0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 5.0)
ROTATIONS_DEG = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0), (3.0, 0.0, 0.0), (0.0, 3.0, 0.0), (2.0, -1.0, 2.0))
AXES = {"across slices": 0, "front-back": 1, "head-feet": 2}

#: Patients with a middle slice and a SPACE slab that was not resized.
SLICE_PAIRS = (
    ("98_t1", "98_t2_SPACE"),
    ("142_t2", "142_t2_SPACE"),
    ("191_t2", "191_t2_SPACE"),
    ("200_t2", "200_t2_SPACE"),
    ("241_t1", "241_t2_SPACE"),
)


@dataclass(frozen=True)
class Trial:
    """One check of a known motion: what kind, how far the region truly moved at most, the error at its worst point."""

    source: str
    kind: str
    has_labelmap: bool
    true_mm: float
    found_mm: float
    error_mm: float
    is_reliable: bool
    seconds: float

    @property
    def is_missed(self) -> bool:
        """Allowed though it should not be."""
        return self.true_mm > LARGEST_UNASKED_MM + 1e-6 and self.found_mm <= LARGEST_UNASKED_MM and self.is_reliable

    @property
    def is_false_alarm(self) -> bool:
        return self.true_mm < LARGEST_UNASKED_MM - 1e-6 and (self.found_mm > LARGEST_UNASKED_MM or not self.is_reliable)


# Motion


def motions() -> Iterator[tuple[str, tuple[float, float, float], tuple[float, float, float]]]:
    """Kind, LPS shift (mm) and rotation (degrees) of every trial."""
    yield "none", (0.0, 0.0, 0.0), (0.0, 0.0, 0.0)
    for (kind, axis), length in itertools.product(AXES.items(), SHIFTS_MM):
        shift = [0.0, 0.0, 0.0]
        shift[axis] = length if axis != 2 else -length
        yield kind, (shift[0], shift[1], shift[2]), (0.0, 0.0, 0.0)
    for rotation in ROTATIONS_DEG:
        yield "rotation", (0.0, 0.0, 0.0), rotation


def rigid(center: NDArray[np.float64], shift: tuple[float, float, float], rotation_deg: tuple[float, float, float]) -> sitk.Euler3DTransform:
    transform = sitk.Euler3DTransform()
    transform.SetCenter(center.tolist())
    transform.SetRotation(*np.radians(rotation_deg).tolist())
    transform.SetTranslation(shift)
    return transform


def region_points(labelmap: Volume) -> NDArray[np.float64]:
    used = np.argwhere(labelmap.array > 0)[::300]
    affine = labelmap.geometry.affine_lps
    return used[:, ::-1] @ affine[:3, :3].T + affine[:3, 3]


def compared(source: str, kind: str, check: RigidCheck, transform: sitk.Transform, points: NDArray[np.float64], has_labelmap: bool) -> Trial:
    matrix = np.asarray(check.matrix_lps).reshape(4, 4)
    true = np.array([transform.TransformPoint(point.tolist()) for point in points])
    found = points @ matrix[:3, :3].T + matrix[:3, 3]
    return Trial(
        source,
        kind,
        has_labelmap,
        float(np.linalg.norm(true - points, axis=1).max()),
        check.largest_displacement_mm,
        float(np.linalg.norm(found - true, axis=1).max()),
        check.is_reliable,
        check.seconds,
    )


def phantom_trials() -> Iterator[Trial]:
    """T2 against a T1 with other noise and texture; the moved phantom is drawn anew, not interpolated."""
    geometry = default_geometry((400, 440, 15), (0.7, 0.7, 4.0))
    fixed = make_phantom(PhantomConfig("T2", seed=1), geometry)
    points = region_points(fixed.labelmap)
    for kind, shift, rotation in motions():
        transform = rigid(points.mean(axis=0), shift, rotation)
        moving = moved_phantom(PhantomConfig("T1", seed=2), geometry, transform)
        for labelmap in (fixed.labelmap, None):
            check = rigid_check(fixed.volume, moving, labelmap)
            yield compared("phantom", kind, check, transform, points, labelmap is not None)


def moved_phantom(config: PhantomConfig, geometry: Geometry, transform: sitk.Transform) -> Volume:
    """What a grid sees after the patient moved: what a grid moved the other way sees of a still patient."""
    back = transform.GetInverse()
    origin = np.asarray(back.TransformPoint(geometry.origin_lps_mm))
    axes = [back.TransformVector(axis.tolist(), geometry.origin_lps_mm) for axis in geometry.direction_matrix.T]
    moved = Geometry(geometry.size_ijk, geometry.spacing_ijk_mm, tuple(origin.tolist()), tuple(np.stack(axes, axis=1).ravel().tolist()))
    return replace(make_phantom(config, moved).volume, geometry=geometry)


def simulated_trials(data: Path, n_volumes: int) -> Iterator[Trial]:
    for path in sorted((data / "external" / "vb2" / "images").glob("*.mha"))[:n_volumes]:
        t2, bodies = read_volume(path), read_labelmap(data / "external" / "vb2" / "labels" / path.name)
        rng = np.random.default_rng(int(path.stem))
        t1 = like_t1(t2, bodies.array > 0, rng)
        points = region_points(bodies)
        center = points.mean(axis=0)
        geometry = centered(t2.geometry, (480, 480, 15), (0.6, 0.6, 4.4))
        fixed = acquired(t2, geometry, rigid(center, (0.0, 0.0, 0.0), (0.0, 0.0, 0.0)), rng)
        for kind, shift, rotation in motions():
            transform = rigid(center, shift, rotation)
            moving = acquired(t1, geometry, transform, rng)
            for labelmap in (bodies, None):
                yield compared("vb2", kind, rigid_check(fixed, moving, labelmap), transform, points, labelmap is not None)


def like_t1(t2: Volume, bodies: NDArray[np.bool_], rng: np.random.Generator) -> Volume:
    """Fluid dark, fat bright, marrow between; with shading and texture that the T2 does not have."""
    relative = np.clip(t2.array / (3.2 * np.median(t2.array[bodies])), 0, 1)
    tissue = np.interp(relative, (0, 0.12, 0.22, 0.33, 0.5, 0.7, 1), (0, 0.18, 0.3, 0.55, 0.62, 0.75, 1))
    fluid = np.interp(relative, (0, 0.12, 0.22, 0.33, 0.5, 0.7, 1), (0, 0.18, 0.28, 0.35, 0.35, 0.3, 0.28))
    closed = ndimage.binary_dilation(bodies, np.ones((1, 25, 1)))
    # i runs to the back: the 23 mm behind the bodies hold the canal.
    behind = ndimage.maximum_filter1d(closed, 24, axis=2, origin=11) & ~bodies
    in_canal = ndimage.gaussian_filter(behind.astype(np.float32), 1.5)
    shading = np.exp(0.18 * smooth(t2.array.shape, 40, rng))
    texture = 0.05 * smooth(t2.array.shape, 12, rng) * (relative > 0.05)
    return t2.with_array(np.clip((tissue * (1 - in_canal) + fluid * in_canal) * shading + texture, 0, None).astype(np.float32))


def smooth(shape: tuple[int, ...], sigma: float, rng: np.random.Generator) -> NDArray[np.float32]:
    """A smooth random field of unit deviation."""
    coarse = ndimage.gaussian_filter(rng.standard_normal([n // 8 + 2 for n in shape]), sigma / 8)
    field = ndimage.zoom(coarse, 8, order=1)[tuple(slice(0, n) for n in shape)]
    return (field / field.std()).astype(np.float32)


def centered(geometry: Geometry, size: tuple[int, int, int], spacing: tuple[float, float, float]) -> Geometry:
    """A grid around the middle of another one, along its axes."""
    middle = (geometry.affine_lps @ [*((np.asarray(geometry.size_ijk) - 1) / 2), 1])[:3]
    origin = middle - geometry.direction_matrix @ ((np.asarray(size) - 1) / 2 * spacing)
    return Geometry(size, spacing, tuple(origin.tolist()), geometry.direction)


def acquired(anatomy: Volume, geometry: Geometry, transform: sitk.Transform, rng: np.random.Generator) -> Volume:
    """Anatomy after a motion in slices of a grid, averaged over their thickness, with the noise of a magnitude image."""
    parts = 4
    fine = centered(
        geometry, (*geometry.size_ijk[:2], parts * geometry.size_ijk[2]), (*geometry.spacing_ijk_mm[:2], geometry.spacing_ijk_mm[2] / parts)
    )
    image = to_itk(anatomy.with_array(anatomy.array.astype(np.float32)))
    sampled = sitk.Resample(
        image, fine.size_ijk, transform.GetInverse(), sitk.sitkBSpline, fine.origin_lps_mm, fine.spacing_ijk_mm, fine.direction, 0.0
    )
    k, j, i = geometry.shape_kji
    array = sitk.GetArrayFromImage(sampled).reshape(k, parts, j, i).mean(axis=1)
    array = np.clip(array / np.percentile(array, 99), 0, None)
    noise = 0.02 * rng.standard_normal((2, *array.shape), dtype=np.float32)
    return Volume((800 * np.hypot(array + noise[0], noise[1])).astype(np.int16), geometry)


def print_trials(trials: list[Trial]) -> None:
    print("| series | region | motion | checks | error at the worst point, mm: root mean square | largest | > 2 mm missed | false alarms | s |")
    print("|---|---|---|---|---|---|---|---|---|")
    kinds = dict.fromkeys((trial.source, trial.has_labelmap, trial.kind) for trial in trials)
    for source, has_labelmap, kind in kinds:
        own = [trial for trial in trials if (trial.source, trial.has_labelmap, trial.kind) == (source, has_labelmap, kind)]
        error = np.array([trial.error_mm for trial in own])
        beyond = sum(trial.true_mm > LARGEST_UNASKED_MM + 1e-6 for trial in own)
        within = sum(trial.true_mm < LARGEST_UNASKED_MM - 1e-6 for trial in own)
        print(
            f"| {source} | {'spine' if has_labelmap else 'body'} | {kind} | {len(own)} | {np.sqrt(np.mean(error**2)):.2f} | {error.max():.2f} "
            f"| {sum(trial.is_missed for trial in own)} of {beyond} | {sum(trial.is_false_alarm for trial in own)} of {within} "
            f"| {np.median([trial.seconds for trial in own]):.1f} |"
        )


# Real slices


def slice_pairs(data: Path) -> dict[str, tuple[Volume, Volume, Volume]]:
    """Fixed series, moving series and the fixed one's labelmap by the pair's name."""
    folder = data / "spider"

    def middle(series: str) -> Volume:
        return replace(read_volume(folder / "midsagittal" / "images" / f"{series}.mha"), name=series)

    def mask(series: str) -> Volume:
        return read_labelmap(folder / "midsagittal" / "masks" / f"{series}.mha")

    pairs = {"96_t1 | 96_t2": (middle("96_t1"), middle("96_t2"), mask("96_t1"))}
    for series, space in SLICE_PAIRS:
        slab = replace(read_volume(folder / "space_slabs" / "images" / f"{space}.mha"), name=space)
        pairs[f"{series} | {space}"] = (middle(series), slab, mask(series))
    return pairs


def print_slices(pairs: dict[str, tuple[Volume, Volume, Volume]]) -> None:
    """How far pairs lie apart as stored, and how well further known shifts of them are found."""
    print("| pair | as stored, mm (origins are nominal) | information | prominence | error of further shifts, mm: root mean square | largest |")
    print("|---|---|---|---|---|---|")
    shifts = [shift for kind, shift, rotation in motions() if kind in ("front-back", "head-feet") for rotation in [rotation]]
    for name, (fixed, moving, labelmap) in pairs.items():
        stored = rigid_check(fixed, moving, labelmap)
        errors = []
        for shift in shifts:
            found = rigid_check(fixed, shifted(moving, shift), labelmap)
            errors.append(float(np.linalg.norm(np.subtract(found.translation_lps_mm, stored.translation_lps_mm) - shift)))
        print(
            f"| {name} | {stored.largest_displacement_mm:.1f} | {stored.information:.2f} | {stored.prominence:.2f} "
            f"| {np.sqrt(np.mean(np.square(errors))):.2f} | {max(errors):.2f} |"
        )
    strangers = [(a, b) for a, b in itertools.permutations(pairs, 2)]
    checks = [rigid_check(pairs[a][0], pairs[b][1], labelmap) for a, b in strangers for labelmap in (pairs[a][2], None)]
    reliable = [check for check in checks if check.is_reliable]
    allowed = [check for check in reliable if check.largest_displacement_mm <= LARGEST_UNASKED_MM]
    print(f"\n{len(checks)} pairs of different patients: {len(reliable)} called reliable, {len(allowed)} of them within {LARGEST_UNASKED_MM:g} mm")


def shifted(volume: Volume, shift_lps_mm: tuple[float, float, float]) -> Volume:
    x, y, z = np.add(volume.geometry.origin_lps_mm, shift_lps_mm).tolist()
    return replace(volume, geometry=replace(volume.geometry, origin_lps_mm=(x, y, z)))


# Labelmaps

Method = Callable[[Volume, Geometry], Volume]


def by_nearest(labelmap: Volume, onto: Geometry) -> Volume:
    image = to_itk(labelmap)
    sampled = sitk.Resample(
        image, onto.size_ijk, sitk.Transform(), sitk.sitkNearestNeighbor, onto.origin_lps_mm, onto.spacing_ijk_mm, onto.direction, 0
    )
    return Volume(sitk.GetArrayFromImage(sampled), geometry_of(sampled))


def with_threshold(thick_slices_mm: float, slices_to_average: float) -> Method:
    """The library's resampling with another choice between depths and shares."""

    def method(labelmap: Volume, onto: Geometry) -> Volume:
        kept = resampling.THICK_SLICES_MM, resampling.SLICES_TO_AVERAGE
        resampling.THICK_SLICES_MM, resampling.SLICES_TO_AVERAGE = thick_slices_mm, slices_to_average
        try:
            return resample_labelmap(labelmap, onto)
        finally:
            resampling.THICK_SLICES_MM, resampling.SLICES_TO_AVERAGE = kept

    return method


METHODS: dict[str, Method] = {
    "nearest": by_nearest,
    "shares (linear)": with_threshold(np.inf, 0.0),
    "depths (signed distance)": with_threshold(0.0, np.inf),
    "chosen": resample_labelmap,
}


def other_grid(geometry: Geometry, slices_mm: float, in_plane_mm: float, beside_mm: float = 0.0, tilt_deg: float = 0.0) -> Geometry:
    """Slices of another thickness over the same field of view, moved along their normal and tilted."""
    across = 2 - geometry.slice_axis_kji
    spacing = np.full(3, in_plane_mm)
    spacing[across] = slices_mm
    size = np.maximum(1, np.floor(np.asarray(geometry.size_ijk) * geometry.spacing_ijk_mm / spacing)).astype(int)
    turn = sitk.Euler3DTransform()
    turn.SetRotation(*np.radians((tilt_deg / 2, tilt_deg, tilt_deg)).tolist())
    direction = np.asarray(turn.GetMatrix()).reshape(3, 3) @ geometry.direction_matrix
    middle = (geometry.affine_lps @ [*((np.asarray(geometry.size_ijk) - 1) / 2), 1])[:3] + direction[:, across] * beside_mm
    origin = middle - direction @ ((size - 1) / 2 * spacing)
    i, j, k = size.tolist()
    x, y, z = spacing.tolist()
    return Geometry((i, j, k), (x, y, z), tuple(origin.tolist()), tuple(direction.ravel().tolist()))


def instance_dice(found: Volume, reference: Volume) -> dict[Structure, float]:
    scores: dict[Structure, list[float]] = {}
    for value in np.unique(reference.array):
        if value:
            own, other = reference.array == value, found.array == value
            scores.setdefault(structure_of(int(value)), []).append(
                2 * np.count_nonzero(own & other) / (np.count_nonzero(own) + np.count_nonzero(other))
            )
    return {structure: float(np.mean(values)) for structure, values in scores.items()}


def print_labels(data: Path, n_volumes: int) -> None:
    """Mean Dice of instances; what a thick grid should show is the SPACE mask by shares, which nothing is lost in."""
    rows: dict[tuple[str, str], list[tuple[dict[Structure, float], float]]] = {}
    for path in sorted((data / "spider" / "masks_3d").glob("*SPACE.mha"))[:n_volumes]:
        mask = read_labelmap(path)
        space = Volume(mask.array.astype(np.uint8), mask.geometry)
        thick = resample_labelmap(space, other_grid(space.geometry, 4.0, 0.6))
        ways = [("SPACE -> 4 mm -> SPACE", thick, space)]
        for name, grid in (
            ("4 mm -> 4 mm, 1 mm beside", other_grid(space.geometry, 4.0, 0.6, beside_mm=1.0)),
            ("4 mm -> 4 mm, 2 mm beside", other_grid(space.geometry, 4.0, 0.6, beside_mm=2.0)),
            ("4 mm -> 3.3 mm, 5 degrees", other_grid(space.geometry, 3.3, 0.6, tilt_deg=5.0)),
        ):
            ways.append((name, thick, resample_labelmap(space, grid)))
        for (name, source, reference), (method_name, method) in itertools.product(ways, METHODS.items()):
            started = time.perf_counter()
            result = method(source, reference.geometry)
            rows.setdefault((name, method_name), []).append((instance_dice(result, reference), time.perf_counter() - started))
    print("| way | interpolation | vertebra | disc | canal | s |")
    print("|---|---|---|---|---|---|")
    for (name, method_name), scores in rows.items():
        means = " | ".join(
            f"{np.mean([dice[structure] for dice, _ in scores]):.3f}" for structure in (Structure.VERTEBRA, Structure.DISC, Structure.CANAL)
        )
        print(f"| {name} | {method_name} | {means} | {np.mean([seconds for _, seconds in scores]):.1f} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--part", choices=("motion", "slices", "labels"), default="motion")
    parser.add_argument("--data", type=Path)
    parser.add_argument("--volumes", type=int, default=4, help="volumes of each set")
    parser.add_argument("--json", type=Path, help="the trials of --part motion, one by one")
    arguments = parser.parse_args()
    if arguments.part != "motion" and arguments.data is None:
        parser.error("--data is needed for real slices and labels")
    if arguments.part == "labels":
        print_labels(arguments.data, arguments.volumes)
    elif arguments.part == "slices":
        print_slices(slice_pairs(arguments.data))
    else:
        trials = list(phantom_trials())
        if arguments.data is not None:
            trials += simulated_trials(arguments.data, arguments.volumes)
        print_trials(trials)
        if arguments.json is not None:
            arguments.json.write_text(json.dumps([trial.__dict__ for trial in trials], indent=1))


if __name__ == "__main__":
    main()
