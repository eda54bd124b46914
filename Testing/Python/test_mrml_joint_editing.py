"""Several series under one segmentation: the check by the real command, its report, and what is kept in the scene."""

from __future__ import annotations

import json

import numpy as np
import pytest

from command_line import progress_records, tree
from mrml_scene import COLUMN, newScene
from SpiderSegLib.cli.main import run
from SpiderSegLib.errors import ImageReadError
from SpiderSegLib.io import read_labelmap, read_volume
from SpiderSegLib.mrml.joint_editing import (
    JOINT_ATTRIBUTE,
    frameOfReferenceOf,
    jointRecordOf,
    prepareJointCheck,
    readJointReport,
    setJointRecord,
)
from SpiderSegLib.mrml.segmentations import newSegmentationNode
from SpiderSegLib.mrml.volumes import newVolumeNode
from SpiderSegLib.phantom import PhantomConfig, default_geometry, make_phantom

pytestmark = pytest.mark.mrml

#: Names that would break JSON, a pattern or a command line if they were put in as they are.
QUOTED, CYRILLIC = 'T2 "sag" \\1 --levels', "Петров 1, series_1"

UID = "1.2.840.113619.2.5"


def fromDicom(node, uid):
    node.SetAttribute("DICOM.FrameOfReferenceUID", uid)
    return node


@pytest.fixture(scope="module")
def phantoms():
    geometry = default_geometry((80, 90, 5), (3.2, 3.2, 6.0))
    return [make_phantom(PhantomConfig(sequence), geometry) for sequence in ("T2", "T1")]


@pytest.fixture
def nodes(mrml, phantoms):
    """A T2 and a T1 with one frame of reference."""
    return [fromDicom(newVolumeNode(mrml.scene, one.volume, name), UID) for one, name in zip(phantoms, (QUOTED, CYRILLIC), strict=True)]


# The run


def test_the_command_checks_what_was_prepared(mrml, phantoms, nodes, tmp_path, capsys):
    segmentationNode = newSegmentationNode(mrml.scene, phantoms[0].labelmap, nodes[0])
    fromDicom(nodes[1], "1.2.3")
    prepared = prepareJointCheck(tmp_path, nodes, segmentationNode)
    assert prepared.volumeId == nodes[0].GetID()
    assert run(list(prepared.arguments)) == 0
    assert progress_records(capsys.readouterr().out)
    report = readJointReport(prepared.output, [node.GetName() for node in nodes])
    assert report["is_allowed"] is False
    assert report["reasons"][0] == (f"{QUOTED} and {CYRILLIC} have no common frame of reference: the patient may have been moved between them")
    [pair] = report["pairs"]
    assert (pair["fixed"], pair["moving"]) == (QUOTED, CYRILLIC)
    assert pair["measured"]["largest_displacement_mm"] >= 0


def test_the_command_gets_series_levels_and_frames_as_they_are(mrml, phantoms, nodes, tmp_path):
    prepared = prepareJointCheck(tmp_path, nodes, newSegmentationNode(mrml.scene, phantoms[0].labelmap, nodes[0]))
    assert tree(tmp_path) == ["levels.mha", "series_1.mha", "series_2.mha"]
    assert prepared.arguments[:3] == ("check-joint", str(tmp_path / "series_1.mha"), str(tmp_path / "series_2.mha"))
    assert [argument for argument in prepared.arguments if argument.startswith("--frame")] == [f"--frame-of-reference={UID}"] * 2
    for number, phantom in enumerate(phantoms, start=1):
        written = read_volume(tmp_path / f"series_{number}.mha")
        assert np.array_equal(written.array, phantom.volume.array)
        assert written.geometry.is_same_grid(phantom.volume.geometry)
    assert np.array_equal(read_labelmap(tmp_path / "levels.mha").array, phantoms[0].labelmap.array)


def test_no_name_of_a_patient_reaches_the_disk(mrml, nodes, tmp_path):
    prepared = prepareJointCheck(tmp_path, nodes)
    assert not any("Петров" in argument for argument in prepared.arguments)
    assert all("Петров".encode() not in path.read_bytes() for path in tmp_path.iterdir())


