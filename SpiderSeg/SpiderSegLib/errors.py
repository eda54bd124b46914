"""Every error SpiderSeg raises on purpose; the command line turns them into one line and exit code 1.

SpiderSegError
 +-- InputError            a file or array from outside is not what was expected
 |    +-- ImageReadError   a file can't be read as one scalar 3D image
 |    +-- GeometryError    spacing, direction or grid can't be used or don't match
 |    +-- LabelError       label values outside the SPIDER scheme
 |    +-- DatasetError     a data list is inconsistent (missing files, a patient in both splits)
 +-- DownloadError         a file can't be fetched: server out of reach, connection cut, wrong size or checksum
 +-- OutputError           a result can't be written (exists, no space, parent is a file)
 +-- WeightsError          a checkpoint is missing, damaged, of another configuration or not trusted
 +-- MissingPackageError   an optional package is needed; says which and how to get it
 +-- TrainingError         training can't go on (persistent non-finite loss, nothing to train on)
 +-- NothingFound          the wanted structure is not where it was looked for; nothing is drawn instead
 +-- Cancelled             the caller asked to stop
"""


class SpiderSegError(Exception):
    """Base of all expected failures; its text says what was expected, what was found and what to do."""


class InputError(SpiderSegError):
    """A file or array from outside is not what was expected."""


class ImageReadError(InputError):
    """A file can't be read as one scalar 3D image."""


class GeometryError(InputError):
    """Spacing, direction or grid can't be used, or two grids don't match."""


class LabelError(InputError):
    """Label values outside the SPIDER scheme."""


class DatasetError(InputError):
    """A data list is inconsistent: missing files, unknown keys, a patient in both splits."""


class ProjectError(InputError):
    """A project folder is none, damaged or of a newer SpiderSeg, or its rules refuse what was asked."""


class DownloadError(SpiderSegError):
    """A file can't be fetched from its server; `status` is the server's HTTP status where it answered with an error, else 0."""

    def __init__(self, message: str, status: int = 0) -> None:
        super().__init__(message)
        self.status = status


class OutputError(SpiderSegError):
    """A result can't be written."""


class WeightsError(SpiderSegError):
    """A checkpoint is missing, damaged, of another configuration, or not trusted."""


class MissingPackageError(SpiderSegError):
    """A package needed for this step is not installed."""


class TrainingError(SpiderSegError):
    """Training can't go on."""


class NothingFound(SpiderSegError):
    """The wanted structure is not where it was looked for; nothing is drawn instead."""


class Cancelled(SpiderSegError):
    """The caller asked to stop; nothing was written."""
