"""Agreement between two files, or between two folders whose files are paired by the name of the series."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

from SpiderSegLib.agreement.measure import agree
from SpiderSegLib.agreement.result import Agreement
from SpiderSegLib.errors import DatasetError, SpiderSegError
from SpiderSegLib.evaluation.pairing import files_by_series
from SpiderSegLib.io import image_stem, read_labelmap
from SpiderSegLib.metrics import Statistic, summarize
from SpiderSegLib.series_names import natural_key

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class SeriesAgreement:
    """The agreement on one series and the files it was measured on."""

    series: str
    path_a: Path
    path_b: Path
    agreement: Agreement


@dataclass(frozen=True)
class FailedPair:
    """Two files of one series that can't be compared, and why."""

    series: str
    reason: str


@dataclass(frozen=True)
class AgreementSet:
    """Every series of A or B: compared, failed, or only in one of them."""

    name_a: str
    name_b: str
    series: tuple[SeriesAgreement, ...]
    failed: tuple[FailedPair, ...] = ()
    only_in_a: tuple[str, ...] = ()
    only_in_b: tuple[str, ...] = ()

    def summary(self) -> dict[str, Statistic]:
        """Mean, deviation and count over series of each measure of `Agreement.by_name`."""
        values = [one.agreement.by_name() for one in self.series]
        return {name: summarize(row[name] for row in values) for name in (values[0] if values else ())}


def agree_files(a: Path, b: Path) -> AgreementSet:
    """Two labelmap files, whatever their names, named after A. Raises ImageReadError, GeometryError and LabelError as reading and `agree`."""
    agreement = agree(read_labelmap(a), read_labelmap(b))
    return AgreementSet(str(a), str(b), (SeriesAgreement(image_stem(a), a, b, agreement),))


def agree_folders(a: Path, b: Path) -> AgreementSet:
    """Two folders (not searched below); a series that can't be compared goes to `failed` and the others go on.

    Raises DatasetError for two labelmaps of one series in a folder, and when no series is in both.
    """
    in_a, in_b = files_by_series(a), files_by_series(b)
    shared = sorted(set(in_a) & set(in_b), key=natural_key)
    if not shared:
        raise DatasetError(f"expected labelmaps of one name in {a} ({len(in_a)} labelmaps) and {b} ({len(in_b)}), found none")
    series: list[SeriesAgreement] = []
    failed: list[FailedPair] = []
    for number, name in enumerate(shared, start=1):
        logger.info("comparing %s (%d of %d)", name, number, len(shared))
        try:
            series.append(SeriesAgreement(name, in_a[name], in_b[name], agree(read_labelmap(in_a[name]), read_labelmap(in_b[name]))))
        except SpiderSegError as error:
            failed.append(FailedPair(name, str(error)))
    only_in_a, only_in_b = (tuple(sorted(set(own) - set(shared), key=natural_key)) for own in (in_a, in_b))
    return AgreementSet(str(a), str(b), tuple(series), tuple(failed), only_in_a, only_in_b)
