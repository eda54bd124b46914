"""What a saved mask owes to a model and what a person changed, measured by comparing voxels: provenance is never declared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from SpiderSegLib.corrections.revision import Provenance, Revision
from SpiderSegLib.metrics.changes import LabelmapChanges, labelmap_changes
from SpiderSegLib.volume import Volume

#: Shares are stored to four digits.
SHARE_ROUNDING = 1e-4


@dataclass(frozen=True)
class Base:
    """A revision that a mask is compared with, and its labelmap; None when its file is damaged."""

    revision: Revision
    labelmap: Volume | None

    @property
    def labels(self) -> NDArray[np.uint8] | None:
        return None if self.labelmap is None else self.labelmap.array


@dataclass(frozen=True)
class Measured:
    """Provenance of a mask, the prediction it began from ('' without one), the share of its voxels a model drew, and its changes."""

    provenance: Provenance
    prediction: str
    source_model: str
    seeded_share: float
    to_parent: LabelmapChanges | None
    to_prediction: LabelmapChanges | None
    to_superseded: tuple[LabelmapChanges, ...] = ()


def measure(
    labelmap: Volume, parent: Base | None, prediction: Base | None, is_imported: bool = False, superseded: Sequence[Base | None] = ()
) -> Measured:
    """Measures a labelmap against the revision it goes on from, the prediction that was shown since or before that, and what it supersedes."""
    return Measured(
        provenance=_provenance(labelmap.array, parent, prediction, is_imported),
        prediction="" if prediction is None else prediction.revision.id,
        source_model="" if prediction is None else prediction.revision.source_model,
        seeded_share=_seeded_share(labelmap.array, parent, prediction),
        to_parent=_changes(parent, labelmap),
        to_prediction=_changes(prediction, labelmap),
        to_superseded=tuple(changes for base in superseded if (changes := _changes(base, labelmap)) is not None),
    )


def _changes(base: Base | None, labelmap: Volume) -> LabelmapChanges | None:
    return None if base is None or base.labelmap is None else labelmap_changes(base.labelmap, labelmap)


def _provenance(labels: NDArray[np.uint8], parent: Base | None, prediction: Base | None, is_imported: bool) -> Provenance:
    if parent is not None and not parent.revision.is_by_model and parent.labels is not None and np.array_equal(labels, parent.labels):
        # Nobody changed anything, whatever was shown: the mask is as old as its parent.
        return parent.revision.provenance
    if prediction is not None:
        is_unchanged = prediction.labels is not None and np.array_equal(labels, prediction.labels)
        return Provenance.REVIEWED_UNCHANGED if is_unchanged else Provenance.CORRECTED
    if parent is None:
        return Provenance.IMPORTED if is_imported else Provenance.MANUAL
    earlier = parent.revision.provenance
    if is_imported and earlier in (Provenance.MANUAL, Provenance.IMPORTED):
        return Provenance.IMPORTED
    return Provenance.MANUAL if earlier is Provenance.MANUAL else Provenance.CORRECTED


def _seeded_share(labels: NDArray[np.uint8], parent: Base | None, prediction: Base | None) -> float:
    """Share of the labeled voxels that a model drew and nobody changed.

    A voxel that a person's earlier mask, made without this prediction, had already is not the model's, though both agree.
    """
    foreground = labels > 0
    total = int(np.count_nonzero(foreground))
    if total == 0 or prediction is None or prediction.labels is None:
        return 0.0 if parent is None else _inherited(foreground, labels, parent, total)
    if parent is None or parent.labels is None or _is_all_drawn_by(prediction, parent):
        return _drawn_share(labels, prediction)
    new = float(np.count_nonzero(foreground & (labels == prediction.labels) & (labels != parent.labels))) / total
    return min(1.0, new + _inherited(foreground, labels, parent, total))


def _drawn_share(labels: NDArray[np.uint8], prediction: Base) -> float:
    foreground = labels > 0
    return float(np.count_nonzero(foreground & (labels == prediction.labels))) / max(1, int(np.count_nonzero(foreground)))


def _is_all_drawn_by(prediction: Base, parent: Base) -> bool:
    """Whether the parent's share is this prediction's alone: nothing of it was there before, nor from another prediction."""
    if parent.revision.id == prediction.revision.id:
        return True
    if parent.labels is None or parent.revision.prediction != prediction.revision.id:
        return False
    return abs(parent.revision.seeded_share - _drawn_share(parent.labels, prediction)) <= SHARE_ROUNDING


def _inherited(foreground: NDArray[np.bool_], labels: NDArray[np.uint8], parent: Base, total: int) -> float:
    """What is left of the parent's share, taken as spread evenly over its voxels."""
    if total == 0 or parent.revision.seeded_share == 0.0 or parent.labels is None:
        return 0.0
    kept = float(np.count_nonzero(foreground & (labels == parent.labels))) / total
    return parent.revision.seeded_share * kept
