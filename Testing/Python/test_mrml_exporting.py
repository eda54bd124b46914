"""Segmentation nodes as files: where they go, what is in them, and that nothing is left of an export that fails."""

from __future__ import annotations

import json
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from command_line import file_size_limit, tree
from mrml_scene import COLUMN, Messages, columnLabels, idOf, named, newScene
from SpiderSegLib.errors import InputError, OutputError
from SpiderSegLib.io import read_labelmap
from SpiderSegLib.labels import LevelState
from SpiderSegLib.level_names import RESEARCH_USE, LevelNaming
from SpiderSegLib.mrml.exporting import ExportFormat, export, exportDicomSegmentation, planExport, safeName, sidecarPath
from SpiderSegLib.mrml.joint_editing import setJointRecord
from SpiderSegLib.mrml.segmentations import SegmentInfo, labelmapOf
from SpiderSegLib.mrml.segments import maskOf, segmentIds, setMask
from SpiderSegLib.phantom import SAGITTAL_DIRECTION
from SpiderSegLib.segmentation_files import notice, read_segmentation, read_sidecar
from SpiderSegLib.volume import Geometry

pytestmark = pytest.mark.mrml

INFO = SegmentInfo(LevelNaming(), "unetr-2", {1: 0.9, 2: 0.25})

#: Voxel (i, j, k) covers columns 2i and 2i + 1 and rows 2j and 2j + 1 of COLUMN.
COARSE = Geometry((4, 6, 3), (2.0, 2.0, 4.0), (4.0, 2.5, 9.5), SAGITTAL_DIRECTION)

JOINT = {"is_allowed": True, "reasons": [], "node_ids": ["vtkMRMLScalarVolumeNode1"]}

SLICER, SPIDER, NIFTI, DICOM = ExportFormat.SLICER, ExportFormat.SPIDER, ExportFormat.NIFTI, ExportFormat.DICOM


def nodeIds(scene):
    return [scene.GetNthNode(index).GetID() for index in range(scene.GetNumberOfNodes())]


def exportTo(folder, case, fileFormat, *partners):
    """Exports a case; returns the warnings."""
    return export(case.node, planExport(case.node, [case.volumeNode, *partners], folder, fileFormat))


def sidecarIn(folder, name="t2"):
    return json.loads((folder / f"{name}_segmentation.json").read_text(encoding="utf-8"))


# Where


@pytest.mark.parametrize(
    ("fileFormat", "names"),
    [
        (SLICER, ["t2_segmentation.seg.nrrd"]),
        (SPIDER, ["t2_segmentation.mha", "t1_segmentation.mha"]),
        (NIFTI, ["t2_segmentation.nii.gz", "t1_segmentation.nii.gz"]),
        (DICOM, ["t2_segmentation.dcm"]),
    ],
)
def test_only_labelmaps_are_written_for_every_series(mrml, tmp_path, fileFormat, names):
    case = mrml.newColumn()
    t1 = mrml.newVolume(COLUMN, "t1")
    plan = planExport(case.node, [case.volumeNode, t1], tmp_path, fileFormat)
    assert [path for _, path in plan.paths] == [tmp_path / name for name in names]
    assert [node for node, _ in plan.paths] == [case.volumeNode, t1][: len(names)]
    assert plan.existing == ()


@pytest.mark.parametrize("names", [("t2", "t2"), ("T2", "t2"), ("t2/", "t2"), ("a/b", "a:b")])
def test_series_of_the_same_name_do_not_overwrite_each_other(mrml, tmp_path, names):
    case = mrml.newColumn()
    plan = planExport(case.node, [mrml.newVolume(COLUMN, name) for name in names], tmp_path, SPIDER)
    assert len({path.name.lower() for _, path in plan.paths}) == 2
    assert [path.name.removesuffix("_segmentation.mha")[-2:] for _, path in plan.paths] == ["_1", "_2"]


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("t2", "t2"),
        ("5: T2 TSE/sag", "5__T2_TSE_sag"),
        ("../../etc/passwd", "etc_passwd"),
        ("C:\\x", "C__x"),
        (" Петров-1 ", "Петров-1"),
        ("a.mha", "a_mha"),
        ("...", "series"),
        ("", "series"),
        ("a\nb\0", "a_b"),
        ("x" * 300, "x" * 200),
        ("脊" * 300, "脊" * 66),
    ],
)
def test_names_become_parts_of_file_names(name, safe):
    assert safeName(name) == safe


