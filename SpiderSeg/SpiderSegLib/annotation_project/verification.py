"""Whether everything a project holds is whole: every truth by its hash, every derived file by what it is derived from."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Set
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from SpiderSegLib.annotation_project.models import CHECKPOINT, RECORD, read_model
from SpiderSegLib.annotation_project.predictions import predicted_series, read_prediction
from SpiderSegLib.annotation_project.project import Project
from SpiderSegLib.corrections.disk import is_abandoned, is_temporary
from SpiderSegLib.corrections.folder import MASK_SUFFIX, ProjectFolder
from SpiderSegLib.corrections.history import History, read_history
from SpiderSegLib.corrections.journal import noted_files
from SpiderSegLib.corrections.names import is_name
from SpiderSegLib.corrections.records import RECORD_SUFFIX, is_record_name, read_records
from SpiderSegLib.corrections.series_record import read_series_record, series_names
from SpiderSegLib.errors import ProjectError
from SpiderSegLib.fingerprint import sha256_of
from SpiderSegLib.series_names import natural_key


class Harm(str, Enum):
    """What a problem costs. LOST: work or data of people is damaged or gone; DERIVED: a rebuild makes it again; LITTER: it may go."""

    LOST = "lost"
    DERIVED = "derived"
    LITTER = "litter"


@dataclass(frozen=True)
class Problem:
    """A file that is damaged, missing or left over, and what to do."""

    harm: Harm
    path: Path
    message: str


def verify(project: Project) -> tuple[Problem, ...]:
    """Reads every file of a project and names all that is wrong, what was lost first. Empty: everything is whole.

    Files that other processes are writing at this moment are passed over.
    """
    found = [*_truth(project), *_derived(project), *_litter(project.folder)]
    # A missing file is often known from several sides.
    unique = {problem.path: problem for problem in reversed(found)}
    order = list(Harm)
    return tuple(sorted(unique.values(), key=lambda problem: (order.index(problem.harm), str(problem.path))))


def truth_files(project: Project) -> set[Path]:
    """The records (with their images and checkpoints) that are in their places: what the journal should know."""
    folder = project.folder
    found: set[Path] = set()
    for place in (folder.revisions, folder.gradings):
        for sub in _subfolders(place):
            found.update(sub / name for name in _names(sub) if is_record_name(name))
    found.update(folder.decisions / name for name in _names(folder.decisions) if is_record_name(name))
    for series in series_names(folder):
        found.update({folder.series_record(series), folder.image(series)})
    found.update(sub / RECORD for sub in _subfolders(folder.models) if (sub / RECORD).is_file())
    return found


def _truth(project: Project) -> Iterator[Problem]:
    folder = project.folder
    for path in sorted(noted_files(folder)):
        if not path.is_file():
            yield Problem(Harm.LOST, path, "missing: it was saved and is gone; get it back from a backup")
    for series in sorted(series_names(folder), key=natural_key):
        yield from _image(folder, series)
    known = set(series_names(folder))
    for sub in _subfolders(folder.revisions):
        if sub.name not in known:
            yield Problem(Harm.LOST, folder.images / f"{sub.name}.json", "missing: the series has revisions but no record; get it back from a backup")
        if is_name(sub.name):
            yield from _revisions(folder, read_history(folder, sub.name))
    for place, kind in ((folder.decisions, "decision"), *((sub, "gradings") for sub in _subfolders(folder.gradings))):
        for damaged in read_records(place, kind)[1]:
            yield Problem(Harm.LOST, damaged.path, f"{damaged.reason}; get it back from a backup")
    for sub in _subfolders(folder.models):
        if (sub / RECORD).is_file():
            yield from _model(project, sub)


def _image(folder: ProjectFolder, series: str) -> Iterator[Problem]:
    try:
        record = read_series_record(folder, series)
    except ProjectError as error:
        yield Problem(Harm.LOST, folder.series_record(series), f"{error}; get it back from a backup, or import the series again")
        return
    yield from _hashed(folder.image(series), record.image_sha256, "import the series again, or get it back from a backup")


def _revisions(folder: ProjectFolder, history: History) -> Iterator[Problem]:
    for damaged in history.damaged:
        yield Problem(Harm.LOST, damaged.path, f"{damaged.reason}; get it back from a backup")
    place = folder.revisions_of(history.series)
    masks = {revision.mask_file: revision.mask_sha256 for revision in history.revisions}
    for name, sha256 in masks.items():
        yield from _hashed(place / name, sha256, "get it back from a backup")
    for revision in history.revisions:
        missing = [parent for parent in (*revision.parents, revision.prediction) if parent and parent not in history.by_id]
        for parent in missing:
            path = place / f"{parent[:12]}{RECORD_SUFFIX}"
            yield Problem(Harm.LOST, path, f"missing: revision {revision.id[:12]} goes on from {parent[:12]}; get it back from a backup")


def _model(project: Project, place: Path) -> Iterator[Problem]:
    try:
        record = read_model(project, place.name)
    except ProjectError as error:
        yield Problem(Harm.LOST, place / RECORD, f"{error}; get it back from a backup")
        return
    yield from _hashed(place / CHECKPOINT, record.checkpoint_sha256, "get it back from a backup")


def _hashed(path: Path, sha256: str, advice: str) -> Iterator[Problem]:
    try:
        if sha256_of(path) != sha256:
            yield Problem(Harm.LOST, path, f"not what was written: it was changed or damaged; {advice}")
    except FileNotFoundError:
        yield Problem(Harm.LOST, path, f"missing; {advice}")
    except OSError as error:
        yield Problem(Harm.LOST, path, f"can't be read: {error.strerror}; {advice}")


def _derived(project: Project) -> Iterator[Problem]:
    folder = project.folder
    for series in series_names(folder):
        accepted, path = read_history(folder, series).accepted, folder.mask(series)
        if accepted is None and path.exists():
            yield Problem(Harm.DERIVED, path, "stale: no mask of this series is accepted; spiderseg project rebuild removes it")
        elif accepted is not None and not _has_hash(path, accepted.mask_sha256):
            yield Problem(Harm.DERIVED, path, f"not the accepted mask {accepted.id[:12]}; spiderseg project rebuild brings it")
    for series in predicted_series(folder):
        try:
            read_prediction(folder, series)
        except ProjectError as error:
            yield Problem(Harm.DERIVED, folder.prediction_sidecar(series), str(error))
    untold = truth_files(project) - noted_files(folder)
    for path in sorted(untold):
        yield Problem(Harm.DERIVED, path, "not in the journal: a save was interrupted after it; spiderseg project rebuild notes it")


def _has_hash(path: Path, sha256: str) -> bool:
    try:
        return sha256_of(path) == sha256
    except OSError:
        return False


def _litter(folder: ProjectFolder) -> Iterator[Problem]:
    for path in abandoned_files(folder):
        yield Problem(Harm.LITTER, path, "left by an interrupted save; spiderseg project rebuild finishes or removes it")
    for path in orphans(folder):
        yield Problem(Harm.LITTER, path, "belongs to no record; spiderseg project rebuild moves it to recovered/")


def abandoned_files(folder: ProjectFolder) -> tuple[Path, ...]:
    """Temporary files that nobody is writing any more."""
    return tuple(path for path in _walk(folder.root) if is_temporary(path.name) and is_abandoned(path))


def orphans(folder: ProjectFolder) -> tuple[Path, ...]:
    """Masks of revisions/ and predictions/, and images, that no record names, unless somebody is about to name them."""
    found: list[Path] = []
    for sub in _subfolders(folder.revisions):
        if is_name(sub.name):
            masks = {revision.mask_file for revision in read_history(folder, sub.name).revisions}
            found.extend(sub / name for name in _names(sub) if name.endswith(MASK_SUFFIX) and _is_unnamed(sub, name, masks))
    for place, named in ((folder.predictions, set(predicted_series(folder))), (folder.images, set(series_names(folder)))):
        stems = {f"{series}{MASK_SUFFIX}" for series in named}
        found.extend(place / name for name in _names(place) if name.endswith(MASK_SUFFIX) and _is_unnamed(place, name, stems))
    return tuple(found)


def _is_unnamed(place: Path, name: str, named: Set[str]) -> bool:
    if name in named or is_temporary(name):  # nearly all; what follows lists the folder
        return False
    # While a save is at work in the folder its temporary record may be about to name the file.
    is_busy = any(is_temporary(other) and not is_abandoned(place / other) for other in _names(place))
    # Looked for after that: the record may just have got its name. A damaged one is a damage of its own; its mask stays where it is.
    has_record = (place / name).with_suffix(RECORD_SUFFIX).exists()
    return not is_busy and not has_record


def _walk(root: Path) -> Iterable[Path]:
    for folder, _folders, names in os.walk(root):
        for name in names:
            yield Path(folder) / name


def _names(folder: Path) -> list[str]:
    try:
        return sorted(os.listdir(folder))  # noqa: PTH208 - names, not paths
    except (FileNotFoundError, NotADirectoryError):
        return []


def _subfolders(folder: Path) -> list[Path]:
    return [folder / name for name in _names(folder) if (folder / name).is_dir()]
