"""docs/README.md of a challenger's bundle: what trained it, how it scores, where its limits are."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from SpiderSegLib.evaluation import Comparison
from SpiderSegLib.evaluation.report.wording import RESEARCH_USE, bootstrap_note
from SpiderSegLib.retraining.decision import Decision
from SpiderSegLib.retraining.request import RetrainRequest
from SpiderSegLib.retraining.wording import comparison_rows, criteria_texts, data_rows, headline, seeded_text, training_text

if TYPE_CHECKING:
    from SpiderSegLib.network import Checkpoint

_ABOUT = (
    "A MONAI UNETR that finds vertebrae (with their posterior elements), intervertebral discs and the spinal canal in sagittal MR series "
    "of the lumbar spine. Numbering the levels is geometry, done by SpiderSeg after the network."
)

_LIMITS = (
    "It knows the kinds of series, scanners and patients that trained it and the models before it; others it has never seen.",
    "Its scores are of few, always the same validation patients; on new patients they may be lower.",
    "Tumors, fractures, metal, marked scoliosis and children are found as well as the training masks show them, hardly or not at all.",
    "The sacrum is not segmented. Names of levels are an assumption until a person confirms them.",
)


def model_card(request: RetrainRequest, challenger: Checkpoint, decision: Decision, comparison: Comparison | None) -> str:
    """The card as Markdown. Comparison None: there was nothing to compare."""
    provenance = challenger.provenance
    blocks = [
        f"# Model card: {provenance.model_id}",
        _ABOUT,
        f"**{RESEARCH_USE} Not a medical device.**",
        "## What it is",
        _described(challenger),
        "## Training",
        training_text(request),
        _table(data_rows(request)),
        *([f"Data: {provenance.data}"] if provenance.data else []),
        seeded_text(request),
        "## Measured",
        headline(decision),
        *(_measured(decision, comparison) if comparison is not None else decision.reasons),
        *([_list(decision.warnings)] if decision.warnings else []),
        "## Known limits",
        _list(_LIMITS),
    ]
    return "\n\n".join(blocks) + "\n"


def _described(checkpoint: Checkpoint) -> str:
    model, provenance = checkpoint.model, checkpoint.provenance
    return (
        f"UNETR with feature size {model.feature_size}, hidden size {model.hidden_size}, MLP {model.mlp_dim}, {model.num_heads} heads; window "
        f"{' x '.join(map(str, model.roi_size_kji))} voxels; working grid of {checkpoint.preprocessing.in_plane_spacing_mm:g} mm in plane. "
        f"Fine-tuned from {provenance.initialized_from}; {provenance.steps} steps in all, with those of the models before it. "
        f"{len(provenance.training_patients)} patients trained it and the models before it, as far as is known; the checkpoint names them and "
        "the SHA-256 of their images."
    )


def _measured(decision: Decision, comparison: Comparison) -> list[str]:
    return [
        f"On {decision.n_series} validation series of {decision.n_patients} patients, in native space, the whole pipeline with its numbering:",
        _table(comparison_rows(comparison)),
        bootstrap_note(comparison.bootstrap),
        _list(criteria_texts(decision)),
    ]


def _list(items: Iterable[str]) -> str:
    return "\n".join(f"- {item}" for item in items)


def _table(rows: Sequence[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(cell.replace('|', '/') for cell in row)} |" for row in rows]
    return "\n".join([lines[0], "|" + "---|" * len(rows[0]), *lines[1:]])
