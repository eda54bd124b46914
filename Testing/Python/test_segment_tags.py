"""The texts that carry level state in segments: written, read back, and refused when damaged."""

from __future__ import annotations

import pytest

from SpiderSegLib.errors import LabelError
from SpiderSegLib.labels import LevelState
from SpiderSegLib.level_names import LevelNaming
from SpiderSegLib.segment_tags import ALL_TAGS, SegmentTags, from_tags

SIX_CONFIRMED = LevelNaming(LevelState.TRANSITIONAL, 6, {7: "T13", 8: "Th 12"})

MINIMAL = {
    "SpiderSeg.Value": "1",
    "SpiderSeg.LevelState": "assumed",
    "SpiderSeg.LumbarCount": "5",
    "SpiderSeg.Notice": "Research use only, not for diagnosis",
}
FULL = {
    "SpiderSeg.Value": "107",
    "SpiderSeg.LevelState": "transitional",
    "SpiderSeg.LumbarCount": "6",
    "SpiderSeg.OwnNames": "7=T13;8=Th 12",
    "SpiderSeg.Model": "unetr-2",
    "SpiderSeg.Confidence": "0.8125",
    "SpiderSeg.Notice": "Research use only, not for diagnosis",
}


def test_tags_are_plain_texts_and_empty_ones_are_left_out():
    assert SegmentTags(1).to_tags() == MINIMAL
    assert SegmentTags(107, SIX_CONFIRMED, "unetr-2", 0.8125).to_tags() == FULL
    assert set(FULL) == set(ALL_TAGS)


def test_own_names_are_written_from_the_lowest_level_up():
    naming = LevelNaming(own_names={12: "b", 2: "a"})
    assert SegmentTags(1, naming).to_tags()["SpiderSeg.OwnNames"] == "2=a;12=b"


@pytest.mark.parametrize(
    "tags",
    [
        SegmentTags(1),
        SegmentTags(100, LevelNaming(LevelState.UNIDENTIFIED)),
        SegmentTags(225, LevelNaming(LevelState.CONFIRMED, 4), "model", 0.0),
        SegmentTags(101, LevelNaming(LevelState.TRANSITIONAL, 6, {3: "Позвонок 3", 4: "腰椎", 5: "🦴", 25: "a:b (c)"}), "m", 1.0),
    ],
)
def test_tags_come_back_as_they_were(tags):
    assert from_tags(tags.to_tags()) == tags


def test_confidence_keeps_four_digits():
    assert from_tags(SegmentTags(1, confidence=0.123456).to_tags()).confidence == 0.1235


def test_a_segment_made_elsewhere_has_no_tags():
    assert from_tags({}) is None
    assert from_tags({"TerminologyEntry": "x", "Segmentation.Status": "completed"}) is None


def test_tags_that_are_missing_beside_the_value_have_their_defaults():
    assert from_tags({"SpiderSeg.Value": "3"}) == SegmentTags(3)


@pytest.mark.parametrize(
    ("tag", "text"),
    [
        ("SpiderSeg.Value", ""),
        ("SpiderSeg.Value", "L5"),
        ("SpiderSeg.Value", "1.0"),
        ("SpiderSeg.Value", "0"),
        ("SpiderSeg.Value", "26"),
        ("SpiderSeg.Value", "200"),
        ("SpiderSeg.Value", "-1"),
        ("SpiderSeg.Value", "300"),
        ("SpiderSeg.LevelState", "sure"),
        ("SpiderSeg.LumbarCount", "7"),
        ("SpiderSeg.LumbarCount", "five"),
        ("SpiderSeg.OwnNames", "T13"),
        ("SpiderSeg.OwnNames", "x=T13"),
        ("SpiderSeg.OwnNames", "26=T13"),
        ("SpiderSeg.OwnNames", "6="),
        ("SpiderSeg.OwnNames", "6=a=b"),
        ("SpiderSeg.Confidence", "high"),
        ("SpiderSeg.Confidence", "nan"),
        ("SpiderSeg.Confidence", "1.5"),
    ],
)
def test_a_damaged_tag_is_named_with_what_was_found(tag, text):
    with pytest.raises(LabelError) as error:
        from_tags({**FULL, tag: text})
    assert f"'{tag}': '{text}'" in str(error.value)


@pytest.mark.parametrize("value", [0, 26, 99, 126, 200, 226, -1])
def test_there_are_no_tags_for_a_value_outside_the_scheme(value):
    with pytest.raises(LabelError, match=f"found {value}"):
        SegmentTags(value)


@pytest.mark.parametrize("confidence", [-0.1, 1.1, float("nan")])
def test_confidence_is_a_share(confidence):
    with pytest.raises(LabelError, match="confidence"):
        SegmentTags(1, confidence=confidence)
