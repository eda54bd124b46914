"""A series on the disk that the page may open: an image file, or one series of a DICOM folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from SpiderSegLib.counted import counted
from SpiderSegLib.dicom import DicomSeries, read_series
from SpiderSegLib.io import read_volume
from SpiderSegLib.volume import Volume


@dataclass(frozen=True)
class SeriesFiles:
    """name: how the page calls it. path: the image file, or the DICOM folder. It never leaves the server; the page knows names only."""

    name: str
    path: Path
    dicom: DicomSeries | None = None

    @property
    def detail(self) -> str:
        """What a list says beside the name."""
        if self.dicom is None:
            return f"{self.path.stat().st_size / 1e6:.1f} MB"
        return f"DICOM, {counted(len(self.dicom.files), 'file')}"

    def read(self) -> Volume:
        """Raises ImageReadError, GeometryError or MissingPackageError naming files by their paths."""
        return read_volume(self.path) if self.dicom is None else read_series(self.dicom)
