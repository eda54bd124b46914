"""The default recipe from a champion on: new series and a share of replayed ones, and no choice among steps."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from SpiderSegLib.dataset import Datalist, TrainingCase
from SpiderSegLib.network import Checkpoint
from SpiderSegLib.ranks import Rank
from SpiderSegLib.retraining.opening import OpenRound
from SpiderSegLib.retraining.progress import RoundStage
from SpiderSegLib.training import DefaultRecipe, TrainingConfig
from SpiderSegLib.training.windows import Part, WindowStream

if TYPE_CHECKING:
    from torch import Tensor

Case = TypeVar("Case")

#: Last share of the steps over which the learning rate falls to zero: more than from scratch, because a round is never prolonged.
FALLING_SHARE = 0.5

#: At most so many steps are lost to a kill: a minute or two on a processor.
CHECKPOINT_EVERY = 100


def config_of(opened: OpenRound) -> TrainingConfig:
    """The champion's network and working grid with the round's hyper-parameters; evaluated once, at the end."""
    request, champion = opened.request, opened.champion
    return TrainingConfig(
        steps=request.steps,
        batch_size=request.batch_size,
        learning_rate=request.learning_rate,
        warmup_steps=min(request.warmup_steps, request.steps // 5),
        falling_share=FALLING_SHARE,
        evaluate_every=request.steps,
        checkpoint_every=CHECKPOINT_EVERY,
        workers=request.workers,
        seed=request.seed,
        model=champion.model,
        preprocessing=champion.preprocessing,
    )


class FineTuningRecipe(DefaultRecipe):
    """What the loop trains a challenger by.

    The last running average of the weights is kept, and no step is chosen by a score: chosen on the frozen validation patients the
    challenger would have seen them, and a validation set carved out of a few new patients would cost data to measure noise. The
    learning rate falls to zero and the weights are averaged, so that the last step is no accident. Validation series are read all the
    same, to find those that leak or can't be read before the first step instead of after the last.
    """

    def __init__(self, opened: OpenRound) -> None:
        """Raises what DefaultRecipe raises, except that no validation series are needed."""
        request = opened.request
        training = (*request.new_items, *request.replay_items)
        super().__init__(Datalist(training, request.validation_items, request.notes.data_description), config_of(opened), opened.champion)
        self._opened = opened

    @property
    def identity(self) -> dict[str, str]:
        request = self._opened.request
        return {**super().identity, "new series": str(len(request.new_items)), "replay share": str(request.replay_share)}

    def validate(self, weights: Mapping[str, Tensor], step: int, device: str, rank: Rank) -> dict[str, float]:
        """Nothing: all steps but the last are to be forgotten."""
        return {}

    def _refuse_missing_series(self, datalist: Datalist) -> None:
        """A round may go without validation series; that there is something new was checked when it was opened."""

    def _tracked(self, items: Iterable[Case], title: str, rank: Rank) -> Iterable[Case]:
        found = list(items)
        first = 0.3 if title == "checking" else 0.7
        for number, item in enumerate(found):
            self._opened.stop_if_asked()
            share = first + (0.4 if title == "checking" else 0.3) * number / len(found)
            self._opened.meter.report(RoundStage.CHECK, share, f"{title} series {number + 1} of {len(found)}")
            yield item

    def _stream(self, cases: Sequence[TrainingCase], first_step: int, rank: Rank) -> WindowStream:
        request = self._opened.request
        n_new = len(request.new_items)
        parts = (Part(range(n_new), 1 - request.replay_share), Part(range(n_new, len(cases)), request.replay_share))
        return WindowStream(cases, self.config, first_step, rank, parts)

    def _checkpoint(self, weights: Mapping[str, Tensor], step: int, scores: Mapping[str, float] | None = None) -> Checkpoint:
        checkpoint = super()._checkpoint(weights, step, scores)
        command = f"spiderseg project retrain --steps {self.config.steps} --seed {self.config.seed}"
        return replace(checkpoint, provenance=replace(checkpoint.provenance, model_id=self._opened.request.model_id, command=command))
