"""The codes of the structures as 3D Slicer's segmentation terminology: Resources/SpiderSeg.term.json and the text segments carry.

Slicer ships no terminology with the levels of the spine and none with the spinal canal. The file follows dcmqi's segment-context
schema and holds what `terminology_text` makes of the label table.
"""

from __future__ import annotations

import json
from typing import Any

from SpiderSegLib.labels import LabelEntry, Structure, label_table, structure_of
from SpiderSegLib.level_names import Code, LevelNaming, category_code, generic_code, is_partial, type_code

CONTEXT_NAME = "SpiderSeg lumbar spine"

#: Slicer's name of the regions a segment may lie in; ours name their place themselves, so that none is chosen.
REGION_CONTEXT_NAME = "Anatomic codes - DICOM master list"

SCHEMA = "https://raw.githubusercontent.com/qiicr/dcmqi/master/doc/segment-context-schema.json#"

#: Label of a structure whose level has no code of its own, or is not confirmed.
_GENERIC_LABELS = {Structure.VERTEBRA: "Vertebra", Structure.DISC: "Disc"}


def terminology_json() -> dict[str, Any]:
    """The content of SpiderSeg.term.json: each code of the label table once, with the color and name of its level."""
    category = {**_coded(category_code()), "showAnatomy": False, "Type": [_type(label, entry) for label, entry in _labeled_entries()]}
    return {"SegmentationCategoryTypeContextName": CONTEXT_NAME, "@schema": SCHEMA, "SegmentationCodes": {"Category": [category]}}


def terminology_entry(value: int, naming: LevelNaming) -> str:
    """Slicer's serialized terminology entry of a structure, for the tag 'TerminologyEntry' of a segment.

    Generic while the level is not confirmed, as `level_names.type_code`. Raises LabelError for a value outside the scheme.
    """
    parts = [CONTEXT_NAME, _serialized(category_code()), _serialized(type_code(value, naming)), "^^", REGION_CONTEXT_NAME, "^^", "^^"]
    return "~".join(parts)


def _serialized(code: Code) -> str:
    return f"{code.scheme}^{code.value}^{code.meaning}"


def _coded(code: Code) -> dict[str, Any]:
    return {
        "CodingSchemeDesignator": code.scheme,
        "CodeValue": code.value,
        "CodeMeaning": code.meaning,
        "SNOMEDCTConceptID": code.value,
    }


def _type(label: str, entry: LabelEntry) -> dict[str, Any]:
    return {**_coded(Code(*entry.type_code)), "3dSlicerLabel": label, "recommendedDisplayRGBValue": list(entry.color_rgba[:3])}


def _labeled_entries() -> list[tuple[str, LabelEntry]]:
    """Levels with a code of their own, the generic vertebra and disc behind theirs, and the canal."""
    found: dict[Structure, list[tuple[str, LabelEntry]]] = {structure: [] for structure in (Structure.VERTEBRA, Structure.DISC, Structure.CANAL)}
    generic: dict[Structure, LabelEntry] = {}
    for value, entry in label_table().items():
        structure = structure_of(value)
        if is_partial(value):
            continue
        if structure in _GENERIC_LABELS and Code(*entry.type_code) == generic_code(structure):
            generic[structure] = entry
        else:
            found[structure].append((entry.name, entry))
    for structure, entry in generic.items():
        found[structure].append((_GENERIC_LABELS[structure], entry))
    return [pair for pairs in found.values() for pair in pairs]


def terminology_text() -> str:
    """The content of SpiderSeg.term.json as text."""
    return json.dumps(terminology_json(), indent=2) + "\n"
