"""The rigid transform between two comparable images by mutual information: a search over shifts, then finer and finer images.

Images are 3D or 2D, as `comparable` makes them; a transform maps a point of the fixed image to where the moving image shows the
same anatomy. One thread and a fixed seed throughout: the same input gives the same bits.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from SpiderSegLib.joint.comparable import BRIGHTEST, FINEST_SPACING_MM, coarser, on_grid_of

#: Spacing of the images that are searched over shifts, mm.
COARSE_SPACING_MM = 4.0

#: A shift is judged only where this share of the voxels still overlaps that do without a shift.
SMALLEST_OVERLAP_SHARE = 0.6

#: A shift of this length, about half a vertebra, must cost information.
FAR_SHIFT_MM = 12.0

#: Rotations are scaled by this radius, half the height of a lumbar field of view: a step then means about a millimetre for all parameters.
ROTATION_RADIUS_MM = 100.0

_BINS = 16
_ITK_BINS = 32
_SEED = 1


@dataclass(frozen=True)
class DescentStep:
    """One stage: spacing of the images, first and last step (mm), rounds over all parameters, voxels that are compared."""

    spacing_mm: float
    step_mm: float
    tolerance_mm: float
    rounds: int
    samples: int


#: Powell's line searches. ITK's regular-step gradient descent stopped up to 1.5 mm early at the ends of the spine.
DESCENT = (
    DescentStep(COARSE_SPACING_MM, 2.0, 0.1, 3, 15_000),
    DescentStep(2.0, 1.0, 0.05, 2, 15_000),
    DescentStep(FINEST_SPACING_MM, 0.5, 0.02, 1, 20_000),
)
_LINE_STEPS = 12


@dataclass(frozen=True)
class Landscape:
    """Mutual information (nats) at shifts of the fixed image by whole voxels, (n,) and (n, dimension) mm; NaN where too little overlaps.

    n_voxels: voxels that overlap without a shift.
    """

    information: NDArray[np.float64]
    shifts_mm: NDArray[np.float64]
    n_voxels: int

    @property
    def unshifted(self) -> float:
        return float(self.information[len(self.information) // 2])

    @property
    def best_shift_mm(self) -> NDArray[np.float64]:
        """The shift of the highest information; none where nothing overlaps."""
        if np.isnan(self.information).all():
            return np.zeros(self.shifts_mm.shape[1])
        return np.asarray(self.shifts_mm[int(np.nanargmax(self.information))])

    def beyond(self, distance_mm: float) -> float:
        """The highest information at shifts of at least `distance_mm`; NaN when none was judged."""
        far = self.information[np.linalg.norm(self.shifts_mm, axis=1) >= distance_mm]
        return float("nan") if np.isnan(far).all() else float(np.nanmax(far))


def information_landscape(
    fixed: sitk.Image, moving: sitk.Image, mask: sitk.Image, transform: sitk.Transform, reach_mm: tuple[float, ...] | None = None
) -> Landscape:
    """Mutual information over the mask for shifts, up to `reach_mm` along each of the fixed image's axes, made before the transform."""
    size, spacing = np.asarray(fixed.GetSize()), np.asarray(fixed.GetSpacing())
    reach = np.zeros(len(size), int) if reach_mm is None else np.floor(np.asarray(reach_mm) / spacing + 1e-6).astype(int)
    first = fixed.TransformContinuousIndexToPhysicalPoint((-reach).astype(float).tolist())
    padded = (size + 2 * reach).tolist()
    sampled = sitk.Resample(moving, padded, transform, sitk.sitkLinear, first, fixed.GetSpacing(), fixed.GetDirection(), -1.0)
    values = sitk.GetArrayViewFromImage(sampled)
    # One bin more for what lies outside the moving image's field of view.
    columns = np.where(values < 0, _BINS, _binned(values)).ravel()
    inside = np.nonzero(sitk.GetArrayViewFromImage(mask))
    rows = _binned(sitk.GetArrayViewFromImage(fixed))[inside] * (_BINS + 1)
    start = np.ravel_multi_index(inside, padded[::-1])
    steps = np.array(list(itertools.product(*(range(2 * int(n) + 1) for n in reach[::-1]))))
    offsets = np.ravel_multi_index(tuple(steps.T), padded[::-1])
    tables = np.stack([_joint_histogram(rows, columns[start + offset]) for offset in offsets])
    counts = tables.sum(axis=(1, 2))
    n_voxels = counts[len(counts) // 2]
    information = np.array([_information(table) for table in tables])
    information[counts < max(1.0, SMALLEST_OVERLAP_SHARE * n_voxels)] = np.nan
    direction = np.asarray(fixed.GetDirection()).reshape(len(size), len(size))
    return Landscape(information, ((steps[:, ::-1] - reach) * spacing) @ direction.T, int(n_voxels))


@dataclass(frozen=True)
class Match:
    """The transform found, the information (nats) without and with it, and how distinct it is.

    prominence: share of the information that every further shift of FAR_SHIFT_MM or more loses, at most 1; kept_share: voxels
    compared with the transform as a share of those without.
    """

    transform: sitk.Transform
    information_before: float
    information: float
    prominence: float
    kept_share: float


def match(fixed: sitk.Image, moving: sitk.Image, mask: sitk.Image, center_mm: NDArray[np.float64], reach_mm: tuple[float, ...]) -> Match:
    """Registers (see `register`) and says how well, against shifts up to `reach_mm` along the fixed image's axes."""
    still, moved = coarser(fixed, COARSE_SPACING_MM), coarser(moving, COARSE_SPACING_MM)
    region = on_grid_of(mask, still)
    before = information_landscape(still, moved, region, sitk.Transform(still.GetDimension(), sitk.sitkIdentity))
    transform = register(fixed, moving, mask, center_mm, reach_mm)
    after = information_landscape(still, moved, region, transform, reach_mm)
    # Where no shift could be judged nothing is distinct.
    elsewhere = float(np.nan_to_num(after.beyond(FAR_SHIFT_MM), nan=np.inf))
    prominence = 1 - max(0.0, elsewhere) / after.unshifted if after.unshifted > 0 and np.isfinite(elsewhere) else 0.0
    return Match(transform, before.unshifted, after.unshifted, prominence, after.n_voxels / max(1, before.n_voxels))


def register(fixed: sitk.Image, moving: sitk.Image, mask: sitk.Image, center_mm: NDArray[np.float64], reach_mm: tuple[float, ...]) -> sitk.Transform:
    """The Euler transform about `center_mm` of the most mutual information over the mask, from the best shift up to `reach_mm` on.

    Images come at FINEST_SPACING_MM, the mask on the fixed image's grid. Raises RuntimeError, as ITK does, when they stop overlapping.
    """
    transform = sitk.Euler3DTransform() if fixed.GetDimension() == 3 else sitk.Euler2DTransform()
    transform.SetCenter(center_mm.tolist())
    for index, step in enumerate(DESCENT):
        still, moved = coarser(fixed, step.spacing_mm), coarser(moving, step.spacing_mm)
        region = on_grid_of(mask, still)
        if index == 0:
            # Vertebrae repeat: a descent from no shift ended one vertebra off after a motion of half of one.
            landscape = information_landscape(still, moved, region, transform, reach_mm)
            transform.SetTranslation(landscape.best_shift_mm.tolist())
        _descend(still, moved, region, transform, step)
    return transform


def _descend(fixed: sitk.Image, moving: sitk.Image, mask: sitk.Image, transform: sitk.Transform, step: DescentStep) -> None:
    n_inside = max(1, int(np.count_nonzero(sitk.GetArrayViewFromImage(mask))))
    rotations = transform.GetNumberOfParameters() - transform.GetDimension()
    method = sitk.ImageRegistrationMethod()
    method.SetNumberOfThreads(1)
    method.SetMetricAsMattesMutualInformation(_ITK_BINS)
    # Regular sampling also moves each point a little off its voxel: else a shift by whole slices looks better than any other.
    method.SetMetricSamplingStrategy(method.REGULAR)
    method.SetMetricSamplingPercentage(min(1.0, step.samples / n_inside), _SEED)
    method.SetMetricFixedMask(mask)
    method.SetInterpolator(sitk.sitkLinear)
    # The search needs no gradients, and ITK's filters for them need four slices.
    method.MetricUseFixedImageGradientFilterOff()
    method.MetricUseMovingImageGradientFilterOff()
    method.SetOptimizerAsPowell(
        numberOfIterations=step.rounds,
        maximumLineIterations=_LINE_STEPS,
        stepLength=step.step_mm,
        stepTolerance=step.tolerance_mm,
        valueTolerance=1e-5,
    )
    method.SetOptimizerScales([ROTATION_RADIUS_MM] * rotations + [1.0] * transform.GetDimension())
    method.SetInitialTransform(transform, inPlace=True)
    method.Execute(fixed, moving)


def _binned(values: NDArray[np.float32]) -> NDArray[np.intp]:
    return np.clip(values * (_BINS / BRIGHTEST), 0, _BINS - 1).astype(np.intp)


def _joint_histogram(rows: NDArray[np.intp], columns: NDArray[np.intp]) -> NDArray[np.float64]:
    table = np.bincount(rows + columns, minlength=_BINS * (_BINS + 1)).reshape(_BINS, _BINS + 1)
    return table[:, :_BINS].astype(float)


def _information(table: NDArray[np.float64]) -> float:
    """Mutual information of a joint histogram, less what chance alone gives so few counts (Miller 1955)."""
    total = table.sum()
    if total == 0:
        return 0.0
    joint = table / total
    rows, columns = joint.sum(axis=1, keepdims=True), joint.sum(axis=0, keepdims=True)
    used = joint > 0
    by_chance = (np.count_nonzero(used) - np.count_nonzero(rows) - np.count_nonzero(columns) + 1) / (2 * total)
    return float((joint[used] * np.log(joint[used] / (rows * columns)[used])).sum() - by_chance)
