"""Data lists and training cases: which series train, which validate, and their arrays on the training grid.

A data list is a MONAI/Decathlon JSON: {"training": [{"image", "label", "patient_id", "reference_kind"}, ..], "validation": [..]},
paths relative to the data's root. An entry without image is a complete mask over which images are synthesized.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from SpiderSegLib.errors import DatasetError, GeometryError, ImageReadError, LabelError
from SpiderSegLib.fingerprint import sha256_of
from SpiderSegLib.io import check_intensities, read_labelmap, read_volume
from SpiderSegLib.labels import Structure, to_classes
from SpiderSegLib.preprocessing import PreprocessingConfig, normalize, reorientation_to, resample, resample_classes
from SpiderSegLib.volume import Geometry, Volume

REFERENCE_KINDS = ("spider", "classes")

#: Training cases are kept this much finer than the working grid in plane, so that augmentation resamples only once more.
STORED_SPACING_SHARE = 0.8


@dataclass(frozen=True)
class DatasetItem:
    """One series of a data list; image is None for a mask that only serves synthesis."""

    label: Path
    patient_id: str
    reference_kind: str
    image: Path | None = None

    @property
    def name(self) -> str:
        """What messages call the series: the path of its image, or of its mask."""
        return str(self.image or self.label)


@dataclass(frozen=True)
class Datalist:
    """The patient split: training and validation share no patient."""

    training: tuple[DatasetItem, ...]
    validation: tuple[DatasetItem, ...]
    description: str = ""


@dataclass(frozen=True)
class TrainingCase:
    """A series on the training grid (k, j, i) in working orientation: normalized intensities (None: synthesize), classes, spacing."""

    name: str
    image: NDArray[np.float16] | None
    classes: NDArray[np.uint8]
    spacing_kji_mm: tuple[float, float, float]


def read_datalist(path: Path, root: Path, must_exist: bool = True) -> Datalist:
    """Reads a data list whose paths lie under `root`.

    Raises DatasetError when the JSON is malformed, a file is missing (where it must exist) or outside root, or a patient is in
    both splits.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DatasetError(f"{path}: expected a JSON data list: {error}") from error
    if not isinstance(content, dict):
        raise DatasetError(f'{path}: expected a JSON object with "training" and "validation"')
    lists = {name: content.get(name, []) for name in ("training", "validation")}
    if not all(isinstance(entries, list) for entries in lists.values()):
        raise DatasetError(f'{path}: expected lists of series as "training" and "validation"')
    splits = {name: tuple(_item(entry, root, path, must_exist) for entry in entries) for name, entries in lists.items()}
    both = {item.patient_id for item in splits["training"]} & {item.patient_id for item in splits["validation"]}
    if both:
        raise DatasetError(f"{path}: patients in both training and validation: {', '.join(sorted(both))}; a patient must not cross the split")
    return Datalist(splits["training"], splits["validation"], str(content.get("description", "")))


def _item(entry: Any, root: Path, path: Path, must_exist: bool) -> DatasetItem:
    try:
        label, patient_id, image = str(entry["label"] or ""), str(entry["patient_id"]), entry.get("image")
        kind = entry.get("reference_kind", "spider")
    except (KeyError, TypeError, AttributeError) as error:
        raise DatasetError(f'{path}: expected entries with "label" and "patient_id", found {entry!r}') from error
    if image is not None and not isinstance(image, str):
        raise DatasetError(f"{path}: expected the path of an image or null, found {image!r}")
    if kind not in REFERENCE_KINDS:
        raise DatasetError(f"{path}: expected reference_kind {' or '.join(REFERENCE_KINDS)}, found {kind!r}")
    label_path = _inside(root, label, path, must_exist)
    return DatasetItem(label_path, patient_id, kind, _inside(root, image, path, must_exist) if image else None)


def _inside(root: Path, relative: str, path: Path, must_exist: bool) -> Path:
    resolved = (root / relative).resolve()
    if not resolved.is_relative_to(root.resolve()):
        raise DatasetError(f"{path}: {relative} leaves the data folder {root}")
    if not resolved.is_file() and (must_exist or resolved.is_dir()):
        raise DatasetError(f"{path}: {relative} is missing under {root}")
    return resolved


def reference_classes(item: DatasetItem) -> Volume:
    """The reference of a series as a class map (Structure values) on its own grid.

    Raises LabelError for unknown values.
    """
    labelmap = read_labelmap(item.label)
    if item.reference_kind == "spider":
        return labelmap.with_array(to_classes(labelmap.array, str(item.label)))
    if labelmap.array.max() > max(Structure):
        raise LabelError(f"{item.label}: expected classes 0-{max(Structure)}, found {int(labelmap.array.max())}")
    return labelmap.with_array(labelmap.array.astype(np.uint8))


def load_pair(item: DatasetItem) -> tuple[Volume | None, Volume]:
    """Image (None for a mask that only serves synthesis) and reference classes of a series, checked against each other.

    Raises ImageReadError for a file that can't be read or an image without contrast or with values that are no numbers, LabelError
    for unknown values, GeometryError when image and mask are not on one grid.
    """
    reference = reference_classes(item)
    if item.image is None:
        return None, reference
    volume = read_volume(item.image)
    check_intensities(volume)
    if not volume.geometry.is_same_grid(reference.geometry):
        raise GeometryError(f"{item.image} and {item.label}: image and mask are not on the same grid")
    return volume, reference


def load_training_case(item: DatasetItem, config: PreprocessingConfig) -> TrainingCase:
    """Reads a series to the training grid: oriented, slices as acquired, a little finer than the working grid in plane.

    Raises what `load_pair` raises.
    """
    volume, reference = load_pair(item)
    reorientation = reorientation_to(reference.geometry)
    shape, spacing = _training_grid(reference.geometry, config)
    classes = resample_classes(reorientation.apply(reference.array), shape, len(Structure))
    if volume is None:
        return TrainingCase(item.name, None, classes, spacing)
    image = normalize(resample(reorientation.apply(volume.array), shape), config)
    return TrainingCase(item.name, image.astype(np.float16), classes, spacing)


def _training_grid(geometry: Geometry, config: PreprocessingConfig) -> tuple[tuple[int, int, int], tuple[float, float, float]]:
    reorientation = reorientation_to(geometry)
    own = reorientation.spacing(geometry.spacing_kji_mm)
    shape_k, shape_j, shape_i = (geometry.shape_kji[axis] for axis in reorientation.axes_kji)
    target = STORED_SPACING_SHARE * config.in_plane_spacing_mm
    j, i = max(1, round(shape_j * own[1] / target)), max(1, round(shape_i * own[2] / target))
    return (shape_k, j, i), (own[0], own[1] * shape_j / j, own[2] * shape_i / i)


def image_hashes(items: Sequence[DatasetItem]) -> dict[str, str]:
    """SHA-256 of every image (or mask, for synthesis) by file name with its two folders: the provenance of weights.

    Raises ImageReadError when a file can't be read.
    """
    paths = [item.image or item.label for item in items]
    try:
        return {"/".join(path.parts[-3:]): sha256_of(path) for path in paths}
    except OSError as error:
        raise ImageReadError(f"{error.filename}: can't read: {error.strerror}") from error
