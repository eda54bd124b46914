"""What one round of retraining works on: the champion, the new, the replayed and the validation series, and the hyper-parameters.

A round is independent of how masks are stored: whoever asks for it names files that do not change while it runs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from SpiderSegLib.dataset import DatasetItem
from SpiderSegLib.errors import TrainingError
from SpiderSegLib.io import image_stem


@dataclass(frozen=True)
class RoundNotes:
    """What a reader of the report should know and only the owner of the masks can tell; nothing of it changes the challenger.

    `validation_uses` counts the rounds that were decided on the same validation set before this one. The seeded shares say which
    part (0..1) of the masks began as a prediction of the champion's line; None: not known.
    """

    validation_uses: int = 0
    validation_seeded_share: float | None = None
    training_seeded_share: float | None = None
    data_description: str = ""


@dataclass(frozen=True)
class RetrainRequest:
    """One round; `out` is the challenger's folder, whose name becomes its model id.

    champion: a bundle folder or a checkpoint file. new_items: the masks accepted since the champion was trained; replay_items: older
    data it was trained on, as far as it is at hand. earlier_rounds: folders of rounds whose scores of the same weights on the same
    files need not be computed again.

    replay_share 0.5: half of the windows show older data, however few new series there are. Without it a few series, seen again and
    again, displace what the champion knows (replay against forgetting: Rolnick et al., NeurIPS 2019). Half is a start, not tuned.
    learning_rate: a quarter of that from scratch, which would shake good weights before it improves them. warmup_steps: Adam's
    moments start empty while the weights are good already, so the first steps are small; few, because there is no way to find, and
    at most a fifth of all.
    """

    champion: Path
    new_items: tuple[DatasetItem, ...]
    validation_items: tuple[DatasetItem, ...]
    out: Path
    replay_items: tuple[DatasetItem, ...] = ()
    steps: int = 1000
    device: str = "auto"
    seed: int = 0
    replay_share: float = 0.5
    learning_rate: float = 1e-4
    warmup_steps: int = 50
    batch_size: int = 2
    workers: int = 1
    earlier_rounds: tuple[Path, ...] = ()
    notes: RoundNotes = field(default_factory=RoundNotes)

    def __post_init__(self) -> None:
        if self.steps < 1 or self.batch_size < 1 or self.warmup_steps < 0 or self.workers < 0:
            found = f"steps {self.steps}, batch_size {self.batch_size}, warmup_steps {self.warmup_steps}, workers {self.workers}"
            raise TrainingError(f"expected at least 1 step and 1 window a step, no negative warm-up or workers, found {found}")
        if not 0 <= self.replay_share < 1 or not self.learning_rate > 0:
            raise TrainingError(
                f"expected a replay share from 0 to below 1 and a learning rate above 0, found {self.replay_share} and {self.learning_rate}"
            )

    @property
    def model_id(self) -> str:
        """What the challenger is called."""
        return self.out.absolute().name

    @property
    def hyper_parameters(self) -> Mapping[str, float]:
        """What a round must keep from its first step to its last."""
        names = ("steps", "seed", "replay_share", "learning_rate", "warmup_steps", "batch_size")
        return {name: getattr(self, name) for name in names}

    @property
    def sides(self) -> Mapping[str, tuple[DatasetItem, ...]]:
        """The series by what they are for: 'new', 'replay', 'validation'."""
        return {"new": self.new_items, "replay": self.replay_items, "validation": self.validation_items}


def series_of(item: DatasetItem) -> str:
    """The name of a series, as reports and predictions carry it: '12_t2'."""
    return image_stem(item.image or item.label)
