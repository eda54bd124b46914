"""What a project knows as tables that SPIDER's and MONAI's readers understand, the same for the same state of the project."""

from __future__ import annotations

import csv
import io
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from SpiderSegLib.annotation_project.decisions import frozen_patients, read_decisions
from SpiderSegLib.annotation_project.deidentification import DISCS_FACT, SUBSET_FACT, VERTEBRAE_FACT
from SpiderSegLib.annotation_project.project import Project
from SpiderSegLib.cases import Case
from SpiderSegLib.corrections.folder import MASK_SUFFIX
from SpiderSegLib.corrections.history import History, read_history
from SpiderSegLib.corrections.revision import Revision
from SpiderSegLib.corrections.series_record import SeriesRecord, read_series_record, series_names
from SpiderSegLib.labels import Structure, level_of, structure_of
from SpiderSegLib.overview import SERIES_COLUMN, TRAINING, VALIDATION
from SpiderSegLib.series_names import natural_key
from SpiderSegLib.splits import Split, datalist_json

#: SPIDER's columns in SPIDER's order; what the project does not know stays empty.
OVERVIEW_COLUMNS = (
    *(SERIES_COLUMN, VERTEBRAE_FACT, DISCS_FACT, "sex", "birth_date", SUBSET_FACT, "AngioFlag", "BodyPartExamined", "DeviceSerialNumber"),
    *("EchoNumbers", "EchoTime", "EchoTrainLength", "FlipAngle", "ImagedNucleus", "ImagingFrequency", "InPlanePhaseEncodingDirection"),
    *("MRAcquisitionType", "MagneticFieldStrength", "Manufacturer", "ManufacturerModelName", "NumberOfPhaseEncodingSteps"),
    *("PercentPhaseFieldOfView", "PercentSampling", "PhotometricInterpretation", "PixelBandwidth", "PixelSpacing", "RepetitionTime", "SAR"),
    *("SamplesPerPixel", "ScanningSequence", "SequenceName", "SeriesDescription", "SliceThickness", "SoftwareVersions", "SpacingBetweenSlices"),
    *("SpecificCharacterSet", "TransmitCoilName", "WindowCenter", "WindowWidth"),
)

PROVENANCE_COLUMNS = (
    *("series", "patient_id", "sequence", "split", "status", "annotator", "made_by", "provenance", "seeded_share", "model", "minutes"),
    *("saved_utc", "revision"),
)

CONFLICT, NO_MASK = "conflict", "new"

SPLIT_RULE = "the frozen validation patients of the project, and those of the validation subset of the data set they came from"


@dataclass(frozen=True)
class ProjectSeries:
    """A series of a project with its history and the side of the split its patient is on."""

    record: SeriesRecord
    history: History
    split: str

    @property
    def series(self) -> str:
        return self.record.series

    @property
    def accepted(self) -> Revision | None:
        return self.history.accepted


def all_series(project: Project, chosen: Collection[str] = ()) -> list[ProjectSeries]:
    """All series, or the chosen ones, in natural order.

    Raises ProjectError when a record of a series or decision is damaged: a list without it could let a frozen patient train.
    """
    names = sorted(series_names(project.folder), key=lambda name: (natural_key(name), name))
    records = [read_series_record(project.folder, name) for name in names]
    validating = frozen_patients(read_decisions(project.folder)) | {
        record.patient_id for record in records if record.facts.get(SUBSET_FACT) == VALIDATION
    }
    return [
        ProjectSeries(record, read_history(project.folder, record.series), VALIDATION if record.patient_id in validating else TRAINING)
        for record in records
        if not chosen or record.series in chosen
    ]


def overview_bytes(series: Iterable[ProjectSeries]) -> bytes:
    """overview.csv: counts by the accepted mask, where there is one."""
    return _csv(OVERVIEW_COLUMNS, (_overview_row(one) for one in series))


def _overview_row(one: ProjectSeries) -> Mapping[str, str]:
    counts = {}
    if one.accepted is not None:
        found = {structure: set[int]() for structure in Structure}
        for value in one.accepted.values:
            found[structure_of(value)].add(level_of(value))
        counts = {VERTEBRAE_FACT: str(len(found[Structure.VERTEBRA])), DISCS_FACT: str(len(found[Structure.DISC]))}
    return {**one.record.facts, SUBSET_FACT: one.split, **counts, SERIES_COLUMN: one.series}


def provenance_bytes(series: Iterable[ProjectSeries]) -> bytes:
    """provenance.csv: whose work every accepted mask is; where none is accepted, where the series stands."""
    return _csv(PROVENANCE_COLUMNS, (_provenance_row(one) for one in series))


def _provenance_row(one: ProjectSeries) -> Mapping[str, str]:
    accepted = one.accepted
    row = {
        "series": one.series,
        "patient_id": one.record.patient_id,
        "sequence": one.record.sequence,
        "split": one.split,
        "status": _status(one.history),
        "minutes": f"{sum(revision.minutes for revision in one.history.by_people):.2f}",
    }
    if accepted is None:
        return row
    return row | {
        "annotator": accepted.annotator,
        "made_by": one.history.maker(accepted),
        "provenance": accepted.provenance.value,
        "seeded_share": f"{accepted.seeded_share:.4f}",
        "model": accepted.source_model,
        "saved_utc": accepted.created_utc,
        "revision": accepted.id,
    }


def _status(history: History) -> str:
    if history.is_conflict:
        return CONFLICT
    return history.newest.status.value if history.newest is not None else NO_MASK


def datalist_bytes(series: Sequence[ProjectSeries], name: str, has_images: bool = True) -> bytes:
    """spider_dataset.json: series with an accepted mask, paths as they lie in a project and in an export of one."""
    sides: dict[str, list[Case]] = {TRAINING: [], VALIDATION: []}
    root = Path()
    for one in series:
        if one.accepted is not None:
            file = f"{one.series}{MASK_SUFFIX}"
            image = root / "images" / file if has_images else None
            sides[one.split].append(Case(one.series, one.record.patient_id, image, root / "masks" / file, "spider", one.split))
    return datalist_json(Split(tuple(sides[TRAINING]), tuple(sides[VALIDATION]), SPLIT_RULE), root, name).encode("utf-8")


def _csv(columns: Sequence[str], rows: Iterable[Mapping[str, str]]) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, columns, restval="", extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode("utf-8")