def test_without_segmentation_series_or_folder_there_is_no_plan(mrml, tmp_path):
    case = mrml.newColumn()
    for node, series in ((None, [case.volumeNode]), (case.node, [])):
        with pytest.raises(InputError, match="choose the segmentation and the series"):
            planExport(node, series, tmp_path, SLICER)
    for folder in ("", " ", "."):
        with pytest.raises(InputError, match="choose a folder"):
            planExport(case.node, [case.volumeNode], Path(folder), SLICER)


def test_files_that_would_be_replaced_are_known(mrml, tmp_path):
    case = mrml.newColumn()
    series = [case.volumeNode, mrml.newVolume(COLUMN, "t1")]
    exportTo(tmp_path, case, SPIDER)
    plan = planExport(case.node, series, tmp_path, SPIDER)
    assert plan.existing == (tmp_path / "t2_segmentation.mha", tmp_path / "t2_segmentation.json")
    # The sidecar of both labelmap formats has one name.
    assert planExport(case.node, series, tmp_path, NIFTI).existing == (tmp_path / "t2_segmentation.json",)
    assert planExport(case.node, series, tmp_path, SLICER).existing == ()


def test_a_series_with_a_very_long_name_is_written(mrml, tmp_path):
    case = mrml.newColumn()
    plan = planExport(case.node, [mrml.newVolume(COLUMN, "脊" * 300)], tmp_path, NIFTI)
    assert plan.existing == ()
    export(case.node, plan)
    assert plan.paths[0][1].is_file()


# Labelmaps


@pytest.mark.parametrize("fileFormat", [SPIDER, NIFTI])
def test_a_labelmap_has_the_values_on_the_grid_of_its_series(mrml, tmp_path, fileFormat):
    case = mrml.newColumn(INFO)
    folder = tmp_path / "new" / "folder"
    assert exportTo(folder, case, fileFormat, mrml.newVolume(COARSE, "t1")) == ()
    suffix = fileFormat.value
    assert tree(folder) == sorted(f"{name}_segmentation{end}" for name in ("t1", "t2") for end in (suffix, ".json"))
    own = read_labelmap(folder / f"t2_segmentation{suffix}")
    assert np.array_equal(own.array, columnLabels())
    assert own.geometry.is_same_grid(COLUMN)
    other = read_labelmap(folder / f"t1_segmentation{suffix}")
    assert other.geometry.is_same_grid(COARSE)
    # Rows 0, 2 and 4 lie within L3, L4 and L5; column 1 covers columns 2 and 3.
    assert other.array[:, [0, 2, 4], 1].tolist() == [[3, 2, 1]] * 3
    assert set(np.unique(other.array)) <= set(np.unique(columnLabels()))


def test_a_labelmap_s_header_tells_state_model_and_use(mrml, tmp_path):
    exportTo(tmp_path, mrml.newColumn(INFO), SPIDER)
    reader = sitk.ImageFileReader()
    reader.SetFileName(str(tmp_path / "t2_segmentation.mha"))
    reader.ReadImageInformation()
    texts = [reader.GetMetaData(key) for key in reader.GetMetaDataKeys()]
    assert any(RESEARCH_USE in text and "level assumed" in text for text in texts)
    assert "unetr-2" in texts


