"""A case that waits for a person, as far as the work list needs to know it."""

from __future__ import annotations

from dataclasses import dataclass, field

from SpiderSegLib.active_learning.series_uncertainty import SeriesUncertainty
from SpiderSegLib.errors import InputError
from SpiderSegLib.level_names import LevelNaming


@dataclass(frozen=True)
class Candidate:
    """A series without an accepted mask, and what is known of its prediction.

    uncertainty: None before it was segmented; naming: how its levels are called; generation: of the model that segmented it, None when
    unknown or not segmented; linter_errors, linter_warnings: findings in its latest mask, linter_worst: the worst of them in a few words,
    such as 'gap above L3?'; waiting_since_utc: ISO 8601, since when nobody has worked on it; held_by: the annotator whose lease on it has
    not expired, else ''. Raises InputError for negative counts.
    """

    series: str
    patient_id: str
    uncertainty: SeriesUncertainty | None = None
    naming: LevelNaming = field(default_factory=LevelNaming)
    generation: int | None = None
    linter_errors: int = 0
    linter_warnings: int = 0
    linter_worst: str = ""
    waiting_since_utc: str = ""
    held_by: str = ""

    def __post_init__(self) -> None:
        if self.linter_errors < 0 or self.linter_warnings < 0:
            raise InputError(f"{self.series}: expected counts of findings from 0 up, found {self.linter_errors} and {self.linter_warnings}")

    def is_free_for(self, annotator: str) -> bool:
        """Whether nobody else holds it."""
        return self.held_by in ("", annotator)
