"""Where a round keeps what: all of it below the challenger's folder, each file whole or not at all."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

CHAMPION, CHALLENGER = "champion", "challenger"


@dataclass(frozen=True)
class RoundFiles:
    """The files of a round; the folder itself is the challenger's bundle once the round is decided.

    `request` is written first and `decision` last: what is in between can be told from the files alone.
    """

    out: Path

    @property
    def request(self) -> Path:
        return self.out / "request.json"

    @property
    def training(self) -> Path:
        """The folder of the training run."""
        return self.out / "training"

    @property
    def weights(self) -> Path:
        """The challenger's weights; written once, after the last step."""
        return self.training / "best.pt"

    @property
    def resume_state(self) -> Path:
        """What an interrupted training goes on from."""
        return self.training / "last.pt"

    @property
    def metrics(self) -> Path:
        return self.training / "metrics.jsonl"

    @property
    def curves(self) -> Path:
        return self.training / "curves.png"

    def predictions(self, side: str) -> Path:
        """The folder with the labelmaps of CHAMPION or CHALLENGER and, in scores/, their scores."""
        return self.out / side

    def evaluation(self, side: str) -> Path:
        return self.out / f"{side}.json"

    @property
    def comparison(self) -> Path:
        return self.out / "comparison.csv"

    @property
    def model_card(self) -> Path:
        return self.out / "docs" / "README.md"

    @property
    def report(self) -> Path:
        return self.out / "report.html"

    @property
    def decision(self) -> Path:
        return self.out / "decision.json"