def test_a_sidecar_tells_model_state_full_names_and_use(mrml, tmp_path):
    exportTo(tmp_path, mrml.newColumn(INFO), NIFTI)
    sidecar = sidecarIn(tmp_path)
    assert sidecar["notice"] == RESEARCH_USE
    assert sidecar["model"] == {"id": "unetr-2"}
    assert sidecar["level_state"]["state"] == "assumed"
    rows = {row["value"]: row for row in sidecar["levels"]}
    assert list(rows) == [1, 2, 3, 201, 202, 203, 100]
    assert rows[1]["full_name"] == "Lumbar vertebra 1 (level assumed: L5)"
    assert rows[201]["full_name"] == "Disc 1 (level assumed: L5/S1)"
    # L3 fills 2 rows of 4 columns in 3 slices, 4 mm3 each.
    assert rows[3]["volume_mm3"] == 96.0
    assert [rows[value].get("confidence") for value in (1, 2, 3)] == [0.9, 0.25, None]
    assert read_sidecar(tmp_path / "t2_segmentation.json").naming == LevelNaming()


def test_no_labelmap_says_l5_of_a_level_nobody_confirmed(mrml, tmp_path):
    for state in LevelState:
        folder = tmp_path / state.value
        exportTo(folder, mrml.newColumn(SegmentInfo(LevelNaming(state))), SPIDER)
        row = sidecarIn(folder)["levels"][0]
        assert (row["full_name"] == "L5") is (state is LevelState.CONFIRMED)
        assert sidecarIn(folder)["level_state"]["state"] == state.value


def test_a_joint_record_belongs_to_files_of_several_series(mrml, tmp_path):
    case = mrml.newColumn()
    t1 = mrml.newVolume(COLUMN, "t1")
    setJointRecord(case.node, JOINT)
    exportTo(tmp_path / "one", case, SPIDER)
    assert "joint" not in sidecarIn(tmp_path / "one")
    exportTo(tmp_path / "two", case, SPIDER, t1)
    for name in ("t1", "t2"):
        assert sidecarIn(tmp_path / "two", name)["joint"] == {"is_allowed": True, "reasons": []}
    setJointRecord(case.node, None)
    exportTo(tmp_path / "none", case, SPIDER, t1)
    assert "joint" not in sidecarIn(tmp_path / "none")


def test_overlapping_and_unnamed_segments_are_told(mrml, tmp_path):
    case = mrml.newColumn()
    setMask(case.node, idOf(case.node, 100), columnLabels() == 1)
    case.node.GetSegmentation().AddEmptySegment("", "cyst")
    for fileFormat in (SPIDER, SLICER):
        assert exportTo(tmp_path, case, fileFormat) == (
            "L5? and Spinal canal overlap in 36 voxels: Spinal canal has them",
            "cyst names no level and is left out: give it a level in the Levels table",
        )
    assert np.count_nonzero(read_labelmap(tmp_path / "t2_segmentation.mha").array == 100) == 36


def test_files_are_replaced(mrml, tmp_path):
    case = mrml.newColumn()
    (tmp_path / "t2_segmentation.mha").write_text("before")
    exportTo(tmp_path, case, SPIDER)
    setMask(case.node, idOf(case.node, 3), np.zeros(COLUMN.shape_kji, bool))
    exportTo(tmp_path, case, SPIDER)
    assert np.array_equal(read_labelmap(tmp_path / "t2_segmentation.mha").array, np.where(columnLabels() == 3, 0, columnLabels()))
    assert tree(tmp_path) == ["t2_segmentation.json", "t2_segmentation.mha"]


def test_a_sidecar_lies_beside_its_labelmap():
    assert sidecarPath(Path("a/b.c_segmentation.nii.gz"), NIFTI) == Path("a/b.c_segmentation.json")


# Slicer's own format


