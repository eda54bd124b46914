"""What leaves the workstation, read back with other programs; the report; and runs of the model, with their result in the scene."""

from __future__ import annotations

import json
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from numpy.typing import NDArray

from dicom_files import COLUMNS, ROWS, write_series
from mrml_scene import COLUMN, columnLabels, columnPoint, named
from small_project import make_project
from small_session import addPrediction, paint
from SpiderSegLib.errors import OutputError
from SpiderSegLib.io import read_volume, write_volume
from SpiderSegLib.labels import LevelState
from SpiderSegLib.level_names import RESEARCH_USE, LevelNaming
from SpiderSegLib.mrml.segmentations import SegmentInfo, newSegmentationNode, onGridOf, predictionNodeOf
from SpiderSegLib.mrml.segments import setMask
from SpiderSegLib.mrml.volumes import geometryOf
from SpiderSegLib.segmentation_files import NamedLabelmap, labelmap_sidecar, labelmap_writer, read_segmentation, sidecar_bytes
from SpiderSegLib.volume import Volume
from workstation_place import Workplace, workplace
from workstation_scene import box, nodesIn

INFO = SegmentInfo(LevelNaming(), "unetr-2", {1: 0.93, 2: 0.25})


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Workplace]:
    (tmp_path / "place").mkdir()
    with workplace(tmp_path / "place") as place:
        yield place


def exported(place: Workplace) -> dict[str, Path]:
    """The files that the browser is told to fetch, by their names."""
    return {path.name: path for path in (place.folder / "private" / "exports").rglob("*") if path.is_file()}


# Export


@pytest.mark.parametrize(
    ("fileFormat", "names"),
    [
        ("segNrrd", ["t2_segmentation.seg.nrrd"]),
        ("mha", ["t2_segmentation.json", "t2_segmentation.mha"]),
        ("niftiGz", ["t2_segmentation.json", "t2_segmentation.nii.gz"]),
    ],
)
def test_other_programs_read_what_was_exported(place, fileFormat, names):
    place.openColumn(INFO)
    place.set(dialog="export")
    place.act("export", fileFormat)
    assert sorted(exported(place)) == names
    assert len(place.state.downloadUrl["urls"]) == len(names)
    assert place.notice == ("success", f"Exported {names[-1]}; your browser saves it.")
    assert place.state.dialog == ""
    path = exported(place)[names[-1]]
    image = sitk.ReadImage(str(path))
    # Slicer's own format numbers segments by its label values, which are SPIDER's here.
    assert np.array_equal(sitk.GetArrayFromImage(image), columnLabels())
    assert image.GetSpacing() == pytest.approx(COLUMN.spacing_ijk_mm)
    assert image.GetOrigin() == pytest.approx(COLUMN.origin_lps_mm)
    assert image.GetDirection() == pytest.approx(COLUMN.direction)
    if "t2_segmentation.json" in names:
        sidecar = json.loads(exported(place)["t2_segmentation.json"].read_text(encoding="utf-8"))
        assert sidecar["model"]["id"] == "unetr-2"
        assert {level["value"] for level in sidecar["levels"]} == {1, 2, 3, 100, 201, 202, 203}


def test_what_was_corrected_is_what_is_exported(place):
    place.openColumn(INFO)
    place.act("confirm")
    place.do(lambda: setMask(place.node, place.idOf(1), box(slice(7, 10), slice(0, 5))))
    place.act("export", "mha")
    found = read_segmentation(exported(place)["t2_segmentation.mha"]).named
    assert (found.labelmap.array == 1).sum() == 3 * 5 * 3
    assert found.naming.state is LevelState.CONFIRMED


def test_the_page_is_told_of_every_export_anew(place):
    place.openColumn()
    place.act("export", "mha")
    first = place.state.downloadUrl
    place.act("export", "mha")
    second = place.state.downloadUrl
    assert second["id"] > first["id"]
    assert not set(first["urls"]) & set(second["urls"])
    assert all(url.startswith("/files/") for url in (*first["urls"], *second["urls"]))
    assert {stat.S_IMODE(path.parent.stat().st_mode) for path in exported(place).values()} == {0o700}


