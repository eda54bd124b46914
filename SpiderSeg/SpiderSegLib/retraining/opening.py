"""Opening a round: its inputs are checked, hashed and written down; what is found already there is gone on with."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from SpiderSegLib.atomic import make_folder
from SpiderSegLib.errors import Cancelled, ImageReadError
from SpiderSegLib.fingerprint import sha256_of
from SpiderSegLib.retraining.checks import check_files, files_of, refuse_leakage
from SpiderSegLib.retraining.files import RoundFiles
from SpiderSegLib.retraining.progress import ProgressMeter, RoundCallback, RoundStage
from SpiderSegLib.retraining.record import keep_record
from SpiderSegLib.retraining.request import RetrainRequest
from SpiderSegLib.stages import CancelCallback

if TYPE_CHECKING:
    from SpiderSegLib.network import Checkpoint


@dataclass(frozen=True)
class OpenRound:
    """A round whose inputs are fit and whose request is on disk; `hashes` are the SHA-256 of every image and mask."""

    request: RetrainRequest
    files: RoundFiles
    champion: Checkpoint
    hashes: Mapping[Path, str]
    meter: ProgressMeter
    is_cancelled: CancelCallback | None = None

    def stop_if_asked(self) -> None:
        """Raises Cancelled when the caller wants to stop."""
        _stop_if_asked(self.is_cancelled)


def open_round(request: RetrainRequest, on_progress: RoundCallback | None = None, is_cancelled: CancelCallback | None = None) -> OpenRound:
    """Begins a round, or goes on with the one in request.out.

    Raises DatasetError as `check_files` and `refuse_leakage`, WeightsError for a champion that can't be read, ImageReadError for
    files that can't, TrainingError when request.out holds a round on something else, OutputError, Cancelled.
    """
    from SpiderSegLib.weights import load_weights

    check_files(request)
    champion = load_weights(str(request.champion))
    meter = ProgressMeter(request, on_progress)
    hashes = _hashes(request, meter, is_cancelled)
    refuse_leakage(request, champion.provenance, hashes)
    files = RoundFiles(request.out)
    make_folder(files.out)
    keep_record(files.request, request, champion, hashes)
    return OpenRound(request, files, champion, hashes, meter, is_cancelled)


def _hashes(request: RetrainRequest, meter: ProgressMeter, is_cancelled: CancelCallback | None) -> dict[Path, str]:
    paths = list(dict.fromkeys(_all_files(request)))
    found = {}
    for number, path in enumerate(paths):
        _stop_if_asked(is_cancelled)
        # The other half of the stage is comparing and reading the images.
        meter.report(RoundStage.CHECK, 0.3 * number / len(paths), f"checking {path.name}")
        try:
            found[path] = sha256_of(path)
        except OSError as error:
            raise ImageReadError(f"{path}: can't read: {error.strerror}") from error
    return found


def _all_files(request: RetrainRequest) -> Iterable[Path]:
    return (path for items in request.sides.values() for item in items for path in files_of(item))


def _stop_if_asked(is_cancelled: CancelCallback | None) -> None:
    if is_cancelled is not None and is_cancelled():
        raise Cancelled("stopped on request; the same command goes on from there")
