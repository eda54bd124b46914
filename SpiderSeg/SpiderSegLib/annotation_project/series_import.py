"""Taking in one series: recognized where the project has its image, else named, written and given its mask."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from SpiderSegLib.annotation_project.deidentification import is_plain_metaimage, scrubbed, sequence_fact, technical_facts
from SpiderSegLib.annotation_project.import_report import ImportOptions, Remark, Tally
from SpiderSegLib.annotation_project.key_file import KeyFile
from SpiderSegLib.annotation_project.known_series import KnownSeries
from SpiderSegLib.annotation_project.mask_import import import_mask
from SpiderSegLib.annotation_project.project import Project
from SpiderSegLib.annotation_project.series_naming import ENDINGS, ending_by_name, free_name, new_patient, patient_name, series_name
from SpiderSegLib.annotation_project.source_series import SourceSeries
from SpiderSegLib.corrections.disk import put
from SpiderSegLib.corrections.records import Clock
from SpiderSegLib.corrections.schema import NewerSchema
from SpiderSegLib.corrections.series_record import SeriesRecord, write_series_record
from SpiderSegLib.errors import Cancelled, InputError, OutputError, SpiderSegError
from SpiderSegLib.fingerprint import content_hash, sha256_of
from SpiderSegLib.io import bytes_writer, check_intensities, volume_writer
from SpiderSegLib.sequence import Sequence as MrSequence
from SpiderSegLib.sequence import guess_sequence
from SpiderSegLib.volume import Volume


class SeriesImport:
    """Takes one series after another; `tally` says what became of them."""

    def __init__(self, project: Project, options: ImportOptions, series: Sequence[SourceSeries], clock: Clock) -> None:
        self._folder, self._options, self._clock = project.folder, options, clock
        self._known = KnownSeries(project.folder)
        self._earlier_patients = self._known.patients
        self._key = KeyFile(options.key_file, project.project_id, project.folder.disk)
        self._all = series
        self.tally = Tally()

    def take(self, source: SourceSeries) -> None:
        """Imports one series. Raises OutputError when the project can't be written, NewerSchema when an older SpiderSeg must not."""
        try:
            self._take(source)
        except (Cancelled, OutputError, NewerSchema):
            raise
        except SpiderSegError as error:
            self.tally.failed.append(Remark(source.title, self._plain(source, error)))
        except MemoryError:
            self.tally.failed.append(Remark(source.title, "not enough memory for a series of this size; close other programs"))

    def _take(self, source: SourceSeries) -> None:
        if not source.files:
            self._take_mask_alone(source)
            return
        record = self._recognized(source)
        if record is not None:
            self._complete(source, record)
            return
        volume = source.read()
        check_intensities(volume)
        content = content_hash(volume)
        record = self._known.with_content(content)
        if record is not None:
            self._complete(source, record)
            return
        sequence = guess_sequence(volume.header, source.stem, volume.geometry.spacing_kji_mm[volume.geometry.slice_axis_kji]).sequence
        patient_id = self._patient_id(source)
        name = self._name(source, patient_id, sequence)
        self._known.check_new(name, patient_id)
        record = self._added(source, volume, content, patient_id, name, sequence)
        self.tally.imported.append(record.series)
        self._note_joined(source, record)
        self.tally.patients.setdefault(source.patient, patient_id)
        self._take_mask(source, record)

    def _recognized(self, source: SourceSeries) -> SeriesRecord | None:
        """The series of the project that came from these very files, or that the key file names."""
        known = self._known.named(self._key.series(source.series_uid, self._path(source)))
        if known is not None and source.is_anonymous:
            return known
        return self._known.from_source(source.source_sha256) if source.is_whole else None

    def _complete(self, source: SourceSeries, record: SeriesRecord) -> None:
        if source.is_anonymous or record.patient_id == patient_name(source.patient, self._options.patient_prefix):
            self.tally.patients.setdefault(source.patient, record.patient_id)
        if self._take_mask(source, record):
            self.tally.completed.append(record.series)
        else:
            other = "" if record.series == source.title else f", as {record.series}"
            self.tally.skipped.append(Remark(source.title, f"its image is in the project already{other}"))

    def _take_mask_alone(self, source: SourceSeries) -> None:
        patient_id = patient_name(source.patient, self._options.patient_prefix)
        record = None if source.is_anonymous else self._known.named(series_name(source.stem, source.patient, patient_id))
        if record is None:
            self.tally.skipped.append(Remark(source.title, "a mask alone: the project has no image of this name"))
        else:
            self._complete(source, record)

    def _take_mask(self, source: SourceSeries, record: SeriesRecord) -> bool:
        """Whether a revision was added."""
        if source.mask is None:
            return False
        try:
            found = import_mask(self._folder, record.series, source.mask, source.mask_kind, self._options, self._clock)
        except NewerSchema:
            raise
        except InputError as error:
            self.tally.masks_left_out.append(Remark(record.series, self._plain(source, error)))
            return False
        self.tally.masks += int(found.revisions > 0)
        if found.note:
            self.tally.notes.append(Remark(record.series, found.note))
        return found.revisions > 0

    def _patient_id(self, source: SourceSeries) -> str:
        if not source.is_anonymous:
            return patient_name(source.patient, self._options.patient_prefix)
        known = self.tally.patients.get(source.patient) or self._key.patient(source.patient) or self._patient_of_others(source)
        return known or new_patient(self._options.patient_prefix, self._known.patients | self._key.patients | set(self.tally.patients.values()))

    def _patient_of_others(self, source: SourceSeries) -> str:
        """The id that another series of the patient has got in an earlier import; '' without one."""
        for other in self._all:
            if other.patient != source.patient or other is source or not other.files:
                continue
            try:
                record = self._recognized(other) or self._known.with_content(content_hash(other.read()))
            except SpiderSegError:
                # It is reported when its turn comes.
                continue
            if record is not None:
                return record.patient_id
        return ""

    def _name(self, source: SourceSeries, patient_id: str, sequence: MrSequence) -> str:
        if source.is_anonymous:
            named = self._key.series(source.series_uid, self._path(source))
            is_free = named and named.casefold() not in self._known.names
            return named if is_free else free_name(patient_id, ENDINGS[sequence], self._known.names)
        return series_name(source.stem, source.patient, patient_id) or free_name(patient_id, ending_by_name(source.stem), self._known.names)

    def _added(self, source: SourceSeries, volume: Volume, content: str, patient_id: str, name: str, sequence: MrSequence) -> SeriesRecord:
        """Writes the key, the image and, as the last, the record."""
        self._key.add(patient_id, name, source.patient, source.study_uid, source.series_uid, self._path(source))
        facts = {**sequence_fact(sequence), **technical_facts(volume.header, source.identity), **source.facts}
        image = self._put_image(source, volume, name)
        record = SeriesRecord(name, patient_id, volume.geometry, image, source.source_sha256, content, facts)
        write_series_record(self._folder, record, self._options.annotator, self._clock)
        self._known.add(record)
        return record

    def _put_image(self, source: SourceSeries, volume: Volume, name: str) -> str:
        """SHA-256 of the image's file: a copy where the source says nothing but geometry, so that models know it by its hash."""
        target = self._folder.image(name)
        if is_plain_metaimage(source.files[0]):
            data = source.files[0].read_bytes()
            put(self._folder.disk, target, bytes_writer(data))
            return hashlib.sha256(data).hexdigest()
        put(self._folder.disk, target, volume_writer(target, Volume(volume.array, volume.geometry)))
        return sha256_of(target)

    def _note_joined(self, source: SourceSeries, record: SeriesRecord) -> None:
        """Two hospitals' patients '1' must not become one unseen."""
        is_new_here = source.patient not in self.tally.patients
        if is_new_here and not source.is_anonymous and record.patient_id in self._earlier_patients:
            self.tally.notes.append(Remark(record.series, f"joins the series of patient {record.patient_id} that the project had before"))

    def note_lost_names(self) -> None:
        """Says that new ids can't be traced back, where no key file was asked for."""
        if self.tally.imported and self._options.key_file is None and any(one.is_anonymous for one in self._all):
            text = "no key file was written: nobody can tell later whose they are, nor join later studies to them"
            self.tally.notes.append(Remark("new ids", text))

    def _path(self, source: SourceSeries) -> str:
        return str(source.files[0].parent if source.series_uid else source.files[0])

    def _plain(self, source: SourceSeries, error: SpiderSegError) -> str:
        return scrubbed(str(error), source.secrets) if source.is_anonymous else str(error)
