"""What an import was asked for, and what became of every series."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from SpiderSegLib.annotation_project.project import Project
from SpiderSegLib.annotation_project.series_naming import check_prefix
from SpiderSegLib.corrections.names import check_annotator, same_person
from SpiderSegLib.corrections.revision import Status
from SpiderSegLib.counted import counted
from SpiderSegLib.errors import ProjectError

#: Who made imported masks, where nobody says.
DEFAULT_ANNOTATOR = "import"

#: As many names as a line can hold and stay readable.
MOST_NAMED = 8


@dataclass(frozen=True)
class ImportOptions:
    """How to import.

    annotator made the masks, approved_by is another person who checked them ('' for nobody); status is theirs, done or in progress.
    patient_prefix renames patients, or begins new ids. new_ids: also image files get ids that have nothing to do with their names, as DICOM
    always does. key_file tells which id belongs to whom: written where given, read again to recognize patients. root: where the paths of
    a data list lie; masks: a folder with a mask of the same name for every file of a plain folder. Raises ProjectError for names and
    a status that can't be.
    """

    annotator: str = DEFAULT_ANNOTATOR
    status: Status = Status.DONE
    approved_by: str = ""
    patient_prefix: str = ""
    new_ids: bool = False
    key_file: Path | None = None
    root: Path | None = None
    masks: Path | None = None

    def __post_init__(self) -> None:
        check_annotator(self.annotator)
        check_prefix(self.patient_prefix)
        if self.status not in (Status.DONE, Status.IN_PROGRESS):
            raise ProjectError(f"expected imported masks to be done or in progress, found {self.status.value}")
        if not self.approved_by:
            return
        if same_person(check_annotator(self.approved_by), self.annotator):
            raise ProjectError(f"{self.approved_by} made the masks; another person has to approve them")
        if self.status is not Status.DONE:
            raise ProjectError(f"expected masks that are done, for {self.approved_by} to have approved them")


@dataclass(frozen=True)
class Remark:
    """A series (or what else was found) and what is to be said of it."""

    name: str
    text: str

    def __str__(self) -> str:
        return f"{self.name}: {self.text}"


@dataclass(frozen=True)
class ImportReport:
    """What an import did.

    imported: new series; completed: series that were there and got their mask or its approval now; skipped and failed with the reason;
    masks_left_out: of series that are in the project; notes: what was done that nobody asked for (masks renumbered, patients joined). masks,
    gradings: how many masks and how many patients' gradings were added. patients: ids of all patients the import was about.
    """

    imported: tuple[str, ...] = ()
    completed: tuple[str, ...] = ()
    skipped: tuple[Remark, ...] = ()
    failed: tuple[Remark, ...] = ()
    masks_left_out: tuple[Remark, ...] = ()
    notes: tuple[Remark, ...] = ()
    patients: tuple[str, ...] = ()
    masks: int = 0
    gradings: int = 0
    is_cancelled: bool = False

    @property
    def has_failed(self) -> bool:
        return bool(self.failed or self.masks_left_out)

    @property
    def counts(self) -> str:
        """One line."""
        completed = f", {len(self.completed)} completed" if self.completed else ""
        left_out = f" ({len(self.masks_left_out)} left out)" if self.masks_left_out else ""
        line = (
            f"{len(self.imported)} series imported{completed}, {len(self.skipped)} skipped, {len(self.failed)} failed; "
            f"{counted(self.masks, 'mask')}{left_out} and the gradings of {counted(self.gradings, 'patient')} added; "
            f"{counted(len(self.patients), 'patient')}"
        )
        return f"{line}; cancelled: the same import again goes on from here" if self.is_cancelled else line

    @property
    def remarks(self) -> dict[str, tuple[Remark, ...]]:
        """What is to be said of single series, by what became of them, the worst first."""
        return {"failed": self.failed, "mask left out": self.masks_left_out, "skipped": self.skipped, "note": self.notes}

    def summary(self) -> str:
        """All of it in lines for people; series of which the same is to be said share a line."""
        return "\n".join([self.counts, *(f"{title}: {line}" for title, remarks in self.remarks.items() for line in grouped(remarks))])


def grouped(remarks: Iterable[Remark]) -> list[str]:
    """A line for everything that is said, with the series it is said of."""
    names: dict[str, list[str]] = defaultdict(list)
    for remark in remarks:
        names[remark.text].append(remark.name)
    return [f"{_named(own)}: {text}" for text, own in names.items()]


def _named(names: list[str]) -> str:
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return ", ".join(names[:MOST_NAMED]) + more


@dataclass
class Tally:
    """A report in the making."""

    imported: list[str] = field(default_factory=list)
    completed: list[str] = field(default_factory=list)
    skipped: list[Remark] = field(default_factory=list)
    failed: list[Remark] = field(default_factory=list)
    masks_left_out: list[Remark] = field(default_factory=list)
    notes: list[Remark] = field(default_factory=list)
    patients: dict[str, str] = field(default_factory=dict)
    masks: int = 0
    gradings: int = 0
    is_cancelled: bool = False

    def report(self) -> ImportReport:
        return ImportReport(
            imported=tuple(self.imported),
            completed=tuple(self.completed),
            skipped=tuple(self.skipped),
            failed=tuple(self.failed),
            masks_left_out=tuple(self.masks_left_out),
            notes=tuple(self.notes),
            patients=tuple(dict.fromkeys(self.patients.values())),
            masks=self.masks,
            gradings=self.gradings,
            is_cancelled=self.is_cancelled,
        )


def check_places(project: Project, source: Path, options: ImportOptions) -> None:
    """Raises ProjectError when the source lies in the project, or the key file would."""
    root = project.root.resolve()
    if source.resolve().is_relative_to(root):
        raise ProjectError(f"{source}: expected a source outside the project {project.root}")
    if options.key_file is not None and options.key_file.resolve().is_relative_to(root):
        raise ProjectError(f"{options.key_file}: expected a key file outside the project folder, which is passed on without it")
