"""Which series a command's INPUT arguments mean: files, DICOM folders, or folders of series."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from SpiderSegLib.dicom import DicomSeries, is_dicom_folder, list_series, read_series, series_stem
from SpiderSegLib.errors import ImageReadError, SpiderSegError
from SpiderSegLib.io import image_stem, image_suffix, read_volume
from SpiderSegLib.segmentation_files import SLICER, format_of
from SpiderSegLib.volume import Volume


@dataclass(frozen=True)
class SeriesInput:
    """One series to work on: an image file, or a DICOM series; or the error met on looking for it."""

    stem: str
    path: Path
    dicom: DicomSeries | None = None
    error: SpiderSegError | None = None

    @property
    def title(self) -> str:
        return str(self.path) if self.dicom is None else f"{self.path} ({self.dicom.label})"

    def read(self) -> Volume:
        """Reads the series. Raises what looking for it met, or what reading it meets."""
        if self.error is not None:
            raise self.error
        return read_volume(self.path) if self.dicom is None else read_series(self.dicom)


@dataclass(frozen=True)
class FoundSeries:
    """The series to work on, and those of DICOM studies left out with the reason."""

    series: tuple[SeriesInput, ...]
    left_out: tuple[tuple[str, str], ...] = ()


def find_series(inputs: list[Path], selection: list[str] | None = None) -> FoundSeries:
    """The series that INPUT arguments mean; an argument that can't be used becomes a series with its error.

    A folder holding DICOM is one study: its sagittal lumbar series, or those that `selection` names by number, UID or part of the
    description. Any other folder gives its image files, not those of its subfolders and no Slicer segmentations.
    """
    series: list[SeriesInput] = []
    left_out: list[tuple[str, str]] = []
    for path in inputs:
        try:
            found = _in_folder(path, selection or []) if path.is_dir() else _file(path)
        except SpiderSegError as error:
            found = FoundSeries((SeriesInput(image_stem(path), path, error=error),))
        series.extend(found.series)
        left_out.extend(found.left_out)
    return FoundSeries(tuple(series), tuple(left_out))


def _file(path: Path) -> FoundSeries:
    if not path.exists():
        raise ImageReadError(f"{path}: no such file or folder")
    return FoundSeries((SeriesInput(image_stem(path), path),))


def _in_folder(folder: Path, selection: list[str]) -> FoundSeries:
    if is_dicom_folder(folder):
        return _in_study(folder, selection)
    files = [path for path in sorted(folder.iterdir()) if path.is_file() and image_suffix(path) and not path.name.startswith(".")]
    files = [path for path in files if format_of(path) != SLICER]
    if not files:
        raise ImageReadError(f"{folder}: holds no DICOM and no image files (.mha, .mhd, .nii, .nii.gz, .nrrd); subfolders are not searched")
    return FoundSeries(tuple(SeriesInput(image_stem(path), path) for path in files))


def _in_study(folder: Path, selection: list[str]) -> FoundSeries:
    everything = list_series(folder)
    reasons = [_reason_left_out(series, selection) for series in everything]
    chosen = [series for series, reason in zip(everything, reasons, strict=True) if reason is None]
    left_out = tuple((f"{folder} ({series.label})", reason) for series, reason in zip(everything, reasons, strict=True) if reason is not None)
    if not chosen:
        why = "; ".join(f"{series.label}: {reason}" for series, reason in zip(everything, reasons, strict=True))
        raise ImageReadError(f"{folder}: no series to segment ({why}); choose one with --series NUMBER")
    stems = _distinct([series_stem(series, alone=len(chosen) == 1) for series in chosen])
    return FoundSeries(tuple(SeriesInput(stem, folder, series) for stem, series in zip(stems, chosen, strict=True)), left_out)


def _distinct(stems: list[str]) -> list[str]:
    """Series of one number and description (a repeated scan) get _2, _3 .. after the first."""
    return [stem if (nth := stems[:n].count(stem)) == 0 else f"{stem}_{nth + 1}" for n, stem in enumerate(stems)]


def _reason_left_out(series: DicomSeries, selection: list[str]) -> str | None:
    if not selection:
        return series.reason_left_out
    return None if any(series.is_called(wish) for wish in selection) else "not selected by --series"
