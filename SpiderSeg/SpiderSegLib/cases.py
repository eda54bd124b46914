"""The cases (a series with its files) of a data set: a folder in SPIDER's layout, one with class maps, or a data list.

Nothing is read but names: files may be missing or damaged, which `inspection` reports and others refuse.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from SpiderSegLib.dataset import Datalist, DatasetItem, read_datalist
from SpiderSegLib.errors import DatasetError
from SpiderSegLib.io import image_stem, image_suffix
from SpiderSegLib.series_names import natural_key, patient_of, sequence_of

IMAGES = "images"

#: Folder with references -> what their values are.
REFERENCE_FOLDERS = {"masks": "spider", "classes": "classes"}

T = TypeVar("T")

#: Wraps what is gone through one by one, as tqdm does.
Track = Callable[[Iterable[T]], Iterable[T]]


@dataclass(frozen=True)
class Case:
    """One series: image or reference is None when there is none; split is 'training', 'validation' or '' outside a data list."""

    name: str
    patient_id: str
    image: Path | None
    reference: Path | None
    reference_kind: str
    split: str = ""

    @property
    def series(self) -> str:
        """The file name without its suffix: '1_t2'."""
        return image_stem(self.any_file)

    @property
    def sequence(self) -> str:
        """By the ending of the file name, as in SPIDER: 't1', 't2', 't2_SPACE', else 'unknown'."""
        return sequence_of(self.series)

    @property
    def any_file(self) -> Path:
        """The image, else the reference. Raises DatasetError for a case without files."""
        path = self.image or self.reference
        if path is None:
            raise DatasetError(f"{self.name}: a case has an image, a reference, or both")
        return path


@dataclass(frozen=True)
class CaseSet:
    """The cases of a data set and the folder their paths lie under; `is_datalist` says which kind it is.

    In a data list a case without image is meant so (images are synthesized over it), in a folder the image is missing.
    """

    root: Path
    cases: tuple[Case, ...]
    is_datalist: bool

    @property
    def files(self) -> list[Path]:
        return [path for case in self.cases for path in (case.image, case.reference) if path is not None]


def find_cases(dataset: Path, root: Path | None = None) -> CaseSet:
    """The cases of a folder (images/ with masks/ or classes/) or a data list (its paths under `root`, else beside it).

    Raises DatasetError when it is neither, holds no series, or two files of a folder are one series.
    """
    if dataset.is_file():
        # The data list's paths come resolved, to see that none leaves the folder.
        folder = (root if root is not None else dataset.parent).resolve()
        return CaseSet(folder, _of_datalist(read_datalist(dataset, folder, must_exist=False), folder), True)
    if root is not None:
        raise DatasetError(f"{dataset}: expected a data list (JSON), because a folder for its paths was given")
    if not dataset.is_dir():
        raise DatasetError(f"{dataset}: expected a folder with images/ and masks/, or a data list, found nothing there")
    return CaseSet(dataset, _of_folder(dataset), False)


def _of_datalist(datalist: Datalist, root: Path) -> tuple[Case, ...]:
    def case(item: DatasetItem, split: str) -> Case:
        path = item.image or item.label
        return Case(path.relative_to(root).as_posix(), item.patient_id, item.image, item.label, item.reference_kind, split)

    cases = [case(item, "training") for item in datalist.training] + [case(item, "validation") for item in datalist.validation]
    if not cases:
        raise DatasetError(f"expected series in the data list under {root}, found none")
    return tuple(cases)


def _of_folder(folder: Path) -> tuple[Case, ...]:
    references = [name for name in REFERENCE_FOLDERS if (folder / name).is_dir()]
    if not (folder / IMAGES).is_dir() and not references:
        inside = [path.name for path in sorted(folder.iterdir()) if (path / IMAGES).is_dir()]
        hint = f"; did you mean {' or '.join(str(folder / name) for name in inside)}?" if inside else ""
        raise DatasetError(f"{folder}: expected the folders images/ and masks/ (or classes/), found neither{hint}")
    if len(references) > 1:
        raise DatasetError(f"{folder}: expected masks/ or classes/, found both; name the series in a data list instead")
    kind_folder = references[0] if references else "masks"
    images, labels = _by_series(folder / IMAGES), _by_series(folder / kind_folder)
    if not images and not labels:
        raise DatasetError(f"{folder}: expected image files in images/ and {kind_folder}/, found none")
    names = sorted({*images, *labels}, key=natural_key)
    return tuple(Case(name, patient_of(name), images.get(name), labels.get(name), REFERENCE_FOLDERS[kind_folder]) for name in names)


def _by_series(folder: Path) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        if path.name.startswith(".") or not image_suffix(path) or not path.is_file():
            continue
        series = image_stem(path)
        if series in found:
            raise DatasetError(f"{folder}: expected one file a series, found {found[series].name} and {path.name}")
        found[series] = path
    return found
