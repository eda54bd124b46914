"""The series a project has, found by name, by image and by the file an image came from."""

from __future__ import annotations

import logging
from collections.abc import Set

from SpiderSegLib.corrections.folder import ProjectFolder
from SpiderSegLib.corrections.schema import NewerSchema
from SpiderSegLib.corrections.series_record import SeriesRecord, read_series_record, series_names
from SpiderSegLib.errors import ProjectError

logger = logging.getLogger(__name__)


class KnownSeries:
    """Names are compared without case: some file systems can't tell '1_t2' from '1_T2'."""

    def __init__(self, folder: ProjectFolder) -> None:
        self._by_name: dict[str, SeriesRecord] = {}
        self._by_content: dict[str, SeriesRecord] = {}
        self._by_source: dict[str, SeriesRecord] = {}
        self._patients: dict[str, str] = {}
        self._names: set[str] = set()
        for series in series_names(folder):
            self._names.add(series.casefold())
            try:
                self.add(read_series_record(folder, series))
            except NewerSchema:
                raise
            except ProjectError as error:
                logger.warning("%s", error)

    def add(self, record: SeriesRecord) -> None:
        self._names.add(record.series.casefold())
        self._by_name[record.series.casefold()] = record
        self._by_content.setdefault(record.content_sha256, record)
        self._by_source.setdefault(record.source_sha256, record)
        self._patients.setdefault(record.patient_id.casefold(), record.patient_id)

    @property
    def names(self) -> Set[str]:
        """All names that are taken, case-folded."""
        return self._names

    @property
    def patients(self) -> frozenset[str]:
        return frozenset(self._patients.values())

    def named(self, series: str) -> SeriesRecord | None:
        """The series of this very name."""
        record = self._by_name.get(series.casefold())
        return record if record is not None and record.series == series else None

    def with_content(self, content_sha256: str) -> SeriesRecord | None:
        return self._by_content.get(content_sha256)

    def from_source(self, source_sha256: str) -> SeriesRecord | None:
        return self._by_source.get(source_sha256)

    def check_new(self, series: str, patient_id: str) -> None:
        """Raises ProjectError when the name is taken, or differs from a taken one, or the patient's from another's, by case alone."""
        if series.casefold() in self._names:
            raise ProjectError(f"the project has another image under the name {series}; --patient-prefix keeps patients of two sources apart")
        known = self._patients.get(patient_id.casefold(), patient_id)
        if known != patient_id:
            raise ProjectError(f"the project has a patient {known}, and some file systems can't tell {patient_id} from that; rename the file")
