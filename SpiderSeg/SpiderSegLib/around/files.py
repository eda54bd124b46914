"""What local segmentation leaves on disk: a labelmap and its JSON sidecar, in the form `spiderseg predict` writes them, with what was added."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from SpiderSegLib.around.result import LocalResult
from SpiderSegLib.atomic import write_together
from SpiderSegLib.io import bytes_writer
from SpiderSegLib.labels import LevelState
from SpiderSegLib.level_names import LevelNaming, full_name, is_partial, shifted_value
from SpiderSegLib.outputs import OutputPaths
from SpiderSegLib.segmentation_files import NamedLabelmap, labelmap_sidecar, segmentation_writer, sidecar_bytes
from SpiderSegLib.volume import Volume

#: Key of the sidecar: one record for each component added at a click, the last one last.
ADDED = "added"


def write_merged(
    result: LocalResult,
    kept: NamedLabelmap,
    paths: OutputPaths,
    shift_others: bool = False,
    record: Mapping[str, Any] | None = None,
    like: Path | None = None,
) -> None:
    """Writes the labels kept with the new component, and the sidecar, or neither.

    kept: the labelmap that was given, with its naming, model and confidences; record: its own sidecar, whose facts are carried on;
    `like` is the file of the series, whose geometry text is copied. A shift takes confirmed names back to assumed. Raises OutputError,
    and what LocalResult.merged raises.
    """
    by = result.needs_shift if shift_others else 0
    labelmap = result.merged(shift_others)
    confidences = {shifted_value(value, by): one for value, one in kept.confidences.items() if value != result.replaced}
    naming = LevelNaming(kept.naming.state if kept.naming.state is LevelState.UNIDENTIFIED else LevelState.ASSUMED) if by else kept.naming
    named = NamedLabelmap(labelmap, naming, kept.model_id, confidences | {result.value: result.confidence})
    _write(result, named, paths, _record(result, record or {}, by), like)


def write_only(result: LocalResult, paths: OutputPaths, naming: LevelNaming | None = None, like: Path | None = None) -> None:
    """Writes the new component alone, and the sidecar, or neither; the rest as `write_merged`.

    Where it lies below level 1 it has level 1, and the sidecar says by how much the others need a shift.
    """
    named = NamedLabelmap(result.only(), naming or LevelNaming(), result.checkpoint.provenance.model_id, {result.value: result.confidence})
    _write(result, named, paths, _record(result, {}, 0), like)


def _write(result: LocalResult, named: NamedLabelmap, paths: OutputPaths, record: dict[str, Any], like: Path | None) -> None:
    sidecar = labelmap_sidecar(named, record)
    write_together(
        {
            paths.sidecar: bytes_writer(sidecar_bytes(sidecar)),
            paths.labelmap: segmentation_writer(paths.labelmap, named, like=like),
        }
    )


def _record(result: LocalResult, earlier: Mapping[str, Any], shifted_by: int) -> dict[str, Any]:
    """An earlier sidecar with its levels under their new values, and what was added now."""
    rows = [
        {**row, "value": shifted_value(row["value"], shifted_by)}
        for row in earlier.get("levels", [])
        if row.get("value") not in (None, result.replaced)
    ]
    row = {"value": result.value, "center_lps_mm": _rounded(result.center_lps_mm)}
    return {
        "input": _input(result.mask),
        **earlier,
        "levels": [*rows, row],
        ADDED: [*earlier.get(ADDED, []), added_record(result, shifted_by)],
    }


def added_record(result: LocalResult, shifted_by: int = 0) -> dict[str, Any]:
    """What was added at a click, as JSON values: value, size, confidence, where it was looked for, by which model, in which time.

    needs_shift: by how many levels every other label has to be shifted up to stand beside it; shifted_by: by how many that was done.
    The name is the ordinal one: it asserts no level.
    """
    provenance = result.checkpoint.provenance
    return {
        "value": result.value,
        "name": full_name(result.value, LevelNaming(LevelState.UNIDENTIFIED)),
        "structure": result.structure.name.lower(),
        "partial": is_partial(result.value),
        "replaced": result.replaced,
        "needs_shift": result.needs_shift,
        "shifted_by": shifted_by,
        "volume_mm3": round(result.volume_mm3, 1),
        "center_lps_mm": _rounded(result.center_lps_mm),
        "confidence": round(result.confidence, 4),
        "threshold": round(result.threshold, 4),
        "click_lps_mm": _rounded(result.point_lps_mm),
        "box": {"start_ijk": list(result.box_start_ijk), "size_ijk": list(result.box_size_ijk)},
        "kept": Path(result.kept.name).name,
        "model": {"id": provenance.model_id, "sha256": result.checkpoint.sha256},
        "device": {"plan": str(result.plan), "device": result.plan.device, "precision": result.plan.precision, "mirrored": result.is_mirrored},
        "seconds": {stage: round(seconds, 3) for stage, seconds in result.seconds.items()},
    }


def _input(volume: Volume) -> dict[str, Any]:
    geometry = volume.geometry
    return {
        "name": Path(volume.name).name,
        "size_ijk": list(geometry.size_ijk),
        "spacing_ijk_mm": list(geometry.spacing_ijk_mm),
        "orientation": geometry.orientation,
    }


def _rounded(point_lps_mm: tuple[float, ...]) -> list[float]:
    return [round(value, 2) for value in point_lps_mm]
