"""DICOM studies of people whose names, numbers and dates must not be found again."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydicom.uid import generate_uid

from dicom_files import write_series

T1_TIMING = {"RepetitionTime": "550.0", "EchoTime": "9.5"}
T2_TIMING = {"RepetitionTime": "3600.0", "EchoTime": "110.0"}
STIR_TIMING = {"RepetitionTime": "4000.0", "EchoTime": "50.0", "InversionTime": "160.0"}


@dataclass(frozen=True)
class Person:
    """Who a study is of."""

    name: str
    patient_id: str
    birth_date: str = "19610723"

    @property
    def tags(self) -> dict[str, Any]:
        return {
            "PatientName": self.name,
            "PatientID": self.patient_id,
            "PatientBirthDate": self.birth_date,
            "AccessionNumber": f"ACC{self.patient_id}",
            "InstitutionName": "Sankt Gertrud Spital",
            "ReferringPhysicianName": "Quacksalber^Otto",
            "StudyInstanceUID": generate_uid(entropy_srcs=[self.patient_id, "study"]),
            "StudyDescription": f"Spine of {self.name}",
            "ProtocolName": f"protocol for {self.name}",
            "DeviceSerialNumber": "SN4711-99",
            "StationName": "MRGERTRUD1",
            "PatientComments": "afraid of tight rooms",
            "Manufacturer": "SIEMENS",
            "ManufacturerModelName": "Aera",
            "MagneticFieldStrength": "1.5",
        }

    @property
    def traces(self) -> list[str]:
        """What must be found nowhere."""
        tags = self.tags
        words = [word for word in self.name.split("^") if word]
        values = [str(tags[key]) for key in ("AccessionNumber", "StudyInstanceUID", "DeviceSerialNumber", "StationName")]
        return [*words, self.patient_id, self.birth_date, "Gertrud", "Quacksalber", "tight rooms", *values]


ADA = Person("Doppelganger^Adalberta", "HID-884421")
BOB = Person("Zwiebelfisch^Bobert", "HID-113377", "19550101")


def add_series(folder: Path, person: Person, number: int, description: str, first_slice: int = 0, **tags: Any) -> list[Path]:
    """A sagittal lumbar series of five slices; another first slice is another image."""
    slices = range(first_slice, first_slice + 5)
    return write_series(folder, number, description, slices, **{**person.tags, **tags})


def add_study(folder: Path, person: Person, first_slice: int = 0) -> None:
    """T1 and T2 sagittal and a localizer, in one folder."""
    add_series(folder, person, 1, "localizer", first_slice + 20)
    add_series(folder, person, 2, f"t1 sag {person.name}", first_slice, **T1_TIMING)
    add_series(folder, person, 3, "t2 sag", first_slice + 5, **T2_TIMING)


def found_in(folder: Path, traces: list[str]) -> list[str]:
    """Where any of the texts is found: in names or in any file's bytes, in any case."""
    found = []
    for path in sorted(folder.rglob("*")):
        content = str(path.relative_to(folder)).encode() + (path.read_bytes() if path.is_file() else b"")
        found += [f"{trace} in {path}" for trace in traces if trace.lower().encode() in content.lower()]
    return found
