"""Splits by patient: made, written as a MONAI/Decathlon data list, and checked for leakage.

A patient never crosses the split, and a patient of SPIDER's validation subset never trains.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from SpiderSegLib.cases import Case, CaseSet, Track
from SpiderSegLib.dataset import Datalist, DatasetItem
from SpiderSegLib.errors import DatasetError
from SpiderSegLib.fingerprint import content_hash
from SpiderSegLib.io import image_stem, read_volume
from SpiderSegLib.labels import Structure
from SpiderSegLib.overview import TRAINING, VALIDATION, Overview, find_overview
from SpiderSegLib.series_names import natural_key, patient_of

DEFAULT_VALIDATION_SHARE = 0.2

#: As many names as a message can hold and stay readable.
MOST_NAMED = 8

_CLASS_NAMES = {Structure.BACKGROUND: "background", Structure.VERTEBRA: "vertebra", Structure.DISC: "disc", Structure.CANAL: "spinal canal"}


@dataclass(frozen=True)
class Split:
    """Cases on either side, the rule that put them there, in words, and the names of cases left out for want of image or mask."""

    training: tuple[Case, ...]
    validation: tuple[Case, ...]
    rule: str
    left_out: tuple[str, ...] = ()

    @property
    def sides(self) -> dict[str, tuple[Case, ...]]:
        return {"training": self.training, "validation": self.validation}


def make_split(case_set: CaseSet, overview: Overview, validation_share: float | None = None, seed: int = 0) -> Split:
    """Splits the cases by patient.

    Without a share SPIDER's `subset` column decides, if it knows every patient and both sides get some; else (and with a share)
    patients are drawn by the seed, to 20 % if no share is given. Patients of SPIDER's validation subset always validate. The draw
    orders patients by a hash of seed and id, so adding a patient hardly moves the others. Raises DatasetError when a side would
    stay empty, or the share is not between 0 and 1.
    """
    if validation_share is not None and not 0 < validation_share < 1:
        raise DatasetError(f"expected a validation share between 0 and 1, found {validation_share}")
    usable = [case for case in case_set.cases if case.reference is not None and (case.image is not None or case_set.is_datalist)]
    left_out = tuple(case.name for case in case_set.cases if case not in usable)
    patients = sorted({case.patient_id for case in usable}, key=natural_key)
    known = {case.patient_id for case in usable if _is_among(case.patient_id, case.series, _patients_of(overview, (TRAINING, VALIDATION)))}
    validation_subset = _patients_of(overview, (VALIDATION,))
    frozen = frozenset(case.patient_id for case in usable if _is_among(case.patient_id, case.series, validation_subset))
    if validation_share is None and frozen and known == set(patients) and frozen != set(patients):
        validating, rule = frozen, "SPIDER's subset column"
    else:
        share = DEFAULT_VALIDATION_SHARE if validation_share is None else validation_share
        validating = _drawn(patients, frozen, share, seed)
        kept = f"; {len(frozen)} patients of SPIDER's validation subset stay in validation" if frozen else ""
        rule = f"{share:g} of the patients drawn with seed {seed}{kept}"
    training = tuple(case for case in usable if case.patient_id not in validating)
    validation = tuple(case for case in usable if case.patient_id in validating)
    if not training or not any(case.image for case in validation):
        raise DatasetError(f"expected patients on both sides, found {len(patients)} patients, {len(validating)} of them for validation")
    return Split(training, validation, rule, left_out)


def _patients_of(overview: Overview, subsets: tuple[str, ...]) -> frozenset[str]:
    return frozenset(patient_of(row.series) for row in overview.values() if row.subset in subsets)


def _is_among(patient_id: str, series: str, patients: frozenset[str]) -> bool:
    """By the id, or by what the series is called: a renamed patient does not hide whose series it is."""
    return patient_id in patients or patient_of(series) in patients


def _drawn(patients: list[str], frozen: frozenset[str], share: float, seed: int) -> frozenset[str]:
    wanted = max(1, round(share * len(patients)))
    order = sorted(set(patients) - frozen, key=lambda patient: hashlib.sha256(f"{seed}:{patient}".encode()).digest())
    # One patient at least is left to train on.
    return frozen | set(order[: max(0, min(wanted - len(frozen), len(order) - 1))])


def datalist_json(split: Split, root: Path, name: str) -> str:
    """The split as a data list for MONAI and `spiderseg train`: paths relative to `root`, entries sorted as found."""
    labels = {str(int(structure)): text for structure, text in _CLASS_NAMES.items()}
    content = {
        "name": name,
        "description": f"Split by patient: {split.rule}",
        "modality": {"0": "MRI"},
        "labels": labels,
        "numTraining": len(split.training),
        "numValidation": len(split.validation),
        "training": [_entry(case, root) for case in split.training],
        "validation": [_entry(case, root) for case in split.validation],
    }
    return json.dumps(content, indent=1) + "\n"


def _entry(case: Case, root: Path) -> dict[str, str]:
    files = {"image": case.image, "label": case.reference}
    entry = {key: path.relative_to(root).as_posix() for key, path in files.items() if path is not None}
    return {**entry, "patient_id": case.patient_id, "reference_kind": case.reference_kind}


def to_datalist(split: Split) -> Datalist:
    """The split as `read_datalist` would give it."""

    def items(cases: tuple[Case, ...]) -> tuple[DatasetItem, ...]:
        return tuple(DatasetItem(case.reference, case.patient_id, case.reference_kind, case.image) for case in cases if case.reference is not None)

    return Datalist(items(split.training), items(split.validation), split.rule)


def check_leakage(datalist: Datalist, overview: Overview | None = None, compare_images: bool = True, track: Track[DatasetItem] = iter) -> None:
    """Refuses a split that would make scores on its validation side look better than they are.

    Raises DatasetError naming the patients or files when a patient is on both sides, when a patient of SPIDER's validation subset
    trains (by the overview, or without one by the overview.csv beside the files), or when two sides hold the same image content
    (masks without an image: the same mask). Comparing reads every file once.
    """
    _refuse_shared_patients(datalist)
    _refuse_training_on_validation_subset(datalist, overview)
    if compare_images:
        _refuse_shared_content(datalist, track)


def _refuse_shared_patients(datalist: Datalist) -> None:
    both = {item.patient_id for item in datalist.training} & {item.patient_id for item in datalist.validation}
    if both:
        raise DatasetError(f"leakage: patients in both training and validation: {_named(both)}; a patient must not cross the split")


def _refuse_training_on_validation_subset(datalist: Datalist, overview: Overview | None) -> None:
    if overview is None:
        overview = find_overview(item.image or item.label for item in datalist.training)
    subset = _patients_of(overview, (VALIDATION,))
    frozen = {item.patient_id for item in datalist.training if _is_among(item.patient_id, image_stem(item.image or item.label), subset)}
    if frozen:
        raise DatasetError(f"leakage: patients of SPIDER's validation subset in training: {_named(frozen)}; move them to validation")


def _refuse_shared_content(datalist: Datalist, track: Track[DatasetItem]) -> None:
    n_training = len(datalist.training)
    with_masks = any(item.image is None for item in datalist.training)
    first: dict[str, DatasetItem] = {}
    for number, item in enumerate(track((*datalist.training, *datalist.validation))):
        for digest in _content_hashes(item, number >= n_training and with_masks):
            if number < n_training:
                first.setdefault(digest, item)
            elif digest in first:
                other = first[digest]
                raise DatasetError(
                    f"leakage: the same image in training ({other.name}, patient {other.patient_id}) and "
                    f"validation ({item.name}, patient {item.patient_id}); remove one, or give both the same patient_id"
                )


def _content_hashes(item: DatasetItem, with_mask: bool) -> list[str]:
    """Of the image, or of the mask of an entry without one; with_mask: of both, to find the mask of a validation series in training."""
    paths = [item.image or item.label, *([item.label] if with_mask and item.image is not None else [])]
    return [content_hash(read_volume(path)) for path in paths]


def _named(names: Iterable[str]) -> str:
    ordered = sorted(names, key=natural_key)
    return ", ".join(ordered[:MOST_NAMED]) + (f" and {len(ordered) - MOST_NAMED} more" if len(ordered) > MOST_NAMED else "")