def test_unknown_frames_are_said_to_be_unknown(mrml, phantoms, nodes, tmp_path):
    for node in nodes:
        node.RemoveAttribute("DICOM.FrameOfReferenceUID")
    prepared = prepareJointCheck(tmp_path, nodes)
    assert "--levels" not in prepared.arguments
    assert run(list(prepared.arguments)) == 0
    report = readJointReport(prepared.output, ["a", "b"])
    assert report["is_allowed"] is False
    assert report["reasons"][0] == "a and b have no common frame of reference: it is not known for a and b"


def test_a_frame_of_reference_is_the_volume_s_own(mrml):
    node = mrml.newVolume(COLUMN)
    assert frameOfReferenceOf(node) == ""
    # Without a DICOM database its instances tell nothing.
    node.SetAttribute("DICOM.instanceUIDs", "1.2.3 1.2.4")
    assert frameOfReferenceOf(node) == ""
    assert frameOfReferenceOf(fromDicom(node, UID)) == UID


# Its report


def reportFile(tmp_path, **changes):
    path = tmp_path / "joint.json"
    path.write_text(json.dumps({"is_allowed": True, "reasons": [], "notes": [], "pairs": [], **changes}), encoding="utf-8")
    return path


def test_ten_and_more_series_keep_their_names_apart(tmp_path):
    names = [f"name {number}" for number in range(1, 13)]
    pairs = [{"fixed": "series_1", "moving": f"series_{number}"} for number in range(2, 13)]
    report = readJointReport(reportFile(tmp_path, pairs=pairs), names)
    assert [pair["moving"] for pair in report["pairs"]] == names[1:]
    assert {pair["fixed"] for pair in report["pairs"]} == {"name 1"}


def test_series_may_be_called_as_placeholders_are(tmp_path):
    path = reportFile(tmp_path, reasons=["series_1 and series_2", "series_3"])
    assert readJointReport(path, ["series_2", "series_1"])["reasons"] == ["series_2 and series_1", "series_3"]


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "null", '"reasons"', "{}", '{"is_allowed": true}', '{"reasons": []}', '{"is_allowed": true, "reasons": null}', "\ud800"],
)
def test_a_damaged_report_is_an_error_that_names_the_file(tmp_path, text):
    path = tmp_path / "joint.json"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    with pytest.raises(ImageReadError, match=r"joint\.json: expected the report of a check of series"):
        readJointReport(path, ["a", "b"])


def test_a_missing_report_is_an_error(tmp_path):
    with pytest.raises(ImageReadError, match=r"joint\.json"):
        readJointReport(tmp_path / "joint.json", ["a", "b"])


@pytest.mark.parametrize("value", ["true", 1, None, [True]])
def test_only_a_plain_true_allows(tmp_path, value):
    assert readJointReport(reportFile(tmp_path, is_allowed=value), [])["is_allowed"] is False
    assert readJointReport(reportFile(tmp_path), [])["is_allowed"] is True


# What is kept


RECORD = {"is_allowed": False, "reasons": [f"{QUOTED} and {CYRILLIC}: 3.1 mm toward the feet apart"], "accepted": {"by": "Ж"}, "node_ids": ["a", "b"]}


def test_a_record_is_kept_and_forgotten(mrml):
    node = mrml.newColumn().node
    assert jointRecordOf(node) is None
    setJointRecord(node, RECORD)
    assert jointRecordOf(node) == RECORD
    setJointRecord(node, None)
    assert jointRecordOf(node) is None
    assert node.GetAttribute(JOINT_ATTRIBUTE) is None


@pytest.mark.parametrize("text", ["{", "[1]", '"yes"', "true", "null"])
def test_a_damaged_record_is_none(mrml, text):
    node = mrml.newColumn().node
    node.SetAttribute(JOINT_ATTRIBUTE, text)
    assert jointRecordOf(node) is None


def test_a_record_is_saved_with_the_scene(mrml, tmp_path):
    case = mrml.newColumn()
    setJointRecord(case.node, RECORD)
    mrml.scene.SetRootDirectory(str(tmp_path))
    assert mrml.scene.WriteToMRB(str(tmp_path / "a.mrb"))
    loaded = newScene()
    assert loaded.readBundle(tmp_path / "a.mrb")
    assert jointRecordOf(loaded.scene.GetFirstNodeByClass("vtkMRMLSegmentationNode")) == RECORD