def test_what_was_exported_counts_as_saved(place):
    place.openColumn()
    assert place.state.saveState["isModified"]
    place.act("export", "niftiGz")
    assert place.state.saveState == {"isModified": False, "text": "Exported", "minutes": ""}
    place.act("shift", 1)
    assert place.state.saveState["text"] == "Not exported yet; kept on this computer"


@pytest.mark.parametrize(("fileFormat", "isWhole"), [("segNrrd", True), ("mha", False)])
def test_a_segment_that_no_labelmap_takes_is_told_and_kept(place, fileFormat, isWhole):
    place.openColumn()
    place.act("addSegment")
    place.do(lambda: setMask(place.node, place.state.selected[0], box(slice(0, 2), slice(0, 1))))
    place.act("export", fileFormat)
    kind, text = place.notice
    assert kind == "success"
    assert ("New segment names no level and is left out" in text) is not isWhole
    assert place.state.saveState["isModified"] is not isWhole


def test_without_a_segmentation_there_is_nothing_to_export_or_report(place):
    place.act("export", "mha")
    assert place.notice == ("error", "there is no segmentation to export yet")
    place.openLoose()
    place.act("report")
    assert place.notice == ("error", "there is no segmentation to report on yet")
    place.act("startEmpty")
    place.act("export", "segNrrd")
    assert place.notice == ("error", "t2 segmentation has no segments: there is nothing to write")
    assert exported(place) == {}


@pytest.fixture
def dicom(tmp_path: Path) -> Iterator[Workplace]:
    """A series of a DICOM folder is open, L5 and the canal drawn by hand."""
    (tmp_path / "place").mkdir()
    folder = tmp_path / "study"
    write_series(folder, 3, "T2 SAG", PatientName="Müller^Eva", SpecificCharacterSet="ISO_IR 100", FrameOfReferenceUID="1.2.3")
    with workplace(tmp_path / "place", folder) as place:
        place.act("showStart")
        place.act("openSeries", place.state.opened["files"][0]["name"])
        labels = np.zeros((5, ROWS, COLUMNS), np.uint8)
        labels[1:4, 1:3, 1:4], labels[1:4, :, 6] = 1, 100
        geometry = geometryOf(place.bench.volumeNode)

        def draw() -> None:
            place.bench.work.useSegmentation(newSegmentationNode(place.app.scene, Volume(labels, geometry), place.bench.volumeNode, INFO))
            place.bench.edit()

        place.do(draw)
        yield place


def test_a_dicom_series_is_exported_as_dicom_seg(dicom):
    assert dicom.why("dicomSeg") == {""}
    expected = dicom.bench.loose.screen().labels
    dicom.act("export", "dicomSeg")
    assert dicom.notice[0] == "success"
    ((name, path),) = exported(dicom).items()
    assert name == "study_segmentation.dcm"
    found = read_segmentation(path).named.labelmap
    assert sorted(np.unique(found.array)) == [0, 1, 100]
    assert np.array_equal(onGridOf(found, geometryOf(dicom.bench.volumeNode), "").array, expected)
    assert not dicom.state.saveState["isModified"]


def test_dicom_seg_is_for_series_from_dicom(place):
    place.openColumn()
    place.act("export", "dicomSeg")
    kind, text = place.notice
    assert kind == "error"
    assert text.startswith("t2 was not opened from DICOM, and DICOM SEG refers to the original images")
    assert exported(place) == {}
    assert place.state.saveState["isModified"]


# Report


def report(place: Workplace) -> str:
    (path,) = [path for name, path in exported(place).items() if name.endswith("_report.html")]
    return path.read_text(encoding="utf-8")


