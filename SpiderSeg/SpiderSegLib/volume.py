"""Intensities or labels on an oriented grid: the one image type of the library.

Arrays are (k, j, i), affines map (i, j, k, 1) to LPS millimetres as in ITK and DICOM. RAS appears only in `affine_ras`.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from SpiderSegLib.errors import GeometryError

LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])

#: Geometry of two files is called the same within this distance at the grid's corners; headers store 6 decimals or float32.
SAME_GRID_TOLERANCE_MM = 0.01

#: Largest deviation of direction cosines from perpendicular unit vectors that rounding in headers explains.
DIRECTION_TOLERANCE = 0.01

_TOWARD_POSITIVE_LPS = "LPS"
_TOWARD_NEGATIVE_LPS = "RAI"


@dataclass(frozen=True)
class Geometry:
    """Size, spacing, origin and direction of a grid, kept as the file states them so that writing back is exact.

    size_ijk, spacing_ijk_mm and origin_lps_mm are (x, y, z) triples; direction is row major, its columns the LPS unit vectors of i, j, k.
    Raises GeometryError when a size or spacing is not positive or the direction is singular.
    """

    size_ijk: tuple[int, int, int]
    spacing_ijk_mm: tuple[float, float, float]
    origin_lps_mm: tuple[float, float, float]
    direction: tuple[float, ...]

    def __post_init__(self) -> None:
        if min(self.size_ijk) < 1:
            raise GeometryError(f"expected a size of at least 1 voxel in each direction, found {self.size_ijk}")
        if not np.all(np.isfinite(self.spacing_ijk_mm)) or min(self.spacing_ijk_mm) <= 0:
            raise GeometryError(f"expected a positive spacing in mm, found {self.spacing_ijk_mm}")
        if not np.all(np.isfinite(self.origin_lps_mm)):
            raise GeometryError(f"expected a finite origin, found {self.origin_lps_mm}")
        if len(self.direction) != 9 or not np.all(np.isfinite(self.direction)):
            raise GeometryError(f"expected a direction of nine numbers, found {self.direction}")
        if not np.allclose(self.direction_matrix.T @ self.direction_matrix, np.eye(3), atol=DIRECTION_TOLERANCE):
            raise GeometryError(
                f"expected a direction of three perpendicular unit vectors, found {self.direction}; a sheared grid must be resampled first"
            )

    @property
    def direction_matrix(self) -> NDArray[np.float64]:
        return np.asarray(self.direction, dtype=float).reshape(3, 3)

    @property
    def affine_lps(self) -> NDArray[np.float64]:
        """4x4, (i, j, k, 1) to LPS millimetres."""
        affine = np.eye(4)
        affine[:3, :3] = self.direction_matrix * np.asarray(self.spacing_ijk_mm)
        affine[:3, 3] = self.origin_lps_mm
        return affine

    @property
    def affine_ras(self) -> NDArray[np.float64]:
        """4x4, (i, j, k, 1) to RAS millimetres, as NIfTI and Slicer use."""
        return LPS_TO_RAS @ self.affine_lps

    @property
    def shape_kji(self) -> tuple[int, int, int]:
        return self.size_ijk[2], self.size_ijk[1], self.size_ijk[0]

    @property
    def spacing_kji_mm(self) -> tuple[float, float, float]:
        return self.spacing_ijk_mm[2], self.spacing_ijk_mm[1], self.spacing_ijk_mm[0]

    @property
    def voxel_volume_mm3(self) -> float:
        return float(np.prod(self.spacing_ijk_mm))

    @property
    def orientation(self) -> str:
        """Where i, j and k point, nearest axis, e.g. 'PIR' for SPIDER's sagittal storage (i to posterior, j inferior, k right)."""
        letters = []
        matrix = self.direction_matrix.copy()
        # Strongest axis first, so that an oblique image at 45 degrees still gets three different letters.
        for _ in range(3):
            axis, column = np.unravel_index(np.argmax(np.abs(matrix)), (3, 3))
            toward = _TOWARD_POSITIVE_LPS if matrix[axis, column] > 0 else _TOWARD_NEGATIVE_LPS
            letters.append((column, toward[axis]))
            matrix[axis, :] = 0
            matrix[:, column] = 0
        return "".join(letter for _, letter in sorted(letters))

    def __str__(self) -> str:
        """In messages: 'size 512 x 512 x 20, spacing 0.6 x 0.6 x 4 mm, origin -8.1, 120.3, 44, orientation PIR'."""
        size, spacing = " x ".join(map(str, self.size_ijk)), " x ".join(f"{value:.3g}" for value in self.spacing_ijk_mm)
        origin = ", ".join(f"{value:.4g}" for value in self.origin_lps_mm)
        return f"size {size}, spacing {spacing} mm, origin {origin}, orientation {self.orientation}"

    @property
    def slice_axis_kji(self) -> int:
        """Array axis of the acquisition's slices: the coarsest spacing; the left-right axis when all are about equal."""
        spacing = np.asarray(self.spacing_kji_mm)
        if spacing.max() > 1.2 * spacing.min() or min(self.shape_kji) == 1:
            thickness = np.where(np.asarray(self.shape_kji) == 1, np.inf, spacing)
            return int(np.argmax(thickness))
        return left_right_axis_kji(self.orientation)

    def is_same_grid(self, other: Geometry) -> bool:
        """Whether both grids have the same size and their corners lie within SAME_GRID_TOLERANCE_MM."""
        if self.size_ijk != other.size_ijk:
            return False
        corners = np.array([[i, j, k, 1.0] for i in (0, 1) for j in (0, 1) for k in (0, 1)]) * [*np.subtract(self.size_ijk, 1), 1.0]
        return bool(np.abs((self.affine_lps - other.affine_lps) @ corners.T).max() < SAME_GRID_TOLERANCE_MM)


@dataclass(frozen=True)
class Volume:
    """An array (k, j, i) on a Geometry, with what the file said about itself.

    `header` holds the metadata of the file as text (DICOM keywords, MetaImage or NRRD keys); `source_affine_ras` is the NIfTI
    affine copied verbatim when there was one. Raises GeometryError when array and geometry disagree.
    """

    array: NDArray[Any]
    geometry: Geometry
    name: str = ""
    header: dict[str, str] = field(default_factory=dict)
    source_affine_ras: NDArray[np.float64] | None = None

    def __post_init__(self) -> None:
        if self.array.shape != self.geometry.shape_kji:
            raise GeometryError(f"{self.name or 'volume'}: expected an array of shape {self.geometry.shape_kji} (k, j, i), found {self.array.shape}")

    def with_array(self, array: NDArray[Any]) -> Volume:
        """The same grid and header with other values."""
        return replace(self, array=array)


def left_right_axis_kji(orientation: str) -> int:
    """Array axis (k, j, i) that runs left-right, for an orientation such as 'PIR'."""
    return 2 - next(axis for axis, letter in enumerate(orientation) if letter in "LR")
