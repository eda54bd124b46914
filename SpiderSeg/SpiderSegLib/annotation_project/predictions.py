"""The latest prediction of every series: labelmap and sidecar, replaced by those of a newer model."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Container, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from SpiderSegLib.corrections.disk import put_pair
from SpiderSegLib.corrections.folder import ProjectFolder
from SpiderSegLib.corrections.names import is_name
from SpiderSegLib.corrections.records import read_json
from SpiderSegLib.corrections.saving import ShownPrediction, encoded_mask
from SpiderSegLib.errors import LabelError, OutputError, ProjectError, SpiderSegError
from SpiderSegLib.fingerprint import sha256_of
from SpiderSegLib.io import bytes_writer, read_labelmap
from SpiderSegLib.labels import LevelState, check_values
from SpiderSegLib.level_names import USUAL_LUMBAR_COUNT, LevelNaming
from SpiderSegLib.segmentation_files.sidecar import sidecar_bytes
from SpiderSegLib.volume import Volume

#: What a project adds to the sidecar of a run.
_KEY = "project"

_ADVICE = "spiderseg project rebuild removes it, then spiderseg project predict makes it again"


@dataclass(frozen=True)
class PredictionFacts:
    """What the sidecar says of a prediction without a look at its voxels.

    `uncertainty` is a SeriesUncertainty for lists as JSON values; `findings` counts the linter's by severity, `worst_finding` is the first in words.
    """

    model_id: str
    naming: LevelNaming = field(default_factory=LevelNaming)
    values: tuple[int, ...] = ()
    uncertainty: Mapping[str, Any] | None = None
    findings: Mapping[str, int] = field(default_factory=dict)
    worst_finding: str = ""
    mask_sha256: str = ""


def write_prediction(folder: ProjectFolder, series: str, labelmap: Volume, facts: PredictionFacts, sidecar: Mapping[str, Any]) -> None:
    """Replaces the prediction of a series. Raises OutputError; then the earlier one may be gone, and is made again."""
    encoded = encoded_mask(labelmap)
    try:
        # Gone first: an old sidecar beside a new mask would be a damaged prediction, none at all is made again.
        folder.disk.unlink(folder.prediction_sidecar(series))
    except OSError as error:
        raise OutputError(f"{folder.prediction_sidecar(series)}: can't be replaced: {error.strerror}") from error
    added = {
        "model_id": facts.model_id,
        "mask_sha256": hashlib.sha256(encoded).hexdigest(),
        "values": [int(value) for value in np.unique(labelmap.array) if value],
        "uncertainty": facts.uncertainty,
        "findings": dict(facts.findings),
        "worst_finding": facts.worst_finding,
    }
    content = sidecar_bytes({**sidecar, _KEY: added})
    put_pair(folder.disk, folder.prediction(series), bytes_writer(encoded), folder.prediction_sidecar(series), bytes_writer(content))


def read_prediction_facts(folder: ProjectFolder, series: str) -> PredictionFacts | None:
    """What is known of the prediction of a series; None without one. Raises ProjectError when its sidecar is damaged."""
    path = folder.prediction_sidecar(series)
    if not path.is_file():
        return None
    body = read_json(path)
    try:
        added = body[_KEY]
        own_names = {int(level): str(name) for level, name in body.get("own_names", {}).items()}
        return PredictionFacts(
            model_id=str(added["model_id"]),
            naming=LevelNaming(LevelState(body["level_state"]["state"]), int(body.get("lumbar_count", USUAL_LUMBAR_COUNT)), own_names),
            values=tuple(int(value) for value in added["values"]),
            uncertainty=added["uncertainty"],
            findings={str(severity): int(count) for severity, count in added["findings"].items()},
            worst_finding=str(added["worst_finding"]),
            mask_sha256=str(added["mask_sha256"]),
        )
    except (KeyError, TypeError, ValueError, AttributeError, LabelError) as error:
        raise ProjectError(f"{path}: expected the sidecar of a prediction ({error}); {_ADVICE}") from error


def read_prediction(folder: ProjectFolder, series: str) -> ShownPrediction | None:
    """The prediction of a series, to be shown; None without one. Raises ProjectError when it is damaged."""
    facts, path = read_prediction_facts(folder, series), folder.prediction(series)
    if facts is None:
        return None
    try:
        if sha256_of(path) != facts.mask_sha256:
            raise ProjectError(f"{path}: not the mask its sidecar describes; {_ADVICE}")
        labels = read_labelmap(path).array
        check_values(np.unique(labels), str(path))
    except OSError as error:
        raise ProjectError(f"{path}: can't be read ({error.strerror}); {_ADVICE}") from error
    except ProjectError:
        raise
    except SpiderSegError as error:
        raise ProjectError(f"{path}: damaged ({error}); {_ADVICE}") from error
    return ShownPrediction(labels.astype(np.uint8), facts.model_id, facts.naming)


def predicted_series(folder: ProjectFolder, known: Container[str] = ()) -> dict[str, tuple[int, int]]:
    """The series with a prediction, and the time (ns) and size of its sidecar, by which a newer one is told; `known` as in `series_names`."""
    try:
        with os.scandir(folder.predictions) as entries:
            found = {entry.name[: -len(".json")]: entry.stat() for entry in entries if entry.name.endswith(".json")}
    except OSError:
        return {}
    return {name: (stat.st_mtime_ns, stat.st_size) for name, stat in found.items() if name in known or is_name(name)}
