"""What a round refuses before it begins: files that are missing, nothing to learn from, and validation that the models have seen."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from SpiderSegLib.dataset import DatasetItem
from SpiderSegLib.errors import DatasetError
from SpiderSegLib.retraining.request import RetrainRequest, series_of
from SpiderSegLib.series_names import natural_key, patient_of
from SpiderSegLib.splits import MOST_NAMED

if TYPE_CHECKING:
    from SpiderSegLib.network import Provenance


def check_files(request: RetrainRequest) -> None:
    """Refuses a request whose series can't be worked on; reads none of them.

    Raises DatasetError naming missing files, when nothing new is to be learned, when a validation series has no image or shares its
    name with another, or when the names of the validation series don't tell their patients apart: scores are resampled by them.
    """
    if not request.new_items:
        raise DatasetError("nothing new to train on: expected accepted masks that the champion has not seen, found none")
    paths = [request.champion, *(path for items in request.sides.values() for item in items for path in files_of(item))]
    missing = [str(path) for path in paths if not path.exists()]
    if missing:
        raise DatasetError(f"expected files, found nothing at {named(missing)}")
    without = [series_of(item) for item in request.validation_items if item.image is None]
    if without:
        raise DatasetError(f"expected validation series with an image, found only a mask of {named(without)}")
    _refuse_ambiguous_names(request.validation_items)


def files_of(item: DatasetItem) -> tuple[Path, ...]:
    """Image, if there is one, and mask."""
    return (item.label,) if item.image is None else (item.image, item.label)


def _refuse_ambiguous_names(items: tuple[DatasetItem, ...]) -> None:
    twice = [series for series, count in Counter(map(series_of, items)).items() if count > 1]
    if twice:
        raise DatasetError(f"expected one validation series of each name, found several of {named(twice)}")
    pairs = {(item.patient_id, patient_of(series_of(item))) for item in items}
    for column, said in ((0, "several patients by their series' names"), (1, "several patients under one name")):
        confused = [name for name, count in Counter(pair[column] for pair in pairs).items() if count > 1]
        if confused:
            raise DatasetError(f"expected validation series named <patient>_t1, _t2 or _t2_SPACE, found {said}: {named(confused)}")


def refuse_leakage(request: RetrainRequest, champion: Provenance, hashes: Mapping[Path, str]) -> None:
    """Raises DatasetError naming the patients or series of the validation set that train, or that trained the champion.

    Compared by patient, by what the series is called, and by the SHA-256 (`hashes`) of images, and of masks where a mask alone trains;
    the same image in another format is found when training begins, which compares voxels.
    """
    training = (*request.new_items, *request.replay_items)
    trained = {"the new or replayed masks": training_patients(training), f"the champion {champion.model_id}": set(champion.training_patients)}
    for where, patients in trained.items():
        seen = {item.patient_id for item in request.validation_items if {item.patient_id, patient_of(series_of(item))} & patients}
        if seen:
            raise DatasetError(f"leakage: validation patients are among those that train {where}: {named(seen)}; a patient must not cross the split")
    contents = {"the new or replayed series": {hashes[item.image or item.label] for item in training}}
    contents[f"what trained the champion {champion.model_id}"] = set(champion.training_image_sha256.values())
    for where, known in contents.items():
        same = [series_of(item) for item in request.validation_items if any(hashes[path] in known for path in files_of(item))]
        if same:
            raise DatasetError(f"leakage: the files of validation series are among {where}: {named(same)}; remove one of both")


def training_patients(items: Iterable[DatasetItem]) -> set[str]:
    """By id and by the name of the series: a renamed patient does not hide whose series it is."""
    return {name for item in items for name in (item.patient_id, patient_of(series_of(item)))}


def named(names: Iterable[str]) -> str:
    """A list as long as a message can hold and stay readable."""
    ordered = sorted(set(names), key=natural_key)
    return ", ".join(ordered[:MOST_NAMED]) + (f" and {len(ordered) - MOST_NAMED} more" if len(ordered) > MOST_NAMED else "")
