"""Which prediction belongs to which reference: files of one series share the file name without its image suffix."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from SpiderSegLib.errors import DatasetError
from SpiderSegLib.io import IMAGE_SUFFIXES, image_stem, image_suffix

#: `predict --probabilities` writes these beside the labelmaps.
PROBABILITIES_ENDING = "_probabilities"


@dataclass(frozen=True)
class SeriesFiles:
    """The reference of a series and its prediction, None when there is none."""

    series: str
    reference: Path
    prediction: Path | None


@dataclass(frozen=True)
class Pairing:
    """Every reference with its prediction, by series name, and the predictions that have no reference."""

    series: tuple[SeriesFiles, ...]
    unscored_predictions: tuple[Path, ...]


def series_name(path: Path) -> str | None:
    """The file name without .mha, .mhd, .nii, .nii.gz or .nrrd (any case); None for other files."""
    return image_stem(path) or None if image_suffix(path) else None


def pair_files(prediction: Path, reference: Path) -> Pairing:
    """Pairs files or folders (not searched below).

    Two files are a pair whatever their names. With one file and one folder, the folder's file of the same series is taken; with
    two folders every reference is listed. Hidden files, other suffixes and `<series>_probabilities.*` are no labelmaps.
    Raises DatasetError for a path that does not exist, a reference folder without labelmaps, two labelmaps of one series in a
    folder, or a single prediction without a reference.
    """
    for path in (prediction, reference):
        if not path.exists():
            raise DatasetError(f"{path}: expected a labelmap or a folder of labelmaps, found nothing there")
    if not reference.is_dir():
        found = files_by_series(prediction).get(series_name(reference) or reference.name) if prediction.is_dir() else prediction
        return Pairing((SeriesFiles(series_name(reference) or reference.name, reference, found),), ())
    references = files_by_series(reference)
    if not references:
        raise DatasetError(f"{reference}: expected labelmaps ({', '.join(IMAGE_SUFFIXES)}), found none in this folder")
    if not prediction.is_dir():
        series = series_name(prediction) or prediction.name
        if series not in references:
            raise DatasetError(f"{prediction}: expected a reference named {series} in {reference}, found none")
        return Pairing((SeriesFiles(series, references[series], prediction),), ())
    predictions = files_by_series(prediction)
    return Pairing(
        series=tuple(SeriesFiles(series, path, predictions.get(series)) for series, path in sorted(references.items())),
        unscored_predictions=tuple(path for series, path in sorted(predictions.items()) if series not in references),
    )


def files_by_series(folder: Path) -> dict[str, Path]:
    """The image files of a folder by series name, sorted; hidden files, other suffixes and probabilities are left out.

    Raises DatasetError for two files of one series.
    """
    found: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        series = series_name(path)
        if series is None or path.name.startswith(".") or series.endswith(PROBABILITIES_ENDING) or not path.is_file():
            continue
        if series in found:
            raise DatasetError(f"{folder}: expected one file a series, found {found[series].name} and {path.name}")
        found[series] = path
    return found
