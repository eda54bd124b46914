"""radiological_gradings.csv: plain numbers, commas, CRLF at every line's end, no byte-order mark, an empty cell where nothing is graded."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path

from SpiderSegLib.atomic import write_together
from SpiderSegLib.errors import DatasetError
from SpiderSegLib.gradings.collection import FIRST_ROW, Gradings
from SpiderSegLib.gradings.disc import DiscGrading
from SpiderSegLib.gradings.items import DISC_COLUMN, GRADED_ITEMS, PATIENT_COLUMN

GRADINGS_NAME = "radiological_gradings.csv"

COLUMNS = (PATIENT_COLUMN, DISC_COLUMN, *(item.column for item in GRADED_ITEMS))


def read_gradings(path: Path) -> Gradings:
    """The rows of a radiological_gradings.csv; those that name no disc are kept and in `Gradings.flagged`.

    A byte-order mark and other line ends, which spreadsheets write, are accepted. Raises DatasetError naming the file, row and column,
    what was expected and found: other columns, no whole number, a grade the column does not have, a disc graded twice.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            lines = list(csv.reader(file, strict=True))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DatasetError(f"{path}: expected SPIDER's {GRADINGS_NAME}: {error}") from error
    while lines and not any(lines[-1]):
        lines.pop()
    header = tuple(lines[0]) if lines else ()
    if header != COLUMNS:
        raise DatasetError(f"{path}: expected the columns {', '.join(COLUMNS)}, found {', '.join(header) or 'an empty file'}")
    rows = tuple(_grading(cells, f"{path}, row {number}") for number, cells in enumerate(lines[1:], FIRST_ROW))
    try:
        return Gradings(rows)
    except DatasetError as error:
        raise DatasetError(f"{path}, row {_second_row_of_a_disc(rows)}: {error}") from error


def gradings_bytes(gradings: Gradings) -> bytes:
    """The file's content; that of SPIDER's own file byte for byte."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for row in gradings.rows:
        grades = [row.grade(item.key) for item in GRADED_ITEMS]
        writer.writerow([row.patient_id, row.level, *("" if grade is None else grade for grade in grades)])
    return text.getvalue().encode("utf-8")


def write_gradings(path: Path, gradings: Gradings) -> None:
    """Writes the file whole or not at all. Raises OutputError naming it and the reason."""
    content = gradings_bytes(gradings)

    def write(temporary: Path) -> None:
        temporary.write_bytes(content)

    write_together({path: write})


def _grading(cells: Sequence[str], place: str) -> DiscGrading:
    if len(cells) != len(COLUMNS):
        raise DatasetError(f"{place}: expected {len(COLUMNS)} columns, found {len(cells)}")
    level = _number(cells[1], f"{place}, {DISC_COLUMN}")
    if level is None:
        raise DatasetError(f"{place}, {DISC_COLUMN}: expected the number of a disc, found nothing")
    grades = {item.key: _number(cell, f"{place}, {item.column}") for item, cell in zip(GRADED_ITEMS, cells[2:], strict=True)}
    try:
        return DiscGrading(cells[0].strip(), level, **grades)
    except DatasetError as error:
        raise DatasetError(f"{place}: {error}") from error


def _number(cell: str, place: str) -> int | None:
    """The whole number of a cell, None for an empty one; '3.0' is 3, as tools write it that keep columns with gaps as decimals."""
    text = cell.strip()
    if not text:
        return None
    whole = text.removesuffix(".0")
    if not (whole.isascii() and whole.isdigit()):
        raise DatasetError(f"{place}: expected a whole number or nothing, found {cell!r}")
    return int(whole)


def _second_row_of_a_disc(rows: Sequence[DiscGrading]) -> int:
    seen: set[tuple[str, int]] = set()
    for number, row in enumerate(rows, FIRST_ROW):
        disc = (row.patient_id, row.level)
        if row.label_value is not None and disc in seen:
            return number
        seen.add(disc)
    return FIRST_ROW
