"""Series of a few voxels on disk, for tests of the data tools."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from SpiderSegLib.io import write_volume
from SpiderSegLib.volume import Geometry, Volume

#: SPIDER's sagittal storage: i posterior, j inferior, k right.
SAGITTAL = (0.0, 0.0, -1.0, 1.0, 0.0, 0.0, 0.0, -1.0, 0.0)

#: L5 and L4 with their discs and the canal.
TWO_LEVELS = (1, 2, 201, 202, 100)


def grid(size_ijk: tuple[int, int, int] = (8, 6, 3), spacing_ijk_mm: tuple[float, float, float] = (1.0, 1.0, 4.0), x: float = 0.0) -> Geometry:
    return Geometry(size_ijk, spacing_ijk_mm, (x, 0.0, 0.0), SAGITTAL)


def write(path: Path, array: NDArray[Any], geometry: Geometry | None = None) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_volume(path, Volume(array, geometry or grid()))
    return path


def image(seed: int) -> NDArray[np.int16]:
    """3 x 6 x 8 voxels of noise below 1000, one of them at 1000."""
    array = np.random.default_rng(seed).integers(0, 1000, (3, 6, 8)).astype(np.int16)
    array[0, 0, 0] = 1000
    return array


def mask(*values: int) -> NDArray[np.uint8]:
    """3 x 6 x 8 voxels: row j holds values[j] in its first two columns, 6 voxels each."""
    array = np.zeros((3, 6, 8), np.uint8)
    for j, value in enumerate(values):
        array[:, j, :2] = value
    return array


def add_case(root: Path, series: str, seed: int, values: tuple[int, ...] = TWO_LEVELS, folder: str = "masks") -> None:
    write(root / "images" / f"{series}.mha", image(seed))
    write(root / folder / f"{series}.mha", mask(*values))


def write_overview(root: Path, subsets: dict[str, str], **columns: object) -> None:
    """overview.csv with the series' subsets and the same further columns for all."""
    head = ["new_file_name", "subset", *columns]
    rows = [[series, subset, *map(str, columns.values())] for series, subset in subsets.items()]
    root.mkdir(parents=True, exist_ok=True)
    (root / "overview.csv").write_text("\n".join(",".join(row) for row in (head, *rows)) + "\n")