def test_the_report_names_the_levels_and_what_it_is_not_for(place):
    place.openColumn(INFO)
    place.act("report")
    assert place.state.openUrl["url"].startswith("/files/")
    text = report(place)
    for words in ("t2", "L5?", "L4?", "L3?", "L4/L5?", "Ada", "unetr-2", "93 %"):
        assert words in text
    assert RESEARCH_USE in text


def test_the_report_says_what_was_corrected_and_by_whom(place, tmp_path):
    project = make_project(tmp_path / "project")
    addPrediction(project, "p2_t2")
    place.openProject(project)
    place.act("openCase", "p2_t2")
    place.do(lambda: paint(place.bench.work.case, 1))
    place.set(comment="L5 was short")
    place.act("done")
    place.act("report")
    text = report(place)
    for words in ("p2_t2", "L5 was short", "Ada", "done", "bundled-0"):
        assert words in text


def test_the_report_of_a_segmentation_drawn_by_hand_compares_it_with_nothing(place):
    place.openLoose()
    place.act("startEmpty")
    place.act("addSegment")
    place.act("setLevel", 1)
    place.do(lambda: setMask(place.node, place.idOf(1), box(slice(7, 10), slice(1, 5))))
    place.act("report")
    assert place.state.notice is None
    assert "L5?" in report(place)
    assert predictionNodeOf(place.node) is None


# Runs


