"""The tags of a segment that hold all level state: in the scene, in .seg.nrrd files, and in Slicer's undo history, which keeps tags.

Every segment carries the naming of the whole segmentation, so that it survives the removal of any other segment.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from SpiderSegLib.errors import LabelError
from SpiderSegLib.labels import LevelState, Structure, structure_of
from SpiderSegLib.level_names import RESEARCH_USE, LevelNaming

VALUE, STATE, LUMBAR_COUNT, OWN_NAMES = "SpiderSeg.Value", "SpiderSeg.LevelState", "SpiderSeg.LumbarCount", "SpiderSeg.OwnNames"
MODEL, CONFIDENCE, NOTICE = "SpiderSeg.Model", "SpiderSeg.Confidence", "SpiderSeg.Notice"
ALL_TAGS = (VALUE, STATE, LUMBAR_COUNT, OWN_NAMES, MODEL, CONFIDENCE, NOTICE)


@dataclass(frozen=True)
class SegmentTags:
    """What SpiderSeg knows of one segment: SPIDER value, naming of all levels, model that drew it ('' by hand), confidence 0..1 or None.

    Raises LabelError for the background, a value outside the scheme, and a confidence outside 0..1.
    """

    value: int
    naming: LevelNaming = field(default_factory=LevelNaming)
    model_id: str = ""
    confidence: float | None = None

    def __post_init__(self) -> None:
        if structure_of(self.value) is Structure.BACKGROUND:
            raise LabelError(f"expected a vertebra, disc or the canal, found {self.value}")
        if self.confidence is not None and not 0 <= self.confidence <= 1:
            raise LabelError(f"expected a confidence from 0 to 1, found {self.confidence}")

    def to_tags(self) -> dict[str, str]:
        """Tag name -> text. Empty texts are left out: they do not survive a file."""
        texts = {
            VALUE: str(self.value),
            STATE: self.naming.state.value,
            LUMBAR_COUNT: str(self.naming.lumbar_count),
            OWN_NAMES: ";".join(f"{level}={name}" for level, name in sorted(self.naming.own_names.items())),
            MODEL: self.model_id,
            CONFIDENCE: "" if self.confidence is None else f"{self.confidence:.4f}",
            NOTICE: RESEARCH_USE,
        }
        return {tag: text for tag, text in texts.items() if text}


def from_tags(tags: Mapping[str, str]) -> SegmentTags | None:
    """The reverse of `to_tags`; None for a segment made elsewhere. Raises LabelError, naming the tag, for texts that can't be its own."""
    if VALUE not in tags:
        return None
    try:
        naming = LevelNaming(
            LevelState(tags.get(STATE, LevelState.ASSUMED.value)), int(tags.get(LUMBAR_COUNT, "5")), _own_names(tags.get(OWN_NAMES, ""))
        )
        confidence = float(tags[CONFIDENCE]) if CONFIDENCE in tags else None
        return SegmentTags(int(tags[VALUE]), naming, tags.get(MODEL, ""), confidence)
    except (ValueError, LabelError) as error:
        found = {tag: tags[tag] for tag in ALL_TAGS if tag in tags}
        raise LabelError(f"segment tags of SpiderSeg can't be read ({error}), found {found}") from error


def _own_names(text: str) -> dict[int, str]:
    pairs = (pair.split("=", 1) for pair in text.split(";") if pair)
    return {int(level): name for level, name in pairs}