def test_a_seg_nrrd_keeps_overlapping_and_unnamed_segments(mrml, tmp_path):
    case = mrml.newColumn(INFO)
    everything = np.ones(COLUMN.shape_kji, bool)
    setMask(case.node, idOf(case.node, 100), everything)
    cyst = case.node.GetSegmentation().AddEmptySegment("", "cyst")
    setMask(case.node, cyst, columnLabels() == 2)
    nodes = nodeIds(mrml.scene)
    exportTo(tmp_path, case, SLICER)
    assert tree(tmp_path) == ["t2_segmentation.seg.nrrd"]
    assert nodeIds(mrml.scene) == nodes
    storage = mrml.scene.AddNewNodeByClass("vtkMRMLSegmentationStorageNode")
    storage.SetFileName(str(tmp_path / "t2_segmentation.seg.nrrd"))
    back = mrml.scene.AddNewNodeByClass("vtkMRMLSegmentationNode")
    assert storage.ReadData(back)
    assert named(back) == [*named(case.node)]
    assert maskOf(back, idOf(back, 100)).all()
    assert np.array_equal(maskOf(back, segmentIds(back)[-1]), columnLabels() == 2)
    assert labelmapOf(back).naming == LevelNaming()


def test_a_seg_nrrd_says_model_state_and_use(mrml, tmp_path):
    exportTo(tmp_path, mrml.newColumn(INFO), SLICER)
    header = (tmp_path / "t2_segmentation.seg.nrrd").read_bytes().partition(b"\n\n")[0].decode()
    for text in ("SpiderSeg.Model:unetr-2", "SpiderSeg.LevelState:assumed", RESEARCH_USE):
        assert text in header
    found = read_segmentation(tmp_path / "t2_segmentation.seg.nrrd").named
    assert np.array_equal(found.labelmap.array, columnLabels())
    assert found.model_id == "unetr-2"


# What can't be written


@pytest.mark.parametrize("fileFormat", list(ExportFormat))
def test_a_segmentation_without_segments_is_not_written(mrml, tmp_path, fileFormat):
    case = mrml.newCase(np.zeros(COLUMN.shape_kji, np.uint8), COLUMN)
    with pytest.raises(InputError, match="t2 segmentation has no segments"):
        exportTo(tmp_path / "new", case, fileFormat)
    assert tree(tmp_path) == []


@pytest.mark.parametrize("fileFormat", [SLICER, SPIDER, NIFTI])
def test_segments_without_voxels_are_written_as_nothing(mrml, tmp_path, fileFormat):
    case = mrml.newColumn()
    for segmentId in segmentIds(case.node):
        setMask(case.node, segmentId, np.zeros(COLUMN.shape_kji, bool))
    exportTo(tmp_path, case, fileFormat)
    assert (tmp_path / f"t2_segmentation{fileFormat.value}").is_file()


@pytest.mark.parametrize("fileFormat", [SLICER, SPIDER, NIFTI])
def test_a_file_in_the_place_of_the_folder_is_an_error(mrml, tmp_path, fileFormat):
    (tmp_path / "out").write_text("mine")
    with pytest.raises(OutputError, match="can't make this folder"):
        exportTo(tmp_path / "out", mrml.newColumn(), fileFormat)
    assert (tmp_path / "out").read_text() == "mine"


@pytest.mark.parametrize("fileFormat", [SLICER, SPIDER, NIFTI])
def test_one_file_that_can_not_be_written_leaves_none(mrml, tmp_path, fileFormat):
    case = mrml.newColumn()
    (tmp_path / f"t2_segmentation{fileFormat.value}").mkdir()
    with pytest.raises(OutputError, match="found a folder"):
        exportTo(tmp_path, case, fileFormat, mrml.newVolume(COLUMN, "t1"))
    assert tree(tmp_path) == [f"t2_segmentation{fileFormat.value}"]


@pytest.mark.parametrize("fileFormat", [SPIDER, NIFTI])
def test_a_full_disk_leaves_the_files_of_before(mrml, tmp_path, fileFormat):
    case = mrml.newColumn()
    exportTo(tmp_path, case, fileFormat)
    before = {name: (tmp_path / name).read_bytes() for name in tree(tmp_path)}
    setMask(case.node, idOf(case.node, 3), np.zeros(COLUMN.shape_kji, bool))
    with file_size_limit(100), pytest.raises(OutputError, match="t2_segmentation"):
        exportTo(tmp_path, case, fileFormat)
    assert {name: (tmp_path / name).read_bytes() for name in tree(tmp_path)} == before


