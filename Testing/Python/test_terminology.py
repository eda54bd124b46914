"""Resources/SpiderSeg.term.json and the terminology entries of segments, by themselves and in Slicer's own logic."""

from __future__ import annotations

import json

import pytest

from SpiderSegLib.errors import LabelError
from SpiderSegLib.labels import LevelState, label_table
from SpiderSegLib.level_names import LevelNaming
from SpiderSegLib.paths import data_path
from SpiderSegLib.terminology import CONTEXT_NAME, terminology_entry, terminology_json, terminology_text

ASSUMED, CONFIRMED = LevelNaming(), LevelNaming(LevelState.CONFIRMED)


def types() -> list[dict]:
    (category,) = terminology_json()["SegmentationCodes"]["Category"]
    return category["Type"]


def test_the_shipped_file_is_what_the_label_table_gives():
    shipped = data_path("Resources", "SpiderSeg.term.json").read_text(encoding="utf-8")
    assert shipped == terminology_text(), "write terminology.terminology_text() to Resources/SpiderSeg.term.json"


def test_every_code_of_the_label_table_is_there_once():
    codes = [found["CodeValue"] for found in types()]
    assert len(codes) == len(set(codes))
    assert set(codes) == {entry.type_code[1] for entry in label_table().values()}


def test_levels_count_from_the_lowest_up_with_the_generic_ones_behind_theirs():
    labels = [found["3dSlicerLabel"] for found in types()]
    vertebrae = ["L5", "L4", "L3", "L2", "L1", "T12", "T11", "T10", "T9", "T8", "T7", "Vertebra"]
    discs = ["L5/S1", "L4/L5", "L3/L4", "L2/L3", "L1/L2", "T12/L1", "T11/T12", "T10/T11", "T9/T10", "T8/T9", "T7/T8", "Disc"]
    assert labels == [*vertebrae, *discs, "Spinal canal"]


def test_colors_are_the_label_table_s():
    by_label = {found["3dSlicerLabel"]: found["recommendedDisplayRGBValue"] for found in types()}
    assert by_label["L5"] == [242, 189, 109]
    assert by_label["L4/L5"] == [217, 33, 52]
    assert by_label["Spinal canal"] == [120, 200, 255]
    assert len({tuple(color) for color in by_label.values()}) == len(by_label)


@pytest.mark.parametrize(
    ("value", "naming", "code"),
    [
        (1, ASSUMED, "SCT^51282000^Vertebra"),
        (101, ASSUMED, "SCT^51282000^Vertebra"),
        (202, ASSUMED, "SCT^360499006^Intervertebral disc"),
        (100, ASSUMED, "SCT^61853006^Spinal canal"),
        (1, CONFIRMED, "SCT^49668003^Fifth lumbar vertebra"),
        (101, CONFIRMED, "SCT^49668003^Fifth lumbar vertebra"),
        (202, CONFIRMED, "SCT^84020006^L4-L5 intervertebral disc"),
        (12, CONFIRMED, "SCT^51282000^Vertebra"),
        (1, LevelNaming(LevelState.TRANSITIONAL, 6), "SCT^51282000^Vertebra"),
    ],
)
def test_an_entry_names_a_level_only_when_a_person_confirmed_it(value, naming, code):
    assert terminology_entry(value, naming) == (
        f"SpiderSeg lumbar spine~SCT^123037004^Anatomical Structure~{code}~^^~Anatomic codes - DICOM master list~^^~^^"
    )


def test_a_value_outside_the_scheme_has_no_entry():
    with pytest.raises(LabelError, match="found 150"):
        terminology_entry(150, CONFIRMED)


# In Slicer


@pytest.fixture(scope="module")
def slicer():
    return pytest.importorskip("slicer", reason="slicer-core is not installed")


@pytest.fixture
def logic(slicer):
    logic = slicer.vtkSlicerTerminologiesModuleLogic()
    assert logic.LoadTerminologyFromFile(str(data_path("Resources", "SpiderSeg.term.json"))) == CONTEXT_NAME
    return logic


@pytest.mark.mrml
def test_slicer_finds_every_label_of_the_file_with_its_color(slicer, logic):
    for expected in json.loads(terminology_text())["SegmentationCodes"]["Category"][0]["Type"]:
        entry = slicer.vtkSlicerTerminologyEntry()
        assert logic.FindTypeInTerminologyBy3dSlicerLabel(CONTEXT_NAME, expected["3dSlicerLabel"], entry)
        found = entry.GetTypeObject()
        assert (found.GetCodingSchemeDesignator(), found.GetCodeValue(), found.GetCodeMeaning()) == (
            "SCT",
            expected["CodeValue"],
            expected["CodeMeaning"],
        )
        assert list(found.GetRecommendedDisplayRGBValue()) == expected["recommendedDisplayRGBValue"]


@pytest.mark.mrml
@pytest.mark.parametrize("naming", [ASSUMED, CONFIRMED], ids=["assumed", "confirmed"])
def test_slicer_reads_every_entry_and_writes_it_as_we_do(slicer, logic, naming):
    for value in label_table():
        text = terminology_entry(value, naming)
        entry = slicer.vtkSlicerTerminologyEntry()
        assert logic.DeserializeTerminologyEntry(text, entry)
        assert logic.SerializeTerminologyEntry(entry) == text
        # Only what a loaded terminology holds can be looked up and gets a color.
        entry.GetTypeObject().SetRecommendedDisplayRGBValue(1, 2, 3)
        assert logic.UpdateEntryFromLoadedTerminologies(entry, [CONTEXT_NAME], [])
        assert entry.GetTypeObject().GetRecommendedDisplayRGBValue() != (1, 2, 3)


@pytest.mark.mrml
def test_slicer_gets_the_terminology_once(slicer, monkeypatch):
    from SpiderSegLib.mrml import terminologies

    logic = slicer.vtkSlicerTerminologiesModuleLogic()
    terminologies.loadTerminology(logic)
    entry = slicer.vtkSlicerTerminologyEntry()
    assert logic.FindTypeInTerminologyBy3dSlicerLabel(CONTEXT_NAME, "L5", entry)
    # A second call reads nothing, so that a missing file is no matter.
    monkeypatch.setattr(terminologies, "data_path", lambda *parts: pytest.fail("the file was looked for again"))
    terminologies.loadTerminology(logic)


@pytest.mark.mrml
@pytest.mark.parametrize("change", [lambda text: text[:100], lambda text: text.replace(CONTEXT_NAME, "Another context"), lambda text: None])
def test_a_damaged_renamed_or_missing_terminology_is_an_error_that_names_it(slicer, monkeypatch, tmp_path, change):
    from SpiderSegLib.errors import SpiderSegError
    from SpiderSegLib.mrml import terminologies

    path = tmp_path / "SpiderSeg.term.json"
    text = change(terminology_text())
    if text is not None:
        path.write_text(text, encoding="utf-8")
    monkeypatch.setattr(terminologies, "data_path", lambda *parts: path)
    with pytest.raises(SpiderSegError, match=r"SpiderSeg\.term\.json: expected Slicer's terminology 'SpiderSeg lumbar spine'"):
        terminologies.loadTerminology(slicer.vtkSlicerTerminologiesModuleLogic())
