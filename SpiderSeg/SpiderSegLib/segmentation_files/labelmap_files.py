"""Plain labelmaps (.mha, .nii.gz, .nrrd): the values alone are the file's; naming and model stand in the header and in a sidecar."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from SpiderSegLib.atomic import FileWriter
from SpiderSegLib.errors import LabelError
from SpiderSegLib.io import image_stem, read_labelmap, volume_writer
from SpiderSegLib.labels import is_downward_numbering
from SpiderSegLib.level_names import LevelNaming
from SpiderSegLib.segmentation_files.header_texts import from_header_texts, header_texts
from SpiderSegLib.segmentation_files.named_labelmap import NamedLabelmap
from SpiderSegLib.segmentation_files.segments import ReadSegmentation
from SpiderSegLib.segmentation_files.sidecar import SidecarFacts, is_sidecar, read_sidecar


def labelmap_writer(path: Path, named: NamedLabelmap, like: Path | None = None) -> FileWriter:
    """What writes a labelmap, with naming, model and notice in its header, for `write_together`; `like` as in `io.write_volume`."""
    return volume_writer(path, named.labelmap, like, header_texts(named.naming, named.model_id))


def sidecar_beside(path: Path) -> Path:
    """Where the sidecar of a labelmap is."""
    return path.with_name(f"{image_stem(path)}.json")


def sidecar_of(path: Path) -> SidecarFacts | None:
    """The sidecar beside a labelmap; None where there is none, or another tool's JSON. Raises LabelError for a damaged one of ours."""
    beside = sidecar_beside(path)
    return read_sidecar(beside) if is_sidecar(beside) else None


def read_labelmap_file(path: Path) -> ReadSegmentation:
    """Reads SPIDER values and how they are named: as the header says, else as the sidecar beside it, else assumed.

    Raises ImageReadError, GeometryError, and LabelError for other values and for masks that count 24 downward, whose levels would all be
    misnamed.
    """
    labelmap = read_labelmap(path)
    if is_downward_numbering(np.unique(labelmap.array).tolist()):
        raise LabelError(
            f"{path}: expected levels counted from the lowest vertebra up (L5 = 1), found level 24 and no level 1: this mask counts 24 "
            "downward, and every level would be named wrongly"
        )
    facts = sidecar_of(path)
    own = from_header_texts(labelmap.header, str(path))
    naming, model_id = own or ((facts.naming, facts.model_id) if facts else (LevelNaming(), ""))
    named = NamedLabelmap.of(labelmap, naming, model_id, facts.confidences if facts else {})
    return ReadSegmentation(named)
