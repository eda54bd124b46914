"""overview.csv of SPIDER: scanner, timing, subset and counts of every series, by series name."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from SpiderSegLib.errors import DatasetError

OVERVIEW_NAME = "overview.csv"

#: The columns that are used; SPIDER's own names.
SERIES_COLUMN, SUBSET_COLUMN = "new_file_name", "subset"

#: Values of the subset column.
TRAINING, VALIDATION = "training", "validation"


@dataclass(frozen=True)
class OverviewRow:
    """What overview.csv says of one series; None or '' where it says nothing. Times in ms, field strength in tesla."""

    series: str
    subset: str = ""
    manufacturer: str = ""
    model: str = ""
    field_strength_t: float | None = None
    repetition_time_ms: float | None = None
    echo_time_ms: float | None = None
    n_vertebrae: int | None = None
    n_discs: int | None = None


Overview = Mapping[str, OverviewRow]


def read_overview(path: Path) -> dict[str, OverviewRow]:
    """The rows of an overview.csv by series name ('1_t1'). Raises DatasetError when it can't be read or has no such column."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            if SERIES_COLUMN not in (reader.fieldnames or ()):
                raise DatasetError(f"{path}: expected a column {SERIES_COLUMN}, found {', '.join(reader.fieldnames or ()) or 'an empty file'}")
            rows = [_row({key: value or "" for key, value in row.items() if key is not None}) for row in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DatasetError(f"{path}: expected SPIDER's overview.csv: {error}") from error
    return {row.series: row for row in rows if row.series}


def find_overview(paths: Iterable[Path]) -> dict[str, OverviewRow]:
    """The overview.csv beside the folders (images/, masks/) that hold these files, or one folder above; empty without one."""
    folders = {folder for path in paths for folder in (path.parent.parent, path.parent.parent.parent)}
    rows: dict[str, OverviewRow] = {}
    for folder in sorted(folders):
        if (folder / OVERVIEW_NAME).is_file():
            rows.update(read_overview(folder / OVERVIEW_NAME))
    return rows


def _row(row: Mapping[str, str]) -> OverviewRow:
    def number(column: str) -> float | None:
        try:
            value = float(row.get(column, ""))
        except ValueError:
            return None
        return value if math.isfinite(value) else None

    vertebrae, discs = number("num_vertebrae"), number("num_discs")
    return OverviewRow(
        series=row[SERIES_COLUMN].strip(),
        subset=row.get(SUBSET_COLUMN, "").strip().lower(),
        manufacturer=row.get("Manufacturer", "").strip(),
        model=row.get("ManufacturerModelName", "").strip(),
        field_strength_t=number("MagneticFieldStrength"),
        repetition_time_ms=number("RepetitionTime"),
        echo_time_ms=number("EchoTime"),
        n_vertebrae=None if vertebrae is None else int(vertebrae),
        n_discs=None if discs is None else int(discs),
    )
