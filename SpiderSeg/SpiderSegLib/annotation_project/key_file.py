"""The key to new ids: which patient and series of the source became which of the project. A table that only the user's own file holds."""

from __future__ import annotations

import csv
import io
from dataclasses import astuple, dataclass, fields
from pathlib import Path

from SpiderSegLib.corrections.disk import Disk, add_line
from SpiderSegLib.errors import ProjectError


@dataclass(frozen=True)
class KeyRow:
    """One imported series: project, new names, and what they were. A row of another project means nothing here."""

    project: str
    patient: str
    series: str
    original_patient: str
    study_uid: str
    series_uid: str
    path: str


_COLUMNS = tuple(column.name for column in fields(KeyRow))


class KeyFile:
    """The rows of one project in a key file, and adding to them; without a path it is empty and stays so."""

    def __init__(self, path: Path | None, project_id: str, disk: Disk) -> None:
        self._path, self._project_id, self._disk = path, project_id, disk
        rows = [] if path is None else [row for row in read_key(path) if row.project == project_id]
        self._patients = {row.original_patient: row.patient for row in rows}
        self._series = {row.series_uid or row.path: row.series for row in rows}

    @property
    def patients(self) -> frozenset[str]:
        """All new ids that were given."""
        return frozenset(self._patients.values())

    def patient(self, original_patient: str) -> str:
        """The new id of a patient, '' for one who is not in the key."""
        return self._patients.get(_in_one_line(original_patient), "")

    def series(self, series_uid: str, path: str) -> str:
        """The series a series of the source became, '' for one that is not in the key."""
        return self._series.get(series_uid or path, "")

    def add(self, patient: str, series: str, original_patient: str, study_uid: str, series_uid: str, path: str) -> None:
        """Adds a row unless it is there. Raises OutputError."""
        self._patients[_in_one_line(original_patient)] = patient
        if self._path is None or self._series.get(series_uid or path) == series:
            return
        if _needs_line_end(self._path):
            add_line(self._disk, self._path, "")
        row = _line(astuple(KeyRow(self._project_id, patient, series, original_patient, study_uid, series_uid, path)))
        add_line(self._disk, self._path, row if self._path.exists() else f"{_line(_COLUMNS)}\n{row}")
        self._series[series_uid or path] = series


def read_key(path: Path) -> list[KeyRow]:
    """The rows of a key file; none when there is no such file. Raises ProjectError when it is something else."""
    if not path.exists():
        return []
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            lines = [line for line in csv.reader(file) if line]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ProjectError(f"{path}: expected a key file of an earlier import: {error}") from error
    if lines and tuple(lines[0]) != _COLUMNS:
        raise ProjectError(f"{path}: expected a key file with the columns {', '.join(_COLUMNS)}, found other ones")
    # A line cut short by a crash tells of a series that was not imported.
    return [KeyRow(*line) for line in lines[1:] if len(line) == len(_COLUMNS)]


def _line(values: tuple[str, ...]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="").writerow([_in_one_line(value) for value in values])
    return text.getvalue()


def _in_one_line(text: str) -> str:
    return " ".join(text.split())


def _needs_line_end(path: Path) -> bool:
    if not path.exists() or path.stat().st_size == 0:
        return False
    with path.open("rb") as file:
        file.seek(-1, 2)
        return file.read(1) != b"\n"
