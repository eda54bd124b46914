"""One series that can be imported, wherever it comes from."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from SpiderSegLib.annotation_project.deidentification import is_plain_metaimage
from SpiderSegLib.annotation_project.import_report import Remark
from SpiderSegLib.errors import ImageReadError
from SpiderSegLib.fingerprint import sha256_of
from SpiderSegLib.io import NIFTI_SUFFIXES, image_suffix
from SpiderSegLib.volume import Volume


@dataclass(frozen=True)
class SourceSeries:
    """A series of a source.

    title is what messages call it; patient is how the source calls the patient: neither this nor stem, the name of its file ('' in DICOM), is
    kept where new ids are given (is_anonymous). files are the image's, none where there is only a mask. facts are those known before
    reading. identity holds the patient's words that may stand nowhere, secrets these and everything else messages must not show.
    """

    title: str
    patient: str
    files: tuple[Path, ...]
    read: Callable[[], Volume]
    stem: str = ""
    mask: Path | None = None
    mask_kind: str = "spider"
    facts: Mapping[str, str] = field(default_factory=dict)
    is_anonymous: bool = False
    study_uid: str = ""
    series_uid: str = ""
    identity: tuple[str, ...] = ()
    secrets: tuple[str, ...] = ()

    @cached_property
    def source_sha256(self) -> str:
        """SHA-256, hex, of the image's file; of several files that of their hashes, in whichever order they lie. Raises ImageReadError."""
        try:
            digests = sorted(sha256_of(path) for path in self.files)
        except OSError as error:
            raise ImageReadError(f"{error.filename}: can't be read: {error.strerror}") from error
        return digests[0] if len(digests) == 1 else hashlib.sha256("".join(digests).encode()).hexdigest()

    @property
    def is_whole(self) -> bool:
        """Whether the files' hash tells the image: headers of MetaImage and NRRD may leave the voxels to another file."""
        return self.stem == "" or image_suffix(self.files[0]) in NIFTI_SUFFIXES or is_plain_metaimage(self.files[0])


@dataclass(frozen=True)
class SourceSet:
    """The series of a source, what was left out of it, and the folders in which its gradings may lie."""

    series: tuple[SourceSeries, ...]
    left_out: tuple[Remark, ...] = ()
    notes: tuple[Remark, ...] = ()
    gradings_folders: tuple[Path, ...] = ()
