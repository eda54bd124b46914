"""The DICOM series a segmentation belongs to: found in a folder by its grid, and described to DICOM SEG by its headers."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from SpiderSegLib.dicom import DicomSeries, is_dicom_folder, list_series, series_geometry
from SpiderSegLib.errors import GeometryError, ImageReadError, InputError, MissingPackageError
from SpiderSegLib.segmentation_files.grids import are_same_voxels, difference
from SpiderSegLib.volume import Geometry

#: Series of a study that are no images a segmentation could have been drawn on.
_NO_IMAGES = frozenset({"SEG", "RTSTRUCT", "PR", "KO", "SR", "REG"})


@dataclass(frozen=True)
class DicomSource:
    """A series and the grid its voxels have, slices in their order along the normal."""

    series: DicomSeries
    geometry: Geometry

    @classmethod
    def of(cls, series: DicomSeries) -> DicomSource:
        """Raises ImageReadError, GeometryError, MissingPackageError as `read_series`."""
        return cls(series, series_geometry(series))

    def fits(self, geometry: Geometry) -> bool:
        """Whether a grid has the same voxels, stored in whatever order."""
        return are_same_voxels(geometry, self.geometry)


def find_source(folder: Path, geometry: Geometry, name: str, series: str | None = None) -> DicomSource:
    """The series of a folder or its subfolders on whose voxels `geometry` lies; `name` is what it is of.

    `series` chooses by number, UID or part of the description when several fit, as T1 and T2 of one examination do. Raises InputError
    that says of every series how it differs or what is wrong with it.
    """
    fitting, reasons = [], []
    for found in all_series(folder):
        if series is not None and not found.is_called(series):
            continue
        if found.header.get("Modality") in _NO_IMAGES:
            continue
        try:
            source = DicomSource.of(found)
        except (ImageReadError, GeometryError, MissingPackageError) as error:
            reasons.append(str(error))
            continue
        if source.fits(geometry):
            fitting.append(source)
        else:
            reasons.append(f"{found.label}: {difference(source.geometry, geometry)}")
    if len(fitting) > 1:
        labels = "; ".join(source.series.label for source in fitting)
        raise InputError(f"{folder}: {len(fitting)} series have the voxels of {name} ({labels}); choose the one it was drawn on with --series NUMBER")
    if not fitting:
        among = "" if series is None else f" among those that --series {series} names"
        why = "; ".join(reasons) or "there is no image series"
        raise InputError(f"{folder}: no DICOM series{among} has the voxels of {name}: {why}")
    return fitting[0]


def all_series(folder: Path) -> Iterator[DicomSeries]:
    """The series of a folder and its subfolders. Raises InputError when there is no DICOM."""
    if not folder.is_dir():
        raise InputError(f"{folder}: expected the folder of the original DICOM series, found {'a file' if folder.exists() else 'nothing'}")
    folders = [sub for sub in (folder, *sorted(folder.rglob("*"))) if sub.is_dir() and is_dicom_folder(sub)]
    if not folders:
        raise InputError(f"{folder}: holds no DICOM files; give the folder of the original series")
    for sub in folders:
        # Folders of reports alone belong to many exports.
        with contextlib.suppress(ImageReadError):
            yield from list_series(sub)
