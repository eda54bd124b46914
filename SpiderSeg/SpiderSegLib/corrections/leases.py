"""Who works on which series: a note to others that expires, never a lock. Saving does not need it, and two savers lose nothing."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from SpiderSegLib.corrections.disk import put, put_new
from SpiderSegLib.corrections.folder import ProjectFolder
from SpiderSegLib.corrections.names import check_annotator, is_name, same_person
from SpiderSegLib.corrections.records import Clock, read_json, utc_now, utc_text
from SpiderSegLib.corrections.schema import NewerSchema, migrated
from SpiderSegLib.corrections.series_record import json_text
from SpiderSegLib.errors import ProjectError
from SpiderSegLib.io import bytes_writer

KIND = "lease"

#: A series is held so long after the last sign of its annotator: a lunch break, not a night.
LEASE_HOURS = 2.0


@dataclass(frozen=True)
class Lease:
    """Who holds a series, on which computer, until when (UTC, ISO 8601)."""

    series: str
    annotator: str
    computer: str
    until_utc: str

    def is_over(self, now: datetime) -> bool:
        """Whether it has expired. A lease that lies further ahead than one lasts was written by a clock that is wrong: it is over, too."""
        until = _time(self.until_utc)
        return until is None or not now < until <= now + timedelta(hours=2 * LEASE_HOURS)


def hold(folder: ProjectFolder, series: str, annotator: str, clock: Clock = utc_now) -> Lease | None:
    """Holds a series for an annotator, or prolongs it. Returns the lease of somebody else who holds it, or None when it is ours now."""
    now = clock()
    lease = Lease(series, check_annotator(annotator), socket.gethostname(), utc_text(now + timedelta(hours=LEASE_HOURS)))
    content = bytes_writer(json_text({"schema": 1, "kind": KIND, **vars(lease)}).encode("utf-8"))
    path = folder.lease(series)
    if put_new(folder.disk, path, content):
        return None
    other = read_lease(folder, series)
    if other is not None and not other.is_over(now) and not same_person(other.annotator, annotator):
        return other
    # Two who find the same expired lease may both take it; the last one has it, and nobody loses work by that.
    put(folder.disk, path, content)
    return None


def release(folder: ProjectFolder, series: str, annotator: str) -> None:
    """Gives a series back; somebody else's lease stays."""
    lease = read_lease(folder, series)
    if lease is None or same_person(lease.annotator, annotator):
        folder.disk.unlink(folder.lease(series))


def read_lease(folder: ProjectFolder, series: str) -> Lease | None:
    """The lease of a series; None without one or when its file can't be read: then nobody holds it."""
    path = folder.lease(series)
    try:
        body = migrated(KIND, read_json(path), path)
        return Lease(*(str(body[key]) for key in ("series", "annotator", "computer", "until_utc")))
    except NewerSchema:
        raise
    except (ProjectError, KeyError):
        return None


def leases(folder: ProjectFolder, clock: Clock = utc_now) -> Mapping[str, Lease]:
    """The leases that hold now, by series."""
    now, found = clock(), {}
    for series in _leased(folder):
        lease = read_lease(folder, series)
        if lease is not None and not lease.is_over(now):
            found[series] = lease
    return found


def _leased(folder: ProjectFolder) -> list[str]:
    try:
        with os.scandir(folder.leases) as entries:
            names = sorted(entry.name[: -len(".json")] for entry in entries if entry.name.endswith(".json"))
    except OSError:
        return []
    return [name for name in names if is_name(name)]


def _time(text: str) -> datetime | None:
    try:
        time = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        return None
    return time if time.tzinfo is not None else None
