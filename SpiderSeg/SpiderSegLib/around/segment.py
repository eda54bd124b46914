"""One missing or wrong vertebra or disc segmented at a click: the same for command line, Slicer and browser."""

from __future__ import annotations

from dataclasses import dataclass
from dataclasses import replace as replace_fields

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from SpiderSegLib.around.box import Point, Slices, box_around, input_position, restore_in_box
from SpiderSegLib.around.config import AroundConfig
from SpiderSegLib.around.plausibility import check_plausible
from SpiderSegLib.around.result import LocalResult
from SpiderSegLib.around.selection import Search, find_at_click
from SpiderSegLib.around.value import NewValue, check_free, derive_value
from SpiderSegLib.errors import GeometryError, LabelError
from SpiderSegLib.inference import DevicePlan, Predictor
from SpiderSegLib.io import check_intensities
from SpiderSegLib.labels import Structure, check_values, structure_of
from SpiderSegLib.preprocessing import prepare
from SpiderSegLib.stages import Stage, StageClock
from SpiderSegLib.volume import Geometry, Volume

SEGMENTABLE = (Structure.VERTEBRA, Structure.DISC)


def segment_around(
    volume: Volume,
    kept: Volume,
    point_lps_mm: Point,
    structure: Structure,
    predictor: Predictor,
    *,
    replace: int | None = None,
    value: int | None = None,
    config: AroundConfig = AroundConfig(),  # noqa: B008 - frozen
    clock: StageClock | None = None,
) -> LocalResult:
    """Segments the vertebra or disc at a point of a series, beside the labels of a labelmap, none of which it overwrites.

    kept: SPIDER values on the grid of `volume`. replace: a value of it whose voxels are free to be taken; nothing of the old label
    stays, and the new component gets its value. value: the new component's value where neither that nor its neighbours along the
    column shall decide. Raises NothingFound rather than draw what can't be the structure; GeometryError when the grids differ;
    LabelError for values outside the scheme, of another structure or in use, and when the value can't be told; InputError for a point
    outside the series; ImageReadError for intensities that can't be segmented; Cancelled on request.
    """
    clock = clock or StageClock()
    check_intensities(volume)
    labels = _labels_beside(kept, volume.geometry, structure, replace)
    if value is not None:
        check_free(value, labels, structure)
    position = input_position(volume.geometry, point_lps_mm)
    seen = _look(volume, position, predictor, clock)
    with clock.stage(Stage.NUMBER):
        k, j, i = np.rint(position).astype(int).tolist()
        found = find_at_click(seen.probabilities, Search(structure, (k, j, i), labels, volume.geometry, seen.region, config))
        check_plausible(found.mask, labels, volume.geometry, structure, seen.region)
        wished = value if value is not None else replace
        new = NewValue(wished) if wished is not None else derive_value(found, labels, structure)
    return LocalResult(
        mask=volume.with_array(found.mask),
        kept=replace_fields(volume.with_array(labels), name=kept.name),
        structure=structure,
        value=new.value,
        needs_shift=new.needs_shift,
        replaced=replace,
        point_lps_mm=point_lps_mm,
        center_lps_mm=_lps(np.argwhere(found.mask).mean(axis=0), volume.geometry),
        volume_mm3=float(np.count_nonzero(found.mask) * volume.geometry.voxel_volume_mm3),
        confidence=seen.confidence(found.mask, structure),
        threshold=found.threshold,
        box_start_ijk=_ijk([axis.start for axis in seen.region]),
        box_size_ijk=_ijk([axis.stop - axis.start for axis in seen.region]),
        checkpoint=predictor.checkpoint,
        plan=seen.plan,
        is_mirrored=seen.disagreement is not None,
        seconds=clock.seconds,
    )


