"""How unsure a run is of one series: the entropy of what it predicted and of a thin shell around it, and where it is highest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from SpiderSegLib.errors import InputError
from SpiderSegLib.labels import BACKGROUND, SPINAL_CANAL, Structure, structure_of
from SpiderSegLib.uncertainty import entropy_map

if TYPE_CHECKING:
    from SpiderSegLib.pipeline import Segmentation

#: The shell: a disc is 5 to 12 mm high, so that one missed between two vertebrae lies in theirs; air and bowel stay outside.
SHELL_MM = 5.0

#: A place of fewer voxels of the working grid, its share of the shell included, is a crumb and not named as the least certain.
FEWEST_VOXELS = 20

#: Thin structures are mostly border, and borders are unsure: the median entropy of a place under the bundled weights, over 36 series of
#: SPIDER of all three sequences. Only their ratio matters, to tell which place is unusually unsure.
TYPICAL_ENTROPY: Mapping[Structure, float] = {Structure.VERTEBRA: 0.10, Structure.DISC: 0.14, Structure.CANAL: 0.12}

#: Entropy of a series in which nothing was found: nobody knows less.
NOTHING_FOUND = 1.0

_DECIMALS = 4


@dataclass(frozen=True)
class PlaceUncertainty:
    """Mean entropy 0..1 of one vertebra or disc, or of the canal at one level, with its share of the shell.

    value: SPIDER value of the structure; at: that of the vertebra or disc it lies at, for the canal the nearest one, 100 without any.
    """

    value: int
    at: int
    entropy: float

    @property
    def structure(self) -> Structure:
        return structure_of(self.value)

    @property
    def relative(self) -> float:
        """Entropy in multiples of what is usual of the structure."""
        return self.entropy / TYPICAL_ENTROPY[self.structure]


@dataclass(frozen=True)
class SeriesUncertainty:
    """Mean entropy 0..1 over the predicted structures and their shell, that of every place, and the mirrored runs' disagreement.

    entropy is NOTHING_FOUND and `places` empty when nothing was predicted; disagreement is 0..1 over the same region, None when no mirrored
    run was made.
    """

    entropy: float
    places: tuple[PlaceUncertainty, ...] = ()
    disagreement: float | None = None

    @property
    def least_certain(self) -> PlaceUncertainty | None:
        """The place whose entropy exceeds the usual of its structure most; None when nothing was found."""
        return max(self.places, key=lambda place: place.relative, default=None)

    def shortened(self) -> SeriesUncertainty:
        """With the least certain place alone: all that a list of thousands of series needs."""
        return replace(self, places=() if self.least_certain is None else (self.least_certain,))

    def as_json(self) -> dict[str, Any]:
        """JSON values; `from_json` reads them."""
        return {
            "entropy": round(self.entropy, _DECIMALS),
            "disagreement": None if self.disagreement is None else round(self.disagreement, _DECIMALS),
            "places": [{"value": place.value, "at": place.at, "entropy": round(place.entropy, _DECIMALS)} for place in self.places],
        }

    @classmethod
    def from_json(cls, record: Any) -> SeriesUncertainty:
        """Raises InputError for anything that `as_json` doesn't give, LabelError for values outside the scheme."""
        try:
            places = tuple(_place(row) for row in record["places"])
            disagreement = record["disagreement"]
            return cls(_share(record["entropy"]), places, None if disagreement is None else _share(disagreement))
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(f"expected entropy (0 to 1), disagreement and places of a series' uncertainty, found {record!r}") from error


def _place(row: Mapping[str, Any]) -> PlaceUncertainty:
    value, at = int(row["value"]), int(row["at"])
    if BACKGROUND in (structure_of(value), structure_of(at)):
        raise ValueError("background is no place")
    return PlaceUncertainty(value, at, _share(row["entropy"]))


def _share(value: Any) -> float:
    number = float(value)
    if not 0 <= number <= 1:
        raise ValueError(f"expected 0 to 1, found {number}")
    return number


def series_uncertainty(segmentation: Segmentation) -> SeriesUncertainty:
    """The uncertainty of one run over a series; with the disagreement when its predictor mirrors."""
    return measure_uncertainty(
        segmentation.working_labelmap, segmentation.probabilities, segmentation.prepared.spacing_kji_mm, segmentation.disagreement
    )


def measure_uncertainty(
    labelmap: NDArray[np.uint8],
    probabilities: NDArray[np.float32],
    spacing_kji_mm: tuple[float, float, float],
    disagreement: NDArray[np.float32] | None = None,
) -> SeriesUncertainty:
    """Uncertainty of a labelmap (k, j, i) of SPIDER values, of probabilities (class, k, j, i) and disagreement (k, j, i) on its grid.

    A voxel of the shell counts for the structure nearest to it. Background far from all structures plays no part, however unsure the
    network is of it: a person who corrects looks at the spine.
    """
    if not labelmap.any():
        return SeriesUncertainty(NOTHING_FOUND, (), None if disagreement is None else float(disagreement.mean()))
    box = _box(labelmap, spacing_kji_mm)
    labels, entropy = labelmap[box], entropy_map(probabilities[:, box[0], box[1], box[2]])
    owner, distance_mm = _nearest(labels, spacing_kji_mm)
    region = distance_mm <= SHELL_MM
    places = _places(owner[region], _level_values(labels, owner, spacing_kji_mm)[region], entropy[region])
    return SeriesUncertainty(float(entropy[region].mean()), places, None if disagreement is None else float(disagreement[box][region].mean()))


def _box(labelmap: NDArray[np.uint8], spacing_kji_mm: tuple[float, float, float]) -> tuple[slice, slice, slice]:
    """The smallest box that holds all labels and their shell."""
    k, j, i = ndimage.find_objects((labelmap > 0).view(np.uint8))[0]
    margins = [int(SHELL_MM / spacing) for spacing in spacing_kji_mm]
    k, j, i = (slice(max(0, axis.start - margin), axis.stop + margin) for axis, margin in zip((k, j, i), margins, strict=True))
    return k, j, i


def _nearest(labels: NDArray[np.uint8], spacing_kji_mm: tuple[float, float, float]) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """The nearest label of every voxel, and its distance."""
    distance, indices = ndimage.distance_transform_edt(labels == BACKGROUND, sampling=spacing_kji_mm, return_indices=True)
    return labels[tuple(indices)], distance


def _level_values(labels: NDArray[np.uint8], owner: NDArray[np.uint8], spacing_kji_mm: tuple[float, float, float]) -> NDArray[np.uint8]:
    """Where every voxel lies along the column: its owner, of the canal the nearest vertebra or disc."""
    levels = np.where(labels == SPINAL_CANAL, BACKGROUND, labels).astype(np.uint8)
    if not levels.any() or not (labels == SPINAL_CANAL).any():
        return owner
    nearest, _ = _nearest(levels, spacing_kji_mm)
    return np.where(owner == SPINAL_CANAL, nearest, owner).astype(np.uint8)


def _places(owner: NDArray[np.uint8], at: NDArray[np.uint8], entropy: NDArray[np.float32]) -> tuple[PlaceUncertainty, ...]:
    """Every pair of structure and level with enough voxels, by value."""
    pairs, members, counts = np.unique(owner.astype(np.intp) * 256 + at, return_inverse=True, return_counts=True)
    means = np.bincount(members.ravel(), weights=entropy) / counts
    return tuple(
        PlaceUncertainty(pair // 256, pair % 256, float(mean))
        for pair, mean, count in zip(pairs.tolist(), means.tolist(), counts.tolist(), strict=True)
        if count >= FEWEST_VOXELS
    )