@pytest.mark.parametrize("missingBytes", [20, 100, -100])
def test_a_full_disk_leaves_the_segmentation_file_of_before(tmp_path, missingBytes):
    # VTK says so, too, which is no failure here.
    messages = Messages()
    case = newScene().newColumn()
    exportTo(tmp_path, case, SLICER)
    before = (tmp_path / "t2_segmentation.seg.nrrd").read_bytes()
    limit = -missingBytes if missingBytes < 0 else len(before) - missingBytes
    with file_size_limit(limit), pytest.raises(OutputError, match=r"t2_segmentation\.seg\.nrrd: .*full"):
        exportTo(tmp_path, case, SLICER)
    messages.close()
    assert tree(tmp_path) == ["t2_segmentation.seg.nrrd"]
    assert (tmp_path / "t2_segmentation.seg.nrrd").read_bytes() == before


# DICOM SEG

PLUGIN = """
    import os
    import vtk

    calls = []
    failure = None

    class DICOMSegmentationExporter:
        def __init__(self, segmentationNode):
            self.node = segmentationNode

        def export(self, directory, fileName, metadata, segmentIDs=None, skipEmpty=False):
            segmentation = self.node.GetSegmentation()
            segments = []
            for index in range(segmentation.GetNumberOfSegments()):
                segment = segmentation.GetNthSegment(index)
                tags = {}
                for tag in ("TerminologyEntry", "DICOM.SegmentAlgorithmType", "DICOM.SegmentAlgorithmName"):
                    text = vtk.reference("")
                    segment.GetTag(tag, text)
                    tags[tag] = str(text)
                segments.append((segment.GetName(), tags))
            reference = self.node.GetNodeReference(self.node.GetReferenceImageGeometryReferenceRole())
            calls.append((segments, dict(metadata), reference.GetName()))
            with open(os.path.join(directory, fileName), "w") as file:
                file.write("DICM")
                if failure is not None:
                    raise failure

        def cleanup(self):
            calls.append("cleanup")
"""


@pytest.fixture
def plugin(tmp_path_factory, monkeypatch):
    """A module where Slicer's plug-in is: what it was asked to write stands in its `calls`."""
    folder = tmp_path_factory.mktemp("plugin")
    (folder / "DICOMSegmentationPlugin.py").write_text(textwrap.dedent(PLUGIN))
    monkeypatch.syspath_prepend(folder)
    monkeypatch.delitem(sys.modules, "DICOMSegmentationPlugin", raising=False)
    import DICOMSegmentationPlugin

    yield DICOMSegmentationPlugin
    del sys.modules["DICOMSegmentationPlugin"]


def newDicomColumn(mrml, naming=None, model=""):
    case = mrml.newColumn(SegmentInfo(naming or LevelNaming(), model))
    case.volumeNode.SetAttribute("DICOM.instanceUIDs", "1.2.3.1 1.2.3.2 1.2.3.3")
    return case