def point_inside(labelmap: Volume, value: int) -> Point:
    """The point of a label furthest from its surface: of a vertebra in its body, where the centre of mass may lie in the canal.

    Raises LabelError when the labelmap has no such label.
    """
    mask = labelmap.array == value
    if not mask.any():
        raise LabelError(f"{labelmap.name or 'labelmap'}: holds no label {value}")
    box = ndimage.find_objects(mask.astype(np.uint8))[0]
    wide = tuple(slice(max(0, axis.start - 1), axis.stop + 1) for axis in box)
    # What leaves the field of view goes on there: a single slice is not one voxel deep.
    padded = np.pad(mask[wide], 1, mode="edge")
    depth = ndimage.distance_transform_edt(padded, sampling=labelmap.geometry.spacing_kji_mm)[1:-1, 1:-1, 1:-1]
    deepest = np.unravel_index(int(depth.argmax()), depth.shape)
    return _lps(np.add(deepest, [axis.start for axis in wide]), labelmap.geometry)


@dataclass(frozen=True)
class _Seen:
    """What the network sees in the box: probabilities (class, k, j, i) and disagreement (k, j, i) over the region of the input's grid."""

    region: Slices
    probabilities: NDArray[np.float32]
    disagreement: NDArray[np.float32] | None
    plan: DevicePlan

    def confidence(self, mask: NDArray[np.bool_], structure: Structure) -> float:
        """The structure's mean probability in a mask on the input's grid, less the mean disagreement of the mirrored runs, as of levels."""
        inside = mask[self.region]
        confidence = float(self.probabilities[structure][inside].mean())
        if self.disagreement is not None:
            confidence -= float(self.disagreement[inside].mean())
        return max(0.0, confidence)


def _look(volume: Volume, position_kji: NDArray[np.float64], predictor: Predictor, clock: StageClock) -> _Seen:
    with clock.stage(Stage.PREPROCESS):
        # The whole series is normalized, as in a whole run: the box alone may hold little of the body.
        prepared = prepare(volume, predictor.checkpoint.preprocessing)
        box = box_around(prepared, position_kji, predictor.checkpoint.model.roi_size_kji)
    with clock.stage(Stage.NETWORK):
        window = np.ascontiguousarray(prepared.array[box.working])
        prediction = predictor.predict(window, lambda share: clock.report(Stage.NETWORK, share), clock.is_cancelled)
    with clock.stage(Stage.RESAMPLE):
        probabilities = np.stack([restore_in_box(prepared, box, channel) for channel in prediction.probabilities])
        disagreement = None if prediction.disagreement is None else restore_in_box(prepared, box, prediction.disagreement)
    return _Seen(box.region, probabilities, disagreement, prediction.plan)


def _labels_beside(kept: Volume, geometry: Geometry, structure: Structure, replace: int | None) -> NDArray[np.uint8]:
    """The labels to keep, uint8, without the one that is replaced."""
    name = kept.name or "labelmap"
    if structure not in SEGMENTABLE:
        raise LabelError(f"expected a vertebra or a disc to segment at a point, found {structure.name.lower()}")
    if not kept.geometry.is_same_grid(geometry):
        raise GeometryError(f"{name}: expected a labelmap on the grid of the series ({_grid_text(geometry)}), found {_grid_text(kept.geometry)}")
    check_values(np.unique(kept.array), name)
    labels: NDArray[np.uint8] = kept.array.astype(np.uint8)
    if replace is None:
        return labels
    if structure_of(replace) is not structure:
        raise LabelError(f"expected the value of a {structure.name.lower()} to replace, found {replace}")
    if not (labels == replace).any():
        raise LabelError(f"{name}: holds no label {replace} to replace")
    labels[labels == replace] = 0
    return labels


def _grid_text(geometry: Geometry) -> str:
    size = "x".join(str(n) for n in geometry.size_ijk)
    spacing = "x".join(f"{mm:g}" for mm in geometry.spacing_ijk_mm)
    origin = ", ".join(f"{mm:g}" for mm in geometry.origin_lps_mm)
    return f"{size} voxels of {spacing} mm from {origin}, {geometry.orientation}"


def _lps(index_kji: NDArray[np.float64], geometry: Geometry) -> Point:
    x, y, z, _ = (geometry.affine_lps @ [*index_kji[::-1], 1.0]).tolist()
    return x, y, z


def _ijk(kji: list[int]) -> tuple[int, int, int]:
    k, j, i = kji
    return i, j, k