@pytest.fixture(scope="session")
def drawn_column(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a run writes for a column: a labelmap and its sidecar."""
    folder = tmp_path_factory.mktemp("drawn")
    result = NamedLabelmap(Volume(columnLabels(), COLUMN, "series"), LevelNaming(), "unetr-2", {1: 0.93})
    labelmap_writer(folder / "result.mha", result)(folder / "result.mha")
    (folder / "result.json").write_bytes(sidecar_bytes(labelmap_sidecar(result)))
    return folder


def program(lines: str) -> Callable[[Sequence[str]], subprocess.Popen[str]]:
    """Starts a run that knows its result, or that there is none: `arguments` are those of the command line, `say` reports a stage."""
    head = "import json, shutil, sys, time\narguments = sys.argv[1:]\nout = arguments[arguments.index('--out') + 1]\n"
    say = "def say(stage, share): print(json.dumps({'stage': stage, 'fraction': share, 'message': ''}), flush=True)\n"

    def launch(arguments: Sequence[str]) -> subprocess.Popen[str]:
        return subprocess.Popen([sys.executable, "-c", head + say + lines, *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    return launch


def copied(*files: Path) -> str:
    """The lines of a program that writes these files where its result belongs."""
    return "\n".join(f"shutil.copy({str(path)!r}, out.replace('result.mha', {path.name!r}))" for path in files)


@pytest.fixture
def quick(place: Workplace, drawn_column: Path) -> Workplace:
    """Runs end at once with the column."""
    place.launch = program("say('network', 0.5)\n" + copied(drawn_column / "result.mha", drawn_column / "result.json"))
    return place


ENDLESS = "say('import', 0.25)\ntime.sleep(300)"


def run(place: Workplace) -> None:
    """Segments, and waits for the end."""
    place.act("segment")
    assert place.why("cancelRun") == {""}
    place.until(lambda: not place.bench.queue.isBusy)
    place.do(lambda: None)


def test_a_series_is_segmented(quick):
    quick.openLoose()
    run(quick)
    assert quick.notice == ("success", "Done: check the levels, then confirm them.")
    assert named(quick.node) == ["L5?", "L4?", "L3?", "L5/S1?", "L4/L5?", "L3/L4?", "Spinal canal"]
    assert [row["confidence"] for row in quick.state.levels][:2] == ["93 %", ""]
    assert (quick.state.run, quick.state.currentCase["hasSegmentation"]) == (None, True)
    assert quick.why("cancelRun") == {"Nothing runs."}
    assert predictionNodeOf(quick.node) is not None
    assert quick.bench.editor.selectedId == quick.idOf(1)
    # It is kept without a stroke.
    quick.until(lambda: any(quick.folder.glob("kept/*.seg.nrrd")))


def test_what_a_run_wants_to_be_known_is_told_until_the_next_one(place, drawn_column, tmp_path):
    sidecar = json.loads((drawn_column / "result.json").read_text(encoding="utf-8"))
    (tmp_path / "result.json").write_text(json.dumps({**sidecar, "warnings": ["the slices of series.mha are far apart"]}), encoding="utf-8")
    place.launch = program(copied(drawn_column / "result.mha", tmp_path / "result.json"))
    place.openLoose()
    run(place)
    assert place.notice == ("success", "Done: check the levels, then confirm them.\nthe slices of t2 are far apart")
    assert place.state.currentCase["messages"] == ["the slices of t2 are far apart"]
    # Findings are looked for at once.
    assert place.state.findings is not None
    place.launch = program("sys.exit(1)")
    run(place)
    assert place.state.currentCase["messages"] == []


def test_segmenting_again_can_be_taken_back(quick):
    quick.openColumn()
    quick.do(lambda: setMask(quick.node, quick.idOf(1), box(slice(7, 10), slice(0, 1))))
    corrected = quick.mask(1)
    run(quick)
    assert quick.mask(1).sum() == 36
    quick.act("undo")
    assert np.array_equal(quick.mask(1), corrected)
    assert nodesIn(quick.app, "vtkMRMLSegmentationNode") == 1


def test_the_input_of_a_run_is_the_open_series(place, tmp_path):
    place.launch = program(f"shutil.copy(arguments[1], {str(tmp_path / 'seen.mha')!r})\nsys.exit(1)")
    place.openLoose()
    run(place)
    seen = read_volume(tmp_path / "seen.mha")
    assert np.array_equal(seen.array, place.bench.loose.volume.array)
    assert seen.geometry == COLUMN


def test_a_run_that_fails_is_told_and_leaves_the_series(place):
    place.launch = program("print('ERROR: no memory left', flush=True)\nsys.exit(1)")
    place.openLoose()
    run(place)
    kind, text = place.notice
    assert kind == "error"
    assert "no memory left" in text
    assert (place.state.run, place.node) == (None, None)
    assert place.why("segment") == {""}


def test_the_page_shows_how_far_a_run_is_and_can_end_it(place):
    place.launch = program(ENDLESS)
    place.openLoose()
    place.act("segment")
    assert place.state.run == {"title": "t2", "text": "starting", "percent": 0, "left": "", "isCancelling": False}
    place.until(lambda: place.state.run["percent"] > 0)
    assert place.state.run == {"title": "t2", "text": "Loading the model", "percent": 25, "left": "", "isCancelling": False}
    place.happens(lambda: place.bench.perform("cancelRun"))
    assert (place.state.run["text"], place.state.run["isCancelling"]) == ("cancelling", True)
    # The page learns of the end by itself.
    place.until(lambda: place.state.can["cancelRun"] == "Nothing runs.")
    assert place.notice == ("info", "The run was cancelled.")
    assert (place.state.run, place.node) == (None, None)


def test_a_run_ends_when_another_series_is_opened(place, tmp_path):
    place.launch = program(ENDLESS)
    project = make_project(tmp_path / "project")
    place.openProject(project)
    place.act("openCase", "p1_t2")
    place.act("segment")
    place.act("openCase", "p2_t2")
    place.until(lambda: not place.bench.queue.isBusy)
    place.do(lambda: None)
    assert place.state.currentCase["name"] == "p2_t2"
    assert (place.state.run, place.why("cancelRun")) == (None, {"Nothing runs."})


def test_a_result_that_comes_for_a_series_that_was_left_is_dropped(quick):
    first = quick.openLoose()
    quick.act("segment")
    second = quick.openLoose()
    quick.until(lambda: not quick.bench.queue.isBusy)
    assert (first.segmentationNode, second.segmentationNode) == (None, None)
    # Two images, and nothing of the result.
    assert nodesIn(quick.app) == 2
    first.leave()


@pytest.fixture
def drawsOneLevel(place: Workplace, tmp_path: Path) -> Callable[[int, NDArray[np.bool_]], None]:
    """Has runs draw a level at a place, as those at a click and those of one level do."""

    def use(value: int, mask: NDArray[np.bool_]) -> None:
        added = {"value": value, "confidence": 0.8, "model": {"id": "unetr-2"}, "needs_shift": 0}
        write_volume(tmp_path / "result.mha", Volume(np.where(mask, value, 0).astype(np.uint8), COLUMN))
        (tmp_path / "result.json").write_text(json.dumps({"added": [added]}), encoding="utf-8")
        place.launch = program(copied(tmp_path / "result.mha", tmp_path / "result.json"))

    return use


def untilOver(place: Workplace) -> None:
    place.until(lambda: not place.bench.queue.isBusy)
    place.do(lambda: None)


@pytest.mark.parametrize(("action", "value", "name"), [("addVertebra", 3, "L3?"), ("addDisc", 203, "L3/L4?")])
def test_what_was_missed_is_drawn_at_a_click(place, drawsOneLevel, action, value, name):
    place.openColumn(INFO)
    mask = place.mask(value)
    place.act("selectLevel", place.idOf(value))
    place.act("deleteSegment")
    assert place.notice[0] == "info"
    drawsOneLevel(value, mask)
    place.act(action)
    place.do(lambda: place.bench.clicks.node.AddControlPointWorld(*columnPoint(2, 1, 1)))
    # It takes one click, and the page shows the run.
    place.until(lambda: place.state.run is not None)
    assert place.state.prompt == ""
    untilOver(place)
    assert place.notice == ("success", f"{name} was drawn")
    assert np.array_equal(place.mask(value), mask)
    assert place.state.selected == [place.idOf(value)]
    assert [row["confidence"] for row in place.state.levels if row["name"] == name] == ["80 %"]
    place.act("undo")
    assert name not in named(place.node)


def test_a_level_is_drawn_anew(place, drawsOneLevel):
    place.openColumn(INFO)
    drawsOneLevel(2, box(slice(3, 6), slice(0, 5)))
    place.act("selectLevel", place.idOf(2))
    place.act("redraw")
    assert place.state.run["title"]
    untilOver(place)
    assert place.notice == ("success", "L4? was drawn")
    assert place.mask(2).sum() == 3 * 5 * 3
    place.act("undo")
    assert place.mask(2).sum() == 36


def test_a_result_that_does_not_fit_is_told_and_changes_nothing(quick):
    # A run around a level writes that level alone, not a column.
    quick.openColumn()
    before = quick.mask(1)
    quick.act("redraw")
    quick.until(lambda: not quick.bench.queue.isBusy)
    quick.do(lambda: None)
    assert quick.notice[0] == "error"
    assert np.array_equal(quick.mask(1), before)


def test_options_of_the_page_are_those_of_the_next_run(place, tmp_path):
    place.launch = program(f"open({str(tmp_path / 'arguments')!r}, 'w').write(' '.join(arguments))\nsys.exit(1)")
    place.openLoose()
    place.set(device="cpu", mirror=True)
    run(place)
    arguments = (tmp_path / "arguments").read_text()
    assert "--device cpu" in arguments
    assert "--mirror" in arguments


def test_what_can_t_be_segmented_says_why(place):
    place.act("segment")
    assert place.notice == ("error", "open a series first")
    place.openLoose()

    def refuses(arguments: Sequence[str]) -> subprocess.Popen[str]:
        raise OutputError("the disk is full")

    place.launch = refuses
    place.act("segment")
    place.until(lambda: not place.bench.queue.isBusy)
    place.do(lambda: None)
    kind, text = place.notice
    assert kind == "error"
    assert "the disk is full" in text
    assert place.state.run is None
