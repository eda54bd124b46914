"""Agreement in dicts, lists, text and numbers: what JSON can hold."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from SpiderSegLib.agreement.files import AgreementSet
from SpiderSegLib.agreement.result import Agreement, LevelRow, StructureAgreement

SCHEMA_VERSION = 1


def agreement_set_object(found: AgreementSet) -> dict[str, Any]:
    """Everything known: {"schema_version", "a", "b", "series": [..], "failed", "only_in_a", "only_in_b", "summary"}."""
    return {
        "schema_version": SCHEMA_VERSION,
        "a": found.name_a,
        "b": found.name_b,
        "series": [{"series": one.series, "a": str(one.path_a), "b": str(one.path_b), **agreement_object(one.agreement)} for one in found.series],
        "failed": [asdict(failed) for failed in found.failed],
        "only_in_a": list(found.only_in_a),
        "only_in_b": list(found.only_in_b),
        "summary": {name: asdict(statistic) for name, statistic in found.summary().items()},
    }


def agreement_object(agreement: Agreement) -> dict[str, Any]:
    """One comparison; names of files are the caller's."""
    shift = agreement.shift
    return {
        "mean_dice": agreement.mean_dice,
        "level_agreement": agreement.level_agreement,
        "shift": None if shift is None else {"by": shift.by, "structure": shift.structure and shift.structure.name.lower(), "text": shift.text},
        "voxels_labeled": agreement.voxels_labeled,
        "voxels_different": agreement.voxels_different,
        "voxels_of_other_structure": agreement.voxels_of_other_structure,
        "structures": {one.structure.name.lower(): _structure(one) for one in agreement.structures},
        "levels": [_level(row) for row in agreement.levels],
    }


def _structure(one: StructureAgreement) -> dict[str, Any]:
    values = {key: value for key, value in asdict(one).items() if key != "structure"}
    return {**values, "only_a": list(one.only_a), "only_b": list(one.only_b)}


def _level(row: LevelRow) -> dict[str, Any]:
    derived = {"is_level_same": row.is_level_same, "volume_difference_ml": row.volume_difference_ml}
    return {**asdict(row), "structure": row.structure.name.lower(), **derived}
