"""What the header of any file says of a labelmap: naming of the levels, model, and that it is for research use only."""

from __future__ import annotations

from collections.abc import Mapping

from SpiderSegLib.errors import LabelError
from SpiderSegLib.io import DESCRIPTION
from SpiderSegLib.level_names import RESEARCH_USE, LevelNaming
from SpiderSegLib.segment_tags import CONFIDENCE, STATE, VALUE, SegmentTags, from_tags

#: A text that holds it would cut the list of tags short.
_TAG_END = "|"


def notice(naming: LevelNaming) -> str:
    """What every exported file says in its description; it fits DICOM's and NIfTI's 64 and 79 characters."""
    return f"{RESEARCH_USE}; level {naming.state.value}"


def header_texts(naming: LevelNaming, model_id: str) -> dict[str, str]:
    """Header key -> text; the keys are those of the segment tags."""
    tags = SegmentTags(1, naming, model_id).to_tags()
    return {DESCRIPTION: f"SpiderSeg. {notice(naming)}"} | {tag: text for tag, text in tags.items() if tag not in (VALUE, CONFIDENCE)}


def from_header_texts(header: Mapping[str, str], name: str) -> tuple[LevelNaming, str] | None:
    """Naming and model of a header, None where it has none of ours. Raises LabelError naming the file for damaged texts."""
    if STATE not in header:
        return None
    try:
        tags = from_tags({**header, VALUE: "1"})
    except LabelError as error:
        raise LabelError(f"{name}: {error}") from error
    return (tags.naming, tags.model_id) if tags is not None else None


def tags_text(tags: Mapping[str, str]) -> str:
    """Tags in one line, as Slicer keeps them in files: 'key:text|key:text|'."""
    return "".join(f"{tag}:{_one_line(text)}{_TAG_END}" for tag, text in sorted(tags.items()))


def tags_of_text(text: str) -> dict[str, str]:
    """The reverse of `tags_text`; what is no tag is left out."""
    pairs = (pair.partition(":") for pair in text.split(_TAG_END))
    return {tag: value for tag, colon, value in pairs if colon}


def _one_line(text: str) -> str:
    return " ".join(text.replace(_TAG_END, "/").split())
