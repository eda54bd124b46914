"""What a run leaves on disk: labelmap, JSON sidecar, overlay, probabilities; and the level table people read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

import SpiderSegLib
from SpiderSegLib.atomic import write_together
from SpiderSegLib.io import bytes_writer, volume_writer
from SpiderSegLib.labels import FOREGROUND, LevelState
from SpiderSegLib.level_names import RESEARCH_USE
from SpiderSegLib.outputs import OutputPaths
from SpiderSegLib.overlay import draw_overlay
from SpiderSegLib.pipeline import Segmentation
from SpiderSegLib.segmentation_files import DicomSource, NamedLabelmap, header_texts, segmentation_writer, sidecar_bytes
from SpiderSegLib.segmentation_files.sidecar import SIDECAR_SCHEMA
from SpiderSegLib.volume import Volume


def write_outputs(result: Segmentation, paths: OutputPaths, like: Path | None = None, source: DicomSource | None = None) -> None:
    """Writes all files of a series or none, the labelmap last: where it exists, the rest does too.

    `like` is the input file whose geometry text is copied, `source` the series a DICOM SEG refers to. Raises OutputError, and what
    `segmentation_writer` raises.
    """
    named = named_labelmap(result)
    files = {}
    if paths.probabilities is not None:
        texts = header_texts(named.naming, named.model_id)
        files[paths.probabilities] = volume_writer(paths.probabilities, _packed_probabilities(result), like, texts)
    if paths.overlay is not None:
        files[paths.overlay] = bytes_writer(draw_overlay(result))
    files[paths.sidecar] = bytes_writer(sidecar_bytes(sidecar(result)))
    files[paths.labelmap] = segmentation_writer(paths.labelmap, named, source, like, is_untouched=True)
    write_together(files)


def named_labelmap(result: Segmentation) -> NamedLabelmap:
    """The labelmap of a run with the names and confidences of its levels."""
    confidences = {row.instance.value: row.confidence for row in result.levels}
    return NamedLabelmap(result.labelmap, result.naming, result.checkpoint.provenance.model_id, confidences)


def _packed_probabilities(result: Segmentation) -> Volume:
    """The probability of being any structure, times 255, uint8, on the input's grid: what correction and review look at."""
    foreground = result.prepared.restore(result.probabilities[list(FOREGROUND)].sum(axis=0))
    return result.volume.with_array(np.rint(255 * np.clip(foreground, 0, 1)).astype(np.uint8))


def sidecar(result: Segmentation) -> dict[str, Any]:
    """The run as JSON values: model, device, timings, sequence, levels with state, confidence and volume, warnings."""
    geometry, provenance = result.volume.geometry, result.checkpoint.provenance
    return {
        "schema": SIDECAR_SCHEMA,
        "notice": RESEARCH_USE,
        "software": f"SpiderSeg {SpiderSegLib.__version__}",
        "model": {"id": provenance.model_id, "sha256": result.checkpoint.sha256},
        "input": {
            "name": Path(result.volume.name).name,
            "size_ijk": list(geometry.size_ijk),
            "spacing_ijk_mm": list(geometry.spacing_ijk_mm),
            "orientation": geometry.orientation,
        },
        "sequence": {"guess": result.sequence.sequence.value, "source": result.sequence.source},
        "device": {"plan": str(result.plan), "device": result.plan.device, "precision": result.plan.precision, "mirrored": result.is_mirrored},
        "level_state": {"state": result.state.value, "reasons": list(result.state_reasons)},
        "lumbar_count": result.naming.lumbar_count,
        "own_names": {},
        "levels": [
            {
                "value": row.instance.value,
                "name": row.name,
                "full_name": row.full_name,
                "structure": row.instance.structure.name.lower(),
                "state": result.state.value,
                "partial": row.instance.is_partial,
                "confidence": round(row.confidence, 4),
                "volume_mm3": round(row.instance.volume_mm3, 1),
                "center_lps_mm": [round(value, 2) for value in row.instance.centroid_lps_mm],
            }
            for row in result.levels
        ],
        "warnings": list(result.warnings),
        "seconds": {stage: round(seconds, 3) for stage, seconds in result.seconds.items()},
    }


def level_table(result: Segmentation, dice: dict[int, float] | None = None) -> str:
    """The levels as text, top of the column first; with the Dice of each label, by its value, where a truth is known."""
    head = f"{'label':>5}  {'level':<22}{'state':<14}{'confidence':>10}{'volume':>12}" + ("" if dice is None else f"{'Dice':>8}")
    rows = sorted(result.levels, key=lambda row: -row.instance.centroid_lps_mm[2])
    lines = [head]
    for row in rows:
        line = f"{row.instance.value:>5}  {row.name:<22}{result.state.value:<14}{row.confidence:>10.2f}{row.instance.volume_mm3 / 1000:>9.1f} ml"
        lines.append(line + ("" if dice is None else f"{dice.get(row.instance.value, 0.0):>8.3f}"))
    if result.state is LevelState.ASSUMED:
        lines.append("Level names are an assumption (lowest vertebra = L5) until a person confirms them.")
    lines.extend(f"Level unidentified: {reason}" for reason in result.state_reasons)
    return "\n".join(lines)
