"""Where the files of one series go."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class OutputPaths:
    """Paths of labelmap and sidecar, and of overlay and probabilities where they were asked for."""

    labelmap: Path
    sidecar: Path
    overlay: Path | None = None
    probabilities: Path | None = None

    @property
    def all(self) -> tuple[Path, ...]:
        """Every path that will be written."""
        return tuple(path for path in (self.labelmap, self.sidecar, self.overlay, self.probabilities) if path is not None)
