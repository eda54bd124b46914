"""All revisions of a series: which are the newest, whether two people went different ways, and which mask counts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from SpiderSegLib.corrections.folder import ProjectFolder
from SpiderSegLib.corrections.names import same_person
from SpiderSegLib.corrections.records import DamagedRecord, heads_of, in_order, read_records
from SpiderSegLib.corrections.revision import KIND, Provenance, Revision, Status, revision_of
from SpiderSegLib.errors import ProjectError


@dataclass(frozen=True)
class History:
    """The revisions of one series, parents before children, and the files that should be revisions and are not."""

    series: str
    revisions: tuple[Revision, ...] = ()
    damaged: tuple[DamagedRecord, ...] = ()

    @cached_property
    def by_id(self) -> Mapping[str, Revision]:
        return {revision.id: revision for revision in self.revisions}

    @cached_property
    def by_people(self) -> tuple[Revision, ...]:
        """Without those that only record what a model drew."""
        return tuple(revision for revision in self.revisions if not revision.is_by_model)

    @cached_property
    def heads(self) -> tuple[Revision, ...]:
        """The revisions of people that nobody went on from; more than one is a conflict."""
        return heads_of(self.by_people)

    @property
    def is_conflict(self) -> bool:
        return len(self.heads) > 1

    @property
    def newest(self) -> Revision | None:
        """The revision to go on with: of several heads the latest; None before a person saved one."""
        return max(self.heads, key=lambda head: (head.created_utc, head.id), default=None)

    @cached_property
    def accepted(self) -> Revision | None:
        """The newest mask that may train: done or approved, and undisputed.

        In a conflict, the last one that all sides go on from; none while the series is flagged.
        """
        if not self.heads or any(head.status is Status.FLAGGED for head in self.heads):
            return None
        lines = [self.line(head) for head in self.heads]
        shared = set.intersection(*({revision.id for revision in line} for line in lines))
        return next((revision for revision in lines[0] if revision.id in shared and revision.is_accepted), None)

    def line(self, revision: Revision) -> tuple[Revision, ...]:
        """A revision, what it goes on from, and so on to the first."""
        line = [revision]
        while line[-1].parent in self.by_id:
            line.append(self.by_id[line[-1].parent])
        return tuple(line)

    def maker(self, revision: Revision) -> str:
        """Who made the voxels: the annotator of the earliest revision of its line from which on no voxel changed."""
        maker = revision
        for earlier in self.line(revision)[1:]:
            if earlier.content_sha256 != revision.content_sha256 or earlier.is_by_model:
                break
            maker = earlier
        return maker.annotator

    def may_validate(self, revision: Revision) -> bool:
        """Whether a mask may judge models: manual, or corrected or imported and approved by somebody who did not make it.

        An unchanged prediction never may: it would judge its own model.
        """
        if not revision.is_accepted:
            return False
        if revision.provenance is Provenance.MANUAL:
            return True
        is_checked = revision.status is Status.APPROVED and not same_person(self.maker(revision), revision.annotator)
        return is_checked and revision.provenance in (Provenance.CORRECTED, Provenance.IMPORTED)

    def require(self, revision_id: str) -> Revision:
        """The revision of an id, or of its first characters. Raises ProjectError when there is none or several."""
        found = [revision for revision in self.revisions if revision_id and revision.id.startswith(revision_id)]
        if len(found) != 1:
            known = ", ".join(revision.id[:12] for revision in self.revisions) or "none"
            raise ProjectError(f"{self.series}: expected one revision with id {revision_id or 'given'}, found {len(found)} (it has {known})")
        return found[0]


def read_history(folder: ProjectFolder, series: str) -> History:
    """Reads all revisions of a series.

    A damaged record is listed, not raised; only one of a newer schema raises (NewerSchema).
    """
    records, damaged = read_records(folder.revisions_of(series), KIND)
    revisions = []
    for record in records:
        try:
            revision = revision_of(record)
            if revision.series != series:
                raise ProjectError(f"{record.path}: a revision of {revision.series} in the folder of {series}")
            revisions.append(revision)
        except ProjectError as error:
            damaged.append(DamagedRecord(record.path, str(error)))
    return History(series, in_order(revisions), tuple(damaged))