@pytest.mark.parametrize("state", list(LevelState))
def test_dicom_seg_has_full_names_and_codes_by_level_state(mrml, tmp_path, plugin, state):
    case = newDicomColumn(mrml, LevelNaming(state), "unetr-2")
    names, nodes = named(case.node), nodeIds(mrml.scene)
    assert exportTo(tmp_path / "out", case, DICOM) == ()
    assert (tmp_path / "out" / "t2_segmentation.dcm").read_text() == "DICM"
    assert tree(tmp_path / "out") == ["t2_segmentation.dcm"]
    (segments, metadata, reference), cleanup = plugin.calls
    assert cleanup == "cleanup"
    assert reference == "t2"
    lowest, tags = segments[0]
    assert (
        lowest
        == {
            LevelState.ASSUMED: "Lumbar vertebra 1 (level assumed: L5)",
            LevelState.CONFIRMED: "L5",
            LevelState.TRANSITIONAL: "Lumbar vertebra 1 (transitional: L5)",
            LevelState.UNIDENTIFIED: "Vertebra 1",
        }[state]
    )
    codes = {found["TerminologyEntry"].split("~")[2].split("^")[1] for name, found in segments[:3]}
    # Fifth, fourth and third lumbar vertebra; else vertebra.
    assert codes == ({"49668003", "11994002", "36470004"} if state is LevelState.CONFIRMED else {"51282000"})
    assert (tags["DICOM.SegmentAlgorithmType"], tags["DICOM.SegmentAlgorithmName"]) == ("SEMIAUTOMATIC", "SpiderSeg unetr-2")
    assert metadata["SeriesDescription"] == notice(LevelNaming(state))
    assert len(metadata["SeriesDescription"]) <= 64
    assert metadata["SeriesDescription"].startswith(RESEARCH_USE)
    assert (named(case.node), nodeIds(mrml.scene)) == (names, nodes)


def test_what_was_drawn_by_hand_is_manual_and_a_segment_without_level_is_left_out(mrml, tmp_path, plugin):
    case = newDicomColumn(mrml)
    case.node.GetSegmentation().AddEmptySegment("", "cyst")
    [warning] = exportTo(tmp_path, case, DICOM)
    assert "cyst" in warning
    segments = plugin.calls[0][0]
    assert len(segments) == 7
    assert {(tags["DICOM.SegmentAlgorithmType"], tags["DICOM.SegmentAlgorithmName"]) for _, tags in segments} == {("MANUAL", "SpiderSeg")}


@pytest.mark.parametrize("error", [ValueError, RuntimeError, OSError])
def test_an_exporter_that_fails_leaves_no_file_and_no_node(mrml, tmp_path, plugin, error):
    case = newDicomColumn(mrml)
    nodes = nodeIds(mrml.scene)
    plugin.failure = error("no such instance")
    with pytest.raises(OutputError, match=r"t2_segmentation\.dcm: .*no such instance"):
        exportTo(tmp_path, case, DICOM)
    assert plugin.calls[-1] == "cleanup"
    assert tree(tmp_path) == []
    assert nodeIds(mrml.scene) == nodes


def test_a_failed_export_keeps_the_file_of_before(mrml, tmp_path, plugin):
    (tmp_path / "t2_segmentation.dcm").write_text("before")
    plugin.failure = ValueError("x")
    with pytest.raises(OutputError):
        exportTo(tmp_path, newDicomColumn(mrml), DICOM)
    assert (tmp_path / "t2_segmentation.dcm").read_text() == "before"


def test_a_volume_that_is_not_from_dicom_is_told_what_to_do(mrml, tmp_path, plugin):
    case = mrml.newColumn()
    with pytest.raises(InputError, match=r"t2 was not loaded from DICOM.*import the DICOM files in the DICOM module.*or save as \.seg\.nrrd"):
        exportTo(tmp_path, case, DICOM)
    assert plugin.calls == []
    assert tree(tmp_path) == []


def test_without_slicer_s_dicom_module_the_other_ways_are_named(mrml, tmp_path):
    case = newDicomColumn(mrml)
    with pytest.raises(InputError, match=r"DICOM module of 3D Slicer, which is not there: save as \.seg\.nrrd"):
        exportDicomSegmentation(case.node, case.volumeNode, tmp_path / "a.dcm")
    assert tree(tmp_path) == []


def test_another_exporter_may_write_dicom(mrml, tmp_path):
    case = mrml.newColumn()
    written = []
    plan = planExport(case.node, [case.volumeNode], tmp_path, DICOM)
    export(case.node, plan, lambda *arguments: written.append(arguments))
    assert written == [(case.node, case.volumeNode, tmp_path / "t2_segmentation.dcm")]
