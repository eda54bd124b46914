"""The JSON beside a plain labelmap: naming and levels of whatever drew it, in the form `spiderseg predict` writes them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

import SpiderSegLib
from SpiderSegLib.errors import LabelError
from SpiderSegLib.labels import HIGHEST_LEVEL, LevelState, structure_of
from SpiderSegLib.level_names import RESEARCH_USE, USUAL_LUMBAR_COUNT, LevelNaming, is_partial
from SpiderSegLib.segmentation_files.named_labelmap import NamedLabelmap

SIDECAR_SCHEMA = 1

_STATES = ", ".join(state.value for state in LevelState)


@dataclass(frozen=True)
class SidecarFacts:
    """What a sidecar says of the labelmap beside it, and the whole record."""

    naming: LevelNaming
    model_id: str = ""
    confidences: Mapping[int, float] = field(default_factory=dict)
    record: Mapping[str, Any] = field(default_factory=dict)


def labelmap_sidecar(named: NamedLabelmap, record: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """JSON values that describe a labelmap; what else `record`, an earlier sidecar, says of the run and its levels is kept."""
    earlier = dict(record or {})
    rows = {row.get("value"): row for row in earlier.get("levels", []) if isinstance(row, dict)}
    model = {"id": named.model_id} if earlier.get("model", {}).get("id") != named.model_id else earlier["model"]
    return {
        "schema": SIDECAR_SCHEMA,
        "notice": RESEARCH_USE,
        "software": f"SpiderSeg {SpiderSegLib.__version__}",
        **earlier,
        "model": model,
        "level_state": {"state": named.naming.state.value, "reasons": _reasons(earlier, named.naming.state)},
        "lumbar_count": named.naming.lumbar_count,
        "own_names": {str(level): name for level, name in sorted(named.naming.own_names.items())},
        "levels": [{**rows.get(value, {}), **_level(named, value)} for value in named.values],
    }


def _reasons(earlier: Mapping[str, Any], state: LevelState) -> list[str]:
    """Why levels are unidentified: as long as they are."""
    before = earlier.get("level_state", {})
    return list(before.get("reasons", [])) if before.get("state") == state.value else []


def _level(named: NamedLabelmap, value: int) -> dict[str, Any]:
    voxels = int(np.count_nonzero(named.labelmap.array == value))
    row = {
        "value": value,
        "name": named.name(value),
        "full_name": named.full_name(value),
        "structure": structure_of(value).name.lower(),
        "state": named.naming.state.value,
        "partial": is_partial(value),
        "volume_mm3": round(voxels * named.labelmap.geometry.voxel_volume_mm3, 1),
    }
    confidence = named.confidences.get(value)
    return row if confidence is None else {**row, "confidence": round(confidence, 4)}


def sidecar_bytes(record: Mapping[str, Any]) -> bytes:
    """A sidecar as a file's content."""
    return (json.dumps(record, indent=2) + "\n").encode("utf-8")


def is_sidecar(path: Path) -> bool:
    """Whether a file is a sidecar of ours; other tools keep JSON beside images, too."""
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(record, dict) and isinstance(record.get("level_state"), dict)


def read_sidecar(path: Path) -> SidecarFacts:
    """Reads a sidecar. Raises LabelError naming the file when it is none or holds other than what is expected."""
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise LabelError(f"{path}: no such file") from error
    except (OSError, ValueError) as error:
        raise LabelError(f"{path}: not a readable JSON file ({error})") from error
    try:
        naming = LevelNaming(
            LevelState(record["level_state"]["state"]),
            int(record.get("lumbar_count", USUAL_LUMBAR_COUNT)),
            {int(level): str(name) for level, name in record.get("own_names", {}).items()},
        )
        confidences = {int(row["value"]): float(row["confidence"]) for row in record.get("levels", []) if row.get("confidence") is not None}
        return SidecarFacts(naming, str(record.get("model", {}).get("id", "")), confidences, record)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise LabelError(
            f"{path}: expected the sidecar of a labelmap with level_state.state ({_STATES}), lumbar_count and "
            f"own_names (level 1-{HIGHEST_LEVEL}: name), found something else ({error})"
        ) from error
    except LabelError as error:
        raise LabelError(f"{path}: {error}") from error
