"""What a report of one case is made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from SpiderSegLib.corrections import Revision
from SpiderSegLib.corrections.saving import labels_hash
from SpiderSegLib.linter import Finding
from SpiderSegLib.metrics import check_same_grid
from SpiderSegLib.segmentation_files import NamedLabelmap
from SpiderSegLib.volume import Volume


@dataclass(frozen=True)
class CaseReport:
    """A series with its labelmap as it is now, and what is known of how it came about.

    `prediction`: what the model drew, SPIDER values on the same grid; None where none is kept. `revisions`: all saved ones of the series, the
    newest last; none for a series without a project. `findings`: the linter's of this labelmap. `created_at`: when the report was asked for,
    ISO 8601; `annotator`: who asked; `sequence`: in words. Empty texts are left out of the page. Raises GeometryError unless all lie on one
    grid.
    """

    series: str
    image: Volume
    named: NamedLabelmap
    created_at: str
    patient_id: str = ""
    prediction: Volume | None = None
    revisions: Sequence[Revision] = ()
    findings: Sequence[Finding] = ()
    annotator: str = ""
    sequence: str = ""

    def __post_init__(self) -> None:
        check_same_grid(self.image, self.named.labelmap)
        if self.prediction is not None:
            check_same_grid(self.image, self.prediction)

    @cached_property
    def saved_as(self) -> Revision | None:
        """The newest revision with exactly these voxels; None for a mask that was not saved so."""
        content = labels_hash(self.named.labelmap.array)
        return next((revision for revision in reversed(self.revisions) if revision.content_sha256 == content), None)
