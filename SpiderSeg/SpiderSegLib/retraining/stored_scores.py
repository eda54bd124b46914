"""The scores of one series as a JSON file beside its prediction, with what they rest on: a file that matches need not be made again."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import SpiderSegLib
from SpiderSegLib.evaluation import ReferenceKind, Scores, SeriesEvaluation, SeriesFiles
from SpiderSegLib.io import write_text_atomically
from SpiderSegLib.labels import Structure
from SpiderSegLib.metrics import BodyRecall, InstanceDice, InstanceDistance, InstancePair, OfficialScores, StructureDice, StructureVolume
from SpiderSegLib.series_names import sequence_of


@dataclass(frozen=True)
class ScoreKey:
    """What decides a prediction and its scores: weights, image, reference, and the program's version (its rules of numbering)."""

    weights: str
    image_sha256: str
    reference_sha256: str
    reference_kind: str
    software: str = SpiderSegLib.__version__


def write_scores(path: Path, key: ScoreKey, evaluation: SeriesEvaluation) -> None:
    """Writes the scores atomically. Raises OutputError."""
    content = {"key": asdict(key), "warnings": list(evaluation.warnings), "scores": _without_nan(asdict(evaluation.scores))}
    write_text_atomically(path, json.dumps(content, allow_nan=False) + "\n")


def read_scores(path: Path, key: ScoreKey, files: SeriesFiles) -> SeriesEvaluation | None:
    """The scores in a file if they rest on the same; None for another key, and for a file that is missing or can't be read."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content["key"] != asdict(key):
            return None
        scores = _scores(content["scores"])
        return SeriesEvaluation(files, sequence_of(files.series), ReferenceKind(key.reference_kind), False, scores, tuple(content["warnings"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _without_nan(value: Any) -> Any:
    """JSON knows no NaN: null, which only the official scores turn back."""
    if isinstance(value, float) and math.isnan(value):
        return None
    if isinstance(value, dict):
        return {name: _without_nan(one) for name, one in value.items()}
    return [_without_nan(one) for one in value] if isinstance(value, list | tuple) else value


def _scores(found: Mapping[str, Any]) -> Scores:
    dice, recall, official = found["structure_dice"], found["body_recall"], found["official"]
    return Scores(
        structure_dice=None if dice is None else StructureDice(**dice),
        instance_dice=tuple(
            InstanceDice(Structure(one["structure"]), _pairs(one["pairs"]), tuple(one["unmatched_predictions"])) for one in found["instance_dice"]
        ),
        assigned=_pairs(found["assigned"]),
        level_accuracy=found["level_accuracy"],
        body_recall=None if recall is None else BodyRecall(tuple((value, label, share) for value, label, share in recall["bodies"])),
        distances=tuple(InstanceDistance(**one) for one in found["distances"]),
        volumes=tuple(StructureVolume(**{**one, "structure": Structure(one["structure"])}) for one in found["volumes"]),
        official=None if official is None else OfficialScores(**{name: math.nan if value is None else value for name, value in official.items()}),
        official_refused=found["official_refused"],
    )


def _pairs(found: list[Mapping[str, Any]]) -> tuple[InstancePair, ...]:
    return tuple(InstancePair(**one) for one in found)
