"""Champion and challenger over the frozen validation series: predicted by the whole pipeline, scored in native space, series by series.

Each series is done for itself, so that an interrupted round goes on with the next one; what an earlier round found of the same weights
on the same files is copied instead.
"""

from __future__ import annotations

import hashlib
import logging
import shutil
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from SpiderSegLib.atomic import FileWriter, make_folder, write_together
from SpiderSegLib.dataset import DatasetItem
from SpiderSegLib.errors import InputError
from SpiderSegLib.evaluation import Evaluation, FailedSeries, ReferenceKind, SeriesEvaluation, SeriesFiles, evaluate_series, json_text
from SpiderSegLib.io import read_volume, write_text_atomically
from SpiderSegLib.outputs import OutputPaths
from SpiderSegLib.retraining.files import CHALLENGER, CHAMPION
from SpiderSegLib.retraining.opening import OpenRound
from SpiderSegLib.retraining.progress import RoundStage
from SpiderSegLib.retraining.request import series_of
from SpiderSegLib.retraining.stored_scores import ScoreKey, read_scores, write_scores
from SpiderSegLib.series_names import sequence_of
from SpiderSegLib.stages import StageClock

if TYPE_CHECKING:
    from SpiderSegLib.inference import Predictor
    from SpiderSegLib.network import Checkpoint

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Evaluations:
    """Both models over the same validation series."""

    champion: Evaluation
    challenger: Evaluation


def evaluate_both(opened: OpenRound) -> Evaluations:
    """Predicts and scores every validation series with champion and challenger, as far as that was not done, and writes both evaluations.

    A series on which a model fails goes to `failed` and the others go on. Raises Cancelled, OutputError, and WeightsError without a
    challenger's checkpoint: `fine_tune` first.
    """
    from SpiderSegLib.network import load_checkpoint

    found = {}
    for number, side in enumerate((CHAMPION, CHALLENGER)):
        checkpoint = opened.champion if side == CHAMPION else load_checkpoint(opened.files.weights)
        found[side] = _Side(opened, side, checkpoint, 0.5 * number).evaluation()
        write_text_atomically(opened.files.evaluation(side), json_text(found[side]))
    return Evaluations(found[CHAMPION], found[CHALLENGER])


@dataclass(frozen=True)
class _Side:
    """One model over the validation series; `first` is where its half of the stage begins."""

    opened: OpenRound
    side: str
    checkpoint: Checkpoint
    first: float

    def evaluation(self) -> Evaluation:
        series: list[SeriesEvaluation] = []
        failed: list[FailedSeries] = []
        items = self.opened.request.validation_items
        make_folder(self._folder / "scores")
        for number, item in enumerate(items):
            self.opened.stop_if_asked()
            self._report(number, 0.0)
            try:
                series.append(self._scored(number, item))
            except (InputError, MemoryError) as error:
                logger.warning("%s fails on %s: %s", self.side, series_of(item), error)
                failed.append(FailedSeries(self._files(item), sequence_of(series_of(item)), str(error) or "not enough memory"))
        return Evaluation(tuple(series), tuple(failed), ())

    def _report(self, number: int, share: float) -> None:
        items = self.opened.request.validation_items
        message = f"{self.side}: {series_of(items[number])} ({number + 1} of {len(items)})"
        self.opened.meter.report(RoundStage.SCORE, self.first + 0.5 * (number + share) / len(items), message)

    def _scored(self, number: int, item: DatasetItem) -> SeriesEvaluation:
        assert item.image is not None
        name, hashes = series_of(item), self.opened.hashes
        key = ScoreKey(self._weights, hashes[item.image], hashes[item.label], item.reference_kind)
        files, scores = self._files(item), self._folder / "scores" / f"{name}.json"
        found = read_scores(scores, key, files) or self._copied(name, key, files)
        if found is None:
            self._predict(number, item)
            found = evaluate_series(files, ReferenceKind(item.reference_kind))
            write_scores(scores, key, found)
        return found

    def _copied(self, name: str, key: ScoreKey, files: SeriesFiles) -> SeriesEvaluation | None:
        """What an earlier round found of the same, copied into this one, the scores last."""
        for earlier in (folder / side for folder in self.opened.request.earlier_rounds for side in (CHAMPION, CHALLENGER)):
            parts = [Path(f"{name}.mha"), Path(f"{name}.json"), Path("scores", f"{name}.json")]
            found = read_scores(earlier / parts[-1], key, files)
            if found is not None and all((earlier / part).is_file() for part in parts):
                write_together({self._folder / part: _copier(earlier / part) for part in parts})
                return found
        return None

    def _predict(self, number: int, item: DatasetItem) -> None:
        from SpiderSegLib.pipeline import segment
        from SpiderSegLib.results import write_outputs

        assert item.image is not None
        name = series_of(item)
        clock = StageClock(lambda _, share: self._report(number, share), self.opened.is_cancelled)
        result = segment(read_volume(item.image), self._predictor, clock)
        write_outputs(result, OutputPaths(self._folder / f"{name}.mha", self._folder / f"{name}.json"), like=item.image)

    def _files(self, item: DatasetItem) -> SeriesFiles:
        return SeriesFiles(series_of(item), item.label, self._folder / f"{series_of(item)}.mha")

    @property
    def _folder(self) -> Path:
        return self.opened.files.predictions(self.side)

    @cached_property
    def _predictor(self) -> Predictor:
        from SpiderSegLib.inference import Predictor

        return Predictor(self.checkpoint, self.opened.request.device)

    @cached_property
    def _weights(self) -> str:
        return weights_digest(self.checkpoint)


def weights_digest(checkpoint: Checkpoint) -> str:
    """SHA-256 of what a checkpoint computes with: tensors as stored (float16), network and working grid. Provenance plays no part."""
    digest = hashlib.sha256(f"{checkpoint.model} {checkpoint.preprocessing}".encode())
    for name, tensor in sorted(checkpoint.weights.items()):
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().half().numpy().tobytes())
    return digest.hexdigest()


def _copier(source: Path) -> FileWriter:
    def copy(temporary: Path) -> None:
        shutil.copyfile(source, temporary)

    return copy
