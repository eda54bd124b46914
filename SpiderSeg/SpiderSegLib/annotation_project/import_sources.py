"""The series that an import's source holds: files in SPIDER's layout, of a data list or of a folder; DICOM studies are `dicom_import`'s."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

from SpiderSegLib.annotation_project.deidentification import SUBSET_FACT, facts_of_overview, secrets_in
from SpiderSegLib.annotation_project.dicom_import import find_dicom, has_dicom
from SpiderSegLib.annotation_project.import_report import ImportOptions, Remark
from SpiderSegLib.annotation_project.source_series import SourceSeries, SourceSet
from SpiderSegLib.cases import IMAGES, REFERENCE_FOLDERS, Case, CaseSet, find_cases
from SpiderSegLib.dicom import is_dicom_folder
from SpiderSegLib.errors import DatasetError
from SpiderSegLib.io import image_stem, image_suffix, read_volume
from SpiderSegLib.overview import OverviewRow, find_overview
from SpiderSegLib.segmentation_files import SLICER, format_of
from SpiderSegLib.series_names import natural_key, patient_of


def find_sources(source: Path, options: ImportOptions) -> SourceSet:
    """What a source holds; by its look a data list, SPIDER's layout, a folder of image files, or one of DICOM studies.

    Raises DatasetError when it is none of them.
    """
    if not source.exists():
        raise DatasetError(f"{source}: no such file or folder")
    if source.is_file() and image_suffix(source):
        return _anonymous(_of_files((source,), options), options)
    if source.is_file() or any(_image_files(source / name) for name in (IMAGES, *REFERENCE_FOLDERS)):
        return _anonymous(_of_cases(find_cases(source, options.root), source), options)
    if options.root is not None:
        raise DatasetError(f"{source}: expected a data list (JSON), because a folder for its paths was given")
    if not is_dicom_folder(source):
        files = _image_files(source)
        if files:
            return _anonymous(_of_files(files, options), options)
        if not has_dicom(source):
            raise DatasetError(
                f"{source}: expected images/ with or without masks/, image files (.mha, .mhd, .nii, .nii.gz, .nrrd), DICOM studies or a data list, "
                "found none of them"
            )
    return find_dicom(source)


def _image_files(folder: Path) -> tuple[Path, ...]:
    if not folder.is_dir():
        return ()
    files = (path for path in folder.iterdir() if path.is_file() and image_suffix(path) and not path.name.startswith("."))
    return tuple(sorted((path for path in files if format_of(path) != SLICER), key=lambda path: natural_key(path.name)))


def _of_files(files: Iterable[Path], options: ImportOptions) -> SourceSet:
    masks = {image_stem(path): path for path in _image_files(options.masks)} if options.masks is not None else {}
    images = {path: image_stem(path) for path in files}
    cases = [Case(stem, patient_of(stem), path, masks.get(stem), "spider") for path, stem in images.items()]
    alone = [Case(stem, patient_of(stem), None, mask, "spider") for stem, mask in masks.items() if stem not in images.values()]
    return SourceSet(tuple(_of_case(case, {}) for case in (*cases, *alone)))


def _of_cases(case_set: CaseSet, source: Path) -> SourceSet:
    notes = []
    try:
        overview: Mapping[str, OverviewRow] = find_overview(case_set.files)
    except DatasetError as error:
        overview, notes = {}, [Remark("overview.csv", f"not taken in: {error}")]
    folders = (case_set.root, case_set.root.parent, source.parent)
    return SourceSet(tuple(_of_case(case, overview) for case in case_set.cases), notes=tuple(notes), gradings_folders=folders)


def _of_case(case: Case, overview: Mapping[str, OverviewRow]) -> SourceSeries:
    row = overview.get(case.series)
    facts = {} if row is None else facts_of_overview(row)
    if case.split:
        facts.setdefault(SUBSET_FACT, case.split)
    return SourceSeries(
        title=case.name,
        patient=case.patient_id,
        files=() if case.image is None else (case.image,),
        read=partial(read_volume, case.any_file),
        stem=case.series,
        mask=case.reference,
        mask_kind=case.reference_kind,
        facts=facts,
    )


def _anonymous(sources: SourceSet, options: ImportOptions) -> SourceSet:
    """With new ids also for files: then their names are secrets, too."""
    if not options.new_ids:
        return sources
    series = tuple(_without_names(one, number) for number, one in enumerate(sources.series, 1))
    return replace(sources, series=series)


def _without_names(source: SourceSeries, number: int) -> SourceSeries:
    paths = [path for path in (*source.files, source.mask) if path is not None]
    identity = secrets_in((source.stem, source.patient))
    secrets = (*(str(path).casefold() for path in paths), *(path.name.casefold() for path in paths), *identity)
    return replace(source, title=f"file {number}", is_anonymous=True, identity=identity, secrets=secrets)
